"""Dialogs that offer entries: a short menu whose entries have keys, and what of a job can be copied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from .entries import Entry
from .keynames import KeyNameError, key_name
from .picklist import PickList

# Lines of a dialog that are no entries: borders, title and the line below, line of words.
_FRAME = 5
_TALLEST = 24


class Chooser(ModalScreen[Entry | None]):
    """A menu: arrows and Enter, a click, or the key of an entry choose; Esc chooses nothing.

    Gives back the entry; push it with ``run_entry`` as the callback. ``key`` of an entry is the character that
    chooses it, "" for none.
    """

    DEFAULT_CSS = """
    Chooser { align: center middle; background: transparent; }
    Chooser .box {
        width: 80; max-width: 100%; max-height: 100%; border: round ansi_default; padding: 0 1;
        background: ansi_default; color: ansi_default;
    }
    Chooser .title { height: 1; margin-bottom: 1; text-style: bold; }
    Chooser .words { height: 1; }
    """
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "close"),
        Binding("up,ctrl+p", "move(-1)"),
        Binding("down,ctrl+n", "move(1)"),
        Binding("pageup", "move(-10)"),
        Binding("pagedown", "move(10)"),
        Binding("enter", "pick"),
    ]

    def __init__(self, title: str, entries: Sequence[Entry]) -> None:
        """Offer these entries."""
        super().__init__()
        self._title = title
        self.entries = tuple(entries)
        self.list = PickList(self.entries)
        self._words = Static(classes="words", markup=False)
        self._keys = {_key(entry.key): entry for entry in self.entries if entry.key}

    def compose(self) -> ComposeResult:
        """Title, entries, one line for words."""
        with Vertical(classes="box") as box:
            box.styles.height = min(_TALLEST, len(self.entries) + _FRAME)
            yield from self.head()
            yield self.list
            yield self._words

    def head(self) -> ComposeResult:
        """What stands above the entries."""
        yield Static(Text(self._title), classes="title", markup=False)

    def on_mount(self) -> None:
        """Say what the keys do."""
        self.say("")

    def say(self, words: str) -> None:
        """Show words in the last line, "" for what the keys do."""
        self._words.update(Text(words, "bold") if words else Text("Enter choose   Esc close", "dim"))

    def on_key(self, event: events.Key) -> None:
        """Choose by an entry's own key; without one of its own, j, k and q do what they do elsewhere."""
        if event.key in self._keys:
            event.stop()
            self.choose(self._keys[event.key])
        elif event.key in ("j", "k"):
            self.action_move(1 if event.key == "j" else -1)
        elif event.key == "q":
            self.action_close()

    def on_pick_list_picked(self, message: PickList.Picked) -> None:
        """Choose what was clicked."""
        self.choose(message.entry)

    def choose(self, entry: Entry) -> None:
        """Give back an entry; one that cannot be chosen says why instead."""
        if entry.refusal:
            self.say(f"{entry.title}: {entry.refusal}")
        else:
            self.dismiss(entry)

    def action_move(self, lines: int) -> None:
        """Move the cursor."""
        self.list.move(lines)
        self.say("")

    def action_pick(self) -> None:
        """Choose the entry under the cursor."""
        if self.list.current is not None:
            self.choose(self.list.current)

    def action_close(self) -> None:
        """Choose nothing."""
        self.dismiss(None)


def _key(shown: str) -> str:
    try:
        return key_name(shown)
    except KeyNameError:
        return ""


def run_entry(entry: Entry | None) -> None:
    """Do what was chosen, if anything was: the callback to push a ``Chooser`` or a ``Palette`` with."""
    if entry is not None:
        entry.run()


@dataclass(frozen=True)
class Copyable:
    """Something to copy: what it is called ("the command"), how it looks in one line, and its whole text."""

    what: str
    shown: str
    text: Callable[[], str]


class CopyDialog(Chooser):
    """What can be copied, by number."""

    def __init__(self, choices: Sequence[Copyable], copy: Callable[[Copyable], None]) -> None:
        """Offer these; ``copy`` is called with the chosen one once the dialog is closed."""

        def entry(number: int, choice: Copyable) -> Entry:
            key = str(number) if number < 10 else ""
            refusal = "" if choice.shown else "there is none"
            return Entry(choice.what[:1].upper() + choice.what[1:], choice.shown, key, refusal, lambda: copy(choice))

        super().__init__("Copy", [entry(number, choice) for number, choice in enumerate(choices, 1)])
