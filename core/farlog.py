"""The copy of a far log as a client reads it: by the bytes of the far file, whatever is done to the copy meanwhile."""

from __future__ import annotations

import os
import time

from .logcopy import Far, read_far
from .logfile import BLOCK, Added, LogFile

# How often a copy is opened that does not fit what is known of it, and the seconds in between.
_TRIES, _MOMENT = 5, 0.005


class FarLog(LogFile):
    """A log of which a copy is at ``path``. What is not in the copy is passed over, and counted in ``missed``."""

    def __init__(self, path: str) -> None:
        """Begin where the copy begins."""
        super().__init__(path)
        self.missed = 0
        self._at: int | None = None
        self._life = ""

    def to_tail(self, lines: int) -> None:
        """Move to where the last ``lines`` lines of the copy begin (0: the end)."""
        far = read_far(self.path)
        if far is not None and far.inode:
            super().to_tail(lines)
            self._at, self._life = far.begin + self.offset, far.life

    def read(self, limit: int = BLOCK) -> Added:
        """Up to ``limit`` bytes from where we are, and move behind them. Raises OSError but not for a missing file."""
        for _ in range(_TRIES):
            try:
                fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                break
            try:
                far = read_far(self.path)
                if far is not None and far.inode == os.fstat(fd).st_ino:
                    return self._read(fd, far, limit)
            finally:
                os.close(fd)
            # It is just being replaced.
            time.sleep(_MOMENT)
        return Added(b"")

    def _read(self, fd: int, far: Far, limit: int) -> Added:
        restarted = self._at is not None and far.life != self._life
        if self._at is None or restarted:
            self._at, self._life, self.missed = far.begin, far.life, far.begin
        if self._at < far.begin:
            self.missed += far.begin - self._at
            self._at = far.begin
        data = os.pread(fd, limit, self._at - far.begin)
        self._at += len(data)
        return Added(data, restarted)
