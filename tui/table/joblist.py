"""The jobs on the screen with cursor, marks and filter. All of them name jobs, never line numbers.

``rows`` is what is true now. What is listed is the same, or, while the list is frozen, what was true then.
"""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from ...core.filters import Filter, read_typed
from ...core.job import IN_FLIGHT, JobRow, State
from ...core.journal import Change
from ..celltext import called
from ..ref import ForeignRef, JobRef, Line, Ref
from .code import code_at, code_of, foreign_at, is_foreign, job_of, line_of, place_of, ref_of
from .marks import Marks
from .order import NEWEST_FIRST, SortTerm, readable_terms
from .rows import Rows
from .view import Spot, View

# Seconds after which jobs sorted by their run time are sorted anew.
_RESORT = 10.0


@dataclass(frozen=True)
class Lost:
    """What was under the cursor is not listed any more; ``words`` say why. The cursor is on its neighbour."""

    line: Line
    words: str


class JobList:
    """All jobs, and the lines of the table. A line number means something only until the next change; keep refs.

    ``filter_text``: the filter as it was typed.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Begin empty; ``clock`` tells the epoch seconds."""
        self.filter_text = ""
        self.frozen = False
        self._clock = clock
        self._view = View()
        self._marks = Marks(self._view)
        self._latest = self._view.rows
        self._counts: defaultdict[int, Counter[State]] = defaultdict(Counter)
        self._waiting: set[int] = set()
        self._cursor: int | None = None
        self._home: int | None = None
        self._targets: tuple[object, tuple[JobRef, ...]] = (None, ())
        self._progress: dict[int, float] = {}
        self._foreign: defaultdict[int, set[int]] = defaultdict(set)
        self._sorted_at = 0.0

    # -- what there is

    @property
    def rows(self) -> Rows:
        """All jobs as they are now, listed or not."""
        return Rows(self._latest)

    def row(self, ref: JobRef) -> JobRow | None:
        """A job as it is now, None if there is none."""
        return self._latest.get(code_of(ref))

    def __contains__(self, ref: object) -> bool:
        """Whether there is this job, listed or not."""
        return isinstance(ref, Ref | ForeignRef) and code_of(ref) in self._latest

    @property
    def total(self) -> int:
        """How many jobs there are."""
        return len(self._latest)

    @property
    def counts(self) -> Counter[State]:
        """How many jobs are in which state now, listed or not."""
        return sum(self._counts.values(), Counter[State]())

    def own_counts(self, place: int) -> Counter[State]:
        """The same for one place, without its foreign jobs."""
        return self._counts[place] - Counter(self._latest[code].state for code in self._foreign[place])

    @property
    def waiting(self) -> int:
        """How many jobs have changed since the list was frozen."""
        return len(self._waiting)

    # -- what is listed

    @property
    def view(self) -> View:
        """The lines by code, to be read only."""
        return self._view

    def __len__(self) -> int:
        """How many lines there are."""
        return len(self._view.lines)

    def line_at(self, number: int) -> Line:
        """What stands on a line, 0 being the first; raises IndexError."""
        return line_of(self._view.lines[number])

    def number_of(self, line: Line) -> int | None:
        """The number of a line, None if it is not listed."""
        return self._view.index(code_of(line))

    @property
    def shown(self) -> int:
        """How many jobs pass the filter."""
        return len(self._view.shown)

    @property
    def shown_counts(self) -> Counter[State]:
        """How many of those are in which state."""
        return +self._view.counts

    @property
    def sort_terms(self) -> tuple[SortTerm, ...]:
        """By what the list is sorted."""
        return self._view.order.terms

    # -- the cursor, and what an order means

    @property
    def cursor(self) -> Line | None:
        """What is under the cursor, None if nothing is listed."""
        return None if self._cursor is None else line_of(self._cursor)

    @property
    def cursor_code(self) -> int | None:
        """The code of what is under the cursor."""
        return self._cursor

    @property
    def cursor_number(self) -> int | None:
        """The number of the cursor's line."""
        return None if self._cursor is None else self._view.index(self._cursor)

    @property
    def current_ref(self) -> JobRef | None:
        """The job under the cursor; None if there is none, or a whole array."""
        return None if self._cursor is None or self._cursor < 0 else ref_of(self._cursor)

    @property
    def told_ref(self) -> JobRef | None:
        """The job under the cursor; of an array the task that tells most."""
        code = self._told()
        return None if code is None else ref_of(code)

    @property
    def current(self) -> JobRow | None:
        """The row of that job as it is now."""
        code = self._told()
        return None if code is None else self._latest.get(code) or self._view.rows[code]

    def _told(self) -> int | None:
        code = self._cursor
        return code if code is None or code >= 0 else self._view.summary(code).telling

    def targets(self) -> tuple[JobRef, ...]:
        """The jobs that an order means: the marked ones, else the one under the cursor or the array's listed tasks."""
        # Asked for often, and there may be very many.
        sign = self._marks.version, self._cursor, self._view.revision
        if self._targets[0] != sign:
            refs: Iterable[JobRef] = self.marks
            if not self.marks and self._cursor is not None:
                refs = map(ref_of, self._view.meant(self._cursor))
            self._targets = sign, tuple(sorted(refs, key=code_of))
        return self._targets[1]

    # -- changes of the data

    def replace(self, place: int, rows: Iterable[JobRow]) -> Lost | None:
        """Take these rows instead of all that this place had."""
        mine = (code for code in self._latest if place_of(code) == place and not is_foreign(code))
        changes: dict[int, JobRow | None] = dict.fromkeys(mine)
        changes.update((code_at(place, row.id), row) for row in rows)
        return self._take(changes)

    def extend(self, place: int, rows: Iterable[JobRow]) -> Lost | None:
        """Take these rows beside those that this place has; a job that is there already gets the new row."""
        return self._take({code_at(place, row.id): row for row in rows})

    def apply(self, place: int, changes: Iterable[Change]) -> Lost | None:
        """Take changes, the oldest first."""
        taken: dict[int, JobRow | None] = {}
        for change in changes:
            if change.removed is not None:
                taken[code_at(place, change.removed)] = None
            if change.row is not None:
                taken[code_at(place, change.row.id)] = change.row
        return self._take(taken)

    def forget(self, place: int) -> Lost | None:
        """Drop all jobs of a place."""
        return self.replace(place, ())

    def set_foreign(self, place: int, rows: Iterable[JobRow]) -> Lost | None:
        """Take these foreign jobs instead of those that this place had."""
        found = {foreign_at(place, row.backend, row.jid or ""): row for row in rows}
        changes: dict[int, JobRow | None] = {code: None for code in self._foreign[place] - found.keys()}
        changes.update((code, row) for code, row in found.items() if self._latest.get(code) != row)
        self._foreign[place] = set(found)
        return self._take(changes)

    def set_progress(self, shares: Mapping[Ref, float]) -> Lost | None:
        """Jobs in flight say how far they are, 0 to 1; it counts where their rows do not say."""
        changes: dict[int, JobRow | None] = {}
        for ref, share in shares.items():
            code = code_of(ref)
            row = self._latest.get(code)
            known = self._progress.get(code)
            if row is not None and row.state in IN_FLIGHT and known != share and not math.isnan(share):
                self._progress.pop(code, None)
                if row.progress is None or row.progress == known:
                    self._progress[code] = share
                    changes[code] = msgspec.structs.replace(row, progress=share)
        return self._take(changes)

    def _take(self, changes: dict[int, JobRow | None]) -> Lost | None:
        for code, row in changes.items():
            old, counts = self._latest.get(code), self._counts[place_of(code)]
            if old is not None:
                counts[old.state] -= 1
            if row is not None:
                counts[row.state] += 1
            if code in self._progress:
                changes[code] = self._with_progress(code, row)
        if not self.frozen:
            return self._show(changes)
        for code, row in changes.items():
            if row is None:
                self._latest.pop(code, None)
            else:
                self._latest[code] = row
        self._waiting |= changes.keys()
        return None

    def _with_progress(self, code: int, row: JobRow | None) -> JobRow | None:
        if row is None or row.state not in IN_FLIGHT:
            del self._progress[code]
            return row
        return row if row.progress is not None else msgspec.structs.replace(row, progress=self._progress[code])

    def freeze(self, on: bool) -> Lost | None:
        """Keep the list as it is while the rows go on changing; off: show what became of them."""
        if on and not self.frozen:
            self.frozen = True
            self._latest = dict(self._view.rows)
        elif self.frozen and not on:
            self.frozen = False
            waiting, latest = self._waiting, self._latest
            self._waiting, self._latest = set(), self._view.rows
            return self._show({code: latest.get(code) for code in waiting})
        return None

    def pass_time(self) -> Lost | None:
        """Let time go by for what depends on it: jobs sorted or chosen by how long they have run."""
        if self.frozen:
            return None
        now = self._clock()
        if self._view.order.timed and now - self._sorted_at >= _RESORT:
            self.set_sort(self.sort_terms)
        return self._around(lambda: self._view.pass_time(now))

    def _show(self, changes: Mapping[int, JobRow | None]) -> Lost | None:
        lost = self._around(lambda: self._view.update(changes))
        if self.marks:
            self._marks.remove(ref_of(code) for code, row in changes.items() if row is None)
        return lost

    def _around(self, change: Callable[[], object]) -> Lost | None:
        """Change the view, and find the cursor a new place if its line is gone."""
        cursor = self._cursor
        if cursor is None:
            change()
            self._cursor = self._view.lines[0] if self._view.lines else None
            return None
        spot, row = self._view.spot(cursor), self._view.rows.get(cursor)
        change()
        return None if self._settle(cursor, spot) else Lost(line_of(cursor), self._why_gone(cursor, row))

    def _settle(self, cursor: int, spot: Spot) -> bool:
        """Whether the cursor's line is still there; else the cursor goes to its array, or to its neighbour."""
        if self._view.index(cursor) is not None:
            return True
        parent = self._view.parent(cursor)
        self._cursor = self._view.nearest(spot) if parent is None else parent
        return False

    def _why_gone(self, code: int, before: JobRow | None) -> str:
        """In words why a line is not listed any more; ``before``: the row that its job had."""
        if before is None:
            filtered = self._view.has_tasks(code)
            return f"array {job_of(code)} {'has no task that the filter shows' if filtered else 'was removed'}"
        now = self._view.rows.get(code)
        if now is None and before.foreign:
            return f"{called(before)} is not listed by {before.backend} any more"
        if now is None:
            return f"{called(before)} was removed"
        return f"{called(now)} is {now.state} now, and the filter hides it"

    # -- the person's choices

    def set_sort(self, terms: Iterable[tuple[str, bool]] = NEWEST_FIRST) -> None:
        """Sort by columns, the most important first, each with whether it descends; unknown ones are left out."""
        self._sorted_at = self._clock()
        self._view.sort(readable_terms(terms), self._sorted_at)

    def set_filter(self, text: str) -> str:
        """Show the jobs that pass this filter. Returns "" or what cannot be read yet; then the rest of it holds.

        A term that could be read before it was changed goes on to hold as it was.
        """
        filter, hint = read_typed(text)
        self.filter_text = text
        before = self._view.filter
        if hint and not {term.text for term in before.terms} <= {term.text for term in filter.terms}:
            return hint
        self._apply_filter(filter)
        return hint

    def _apply_filter(self, filter: Filter) -> None:
        now, cursor = self._clock(), self._cursor
        lost = self._around(lambda: self._view.set_filter(filter, now))
        # Whoever only tried a filter finds the cursor where it was.
        if lost is not None and self._home is None:
            self._home = cursor
        elif self._home is not None and self._view.index(self._home) is not None:
            self._cursor, self._home = self._home, None

    def prepare_filter(self) -> None:
        """Get ready for somebody to type a filter."""
        self._view.prepare_filter()

    def expand(self, on: bool) -> bool:
        """Expand the array under the cursor, or collapse it, also from one of its tasks. Whether that was possible."""
        code = self._cursor
        if code is None:
            return False
        array = code if code < 0 else self._view.parent(code)
        if array is None or (array in self._view.expanded) is on:
            return False
        self._around(lambda: self._view.expand(array, on))
        return True

    def toggle_expand(self) -> bool:
        """Expand the array under the cursor or collapse it. Whether there was one."""
        return self.expand(True) or self.expand(False)

    def move_to(self, number: int) -> None:
        """Put the cursor on a line, or on the nearest one that exists."""
        lines = self._view.lines
        if lines:
            self._cursor = lines[min(max(number, 0), len(lines) - 1)]
            self._home = None

    def move(self, lines: int) -> None:
        """Move the cursor down by so many lines (negative: up)."""
        number = self.cursor_number
        if number is not None:
            self.move_to(number + lines)

    def select(self, ref: JobRef) -> bool:
        """Put the cursor on a job, or on the collapsed array that it is in. Whether it is listed."""
        code = code_of(ref)
        if self._view.index(code) is None:
            parent = self._view.parent(code)
            if parent is None:
                return False
            code = parent
        self._cursor, self._home = code, None
        return True

    # -- marks

    @property
    def marks(self) -> set[JobRef]:
        """The marked jobs, listed or not."""
        return self._marks.refs

    @property
    def hidden_marks(self) -> int:
        """How many marked jobs the filter hides."""
        return self._marks.hidden

    def toggle_mark(self) -> None:
        """Mark the job under the cursor or take its mark away; of an array all listed tasks."""
        if self._cursor is not None:
            self._marks.toggle(self._cursor)

    def mark_range(self) -> None:
        """Mark all lines from the one that was marked last to the cursor."""
        number = self.cursor_number
        if number is not None:
            self._marks.extend_to(number)

    def mark_all(self) -> None:
        """Mark all listed jobs; take all marks away if they are marked."""
        self._marks.toggle_all()

    def unmark(self, refs: Iterable[JobRef]) -> None:
        """Take marks away."""
        self._marks.remove(refs)

    def marked(self, line: Line) -> Literal["all", "some", "none"]:
        """How many of the jobs that a line stands for are marked."""
        return self._marks.on(code_of(line))
