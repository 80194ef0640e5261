"""Reads the jobs of a work directory for clients: rows from the index, checked against the folders first."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator

import msgspec

from . import metadir
from .conditions import JobEnd, evaluate
from .filters import Selection, parse_filter
from .identity import is_alive, this_boot, this_host
from .index import Indexed, IndexReader, IndexUnusableError
from .job import ENDED, IN_FLIGHT, LOCAL, JobRow, Reason, State
from .journal import Change, JournalReader
from .lease import Lease, is_held, read_lease
from .settings import SettingsError, default_retries, read_settings
from .verdict import Facts, Observation, Verdict, judge, last_seen, summarize, will_retry
from .workdir import INDEX, JOURNAL, WorkDir

# Seconds between two looks at the jobs that have not ended, while no engine drives.
_UNDRIVEN_POLL = 1.0


class Attempt(msgspec.Struct, frozen=True):
    """An earlier attempt: how it ended, when (epoch seconds), and the folder that keeps its files."""

    number: int
    exit_code: int | None
    started: float | None
    ended: float | None
    folder: str


class Detail(msgspec.Struct, frozen=True):
    """One job in full: its row, the facts behind it, and its earlier attempts."""

    row: JobRow
    facts: Facts
    attempts: list[Attempt]


class Catalog:
    """The jobs of ``workdir``. Reading changes nothing on disk and needs no engine."""

    def __init__(self, workdir: WorkDir) -> None:
        """Read from ``workdir``, which must exist when a method is called (FileNotFoundError)."""
        self.workdir = workdir

    def engine(self) -> Lease | None:
        """The lease of the engine that drives now, or None."""
        lease = read_lease(self.workdir)
        return lease if is_held(lease) else None

    def all(self) -> list[JobRow]:
        """Every job, by id."""
        return self._checked(IndexReader.all)

    def recent(self, ended: int) -> list[JobRow]:
        """Every job that has not ended, and the ``ended`` that did so last; by id."""

        def query(index: IndexReader) -> list[Indexed]:
            return index.active() + index.newest_ended(ended)

        rows = self._checked(query)
        done = sorted((row for row in rows if row.state in ENDED), key=lambda row: row.ended or 0.0)
        old = {row.id for row in done[: max(0, len(done) - ended)]}
        return [row for row in rows if row.id not in old]

    def some(self, jobs: Iterable[int]) -> list[JobRow]:
        """These jobs, as far as they exist, by id."""
        wanted = set(jobs)
        if not wanted:
            return []
        try:
            with IndexReader(self.workdir.file(INDEX)) as index:
                found = index.some(wanted)
        except IndexUnusableError:
            found = []
        return self._true_rows(found, wanted - {item.row.id for item in found})

    def pick(self, selection: Selection) -> list[JobRow]:
        """The jobs that a selection means, by id."""
        rows = self.all() if selection.ids is None else self.some(set(selection.ids).intersection(self.workdir.ids()))
        test = parse_filter(selection.filter)
        return [row for row in rows if test(row)]

    def detail(self, job: int) -> Detail | None:
        """One job in full; None if there is no such job."""
        facts, rows = self._facts(job), self.some([job])
        if facts is None or not rows:
            return None
        return Detail(rows[0], facts, _attempts(self.workdir.metadir(job), facts))

    def judged(self, jobs: Iterable[int]) -> Iterator[tuple[int, Detail | None]]:
        """Each of these jobs as its folder says right now, without its earlier attempts; None if it is not there."""
        driven = self.engine() is not None
        for job in jobs:
            facts = self._facts(job)
            yield job, None if facts is None else Detail(self._row(job, facts, driven), facts, [])

    def _checked(self, query: Callable[[IndexReader], list[Indexed]]) -> list[JobRow]:
        """The rows of a query that are still true, the others made anew, and the jobs the index does not know."""
        present = set(self.workdir.ids())
        try:
            with IndexReader(self.workdir.file(INDEX)) as index:
                found, known = query(index), index.ids()
        except IndexUnusableError:
            found, known = [], set[int]()
        return self._true_rows(found, present - known)

    def _true_rows(self, found: list[Indexed], unknown: Iterable[int]) -> list[JobRow]:
        """Rows of the index as far as they are still true, and rows made anew for the others and ``unknown`` jobs."""
        driven = self.engine() is not None
        rows: list[JobRow | None] = []
        for item in found:
            job = item.row.id
            true = self.workdir.mtime_ns(job) == item.mtime and (driven or item.row.state not in IN_FLIGHT)
            rows.append(item.row if true else self._derive(job, driven))
        rows += [self._derive(job, driven) for job in unknown]
        now = time.time()
        return sorted((_aged(row, now) for row in rows if row is not None), key=lambda row: row.id)

    def _facts(self, job: int) -> Facts | None:
        try:
            facts = metadir.read_facts(self.workdir.metadir(job))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError:
            return Facts(spec=None, damaged=(metadir.SPEC,))
        # A folder without job.json is a job just being made, or one that was never made to the end.
        return facts if facts.spec is not None or metadir.SPEC in facts.damaged else None

    def _derive(self, job: int, driven: bool) -> JobRow | None:
        facts = self._facts(job)
        return None if facts is None else self._row(job, facts, driven)

    def _row(self, job: int, facts: Facts, driven: bool) -> JobRow:
        verdict = judge(facts)
        if verdict.state in IN_FLIGHT and facts.spec is not None and facts.spec.backend != LOCAL:
            verdict = judge(facts, last_seen(self._published(job), facts))
        elif verdict.state in IN_FLIGHT and not driven:
            verdict = judge(facts, _look(facts))
        if verdict.state is State.FAILED and will_retry(facts, verdict, self._default_retries(facts)):
            verdict = Verdict(State.QUEUED, detail=f"attempt {facts.attempt + 1} follows")
        if verdict.state is State.CREATED and facts.spec is not None:
            outlook = evaluate(facts.spec.after, self._end_of, time.time())
            waits = outlook.answer != "holds"
            verdict = Verdict(
                State.CREATED if waits else State.QUEUED, detail=f"waits for {outlook.why}" if waits else ""
            )
        if verdict.state is State.QUEUED and driven and facts.spec is not None and facts.spec.backend != LOCAL:
            published = self._published(job)
            if published is not None and published.state is State.QUEUED and published.attempt == facts.attempt:
                verdict = msgspec.structs.replace(verdict, detail=published.detail)
        return summarize(job, self.workdir.path, facts, verdict)

    def _published(self, job: int) -> JobRow | None:
        """The row that an engine made of a job last."""
        try:
            with IndexReader(self.workdir.file(INDEX)) as index:
                return next((item.row for item in index.some({job})), None)
        except IndexUnusableError:
            return None

    def _default_retries(self, facts: Facts) -> int:
        if facts.settled or facts.spec is None or facts.spec.retry.limit is not None:
            return 0
        with contextlib.suppress(SettingsError, OSError):
            return default_retries(read_settings(self.workdir))
        return 0

    def _end_of(self, job: int) -> JobEnd:
        facts = self._facts(job)
        if facts is None:
            return "missing"
        state = judge(facts).state
        if state not in ENDED:
            return "active"
        return "ok" if state is State.FINISHED else "fail"


def _aged(row: JobRow, now: float) -> JobRow:
    """The row with the time that a job in flight has run until now."""
    if row.started is None or row.state not in IN_FLIGHT:
        return row
    return msgspec.structs.replace(row, elapsed=max(0.0, now - row.started))


def _look(facts: Facts) -> Observation | None:
    """What a client can see by itself of a job in flight on this machine, while no engine watches it."""
    begin = facts.begin
    if begin is None or begin.host != this_host():
        return None
    if begin.boot != this_boot():
        return Observation("gone", Reason.NODE_FAILURE, "this machine was restarted while it ran")
    if is_alive(begin.wrapper) or is_alive(begin.payload):
        return Observation("running")
    return Observation("gone", Reason.LOST, "the job script was killed before it could record the exit code")


def _attempts(folder: str, facts: Facts) -> list[Attempt]:
    found: list[Attempt] = []
    for number in metadir.attempts(folder):
        kept = f"{folder}/{metadir.RETRY}/{number}"
        earlier = metadir.read_facts(kept, facts.spec)
        begin, end, engine_end = earlier.begin, earlier.end, earlier.engine_end
        ended = end.at if end is not None else engine_end.at if engine_end is not None else None
        code = end.exit_code if end is not None else engine_end.exit_code if engine_end is not None else None
        found.append(Attempt(number, code, begin.at if begin is not None else None, ended, kept))
    return found


def _timeless(row: JobRow) -> JobRow:
    """The row without the time that a job in flight has run: it changes all the time, and that is no news."""
    return row if row.state in ENDED or row.elapsed is None else msgspec.structs.replace(row, elapsed=None)


class Follower:
    """Tells what changed since the last call. ``rows`` is the state at the start, to which changes apply in order.

    Rows of jobs in flight have no ``elapsed`` here: whoever shows one counts from ``started`` on.
    """

    def __init__(self, catalog: Catalog, ended: int | None) -> None:
        """Start with every job that has not ended and the ``ended`` newest that have (None: all)."""
        self._catalog = catalog
        self._ended = ended
        # Before the rows: a change in between is then told twice, never lost.
        self._journal = JournalReader(catalog.workdir.file(JOURNAL))
        self._looked_at = 0.0
        self._mtime = 0
        self._unmade: set[int] = set()
        self.rows = self._read()

    def _read(self) -> list[JobRow]:
        self._known = set(self._catalog.workdir.ids())
        rows = self._catalog.all() if self._ended is None else self._catalog.recent(self._ended)
        rows = [_timeless(row) for row in rows]
        self._active = {row.id: row for row in rows if row.state not in ENDED}
        return rows

    def poll(self) -> list[Change]:
        """The changes since the last call. Raises FileNotFoundError when the work directory is gone."""
        changes = self._journal.read()
        if changes is None:
            known, told, active = self._known, self._active, set(self._active)
            rows = self._read()
            self._active = told
            # What ended in between may be too old an end for the list, but it is news to our client.
            rows += self._catalog.some(active - {row.id for row in rows})
            changes = [Change(row=row) for row in rows]
            changes += [Change(removed=job) for job in known - self._known]
        else:
            changes += self._unannounced()
        return self._without_repeats(changes)

    def _unannounced(self) -> list[Change]:
        """What the journal does not tell: new folders the engine has not seen yet, and all while no engine drives."""
        changes: list[Change] = []
        mtime = os.stat(self._catalog.workdir.path).st_mtime_ns
        if mtime != self._mtime or self._unmade:
            self._mtime = mtime
            present = set(self._catalog.workdir.ids())
            changes += [Change(removed=job) for job in self._known - present]
            rows = self._catalog.some(present - self._known)
            changes += [Change(row=row) for row in rows]
            # A folder without its job.json yet is looked at again the next time.
            self._unmade = present - self._known - {row.id for row in rows}
            self._known = present - self._unmade
        now = time.monotonic()
        if self._active and now - self._looked_at >= _UNDRIVEN_POLL:
            self._looked_at = now
            if self._catalog.engine() is None:
                changes += [Change(row=row) for row in self._catalog.some(self._active)]
        return changes

    def _without_repeats(self, changes: list[Change]) -> list[Change]:
        kept: list[Change] = []
        for change in changes:
            if change.removed is not None:
                self._active.pop(change.removed, None)
                self._known.discard(change.removed)
            elif change.row is not None:
                row = _timeless(change.row)
                if self._active.get(row.id) == row:
                    continue
                self._known.add(row.id)
                if row.state in ENDED:
                    self._active.pop(row.id, None)
                else:
                    self._active[row.id] = row
                change = Change(row=row)
            kept.append(change)
        return kept

    @property
    def active(self) -> int:
        """How many jobs have not ended."""
        return len(self._active)
