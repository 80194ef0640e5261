"""The engine asks for queues while somebody looks, writes down what it is told, and never throws away what it knew."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import anyio

from jobtui.core import JobManager, WorkDir
from jobtui.core.backend import Probe
from jobtui.core.queues import Capacity, Node, Queue
from jobtui.core.queuewatch import QueueWatch
from jobtui.core.seen import QueuesReader, SeenQueues, keep_queues

CAPACITY = Capacity((Queue("main", "up", used=1, free=3, total=4),), (Node("n1", "idle"),))


class Scheduler:
    """Tells what it is given to tell, one answer after the other; the last one for ever."""

    def __init__(self, *answers: Capacity) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def capacity(self) -> Capacity:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def probe(self) -> Probe:
        return Probe(True, "a scheduler")


async def until(condition: Callable[[], object]) -> None:
    with anyio.fail_after(15):
        while not condition():
            await anyio.sleep(0.005)


def told(workdir: WorkDir) -> SeenQueues | None:
    return next(iter(QueuesReader(workdir).read()), None)


def test_nobody_is_asked_before_somebody_looks_and_then_not_twice_in_a_moment(workdir: WorkDir) -> None:
    workdir.create()
    scheduler = Scheduler(CAPACITY)

    async def main() -> None:
        watch = QueueWatch("slurm", scheduler, workdir)  # type: ignore[arg-type]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch.run)
            await anyio.wait_all_tasks_blocked()
            assert scheduler.asked == 0 and told(workdir) is None
            watch.watch(True)
            await until(lambda: told(workdir))
            watch.watch(False)
            watch.watch(True)
            await anyio.wait_all_tasks_blocked()
            assert scheduler.asked == 1
            tasks.cancel_scope.cancel()

    anyio.run(main)
    seen = told(workdir)
    assert seen is not None
    assert (seen.backend, seen.words, seen.capacity, seen.trouble) == ("slurm", "a scheduler", CAPACITY, "")
    assert abs(seen.at - time.time()) < 60


def test_what_was_known_stays_with_its_age_when_the_scheduler_falls_silent(workdir: WorkDir) -> None:
    workdir.create()
    keep_queues(workdir, SeenQueues("slurm", "a scheduler", 1000.0, 1000.0, "", CAPACITY))

    async def main() -> None:
        watch = QueueWatch("slurm", Scheduler(Capacity(trouble="no answer in 30 s")), workdir)  # type: ignore[arg-type]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch.run)
            watch.watch(True)
            await until(lambda: (seen := told(workdir)) and seen.tried > 1000.0)
            tasks.cancel_scope.cancel()

    anyio.run(main)
    seen = told(workdir)
    assert seen is not None
    assert (seen.at, seen.capacity, seen.trouble) == (1000.0, CAPACITY, "no answer in 30 s")


def test_a_bug_in_a_back_end_is_told_and_ends_nothing(workdir: WorkDir) -> None:
    workdir.create()

    class Broken(Scheduler):
        async def capacity(self) -> Capacity:
            raise KeyError("bug")

    async def main() -> None:
        watch = QueueWatch("slurm", Broken(CAPACITY), workdir)  # type: ignore[arg-type]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch.run)
            watch.watch(True)
            await until(lambda: told(workdir))
            tasks.cancel_scope.cancel()

    anyio.run(main)
    seen = told(workdir)
    assert seen is not None and "bug" in seen.trouble and seen.at == 0.0


def test_files_that_make_no_sense_are_left_out_and_new_ones_are_seen(workdir: WorkDir) -> None:
    workdir.create()
    Path(workdir.file("queues.pbs")).write_text('{"backend": 3}')
    reader = QueuesReader(workdir)
    assert reader.read() == []
    keep_queues(workdir, SeenQueues("slurm", "", 1.0, 1.0, "", CAPACITY))
    (first,) = reader.read()
    assert reader.read()[0] is first
    keep_queues(workdir, SeenQueues("slurm", "", 2.0, 2.0, "", CAPACITY))
    assert [seen.at for seen in reader.read()] == [2.0]


def test_a_client_learns_which_schedulers_there_are_from_the_jobs(workdir: WorkDir) -> None:
    async def main() -> list[str]:
        return await JobManager(workdir).nearby({"PATH": "/nowhere"})

    assert anyio.run(main) == []
    workdir.create()
    Path(workdir.file("seen.pbs")).write_text('{"backend": "pbs", "words": "", "at": 1.0, "tried": 1.0}')
    assert anyio.run(main) == ["pbs"]
