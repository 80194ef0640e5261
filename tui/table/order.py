"""How the jobs are sorted: by columns, the newest first where these say the same, missing values always last."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import total_ordering
from operator import attrgetter
from typing import Any, NamedTuple

from ...core.job import JobRow
from .code import job_of, place_of
from .columns import BY_ID


class SortTerm(NamedTuple):
    """Sort by this column (its id), ascending or descending."""

    column: str
    descending: bool


NEWEST_FIRST = (SortTerm("created", True),)
# More would never be noticed.
_MOST_TERMS = 4
# What says no more than in which order jobs were submitted; the tasks of an array go by their index instead.
_SEQUENCE = frozenset({"id", "created"})

Key = tuple[Any, ...]


def readable_terms(terms: Iterable[tuple[str, bool]]) -> tuple[SortTerm, ...]:
    """The terms whose columns there are, each once; newest first if none is left."""
    found: dict[str, SortTerm] = {}
    for column, descending in terms:
        if column in BY_ID:
            found.setdefault(column, SortTerm(column, descending))
    return tuple(found.values())[:_MOST_TERMS] or NEWEST_FIRST


def sorted_by(terms: Sequence[SortTerm], column: str, *, toggle: bool) -> tuple[SortTerm, ...]:
    """The terms with this column first; ``toggle``: the other way round if it was first already."""
    first = SortTerm(column, BY_ID[column].descending)
    if terms and terms[0].column == column:
        first = SortTerm(column, not terms[0].descending) if toggle else terms[0]
    return readable_terms([first, *terms])


@total_ordering
class _Reversed:
    """Text that sorts the other way round."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and self.text == other.text

    def __lt__(self, other: _Reversed) -> bool:
        return other.text < self.text

    __hash__ = None  # type: ignore[assignment]


class Order:
    """Sorts jobs at once, and gives each the key by which it stands in that order."""

    def __init__(self, terms: Sequence[SortTerm], now: float) -> None:
        """Sort by ``terms``; jobs in flight have run until ``now`` (epoch seconds)."""
        self.terms = tuple(terms)
        self._keys = [(BY_ID[term.column].order_by(now), term.descending) for term in terms]
        self._task_keys = [key for term, key in zip(terms, self._keys, strict=True) if term.column not in _SEQUENCE]
        if not any(term.column == "created" for term in terms):
            self._keys.append((attrgetter("created"), True))

    @property
    def timed(self) -> bool:
        """Whether it changes as time goes by."""
        return any(term.column == "elapsed" for term in self.terms)

    def key(self, code: int, row: JobRow) -> Key:
        """The key of a job: smaller stands above. No two jobs have the same."""
        parts: list[Any] = []
        for get, descending in self._keys:
            value = get(row)
            if value is None:
                parts += (1, 0)
            elif not descending:
                parts += (0, value)
            else:
                parts += (0, _Reversed(value) if isinstance(value, str) else -value)
        return (*parts, -job_of(code), place_of(code))

    def sort(self, codes: Iterable[int], rows: Mapping[int, JobRow]) -> list[int]:
        """All these jobs in order."""
        found = sorted(codes, reverse=True)
        if found and place_of(found[0]):
            found.sort(key=place_of)
            found.sort(key=job_of, reverse=True)
        return _by_keys(found, rows, self._keys)

    def sort_tasks(self, tasks: Iterable[int], rows: Mapping[int, JobRow]) -> list[int]:
        """Tasks of one array in order: by index, where the terms say no more than what is newer."""
        found = sorted(tasks, key=lambda code: (rows[code].array_index or 0, code))
        return _by_keys(found, rows, self._task_keys)


def _by_keys(
    codes: list[int], rows: Mapping[int, JobRow], keys: Sequence[tuple[Callable[[JobRow], Any], bool]]
) -> list[int]:
    """Sort by several keys, the most important first; the others are asked only where it says the same."""
    if not keys or len(codes) < 2:
        return codes
    (get, descending), rest = keys[0], keys[1:]
    values = list(map(get, map(rows.__getitem__, codes)))
    places: Sequence[int] = range(len(values))
    missing: list[int] = []
    if None in values:
        missing = [codes[i] for i, value in enumerate(values) if value is None]
        places = [i for i, value in enumerate(values) if value is not None]
    places = sorted(places, key=values.__getitem__, reverse=descending)
    found = [codes[i] for i in places]
    if rest:
        for first, end in _runs([values[i] for i in places]):
            found[first:end] = _by_keys(found[first:end], rows, rest)
    return found + _by_keys(missing, rows, rest)


def _runs(values: list[Any]) -> list[tuple[int, int]]:
    """Where equal values stand side by side in a sorted list: beginnings and ends."""
    same = [i for i, (one, other) in enumerate(itertools.pairwise(values)) if one == other]
    runs: list[tuple[int, int]] = []
    for i in same:
        if runs and runs[-1][1] == i + 1:
            runs[-1] = (runs[-1][0], i + 2)
        else:
            runs.append((i, i + 2))
    return runs
