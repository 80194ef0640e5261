"""Lets through the jobs that pass a filter: one at a time, or a hundred thousand at a key press."""

from __future__ import annotations

from collections.abc import Mapping

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
    """A filter at a moment. Does not change: another filter or moment makes another sieve."""

    def __init__(self, filter: Filter, now: float) -> None:
        """Let through what passes ``filter`` when jobs in flight have run until ``now`` (epoch seconds)."""
        self.filter = filter
        self.timed = bool(_TIMED & filter.keys)
        self._now = now
        self._test = filter.test

    def passes(self, row: JobRow) -> bool:
        """Whether a job is let through."""
        return self._test(_aged(row, self._now) if self.timed else row)

    def strain(self, codes: list[int], rows: Mapping[int, JobRow], texts: Texts) -> list[int]:
        """Those of these jobs that pass, in their order; the very same list if there is no filter."""
        for word in self.filter.words:
            found, needle, negated = texts.of_all(rows), word.needle, word.negated
            codes = [code for code in codes if (needle in found[code]) != negated]
        now = self._now
        for term in self.filter.terms:
            test = term.test
            if term.key in _TIMED:
                codes = [code for code in codes if test(_aged(rows[code], now))]
            else:
                codes = [code for code in codes if test(rows[code])]
        return codes

    def narrows(self, other: Sieve) -> bool:
        """Whether certainly nothing passes that does not pass the other one."""
        return self.filter.narrows(other.filter) and not self.timed
