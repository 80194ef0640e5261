"""The terminal's life under the screen's driver: a small app on a real pty is stopped, ended, hung up on, broken."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.terminal import Terminal

PROGRAM = r"""
import os, signal, sys, time
os.environ["TEXTUAL_SMOOTH_SCROLL"] = "0"
from textual.app import App
from textual.widgets import Static
from jobtui.tui.screen import signals
from jobtui.tui.screen.signals import heed
from jobtui.tui.screen.terminal import send_raw, set_mouse
from jobtui.tui.screen.wire import attach

class Life(App):
    BINDINGS = [("ctrl+z", "suspend_process", ""), ("q", "quit", ""), ("x", "fail", ""), ("e", "leave", ""),
                ("h", "hang", ""), ("m", "mouse", ""), ("o", "other", ""), ("r", "again", ""), ("b", "bug", "")]
    ENABLE_COMMAND_PALETTE = False
    count = 0

    def __init__(self):
        super().__init__(ansi_color=True)
        self.bugs = []
        self.wire = attach(self, self.bugs.append)

    def compose(self):
        yield Static(id="count", markup=False)
        yield Static("lines\n" * 100)

    def on_mount(self):
        if "DEAF" in os.environ:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        else:
            heed(self, self.keep)

    def keep(self):
        with open(sys.argv[1], "a") as file:
            file.write("kept\n")

    def on_key(self, event):
        self.count += 1
        send_raw(self, f"\x1b]2;title {self.count}\x07")
        self.show()

    def on_resize(self, event):
        self.seen = f"{event.size.width}x{event.size.height}"
        self.show()

    def show(self):
        self.query_one("#count").update(f"{self.seen} {self.count} keys " + "#" * self.count)

    def action_fail(self):
        raise ZeroDivisionError("on purpose")

    def action_leave(self):
        raise SystemExit(3)

    def action_hang(self):
        signals._PATIENCE = 0.5
        open(sys.argv[1] + "-hangs", "w").close()
        time.sleep(1000)

    def action_mouse(self):
        set_mouse(self, not self._driver._mouse)

    def action_other(self):
        with self.suspend():
            os.system("echo the other program")

    def action_again(self):
        self.wire.reset()

    def action_bug(self):
        self.wire._palette = self.wire._picture.palette = None

app = Life()
app.run()
sys.exit(app.return_code or 0)
"""

Start = Callable[..., Terminal]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


@pytest.fixture
def start(kept: Path) -> Iterator[Start]:
    opened: list[Terminal] = []

    def run(**more: Any) -> Terminal:
        terminal = Terminal([sys.executable, "-c", PROGRAM, str(kept)], **more)
        opened.append(terminal)
        terminal.until("80x24")
        return terminal

    yield run
    for terminal in opened:
        terminal.close()


def pid_of(last_word: str) -> int:
    """The process whose command line ends so; without pgrep, which a bare machine lacks."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes().endswith(f"\0{last_word}\0".encode()):
                return int(folder.name)
        except OSError:
            continue
    pytest.fail(f"no process with {last_word}")


def assert_restored(terminal: Terminal) -> None:
    assert terminal.modes_left_on() == set()
    assert not terminal.screen.cursor.hidden
    assert terminal.output.count(b"\x1b[>25u") == terminal.output.count(b"\x1b[<u") > 0
    assert termios.tcgetattr(terminal.fd) == terminal.before
    assert not terminal.screen.margins and terminal.screen.cursor.attrs.fg == "default"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_a_signal_ends_it_after_what_is_to_be_kept_was_kept(start: Start, kept: Path, number: signal.Signals) -> None:
    terminal = start()
    terminal.signal(number)
    terminal.signal(number)
    assert terminal.ended() == 0
    assert kept.read_text() == "kept\n"
    assert_restored(terminal)


@pytest.mark.parametrize(("key", "code"), [(b"x", 1), (b"e", 3)])
def test_the_terminal_is_restored_however_the_app_ends(start: Start, key: bytes, code: int) -> None:
    terminal = start()
    terminal.press(key)
    assert terminal.ended() == code
    assert_restored(terminal)
    assert ("ZeroDivisionError" in terminal.output.decode()) == (key == b"x")


