"""index.db: one row per job, so that a client need not read every folder. A cache, rebuilt when wrong."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Self

import msgspec

from .decoding import decoder
from .identity import file_system
from .job import ENDED, JobRow
from .sharing import share

_SCHEMA_VERSION = 1
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS job (
    id INTEGER PRIMARY KEY, state TEXT NOT NULL, ended REAL, mtime INTEGER NOT NULL, row BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS active ON job (id) WHERE ended IS NULL;
CREATE INDEX IF NOT EXISTS newest_ended ON job (ended, id) WHERE ended IS NOT NULL;
PRAGMA user_version = {_SCHEMA_VERSION};
"""


# What reading a damaged file raises: sqlite3 decodes names and messages, msgspec the rows.
_DAMAGE = (sqlite3.Error, msgspec.MsgspecError, ValueError, TypeError)


class IndexUnusableError(Exception):
    """The index is missing, damaged or of another version; the folders must be read instead."""


class Indexed(msgspec.Struct, frozen=True):
    """A row and the modification time (ns) that its folder had when the row was made: unchanged means still true."""

    row: JobRow
    mtime: int


def _connect(path: str, mode: str) -> sqlite3.Connection:
    # A '?' or '#' in the path would end it in a URI.
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    # Writers are threads of one engine, one after another.
    return sqlite3.connect(f"file:{quoted}?{mode}", uri=True, timeout=5, isolation_level=None, check_same_thread=False)


def _reading(path: str) -> str:
    """How to open the index for reading, so that nothing half written is read, and nothing is written for it.

    Who writes it keeps a log beside it: ahead of the writing on a file system of this machine, else for undoing it.
    """
    ahead, undoing = os.path.exists(path + "-wal"), os.path.exists(path + "-journal")
    if (ahead or undoing) and os.access(path, os.W_OK):
        return "mode=rw"
    # Without either, nobody writes, and opening it as if somebody did would make such a log for a moment: a change in
    # the work directory that every client that watches it would see.
    return "mode=ro" if undoing else "immutable=1"


class IndexReader:
    """Read access for clients. Every method raises IndexUnusableError instead of giving a wrong answer."""

    def __init__(self, path: str) -> None:
        """Open the index at ``path``."""
        if not os.path.exists(path):
            raise IndexUnusableError("there is no index")
        self._path = path
        try:
            self._db = _connect(path, _reading(path))
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
        except _DAMAGE as error:
            raise IndexUnusableError(str(error)) from error
        if version != _SCHEMA_VERSION:
            self._db.close()
            raise IndexUnusableError(f"the index has version {version}")

    def __enter__(self) -> Self:
        """Use as a context manager that closes."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close."""
        self._db.close()

    def _query(self, where: str, values: Sequence[object] = ()) -> list[Indexed]:
        read = decoder(JobRow).decode
        try:
            found = self._db.execute(f"SELECT mtime, row FROM job {where}", values).fetchall()  # noqa: S608
            return [Indexed(share(read(row)), mtime) for mtime, row in found]
        except _DAMAGE as error:
            raise IndexUnusableError(str(error)) from error

    def all(self) -> list[Indexed]:
        """Every job, by id."""
        return self._query("ORDER BY id")

    def active(self) -> list[Indexed]:
        """Every job that has not ended, by id."""
        return self._query("WHERE ended IS NULL ORDER BY id")

    def newest_ended(self, count: int) -> list[Indexed]:
        """The ``count`` jobs that ended last, the newest first."""
        return self._query("WHERE ended IS NOT NULL ORDER BY ended DESC, id DESC LIMIT ?", (count,))

    def newest(self, count: int) -> list[Indexed]:
        """The ``count`` jobs with the highest ids, the highest first."""
        return self._query("ORDER BY id DESC LIMIT ?", (count,))

    def active_below(self, job: int, count: int) -> list[Indexed]:
        """Up to ``count`` jobs that have not ended with ids below ``job``, the highest first."""
        return self._query("WHERE ended IS NULL AND id < ? ORDER BY id DESC LIMIT ?", (job, count))

    def ended_below(self, job: int, count: int) -> list[Indexed]:
        """Up to ``count`` jobs that have ended with ids below ``job``, the highest first."""
        # By id, whatever the planner thinks of the index by end.
        return self._query("NOT INDEXED WHERE ended IS NOT NULL AND id < ? ORDER BY id DESC LIMIT ?", (job, count))

    def some(self, jobs: Iterable[int]) -> list[Indexed]:
        """The rows of these jobs, as far as there are any, in no order."""
        wanted = list(jobs)
        found: list[Indexed] = []
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            found += self._query(f"WHERE id IN ({','.join('?' * len(part))})", part)
        return found

    def counts(self) -> tuple[int, int]:
        """How many jobs have not ended, and how many there are."""
        try:
            active = self._db.execute("SELECT count(*) FROM job WHERE ended IS NULL").fetchone()[0]
            return active, self._db.execute("SELECT count(*) FROM job").fetchone()[0]
        except _DAMAGE as error:
            raise IndexUnusableError(str(error)) from error

    def ids(self) -> set[int]:
        """The ids of all rows."""
        try:
            return {row[0] for row in self._db.execute("SELECT id FROM job")}
        except _DAMAGE as error:
            raise IndexUnusableError(str(error)) from error


