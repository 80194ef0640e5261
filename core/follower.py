"""Follows the jobs of a work directory for a client: all of them in small portions, then every change, none lost."""

from __future__ import annotations

import contextlib
import os
import time
from bisect import bisect_right
from collections.abc import Generator, Iterable, Iterator

import msgspec

from .catalog import PORTION, Catalog
from .idset import IdSet
from .index import Indexed
from .job import ENDED, IN_FLIGHT, JobRow
from .journal import Change, JournalReader
from .workdir import JOURNAL

# How many of the newest jobs come first.
_FIRST = 200
# Seconds between two looks at the jobs that have not ended, while no engine drives.
_UNDRIVEN_LOOK = 1.0
# A look that took longer than this (seconds) is not taken again before so many times that time has passed.
_CHEAP = 0.01
_SHARE = 20
# Nanoseconds: coarser than the clock of any file system that we know.
_TICK = 100_000_000


class _Pace:
    """When a look is due again: after ``least`` seconds, and with very many jobs so much later that it costs little."""

    def __init__(self, least: float) -> None:
        self._least = least
        self._due = 0.0

    def is_due(self) -> bool:
        return time.monotonic() >= self._due

    @contextlib.contextmanager
    def taken(self) -> Generator[None]:
        """Time a look, which is the content of the block."""
        started = time.monotonic()
        yield
        took = time.monotonic() - started
        self._due = time.monotonic() + max(self._least, took * _SHARE if took > _CHEAP else 0.0)


