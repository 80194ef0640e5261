"""A log file as it changes, and where its lines are: against simple readings of the whole file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobtui.tui.log import lineindex, lines
from jobtui.tui.log.lineindex import LineIndex
from jobtui.tui.log.lines import REGION, Lines, Regions
from jobtui.tui.log.source import LogSource, Look


class Memory:
    """A snapshot of bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = self.stable = len(data)

    def read(self, offset: int, count: int) -> bytes:
        assert offset >= 0
        return self.data[offset : offset + max(0, count)]

    def data_after(self, offset: int) -> int:
        return offset


def beginnings(data: bytes) -> list[int]:
    return [0] * bool(data) + [found.end() for found in re.finditer(b"\n", data) if found.end() < len(data)]


def walk(step: Callable[[int], int | None], at: int) -> list[int]:
    found = []
    while (place := step(at)) is not None:
        found.append(place)
        at = place
    return found


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regions and chunks so small that a short text has many."""
    monkeypatch.setattr(lines, "REGION", 8)
    monkeypatch.setattr(lines, "LARGEST_JOINED", 24)
    monkeypatch.setattr(lines, "LONGEST", 64)
    monkeypatch.setattr(lines, "_SEARCHED", 16)
    monkeypatch.setattr(lineindex, "CHUNK", 8)


texts = st.lists(st.sampled_from([b"\n", b"\n", b"a", b"bb", b"c" * 7, b"d" * 30]), max_size=40).map(b"".join)
_small = settings(suppress_health_check=list(__import__("hypothesis").HealthCheck))


@_small
@given(texts, st.integers(0, 300))
def test_lines_are_found_from_anywhere_in_both_directions(small: None, data: bytes, offset: int) -> None:
    found = Lines(Memory(data), Regions())
    # Lines without an end are cut where the bound on their length is.
    expected = beginnings(data)
    for cut in range(64, len(data), 64):
        if not any(cut <= start < cut + 8 for start in expected):
            expected.append(cut)
    expected.sort()
    assert walk(found.next, -1) == expected
    assert walk(found.previous, len(data) + 1) == expected[::-1]
    before = [start for start in expected if start <= offset]
    if expected:
        assert found.at(offset) == before[-1]
        assert found.next(offset) == min((start for start in expected if start > offset), default=None)
    assert [found.end(start) for start in expected] == [*expected[1:], len(data)][: len(expected)]


@_small
@given(st.lists(texts, max_size=5), st.integers(1, 40))
def test_line_numbers_are_those_of_the_whole_file_however_it_grows(small: None, pieces: list[bytes], step: int) -> None:
    index, data = LineIndex(), b""
    for piece in pieces:
        data += piece
        while index.advance(Memory(data), step):
            pass
        assert index.newlines == data.count(b"\n")
    memory = Memory(data)
    for number, start in enumerate(beginnings(data), 1):
        assert index.number_at(memory, start) == number and index.offset_of(memory, number) == start
    assert index.number_at(memory, len(data) + 1) is None and index.offset_of(memory, data.count(b"\n") + 2) is None


def test_lines_that_are_redrawn_together_are_one_item() -> None:
    plain = b"before\n" * 3
    bars = b"".join(b"\rone %d%%\n\rtwo %d%%\x1b[A" % (n, n) for n in range(50)) + b"\n\n"
    found = Lines(Memory(plain + bars + b"after\nlast"), Regions())
    starts = walk(found.next, -1)
    assert starts[:4] == [0, 7, 14, 21]
    assert [found.read(start, found.end(start)) for start in starts[4:]] == [b"after\n", b"last"]
    apart = Lines(Memory(plain + bars), Regions(), joined=False)
    assert len(walk(apart.next, -1)) > 50


def test_endless_redrawing_is_one_item_for_each_region() -> None:
    data = b"start\n" + b"".join(b"\rone %d\n\rtwo %d\x1b[A" % (n, n) for n in range(40_000))
    found = Lines(Memory(data), Regions())
    starts = walk(found.next, -1)
    assert walk(found.previous, len(data) + 1) == starts[::-1]
    assert len(data) // REGION <= len(starts) <= len(data) // REGION + 2
    assert all(found.end(start) - start <= 2 * REGION for start in starts)


# -- the file


def grow(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_a_log_is_seen_to_appear_grow_be_cut_off_replaced_rewritten_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    source = LogSource(str(path))
    assert source.poll() is Look.SAME and source.snapshot().read(0, 10) == b""
    path.write_bytes(b"one\n")
    assert source.poll() is Look.GREW and source.poll() is Look.SAME and source.size == 4
    grow(path, b"two\n")
    old = source.snapshot()
    assert source.poll(reopen=True) is Look.GREW and source.snapshot().read(0, 99) == b"one\ntwo\n"
    assert old.read(0, 99) == b"one\n"
    os.truncate(path, 2)
    assert source.poll() is Look.TRUNCATED and (source.size, source.generation) == (2, 1)
    path.write_bytes(b"three and more\n")
    assert source.poll() is Look.REWRITTEN and source.snapshot().read(0, 99) == b"three and more\n"
    other = tmp_path / "other"
    other.write_bytes(b"longer than it was before\n")
    other.rename(path)
    held = source.snapshot()
    assert source.poll() is Look.REPLACED and source.generation == 3
    assert held.read(0, 99) == b"three and more\n"
    path.unlink()
    assert source.poll() is Look.GONE and source.poll() is Look.SAME
    assert source.snapshot().read(0, 6) == b"longer"
    path.write_bytes(b"new")
    assert source.poll() is Look.REPLACED and source.snapshot().read(0, 99) == b"new"


def test_what_is_no_file_is_refused_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(OSError, match="not a regular file"):
            LogSource(str(tmp_path / name)).poll()


def test_holes_are_passed_without_reading_them(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        file.write(b"first\n")
        file.truncate(4 * 2**30)
        file.seek(0, os.SEEK_END)
        file.write(b"\nlast\n")
    source = LogSource(str(path))
    source.poll()
    snapshot = source.snapshot()
    reads: list[int] = []
    whole, snapshot.read = snapshot.read, lambda offset, count: reads.append(count) or whole(offset, count)  # type: ignore[method-assign]
    found = Lines(snapshot, Regions())
    end = 4 * 2**30
    assert walk(found.next, -1) == [0, 6, end + 1]
    assert walk(found.previous, source.size) == [end + 1, 6, 0]
    assert sum(reads) < 2**29
