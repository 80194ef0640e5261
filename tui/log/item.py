"""One item of a log as rows: read within bounds however long it is, reduced, wrapped, and marked where it matches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import regex

from ...core.units import size as size_words
from .glyphs import cells, width
from .lines import LARGEST_JOINED, Lines
from .pen import DIM, PLAIN, Pen, after
from .reducer import Runs, reduce, states, trimmed

# Of a line that is longer than both together, so many bytes are read at its beginning and at its end.
_HEAD = _TAIL = 16 * 1024
# Of lines that are redrawn together, the last so many bytes.
_BLOCK = 32 * 1024
# So many bytes back colours are looked for that are still in force.
_COLOURED = 16 * 1024
_NOTE = Pen(flags=DIM)
_MOST_MARKS = 200
# A sequence, or a character, that the end of what was written so far cuts off.
_CUT = re.compile(
    rb"(?:\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b\n]{0,200}\x1b?|[ -/]*)?"
    rb"|[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z"
)
_CONTINUATION = bytes(range(0x80, 0xC0))

Columns = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Look:
    """How a log is shown. ``wrap``: columns to wrap at, 0 for not at all; ``states``: every state of a rewritten line.

    ``search``: what is marked.
    """

    wrap: int = 0
    states: bool = False
    search: regex.Pattern[str] | None = None


def pen_at(lines: Lines, start: int) -> Pen:
    """The pen at the beginning of an item, as far as a bounded look back tells; else the terminal's own."""
    return after(PLAIN, lines.read(max(0, start - _COLOURED), start)) if start else PLAIN


def rows_of(lines: Lines, start: int, end: int, pen: Pen, every: bool) -> tuple[Runs, ...]:
    """The rows that an item shows; ``every``: all states of a rewritten line. Raises OSError."""
    if end - start <= _HEAD + _TAIL:
        return _drawn(_until_cut(lines.read(start, end)), pen, every)
    if end - start <= LARGEST_JOINED:
        data = lines.read(start, end)
        if data.find(b"\n", 0, -1) >= 0:
            cut = data.find(b"\n", len(data) - _BLOCK, -1) if len(data) > _BLOCK else -1
            return _drawn(_until_cut(data[cut + 1 :]), pen, every)
    tail_start = end - _TAIL
    tail = _until_cut(lines.read(tail_start, end))
    rewritten = tail.find(b"\r", 0, len(tail.rstrip(b"\r\n")))
    if rewritten >= 0:
        rows = _drawn(tail[rewritten:], pen, every)
        return (_noted(f"({size_words(tail_start - start)} of earlier states)"), *rows) if every else rows
    return (_long_row(lines, start, tail_start, tail, pen),)


def shown_line(lines: Lines, start: int, end: int) -> bytes:
    """The text that is shown of a line, for a search. Raises OSError."""
    rows = rows_of(lines, start, end, PLAIN, False)
    return " ".join("".join(text for text, _ in runs) for runs in rows).encode("utf-8", "replace")


def _drawn(data: bytes, pen: Pen, every: bool) -> tuple[Runs, ...]:
    return (states(data, pen) if every else reduce(data, pen)).rows


def _until_cut(data: bytes) -> bytes:
    """Without a sequence or character at the end of which the rest is still to come."""
    if data.endswith(b"\n"):
        return data
    cut = _CUT.search(data, max(0, len(data) - 256))
    return data[: cut.start()] if cut else data


def _long_row(lines: Lines, start: int, tail_start: int, tail: bytes, pen: Pen) -> Runs:
    """A line of which only the beginning and the end are shown."""
    hole = min(lines.snapshot.data_after(start), tail_start) - start
    if hole > _HEAD:
        missing = tail_start - start - hole
        nuls = hole if missing else hole + len(tail) - len(tail.lstrip(b"\0"))
        return (*_noted(f"({size_words(nuls)} of NUL bytes)"), *_missing(missing), *_end(tail, pen))
    head = reduce(lines.read(start, start + _HEAD), pen)
    return (*(head.rows[0]), *_missing(tail_start - start - _HEAD), *_end(tail, head.pen))


def _missing(count: int) -> Runs:
    return _noted(f" … {size_words(count)} … ") if count else ()


def _end(tail: bytes, pen: Pen) -> Runs:
    tail = tail.lstrip(b"\0")
    return reduce(tail[:3].lstrip(_CONTINUATION) + tail[3:], pen).rows[0]


def _noted(words: str) -> Runs:
    return ((words, _NOTE),)


# -- wrapping and marking


def fitted(runs: Runs, look: Look, patience: float) -> list[tuple[Runs, Columns]]:
    """A row as it is on the screen: wrapped, with the columns that match the search.

    ``patience``: seconds that the search may take; raises TimeoutError after that.
    """
    runs = trimmed(runs)
    marks = tuple(_marks(runs, look.search, patience)) if look.search is not None else ()
    if not look.wrap or sum(width(text) for text, _ in runs) <= look.wrap:
        return [(runs, marks)]
    parts: list[tuple[Runs, Columns]] = []
    begin = 0
    for part, columns in _wrapped(runs, look.wrap):
        stop = begin + columns
        own = tuple((max(a, begin) - begin, min(b, stop) - begin) for a, b in marks if a < stop and b > begin)
        parts.append((part, own))
        begin = stop
    return parts


def _marks(runs: Runs, pattern: regex.Pattern[str], patience: float) -> Iterator[tuple[int, int]]:
    text = "".join(text for text, _ in runs)
    found = 0
    for match in pattern.finditer(text, timeout=patience, concurrent=True):
        begin, end = match.span()
        if end > begin:
            found += 1
            yield (begin, end) if text.isascii() else (width(text[:begin]), width(text[:end]))
        if found == _MOST_MARKS:
            return


def _wrapped(runs: Runs, columns: int) -> Iterator[tuple[Runs, int]]:
    """Cut a row into rows of so many columns; a wide character is not cut in two."""
    row: list[tuple[str, Pen]] = []
    used = 0
    for text, pen in runs:
        units = text if text.isascii() else _characters(text)
        at = 0
        while at < len(units):
            taken, room = _taken(units, at, columns - used)
            if not taken:
                yield tuple(row), used
                row, used = [], 0
                # Not even a whole row has room for a wide character where there is one column.
                taken, room = _taken(units, at, max(columns, 2))
            row.append(("".join(units[at : at + taken]), pen))
            used += room
            at += taken
            if used >= columns and at < len(units):
                yield tuple(row), used
                row, used = [], 0
    if row:
        yield tuple(row), used


def _characters(text: str) -> list[str]:
    """Characters with their accents."""
    return [cell for cell in cells(text) if cell]


def _taken(units: str | list[str], at: int, room: int) -> tuple[int, int]:
    """How many units from ``at`` on fit into ``room`` columns, and the columns that they take."""
    if isinstance(units, str):
        count = max(0, min(room, len(units) - at))
        return count, count
    used = count = 0
    while at + count < len(units):
        step = width(units[at + count])
        if used + step > room:
            break
        used += step
        count += 1
    return count, used
