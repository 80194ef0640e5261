"""Search, filter and the rule for errors: what they find is what looking at every line by itself finds."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jobtui.tui.log import scan as scan_module
from jobtui.tui.log.hunt import Ended, Hunt
from jobtui.tui.log.matcher import Both, Errors, Query, as_shown
from jobtui.tui.log.reducer import reduce
from jobtui.tui.log.scan import Answer, Scan


class Memory:
    """A snapshot of bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = self.stable = len(data)

    def read(self, offset: int, count: int) -> bytes:
        return self.data[offset : offset + max(0, count)]

    def data_after(self, offset: int) -> int:
        return offset


def beginnings(data: bytes) -> list[int]:
    return [0] * bool(data) + [match.end() for match in re.finditer(b"\n", data) if match.end() < len(data)]


def lines_of(data: bytes) -> list[tuple[int, bytes]]:
    starts = beginnings(data)
    ends = [*starts[1:], len(data)][: len(starts)]
    return [(start, data[start:end]) for start, end in zip(starts, ends, strict=True)]


def shown(line: bytes) -> str:
    return "".join(text for text, _ in reduce(line).rows[-1])


def naive(query: Query, data: bytes) -> list[int]:
    return [start for start, line in lines_of(data) if query.pattern.search(shown(line))]


def found(scan: Scan) -> list[int]:
    places, at = [], -1
    while (place := scan.next(at)) is not None:
        places.append(place)
        at = place
    return places


words = st.sampled_from(["error", "Error", "a", "b", "12", " ", "é", "日本", "x\u0301", "step 3", "ERR"])
odd = st.sampled_from(["\x1b[31m", "\x1b[0m", "\r", "\x1b[K", "\0", "\x1b]0;t\x07", "\u200b"])
line = st.one_of(st.lists(words, max_size=5).map("".join), st.lists(st.one_of(words, odd), max_size=6).map("".join))
log = st.builds(
    lambda lines, end: "\n".join(lines).encode() + end, st.lists(line, max_size=25), st.sampled_from([b"", b"\n"])
)
queries = st.sampled_from(
    ["error", "Error", "é", "日", "a.*b", r"\d+", "^a", "b$", "[^x]a", r"\s", "(", "a|b", "(?<!a)b", r"\Aa", "x*", "."]
)


@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=300)
@given(log, queries, st.data())
def test_a_scan_finds_what_looking_at_each_line_finds(
    monkeypatch: pytest.MonkeyPatch, data: bytes, words: str, draw: st.DataObject
) -> None:
    monkeypatch.setattr(scan_module, "_CHUNK", 24)
    query = Query(words)
    origin = draw.draw(st.sampled_from(beginnings(data) or [0]))
    scan = Scan(query, origin, len(data))
    memory = Memory(data)
    while scan.advance(memory):
        known = found(scan)
        assert known == sorted(known) and scan.count == len(known)
    expected = naive(query, data)
    assert found(scan) == expected and scan.count == len(expected) and scan.share == 1.0
    for place in range(-1, len(data) + 2):
        after, before = [at for at in expected if at > place], [at for at in expected if at < place]
        assert scan.following(place) == (after[0] if after else Answer.NONE)
        assert scan.preceding(place) == (before[-1] if before else Answer.NONE)
    assert [scan.rank(at) for at in expected] == list(range(1, len(expected) + 1))


@settings(suppress_health_check=list(HealthCheck), deadline=None)
@given(st.lists(log, max_size=5))
@example([b"errorerror", b"errorerror\r\x1b[K\n"])
@example([b"errorerror", b"errorerrorerror\n", b"error"])
def test_a_scan_of_a_growing_log_misses_nothing(monkeypatch: pytest.MonkeyPatch, pieces: list[bytes]) -> None:
    monkeypatch.setattr(scan_module, "_CHUNK", 24)
    query = Query("error")
    scan, data = Scan(query, 0, 0), b""
    for piece in pieces:
        data += piece
        while scan.advance(Memory(data)):
            pass
        assert found(scan) == naive(query, data) and scan.count == len(found(scan))


def test_lines_longer_than_a_chunk_are_searched_where_they_are_shown() -> None:
    data = b"short\n" + b"x" * 400_000 + b" needle\n" + b"y" * 10 + b"\n" + b"z" * 600_000 + b" needle"
    for origin in beginnings(data):
        scan = Scan(Query("needle"), origin, len(data))
        while scan.advance(Memory(data)):
            pass
        assert found(scan) == naive(Query("needle"), data) == [6, 400_025]


