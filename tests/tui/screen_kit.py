"""The screen under a pilot: work directories that the test itself writes, keys, and what is painted."""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import msgspec
from textual import events
from textual.pilot import Pilot

from jobtui.core import JobManager, JobRow, JobSpec, State, WorkDir
from jobtui.core.backend import Shown
from jobtui.core.errands import ForeignName, ForeignOrder
from jobtui.core.index import Indexed, IndexWriter
from jobtui.core.job import ENDED, IN_FLIGHT, Accepted, Begin, End, Outcome, Process, SpecError, Submitting
from jobtui.core.journal import JournalWriter
from jobtui.core.lease import Lease
from jobtui.core.metadir import record_answer, write_fact
from jobtui.core.settings import Settings
from jobtui.core.workdir import INDEX, JOURNAL, LEASE, SETTINGS, ErrandFor, new_tag
from jobtui.tui.ref import Ref
from jobtui.tui.screen import desk, others
from jobtui.tui.screen.desk import JobScreen
from jobtui.tui.screen.jobapp import JobApp
from jobtui.tui.screen.keymap import Keymap

Body = Callable[[JobScreen, Pilot[None]], Awaitable[None]]
_Test = TypeVar("_Test", bound=Callable[..., None])
_WHO = Process(4711, 1)


class Site:
    """A work directory as an engine leaves it; the test is the engine. Without ``lease`` nobody drives it."""

    def __init__(self, path: Path, *, lease: bool = True, autostart: bool = False) -> None:
        self.workdir = WorkDir(path)
        self.workdir.create()
        self.rows: dict[int, JobRow] = {}
        write_fact(self.workdir.path, SETTINGS, Settings(autostart=autostart))
        if lease:
            self.drive()
        self._journal = JournalWriter(self.workdir.file(JOURNAL))
        self._highest = 0

    def drive(self) -> None:
        """Say that an engine of another machine drives these jobs: it is believed for a while."""
        write_fact(self.workdir.path, LEASE, Lease("login2", "boot", _WHO, time.time() - 3600, "token"))
        self._stamp(self.workdir.path, LEASE, time.time())

    def add(self, name: str = "job", state: State = State.QUEUED, *, spec: JobSpec | None = None, **row: Any) -> int:
        """Make a job with the files that one in this state has; ``row``: what its row says beside that."""
        self._highest += 1
        job, now = self._highest, time.time()
        spec = spec or JobSpec(command=("echo", name), name=name, cwd=self.workdir.path, hold=state is State.HELD)
        spec = msgspec.structs.replace(spec, tag=new_tag(), created=row.get("created", now - 600))
        folder = self.workdir.metadir(job)
        os.mkdir(folder, 0o700)
        write_fact(folder, "job.json", spec)
        self._stamp(folder, "job.json", spec.created)
        started = row.get("started", now - 300 if state in IN_FLIGHT | ENDED else None)
        ended = row.get("ended", now - 60 if state in ENDED else None)
        self._facts(folder, spec, state, started, ended, row.get("exit_code"), row.get("attempt", 1))
        known = {
            "name": spec.title(),
            "workdir": self.workdir.path,
            "command": spec.command_line(),
            "cwd": spec.cwd,
            "created": spec.created,
            "started": started,
            "ended": ended,
            "elapsed": ended - started if started is not None and ended is not None else None,
            "tags": spec.tags,
            "priority": spec.priority,
            "array": spec.array and spec.array.array,
            "array_index": spec.array and spec.array.index,
        }
        self.rows[job] = JobRow(id=job, state=state, **{**known, **row})
        return job

    def _facts(
        self,
        folder: str,
        spec: JobSpec,
        state: State,
        started: float | None,
        ended: float | None,
        code: int | None,
        attempt: int,
    ) -> None:
        if started is None:
            return
        write_fact(folder, "job.submitting", Submitting(attempt, spec.tag, started))
        record_answer(folder, Accepted(attempt, "4712", "local", started))
        self._stamp(folder, "job.jid", started)
        write_fact(folder, "job.begin", Begin(attempt, spec.tag, "node7", "boot", _WHO, _WHO, 100.0))
        self._stamp(folder, "job.begin", started)
        if ended is not None:
            failed = 1 if state is State.FAILED else 0
            write_fact(
                folder, "job.rc", End(attempt, spec.tag, failed if code is None else code, 100 + ended - started)
            )
            self._stamp(folder, "job.rc", ended)

    def _stamp(self, folder: str, name: str, when: float) -> None:
        """Let a file be as old as the clock of the test says, whether that goes or stands."""
        os.utime(f"{folder}/{name}", (when, when))

    def log(self, job: int, text: str | bytes, stream: str = "stdout") -> None:
        """Let a job write something."""
        with open(f"{self.workdir.metadir(job)}/job.{stream}", "ab") as file:
            file.write(text.encode() if isinstance(text, str) else text)
        self._stamp(self.workdir.metadir(job), f"job.{stream}", time.time())

    def save(self) -> Site:
        """Write all rows into the index, as of now."""
        index = IndexWriter(self.workdir.file(INDEX))
        index.write([Indexed(row, self.workdir.mtime_ns(row.id)) for row in self.rows.values()], [])
        index.close()
        return self

    def say(self, job: int, **changes: Any) -> JobRow:
        """Let a job's row change, and tell the journal."""
        row = self.rows[job] = msgspec.structs.replace(self.rows[job], **changes)
        self._journal.append([row], [])
        return row

    def append(self, rows: list[JobRow], removed: Sequence[int] = ()) -> None:
        """Let many rows change at once."""
        self.rows.update((row.id, row) for row in rows)
        for job in removed:
            del self.rows[job]
            shutil.rmtree(self.workdir.metadir(job), ignore_errors=True)
        self._journal.append(rows, list(removed))

    def begin(self, name: str = "late", state: State = State.QUEUED, **row: Any) -> int:
        """Let a new job come while the screen is open."""
        job = self.add(name, state, **row)
        self._journal.append([self.rows[job]], [])
        return job


