"""Bell, notifications, title, clipboard, pager and editor on a real terminal (a pty), and the pure parts of them."""

from __future__ import annotations

import base64
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
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtui.core.job import ENDED, JobRow, Reason, State
from jobtui.tui.screen.clipboard import clipboard_sequence, clipboard_sequences, fit_to_paste
from jobtui.tui.screen.config import NotifySettings
from jobtui.tui.screen.external import CannotOpenError, editor_command, pager_command
from jobtui.tui.screen.notify import Notice, desktop_sequence, gather, news, title_sequence, title_text
from jobtui.tui.text import without_escapes

ALL = NotifySettings()


def row(state: State, **more: Any) -> JobRow:
    return JobRow(id=12, name="align", state=state, **more)


RUNNING = row(State.RUNNING)

# -- what is news


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (RUNNING, row(State.FINISHED, elapsed=7500.0), "job 12 align finished after 2h05m"),
        (RUNNING, row(State.FINISHED, elapsed=2.0), None),
        (RUNNING, row(State.FAILED, elapsed=2.0, detail="exit code 3"), "job 12 align failed after 2s: exit code 3"),
        (row(State.QUEUED), row(State.FAILED, detail="a\x1b]0;x\x07"), "job 12 align failed: a\\x1b]0;x\\x07"),
        (RUNNING, row(State.UNKNOWN), "job 12 align unknown"),
        (RUNNING, row(State.CANCELLED, reason=Reason.PERSON), None),
        (RUNNING, row(State.CANCELLED, reason=Reason.CONDITION), "job 12 align cancelled"),
        (None, row(State.FAILED), None),
        (row(State.FAILED), row(State.FAILED), None),
        (row(State.FAILED), row(State.FAILED, attempt=2), "job 12 align failed"),
        (row(State.QUEUED), RUNNING, None),
    ],
)
def test_the_end_of_a_job_that_was_seen_before_it_is_news(
    before: JobRow | None, after: JobRow, words: str | None
) -> None:
    notice = news(before, after, ALL)
    assert (notice.words if notice else None) == words


def test_the_person_says_which_endings_are_told() -> None:
    well, badly = row(State.FINISHED, elapsed=99.0), row(State.FAILED)
    failed, none = NotifySettings(when="failed"), NotifySettings(when="none")
    assert news(RUNNING, well, failed) is None
    assert news(RUNNING, badly, failed) is not None
    assert news(RUNNING, badly, none) is None
    assert news(RUNNING, well, NotifySettings(min_seconds=100)) is None


@given(st.sampled_from(State), st.sampled_from(State), st.text(max_size=500), st.text(max_size=500))
def test_news_is_one_bounded_line_about_an_end(before: State, after: State, name: str, detail: str) -> None:
    end = msgspec.structs.replace(row(after), name=name, detail=detail)
    notice = news(row(before), end, ALL)
    if notice is not None:
        assert before not in ENDED and after in ENDED
        assert len(notice.words) <= 160 and "\x1b" not in notice.words and "\n" not in notice.words


def test_many_at_once_are_told_in_one_line() -> None:
    assert gather([Notice(True, "a"), Notice(False, "b"), Notice(False, "c")]) == "3 jobs ended, 1 badly"
    assert gather([Notice(False, "b")] * 12) == "12 jobs ended, all well"
    assert gather([Notice(True, "job 1 failed")]) == "job 1 failed"


def test_the_title_counts_what_there_is() -> None:
    assert title_text(3, 1) == "jobtui: 3 running, 1 failed"
    assert title_text(0, 0) == "jobtui"


@given(st.text())
def test_text_from_jobs_can_neither_end_a_sequence_nor_begin_one(text: str) -> None:
    for sequence in (desktop_sequence("osc9", text), desktop_sequence("osc777", text), title_sequence(text)):
        body = sequence[2:-1]
        assert sequence.startswith("\x1b]") and sequence.endswith("\a")
        assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in body)
        assert len(body) < 200
    assert desktop_sequence("osc9", text).startswith("\x1b]9;jobtui: ")
    assert desktop_sequence("osc777", text).count(";") == 3
    assert desktop_sequence("off", text) == ""


# -- what is copied


def test_a_copied_command_does_not_run_by_being_pasted() -> None:
    assert fit_to_paste("rm -r x\n") == "rm -r x"
    assert fit_to_paste("a\r\nb\rc\n\n") == "a\nb\nc"
    assert fit_to_paste("\x1b[31mred\x1b[0m\x1b[201~ \x1b]52;c;eA==\x07x\x00") == "red x"
    assert fit_to_paste("\tindented") == "\tindented"


