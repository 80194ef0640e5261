"""Pieces of far files: byte-exact, in one round trip, and never half of one."""

from __future__ import annotations

import os
from pathlib import Path

import anyio
from hypothesis import given
from hypothesis import strategies as st

from jobtui.backends.dialect import Command
from jobtui.backends.farfiles import Part, read_parts, understood
from jobtui.backends.transport import Here, Output, TransportError
from jobtui.core.backend import Piece, Reading

ENV = {"PATH": os.environ["PATH"]}
WORD = b"0123abcd"


def read(*parts: Part) -> Reading:
    return anyio.run(read_parts, Here(), ENV, parts)


def test_pieces_are_exact_whatever_bytes_they_hold(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000 + b"no newline at the end\0\xff"
    (tmp_path / "a log's name").write_bytes(data)
    path = str(tmp_path / "a log's name")
    size = len(data)
    reading = read(Part(path, 0, 10), Part(path, -100, 1000), Part(path, 500_001, 300_000), Part(path, size, 99))
    assert reading == Reading(
        (
            Piece(0, data[:10], size),
            Piece(size - 100, data[-100:], size),
            Piece(500_001, data[500_001:800_001], size),
            Piece(size, b"", size),
        )
    )


def test_from_the_end_of_a_short_file_is_all_of_it_and_an_empty_one_has_a_size(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"abc")
    (tmp_path / "empty").write_bytes(b"")
    reading = read(Part(f"{tmp_path}/short", -1000, 1000), Part(f"{tmp_path}/empty", -1000, 1000))
    assert reading.pieces == (Piece(0, b"abc", 3), Piece(0, b"", 0))


def test_an_offset_behind_the_end_tells_the_size_that_there_is(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"abc")
    assert read(Part(f"{tmp_path}/short", 1000, 1000)).pieces[0].size == 3


def test_a_file_that_is_not_there_or_cannot_be_read_does_not_touch_the_others(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"abc")
    os.mkfifo(tmp_path / "pipe")
    reading = read(Part(f"{tmp_path}/missing", 0, 9), Part(f"{tmp_path}/pipe", 0, 9), Part(f"{tmp_path}/there", 0, 9))
    assert reading.pieces == (Piece(), Piece(trouble="it is not a regular file"), Piece(0, b"abc", 3))


def test_a_far_side_that_cannot_be_reached_says_why_and_gives_nothing() -> None:
    class Lost:
        async def fetch(self, command: Command, env: object) -> Output:
            raise TransportError("unreachable", "no route to host")

        run = fetch

    assert anyio.run(read_parts, Lost(), ENV, [Part("/x", 0, 1)]) == Reading((), "no route to host")


def _answer(*pieces: bytes) -> bytes:
    framed = [b"%s piece 7 %d %d\n%s\n%s end\n" % (WORD, len(data), 7 + len(data), data, WORD) for data in pieces]
    return b"".join(framed) + WORD + b" over\n"


@given(st.binary(max_size=200), st.binary(max_size=50), st.data())
def test_an_answer_that_is_cut_off_anywhere_gives_nothing(one: bytes, two: bytes, data: st.DataObject) -> None:
    whole = _answer(one, two)
    assert [piece.data for piece in understood(Output(0, whole, b""), WORD, 2).pieces] == [one, two]
    cut = data.draw(st.integers(0, len(whole) - 1))
    reading = understood(Output(255, whole[:cut], b""), WORD, 2)
    assert not reading.pieces and reading.trouble


@given(st.binary(max_size=100))
def test_what_else_is_printed_before_the_answer_is_skipped(banner: bytes) -> None:
    assert understood(Output(0, banner + b"\n" + _answer(b"x"), b""), WORD, 1).pieces == (Piece(7, b"x", 8),)


def test_a_file_that_shrinks_while_it_is_read_gives_what_was_there() -> None:
    text = b"%s piece 0 10 10\nabc\n%s end\n%s over\n" % (WORD, WORD, WORD)
    assert understood(Output(0, text, b""), WORD, 1).pieces == (Piece(0, b"abc", 10),)
