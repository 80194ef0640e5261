"""What the screen did, as the commands that do the same, so that it can be trusted, learnt from and repeated."""

from __future__ import annotations

import shlex
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from ...core.filters import id_ranges
from ..celltext import one_line
from .reader import Reader

_KEPT = 500
# Orders of the screen: what they are called on the command line.
_COMMANDS = {
    "cancel": "cancel",
    "retry": "retry",
    "resubmit": "resubmit",
    "hold": "hold",
    "release": "release",
    "remove": "rm",
}


@dataclass(frozen=True)
class Done:
    """One thing that was done: when (epoch seconds), the command that does the same, and what became of it."""

    at: float
    command: str
    outcome: str


def entry_for(order: str, workdir: str, ids: Iterable[int], options: Sequence[str] = ()) -> str:
    """The command line for an order, by the id of its action, to jobs of a work directory.

    An order that the command line does not have stands in brackets.
    """
    command = _COMMANDS.get(order)
    words = ["jobtui", "-w", workdir, command or order, *options, id_ranges(ids)]
    return shlex.join(words) if command is not None else f"[{order} {id_ranges(ids)} in {workdir}]"


class CommandLog:
    """The last of what was done, oldest first."""

    def __init__(self) -> None:
        """Begin empty."""
        self.entries: deque[Done] = deque(maxlen=_KEPT)

    def add(self, command: str, outcome: str) -> None:
        """Note what was done just now."""
        self.entries.append(Done(time.time(), command, outcome))


class CommandLogScreen(Reader):
    """The command log, newest last; ``y`` copies what is shown."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "copy"), Binding("at", "close")]
    hint = "/ search   y copy   Esc close"
    at_end = True

    def __init__(self, log: CommandLog, copy: Callable[[str], None]) -> None:
        """Show this log; ``copy`` is called with the commands that are to be copied, one per line."""
        super().__init__("What the screen did, as commands")
        self._log, self._copy = log, copy

    def _shown(self, needle: str) -> list[Done]:
        wanted = needle.casefold()
        return [done for done in self._log.entries if wanted in f"{done.command} {done.outcome}".casefold()]

    def text(self, width: int, needle: str) -> Text:
        """Two lines for each: the command, and what became of it."""
        text = Text()
        for done in self._shown(needle):
            text.append(time.strftime("%H:%M:%S  ", time.localtime(done.at)), "dim")
            text.append(one_line(done.command) + "\n", "bold")
            text.append(f"          {one_line(done.outcome)}\n")
        if not self._log.entries:
            text.append("Nothing was ordered yet.", "dim")
        return text

    def action_copy(self) -> None:
        """Copy the commands."""
        self._copy("\n".join(done.command for done in self._shown(self.needle)))
