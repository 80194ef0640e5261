"""What the benchmarks share: scratch work directories, the installed command, medians, and the table they print."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from jobtui.core.blocking import BlockingJobManager
from jobtui.core.workdir import WorkDir

COMMAND = str(Path(sys.executable).with_name("jobtui"))


class Figure(NamedTuple):
    """One line of the table: what was measured, the median with its unit, the limit or peer, and whether it holds."""

    what: str
    value: str
    limit: str
    holds: bool


def scratch_folder() -> str:
    """A folder that is removed when all benchmarks are over.

    Not earlier: for minutes after many files were removed, ext4 makes new ones up to ten times as slowly, because it
    does not give the inodes out again at once.
    """
    root = tempfile.mkdtemp(prefix="jobtui-bench-")
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return root


@contextlib.contextmanager
def scratch() -> Iterator[BlockingJobManager]:
    """A work directory of its own; at the end its engine is stopped."""
    manager = BlockingJobManager(WorkDir(f"{scratch_folder()}/jobs"))
    try:
        yield manager
    finally:
        manager.stop_engine()


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def median(runs: int, action: Callable[[], float]) -> float:
    """The median of several runs' figures."""
    return statistics.median(action() for _ in range(runs))


def jobtui(manager: BlockingJobManager, *arguments: str, input: str = "") -> subprocess.CompletedProcess[str]:
    """Run the installed command on a work directory."""
    environment = {**os.environ, "JOBTUI_WORKDIR": manager.workdir.path}
    return subprocess.run([COMMAND, *arguments], input=input, text=True, capture_output=True, env=environment)


def rss(pid: int) -> int:
    """Resident memory of a process in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu(pid: int) -> float:
    """CPU seconds that a process has used, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def until(condition: Callable[[], object], timeout: float = 120.0) -> None:
    """Wait for a condition; raises TimeoutError."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(str(condition))
        time.sleep(0.005)
