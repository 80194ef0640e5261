"""JobManager: everything that a client can ask or order of a work directory, without blocking the event loop."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import anyio
import anyio.to_thread

from . import metadir, orders
from .backend import Shown
from .catalog import Catalog, Detail
from .choosing import chosen, prospects
from .dossier import Dossier, dossier
from .errands import (
    LOOK,
    Answer,
    ForeignName,
    ForeignOrder,
    Going,
    errands_of,
    make_errand,
    named,
    outcomes_of,
    spec_again,
)
from .farlog import FarLog
from .filters import parse_filter, parse_selection
from .follower import Follower
from .groups import single_errors
from .identity import file_system
from .job import ENDED, LOCAL, JobRow, JobSpec, Outcome, State, is_far
from .journal import Change
from .lease import Lease
from .links import Link, read_links
from .logcopy import Far, read_far
from .logfile import Added, LogFile
from .progress import ProgressReader
from .seen import QueuesReader, Seen, SeenQueues, read_seen, seen_signs
from .settings import SettingsError
from .supervisor import EngineFailedError, ensure_engine
from .wants import Looking, Want
from .watch import changes_in
from .workdir import JOURNAL, Errand, ErrandFor, WorkDir, WorkDirError

_T = TypeVar("_T")
Stream = Literal["stdout", "stderr"]

# Seconds between two looks when no event comes.
_HEARTBEAT = 0.5


class Feed:
    """The jobs of a work directory from one moment on: first those that there are, then their changes.

    ``rows``: the jobs that ``follow`` read; a feed of ``stream`` has none here, but gives them by ``load``. Rows of
    jobs in flight have no ``elapsed``: whoever shows one counts from ``started`` on.
    """

    def __init__(self, workdir: WorkDir, follower: Follower, rows: list[JobRow]) -> None:
        """Use ``JobManager.stream`` or ``JobManager.follow``."""
        self._workdir, self._follower = workdir, follower
        self.rows = rows

    async def load(self) -> AsyncGenerator[list[JobRow]]:
        """Yield every job, in lists of up to a few thousand, each made in a moment in a thread.

        The newest come first, then all that have not ended, then the rest from the newest on. A row replaces an
        earlier one of the same job. Raises FileNotFoundError when the work directory is gone.
        """
        portions = self._follower.load()
        while (rows := await anyio.to_thread.run_sync(next, portions, None)) is not None:
            if rows:
                yield rows

    async def __aiter__(self) -> AsyncGenerator[list[Change]]:
        """Yield the changes as they happen, oldest first, never an empty list.

        Raises FileNotFoundError when the work directory is gone.
        """
        async for _ in changes_in([self._workdir.path, self._workdir.file(JOURNAL)], _HEARTBEAT):
            more = True
            while more:
                changes = await anyio.to_thread.run_sync(self._follower.poll)
                if changes:
                    yield changes
                more = self._follower.behind


class JobManager:
    """The jobs of one work directory, for scripts, the command line, services and the screen alike.

    Any number of managers, in any number of processes and on any machine that sees the directory, work side by
    side; an engine, started when there is work, drives the jobs.
    """

    def __init__(self, workdir: WorkDir | str | os.PathLike[str]) -> None:
        """Use the work directory at a path; it is made when the first job is submitted."""
        self.workdir = workdir if isinstance(workdir, WorkDir) else WorkDir(workdir)
        self.catalog = Catalog(self.workdir)
        self._progress = ProgressReader(self.workdir)
        self._queues = QueuesReader(self.workdir)
        self._looking: dict[str, Looking] = {}
        self._shown: dict[tuple[str, str, float], Shown] = {}

    async def _call(self, function: Callable[..., _T], *values: object) -> _T:
        return await anyio.to_thread.run_sync(lambda: function(*values))

    # -- questions

    async def jobs(self, text: str = "", *, ended: int | None = None) -> list[JobRow]:
        """The jobs that pass a filter, by id: all, or all active ones and the ``ended`` newest of the others.

        Raises FilterError, and FileNotFoundError where there is no work directory.
        """
        test = parse_filter(text)
        rows = await (self._call(self.catalog.all) if ended is None else self._call(self.catalog.recent, ended))
        return [row for row in rows if test(row)]

    async def select(self, *words: str) -> list[JobRow]:
        """The jobs that ids, ranges and filter terms mean; raises FilterError."""
        return await self._call(self.catalog.pick, parse_selection(words))

    async def detail(self, job: int) -> Detail | None:
        """One job in full, or None if there is no such job."""
        return await self._call(self.catalog.detail, job)

    async def dossier(self, job: int) -> Dossier | None:
        """One job with its attempts, files, conditions and script, or None if there is no such job; raises OSError."""
        return await self._call(dossier, self.catalog, job)

    async def progress(self, jobs: Iterable[int]) -> dict[int, float]:
        """How far running jobs are, 0 to 1, as far as they show it: in ``job.progress``, or at the end of their output.

        Meant for the jobs in view: asking again costs little where nothing was written.
        """
        return await self._call(self._progress.of, list(jobs))

    async def schedulers(self) -> list[Seen]:
        """What each scheduler of this work directory said last, when, and which other jobs of yours it has."""
        return await self._call(read_seen, self.workdir)

    async def scheduler_signs(self, backends: Sequence[str]) -> dict[str, int]:
        """A number for each of these schedulers that changes whenever it said something; asks nobody."""
        return await self._call(seen_signs, self.workdir, backends)

    async def queues(self) -> list[SeenQueues]:
        """What each scheduler told last of its queues and nodes, and when: it is asked while somebody looks at them."""
        return await self._call(self._queues.read)

    async def nearby(self, env: Mapping[str, str]) -> list[str]:
        """The schedulers that this work directory has or had jobs at; where there are none, the one that answers here.

        That one is looked for in the environment ``env``, which may take seconds.
        """
        known: set[str] = set()
        with contextlib.suppress(FileNotFoundError):
            known = {row.backend for row in await self.jobs(ended=0)}
            known |= {one.backend for one in await self.schedulers() if one.at}
        if not known - {LOCAL}:
            known.add(chosen(await prospects(env)))
        return sorted(known - {LOCAL})

    async def links(self) -> list[Link]:
        """Whether the machines answer on which jobs of this work directory run: as of the last time they were asked."""
        return await self._call(read_links, self.workdir)

    async def look_at(self, part: str, want: Want) -> None:
        """Tell the engine what this client looks at from now on; ``Want()`` for nothing any more.

        ``part``: for which part of the client; each has a want of its own, to be said again within RENEWAL seconds, and
        given up by ``look_away``. Starts no engine. Raises WorkDirError or OSError where the work directory cannot be
        written.
        """
        looking = self._looking.setdefault(part, Looking(self.workdir))
        await self._call(looking.at, want)
        if want == Want():
            self._looking.pop(part, None)

    def look_away(self) -> None:
        """Look at nothing any more: to be called before the client ends."""
        for looking in self._looking.values():
            looking.close()

    async def engine(self) -> Lease | None:
        """Who drives the work directory now, if anybody."""
        return await self._call(self.catalog.engine)

    async def glance(self, count: int) -> list[JobRow]:
        """The ``count`` newest jobs, the newest first, in a few milliseconds however many jobs there are.

        Raises FileNotFoundError where there is no work directory.
        """
        return await self._call(self.catalog.glance, count)

    async def stream(self, shown: Iterable[int] = ()) -> Feed:
        """All jobs in small portions, by the feed's ``load``, and then their changes; none is lost in between.

        ``shown``: jobs that the caller has from a glance; it is told of those that are gone since.
        """
        return Feed(self.workdir, await self._call(Follower, self.catalog, shown), [])

    async def follow(self, *, ended: int | None = None) -> Feed:
        """The jobs now, all at once, and their changes from now on; ``ended`` as in ``jobs``."""
        follower = await self._call(Follower, self.catalog)
        return Feed(self.workdir, follower, await self._call(follower.read, ended))

    async def wait(self, jobs: Iterable[int]) -> list[JobRow]:
        """Wait until these jobs have ended, and return their rows; jobs removed meanwhile are left out.

        An engine that dies meanwhile is started again (unless that is switched off). Bound it with anyio's time
        limits.
        """
        wanted = set(jobs)
        feed = await self.follow(ended=0)
        now = await self._call(self.catalog.some, wanted)
        done = {row.id: row for row in now if row.state in ENDED}
        open_ = {row.id for row in now} - done.keys()
        if open_:
            with single_errors():
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._keep_engine)
                    await self._collect(feed, open_, done)
                    tasks.cancel_scope.cancel()
        return [done[job] for job in sorted(done)]

    async def _keep_engine(self) -> None:
        while True:
            await self.ensure_engine()
            await anyio.sleep(_HEARTBEAT)

    async def _collect(self, feed: Feed, open_: set[int], done: dict[int, JobRow]) -> None:
        """Move the open jobs to ``done`` as they end; those removed are just dropped."""
        async with _closing(aiter(feed)) as batches:
            async for changes in batches:
                for change in changes:
                    if change.removed is not None:
                        open_.discard(change.removed)
                    elif change.row is not None and change.row.id in open_ and change.row.state in ENDED:
                        open_.discard(change.row.id)
                        done[change.row.id] = change.row
                if not open_:
                    return

    def log_path(self, job: int, stream: Stream, attempt: int | None = None) -> str:
        """Where a job's stdout or stderr is; ``attempt``: of an earlier attempt."""
        folder = self.workdir.metadir(job)
        if attempt is not None:
            folder += f"/{metadir.RETRY}/{attempt}"
        return f"{folder}/{metadir.STDOUT if stream == 'stdout' else metadir.STDERR}"

    def log(self, row: JobRow, stream: Stream, attempt: int | None = None) -> LogFile:
        """The log of a job, wherever its file is; ``attempt``: of an earlier attempt.

        Of one on another machine the part that is here; more is fetched while it is looked at (``look_at``).
        """
        path = self.log_path(row.id, stream, attempt)
        return FarLog(path) if is_far(row.backend) else LogFile(path)

    async def far(self, path: str) -> Far | None:
        """What is known of the far file that the log at ``path`` is a copy of; None where it is none."""
        return await self._call(read_far, path)

    async def follow_log(self, log: LogFile, job: int) -> AsyncIterator[Added]:
        """Yield what is added to a log of a job, until the job has ended and all of it was given."""
        over = await self._is_over(job, log)
        while True:
            added = await self._call(log.read)
            if added.data or added.restarted:
                yield added
            elif over:
                return
            else:
                break
        late = (await self._call(file_system, self.workdir.path)).late
        since = float("inf")
        async with _closing(changes_in([self.workdir.metadir(job), log.path], _HEARTBEAT)) as looks:
            async for _ in looks:
                # First the question, then the reading: what was written before the end is not missed.
                if await self._is_over(job, log):
                    since = min(since, time.monotonic())
                while (added := await self._call(log.read)).data or added.restarted:
                    yield added
                # Of another machine's writing the end may be seen before the last lines.
                if time.monotonic() - since >= late:
                    return

    async def _is_over(self, job: int, log: LogFile) -> bool:
        """Whether the job has ended, and nothing more of its log can come here."""
        rows = await self._call(self.catalog.some, [job])
        if rows and rows[0].state not in ENDED:
            return False
        far = await self.far(log.path) if isinstance(log, FarLog) and rows else None
        return not isinstance(log, FarLog) or not rows or (far is not None and (far.over or bool(far.trouble)))

    # -- orders

    async def submit(self, *specs: JobSpec, environment: Mapping[str, str] | None = None) -> list[int]:
        """Make jobs and see that they are driven; see ``orders.submit``."""
        return await self._call(orders.submit, self.workdir, specs, environment)

    async def cancel(self, jobs: Sequence[int], *, force: bool = False) -> list[Outcome]:
        """Stop jobs; see ``orders.cancel``."""
        return await self._call(lambda: orders.cancel(self.workdir, jobs, force=force))

    async def retry(self, jobs: Sequence[int]) -> list[Outcome]:
        """Run ended jobs again as a new attempt; see ``orders.retry``."""
        return await self._call(orders.retry, self.workdir, jobs)

    async def requeue(self, jobs: Sequence[int]) -> list[Outcome]:
        """Stop jobs in flight and run each again as its next attempt; see ``orders.requeue``."""
        return await self._call(orders.requeue, self.workdir, jobs)

    async def resubmit(self, job: int, **changes: Any) -> int:
        """Make a new job of an old one's spec; see ``orders.resubmit``."""
        return await self._call(orders.resubmit, self.workdir, job, changes)

    async def as_ours(self, job: int, spec: JobSpec) -> JobSpec:
        """The spec of a job as one that can be submitted again; see ``orders.as_ours``."""
        return await self._call(orders.as_ours, self.workdir, job, spec)

    async def hold(self, jobs: Sequence[int]) -> list[Outcome]:
        """Keep waiting jobs from starting."""
        return await self._call(orders.hold, self.workdir, jobs)

    async def release(self, jobs: Sequence[int]) -> list[Outcome]:
        """Let held jobs start."""
        return await self._call(orders.release, self.workdir, jobs)

    async def signal(self, jobs: Sequence[int], name: str) -> list[Outcome]:
        """Send a signal (``USR1``) to running jobs; raises ValueError for one that there is not."""
        return await self._call(orders.signal, self.workdir, jobs, name)

    async def suspend(self, jobs: Sequence[int]) -> list[Outcome]:
        """Stop running jobs where they are; see ``orders.suspend``."""
        return await self._call(orders.suspend, self.workdir, jobs)

    async def resume(self, jobs: Sequence[int]) -> list[Outcome]:
        """Let suspended jobs go on."""
        return await self._call(orders.resume, self.workdir, jobs)

    async def set_priority(self, jobs: Sequence[int], value: int) -> list[Outcome]:
        """Give waiting jobs another priority; those with a higher one start first."""
        return await self._call(orders.set_priority, self.workdir, jobs, value)

    async def order_foreign(self, order: ForeignOrder, jobs: Sequence[ForeignName]) -> dict[tuple[str, str], Outcome]:
        """Order something of jobs that only their schedulers have; says by back end and id what became of it.

        The engine does it, and is started for it. Raises WorkDirError, SettingsError and EngineFailedError.
        """
        outcomes: dict[tuple[str, str], Outcome] = {}
        for errand in errands_of(order, jobs):
            outcomes |= outcomes_of(errand, await self.run_errand(errand))
        return outcomes

    async def foreign_spec(self, backend: str, job: ErrandFor) -> JobSpec:
        """A spec that does again what a foreign job does, by the script that its scheduler gives back.

        Raises SpecError where there is none or it cannot be run so, and as ``order_foreign``.
        """
        errand = make_errand(backend, "script", [job])
        return spec_again(errand, await self.run_errand(errand))

    async def show_foreign(self, row: JobRow) -> Shown | str:
        """What the scheduler of a foreign job tells of it when asked for it alone, or why nothing is told.

        It is asked once.
        """
        name = row.backend, row.jid or "", row.submitted or 0.0
        if name not in self._shown:
            try:
                answer = await self.run_errand(make_errand(row.backend, "show", [named(row)]))
            except (WorkDirError, SettingsError, EngineFailedError, OSError) as error:
                return str(error)
            told = answer.shown.get(row.jid or "")
            if told is None:
                return answer.refused.get(row.jid or "", "nothing is told of it")
            self._shown[name] = told
        return self._shown[name]

    async def run_errand(self, errand: Errand) -> Answer:
        """Have the engine do something with foreign jobs, and wait for its answer; raises as ``order_foreign``."""
        going = Going(self.workdir, errand)
        try:
            await self._call(going.begin)
            while (answer := await self._call(going.answer)) is None:
                await anyio.sleep(LOOK)
            return answer
        finally:
            going.end()

    def capabilities(self, backend: str) -> frozenset[str]:
        """What a back end can do beside starting and stopping jobs: "suspend", "resume", "signal". Starts nothing."""
        return frozenset[str](orders.capabilities(backend))

    async def remove(self, jobs: Sequence[int]) -> list[Outcome]:
        """Delete ended jobs with their output for good."""
        return await self._call(orders.remove, self.workdir, jobs)

    async def ensure_engine(self) -> bool:
        """Start a headless engine unless one drives already; False where that is switched off."""
        return await self._call(ensure_engine, self.workdir)


def all_well(rows: Iterable[JobRow]) -> bool:
    """Whether all of these jobs finished."""
    return all(row.state is State.FINISHED for row in rows)


class _closing:
    """Close an async iterator at the end of a block, also where the block is left early."""

    def __init__(self, iterator: AsyncIterator[_T]) -> None:
        self._iterator = iterator

    async def __aenter__(self) -> AsyncIterator[Any]:
        return self._iterator

    async def __aexit__(self, *exc: object) -> None:
        close = getattr(self._iterator, "aclose", None)
        if close is not None:
            with anyio.CancelScope(shield=True):
                await close()
