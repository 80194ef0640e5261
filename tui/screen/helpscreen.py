"""The help: the keys of the pane that the person is in, and then all others."""

from __future__ import annotations

from rich.text import Text

from .action import Pane
from .helptext import help_text, sections
from .keymap import Keymap
from .reader import Reader


class HelpScreen(Reader):
    """The keys as this person has them."""

    def __init__(self, keymap: Keymap, pane: Pane) -> None:
        """Show the keys, those of ``pane`` first."""
        super().__init__(f"Keys in the {pane}")
        self._keymap = keymap
        self._pane: Pane = pane

    def text(self, width: int, needle: str) -> Text:
        """The help in one or two columns."""
        text = help_text(sections(self._keymap, self._pane, needle), width)
        if not needle:
            text.append("\nQuitting closes the screen only: jobs and their engine go on.", "dim")
        return text
