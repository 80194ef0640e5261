"""Jobs under a real Grid Engine: every action, and every way in which Grid Engine or the engine may fail."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from clusters_kit import Cluster, sge_cluster

from jobtui.backends.dialect import Site
from jobtui.backends.sge import Sge
from jobtui.core import AfterJob, ArrayTask, BlockingJobManager, JobRow, JobSpec, Resources, Retry, WorkDir
from jobtui.core.backend import Request
from jobtui.core.lease import read_lease
from jobtui.core.script import job_script, place_here
from jobtui.core.seen import Seen

Until = Callable[..., Any]
Row = Callable[[int], JobRow]
Sh = Callable[..., JobSpec]

LATER = Resources(extra=("-a", time.strftime("%Y%m%d%H%M", time.localtime(time.time() + 7200))))
DEAF = "trap '' TERM; while :; do sleep 0.1; done"


@pytest.fixture(scope="module")
def sge() -> Iterator[Cluster]:
    yield from sge_cluster()


@pytest.fixture
def sh() -> Sh:
    def make(line: str, **more: Any) -> JobSpec:
        return JobSpec(shell=line, backend="sge", **more)

    return make


@pytest.fixture(autouse=True)
def clean(sge: Cluster, manager: BlockingJobManager) -> Iterator[None]:
    """Leave no job of a test in the queue."""
    yield
    if manager.workdir.exists():
        manager.stop_engine()
    jids = [row.jid for row in manager.jobs() if row.jid] if manager.workdir.exists() else []
    if jids:
        sge.ask("qdel", *jids, check=False)


def out(manager: BlockingJobManager, job: int, name: str = "job.stdout") -> str:
    path = Path(manager.workdir.metadir(job), name)
    return path.read_text() if path.exists() else ""


def queued(sge: Cluster, manager: BlockingJobManager) -> list[str]:
    """The marks of this work directory's jobs that Grid Engine has or had, one for each time it got one."""
    specs = [Path(manager.workdir.metadir(row.id), "job.json") for row in manager.jobs()]
    tags = {json.loads(spec.read_text())["tag"] for spec in specs}
    marks = re.findall(r"<JB_name>[^<]*\.(jt\w+)\.\d+<", sge.ask("qstat", "-xml", "-s", "prsz"))
    return [mark for mark in marks if mark in tags]


def seen_of(manager: BlockingJobManager) -> Seen | None:
    path = Path(manager.workdir.file("seen.sge"))
    return msgspec.json.decode(path.read_bytes(), type=Seen) if path.exists() else None


def ends(
    manager: BlockingJobManager, ids: list[int], timeout: float = 180.0
) -> list[tuple[str, str | None, int | None]]:
    return [(str(row.state), row.reason, row.exit_code) for row in manager.wait(ids, timeout=timeout)]


def test_jobs_end_with_their_own_codes_outputs_and_causes(
    sge: Cluster, manager: BlockingJobManager, sh: Sh, row: Row
) -> None:
    ids = manager.submit(
        sh("echo out; echo err >&2; echo $JOBTUI_JOB_INDEX $MINE", env={"MINE": "a 'b"}),
        sh("kill -9 $$"),
        JobSpec(command=("/nothing/here",), backend="sge"),
        sh("true", name="1tab\tand | pipe; 'ünï' %j"),
        # By these a job would tell Grid Engine to run it again, or to keep it in error.
        sh("exit 99"),
        sh("exit 100"),
    )
    assert ends(manager, ids) == [
        ("finished", None, 0),
        ("failed", "signal", 137),
        ("failed", "exit-code", 127),
        ("finished", None, 0),
        ("failed", "exit-code", 99),
        ("failed", "exit-code", 100),
    ]
    assert out(manager, ids[0]) == f"out\n{ids[0]} a 'b\n" and out(manager, ids[0], "job.stderr") == "err\n"
    assert row(ids[0]).jid and row(ids[0]).started and row(ids[0]).host
    assert not sge.ask("qstat")


