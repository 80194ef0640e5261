"""What a scheduler runs that is handed text, no job script: sh that becomes the job script of its own attempt."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from ..core.backend import Request

# What comes too late must not start the next attempt.
_TEMPLATE = r"""#!/bin/sh
# Starts the job script of jobtui, whose second line says which attempt it is for.
{before}
{places}
{{ read -r jt_l; read -r jt_l; }} <"$jt_s" || exit 75
case $jt_l in *", attempt $jt_n. "*) ;; *) exit 75 ;; esac
exec {env}/bin/sh "$jt_s" </dev/null
"""


def starter(request: Request, before: str = "", env: Mapping[str, str] | None = None) -> bytes:
    """The text for one attempt. ``before``: lines of sh that come first; ``env``: variables that it sets."""
    return _text(_place(request), before, env)


def array_starter(
    tasks: Mapping[int, Request], number: str, before: str = "", env: Mapping[str, str] | None = None
) -> bytes:
    """The text for many attempts, by the numbers of their tasks, which the shell word ``number`` stands for."""
    places = "\n".join(f"{task}) {_place(request)} ;;" for task, request in tasks.items())
    # A range cannot leave a task out, so those that are nobody's end at once.
    return _text(f"case {number} in\n{places}\n*) exit 0 ;;\nesac", before, env)


def _place(request: Request) -> str:
    return f"jt_n={request.attempt} jt_s={shlex.quote(request.script)}"


def _text(places: str, before: str, env: Mapping[str, str] | None) -> bytes:
    words = [shlex.quote(f"{name}={value}") for name, value in sorted((env or {}).items()) if name]
    text = _TEMPLATE.format(before=before, places=places, env="".join(f"{word} " for word in ["env", *words] if words))
    return text.encode("utf-8", "surrogateescape")
