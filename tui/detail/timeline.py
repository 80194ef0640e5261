"""The attempts of a job as a small table: when each was queued, started and ended, and a bar of waiting and running."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

from ...core.dossier import Try
from ...core.job import ENDED
from ...core.units import duration, size
from ..celltext import STATE_STYLES, coarse, one_line
from .page import Page, wrap
from .words import moment

WAITING_MARK, RUNNING_MARK = "╌", "━"

_HEADS = ("#", "queued", "submitted", "started", "ended", "waited", "ran")
# Which columns give way first where there is no room.
_GIVE_WAY = ("submitted", "queued", "ended", "started")
_GAP = 2
_LEFT = 2


@dataclass(frozen=True)
class Spans:
    """How long an attempt waited and ran, in seconds; None where it did not, or nobody knows."""

    waited: float | None
    ran: float | None
    open: bool


def spans(attempt: Try, now: float) -> Spans:
    """How long this attempt waited and ran until ``now`` (epoch seconds), or until its end."""
    row = attempt.row
    over = row.state in ENDED
    last = row.ended if over else now
    waited = ran = None
    until = row.started if row.started is not None else last
    if attempt.queued is not None and until is not None:
        waited = max(0.0, until - attempt.queued)
    if row.started is not None:
        ran = row.elapsed if over else max(0.0, now - row.started)
    return Spans(waited, ran, not over)


def bar(waited: float | None, ran: float | None, columns: int) -> tuple[int, int]:
    """How many of ``columns`` stand for waiting and for running: each that took any time has at least one."""
    total = (waited or 0.0) + (ran or 0.0)
    if total <= 0:
        return 0, columns if ran is not None else 0
    share = round(columns * (waited or 0.0) / total)
    if waited:
        share = max(1, share)
    if ran is not None:
        share = min(columns - 1, share)
    return share, columns - share


def add_timeline(page: Page, tries: list[Try], folder: str, now: float) -> None:
    """Add the table of the attempts to a page; files are named as seen from the job's ``folder``."""
    rows = [_cells(attempt, now) for attempt in tries]
    kept = _columns(rows, page.width)
    page.heading("Attempts", f"{WAITING_MARK} waiting  {RUNNING_MARK} running")
    page.add(_row([_HEADS[i] for i in kept], kept, _widths(rows), "dim"))
    widths = _widths(rows)
    for attempt, row in zip(tries, rows, strict=True):
        page.add(_row([row[i] for i in kept], kept, widths, ""))
        _add_bar(page, attempt, now)
        if attempt is not tries[-1]:
            _add_output(page, attempt, folder)


def _cells(attempt: Try, now: float) -> list[str]:
    row, times = attempt.row, spans(attempt, now)
    # What goes on is told so coarsely that it rarely changes.
    say = coarse if times.open else duration
    return [
        str(row.attempt),
        moment(attempt.queued, now),
        moment(row.submitted, now),
        moment(row.started, now),
        moment(row.ended, now),
        say(times.waited) if times.waited is not None else "",
        say(times.ran) if times.ran is not None else "",
    ]


def _widths(rows: list[list[str]]) -> list[int]:
    return [max(len(head), *(len(row[i]) for row in rows)) for i, head in enumerate(_HEADS)]


def _columns(rows: list[list[str]], width: int) -> list[int]:
    """The columns for which there is room, and that say something."""
    widths = _widths(rows)
    kept = [i for i in range(len(_HEADS)) if any(row[i] for row in rows)]
    for name in _GIVE_WAY:
        if _LEFT + sum(widths[i] + _GAP for i in kept) - _GAP <= width:
            break
        kept = [i for i in kept if _HEADS[i] != name]
    return kept


def _row(cells: list[str], kept: list[int], widths: list[int], style: str) -> Text:
    right = ("#", "waited", "ran")
    parts = [
        cell.rjust(widths[i]) if _HEADS[i] in right else cell.ljust(widths[i])
        for cell, i in zip(cells, kept, strict=True)
    ]
    return Text(" " * _LEFT).append((" " * _GAP).join(parts).rstrip(), style)


def _add_bar(page: Page, attempt: Try, now: float) -> None:
    """A bar, and how it stands or ended in words beside it."""
    row, times = attempt.row, spans(attempt, now)
    indent = _LEFT + 1 + _GAP
    columns = max(8, min(32, page.width // 4))
    waiting, running = bar(times.waited, times.ran, columns)
    style = STATE_STYLES.get(row.state, "")
    words = f"{row.state}{': ' if row.detail else ''}{one_line(row.detail)}"
    parts = wrap(words, max(12, page.width - indent - columns - _GAP))
    for number, part in enumerate(parts):
        text = Text(" " * indent)
        if number == 0:
            text.append(WAITING_MARK * waiting, "dim").append(RUNNING_MARK * running, style)
        page.add(text.append(" " * (indent + columns + _GAP - text.cell_len)).append(part, style))


def _add_output(page: Page, attempt: Try, folder: str) -> None:
    """The output files that were kept of an earlier attempt."""
    for file in attempt.files:
        if file.name in ("job.stdout", "job.stderr", "job.sched"):
            name = file.path.removeprefix(folder + "/")
            text = Text(" " * (_LEFT + 1 + _GAP)).append(one_line(name)).append(f"  {size(file.size)}", "dim")
            page.add(text, (file.path, None))
