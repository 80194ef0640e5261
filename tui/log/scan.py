"""Looks through a whole log for matching lines: from where a person is, in both directions, a chunk at a time."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from enum import Enum

from .item import shown_line
from .lines import Lines, Regions
from .matcher import Matcher, as_shown
from .source import Snapshot

# Bytes: small enough that no step over one of them holds up the screen.
_CHUNK = 64 * 1024
# Matching lines that are remembered on either side: 8 bytes each.
_MOST = 1_000_000


class Answer(Enum):
    """Why there is no line to go to: there is none on that side, or that is not known yet."""

    NONE = "none"
    NOT_YET = "not yet"


class Scan:
    """The matching lines between two fronts that move away from ``origin``, which must be where a line begins.

    One thread at a time advances it; any may ask meanwhile. Lines are offsets in bytes.
    """

    def __init__(self, matcher: Matcher, origin: int, size: int) -> None:
        """Nothing was looked at yet; ``size``: bytes of the log."""
        self.matcher = matcher
        self.size = size
        self._low = self._high = origin
        # Both begin at the origin: the one ascends, the other descends.
        self._behind, self._before = array("Q"), array("Q")
        # The last line may have no end yet: up to where it was looked at, and itself if it matches.
        self._tail_seen = 0
        self._tail: int | None = None
        self._regions = Regions()
        self._down_next = True

    # -- how far it is

    @property
    def count(self) -> int:
        """How many lines match, as far as was looked."""
        return len(self._before) + len(self._behind) + (self._tail is not None)

    @property
    def more(self) -> bool:
        """Whether there is something to look at, in a log of the size that was told last."""
        return self._more_below or self._more_above

    @property
    def full(self) -> bool:
        """Whether it was stopped because too many lines match."""
        return len(self._behind) >= _MOST or len(self._before) >= _MOST

    @property
    def given_up(self) -> int:
        """How many lines took too long and were left out."""
        return self.matcher.given_up

    @property
    def share(self) -> float:
        """How much of the log was looked at, 0 to 1."""
        return (max(self._high, self._tail_seen) - self._low) / self.size if self.size else 1.0

    @property
    def _more_below(self) -> bool:
        return max(self._high, self._tail_seen) < self.size and len(self._behind) < _MOST

    @property
    def _more_above(self) -> bool:
        return self._low > 0 and len(self._before) < _MOST

    # -- where to go

    def following(self, offset: int) -> int | Answer:
        """The first matching line that begins behind ``offset``."""
        found = self.next(offset)
        if offset < self._low - 1 and self._more_above:
            return Answer.NOT_YET
        if found is not None:
            return found
        return Answer.NOT_YET if self._more_below else Answer.NONE

    def preceding(self, offset: int) -> int | Answer:
        """The last matching line that begins before ``offset``."""
        found = self.previous(offset)
        if offset > self._high and self._more_below:
            return Answer.NOT_YET
        if found is not None:
            return found
        return Answer.NOT_YET if self._more_above else Answer.NONE

    def holds(self, line: int) -> bool:
        """Whether the line that begins here is known to match."""
        return self.next(line - 1) == line

    def rank(self, line: int) -> int:
        """Which of the known matching lines this one is, counted from 1."""
        return len(self._before) + self._place(line) + 1

    # -- the matching lines as the items of a document

    def at(self, offset: int) -> int | None:
        """The last known one that begins at ``offset`` or before, else the first one."""
        found = self.previous(offset + 1)
        return self.next(-1) if found is None else found

    def next(self, offset: int) -> int | None:
        """The first known one behind ``offset``."""
        return self._get(self._place(offset + 1))

    def previous(self, offset: int) -> int | None:
        """The last known one before ``offset``."""
        return self._get(self._place(offset) - 1)

    def _place(self, offset: int) -> int:
        """The place of the first one at or behind ``offset``. Places count from the origin: negative ones before it."""
        before = self._before
        if before and offset <= before[0]:
            return -bisect_right(before, -offset, key=lambda line: -line)
        place = bisect_left(self._behind, offset)
        past_tail = place == len(self._behind) and self._tail is not None and self._tail < offset
        return place + past_tail

    def _get(self, place: int) -> int | None:
        lines, at = (self._behind, place) if place >= 0 else (self._before, -place - 1)
        if at < len(lines):
            return lines[at]
        return self._tail if place == len(self._behind) else None

    # -- looking

    def advance(self, snapshot: Snapshot) -> bool:
        """Look at one more chunk, below and above in turn; tells whether there is more. Raises OSError."""
        self.size = snapshot.stable
        if self._more_below and (self._down_next or not self._more_above):
            self._look_below(snapshot)
        elif self._more_above:
            self._look_above(snapshot)
        self._down_next = not self._down_next
        return self.more

    def _look_below(self, snapshot: Snapshot) -> None:
        start = self._high
        data = snapshot.read(start, min(_CHUNK, self.size - start))
        cut = data.rfind(b"\n") + 1
        if cut:
            self._tail = None
            self._behind.extend(start + at for at in self._matching(data[:cut]))
            self._high = start + cut
            return
        lines = Lines(snapshot, self._regions, joined=False)
        end = lines.end(start) if data else self.size
        matches = bool(data) and self._matches(lines, start, end)
        if end < self.size or lines.read(end - 1, end) == b"\n":
            self._high, self._tail = end, None
            if matches:
                self._behind.append(start)
        else:
            self._tail_seen, self._tail = end, start if matches else None

    def _look_above(self, snapshot: Snapshot) -> None:
        stop = self._low
        start = max(0, stop - _CHUNK)
        data = snapshot.read(max(0, start - 1), stop - max(0, start - 1))
        skipped = data.find(b"\n") + 1 if start else 0
        if skipped < len(data) and (skipped or not start):
            begin = stop - len(data) + skipped
            found = [begin + at for at in self._matching(data[skipped:])]
        else:
            lines = Lines(snapshot, self._regions, joined=False)
            begin = lines.previous(stop) or 0
            found = [begin] if self._matches(lines, begin, stop) else []
        self._before.extend(reversed(found))
        self._low = begin

    def _matching(self, chunk: bytes) -> list[int]:
        """Where the matching ones of these whole lines begin."""
        found: list[int] = []
        at = line = 0
        for number in self.matcher.lines(as_shown(chunk)):
            while line < number:
                at = chunk.find(b"\n", at) + 1
                line += 1
            found.append(at)
        return found

    def _matches(self, lines: Lines, start: int, end: int) -> bool:
        """Whether a long or unfinished line matches, of which only a part may be shown."""
        return next(self.matcher.lines(shown_line(lines, start, end)), None) is not None
