"""The model behind the log, without a screen: property tests of what holds after any change."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jobtui.tui.log.window import BLOCK, KEPT, LogWindow, Piece, last_state, read_piece, readable


@given(st.lists(st.binary(max_size=30), max_size=20))
def test_a_log_that_grows_in_any_pieces_gives_the_same_lines(pieces: list[bytes]) -> None:
    window, whole = LogWindow(), b""
    for data in pieces:
        window.append(Piece(len(whole), data, len(whole) + len(data)), slide=True)
        whole += data
    expected = whole.split(b"\n")
    if not expected[-1]:
        expected.pop()
    spans = [window.span(line) for line in range(len(window))]
    assert [whole[begin:end] for begin, end in spans] == expected and window.complete_at_end


def test_a_window_walks_a_large_log_both_ways_and_stays_bounded(tmp_path: Path) -> None:
    path = tmp_path / "log"
    count = 120_000
    path.write_bytes(b"".join(b"line %d\n" % n for n in range(count)))
    window = LogWindow()
    window.show(read_piece(str(path), -BLOCK, None, whole_lines=True))
    assert window.text(len(window) - 1).plain == f"line {count - 1}"
    while window.start:
        first = window.span(0)
        added = window.prepend(read_piece(str(path), -BLOCK, window.start, whole_lines=True))
        assert added and window.span(added) == first
        assert window.end - window.start <= KEPT
    assert window.text(0).plain == "line 0" and not window.complete_at_end
    seen = int(window.text(len(window) - 1).plain.split()[1])
    while not window.complete_at_end:
        window.append(read_piece(str(path), window.end, None), slide=True)
        # The last line may not be read to its end yet.
        numbers = [int(window.text(line).plain.split()[1]) for line in (0, len(window) - 2)]
        assert numbers[1] > seen and numbers[1] - numbers[0] == len(window) - 2
        seen = numbers[1]
        assert window.end - window.start <= KEPT
    assert seen == count - 2


def test_a_single_line_larger_than_the_window_can_be_walked(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * (3 * KEPT) + b"\n")
    window = LogWindow()
    window.show(read_piece(str(path), -BLOCK, None, whole_lines=True))
    looks = 0
    while window.start:
        window.prepend(read_piece(str(path), -BLOCK, window.start, whole_lines=True))
        looks += 1
        assert looks < 100 and len(window) == 1
    assert "bytes)" in window.text(0).plain


def test_what_does_not_join_the_window_is_not_shown_as_if_it_did() -> None:
    window = LogWindow()
    window.show(Piece(100, b"abc\n", 104))
    assert (
        window.append(Piece(500, b"later\n", 506), slide=True) == 0 and window.prepend(Piece(0, b"early\n", 506)) == 0
    )
    assert [window.text(line).plain for line in range(len(window))] == ["abc"] and not window.complete_at_end


def test_a_rewritten_line_is_shown_in_its_last_state() -> None:
    assert last_state(b"\r10%\r50%\r99%") == b"99%"
    assert last_state(b"10%\r99%\r") == b"99%"
    assert last_state(b"windows line\r") == b"windows line"


@given(st.binary(max_size=200))
def test_no_log_line_can_steer_the_terminal(line: bytes) -> None:
    shown = readable(line.replace(b"\n", b"")).plain
    assert shown.isprintable()


def test_colour_is_kept_and_everything_else_is_dropped() -> None:
    text = readable(b"\x1b]0;title\x07\x1b[2J\x1b[1;31mred\x1b[0m\x1b[10A\ttab\xff [red]")
    assert text.plain == "red     tab\ufffd [red]"
    assert (text.spans[0].start, text.spans[0].end, str(text.spans[0].style)) == (0, 3, "bold color(1)")
