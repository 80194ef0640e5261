"""A lane: the engine's dealings with one scheduler, beside its loop, which a slow or hung scheduler never holds up."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Iterable

import anyio
import msgspec
from anyio.abc import TaskGroup

from . import metadir
from .backend import Answer, Backend, FarFolders, History, Rejected, Request, Snapshot, Took, Uncertain
from .handover import was_let_go, words
from .identity import file_system
from .job import Accepted, Obeyed, State, has_scheduler
from .lanekeeping import Keeper
from .laneknown import Known, handle_of, old_wish
from .laneorders import Orders
from .lanesearch import Search
from .mirror import keep_records
from .pollplan import FAR_SCHEDULER, MACHINE, SCHEDULER, Pace, PollPlan
from .queuewatch import QueueWatch
from .roster import Roster
from .verdict import Facts, Observation, Verdict, due_orders, judge, last_seen
from .workdir import WorkDir

_log = logging.getLogger("jobtui.engine")

# How many submissions may be under way at a time; the back end sends as many of them at once as is good.
_SENDING = 64
_LARGEST_ARRAY = 1000
# Seconds within which a file written on another machine is seen here: at once on a local file system.
_RC_GRACE_LOCAL, _RC_GRACE_SHARED = 2.0, 90.0
# Seconds between two looks at the folders of jobs in flight.
_LOOK_LOCAL, _LOOK_SHARED = 0.25, 10.0
# Looking must not take more than this share of the time.
_LOOK_SHARE = 0.01
# Seconds in which questions to the accounting are collected.
_GATHER = 0.05
_TROUBLE_FIRST, _TROUBLE_MOST = 2.0, 60.0

Answered = Callable[[Request, Answer], None]
Ring = Callable[[], None]


class Lane:
    """Submits to, polls and orders around one scheduler. Everything here runs in the engine's event loop."""

    def __init__(
        self, name: str, backend: Backend, workdir: WorkDir, roster: Roster, answered: Answered, ring: Ring
    ) -> None:
        """Deal with ``backend``, which jobs call ``name``, for the engine of ``workdir``.

        ``answered`` takes the answers to submissions; ``ring`` wakes the engine up when jobs were marked.
        """
        self.name = name
        self.backend = backend
        self._workdir = workdir
        self._roster = roster
        self._answered = answered
        self._ring = ring
        self._plan = PollPlan(time.monotonic(), _pace(name, backend))
        self._known: dict[int, Known] = {}
        self._sending: set[int] = set()
        self._orders = Orders(backend, self._told)
        self.queues = QueueWatch(name, backend, workdir)
        self._search = Search(backend, workdir, roster, self._known, self._orders, self._mark, self._stir)
        self._keeper = Keeper(backend, workdir)
        self._to_account: set[int] = set()
        self._blocked_until = 0.0
        self._array_most = _LARGEST_ARRAY
        self._trouble_pause = _TROUBLE_FIRST
        self._probed = False
        self._watched = False
        self._wake = anyio.Event()
        shared = not file_system(workdir.path).local
        elsewhere = shared if backend.far is None else has_scheduler(name)
        self._rc_grace = _RC_GRACE_SHARED if elsewhere else _RC_GRACE_LOCAL
        self._look_pause = _LOOK_SHARED if shared else _LOOK_LOCAL
        self._shared = shared

    def start(self, tasks: TaskGroup) -> None:
        """Keep polling and looking in ``tasks`` until they are cancelled."""
        self._tasks = tasks
        tasks.start_soon(self._keep_polling)
        tasks.start_soon(self._keep_looking)
        tasks.start_soon(self._orders.run)
        tasks.start_soon(self.queues.run)

    def watch(self, on: bool) -> None:
        """Ask the scheduler also while no job needs it: somebody looks at what else it has."""
        if on and not self._watched:
            self._stir()
        self._watched = on

    def look_soon(self) -> None:
        """Something was done to jobs there that are not ours."""
        self._stir()

    def link_is_back(self) -> None:
        """Ask the scheduler now: its machine answers again."""
        self._plan.back(time.monotonic())
        self._wake.set()

    async def finish(self, seconds: float) -> None:
        """Wait for the answers to submissions that are under way, so that nobody has to look for them later."""
        with anyio.move_on_after(seconds):
            while self._sending:
                await anyio.sleep(0.02)

    def _mark(self, job: int) -> None:
        self._roster.dirty[job] = None
        self._ring()

    def _stir(self) -> None:
        self._plan.stir(time.monotonic())
        self._wake.set()

    # -- submitting

    @property
    def room(self) -> int:
        """How many attempts may be handed over now."""
        closed = not self._probed or time.monotonic() < self._blocked_until
        if closed:
            return 0
        there = len(self._known.keys() | self._sending)
        return min(_SENDING - len(self._sending), self.backend.slots - there if self.backend.slots else _SENDING)

    @property
    def array_limit(self) -> int:
        """How many tasks may be handed over as one array now; 0 where that is not possible."""
        return min(self.backend.array_limit, self._array_most)

    @property
    def opens_at(self) -> float:
        """When there is room again, on the monotonic clock; infinite where time alone does not make any."""
        return self._blocked_until if time.monotonic() < self._blocked_until else float("inf")

    def submit(self, requests: list[Request]) -> None:
        """Hand attempts over; the answers come later."""
        self._sending.update(request.job for request in requests)
        self._tasks.start_soon(self._submit, requests)

    async def _submit(self, requests: list[Request]) -> None:
        try:
            answers = await self.backend.submit(requests)
        except Exception:  # noqa: BLE001 logged with its traceback; whether the jobs were sent is looked for
            _log.exception("a bug in the back end %s", self.name)
            answers: list[Answer] = [Uncertain("a bug in jobtui; see engine.log")] * len(requests)
        for request, answer in zip(requests, answers, strict=True):
            self._sending.discard(request.job)
            with self._roster.trouble_of(request.job):
                self._answered(request, answer)
        self._note_trouble(answers)
        if len(requests) > 1 and requests[0].task is not None and isinstance(answers[0], Rejected):
            # The scheduler may take some of it where it does not take all.
            self._array_most = max(1, len(requests) // 2)
        self._stir()
        self._ring()

    def _note_trouble(self, answers: list[Answer]) -> None:
        """Do not press on a scheduler that takes nothing now."""
        if any(
            isinstance(answer, Uncertain) or (isinstance(answer, Rejected) and answer.retryable) for answer in answers
        ):
            self._blocked_until = time.monotonic() + self._trouble_pause * random.uniform(0.75, 1.25)
            self._trouble_pause = min(self._trouble_pause * 2, _TROUBLE_MOST)
        elif any(isinstance(answer, Took) for answer in answers):
            self._trouble_pause = _TROUBLE_FIRST

    def taken(self, job: int, facts: Facts) -> None:
        """Follow a job that the scheduler just took; ``facts`` are what was written of it."""
        known = self._know(job, facts)
        known.mtime = self._workdir.mtime_ns(job)
        self._roster.apply(job, facts, judge(facts))
        path = self._workdir.metadir(job)
        waits = facts.submitting is not None and facts.submitting.after
        if waits or os.path.exists(f"{path}/{metadir.BEGIN}") or os.path.exists(f"{path}/{metadir.INTENT}"):
            # It waits for others, has begun, or something was asked of it since it was sent.
            self._mark(job)

    # -- judging

    def observe(self, job: int, facts: Facts) -> None:
        """Judge a job that was handed over, by its facts and by what the scheduler said of it so far."""
        assert facts.spec is not None
        known = self._know(job, facts)
        if job not in self._sending and facts.accepted is None and facts.begin is not None and facts.begin.jid:
            self._record(job, facts, facts.begin.jid)
            return
        if facts.accepted is not None and facts.begin is not None and _is_another(facts.accepted.jid, facts.begin.jid):
            # A copy of the submission that was thought lost has begun: that one is the job.
            self._record(job, facts, facts.begin.jid)
            return
        waits = self._roster.awaits.in_scheduler(job, facts)
        if waits is not None and waits.outlook.answer == "never":
            facts = self._roster.give_up(job, facts, waits.outlook)
        can_account = "history" in self.backend.capabilities
        conclusion = known.sighting.conclude(facts, time.monotonic(), self._rc_grace, can_account)
        observation = conclusion.observation
        if observation is None and not known.polled:
            observation = last_seen(self._roster.publisher.row(job), facts)
        if conclusion.withdraw and self._is_void(job, known):
            # Now it is certain that it never started and never will.
            observation = Observation("gone", detail="cancelled while it waited", outcome="cancelled")
        if waits is not None and observation is not None and was_let_go(observation) and facts.intent.cancel is None:
            if waits.outlook.answer == "holds":
                _log.info("job %d: %s let go of it, but it may start", job, self.name)
                self._forget(job)
                self._roster.start_over(job, facts, f"{self.name} let go of it before it began")
                return
            observation = Observation("pending", detail=f"waits for {waits.outlook.why}; {self.name} let go of it")
        elif waits is not None and waits.outlook.answer == "waits" and _is_pending(observation):
            observation = Observation("pending", detail=words(waits.left, self.name))
        verdict = self._roster.conclude(job, facts, self._with_notes(known, facts, observation))
        tracked = self._roster.tracked.get(job)
        if tracked is None or tracked.attempt != facts.attempt or not tracked.sent:
            self._forget(job)
            return
        if conclusion.account and job not in self._to_account:
            self._to_account.add(job)
            if len(self._to_account) == 1:
                self._tasks.start_soon(self._account)
        if conclusion.soon:
            self._stir()
        if conclusion.again is not None:
            self._roster.look_again(job, conclusion.again)
        self._carry_out(job, known, facts, verdict)

    def _is_void(self, job: int, known: Known) -> bool:
        """Take the start of an attempt away from it; on another machine that takes a while."""
        far = self.backend.far
        if far is None:
            return metadir.claim_void(self._workdir.metadir(job))
        if known.void is None:
            known.void = False
            self._tasks.start_soon(self._void, far, job, known)
        return known.void

    async def _void(self, far: FarFolders, job: int, known: Known) -> None:
        try:
            known.void = (await far.void([known.handle])).get(job)
        except Exception:  # noqa: BLE001 logged with its traceback; it is tried again with the next answer
            _log.exception("a bug in the back end %s", self.name)
            known.void = None
        if known.void:
            self._mark(job)

    def _know(self, job: int, facts: Facts) -> Known:
        known = self._known.get(job)
        if known is None or known.sighting.attempt != facts.attempt:
            known = self._known[job] = Known(facts, old_wish(self._workdir, job, facts))
            self._stir()
        known.handle = handle_of(self._workdir, job, facts)
        return known

    def _record(self, job: int, facts: Facts, jid: str) -> None:
        path = self._workdir.metadir(job)
        metadir.record_answer(path, Accepted(facts.attempt, jid, self.name, time.time()))
        self._known.pop(job, None)
        self._mark(job)

    def _with_notes(self, known: Known, facts: Facts, seen: Observation | None) -> Observation | None:
        """Say what stands in the way of a submission or an order."""
        words = self._orders.refusal(known.handle.job)
        if facts.accepted is None and not facts.claimed and known.handle.job not in self._sending:
            words = f"nobody knows whether {self.name} took it; it is being looked for"
        if not words or (seen is not None and seen.presence in ("gone", "lost")):
            return seen
        return msgspec.structs.replace(seen or Observation("running" if facts.claimed else "pending"), detail=words)

    def _carry_out(self, job: int, known: Known, facts: Facts, verdict: Verdict) -> None:
        """Give the orders that a person's wishes come to, once the scheduler's id for the job is known."""
        if facts.accepted is None:
            return
        tracked, cancel = self._roster.tracked[job], facts.intent.cancel
        if verdict.state is State.CANCELLING and cancel is not None:
            told = 2 if cancel.force else 1
            if tracked.asked_to_stop < told:
                tracked.asked_to_stop = told
                self._orders.cancel(known.handle, 0.0 if cancel.force else tracked.spec.grace)
            return
        due = due_orders(facts)
        if due and verdict.state in (State.RUNNING, State.SUSPENDED):
            # Written down first: a signal sent twice may do harm.
            metadir.write_fact(self._workdir.metadir(job), metadir.OBEYED, Obeyed(due[-1].serial))
            for order in due:
                if order.verb in self.backend.capabilities:
                    self._orders.once((order.verb, order.signal), known.handle)
        wish = facts.intent.hold
        if wish is not None and wish != known.wish:
            known.wish = wish
            verb = "hold" if wish else "release"
            if verb in self.backend.capabilities:
                self._orders.give(verb, known.handle)

    def _told(self, jobs: Iterable[int]) -> None:
        """Orders were given, or refused: look what became of them."""
        for job in jobs:
            known, tracked = self._known.get(job), self._roster.tracked.get(job)
            if known is None or tracked is None:
                continue
            if tracked.asked_to_stop and not self._orders.refusal(job):
                known.sighting.cancelled(time.monotonic())
            self._mark(job)
        self._stir()

    # -- polling

    async def _keep_polling(self) -> None:
        await self._probe()
        while True:
            self._wake = anyio.Event()
            self._forget_ended()
            pause = self._plan.due - time.monotonic() if self._known or self._watched else float("inf")
            if pause <= 0:
                try:
                    await self._poll()
                except Exception:  # noqa: BLE001 logged with its traceback; the jobs keep their states
                    _log.exception("a bug in polling %s", self.name)
                    self._plan.failed(time.monotonic(), random.random())
                continue
            with anyio.move_on_after(pause):
                await self._wake.wait()

    async def _probe(self) -> None:
        """Find out what the scheduler can do, before anything is sent; one that does not answer says why at once."""
        try:
            await self._keeper.probe()
        except Exception:  # noqa: BLE001 logged with its traceback; submitting will tell
            _log.exception("a bug in probing %s", self.name)
        self._probed = True
        self._ring()

    def _forget_ended(self) -> None:
        for job in [job for job in self._known if job not in self._roster.tracked]:
            self._forget(job)

    def _forget(self, job: int) -> None:
        self._known.pop(job, None)
        self._orders.drop(job)

    async def _poll(self) -> None:
        asked = {job: known for job, known in self._known.items() if job not in self._sending}
        at = time.monotonic()
        snapshot = await self.backend.poll([known.handle for known in asked.values()])
        now = time.monotonic()
        running = self._watched and any(other.seen.presence == "running" for other in snapshot.others)
        self._keep_records(asked, snapshot)
        for job, known in asked.items():
            if self._known.get(job) is not known:
                continue
            observation = snapshot.seen.get(job)
            running = running or (observation is not None and observation.presence != "pending")
            if known.handle.jid is None:
                self._search.settle(job, known, snapshot)
                continue
            news = known.sighting.answered(observation, snapshot.complete, at)
            if news or not known.polled:
                self._mark(job)
            known.polled = known.polled or snapshot.complete
        if snapshot.complete:
            self._plan.answered(now, running=running, longest=self.backend.longest_pause)
            self._blocked_until = 0.0
        else:
            self._plan.failed(now, random.random())
        self._ring()
        await self._search.look([(job, known) for job, known in asked.items() if self._known.get(job) is known])
        still = [known.handle for job, known in asked.items() if self._known.get(job) is known]
        self._search.end_strays(snapshot, still)
        await self._keeper.keep(snapshot, {known.handle.mark for known in self._known.values()})

    def _keep_records(self, asked: dict[int, Known], snapshot: Snapshot) -> None:
        """Take over what is new in the folders of jobs on another machine."""
        for job, records in snapshot.records.items():
            known, tracked = asked.get(job), self._roster.tracked.get(job)
            if known is None or self._known.get(job) is not known or tracked is None:
                continue
            with self._roster.trouble_of(job):
                attempt = known.sighting.attempt
                if tracked.attempt == attempt and keep_records(self._workdir.metadir(job), attempt, records):
                    self._mark(job)

    # -- the accounting

    async def _account(self) -> None:
        """Ask the accounting about several jobs at once."""
        await anyio.sleep(_GATHER)
        asked = {job: self._known[job] for job in self._to_account if job in self._known}
        self._to_account.clear()
        try:
            history = await self.backend.history([known.handle for known in asked.values()])
        except Exception:  # noqa: BLE001 logged with its traceback; it is asked again later
            _log.exception("a bug in the accounting of %s", self.name)
            history = History({}, complete=False)
        for job, known in asked.items():
            known.sighting.accounted(history.seen.get(job), history.complete, time.monotonic())
            self._mark(job)

    # -- looking into folders

    async def _keep_looking(self) -> None:
        """Mark the jobs whose folders changed: their own records tell of begin and end before the scheduler does."""
        pause = self._look_pause
        while True:
            await anyio.sleep(pause)
            if not self._known:
                await self._wake.wait()
            started = time.monotonic()
            for job, known in self._known.items():
                if self._shared:
                    # There a folder's time may be old, but reading it shows what is in it.
                    tracked = self._roster.tracked.get(job)
                    if tracked is not None and tracked.state is not State.SUBMITTED:
                        self._mark(job)
                    continue
                mtime = self._workdir.mtime_ns(job)
                if mtime != known.mtime:
                    known.mtime = mtime
                    self._mark(job)
            pause = max(self._look_pause, (time.monotonic() - started) / _LOOK_SHARE)


def _is_pending(seen: Observation | None) -> bool:
    return seen is None or seen.presence == "pending"


def _is_another(accepted: str, begun: str) -> bool:
    """Whether the script that began belongs to another submission than the one that was accepted."""
    return bool(begun) and begun != accepted.partition(";")[0]


def _pace(name: str, backend: Backend) -> Pace:
    if not has_scheduler(name):
        return MACHINE
    return SCHEDULER if backend.far is None else FAR_SCHEDULER
