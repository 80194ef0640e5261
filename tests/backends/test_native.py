"""Jobs that wait for others in their scheduler: none starts too early, none is lost, with an engine or without."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobtui.core import AfterJob, AllOf, AnyOf, BlockingJobManager, JobRow, JobSpec, Retry, WorkDir
from jobtui.core.conditions import Condition
from jobtui.core.lease import read_lease

Until = Callable[..., Any]
Script = Callable[..., None]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Put the stand-in on the PATH; call it with the modes of each command."""
    folder, home = tmp_path / "bin", tmp_path / "fake"
    folder.mkdir()
    (home / "modes").mkdir(parents=True)
    text = Path(__file__).with_name("fake_slurm.py").read_text()
    script = folder / "fake"
    script.write_text(f"#!{sys.executable} -IS\n{text}")
    script.chmod(0o755)
    for name in ("sbatch", "squeue", "scancel", "scontrol", "sacct"):
        (folder / name).symlink_to(script)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_SLURM", str(home))
    monkeypatch.delenv("SLURM_CONF", raising=False)

    def modes(**words: str) -> None:
        for command, text in words.items():
            (home / "modes" / command).write_text(text)

    return modes


@pytest.fixture
def manager(workdir: WorkDir) -> BlockingJobManager:
    return BlockingJobManager(workdir)


def job(line: str, after: Condition | None = None, **more: Any) -> JobSpec:
    return JobSpec(shell=line, backend="slurm", after=after, **more)


def rows(manager: BlockingJobManager) -> dict[int, JobRow]:
    return {row.id: row for row in manager.jobs()}


def kill_engine(manager: BlockingJobManager, until: Until) -> None:
    lease = read_lease(manager.workdir)
    assert lease is not None
    os.kill(lease.process.pid, signal.SIGKILL)
    until(lambda: manager.engine() is None)


def gate(path: Path) -> str:
    return f"while ! [ -e {path} ]; do sleep 0.05; done"


def test_a_net_of_jobs_runs_to_its_end_without_an_engine(
    fake: Script, manager: BlockingJobManager, until: Until, tmp_path: Path
) -> None:
    fake()
    log, go = tmp_path / "log", tmp_path / "go"
    note = f"echo $JOBTUI_JOB_INDEX >> {log}"
    top = manager.submit(job(f"{gate(go)}; {note}"))[0]
    left, right, bad = manager.submit(
        job(note, AfterJob(top)), job(note, AfterJob(top)), job(f"{note}; exit 3", AfterJob(top))
    )
    bottom, rescue, never, either = manager.submit(
        job(note, AllOf((AfterJob(left), AfterJob(right)))),
        job(note, AfterJob(bad, "fail")),
        job(note, AfterJob(bad)),
        job(note, AnyOf((AfterJob(bad), AfterJob(left)))),
    )
    until(lambda: all(row.jid and (row.detail or row.id == top) for row in manager.jobs()), 40)
    shown = rows(manager)
    assert shown[left].detail == f"after job {top} ends well (at slurm)"
    assert shown[bottom].detail == f"after jobs {left} and {right} end well (at slurm)"
    assert {str(row.state) for row in shown.values() if row.id != top} == {"submitted"}
    kill_engine(manager, until)
    go.touch()
    until(lambda: log.exists() and len(log.read_text().split()) == 7)
    order = list(map(int, log.read_text().split()))
    assert order[0] == top and order.index(bottom) > max(order.index(left), order.index(right))
    assert order.index(rescue) > order.index(bad) and order.index(either) > order.index(left)
    ended = {row.id: (str(row.state), row.reason) for row in manager.wait([never, bottom, rescue, either], timeout=60)}
    assert ended.pop(never) == ("cancelled", "condition")
    assert set(ended.values()) == {("finished", None)}
    assert rows(manager)[never].detail == f"could never start: job {bad} ended badly"
    assert len(log.read_text().split()) == 7 and never not in order


def test_a_job_that_its_scheduler_starts_too_early_runs_once_and_in_time(
    fake: Script, manager: BlockingJobManager, until: Until, tmp_path: Path
) -> None:
    fake(sbatch="good forget good")
    log, go = tmp_path / "log", tmp_path / "go"
    parent = manager.submit(job(f"{gate(go)}; echo parent >> {log}", retry=Retry(limit=0)))[0]
    child = manager.submit(job(f"echo child >> {log}", AfterJob(parent, "any")))[0]
    until(lambda: len(list((tmp_path / "fake").glob("job.*.json"))) == 2)
    manager.retry([parent])
    go.touch()
    manager.wait([parent, child], timeout=60)
    assert log.read_text().split()[-1] == "child" and log.read_text().split().count("child") == 1


def test_a_scheduler_that_does_not_know_the_parent_leaves_the_waiting_to_the_engine(
    fake: Script, manager: BlockingJobManager, until: Until, tmp_path: Path
) -> None:
    fake(sbatch="unknown")
    log, go = tmp_path / "log", tmp_path / "go"
    parent = manager.submit(job(f"{gate(go)}; echo parent >> {log}"))[0]
    child = manager.submit(job(f"echo child >> {log}", AfterJob(parent)))[0]
    calls = tmp_path / "fake" / "calls.sbatch"
    until(lambda: calls.exists() and len(calls.read_text()) >= 2)
    until(lambda: rows(manager)[child].state == "created")
    go.touch()
    assert [str(row.state) for row in manager.wait([parent, child], timeout=60)] == ["finished", "finished"]
    assert log.read_text().split() == ["parent", "child"] and len(calls.read_text()) == 3


def test_a_parent_that_may_be_tried_again_is_waited_for_here(
    fake: Script, manager: BlockingJobManager, tmp_path: Path
) -> None:
    fake()
    log, once = tmp_path / "log", tmp_path / "once"
    line = f"echo parent >> {log}; [ -e {once} ] || {{ touch {once}; exit 1; }}"
    parent = manager.submit(job(line, retry=Retry(limit=1)))[0]
    child = manager.submit(job(f"echo child >> {log}", AfterJob(parent)))[0]
    assert [str(row.state) for row in manager.wait([parent, child], timeout=60)] == ["finished", "finished"]
    assert log.read_text().split() == ["parent", "parent", "child"]


def test_a_waiting_child_is_cancelled_by_its_person(
    fake: Script, manager: BlockingJobManager, until: Until, tmp_path: Path
) -> None:
    fake()
    go = tmp_path / "go"
    parent = manager.submit(job(gate(go)))[0]
    child = manager.submit(job("true", AfterJob(parent)))[0]
    until(lambda: rows(manager)[child].jid)
    manager.cancel([child])
    row = manager.wait([child], timeout=40)[0]
    assert (str(row.state), row.reason) == ("cancelled", "person")
    go.touch()
    manager.wait([parent], timeout=40)
