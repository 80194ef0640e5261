"""From bytes to rows: pages, wrapping, what is in view while a log grows, and how a row is drawn."""

from __future__ import annotations

from itertools import pairwise

import pytest
import regex
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobtui.tui.log import lines as lines_module
from jobtui.tui.log.document import Document, Page, Row, text_of
from jobtui.tui.log.item import Look
from jobtui.tui.log.lines import Lines, Regions
from jobtui.tui.log.paint import strip
from jobtui.tui.log.pen import Pen
from jobtui.tui.log.scan import Scan
from jobtui.tui.log.viewport import Need, Viewport


class Memory:
    """A snapshot of bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = self.stable = len(data)

    def read(self, offset: int, count: int) -> bytes:
        return self.data[offset : offset + max(0, count)]

    def data_after(self, offset: int) -> int:
        return offset


def page(
    data: bytes, anchor: tuple[int, int] | None, before: int = 1000, behind: int = 1000, look: Look | None = None
) -> Page:
    lines = Lines(Memory(data), Regions())
    return Document().page(lines, lines, look or Look(), anchor, before, behind)


def texts(rows: tuple[Row, ...]) -> list[str]:
    return [row.text for row in rows]


def test_a_page_has_what_was_asked_for_around_its_anchor() -> None:
    data = b"".join(b"line %d\n" % n for n in range(1000))
    part = page(data, (data.index(b"line 500\n"), 0), 5, 7)
    assert texts(part.rows) == [f"line {n}" for n in range(495, 508)] and part.rows[part.top].text == "line 500"
    assert not part.at_start and not part.at_end
    assert [row.lines for row in part.rows] == list(range(13))
    tail = page(data, None, 3, 0)
    assert texts(tail.rows) == [f"line {n}" for n in range(996, 1000)] and tail.at_end and tail.top == 3
    assert page(data, (10**9, 0), 0, 5).rows[-1].text == "line 999"
    assert page(b"", (0, 0)).rows == () and page(b"", None).at_start


@given(
    st.lists(st.text("ab 日é\u0301👩", max_size=30), min_size=1, max_size=8),
    st.integers(2, 9),
    st.sampled_from([None, "a+", "日a"]),
)
def test_wrapped_rows_fit_and_together_are_the_line(lines: list[str], columns: int, words: str | None) -> None:
    data = "\n".join(lines).encode()
    search = regex.compile(words) if words else None
    wide = page(data, None, look=Look(0, False, search))
    wrapped = page(data, None, look=Look(columns, False, search))
    assert text_of(wrapped.rows) == text_of(wide.rows)
    for row in wrapped.rows:
        drawn = strip(row, columns + 1, 0, merged=False, here=False, thumb=False)
        assert drawn.cell_length == columns + 1 and drawn.text[:-1].rstrip() == row.text.rstrip()
    marked = "".join(row.text for row in wide.rows if row.marks)
    assert ("a" in marked) == (words == "a+" and "a" in data.decode()) or words == "日a"


@given(st.text("ab日 é", max_size=40), st.integers(0, 12), st.integers(0, 20), st.lists(st.integers(0, 30), max_size=4))
def test_a_drawn_row_is_always_as_wide_as_the_view(line: str, columns: int, left: int, edges: list[int]) -> None:
    row = page(line.encode() or b"x", None).rows[0]
    marks = tuple((min(pair), max(pair)) for pair in pairwise(edges))
    row = Row(row.start, 0, row.runs, marks, 2)
    for merged in (False, True):
        drawn = strip(row, columns, left, merged=merged, here=True, thumb=False)
        assert sum(segment.cell_length for segment in drawn) == drawn.cell_length == columns
    assert strip(None, columns, left, merged=False, here=False, thumb=True).cell_length == columns


def test_colours_are_carried_from_line_to_line_and_back_to_a_bound() -> None:
    data = b"\x1b[31mred\nstill\n" + b"red\n" * 10 + b"\x1b[0mplain\n" + b"x" * 40_000 + b"\nforgotten"
    rows = page(data, None).rows
    assert [row.runs[0][1] for row in rows[:12]] == [Pen("1")] * 12 and rows[12].runs == (("plain", Pen()),)
    far = b"\x1b[32m" + b"line\n" * 20_000
    assert page(far, (len(far) - 5, 0), 0, 0).rows[0].runs == (("line", Pen()),)


# -- lines of any length


def test_a_line_of_many_megabytes_is_shown_by_its_ends() -> None:
    data = b"first\n" + b"a" * 50_000 + b"b" * 5_000_000 + b"c" * 50_000 + b"\nlast"
    rows = page(data, None).rows
    assert len(rows) == 3 and rows[1].text.startswith("aaa") and rows[1].text.endswith("ccc")
    assert "4.8 MiB" in rows[1].text and len(rows[1].text) < 40_000


def test_of_a_line_that_was_rewritten_a_million_times_the_last_state_is_read() -> None:
    data = b"start\n" + b"".join(b"\r%d/1000000 %s" % (n, b"#" * (n % 30)) for n in range(200_000))
    lines = Lines(Memory(data), Regions())
    looked = Document().page(lines, lines, Look(), None, 50, 0)
    assert looked.rows[-1].text.startswith("199999/1000000 ####") and len(looked.rows) == 2
    every = Document().page(Lines(Memory(data), Regions(), joined=False), lines, Look(states=True), None, 5000, 0)
    assert "of earlier states" in every.rows[1].text
    assert [row.text.split("/")[0] for row in every.rows[-3:]] == ["199997", "199998", "199999"]


def test_an_unfinished_sequence_or_character_is_not_shown_before_it_is_whole() -> None:
    for cut in (b"\x1b", b"\x1b[", b"\x1b[38;5", b"\x1b]0;ti", b"\xe6\x97"):
        assert page(b"text" + cut, None).rows[-1].text == "text"


def test_a_hole_is_one_marker() -> None:
    class Holed(Memory):
        def data_after(self, offset: int) -> int:
            return max(offset, self.data.rindex(b"\0") + 1)

    data = b"\0" * 1_000_000 + b"text\n"
    lines = Lines(Holed(data), Regions())
    assert Document().page(lines, lines, Look(), None, 9, 0).rows[0].text == "(976.6 KiB of NUL bytes)text"


# -- a filter


def test_a_filtered_page_has_the_matching_lines_alone() -> None:
    from jobtui.tui.log.matcher import Query

    data = b"".join(b"%s %d\n" % (b"keep" if n % 7 == 0 else b"drop", n) for n in range(1000))
    memory = Memory(data)
    scan = Scan(Query("keep"), 0, len(data))
    while scan.advance(memory):
        pass
    lines = Lines(memory, Regions(), joined=False)
    part = Document().page(lines, scan, Look(), (data.index(b"drop 501\n"), 0), 2, 3)
    assert texts(part.rows) == ["keep 483", "keep 490", "keep 497", "keep 504", "keep 511", "keep 518"]
    assert part.rows[part.top].text == "keep 497"


# -- what is in view


class Log:
    """A log with a view on it; what the view needs is read when ``read`` is called."""

    def __init__(self, height: int) -> None:
        self.data = b""
        self.port = Viewport()
        self.port.resize(height)
        self.regions, self.document = Regions(), Document()
        self.wrap = 0

    def grow(self, data: bytes) -> None:
        self.data += data
        self.port.grew()

    def read(self) -> None:
        for _ in range(20):
            need = self.port.need()
            if need is None:
                return
            self.port.take(self.page(need), need)
        raise AssertionError("it never has enough")

    def page(self, need: Need) -> Page:
        lines = Lines(Memory(self.data), self.regions)
        return self.document.page(lines, lines, Look(self.wrap), need.anchor, need.before, need.behind)

    @property
    def seen(self) -> list[str]:
        return [row.text for row in self.port.rows]


def numbered(first: int, count: int) -> bytes:
    return b"".join(b"line %d\n" % n for n in range(first, first + count))


steps = st.lists(
    st.one_of(
        st.integers(-30, 30),
        st.tuples(st.just("grow"), st.integers(1, 60)),
        st.tuples(st.just("part"), st.just(0)),
        st.tuples(st.just("height"), st.integers(1, 20)),
        st.just(("end", 0)),
        st.just(("home", 0)),
        st.just(("late", 0)),
    ),
    max_size=25,
)


@settings(suppress_health_check=list(HealthCheck), deadline=None)
@given(steps)
def test_nothing_moves_unless_it_is_followed_or_a_person_moves_it(sequence: list[object]) -> None:
    log = Log(10)
    lines, late = 0, False
    log.read()
    for step in sequence:
        before, follow = log.seen, log.port.follow
        old_top = log.port.top_row
        if isinstance(step, int):
            log.port.move(step)
        else:
            what, number = step  # type: ignore[misc]
            if what == "grow":
                if not log.data.endswith(b"\n") and log.data:
                    log.grow(b"\n")
                log.grow(numbered(lines, number))
                lines += number
            elif what == "part":
                log.grow(b"." if not log.data.endswith(b"\n") else b"line part")
            elif what == "height":
                log.port.resize(number)
            elif what == "end":
                log.port.set_follow(True)
            elif what == "home":
                log.port.jump(0)
            late = what == "late"
            if what in ("grow", "part") and not follow and before:
                log.read() if not late else None
                assert not log.port.follow
                assert log.port.top_row is not None and old_top is not None
                assert (log.port.top_row.start, log.port.top_row.sub) == (old_top.start, old_top.sub)
                assert log.seen[: len(before) - 1] == before[:-1]
        log.read()
        rows = log.data.count(b"\n") + bool(log.data and not log.data.endswith(b"\n"))
        assert len(log.seen) == min(rows, log.port.height)
        starts = [row.start for row in log.port.rows]
        assert starts == sorted(starts) and len(set(starts)) == len(starts)
        if log.port.follow and log.data:
            assert log.port.rows[-1].start == log.data.rstrip(b"\n").rfind(b"\n") + 1


def test_scrolling_goes_through_every_row_and_on_to_following() -> None:
    log = Log(7)
    log.grow(numbered(0, 1000))
    log.read()
    assert log.seen[-1] == "line 999"
    seen: list[str] = []
    log.port.move(-5)
    assert not log.port.follow
    log.port.jump(0)
    log.read()
    while not log.port.follow:
        seen += log.seen
        log.port.move(7)
        log.read()
    assert seen[:993] == [f"line {n}" for n in range(993)] and log.seen[-1] == "line 999"


def test_keys_pressed_while_rows_are_read_are_not_lost() -> None:
    log = Log(10)
    log.grow(numbered(0, 10_000))
    log.read()
    for _ in range(200):
        log.port.move(-9)
    log.read()
    assert log.seen[0] == f"line {9990 - 1800}"
    log.port.jump(0)
    log.port.move(5)
    log.port.move(-2)
    log.read()
    assert log.seen[0] == "line 3"


def test_a_page_that_comes_late_does_not_pull_the_view_back() -> None:
    log = Log(10)
    log.grow(numbered(0, 1000))
    log.read()
    need = log.port.need() or Need(None, 30, 0, 0)
    log.port.jump(0)
    log.port.take(log.page(need), need)
    log.read()
    assert log.seen[0] == "line 0"
    log.port.set_follow(True)
    log.read()
    log.port.move(-100)
    log.grow(numbered(1000, 500))
    late = log.port.need()
    assert late is not None
    log.port.move(3)
    log.port.take(log.page(late), late)
    assert log.seen[0] == "line 893"


def test_wrapping_keeps_the_line_at_the_top() -> None:
    log = Log(6)
    log.grow(b"".join(b"%04d%s\n" % (n, b"x" * 46) for n in range(100)))
    log.read()
    log.port.move(-30)
    log.read()
    top = log.port.top_row
    assert top is not None
    log.wrap = 10
    log.port.stay()
    log.read()
    assert log.port.top_row is not None and log.port.top_row.start == top.start
    log.port.move(3)
    log.wrap = 5
    log.port.stay(scale=2.0)
    log.read()
    assert (log.port.top_row.start, log.port.top_row.sub) == (top.start, 6)  # type: ignore[union-attr]


def test_regions_do_not_matter_for_what_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"".join(b"line %d\n\x1b[A" % n if n % 5 == 3 else b"line %d\n" % n for n in range(300))
    whole = texts(page(data, None).rows)
    monkeypatch.setattr(lines_module, "REGION", 512)
    assert texts(page(data, None).rows) == whole
