"""What the table looks like: draws the lines in view, and tells which cells read differently from before."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip

from ...core.job import IN_FLIGHT
from ..celltext import coarse, elapsed
from .code import line_of, place_of
from .columns import BY_ID, Look
from .draw import DIM, HEAD, PLAIN, Branch, Mood, Piece, Subject, gutter_width, head_pieces, line_pieces
from .joblist import JobList
from .layout import GAP, Placed, Widths, place
from .scroll import Scroll

# A narrower table has no scroll bar.
_BAR_LEAST = 12


class _Drawn(NamedTuple):
    """A line as it was drawn: what it stands for, all that its looks depend on, its pieces, and the whole of it."""

    line: int | None
    sign: object
    pieces: Sequence[Piece]
    strip: Strip


class Canvas:
    """The head, the lines and the scroll bar of the table.

    ``labels``: the names of the places; ``note``: what is said where no job is listed. Change ``widths`` by
    ``choose`` and ``relax`` alone.
    """

    def __init__(self, jobs: JobList, scroll: Scroll, *, ascii: bool) -> None:
        """Draw these jobs as far as they are in view."""
        self.labels: Mapping[int, str] = {}
        self.note = ""
        self.widths = Widths()
        self.placed: tuple[Placed, ...] = ()
        self.tree = False
        self._jobs, self._scroll, self._ascii = jobs, scroll, ascii
        self._size = (0, 0)
        self._drawn: list[_Drawn] = []

    def choose(self, ids: Sequence[str]) -> None:
        """Show these columns, in this order."""
        self.widths.choose(ids)
        self.relax()

    def relax(self) -> None:
        """Let the columns be as narrow as what is in view allows when they are drawn next."""
        self.widths.relax()
        self.tree = False
        self.placed = ()

    def strip(self, y: int) -> Strip:
        """Line ``y`` as it was drawn last, 0 being the head."""
        return self._drawn[y].strip if y < len(self._drawn) else Strip.blank(self._size[0])

    def draw(self, width: int, height: int, *, focused: bool, now: float) -> list[Region]:
        """Draw for this size at a moment (epoch seconds); returns the regions that read differently from before."""
        before, same_size = self._drawn, (width, height) == self._size
        self._size = (width, height)
        lines = self._scroll.lines[: max(0, height - 1)]
        looks = [Look(now, self._ascii, self.labels.get(place_of(line), "")) for line in lines]
        day = time.localtime(now).tm_yday
        signs = [(day, *self._sign(line, look, focused=focused)) for line, look in zip(lines, looks, strict=True)]
        # After ``relax`` every line is measured anew, also where it was drawn for this size already.
        known = {drawn.line: drawn for drawn in before} if same_size and self.placed else {}
        fresh = [n for n, line in enumerate(lines) if line not in known or known[line].sign != signs[n]]
        subjects = {lines[n]: self._subject(lines[n], looks[n]) for n in fresh}
        if self._fit(subjects.values(), width):
            known = {}
            subjects = {line: self._subject(line, look) for line, look in zip(lines, looks, strict=True)}
        bar = self._bar(width, height)
        drawn = [self._head(width, before[0] if before else None)]
        for n, line in enumerate(lines):
            old = known.get(line)
            if line in subjects:
                mood, branch = self._mood(line, focused=focused), self._branch(line)
                pieces = line_pieces(subjects[line], self.placed, mood, branch, looks[n])
                drawn.append(_finished(line, signs[n], [*pieces, bar[n]], width))
            elif old is not None and old.pieces[-1] == bar[n]:
                drawn.append(old)
            elif old is not None:
                drawn.append(_finished(line, signs[n], [*old.pieces[:-1], bar[n]], width))
        drawn += [self._blank(n, lines, bar[n], width) for n in range(len(lines), height - 1)]
        self._drawn = drawn[:height]
        if not same_size:
            return [Region(0, 0, width, height)]
        return [
            region
            for y, (old, new) in enumerate(zip(before, self._drawn, strict=True))
            if (region := self._difference(y, old, new)) is not None
        ]

    # -- what a line says, and what its looks depend on

    def _sign(self, line: int, look: Look, *, focused: bool) -> tuple[object, ...]:
        """All that the looks of a line depend on, but for the columns' places and the day."""
        view = self._jobs.view
        mood, branch = self._mood(line, focused=focused), self._branch(line)
        if line >= 0:
            row = view.rows[line]
            ran = elapsed(row, look.now) if row.state in IN_FLIGHT else ""
            return row, mood, branch, ran, look.label
        summary = view.summary(line)
        longest = summary.elapsed(look.now)
        ran = "" if longest is None else coarse(longest)
        return summary, summary.version, summary.total, mood, branch, ran, look.label

    def _mood(self, line: int, *, focused: bool) -> Mood:
        cursor = self._jobs.cursor_code == line
        return Mood(cursor, cursor and focused, self._jobs.marked(line_of(line)))

    def _branch(self, line: int) -> Branch:
        view = self._jobs.view
        if line < 0:
            return Branch(True, "expanded" if line in view.expanded else "collapsed")
        there = self.tree or view.has_arrays
        return Branch(there, "none" if view.rows[line].array is None else "task")

    def _subject(self, line: int, look: Look) -> Subject:
        view = self._jobs.view
        columns = [BY_ID[id] for id in self.widths.ids]
        if line >= 0:
            row = view.rows[line]
            return Subject(row, None, {column.id: column.value(row, look) for column in columns})
        summary = view.summary(line)
        return Subject(summary.first, summary, {column.id: column.of_array(summary, look) for column in columns})

    # -- where it goes

    def _fit(self, subjects: Iterable[Subject], width: int) -> bool:
        """Give the columns the room that these lines want. Whether any column has another place now."""
        for subject in subjects:
            self.widths.measure(subject.texts)
        self.tree = self.tree or self._jobs.view.has_arrays
        available = width - (1 if width >= _BAR_LEAST else 0)
        placed = place(self.widths.ids, self.widths.wanted, gutter_width(tree=self.tree), available)
        if placed == self.placed:
            return False
        self.placed = placed
        return True

    def _head(self, width: int, old: _Drawn | None) -> _Drawn:
        start, sort = gutter_width(tree=self.tree), self._jobs.sort_terms[0]
        sign = self.placed, start, sort, width
        if old is not None and old.sign == sign:
            return old
        pieces = head_pieces(self.placed, start, sort, ascii=self._ascii)
        last: Piece = (Segment(" ", HEAD),) if width >= _BAR_LEAST else ()
        return _finished(None, sign, [*pieces, last], width)

    def _blank(self, n: int, lines: Sequence[int], bar: Piece, width: int) -> _Drawn:
        text = f"  {self.note}" if n == 1 and not lines else ""
        return _finished(None, None, [(Segment(text, PLAIN),), bar], width)

    def _bar(self, width: int, height: int) -> list[Piece]:
        """The scroll bar, line by line."""
        if width < _BAR_LEAST:
            return [()] * height
        first, end = self._scroll.thumb()
        shape = "#" if self._ascii else "▐"
        return [(Segment(shape, DIM) if first <= y < end else Segment(" ", PLAIN),) for y in range(height)]

    def _difference(self, y: int, old: _Drawn, new: _Drawn) -> Region | None:
        """What of a line reads differently now."""
        if old is new or old.pieces == new.pieces:
            return None
        if len(old.pieces) != len(new.pieces):
            return Region(0, y, self._size[0], 1)
        different = [n for n, (one, other) in enumerate(zip(old.pieces, new.pieces, strict=True)) if one != other]
        first, _ = self._extent(different[0], len(new.pieces))
        _, end = self._extent(different[-1], len(new.pieces))
        return Region(first, y, end - first, 1)

    def _extent(self, piece: int, pieces: int) -> tuple[int, int]:
        """Where a piece of a line begins and ends: first the gutter, then the columns, then the scroll bar."""
        width = self._size[0]
        if piece == pieces - 1:
            return max(0, width - 1), width
        if len(self.placed) != pieces - 2:
            return 0, width
        if piece == 0:
            return 0, min(width, gutter_width(tree=self.tree))
        _, x, columns = self.placed[piece - 1]
        # An array's words may reach over the column behind them.
        joined = self.placed[piece].x - x - GAP if piece < len(self.placed) else columns
        return min(x, width - 1), min(width, x + max(columns, joined) + GAP)


def _finished(line: int | None, sign: object, pieces: Sequence[Piece], width: int) -> _Drawn:
    """Put the pieces of a line together, the last one at the right edge."""
    *body, last = pieces
    segments = [segment for piece in body for segment in piece]
    style = segments[-1].style if segments else None
    strip = Strip(segments).simplify().adjust_cell_length(width - (1 if last else 0), style or PLAIN)
    return _Drawn(line, sign, pieces, Strip([*strip, *last], width))