def test_the_environment_reaches_a_job_whole_and_is_nobody_elses_to_see(
    sge: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEVERAL", "one\n  two 'three' $HOME")
    job = manager.submit(sh('printf "%s" "$SEVERAL"; sleep 300', resources=LATER))[0]
    until(lambda: row(job).jid)
    assert "SEVERAL" not in sge.ask("qstat", "-j", str(row(job).jid))
    sge.ask("qalter", "-a", "200001010000", str(row(job).jid))
    until(lambda: out(manager, job) == "one\n  two 'three' $HOME")


def test_forty_jobs_run_once_each(sge: Cluster, manager: BlockingJobManager, sh: Sh, tmp_path: Path) -> None:
    log = tmp_path / "log"
    ids = manager.submit(*[sh(f"echo $JOBTUI_JOB_INDEX >> {log}") for _ in range(40)])
    assert ends(manager, ids, 120) == [("finished", None, 0)] * 40
    assert sorted(map(int, log.read_text().split())) == ids
    assert len(queued(sge, manager)) == 40


def test_dependencies(manager: BlockingJobManager, sh: Sh) -> None:
    good, bad = manager.submit(sh("true"), sh("exit 1"))
    after = manager.submit(
        sh("true", after=AfterJob(good)), sh("true", after=AfterJob(bad)), sh("true", after=AfterJob(bad, "fail"))
    )
    assert [state for state, _, _ in ends(manager, after)] == ["finished", "cancelled", "finished"]


def test_jobs_after_others_in_any_way_start_without_an_engine(
    manager: BlockingJobManager, sh: Sh, row: Row, until: Until, tmp_path: Path
) -> None:
    log, go = tmp_path / "log", tmp_path / "go"
    note = f"echo $JOBTUI_JOB_INDEX >> {log}"
    bad = manager.submit(sh(f"while ! [ -e {go} ]; do sleep 0.1; done; {note}; exit 3"))[0]
    second = manager.submit(sh(note, after=AfterJob(bad, "any")))[0]
    third, here = manager.submit(sh(note, after=AfterJob(second, "any")), sh(note, after=AfterJob(second)))
    until(lambda: row(third).jid and row(third).detail, 40)
    assert row(third).detail == f"after job {second} ends in any way (at sge)"
    assert str(row(third).state) == "submitted" and str(row(here).state) == "created"
    lease = read_lease(manager.workdir)
    assert lease is not None
    os.kill(lease.process.pid, signal.SIGKILL)
    until(lambda: manager.engine() is None)
    go.touch()
    until(lambda: log.exists() and len(log.read_text().split()) == 3, 90)
    assert list(map(int, log.read_text().split())) == [bad, second, third]
    assert [state for state, _, _ in ends(manager, [bad, second, third, here], 60)] == ["failed"] + ["finished"] * 3


def test_an_array_is_one_submission_and_its_tasks_are_jobs_of_their_own(
    sge: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until
) -> None:
    def tasks(line: str, **more: Any) -> list[int]:
        return manager.submit(*[sh(line, array=ArrayTask(0, index), **more) for index in (3, 5, 7, 9)])

    ids = tasks("echo $JOBTUI_ARRAY_INDEX; exit $(($JOBTUI_ARRAY_INDEX == 5 ? 100 : 0))")
    good = ("finished", None, 0)
    assert ends(manager, ids) == [good, ("failed", "exit-code", 100), good, good]
    assert [out(manager, job) for job in ids] == ["3\n", "5\n", "7\n", "9\n"]
    jids = [str(row(job).jid) for job in ids]
    assert jids == [f"{jids[0].partition('.')[0]}.{task}" for task in (1, 2, 3, 4)]

    running, held, cancelled, waiting = tasks("sleep 300", resources=LATER)
    until(lambda: all(row(job).jid for job in (running, held, cancelled, waiting)))
    assert manager.hold([held])[0].done
    manager.cancel([cancelled])
    until(lambda: row(held).state == "held" and row(cancelled).state == "cancelled", 40)
    assert row(waiting).state == "submitted"
    sge.ask("qalter", "-a", "200001010000", str(row(running).jid).partition(".")[0])
    until(lambda: row(running).state == row(waiting).state == "running", 40)
    assert row(held).state == "held"
    manager.cancel([running])
    assert manager.release([held])[0].done
    until(lambda: row(running).state == "cancelled" and row(held).state == "running", 60)
    assert row(waiting).state == "running"


def test_time_limits_are_the_reason_whatever_the_job_says(manager: BlockingJobManager, sh: Sh, row: Row) -> None:
    ids = manager.submit(
        sh("sleep 60", timeout=1.0),
        sh("trap 'exit 7' TERM; while :; do sleep 0.1; done", resources=Resources(time=2.0)),
    )
    assert [one[:2] for one in ends(manager, ids)] == [("failed", "timeout")] * 2
    assert row(ids[1]).exit_code == 7 and "by Grid Engine" in row(ids[1]).detail


def test_cores_and_memory_are_asked_for_and_held_to(manager: BlockingJobManager, sh: Sh) -> None:
    hog = "exec python3 -c 'x = bytearray(900 << 20)'"
    ids = manager.submit(
        sh("echo $NSLOTS", resources=Resources(cpus=3)), sh(hog, resources=Resources(cpus=2, memory=400 << 20))
    )
    assert ends(manager, ids) == [("finished", None, 0), ("failed", "exit-code", 1)]
    assert out(manager, ids[0]) == "3\n" and "MemoryError" in out(manager, ids[1], "job.stderr")


def test_a_refused_submission_says_it_in_grid_engines_words(manager: BlockingJobManager, sh: Sh, row: Row) -> None:
    ids = manager.submit(
        sh("true", resources=Resources(queue="nosuch.q")), sh("true", resources=Resources(extra=("--zz",)))
    )
    assert [one[:2] for one in ends(manager, ids)] == [("failed", "launch")] * 2
    assert row(ids[0]).detail == 'Job was rejected because job requests unknown queue "nosuch.q"'
    assert "--zz" in row(ids[1]).detail


def test_waiting_and_running_jobs_are_cancelled(
    sge: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until
) -> None:
    waiting, running, deaf, forced = manager.submit(
        sh("true", resources=LATER),
        sh("trap 'echo told; exit' TERM; while :; do sleep 0.1; done"),
        sh(DEAF, grace=1.0),
        sh(DEAF),
    )
    until(lambda: "start time" in row(waiting).detail)
    for job in (running, deaf, forced):
        until(lambda job=job: row(job).state == "running")
    manager.cancel([waiting, running, deaf])
    manager.cancel([forced], force=True)
    rows = manager.wait([waiting, running, deaf, forced], timeout=60)
    assert [(one.state, one.reason) for one in rows] == [("cancelled", "person")] * 4
    assert out(manager, running) == "told\n" and row(deaf).exit_code == 137
    until(lambda: not sge.ask("qstat"))


def test_a_waiting_job_is_cancelled_where_grid_engine_keeps_no_trace_of_it(
    sge: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until, tmp_path: Path
) -> None:
    settings = tmp_path / "global"

    def keep(ended: int) -> None:
        text = re.sub(r"(?m)^finished_jobs .*$", f"finished_jobs {ended}", sge.ask("qconf", "-sconf"))
        settings.write_text(text)
        sge.ask("qconf", "-Mconf", str(settings))

    keep(0)
    try:
        job = manager.submit(sh("true", resources=LATER))[0]
        until(lambda: "start time" in row(job).detail)
        manager.cancel([job])
        until(lambda: row(job).state == "cancelled", 60)
        assert str(row(job).jid) not in sge.ask("qstat", "-s", "prsz").split()
    finally:
        keep(100)


def test_a_job_is_told_to_stop_by_signals_of_grid_engine_where_it_asks_for_them(
    manager: BlockingJobManager, sh: Sh, row: Row, until: Until
) -> None:
    line = "trap 'echo told' USR2; echo ready; while :; do sleep 0.1; done"
    job = manager.submit(sh(line, resources=Resources(extra=("-notify",))))[0]
    until(lambda: out(manager, job) == "ready\n" and row(job).jid)
    manager.cancel([job])
    assert manager.wait([job], timeout=60)[0].state == "cancelled"
    assert "told" in out(manager, job)


def test_what_others_do_to_a_job_in_grid_engine_is_told(
    sge: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until
) -> None:
    held, deleted = manager.submit(sh("true", resources=LATER), sh("sleep 300"))
    until(lambda: row(deleted).state == "running" and row(held).jid)
    sge.ask("qhold", str(row(held).jid))
    until(lambda: row(held).state == "held", 40)
    sge.ask("qrls", str(row(held).jid))
    sge.ask("qdel", str(row(deleted).jid))
    assert ends(manager, [deleted])[0] == ("failed", "signal", 143)
    until(lambda: row(held).state == "submitted", 40)


def test_a_suspended_job_is_told(sge: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until) -> None:
    job = manager.submit(sh("sleep 300"))[0]
    until(lambda: row(job).state == "running")
    sge.ask("qmod", "-sj", str(row(job).jid))
    until(lambda: row(job).state == "suspended", 60)
    sge.ask("qmod", "-usj", str(row(job).jid))
    until(lambda: row(job).state == "running", 60)


@pytest.fixture
def alices(sge: Cluster) -> Iterator[Path]:
    """A folder of an ordinary person: Grid Engine signals those processes of root's jobs only that it started."""
    folder = Path(tempfile.mkdtemp(prefix="jobtui-alice-"))
    (folder / "1").mkdir()
    for path in (folder, folder / "1"):
        shutil.chown(path, "alice", "alice")
        path.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_suspended_job_stands_still_and_a_deleted_one_is_gone_with_all_its_processes(
    sge: Cluster, alices: Path, until: Until
) -> None:
    # Beside the job's own process one that left its session and hears nothing.
    line = (
        f"setsid sh -c 'trap \"\" TERM; echo $$ > {alices}/pid; exec sleep 300' & while :; do echo x; sleep 0.1; done"
    )
    spec = JobSpec(shell=line, tag="jt00000000000000a11c", grace=1.0)
    metadir = alices / "1"
    script = metadir / "job.wrapped.sge"
    script.write_text(job_script(spec, 1, 1, place_here(str(alices), 1), {}, Sge.own_id))
    request = Request(1, 1, spec.tag, str(script), str(metadir), spec, {"PATH": os.environ["PATH"]})
    command = Sge().submit(request, Site("", kill_wait=5.0))
    argv = ["su", "-m", "alice", "-c", f"cd / && {shlex.join(command.argv)}"]
    done = subprocess.run(argv, input=command.stdin, env=sge.env, capture_output=True, timeout=60)
    jid = done.stdout.decode().strip()
    assert jid.isdigit(), done

    def wrote() -> int:
        return (metadir / "job.stdout").stat().st_size if (metadir / "job.stdout").exists() else 0

    def stands() -> bool:
        before = wrote()
        time.sleep(0.5)
        return wrote() == before

    until(lambda: wrote() and (alices / "pid").exists() and (alices / "pid").read_text().strip())
    pid = int((alices / "pid").read_text())
    sge.ask("qmod", "-sj", jid)
    # Grid Engine warns a job five seconds before it stops it.
    until(stands, 20)
    assert sge.ask("qstat", "-u", "alice").split().count("s") == 1
    sge.ask("qmod", "-usj", jid)
    until(lambda: not stands())
    sge.ask("qdel", jid)
    until(lambda: not sge.ask("qstat", "-u", "alice"))
    assert '"forwarded":"TERM"' in (metadir / "job.rc").read_text()
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_hold_and_release(manager: BlockingJobManager, sh: Sh, row: Row, until: Until) -> None:
    job = manager.submit(sh("echo done", resources=LATER))[0]
    until(lambda: row(job).jid and row(job).state == "submitted")
    assert manager.hold([job])[0].done
    until(lambda: row(job).state == "held" and "release it" in row(job).detail)
    assert manager.release([job])[0].done
    until(lambda: row(job).state == "submitted")
    assert manager.hold([job])[0].done
    until(lambda: row(job).state == "held")
    manager.cancel([job])
    until(lambda: row(job).state == "cancelled")


def test_a_job_that_grid_engine_cannot_start_says_why_and_starts_when_released(
    manager: BlockingJobManager, sh: Sh, row: Row, until: Until, tmp_path: Path
) -> None:
    place = tmp_path / "not there"
    job = manager.submit(sh("echo done", resources=Resources(extra=("-o", f"{place}/out"))))[0]
    until(lambda: row(job).state == "held", 40)
    assert row(job).detail == (
        f'Grid Engine could not start it: can\'t open output file "{place}/out": No such file or directory; '
        "release it to try again"
    )
    place.mkdir()
    assert manager.release([job])[0].done
    assert ends(manager, [job]) == [("finished", None, 0)]


def test_requeue_is_the_next_attempt(manager: BlockingJobManager, sh: Sh, row: Row, until: Until) -> None:
    job = manager.submit(sh("echo attempt $JOBTUI_ATTEMPT; [ $JOBTUI_ATTEMPT = 2 ] || sleep 300"))[0]
    until(lambda: row(job).state == "running")
    first = row(job).jid
    assert manager.requeue([job])[0].done
    assert ends(manager, [job]) == [("finished", None, 0)]
    assert row(job).attempt == 2 and row(job).jid != first and out(manager, job) == "attempt 2\n"


def test_a_failed_job_is_tried_again(manager: BlockingJobManager, sh: Sh, row: Row) -> None:
    job = manager.submit(sh("[ $JOBTUI_ATTEMPT = 3 ]", retry=Retry(limit=2)))[0]
    assert ends(manager, [job]) == [("finished", None, 0)] and row(job).attempt == 3


def test_a_job_killed_with_its_script_ends_by_the_accounting(
    sge: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until, tmp_path: Path
) -> None:
    job = manager.submit(sh("sleep 300"))[0]
    until(lambda: row(job).state == "running")
    # The starter, which is the leader of the session that Grid Engine made for the job.
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit() and _is_of(int(name), str(row(job).jid))]
    assert len(pids) >= 3
    for pid in sorted(pids):
        os.kill(pid, signal.SIGKILL)
    assert ends(manager, [job], 60)[0] == ("failed", "signal", 137)


