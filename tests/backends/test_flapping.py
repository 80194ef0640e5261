"""A scheduler that flaps: whatever of its answers fail, tear or lie, each job runs exactly once and none is lost."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobtui.core import BlockingJobManager, JobSpec, WorkDir

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


def sent(tmp_path: Path) -> int:
    return len(list((tmp_path / "fake").glob("job.*.json")))


def test_no_job_is_lost_or_run_twice(fake: Script, manager: BlockingJobManager, tmp_path: Path) -> None:
    fake(sbatch="good lie good silent good", squeue="good partial empty garbage good empty")
    log = tmp_path / "log"
    line = f"echo $JOBTUI_JOB_INDEX >> {log}; sleep 0.3; exit $((JOBTUI_JOB_INDEX % 3))"
    ids = manager.submit(*[JobSpec(shell=line, backend="slurm") for _ in range(10)])
    rows = manager.wait(ids, timeout=90)
    assert [row.exit_code for row in rows] == [job % 3 for job in ids]
    assert {str(row.state) for row in rows} == {"finished", "failed"}
    assert sorted(map(int, log.read_text().split())) == ids
    assert sent(tmp_path) == 10


def test_jobs_wait_with_the_schedulers_words_until_it_takes_them(
    fake: Script, manager: BlockingJobManager, until: Until, tmp_path: Path
) -> None:
    fake(sbatch="refuse")
    ids = manager.submit(*[JobSpec(command=("true",), backend="slurm") for _ in range(3)])
    until(lambda: all("nable to contact" in row.detail for row in manager.jobs()))
    assert {str(row.state) for row in manager.jobs()} == {"queued"} and sent(tmp_path) == 0
    fake(sbatch="good")
    assert {str(row.state) for row in manager.wait(ids, timeout=60)} == {"finished"}
    assert sent(tmp_path) == 3


def test_a_running_job_that_vanishes_from_the_answers_goes_on(
    fake: Script, manager: BlockingJobManager, until: Until, tmp_path: Path
) -> None:
    job = manager.submit(JobSpec(shell=f"while ! [ -e {tmp_path}/go ]; do sleep 0.1; done", backend="slurm"))[0]
    until(lambda: manager.jobs()[0].state == "running")
    fake(squeue="empty")
    calls = tmp_path / "fake" / "calls.squeue"
    asked = lambda: len(calls.read_text()) if calls.exists() else 0  # noqa: E731
    before = asked()
    until(lambda: asked() > before + 1, 40)
    assert manager.jobs()[0].state == "running"
    (tmp_path / "go").touch()
    assert manager.wait([job], timeout=30)[0].state == "finished"


def test_a_scheduler_that_is_not_here_is_told_at_once(
    manager: BlockingJobManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(tmp_path / "only"))
    row = manager.wait(manager.submit(JobSpec(command=("true",), backend="slurm")), timeout=30)[0]
    assert (row.state, row.reason) == ("failed", "launch") and "there is no command sbatch" in row.detail
