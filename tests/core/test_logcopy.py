"""The copy of a far log: only bytes that are there, in their order, without a hole, whatever happens to the file."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from jobtui.core.backend import Piece
from jobtui.core.farlog import FarLog
from jobtui.core.logcopy import FIRST, LogCopy, read_far
from jobtui.core.metadir import FAR, FRONT

MOST = 1000


def piece(data: bytes, asked: tuple[int, int]) -> Piece:
    """What the far side answers, where the file holds ``data``."""
    start, most = asked
    start = max(0, len(data) + start) if start < 0 else start
    return Piece(start, data[start : start + most], len(data))


def look(path: Path, data: bytes, *, anew: bool = False, over: bool = False, most: int = MOST) -> bool:
    copy = LogCopy(str(path), "far")
    asked = copy.ask(most, anew=anew)
    return copy.take(asked, piece(data, asked), 1000.0, over=over)


def here(path: Path) -> bytes:
    return path.read_bytes()


def test_a_small_log_is_copied_whole_and_then_what_was_added(tmp_path: Path) -> None:
    path = tmp_path / "job.stdout"
    assert look(path, b"one\n") and here(path) == b"one\n"
    assert not look(path, b"one\n")
    assert look(path, b"one\ntwo") and here(path) == b"one\ntwo"
    far = read_far(str(path))
    assert far is not None and (far.begin, far.size, far.host, far.at, far.over) == (0, 7, "far", 1000.0, False)


def test_of_a_large_log_the_end_is_copied_first_from_a_whole_line_on(tmp_path: Path) -> None:
    path = tmp_path / "job.stdout"
    data = b"".join(b"line %d\n" % number for number in range(300_000))
    look(path, data)
    far = read_far(str(path))
    assert far is not None and FIRST - 20 < len(here(path)) <= FIRST and far.begin == len(data) - len(here(path))
    assert here(path).startswith(b"line ") and data.endswith(here(path))


def test_what_was_added_in_many_pieces_is_joined_byte_by_byte(tmp_path: Path) -> None:
    path = tmp_path / "job.stdout"
    data = os.urandom(10_000)
    look(path, data[:10])
    while look(path, data, most=777):
        pass
    assert here(path) == data


def test_a_log_that_was_cut_off_or_replaced_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "job.stdout"
    look(path, b"a" * 500)
    life = LogCopy(str(path), "far").far.life
    for other in (b"short", b"b" * 900):
        assert look(path, other) and not path.exists()
        assert look(path, other) and here(path) == other
    assert LogCopy(str(path), "far").far.life != life


def test_a_far_file_that_vanishes_takes_nothing_away(tmp_path: Path) -> None:
    path = tmp_path / "job.stdout"
    look(path, b"kept")
    copy = LogCopy(str(path), "far")
    copy.take(copy.ask(MOST, anew=False), Piece(), 2000.0, over=False)
    assert here(path) == b"kept"
    far = read_far(str(path))
    assert far is not None and far.size is None and far.at == 2000.0


def test_a_file_that_cannot_be_read_says_why_and_is_not_over(tmp_path: Path) -> None:
    path = tmp_path / "job.stdout"
    look(path, b"kept")
    copy = LogCopy(str(path), "far")
    copy.take(copy.ask(MOST, anew=False), Piece(trouble="it cannot be read there"), 2000.0, over=True)
    far = read_far(str(path))
    assert far is not None and (far.trouble, far.over, far.size) == ("it cannot be read there", False, 4)


def test_it_is_over_only_when_the_job_had_ended_and_all_is_here(tmp_path: Path) -> None:
    path = tmp_path / "job.stdout"
    data = b"x" * 3000

    def over() -> bool:
        far = read_far(str(path))
        return far is not None and far.over

    look(path, b"x")
    look(path, data, over=True)
    assert not over()
    look(path, data, over=True, most=5000)
    assert over() and here(path) == data


def test_what_a_kill_leaves_half_done_is_never_taken_for_the_log(tmp_path: Path) -> None:
    path = tmp_path / "job.stdout"
    look(path, b"old log\n")
    # Killed between the fact about the new copy and the rename that makes it the copy.
    os.rename(path, tmp_path / "elsewhere")
    path.write_bytes(b"of another part of the log")
    if os.stat(path).st_ino != os.stat(tmp_path / "elsewhere").st_ino:
        assert read_far(str(path)) is None
        assert FarLog(str(path)).read().data == b""
    look(path, b"old log\nnew\n")
    assert here(path) == b"old log\nnew\n"


def test_the_beginning_is_fetched_in_pieces_and_joined_while_the_log_grows(tmp_path: Path) -> None:
    path = tmp_path / "job.stdout"
    data = os.urandom(3 * FIRST)
    look(path, data)
    reader = FarLog(str(path))
    seen = reader.read(FIRST).data
    while (asked := LogCopy(str(path), "far").ask_front(FIRST // 3)) is not None:
        LogCopy(str(path), "far").take_front(asked, piece(data, asked))
        data += b"more"
        look(path, data, most=FIRST)
        seen += reader.read(FIRST).data
    while not LogCopy(str(path), "far").join_front():
        pass
    assert here(path) == data and not os.path.exists(f"{path}{FRONT}")
    # Who reads along is not given anything twice, and misses nothing.
    while added := reader.read().data:
        seen += added
    assert data.endswith(seen) and reader.missed == len(data) - len(seen)
    assert not LogCopy(str(path), "far").lacks_front


def test_a_beginning_of_another_file_is_thrown_away(tmp_path: Path) -> None:
    path = tmp_path / "job.stdout"
    data = b"a" * 2 * FIRST
    look(path, data)
    Path(f"{path}{FRONT}").write_bytes(b"b" * 1000)
    asked = LogCopy(str(path), "far").ask_front(MOST)
    assert asked is not None
    LogCopy(str(path), "far").take_front(asked, piece(data, asked))
    assert not os.path.exists(f"{path}{FRONT}")


def test_after_a_long_absence_a_log_that_grew_much_is_begun_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "job.stdout"
    look(path, b"x" * 100)
    far = LogCopy(str(path), "far")
    asked = far.ask(MOST, anew=True)
    far.take(asked, Piece(asked[0], b"x" * asked[1], 2**30), 1000.0, over=False)
    assert LogCopy(str(path), "far").ask(MOST, anew=False)[0] > 0
    assert LogCopy(str(path), "far").ask(MOST, anew=True) == (-FIRST, FIRST)


def test_a_reader_is_told_when_the_log_began_anew(tmp_path: Path) -> None:
    path = tmp_path / "job.stdout"
    look(path, b"first life")
    reader = FarLog(str(path))
    assert reader.read().data == b"first life"
    look(path, b"2nd")
    look(path, b"2nd")
    added = reader.read()
    assert added.restarted and added.data == b"2nd"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=300), st.integers(1, 200), st.booleans()), max_size=25), st.data())
def test_whatever_is_written_and_whenever_it_is_looked_at_the_copy_is_a_part_of_the_file(
    steps: list[tuple[bytes, int, bool]], data: st.DataObject
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "job.stdout")
        content = b""
        for added, most, again in steps:
            content = (os.urandom(8) + added) if again and data.draw(st.booleans()) else content + added
            look(path, content, most=most)
            far = read_far(str(path))
            assert far is not None
            copy = here(path) if path.exists() else b""
            assert content[far.begin : far.begin + len(copy)] == copy
            assert sorted(os.listdir(folder)) == sorted(
                name for name in ("job.stdout", f"job.stdout{FAR}") if (Path(folder) / name).exists()
            )
        for _ in range(2 + len(content)):
            look(path, content, over=True)
        assert here(path) == content if content else True
