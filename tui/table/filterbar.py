"""The line in which somebody types a filter: with a history, completion, and what cannot be read yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from ...core.filters import GROUPS, KEYS
from ...core.job import State
from ..celltext import one_line

_MOST = 100


def completions(text: str) -> list[str]:
    """What the last word of a filter may go on as, each as the whole text: keys, and after ``state:`` the states."""
    head, blank, word = text.rpartition(" ")
    sign = word[:1] if word[:1] in ("!", "-") else ""
    typed = word.removeprefix(sign)
    if typed.startswith(("state:", "state=", "state!=")):
        start = typed[: typed.index("=" if "=" in typed else ":") + 1]
        done, comma, part = typed.removeprefix(start).rpartition(",")
        words = [f"{start}{done}{comma}{state}" for state in [*State, *GROUPS] if state.startswith(part)]
    else:
        words = [f"{key}:" for key in KEYS if typed and key.startswith(typed)]
    return [f"{head}{blank}{sign}{found}" for found in words]


class FilterBar(Horizontal):
    """Hidden until it is opened. Tells by messages what is typed, accepted and cancelled."""

    DEFAULT_CSS = """
    FilterBar { height: 1; display: none; }
    FilterBar.open { display: block; }
    FilterBar Static { width: auto; padding: 0 1; }
    FilterBar #filter-label { text-style: bold; }
    FilterBar #filter-hint { max-width: 60%; }
    FilterBar Input { width: 1fr; background-tint: transparent; }
    FilterBar Input:ansi > .input--cursor { text-style: reverse; background: ansi_default; color: ansi_default; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "leave", show=False),
        Binding("up", "step(1)", show=False),
        Binding("down", "step(-1)", show=False),
        Binding("tab", "complete", show=False),
    ]

    class Typed(Message):
        """The filter was changed."""

        def __init__(self, text: str) -> None:
            """Carry it."""
            super().__init__()
            self.text = text

    class Accepted(Typed):
        """Enter was pressed: the filter stays."""

    class Cancelled(Message):
        """Esc was pressed: no filter."""

    def __init__(self, history: Sequence[str] = ()) -> None:
        """Closed; ``history``: what was typed before, the newest last."""
        super().__init__(id="filterbar")
        self.history = list(history)
        self._back = 0
        self._typed = ""
        self._hint = ""
        self._offers: list[str] = []

    def compose(self) -> ComposeResult:
        """What this is, what is typed, and what came of it."""
        yield Static("/", id="filter-label", markup=False)
        entry = Input(placeholder="words, or state:failed name~part elapsed>1h", select_on_focus=False, compact=True)
        entry.cursor_blink = False
        yield entry
        yield Static("", id="filter-hint", markup=False)

    @property
    def entry(self) -> Input:
        """Where it is typed."""
        return self.query_one(Input)

    def open(self, text: str) -> None:
        """Let somebody type on from this text."""
        self._back, self._offers = 0, []
        with self.prevent(Input.Changed):
            self._put(text)
        self.hint("")
        self.add_class("open")
        # At once: the next key may have arrived already.
        self.screen.set_focus(self.entry)

    def close(self) -> None:
        """Be hidden."""
        self.remove_class("open")

    def hint(self, words: str) -> None:
        """Say beside the filter what cannot be read of it yet, or what came of it."""
        if words != self._hint:
            self._hint = words
            self.query_one("#filter-hint", Static).update(Text(one_line(words), "dim"))

    def _put(self, text: str) -> None:
        self.entry.value = text
        self.entry.cursor_position = len(text)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value not in self._offers:
            self._offers = []
        self.post_message(self.Typed(event.value))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value.strip()
        if text:
            self.history = [*[old for old in self.history if old != text], text][-_MOST:]
        self.post_message(self.Accepted(text))

    def action_leave(self) -> None:
        """Type no filter."""
        self.post_message(self.Cancelled())

    def action_step(self, step: int) -> None:
        """Go back and forth among what was typed before."""
        if self._back == 0:
            self._typed = self.entry.value
        back = self._back + step
        if 0 <= back <= len(self.history):
            self._back = back
            self._put(self.history[-back] if back else self._typed)

    def action_complete(self) -> None:
        """Complete the last word; again: the next that it may go on as."""
        text = self.entry.value
        if text in self._offers:
            self._put(self._offers[(self._offers.index(text) + 1) % len(self._offers)])
            return
        self._offers = completions(text)
        if self._offers:
            self._put(self._offers[0])
