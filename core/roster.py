"""What the engine knows of the jobs that have not ended: which are ready, and what the others wait for."""

from __future__ import annotations

import contextlib
import heapq
import logging
import os
import time
from collections.abc import Generator, Iterable

import msgspec

from . import metadir
from .awaits import Awaits, CanWait
from .conditions import JobEnd, Outlook
from .job import ENDED, IN_FLIGHT, LOCAL, Asked, EngineEnd, Intent, JobSpec, Reason, Resources, State
from .publisher import Publisher
from .queue import Yard
from .settings import Settings, budget, default_retries, queue_budget
from .tracked import Tracked
from .verdict import (
    Facts,
    Observation,
    Verdict,
    judge,
    judge_attempt,
    needs_word,
    priority_of,
    retry_asked,
    summarize,
    will_retry,
)
from .workdir import WorkDir

_log = logging.getLogger("jobtui.engine")

_TROUBLE_PAUSE = 5.0
_BUG_PAUSE = 60.0
# Seconds by which an expected start must move to be news.
_EXPECTED_STEP = 300.0
# Seconds after which a start time is compared with the clock again: somebody may have set it.
_CLOCK_CHECK = 300.0


def _counted(spec: JobSpec) -> Resources:
    """What a job uses of its yard's budget: a scheduler sees to the needs of its jobs itself."""
    return spec.resources if spec.backend == LOCAL else Resources()


