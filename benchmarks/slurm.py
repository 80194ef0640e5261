"""Jobs under Slurm, where one answers: queries, submissions beside a shell loop of sbatch, our own CPU, parsing."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from jobtui.backends.batch import sorted_out
from jobtui.backends.dialect import Reply
from jobtui.backends.slurm import Slurm
from jobtui.core import ArrayTask, JobSpec, Resources
from jobtui.core.backend import Handle, mark
from jobtui.core.blocking import BlockingJobManager
from jobtui.core.lease import read_lease

from .kit import Figure, cpu, median, scratch, until

JOBS = 1000
HELD = Resources(extra=("--hold",))


def figures() -> Iterator[Figure]:
    """All figures about Slurm; those that need one only where it answers."""
    yield _parsing()
    if shutil.which("scontrol") is None or subprocess.run(["scontrol", "ping"], capture_output=True).returncode:
        yield Figure("Slurm", "none answers here", "tests/clusters/slurm.sh up", True)
        return
    # In turns, for what else the machine does concerns both alike.
    pairs = [
        (_loop(), _submitting([JobSpec(command=("true",), backend="slurm", resources=HELD)] * JOBS)) for _ in range(3)
    ]
    loop, single = (statistics.median(values) for values in zip(*pairs, strict=True))
    ratio = statistics.median(ours / theirs for theirs, ours in pairs)
    limit = f"1.2 x sbatch, 4 at a time ({loop:.1f} s)"
    yield Figure("1,000 jobs submitted singly", f"{single:.1f} s, {ratio:.2f} x", limit, ratio <= 1.2)
    tasks = [JobSpec(command=("true",), backend="slurm", resources=HELD, array=ArrayTask(0, i)) for i in range(JOBS)]
    array = median(3, lambda: _submitting(tasks))
    yield Figure("1,000 tasks submitted as an array", f"{array:.2f} s", "2 s", array <= 2.0)
    yield from _steady()
    yield _verdict()


def _parsing() -> Figure:
    """Reading and matching the answer about 10,000 jobs."""
    now = int(time.time())
    handles = [Handle(job, 1, f"jt{job:018x}", str(job), "/w", None, float(now)) for job in range(10_000)]
    fields = ("RUNNING", "None", str(now), str(now), str(now + 9), "n1", "main")
    text = "".join(
        "\x1e" + "\x1f".join((str(h.job), *fields, f"jobtui:{mark(h.tag, 1)}", "/w/s", "/", "a name")) + "\n"
        for h in handles
    )

    def once() -> float:
        started = time.perf_counter()
        assert len(sorted_out(handles, Slurm().read_status(Reply(0, text, ""))).seen) == 10_000
        return time.perf_counter() - started

    took = median(5, once) * 1000
    return Figure("parsing an answer about 10,000 jobs", f"{took:.0f} ms", "100 ms", took <= 100)


def _loop() -> float:
    """A shell loop of sbatch, four at a time, of the same jobs."""
    folder = tempfile.mkdtemp()
    script = Path(folder, "s.sh")
    script.write_text("#!/bin/sh\ntrue\n")
    started = time.perf_counter()
    command = f"seq {JOBS} | xargs -P 4 -n 1 sh -c 'sbatch --parsable --hold -o /dev/null {script} >>{folder}/ids'"
    subprocess.run(command, shell=True, check=True)
    took = time.perf_counter() - started
    subprocess.run(f"xargs -n 500 scancel <{folder}/ids", shell=True, check=True)
    shutil.rmtree(folder)
    return took


def _accepted(manager: BlockingJobManager, left: list[int]) -> bool:
    """Whether none is left without an id; those that have one are taken out, so that looking costs next to nothing."""
    while left and os.path.exists(f"{manager.workdir.metadir(left[0])}/job.jid"):
        left.pop(0)
    return not left


def _submitting(specs: list[JobSpec]) -> float:
    """Seconds from submitting to us until Slurm's ids of all are on record; a running engine, as in a session."""
    with scratch() as manager:
        manager.configure({"linger": 60.0})
        manager.wait(manager.submit(JobSpec(command=("true",), backend="slurm")), timeout=60)
        started = time.perf_counter()
        ids = manager.submit(*specs)
        left = list(ids)
        until(lambda: _accepted(manager, left))
        took = time.perf_counter() - started
        manager.cancel(ids)
        manager.wait(ids, timeout=120)
        return took


def _steady() -> Iterator[Figure]:
    """Queries and CPU of our own while 1,000 jobs wait and run."""
    folder = tempfile.mkdtemp()
    count = Path(folder, "count")
    count.touch()
    wrapper = Path(folder, "squeue")
    wrapper.write_text(f'#!/bin/sh\necho x >> {count}\nexec {shutil.which("squeue")} "$@"\n')
    wrapper.chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{folder}:{before}"
    try:
        with scratch() as manager:
            specs = [JobSpec(command=("true",), backend="slurm", resources=HELD)] * (JOBS - 8)
            ids = manager.submit(*specs, *[JobSpec(command=("sleep", "600"), backend="slurm")] * 8)
            until(lambda: sum(row.state in ("held", "running") for row in manager.jobs()) >= JOBS - 4)
            # Until the burst of polls after the submission is over.
            time.sleep(20)
            lease = read_lease(manager.workdir)
            assert lease is not None
            used, asked, started = cpu(lease.process.pid), len(count.read_text()), time.perf_counter()
            time.sleep(60)
            minutes = (time.perf_counter() - started) / 60
            queries = (len(count.read_text()) - asked) / 2 / minutes
            share = (cpu(lease.process.pid) - used) / minutes / 60 * 100
            manager.cancel(ids)
            manager.wait(ids, timeout=120)
    finally:
        os.environ["PATH"] = before
        shutil.rmtree(folder)
    yield Figure("status queries a minute, 1,000 jobs", f"{queries:.1f}", "6", queries <= 6)
    yield Figure("the engine's CPU, 1,000 jobs", f"{share:.1f} % of a core", "3 %", share <= 3.0)


def _verdict() -> Figure:
    """How long after a job's end it is published, its folder on a local file system."""
    with scratch() as manager:
        manager.configure({"linger": 60.0})
        delays = []
        for _ in range(15):
            ids = manager.submit(JobSpec(shell="sleep 0.2; date +%s.%N", backend="slurm"))
            manager.wait(ids, timeout=60)
            ended = float(Path(manager.workdir.metadir(ids[0]), "job.stdout").read_text())
            delays.append(time.time() - ended)
        late = statistics.median(delays)
        return Figure("a job's end under Slurm to its verdict", f"{late:.2f} s", "1 s", late < 1.0)
