"""The engine: drives one work directory. It starts what is due, observes what runs, and publishes its verdicts."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections import defaultdict

import anyio
import anyio.lowlevel

from .atonce import AtOnce
from .backend import Answer, Dependency, Request, Waits
from .errandrunner import ErrandRunner
from .fetcher import Fetcher
from .fleet import Fleet
from .groups import single_errors
from .job import IN_FLIGHT, JobSpec
from .lease import RENEWAL, HeldLease, take
from .publisher import Publisher
from .roster import Roster
from .settings import Settings, SettingsError, read_settings
from .starting import Starter
from .verdict import Facts, judge
from .wants import Wants
from .workdir import WAKE, WorkDir

_log = logging.getLogger("jobtui.engine")

# How many jobs are looked at before the engine sees to everything else again.
_CHUNK = 200
# Seconds in which many changes become one write.
_FLUSH = 0.01
_RECONCILE = 60.0
_INBOX_POLL = 2.0
_TROUBLE_PAUSE = 5.0
# Seconds that submissions under way have to be answered when the engine ends; the next one would look for them.
_PARTING = 3.0


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
        self._wants = Wants(self.workdir)
        self._publisher = Publisher(self.workdir)
        roster = self._roster = Roster(self.workdir, self._publisher, settings, self._can_wait)
        self._at_once = AtOnce(self.workdir, roster)
        try:
            async with anyio.create_task_group() as tasks, contextlib.AsyncExitStack() as stack:
                self._fleet = Fleet(self.workdir, roster, tasks, stack, self.hint, self.ring, self._answered)
                self._starter = Starter(self.workdir, roster, self._fleet, self.ring)
                self._fetcher = Fetcher(self.workdir, tasks, self._fleet.for_job, roster.is_over)
                self._errands = ErrandRunner(self.workdir, tasks, self._fleet, roster, self.hint)
                self._fleet.when_back.append(self._fetcher.stir)
                tasks.start_soon(self._listen)
                roster.load()
                await self._loop(held, stop_when_idle)
                for lane in self._fleet.lanes.values():
                    await lane.finish(_PARTING)
                tasks.cancel_scope.cancel()
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
            await self._starter.start_due()
            if self._publisher.pending and not roster.dirty and time.monotonic() >= flush_at:
                flush_at = time.monotonic() + (_FLUSH if self._flush() else _TROUBLE_PAUSE)
            if not roster.is_idle() or self._wants.all or self._errands.busy:
                idle_since = now
            elif stop_when_idle and now - idle_since >= roster.settings.linger:
                return
            wake_at = [renew_at, reconcile_at, now + _INBOX_POLL, now + roster.next_timer()]
            if self._publisher.pending:
                wake_at.append(flush_at)
            if any(yard.ready for yard in roster.yards.values()):
                wake_at.append(self._starter.not_before or now + _RECONCILE)
                wake_at += [lane.opens_at for lane in self._fleet.lanes.values()]
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

    def _can_wait(self, spec: JobSpec, dependency: Dependency) -> bool:
        backend = self._fleet.get(spec.backend)
        return isinstance(backend, Waits) and backend.can_wait(spec, dependency)

    def _answered(self, request: Request, answer: Answer) -> None:
        self._starter.answered(request, answer)

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
                self._errands.take(hint.errand)

    async def _take_wants(self, now: float) -> None:
        """See to what somebody looks at: schedulers are asked also where no job needs it, and logs are fetched."""
        if self._wants.look(now):
            self._fetcher.want(self._wants.logs)
            await self._fleet.watch(self._wants.schedulers, self._wants.queues)

    # -- observing

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
        backend = await self._fleet.for_job(name, first.env_ref if first is not None else None)
        lane = self._fleet.lanes.get(name)
        if backend is not None and lane is None:
            await self._at_once.observe(backend, items)
            return
        for job, facts in items:
            with self._roster.trouble_of(job):
                if lane is None:
                    self._roster.apply(job, facts, judge(facts))
                else:
                    lane.observe(job, facts)

    async def _sweep(self) -> None:
        """Stop what jobs that ran into their time limit left behind."""
        facts_of, self._roster.left_behind = self._roster.left_behind, []
        for facts in facts_of:
            assert facts.spec is not None and facts.begin is not None
            backend = await self._fleet.for_job(facts.spec.backend)
            if backend is not None:
                await self._at_once.stop_leftovers(backend, facts)
