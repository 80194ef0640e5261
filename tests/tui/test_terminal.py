"""The real command on a real terminal (a pty): opens, is quiet when idle, is stopped and goes on, and restores it."""

from __future__ import annotations

import re
import signal
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.terminal import Terminal
from jobtui.core import BlockingJobManager, JobSpec, WorkDir

JOBTUI = str(Path(sys.executable).with_name("jobtui"))

Open = Callable[..., Terminal]


@pytest.fixture
def open_terminal(workdir: WorkDir, tmp_path: Path) -> Iterator[Open]:
    opened: list[Terminal] = []

    def run(arguments: list[str] | None = None, environment: dict[str, str] | None = None, **more: Any) -> Terminal:
        homes = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_STATE_HOME": str(tmp_path / "state")}
        full = {**homes, **(environment or {})}
        opened.append(Terminal(arguments or [JOBTUI, "-w", workdir.path], environment=full, **more))
        return opened[-1]

    yield run
    for terminal in opened:
        terminal.close()


def held(workdir: WorkDir, name: str = "waiting") -> None:
    """A job that stays as it is."""
    BlockingJobManager(workdir).submit(JobSpec(command=("true",), name=name, hold=True))


def assert_restored(terminal: Terminal) -> None:
    assert b"\x1b[?1049h" in terminal.output and terminal.modes_left_on() == set()
    assert not terminal.screen.cursor.hidden
    # The pty outlives the program: its line settings are those it found.
    assert termios.tcgetattr(terminal.fd) == terminal.before


def test_from_opening_to_quitting(workdir: WorkDir, open_terminal: Open) -> None:
    BlockingJobManager(workdir).configure({"autostart": False})
    terminal = open_terminal()
    terminal.until("There are no jobs yet")
    held(workdir)
    terminal.until(lambda: re.search("waiting.*held", terminal.text()))
    terminal.still()
    before = terminal.text()
    # Stopped and continued by the shell.
    terminal.press(b"\x1a")
    terminal.until(lambda: terminal.stopped() and not terminal.modes_left_on())
    assert_restored(terminal)
    terminal.signal(signal.SIGCONT)
    terminal.until("waiting")
    terminal.still()
    assert terminal.text() == before
    # Written on by somebody else.
    terminal.screen.cursor_position(5, 5)
    terminal.screen.draw("broadcast message")
    terminal.press(b"\x0c")
    terminal.until(lambda: "broadcast" not in terminal.text())
    terminal.press(b"q")
    assert terminal.ended() == 0
    assert_restored(terminal)


def test_a_signal_ends_it_with_the_terminal_restored(open_terminal: Open) -> None:
    terminal = open_terminal()
    terminal.until("There are no jobs yet")
    terminal.signal(signal.SIGTERM)
    terminal.ended()
    assert_restored(terminal)


def test_a_window_that_is_closed_ends_it_and_the_jobs_go_on(workdir: WorkDir, open_terminal: Open) -> None:
    manager = BlockingJobManager(workdir)
    manager.submit(JobSpec(command=("sleep", "300"), name="goes-on"))
    terminal = open_terminal()
    terminal.until(lambda: re.search("goes-on.*running", terminal.text()))
    terminal.hang_up()
    terminal.ended()
    assert [str(row.state) for row in manager.jobs()] == ["running"]


def test_nothing_happens_and_nothing_is_sent(workdir: WorkDir, open_terminal: Open) -> None:
    manager = BlockingJobManager(workdir)
    done = manager.submit(JobSpec(command=("echo", "hello"), name="done"))
    manager.wait(done, timeout=90)
    held(workdir)
    terminal = open_terminal()
    terminal.until("held")
    terminal.until("engine")
    # The engine ends for lack of work some time, which is told; but most of the time it is still.
    terminal.still(2.5)


def test_windows_of_any_size(workdir: WorkDir, open_terminal: Open) -> None:
    held(workdir)
    terminal = open_terminal(size=(1, 1))
    terminal.until(lambda: b"\x1b[?1049h" in terminal.output)
    for size in [(2, 1), (1, 40), (300, 100), (7, 3), (200, 1), (30, 8)] * 3:
        terminal.resize(*size)
        # No Esc: where the other end is slow, it is one key with what comes behind it.
        terminal.press(b"j?")
        terminal.read(0.01)
        terminal.press(b"?")
        terminal.read(0.01)
    terminal.resize(100, 30)
    terminal.until("waiting")
    terminal.press(b"q")
    assert terminal.ended() == 0
    assert_restored(terminal)


def test_a_bug_leaves_the_terminal_sane_and_says_where_it_was_logged(workdir: WorkDir, open_terminal: Open) -> None:
    program = (
        "import sys; from jobtui.tui import cli; from jobtui.tui.table import jobtable\n"
        "def broken(self): raise ZeroDivisionError('on purpose')\n"
        "jobtable.JobTable.toggle_mark = broken\n"
        f"sys.exit(cli.main(['-w', {workdir.path!r}]))"
    )
    held(workdir)
    terminal = open_terminal([sys.executable, "-c", program])
    terminal.until("held")
    terminal.press(b" ")
    assert terminal.ended() == 1
    assert_restored(terminal)
    assert b"a bug in jobtui: ZeroDivisionError: on purpose" in terminal.output
    assert b"Traceback" not in terminal.output


def test_without_colour_there_is_none(workdir: WorkDir, open_terminal: Open) -> None:
    manager = BlockingJobManager(workdir)
    manager.wait(manager.submit(JobSpec(command=("false",))), timeout=90)
    terminal = open_terminal(environment={"NO_COLOR": "1"})
    terminal.until("failed")
    terminal.still()
    colours = [int(code) for run in re.findall(rb"\x1b\[([\d;]+)m", terminal.output) for code in run.split(b";")]
    assert not [code for code in colours if 30 <= code <= 37 or 90 <= code <= 97 or code in (38, 48)]


def test_a_dumb_terminal_is_told_so_in_one_line(open_terminal: Open) -> None:
    terminal = open_terminal(environment={"TERM": "dumb"})
    assert terminal.ended() == 1
    assert re.fullmatch(rb"jobtui: this terminal \(TERM=dumb\) [^\x1b\r\n]+\r\n", terminal.output)
