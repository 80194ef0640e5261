"""Jobs under a real Slurm with accounting: every action, and every way in which Slurm or the engine may fail."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clusters_kit import Cluster, slurm_cluster

from jobtui.core import AfterJob, AllOf, ArrayTask, BlockingJobManager, JobRow, JobSpec, Resources, Retry, WorkDir
from jobtui.core.errands import ForeignOrder, make_errand, named, run_errand
from jobtui.core.foreign import foreign_rows, own_jobs
from jobtui.core.lease import read_lease
from jobtui.core.workdir import ErrandFor

Until = Callable[..., Any]
Row = Callable[[int], JobRow]
Sh = Callable[..., JobSpec]

LATER = Resources(extra=("--begin=now+3600",))


@pytest.fixture(scope="module")
def slurm() -> Iterator[Cluster]:
    yield from slurm_cluster({"JOBTUI_SLURM_MSGTIMEOUT": "4"})


@pytest.fixture(scope="module")
def slow(slurm: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BlockingJobManager, int]]:
    """A job that runs into Slurm's own time limit while the other tests run."""
    manager = BlockingJobManager(WorkDir(tmp_path_factory.mktemp("slow") / "jobs"))
    # Not on the node that fails in another test.
    needs = Resources(time=60.0, extra=(f"--nodelist={slurm.env['JOBTUI_SLURM_NODE']}1",))
    job = manager.submit(
        JobSpec(shell="trap 'exit 7' TERM; while :; do sleep 0.2; done", backend="slurm", resources=needs)
    )
    yield manager, job[0]
    manager.stop_engine()


@pytest.fixture(autouse=True)
def clean(slurm: Cluster, slow: object, manager: BlockingJobManager) -> Iterator[None]:
    """Leave no job of a test in the queue."""
    yield
    if manager.workdir.exists():
        manager.stop_engine()
    jids = [row.jid for row in manager.jobs() if row.jid] if manager.workdir.exists() else []
    if jids:
        slurm.ask("scancel", "-Q", *jids, check=False)


def out(manager: BlockingJobManager, job: int, name: str = "job.stdout") -> str:
    path = Path(manager.workdir.metadir(job), name)
    return path.read_text() if path.exists() else ""


def submissions(slurm: Cluster, manager: BlockingJobManager) -> list[str]:
    """The job scripts of this work directory that Slurm ever got, one line for each time."""
    text = slurm.ask("squeue", "-h", "-t", "all", "-o", "%o")
    return [line for line in text.splitlines() if line.startswith(manager.workdir.path + "/")]


def engine_pid(manager: BlockingJobManager) -> int:
    lease = read_lease(manager.workdir)
    assert lease is not None
    return lease.process.pid


def wait_all(
    manager: BlockingJobManager, ids: list[int], timeout: float = 180.0
) -> list[tuple[str, str | None, int | None]]:
    return [(str(row.state), row.reason, row.exit_code) for row in manager.wait(ids, timeout=timeout)]


def test_jobs_end_with_their_own_codes_outputs_and_causes(manager: BlockingJobManager, sh: Sh, row: Row) -> None:
    ids = manager.submit(
        sh("echo out; echo err >&2; echo $JOBTUI_JOB_INDEX $MINE", env={"MINE": "a 'b"}),
        sh("exit 3"),
        sh("kill -9 $$"),
        JobSpec(command=("/nothing/here",), backend="slurm"),
        sh("true", name="tab\tand | pipe; 'ünï' %j"),
    )
    assert wait_all(manager, ids) == [
        ("finished", None, 0),
        ("failed", "exit-code", 3),
        ("failed", "signal", 137),
        ("failed", "exit-code", 127),
        ("finished", None, 0),
    ]
    assert out(manager, ids[0]) == f"out\n{ids[0]} a 'b\n" and out(manager, ids[0], "job.stderr") == "err\n"
    assert row(ids[0]).jid and row(ids[0]).started and row(ids[0]).host


def test_auto_finds_slurm(manager: BlockingJobManager, sh: Sh) -> None:
    ids = manager.submit(JobSpec(command=("true",), backend="auto"))
    assert manager.wait(ids, timeout=120)[0].backend == "slurm"


