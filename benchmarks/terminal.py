"""A terminal to run programs in: a pty of a size, keys, a line of a limited rate, an emulator, and what it costs.

Shared by the benchmarks and the tests. The line between program and emulator may be slow (``rate``, bytes per second)
and may swallow bytes that are still to come (``buffer``), as ssh and the network between do.
"""

from __future__ import annotations

import contextlib
import copy
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import pyte
from pyte import modes
from pyte.screens import Char, Margins
from wcwidth import wcwidth

# What terminals answer when a program asks: cursor position, and whether they know synchronised output.
_QUESTION = re.compile(rb"\x1b\[(?:6n|\?2026\$p)")


# The keyboard protocol's sequences, of which pyte would draw a part; and one that has only begun.
_KEYBOARD = re.compile(rb"\x1b\[[<>=]\d*u")
_BEGUN = re.compile(rb"\x1b(?:\[(?:[<>=]\d*)?)?$")
_ALTERNATIVE = 1049


class Emulator(pyte.Screen):
    """pyte with what it lacks or gets wrong put right.

    Those are the alternative screen, lines deleted, halves of wide characters, and characters of no width.
    """

    def __init__(self, columns: int, lines: int) -> None:
        """An empty screen."""
        super().__init__(columns, lines)
        self._normal: tuple[Any, Any] | None = None

    def set_mode(self, *modes: int, **more: Any) -> None:
        """Set modes."""
        super().set_mode(*modes, **more)
        if more.get("private") and _ALTERNATIVE in modes and self._normal is None:
            self._normal = dict(self.buffer), copy.copy(self.cursor)
            self.buffer.clear()

    def reset_mode(self, *modes: int, **more: Any) -> None:
        """Reset modes."""
        super().reset_mode(*modes, **more)
        if more.get("private") and _ALTERNATIVE in modes and self._normal is not None:
            lines, cursor = self._normal
            self._normal = None
            self.buffer.clear()
            self.buffer.update(lines)
            cursor.hidden = self.cursor.hidden
            self.cursor = cursor

    def draw(self, data: str) -> None:
        """Draw text at the cursor."""
        for char in data:
            self._draw(char, wcwidth(char))

    def _draw(self, char: str, width: int) -> None:
        if width <= 0:
            # pyte would drop the rest of the text.
            if self.cursor.x and width == 0:
                self._join(char)
            return
        if self.cursor.x + width > self.columns:
            if modes.DECAWM in self.mode:
                self.carriage_return()
                self.linefeed()
            else:
                self.cursor.x = max(0, self.columns - width)
        line = self.buffer[self.cursor.y]
        x = self.cursor.x
        # Half of a wide character that is written over leaves a blank, as on every real terminal.
        if line[x].data == "" and x:
            line[x - 1] = line[x - 1]._replace(data=" ")
        if x + width < self.columns and line[x + width].data == "":
            line[x + width] = line[x + width]._replace(data=" ")
        line[x] = self.cursor.attrs._replace(data=char)
        if width == 2 and x + 1 < self.columns:
            line[x + 1] = self.cursor.attrs._replace(data="")
        self.cursor.x = min(x + width, self.columns)
        self.dirty.add(self.cursor.y)

    def _join(self, char: str) -> None:
        line, x = self.buffer[self.cursor.y], self.cursor.x - 1
        if line[x].data == "" and x:
            x -= 1
        line[x] = line[x]._replace(data=unicodedata.normalize("NFC", line[x].data + char))

    def delete_lines(self, count: int | None = None) -> None:
        """Delete lines at the cursor; pyte leaves a line standing where an empty one should take its place."""
        count = count or 1
        top, bottom = self.margins or Margins(0, self.lines - 1)
        if top <= self.cursor.y <= bottom:
            for y in range(self.cursor.y, bottom + 1):
                source = self.buffer.pop(y + count, None) if y + count <= bottom else None
                self.buffer.pop(y, None)
                if source is not None:
                    self.buffer[y] = source
            self.carriage_return()

    def set_margins(self, top: int | None = None, bottom: int | None = None) -> None:
        """Set the scroll region; pyte does not move the cursor home when it is taken away."""
        super().set_margins(top, bottom)
        if not top and bottom is None:
            self.cursor_position()

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        """Erase with the colour of the background alone; pyte gives the blanks all attributes of the cursor."""
        attributes = self.cursor.attrs
        self.cursor.attrs = Char(" ", bg=attributes.bg)
        super().erase_in_line(how, private)
        self.cursor.attrs = attributes

    def looks(self) -> list[list[tuple[Any, ...]]]:
        """What an eye sees in each cell: a blank has no colour of its own unless something is drawn through it."""
        return [[_seen(self.buffer[y][x]) for x in range(self.columns)] for y in range(self.lines)]


