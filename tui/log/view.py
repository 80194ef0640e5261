"""The text of a log on the screen: draws the rows in view, sends what changed alone, and asks for rows to be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from .document import Page, Row
from .glyphs import width as columns_of
from .paint import GUTTER, strip
from .pen import REVERSE, Pen
from .viewport import Need, Viewport

# Rows that one notch of the wheel moves.
_NOTCH = 3
_STANDING_OUT = Pen(flags=REVERSE)


class LogView(Widget, can_focus=True, inherit_bindings=False):
    """Shows a ``Viewport``. It reads nothing: it tells what it needs, and is given pages."""

    DEFAULT_CSS = """
    LogView { height: 1fr; width: 1fr; }
    """

    class Needs(Message):
        """Rows are to be read."""

        def __init__(self, need: Need) -> None:
            """Say which."""
            super().__init__()
            self.need = need

    class Moved(Message):
        """Another part of the log is in view, or following was begun or ended."""

    def __init__(self) -> None:
        """Begin with an empty log that is followed."""
        super().__init__(id="log-view")
        self.port = Viewport()
        self.note = ""
        self.merged = False
        # Where the line begins that a search went to, and whether it stands out as a whole.
        self.here: int | None = None
        self._here_whole = False
        self.left = 0
        self.wrap = False
        self._painted: Sequence[Row] = ()
        self._thumb = range(0)
        self._moved_from: object = None

    # -- what is shown

    @property
    def text_width(self) -> int:
        """Columns for the text of a log."""
        return max(1, self.size.width - 1 - (GUTTER if self.merged else 0))

    @property
    def follow(self) -> bool:
        """Whether the end is followed."""
        return self.port.follow

    def say(self, note: str) -> None:
        """Words in place of a log without lines."""
        if note != self.note:
            self.note = note
            if not self.port.rows:
                self.refresh()

    def clear(self, *, merged: bool, follow: bool = True) -> None:
        """Begin another log."""
        self.port.clear(follow=follow)
        self.merged, self.left, self.here = merged, 0, None
        self.update()

    def show(self, page: Page, need: Need) -> None:
        """Take in a page that was asked for."""
        self.port.take(page, need)
        self.update()

    def update(self) -> None:
        """Repaint the rows that are not what they were, ask for what is needed, and tell when we moved."""
        need = self.port.need()
        if need is not None:
            self.post_message(self.Needs(need))
        rows = self.port.rows
        changed = [y for y in range(self.size.height) if _at(rows, y) != _at(self._painted, y)]
        if (not rows and self._painted) or (rows and not self._painted) or len(changed) * 2 > self.size.height:
            self.refresh()
        elif changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))
        self._painted = rows
        self._move_thumb()
        top = self.port.top_row
        place = (top and (top.start, top.sub), self.follow, self.port.page.number, self.port.page.at_end)
        if place != self._moved_from:
            self._moved_from = place
            self.post_message(self.Moved())

    def mark_here(self, line: int | None, *, whole: bool = False) -> None:
        """Make the line that begins here stand out, and no other: its matches, or the ``whole`` of it."""
        if line != self.here or whole != self._here_whole:
            stale = [y for y, row in enumerate(self.port.rows) if row.start in (line, self.here)]
            self.here, self._here_whole = line, whole
            if stale:
                self.refresh(*(Region(0, y, self.size.width, 1) for y in stale))

    def _move_thumb(self) -> None:
        thumb = _thumb(self.port, self.size.height)
        if thumb != self._thumb:
            moved = set(thumb) ^ set(self._thumb)
            self._thumb = thumb
            self.refresh(*(Region(self.size.width - 1, y, 1, 1) for y in moved))

    # -- moving

    def go(self, where: str) -> None:
        """Move: up, down, page-up, page-down, half-up, half-down, home, end, left or right."""
        page = max(1, self.size.height - 1)
        half = max(1, self.size.height // 2)
        steps = {
            "up": -1,
            "down": 1,
            "page-up": -page,
            "page-down": page,
            "half-up": -half,
            "half-down": half,
        }
        if where in steps:
            self.port.move(steps[where])
        elif where in ("left", "right"):
            self._sideways(max(1, self.text_width * 2 // 3) * (1 if where == "right" else -1))
        elif where == "home":
            self.port.jump(0)
        elif where == "end":
            self.port.set_follow(True)
        self.update()

    def _sideways(self, columns: int) -> None:
        """Scroll sideways, as far as there is text in one of the rows in view."""
        widest = max((sum(columns_of(text) for text, _ in row.runs) for row in self.port.rows), default=0)
        left = min(max(0, self.left + columns), max(0, widest - 1) if columns > 0 else self.left)
        if left != self.left:
            self.left = left
            self.refresh()
            self.post_message(self.Moved())

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll down, or to the right with Shift."""
        event.stop()
        self._wheel(event, 1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll up, or to the left with Shift."""
        event.stop()
        self._wheel(event, -1)

    def _wheel(self, event: events.MouseEvent, step: int) -> None:
        if event.shift:
            self.go("right" if step > 0 else "left")
        else:
            self.port.move(step * _NOTCH)
            self.update()

    def on_click(self, event: events.Click) -> None:
        """On the scroll bar: go to that part of the log."""
        if event.x == self.size.width - 1 and self.port.page.size:
            self.port.jump(self.port.page.size * event.y // max(1, self.size.height))
            self.update()

    def on_resize(self) -> None:
        """Fit the rows into the new size."""
        self.port.resize(self.size.height)
        self._painted = ()
        self.update()
        self.refresh()

    # -- drawing

    def render_line(self, y: int) -> Strip:
        """Draw one row."""
        row = _at(self.port.rows, y)
        if row is None and y == 0 and not self.port.rows and self.note:
            return Strip([Segment("  " + self.note)]).adjust_cell_length(self.size.width)
        here = row is not None and row.start == self.here
        if row is not None and here and self._here_whole and not row.note:
            row = replace(row, runs=((row.text, _STANDING_OUT),))
        left = 0 if self.wrap else self.left
        return strip(row, self.size.width, left, merged=self.merged, here=here, thumb=y in self._thumb)


def _at(rows: Sequence[Row], y: int) -> Row | None:
    return rows[y] if y < len(rows) else None


def _thumb(port: Viewport, height: int) -> range:
    """The rows of the thumb of the scroll bar; none where everything is in view."""
    rows, page = port.rows, port.page
    if not rows or not page.size or (len(page.rows) <= height and page.at_start and page.at_end):
        return range(0)
    first, last = rows[0].start, rows[-1].start
    length = min(height, max(1, (last - first) * height // page.size))
    if port.follow or port.at_end:
        return range(height - length, height)
    at = min(first * height // page.size, height - length)
    return range(at, at + length)