def test_two_hundred_jobs_run_once_each(slurm: Cluster, manager: BlockingJobManager, sh: Sh, tmp_path: Path) -> None:
    log = tmp_path / "log"
    ids = manager.submit(*[sh(f"echo $JOBTUI_JOB_INDEX >> {log}") for _ in range(200)])
    assert wait_all(manager, ids, 120) == [("finished", None, 0)] * 200
    assert sorted(map(int, log.read_text().split())) == ids
    assert len(submissions(slurm, manager)) == 200


def test_array_tasks_and_dependencies(manager: BlockingJobManager, sh: Sh, row: Row) -> None:
    array = manager.submit(*[sh("echo $JOBTUI_ARRAY_INDEX", array=ArrayTask(0, index)) for index in (3, 5)])
    bad = manager.submit(sh("exit 1"))[0]
    after = manager.submit(
        sh("true", after=AfterJob(array[0])), sh("true", after=AfterJob(bad)), sh("true", after=AfterJob(bad, "fail"))
    )
    assert [state for state, _, _ in wait_all(manager, after)] == ["finished", "cancelled", "finished"]
    assert [out(manager, job) for job in array] == ["3\n", "5\n"]
    assert row(after[0]).started >= row(array[0]).ended - 0.1  # type: ignore[operator]


def gate(path: Path) -> str:
    return f"while ! [ -e {path} ]; do sleep 0.1; done"


def test_a_net_of_jobs_runs_in_slurm_without_an_engine(
    slurm: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until, tmp_path: Path
) -> None:
    log, go = tmp_path / "log", tmp_path / "go"
    note = f"echo $JOBTUI_JOB_INDEX >> {log}"
    first = manager.submit(sh(f"{gate(go)}; {note}"))[0]
    second, bad, left = manager.submit(
        sh(note, after=AfterJob(first)), sh(f"{note}; exit 3", after=AfterJob(first)), sh(note, after=AfterJob(first))
    )
    third, never, rescue, bottom = manager.submit(
        sh(note, after=AfterJob(second)),
        sh(note, after=AfterJob(bad)),
        sh(note, after=AfterJob(bad, "fail")),
        sh(note, after=AllOf((AfterJob(left), AfterJob(second)))),
    )
    handed_over = lambda: all(job.jid and (job.detail or job.id == first) for job in manager.jobs())  # noqa: E731
    until(handed_over, 60)
    tasks = manager.submit(*[sh(note, after=AfterJob(second), array=ArrayTask(0, index)) for index in (0, 1)])
    until(handed_over, 60)
    assert row(third).detail == f"after job {second} ends well (at slurm)"
    assert len({str(row(task).jid).partition("_")[0] for task in tasks}) == 1
    os.kill(engine_pid(manager), signal.SIGKILL)
    until(lambda: manager.engine() is None)
    go.touch()
    until(lambda: log.exists() and len(log.read_text().split()) == 9, 90)
    order = list(map(int, log.read_text().split()))
    assert order[0] == first and never not in order
    assert order.index(bottom) > max(order.index(left), order.index(second))
    assert min(order.index(job) for job in (third, *tasks)) > order.index(second)
    assert order.index(rescue) > order.index(bad)
    ended = {job.id: (str(job.state), job.reason) for job in manager.wait([third, never, rescue, bottom, *tasks], 60)}
    assert ended.pop(never) == ("cancelled", "condition") and set(ended.values()) == {("finished", None)}
    assert row(never).detail == f"could never start: job {bad} ended badly"
    assert len(log.read_text().split()) == 9
    after_all = manager.submit(sh("true", after=AfterJob(first)), sh("true", after=AfterJob(bad)))
    assert [state for state, _, _ in wait_all(manager, after_all)] == ["finished", "cancelled"]


