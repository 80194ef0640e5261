"""Logs of jobs on another machine: fetched while somebody looks, whole at the end, and nothing lost with the link."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from far_kit import NAME, FarBackend, FarSide

from jobtui.core import BlockingJobManager, Engine, JobManager, JobSpec, Settings, WorkDir
from jobtui.core.farlog import FarLog
from jobtui.core.fetcher import next_most, next_pause
from jobtui.core.logcopy import FIRST, read_far
from jobtui.core.wants import LogWant, Looking, Want

Until = Callable[..., Any]


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FarSide:
    side = FarSide(tmp_path / "far")
    monkeypatch.setattr(FarBackend, "folder", side.folder)
    monkeypatch.setattr("jobtui.core.fleet.load", lambda name: FarBackend)
    return side


@pytest.fixture
def job(workdir: WorkDir, far: FarSide) -> Iterator[int]:
    """A job on the far side, and an engine in a thread of its own for as long as the test runs."""
    workdir.create()
    number = workdir.add([JobSpec(command=("true",), backend=NAME, tag="jt1")])[0]
    engine = Engine(workdir, Settings(linger=0.1))
    thread = threading.Thread(target=anyio.run, args=(lambda: engine.run(stop_when_idle=False),))
    thread.start()
    yield number
    engine.stop()
    workdir.wake()
    thread.join(20)
    assert not thread.is_alive()


@pytest.fixture
def looking(workdir: WorkDir) -> Iterator[Looking]:
    client = Looking(workdir)
    yield client
    client.close()


def want(job: int, *, whole: bool = False, attempt: int = 1) -> Want:
    return Want(logs=(LogWant(job, "stdout", attempt, whole),))


def copy(workdir: WorkDir, job: int) -> Path:
    return Path(workdir.metadir(job), "job.stdout")


def has(path: Path, data: bytes) -> bool:
    return path.exists() and path.read_bytes() == data


def test_a_log_is_fetched_while_it_is_looked_at_and_grows(
    workdir: WorkDir, far: FarSide, job: int, looking: Looking, until: Until
) -> None:
    far.log(job).write_bytes(b"one\n")
    looking.at(want(job))
    until(lambda: has(copy(workdir, job), b"one\n"))
    with far.log(job).open("ab") as file:
        file.write(b"\xfftwo")
    until(lambda: has(copy(workdir, job), b"one\n\xfftwo"))


def test_a_log_that_nobody_looks_at_costs_nothing(
    workdir: WorkDir, far: FarSide, job: int, looking: Looking, until: Until
) -> None:
    far.log(job).write_bytes(b"one\n")
    looking.at(want(job))
    until(lambda: has(copy(workdir, job), b"one\n"))
    looking.close()
    far.end(job)
    until(lambda: BlockingJobManager(workdir).jobs()[0].state == "finished")
    trips = far.trips
    far.log(job).write_bytes(b"one\ntwo\n")
    looking.at(want(job))
    until(lambda: has(copy(workdir, job), b"one\ntwo\n"))
    # Once for what was added, or once more to see that this is all: an ended job's log is not looked at for ever.
    until(lambda: (found := read_far(str(copy(workdir, job)))) is not None and found.over)
    assert far.trips <= trips + 3


def test_a_lost_link_is_told_and_the_log_goes_on_where_it_was(
    workdir: WorkDir, far: FarSide, job: int, looking: Looking, until: Until
) -> None:
    data = os.urandom(300_000)
    far.log(job).write_bytes(data[:100_000])
    looking.at(want(job))
    until(lambda: has(copy(workdir, job), data[:100_000]))
    manager = BlockingJobManager(workdir)
    until(lambda: [link.trouble for link in manager.links()] == [""])
    far.cut("no route to host")
    far.log(job).write_bytes(data)
    until(lambda: manager.links()[0].trouble == "no route to host")
    link = manager.links()[0]
    assert link.host == "far" and link.backend == NAME and link.at <= link.since <= link.tried
    assert has(copy(workdir, job), data[:100_000])
    assert manager.jobs()[0].state == "running"
    far.mend()
    until(lambda: has(copy(workdir, job), data))
    assert not manager.links()[0].trouble


def test_of_a_large_log_the_end_comes_first_and_the_rest_when_it_is_asked_for(
    workdir: WorkDir, far: FarSide, job: int, looking: Looking, until: Until
) -> None:
    data = b"".join(b"line %d\n" % number for number in range(400_000))
    far.log(job).write_bytes(data)
    looking.at(want(job))
    until(lambda: (found := read_far(str(copy(workdir, job)))) is not None and found.size == len(data))
    found = read_far(str(copy(workdir, job)))
    assert found is not None and found.begin > 0 and data[found.begin :] == copy(workdir, job).read_bytes()
    assert found.begin >= len(data) - FIRST
    looking.at(want(job, whole=True))
    until(lambda: has(copy(workdir, job), data))


def test_who_follows_gets_every_byte_once_until_the_end(
    workdir: WorkDir, far: FarSide, job: int, looking: Looking, until: Until
) -> None:
    looking.at(want(job))
    got = bytearray()
    log = FarLog(str(copy(workdir, job)))
    thread = threading.Thread(target=anyio.run, args=(_follow, workdir, log, job, got))
    thread.start()
    data = os.urandom(200_000)
    for end in range(20_000, 200_001, 20_000):
        far.log(job).write_bytes(data[:end])
        if end == 100_000:
            far.cut()
        if end == 140_000:
            until(lambda: any(link.trouble for link in BlockingJobManager(workdir).links()))
            far.mend()
    far.end(job)
    thread.join(30)
    assert bytes(got) == data


async def _follow(workdir: WorkDir, log: FarLog, job: int, got: bytearray) -> None:
    async for added in JobManager(workdir).follow_log(log, job):
        got += added.data


def test_the_next_attempt_has_a_log_of_its_own_and_the_first_one_keeps_its(
    workdir: WorkDir, far: FarSide, job: int, looking: Looking, until: Until
) -> None:
    manager = BlockingJobManager(workdir)
    far.log(job).write_bytes(b"first\n")
    looking.at(want(job))
    until(lambda: has(copy(workdir, job), b"first\n"))
    far.end(job)
    until(lambda: manager.jobs()[0].state == "finished")
    (far.folder / f"{job}.end").unlink()
    far.log(job, 2).write_bytes(b"second\n")
    manager.retry([job])
    until(lambda: manager.jobs()[0].attempt == 2)
    far.log(job).write_bytes(b"first\nand last\n")
    looking.at(Want(logs=(LogWant(job, "stdout", 1), LogWant(job, "stdout", 2))))
    until(lambda: has(copy(workdir, job), b"second\n"))
    until(lambda: has(Path(workdir.metadir(job), "job.retry/1/job.stdout"), b"first\nand last\n"))


def test_pauses_grow_while_nothing_comes_and_pieces_fit_the_link() -> None:
    assert next_pause(10.0, grew=True) == 1.0
    pause, pauses = 1.0, []
    for _ in range(10):
        pause = next_pause(pause, grew=False)
        pauses.append(pause)
    assert pauses == sorted(pauses) and pauses[-1] == 10.0
    assert next_most(FIRST, 0.1, full=True) > FIRST
    assert next_most(FIRST, 0.1, full=False) == FIRST
    assert next_most(FIRST, 20.0, full=True) < FIRST
    assert next_most(16 * 1024, 100.0, full=True) == 16 * 1024
