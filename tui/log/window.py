"""A window of bounded size on a log of any size, addressed by byte offsets, and its lines made fit for a terminal."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass

from rich.ansi import AnsiDecoder
from rich.text import Text

from ..text import TerminalFilter

BLOCK = 64 * 1024
KEPT = 4 * BLOCK
# Of one line not more than this many characters are shown: a log may be a single line of gigabytes.
_LONGEST = 8000


@dataclass(frozen=True)
class Piece:
    """Bytes of a log from offset ``start`` on, and the size of the file when they were read."""

    start: int
    data: bytes
    size: int

    @property
    def end(self) -> int:
        """The offset behind the last byte."""
        return self.start + len(self.data)


def read_piece(path: str, begin: int, end: int | None, whole_lines: bool = False) -> Piece:
    """Read from ``begin`` up to ``end`` (None: the file's), a block at most; negative ``begin``: so far before ``end``.

    ``whole_lines``: without the part of a line at the beginning, where there is a complete one after it. A missing
    file is an empty one. Raises OSError.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return Piece(0, b"", 0)
    try:
        size = os.fstat(fd).st_size
        stop = size if end is None else min(end, size)
        start = max(0, stop + begin) if begin < 0 else min(begin, stop)
        data = os.pread(fd, min(stop - start, BLOCK), start)
        if whole_lines and start > 0 and os.pread(fd, 1, start - 1) != b"\n":
            cut = data.find(b"\n") + 1
            if cut < len(data):
                start, data = start + cut, data[cut:]
        return Piece(start, data, size)
    finally:
        os.close(fd)


class LogWindow:
    """Up to ``KEPT`` bytes of a log. Line numbers count from the window's first line."""

    def __init__(self) -> None:
        """Begin as an empty log."""
        self._data = b""
        self.show(Piece(0, b"", 0))

    def show(self, piece: Piece) -> None:
        """Show this piece and nothing else."""
        self.start, self.size = piece.start, piece.size
        self._take(piece.data)

    @property
    def end(self) -> int:
        """The offset behind the window's last byte."""
        return self.start + len(self._data)

    @property
    def complete_at_end(self) -> bool:
        """Whether the window reaches to the end of the log, as far as that is known."""
        return self.end >= self.size

    def __len__(self) -> int:
        """How many lines there are."""
        return len(self._starts)

    def span(self, line: int) -> tuple[int, int]:
        """Where a line begins and ends in the file, without its newline."""
        begin = self._starts[line]
        end = self._starts[line + 1] - 1 if line + 1 < len(self._starts) else len(self._data)
        if line + 1 == len(self._starts) and self._data.endswith(b"\n"):
            end -= 1
        return self.start + begin, self.start + end

    def text(self, line: int) -> Text:
        """A line as it is shown."""
        begin, end = self.span(line)
        return readable(self._data[begin - self.start : end - self.start])

    def append(self, piece: Piece, *, slide: bool) -> int:
        """Add what follows the window; returns how many lines fell off its beginning (none unless ``slide``).

        Bytes for which there is no room, or that do not join the window, only tell the size of the log.
        """
        self.size = max(self.size, piece.size, piece.end)
        if piece.start != self.end or (not slide and len(self._data) + len(piece.data) > KEPT):
            return 0
        before = len(self._starts)
        data = self._data + piece.data
        if len(data) <= KEPT:
            self._take(data)
            return 0
        cut = data.find(b"\n", len(data) - KEPT) + 1 or len(data) - KEPT
        lost = min(before, sum(start < cut for start in self._starts))
        self.start += cut
        self._take(data[cut:])
        return lost

    def prepend(self, piece: Piece) -> int:
        """Add what comes before the window; returns how many lines that made, 0 if it does not join it."""
        if piece.end != self.start or not piece.data:
            return 0
        data = piece.data + self._data
        old_end = len(self._starts)
        self.start = piece.start
        self._take(data)
        added = len(self._starts) - old_end
        if len(data) > KEPT:
            self._take(data[: data.rfind(b"\n", 0, KEPT) + 1 or KEPT])
        return added

    def _take(self, data: bytes) -> None:
        self._data = data
        starts = [0] if data else []
        at = data.find(b"\n")
        while 0 <= at < len(data) - 1:
            starts.append(at + 1)
            at = data.find(b"\n", at + 1)
        self._starts = starts


def last_state(line: bytes) -> bytes:
    """What a line that was rewritten with carriage returns says in the end."""
    if b"\r" not in line:
        return line
    line = line.rstrip(b"\r")
    return line[line.rfind(b"\r") + 1 :]


def readable(line: bytes) -> Text:
    """A line as styled text: colour kept, progress bars in their last state, everything else harmless."""
    state = last_state(line)
    clean = TerminalFilter().feed(state[: 4 * _LONGEST])
    text = AnsiDecoder().decode_line(clean.decode("utf-8", "replace"))
    text.expand_tabs(8)
    if not text.plain.isprintable():
        # Same length: the spans of the colours stay right. Direction marks would turn the screen's own text around.
        text.plain = "".join(char if char.isprintable() else _stand_in(char) for char in text.plain)
    if len(text) > _LONGEST or len(state) > 4 * _LONGEST:
        text = text[:_LONGEST]
        text.append(f" … (a line of {len(state):,} bytes)", "dim")
    return text


def _stand_in(char: str) -> str:
    return " " if unicodedata.category(char) == "Zs" else "\ufffd"
