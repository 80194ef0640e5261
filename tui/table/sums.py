"""What is counted of the jobs: states of the shown ones, sizes of arrays, and what their tasks say together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from operator import attrgetter

from ...core.job import JobRow, State
from .arrays import Summary
from .code import array_at, place_of


def array_of(code: int, row: JobRow) -> int | None:
    """The code of the array that a job is a task of, if any."""
    return None if row.array is None else array_at(place_of(code), row.array)


class Sums:
    """Kept true change by change; what nobody asked for is not summed up.

    ``sizes``: how many tasks each array has, shown or not; ``array_of``: the array of each task.
    """

    def __init__(self) -> None:
        """Begin without jobs."""
        self.sizes: Counter[int] = Counter()
        self.array_of: dict[int, int] = {}
        self._counts: Counter[State] | None = None
        self._summaries: dict[int, Summary] = {}

    def counts(self, shown: Sequence[int], rows: Mapping[int, JobRow]) -> Counter[State]:
        """How many of the shown jobs are in which state."""
        if self._counts is None:
            self._counts = Counter(map(attrgetter("state"), map(rows.__getitem__, shown)))
        return self._counts

    def summary(self, array: int, tasks: Sequence[int], rows: Mapping[int, JobRow]) -> Summary:
        """What the shown tasks of an array say together."""
        found = self._summaries.get(array)
        if found is None:
            found = self._summaries[array] = Summary(tasks, rows)
        found.total = self.sizes[array]
        return found

    def note_task(self, code: int, old: JobRow | None, new: JobRow | None) -> None:
        """A job has a new row; None: there was none, or there is none any more."""
        was = None if old is None else array_of(code, old)
        now = None if new is None else array_of(code, new)
        if was == now:
            return
        if was is not None:
            del self.array_of[code]
            self.sizes[was] -= 1
            if not self.sizes[was]:
                del self.sizes[was]
        if now is not None:
            self.array_of[code] = now
            self.sizes[now] += 1

    def note_shown(self, code: int, old: JobRow | None, new: JobRow | None) -> None:
        """The same for a shown job; None: it was not, or is not any more, among the shown ones."""
        if self._counts is not None:
            if old is not None:
                self._counts[old.state] -= 1
            if new is not None:
                self._counts[new.state] += 1
        was = None if old is None else array_of(code, old)
        now = None if new is None else array_of(code, new)
        for array in {was, now}:
            if array is not None and (summary := self._summaries.get(array)) is not None:
                summary.swap(code, old if was == array else None, new if now == array else None)

    def drop(self, array: int) -> None:
        """No task of an array is shown any more."""
        self._summaries.pop(array, None)

    def rebind(self, tasks: Mapping[int, Sequence[int]]) -> None:
        """The shown tasks of each array are in other lists now, but are the same."""
        self._summaries = {array: summary for array, summary in self._summaries.items() if array in tasks}
        for array, summary in self._summaries.items():
            summary.tasks = tasks[array]

    def forget(self) -> None:
        """Other jobs are shown: sum up anew when somebody asks."""
        self._counts = None
        self._summaries.clear()