@given(st.text())
def test_nothing_but_text_is_left_of_what_is_copied(text: str) -> None:
    left = without_escapes(text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", left)


def test_long_texts_do_not_go_to_the_clipboard_and_odd_bytes_do() -> None:
    assert clipboard_sequence("x" * 60_000) is None
    path = os.fsdecode(b"/data/\xff.txt")
    sequence = clipboard_sequence(path)
    assert sequence == f"\x1b]52;c;{base64.b64encode(os.fsencode(path)).decode()}\a"
    assert clipboard_sequence("\ud800") is not None


def test_the_clipboard_is_reached_through_tmux_and_screen() -> None:
    sequence = clipboard_sequence("x" * 3000)
    assert sequence is not None
    assert clipboard_sequences(sequence, {}) == [sequence]
    plain, wrapped = clipboard_sequences(sequence, {"TMUX": "/tmp/t,1,0"})
    assert plain == sequence and wrapped.startswith("\x1bPtmux;\x1b\x1b]52;")
    (pieces,) = clipboard_sequences(sequence, {"STY": "1.x"})
    parts = re.findall(r"\x1bP(.*?)\x1b\\", pieces)
    assert "".join(parts) == sequence and max(map(len, parts)) <= 512


# -- which program is run


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with editors and pagers that do nothing."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("less", "more", "bat", "vim", "nano", "emacs", "code", "hx", "micro"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.mark.parametrize(
    ("pager", "line", "offset", "size", "words"),
    [
        (None, None, None, 10, "less -R /l"),
        ("", 7, None, 10, "less -R +7g /l"),
        ("less -S", 7, 300, 10, "less -R -S +7g /l"),
        ("less", 7, 300, 2**30, "less -n -R +300P /l"),
        ("less", None, 300, 10, "less -R +300P /l"),
        ("more", 7, None, 10, "more +7 /l"),
        ("bat --paging always", 7, None, 10, "bat --paging always /l"),
    ],
)
def test_the_pager_opens_where_one_looked(
    programs: Path, pager: str | None, line: int | None, offset: int | None, size: int, words: str
) -> None:
    environ = {} if pager is None else {"PAGER": pager}
    assert pager_command(environ, "/l", line, offset, size) == [*f"{programs}/{words}".split()]


@pytest.mark.parametrize(
    ("environ", "line", "words"),
    [
        ({}, 3, "nano +3 /f"),
        ({"EDITOR": "vim"}, 3, "vim +3 /f"),
        ({"EDITOR": "nano", "VISUAL": "emacs -nw"}, 3, "emacs -nw +3 /f"),
        ({"EDITOR": "code"}, 3, "code --wait --goto /f:3"),
        ({"EDITOR": "code --wait -n"}, None, "code --wait -n /f"),
        ({"EDITOR": "hx"}, 3, "hx /f:3"),
        ({"EDITOR": "micro"}, None, "micro /f"),
    ],
)
def test_the_editor_opens_at_the_line(programs: Path, environ: dict[str, str], line: int | None, words: str) -> None:
    assert editor_command(environ, "/f", line) == [*f"{programs}/{words}".split()]


@pytest.mark.parametrize("value", ["missing-program", "'unclosed", "  "])
def test_a_program_that_is_not_there_is_told_in_words(programs: Path, value: str) -> None:
    with pytest.raises(CannotOpenError, match=r"\$EDITOR"):
        editor_command({"EDITOR": value}, "/f", None)
    with pytest.raises(CannotOpenError, match=r"\$PAGER"):
        pager_command({"PAGER": value}, "/f", None, None, 0)


# -- on a terminal

PROGRAM = """
import os, sys
from textual.app import App
from textual.widgets import Static
from jobtui.core.job import JobRow, State
from jobtui.tui.screen.clipboard import copy
from jobtui.tui.screen.config import NotifySettings
from jobtui.tui.screen.external import run_editor, run_pager
from jobtui.tui.screen.notifier import Notifier

class Sample(App):
    def compose(self):
        self.line = Static("ready", markup=False)
        yield self.line
    def on_mount(self):
        self.notifier = Notifier(self, NotifySettings(), os.environ, lambda words, bad: self.show(words))
        self.notifier.start()
    def show(self, words):
        self.line.update(f"<{words}>")
    async def on_key(self, event):
        if event.key == "n":
            for job in (1, 2):
                before = JobRow(id=job, name="x", state=State.RUNNING)
                self.notifier.see(before, JobRow(id=job, name="x", state=State.FAILED))
        elif event.key == "t":
            self.notifier.count(3, 1)
        elif event.key == "c":
            self.show(await copy(self, "two words\\n", "the command"))
        elif event.key == "e":
            self.show("edited " + run_editor(self, sys.argv[1], 2))
        elif event.key == "p":
            self.show("paged " + run_pager(self, sys.argv[1], 2))
        elif event.key == "g":
            self.show("gone " + run_pager(self, sys.argv[1] + ".gone"))
        elif event.key == "q":
            self.notifier.restore_title()
            self.exit()

Sample(ansi_color=True).run()
"""


