"""Lets through the jobs that pass a filter: one at a time, or a hundred thousand at a key press."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from ...core.filters import Filter, searchable
from ...core.job import IN_FLIGHT, JobRow

# Keys whose answer changes as time goes by.
_TIMED = frozenset({"elapsed"})


def _aged(row: JobRow, now: float) -> JobRow:
    """The row with the time that a job in flight has run until ``now``."""
    if row.elapsed is not None or row.started is None or row.state not in IN_FLIGHT:
        return row
    return msgspec.structs.replace(row, elapsed=max(0.0, now - row.started))


class Texts:
    """The texts of all jobs in which words are sought, made when they are needed first and kept true from then on."""

    def __init__(self) -> None:
        """Begin without any."""
        self._texts: dict[int, str] | None = None

    def of_all(self, rows: Mapping[int, JobRow]) -> dict[int, str]:
        """The text of each job by its code."""
        if self._texts is None:
            self._texts = {code: searchable(row) for code, row in rows.items()}
        return self._texts

    def note(self, code: int, row: JobRow | None) -> None:
        """A job has a new row, or is gone."""
        if self._texts is not None:
            if row is None:
                self._texts.pop(code, None)
            else:
                self._texts[code] = searchable(row)

    def drop(self) -> None:
        """Give the memory back."""
        self._texts = None


class Sieve:
    """A filter at a moment. Does not change: another filter or moment makes another sieve.

    ``timed``: what passes depends on the moment; ``open``: everything passes.
    """

    def __init__(self, filter: Filter, now: float) -> None:
        """Let through what passes ``filter`` when jobs in flight have run until ``now`` (epoch seconds)."""
        self.filter = filter
        self.timed = bool(_TIMED & filter.keys)
        self.open = not filter.words and not filter.terms
        self._now = now
        self._test = filter.test

    def passes(self, row: JobRow) -> bool:
        """Whether a job is let through."""
        return self._test(_aged(row, self._now) if self.timed else row)

    def strain(
        self, codes: Collection[int], rows: Mapping[int, JobRow], flying: Iterable[int], texts: Texts
    ) -> list[int]:
        """Those of these jobs that pass, in their order; ``flying`` names those in flight.

        Quickest when ``codes`` are ``rows``: they go through memory in the order in which it was filled.
        """
        for needle, negated in self.filter.words:
            found = texts.of_all(rows)
            codes = [code for code in codes if (needle in found[code]) != negated]
        aged = {code: _aged(rows[code], self._now) for code in flying} if self.timed else {}
        for key, test in [(term.key, term.test) for term in self.filter.terms]:
            pairs = rows.items() if codes is rows else [(code, rows[code]) for code in codes]
            if key in _TIMED:
                codes = [code for code, row in pairs if test(aged.get(code, row))]
            else:
                codes = [code for code, row in pairs if test(row)]
        return list(codes)

    def narrows(self, other: Sieve) -> bool:
        """Whether certainly nothing passes that does not pass the other one."""
        return self.filter.narrows(other.filter) and not self.timed