class Follower:
    """Tells what the jobs are and what changes. Begin with ``load`` or ``read``, then ask ``poll`` again and again.

    Rows of jobs in flight have no ``elapsed`` here: whoever shows one counts from ``started`` on. Every method blocks,
    and raises FileNotFoundError when the work directory is gone.
    """

    def __init__(self, catalog: Catalog, shown: Iterable[int] = ()) -> None:
        """Follow from now on. ``shown``: jobs that the client has from a glance and must hear of if they are gone."""
        self._catalog = catalog
        # Before any row is read: a change in between is then told twice, never lost.
        self._journal = JournalReader(catalog.workdir.file(JOURNAL))
        self._ended: int | None = None
        self._again: Iterator[list[JobRow]] | None = None
        self._known = IdSet(shown)
        self._unmade: set[int] = set()
        self._gone: list[int] = []
        self._missed = False
        self._active: dict[int, JobRow] = {}
        self._listed_at = 0
        self._listing = _Pace(0.0)
        self._looking = _Pace(_UNDRIVEN_LOOK)
        self._looked_up_to = 0

    @property
    def active(self) -> int:
        """How many jobs have not ended."""
        return len(self._active)

    @property
    def behind(self) -> bool:
        """Whether ``poll`` has more to tell at once."""
        return self._again is not None or self._journal.behind

    # -- the jobs as they are

    def read(self, ended: int | None) -> list[JobRow]:
        """Every job that has not ended and the ``ended`` newest that have (None: all), by id."""
        self._ended = ended
        if ended is None:
            rows = {row.id: row for portion in self.load() for row in portion}
            return [rows[job] for job in sorted(rows.keys() - set(self._gone))]
        self._known = self._list()
        found = [_timeless(row) for row in self._catalog.recent(ended)]
        self._active = {row.id: row for row in found if row.state not in ENDED}
        return found

    def load(self) -> Iterator[list[JobRow]]:
        """Yield every job: the newest first, then those that have not ended, then the rest from the newest on.

        Each list is made in a moment, and may be empty. What changes meanwhile comes in between: a row replaces an
        earlier one of the same job. Of jobs removed meanwhile ``poll`` tells.
        """
        told: set[int] = set()
        given = IdSet()

        def portion(rows: list[JobRow]) -> list[JobRow]:
            # What the journal has told is newer than what a page of the index says.
            rows = self._news(told) + [row for row in rows if row.id not in told]
            given.update(row.id for row in rows)
            self._note(rows)
            return rows

        yield portion(self._catalog.glance(_FIRST))
        for rows in self._catalog.portions(_missing_in(given, self._catalog.indexed(ended=False))):
            yield portion(rows)
        present = self._list()
        self._forget(self._known.without(present))
        for rows in self._catalog.portions(_missing_in(given, self._catalog.indexed(ended=True))):
            yield portion(rows)
        for rows in self._catalog.portions(present.without(given)):
            yield portion(rows)
        self._unmade = set(present.without(self._known))

    def _list(self) -> IdSet:
        """The jobs that have a folder, and when that was so."""
        path = self._catalog.workdir.path
        changed = os.stat(path).st_mtime_ns
        # A change within the same tick of the file system's clock would go unnoticed: look again soon after one.
        self._listed_at = changed if abs(time.time_ns() - changed) > _TICK else 0
        present = IdSet()
        with os.scandir(path) as entries:
            present.update(int(entry.name) for entry in entries if entry.name.isascii() and entry.name.isdigit())
        return present

    def _news(self, told: set[int]) -> list[JobRow]:
        """What the journal says while the jobs are being read."""
        changes = self._journal.read()
        if changes is None:
            self._missed = True
            return []
        rows = [change.row for change in changes if change.row is not None]
        told.update(row.id for row in rows)
        self._forget([change.removed for change in changes if change.removed is not None])
        return rows

    def _note(self, rows: Iterable[JobRow]) -> None:
        for row in rows:
            self._known.add(row.id)
            if row.state in ENDED:
                self._active.pop(row.id, None)
            else:
                self._active[row.id] = row

    def _forget(self, jobs: Iterable[int]) -> None:
        for job in list(jobs):
            self._gone.append(job)
            self._known.discard(job)
            self._active.pop(job, None)

    # -- what changes

    def poll(self) -> list[Change]:
        """The changes since the last call, in order. Call again at once while ``behind``."""
        if self._again is None:
            changes = self._journal.read()
            if changes is not None and not self._missed:
                return self._gone_now() + self._without_repeats(changes + self._unannounced())
            self._missed = False
            if self._ended is not None:
                return self._without_repeats(self._anew(self._ended))
            self._again = self.load()
        rows = next(self._again, None)
        if rows is None:
            self._again = None
        return self._gone_now() + [Change(row=row) for row in rows or []]

    def _gone_now(self) -> list[Change]:
        gone, self._gone = self._gone, []
        return [Change(removed=job) for job in gone]

    def _anew(self, ended: int) -> list[Change]:
        known, active = self._known, self._active
        rows = self.read(ended)
        self._active = active
        # What ended in between may be too old an end for the list, but it is news to our client.
        rows += self._catalog.some(active.keys() - {row.id for row in rows})
        return [Change(row=row) for row in rows] + [Change(removed=job) for job in known.without(self._known)]

    def _unannounced(self) -> list[Change]:
        """What the journal does not tell: new folders the engine has not seen yet, and all while no engine drives."""
        changes: list[Change] = []
        new = self._unmade
        changed = os.stat(self._catalog.workdir.path).st_mtime_ns
        if changed != self._listed_at and self._listing.is_due():
            with self._listing.taken():
                present = self._list()
            changes += [Change(removed=job) for job in self._known.without(present)]
            new = set(present.without(self._known))
        if new:
            rows = self._catalog.some(new)
            changes += [Change(row=row) for row in rows]
            # A folder without its job.json yet is looked at again the next time.
            self._unmade = new - {row.id for row in rows}
        if self._active and self._looking.is_due():
            with self._looking.taken():
                if self._catalog.engine() is None:
                    changes += [Change(row=row) for row in self._catalog.some(self._to_look_at())]
        return changes

    def _to_look_at(self) -> list[int]:
        """Jobs in flight, which may end by themselves, and in turn those that wait: those only a person changes."""
        flying = [job for job, row in self._active.items() if row.state in IN_FLIGHT][:PORTION]
        waiting = sorted(job for job, row in self._active.items() if row.state not in IN_FLIGHT)
        start = bisect_right(waiting, self._looked_up_to)
        chosen = waiting[start : start + PORTION] or waiting[:PORTION]
        self._looked_up_to = chosen[-1] if chosen else 0
        return flying + chosen

    def _without_repeats(self, changes: Iterable[Change]) -> list[Change]:
        kept: list[Change] = []
        for change in changes:
            if change.removed is not None:
                self._known.discard(change.removed)
                self._active.pop(change.removed, None)
            elif change.row is not None:
                row = _timeless(change.row)
                if self._active.get(row.id) == row:
                    continue
                self._note([row])
                change = Change(row=row)
            kept.append(change)
        return kept


def _missing_in(given: IdSet, items: Iterable[Indexed]) -> Iterator[Indexed]:
    return (item for item in items if item.row.id not in given)


def _timeless(row: JobRow) -> JobRow:
    """The row without the time that a job in flight has run: it changes all the time, and that is no news."""
    return row if row.state in ENDED or row.elapsed is None else msgspec.structs.replace(row, elapsed=None)
