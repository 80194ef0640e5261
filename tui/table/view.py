"""The lines of the table: the jobs that pass the filter, in order, each array as one line that can be expanded.

An array stands where the first of its shown tasks stands. Everything here is in codes; see ``code``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from ...core.filters import Filter
from ...core.job import IN_FLIGHT, JobRow, State
from .arrays import Summary
from .code import array_at, place_of
from .order import NEWEST_FIRST, Key, Order, SortTerm
from .sieve import Sieve, Texts

# So many jobs change places one by one; of more, all are laid out anew.
_FEW = 16
_SHARE = 256
# Of fewer than one job in so many, it is quicker to sort them than to pick them out of all in order.
_SPARSE = 16


class Spot(NamedTuple):
    """Where a line stands, or stood: by its key and not by its number, so that it can be found in changed lines."""

    key: Key
    task: int | None
    array: int | None


def array_of(code: int, row: JobRow) -> int | None:
    """The code of the array that a job is a task of, if any."""
    return None if row.array is None else array_at(place_of(code), row.array)


class View:
    """Rows by code, and ``lines``: the codes of what is listed, from above. A line number is good until a change."""

    def __init__(self) -> None:
        """Begin empty, newest first, unfiltered."""
        self.rows: dict[int, JobRow] = {}
        self.lines: list[int] = []
        self.expanded: set[int] = set()
        self.order = Order(NEWEST_FIRST, 0.0)
        self._sieve = Sieve(Filter(), 0.0)
        self._texts = Texts()
        self._sorted: list[int] = []
        # The same list as long as nothing is filtered.
        self._passing = self._sorted
        self._tasks: dict[int, list[int]] = {}
        # The array of each task, shown or not.
        self._array_of: dict[int, int] = {}
        self._sizes: Counter[int] = Counter()
        self._summaries: dict[int, Summary] = {}
        self._flying: set[int] = set()
        self._counts: Counter[State] | None = None

    # -- what is listed

    @property
    def filter(self) -> Filter:
        """The filter in force."""
        return self._sieve.filter

    @property
    def shown(self) -> Sequence[int]:
        """The jobs that pass the filter, in order, tasks in collapsed arrays included."""
        return self._passing

    @property
    def counts(self) -> Counter[State]:
        """How many of the shown jobs are in which state."""
        if self._counts is None:
            self._counts = Counter(map(attrgetter("state"), map(self.rows.__getitem__, self._passing)))
        return self._counts

    @property
    def has_arrays(self) -> bool:
        """Whether any array is listed."""
        return bool(self._tasks)

    def passes(self, code: int) -> bool:
        """Whether a job passes the filter."""
        return self._sieve.passes(self.rows[code])

    def tasks(self, array: int) -> Sequence[int]:
        """The shown tasks of an array, in order."""
        return self._tasks.get(array, ())

    def meant(self, line: int) -> Sequence[int]:
        """The jobs that a line stands for: one, or the shown tasks of an array."""
        return (line,) if line >= 0 else self.tasks(line)

    def summary(self, array: int) -> Summary:
        """What the shown tasks of a listed array say together."""
        found = self._summaries.get(array)
        if found is None:
            found = self._summaries[array] = Summary(self._tasks[array], self.rows)
        found.total = self._sizes[array]
        return found

    def index(self, line: int) -> int | None:
        """The number of a line, None if it is not listed."""
        array = line
        if line >= 0:
            row = self.rows.get(line)
            if row is None or not self._sieve.passes(row):
                return None
            of_array = array_of(line, row)
            if of_array is None:
                return self._seek(self.order.key(line, row))
            if of_array not in self.expanded:
                return None
            array = of_array
        if array not in self._tasks:
            return None
        at = self._seek(self._lead_key(array))
        return at if line < 0 else self.lines.index(line, at + 1)

    def parent(self, line: int) -> int | None:
        """The listed array that a job is a shown task of, if any."""
        row = self.rows.get(line)
        array = None if row is None else array_of(line, row)
        return array if array in self._tasks and self.passes(line) else None

    # -- places that outlive changes

    def spot(self, line: int) -> Spot:
        """Where a listed line stands."""
        if line < 0:
            return Spot(self._lead_key(line), None, None)
        row = self.rows[line]
        return Spot(self.order.key(line, row), line, array_of(line, row))

    def nearest(self, spot: Spot) -> int | None:
        """The line that took the place of one that is gone, else the last one; among its array's tasks if it can."""
        if spot.array in self.expanded and spot.array in self._tasks:
            return self._nearest_task(spot.array, spot.key)
        if not self.lines:
            return None
        return self.lines[min(self._seek(spot.key), len(self.lines) - 1)]

    def _nearest_task(self, array: int, key: Key) -> int:
        tasks = self._tasks[array]
        at = bisect_left(tasks, key, key=lambda code: self.order.key(code, self.rows[code]))
        return tasks[min(at, len(tasks) - 1)]

    def _key(self, code: int) -> Key:
        return self.order.key(code, self.rows[code])

    def _lead_key(self, line: int) -> Key:
        """The key by which a line stands: a job's own, and for an array and its tasks that of the first task."""
        if line >= 0:
            array = array_of(line, self.rows[line])
            if array is None:
                return self._key(line)
            line = array
        return self._key(self._tasks[line][0])

    def _seek(self, key: Key) -> int:
        """The number of the line that stands at a key, or that would make room for it."""
        return bisect_left(self.lines, key, key=self._lead_key)

    # -- changes of the data

    def update(self, changes: Mapping[int, JobRow | None]) -> None:
        """Take new rows; None: the job is gone."""
        moved = [code for code, row in changes.items() if self._moves(code, row)]
        if len(moved) > _FEW + len(self.rows) // _SHARE:
            self._write(changes)
            self._lay_out(moved)
            return
        lifted = self._take_out(moved)
        self._write(changes)
        self._put_in(moved, lifted)

    def _moves(self, code: int, row: JobRow | None) -> bool:
        """Whether a new row changes which jobs are listed, or in which order."""
        old = self.rows.get(code)
        if old is None or row is None:
            return old is not row
        return (
            (old.array, old.array_index) != (row.array, row.array_index)
            or self.order.key(code, old) != self.order.key(code, row)
            or self._sieve.passes(old) != self._sieve.passes(row)
        )

    def _write(self, changes: Mapping[int, JobRow | None]) -> None:
        """Store the rows, and keep the sums that are kept true."""
        for code, row in changes.items():
            old = self.rows.get(code)
            self._count(code, old, row)
            if row is None:
                self.rows.pop(code, None)
            else:
                self.rows[code] = row
            if row is not None and row.state in IN_FLIGHT:
                self._flying.add(code)
            else:
                self._flying.discard(code)
            self._texts.note(code, row)
        self.expanded &= self._sizes.keys()

    def _count(self, code: int, old: JobRow | None, new: JobRow | None) -> None:
        for row, step in ((new, 1), (old, -1)):
            if row is not None and (array := array_of(code, row)) is not None:
                self._sizes[array] += step
                if not self._sizes[array]:
                    del self._sizes[array]
        if new is not None and (array := array_of(code, new)) is not None:
            self._array_of[code] = array
        else:
            self._array_of.pop(code, None)
        before = old if old is not None and self._sieve.passes(old) else None
        after = new if new is not None and self._sieve.passes(new) else None
        if self._counts is not None:
            if before is not None:
                self._counts[before.state] -= 1
            if after is not None:
                self._counts[after.state] += 1
        was = None if before is None else array_of(code, before)
        now = None if after is None else array_of(code, after)
        for array in {was, now}:
            if array is not None and (summary := self._summaries.get(array)) is not None:
                summary.swap(code, before if was == array else None, after if now == array else None)

    def _take_out(self, codes: Iterable[int]) -> set[int]:
        """Take jobs out of all lists while their old rows still tell where they stand. Returns the arrays taken out."""
        lifted: set[int] = set()
        for code in codes:
            row = self.rows.get(code)
            if row is None:
                continue
            key = self.order.key(code, row)
            _cut(self._sorted, code, key, self._key)
            if not self._sieve.passes(row):
                continue
            if self._passing is not self._sorted:
                _cut(self._passing, code, key, self._key)
            array = array_of(code, row)
            if array is None:
                _cut(self.lines, code, key, self._lead_key)
            else:
                self._lift(array, lifted)
                _cut(self._tasks[array], code, key, self._key)
        return lifted

    def _lift(self, array: int, lifted: set[int]) -> None:
        """Take an array with its expanded tasks out of the lines, if it is among them."""
        tasks = self._tasks.get(array)
        if array not in lifted and tasks:
            at = self._seek(self._lead_key(array))
            del self.lines[at : at + 1 + (len(tasks) if array in self.expanded else 0)]
        lifted.add(array)

    def _put_in(self, codes: Iterable[int], lifted: set[int]) -> None:
        """Put jobs where their new rows belong, and the lifted arrays back."""
        for code in codes:
            row = self.rows.get(code)
            if row is None:
                continue
            key = self.order.key(code, row)
            _insert(self._sorted, code, key, self._key)
            if not self._sieve.passes(row):
                continue
            if self._passing is not self._sorted:
                _insert(self._passing, code, key, self._key)
            array = array_of(code, row)
            if array is None:
                self.lines.insert(self._seek(key), code)
            else:
                self._lift(array, lifted)
                _insert(self._tasks.setdefault(array, []), code, key, self._key)
        for array in lifted:
            self._put_back(array)

    def _put_back(self, array: int) -> None:
        if not self._tasks.get(array):
            self._tasks.pop(array, None)
            self._summaries.pop(array, None)
            return
        at = self._seek(self._lead_key(array))
        self.lines[at:at] = self._block(array)

    def _block(self, array: int) -> list[int]:
        """The lines of an array: its own, and those of its tasks where it is expanded."""
        if array not in self.expanded:
            return [array]
        return [array, *self.order.sort_tasks(self._tasks[array], self.rows)]

    # -- all at once

    def _lay_out(self, moved: Iterable[int]) -> None:
        """Lay out everything anew after these jobs came, went or moved."""
        gone = set(moved)
        kept = [code for code in self._sorted if code not in gone]
        come = self.order.sort((code for code in gone if code in self.rows), self.rows)
        at = bisect_left(kept, self._key(come[0]), key=self._key) if come else 0
        if come and at < len(kept) and self._key(kept[at]) < self._key(come[-1]):
            self._sorted = self.order.sort(self.rows, self.rows)
        else:
            # As when jobs are loaded in order: they all belong between two others.
            kept[at:at] = come
            self._sorted = kept
        self._filter_all()
        self._draw_up()

    def _filter_all(self) -> None:
        """Find the jobs that pass, in order."""
        if self._sieve.open:
            self._passing = self._sorted
            return
        # Not in the order of the list: memory is quickest in the order in which it was filled.
        found = self._sieve.strain(self.rows, self.rows, self._flying, self._texts)
        if len(found) == len(self._sorted):
            self._passing = self._sorted.copy()
        elif len(found) * _SPARSE < len(self._sorted):
            self._passing = self.order.sort(found, self.rows)
        else:
            kept = set(found)
            self._passing = [code for code in self._sorted if code in kept]

    def _draw_up(self) -> None:
        """Make the lines out of the jobs that pass."""
        self._counts = None
        self._summaries.clear()
        self._tasks = {}
        if not self._sizes:
            self.lines = self._passing.copy()
            return
        arrays, found = self._array_of, self._tasks
        lines: list[int] = []
        for code in self._passing:
            array = arrays.get(code)
            if array is None:
                lines.append(code)
                continue
            tasks = found.get(array)
            if tasks is None:
                found[array] = [code]
                lines.append(array)
            else:
                tasks.append(code)
        if not self.expanded.isdisjoint(found):
            lines = [each for line in lines for each in (self._block(line) if line in self.expanded else (line,))]
        self.lines = lines

    # -- what the person asks for

    def sort(self, terms: Sequence[SortTerm], now: float) -> None:
        """Sort anew, jobs in flight having run until ``now`` (epoch seconds)."""
        self.order = Order(terms, now)
        self._sorted = self.order.sort(self.rows, self.rows)
        self._filter_all()
        self._draw_up()

    def set_filter(self, filter: Filter, now: float) -> None:
        """Show the jobs that pass this filter at the moment ``now`` (epoch seconds)."""
        sieve, before = Sieve(filter, now), self._passing
        narrower = sieve.narrows(self._sieve)
        self._sieve = sieve
        if not filter.words:
            self._texts.drop()
        if narrower and len(before) * _SPARSE < len(self._sorted):
            self._passing = sieve.strain(before, self.rows, self._flying, self._texts)
        else:
            self._filter_all()
        if not narrower or len(self._passing) < len(before):
            self._draw_up()

    def prepare_filter(self) -> None:
        """Do now what the first word of a filter needs, so that its first key is as quick as the others."""
        self._texts.of_all(self.rows)

    def expand(self, array: int, on: bool) -> None:
        """Show the tasks of a listed array as lines below it, or do not."""
        if (array in self.expanded) is on or array not in self._tasks:
            return
        at = self._seek(self._lead_key(array))
        if on:
            self.expanded.add(array)
            self.lines[at : at + 1] = self._block(array)
        else:
            self.expanded.discard(array)
            del self.lines[at + 1 : at + 1 + len(self._tasks[array])]

    def pass_time(self, now: float) -> None:
        """Let jobs in flight have run until ``now``: others may pass the filter then."""
        if not self._sieve.timed:
            return
        sieve = Sieve(self._sieve.filter, now)
        rows = {code: self.rows[code] for code in self._flying}
        moved = [code for code, row in rows.items() if sieve.passes(row) != self._sieve.passes(row)]
        if len(moved) > _FEW:
            self._sieve = sieve
            self._filter_all()
            self._draw_up()
            return
        lifted = self._take_out(moved)
        self._sieve = sieve
        for array in lifted:
            self._summaries.pop(array, None)
        self._put_in(moved, lifted)
        if moved:
            self._counts = None


def _cut(codes: list[int], code: int, key: Key, key_of: Callable[[int], Key]) -> None:
    """Take a code out of a sorted list that has it."""
    at = bisect_left(codes, key, key=key_of)
    assert codes[at] == code
    del codes[at]


def _insert(codes: list[int], code: int, key: Key, key_of: Callable[[int], Key]) -> None:
    """Put a code into a sorted list."""
    codes.insert(bisect_left(codes, key, key=key_of), code)
