"""The engine: drives one work directory. It starts what is due, observes what runs, and publishes its verdicts."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

import anyio
import anyio.lowlevel

from . import metadir
from .backend import (
    Answer,
    Backend,
    BackendMissingError,
    Handle,
    Rejected,
    Request,
    Surroundings,
    Task,
    Took,
    load,
    mark,
    split,
)
from .errandrunner import carry_out
from .errands import Answer as ErrandAnswer
from .errands import keep_answer
from .groups import single_errors
from .job import IN_FLIGHT, Accepted, EngineEnd, Obeyed, Order, Reason, Resources, State, Submitting
from .lane import Lane
from .lease import RENEWAL, HeldLease, take
from .publisher import Publisher
from .queue import Yard
from .roster import Roster
from .script import job_script
from .settings import Settings, SettingsError, read_settings
from .verdict import Facts, Observation, due_orders, judge
from .wants import Wants
from .workdir import LOG, WAKE, Errand, WorkDir

_log = logging.getLogger("jobtui.engine")

# How many jobs are looked at before the engine sees to everything else again.
_CHUNK = 200
# Seconds in which many changes become one write.
_FLUSH = 0.01
_RECONCILE = 60.0
_INBOX_POLL = 2.0
_TROUBLE_PAUSE = 5.0
_ENVIRONMENTS_KEPT = 16
# Seconds that submissions under way have to be answered when the engine ends; the next one would look for them.
_PARTING = 3.0
# Seconds that a job script needs at most to say who it is; and after which orders may have taken effect.
_FIRST_WORD = 0.05
_EFFECT = (0.02, 1.0)


class WorkDirGoneError(Exception):
    """The work directory was removed under the engine, or another engine took it over."""


class Engine:
    """Drives the jobs of one work directory while ``run`` runs. Jobs outlive it; the next engine takes them up."""

    def __init__(self, workdir: WorkDir, settings: Settings | None = None) -> None:
        """Drive ``workdir`` by the given settings, or by those stored for it, which may then change at any time."""
        self.workdir = workdir
        self.halted_by: int | None = None
        self._given = settings
        self._stop = False
        self._bell = anyio.Event()
        self._environments: dict[str, dict[str, str]] = {}

    async def run(self, *, stop_when_idle: bool = True) -> None:
        """Drive until there is nothing left to drive (or, with ``stop_when_idle`` False, until ``stop``).

        Raises LeaseTakenError if another engine drives, WorkDirGoneError, SettingsError, and OSError or
        sqlite3.Error if the work directory cannot be written.
        """
        while True:
            # Before anybody can take us for an engine that drives.
            settings = self._given or read_settings(self.workdir)
            held = take(self.workdir)
            try:
                with single_errors():
                    await self._drive(held, settings, stop_when_idle)
            finally:
                held.give_up()
            # A client that saw our lease a moment ago left its hint before: nobody else would take it.
            if self._stop or not self.workdir.hints():
                return

    def stop(self) -> None:
        """Make ``run`` return soon. Running jobs go on."""
        self._stop = True
        self._bell.set()

    async def _drive(self, held: HeldLease, settings: Settings, stop_when_idle: bool) -> None:
        home = os.stat(self.workdir.path)
        self._home = (home.st_dev, home.st_ino)
        self._backends: dict[str, Backend] = {}
        self._lanes: dict[str, Lane] = {}
        self._no_starts_before = 0.0
        self._wants = Wants(self.workdir)
        self._errands = 0
        self._publisher = Publisher(self.workdir)
        self._roster = Roster(self.workdir, self._publisher, settings)
        try:
            async with anyio.create_task_group() as self._tasks, contextlib.AsyncExitStack() as self._stack:
                self._tasks.start_soon(self._listen)
                self._roster.load()
                await self._loop(held, stop_when_idle)
                for lane in self._lanes.values():
                    await lane.finish(_PARTING)
                self._tasks.cancel_scope.cancel()
        finally:
            self.halted_by = self._roster.halted_by
            if self._is_home():
                self._publisher.flush()
            self._publisher.close()

    async def _loop(self, held: HeldLease, stop_when_idle: bool) -> None:
        roster, idle_since = self._roster, time.monotonic()
        renew_at, reconcile_at, flush_at = idle_since + RENEWAL, idle_since + _RECONCILE, 0.0
        while not self._stop:
            self._bell = anyio.Event()
            if not self._is_home():
                raise WorkDirGoneError(f"the work directory {self.workdir.path} was removed")
            now = time.monotonic()
            if now >= renew_at:
                renew_at = now + RENEWAL
                if not held.renew():
                    raise WorkDirGoneError("another engine took this work directory over")
            if now >= reconcile_at:
                reconcile_at = now + _RECONCILE
                roster.reconcile()
            self._take_hints()
            await self._take_wants(now)
            roster.fire_timers()
            await self._settle(roster.take_dirty(_CHUNK))
            await self._start_due()
            if self._publisher.pending and not roster.dirty and time.monotonic() >= flush_at:
                flush_at = time.monotonic() + (_FLUSH if self._flush() else _TROUBLE_PAUSE)
            if not roster.is_idle() or self._wants.all or self._errands:
                idle_since = now
            elif stop_when_idle and now - idle_since >= roster.settings.linger:
                return
            wake_at = [renew_at, reconcile_at, now + _INBOX_POLL, now + roster.next_timer()]
            if self._publisher.pending:
                wake_at.append(flush_at)
            if any(yard.ready for yard in roster.yards.values()):
                wake_at.append(self._no_starts_before or now + _RECONCILE)
                wake_at += [lane.opens_at for lane in self._lanes.values()]
            if roster.dirty or self._stop:
                await anyio.lowlevel.checkpoint()
                continue
            with anyio.move_on_after(max(0.0, min(wake_at) - time.monotonic())):
                await self._bell.wait()

    def _is_home(self) -> bool:
        """Whether the work directory at our path is still the one that we started with."""
        try:
            home = os.stat(self.workdir.path)
        except OSError:
            return False
        return (home.st_dev, home.st_ino) == self._home

    def _flush(self) -> bool:
        done = self._publisher.flush()
        if self._publisher.rebuild_needed:
            self._publisher.rebuild_needed = False
            self._roster.load()
        return done

    # -- what may have changed

    async def _listen(self) -> None:
        """Wake up when a client rings the bell: a named pipe, where the file system has them."""
        path = self.workdir.file(WAKE)
        try:
            with contextlib.suppress(FileExistsError):
                os.mkfifo(path, 0o600)
            fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            _log.warning("no bell (%s): looking into the inbox every %s s instead", error, _INBOX_POLL)
            return
        try:
            while True:
                await anyio.wait_readable(fd)
                os.read(fd, 4096)
                self._bell.set()
        finally:
            os.close(fd)

    def hint(self, job: int) -> None:
        """Look at this job soon: something about it may have changed."""
        self._roster.dirty[job] = None
        self._bell.set()

    def ring(self) -> None:
        """See to what was marked."""
        self._bell.set()

    def _take_hints(self) -> None:
        for path, hint in self.workdir.hints():
            self._roster.dirty.update(dict.fromkeys(hint.ids()))
            if hint.settings and self._given is None:
                try:
                    self._roster.set_settings(read_settings(self.workdir))
                except SettingsError as error:
                    _log.error("%s; the former settings stay in force", error)
                # What a job waits for may read differently now.
                self._roster.dirty.update(dict.fromkeys(self._roster.tracked))
            if hint.stop:
                self._stop = True
            with contextlib.suppress(FileNotFoundError, PermissionError):
                os.unlink(path)
            if hint.errand is not None:
                self._errands += 1
                self._tasks.start_soon(self._run_errand, hint.errand)

    async def _run_errand(self, errand: Errand) -> None:
        """Do with foreign jobs what a client asks for, and answer."""
        try:
            answer = await self._answer(errand)
            keep_answer(self.workdir, errand, answer)
        except OSError as error:
            _log.error("cannot answer: %s", error)
        finally:
            self._errands -= 1

    async def _answer(self, errand: Errand) -> ErrandAnswer:
        backend = await self._open(errand.backend, errand.env or self._environment(None))
        if backend is None or not backend.polled:
            why = f"'{errand.backend}' is no scheduler that is known here"
            return ErrandAnswer({job.jid: why for job in errand.jobs})
        own_tags = {tracked.spec.tag for tracked in self._roster.tracked.values()}
        try:
            return await carry_out(backend, errand, own_tags)
        except Exception:  # noqa: BLE001 logged with its traceback; the client is told
            _log.exception("a bug in the back end %s", errand.backend)
            return ErrandAnswer({job.jid: "a bug in jobtui; see engine.log" for job in errand.jobs})
        finally:
            self._lanes[errand.backend].look_soon()

    async def _take_wants(self, now: float) -> None:
        """Have those schedulers asked that somebody looks at, and the others only for the sake of jobs."""
        if not self._wants.look(now):
            return
        wanted = self._wants.schedulers
        for name, env in wanted.items():
            await self._open(name, env or self._environment(None))
        for name, lane in self._lanes.items():
            lane.watch(name in wanted)

    # -- observing

    async def _backend(self, name: str, env_ref: str | None = None) -> Backend | None:
        """The back end of that name, ready for use; None (logged) where it is not installed.

        ``env_ref``: the environment of a job for it, in which its commands will run.
        """
        return self._backends.get(name) or await self._open(name, self._environment(env_ref))

    async def _open(self, name: str, env: Mapping[str, str]) -> Backend | None:
        """The back end of that name, whose commands run in the environment ``env`` unless it is in use already."""
        if name not in self._backends:
            try:
                kind = load(name)
            except BackendMissingError as error:
                _log.error("%s", error)
                return None
            surroundings = Surroundings(env, self.hint, self.workdir.file(LOG), split(name)[1])
            backend = self._backends[name] = await self._stack.enter_async_context(kind(surroundings))
            if backend.polled:
                lane = self._lanes[name] = Lane(name, backend, self.workdir, self._roster, self._answered, self.ring)
                lane.start(self._tasks)
                lane.watch(name in self._wants.schedulers)
        return self._backends[name]

    async def _settle(self, jobs: list[int]) -> None:
        """Judge these jobs by their facts, asking the back ends where the facts do not decide."""
        ask: defaultdict[str, list[tuple[int, Facts]]] = defaultdict(list)
        for job in jobs:
            with self._roster.trouble_of(job):
                facts = self._roster.facts(job)
                if facts is None:
                    continue
                verdict = judge(facts)
                if facts.spec is not None and verdict.state in IN_FLIGHT:
                    ask[facts.spec.backend].append((job, facts))
                else:
                    self._roster.apply(job, facts, verdict)
        for name, items in ask.items():
            await self._observe(name, items)
        await self._sweep()

    async def _observe(self, name: str, items: list[tuple[int, Facts]]) -> None:
        first = items[0][1].spec
        backend = await self._backend(name, first.env_ref if first is not None else None)
        lane = self._lanes.get(name)
        for job, facts in items:
            with self._roster.trouble_of(job):
                if backend is None:
                    self._roster.apply(job, facts, judge(facts))
                elif lane is not None:
                    lane.observe(job, facts)
        if backend is None or lane is not None:
            return
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
        path = self.workdir.metadir(job)
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
        return Handle(job, facts.attempt, facts.spec.tag, jid, self.workdir.metadir(job), facts.begin)

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
        metadir.write_fact(self.workdir.metadir(job), metadir.OBEYED, Obeyed(orders[-1].serial))
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

    async def _sweep(self) -> None:
        """Stop what jobs that ran into their time limit left behind."""
        facts_of, self._roster.left_behind = self._roster.left_behind, []
        for facts in facts_of:
            assert facts.spec is not None and facts.begin is not None
            backend = await self._backend(facts.spec.backend)
            if backend is not None:
                await backend.cancel([self._handle(0, facts)], 0.0)

    # -- starting

    async def _start_due(self) -> None:
        """Hand the next batches of ready jobs to their back ends, as far as budgets and lanes allow."""
        now = time.monotonic()
        if now < self._no_starts_before:
            return
        self._no_starts_before = 0.0
        for name, yard in self._roster.yards.items():
            if yard.has_room():
                await self._start_some(name, yard, now)

    async def _start_some(self, name: str, yard: Yard, now: float) -> None:
        roster, first = self._roster, yard.ready.first()
        backend = await self._backend(name, roster.tracked[first].spec.env_ref) if first in roster.tracked else None
        lane = self._lanes.get(name)
        room = roster.settings.submission_batch if lane is None else min(roster.settings.submission_batch, lane.room)
        if room < 1:
            return
        requests: list[Request] = []
        array = self._array_next(yard, lane)
        taken = [(job, ()) for job in array] or yard.ready.take(room, yard.use, yard.budget, now)
        marked = mark(roster.tracked[array[0]].spec.tag, roster.tracked[array[0]].attempt) if array else ""
        for job, gpus in taken:
            with roster.trouble_of(job):
                task = Task(marked, job - array[0]) if array else None
                try:
                    request = self._prepare(job, gpus, backend.own_id if backend is not None else "", task)
                except OSError as error:
                    # Most likely the disk is full, for all jobs alike: nothing is lost, so try again later.
                    _log.error("job %d cannot be started now: %s", job, error)
                    self._no_starts_before = now + _TROUBLE_PAUSE
                    request = None
                if request is None:
                    yard.use.discard(job)
                    roster.look_again(job, max(0.0, self._no_starts_before - now))
                else:
                    requests.append(request)
        if requests:
            await self._submit(name, requests)
        if requests and yard.has_room():
            self._bell.set()

    def _array_next(self, yard: Yard, lane: Lane | None) -> list[int]:
        """The tasks of an array whose turn it is, taken out of the yard; none where they do not go together."""
        first = yard.ready.first()
        if lane is None or first is None or lane.array_limit < 2:
            return []
        tasks = [job for job in self._roster.tasks_with(first, lane.array_limit) if job in yard.ready]
        return yard.take_together(tasks, Resources()) if len(tasks) > 1 else []

    async def _submit(self, name: str, requests: list[Request]) -> None:
        backend, lane = self._backends.get(name), self._lanes.get(name)
        if lane is not None:
            lane.submit(requests)
            return
        missing = [Rejected(f"the back end '{name}' is not installed")] * len(requests)
        answers = missing if backend is None else await backend.submit(requests)
        for request, answer in zip(requests, answers, strict=True):
            with self._roster.trouble_of(request.job):
                self._answered(request, answer)

    def _prepare(self, job: int, gpus: tuple[int, ...], own_id: str, task: Task | None) -> Request | None:
        """Write what must be on disk before the attempt is sent; None if a person's wish came in between."""
        tracked, path = self._roster.tracked[job], self.workdir.metadir(job)
        spec, attempt = tracked.spec, tracked.attempt
        if os.path.exists(f"{path}/{metadir.BEGIN}"):
            return None
        place = (task.mark, task.index) if task is not None else ("", 0)
        sent = metadir.encode(Submitting(attempt, spec.tag, time.time(), gpus, *place))
        metadir.write_new(f"{path}/{metadir.SUBMITTING}", sent)
        # A wish written before this moment is seen here; a later one finds a submission and stops the job.
        if os.path.exists(f"{path}/{metadir.INTENT}"):
            facts = metadir.read_facts(path, spec)
            cancelled = facts.intent.cancel is not None and facts.intent.cancel.attempt == attempt
            held = facts.intent.hold or (spec.hold and facts.intent.hold is None)
            if cancelled or held:
                os.unlink(f"{path}/{metadir.SUBMITTING}")
                return None
        environment = self._environment(spec.env_ref)
        script = f"{path}/{metadir.SCRIPT}{spec.backend}"
        shown = dict(spec.env)
        if gpus:
            shown["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, gpus))
        if spec.array is not None:
            shown["JOBTUI_ARRAY_INDEX"] = str(spec.array.index)
            shown["JOBTUI_ARRAY_ID"] = str(spec.array.array)
        text = job_script(spec, job, attempt, self.workdir.path, shown, own_id)
        metadir.write_new(script, text.encode("utf-8", "surrogateescape"))
        tracked.launched = attempt
        return Request(job, attempt, spec.tag, script, path, spec, environment, task)

    def _environment(self, reference: str | None) -> dict[str, str]:
        if reference is None:
            return {name: value for name, value in os.environ.items() if not name.startswith("JOBTUI_")}
        if reference not in self._environments:
            if len(self._environments) >= _ENVIRONMENTS_KEPT:
                self._environments.clear()
            self._environments[reference] = self.workdir.environment(reference)
        return self._environments[reference]

    def _answered(self, request: Request, answer: Answer) -> None:
        """Record a back end's answer to a submission."""
        roster, job, path, name = self._roster, request.job, request.metadir, request.spec.backend
        yard, tracked = roster.yard(name), roster.tracked.get(job)
        if isinstance(answer, Took):
            accepted = Accepted(request.attempt, answer.jid, name, time.time())
            metadir.record_answer(path, accepted)
            if tracked is not None:
                tracked.note = ""
            place = (request.task.mark, request.task.index) if request.task is not None else ("", 0)
            submitting = Submitting(request.attempt, request.tag, accepted.at, yard.use.gpus_of(job), *place)
            facts = Facts(spec=request.spec, attempt=request.attempt, submitting=submitting, accepted=accepted)
            if name in self._lanes:
                self._lanes[name].taken(job, facts)
            else:
                roster.apply(job, facts, judge(facts, Observation("running" if answer.running else "pending")))
        elif isinstance(answer, Rejected):
            yard.use.discard(job)
            if answer.retryable:
                if tracked is not None:
                    tracked.note = answer.text
                    tracked.not_before = 0.0 if name in self._lanes else time.monotonic() + _TROUBLE_PAUSE
                os.unlink(f"{path}/{metadir.SUBMITTING}")
            else:
                end = EngineEnd(request.attempt, State.FAILED, Reason.LAUNCH, answer.text, time.time())
                metadir.write_fact(path, metadir.END, end)
            roster.dirty[job] = None
        else:
            if tracked is not None:
                tracked.launched = 0
            roster.look_again(job, 0.0 if name in self._lanes else _TROUBLE_PAUSE)
