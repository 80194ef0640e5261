"""The command palette: every action, named filter and column to sort by, found by typing a part of its name.

It is ours and not Textual's own, which searches with workers and a delay, shows a spinner meanwhile, knows no entry
that is refused, and leaves no room for keys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.widgets import Input

from .action import Action, Pane
from .chooser import Chooser
from .entries import Entry, ranked
from .keymap import Keymap


class Palette(Chooser):
    """Entries that are found by typing."""

    DEFAULT_CSS = """
    Palette { align: center top; }
    Palette .box { width: 100; }
    Palette Input { background: ansi_default; color: ansi_default; margin-bottom: 1; }
    """
    AUTO_FOCUS = "Input"

    def __init__(self, entries: Sequence[Entry]) -> None:
        """Offer these entries; their keys are shown and do nothing here."""
        super().__init__("", entries)
        self._keys = {}

    def head(self) -> ComposeResult:
        """Where to type."""
        typed = Input(placeholder="type a part of what you want", compact=True)
        typed.cursor_blink = False
        yield typed

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what fits."""
        found = ranked(self.entries, event.value)
        self.list.show(found)
        self.say("" if found else "nothing fits")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Choose the entry under the cursor."""
        self.action_pick()


def action_entries(
    keymap: Keymap, pane: Pane, refusal: Callable[[Action], str], run: Callable[[Action], None]
) -> list[Entry]:
    """The actions as entries, those that work in ``pane`` first; ``refusal`` says why one cannot be done now."""

    def entry(action: Action) -> Entry:
        why = refusal(action) if pane in action.panes else f"only in the {' and the '.join(action.panes)}"
        return Entry(
            action.title,
            action.help,
            keymap.label(action.id, pane) or keymap.label(action.id),
            why,
            lambda: run(action),
            id=action.id,
        )

    return sorted(map(entry, keymap.actions), key=lambda entry: bool(entry.refusal))
