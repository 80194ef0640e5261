"""Says in words why each waiting job has not started yet. No file, no clock, no process."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from .job import IN_FLIGHT, LOCAL, WAITING, JobRow, Resources, State
from .queue import InUse
from .settings import Budget


class Waiting(msgspec.Struct, frozen=True):
    """A waiting job and why it waits."""

    row: JobRow
    why: str


def explain(rows: Sequence[JobRow], budget: Budget, *, driven: bool) -> list[Waiting]:
    """The waiting jobs of ``rows`` in the order in which they will start, each with its reason.

    Behind them those that wait in a scheduler, which starts them in an order of its own.

    ``driven``: whether an engine drives the work directory now.
    """
    used = InUse()
    gpus = 0
    for row in rows:
        if row.state in IN_FLIGHT:
            used.add(row.id, Resources(row.cpus, row.memory, row.gpus), tuple(range(gpus, gpus + row.gpus)))
            gpus += row.gpus
    waiting = [row for row in rows if row.state in WAITING]
    order = {State.QUEUED: 0, State.CREATED: 1, State.HELD: 2}
    waiting.sort(key=lambda row: (order[row.state], -row.priority, row.id))
    told = [Waiting(row, _why(row, place, used, budget, driven=driven)) for place, row in enumerate(waiting)]
    there = [row for row in rows if row.state is State.SUBMITTED and row.backend != LOCAL]
    return told + [Waiting(row, row.detail or f"waits in {row.backend}") for row in there]


def _why(row: JobRow, place: int, used: InUse, budget: Budget, *, driven: bool) -> str:
    if row.state is not State.QUEUED or row.detail:
        return row.detail
    if not driven:
        return "no engine drives this work directory; start one with: jobtui engine start"
    lacking = used.lacking(Resources(row.cpus, row.memory, row.gpus), budget)
    ahead = f"; {place} ahead of it" if place else "; next"
    return f"waits for {lacking}{ahead}" if lacking else f"about to start{ahead if place else ''}"
