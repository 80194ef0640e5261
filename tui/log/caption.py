"""What the line above a log says: the facts about it, ranked by what has to stay on a small screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...core.job import ENDED, JobRow
from ...core.units import size as size_words
from ..celltext import STATE_STYLES, called
from .document import Page, Row
from .scan import Scan
from .title import Part, count


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the log that is shown. ``lines``: that have an end, None while they are not counted."""

    row: JobRow
    stream: str
    attempt: int
    follow: bool
    opened: bool
    page: Page
    top: Row | None
    size: int
    lines: int | None
    note: str = ""
    remark: str = ""
    badge: str = ""
    speed: str = ""
    other: str = ""
    other_size: int = 0
    left: int = 0
    states: bool = False
    search: Scan | None = None
    search_words: str = ""
    filter: Scan | None = None
    filter_words: str = ""
    errors: Scan | None = None
    here: int | None = None
    strong: bool = False


def caption(facts: Facts) -> Iterator[Part]:
    """The parts of the title."""
    row = facts.row
    yield Part(facts.stream, 100, "bold")
    yield Part(called(row), 70, short=row.label if row.foreign else f"job {row.id}")
    if row.attempt > 1:
        yield Part(f"attempt {facts.attempt} of {row.attempt}", 60, "bold" if facts.attempt != row.attempt else "")
    if facts.attempt == row.attempt:
        # On a bar that is drawn light on dark a colour would be a patch.
        style = "" if facts.strong else STATE_STYLES.get(row.state, "")
        if row.detail:
            yield Part(f"{row.state}: {row.detail}", 80, style, short=str(row.state))
        else:
            yield Part(str(row.state), 80, style)
    yield Part(facts.note, 85, "bold")
    yield Part(facts.remark, 95, "bold")
    if facts.other_size and (not facts.size or row.state in ENDED):
        yield Part(f"{facts.other} has {size_words(facts.other_size)}", 50)
    yield from _right(facts)


def _right(facts: Facts) -> Iterator[Part]:
    if facts.filter is not None:
        progress = _progress(facts.filter, None)
        yield Part(f"& {facts.filter_words}: {progress}", 88, "bold", True, f"& {progress}")
    if facts.search is not None:
        progress = _progress(facts.search, facts.here)
        yield Part(f"/{facts.search_words}: {progress}", 75, "", True, progress)
    if facts.errors is not None:
        yield Part(f"errors: {_progress(facts.errors, facts.here)}", 74, "", True)
    if facts.states:
        yield Part("all states", 45, "", True)
    if facts.left:
        yield Part(f"column {count(facts.left + 1)}", 35, "", True)
    yield Part(facts.speed, 40, "", True)
    yield Part(facts.badge, 92, "bold", True)
    position = _position(facts)
    yield Part(position, 65, "", True, position.partition(" of ")[0] if " of " in position else "")
    if facts.opened and facts.row.state not in ENDED and facts.attempt == facts.row.attempt:
        yield Part("following", 30, "", True) if facts.follow else Part("not following", 90, "bold", True)


def _progress(scan: Scan, here: int | None) -> str:
    """How many lines match, which one we are at, and how far it looked."""
    number = f"{count(scan.count)}{'+' if scan.full else ''}"
    if scan.given_up:
        number += f" ({count(scan.given_up)} lines too slow)"
    if scan.more and scan.size:
        return f"{number} so far, {scan.share:.0%}"
    if here is not None and scan.holds(here):
        return f"{count(scan.rank(here))} of {number}"
    return number if scan.count else "none"


def _position(facts: Facts) -> str:
    """Where in the log the top of the view is; in lines as soon as they are counted."""
    page, top = facts.page, facts.top
    if top is None or not page.size or facts.filter is not None:
        return ""
    if facts.follow:
        return f"{count(facts.lines)} line{'s' if facts.lines != 1 else ''}" if facts.lines is not None else ""
    if page.number is None:
        return f"{top.start * 100 // page.size} %"
    total = f" of {count(facts.lines)}" if facts.lines is not None else ""
    return f"line {count(page.number + top.lines)}{total}"
