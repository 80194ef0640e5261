"""Foreign jobs: those of the person that a scheduler has and no work directory made, as rows beside the others."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping

from .backend import Foreign
from .job import JobRow, State
from .seen import Seen
from .units import shown

# Seconds: a scheduler's answer that is older is shown with its time; well beyond what a quiet scheduler is asked by.
OLD = 180.0
_NAME = re.compile(r"(?P<backend>[a-z][a-z0-9_-]*(?:@[^:\s]+)?):(?P<jid>\S+)")

# Seconds that the times differ by which a scheduler and we say that a job was submitted: ids are used again.
_CLOCKS_DIFFER = 3600.0

_STATES = {
    "pending": State.SUBMITTED,
    "held": State.HELD,
    "running": State.RUNNING,
    "ending": State.RUNNING,
    "suspended": State.SUSPENDED,
}
_OUTCOMES = {"finished": State.FINISHED, "failed": State.FAILED, "cancelled": State.CANCELLED}


def split_name(text: str) -> tuple[str, str] | None:
    """Back end and id in ``slurm:4711`` or ``slurm@cluster:4711``; None where the text is nothing of the kind."""
    match = _NAME.fullmatch(text)
    return None if match is None else (match["backend"], match["jid"])


Own = Mapping[tuple[str, str], float]


def own_jobs(rows: Iterable[JobRow], seen: Iterable[Seen]) -> Own:
    """Back end and id of each of these jobs that one of these schedulers has or had, with when it got it."""
    there = {one.backend for one in seen}
    mine = (row for row in rows if row.backend in there and row.jid and not row.foreign)
    return {(row.backend, row.jid or ""): row.submitted or 0.0 for row in mine}


def foreign_rows(seen: Iterable[Seen], own: Own, now: float) -> list[JobRow]:
    """The foreign jobs that schedulers told of last, as rows.

    ``own``: the jobs of the work directory, which are no foreign ones; ``now``: epoch seconds. Jobs that have ended in
    a way that their scheduler does not tell are left out.
    """
    rows: list[JobRow] = []
    for one in seen:
        old = now - one.at > OLD
        for job in one.others:
            state = _state(job)
            if state is not None and not _is_own(job, own.get((one.backend, job.jid))):
                rows.append(_row(one, job, state, old))
    return rows


def _is_own(job: Foreign, sent: float | None) -> bool:
    return sent is not None and (not job.submitted or abs(job.submitted - sent) < _CLOCKS_DIFFER)


def _state(job: Foreign) -> State | None:
    if job.seen.presence == "gone":
        return _OUTCOMES.get(job.seen.outcome or "")
    return _STATES.get(job.seen.presence)


def _row(seen: Seen, job: Foreign, state: State, old: bool) -> JobRow:
    started, ended = job.seen.started or None, None
    if job.seen.presence == "gone":
        ended = job.seen.at or None
    # Who cancelled such a job is not known: it may have been this very screen.
    details = [shown(job.seen.detail.removesuffix(", not through jobtui"))]
    if old:
        # At a time and not ages ago: what does not change needs no repainting.
        details.insert(0, time.strftime("as of %Y-%m-%d %H:%M", time.localtime(seen.at)))
    return JobRow(
        id=0,
        foreign=True,
        name=shown(job.name),
        state=state,
        reason=None if job.seen.reason is None else shown(str(job.seen.reason)),
        detail="; ".join(filter(None, details)),
        backend=seen.backend,
        jid=shown(job.jid),
        command=shown(job.command),
        cwd=shown(job.cwd),
        exit_code=job.seen.exit_code,
        created=job.submitted or None,
        submitted=job.submitted or None,
        started=started,
        ended=ended,
        elapsed=max(0.0, ended - started) if started is not None and ended is not None else None,
        host=shown(job.seen.host) or None,
        queue=shown(job.queue) or None,
        expected=job.seen.expected or None,
    )
