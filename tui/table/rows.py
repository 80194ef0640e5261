"""The rows of all jobs by their refs, for those outside of the table; inside they are kept by code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, ValuesView

from ...core.job import JobRow
from ..ref import JobRef
from .code import code_of, ref_of


class Rows(Mapping[JobRef, JobRow]):
    """Rows by their refs."""

    def __init__(self, rows: Mapping[int, JobRow]) -> None:
        """Look at these rows by code."""
        self._rows = rows

    def __getitem__(self, ref: JobRef) -> JobRow:
        """The row of a job; raises KeyError."""
        return self._rows[code_of(ref)]

    def __iter__(self) -> Iterator[JobRef]:
        """Yield all refs, in no order."""
        return map(ref_of, self._rows)

    def __len__(self) -> int:
        """How many jobs there are."""
        return len(self._rows)

    def values(self) -> ValuesView[JobRow]:
        """All rows; much quicker than one by one."""
        return self._rows.values()
