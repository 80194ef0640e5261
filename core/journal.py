"""The journal: one line per change, appended by the engine, so that a client follows one file and not every folder."""

from __future__ import annotations

import contextlib
import os

import msgspec

from .decoding import decoder
from .job import JobRow
from .sharing import share

# A journal that grew past this many bytes is begun anew.
_FULL = 16 * 2**20
# Bytes that are read at once, unless a single line is longer.
_PIECE = 2**20
# The first line names the journal as no other is named; the second names the one that was written before it.
_BEGUN = b'{"begun":"'
_NAME_BYTES = 16
_FIRST_BYTES = 29


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
        self._name = b""
        self._open(fresh=False)

    def _open(self, *, fresh: bool) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        if fresh:
            # A new file and not a truncated one: readers finish the old one, which they have open, before the new one.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        status = os.fstat(self._fd)
        self._inode, self._size = status.st_ino, status.st_size
        if self._size:
            # A line cut short by a full disk or a kill must not swallow the next one.
            first = b"\n"
            self._name = _name(os.pread(self._fd, _FIRST_BYTES, 0))
        else:
            before, self._name = self._name, os.urandom(8).hex().encode()
            first = b'{"begun":"%s"}\n{"after":"%s"}\n' % (self._name, before)
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


def _name(first: bytes) -> bytes:
    """What a journal is called by its first line; "" if it has none."""
    return first[len(_BEGUN) : len(_BEGUN) + _NAME_BYTES] if first.startswith(_BEGUN) else b""


class JournalReader:
    """Reads what was appended since the last call, also across the beginning of a new journal."""

    def __init__(self, path: str) -> None:
        """Start at the present end of the journal at ``path``."""
        self._path = path
        self._fd = -1
        self._offset = 0
        self.behind = False
        if self._open():
            self._offset = os.fstat(self._fd).st_size

    def __del__(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)

    def _open(self) -> bool:
        """Open the journal that there is now, at its beginning; False if there is none."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._offset = fd, 0
        return True

    def _is_replaced(self) -> bool:
        """Whether there is another journal than ours now. While ours is open, no other file can have its inode."""
        try:
            now = os.stat(self._path)
        except FileNotFoundError:
            # The next change makes a new one.
            return False
        ours = os.fstat(self._fd)
        return (now.st_dev, now.st_ino) != (ours.st_dev, ours.st_ino)

    def read(self) -> list[Change] | None:
        """The changes since the last call, oldest first; None: some may be missing, so read everything once.

        Not all of very many are given at once: ``behind`` then says that there are more.
        """
        if self._fd < 0:
            # There was none when we began: all of it is news.
            return self._rest() if self._open() else []
        try:
            # Asked first: nobody writes to a journal any more that another one has taken the place of.
            replaced = self._is_replaced()
            changes = self._rest()
            if not replaced or self.behind:
                return changes
            name = _name(os.pread(self._fd, _FIRST_BYTES, 0))
        except OSError:
            # Another machine removed it, on a network file system: nothing more can be read of it.
            os.close(self._fd)
            self._fd = -1
            changes, name = None, b""
        if self._open() and changes is not None and name and self._follows(name):
            more = self._rest()
            return None if more is None else changes + more
        if self._fd >= 0:
            self._offset = os.fstat(self._fd).st_size
        return None

    def _follows(self, name: bytes) -> bool:
        """Whether the journal that we have open was begun right after the one called ``name``."""
        return os.pread(self._fd, 2 * _FIRST_BYTES, 0)[_FIRST_BYTES:] == b'{"after":"%s"}\n' % name

    def _rest(self) -> list[Change] | None:
        """The complete lines that were not read yet; None where the file was cut, or a line makes no sense."""
        size = os.fstat(self._fd).st_size
        self.behind = False
        if size < self._offset:
            self._offset = size
            return None
        if size == self._offset:
            return []
        data = os.pread(self._fd, min(size - self._offset, _PIECE), self._offset)
        complete = data.rfind(b"\n") + 1
        if not complete:
            data = os.pread(self._fd, size - self._offset, self._offset)
            complete = data.rfind(b"\n") + 1
        self.behind = self._offset + len(data) < size
        self._offset += complete
        changes: list[Change] = []
        for line in data[:complete].split(b"\n"):
            if not line.strip():
                continue
            try:
                change = decoder(Change).decode(line)
            except (msgspec.MsgspecError, ValueError):
                return None
            if change.row is not None:
                share(change.row)
            if change.row is not None or change.removed is not None:
                changes.append(change)
        return changes
