"""The line above a log: parts at the left and at the right, the important ones where there is little room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text

from ..celltext import cell, one_line

_GAP = "  "


class Part(NamedTuple):
    """Words of the title. ``rank``: parts of a lower rank give way first; ``right``: at the right edge."""

    words: str
    rank: int
    style: str = ""
    right: bool = False


def title(parts: Sequence[Part], columns: int) -> Text:
    """As many of the parts as there is room for, in their order. Words may come from jobs: they are data."""
    shown = [part._replace(words=one_line(part.words)) for part in parts if part.words]
    while len(shown) > 1 and _width(shown) > columns:
        shown.remove(min(shown, key=lambda part: part.rank))
    left, right = Text(" "), Text()
    for part in shown:
        side = right if part.right else left
        if side.cell_len > 1 or part.right:
            side.append(_GAP if part.right else " · ")
        side.append(part.words, part.style)
    if left.cell_len > columns:
        return Text(cell(left.plain, columns), style="bold")
    if right:
        left.append(" " * max(0, columns - left.cell_len - right.cell_len - 1))
        left.append_text(right).append(" ")
    return left


def _width(parts: Sequence[Part]) -> int:
    """Columns that they take with the gaps between them."""
    sides = [Text(part.words).cell_len + (len(_GAP) if part.right else 3) for part in parts]
    return sum(sides)


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
