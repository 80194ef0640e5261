"""Jobs on a file system that another machine writes to: nothing announces its changes here, and all are noticed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clusters_kit import Cluster, running

from benchmarks.terminal import Terminal
from jobtui.core import BlockingJobManager, JobSpec, WorkDir

Command = Callable[..., subprocess.CompletedProcess[str]]

JOBTUI = str(Path(sys.executable).with_name("jobtui"))


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    with running("shared.sh", {}) as shared:
        yield shared


@pytest.fixture
def workdir(shared: Cluster, tmp_path: Path) -> WorkDir:
    """The work directory as the machine with the engine has it."""
    return WorkDir(Path(shared.env["JOBTUI_SHARED_OTHER"], tmp_path.name))


@pytest.fixture
def here(shared: Cluster, workdir: WorkDir) -> str:
    """The same work directory as we have it."""
    return workdir.path.replace(shared.env["JOBTUI_SHARED_OTHER"], shared.env["JOBTUI_SHARED_HERE"])


@pytest.fixture(autouse=True)
def ends(workdir: WorkDir, manager: BlockingJobManager) -> Iterator[None]:
    yield
    if workdir.exists():
        manager.cancel([row.id for row in manager.jobs()], force=True)
        manager.stop_engine()


def waiting_for(go: Path) -> JobSpec:
    return JobSpec(shell=f"echo first; while ! [ -e {go} ]; do sleep 0.05; done; echo last; exit 3")


def has_events(pid: int) -> bool:
    return any("inotify" in os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir())


def test_output_and_end_are_followed_by_looking(manager: BlockingJobManager, here: str, tmp_path: Path) -> None:
    (job,) = manager.submit(waiting_for(tmp_path / "go"))

    def start(*words: str) -> subprocess.Popen[str]:
        command = [JOBTUI, *words, "-w", here, str(job)]
        return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    with start("logs", "-f") as logs, start("wait") as wait:
        assert logs.stdout is not None and logs.stdout.readline() == "first\n"
        assert not has_events(logs.pid)
        (tmp_path / "go").touch()
        assert logs.stdout.readline() == "last\n"
        assert logs.wait(timeout=60) == 0
        assert wait.wait(timeout=60) == 1
        assert wait.stderr is not None and "exit code 3" in wait.stderr.read()


def test_the_screen_shows_jobs_their_output_and_their_end(
    manager: BlockingJobManager, here: str, tmp_path: Path
) -> None:
    (first,) = manager.submit(waiting_for(tmp_path / "go"))
    screen = Terminal([JOBTUI, "-w", here], size=(160, 48))
    try:
        screen.until("first", timeout=60)
        screen.until("running", timeout=60)
        (tmp_path / "go").touch()
        screen.until("last", timeout=60)
        screen.until("failed", timeout=60)
        # Not there yet when the screen opened.
        manager.submit(JobSpec(name="newcomer", shell=f"echo {first}"))
        screen.until("newcomer", timeout=60)
        screen.until("finished", timeout=60)
        screen.press(b"q")
        assert screen.ended() == 0
    finally:
        screen.close()


def test_the_doctor_names_the_file_system_and_how_it_is_watched(manager: BlockingJobManager, here: str) -> None:
    manager.wait(manager.submit(JobSpec(shell="true")))
    said = subprocess.run([JOBTUI, "doctor", "-w", here], capture_output=True, text=True).stdout
    assert "(fuse, which other machines may write to; changes are found by looking)" in said


def test_an_engine_on_it_drives_jobs_to_their_ends(here: str, jobtui: Command) -> None:
    done = jobtui("submit", "-w", here, "--shell", "echo out; exit 4", check=0)
    job = done.stdout.strip()
    assert "exit code 4" in jobtui("wait", "-w", here, job, check=1).stderr
    assert jobtui("logs", "-w", here, job, check=0).stdout == "out\n"
    assert not Path(here, "index.db-wal").exists()
    assert jobtui("engine", "stop", "-w", here, check=0).stdout
