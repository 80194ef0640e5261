"""Making a job of ours out of a job script that was submitted without jobtui: its text, run as its first line says."""

from __future__ import annotations

import re
import shlex

import msgspec

from .backend import Shown
from .job import JobSpec, SpecError

# Characters; the text is one argument of a command, which systems limit to 128 KiB.
_LONGEST = 100_000
# Programs that take a script as text, and the option before it.
_TAKES = re.compile(r"(?P<c>sh|bash|dash|ash|ksh\d*|mksh|zsh|python[\d.]*|pypy[\d.]*)|(?P<e>perl|ruby)[\d.]*")
_TASK = re.compile(r"\d+_\d+(?:;.*)?")


def again(spec: JobSpec, script: str) -> JobSpec:
    """The spec of a new job that runs ``script``, for one of which ``spec`` says all else.

    The words behind the first one of its ``shell`` line are the script's arguments. Raises SpecError where the script
    cannot be run as a text.
    """
    first, _, _ = script.partition("\n")
    if not first.startswith("#!"):
        raise SpecError("its script does not say in its first line which program runs it")
    if len(script.encode("utf-8", "surrogateescape")) > _LONGEST or "\0" in script:
        raise SpecError("its script is too long, or no text: submit its file")
    # As Linux reads it: a program and one argument.
    words = first.removeprefix("#!").split(maxsplit=1) or [""]
    name = words[-1 if _is_env(words[0]) else 0].strip().rsplit("/", 1)[-1]
    match = _TAKES.fullmatch(name)
    if match is None:
        raise SpecError(f"its script is for {name or 'nothing'}, which takes no script as a text: submit its file")
    called = (spec.shell or "script").split()
    option = "-c" if match["c"] else "-e"
    arguments = called if match["c"] and not name.startswith(("python", "pypy")) else called[1:]
    if words == ["/bin/sh"] and len(called) == 1:
        shell = script
    else:
        end = "END_OF_SCRIPT"
        while end in script:
            end += "_"
        text = script if script.endswith("\n") else f"{script}\n"
        run = shlex.join([*(word.strip() for word in words), option]) + ' "$jt_script" ' + shlex.join(arguments)
        shell = f"jt_script=$(cat <<'{end}'\n{text}{end}\n)\nexec {run.rstrip()}\n"
    return msgspec.structs.replace(spec, shell=shell, command=(), attached=None)


def _is_env(program: str) -> bool:
    return program.rsplit("/", 1)[-1] == "env"


def is_task(jid: str) -> bool:
    """Whether a scheduler's id is that of one task of an array."""
    return _TASK.fullmatch(jid) is not None


def foreign_again(backend: str, jid: str, script: str, told: Shown) -> JobSpec:
    """The spec of a new job like the foreign one that its scheduler tells this of; raises SpecError."""
    if is_task(jid):
        raise SpecError("it is a task of an array, which is no job without the others")
    base = JobSpec(
        shell=told.command or None,
        name=told.name or None,
        cwd=told.cwd,
        resources=told.resources,
        backend=backend,
    )
    return again(base, script)
