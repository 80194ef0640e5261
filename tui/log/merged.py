"""Both streams of a job as one log: in the order of arrival while it is watched, in blocks for what was there before.

It has offsets of its own. Whole lines are appended as they come; a line that has no end yet stands behind them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import NamedTuple

from .source import RESTARTS, FileSnapshot, LogSource, Look, Snapshot

STDOUT, STDERR = 1, 2
_NAMES = {STDOUT: "stdout", STDERR: "stderr"}
_NEWLINE = 0
_SEARCHED = 64 * 1024
# Spans take memory: with more of them than this only one look in so many makes a new one.
_MANY = 200_000
_COARSE = 20


class _Piece(NamedTuple):
    """Bytes of a stream, from ``start`` on; of stream 0: a newline."""

    stream: int
    start: int
    length: int


class Spans:
    """Which bytes of which stream stand where. Only ever grows at its end: any thread may read it meanwhile."""

    def __init__(self) -> None:
        """Empty."""
        self.begins, self.streams, self.starts = array("Q"), array("B"), array("Q")
        self.size = 0

    def append(self, piece: _Piece) -> None:
        """Add a piece behind the last one."""
        if piece.length <= 0:
            return
        last = len(self.begins) - 1
        joins = (
            last >= 0
            and self.streams[last] == piece.stream != _NEWLINE
            and self.starts[last] + self.size - self.begins[last] == piece.start
        )
        if not joins:
            # The place where it begins last: it makes the piece visible.
            self.streams.append(piece.stream)
            self.starts.append(piece.start)
            self.begins.append(self.size)
        self.size += piece.length

    def pieces(self, offset: int, stop: int) -> list[_Piece]:
        """What stands from ``offset`` to ``stop``."""
        found: list[_Piece] = []
        at = bisect_right(self.begins, offset) - 1
        while offset < stop and 0 <= at < len(self.begins):
            end = min(stop, self.begins[at + 1]) if at + 1 < len(self.begins) else stop
            found.append(_Piece(self.streams[at], self.starts[at] + offset - self.begins[at], end - offset))
            offset, at = end, at + 1
        return found


class MergedSnapshot:
    """Both streams at one moment; see ``source.Snapshot``."""

    def __init__(
        self, spans: Spans, tail: list[_Piece], files: dict[int, FileSnapshot], headings: dict[int, str]
    ) -> None:
        """Hold both files."""
        self._spans, self._tail, self._files, self._headings = spans, tail, files, headings
        self.stable = spans.size
        self.size = self.stable + sum(piece.length for piece in tail)

    def read(self, offset: int, count: int) -> bytes:
        """See ``Snapshot``."""
        stop = min(self.size, offset + count)
        if stop <= offset:
            return b""
        pieces = self._spans.pieces(offset, min(stop, self.stable)) if offset < self.stable else []
        begin = self.stable
        for piece in self._tail:
            skip, end = max(0, offset - begin), min(piece.length, stop - begin)
            if skip < end:
                pieces.append(_Piece(piece.stream, piece.start + skip, end - skip))
            begin += piece.length
        return b"".join(map(self._bytes, pieces))

    def _bytes(self, piece: _Piece) -> bytes:
        if piece.stream == _NEWLINE:
            return b"\n"
        data = self._files[piece.stream].read(piece.start, piece.length)
        # Cut off under us: what stands behind stays where it is until the next look tells of it.
        return data.ljust(piece.length, b"\0")

    def data_after(self, offset: int) -> int:
        """See ``Snapshot``: holes are not looked for."""
        return offset

    def stream_at(self, offset: int) -> int:
        """Which stream the line at ``offset`` came from."""
        if offset < self.stable:
            return self._spans.streams[max(0, bisect_right(self._spans.begins, offset) - 1)]
        begin = self.stable
        for piece in self._tail:
            begin += piece.length
            if offset < begin:
                return piece.stream
        return STDOUT

    def heading_at(self, offset: int) -> str:
        """Words above the line that begins here, "" for none."""
        return self._headings.get(offset, "")


class MergedSource:
    """Watches two logs as one. ``over``: the job has ended, nothing more is to come."""

    def __init__(self, stdout: LogSource, stderr: LogSource, over: bool) -> None:
        """Look at nothing yet."""
        self.sources = {STDOUT: stdout, STDERR: stderr}
        self.generation = 0
        self._over = over
        self._begin()

    def _begin(self) -> None:
        self._spans = Spans()
        self._taken = {STDOUT: 0, STDERR: 0}
        self._headings: dict[int, str] = {}
        self._watching = False
        self._skipped = 0

    def snapshot(self) -> Snapshot:
        """Both as they were at the last look."""
        tail: list[_Piece] = []
        for stream, source in self.sources.items():
            length = source.size - self._taken[stream]
            if length > 0:
                tail += [_Piece(_NEWLINE, 0, 1)] if tail else []
                tail.append(_Piece(stream, self._taken[stream], length))
        files = {stream: source.snapshot() for stream, source in self.sources.items()}
        return MergedSnapshot(self._spans, tail, files, dict(self._headings))

    def poll(self, *, reopen: bool = False) -> Look:
        """Look at both files again, and take in what was added. Raises OSError."""
        looks = [source.poll(reopen=reopen) for source in self.sources.values()]
        restart = next((look for look in looks if look in RESTARTS), None)
        if restart is not None:
            # What stood where is void; what there is now was written "before".
            self.generation += 1
            self._begin()
        if not self._watching:
            self._take_first()
        elif len(self._spans.begins) < _MANY or self._skipped >= _COARSE:
            self._skipped = 0
            for stream in self.sources:
                self._take(stream)
        else:
            self._skipped += Look.GREW in looks
        gone = Look.GONE if Look.GONE in looks else Look.SAME
        return restart or (Look.GREW if Look.GREW in looks else gone)

    def finish(self) -> None:
        """The job has ended: lines without an end get none any more."""
        if not self._over:
            self._over = True
            for stream in self.sources:
                self._take(stream)

    def _take_first(self) -> None:
        """What was there before anybody watched: one block for each stream, with words about it."""
        filled = [stream for stream, source in self.sources.items() if source.size]
        if not filled:
            return
        self._watching = True
        for stream in filled:
            if len(filled) > 1:
                when = "all of it" if self._over else "all that was written before this view"
                self._headings[self._spans.size] = f"── {_NAMES[stream]}, {when} ──"
            self._take(stream)
        if len(filled) > 1 and not self._over:
            self._headings[self._spans.size] = "── from here on both, in the order of arrival ──"

    def _take(self, stream: int) -> None:
        """Append the whole lines that were added to a stream; when it is over also a last line without its end."""
        source, start = self.sources[stream], self._taken[stream]
        end = source.size if self._over else _behind_last_newline(source.snapshot(), start)
        if end <= start:
            return
        self._spans.append(_Piece(stream, start, end - start))
        self._taken[stream] = end
        if self._over and source.snapshot().read(end - 1, 1) != b"\n":
            self._spans.append(_Piece(_NEWLINE, 0, 1))


def _behind_last_newline(snapshot: Snapshot, start: int) -> int:
    """Where the last line behind ``start`` begins; ``start`` if no line ends there."""
    stop = snapshot.size
    while stop > start:
        begin = max(start, stop - _SEARCHED)
        found = snapshot.read(begin, stop - begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        stop = begin
    return start