class IndexWriter:
    """Write access, for the engine alone. A file that is damaged or gone is made anew, empty."""

    def __init__(self, path: str) -> None:
        """Open or make the index at ``path``; raises OSError or sqlite3.Error where nothing can be written."""
        self._path = path
        self._wal = file_system(os.path.dirname(path)).local
        self._db, self.fresh = self._open()
        self._note_file()

    def _note_file(self) -> None:
        status = os.stat(self._path)
        self._inode, self._size = status.st_ino, status.st_size

    def _open(self) -> tuple[sqlite3.Connection, bool]:
        """The connection, and whether the index is empty, so that it must be filled from the folders."""
        for last in (False, True):
            fresh = not os.path.exists(self._path)
            db = _connect(self._path, "mode=rwc")
            try:
                # Rebuildable: a power cut may cost the index, never a job. Killing a process costs nothing.
                db.execute("PRAGMA synchronous=OFF")
                db.execute(f"PRAGMA journal_mode={'WAL' if self._wal else 'TRUNCATE'}")
                version = db.execute("PRAGMA user_version").fetchone()[0]
                if not fresh and version != _SCHEMA_VERSION:
                    raise sqlite3.DatabaseError("another version")
                db.executescript(_SCHEMA)
                if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                    raise sqlite3.DatabaseError("damaged")
                return db, fresh
            except _DAMAGE as error:
                db.close()
                if last:
                    raise sqlite3.DatabaseError(f"cannot make {self._path}: {error}") from error
                self._discard()
        raise sqlite3.DatabaseError(f"cannot make {self._path}")

    def _discard(self) -> None:
        for suffix in ("", "-wal", "-shm", "-journal"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path + suffix)

    def lost(self) -> bool:
        """Whether the file was removed, replaced or cut under us; then ``reopen`` and write everything again."""
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return True
        # It never gets smaller by our own doing: nothing vacuums it.
        lost = status.st_ino != self._inode or status.st_size < self._size
        self._size = max(self._size, status.st_size)
        return lost

    def reopen(self) -> None:
        """Start with an empty index."""
        self._db.close()
        self._discard()
        self._db, self.fresh = self._open()
        self._note_file()

    def known(self) -> dict[int, tuple[bool, int]]:
        """id -> (has it ended, folder's mtime when the row was made)."""
        try:
            rows = self._db.execute("SELECT id, ended IS NOT NULL, mtime FROM job")
            return {job: (bool(ended), mtime) for job, ended, mtime in rows}
        except (ValueError, TypeError) as error:
            raise sqlite3.DatabaseError(str(error)) from error

    def get(self, job: int) -> JobRow | None:
        """One row, if it is there and readable."""
        try:
            found = self._db.execute("SELECT row FROM job WHERE id = ?", (job,)).fetchone()
            return None if found is None else decoder(JobRow).decode(found[0])
        except (msgspec.MsgspecError, ValueError, TypeError):
            return None

    def write(self, rows: Iterable[Indexed], removed: Iterable[int]) -> None:
        """Store rows and forget removed jobs, in one transaction. Raises sqlite3.Error."""
        values = [
            (
                item.row.id,
                str(item.row.state),
                (item.row.ended or item.row.created or 0.0) if item.row.state in ENDED else None,
                item.mtime,
                msgspec.json.encode(item.row),
            )
            for item in rows
        ]
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany("INSERT OR REPLACE INTO job VALUES (?, ?, ?, ?, ?)", values)
            self._db.executemany("DELETE FROM job WHERE id = ?", [(job,) for job in removed])
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()
