"""The lines about a job on the screen: scrolls them, and repaints only those that changed."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from .page import Line, Place


class DetailView(ScrollView, can_focus=True, inherit_bindings=False):
    """Draws lines; longer ones than the view are cut, and seen by going right."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "fold", "Show or hide the job script", show=False)]
    DEFAULT_CSS = """
    DetailView {
        height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; scrollbar-gutter: stable;
    }
    """

    class Fold(Message):
        """What is folded is to be opened, or closed again."""

    class Resized(Message):
        """The view has another width now."""

    def __init__(self) -> None:
        """Begin without lines."""
        super().__init__(id="detail-view")
        self.lines: list[Line] = []
        self._strips: list[Strip | None] = []
        self._left = 0
        self._width = 0

    @property
    def columns(self) -> int:
        """How many columns a line may have to be seen whole."""
        return self.scrollable_content_region.width

    def show(self, lines: list[Line], *, keep_place: bool) -> None:
        """Show these lines; ``keep_place``: they are about the same as before, so stay where we are."""
        old, strips = self.lines, self._strips
        changed = [i for i, line in enumerate(lines) if i >= len(old) or old[i] != line]
        changed += range(len(lines), len(old))
        if not changed and keep_place:
            return
        kept = min(len(old), len(lines))
        self.lines = lines
        self._strips = [strips[i] if i < kept and old[i] == line else None for i, line in enumerate(lines)]
        if len(old) != len(lines):
            self.virtual_size = Size(self.columns, len(lines))
        if not keep_place:
            self._left = 0
            self.scroll_to(y=0, animate=False, force=True)
        top = round(self.scroll_y)
        for line in changed:
            if 0 <= line - top < self.size.height:
                self.refresh(Region(0, line - top, self.size.width, 1))

    def top_place(self) -> Place | None:
        """The place that the first line in view tells of."""
        top = round(self.scroll_y)
        return self.lines[top].place if top < len(self.lines) else None

    def go(self, where: str) -> None:
        """Scroll: up, down, page-up, page-down, half-up, half-down, home, end, left or right."""
        page = max(1, self.size.height - 1)
        half = max(1, self.size.height // 2)
        steps = {"up": -1, "down": 1, "page-up": -page, "page-down": page, "half-up": -half, "half-down": half}
        if where in steps:
            self.scroll_to(y=self.scroll_y + steps[where], animate=False)
        elif where in ("left", "right"):
            self._sideways(max(1, self.columns * 2 // 3) * (1 if where == "right" else -1))
        else:
            self.scroll_to(y=0 if where == "home" else self.max_scroll_y, animate=False)

    def _sideways(self, columns: int) -> None:
        top = round(self.scroll_y)
        widths = [self._strip(line).cell_length for line in range(top, min(len(self.lines), top + self.size.height))]
        left = min(max(0, self._left + columns), max(0, max(widths, default=0) - self.columns))
        if left != self._left:
            self._left = left
            self.refresh()

    def action_fold(self) -> None:
        """Ask to open or close what is folded."""
        self.post_message(self.Fold())

    def on_click(self, event: events.Click) -> None:
        """Open or close what is folded by a click on its heading."""
        line = round(self.scroll_y) + event.y
        if line < len(self.lines) and self.lines[line].fold:
            event.stop()
            self.action_fold()

    def on_resize(self) -> None:
        """Have the lines made anew for another width."""
        self.virtual_size = Size(self.columns, len(self.lines))
        if self.columns != self._width:
            self._width = self.columns
            self.post_message(self.Resized())

    def watch_show_vertical_scrollbar(self, shown: bool) -> None:
        """Put the thumb of a bar that just appeared where we are: Textual does so only at the next scroll."""
        if shown:
            self.vertical_scrollbar.position = self.scroll_y

    def _strip(self, line: int) -> Strip:
        strip = self._strips[line]
        if strip is None:
            strip = Strip(list(self.lines[line].text.render(self.app.console, end=""))).simplify()
            self._strips[line] = strip
        return strip

    def render_line(self, y: int) -> Strip:
        """Draw one line of the widget."""
        line = round(self.scroll_y) + y
        if line < len(self.lines):
            return self._strip(line).crop_extend(self._left, self._left + self.columns, None)
        return Strip([Segment("")]).adjust_cell_length(self.columns)
