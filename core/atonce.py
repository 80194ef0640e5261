"""The engine's dealings with back ends that answer at once: how their jobs stand, and what they are told to do."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

from . import metadir
from .backend import Backend, Handle
from .job import Accepted, Obeyed, Order, State
from .roster import Roster
from .verdict import Facts, due_orders, judge
from .workdir import WorkDir

_log = logging.getLogger("jobtui.engine")

_TROUBLE_PAUSE = 5.0
# Seconds that a job script needs at most to say who it is; and after which orders may have taken effect.
_FIRST_WORD = 0.05
_EFFECT = (0.02, 1.0)


class AtOnce:
    """Observes and orders around the jobs of back ends that are not polled."""

    def __init__(self, workdir: WorkDir, roster: Roster) -> None:
        """Deal with jobs of ``workdir``, which ``roster`` tracks."""
        self._workdir = workdir
        self._roster = roster

    async def observe(self, backend: Backend, items: Sequence[tuple[int, Facts]]) -> None:
        """Judge jobs that were handed to ``backend``, and tell it what a person wants of them."""
        for job, facts in items:
            with self._roster.trouble_of(job):
                await self._resolve(job, facts, backend)
        sent = [item for item in items if item[1].accepted or item[1].claimed or self._is_ours(*item)]
        handles = [self._handle(job, facts) for job, facts in sent]
        snapshot = await backend.poll(handles)
        stop: defaultdict[float, list[Handle]] = defaultdict(list)
        orders: defaultdict[tuple[str, str], list[Handle]] = defaultdict(list)
        for handle in handles:
            with self._roster.trouble_of(handle.job):
                # Read again after the look: an end written in between is there now.
                facts = self._roster.facts(handle.job)
                if facts is None:
                    continue
                verdict = self._roster.conclude(handle.job, facts, snapshot.seen.get(handle.job))
                grace = self._stop_grace(handle.job, facts) if verdict.state is State.CANCELLING else None
                if grace is not None:
                    stop[grace].append(self._handle(handle.job, facts))
                for order in self._take_orders(handle.job, facts, verdict.state, backend):
                    orders[order.verb, order.signal].append(self._handle(handle.job, facts))
        await self._obey(orders, backend)
        for grace, some in stop.items():
            for job, why in (await backend.cancel(some, grace)).items():
                _log.error("job %d could not be cancelled: %s", job, why)

    async def _resolve(self, job: int, facts: Facts, backend: Backend) -> None:
        """Find out about a submission whose answer nobody has: look for its tag before it may be sent again."""
        submitting = facts.submitting
        if submitting is None or facts.accepted is not None or facts.claimed or self._is_ours(job, facts):
            return
        path = self._workdir.metadir(job)
        found = await backend.find([self._handle(job, facts)])
        if job in found.jids:
            jid = found.jids[job]
            metadir.record_answer(path, Accepted(facts.attempt, jid, backend.name, time.time()))
        elif not found.complete:
            self._roster.apply(job, facts, judge(facts))
            self._roster.look_again(job, _TROUBLE_PAUSE)
            return
        else:
            # Should a lost script still be about to start, only one of it and its successor can claim job.begin; and
            # none, where the job was cancelled meanwhile.
            cancel = facts.intent.cancel
            if cancel is not None and cancel.attempt == facts.attempt:
                metadir.claim_void(path)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{path}/{metadir.SUBMITTING}")
        self._roster.dirty[job] = None

    def _is_ours(self, job: int, facts: Facts) -> bool:
        """Whether this very engine started the attempt, so that its back end knows what became of it."""
        tracked = self._roster.tracked.get(job)
        return tracked is not None and tracked.launched == facts.attempt

    def _handle(self, job: int, facts: Facts) -> Handle:
        assert facts.spec is not None
        jid = facts.accepted.jid if facts.accepted is not None else None
        return Handle(job, facts.attempt, facts.spec.tag, jid, self._workdir.metadir(job), facts.begin)

    def _stop_grace(self, job: int, facts: Facts) -> float | None:
        """How long the job has to end by itself, in seconds; None if it was told already."""
        tracked, cancel = self._roster.tracked[job], facts.intent.cancel
        assert cancel is not None
        told = 2 if cancel.force else 1
        if tracked.asked_to_stop >= told:
            return None
        tracked.asked_to_stop = told
        return 0.0 if cancel.force else tracked.spec.grace

    def _take_orders(self, job: int, facts: Facts, state: State, backend: Backend) -> list[Order]:
        """The orders that are to be carried out now. Written down first: a signal sent twice may do harm."""
        orders = due_orders(facts)
        if not orders or state not in (State.RUNNING, State.SUSPENDED, State.CANCELLING):
            return []
        if facts.begin is None and not backend.polled:
            # It is just starting: its processes are not known yet.
            self._roster.look_again(job, _FIRST_WORD)
            return []
        metadir.write_fact(self._workdir.metadir(job), metadir.OBEYED, Obeyed(orders[-1].serial))
        return orders

    async def _obey(self, orders: Mapping[tuple[str, str], Sequence[Handle]], backend: Backend) -> None:
        for (verb, name), handles in orders.items():
            if verb not in backend.capabilities:
                refused = dict.fromkeys((handle.job for handle in handles), "the back end cannot do that")
            elif verb == "signal":
                refused = await backend.signal(handles, name)
            else:
                refused = await backend.order("suspend" if verb == "suspend" else "resume", handles)
            for job, why in refused.items():
                _log.error("job %d: %s could not be carried out: %s", job, f"{verb} {name}".strip(), why)
            for handle in handles:
                for pause in _EFFECT:
                    self._roster.look_again(handle.job, pause)

    async def stop_leftovers(self, backend: Backend, facts: Facts) -> None:
        """Stop what a job that ran into its time limit left behind."""
        await backend.cancel([self._handle(0, facts)], 0.0)
