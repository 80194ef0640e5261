"""Finds where the lines of a log begin, in any direction from any offset, reading no more than is needed for that.

An item is what is shown as one: a line, or several lines that a program redraws by moving the cursor up.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Sequence

from .source import Snapshot

# Items are found a region at a time, and remembered: from the same bytes come the same items, wherever we begin.
REGION = 64 * 1024
# A line longer than this is shown as several, so that no end is ever far away. Holes in a file do not count.
LONGEST = 64 * 2**20

_KEPT = 48
_SEARCHED = 2**20
_HASTE = 3
# Rows: programs redraw what is still on the terminal.
_HIGHEST = 100
# Bytes: lines that are redrawn together are never more than this.
LARGEST_JOINED = 3 * REGION
_UPWARDS = re.compile(rb"\x1b\[\d*[AF]|\x1bM")
_MOVE = re.compile(rb"\n|\x1b\[(\d{0,4})([ABEF])|\x1bM")


class Regions:
    """What is remembered of a log between two looks; void when the log is replaced. For one thread at a time."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self.blocks: OrderedDict[int, bytes] = OrderedDict()
        self.starts: OrderedDict[tuple[int, bool], Sequence[int]] = OrderedDict()
        # Between regions in which no item begins for long: from each to the next before it and behind it.
        self.before: OrderedDict[tuple[int, bool], int | None] = OrderedDict()
        self.behind: OrderedDict[tuple[int, bool], int] = OrderedDict()

    def trim(self) -> None:
        """Forget what was used longest ago."""
        while len(self.blocks) > _KEPT:
            self.blocks.popitem(last=False)
        for found in (self.starts, self.before, self.behind):
            while len(found) > 4 * _KEPT:
                found.popitem(last=False)


