"""Work directories of many jobs: a client's first glance and its loading of all rows, listing, and an idle engine."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

import anyio
import msgspec

from jobtui.core import JobManager, JobRow, JobSpec
from jobtui.core.blocking import BlockingJobManager
from jobtui.core.index import Indexed, IndexWriter
from jobtui.core.job import Accepted, ArrayTask, Begin, End, Process, Submitting
from jobtui.core.metadir import encode, record_answer, write_fact
from jobtui.core.workdir import INDEX, WorkDir, new_tag

from .kit import Figure, cpu, jobtui, median, rss, scratch, scratch_folder, seconds, until
from .local_jobs import _indexed


def _ended_jobs(manager: BlockingJobManager, count: int) -> None:
    """Make jobs that have ended, with all files that real ones leave, and let an engine index them."""
    manager.configure({"autostart": False})
    ids = manager.submit(*[JobSpec(command=("echo", str(i), "hello"), name=f"task-{i}") for i in range(count)])
    now = time.time()
    for job in ids:
        folder = manager.workdir.metadir(job)
        tag = manager.catalog.detail(job).facts.spec.tag  # type: ignore[union-attr]
        who = Process(1, 1)
        write_fact(folder, "job.submitting", Submitting(1, tag, now))
        record_answer(folder, Accepted(1, "1", "local", now))
        write_fact(folder, "job.begin", Begin(1, tag, "host", "boot", who, who, 1.0))
        write_fact(folder, "job.rc", End(1, tag, job % 5, 2.0))
        for name in ("job.stdout", "job.stderr"):
            open(f"{folder}/{name}", "w").close()
    manager.start_engine()
    until(lambda: _indexed(manager) == count)


def crowd(workdir: WorkDir, count: int) -> None:
    """Make jobs that differ as real ones do, all but the newest 50 ended, and their index, without an engine."""
    workdir.create()
    before = time.time() - 86400
    who = Process(2**22 - 1, 1)
    for job in range(1, count + 1):
        folder, tag, at = workdir.metadir(job), new_tag(), before + job / 10
        os.mkdir(folder, 0o700)
        spec = JobSpec(
            command=("./align.sh", f"sample{job}", "--out", f"results/{job}.bam"),
            name=f"align-{job // 1000}",
            cwd=f"/home/someone/project-{job % 5}",
            tag=tag,
            created=at,
            tags=("night",),
            array=ArrayTask((job - 1) // 1000 * 1000 + 1, job % 1000),
        )
        facts = {"job.json": encode(spec)}
        if job <= count - 50:
            sent, took = Submitting(1, tag, at), Accepted(1, str(1000 + job % 30000), "local", at + 1)
            facts["job.jid"] = encode(sent) + encode(took)
            facts["job.begin"] = encode(Begin(1, tag, "node7", "boot", who, who, float(job)))
            facts["job.rc"] = encode(End(1, tag, 0 if job % 7 else 3, job + 5.25))
        for name, data in facts.items():
            fd = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT, 0o600)
            os.write(fd, data)
            os.close(fd)
    rows = JobManager(workdir).catalog.all()
    index = IndexWriter(workdir.file(INDEX))
    index.write([Indexed(row, workdir.mtime_ns(row.id)) for row in rows], [])
    index.close()


class _Loaded(msgspec.Struct):
    """What a client measured of itself: milliseconds, and megabytes more than before."""

    glance: float
    first: float
    all: float
    late: float
    memory: float


async def _load(path: str) -> _Loaded:
    manager = JobManager(path)
    started = time.perf_counter()
    await manager.glance(60)
    glance, late = time.perf_counter() - started, 0.0
    before = rss(os.getpid())
    rows: dict[int, JobRow] = {}
    first = done = 0.0

    async def tick() -> None:
        nonlocal late
        while True:
            due = time.perf_counter() + 0.002
            await anyio.sleep(0.002)
            late = max(late, time.perf_counter() - due)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tick)
        await anyio.sleep(0.05)
        late, started = 0.0, time.perf_counter()
        feed = await manager.stream()
        async for portion in feed.load():
            first = first or time.perf_counter() - started
            rows.update((row.id, row) for row in portion)
        done = time.perf_counter() - started
        tasks.cancel_scope.cancel()
    return _Loaded(glance * 1e3, first * 1e3, done * 1e3, late * 1e3, (rss(os.getpid()) - before) / 2**20)


def measure_loading(path: str) -> None:
    """Load all jobs of a work directory in this process, and print what it took."""
    print(msgspec.json.encode(anyio.run(_load, path)).decode())


def loading() -> list[Figure]:
    """A client's first glance and its loading of all rows, each in a process of its own."""
    figures: list[Figure] = []
    for count in (100, 100_000):
        path = f"{scratch_folder()}/jobs"
        crowd(WorkDir(path), count)
        code = f"from benchmarks.work_directory import measure_loading; measure_loading({path!r})"
        runs = [
            msgspec.json.decode(subprocess.check_output([sys.executable, "-c", code]), type=_Loaded) for _ in range(5)
        ]
        glance, first, all_, late, memory = (
            statistics.median(getattr(run, name) for run in runs) for name in _Loaded.__struct_fields__
        )
        which = f"{count:,} jobs"
        figures += [
            Figure(f"the newest 60 rows, {which}", f"{glance:.1f} ms", "at most 10 ms", glance <= 10),
            Figure(f"all rows, {which}", f"{all_:.0f} ms (the first 200 after {first:.1f})", "3 s", all_ <= 3000),
            Figure(f"worst lateness of the event loop meanwhile, {which}", f"{late:.1f} ms", "20 ms", late <= 20),
            Figure(f"memory of all rows, {which}", f"{memory:.0f} MB", "at most 80 MB", memory <= 80),
        ]
    return figures


def listing() -> list[Figure]:
    """``jobtui ls``, process start included, 100 rows printed."""
    figures: list[Figure] = []
    for count in (100, 10_000):
        with scratch() as manager:
            _ended_jobs(manager, count)

            def run(manager: BlockingJobManager = manager) -> None:
                done = jobtui(manager, "ls")
                assert len(done.stdout.splitlines()) == 101, done.stderr

            run()
            took = median(15, lambda run=run: seconds(run))
        words = f"jobtui ls, 100 rows, {count:,} jobs in the work directory"
        figures.append(Figure(words, f"{took * 1000:.0f} ms", "at most 150 ms", took <= 0.15))
    return figures


def idle() -> list[Figure]:
    """CPU of an engine with 10 running and 10,000 ended jobs, nothing changing, over 20 seconds."""
    with scratch() as manager:
        _ended_jobs(manager, 10_000)
        manager.configure({"slots": 10})
        running = manager.submit(*[JobSpec(command=("sleep", "600")) for _ in range(10)])
        lease = manager.start_engine()
        until(lambda: all(row.host for row in manager.catalog.some(running)))
        time.sleep(3)

        def used() -> float:
            before = cpu(lease.process.pid)
            time.sleep(20)
            return (cpu(lease.process.pid) - before) / 20 * 100

        share = median(3, used)
        manager.cancel(running, force=True)
        manager.wait(running, timeout=60)
    return [
        Figure("idle engine, 10 running, 10,000 ended jobs", f"{share:.2f} % of a core", "at most 0.5 %", share <= 0.5)
    ]
