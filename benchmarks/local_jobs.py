"""Local jobs: overhead per job beside xargs, feeding, memory of a full queue, and how soon an end is seen."""

from __future__ import annotations

import os
import statistics
import subprocess
import time

import anyio

from jobtui.core import JobManager, JobSpec
from jobtui.core.blocking import BlockingJobManager
from jobtui.core.job import ENDED
from jobtui.core.script import job_script, place_here
from jobtui.core.workdir import new_tag

from .kit import Figure, jobtui, median, rss, scratch, scratch_folder, seconds, until

JOBS = 1000


def _ours() -> float:
    """Seconds from the submission of 1,000 times ``true`` to the last verdict, 2 slots."""
    with scratch() as manager:
        manager.configure({"slots": 2})
        manager.wait(manager.submit(JobSpec(command=("true",))), timeout=60)
        specs = [JobSpec(command=("true",)) for _ in range(JOBS)]
        started = time.perf_counter()
        ids = manager.submit(*specs)
        rows = manager.wait(ids, timeout=300)
        assert all(row.state == "finished" for row in rows)
        return time.perf_counter() - started


def _xargs() -> float:
    """The same job scripts started by ``xargs -P 2``."""
    root = scratch_folder()
    scripts = []
    for job in range(1, JOBS + 1):
        os.mkdir(f"{root}/{job}")
        path = f"{root}/{job}/job.wrapped.local"
        with open(path, "w") as file:
            file.write(job_script(JobSpec(command=("true",), tag=new_tag()), job, 1, place_here(root, job), {}))
        scripts.append(path)
    argv = ["xargs", "-P", "2", "-n", "1", "sh"]
    return seconds(lambda: subprocess.run(argv, input="\n".join(scripts), text=True, check=True))


def overhead() -> list[Figure]:
    """Ours and xargs in turn, so that a noisy machine is noisy for both."""
    pairs = [(_ours(), _xargs()) for _ in range(5)]
    ours, peer = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    return [
        Figure("1,000 x true, 2 slots: jobs per second", f"{JOBS / ours:.0f}/s", "at least 100/s", JOBS / ours >= 100),
        Figure(
            "the same: time beside xargs -P 2 with the same script",
            f"{ratio:.2f} x ({ours / JOBS * 1000:.2f} ms a job, xargs {peer / JOBS * 1000:.2f} ms)",
            "at most 2 x",
            ratio <= 2,
        ),
    ]


def _feed() -> float:
    with scratch() as manager:
        manager.configure({"autostart": False})
        lines = "".join(f"echo {i} hello\n" for i in range(10_000))
        took = seconds(lambda: jobtui(manager, "submit", "--from", "-", input=lines))
        assert len(manager.workdir.ids()) == 10_000
        return took


def feeding() -> list[Figure]:
    """``jobtui submit --from -`` with 10,000 lines, process start included."""
    took = median(5, _feed)
    return [Figure("feeding 10,000 jobs with --from", f"{took:.2f} s", "at most 3 s", took <= 3)]


def memory() -> list[Figure]:
    """Resident memory of an engine that has 10,000 queued jobs."""
    with scratch() as manager:
        manager.configure({"slots": 1})
        manager.submit(JobSpec(command=("sleep", "600"), priority=1))
        manager.submit(*[JobSpec(command=("echo", str(i), "hello")) for i in range(10_000)])
        lease = manager.start_engine()
        until(lambda: _indexed(manager) == 10_001)
        used = rss(lease.process.pid) / 2**20
        manager.cancel([1], force=True)
        manager.stop_engine()
    return [Figure("engine memory with 10,000 queued jobs", f"{used:.0f} MB", "at most 80 MB", used <= 80)]


def _indexed(manager: BlockingJobManager) -> int:
    from jobtui.core.index import IndexReader, IndexUnusableError

    try:
        with IndexReader(manager.workdir.file("index.db")) as index:
            return len(index.ids())
    except IndexUnusableError:
        return 0


def latency() -> list[Figure]:
    """From the end in job.rc to the row in a client's hands."""

    async def measure(manager: JobManager) -> list[float]:
        delays: list[float] = []
        ends = iter(range(30))
        await manager.submit(JobSpec(command=("sleep", "0.3")))
        feed = await manager.follow(ended=0)
        async for changes in feed:
            now = time.time()
            for change in changes:
                row = change.row
                if row is None or row.state not in ENDED or row.ended is None:
                    continue
                delays.append(now - row.ended)
                if next(ends, None) is None:
                    return delays
                # Each starts at another phase of every timer.
                await manager.submit(JobSpec(command=("sleep", f"{0.3 + len(delays) * 0.0137:.4f}")))
        return delays

    with scratch() as manager:
        delays = anyio.run(measure, JobManager(manager.workdir))
    middle = statistics.median(delays) * 1000
    worst = max(delays) * 1000
    return [
        Figure("end of a job to verdict at a client", f"{middle:.0f} ms (worst {worst:.0f})", "50 ms", middle <= 50)
    ]