def test_a_parent_that_is_run_again_is_waited_for_again(
    manager: BlockingJobManager, sh: Sh, row: Row, until: Until, tmp_path: Path
) -> None:
    log, go = tmp_path / "log", tmp_path / "go"
    parent = manager.submit(sh(f"echo up >> {log}; {gate(go)}; echo parent >> {log}"))[0]
    any_way, well = manager.submit(
        sh(f"echo child >> {log}", after=AfterJob(parent, "any")), sh(f"echo child >> {log}", after=AfterJob(parent))
    )
    until(lambda: row(any_way).jid and row(well).jid and log.exists(), 40)
    manager.requeue([parent])
    until(lambda: log.read_text().split().count("up") == 2, 60)
    go.touch()
    assert [state for state, _, _ in wait_all(manager, [parent, any_way, well], 90)] == ["finished"] * 3
    assert log.read_text().split() == ["up", "up", "parent", "child", "child"]


def test_an_array_is_one_submission_and_its_tasks_are_jobs(
    slurm: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until
) -> None:
    specs = [sh("echo $JOBTUI_ARRAY_INDEX", array=ArrayTask(0, index), resources=LATER) for index in range(40)]
    ids = manager.submit(*specs)
    until(lambda: all(row(job).jid for job in ids))
    assert len({str(row(job).jid).partition("_")[0] for job in ids}) == 1
    # Slurm keeps no trace of a task that is cancelled while it waits.
    manager.cancel(ids[5:10])
    assert wait_all(manager, ids[5:10]) == [("cancelled", "person", None)] * 5
    manager.hold(ids[10:12])
    until(lambda: all(row(job).state == "held" for job in ids[10:12]))
    assert row(ids[0]).state == "submitted"
    slurm.ask("scontrol", "update", f"jobid={str(row(ids[0]).jid).partition('_')[0]}", "StartTime=now")
    manager.cancel(ids[10:12])
    rest = ids[:5] + ids[12:]
    assert wait_all(manager, rest) == [("finished", None, 0)] * len(rest)
    assert [out(manager, job) for job in rest] == [f"{job - ids[0]}\n" for job in rest]


def test_a_job_over_its_memory_is_out_of_memory(manager: BlockingJobManager, sh: Sh) -> None:
    if not os.access("/sys/fs/cgroup/memory/tasks", os.W_OK):
        pytest.skip("memory limits need a writable memory cgroup")
    hog = "exec python3 -c 'x = bytearray(300 << 20); print(len(x))'"
    ids = manager.submit(sh(hog, resources=Resources(memory=50 << 20)))
    state, reason, _ = wait_all(manager, ids)[0]
    assert (state, reason) == ("failed", "out-of-memory")


def test_a_jobs_own_time_limit_ends_it_under_slurm_too(manager: BlockingJobManager, sh: Sh) -> None:
    ids = manager.submit(sh("sleep 60", timeout=1.0))
    assert wait_all(manager, ids)[0][:2] == ("failed", "timeout")


def test_a_refused_submission_says_it_in_slurms_words(manager: BlockingJobManager, sh: Sh, row: Row) -> None:
    ids = manager.submit(
        sh("true", resources=Resources(queue="nosuch")), sh("true", resources=Resources(extra=("--zz",)))
    )
    assert [one[:2] for one in wait_all(manager, ids)] == [("failed", "launch")] * 2
    assert "invalid partition specified: nosuch" in row(ids[0]).detail
    assert "--zz" in row(ids[1]).detail


def test_waiting_and_running_jobs_are_cancelled(
    slurm: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until
) -> None:
    waiting, running, deaf, forced = manager.submit(
        sh("true", resources=LATER),
        sh("sleep 300"),
        sh("trap '' TERM; while :; do sleep 0.1; done"),
        sh("trap '' TERM; while :; do sleep 0.1; done"),
    )
    until(lambda: "start time" in row(waiting).detail)
    for job in (running, deaf, forced):
        until(lambda job=job: row(job).state == "running")
    manager.cancel([waiting, running, deaf])
    manager.cancel([forced], force=True)
    rows = manager.wait([waiting, running, deaf, forced], timeout=60)
    assert [(one.state, one.reason) for one in rows] == [("cancelled", "person")] * 4
    left = slurm.ask(
        "squeue", "-h", "-t", "PD,R,CG", "-j", ",".join(str(one.jid) for one in rows), "-o", "%T", check=False
    )
    assert "RUNNING" not in left and "PENDING" not in left


