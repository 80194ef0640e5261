"""Makes the engine's verdicts visible: job.status, index.db and the journal, in batches that survive a full disk."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator

from . import metadir
from .index import Indexed, IndexWriter
from .job import JobRow, State
from .journal import JournalWriter
from .workdir import INDEX, JOURNAL, WorkDir

_log = logging.getLogger("jobtui.engine")


class Publisher:
    """Collects rows and writes them out. What cannot be written now is kept and written later."""

    def __init__(self, workdir: WorkDir) -> None:
        """Open the index and the journal of ``workdir``; raises OSError or sqlite3.Error."""
        self._workdir = workdir
        self._index = IndexWriter(workdir.file(INDEX))
        self._journal = JournalWriter(workdir.file(JOURNAL))
        self._rows: dict[int, JobRow] = {}
        self._removed: set[int] = set()
        self.trouble: str | None = None
        self.rebuild_needed = False

    @property
    def pending(self) -> int:
        """How many changes are not written yet."""
        return len(self._rows) + len(self._removed)

    def known(self) -> dict[int, tuple[bool, int]]:
        """What the index holds: id -> (has ended, folder's mtime in ns)."""
        try:
            return self._index.known()
        except sqlite3.Error:
            self.rebuild_needed = True
            return {}

    def row(self, job: int) -> JobRow | None:
        """The last row published of a job, written out or not."""
        if job in self._rows:
            return self._rows[job]
        try:
            return self._index.get(job)
        except sqlite3.Error:
            self.rebuild_needed = True
            return None

    def put(self, row: JobRow) -> None:
        """Make a job's new row visible with the next flush."""
        self._removed.discard(row.id)
        self._rows[row.id] = row

    def drop(self, job: int) -> None:
        """Make it visible that a job was removed."""
        self._rows.pop(job, None)
        self._removed.add(job)

    def _indexed(self) -> Iterator[Indexed]:
        for row in self._rows.values():
            try:
                metadir.write_status(self._workdir.metadir(row.id), str(row.state))
            except FileNotFoundError:
                self._removed.add(row.id)
                continue
            yield Indexed(row, 0 if _is_just_begun(row) else self._workdir.mtime_ns(row.id))

    def flush(self) -> bool:
        """Write everything out; False (and ``trouble`` says why) if it could not be."""
        if not self.pending:
            return True
        try:
            if self._index.lost():
                self._index.reopen()
                self.rebuild_needed = True
            items = list(self._indexed())
            try:
                self._index.write(items, self._removed)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                _log.warning("index.db is damaged (%s); it is made anew", error)
                self._index.reopen()
                self._index.write(items, self._removed)
                self.rebuild_needed = True
            self._journal.append([item.row for item in items], sorted(self._removed))
        except (OSError, sqlite3.Error) as error:
            if self.trouble is None:
                _log.error("cannot write the index or the journal: %s", error)
            self.trouble = str(error)
            return False
        self._rows.clear()
        self._removed.clear()
        self.trouble = None
        return True

    def close(self) -> None:
        """Close the files."""
        self._index.close()
        self._journal.close()


def _is_just_begun(row: JobRow) -> bool:
    """Whether a job runs that had not said yet where: its script may be saying so now, so its folder is read again."""
    return row.state is State.RUNNING and row.host is None
