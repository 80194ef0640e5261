"""A set of job ids that takes a bit for each: a hundred thousand ids in 13 KB."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

# Ids in one block; blocks without an id take no room, so a single huge id does no harm.
_BLOCK = 4096


class IdSet:
    """Ids (0 and up). Iterates in descending order: the newest jobs come first."""

    def __init__(self, ids: Iterable[int] = ()) -> None:
        """Begin with these ids."""
        self._blocks: dict[int, bytearray] = {}
        self.update(ids)

    def add(self, job: int) -> None:
        """Put an id in."""
        block = self._blocks.get(job // _BLOCK)
        if block is None:
            block = self._blocks[job // _BLOCK] = bytearray(_BLOCK // 8)
        block[job % _BLOCK >> 3] |= 1 << (job & 7)

    def update(self, ids: Iterable[int]) -> None:
        """Put ids in."""
        for job in ids:
            self.add(job)

    def discard(self, job: int) -> None:
        """Take an id out; nothing happens if it is not in."""
        block = self._blocks.get(job // _BLOCK)
        if block is not None:
            block[job % _BLOCK >> 3] &= ~(1 << (job & 7))

    def __contains__(self, job: int) -> bool:
        """Whether this id is in."""
        block = self._blocks.get(job // _BLOCK)
        return block is not None and bool(block[job % _BLOCK >> 3] & 1 << (job & 7))

    def __len__(self) -> int:
        """How many ids there are."""
        return sum(int.from_bytes(block, "little").bit_count() for block in self._blocks.values())

    def __iter__(self) -> Iterator[int]:
        """Yield the ids, the highest first."""
        for number in sorted(self._blocks, reverse=True):
            yield from _ids(number, int.from_bytes(self._blocks[number], "little"))

    def without(self, other: IdSet) -> Iterator[int]:
        """Yield the ids that are not in ``other``, the highest first."""
        for number in sorted(self._blocks, reverse=True):
            theirs = other._blocks.get(number, b"")
            yield from _ids(number, int.from_bytes(self._blocks[number], "little") & ~int.from_bytes(theirs, "little"))


def _ids(block: int, bits: int) -> Iterator[int]:
    while bits:
        highest = bits.bit_length() - 1
        yield block * _BLOCK + highest
        bits ^= 1 << highest