def test_what_others_do_to_a_job_in_slurm_is_told(
    slurm: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until
) -> None:
    held, cancelled = manager.submit(sh("true", resources=LATER), sh("sleep 300"))
    until(lambda: row(cancelled).state == "running" and row(held).jid)
    slurm.ask("scontrol", "hold", str(row(held).jid))
    slurm.ask("scancel", str(row(cancelled).jid))
    until(lambda: row(cancelled).state == "cancelled")
    assert "not through jobtui" in row(cancelled).detail
    until(lambda: row(held).state == "held")
    slurm.ask("scontrol", "release", str(row(held).jid))
    until(lambda: row(held).state == "submitted", 40)


def test_hold_and_release(manager: BlockingJobManager, sh: Sh, row: Row, until: Until) -> None:
    job = manager.submit(sh("echo done", resources=LATER))[0]
    until(lambda: row(job).jid and row(job).state == "submitted")
    assert manager.hold([job])[0].done
    until(lambda: row(job).state == "held" and "release it" in row(job).detail)
    assert manager.engine() is not None
    assert manager.release([job])[0].done
    until(lambda: row(job).state == "submitted")
    assert manager.hold([job])[0].done
    until(lambda: row(job).state == "held")
    manager.cancel([job])
    until(lambda: row(job).state == "cancelled")


def test_a_signal_reaches_the_job(manager: BlockingJobManager, sh: Sh, row: Row, until: Until) -> None:
    job = manager.submit(sh("trap 'echo got it; exit 0' USR1; echo ready; while :; do sleep 0.1; done"))[0]
    until(lambda: row(job).state == "running" and out(manager, job) == "ready\n")
    assert manager.signal([job], "USR1")[0].done
    manager.wait([job], timeout=120)
    assert out(manager, job) == "ready\ngot it\n"


def test_requeue_is_the_next_attempt(
    slurm: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until
) -> None:
    job = manager.submit(sh("echo attempt $JOBTUI_ATTEMPT; [ $JOBTUI_ATTEMPT = 2 ] || sleep 300"))[0]
    until(lambda: row(job).state == "running")
    first = row(job).jid
    assert manager.requeue([job])[0].done
    assert wait_all(manager, [job]) == [("finished", None, 0)]
    assert row(job).attempt == 2 and row(job).jid != first and out(manager, job) == "attempt 2\n"


def test_a_failed_job_is_tried_again(manager: BlockingJobManager, sh: Sh, row: Row) -> None:
    job = manager.submit(sh("[ $JOBTUI_ATTEMPT = 3 ]", retry=Retry(limit=2)))[0]
    assert wait_all(manager, [job]) == [("finished", None, 0)] and row(job).attempt == 3


