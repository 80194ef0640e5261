"""Several commands run by one sh, one after the other, each with an answer of its own. Pure: text in, answers out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from .dialect import Command, Reply

# Both streams say where each command's output begins and ends. A shell whose reader is gone dies of that before it
# begins the next command. After one that fails nothing else is begun.
_HEAD = """jt_say() { printf '%s %s %s\\n' MARK "$1" "$2" && printf '%s %s %s\\n' MARK "$1" "$2" >&2 || exit; }
jt_over() { jt_say "$1" "$2"; [ "$2" = 0 ] || jt_stop; }
jt_stop() { jt_say - stops; exit 0; }
"""


def script(commands: Sequence[Command], mark: str) -> str:
    """The text for sh. ``mark``: a word that is in no command's output. Commands read nothing."""
    lines = [
        f"jt_say {place} begins; {shlex.join(command.argv)} </dev/null; jt_over {place} $?\n"
        for place, command in enumerate(commands)
    ]
    return _HEAD.replace("MARK", mark) + "".join(lines) + "jt_stop\n"


def answers(out: bytes, err: bytes, count: int, mark: str) -> list[Reply | None]:
    """What the first of ``count`` commands came to: None for one of which nobody knows whether and how it ran.

    The commands that are not in the answer were certainly not begun.
    """
    outs, errs = _parts(out, mark), _parts(err, mark)
    known: list[Reply | None] = []
    for place in range(count):
        if place not in outs or place not in errs:
            break
        code, said = outs[place]
        known.append(Reply(code, said, errs[place][1]))
    if f"{mark} - stops\n".encode() in out and len(known) == len(outs):
        return known
    return known + [None] * (count - len(known))


def _parts(text: bytes, mark: str) -> dict[int, tuple[int, str]]:
    """Exit code and output of each command that ended."""
    pattern = rf"{mark} (\d+) begins\n(.*?){mark} \1 (\d+)\n"
    found = re.findall(pattern, text.decode("utf-8", "replace"), re.DOTALL)
    return {int(place): (int(code), output) for place, output, code in found}