def _is_of(pid: int, jid: str) -> bool:
    try:
        environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return f"JOB_ID={jid}".encode() in environ and f"SGE_ROOT={os.environ['SGE_ROOT']}".encode() in environ


def test_other_jobs_of_the_person_are_known(sge: Cluster, manager: BlockingJobManager, sh: Sh, until: Until) -> None:
    plain = ("-terse", "-h", "-o", "/dev/null", "-b", "y")
    jid = sge.ask("qsub", *plain, "-N", "foreign<one>", "true").strip()
    array = sge.ask("qsub", *plain, "-t", "2-6:2", "true").strip().partition(".")[0]
    try:
        manager.submit(sh("sleep 300"))

        def others() -> Any:
            seen = seen_of(manager)
            return seen is not None and seen.at and {one.jid: one.name for one in seen.others}

        found = until(others)
        assert found.get(jid) == "foreign<one>"
        assert {f"{array}.{task}" for task in (2, 4, 6)} <= set(found) and array not in found
    finally:
        sge.ask("qdel", jid, array)


# -- trouble


def one_shot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> Path:
    """A qsub that once does ``body`` (where ``real`` submits) and from then on is the real one."""
    folder, flag = tmp_path / "bin", tmp_path / "once"
    folder.mkdir()
    flag.touch()
    script = folder / "qsub"
    script.write_text(
        f'#!/bin/bash\nreal() {{ /usr/bin/qsub "$@"; }}\nif rm {flag} 2>/dev/null; then\n{body}\nfi\nreal "$@"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return flag


def test_an_engine_killed_before_it_knows_the_id_leaves_exactly_one_job(
    sge: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    flag = one_shot(tmp_path, monkeypatch, 'real "$@" >/dev/null; kill -9 $PPID; exit 1')
    job = manager.submit(sh("echo run", resources=LATER))[0]
    until(lambda: not flag.exists())
    until(lambda: manager.engine() is None)
    assert row(job).jid is None
    manager.start_engine()
    until(lambda: row(job).jid)
    assert len(queued(sge, manager)) == 1
    assert str(row(job).jid) in sge.ask("qstat").split()


def test_a_submission_that_is_answered_wrongly_is_found_by_its_mark(
    sge: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    lie = 'real "$@" >/dev/null; echo "error: commlib error: got read error (closing \\"qmaster\\")" >&2; exit 1'
    one_shot(tmp_path, monkeypatch, lie)
    job = manager.submit(sh("echo run", resources=LATER))[0]
    until(lambda: row(job).jid)
    assert len(queued(sge, manager)) == 1


def test_a_qmaster_that_is_down_for_a_while_loses_nothing(
    sge: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until, tmp_path: Path
) -> None:
    log, go = tmp_path / "log", tmp_path / "go"
    ids = manager.submit(*[sh(f"while ! [ -e {go} ]; do sleep 0.1; done; echo x >> {log}") for _ in range(12)])
    until(lambda: sum(row(job).state == "running" for job in ids) == 10)
    sge.call("stop", "qmaster")
    try:
        later = manager.submit(sh(f"echo x >> {log}"))
        go.touch()
        # What runs ends by its own record, while nobody can be asked.
        until(lambda: sum(row(job).state == "finished" for job in ids) == 10)
        until(lambda: "Connection refused" in row(later[0]).detail, 40)
        assert row(later[0]).state == "queued"
    finally:
        sge.call("start", "qmaster")
    assert ends(manager, [*ids, *later], 120) == [("finished", None, 0)] * 13
    assert log.read_text() == "x\n" * 13


def commands() -> list[str]:
    """Grid Engine's commands that run now."""
    found: list[str] = []
    for name in os.listdir("/proc"):
        try:
            words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0") if name.isdigit() else []
            environ = Path(f"/proc/{name}/environ").read_bytes() if words[0] else b""
        except (OSError, IndexError):
            continue
        program = os.path.basename(words[0].decode("utf-8", "replace"))
        if program in ("qstat", "qdel", "qsub", "qacct") and os.environ["SGE_ROOT"].encode() in environ:
            found.append(program)
    return found


def test_a_hung_qmaster_changes_no_state_and_leaves_no_command_behind(
    sge: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until
) -> None:
    ids = manager.submit(sh("sleep 300"), sh("true", resources=LATER), sh("true", resources=Resources(extra=("-h",))))
    until(lambda: row(ids[0]).state == "running" and row(ids[2]).state == "held")
    pids = dict(line.split() for line in sge.call("pids").splitlines())
    os.kill(int(pids["qmaster"]), signal.SIGSTOP)
    try:

        def troubled() -> bool:
            seen = seen_of(manager)
            return seen is not None and "gave no answer" in seen.trouble

        manager.cancel([ids[1]])
        until(troubled, 80)
        assert [str(row(job).state) for job in ids] == ["running", "cancelling", "held"]
        manager.stop_engine()
        until(lambda: not commands())
    finally:
        os.kill(int(pids["qmaster"]), signal.SIGCONT)
    manager.start_engine()
    until(lambda: row(ids[1]).state == "cancelled", 60)
    assert [str(row(job).state) for job in ids] == ["running", "cancelled", "held"]


def test_a_new_engine_takes_up_what_runs(manager: BlockingJobManager, sh: Sh, row: Row, until: Until) -> None:
    running, waiting = manager.submit(sh("sleep 300"), sh("true", resources=LATER))
    until(lambda: row(running).state == "running" and row(waiting).jid)
    lease = read_lease(manager.workdir)
    assert lease is not None
    os.kill(lease.process.pid, signal.SIGKILL)
    until(lambda: manager.engine() is None)
    manager.start_engine()
    assert row(running).state == "running"
    manager.cancel([running, waiting])
    until(lambda: row(running).state == row(waiting).state == "cancelled", 40)


def test_a_hundred_waiting_jobs_are_one_query(
    manager: BlockingJobManager, sh: Sh, until: Until, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, folder = tmp_path / "count", tmp_path / "bin"
    folder.mkdir()
    script = folder / "qstat"
    script.write_text(f'#!/bin/sh\necho "$*" >> {count}\nexec /usr/bin/qstat "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    ids = manager.submit(*[sh("true", resources=Resources(extra=("-h",))) for _ in range(100)])
    until(lambda: sum(one.state == "held" for one in manager.jobs()) == 100, 120)
    assert count.read_text().count("-xml") < 12
    manager.cancel(ids)
    assert {one.state for one in manager.wait(ids, timeout=60)} == {"cancelled"}


def test_a_job_of_somebody_else_is_refused_in_grid_engines_words(
    sge: Cluster, manager: BlockingJobManager, workdir: WorkDir
) -> None:
    # What the dialect makes of refusals is tested on recorded ones; this one is that the real one still says it so.
    jid = sge.ask("qsub", "-terse", "-h", "-o", "/dev/null", "-b", "y", "true").strip()
    try:
        said = sge.ask("su", "-m", "alice", "-c", f"cd /; qdel {jid}", check=False)
        assert f'you do not have the necessary privileges to delete the job "{jid}"' in said
    finally:
        sge.ask("qdel", jid)
