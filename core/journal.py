"""The journal: one line per change, appended by the engine, so that a client follows one file and not every folder."""

from __future__ import annotations

import contextlib
import os

import msgspec

from .job import JobRow

# A journal that grew past this many bytes is begun anew; clients notice and read the index once.
_FULL = 16 * 2**20


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
        # A line cut short by a full disk or a kill must not swallow the next one.
        if self._size:
            os.write(self._fd, b"\n")

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
        self._inode, self._offset = self._end()

    def _end(self) -> tuple[int, int]:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return 0, 0
        return status.st_ino, status.st_size

    def read(self) -> list[Change] | None:
        """The changes since the last call, oldest first; None: it was begun anew, so read everything once."""
        inode, size = self._end()
        if not self._inode:
            # There was none when we began: all of it is news.
            self._inode = inode
        if inode != self._inode or size < self._offset:
            self._inode, self._offset = inode, size
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
                changes.append(msgspec.json.decode(line, type=Change))
            except msgspec.MsgspecError:
                return None
        return changes