def test_a_failing_node_is_the_reason(
    slurm: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until
) -> None:
    node = slurm.env["JOBTUI_SLURM_NODE"] + "2"
    job = manager.submit(sh("sleep 300", resources=Resources(extra=(f"--nodelist={node}",))))[0]
    until(lambda: row(job).state == "running")
    slurm.ask("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    try:
        assert wait_all(manager, [job])[0][:2] == ("failed", "node-failure")
    finally:
        slurm.ask("scontrol", "update", f"nodename={node}", "state=resume", check=False)
    assert row(job).exit_code is None or row(job).exit_code > 128


def test_a_job_that_slurm_starts_a_second_time_runs_once(
    slurm: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    line = f"echo run >> {log}; sleep 300"
    job = manager.submit(sh(line, resources=Resources(extra=("--requeue",))))[0]
    until(lambda: row(job).state == "running" and log.exists())
    slurm.ask("scontrol", "requeue", str(row(job).jid))
    state, _, _ = wait_all(manager, [job])[0]
    assert state != "finished" and log.read_text() == "run\n"


def test_other_jobs_of_the_person_are_known(slurm: Cluster, manager: BlockingJobManager, sh: Sh, until: Until) -> None:
    jid = slurm.ask("sbatch", "--parsable", "-J", "foreign one", "--begin=now+3600", "--wrap", "true").strip()
    try:
        job = manager.submit(sh("sleep 300"))[0]

        def others() -> Any:
            return next(({one.jid: one.name for one in seen.others}.get(jid) for seen in manager.schedulers()), None)

        assert until(others) == "foreign one"
        assert str(manager.detail(job).row.jid) != jid  # type: ignore[union-attr]
    finally:
        slurm.ask("scancel", jid)


# -- trouble


def one_shot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> Path:
    """An sbatch that once does ``body`` (where ``real`` submits) and from then on is the real one."""
    folder, flag = tmp_path / "bin", tmp_path / "once"
    folder.mkdir()
    flag.touch()
    script = folder / "sbatch"
    script.write_text(
        f'#!/bin/bash\nreal() {{ /usr/bin/sbatch "$@"; }}\nif rm {flag} 2>/dev/null; then\n{body}\nfi\nreal "$@"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return flag


def test_an_engine_killed_before_it_knows_the_id_leaves_exactly_one_job(
    slurm: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    flag = one_shot(tmp_path, monkeypatch, 'real "$@" >/dev/null; kill -9 $PPID; exit 1')
    job = manager.submit(sh("echo run", resources=LATER))[0]
    until(lambda: not flag.exists())
    until(lambda: manager.engine() is None)
    assert row(job).jid is None
    manager.start_engine()
    until(lambda: row(job).jid)
    assert len(submissions(slurm, manager)) == 1
    assert str(row(job).jid) in slurm.ask("squeue", "-h", "-o", "%i").split()


def test_a_submission_that_is_answered_wrongly_is_found_by_its_mark(
    slurm: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    lie = 'real "$@" >/dev/null; echo "sbatch: error: Batch job submission failed: Socket timed out" >&2; exit 1'
    one_shot(tmp_path, monkeypatch, lie)
    job = manager.submit(sh("echo run", resources=LATER))[0]
    until(lambda: row(job).jid)
    assert len(submissions(slurm, manager)) == 1


def test_a_controller_that_is_down_for_a_while_loses_nothing(
    slurm: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    go = tmp_path / "go"
    ids = manager.submit(*[sh(f"while ! [ -e {go} ]; do sleep 0.1; done; echo x >> {log}") for _ in range(20)])
    until(lambda: sum(row(job).state == "running" for job in ids) >= 4)
    slurm.call("controller", "down")
    try:
        later = manager.submit(sh(f"echo x >> {log}"))
        go.touch()
        # What runs ends by its own record, while nobody can be asked.
        until(lambda: sum(row(job).state == "finished" for job in ids) >= 4)
        until(lambda: "nable to contact" in row(later[0]).detail, 40)
        assert row(later[0]).state == "queued"
    finally:
        slurm.call("controller", "start")
    assert wait_all(manager, [*ids, *later], 120) == [("finished", None, 0)] * 21
    assert log.read_text() == "x\n" * 21


def test_a_hung_controller_changes_no_state(
    slurm: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until
) -> None:
    ids = manager.submit(
        sh("sleep 300"), sh("true", resources=LATER), sh("exit 4", resources=Resources(extra=("--hold",)))
    )
    until(lambda: row(ids[0]).state == "running" and row(ids[2]).state == "held")
    slurm.call("controller", "stop")
    try:
        fresh = manager.submit(sh("true"), JobSpec(shell="true"))
        # A hung scheduler does not keep local jobs from running.
        assert manager.wait(fresh[1:], timeout=30)[0].state == "finished"

        def troubled() -> bool:
            return all(seen.trouble and seen.at < seen.tried for seen in manager.schedulers())

        until(troubled, 40)
        manager.cancel([ids[1]])
        assert [str(row(job).state) for job in ids] == ["running", "cancelling", "held"]
    finally:
        slurm.call("controller", "cont")
    assert wait_all(manager, [fresh[0]], 90) == [("finished", None, 0)]
    until(lambda: row(ids[1]).state == "cancelled", 60)
    scripts = [line for line in submissions(slurm, manager) if line.endswith(f"/{fresh[0]}/job.wrapped.slurm")]
    assert len(scripts) == 1 or out(manager, fresh[0]) == ""


def test_a_new_engine_takes_up_what_runs(manager: BlockingJobManager, sh: Sh, row: Row, until: Until) -> None:
    running, waiting = manager.submit(sh("sleep 300"), sh("true", resources=LATER))
    until(lambda: row(running).state == "running" and row(waiting).jid)
    manager.hold([waiting])
    until(lambda: row(waiting).state == "held")
    os.kill(engine_pid(manager), signal.SIGKILL)
    until(lambda: manager.engine() is None)
    manager.start_engine()
    assert row(running).state == "running"
    manager.cancel([running])
    until(lambda: row(running).state == "cancelled")
    until(lambda: row(waiting).state == "held")


def test_a_thousand_waiting_jobs_are_one_query(
    slurm: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    count = tmp_path / "count"
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "squeue"
    script.write_text(f'#!/bin/sh\necho x >> {count}\nexec /usr/bin/squeue "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    ids = manager.submit(*[sh("true", resources=Resources(extra=("--hold",))) for _ in range(1000)])
    until(lambda: sum(one.state == "held" for one in manager.jobs()) == 1000, 120)
    assert count.read_text().count("x") < 12
    assert len(submissions(slurm, manager)) == 1000
    manager.cancel(ids)
    assert {one.state for one in manager.wait(ids, timeout=60)} == {"cancelled"}


def test_slurms_time_limit_is_the_reason_whatever_the_job_says(slow: tuple[BlockingJobManager, int]) -> None:
    manager, job = slow
    one = manager.wait([job], timeout=120)[0]
    assert (one.state, one.reason, one.exit_code) == ("failed", "timeout", 7)


def test_a_job_of_plain_sbatch_is_seen_told_of_and_ordered(
    manager: BlockingJobManager, slurm: Cluster, until: Until, tmp_path: Path
) -> None:
    path = tmp_path / "out-%j.txt"
    argv = ("sbatch", "--parsable", "-J", "theirs", "-o", str(path), "--wrap")
    theirs = slurm.ask(*argv, "echo hello; sleep 600").strip()
    held = slurm.ask(*argv[:2], "--hold", *argv[2:], "true").strip()

    def foreign() -> dict[str, JobRow]:
        assert manager.ask_schedulers(["slurm"], 60)
        seen = manager.schedulers()
        return {row.label: row for row in foreign_rows(seen, own_jobs(manager.jobs(), seen), time.time())}

    def state(jid: str) -> str:
        row = foreign().get(f"slurm:{jid}")
        return "" if row is None else str(row.state)

    until(lambda: state(theirs) == "running" and state(held) == "held", 60)
    row = foreign()[f"slurm:{theirs}"]
    assert (row.name, row.queue) == ("theirs", "main")
    told = run_errand(manager.workdir, make_errand("slurm", "show", [named(row)])).shown[theirs]
    assert told.stdout == str(tmp_path / f"out-{theirs}.txt")
    assert Path(told.stdout).read_text() == "hello\n"
    script = run_errand(manager.workdir, make_errand("slurm", "script", [named(row)])).script
    assert script.startswith("#!/bin/sh") and "echo hello" in script
    outcomes = manager.order_foreign(ForeignOrder("cancel"), [("slurm", named(row)), ("slurm", ErrandFor("99999999"))])
    assert outcomes["slurm", theirs].done
    assert "does not list" in outcomes["slurm", "99999999"].words
    assert manager.order_foreign(ForeignOrder("release"), [("slurm", ErrandFor(held))])["slurm", held].done
    until(lambda: state(theirs) == "cancelled" and state(held) == "finished", 60)
    again = manager.order_foreign(ForeignOrder("cancel"), [("slurm", ErrandFor(theirs))])["slurm", theirs]
    assert not again.done and "ended already" in again.words


def attach(manager: BlockingJobManager, jid: str) -> int:
    outcome = manager.order_foreign(ForeignOrder("attach"), [("slurm", ErrandFor(jid))])["slurm", jid]
    assert outcome.done, outcome.words
    return outcome.job


def test_jobs_of_plain_sbatch_are_attached_and_end_as_slurm_says(
    manager: BlockingJobManager, slurm: Cluster, until: Until, row: Row, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    wait = f"while [ ! -e {gate} ]; do sleep 0.2; done"

    def sbatch(line: str, *options: str) -> str:
        where = ("-o", str(tmp_path / "%x-%j.out"), *options)
        return slurm.ask("sbatch", "--parsable", *where, "--wrap", line).strip()

    good, bad = sbatch(f"echo hello; {wait}", "-J", "good"), sbatch(f"{wait}; exit 3", "-J", "bad")
    doomed, held = sbatch("sleep 600", "-J", "doomed"), sbatch("true", "-J", "held", "--hold")
    array = sbatch(wait, "-a", "3-4")
    one, two, three, four = (attach(manager, jid) for jid in (good, bad, doomed, held))
    again = manager.order_foreign(ForeignOrder("attach"), [("slurm", ErrandFor(good))])["slurm", good]
    assert not again.done and f"job {one} of this work directory" in again.words
    whole = manager.order_foreign(ForeignOrder("attach"), [("slurm", ErrandFor(array))])["slurm", array]
    assert not whole.done and "one by one" in whole.words
    task = attach(manager, f"{array}_4")
    until(lambda: [str(row(job).state) for job in (one, two, three, four)] == ["running"] * 3 + ["held"], 60)
    until(lambda: out(manager, one) == "hello\n", 60)
    assert (row(one).name, row(one).attached, row(one).jid, row(one).queue) == ("good", True, good, "main")
    assert row(one).host and row(one).started
    manager.cancel([three])
    manager.release([four])
    # Another engine takes them up, whatever becomes of this one.
    manager.stop_engine()
    gate.write_text("")
    until(lambda: "COMPLETED" in slurm.ask("squeue", "-h", "-t", "all", "-j", good, "-o", "%T"), 60)
    manager.start_engine()
    ended = wait_all(manager, [one, two, three, four, task])
    assert ended == [
        ("finished", None, 0),
        ("failed", "exit-code", 3),
        ("cancelled", "person", ended[2][2]),
        ("finished", None, 0),
        ("finished", None, 0),
    ]
    assert row(one).elapsed is not None and row(one).host
    assert not manager.retry([two])[0].done and not manager.requeue([two])[0].done
    assert slurm.ask("sacct", "-nX", "-P", "-D", "-j", bad, "-o", "JobID").split() == [bad]
    assert os.listdir(manager.workdir.path).count("job.begin") == 0


def test_a_job_that_slurm_requeued_is_still_the_attached_one(
    manager: BlockingJobManager, slurm: Cluster, until: Until, row: Row, tmp_path: Path
) -> None:
    jid = slurm.ask("sbatch", "--parsable", "--requeue", "-o", str(tmp_path / "out"), "--wrap", "sleep 600").strip()
    job = attach(manager, jid)
    until(lambda: row(job).state == "running", 60)
    slurm.ask("scontrol", "requeue", jid)
    until(lambda: row(job).state == "submitted", 60)
    again = manager.order_foreign(ForeignOrder("attach"), [("slurm", ErrandFor(jid))])["slurm", jid]
    assert not again.done and f"job {job} of this work directory" in again.words
    manager.cancel([job])
    assert wait_all(manager, [job])[0][0] == "cancelled"


def test_a_job_of_plain_sbatch_is_submitted_again_by_its_own_script(
    manager: BlockingJobManager, slurm: Cluster, until: Until, row: Row, tmp_path: Path
) -> None:
    script = tmp_path / "run.sh"
    script.write_text('#!/bin/bash\n#SBATCH -J theirs --ntasks=1 -o /dev/null\nx=(a b)\necho "${x[1]} $1 $PWD"\n')
    jid = slurm.ask("sbatch", "--parsable", "--hold", "-t", "5", "-D", str(tmp_path), str(script), "word").strip()
    spec = manager.foreign_spec("slurm", ErrandFor(jid))
    assert (spec.name, spec.cwd, spec.resources.time) == ("theirs", str(tmp_path), 300.0)
    assert spec.resources.extra == ("--ntasks=1",)
    first = manager.submit(spec)[0]
    job = attach(manager, jid)
    again = manager.resubmit(job)
    assert wait_all(manager, [first, again]) == [("finished", None, 0)] * 2
    assert [out(manager, one) for one in (first, again)] == [f"b word {tmp_path}\n"] * 2
    assert row(again).resubmitted_from == job and not row(again).attached
    manager.cancel([job])
    assert wait_all(manager, [job])[0][0] == "cancelled"