class Terminal:
    """The sample on a pty."""

    def __init__(self, file: Path, environ: dict[str, str]) -> None:
        others = ("TMUX", "STY", "NO_COLOR", "COLUMNS", "LINES")
        inherited = {name: value for name, value in os.environ.items() if name not in others}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 250, 0, 0))
            environment = {**inherited, "TERM": "xterm-256color", **environ}
            os.execve(sys.executable, [sys.executable, "-c", PROGRAM, str(file)], environment)
        self.output = b""

    def until(self, pattern: bytes, timeout: float = 60.0) -> re.Match[bytes]:
        """Read until something was written that was not there before; forgets what came up to it."""
        deadline = time.monotonic() + timeout
        while (match := re.search(pattern, self.output, re.DOTALL)) is None:
            assert time.monotonic() < deadline, f"{pattern!r} not in {self.output[-3000:]!r}"
            if select.select([self.fd], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    self.output += os.read(self.fd, 65536)
        self.output = self.output[match.end() :]
        return match

    def press(self, keys: bytes) -> None:
        os.write(self.fd, keys)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nprintf "EDITING %s %s\\n" "$1" "$2"; read line; exit 3\n')
    pager = tmp_path / "pager"
    pager.write_text('#!/bin/sh\ntrap "echo INTERRUPTED" INT; printf "PAGING\\n"; while read -r line; do :; done\n')
    for program in (editor, pager):
        program.chmod(0o755)
    file = tmp_path / "job.stdout"
    file.write_text("one\ntwo\n")
    session = tmp_path / "session"
    session.mkdir()
    opened = Terminal(
        file, {"VISUAL": str(editor), "PAGER": str(pager), "XDG_RUNTIME_DIR": str(session), "PYTHONPATH": ""}
    )
    opened.until(b"ready")
    yield opened
    opened.close()


def test_ended_jobs_ring_once_and_the_title_is_put_back(terminal: Terminal) -> None:
    terminal.press(b"t")
    terminal.until(rb"\x1b\[22;2t\x1b\]2;jobtui: 3 running, 1 failed\x07")
    terminal.press(b"n")
    terminal.until(rb"\x07\x1b\]9;jobtui: 2 jobs ended, 2 badly\x07")
    terminal.until(rb"<2 jobs ended, 2 badly>")
    terminal.press(b"q")
    terminal.until(rb"\x1b\]2;\x07\x1b\[23;2t.*\x1b\[\?1049l")


def test_a_copy_reaches_the_clipboard_and_a_file_that_is_named(terminal: Terminal, tmp_path: Path) -> None:
    terminal.press(b"c")
    terminal.until(re.escape(b"\x1b]52;c;" + base64.b64encode(b"two words") + b"\x07"))
    terminal.until(rb"<copied the command; it is in [^>]*jobtui-copied.txt>")
    file = tmp_path / "session" / "jobtui-copied.txt"
    assert file.read_text() == "two words\n"
    assert file.stat().st_mode & 0o077 == 0


def test_editor_and_pager_have_the_terminal_and_the_screen_comes_back(terminal: Terminal, tmp_path: Path) -> None:
    terminal.press(b"e")
    terminal.until(rb"\x1b\[\?1049l.*EDITING \+2 " + str(tmp_path).encode() + rb"/job.stdout")
    terminal.press(b"\r")
    terminal.until(rb"\x1b\[\?1049h.*<edited editor ended with exit code 3>")
    terminal.press(b"p")
    terminal.until(rb"\x1b\[\?1049l.*PAGING")
    # A key that sends a signal is the pager's alone.
    terminal.press(b"\x03")
    terminal.until(rb"INTERRUPTED")
    terminal.press(b"\x04")
    terminal.until(rb"\x1b\[\?1049h.*<paged >")
    terminal.press(b"g")
    terminal.until(rb"<gone [^>]*is not there \(any more\)>")
