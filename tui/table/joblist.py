"""The jobs on the screen, newest first, with the cursor and the marks; both hold job ids, never line numbers."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ...core.job import JobRow, State
from ...core.journal import Change


@dataclass(frozen=True)
class Applied:
    """What changes did: the ids with new rows, whether lines moved, and the cursor's job if that was removed."""

    changed: frozenset[int] = field(default_factory=frozenset)
    moved: bool = False
    lost: int | None = None


class JobList:
    """Rows by id. A line number means something only until the next change; keep ids."""

    def __init__(self) -> None:
        """Begin empty."""
        self.rows: dict[int, JobRow] = {}
        self.cursor: int | None = None
        self.marks: set[int] = set()
        self.counts: Counter[State] = Counter()
        self._ids: list[int] = []

    def __len__(self) -> int:
        """How many jobs there are."""
        return len(self._ids)

    def __contains__(self, job: object) -> bool:
        """Whether this job is in the list."""
        return job in self.rows

    def job_at(self, line: int) -> int:
        """The job on a line, 0 being the newest."""
        return self._ids[len(self._ids) - 1 - line]

    def line_of(self, job: int) -> int:
        """The line of a job that is in the list."""
        return len(self._ids) - 1 - bisect_left(self._ids, job)

    @property
    def current(self) -> JobRow | None:
        """The row under the cursor."""
        return None if self.cursor is None else self.rows.get(self.cursor)

    @property
    def highest(self) -> int:
        """The highest id, 0 without jobs."""
        return self._ids[-1] if self._ids else 0

    def targets(self) -> tuple[int, ...]:
        """The jobs that an order means: the marked ones, else the one under the cursor."""
        if self.marks:
            return tuple(sorted(self.marks))
        return () if self.cursor is None else (self.cursor,)

    # -- changes

    def replace(self, rows: Iterable[JobRow]) -> Applied:
        """Take these rows instead of all there were."""
        self.rows = {row.id: row for row in rows}
        self.counts = Counter(row.state for row in self.rows.values())
        return self._settle(frozenset(self.rows))

    def apply(self, changes: Iterable[Change]) -> Applied:
        """Apply changes in order."""
        changed: set[int] = set()
        moved = False
        for change in changes:
            if change.removed is not None and (gone := self.rows.pop(change.removed, None)) is not None:
                self.counts[gone.state] -= 1
                moved = True
            if change.row is not None:
                old = self.rows.get(change.row.id)
                if old is None:
                    moved = True
                else:
                    self.counts[old.state] -= 1
                if old != change.row:
                    changed.add(change.row.id)
                self.rows[change.row.id] = change.row
                self.counts[change.row.state] += 1
        if not moved:
            return Applied(frozenset(changed))
        return self._settle(frozenset(changed & self.rows.keys()))

    def _settle(self, changed: frozenset[int]) -> Applied:
        """Sort anew, and find places for the marks and a cursor whose job is gone."""
        self._ids = sorted(self.rows)
        self.marks &= self.rows.keys()
        lost = self.cursor if self.cursor is not None and self.cursor not in self.rows else None
        if self.cursor is None or lost is not None:
            self.cursor = self._nearest(lost)
        return Applied(changed, True, lost)

    def _nearest(self, lost: int | None) -> int | None:
        """Where the cursor goes from a removed job: to the line that took its place, else to the last one."""
        if not self._ids:
            return None
        if lost is None:
            return self._ids[-1]
        return self._ids[max(0, bisect_left(self._ids, lost) - 1)]

    # -- the person's moves

    def move_to(self, line: int) -> None:
        """Put the cursor on a line, or on the nearest one that exists."""
        if self._ids:
            self.cursor = self.job_at(min(max(line, 0), len(self._ids) - 1))

    def move(self, lines: int) -> None:
        """Move the cursor down by ``lines`` (negative: up)."""
        if self.cursor is not None:
            self.move_to(self.line_of(self.cursor) + lines)

    def toggle_mark(self) -> None:
        """Mark the cursor's job, or take its mark away."""
        if self.cursor is not None:
            self.marks ^= {self.cursor}