def emulated(columns: int, lines: int) -> tuple[Emulator, pyte.Stream]:
    """An empty screen as Textual sets it, without wrapping at the right margin, and what feeds it."""
    screen = Emulator(columns, lines)
    stream = pyte.Stream(screen)
    stream.feed("\x1b[?7l")
    return screen, stream


def _seen(char: Char) -> tuple[Any, ...]:
    if char.data == " " and not (char.underscore or char.strikethrough or char.reverse or char.blink):
        return (" ", char.bg)
    return tuple(char)


class Terminal:
    """A program on a pty. Everything that it writes is counted; ``screen`` shows what a person would see."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        size: tuple[int, int] = (80, 24),
        environment: dict[str, str] | None = None,
        rate: float = 0.0,
        buffer: int = 0,
        answers: bool = True,
    ) -> None:
        """Start the program in ``size`` (columns, lines).

        ``rate``: bytes per second that the line carries, 0 for no limit. ``buffer``: bytes that it takes in advance.
        ``answers``: the terminal answers questions.
        """
        self.rate, self.buffer, self.answers = rate, buffer, answers
        self.screen = Emulator(*size)
        self._stream = pyte.ByteStream(self.screen)
        self.output = b""
        self.arrived = 0
        # When bytes arrived, and how many.
        self.history: list[tuple[float, int]] = []
        self._line = b""
        self._tail = b""
        self._begun = b""
        self._allowed = 0.0
        self._paid = time.monotonic()
        self.hung_up = False
        full = {**os.environ, "TERM": "xterm-256color", **(environment or {})}
        packed = _packed(*size)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, packed)
            os.execvpe(arguments[0], list(arguments), full)
        self.before = termios.tcgetattr(self.fd)

    def read(self, seconds: float) -> bytes:
        """Let time pass; what arrived in it."""
        deadline, arrived = time.monotonic() + seconds, b""
        while True:
            left = deadline - time.monotonic()
            arrived += self._deliver()
            if left <= 0:
                return arrived
            if self.hung_up and not self._line:
                time.sleep(left)
            elif self._wants():
                # Not so long that the rate would go in bursts.
                pause = min(left, 0.01) if self.rate else left
                if select.select([self.fd], [], [], pause)[0]:
                    self._take()
            else:
                time.sleep(min(left, 0.005))

    def _wants(self) -> bool:
        return not self.hung_up and (not self.rate or len(self._line) <= self.buffer)

    def _take(self) -> None:
        room = 65536 if not self.rate else min(65536, self.buffer + 1024 - len(self._line))
        try:
            data = os.read(self.fd, max(1, room))
        except OSError:
            data = b""
        if not data:
            self.hung_up = True
        self._line += data

    def _deliver(self) -> bytes:
        now = time.monotonic()
        count = len(self._line)
        if self.rate:
            self._allowed = min(self._allowed + (now - self._paid) * self.rate, self.rate / 10)
            count = min(count, int(self._allowed))
            self._allowed -= count
        self._paid = now
        data, self._line = self._line[:count], self._line[count:]
        if data:
            self.output += data
            self.arrived += len(data)
            self.history.append((now, len(data)))
            self._draw(data)
            self._answer(data)
        return data

    def _draw(self, data: bytes) -> None:
        data = _KEYBOARD.sub(b"", self._begun + data)
        begun = _BEGUN.search(data)
        self._begun = begun[0] if begun else b""
        self._stream.feed(data[: len(data) - len(self._begun)])

    def _answer(self, data: bytes) -> None:
        if not self.answers:
            return
        text = self._tail + data
        end = 0
        for question in _QUESTION.finditer(text):
            end = question.end()
            cursor = self.screen.cursor
            place = b"\x1b[%d;%dR" % (cursor.y + 1, min(cursor.x, self.screen.columns - 1) + 1)
            self.press(place if question[0].endswith(b"6n") else b"\x1b[?2026;2$y")
        self._tail = text[max(end, len(text) - 8) :]

    def until(self, condition: Callable[[], Any] | bytes | str, timeout: float = 60.0) -> None:
        """Let time pass until something holds: bytes (a pattern) were written, a text is on the screen, a condition.

        Raises TimeoutError with what is on the screen.
        """
        deadline = time.monotonic() + timeout
        while not self._holds(condition):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{condition!r} within {timeout} s; {self.output[-500:]!r}\n{self.text()}")
            self.read(0.02)

    def _holds(self, condition: Callable[[], Any] | bytes | str) -> bool:
        if isinstance(condition, bytes):
            return re.search(condition, self.output) is not None
        if isinstance(condition, str):
            return condition in self.text()
        return bool(condition())

    def still(self, seconds: float = 0.3, timeout: float = 60.0) -> None:
        """Let time pass until nothing has arrived for some time. Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while self.read(seconds):
            if time.monotonic() > deadline:
                raise TimeoutError(f"it keeps writing: {self.output[-500:]!r}")

    def text(self) -> str:
        """What is on the screen, a line per line."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def press(self, keys: bytes) -> None:
        """Type. Nothing happens when the program is gone."""
        with contextlib.suppress(OSError):
            os.write(self.fd, keys)

    def resize(self, columns: int, lines: int) -> None:
        """Change the size of the window."""
        self.screen.resize(lines, columns)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, _packed(columns, lines))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program."""
        os.kill(self.pid, number)

    def stopped(self) -> bool:
        """Whether the program is stopped, as by ctrl+z."""
        with open(f"/proc/{self.pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "T"

    def cpu(self) -> float:
        """CPU seconds that the program has used."""
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss(self) -> int:
        """Bytes of memory that the program holds."""
        with open(f"/proc/{self.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def ended(self, timeout: float = 60.0) -> int:
        """Wait for the program's end; its exit code, negative for a signal. Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                self.read(0.05)
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > deadline:
                raise TimeoutError(f"it does not end: {self.output[-500:]!r}")
            self.read(0.02)

    def modes_left_on(self) -> set[bytes]:
        """Private modes that were set and not reset: mouse, alternative screen, bracketed paste and the like."""
        on: set[bytes] = set()
        for numbers, what in re.findall(rb"\x1b\[\?([\d;]+)([hl])", self.output):
            for number in numbers.split(b";"):
                on.discard(number) if what == b"l" else on.add(number)
        # The cursor (25) and line wrapping (7) are on in a terminal that is at rest.
        return on - {b"25", b"7"}

    def hang_up(self) -> None:
        """Close the window: the program gets SIGHUP and can neither read nor write."""
        self.hung_up = True
        os.close(self.fd)
        self.fd = -1

    def close(self) -> None:
        """End the program if it still runs."""
        if self.pid:
            with contextlib.suppress(OSError):
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
        if self.fd >= 0:
            os.close(self.fd)


def _packed(columns: int, lines: int) -> bytes:
    return struct.pack("HHHH", lines, columns, 0, 0)
