"""A lane's search for submissions whose answer nobody has, and for second copies of those that were sent again."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
from collections.abc import Callable

import msgspec

from . import metadir
from .backend import Backend, Handle, Snapshot
from .job import Accepted
from .laneknown import Known
from .laneorders import Orders
from .roster import Roster
from .verdict import Observation
from .workdir import WorkDir

_log = logging.getLogger("jobtui.engine")

# Seconds that a submission without an answer must have been missing from complete answers before it is sent again:
# a scheduler that comes back may first work off what reached it before.
_SURELY_NOT_THERE = 60.0


class Search:
    """Looks for the lost among the jobs that a lane knows."""

    def __init__(
        self,
        backend: Backend,
        workdir: WorkDir,
        roster: Roster,
        known: dict[int, Known],
        orders: Orders,
        mark: Callable[[int], None],
        stir: Callable[[], None],
    ) -> None:
        """Look in ``backend`` for jobs of ``known``, the lane's own.

        Second copies are cancelled through ``orders``. ``mark`` makes the engine look at a job; ``stir`` makes the
        next poll come soon.
        """
        self._backend = backend
        self._workdir = workdir
        self._roster = roster
        self._known = known
        self._orders = orders
        self._mark = mark
        self._stir = stir
        self._strays: set[str] = set()

    def settle(self, job: int, known: Known, snapshot: Snapshot) -> None:
        """Settle a submission whose answer nobody has, if its mark was seen."""
        if job in snapshot.jids:
            with self._roster.trouble_of(job):
                path = self._workdir.metadir(job)
                accepted = Accepted(known.sighting.attempt, snapshot.jids[job], self._backend.name, time.time())
                metadir.record_answer(path, accepted)
            del self._known[job]
            self._mark(job)

    async def look(self, asked: list[tuple[int, Known]]) -> None:
        """Look for what the status query did not show; what is surely not there may be sent (again)."""
        missing = [(job, known) for job, known in asked if known.handle.jid is None and self._known.get(job) is known]
        if not missing:
            return
        at = time.monotonic()
        found = await self._backend.find([known.handle for _, known in missing])
        for job, known in missing:
            if self._known.get(job) is not known:
                continue
            if job in found.jids:
                self.settle(job, known, Snapshot({}, complete=False, jids=found.jids))
            elif found.complete:
                known.missing_since = at if known.missing_since is None else known.missing_since
                if at - known.missing_since >= _SURELY_NOT_THERE:
                    with self._roster.trouble_of(job):
                        await self._send_again(job, known)
            self._stir()

    async def _send_again(self, job: int, known: Known) -> None:
        facts = self._roster.facts(job)
        if facts is None or facts.attempt != known.sighting.attempt or facts.claimed or facts.accepted is not None:
            self._mark(job)
            return
        path = self._workdir.metadir(job)
        cancel = facts.intent.cancel
        if cancel is not None and cancel.attempt == facts.attempt:
            # Should a copy of it still turn up, it must not start.
            if await self._voided(path, known):
                del self._known[job]
                never = Observation("gone", detail="cancelled while it waited", outcome="cancelled")
                self._roster.conclude(job, facts, never)
            self._mark(job)
            return
        _log.info("job %d never reached %s", job, self._backend.name)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{path}/{metadir.SUBMITTING}")
        del self._known[job]
        self._mark(job)

    async def _voided(self, path: str, known: Known) -> bool:
        """Take the start away from an attempt, there where it would start."""
        if self._backend.far is None:
            return metadir.claim_void(path)
        told = await self._backend.far.void([known.handle])
        return told.get(known.handle.job, False)

    def end_strays(self, snapshot: Snapshot, asked: list[Handle]) -> None:
        """Cancel waiting copies of our jobs: of a submission that was sent again, or of an attempt that is over.

        Only jobs whose id was known when the question was put have copies.
        """
        tags = {handle.tag: handle for handle in asked if handle.jid}
        for other in snapshot.others:
            tag, _, attempt = other.mark.rpartition(".")
            handle = tags.get(tag)
            waits = other.seen.presence in ("pending", "held")
            if handle is None or not waits or other.jid in self._strays or not attempt.isdigit():
                continue
            if int(attempt) <= handle.attempt and not _is_part(other.jid, handle.jid or ""):
                self._strays.add(other.jid)
                _log.warning("job %d: %s is a second copy of %s and is cancelled", handle.job, other.jid, handle.jid)
                self._orders.cancel(msgspec.structs.replace(handle, job=-len(self._strays), jid=other.jid), 0.0)


_LEADING_NUMBER = re.compile(r"\d+")


def _is_part(other: str, jid: str) -> bool:
    """Whether both ids begin with the same number: the parts of one submission, such as tasks or components."""
    one, two = _LEADING_NUMBER.match(other), _LEADING_NUMBER.match(jid)
    return one is not None and two is not None and one[0] == two[0]