class Roster:
    """The jobs of a work directory as the engine has them in memory. Never waits; reads and writes job folders."""

    def __init__(self, workdir: WorkDir, publisher: Publisher, settings: Settings, can_wait: CanWait) -> None:
        """Start empty; ``load`` finds the jobs. ``can_wait``: whether a job's back end can have it wait for others."""
        self.workdir = workdir
        self.publisher = publisher
        self.tracked: dict[int, Tracked] = {}
        self.dirty: dict[int, None] = {}
        self.yards: dict[str, Yard] = {}
        self.set_settings(settings)
        self.left_behind: list[Facts] = []
        self.halted_by: int | None = None
        self.awaits = Awaits(
            self.tracked, self._end_of, self.look_again, lambda: default_retries(self.settings), can_wait
        )
        self._timers: list[tuple[float, int]] = []

    def set_settings(self, settings: Settings) -> None:
        """Go by these settings from now on."""
        self.settings = settings
        for name, yard in self.yards.items():
            yard.budget = budget(settings) if name == LOCAL else queue_budget(settings)

    def yard(self, backend: str) -> Yard:
        """Where the jobs of this back end wait for their start."""
        if backend not in self.yards:
            self.yards[backend] = Yard(budget(self.settings) if backend == LOCAL else queue_budget(self.settings))
        return self.yards[backend]

    # -- which jobs to look at

    def load(self) -> None:
        """Mark every job whose verdict may differ from the published one; a folder's time tells cheaply."""
        known = self.publisher.known()
        present = self._drop_vanished(known.keys())
        for tracked in self.tracked.values():
            tracked.published = None
        for job in present:
            ended, mtime = known.get(job, (False, -1))
            if not ended or mtime != self.workdir.mtime_ns(job):
                self.dirty[job] = None

    def reconcile(self) -> None:
        """Find what no hint told of: new, vanished and changed folders of jobs that have not ended."""
        known = self.publisher.known()
        present = self._drop_vanished(known.keys())
        for job in present - known.keys():
            self.dirty[job] = None
        for job, tracked in self.tracked.items():
            if tracked.sent or tracked.mtime != self.workdir.mtime_ns(job):
                self.dirty[job] = None

    def _drop_vanished(self, known: Iterable[int]) -> set[int]:
        present = set(self.workdir.ids())
        for job in set(known) - present:
            self.forget(job)
        return present

    def take_dirty(self, count: int) -> list[int]:
        """Up to ``count`` jobs to look at now, taken off the list."""
        jobs = [job for job, _ in zip(self.dirty, range(count), strict=False)]
        for job in jobs:
            del self.dirty[job]
        return jobs

    def look_again(self, job: int, seconds: float) -> None:
        """Mark a job after some seconds, whatever is done to the clock meanwhile."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, job))

    def fire_timers(self) -> None:
        """Mark the jobs whose time has come."""
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            self.dirty[heapq.heappop(self._timers)[1]] = None

    def next_timer(self) -> float:
        """Seconds until the next job is to be marked; infinite if none."""
        return self._timers[0][0] - time.monotonic() if self._timers else float("inf")

    def is_over(self, job: int, attempt: int) -> bool:
        """Whether an attempt has ended, as far as that is known by now."""
        tracked = self.tracked.get(job)
        return job not in self.dirty and (tracked is None or tracked.attempt > attempt)

    def is_idle(self) -> bool:
        """Whether there is nothing to drive: held jobs wait for a person, not for the engine."""
        return not self.dirty and all(one.state is State.HELD and not one.sent for one in self.tracked.values())

    @contextlib.contextmanager
    def trouble_of(self, job: int) -> Generator[None]:
        """Keep one job's trouble from touching another: log it and look again later."""
        try:
            yield
        except OSError as error:
            _log.error("job %d: %s; looking again in %s s", job, error, _TROUBLE_PAUSE)
            self.look_again(job, _TROUBLE_PAUSE)
        except Exception:  # noqa: BLE001 logged with its traceback; the other jobs go on
            _log.exception("job %d: a bug in jobtui", job)
            self.look_again(job, _BUG_PAUSE)

    # -- facts

    def facts(self, job: int) -> Facts | None:
        """The job's facts, after a retry that was asked for or interrupted; None if there is no such job (yet)."""
        path = self.workdir.metadir(job)
        tracked = self.tracked.get(job)
        try:
            facts = metadir.read_facts(path, tracked.spec if tracked else None)
        except (FileNotFoundError, NotADirectoryError):
            self.forget(job)
            return None
        if facts.spec is None:
            return facts if metadir.SPEC in facts.damaged else None
        if facts.moving:
            return self._next_attempt(job, facts, facts.attempt - 1)
        if retry_asked(facts) and judge_attempt(facts).state in ENDED:
            return self._next_attempt(job, facts, facts.attempt)
        return facts

    def _next_attempt(self, job: int, facts: Facts, ended: int) -> Facts:
        metadir.open_attempt(self.workdir.metadir(job), ended)
        tracked = self.tracked.get(job)
        if tracked is not None:
            tracked.asked_to_stop = tracked.launched = 0
            tracked.note = ""
        return metadir.read_facts(self.workdir.metadir(job), facts.spec)

    # -- verdicts

    def apply(self, job: int, facts: Facts, verdict: Verdict) -> None:
        """Make a verdict true in memory and visible to clients."""
        if verdict.state in ENDED or facts.spec is None:
            self._end(job, facts, verdict)
            return
        tracked = self.tracked.get(job)
        if tracked is None:
            tracked = self.tracked[job] = Tracked(facts.spec, facts.attempt)
        tracked.attempt = facts.attempt
        tracked.mtime = self.workdir.mtime_ns(job)
        tracked.sent = facts.submitting is not None or facts.accepted is not None or facts.claimed
        tracked.again = retry_asked(facts)
        jid = facts.accepted.jid if facts.accepted is not None and facts.accepted.attempt == facts.attempt else ""
        if jid != tracked.jid:
            # Those that wait for it may do so in the same scheduler from now on.
            tracked.jid = jid
            self.dirty.update(dict.fromkeys(self.awaits.those_after(job)))
        yard = self.yard(facts.spec.backend)
        if verdict.state in IN_FLIGHT or (verdict.state is State.HELD and tracked.sent):
            yard.ready.discard(job)
            yard.use.add(job, _counted(facts.spec), facts.submitting.gpus if facts.submitting else ())
        else:
            yard.use.discard(job)
            yard.ready.discard(job)
            if verdict.state is not State.HELD:
                verdict = self._schedule(job, tracked, facts)
        if verdict.state in ENDED:
            self._end(job, facts, verdict)
            return
        tracked.state = verdict.state
        self._publish(job, facts, verdict)

    def tasks_with(self, job: int, limit: int) -> list[int]:
        """This array task and those that follow it, ``limit`` at most, whose needs are the same in a scheduler."""
        shape = self._shape(job)
        tasks = [job]
        while shape is not None and len(tasks) < limit and self._shape(tasks[-1] + 1) == shape:
            tasks.append(tasks[-1] + 1)
        return tasks

    def _shape(self, job: int) -> tuple[object, ...] | None:
        """What all tasks of one submission of many have in common; None for a job that is no array task."""
        tracked = self.tracked.get(job)
        if tracked is None or tracked.spec.array is None:
            return None
        spec = tracked.spec
        assert spec.array is not None
        limits = (spec.resources, spec.timeout, spec.grace)
        return (
            spec.array.array,
            spec.backend,
            limits,
            spec.env_ref,
            spec.priority,
            spec.title(),
            tracked.after,
        )

    def conclude(self, job: int, facts: Facts, observation: Observation | None) -> Verdict:
        """Judge a job in flight by its facts and what was seen of it, and apply that; returns the verdict."""
        verdict = judge_attempt(facts, observation)
        if verdict.state in ENDED and retry_asked(facts):
            # The next look opens the next attempt; first this one's end must be on disk.
            self._record_end(job, facts, verdict)
            self.dirty[job] = None
        else:
            self.apply(job, facts, verdict)
        return verdict

    def _schedule(self, job: int, tracked: Tracked, facts: Facts) -> Verdict:
        """Decide whether a waiting job is ready, what it waits for, or that it never can start."""
        spec, now = tracked.spec, time.time()
        outlook = self.awaits.outlook(job, spec.after)
        if outlook.answer == "never":
            return judge(self.give_up(job, facts, outlook))
        tracked.after = self.awaits.dependency(tracked) if outlook.answer == "waits" else None
        if outlook.answer == "waits" and tracked.after is None:
            return Verdict(State.CREATED, detail=f"waits for {outlook.why}")
        if tracked.paused != facts.attempt:
            tracked.paused = facts.attempt
            pause = self._retry_pause(job, tracked, facts, now)
            tracked.not_before = max(tracked.not_before, time.monotonic() + pause)
        pause = tracked.not_before - time.monotonic()
        if pause > 0:
            self.look_again(job, pause)
            return Verdict(State.QUEUED, detail=f"attempt {facts.attempt} may start {pause:.0f} s from now")
        yard, needs = self.yard(spec.backend), _counted(spec)
        yard.ready.add(job, priority_of(facts), needs)
        lacking = yard.use.lacking(needs, yard.budget)
        return Verdict(State.QUEUED, detail=f"waits for {lacking}" if "budget" in lacking else tracked.note)

    def give_up(self, job: int, facts: Facts, outlook: Outlook) -> Facts:
        """Have a job cancelled that can never start; returns its facts with that wish."""
        if facts.intent.cancel is not None and facts.intent.cancel.attempt == facts.attempt:
            return facts
        asked = Asked(facts.attempt, time.time(), "engine", Reason.CONDITION, f"could never start: {outlook.why}")
        return msgspec.structs.replace(facts, intent=self._ask_to_cancel(job, asked))

    def start_over(self, job: int, facts: Facts, why: str) -> None:
        """Open the next attempt of a job whose present one will never begin."""
        self._record_end(job, facts, Verdict(State.CANCELLED, Reason.CONDITION, why))
        self._open_next(job, facts)

    def _open_next(self, job: int, facts: Facts) -> None:
        fresh = self._next_attempt(job, facts, facts.attempt)
        if facts.spec is not None:
            self.yard(facts.spec.backend).use.discard(job)
        self.apply(job, fresh, judge(fresh))

    def _ask_to_cancel(self, job: int, asked: Asked) -> Intent:
        path = self.workdir.metadir(job)
        return metadir.change_intent(path, lambda intent: msgspec.structs.replace(intent, cancel=asked))

    def _retry_pause(self, job: int, tracked: Tracked, facts: Facts, now: float) -> float:
        """Seconds that a retried job still has to wait; a retry that a person asked for does not wait."""
        asked = facts.intent.retry
        by_hand = asked is not None and asked.attempt == facts.attempt - 1
        pause = tracked.spec.retry.pause(facts.attempt - 1)
        if facts.attempt == 1 or by_hand or pause <= 0:
            return 0.0
        since = os.stat(f"{self.workdir.metadir(job)}/{metadir.RETRY}").st_mtime
        # A clock set back must not make a pause of seconds one of days.
        return min(pause, since + pause - now)

    def _end_of(self, job: int) -> JobEnd:
        if job in self.tracked or job in self.dirty:
            return "active"
        row = self.publisher.row(job)
        if row is None:
            return "active" if os.path.exists(f"{self.workdir.metadir(job)}/{metadir.SPEC}") else "missing"
        if row.state not in ENDED:
            return "active"
        return "ok" if row.state is State.FINISHED else "fail"

    def _end(self, job: int, facts: Facts, verdict: Verdict) -> None:
        verdict = self._record_end(job, facts, verdict)
        if will_retry(facts, verdict, default_retries(self.settings)):
            self._open_next(job, facts)
            return
        before = self.publisher.row(job)
        news = job in self.tracked or (before is not None and before.state not in ENDED)
        self._untrack(job)
        self._publish(job, facts, verdict)
        if news and verdict.reason == Reason.TIMEOUT:
            self.left_behind.append(facts)
        own = facts.spec is not None and facts.spec.attached is None
        if news and own and verdict.state is State.FAILED and self.settings.on_error == "halt":
            self._halt(job)

    def _record_end(self, job: int, facts: Facts, verdict: Verdict) -> Verdict:
        """Write an end down that nothing on disk tells of yet, or not of its cause; returns it with its time."""
        started = facts.submitting is not None or facts.accepted is not None or facts.claimed
        unrecorded = facts.end is None or needs_word(facts)
        if facts.spec is None or not unrecorded or facts.engine_end is not None or not started:
            return verdict
        ended = verdict.ended or time.time()
        end = EngineEnd(facts.attempt, verdict.state, verdict.reason, verdict.detail, ended, verdict.exit_code)
        if facts.spec.attached is not None:
            # Of other jobs their own scripts tell it.
            end = msgspec.structs.replace(end, started=verdict.started, host=verdict.host)
        metadir.write_fact(self.workdir.metadir(job), metadir.END, end)
        return msgspec.structs.replace(verdict, ended=ended)

    def _halt(self, failed: int) -> None:
        """Cancel everything else after a failure, but what a person submitted without us."""
        self.halted_by = failed
        _log.error("job %d failed: halting", failed)
        for job, tracked in list(self.tracked.items()):
            if tracked.spec.attached is not None:
                continue
            with self.trouble_of(job):
                words = f"halted: job {failed} failed"
                self._ask_to_cancel(job, Asked(tracked.attempt, time.time(), "engine", Reason.HALTED, words))
                self.dirty[job] = None

    def _untrack(self, job: int) -> None:
        self.tracked.pop(job, None)
        for yard in self.yards.values():
            yard.ready.discard(job)
            yard.use.discard(job)
        self.dirty.update(dict.fromkeys(self.awaits.over(job)))

    def forget(self, job: int) -> None:
        """A job's folder is gone."""
        self._untrack(job)
        self.publisher.drop(job)

    def _publish(self, job: int, facts: Facts, verdict: Verdict) -> None:
        row = summarize(job, self.workdir.path, facts, verdict)
        tracked = self.tracked.get(job)
        if tracked is not None:
            expected = round((row.expected or 0) / _EXPECTED_STEP)
            key = (row.state, row.detail, row.attempt, row.jid, row.started, row.priority, expected)
            if tracked.published == key:
                return
            tracked.published = key
        self.publisher.put(row)
