"""What one line says about all tasks of an array: counts by state, and the values that stand for the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from ...core.job import ENDED, IN_FLIGHT, JobRow, State
from ..celltext import run_time

ATTENTION = (
    State.FAILED,
    State.UNKNOWN,
    State.CANCELLING,
    State.SUSPENDED,
    State.RUNNING,
    State.SUBMITTED,
    State.QUEUED,
    State.HELD,
    State.CREATED,
    State.CANCELLED,
    State.FINISHED,
)
"""The states in the order in which a person wants to hear of them."""
RANK = {state: rank for rank, state in enumerate(ATTENTION)}


@dataclass(frozen=True)
class _Extreme:
    """The least or greatest value that any task has."""

    best: Callable[..., Any]
    get: Callable[[int, JobRow], Any]


def _of_row(best: Callable[..., Any], name: str) -> _Extreme:
    get = attrgetter(name)
    return _Extreme(best, lambda _code, row: get(row))


_EXTREMES = {
    "elapsed": _of_row(max, "elapsed"),
    "started": _of_row(min, "started"),
    "ended": _of_row(max, "ended"),
    "attempt": _of_row(max, "attempt"),
    "first": _Extreme(min, lambda code, _row: code),
    "last": _Extreme(max, lambda code, _row: code),
    "failed": _Extreme(min, lambda code, row: code if row.state is State.FAILED else None),
}


class Summary:
    """The shown tasks of an array as one. What a change of one task costs does not depend on how many there are."""

    def __init__(self, tasks: Sequence[int], rows: Mapping[int, JobRow]) -> None:
        """Sum up ``tasks`` (codes, at least one); both are read again later, when a value must be sought anew.

        ``total``, to be set, is how many tasks the array has, shown or not.
        """
        self._tasks, self._rows = tasks, rows
        self._found: dict[str, Any] = {}
        self.total = len(tasks)
        self.version = 0
        self.counts: Counter[State] = Counter(map(attrgetter("state"), map(rows.__getitem__, tasks)))
        self._flying = {code for code in tasks if rows[code].state in IN_FLIGHT} if self._in_flight() else set[int]()

    def _in_flight(self) -> int:
        return sum(self.counts[state] for state in IN_FLIGHT)

    def swap(self, code: int, old: JobRow | None, new: JobRow | None) -> None:
        """A task changed; None: it was not, or is not any more, among the shown ones. ``tasks`` may say so later."""
        self.version += 1
        self._flying.discard(code)
        if old is not None:
            self.counts[old.state] -= 1
        if new is not None:
            self.counts[new.state] += 1
            if new.state in IN_FLIGHT:
                self._flying.add(code)
        for name in list(self._found):
            self._swap_extreme(name, code, old, new)

    def _swap_extreme(self, name: str, code: int, old: JobRow | None, new: JobRow | None) -> None:
        extreme, found = _EXTREMES[name], self._found[name]
        before = None if old is None else extreme.get(code, old)
        after = None if new is None else extreme.get(code, new)
        if after is not None and (found is None or extreme.best(found, after) == after):
            self._found[name] = after
        elif before is not None and before == found:
            # The best one has gone: which one is it now? Sought when somebody asks.
            del self._found[name]

    def _extreme(self, name: str) -> Any:
        if name not in self._found:
            extreme, rows = _EXTREMES[name], self._rows
            values = [value for code in self._tasks if (value := extreme.get(code, rows[code])) is not None]
            self._found[name] = extreme.best(values, default=None)
        return self._found[name]

    # -- what it says

    @property
    def shown(self) -> int:
        """How many tasks are shown."""
        return self.counts.total()

    @property
    def states(self) -> list[tuple[State, int]]:
        """The states that there are with their counts, the most important first."""
        return [(state, self.counts[state]) for state in ATTENTION if self.counts[state]]

    @property
    def first(self) -> JobRow:
        """The first task: what all tasks have in common is read from it."""
        return self._rows[self._extreme("first")]

    @property
    def telling(self) -> int:
        """The code of the task that tells most: the first that failed, else one that runs, else the newest."""
        if self.counts[State.FAILED]:
            return self._extreme("failed")
        if self._flying:
            return min(self._flying, key=lambda code: (RANK[self._rows[code].state], code))
        return self._extreme("last")

    @property
    def telling_row(self) -> JobRow:
        """The row of that task."""
        return self._rows[self.telling]

    @property
    def attempts(self) -> int:
        """The most attempts that any task had."""
        return self._extreme("attempt")

    @property
    def started(self) -> float | None:
        """When the first task started (epoch seconds)."""
        return self._extreme("started")

    @property
    def ended(self) -> float | None:
        """When the last task ended (epoch seconds), None while there are others."""
        return self._extreme("ended") if all(state in ENDED for state, _ in self.states) else None

    def elapsed(self, now: float) -> float | None:
        """The longest that any task ran, or has run until ``now``, in seconds."""
        times = [run_time(self._rows[code], now) for code in self._flying]
        return max((time for time in (*times, self._extreme("elapsed")) if time is not None), default=None)

    @property
    def progress(self) -> float:
        """The share of the work that is done, 0 to 1: ended tasks, and the running ones as far as they say."""
        done = sum(count for state, count in self.states if state in ENDED)
        return (done + sum(self._rows[code].progress or 0.0 for code in self._flying)) / self.shown
