"""A list of choices on the screen, one line each, with a cursor; what cannot be chosen is dim and says why."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from ..celltext import cell, one_line
from .entries import Entry

_PLAIN, _BOLD, _DIM = Style.null(), Style(bold=True), Style(dim=True)
_CURSOR = Style(reverse=True)
_GAP = 2
_EMPTY = Entry("", "", "", "", lambda: None)


class PickList(Widget, can_focus=False):
    """Draws entries; its owner moves the cursor. Keys stand at the right edge."""

    DEFAULT_CSS = """
    PickList { width: 100%; height: 1fr; background: ansi_default; color: ansi_default; }
    """

    class Picked(Message):
        """An entry was clicked."""

        def __init__(self, entry: Entry) -> None:
            """Carry the entry."""
            super().__init__()
            self.entry = entry

    def __init__(self, entries: Sequence[Entry]) -> None:
        """Begin with the cursor on the first one."""
        super().__init__()
        self._entries: list[Entry] = list(entries)
        self._titles = max((cell_len(one_line(entry.title)) for entry in entries), default=0)
        self._cursor = 0
        self._top = 0

    @property
    def current(self) -> Entry | None:
        """The entry under the cursor."""
        return self._entries[self._cursor] if self._entries else None

    def show(self, entries: Sequence[Entry]) -> None:
        """Show other entries, with the cursor on the first one."""
        self._entries = list(entries)
        self._cursor = self._top = 0
        self.refresh()

    def move(self, lines: int) -> None:
        """Move the cursor, as far as there are entries."""
        self._cursor = max(0, min(len(self._entries) - 1, self._cursor + lines))
        height = max(1, self.size.height)
        self._top = max(min(self._top, self._cursor), self._cursor - height + 1)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one entry."""
        width, number = self.size.width, self._top + y
        if number >= len(self._entries):
            return Strip.blank(width)
        entry = self._entries[number]
        segments = _line(entry, width, min(self._titles, max(8, width // 2)))
        if number == self._cursor:
            # Never dim: dim and reversed would be a line of patches.
            segments = [
                Segment(segment.text, _BOLD + _CURSOR if segment.style == _BOLD else _CURSOR) for segment in segments
            ]
        return Strip(segments, width).simplify()

    def on_click(self, event: events.Click) -> None:
        """Choose what was clicked."""
        number = self._top + event.y
        if 0 <= number < len(self._entries):
            self._cursor = number
            self.refresh()
            self.post_message(self.Picked(self._entries[number]))


def _line(entry: Entry, width: int, titles: int) -> list[Segment]:
    """An entry over exactly ``width`` columns: title, hint or refusal, key."""
    key = one_line(entry.key)
    keys = cell_len(key) + _GAP if key else 0
    if width < titles + keys + _GAP:
        return [Segment(cell(entry.title, width), _DIM if entry.refusal else _BOLD)]
    words = entry.refusal or entry.hint
    return [
        Segment(cell(entry.title, titles), _DIM if entry.refusal else _BOLD),
        Segment(" " * _GAP),
        Segment(cell(words, width - titles - _GAP - keys), _DIM if entry.refusal else _PLAIN),
        Segment(" " * _GAP + key if key else "", _DIM if entry.refusal else _BOLD),
    ]