class Lines:
    """The items of a snapshot. ``joined``: lines that are redrawn together are one item."""

    def __init__(self, snapshot: Snapshot, regions: Regions, *, joined: bool = True) -> None:
        """Use what is remembered of this log."""
        self.snapshot = snapshot
        self._kept = regions
        self._joined = joined
        self._here: dict[int, Sequence[int]] = {}
        self._blocks: dict[int, bytes] = {}

    # -- moving from item to item

    def at(self, offset: int) -> int | None:
        """Where the item begins that holds this offset, or the last one; None in an empty log."""
        return self.previous(min(offset, self.snapshot.size - 1) + 1)

    def next(self, offset: int) -> int | None:
        """Where the first item behind ``offset`` begins; None if there is none."""
        region = offset // REGION
        starts = self.starts(region)
        at = bisect_right(starts, offset)
        if at < len(starts):
            return starts[at]
        for step in range(1, _HASTE + 1):
            if starts := self.starts(region + step):
                return starts[0]
        region += _HASTE + 1
        key = (region, self._joined)
        found = self._kept.behind.get(key)
        if found is None:
            found = self._next_far(region)
            if found is not None and found < self.snapshot.stable - REGION:
                self._kept.behind[key] = found
        return found

    def previous(self, offset: int) -> int | None:
        """Where the last item before ``offset`` begins; None if there is none."""
        if offset <= 0 or not self.snapshot.size:
            return None
        region = offset // REGION
        starts = self.starts(region)
        at = bisect_left(starts, offset)
        if at:
            return starts[at - 1]
        for step in range(1, _HASTE + 1):
            if region - step >= 0 and (starts := self.starts(region - step)):
                return starts[-1]
        region -= _HASTE
        key = (region, self._joined)
        if key in self._kept.before:
            return self._kept.before[key]
        found = self._previous_far(region)
        if self.snapshot.stable >= (region + 2) * REGION:
            self._kept.before[key] = found
            self._kept.trim()
        return found

    def end(self, start: int) -> int:
        """Where the item that begins at ``start`` ends: behind its newline, or at the end of the log."""
        following = self.next(start)
        return self.snapshot.size if following is None else following

    # -- far away, where no line begins for long

    def _next_far(self, region: int) -> int | None:
        """The first item that begins in this region or behind it."""
        position, size = region * REGION, self.snapshot.size
        while position < size:
            if position % LONGEST == 0 and (starts := self.starts(position // REGION)):
                return starts[0]
            stop = min(size, position - position % LONGEST + LONGEST)
            # The newline just before may begin a line here.
            data = self.snapshot.read(position - 1, min(_SEARCHED, stop - position) + 1)
            found = data.find(b"\n")
            if found >= 0 and (starts := self.starts((position + found) // REGION)):
                return starts[0]
            if found >= 0:
                position = (position + found) // REGION * REGION + REGION
            else:
                position += max(1, len(data) - 1)
                if not data.strip(b"\0"):
                    hole = self.snapshot.data_after(position) // REGION * REGION
                    position = max(position, hole)
        return None

    def _previous_far(self, region: int) -> int | None:
        """The last item that begins before this region."""
        stop = region * REGION
        while stop > 0:
            floor = (stop - 1) // LONGEST * LONGEST
            begin = max(floor, stop - _SEARCHED, 0)
            # A newline just before the first byte begins a line there.
            data = self.snapshot.read(max(0, begin - 1), stop - 1 - max(0, begin - 1))
            found = data.rfind(b"\n")
            if found >= 0:
                position = max(0, begin - 1) + found + 1
                if starts := self.starts(position // REGION):
                    return starts[-1]
                stop = position // REGION * REGION
                continue
            if begin == floor and (starts := self.starts(begin // REGION)):
                return starts[0]
            stop = begin
            if not data.strip(b"\0") and self.snapshot.data_after(floor) >= begin > floor:
                if starts := self.starts(floor // REGION):
                    return starts[-1]
                stop = floor
        return None

    # -- within a region

    def starts(self, region: int) -> Sequence[int]:
        """Where items begin in this region, ascending."""
        found = self._here.get(region)
        if found is None:
            key = (region, self._joined)
            found = self._kept.starts.get(key)
            if found is None:
                found = self._find(region)
                # What comes next may still join lines of this region.
                if self.snapshot.stable >= (region + 3) * REGION:
                    self._kept.starts[key] = found
                    self._kept.trim()
            self._here[region] = found
        return found

    def block(self, region: int) -> bytes:
        """The bytes of a region."""
        found = self._kept.blocks.get(region) or self._blocks.get(region)
        if found is None:
            found = self.snapshot.read(region * REGION, REGION) if region >= 0 else b""
            if self.snapshot.stable >= (region + 1) * REGION and region >= 0:
                self._kept.blocks[region] = found
                self._kept.trim()
            else:
                self._blocks[region] = found
        return found

    def read(self, start: int, end: int) -> bytes:
        """The bytes from ``start`` to ``end``."""
        first, last = start // REGION, (end - 1) // REGION
        if first == last:
            return self.block(first)[start - first * REGION : end - first * REGION]
        return self.snapshot.read(start, end - start)

    def newlines(self, start: int, end: int) -> int:
        """How many newlines there are between the beginnings of two items."""
        if end - start > LARGEST_JOINED:
            # A line of its own, or a part of one.
            return int(self.snapshot.read(end - 1, 1) == b"\n")
        return self.read(start, end).count(b"\n")

    def _find(self, region: int) -> Sequence[int]:
        lines = self._line_starts(region)
        if self._joined and len(lines) and any(_UPWARDS.search(self.block(region + step)) for step in (-1, 0, 1)):
            return self._whole(region, lines)
        return lines

    def _line_starts(self, region: int) -> list[int]:
        """Where lines begin in this region."""
        data, base = self.block(region), region * REGION
        if not data:
            return []
        begins = region == 0 or self.block(region - 1).endswith(b"\n")
        starts = [base] if begins else []
        at = data.find(b"\n")
        while 0 <= at < len(data) - 1:
            starts.append(base + at + 1)
            at = data.find(b"\n", at + 1)
        if not starts and base % LONGEST == 0 and data.strip(b"\0"):
            return [base]
        return starts

    def _whole(self, region: int, lines: list[int]) -> Sequence[int]:
        """Those of the lines above which nothing is redrawn by them or by what follows."""
        base = max(0, region - 1) * REGION
        data = b"".join(self.block(step) for step in (region - 1, region, region + 1))
        row = highest = 0
        begins: list[tuple[int, int, bool]] = []
        ups: list[tuple[int, int]] = []
        for match in _MOVE.finditer(data):
            if match[0] == b"\n":
                row += 1
                begins.append((base + match.end(), row, row > highest))
            else:
                count = max(1, int(match[1] or 1))
                if match[2] in (b"B", b"E"):
                    row = min(highest, row + count)
                else:
                    row = max(row - count, highest - _HIGHEST)
                    ups.append((match.end() + base, row))
            highest = max(highest, row)
        fresh: set[int] = set()
        lowest = highest + 1
        for start, own, new in reversed(begins):
            while ups and ups[-1][0] > start:
                lowest = min(lowest, ups.pop()[1])
            if new and own <= lowest:
                fresh.add(start)
        if region == 0:
            fresh.add(0)
        whole = [start for start in lines if start in fresh]
        # Where redrawing goes on and on, there is one item for each region, so that no item is large.
        return whole or (lines[:1] if self.snapshot.size >= (region + 1) * REGION else [])
