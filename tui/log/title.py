"""The line above a log: parts at the left and at the right, the important ones where there is little room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text

from ..celltext import cell, one_line

_GAP = "  "
# A short form is given up later than most long ones.
_SHORT = 10


class Part(NamedTuple):
    """Words of the title. ``rank``: parts of a lower rank give way first; ``right``: at the right edge.

    ``short``: words that do where there is little room, before the part goes away.
    """

    words: str
    rank: int
    style: str = ""
    right: bool = False
    short: str = ""


def title(parts: Sequence[Part], columns: int) -> Text:
    """As many of the parts as there is room for, in their order. Words may come from jobs: they are data."""
    shown = [part._replace(words=one_line(part.words)) for part in parts if part.words]
    while True:
        left = _joined([part for part in shown if not part.right], " · ")
        right = _joined([part for part in shown if part.right], _GAP)
        room = columns - 2 - left.cell_len - right.cell_len
        if room >= (len(_GAP) if left and right else 0):
            return Text(" ").append_text(left).append(" " * room).append_text(right).append(" ")
        if len(shown) <= 1:
            return Text(cell(f" {left.plain}{right.plain}", columns), "bold")
        at = min(range(len(shown)), key=lambda number: shown[number].rank)
        part = shown.pop(at)
        if part.short:
            shown.insert(at, part._replace(words=one_line(part.short), rank=part.rank + _SHORT, short=""))


def _joined(parts: Sequence[Part], gap: str) -> Text:
    return Text(gap).join(Text(part.words, part.style) for part in parts)


def count(number: int) -> str:
    """A number as people read it: ``1,204``."""
    return f"{number:,}"


def rate(lines_per_second: float) -> str:
    """How fast lines arrive, in two or three digits: ``12.4 k lines/s``."""
    for limit, unit, scale in ((1e4, "", 1.0), (1e6, "k ", 1e3), (1e9, "M ", 1e6)):
        if lines_per_second < limit:
            value = lines_per_second / scale
            digits = f"{value:.0f}" if value >= 100 or not unit else f"{value:.1f}"
            return f"{digits} {unit}lines/s"
    return "over 1,000 M lines/s"
