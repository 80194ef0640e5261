"""What a piece of a log shows: compared with a terminal emulator, and harmless whatever is in it."""

from __future__ import annotations

import re

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from jobtui.tui.log.glyphs import cells, harmless, width
from jobtui.tui.log.pen import PLAIN, Pen, after, style_of
from jobtui.tui.log.reducer import Runs, Screen, reduce, states


def text(runs: Runs) -> str:
    return "".join(words for words, _ in runs)


def shown(data: bytes | str) -> list[str]:
    return [text(row) for row in reduce(data.encode() if isinstance(data, str) else data).rows]


COLOURS = ["black", "red", "green", "brown", "blue", "magenta", "cyan", "white"]
words = st.text("abcXYZ 0129%|", min_size=1, max_size=12)
colour = st.sampled_from([f"\x1b[{code}m" for code in ("0", "", "31", "1;32", "34", "39", "44", "49;33", "7", "0;36")])
moves = st.sampled_from(
    ["\r", "\r", "\b", "\b\b\b", "\t", "\x1b[K", "\x1b[1K", "\x1b[2K", "\x1b[0K", "\x1b[3C", "\x1b[2D", "\x1b[5G"]
)
line = st.lists(st.one_of(words, words, colour, moves), max_size=14).map("".join)


def emulated(feed: str) -> pyte.Screen:
    screen = pyte.Screen(200, 60)
    pyte.Stream(screen).feed(feed.replace("\n", "\r\n"))
    return screen


def rows_of(screen: pyte.Screen) -> list[str]:
    rows = [row.rstrip() for row in screen.display]
    while rows and not rows[-1]:
        rows.pop()
    return rows


@given(line)
def test_one_line_is_what_a_terminal_would_show(feed: str) -> None:
    screen = emulated(feed)
    runs = reduce(feed.encode()).rows[0]
    assert text(runs).rstrip() == screen.display[0].rstrip()
    column = 0
    for part, pen in runs:
        for char in part:
            cell = screen.buffer[0][column]
            if char != " ":
                assert (cell.fg if cell.fg != "default" else "") == (COLOURS[int(pen.fore)] if pen.fore else "")
                assert cell.bold == bool(pen.flags & 1) and cell.reverse == bool(pen.flags & 16)
            column += 1


@given(st.lists(st.one_of(line, st.sampled_from(["\n", "\n", "\x1b[A", "\x1b[2A", "\x1b[F", "\x1b[J"])), max_size=12))
def test_lines_that_move_the_cursor_up_are_what_a_terminal_would_show(parts: list[str]) -> None:
    feed = "".join(parts).rstrip("\n\r")
    found = [row.rstrip() for row in shown(feed)]
    while found and not found[-1]:
        found.pop()
    assert found == rows_of(emulated(feed))


@given(
    st.lists(st.tuples(st.lists(st.one_of(words, colour, st.just("\x1b[K"), st.just("█▌é")), max_size=3)), min_size=20)
)
def test_states_that_cannot_be_seen_any_more_are_skipped_without_a_difference(parts: list[tuple[list[str]]]) -> None:
    feed = "\r".join("".join(part) for (part,) in parts)
    screen = Screen()
    screen.feed(feed.removesuffix("\r"))
    assert reduce(feed.encode()) == (screen.rows(), screen.pen)


@given(st.binary(max_size=300))
@settings(max_examples=300)
def test_nothing_can_steer_the_terminal_and_widths_are_known(data: bytes) -> None:
    for row in (*reduce(data).rows, *states(data).rows):
        assert text(row).isprintable() or not text(row)
        assert len(cells(text(row))) == cell_len(text(row)) == width(text(row))


HOSTILE = {
    "title": ("\x1b]0;owned\x07a", "a"),
    "clipboard": ("\x1b]52;c;aGk=\x1b\\b", "b"),
    "query": ("\x1b[c\x1b[6n\x1bPq\x1b\\c", "c"),
    "clear": ("\x1b[2J\x1b[H\x1b[?1049hd", "d"),
    "mouse": ("\x1b[?1003h\x1b[>4;2me", "e"),
    "unterminated": ("\x1b]0;still shown", "0;still shown"),
    "8-bit": ("\x9b31mf", "\\x9b31mf"),
    "bidi": ("a\u202eb\u2066c", "a\\u202eb\\u2066c"),
    "joiners": ("x\u200by\ufeffz\u00ad!", "xyz!"),
    "line separators": ("a\u2028b", "a\\u2028b"),
    "controls": ("a\x01b\x07c\x7fd", "a^Ab^Gc^?d"),
    "character set": ("\x1b(B\x0fg", "g"),
    "far away": ("\x1b[99999999999Ch", "h"),
    "nul": ("a\0b", "a^@b"),
    "many nuls": ("a" + "\0" * 5000 + "b", "a(5,000 NUL bytes)b"),
    "windows": ("line\r\n", "line"),
    "accents": ("e" + "\u0301" * 50, "e" + "\u0301" * 2),
    "emoji": ("👩\u200d💻👍🏽", "👩💻👍"),
    "private": ("\ue0b0", "\ufffd"),
    "wide blank": ("\u3000|", "  |"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_text_is_dropped_or_named(name: str) -> None:
    data, expected = HOSTILE[name]
    assert shown(data) == [expected]


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert shown(b"\xff\xfeab\xc3") == ["\ufffd\ufffdab\ufffd"]


def test_half_a_wide_character_that_is_overwritten_leaves_a_blank() -> None:
    assert shown("日本\rx") == ["x 本"] and shown("日本\x1b[2Gx") == [" x本"] and shown("日本\x1b[2G\x1b[K") == [" "]


def test_colour_goes_on_and_blinking_or_hidden_text_is_plain() -> None:
    reduced = reduce(b"a\x1b[31mred\x1b[5;8mstill", Pen(back="4"))
    assert reduced.rows == ((("a", Pen(back="4")), ("redstill", Pen("1", "4"))),) and reduced.pen == Pen("1", "4")
    assert after(PLAIN, b"\x1b[31m..\x1b[0m..\x1b[1m.") == Pen(flags=1)


@pytest.mark.parametrize(
    ("sequence", "pen"),
    [
        ("38;5;208", Pen("208")),
        ("48;2;1;2;3", Pen("", "#010203")),
        ("38:2::255:0:1", Pen("#ff0001")),
        ("4:3;1", Pen(flags=9)),
        ("4:0", PLAIN),
        ("91;100", Pen("9", "8")),
        ("38;5", PLAIN),
        ("38;5;999", PLAIN),
        ("38", PLAIN),
        ("58;5;1;3", Pen(flags=4)),
        ("1;22;53;999", PLAIN),
    ],
)
def test_colours_are_understood(sequence: str, pen: Pen) -> None:
    assert after(PLAIN, f"\x1b[{sequence}m".encode()) == pen
    style_of(pen)


@given(st.lists(st.integers(0, 300), max_size=8), st.sampled_from(";:"))
def test_no_colour_sequence_is_an_error(codes: list[int], separator: str) -> None:
    style_of(after(PLAIN, f"\x1b[{separator.join(map(str, codes))}m".encode()))


def test_every_state_of_a_rewritten_line_can_be_seen() -> None:
    assert [text(row) for row in states(b"\r10%\r20%\x1b[K\r\r30%\n").rows] == ["10%", "20%", "30%"]


@given(st.text())
def test_harmless_text_stays_what_it_is(words: str) -> None:
    once = harmless("".join(char for char in words if not re.match(r"[\x00-\x1f\x7f]", char)))
    assert harmless(once) == once