@pytest.mark.parametrize("deaf", [False, True])
def test_a_window_that_is_closed_ends_it_quietly_and_soon(tmp_path: Path, kept: Path, deaf: bool) -> None:
    errors = tmp_path / "errors"
    environment = {"PROGRAM": PROGRAM, **({"DEAF": "1"} if deaf else {})}
    command = f'exec {sys.executable} -c "$PROGRAM" {kept} 2>{errors}'
    terminal = Terminal(["sh", "-c", command], environment=environment)
    try:
        terminal.until("80x24")
        terminal.hang_up()
        started = time.monotonic()
        assert terminal.ended() == 0
        assert time.monotonic() - started < 30 and errors.read_text() == ""
        assert deaf or kept.read_text() == "kept\n"
    finally:
        terminal.close()


def test_a_terminal_that_takes_nothing_does_not_keep_it_from_ending(start: Start, kept: Path) -> None:
    terminal = start()
    for _ in range(40):
        # Each draws the whole screen, which nobody reads: the keys are heard all the same.
        terminal.press(b"r" * 20)
        time.sleep(0.005)
    terminal.signal(signal.SIGTERM)
    deadline = time.monotonic() + 60
    while not os.waitpid(terminal.pid, os.WNOHANG)[0]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    terminal.pid = 0
    assert kept.exists()


def test_a_loop_that_hangs_is_ended_with_the_terminal_restored(start: Start, kept: Path) -> None:
    terminal = start()
    terminal.press(b"h")
    terminal.until(lambda: kept.with_name("kept-hangs").exists())
    terminal.signal(signal.SIGTERM)
    assert terminal.ended() == 128 + signal.SIGTERM
    assert_restored(terminal)


def test_the_shell_stops_it_and_goes_on_with_it(kept: Path) -> None:
    shell = Terminal(["bash", "--norc", "--noprofile", "-i"], environment={"PS1": "> ", "JOB": PROGRAM})
    mouse = {b"1000", b"1003", b"1006", b"1015"}
    try:
        shell.until(b"> $")
        shell.press(f'stty -a | cksum; {sys.executable} -c "$JOB" {kept}\r'.encode())
        shell.until("80x24")
        shell.press(b"\x1a")
        shell.until("Stopped")
        assert shell.modes_left_on() <= {b"2004"} and not shell.screen.cursor.hidden
        # In the background there is no terminal for it: it stops again.
        shell.press(b"bg; wait; jobs\r")
        shell.until(lambda: shell.text().count("Stopped") >= 2)
        shell.press(b"fg\r")
        shell.until("1 keys")
        assert shell.modes_left_on() >= {b"1049", b"1004", *mouse}
        # From outside, with the mouse released; nothing but the shell's own keys in between.
        shell.press(b"m")
        shell.until("2 keys")
        pid = pid_of(str(kept))
        os.kill(pid, signal.SIGTSTP)
        shell.until("Stopped")
        shell.press(b"fg\r")
        shell.until("2 keys")
        shell.still()
        assert not mouse & shell.modes_left_on()
        # Stopped so that it cannot restore anything: it draws anew when it goes on.
        before = shell.output.count(b"Stopped")
        os.kill(pid, signal.SIGSTOP)
        shell.until(lambda: shell.output.count(b"Stopped") > before and shell.output.endswith(b"> "))
        shell.press(b"fg\r")
        shell.read(0.1)
        shell.until("2 keys")
        shell.press(b"q")
        shell.until(lambda: shell.output.endswith(b"> "))
        shell.press(b"stty -a | cksum\r")
        shell.until(lambda: len(re.findall(rb"[\r\n]\d+ \d+\r", shell.output)) >= 2)
        assert len(set(re.findall(rb"[\r\n](\d+) \d+\r", shell.output))) == 1
    finally:
        shell.close()


