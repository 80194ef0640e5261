"""What cells of the table say: bars, sizes, states and counts in words; and text that sorts as people count."""

from __future__ import annotations

import math
import re

from ...core.job import JobRow, State
from ..celltext import STATE_GLYPHS, STATE_GLYPHS_ASCII
from .arrays import Summary

_DIGITS = re.compile(r"\d+")
_BAR = 5


def natural(text: str) -> str:
    """Text that sorts as people count: sample-9 before sample-10, in either case of letters."""
    folded = text.casefold()
    return _DIGITS.sub(lambda match: match[0].zfill(12), folded) if _DIGITS.search(folded) else folded


def bytes_text(size: int | None) -> str:
    """A memory size in at most five columns."""
    if size is None:
        return ""
    value, unit = float(size), "B"
    for bigger in "KMGT":
        if value < 1000:
            break
        value, unit = value / 1024, bigger
    return (f"{value:.1f}".removesuffix(".0") if value < 10 else f"{value:.0f}") + unit


def progress_bar(share: float | None, *, ascii: bool) -> str:
    """How much is done, as a bar with the percentage; "" if that is not known."""
    if share is None or math.isnan(share):
        return ""
    share = min(max(share, 0.0), 1.0)
    full, half = divmod(int(share * _BAR * 2), 2)
    done, middle, rest = ("#", "-", "-") if ascii else ("━", "╾", "─")
    drawn = (done * full + middle * half).ljust(_BAR, rest)
    # Rounded down: 100 % is said of what is done, not of what nearly is.
    return f"{drawn} {int(share * 100 + 1e-9):3d}%"


def glyph(state: State, *, ascii: bool) -> str:
    """The shape of a state."""
    return (STATE_GLYPHS_ASCII if ascii else STATE_GLYPHS)[state]


def state_shares(summary: Summary, columns: int) -> list[tuple[State, int]]:
    """How a bar of this many columns is shared by the states of an array; none that there is vanishes."""
    states = summary.states[:columns]
    if not states:
        return []
    total = sum(count for _, count in states)
    widths = [max(1, count * columns // total) for _, count in states]
    while sum(widths) > columns:
        widths[widths.index(max(widths))] -= 1
    # What rounding left over goes to the largest.
    widths[max(range(len(states)), key=lambda i: states[i][1])] += columns - sum(widths)
    return [(state, width) for (state, _), width in zip(states, widths, strict=True)]


def counts_text(summary: Summary) -> str:
    """The states of an array in words."""
    words = ", ".join(f"{count} {state}" for state, count in summary.states)
    return words if summary.shown == summary.total else f"{summary.shown} of {summary.total}: {words}"


def task_name(row: JobRow) -> str:
    """A job's name, with its own number before it if it is a task of an array."""
    return row.name if row.array_index is None else f"[{row.array_index}] {row.name}"
