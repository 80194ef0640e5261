"""One log file: a held descriptor, how the file changed since the last look, and reads that cannot be torn by it."""

from __future__ import annotations

import errno
import os
import stat
from enum import StrEnum
from typing import Protocol

# So many bytes before the known end are compared when the file changed: rewritten content is told from added.
_FINGERPRINT = 64


class Look(StrEnum):
    """What became of a log since the last look."""

    SAME = "same"
    GREW = "grew"
    TRUNCATED = "truncated"
    REPLACED = "replaced"
    REWRITTEN = "rewritten"
    GONE = "gone"


RESTARTS = frozenset({Look.TRUNCATED, Look.REPLACED, Look.REWRITTEN})


class Snapshot(Protocol):
    """A log at one moment: may be read by any thread for as long as it is held, whatever becomes of the file."""

    @property
    def size(self) -> int:
        """Bytes there are."""
        ...

    @property
    def stable(self) -> int:
        """Bytes from the beginning that only a truncation or replacement changes."""
        ...

    def read(self, offset: int, count: int) -> bytes:
        """Up to ``count`` bytes from ``offset`` on; fewer at the end. Raises OSError."""
        ...

    def data_after(self, offset: int) -> int:
        """The first offset at or behind this one that is not in a hole of the file, as far as that can be told."""
        ...


class _Descriptor:
    """An open file that is closed when nobody holds it any more: readers in other threads never meet another file."""

    def __init__(self, path: str) -> None:
        # Not to wait for ever where somebody put a pipe in the log's place.
        self.number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        self.status = os.fstat(self.number)
        if not stat.S_ISREG(self.status.st_mode):
            os.close(self.number)
            self.number = -1
            raise OSError(errno.EINVAL, "it is not a regular file", path)

    def __del__(self) -> None:
        if getattr(self, "number", -1) >= 0:
            os.close(self.number)


class FileSnapshot:
    """The first ``size`` bytes of a file; without a descriptor an empty log."""

    def __init__(self, file: _Descriptor | None, size: int) -> None:
        """Hold the file."""
        self._file = file
        self.size = self.stable = size

    def read(self, offset: int, count: int) -> bytes:
        """See ``Snapshot``."""
        if self._file is None:
            return b""
        return os.pread(self._file.number, max(0, min(count, self.size - offset)), offset)

    def data_after(self, offset: int) -> int:
        """See ``Snapshot``."""
        if self._file is None:
            return self.size
        try:
            return min(self.size, os.lseek(self._file.number, offset, os.SEEK_DATA))
        except OSError as error:
            # ENXIO: there is nothing but a hole from here on.
            return self.size if error.errno == errno.ENXIO else offset


class LogSource:
    """The log at ``path``, which need not exist yet. Call from one thread at a time; hand out snapshots to others."""

    def __init__(self, path: str) -> None:
        """Look at nothing yet."""
        self.path = path
        self.size = 0
        # How often what was known of the log became void.
        self.generation = 0
        self._file: _Descriptor | None = None
        self._gone = False
        self._changed = 0
        self._fingerprint = b""

    def snapshot(self) -> FileSnapshot:
        """The log as it was at the last look."""
        return FileSnapshot(self._file, self.size)

    def poll(self, *, reopen: bool = False) -> Look:
        """Look at the file again. Raises OSError, but not for a missing file.

        ``reopen``: open it by its path once more, as network file systems need to tell of other machines' writes.
        """
        try:
            return self._poll(reopen)
        except OSError as error:
            if error.errno != errno.ESTALE or self._file is None:
                raise
        # Another machine removed the file that we hold (nfs(5)): nothing of it can be read any more.
        self._file = None
        self._restart()
        self._poll(reopen)
        return Look.REPLACED

    def _poll(self, reopen: bool) -> Look:
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            # What we hold can still be read, and be written by those who hold it too.
            if self._file is None:
                return Look.SAME
            was_gone, self._gone = self._gone, True
            look = self._measure()
            return look if was_gone or look in RESTARTS else Look.GONE
        self._gone = False
        if self._file is None:
            self._file = _Descriptor(self.path)
        elif not os.path.samestat(status, self._file.status):
            self._file = _Descriptor(self.path)
            self._restart()
            self._measure()
            return Look.REPLACED
        elif reopen:
            self._file = _Descriptor(self.path)
        return self._measure()

    def _measure(self) -> Look:
        """Compare the held file with what is known of it."""
        assert self._file is not None
        status = os.fstat(self._file.number)
        look = Look.SAME
        if status.st_size < self.size:
            look = Look.TRUNCATED
        elif status.st_mtime_ns != self._changed and not self._is_known():
            look = Look.REWRITTEN
        elif status.st_size > self.size:
            look = Look.GREW
        if look in RESTARTS:
            self._restart()
        self._changed = status.st_mtime_ns
        if status.st_size != self.size or look in RESTARTS:
            self.size = status.st_size
            start = max(0, self.size - _FINGERPRINT)
            self._fingerprint = os.pread(self._file.number, self.size - start, start)
        return look

    def _is_known(self) -> bool:
        """Whether the bytes before the known end are still those that were there."""
        assert self._file is not None
        known = self._fingerprint
        return os.pread(self._file.number, len(known), self.size - len(known)) == known

    def _restart(self) -> None:
        self.generation += 1
        self.size = 0
        self._fingerprint = b""
