"""Orders for jobs that run or wait: signals, suspending and resuming, priorities; with real jobs and a real engine."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from jobtui.backends.local import LocalBackend
from jobtui.core import BlockingJobManager, JobManager, JobRow, JobSpec, Retry, WorkDir
from jobtui.core.backend import Handle, Surroundings
from jobtui.core.identity import is_stopped, start_ticks, this_boot, this_host
from jobtui.core.job import Begin, Intent, Order, Process
from jobtui.core.lease import is_held, read_lease
from jobtui.core.metadir import change_intent
from jobtui.core.units import parse_signal, signal_number

Until = Callable[..., Any]

# Says each time that it gets USR1.
LISTENER = "trap 'echo got it' USR1; echo ready; while :; do sleep 0.05; done"


@pytest.fixture
def manager(workdir: WorkDir) -> BlockingJobManager:
    return BlockingJobManager(workdir)


def sh(line: str, **more: Any) -> JobSpec:
    return JobSpec(shell=line, **more)


def one(manager: BlockingJobManager, job: int) -> JobRow:
    return manager.catalog.some([job])[0]


def out(manager: BlockingJobManager, job: int) -> str:
    path = Path(manager.workdir.metadir(job), "job.stdout")
    return path.read_text() if path.exists() else ""


def started(manager: BlockingJobManager, until: Until, line: str, **more: Any) -> int:
    """A job that has said that it is ready."""
    job = manager.submit(sh(line, **more))[0]
    until(lambda: out(manager, job).startswith("ready"))
    return job


def is_state(manager: BlockingJobManager, job: int, state: str) -> Callable[[], bool]:
    return lambda: one(manager, job).state == state


def kill_engine(manager: BlockingJobManager) -> None:
    lease = read_lease(manager.workdir)
    assert lease is not None
    os.kill(lease.process.pid, signal.SIGKILL)
    while is_held(lease):
        time.sleep(0.005)


# -- signals


def test_a_signal_reaches_a_running_job_once(manager: BlockingJobManager, until: Until) -> None:
    job = started(manager, until, LISTENER)
    assert [(o.done, o.words) for o in manager.signal([job], "SIGUSR1")] == [(True, "asked to send it USR1")]
    until(lambda: out(manager, job) == "ready\ngot it\n")
    kill_engine(manager)
    manager.start_engine()
    manager.signal([job], "10")
    until(lambda: out(manager, job) == "ready\ngot it\ngot it\n")
    manager.start_engine()
    assert manager.cancel([job], force=True)[0].done
    manager.wait([job], timeout=30)
    assert out(manager, job).count("got it") == 2


def test_a_job_killed_by_a_signal_that_a_person_sent_says_who_sent_it(
    manager: BlockingJobManager, until: Until
) -> None:
    jobs = [started(manager, until, "echo ready; sleep 100") for _ in range(2)]
    manager.signal(jobs[:1], "KILL")
    manager.signal(jobs[1:], "term")
    killed, ended = manager.wait(jobs, timeout=30)
    assert (killed.state, killed.reason, killed.exit_code) == ("failed", "signal", 137)
    assert killed.detail.startswith("killed by SIGKILL, which ") and killed.detail.endswith(
        f"@{os.uname().nodename} sent"
    )
    assert (ended.state, ended.signal) == ("failed", 15)
    assert "TERM" in ended.detail and "sent" in ended.detail


def test_the_next_attempt_knows_nothing_of_signals_to_the_last(manager: BlockingJobManager, until: Until) -> None:
    job = started(manager, until, LISTENER, retry=Retry(limit=1))
    manager.signal([job], "KILL")
    until(lambda: one(manager, job).attempt == 2 and out(manager, job) == "ready\n")
    os.killpg(_payload(manager, job).pid, signal.SIGKILL)
    row = manager.wait([job], timeout=30)[0]
    assert row.detail == "killed by SIGKILL; out of memory is a frequent cause"


def test_orders_that_a_dead_engine_left_are_carried_out_by_the_next(manager: BlockingJobManager, until: Until) -> None:
    job = started(manager, until, LISTENER)
    manager.configure({"autostart": False})
    kill_engine(manager)
    outcome = manager.signal([job], "USR1")[0]
    assert not outcome.done and "no engine runs" in outcome.words
    manager.start_engine()
    until(lambda: out(manager, job) == "ready\ngot it\n")


def test_what_cannot_take_a_signal_is_refused_with_the_reason(manager: BlockingJobManager) -> None:
    ended, held = manager.submit(sh("true"), sh("true", hold=True))
    manager.wait([ended], timeout=30)
    words = [outcome.words for outcome in manager.signal([ended, held, 99], "USR1")]
    assert words == [
        "only a running job can be sent a signal, and this one is finished",
        "only a running job can be sent a signal, and this one is held",
        "there is no such job",
    ]
    with pytest.raises(ValueError, match="not a signal"):
        manager.signal([ended], "USR9")
    assert manager.capabilities("local") == {"signal", "suspend", "resume"}
    assert manager.capabilities("no-such-back-end") == frozenset()


def test_only_the_newest_orders_are_kept(manager: BlockingJobManager, until: Until) -> None:
    job = started(manager, until, LISTENER)
    old = [Order(serial, 1, "signal", 1.0, "me", "WINCH") for serial in range(1, 30)]
    change_intent(manager.workdir.metadir(job), lambda _: Intent(orders=tuple(old)))
    manager.signal([job], "USR1")
    until(lambda: "got it" in out(manager, job))
    detail = manager.detail(job)
    assert detail is not None and len(detail.facts.intent.orders) == 20 and detail.facts.obeyed == 30


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "100"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_a_process_that_merely_has_the_number_of_one_of_ours_is_left_alone(
    bystander: subprocess.Popen[bytes],
) -> None:
    ticks = start_ticks(bystander.pid)
    assert ticks is not None
    theirs = Process(bystander.pid, ticks - 1)

    def handle(host: str) -> Handle:
        begin = Begin(1, "jttag", host, this_boot(), theirs, theirs, 1.0)
        return Handle(7, 1, "jttag", "1", "/nowhere", begin)

    async def give() -> list[dict[int, str]]:
        backend = LocalBackend(Surroundings({}))
        here, there = [handle(this_host())], [handle("elsewhere")]
        return [
            await backend.signal(here, "KILL"),
            await backend.order("suspend", here),
            await backend.signal(there, "KILL"),
        ]

    refused = anyio.run(give)
    assert [list(words) for words in refused] == [[7], [7], [7]]
    assert "elsewhere" in refused[2][7]
    assert bystander.poll() is None and not is_stopped(Process(bystander.pid, ticks))


def test_signals_are_read_as_people_write_them() -> None:
    assert [parse_signal(word) for word in ("USR1", " sigterm ", "9", "40", "CLD")] == [
        "USR1",
        "TERM",
        "KILL",
        "40",
        "CHLD",
    ]
    assert [signal_number(name) for name in ("USR1", "40")] == [signal.SIGUSR1, 40]
    for word in ("", "0", "65", "USR", "-9", "SIG", "²"):
        with pytest.raises(ValueError, match="not a signal"):
            parse_signal(word)


# -- suspending and resuming


def _payload(manager: BlockingJobManager, job: int) -> Process:
    detail = manager.detail(job)
    assert detail is not None and detail.facts.begin is not None
    return detail.facts.begin.payload


def _ticking(file: Path) -> str:
    """A job that counts, and so does a child of it in a session of its own."""
    count = "while :; do echo x >> {}; sleep 0.02; done"
    return f"setsid sh -c '{count.format(f'{file}.child')}' & {count.format(file)} & echo ready; wait"


def test_a_suspended_job_stands_still_with_all_its_processes_until_it_is_resumed(
    manager: BlockingJobManager, tmp_path: Path, until: Until
) -> None:
    file = tmp_path / "ticks"
    job = started(manager, until, _ticking(file))
    files = [file, Path(f"{file}.child")]
    until(lambda: all(path.exists() for path in files))
    assert manager.suspend([job])[0].words == "asked to suspend it"
    until(is_state(manager, job, "suspended"))
    sizes = [path.stat().st_size for path in files]
    time.sleep(0.15)
    assert [path.stat().st_size for path in files] == sizes
    assert not manager.suspend([job])[0].done
    assert manager.resume([job])[0].done
    until(is_state(manager, job, "running"))
    until(lambda: all(path.stat().st_size > size for path, size in zip(files, sizes, strict=True)))
    assert manager.resume([job])[0].words == "only a suspended job can be resumed, and this one is running"


def test_a_suspended_job_is_seen_as_such_by_the_next_engine_and_without_one(
    manager: BlockingJobManager, until: Until
) -> None:
    job = started(manager, until, LISTENER)
    manager.suspend([job])
    until(is_state(manager, job, "suspended"))
    manager.configure({"autostart": False})
    kill_engine(manager)
    assert one(manager, job).state == "suspended"
    manager.start_engine()
    until(lambda: manager.resume([job])[0].done)
    until(is_state(manager, job, "running"))


def test_a_suspended_job_that_is_cancelled_ends_by_itself(manager: BlockingJobManager, until: Until) -> None:
    job = started(manager, until, "trap 'echo tidy; exit 0' TERM; echo ready; while :; do sleep 0.05; done", grace=60)
    manager.suspend([job])
    until(is_state(manager, job, "suspended"))
    manager.cancel([job])
    row = manager.wait([job], timeout=30)[0]
    assert (row.state, out(manager, job)) == ("cancelled", "ready\ntidy\n")


def test_the_time_limit_of_a_suspended_job_goes_on(manager: BlockingJobManager, until: Until) -> None:
    job = started(manager, until, "echo ready; sleep 100", timeout=1, grace=1)
    manager.suspend([job])
    row = manager.wait([job], timeout=30)[0]
    assert (row.state, row.reason) == ("failed", "timeout")


def test_a_job_stopped_by_a_signal_is_shown_as_suspended(manager: BlockingJobManager, until: Until) -> None:
    job = started(manager, until, LISTENER)
    manager.signal([job], "STOP")
    until(is_state(manager, job, "suspended"))
    manager.signal([job], "CONT")
    until(is_state(manager, job, "running"))


# -- priorities


def test_a_new_priority_counts_at_once_and_outlives_the_engine(
    manager: BlockingJobManager, tmp_path: Path, until: Until
) -> None:
    manager.configure({"slots": 1})
    log = tmp_path / "order"
    gate = tmp_path / "gate"
    first = started(manager, until, f"echo ready; until [ -e {gate} ]; do sleep 0.02; done")
    names = ("a", "b", "c", "d")
    ids = manager.submit(*[sh(f"echo {name} >> {log}") for name in names])
    assert [o.words for o in manager.set_priority([ids[2]], 5)] == ["has priority 5 now"]
    manager.set_priority([ids[0]], -1)
    manager.set_priority([ids[3]], 9)
    until(lambda: [row.priority for row in manager.catalog.some(ids)] == [-1, 0, 5, 9])
    kill_engine(manager)
    manager.set_priority([ids[3]], 0)
    assert [row.priority for row in manager.catalog.some(ids)] == [-1, 0, 5, 0]
    manager.start_engine()
    until(lambda: [row.priority for row in manager.catalog.some(ids)] == [-1, 0, 5, 0])
    gate.touch()
    manager.wait([first, *ids], timeout=30)
    assert log.read_text().split() == ["c", "b", "d", "a"]


def test_a_follower_hears_of_a_new_priority(workdir: WorkDir) -> None:
    async def change() -> int:
        manager = JobManager(workdir)
        await manager.submit(sh("true", hold=True))
        await manager.ensure_engine()
        feed = await manager.stream()
        async for _ in feed.load():
            pass
        await manager.set_priority([1], 7)
        with anyio.fail_after(20):
            changes = aiter(feed)
            found = 0
            while found != 7:
                found = max([c.row.priority for c in await anext(changes) if c.row is not None], default=found)
            await changes.aclose()
        return found

    assert anyio.run(change) == 7


def test_a_retry_keeps_the_priority_and_a_job_that_does_not_wait_takes_none(manager: BlockingJobManager) -> None:
    job = manager.submit(sh("false", hold=True))[0]
    manager.set_priority([job], 3)
    manager.release([job])
    assert manager.wait([job], timeout=30)[0].priority == 3
    refused = manager.set_priority([job], 4)[0]
    assert not refused.done and "only a waiting job" in refused.words
    manager.retry([job])
    assert manager.wait([job], timeout=30)[0].priority == 3