class Recorder(JobManager):
    """Notes the orders that reach it, and does none of them."""

    def __init__(self, workdir: WorkDir) -> None:
        super().__init__(workdir)
        self.orders: list[tuple[str, tuple[int, ...]]] = []
        self.told: dict[str, Shown] = {}
        self.specs: dict[str, JobSpec] = {}
        self.foreign_orders: list[tuple[ForeignOrder, tuple[ForeignName, ...]]] = []

    def _note(self, order: str, jobs: Sequence[int]) -> list[Outcome]:
        self.orders.append((order, tuple(jobs)))
        return [Outcome(job, True, f"{order} noted") for job in jobs]

    async def cancel(self, jobs: Sequence[int], *, force: bool = False) -> list[Outcome]:
        return self._note("cancel", jobs)

    async def retry(self, jobs: Sequence[int]) -> list[Outcome]:
        return self._note("retry", jobs)

    async def requeue(self, jobs: Sequence[int]) -> list[Outcome]:
        return self._note("requeue", jobs)

    async def resubmit(self, job: int, **changes: Any) -> int:
        self._note("resubmit", [job])
        return 1000 + job

    async def hold(self, jobs: Sequence[int]) -> list[Outcome]:
        return self._note("hold", jobs)

    async def release(self, jobs: Sequence[int]) -> list[Outcome]:
        return self._note("release", jobs)

    async def signal(self, jobs: Sequence[int], name: str) -> list[Outcome]:
        return self._note(f"signal {name}", jobs)

    async def suspend(self, jobs: Sequence[int]) -> list[Outcome]:
        return self._note("suspend", jobs)

    async def resume(self, jobs: Sequence[int]) -> list[Outcome]:
        return self._note("resume", jobs)

    async def set_priority(self, jobs: Sequence[int], value: int) -> list[Outcome]:
        return self._note(f"priority {value}", jobs)

    async def foreign_spec(self, backend: str, job: ErrandFor) -> JobSpec:
        if f"{backend}:{job.jid}" not in self.specs:
            raise SpecError("its scheduler has forgotten its script")
        return self.specs[f"{backend}:{job.jid}"]

    async def show_foreign(self, row: JobRow) -> Shown | str:
        return self.told.get(row.label, "its scheduler has forgotten it")

    async def order_foreign(self, order: ForeignOrder, jobs: Sequence[ForeignName]) -> dict[tuple[str, str], Outcome]:
        self.foreign_orders.append((order, tuple(jobs)))
        return {(backend, job.jid): Outcome(0, True, f"{order.verb} noted") for backend, job in jobs}

    async def remove(self, jobs: Sequence[int]) -> list[Outcome]:
        return self._note("remove", jobs)


