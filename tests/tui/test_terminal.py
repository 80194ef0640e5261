"""The real command on a real terminal (a pty): opens, is quiet when idle, quits, and restores the terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobtui.core import BlockingJobManager, JobSpec, WorkDir

JOBTUI = str(Path(sys.executable).with_name("jobtui"))


class Terminal:
    """A program on a pty of 80x24, and everything that it wrote."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # What is said before the program starts is the same on both sides of it.
            os.execve(arguments[0], arguments, {**os.environ, "TERM": "xterm-256color", **environment})
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(self.fd)
        self.output = b""

    def read(self, seconds: float) -> bytes:
        """What the program writes within some time."""
        deadline, new = time.monotonic() + seconds, b""
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                try:
                    data = os.read(self.fd, 65536)
                except OSError:
                    break
                if not data:
                    break
                new += data
        self.output += new
        return new

    def until(self, pattern: bytes, timeout: float = 30.0) -> None:
        """Read until something was written."""
        deadline = time.monotonic() + timeout
        while not re.search(pattern, self.output):
            assert time.monotonic() < deadline, f"{pattern!r} not in {self.output[-2000:]!r}"
            self.read(0.05)

    def press(self, keys: bytes) -> None:
        os.write(self.fd, keys)

    def ended(self, timeout: float = 20.0) -> int:
        """Wait for the program's end and return its exit code."""
        deadline = time.monotonic() + timeout
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                self.read(0.05)
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < deadline, "it does not end"
            self.read(0.05)

    def modes_left_on(self) -> set[bytes]:
        """Private modes that were set and not reset: mouse, alternative screen, bracketed paste and the like."""
        on: set[bytes] = set()
        for numbers, what in re.findall(rb"\x1b\[\?([\d;]+)([hl])", self.output):
            for number in numbers.split(b";"):
                on.discard(number) if what == b"l" else on.add(number)
        # The cursor (25) and line wrapping (7) are on in a terminal that is at rest.
        return on - {b"25", b"7"}

    def close(self) -> None:
        if self.pid:
            with contextlib.suppress(OSError):
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_STATE_HOME": str(tmp_path / "state")}


@pytest.fixture
def terminal(workdir: WorkDir, environment: dict[str, str]) -> Iterator[Terminal]:
    opened = Terminal([JOBTUI, "-w", workdir.path], environment)
    yield opened
    opened.close()


def assert_restored(terminal: Terminal) -> None:
    assert b"\x1b[?1049h" in terminal.output and terminal.modes_left_on() == set()
    assert terminal.output.rindex(b"\x1b[?25h") > terminal.output.rindex(b"\x1b[?25l")
    # The pty outlives the program: its line settings are those it found.
    assert termios.tcgetattr(terminal.fd)[:4] == terminal.before[:4]


def test_it_opens_shows_the_job_quits_and_restores_the_terminal(workdir: WorkDir, terminal: Terminal) -> None:
    terminal.until(rb"There are no jobs yet")
    BlockingJobManager(workdir).submit(JobSpec(command=("sleep", "300"), name="on-a-pty"))
    terminal.until(rb"on-a-pty.*running")
    terminal.press(b"q")
    assert terminal.ended() == 0
    assert_restored(terminal)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_the_terminal_restored(terminal: Terminal, number: signal.Signals) -> None:
    terminal.until(rb"There are no jobs yet")
    os.kill(terminal.pid, number)
    terminal.ended()
    assert_restored(terminal)


def test_nothing_happens_and_nothing_is_sent(workdir: WorkDir, environment: dict[str, str]) -> None:
    manager = BlockingJobManager(workdir)
    done = manager.submit(JobSpec(command=("echo", "hello"), name="done"))
    manager.wait(done, timeout=30)
    manager.submit(JobSpec(command=("true",), hold=True))
    terminal = Terminal([JOBTUI, "-w", workdir.path], environment)
    try:
        terminal.until(rb"held")
        terminal.until(rb"engine")
        deadline = time.monotonic() + 30
        # The engine ends for lack of work some time, which is told; but most of the time it is still.
        while terminal.read(3.0):
            assert time.monotonic() < deadline, terminal.output[-500:]
    finally:
        terminal.close()


def test_a_bug_leaves_the_terminal_sane_and_says_where_it_was_logged(
    workdir: WorkDir, environment: dict[str, str]
) -> None:
    program = (
        "import sys; from jobtui.tui import cli; from jobtui.tui.table import jobtable\n"
        "def broken(self): raise ZeroDivisionError('on purpose')\n"
        "jobtable.JobTable.toggle_mark = broken\n"
        f"sys.exit(cli.main(['-w', {workdir.path!r}]))"
    )
    BlockingJobManager(workdir).submit(JobSpec(command=("true",), hold=True))
    terminal = Terminal([sys.executable, "-c", program], environment)
    try:
        terminal.until(rb"held")
        terminal.press(b" ")
        assert terminal.ended() == 1
        assert_restored(terminal)
        assert b"a bug in jobtui: ZeroDivisionError: on purpose" in terminal.output
        assert b"Traceback" not in terminal.output
    finally:
        terminal.close()


def test_without_colour_there_is_none(workdir: WorkDir, environment: dict[str, str]) -> None:
    manager = BlockingJobManager(workdir)
    manager.wait(manager.submit(JobSpec(command=("false",))), timeout=30)
    terminal = Terminal([JOBTUI, "-w", workdir.path], {**environment, "NO_COLOR": "1"})
    try:
        terminal.until(rb"failed")
        terminal.read(0.3)
        colours = [int(code) for run in re.findall(rb"\x1b\[([\d;]+)m", terminal.output) for code in run.split(b";")]
        assert not [code for code in colours if 30 <= code <= 37 or 90 <= code <= 97 or code in (38, 48)]
    finally:
        terminal.close()
