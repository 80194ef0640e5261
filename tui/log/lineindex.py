"""The sparse line index: how many newlines there are up to the end of each chunk, 8 bytes per chunk."""

from __future__ import annotations

from array import array
from bisect import bisect_left

from .source import Snapshot

CHUNK = 256 * 1024


class LineIndex:
    """Counts the lines of one log, a part at a time. Offsets are bytes, line numbers begin with 1."""

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self._totals = array("Q")
        self._partial = 0
        # Up to here newlines are counted.
        self.scanned = 0

    @property
    def newlines(self) -> int:
        """How many newlines there are in what was scanned."""
        return (self._totals[-1] if self._totals else 0) + self._partial

    def advance(self, snapshot: Snapshot, limit: int) -> bool:
        """Count further, some ``limit`` bytes; tells whether there is more to count. Raises OSError."""
        stop = min(snapshot.stable, self.scanned + limit)
        while self.scanned < stop:
            room = CHUNK - self.scanned % CHUNK
            data = snapshot.read(self.scanned, min(room, snapshot.stable - self.scanned))
            if not data:
                # The file was cut off under us; the next look will tell.
                return False
            self._partial += data.count(b"\n")
            self.scanned += len(data)
            if self.scanned % CHUNK == 0:
                self._totals.append(self.newlines)
                self._partial = 0
        return self.scanned < snapshot.stable

    def number_at(self, snapshot: Snapshot, offset: int) -> int | None:
        """The number of the line that holds the byte at ``offset``; None where it was not counted up to there."""
        if offset > self.scanned:
            return None
        chunk = offset // CHUNK
        before = self._totals[chunk - 1] if chunk else 0
        start = chunk * CHUNK
        return before + snapshot.read(start, offset - start).count(b"\n") + 1

    def offset_of(self, snapshot: Snapshot, number: int) -> int | None:
        """Where line ``number`` begins; None where it was not counted up to there, or is not there."""
        if number <= 1:
            return 0
        wanted = number - 1
        if wanted > self.newlines:
            return None
        chunk = bisect_left(self._totals, wanted)
        left = wanted - (self._totals[chunk - 1] if chunk else 0)
        start = chunk * CHUNK
        data = snapshot.read(start, min(CHUNK, self.scanned - start))
        at = -1
        for _ in range(left):
            at = data.find(b"\n", at + 1)
            if at < 0:
                return None
        return start + at + 1
