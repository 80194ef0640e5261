"""What the engine does with jobs, through JobManager's faces, on real local jobs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from jobtui.core import (
    AfterJob,
    AfterTime,
    AllOf,
    AnyOf,
    ArrayTask,
    BlockingJobManager,
    Engine,
    JobManager,
    JobRow,
    JobSpec,
    Resources,
    Retry,
    Settings,
    SpecError,
    State,
    WorkDir,
)
from jobtui.core.lease import LeaseTakenError, read_lease

Until = Callable[..., Any]


@pytest.fixture
def manager(workdir: WorkDir) -> BlockingJobManager:
    return BlockingJobManager(workdir)


def sh(line: str, **more: Any) -> JobSpec:
    return JobSpec(shell=line, **more)


def one(manager: BlockingJobManager, job: int) -> JobRow:
    detail = manager.detail(job)
    assert detail is not None
    return detail.row


def out(manager: BlockingJobManager, job: int) -> str:
    path = Path(manager.workdir.metadir(job), "job.stdout")
    return path.read_text() if path.exists() else ""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_jobs_end_with_their_own_exit_codes_and_reasons(manager: BlockingJobManager) -> None:
    ids = manager.submit(sh("exit 0"), sh("exit 3"), sh("kill -9 $$"), JobSpec(command=("/nothing/here",)))
    rows = manager.wait(ids, timeout=30)
    assert [(row.state, row.reason, row.exit_code, row.signal) for row in rows] == [
        ("finished", None, 0, None),
        ("failed", "exit-code", 3, None),
        ("failed", "signal", 137, 9),
        ("failed", "exit-code", 127, None),
    ]
    assert all(row.started and row.ended and row.elapsed is not None for row in rows)


def test_no_more_jobs_run_at_once_than_there_are_slots(manager: BlockingJobManager, tmp_path: Path) -> None:
    manager.configure({"slots": 2})
    count = f"echo $(ls {tmp_path}/running | wc -l)"
    (tmp_path / "running").mkdir()
    line = f"touch {tmp_path}/running/$$; {count}; sleep 0.1; {count}; rm {tmp_path}/running/$$"
    ids = manager.submit(*[sh(line) for _ in range(8)])
    assert all(row.state == "finished" for row in manager.wait(ids, timeout=30))
    seen = [int(word) for job in ids for word in out(manager, job).split()]
    assert max(seen) == 2


def test_higher_priority_starts_first_and_equals_in_order(manager: BlockingJobManager, tmp_path: Path) -> None:
    manager.configure({"slots": 1})
    log = tmp_path / "order"
    first = manager.submit(sh("sleep 0.5"))
    names = [("low", -1), ("a", 0), ("b", 0), ("high", 5)]
    ids = manager.submit(*[sh(f"echo {name} >> {log}", priority=value) for name, value in names])
    manager.wait(first + ids, timeout=30)
    assert log.read_text().split() == ["high", "a", "b", "low"]


def test_cpu_and_memory_requests_hold_jobs_back_and_say_why(manager: BlockingJobManager, until: Until) -> None:
    manager.configure({"slots": 10, "cpus": 4, "memory": 2**30})
    need = Resources(cpus=3, memory=600 * 2**20)
    ids = manager.submit(sh("sleep 0.4", resources=need), sh("sleep 0.4", resources=need))
    impossible = manager.submit(sh("true", resources=Resources(cpus=5)))[0]
    rows = manager.wait(ids, timeout=30)
    assert rows[1].started is not None and rows[0].ended is not None
    assert rows[1].started >= rows[0].ended - 0.05
    assert "5 cpus" in until(lambda: one(manager, impossible).detail) and one(manager, impossible).state == "queued"


@pytest.mark.parametrize(
    ("parent", "ending", "state"),
    [
        ("true", "ok", "finished"),
        ("false", "ok", "cancelled"),
        ("false", "fail", "finished"),
        ("true", "fail", "cancelled"),
        ("false", "any", "finished"),
    ],
)
def test_a_job_starts_after_the_end_it_asked_for(
    manager: BlockingJobManager, parent: str, ending: Any, state: str
) -> None:
    first = manager.submit(sh(f"sleep 0.2; {parent}"))[0]
    then = manager.submit(sh("true", after=AfterJob(first, ending)))[0]
    assert one(manager, then).state == "created"
    row = manager.wait([then], timeout=30)[0]
    assert row.state == state
    if state == "cancelled":
        assert row.reason == "condition" and f"job {first}" in row.detail and row.attempt == 1
        assert not os.path.exists(f"{row.metadir}/job.begin")


def test_conditions_combine_and_a_cancelled_one_passes_on(manager: BlockingJobManager) -> None:
    good, bad = manager.submit(sh("sleep 0.2"), sh("sleep 0.2; false"))
    either, both = manager.submit(
        sh("true", after=AnyOf((AfterJob(good), AfterJob(bad)))),
        sh("true", after=AllOf((AfterJob(good), AfterJob(bad)))),
    )
    last = manager.submit(sh("true", after=AfterJob(both)))[0]
    states = [row.state for row in manager.wait([either, both, last], timeout=30)]
    assert states == ["finished", "cancelled", "cancelled"]


def test_a_job_does_not_start_before_its_time(manager: BlockingJobManager) -> None:
    at = time.time() + 1.0
    row = manager.wait(manager.submit(sh("true", after=AfterTime(at))), timeout=30)[0]
    assert row.state == "finished" and row.started is not None and row.started >= at - 0.05


def test_a_condition_on_a_job_that_is_not_there_is_refused(manager: BlockingJobManager) -> None:
    with pytest.raises(SpecError, match="no such job"):
        manager.submit(sh("true", after=AfterJob(99)))
    assert manager.jobs() == []


def test_failing_jobs_are_tried_again_with_growing_pauses_and_keep_every_output(manager: BlockingJobManager) -> None:
    retry = Retry(limit=2, delay=0.3, backoff="exponential")
    job = manager.submit(sh('echo "try $JOBTUI_ATTEMPT"; exit $((3 - JOBTUI_ATTEMPT))', retry=retry))[0]
    started = time.monotonic()
    row = manager.wait([job], timeout=30)[0]
    assert (row.state, row.attempt, row.exit_code) == ("finished", 3, 0)
    assert time.monotonic() - started >= 0.3 + 0.6
    kept = [Path(row.metadir, "job.retry", str(n), "job.stdout").read_text() for n in (1, 2)]
    assert [*kept, out(manager, job)] == ["try 1\n", "try 2\n", "try 3\n"]
    detail = manager.detail(job)
    assert detail is not None and [(a.number, a.exit_code) for a in detail.attempts] == [(1, 2), (2, 1)]


def test_only_the_endings_asked_for_are_tried_again(manager: BlockingJobManager) -> None:
    retry = Retry(limit=3, on=("exit:7", "timeout"))
    ids = manager.submit(
        sh("exit 1", retry=retry), sh("exit 7", retry=retry), sh("sleep 9", retry=retry, timeout=1, grace=1)
    )
    rows = manager.wait(ids, timeout=60)
    assert [row.attempt for row in rows] == [1, 4, 4]


def test_cancel_stops_children_of_children_and_waits_the_grace_time(manager: BlockingJobManager, until: Until) -> None:
    stubborn = "setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done'"
    line = f"trap '' TERM; ({stubborn}) & sleep 100 & echo $!; wait; wait"
    job = manager.submit(sh(line, grace=0.5))[0]
    pids = until(lambda: len(text := out(manager, job).split()) == 2 and list(map(int, text)))
    assert all(map(alive, pids))
    assert manager.cancel([job])[0].done
    row = manager.wait([job], timeout=30)[0]
    assert (row.state, row.reason) == ("cancelled", "person")
    until(lambda: not any(map(alive, pids)))


def test_a_job_that_tidies_up_at_cancel_is_cancelled_not_finished(manager: BlockingJobManager, until: Until) -> None:
    job = manager.submit(sh("trap 'echo tidy; exit 0' TERM; echo ready; while :; do sleep 0.05; done"))[0]
    until(lambda: out(manager, job) == "ready\n")
    manager.cancel([job])
    row = manager.wait([job], timeout=30)[0]
    assert (row.state, row.exit_code) == ("cancelled", 0)
    assert out(manager, job) == "ready\ntidy\n"


def test_force_kills_at_once(manager: BlockingJobManager, until: Until) -> None:
    job = manager.submit(sh("trap '' TERM; echo ready; while :; do sleep 0.05; done", grace=60))[0]
    until(lambda: out(manager, job) == "ready\n")
    manager.cancel([job])
    assert one(manager, job).state == "cancelling"
    assert manager.cancel([job], force=True)[0].done
    assert manager.wait([job], timeout=60)[0].state == "cancelled"


def test_a_queued_job_is_cancelled_at_once_even_without_an_engine(manager: BlockingJobManager) -> None:
    manager.configure({"autostart": False})
    job = manager.submit(sh("touch /nowhere"))[0]
    assert manager.cancel([job])[0].words == "cancelled"
    assert one(manager, job).state == "cancelled"
    manager.start_engine()
    assert manager.wait([job], timeout=60)[0].state == "cancelled"
    assert not os.path.exists(f"{manager.workdir.metadir(job)}/job.begin")


def test_ended_jobs_cannot_be_cancelled_and_running_ones_not_retried(manager: BlockingJobManager, until: Until) -> None:
    done, running = manager.submit(sh("true"), sh("sleep 30"))
    manager.wait([done], timeout=60)
    until(lambda: one(manager, running).state == "running")
    assert not manager.cancel([done])[0].done
    assert not manager.retry([running])[0].done
    assert not manager.remove([running])[0].done
    assert one(manager, running).state == "running"


def test_retry_by_hand_runs_the_same_job_again(manager: BlockingJobManager, tmp_path: Path) -> None:
    job = manager.submit(sh(f"echo $JOBTUI_ATTEMPT; test -e {tmp_path}/fixed"))[0]
    assert manager.wait([job], timeout=60)[0].state == "failed"
    (tmp_path / "fixed").touch()
    assert manager.retry([job])[0].done
    row = manager.wait([job], timeout=60)[0]
    assert (row.state, row.attempt, out(manager, job)) == ("finished", 2, "2\n")


def test_a_cancelled_job_can_be_retried(manager: BlockingJobManager) -> None:
    job = manager.submit(sh("echo ran", hold=True))[0]
    manager.cancel([job])
    assert one(manager, job).state == "cancelled"
    manager.retry([job])
    row = manager.wait([job], timeout=60)[0]
    assert (row.state, out(manager, job)) == ("finished", "ran\n")


def test_resubmit_makes_a_new_job_with_lineage_and_changes(manager: BlockingJobManager) -> None:
    old = manager.submit(sh("echo $X; exit 1", env={"X": "1"}, name="first"))[0]
    manager.wait([old], timeout=60)
    new = manager.resubmit(old, env={"X": "2"})
    row = manager.wait([new], timeout=60)[0]
    assert (row.resubmitted_from, row.name, out(manager, new), row.attempt) == (old, "first", "2\n", 1)
    assert out(manager, old) == "1\n"


def test_hold_keeps_a_job_until_release(manager: BlockingJobManager, until: Until) -> None:
    manager.configure({"slots": 1, "linger": 0.2})
    blocker, held = manager.submit(sh("sleep 0.3"), sh("true"))
    assert manager.hold([held])[0].done
    manager.wait([blocker], timeout=60)
    until(lambda: manager.engine() is None)
    assert one(manager, held).state == "held"
    assert manager.release([held])[0].done
    assert manager.wait([held], timeout=60)[0].state == "finished"


def test_the_array_tasks_know_their_index_and_their_array(manager: BlockingJobManager) -> None:
    ids = manager.submit(*[sh("echo $JOBTUI_ARRAY_ID/$JOBTUI_ARRAY_INDEX", array=ArrayTask(0, i)) for i in (1, 4, 7)])
    rows = manager.wait(ids, timeout=60)
    assert [out(manager, job) for job in ids] == [f"{ids[0]}/{i}\n" for i in (1, 4, 7)]
    assert [(row.array, row.array_index) for row in rows] == [(ids[0], 1), (ids[0], 4), (ids[0], 7)]


def test_gpus_are_given_out_one_by_one(manager: BlockingJobManager) -> None:
    manager.configure({"slots": 4, "gpus": 2})
    ids = manager.submit(*[sh("echo $CUDA_VISIBLE_DEVICES; sleep 0.3", resources=Resources(gpus=1)) for _ in range(4)])
    manager.wait(ids, timeout=60)
    seen = [out(manager, job).strip() for job in ids]
    assert sorted(seen[:2]) == ["0", "1"] and sorted(seen[2:]) == ["0", "1"]


def test_halt_cancels_everything_else_after_a_failure(manager: BlockingJobManager) -> None:
    manager.configure({"slots": 2, "on_error": "halt"})
    bad, running, waiting = manager.submit(sh("sleep 0.2; false"), sh("sleep 60"), sh("true"))
    rows = manager.wait([bad, running, waiting], timeout=30)
    assert [row.state for row in rows] == ["failed", "cancelled", "cancelled"]
    assert [row.reason for row in rows[1:]] == ["halted", "halted"]


def test_on_error_retry_tries_all_jobs_again_but_those_that_say_otherwise(manager: BlockingJobManager) -> None:
    manager.configure({"on_error": "retry", "retries": 2})
    ids = manager.submit(sh("false"), sh("false", retry=Retry(limit=0)))
    assert [row.attempt for row in manager.wait(ids, timeout=30)] == [3, 1]


def test_the_job_has_the_submitters_environment_not_the_engines(manager: BlockingJobManager) -> None:
    first = manager.submit(sh("echo $FRUIT"), environment={**os.environ, "FRUIT": "apple"})
    second = manager.submit(sh("echo $FRUIT"), environment={**os.environ, "FRUIT": "pear"})
    manager.wait(first + second, timeout=60)
    assert [out(manager, job) for job in first + second] == ["apple\n", "pear\n"]


def test_jobs_can_be_submitted_from_within_a_job_and_are_jobs_of_their_own(
    manager: BlockingJobManager, until: Until
) -> None:
    parent = manager.submit(
        sh(f"JOBTUI_WORKDIR= jobtui submit -w {manager.workdir.path} -- sleep 0.5; sleep 60"),
        environment={**os.environ, "PATH": f"{Path(os.sys.executable).parent}:{os.environ['PATH']}"},  # type: ignore[attr-defined]
    )[0]
    child = int(until(lambda: out(manager, parent).strip()))
    manager.cancel([parent])
    rows = manager.wait([parent, child], timeout=30)
    assert [row.state for row in rows] == ["cancelled", "finished"]


def test_a_failed_submission_makes_no_job_at_all(manager: BlockingJobManager) -> None:
    for bad in (JobSpec(), JobSpec(command=("",)), sh("true", cwd="/not/there"), sh("true", env={"A B": "x"})):
        with pytest.raises(SpecError):
            manager.submit(sh("true"), bad)
    assert manager.jobs() == []


def test_removed_jobs_are_gone_and_their_ids_stay_taken(manager: BlockingJobManager) -> None:
    ids = manager.submit(sh("true"), sh("true"))
    manager.wait(ids, timeout=60)
    assert all(outcome.done for outcome in manager.remove(ids))
    assert manager.jobs() == [] and not os.path.exists(manager.workdir.metadir(ids[0]))
    assert manager.submit(sh("true"))[0] == ids[-1] + 1


def test_a_job_that_another_waits_for_is_not_removed(manager: BlockingJobManager) -> None:
    manager.configure({"autostart": False})
    first, second = manager.submit(sh("true", hold=True), sh("true"))
    waits = manager.submit(sh("true", after=AllOf((AfterJob(first), AfterJob(second, "any")))))[0]
    manager.cancel([second])
    assert f"job {waits}" in manager.remove([second])[0].words
    assert one(manager, second).state == "cancelled"


# -- the async face, and an engine inside the caller's own process


def test_the_engine_runs_inside_a_program_and_leaves_nothing_behind(workdir: WorkDir) -> None:
    async def program() -> list[JobRow]:
        manager = JobManager(workdir)
        BlockingJobManager(workdir).configure({"autostart": False})
        ids = await manager.submit(sh("exit 0"), sh("exit 5"))
        await Engine(workdir, Settings(slots=2, linger=0)).run()
        assert await manager.engine() is None
        return await manager.select(*map(str, ids))

    assert [row.exit_code for row in anyio.run(program)] == [0, 5]


def test_changes_tell_every_client_how_a_job_goes_on(workdir: WorkDir) -> None:
    async def program() -> list[State]:
        manager, other = JobManager(workdir), JobManager(workdir)
        await manager.submit(sh("true"))
        feed = await manager.follow()
        assert [row.id for row in feed.rows] == [1]
        seen: list[State] = []
        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(other.submit, sh("sleep 0.3"))
                async for changes in feed:
                    seen += [change.row.state for change in changes if change.row is not None and change.row.id == 2]
                    if State.FINISHED in seen:
                        break
                tasks.cancel_scope.cancel()
        return seen

    states = anyio.run(program)
    assert State.RUNNING in states and states[-1] is State.FINISHED
    order = ["queued", "submitted", "running", "finished"]
    assert [order.index(state) for state in states] == sorted(order.index(state) for state in states)


def test_only_one_engine_drives(workdir: WorkDir, until: Until) -> None:
    manager = BlockingJobManager(workdir)
    manager.submit(sh("sleep 5"))
    until(manager.engine)

    with pytest.raises(LeaseTakenError, match="pid"):
        anyio.run(Engine(workdir).run)


def test_the_engine_ends_by_itself_and_a_new_job_starts_another(manager: BlockingJobManager, until: Until) -> None:
    manager.configure({"linger": 0.1})
    manager.wait(manager.submit(sh("true")), timeout=60)
    until(lambda: manager.engine() is None)
    assert read_lease(manager.workdir) is None
    assert manager.wait(manager.submit(sh("true")), timeout=60)[0].state == "finished"


def test_stopping_the_engine_leaves_running_jobs_alone_and_the_next_adopts_them(
    manager: BlockingJobManager, until: Until, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    job = manager.submit(sh(f"while [ ! -e {go} ]; do sleep 0.1; done; exit 4"))[0]
    until(lambda: one(manager, job).started)
    assert manager.stop_engine()
    assert one(manager, job).state == "running"
    manager.start_engine()
    go.touch()
    row = manager.wait([job], timeout=60)[0]
    assert (row.state, row.exit_code, row.attempt) == ("failed", 4, 1)


def test_a_job_submitted_right_after_an_engine_was_stopped_runs(manager: BlockingJobManager) -> None:
    for _ in range(5):
        job = manager.submit(sh("true"))[0]
        manager.wait([job], timeout=60)
        manager.stop_engine()


def test_a_reused_pid_is_never_touched(manager: BlockingJobManager, until: Until) -> None:
    manager.configure({"autostart": False})
    job = manager.submit(sh("sleep 60"))[0]
    manager.start_engine()
    until(lambda: one(manager, job).host)
    manager.stop_engine()
    assert "no engine" in manager.cancel([job])[0].words
    path = Path(manager.workdir.metadir(job), "job.begin")
    import msgspec

    begin = msgspec.json.decode(path.read_bytes())
    for who in ("wrapper", "payload"):
        os.kill(begin[who][0], signal.SIGKILL)
    until(lambda: not alive(begin["payload"][0]))
    # This very test stands in for an innocent process that was given the pids since.
    begin["wrapper"][0] = begin["payload"][0] = os.getpid()
    path.write_bytes(msgspec.json.encode(begin) + b"\n")
    manager.start_engine()
    row = manager.wait([job], timeout=60)[0]
    assert (row.state, row.reason) == ("cancelled", "person")


def test_a_retry_that_has_not_begun_can_be_taken_back(manager: BlockingJobManager, tmp_path: Path) -> None:
    job = manager.submit(sh(f"echo x >> {tmp_path}/ran; false"))[0]
    manager.wait([job], timeout=60)
    manager.configure({"autostart": False})
    manager.stop_engine()
    assert manager.retry([job])[0].done
    assert one(manager, job).state == "queued"
    assert manager.cancel([job])[0].done
    manager.start_engine()
    manager.wait([job], timeout=60)
    assert (one(manager, job).state, one(manager, job).attempt) == ("failed", 1)
    manager.retry([job])
    assert manager.wait([job], timeout=60)[0].attempt == 2, "and asked for again it runs"
    assert (tmp_path / "ran").read_text() == "x\nx\n"
