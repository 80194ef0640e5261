"""Which lines are in view: what somebody looks at stays where it is, and the cursor is always in view."""

from __future__ import annotations

from typing import NamedTuple

from .view import View


class Held(NamedTuple):
    """What was in view before a change: the lines, the cursor's distance from the top, and whether that was the top."""

    lines: tuple[int, ...]
    cursor: int
    at_top: bool


class Scroll:
    """The number of the first line in view (``top``), and how many lines there is room for (``height``, at least 1)."""

    def __init__(self, view: View) -> None:
        """Begin at the top."""
        self.top = 0
        self.height = 1
        self._view = view

    @property
    def lines(self) -> list[int]:
        """The lines in view."""
        return self._view.lines[self.top : self.top + self.height]

    def hold(self, cursor: int | None) -> Held:
        """Remember what is in view; ``cursor``: the number of its line."""
        return Held(tuple(self.lines), 0 if cursor is None else cursor - self.top, self.top == 0)

    def settle(self, held: Held, cursor: int | None) -> None:
        """After jobs came, went or changed: keep the lines in view in their places; at the top, stay at the top."""
        if not held.at_top:
            self.top = self._found(held.lines)
        self.show(cursor)

    def follow(self, held: Held, cursor: int | None) -> None:
        """After the order changed: keep the cursor's line where it is on the screen."""
        if cursor is not None:
            self.top = cursor - held.cursor
        self.show(cursor)

    def _found(self, lines: tuple[int, ...]) -> int:
        """Where the top must be for the first of these lines that is still there to stay in its place."""
        for place, line in enumerate(lines):
            number = self._view.index(line)
            if number is not None:
                return number - place
        return self.top

    def show(self, cursor: int | None) -> None:
        """Scroll no further than needed for the cursor's line to be in view, and not beyond the ends."""
        if cursor is not None:
            self.top = min(max(self.top, cursor - self.height + 1), cursor)
        self.top = max(0, min(self.top, len(self._view.lines) - self.height))

    def move(self, lines: int) -> None:
        """Scroll down by so many lines (negative: up)."""
        self.top = max(0, min(self.top + lines, len(self._view.lines) - self.height))

    def in_view(self, number: int) -> int:
        """The line in view that is nearest to a line."""
        return min(max(number, self.top), self.top + self.height - 1)

    def thumb(self) -> tuple[int, int]:
        """Where the thumb of a scroll bar as high as the view begins and ends; the same where all lines are in view."""
        total = len(self._view.lines)
        if total <= self.height:
            return 0, 0
        size = max(1, self.height * self.height // total)
        first = (self.height - size) * self.top // (total - self.height)
        return first, first + size

    def top_at(self, place: int) -> int:
        """The top that puts the thumb's middle at a place of the scroll bar."""
        first, end = self.thumb()
        free = max(1, self.height - (end - first))
        total = len(self._view.lines)
        return max(0, total - self.height) * max(0, min(place - (end - first) // 2, free)) // free
