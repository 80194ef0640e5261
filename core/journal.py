"""The journal: one line per change, appended by the engine, so that a client follows one file and not every folder."""

from __future__ import annotations

import contextlib
import os

import msgspec

from .job import JobRow

# A journal that grew past this many bytes is begun anew; clients notice and read the index once.
_FULL = 16 * 2**20
# The first line, which no other journal has.
_FIRST_BYTES = 29
_NONE = (0, b"")


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line: a job's new row, or the id of a removed job."""

    row: JobRow | None = None
    removed: int | None = None


class JournalWriter:
    """Appends lines; for the engine alone."""

    def __init__(self, path: str) -> None:
        """Write to ``path``. Raises OSError."""
        self._path = path
        self._fd = -1
        self._open(fresh=False)

    def _open(self, *, fresh: bool) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        if fresh:
            # A new file and not a truncated one: readers see by its inode that they must start anew.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        status = os.fstat(self._fd)
        self._inode, self._size = status.st_ino, status.st_size
        # A new journal is told from an old one by its first line: its inode may have been the old one's.
        # A line cut short by a full disk or a kill must not swallow the next one.
        first = b"\n" if self._size else b'{"begun":"%s"}\n' % os.urandom(8).hex().encode()
        self._size += os.write(self._fd, first)

    def append(self, rows: list[JobRow], removed: list[int]) -> None:
        """Write the changes in one piece. Raises OSError."""
        changes = [Change(row=row) for row in rows] + [Change(removed=job) for job in removed]
        data = b"".join(msgspec.json.encode(change) + b"\n" for change in changes)
        try:
            replaced = os.stat(self._path).st_ino != self._inode
        except FileNotFoundError:
            replaced = True
        if replaced or self._size > _FULL:
            self._open(fresh=self._size > _FULL and not replaced)
        while data:
            written = os.write(self._fd, data)
            self._size += written
            data = data[written:]

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


class JournalReader:
    """Reads what was appended since the last call."""

    def __init__(self, path: str) -> None:
        """Start at the present end of the journal at ``path``."""
        self._path = path
        self._which, self._offset = self._end()

    def _end(self) -> tuple[tuple[int, bytes], int]:
        """Which journal there is (inode and first bytes), and its size."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return _NONE, 0
        try:
            status = os.fstat(fd)
            return (status.st_ino, os.pread(fd, _FIRST_BYTES, 0)), status.st_size
        finally:
            os.close(fd)

    def read(self) -> list[Change] | None:
        """The changes since the last call, oldest first; None: it was begun anew, so read everything once."""
        which, size = self._end()
        if self._which == _NONE:
            # There was none when we began: all of it is news.
            self._which = which
        same = which[0] == self._which[0] and which[1].startswith(self._which[1])
        self._which = which
        if not same or size < self._offset:
            self._offset = size
            return None
        if size == self._offset:
            return []
        with open(self._path, "rb") as file:
            file.seek(self._offset)
            data = file.read(size - self._offset)
        complete = data.rfind(b"\n") + 1
        self._offset += complete
        changes: list[Change] = []
        for line in data[:complete].split(b"\n"):
            if not line.strip():
                continue
            try:
                change = msgspec.json.decode(line, type=Change)
            except (msgspec.MsgspecError, ValueError):
                return None
            if change.row is not None or change.removed is not None:
                changes.append(change)
        return changes
