"""The line below a log where a person types what to search, filter or go to: with a history and an answer."""

from __future__ import annotations

from typing import ClassVar, Literal

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

Purpose = Literal["search", "filter", "jump"]

_LABELS: dict[Purpose, str] = {"search": "/", "filter": "&", "jump": "go to"}
_HINTS: dict[Purpose, str] = {
    "search": "words or a regular expression",
    "filter": "show only lines with this",
    "jump": "a line number, or a percentage such as 50%",
}
_MOST = 100


class History:
    """What was typed before, for each purpose, the newest last."""

    def __init__(self) -> None:
        """Empty."""
        self._entries: dict[Purpose, list[str]] = {"search": [], "filter": [], "jump": []}

    def add(self, purpose: Purpose, words: str) -> None:
        """Remember what was accepted."""
        entries = self._entries[purpose]
        if words in entries:
            entries.remove(words)
        entries.append(words)
        del entries[:-_MOST]

    def step(self, purpose: Purpose, at: int) -> str | None:
        """The entry so many back, 1 for the newest; None if there are not so many."""
        entries = self._entries[purpose]
        return entries[-at] if 1 <= at <= len(entries) else None


class Prompt(Horizontal):
    """Hidden until it is opened. Tells by messages what is typed, accepted and cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", show=False),
        Binding("up", "older", "Older", show=False),
        Binding("down", "newer", "Newer", show=False),
    ]
    DEFAULT_CSS = """
    Prompt { height: 1; display: none; }
    Prompt.open { display: block; }
    Prompt Static { width: auto; padding: 0 1; }
    Prompt #prompt-label { text-style: bold; }
    Prompt #prompt-answer { max-width: 60%; }
    Prompt Input { width: 1fr; background-tint: transparent; }
    Prompt Input:ansi > .input--cursor { text-style: reverse; background: ansi_default; color: ansi_default; }
    """

    class Typed(Message):
        """The words were changed."""

        def __init__(self, purpose: Purpose, words: str) -> None:
            """Carry them."""
            super().__init__()
            self.purpose: Purpose = purpose
            self.words = words

    class Accepted(Typed):
        """Enter was pressed."""

    class Cancelled(Typed):
        """Esc was pressed."""

    def __init__(self) -> None:
        """Closed."""
        super().__init__(id="log-prompt")
        self.purpose: Purpose = "search"
        self._history = History()
        self._back = 0
        self._typed = ""
        self._answer = ""

    def compose(self) -> ComposeResult:
        """What it is for, what is typed, and what came of it."""
        yield Static("", id="prompt-label", markup=False)
        entry = Input(id="prompt-input", select_on_focus=False, compact=True)
        entry.cursor_blink = False
        yield entry
        yield Static("", id="prompt-answer", markup=False)

    @property
    def is_open(self) -> bool:
        """Whether a person types here now."""
        return self.has_class("open")

    def open(self, purpose: Purpose) -> None:
        """Begin to ask."""
        self.purpose, self._back = purpose, 0
        entry = self.query_one(Input)
        self.query_one("#prompt-label", Static).update(_LABELS[purpose])
        entry.placeholder = _HINTS[purpose]
        with self.prevent(Input.Changed):
            entry.value = ""
        self.answer("")
        self.add_class("open")
        entry.focus()

    def close(self) -> None:
        """Ask no more."""
        self.remove_class("open")

    def answer(self, words: str) -> None:
        """Say beside the words what came of them."""
        if words != self._answer:
            self._answer = words
            self.query_one("#prompt-answer", Static).update(Text(words, "dim"))

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Typed(self.purpose, event.value))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value:
            self._history.add(self.purpose, event.value)
        self.post_message(self.Accepted(self.purpose, event.value))

    def action_cancel(self) -> None:
        """Leave everything as it was."""
        self.post_message(self.Cancelled(self.purpose, ""))

    def action_older(self) -> None:
        """What was typed before."""
        self._step(1)

    def action_newer(self) -> None:
        """What was typed after that."""
        self._step(-1)

    def _step(self, step: int) -> None:
        entry = self.query_one(Input)
        if self._back == 0:
            self._typed = entry.value
        back = self._back + step
        words = self._typed if back == 0 else self._history.step(self.purpose, back)
        if words is not None:
            self._back = back
            entry.value = words
            entry.cursor_position = len(words)
