"""The blocking face of the core, for scripts and the command line: the same questions and orders, no event loop."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import orders
from .catalog import Catalog, Detail
from .errands import ForeignName, ForeignOrder, errands_of, make_errand, outcomes_of, run_errand, spec_again
from .filters import Selection, parse_filter, parse_selection
from .job import JobRow, JobSpec, Outcome
from .lease import Lease
from .links import Link, read_links
from .progress import ProgressReader, with_progress
from .seen import Seen, read_seen, seen_signs
from .settings import Settings, read_settings, write_settings
from .supervisor import ensure_engine, start_engine, stop_engine
from .wants import Looking, Want
from .workdir import ErrandFor, Hint, WorkDir

# Seconds between two looks whether a scheduler was asked.
_LOOK = 0.05


class BlockingJobManager:
    """What ``JobManager`` does, blocking. Importing and using it loads no event loop, except for ``wait``."""

    def __init__(self, workdir: WorkDir | str | os.PathLike[str]) -> None:
        """Use the work directory at a path; it is made when the first job is submitted."""
        self.workdir = workdir if isinstance(workdir, WorkDir) else WorkDir(workdir)
        self.catalog = Catalog(self.workdir)

    def jobs(self, text: str = "", *, ended: int | None = None) -> list[JobRow]:
        """The jobs that pass a filter, by id: all, or all active ones and the ``ended`` newest of the others."""
        test = parse_filter(text)
        rows = self.catalog.all() if ended is None else self.catalog.recent(ended)
        return [row for row in rows if test(row)]

    def glance(self, count: int) -> list[JobRow]:
        """The ``count`` newest jobs, the newest first, in a few milliseconds however many jobs there are."""
        return self.catalog.glance(count)

    def select(self, *words: str) -> list[JobRow]:
        """The jobs that ids, ranges and filter terms mean; raises FilterError."""
        return self.pick(parse_selection(words))

    def pick(self, selection: Selection) -> list[JobRow]:
        """The jobs that a selection means, by id."""
        return self.catalog.pick(selection)

    def detail(self, job: int) -> Detail | None:
        """One job in full, or None if there is no such job."""
        return self.catalog.detail(job)

    def with_progress(self, rows: Sequence[JobRow]) -> list[JobRow]:
        """These rows, those of running jobs with the progress that they show now."""
        return with_progress(rows, ProgressReader(self.workdir))

    def schedulers(self) -> list[Seen]:
        """What each scheduler of this work directory said last, when, and which other jobs of yours it has."""
        return read_seen(self.workdir)

    def ask_schedulers(self, backends: Sequence[str], timeout: float) -> bool:
        """Have these schedulers asked for all of the person's jobs, for ``schedulers`` to tell; whether all were.

        The engine does it, and is started for it unless that is switched off. Raises WorkDirError, SettingsError,
        EngineFailedError and OSError.
        """
        looking, before = Looking(self.workdir), seen_signs(self.workdir, backends)
        deadline = time.monotonic() + timeout
        try:
            looking.at(Want(schedulers=tuple(backends), env=dict(os.environ)))
            if not ensure_engine(self.workdir):
                return False
            while time.monotonic() < deadline:
                now = seen_signs(self.workdir, backends)
                if all(now[name] != before[name] for name in backends):
                    return True
                time.sleep(_LOOK)
            return False
        finally:
            looking.close()

    def links(self) -> list[Link]:
        """Whether the machines answer on which jobs of this work directory run: as of the last time they were asked."""
        return read_links(self.workdir)

    def engine(self) -> Lease | None:
        """Who drives the work directory now, if anybody."""
        return self.catalog.engine()

    def wait(self, jobs: Iterable[int], timeout: float | None = None) -> list[JobRow]:
        """Wait until these jobs have ended; raises TimeoutError after ``timeout`` seconds. Works in a notebook too."""
        from anyio.from_thread import start_blocking_portal

        with start_blocking_portal() as portal:
            return portal.call(self._wait, list(jobs), timeout)

    async def _wait(self, jobs: list[int], seconds: float | None) -> list[JobRow]:
        import anyio

        from .manager import JobManager

        with anyio.fail_after(seconds):
            return await JobManager(self.workdir).wait(jobs)

    def settings(self) -> Settings:
        """The settings in force for the work directory's engine; raises SettingsError."""
        return read_settings(self.workdir)

    def configure(self, values: Mapping[str, Any]) -> Settings:
        """Set some of the engine's settings (None: back to the default); a running engine obeys at once."""
        self.workdir.create()
        settings = write_settings(self.workdir, dict(values))
        self.workdir.tell(Hint(settings=True))
        return settings

    def start_engine(self) -> Lease:
        """Start a headless engine unless one drives; see ``supervisor.start_engine``."""
        return start_engine(self.workdir)

    def stop_engine(self) -> bool:
        """Stop the engine; running jobs go on. False where none ran."""
        return stop_engine(self.workdir)

    def submit(self, *specs: JobSpec, environment: Mapping[str, str] | None = None) -> list[int]:
        """Make jobs and see that they are driven; see ``orders.submit``."""
        return orders.submit(self.workdir, specs, environment)

    def cancel(self, jobs: Sequence[int], *, force: bool = False) -> list[Outcome]:
        """Stop jobs; see ``orders.cancel``."""
        return orders.cancel(self.workdir, jobs, force=force)

    def retry(self, jobs: Sequence[int]) -> list[Outcome]:
        """Run ended jobs again as a new attempt; see ``orders.retry``."""
        return orders.retry(self.workdir, jobs)

    def requeue(self, jobs: Iterable[int]) -> list[Outcome]:
        """Stop jobs in flight and run each again as its next attempt; see ``orders.requeue``."""
        return orders.requeue(self.workdir, jobs)

    def resubmit(self, job: int, **changes: Any) -> int:
        """Make a new job of an old one's spec; see ``orders.resubmit``."""
        return orders.resubmit(self.workdir, job, changes)

    def hold(self, jobs: Sequence[int]) -> list[Outcome]:
        """Keep waiting jobs from starting."""
        return orders.hold(self.workdir, jobs)

    def release(self, jobs: Sequence[int]) -> list[Outcome]:
        """Let held jobs start."""
        return orders.release(self.workdir, jobs)

    def signal(self, jobs: Sequence[int], name: str) -> list[Outcome]:
        """Send a signal (``USR1``) to running jobs; raises ValueError for one that there is not."""
        return orders.signal(self.workdir, jobs, name)

    def suspend(self, jobs: Sequence[int]) -> list[Outcome]:
        """Stop running jobs where they are; see ``orders.suspend``."""
        return orders.suspend(self.workdir, jobs)

    def resume(self, jobs: Sequence[int]) -> list[Outcome]:
        """Let suspended jobs go on."""
        return orders.resume(self.workdir, jobs)

    def order_foreign(self, order: ForeignOrder, jobs: Sequence[ForeignName]) -> dict[tuple[str, str], Outcome]:
        """Order something of jobs that only their schedulers have; see ``JobManager.order_foreign``."""
        outcomes: dict[tuple[str, str], Outcome] = {}
        for errand in errands_of(order, jobs):
            outcomes |= outcomes_of(errand, run_errand(self.workdir, errand))
        return outcomes

    def foreign_spec(self, backend: str, job: ErrandFor) -> JobSpec:
        """A spec that does again what a foreign job does; see ``JobManager.foreign_spec``."""
        errand = make_errand(backend, "script", [job])
        return spec_again(errand, run_errand(self.workdir, errand))

    def set_priority(self, jobs: Sequence[int], value: int) -> list[Outcome]:
        """Give waiting jobs another priority; those with a higher one start first."""
        return orders.set_priority(self.workdir, jobs, value)

    def capabilities(self, backend: str) -> frozenset[str]:
        """What a back end can do beside starting and stopping jobs: "suspend", "resume", "signal". Starts nothing."""
        return frozenset[str](orders.capabilities(backend))

    def remove(self, jobs: Sequence[int]) -> list[Outcome]:
        """Delete ended jobs with their output for good."""
        return orders.remove(self.workdir, jobs)
