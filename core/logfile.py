"""Windows on a log file of any size: its last lines, and what was added since; truncation and replacement noticed."""

from __future__ import annotations

import os

import msgspec

from .stale import current

BLOCK = 64 * 1024


class Added(msgspec.Struct, frozen=True):
    """What a look at a log gave: the new bytes; ``restarted``: the file was truncated or replaced before them."""

    data: bytes
    restarted: bool = False


class LogFile:
    """One log at ``path``, which need not exist yet. Memory use does not depend on its size."""

    def __init__(self, path: str) -> None:
        """Begin at the start of the file."""
        self.path = path
        self.offset = 0
        self._inode: int | None = None

    def to_tail(self, lines: int) -> None:
        """Move to where the last ``lines`` lines begin (0: the end)."""
        current(self._to_tail_now, lines)

    def _to_tail_now(self, lines: int) -> None:
        try:
            with open(self.path, "rb") as file:
                status = os.fstat(file.fileno())
                self._inode = status.st_ino
                self.offset = _tail_offset(file.fileno(), status.st_size, lines)
        except FileNotFoundError:
            self.offset = 0

    def read(self, limit: int = BLOCK) -> Added:
        """Up to ``limit`` bytes from where we are, and move behind them. Raises OSError but not for a missing file."""
        return current(self._read_now, limit)

    def _read_now(self, limit: int) -> Added:
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return Added(b"")
        try:
            status = os.fstat(fd)
            restarted = self._inode is not None and (status.st_ino != self._inode or status.st_size < self.offset)
            start = 0 if restarted else self.offset
            data = os.pread(fd, limit, start)
            self._inode, self.offset = status.st_ino, start + len(data)
            return Added(data, restarted)
        finally:
            os.close(fd)


def _tail_offset(fd: int, size: int, lines: int) -> int:
    """Where the last ``lines`` lines begin; a line without its newline at the end counts as one."""
    if lines <= 0:
        return size
    position, found = size, 0
    while position > 0:
        start = max(0, position - BLOCK)
        block = os.pread(fd, position - start, start)
        if position == size and block.endswith(b"\n"):
            block = block[:-1]
        at = len(block)
        while (at := block.rfind(b"\n", 0, at)) >= 0:
            found += 1
            if found == lines:
                return start + at + 1
        position = start
    return 0