def test_too_many_matches_are_not_all_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_module, "_MOST", 1000)
    monkeypatch.setattr(scan_module, "_CHUNK", 512)
    data = b"hit\n" * 10_000
    scan = Scan(Query("hit"), 20_000, len(data))
    while scan.advance(Memory(data)):
        pass
    assert scan.full and 2000 <= scan.count < 2500 and scan.following(39_000) is Answer.NONE


def test_small_letters_match_both_cases_and_capital_ones_themselves() -> None:
    chunk = b"Error\nerror\nERROR\n"
    assert [list(Query(words).lines(chunk)) for words in ("error", "Error", "e.*r", "E.*r")] == [
        [0, 1, 2],
        [0],
        [0, 1, 2],
        [0],
    ]


def test_what_is_no_regular_expression_is_plain_text() -> None:
    query = Query("f(x")
    assert "plain text" in query.note and list(query.lines(b"f(x)\nfx\n")) == [0]


@pytest.mark.parametrize("words", ["a{100000000}", "((a{1000}){1000}){1000}", "(" * 500 + ")" * 500, "a*" * 600])
def test_an_expression_that_would_take_all_memory_is_plain_text(words: str) -> None:
    query = Query(words)
    assert "plain text" in query.note and list(query.lines(b"a\n" + words.encode() + b"\n")) == [1]


@pytest.mark.parametrize(("words", "lines"), [("(a+)+$", [4]), ("(x+x+)+y", []), ("(.*)a(.*)x(.*)b", [])])
def test_an_expression_that_explodes_is_given_up_on_the_lines_where_it_does(words: str, lines: list[int]) -> None:
    query = Query(words)
    started = time.monotonic()
    assert list(query.lines((b"a" * 3000 + b"x" * 3000 + b"!\n") * 4 + b"good aaaa\n")) == lines
    assert query.given_up == 4 and time.monotonic() - started < 60


@pytest.mark.parametrize(
    "line",
    [
        "ERROR: disk quota exceeded",
        "error: no such file",
        "ValueError: bad shape",
        "Traceback (most recent call last):",
        "java.lang.NullPointerException",
        "slurmstepd: error: Detected 1 oom-kill event",
        "Out of memory: Killed process 12",
        "Segmentation fault (core dumped)",
        "bash: foo: command not found",
        "make: *** [all] Error 2",
        "fatal: not a git repository",
        "thread 'main' panicked at src/main.rs",
        "FAILED tests/test_a.py",
        "2 errors generated.",
        "OSError: [Errno 28] No space left on device",
        "job was Killed",
    ],
)
def test_lines_that_tell_of_errors(line: str) -> None:
    assert list(Errors().lines(b"fine\n" + line.encode() + b"\nfine\n")) == [1]


@pytest.mark.parametrize(
    "line",
    [
        "0 errors, 0 warnings",
        "compiled with no errors",
        "finished without any errors",
        "errors: 0",
        "error=0.125 loss=0.3",
        "mean error 1.5e-3",
        "step 3 error: 0.12",
        "failed=0",
        "skill check passed, boom, mirror",
        "error_rate is fine",
        "bloom filter",
    ],
)
def test_lines_where_all_is_well(line: str) -> None:
    assert list(Errors().lines(line.encode() + b"\n")) == []


def test_a_search_within_a_filter_needs_both() -> None:
    assert list(Both(Query("a"), Query("b")).lines(b"a\nb\nab\nba\n")) == [2, 3]


@given(st.binary(max_size=200))
def test_there_is_one_shown_line_for_each_line(data: bytes) -> None:
    data = data.removesuffix(b"\n") + b"\n"
    assert as_shown(data).count(b"\n") == data.count(b"\n")
    assert re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", as_shown(data)) is None


# -- going from match to match


def test_a_hunt_waits_until_it_is_known_and_goes_on_past_the_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_module, "_CHUNK", 16)
    data = b"hit\n" + b"-------\n" * 10 + b"hit\n" + b"-------\n" * 10
    second = data.rfind(b"hit")
    scan = Scan(Query("hit"), 44, len(data))
    hunt, answer = Hunt(scan, 1, 44).look()
    assert answer is None
    while answer is None:
        scan.advance(Memory(data))
        hunt, answer = hunt.look()
    assert answer == second and not hunt.wrapped
    while scan.advance(Memory(data)):
        pass
    hunt, answer = Hunt(scan, 1, second).look()
    assert answer == 0 and hunt.wrapped
    hunt, answer = Hunt(scan, -1, 0).look()
    assert answer == second and hunt.wrapped
    none = Scan(Query("nothing"), 0, len(data))
    while none.advance(Memory(data)):
        pass
    assert Hunt(none, 1, 0).look()[1] is Ended.NOTHING and Hunt(none, -1, 0).look()[1] is Ended.NOTHING
