"""Work directories of many jobs: listing, and an engine with nothing to do."""

from __future__ import annotations

import time

from jobtui.core import JobSpec
from jobtui.core.blocking import BlockingJobManager
from jobtui.core.job import Accepted, Begin, End, Process, Submitting
from jobtui.core.metadir import record_answer, write_fact

from .kit import Figure, cpu, jobtui, median, scratch, seconds, until
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
