"""Text from jobs on a terminal: only text, line ends, tabs and colour get through, and columns fit exactly."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobtui.tui.text import TerminalFilter, fit, plain, width

quick = settings(max_examples=150, deadline=None)

COLOURS = [b"\x1b[m", b"\x1b[0m", b"\x1b[1;31m", b"\x1b[38;5;200m", b"\x1b[38:2::1:2:3m"]
TEXT = [
    b"a",
    b"word ",
    b"[31m",
    b"]0;",
    b"\n",
    b"\t",
    b"\r",
    b"\r\n",
    b"\xc3\xa9",
    b"\xe2\x9c\x93",
    b"\xf0\x9f\x98\x80",
]
DROPPED = {
    "cursor up": b"\x1b[2A",
    "cursor position": b"\x1b[10;20H",
    "clear screen": b"\x1b[2J",
    "clear line": b"\x1b[K",
    "alternate screen": b"\x1b[?1049h",
    "mouse on": b"\x1b[?1003h",
    "key modes": b"\x1b[>4;2m",
    "private colour": b"\x1b[?31m",
    "cursor shape": b"\x1b[2 q",
    "device report": b"\x1b[6n",
    "window resize": b"\x1b[8;1;1t",
    "title by BEL": b"\x1b]0;evil title\x07",
    "title by ST": b"\x1b]2;evil title\x1b\\",
    "clipboard": b"\x1b]52;c;ZXZpbA==\x07",
    "link": b"\x1b]8;;http://evil\x1b\\",
    "device control": b'\x1bP$q"p\x1b\\',
    "sixel": b"\x1bPq#0;2;0;0;0#0~~\x1b\\",
    "application command": b"\x1b_evil\x1b\\",
    "privacy message": b"\x1b^evil\x1b\\",
    "start of string": b"\x1bXevil\x1b\\",
    "reset": b"\x1bc",
    "save cursor": b"\x1b7",
    "index": b"\x1bD",
    "reverse index": b"\x1bM",
    "keypad": b"\x1b=",
    "character set": b"\x1b(0",
    "double height": b"\x1b#3",
    "bell": b"\x07",
    "backspace": b"\x08",
    "vertical tab": b"\x0b",
    "form feed": b"\x0c",
    "shift out": b"\x0e",
    "cancel": b"\x18",
    "delete": b"\x7f",
    "nul": b"\x00",
    "C1 CSI": b"\xc2\x9b",
    "C1 OSC": b"\xc2\x9d",
}


def feed(*pieces: bytes) -> bytes:
    """What a terminal gets in all."""
    harmless = TerminalFilter()
    return b"".join(map(harmless.feed, pieces))


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


@pytest.mark.parametrize("data", [*COLOURS, *TEXT], ids=repr)
def test_text_line_ends_tabs_and_colour_get_through(data: bytes) -> None:
    assert feed(data) == data
    assert feed(b"before" + data + b"after") == b"before" + data + b"after"


@pytest.mark.parametrize("data", DROPPED.values(), ids=DROPPED)
def test_what_moves_or_changes_a_terminal_is_dropped(data: bytes) -> None:
    assert feed(b"before" + data + b"after") == b"beforeafter"


tokens = st.lists(st.sampled_from([*TEXT, *COLOURS, *(s for s in DROPPED.values() if not s.startswith(b"\xc2"))]))


@quick
@given(tokens, st.lists(st.integers(0, 10_000), max_size=8))
def test_a_log_in_pieces_shows_as_the_log_at_once(parts: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(parts)
    assert feed(*pieces_of(whole, cuts)) == feed(whole)
    assert feed(*(bytes([byte]) for byte in whole)) == feed(whole)


@quick
@given(tokens)
def test_exactly_the_harmless_parts_of_a_log_are_shown(parts: list[bytes]) -> None:
    kept = [*TEXT, *COLOURS]
    assert feed(b"".join(parts)) == b"".join(part for part in parts if part in kept)


nasty = st.lists(
    st.sampled_from(
        [
            *(
                b"\x1b",
                b"\x1b",
                b"[",
                b"]",
                b"P",
                b"?",
                b">",
                b"0",
                b";",
                b":",
                b"m",
                b"H",
                b"J",
                b"\\",
                b"c",
                b"(",
                b" ",
            ),
            *(b"\x07", b"\x00", b"\n", b"\r", b"\t", b"x", b"\xc3\xa9", b"31m", b"\x18", b"\x7f"),
        ]
    ),
    max_size=25,
).map(b"".join)
harmless_text = re.compile(rb"(?:\x1b\[[0-9;:]*m|[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f])*")


@quick
@given(nasty | st.binary(max_size=60), st.lists(st.integers(0, 100), max_size=6))
@example(b"\x1b\x1b[2J", [1])
@example(b"\x1b\x00[2J", [2])
@example(b"\x1b[3\x1b[2J1H", [])
@example(b"\x1b]0;\x1b[2J\x07", [])
@example(b"\x1b[\n2J", [3])
def test_whatever_comes_in_whatever_pieces_no_escape_but_colour_gets_out(data: bytes, cuts: list[int]) -> None:
    out = feed(*pieces_of(data, cuts))
    assert harmless_text.fullmatch(out), out


c1 = st.lists(st.sampled_from([b"\xc2", b"\x9b", b"\x9d", b"\x1b", b"\x00", b"2J", b"x"]), max_size=12).map(b"".join)


@quick
@given(c1, st.lists(st.integers(0, 100), max_size=6))
@example(b"\xc2\x9b2J", [1])
@example(b"\xc2\xc2\x9b\x9b2J", [])
@example(b"\xc2\x1b\x9b2J", [])
def test_whatever_comes_in_whatever_pieces_no_c1_control_gets_out(data: bytes, cuts: list[int]) -> None:
    out = feed(*pieces_of(data, cuts)).decode("utf-8", "replace")
    assert not re.search("[\x80-\x9f]", out), out


@pytest.mark.parametrize("data", [b"a\x9b2Jb", b"a\x9d0;evil\x9cb", b"\x90q\x9c", b"\xff\x9b2J"])
def test_a_lone_byte_that_is_a_control_to_an_8_bit_terminal_is_dropped(data: bytes) -> None:
    out = feed(data)
    assert not re.search(rb"[\x80-\x9f]", out), out


@quick
@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])), st.lists(st.integers(0, 1000), max_size=5))
def test_text_of_every_script_gets_through_unchanged(text: str, cuts: list[int]) -> None:
    data = text.encode()
    assert feed(*pieces_of(data, cuts)) == data


def test_a_sequence_that_never_ends_does_not_hold_back_the_log() -> None:
    lines = b"".join(b"line %d\n" % number for number in range(2_000))
    out = feed(b"\x1b]0;", *(lines[i : i + 1_000] for i in range(0, len(lines), 1_000)))
    assert out.endswith(lines[-5_000:])


def test_a_long_log_is_filtered_in_reasonable_time() -> None:
    assert feed(b"\x1b[1;" * 250_000) == b"[1;" * 249_999
    assert feed(b"\x1b]" * 500_000).count(b"\x1b") == 0


# -- one line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words", "plain words"),
        ("", ""),
        ("two\nlines\ttab", "two\\nlines\\ttab"),
        ("\r", "\\x0d"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b2J", "\\x9b2J"),
        ("[bold]markup[/bold]", "[bold]markup[/bold]"),
        ("naïve 日本 😀", "naïve 日本 😀"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u2028b", "a\\u2028b"),
        ("a\udcffb", "a\\udcffb"),
        ("\U000e0001", "\\U000e0001"),
        ("\x7f\x00", "\\x7f\\x00"),
    ],
)
def test_odd_characters_are_shown_and_not_obeyed(text: str, shown: str) -> None:
    assert plain(text) == shown


@quick
@given(st.text(st.characters(exclude_categories=())))
def test_one_line_of_text_is_always_printable(text: str) -> None:
    shown = plain(text)
    assert shown.replace("\u200d", "").isprintable()
    assert plain(shown) == shown
    shown.encode()


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("", 0),
        ("abc", 3),
        ("日本", 4),
        ("한국어", 6),
        ("e\u0301", 1),
        ("é", 1),
        ("😀", 2),
        ("ｆｕｌｌ", 8),
        ("…", 1),
        ("שלום", 4),
    ],
)
def test_the_width_of_text_is_what_a_terminal_needs(text: str, columns: int) -> None:
    assert width(text) == columns


@pytest.mark.parametrize(("text", "columns"), [("ที่", 1), ("บ้านที่อยู่", 6), ("مَرْحَبًا", 5)])
def test_marks_above_and_below_letters_need_no_column(text: str, columns: int) -> None:
    assert width(text) == columns


@quick
@given(st.text(st.characters(exclude_categories=()), max_size=30), st.integers(0, 40))
def test_text_always_fits_its_columns_exactly(text: str, columns: int) -> None:
    line = plain(text)
    shown = fit(line, columns)
    assert width(shown) == columns
    if width(line) <= columns:
        assert shown.rstrip(" ") == line.rstrip(" ")
    elif columns:
        kept = shown.rstrip(" ")
        assert kept.endswith("…") and line.startswith(kept[:-1])


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("abc", 5, "abc  "),
        ("abcdef", 4, "abc…"),
        ("abcd", 4, "abcd"),
        ("日本語", 4, "日… "),
        ("日本語", 5, "日本…"),
        ("日", 1, "…"),
        ("abc", 0, ""),
        ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
    ],
)
def test_long_text_is_cut_with_an_ellipsis_and_short_text_is_padded(text: str, columns: int, shown: str) -> None:
    assert fit(text, columns) == shown
