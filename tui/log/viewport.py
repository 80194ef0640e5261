"""Which rows of a log are in view: anchored to their place in the file, so that nothing moves unless it is followed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from .document import EMPTY, Page, Row

# Heights of the view that are read ahead; with less than one left more is read.
_AHEAD = 3
_MOST_DEBT = 100_000


@dataclass(frozen=True, slots=True)
class Need:
    """Rows that are to be read. ``anchor``: (offset, row of its item), None for the end of the log.

    ``jump``: the view goes there, with ``above`` rows over it; else it only wants to know more around it. ``epoch``
    counts what happened to the log before this was asked.
    """

    anchor: tuple[int, int] | None
    before: int
    behind: int
    epoch: int
    jump: bool = False
    above: int = 0


class Viewport:
    """A window of ``height`` rows on a page of a log that may grow, and what a person does with it."""

    def __init__(self) -> None:
        """Follow a log of which nothing is known yet."""
        self.height = 1
        # Whether more rows may yet be found above: a filter is still looking.
        self.grows_above = False
        self._epoch = 0
        self.clear()

    def clear(self, *, follow: bool = True) -> None:
        """Begin with another log."""
        self.page: Page = EMPTY
        self.top = 0
        self.follow = follow
        # Where the top was, also while nothing can be shown there.
        self._place = (0, 0)
        # Of the log as it is, everything has still to be read.
        self._epoch += 1
        self._read_epoch = self._epoch - 1
        # Rows that are still to be moved when they have been read.
        self._debt = 0
        self._asked: Need | None = None
        self._jump: Need | None = None

    # -- what is seen

    @property
    def rows(self) -> Sequence[Row]:
        """The rows in view, from the top; fewer than there is room for where the log is shorter."""
        return self.page.rows[self.top : self.top + self.height]

    @property
    def top_row(self) -> Row | None:
        """The first one of them."""
        return self.page.rows[self.top] if self.top < len(self.page.rows) else None

    @property
    def at_end(self) -> bool:
        """Whether the last row of the log is in view, as far as is known."""
        return self.page.at_end and not self._stale and self.top >= self._last

    def shows(self, offset: int) -> bool:
        """Whether the item that begins at ``offset`` is in view."""
        return any(row.start == offset for row in self.rows)

    @property
    def heading(self) -> int | None:
        """The item that the view is on its way to, while what is there has not been read; else None."""
        return None if self._jump is None or self._jump.anchor is None else self._jump.anchor[0]

    @property
    def _stale(self) -> bool:
        return self._read_epoch < self._epoch

    @property
    def _last(self) -> int:
        """The lowest place for the top."""
        return max(0, len(self.page.rows) - self.height)

    # -- what a person does

    def move(self, rows: int) -> None:
        """Move down, or up (negative). Moving up ends following, moving down to the end begins it."""
        if self._jump is not None:
            self._debt += rows
            return
        goal, last = self.top + self._debt + rows, self._last
        self._debt = 0
        self.top = min(max(goal, 0), last)
        if rows < 0 and (self.top < last or not self.page.at_start):
            self.follow = False
        if goal < 0 and not self.page.at_start:
            self._debt = max(goal, -_MOST_DEBT)
        elif rows > 0 and goal >= last and not self.follow:
            if self.page.at_end and not self._stale:
                self.follow = True
            else:
                self._debt = min(goal - last, _MOST_DEBT)

    def set_follow(self, follow: bool) -> None:
        """Follow the end from now on, or stay here."""
        if follow and not self.follow:
            self._jump, self._debt = None, 0
            self._epoch += 1
            if self.page.at_end:
                self.top = self._last
        self.follow = follow

    def jump(self, offset: int, *, row: int = 0, above: int = 0) -> None:
        """Go to the item at ``offset``, to its row number ``row``, with so many rows above it."""
        self.follow = False
        self._debt = 0
        ahead = self.height * _AHEAD
        self._jump = Need((offset, row), ahead + above, ahead, self._epoch, True, above)

    def stay(self, *, scale: float = 1.0) -> None:
        """Read everything again, and stay here; ``scale``: items have so many times as many rows now."""
        self._epoch += 1
        row = self.top_row
        if self._jump is not None:
            self._asked = None
        elif not self.follow and row is not None:
            debt = self._debt
            self.jump(row.start, row=round(row.sub * scale))
            self._debt = debt

    def resize(self, height: int) -> None:
        """Fit into another height."""
        self.height = max(1, height)
        self.top = self._last if self.follow else min(self.top, self._last)
        if self.follow and len(self.page.rows) < self.height:
            self._epoch += 1

    # -- what is read

    def grew(self) -> None:
        """The log is longer than it was, or its last line says something else."""
        self._epoch += 1

    def need(self) -> Need | None:
        """What is to be read now, unless that was asked for already; takes it as asked for."""
        need = self._need()
        if need is None or need == self._asked:
            return None
        self._asked = need
        return need

    def failed(self) -> None:
        """What was asked for could not be read."""
        self._asked = None

    def _need(self) -> Need | None:
        if self._jump is not None:
            return self._jump
        page, ahead, row = self.page, self.height * _AHEAD, self.top_row
        if self.follow:
            unfilled = len(page.rows) < self.height and not page.at_start
            return Need(None, ahead, 0, self._epoch) if self._stale or unfilled else None
        if row is None:
            return Need(self._place, ahead, ahead, self._epoch) if self._stale else None
        few_above = self.top < self.height and (not page.at_start or (self.grows_above and self._stale))
        few_below = self._last - self.top < self.height and (not page.at_end or self._stale)
        if not (few_above or few_below or self._debt):
            return None
        return Need((row.start, row.sub), ahead + max(0, -self._debt), ahead + max(0, self._debt), self._epoch)

    def take(self, page: Page, need: Need) -> None:
        """Take in what was read for ``need``."""
        if need == self._asked:
            self._asked = None
        if self._jump is not None and need is not self._jump:
            return
        if self._jump is not None:
            self._jump = None
            top: int | None = page.top - need.above
        elif self.follow:
            top = len(page.rows) if need.anchor is None else None
        else:
            top = self._find(page)
        if top is None:
            return
        if self.top_row is not None:
            self._place = (self.top_row.start, self.top_row.sub)
        self.page, self._read_epoch = page, need.epoch
        debt, self._debt = self._debt, 0
        self.top = min(max(top, 0), self._last)
        if debt:
            self.move(debt)

    def _find(self, page: Page) -> int | None:
        """Where our top row is in another page; None if that page is about another part of the log."""
        row = self.top_row
        if row is None:
            return page.top
        place = (row.start, row.sub)
        at = bisect_left(page.rows, place, key=lambda other: (other.start, other.sub))
        if at < len(page.rows) and (page.rows[at].start, page.rows[at].sub) == place:
            return at
        if (at == 0 and not page.at_start) or (at == len(page.rows) and not page.at_end):
            return None
        return at
