"""The text of a log on the screen: draws the lines in view, follows the end, asks for more at the edges."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from .window import LogWindow, Piece

_STRIPS_KEPT = 400

Where = Literal["end", "start", "earlier", "later"]


class LogView(ScrollView, can_focus=True, inherit_bindings=False):
    """Draws a ``LogWindow`` and asks for more of the log when the edge of it comes near."""

    DEFAULT_CSS = """
    LogView { height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    """

    class Needs(Message):
        """More of the log is to be read."""

        def __init__(self, where: Where) -> None:
            """Say which part."""
            super().__init__()
            self.where: Where = where

    class FollowChanged(Message):
        """Following was begun or stopped."""

    def __init__(self) -> None:
        """Begin with an empty log that is followed."""
        super().__init__(id="log-view")
        self.window = LogWindow()
        self.follow = True
        self.note = ""
        self._left = 0
        self._pinning = False
        self._asked: Where | None = None
        self._strips: OrderedDict[tuple[int, int], Strip] = OrderedDict()

    # -- what is shown

    def say(self, note: str) -> None:
        """Words in place of a log without lines."""
        if note != self.note:
            self.note = note
            self.refresh()

    def clear(self) -> None:
        """Begin another log, followed."""
        self._strips.clear()
        self.follow = True
        self._asked = None
        self._left = 0
        self.show(Piece(0, b"", 0), "end")

    def show(self, piece: Piece, where: Where) -> None:
        """Take in a piece that was asked for, or what stands in the log when it is opened."""
        self._asked = None
        if where == "earlier":
            added = self.window.prepend(piece)
            if added:
                self._resize(shift=added)
        elif where == "later":
            self._resize(shift=-self.window.append(piece, slide=True))
        else:
            self.window.show(piece)
            self._strips.clear()
            self._resize(shift=0)
            if where == "start":
                self._pinned(lambda: self.scroll_to(y=0, animate=False))

    def add(self, piece: Piece, *, restarted: bool) -> None:
        """Take in what was added to the log."""
        window = self.window
        if restarted:
            self.show(piece, "end")
            return
        before, lines = window.end, len(window)
        # What was read to the end meanwhile is not added a second time.
        known = max(0, before - piece.start)
        lost = window.append(Piece(piece.start + known, piece.data[known:], piece.size), slide=self.follow)
        if self.follow and not window.complete_at_end:
            self._ask("end")
        if window.end == before:
            return
        if len(window) == lines and not lost:
            # A progress bar: one line says something else.
            self._refresh_line(lines - 1)
        else:
            self._resize(shift=-lost)

    def _resize(self, shift: int) -> None:
        """Fit the scroll range to the window's lines, which moved down by ``shift``, and repaint."""
        top = self.scroll_y
        self.virtual_size = Size(self.scrollable_content_region.width, len(self.window))
        target = self.max_scroll_y if self.follow else max(0, top + shift)
        self._pinned(lambda: self.scroll_to(y=target, animate=False, force=True))
        self.refresh()

    def _pinned(self, scroll: Callable[[], None]) -> None:
        """Scroll without taking it for a person's wish to stop following."""
        self._pinning = True
        try:
            scroll()
        finally:
            self._pinning = False

    def _refresh_line(self, line: int) -> None:
        y = line - round(self.scroll_y)
        if 0 <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    # -- the person's moves

    def go(self, where: str) -> None:
        """Scroll: up, down, page-up, page-down, home, end, left or right."""
        page = max(1, self.size.height - 1)
        steps = {"up": -1, "down": 1, "page-up": -page, "page-down": page}
        if where in steps:
            self.scroll_to(y=self.scroll_y + steps[where], animate=False)
        elif where in ("left", "right"):
            self._sideways(max(1, self.scrollable_content_region.width * 2 // 3) * (1 if where == "right" else -1))
        elif where == "home":
            self._set_follow(False)
            if self.window.start:
                self._ask("start")
            else:
                self.scroll_to(y=0, animate=False)
        else:
            self.set_follow(True)

    def _sideways(self, columns: int) -> None:
        """Scroll sideways; how far there is text is only known of the lines in view."""
        top = round(self.scroll_y)
        widths = [self._strip(line).cell_length for line in range(top, min(len(self.window), top + self.size.height))]
        most = max(0, max(widths, default=0) - self.scrollable_content_region.width)
        self._left = min(max(0, self._left + columns), most)
        self.refresh()

    def set_follow(self, follow: bool) -> None:
        """Follow the end of the log from now on, or stay where we are."""
        self._set_follow(follow)
        if follow:
            if not self.window.complete_at_end:
                self._ask("end")
            self._pinned(lambda: self.scroll_to(y=self.max_scroll_y, animate=False))

    def _set_follow(self, follow: bool) -> None:
        if self.follow != follow:
            self.follow = follow
            self.post_message(self.FollowChanged())

    def _ask(self, where: Where) -> None:
        if self._asked != where:
            self._asked = where
            self.post_message(self.Needs(where))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Stop following when scrolled up by any means, and ask for more of the log at the edges."""
        super().watch_scroll_y(old_value, new_value)
        if self._pinning:
            return
        if new_value < old_value:
            # A range that became shorter moves us as well, but to its end.
            if new_value < self.max_scroll_y:
                self._set_follow(False)
            if self.window.start > 0 and new_value < self.size.height:
                self._ask("earlier")
        elif not self.window.complete_at_end and new_value > self.max_scroll_y - self.size.height:
            self._ask("later")

    def watch_show_vertical_scrollbar(self, shown: bool) -> None:
        """Put the thumb of a bar that just appeared where we are: Textual does so only at the next scroll."""
        if shown:
            self.vertical_scrollbar.position = self.scroll_y

    def on_resize(self) -> None:
        """Keep the end in view when following."""
        self._strips.clear()
        self._resize(shift=0)

    # -- drawing

    def _strip(self, line: int) -> Strip:
        key = self.window.span(line)
        strip = self._strips.get(key)
        if strip is None:
            text = self.window.text(line)
            strip = self._strips[key] = Strip(list(text.render(self.app.console, end="")))
            if len(self._strips) > _STRIPS_KEPT:
                self._strips.popitem(last=False)
        return strip

    def render_line(self, y: int) -> Strip:
        """Draw one line of the widget."""
        width = self.scrollable_content_region.width
        line = round(self.scroll_y) + y
        if line < len(self.window):
            return self._strip(line).crop_extend(self._left, self._left + width, None)
        note = "  " + self.note if y == 0 and not len(self.window) else ""
        return Strip([Segment(note, Style.null())]).adjust_cell_length(width)
