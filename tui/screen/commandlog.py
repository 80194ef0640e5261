"""Shows what the screen did, as the commands that do the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from ..celltext import one_line
from .commands import CommandLog, Done
from .reader import Reader


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