def on_screen(
    where: Site | JobManager | Sequence[Site | JobManager],
    body: Body,
    size: tuple[int, int] = (100, 30),
    *,
    config: str = "",
    schedulers: Sequence[str] = (),
    **environment: str,
) -> JobApp:
    """Open the screen on these work directories, run ``body`` with it, and close it as the command line does.

    It has a home of its own beside the first work directory, with ``config`` as its config.toml.
    ``schedulers``: those whose commands are on the PATH, as far as the screen knows.
    """
    places = [where] if isinstance(where, Site | JobManager) else list(where)
    home = Path(places[0].workdir.path).parent / "home"
    if config:
        (home / "config" / "jobtui").mkdir(parents=True, exist_ok=True)
        (home / "config" / "jobtui" / "config.toml").write_text(config)
    mine = {
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_RUNTIME_DIR": "",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "NO_COLOR": "",
        "TMUX": "",
        "STY": "",
        **environment,
    }
    # What goes by time in the screen must not do so under a test on a slow machine: messages, double clicks.
    with (
        mock.patch.dict(os.environ, mine),
        mock.patch.object(others, "within_reach", lambda _env: list(schedulers)),
        mock.patch.object(desk, "_MESSAGE_STAYS", 600.0),
        mock.patch.object(JobApp, "CLICK_CHAIN_TIME_THRESHOLD", 60.0),
    ):
        app = JobApp([JobManager(place.workdir) if isinstance(place, Site) else place for place in places])

        async def run() -> None:
            async with app.run_test(size=size) as pilot:
                await until(pilot, lambda: app.desk.table.loaded)
                # Not as if the first job had come under the cursor in this very moment.
                app.desk.table.slipped_at = 0.0
                await body(app.desk, pilot)

        asyncio.run(run())
        app.memory.save()
    return app


async def until(pilot: Pilot[None], condition: Callable[[], Any], timeout: float = 60.0) -> Any:
    """Wait until something holds and return it; fails after ``timeout`` seconds with what is painted."""
    deadline = time.monotonic() + timeout
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not true within {timeout} s:\n{painted(pilot)}"
        await pilot.pause(0.01)
    return answer


def lines(desk: JobScreen) -> list[str]:
    """The text on the whole terminal, line by line."""
    return [strip.text for strip in desk.app.screen._compositor.render_strips()]


def painted(pilot: Pilot[None]) -> str:
    return "\n".join(strip.text.rstrip() for strip in pilot.app.screen._compositor.render_strips())


def line_with(desk: JobScreen, *words: str) -> str:
    """The first line with all these words, "" if there is none."""
    return next((line for line in lines(desk) if all(word in line for word in words)), "")


def burst(desk: JobScreen, *keys: str) -> None:
    """Press keys all at once, as they arrive on a slow line: nothing is waited for between them."""
    for key in keys:
        event = events.Key(key, key if len(key) == 1 else None)
        event.set_sender(desk.app)
        desk.app.post_message(event)


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys and wait until they are dealt with: as the pilot's own, in a fraction of its time."""
    app = pilot.app
    assert isinstance(app, JobApp)
    burst(app.desk, *keys)
    typist = app._typist
    await pilot.pause(0)
    await until(pilot, lambda: not app._message_queue.qsize() and not typist._waiting)
    if app.screen_stack and app.desk.is_attached:
        await typist._settle()
        await pilot.pause(0.001)


async def put_cursor(desk: JobScreen, pilot: Pilot[None], job: int, place: int = 0) -> None:
    """Move the cursor onto a job, by keys."""
    ref = Ref(place, job)
    await until(pilot, lambda: desk.jobs.number_of(ref) is not None)
    await press(pilot, "home")
    while desk.jobs.cursor != ref:
        before = desk.jobs.cursor
        await press(pilot, "down")
        assert desk.jobs.cursor != before, "the job is not in the table"


def state(desk: JobScreen, job: int, place: int = 0) -> str:
    row = desk.jobs.row(Ref(place, job))
    return "" if row is None else str(row.state)


# -- which actions a test presses the keys of


def presses(*ids: str) -> Callable[[_Test], _Test]:
    """Says which actions a test presses the keys of, and fails it if it did not."""

    def decorate(test: _Test) -> _Test:
        @functools.wraps(test)
        def run(*args: Any, **kwargs: Any) -> None:
            found: set[str] = set()
            find = Keymap.find

            def noting(self: Keymap, key: str, pane: Any) -> Any:
                action = find(self, key, pane)
                if action is not None:
                    found.add(action.id)
                return action

            Keymap.find = noting  # type: ignore[method-assign]
            try:
                test(*args, **kwargs)
            finally:
                Keymap.find = find  # type: ignore[method-assign]
            assert set(ids) <= found, f"never pressed: {set(ids) - found}"

        return run  # type: ignore[return-value]

    return decorate
