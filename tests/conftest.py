"""Fixtures: a work directory that is cleaned of engines and jobs, the real command, and waiting with a bound."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from jobtui.core.workdir import WorkDir

# Nothing of the tests is to be remembered in the home of whoever runs them.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="jobtui-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_STATE_HOME"], ignore_errors=True)

# Speed is a benchmark's matter: a loaded machine takes a second for what takes a millisecond elsewhere.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

JOBTUI = Path(sys.executable).with_name("jobtui")


def _until(condition: Callable[[], Any], timeout: float = 60.0) -> Any:
    """Call ``condition`` until it is true and return its answer; fails after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            pytest.fail(f"not true within {timeout} s: {condition}")
        time.sleep(0.02)


@pytest.fixture
def until() -> Callable[..., Any]:
    return _until


def processes_of(path: str) -> list[int]:
    """The engines and jobs of a work directory, by their command lines and environments."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                mine = f"JOBTUI_METADIR={path}".encode() in file.read().split(b"\0")
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if mine or (b"jobtui.core.supervisor" in words and path.encode() in words):
            found.append(int(name))
    return found


def clean_up(path: str) -> None:
    """Kill the engine and all jobs of a work directory."""
    for _ in range(50):
        pids = processes_of(path)
        if not pids:
            return
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.02)


@pytest.fixture
def workdir(tmp_path: Path) -> Iterator[WorkDir]:
    directory = WorkDir(tmp_path / "jobs")
    yield directory
    clean_up(directory.path)


@pytest.fixture
def jobtui(workdir: WorkDir, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the real command on the test's work directory."""

    def call(
        *arguments: str | bytes,
        input: str | None = None,
        env: dict[str, str] | None = None,
        check: int | None = None,
        timeout: float = 120.0,
        cwd: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("JOBTUI_")},
            "JOBTUI_WORKDIR": workdir.path,
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "XDG_STATE_HOME": str(tmp_path / "state"),
            **(env or {}),
        }
        done = subprocess.run(
            [str(JOBTUI), *arguments],
            input="" if input is None else input,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            env=environment,
            timeout=timeout,
            cwd=cwd or tmp_path,
        )
        if check is not None:
            assert done.returncode == check, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    return call
