"""From a place in a log to the rows around it, as they are on the screen."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Protocol

import regex

from .item import Columns, Look, fitted, pen_at, rows_of
from .lines import Lines
from .pen import DIM, Pen
from .reducer import Runs

_KEPT = 3000
_NOTE = Pen(flags=DIM)
# Seconds that finding what to mark in one row may take, and after how many rows that took longer it is given up.
_PATIENCE = 0.02
_MOST_TIRED = 5
# Seconds after which a page is good enough: the rest is asked for again, and found sooner then.
_HASTE = 0.04


@dataclass(frozen=True, slots=True)
class Row:
    """One row on the screen: row number ``sub`` of the item at ``start``.

    ``lines``: newlines between the page's first item and this one; ``marks``: columns that match the search;
    ``stream``: in a merged log, where it came from (1 stdout, 2 stderr), else 0; ``note``: these are our own words;
    ``wrapped``: it goes on where the row above ends.
    """

    start: int
    sub: int
    runs: Runs
    marks: Columns = ()
    stream: int = 0
    note: bool = False
    wrapped: bool = False
    lines: int = field(default=0, compare=False)

    @property
    def text(self) -> str:
        """What is shown, without colours."""
        return "".join(text for text, _ in self.runs)


@dataclass(frozen=True, slots=True)
class Page:
    """Rows around an anchor: ``rows[top]`` is the one that was asked for, or the last one.

    ``number``: the line number of the first row, None where it is not known. ``size``: of the log, in bytes.
    """

    rows: tuple[Row, ...]
    top: int
    at_start: bool
    at_end: bool
    size: int
    number: int | None = None


EMPTY = Page((), 0, True, True, 0)


class Items(Protocol):
    """Where items begin: all those of a log, or those that pass a filter."""

    def at(self, offset: int) -> int | None:
        """The item that holds this offset, or the nearest one."""
        ...

    def next(self, offset: int) -> int | None:
        """The first one behind."""
        ...

    def previous(self, offset: int) -> int | None:
        """The last one before."""
        ...


class Origins(Protocol):
    """Which stream an item of a merged log came from, and the headings above some."""

    def stream_at(self, offset: int) -> int:
        """1 stdout, 2 stderr."""
        ...

    def heading_at(self, offset: int) -> str:
        """Words above the item that begins here, "" for none."""
        ...


class Document:
    """Builds pages of one generation of a log, and remembers what it built. For one thread at a time."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._rows: OrderedDict[tuple[int, int, Pen, Look], list[tuple[Runs, Columns, bool]]] = OrderedDict()
        self._tired: dict[regex.Pattern[str], int] = {}

    def page(
        self,
        lines: Lines,
        items: Items,
        look: Look,
        anchor: tuple[int, int] | None,
        before: int,
        behind: int,
        origins: Origins | None = None,
    ) -> Page:
        """Rows around an anchor: (offset, number of the row in its item); None: the last row.

        ``before``, ``behind``: how many rows are wanted; where they are hard to find it may be fewer, but there is one
        more on each side at least unless there are no more. Raises OSError.
        """
        size = lines.snapshot.size
        first = items.at(size if anchor is None else anchor[0])
        if first is None:
            return Page((), 0, True, True, size)

        def built(start: int) -> list[Row]:
            return self._built(lines, start, look, origins)

        own = built(first)
        if anchor is None:
            sub = len(own) - 1
        else:
            sub = min(anchor[1], len(own) - 1) if anchor[0] >= first else 0
        until = time.monotonic() + _HASTE
        later, at_end = _walk(items.next, first, behind - (len(own) - 1 - sub), built, until)
        earlier, at_start = _walk(items.previous, first, before - sub, built, until + _HASTE)
        parts = [*reversed(earlier), own, *later]
        if items is lines:
            _count_lines(lines, parts)
        top = sum(map(len, earlier)) + sub
        return Page(tuple(row for part in parts for row in part), top, at_start, at_end, size)

    def _built(self, lines: Lines, start: int, look: Look, origins: Origins | None) -> list[Row]:
        """The rows of one item."""
        pen, end = pen_at(lines, start), lines.end(start)
        key = (start, end, pen, look)
        parts = self._rows.get(key)
        if parts is None:
            parts = [
                (*part, number > 0)
                for runs in rows_of(lines, start, end, pen, look.states)
                for number, part in enumerate(self._fitted(runs, look))
            ]
            self._rows[key] = parts
            if len(self._rows) > _KEPT:
                self._rows.popitem(last=False)
        stream = origins.stream_at(start) if origins is not None else 0
        heading = origins.heading_at(start) if origins is not None else ""
        rows = [Row(start, 0, ((heading, _NOTE),), note=True)] if heading else []
        for sub, (runs, marks, wrapped) in enumerate(parts, len(rows)):
            rows.append(Row(start, sub, runs, marks, stream, wrapped=wrapped))
        return rows

    def _fitted(self, runs: Runs, look: Look) -> list[tuple[Runs, Columns]]:
        pattern = look.search
        if pattern is not None and self._tired.get(pattern, 0) < _MOST_TIRED:
            try:
                return fitted(runs, look, _PATIENCE)
            except TimeoutError:
                self._tired[pattern] = self._tired.get(pattern, 0) + 1
        return fitted(runs, replace(look, search=None), _PATIENCE)


def text_of(rows: Sequence[Row]) -> str:
    """Rows as text: without colours, and wrapped lines in one piece."""
    return "".join(("" if row.wrapped or not number else "\n") + row.text for number, row in enumerate(rows))


def _walk(
    step: Callable[[int], int | None], start: int, wanted: int, built: Callable[[int], list[Row]], until: float
) -> tuple[list[list[Row]], bool]:
    """The rows of the items on one side, nearest first, and whether there are no more. After ``until`` one does."""
    found: list[list[Row]] = []
    at: int | None = start
    while (at := step(at)) is not None:
        if wanted <= 0 or (found and time.monotonic() > until):
            return found, False
        rows = built(at)
        found.append(rows)
        wanted -= len(rows)
    return found, True


def _count_lines(lines: Lines, parts: Sequence[list[Row]]) -> None:
    """Fill in how many newlines there are since the first item."""
    passed = 0
    for before, part in pairwise(parts):
        passed += lines.newlines(before[0].start, part[0].start)
        part[:] = [replace(row, lines=passed) for row in part]