def test_another_program_gets_the_terminal_and_gives_it_back(start: Start) -> None:
    terminal = start()
    terminal.press(b"jo")
    terminal.until(rb"\x1b\[\?1049l.*the other program.*\x1b\[\?1049h".replace(b".", rb"[\s\S]"))
    terminal.press(b"j")
    terminal.until("3 keys")
    assert "lines" in terminal.text() and "other" not in terminal.text()
    terminal.press(b"q")
    assert terminal.ended() == 0
    assert_restored(terminal)


def test_a_window_dragged_to_any_size_is_drawn_in_its_last(start: Start) -> None:
    terminal = start()
    sizes = [(1, 1), (2, 1), (1, 40), (300, 100), (7, 3), (120, 1), (80, 24), (40, 12)] * 8
    for size in [*sizes, (80, 23), (80, 24)]:
        terminal.resize(*size)
        terminal.read(0.004)
    # The last size is the one that the app knew last but that the window had lost in between.
    terminal.until(lambda: terminal.text().startswith("80x24 0 keys\nlines"))
    terminal.until(lambda: len(terminal.text().splitlines()) == 24)
    terminal.press(b"q")
    assert terminal.ended() == 0 and b"Traceback" not in terminal.output


def test_on_a_slow_line_every_key_is_heard_and_the_last_picture_arrives(start: Start) -> None:
    terminal = start(rate=20_000, buffer=100_000)
    for _ in range(60):
        terminal.press(b"jr")
        terminal.read(0.01)
    terminal.until("120 keys", timeout=60)
    terminal.until(lambda: terminal.text().count("#") == 120)
    # What was sent beside the picture arrived whole and in order.
    titles = re.findall(rb"\x1b\]2;title (\d+)\x07", terminal.output)
    assert [int(title) for title in titles] == list(range(1, 121))
    assert b"title" not in re.sub(rb"\x1b\]2;title \d+\x07", b"", terminal.output)


def test_a_bug_in_the_wire_costs_bytes_and_nothing_else(start: Start) -> None:
    terminal = start()
    terminal.press(b"bjj")
    terminal.until("3 keys")
    assert "lines" in terminal.text()
    terminal.press(b"q")
    assert terminal.ended() == 0
    assert_restored(terminal)


def test_it_runs_on_a_terminal_that_answers_nothing(start: Start) -> None:
    terminal = start(environment={"TERM": "vt100"}, answers=False)
    terminal.press(b"j")
    terminal.until("1 keys")
    terminal.press(b"q")
    assert terminal.ended() == 0
    assert_restored(terminal)


@pytest.mark.skipif(not shutil.which("tmux"), reason="there is no tmux")
def test_in_tmux_the_same_is_shown_as_without_the_wire(tmp_path: Path) -> None:
    def shown(program: str, name: str) -> list[str]:
        tmux = ["tmux", "-S", str(tmp_path / f"{name}.tmux"), "-f", os.devnull]
        path = tmp_path / name
        path.write_text(program)
        command = f"{sys.executable} {path} {tmp_path}/kept"
        subprocess.run([*tmux, "new-session", "-d", "-x", "80", "-y", "24", command], check=True)
        try:
            pictures = []
            for key, text in (("", "80x24"), ("j", "1 keys"), ("r", "2 keys"), ("漢", "3 keys")):
                if key:
                    subprocess.run([*tmux, "send-keys", key], check=True)
                deadline, picture, before = time.monotonic() + 60, "", "?"
                while text not in picture or picture != before:
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
                    captured = subprocess.run([*tmux, "capture-pane", "-p", "-e"], capture_output=True, text=True)
                    before, picture = picture, captured.stdout
                pictures.append(picture)
            return pictures
        finally:
            subprocess.run([*tmux, "kill-server"], check=False)

    plain = PROGRAM.replace("attach(self, self.bugs.append)", "type('None', (), {'reset': lambda self: None})()")
    assert plain != PROGRAM
    assert shown(PROGRAM, "wire") == shown(plain, "plain")
