"""A table of lines of which only those in view are drawn, and only what reads differently is repainted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from ..celltext import cell, one_line
from .board import matching
from .columns import GAP, Column, T, fit

_PLAIN, _BOLD, _REVERSE = Style.null(), Style(bold=True), Style(reverse=True)
_HEAD, _DIM, _ALARM = Style(bold=True, underline=True), Style(dim=True), Style(color="red", bold=True)
_WHEEL = 3
_GUTTER = 2


class Grid(Widget, Generic[T], can_focus=True, inherit_bindings=False):
    """Line 0 is the head. The cursor is always in view, and stays on its line whatever comes and goes around it.

    ``lines``: those that are listed, sorted and filtered; ``total``: how many there are.
    """

    DEFAULT_CSS = """
    Grid { height: 1fr; }
    """

    class Opened(Message):
        """A line was clicked twice."""

    def __init__(self, name: str, columns: Sequence[Column[T]], *, ascii: bool, note: str) -> None:
        """An empty one; ``name`` is its id on the screen, ``note`` is said where no line is listed."""
        super().__init__(id=name)
        self.lines: list[T] = []
        self.note = note
        self.needles = ""
        self._only: Callable[[T], bool] | None = None
        # Which scheduler a line is of is said only where there are several.
        self._known = columns
        self._columns = [column for column in columns if column.id != "backend"]
        self._ascii = ascii
        self._all: Sequence[T] = ()
        self._sort: tuple[Column[T], bool] | None = None
        self._cursor = 0
        self._top = 0
        self._wanted: dict[str, int] = {}
        self._strips: list[Strip] = []

    # -- what is listed

    @property
    def total(self) -> int:
        """How many lines there are, the filtered ones among them."""
        return len(self._all)

    @property
    def current(self) -> T | None:
        """The line under the cursor."""
        return self.lines[self._cursor] if self.lines else None

    @property
    def sorted_by(self) -> str:
        """The id of the column that the lines are sorted by, "" for the scheduler's own order."""
        return self._sort[0].id if self._sort is not None else ""

    def fill(self, lines: Sequence[T]) -> None:
        """Show these lines from now on."""
        several = len({line.backend for line in lines}) > 1
        self._columns = [column for column in self._known if several or column.id != "backend"]
        self._all = lines
        self._arrange()

    def tell(self, note: str) -> None:
        """Say this where no line is listed."""
        self.note = note
        self._sync()

    def keep(self, needles: str, only: Callable[[T], bool] | None = None) -> None:
        """List only lines with all these words that ``only`` lets pass."""
        self.needles, self._only = needles, only
        self._arrange()

    def sort_step(self, step: int) -> None:
        """Sort by the next column that is shown, or the one before; behind the last one by none."""
        shown = [column for column, _ in self._placed()]
        at = next((n for n, column in enumerate(shown) if column.id == self.sorted_by), -1)
        at = (at + step + 1) % (len(shown) + 1) - 1 if at >= 0 or step > 0 else len(shown) - 1
        self._sort = (shown[at], shown[at].descending) if at >= 0 else None
        self._arrange()

    def sort_reverse(self) -> None:
        """Sort the other way round; where nothing was chosen, by the first column."""
        column, descending = self._sort or (self._columns[0], self._columns[0].descending)
        self._sort = column, not descending
        self._arrange()

    def _arrange(self) -> None:
        """List what passes, in order; the cursor stays on its line, or near where that was."""
        before = self.current
        lines = [line for line in self._all if self._passes(line)]
        if self._sort is not None:
            column, descending = self._sort
            valued = [(key, line) for line in lines if (key := column.key(line)) is not None]
            missing = [line for line in lines if column.key(line) is None]
            valued.sort(key=lambda pair: pair[0], reverse=descending)
            lines = [line for _, line in valued] + missing
        self.lines = lines
        if before is not None:
            at = next((n for n, line in enumerate(lines) if line.key == before.key), None)
            self._cursor = self._cursor if at is None else at
        self._sync()

    def _passes(self, line: T) -> bool:
        if self._only is not None and not self._only(line):
            return False
        return not self.needles or matching(line.words, self.needles)

    # -- the cursor

    def go(self, where: str) -> None:
        """Move the cursor: up, down, page-up, page-down, half-up, half-down, home or end."""
        page = max(1, self.size.height - 2)
        half = max(1, page // 2)
        steps = {"up": -1, "down": 1, "page-up": -page, "page-down": page, "half-up": -half, "half-down": half}
        if where in ("home", "end"):
            self._cursor = 0 if where == "home" else len(self.lines) - 1
        else:
            self._cursor += steps[where]
        self._sync()

    # -- the mouse and the size

    def on_click(self, event: events.Click) -> None:
        """Sort by a head; put the cursor on a line, and open it by a second click."""
        if event.y == 0:
            self._click_head(event.x)
        elif self._top + event.y - 1 < len(self.lines):
            self._cursor = self._top + event.y - 1
            self._sync()
            if event.chain == 2:
                self.post_message(self.Opened())

    def _click_head(self, x: int) -> None:
        start = _GUTTER
        for column, width in self._placed():
            if start <= x < start + width + GAP:
                again = self._sort is not None and self._sort[0] is column
                self._sort = (column, not self._sort[1]) if again and self._sort else (column, column.descending)
                self._arrange()
                return
            start += width + GAP

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move down."""
        event.stop()
        self._cursor += _WHEEL
        self._sync()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move up."""
        event.stop()
        self._cursor -= _WHEEL
        self._sync()

    def on_resize(self) -> None:
        """Use the new room."""
        self._wanted = {}
        self._strips = []
        self._sync()

    def on_focus(self) -> None:
        """Show by the cursor's line that keys go here."""
        self._sync()

    def on_blur(self) -> None:
        """Show by the cursor's line that keys go elsewhere."""
        self._sync()

    # -- drawing

    def render_line(self, y: int) -> Strip:
        """Give a line as it was drawn."""
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width)

    def _placed(self) -> list[tuple[Column[T], int]]:
        return fit(self._columns, self._wanted, self.size.width - _GUTTER)

    def _sync(self) -> None:
        """Draw what is in view anew, and have those lines repainted that read differently."""
        width, height = self.size
        self._cursor = max(0, min(self._cursor, len(self.lines) - 1))
        if not width or not height:
            return
        room = max(1, height - 1)
        self._top = max(0, min(max(min(self._top, self._cursor), self._cursor - room + 1), len(self.lines) - room))
        shown = self.lines[self._top : self._top + room]
        texts = [{column.id: one_line(column.text(line, self._ascii)) for column in self._columns} for line in shown]
        self._measure(texts)
        placed = self._placed()
        strips = [self._head(placed, width)]
        strips += [
            self._line(line, text, placed, width, here=self._top + n == self._cursor)
            for n, (line, text) in enumerate(zip(shown, texts, strict=True))
        ]
        if not shown:
            note = f"none of {self.total} has that" if self.total else self.note
            strips.append(Strip([Segment(cell(f"  {note}", width), _DIM)], width))
        strips = strips[:height] + [Strip.blank(width)] * (height - len(strips))
        before, self._strips = self._strips, strips
        if len(before) != len(strips):
            self.refresh()
            return
        different = [y for y, (old, new) in enumerate(zip(before, strips, strict=True)) if old != new]
        if different:
            self.refresh(*(Region(0, y, width, 1) for y in different))

    def _measure(self, texts: Sequence[dict[str, str]]) -> None:
        """Widths only grow, until the size changes: nothing jumps while somebody scrolls."""
        for column in self._columns:
            longest = max((cell_len(text[column.id]) for text in texts), default=0)
            if longest:
                longest = min(column.most, max(longest, len(column.head)))
                self._wanted[column.id] = max(self._wanted.get(column.id, 0), longest)

    def _head(self, placed: Sequence[tuple[Column[T], int]], width: int) -> Strip:
        down, up = ("v", "^") if self._ascii else ("▼", "▲")
        text = " " * _GUTTER
        for column, columns in placed:
            sign = (down if self._sort[1] else up) if self._sort is not None and self._sort[0] is column else " "
            text += cell(column.head, columns, right=column.right) + sign + " " * (GAP - 1)
        return Strip([Segment(text, _HEAD)]).adjust_cell_length(width, _HEAD)

    def _line(
        self, line: T, texts: dict[str, str], placed: Sequence[tuple[Column[T], int]], width: int, *, here: bool
    ) -> Strip:
        base = _REVERSE if here and self.has_focus else _BOLD if here else _PLAIN
        segments = [Segment(">" + " " * (_GUTTER - 1) if here else " " * _GUTTER, base)]
        for column, columns in placed:
            # Reversed, a colour would be a block of it; the word says it all.
            alarm = column.alarming and not line.usable and not base.reverse
            text = cell(texts[column.id], columns, right=column.right)
            text = text.replace("…", "~") if self._ascii else text
            segments += [Segment(text, base + _ALARM if alarm else base), Segment(" " * GAP, base)]
        return Strip(segments).simplify().adjust_cell_length(width, base)
