"""Reads the jobs of a work directory for clients: rows from the index, checked against the folders first."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator

import msgspec

from . import metadir
from .conditions import JobEnd, evaluate
from .filters import Selection, parse_filter
from .identity import is_alive, is_stopped, this_boot, this_host
from .index import Indexed, IndexReader, IndexUnusableError
from .job import ENDED, IN_FLIGHT, LOCAL, JobRow, Reason, State
from .lease import Lease, is_held, read_lease
from .settings import SettingsError, default_retries, read_settings
from .sharing import share
from .units import shown
from .verdict import Facts, Observation, Verdict, judge, last_seen, summarize, will_retry
from .workdir import INDEX, WorkDir

# The longest list of rows that is made in one go.
PORTION = 2000
# Seconds that making one may take.
_MOMENT = 0.03
_NO_ID = 2**63 - 1


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
        self._shown_path = shown(workdir.path)

    def engine(self) -> Lease | None:
        """The lease of the engine that drives now, or None."""
        lease = read_lease(self.workdir)
        return lease if is_held(lease) else None

    def glance(self, count: int) -> list[JobRow]:
        """The ``count`` jobs with the highest ids, the highest first.

        However many jobs there are, this takes as long as reading so many; only where there is no usable index, the
        directory is listed. Rows are as in ``portions``.
        """
        try:
            with IndexReader(self.workdir.file(INDEX)) as index:
                found = index.newest(count)
        except IndexUnusableError:
            found = []
        if not found:
            return [row for rows in self.portions(heapq.nlargest(count, self.workdir.ids())) for row in rows]
        newer = self._newer_than(found[0].row.id, count)
        return [row for rows in self.portions([*newer, *found[: count - len(newer)]]) for row in rows]

    def _newer_than(self, job: int, count: int) -> list[int]:
        """Up to ``count`` jobs that the index does not know yet, the highest id first."""
        following = range(job + 1, job + 1 + count)
        return list(itertools.takewhile(lambda new: os.path.exists(self.workdir.metadir(new)), following))[::-1]

    def counts(self) -> tuple[int, int]:
        """How many jobs have not ended, and how many there are, by the engine's last word where there is one."""
        try:
            with IndexReader(self.workdir.file(INDEX)) as index:
                return index.counts()
        except IndexUnusableError:
            rows = self.all()
            return sum(row.state not in ENDED for row in rows), len(rows)

    def indexed(self, *, ended: bool) -> Iterator[Indexed]:
        """Yield what the index holds of the jobs that have ended or have not, the highest id first.

        Stops early where the index cannot be read (any more). It may be written meanwhile.
        """
        below = _NO_ID
        while True:
            try:
                with IndexReader(self.workdir.file(INDEX)) as index:
                    page = index.ended_below(below, PORTION) if ended else index.active_below(below, PORTION)
            except IndexUnusableError:
                return
            yield from page
            if len(page) < PORTION:
                return
            below = page[-1].row.id

    def portions(self, jobs: Iterable[Indexed | int]) -> Iterator[list[JobRow]]:
        """The rows of these jobs, given as the index has them or as bare ids, in lists that were made in a moment.

        Rows of jobs in flight have no ``elapsed`` here: whoever shows one counts from ``started`` on. A list may be
        empty, and jobs that are not there are left out.
        """
        rows: list[JobRow] = []
        driven, due = self.engine() is not None, time.monotonic() + _MOMENT
        for job in jobs:
            row = self._true(job, driven) if isinstance(job, Indexed) else self._derive(job, driven)
            if row is not None:
                rows.append(row)
            if len(rows) >= PORTION or time.monotonic() > due:
                yield rows
                rows = []
                driven, due = self.engine() is not None, time.monotonic() + _MOMENT
        yield rows

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
        found = self._published(wanted)
        return self._true_rows(found, wanted - {item.row.id for item in found})

    def _published(self, jobs: Iterable[int]) -> list[Indexed]:
        """What the index says of these jobs."""
        try:
            with IndexReader(self.workdir.file(INDEX)) as index:
                return index.some(jobs)
        except IndexUnusableError:
            return []

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
        driven, wanted = self.engine() is not None, list(jobs)
        published = {item.row.id: item.row for item in self._published(wanted)} if driven else {}
        for job in wanted:
            facts = self._facts(job)
            row = None if facts is None else self._row(job, facts, driven, published.get(job))
            yield job, None if facts is None or row is None else Detail(row, facts, [])

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
        rows = [self._true(item, driven) for item in found] + [self._derive(job, driven) for job in unknown]
        now = time.time()
        return sorted((_aged(row, now) for row in rows if row is not None), key=lambda row: row.id)

    def _true(self, item: Indexed, driven: bool) -> JobRow | None:
        """The row of the index where its folder has not changed since, else one made anew."""
        row = item.row
        if self.workdir.mtime_ns(row.id) != item.mtime or (row.state in IN_FLIGHT and not driven):
            return self._derive(row.id, driven, row)
        # The work directory may have been moved.
        return row if row.workdir == self._shown_path else msgspec.structs.replace(row, workdir=self._shown_path)

    def _facts(self, job: int) -> Facts | None:
        try:
            facts = metadir.read_facts(self.workdir.metadir(job))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError:
            return Facts(spec=None, damaged=(metadir.SPEC,))
        # A folder without job.json is a job just being made, or one that was never made to the end.
        return facts if facts.spec is not None or metadir.SPEC in facts.damaged else None

    def _derive(self, job: int, driven: bool, published: JobRow | None = None) -> JobRow | None:
        facts = self._facts(job)
        return None if facts is None else self._row(job, facts, driven, published)

    def _row(self, job: int, facts: Facts, driven: bool, published: JobRow | None) -> JobRow:
        """The row by the facts, and of a job in flight by what the engine saw and ``published``."""
        verdict = judge(facts)
        if verdict.state in IN_FLIGHT and facts.spec is not None and facts.spec.backend != LOCAL:
            known = published or next((item.row for item in self._published([job])), None)
            verdict = judge(facts, last_seen(known, facts))
        elif verdict.state in IN_FLIGHT and not driven:
            verdict = judge(facts, _look(facts))
        elif published is not None and _sees_more(published, facts, verdict.state):
            verdict = Verdict(published.state, detail=published.detail)
        if verdict.state is State.FAILED and will_retry(facts, verdict, self._default_retries(facts)):
            verdict = Verdict(State.QUEUED, detail=f"attempt {facts.attempt + 1} follows")
        if verdict.state is State.CREATED and facts.spec is not None:
            outlook = evaluate(facts.spec.after, self._end_of, time.time())
            waits = outlook.answer != "holds"
            verdict = Verdict(
                State.CREATED if waits else State.QUEUED, detail=f"waits for {outlook.why}" if waits else ""
            )
        if verdict.state is State.QUEUED and published is not None and published.attempt == facts.attempt:
            # The engine knows why a scheduler does not take it now.
            kept = published.detail if published.state is State.QUEUED and published.backend != LOCAL else ""
            verdict = msgspec.structs.replace(verdict, detail=verdict.detail or kept)
        return share(summarize(job, self.workdir.path, facts, verdict))

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


def _sees_more(published: JobRow, facts: Facts, state: State) -> bool:
    """Whether the engine's word says more of a job in flight than the facts, which give it this state."""
    if published.attempt != facts.attempt or published.state not in IN_FLIGHT:
        return False
    return state is State.SUBMITTED or (state is State.RUNNING and published.state is State.SUSPENDED)


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
        return Observation("suspended" if is_stopped(begin.payload) else "running")
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
