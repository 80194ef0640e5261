"""The parts behind the table: columns and their widths, words and bars, what is drawn anew, what stays in view."""

from __future__ import annotations

import time
from datetime import datetime
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from jobtui.core import Change, JobRow, State
from jobtui.tui.celltext import (
    STATE_GLYPHS,
    STATE_GLYPHS_ASCII,
    cell,
    coarse,
    needs_ascii,
    short_time,
)
from jobtui.tui.ref import ArrayRef, Ref
from jobtui.tui.table.arrays import Summary
from jobtui.tui.table.canvas import Canvas
from jobtui.tui.table.choices import ColumnChoice, SortChoice
from jobtui.tui.table.columns import BY_ID, COLUMNS, DEFAULT, Look, readable_columns, why_words
from jobtui.tui.table.filterbar import completions
from jobtui.tui.table.joblist import JobList
from jobtui.tui.table.layout import GAP, Widths, place
from jobtui.tui.table.order import NEWEST_FIRST, SortTerm, readable_terms, sorted_by
from jobtui.tui.table.scroll import Scroll
from jobtui.tui.table.words import bytes_text, counts_text, natural, progress_bar, state_shares

NOW = datetime(2026, 11, 18, 14, 2).timestamp()
LOOK = Look(NOW, False, "")


def row(job: int, state: State = State.FINISHED, **more: object) -> JobRow:
    return JobRow(id=job, name=f"job-{job}", state=state, **more)  # type: ignore[arg-type]


# -- words


def test_names_sort_as_people_count() -> None:
    names = ["sample-10", "Sample-9", "sample-9b", "alpha", "sample"]
    assert sorted(names, key=natural) == ["alpha", "sample", "Sample-9", "sample-9b", "sample-10"]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h00m"), (90_000, "1d01h")]
)
def test_run_times_are_told_in_seconds_only_within_the_first_minute(seconds: float, words: str) -> None:
    assert coarse(seconds) == words


@pytest.mark.parametrize(
    ("then", "words"),
    [
        (datetime(2026, 11, 18, 9, 5), "09:05"),
        (datetime(2026, 11, 16, 14, 2), "Mon 14:02"),
        (datetime(2026, 11, 3, 14, 2), "2026-11-03"),
    ],
)
def test_times_are_as_short_as_they_are_clear(then: datetime, words: str) -> None:
    assert short_time(then.timestamp(), NOW) == words


def test_a_time_beyond_the_calendar_does_no_harm() -> None:
    assert short_time(1e30, NOW) == "?" and short_time(None, NOW) == ""


@pytest.mark.parametrize(
    ("size", "words"), [(None, ""), (0, "0B"), (999, "999B"), (2**30, "1G"), (1536 * 2**20, "1.5G"), (2**50, "1024T")]
)
def test_memory_fits_in_five_columns(size: int | None, words: str) -> None:
    assert bytes_text(size) == words and len(words) <= 5


@given(st.one_of(st.none(), st.floats()), st.booleans())
def test_a_progress_bar_is_as_wide_as_its_column_and_full_only_at_the_end(share: float | None, ascii: bool) -> None:
    text = progress_bar(share, ascii=ascii)
    assert cell_len(text) in (0, BY_ID["progress"].least)
    if share is not None and share < 1:
        assert "100%" not in text
    assert not ascii or text.isascii()


@given(st.lists(st.sampled_from(list(State)), min_size=1, max_size=60), st.integers(1, 20))
def test_a_bar_of_states_fills_its_columns_and_no_state_vanishes(states: list[State], columns: int) -> None:
    rows = {number: row(number, state) for number, state in enumerate(states)}
    summary = Summary(list(rows), rows)
    shares = state_shares(summary, columns)
    assert sum(width for _, width in shares) == columns and all(width > 0 for _, width in shares)
    if len(set(states)) <= columns:
        assert {state for state, _ in shares} == set(states)
    if State.FAILED in states:
        assert shares[0][0] is State.FAILED


def test_an_arrays_counts_are_told_in_words_the_worst_first() -> None:
    states = [State.FINISHED, State.RUNNING, State.FAILED, State.FINISHED]
    rows = {number: row(number, state) for number, state in enumerate(states)}
    summary = Summary(list(rows), rows)
    assert counts_text(summary) == "1 failed, 1 running, 2 finished"
    summary.total = 500
    assert counts_text(summary) == "4 of 500: 1 failed, 1 running, 2 finished"


def test_every_state_has_a_shape_of_its_own_that_is_one_column_wide() -> None:
    for shapes in (STATE_GLYPHS, STATE_GLYPHS_ASCII):
        assert set(shapes) == set(State) and len(set(shapes.values())) == len(State)
        assert all(cell_len(shape) == 1 for shape in shapes.values())
    assert "".join(STATE_GLYPHS_ASCII.values()).isascii()


def test_ascii_is_for_terminals_that_may_lack_the_shapes() -> None:
    assert not needs_ascii("UTF-8", "xterm-256color") and not needs_ascii("utf8", "screen")
    assert needs_ascii("ANSI_X3.4-1968", "xterm") and needs_ascii("UTF-8", "linux")


@given(st.text(), st.integers(0, 20), st.booleans())
def test_a_cell_is_exactly_as_wide_as_asked_and_printable(text: str, columns: int, right: bool) -> None:
    shown = cell(text, columns, right=right)
    assert cell_len(shown) == columns and shown.isprintable()


def test_accents_are_not_piled_over_other_lines() -> None:
    assert cell("Z" + "\u0301" * 50 + "a", 4) == "Z\u0301\u0301a  "


# -- columns


def test_every_column_says_something_of_a_job_and_of_an_array_whatever_is_missing() -> None:
    full = row(
        7, State.RUNNING, reason="exit-code", detail="d", jid="4", host="h", tags=("a", "b"), created=1.0, started=2.0,
        array=7, array_index=0, progress=0.5, attempt=2, queue="q", memory=2**30, gpus=1, cwd="/c", command="run",
        exit_code=1, expected=3.0,
    )  # fmt: skip
    for job in (full, row(1), row(2, State.UNKNOWN, created=None)):
        rows = {0: job}
        for column in COLUMNS:
            assert isinstance(column.value(job, LOOK), str)
            assert isinstance(column.of_array(Summary([0], rows), LOOK), str)
            column.order_by(NOW)(job)
    assert all(column.value(full, LOOK) for column in COLUMNS if column.id not in ("workdir", "ended"))


def test_unknown_columns_and_terms_are_left_out() -> None:
    assert readable_columns(["name", "nope", "id", "name"]) == ("name", "id")
    assert readable_columns(["nope"]) == DEFAULT
    assert readable_terms([("nope", True), ("name", False), ("name", True)]) == (SortTerm("name", False),)
    assert readable_terms([]) == NEWEST_FIRST


def test_sorting_by_a_column_again_reverses_it_and_the_others_break_ties() -> None:
    once = sorted_by(NEWEST_FIRST, "elapsed", toggle=True)
    assert once == (("elapsed", True), ("created", True))
    assert sorted_by(once, "elapsed", toggle=True)[0] == ("elapsed", False)
    assert sorted_by(once, "elapsed", toggle=False) == once
    assert sorted_by(once, "name", toggle=True)[:2] == (("name", False), ("elapsed", True))


columns = st.lists(st.sampled_from([column.id for column in COLUMNS]), min_size=1, unique=True)


@given(columns, st.data(), st.integers(-5, 250), st.sampled_from([2, 4]))
def test_columns_stand_side_by_side_and_never_beyond_the_edge(
    ids: list[str], data: st.DataObject, available: int, start: int
) -> None:
    wanted = {id: data.draw(st.integers(BY_ID[id].least, BY_ID[id].most)) for id in ids}
    placed = place(ids, wanted, start, available)
    assert placed and [each.column.id for each in placed] == [id for id in ids if id in {e.column.id for e in placed}]
    for one, other in pairwise(placed):
        assert other.x == one.x + one.width + GAP
    if available > start:
        assert placed[-1].x + placed[-1].width <= available
    if len(placed) < len(ids):
        kept = {each.column.worth for each in placed}
        assert max(BY_ID[id].worth for id in ids if id not in {e.column.id for e in placed}) <= max(kept)


def test_columns_only_grow_and_take_no_room_while_they_have_nothing_to_say() -> None:
    widths = Widths()
    assert widths.wanted["progress"] == 0 and widths.wanted["attempt"] == 0
    widths.measure({"name": "a much longer name", "progress": "", "attempt": "2"})
    grown = widths.wanted["name"]
    assert grown == len("a much longer name") and widths.wanted["attempt"] == 3
    widths.measure({"name": "a"})
    assert widths.wanted["name"] == grown and widths.wanted["progress"] == 0
    widths.relax()
    assert widths.wanted["name"] < grown


# -- what is chosen in dialogs and typed into the filter


def test_columns_are_turned_on_and_off_moved_and_reset() -> None:
    choice = ColumnChoice(["id", "name"])
    assert choice.words(0) == "[x] Id" and choice.words(2).startswith("[ ] ")
    assert choice.move(1, -1) == 0 and choice.move(0, -1) == 0
    choice.change(2)
    assert choice.accept(0) == ("name", "id", choice.order[2])
    for number in range(3):
        choice.change(number)
    assert choice.accept(0) == DEFAULT, "none is no choice"
    choice.reset()
    assert choice.accept(0) == DEFAULT


def test_sorting_is_chosen_by_one_column_or_put_together() -> None:
    names = [column.id for column in COLUMNS]
    choice = SortChoice(NEWEST_FIRST)
    assert choice.first == names.index("created")
    assert choice.accept(names.index("state"))[0] == ("state", False)
    assert choice.accept(choice.first) == (("created", False),), "again: the other way round"
    choice.change(names.index("name"))
    assert choice.accept(0) == (("created", True), ("name", False))
    choice.change(names.index("created"))
    choice.change(names.index("created"))
    assert choice.accept(0) == (("name", False),)
    assert "1 ascending" in choice.words(names.index("name"))
    choice.reset()
    assert choice.accept(0) == NEWEST_FIRST


@pytest.mark.parametrize(
    ("text", "offers"),
    [
        ("el", ["elapsed:"]),
        ("align !st", ["align !state:"]),
        ("state:f", ["state:finished", "state:failed"]),
        ("x -state:failed,he", ["x -state:failed,held"]),
        ("state!=ru", ["state!=running"]),
        ("", []),
        ("nothing", []),
    ],
)
def test_keys_and_states_are_completed(text: str, offers: list[str]) -> None:
    assert completions(text) == offers


@given(st.text(max_size=20))
def test_completion_adds_to_what_was_typed(text: str) -> None:
    assert all(offer.startswith(text.rpartition(" ")[0]) for offer in completions(text))


# -- what is drawn anew


class Table:
    """A list on a canvas of a size."""

    def __init__(self, rows: list[JobRow], size: tuple[int, int] = (100, 11), *, ascii: bool = False) -> None:
        self.jobs = JobList(clock=lambda: NOW)
        self.jobs.replace(0, rows)
        self.scroll = Scroll(self.jobs.view)
        self.canvas = Canvas(self.jobs, self.scroll, ascii=ascii)
        self.size = size
        self.scroll.height = max(1, size[1] - 1)
        self.now = NOW
        self.draw()

    def draw(self) -> list[tuple[int, int, int]]:
        """Draw; the line, begin and end of each region that changed."""
        regions = self.canvas.draw(*self.size, focused=True, now=self.now)
        return [(region.y, region.x, region.right) for region in regions]

    def lines(self) -> list[str]:
        return [self.canvas.strip(y).text for y in range(self.size[1])]


def extent(table: Table, id: str) -> tuple[int, int]:
    each = next(each for each in table.canvas.placed if each.column.id == id)
    return each.x, each.x + each.width + GAP


def test_nothing_is_drawn_where_nothing_in_view_changed() -> None:
    table = Table([row(job, created=float(job)) for job in range(1, 101)])
    assert table.draw() == []
    table.jobs.apply(0, [Change(row=row(3, State.FAILED, created=3.0, detail="boom"))])
    assert table.draw() == []
    table.jobs.apply(0, [Change(row=row(100, created=100.0))])
    assert table.draw() == []


def test_a_changed_state_repaints_its_cell_alone() -> None:
    table = Table([row(job, State.RUNNING, created=float(job)) for job in range(1, 101)])
    table.jobs.apply(0, [Change(row=row(98, State.FINISHED, created=98.0))])
    assert table.draw() == [(3, *extent(table, "state"))]


def test_a_tick_repaints_the_run_times_that_read_differently() -> None:
    rows = [row(1, State.RUNNING, created=1.0, started=NOW - 10), row(2, State.RUNNING, created=2.0, started=NOW - 130)]
    table = Table(rows)
    table.now += 5
    assert table.draw() == [(2, *extent(table, "elapsed"))], "15s; the other still runs for 2m"
    table.now += 0.2
    assert table.draw() == []


def test_the_cursor_repaints_two_lines() -> None:
    table = Table([row(job, created=float(job)) for job in range(1, 6)])
    table.jobs.move(1)
    assert [y for y, _, _ in table.draw()] == [1, 2]
    assert [line[0] for line in table.lines()[1:4]] == [" ", ">", " "]


def test_a_job_that_comes_in_above_what_is_looked_at_changes_nothing_in_view() -> None:
    table = Table([row(job, created=float(job)) for job in range(1, 101)])
    table.scroll.move(40)
    table.jobs.move_to(45)
    table.draw()
    seen = table.lines()
    held = table.scroll.hold(table.jobs.cursor_number)
    table.jobs.apply(0, [Change(row=row(job, created=float(job))) for job in range(101, 121)])
    table.scroll.settle(held, table.jobs.cursor_number)
    changed = table.draw()
    assert [line[:-1] for line in table.lines()] == [line[:-1] for line in seen]
    assert all(begin == table.size[0] - 1 for _, begin, _ in changed), "at most the scroll bar"


def test_the_columns_widths_come_from_what_is_in_view() -> None:
    rows = [row(job, created=float(job)) for job in range(1, 101)]
    rows[0] = JobRow(id=1, name="a very long name out of sight", state=State.FINISHED, created=1.0)
    table = Table(rows)
    narrow = extent(table, "name")
    table.scroll.move(1000)
    table.draw()
    assert extent(table, "name") > narrow
    wide = extent(table, "name")
    table.scroll.move(-1000)
    table.draw()
    assert extent(table, "name") == wide, "it does not flutter"


def test_what_was_drawn_before_the_widths_were_forgotten_is_measured_again() -> None:
    table = Table([row(1, attempt=2, progress=0.5), row(2, created=1.0)])
    seen, placed = table.lines(), table.canvas.placed
    table.canvas.relax()
    table.draw()
    assert (table.lines(), table.canvas.placed) == (seen, placed)


def array(count: int, state: State = State.QUEUED, **more: object) -> list[JobRow]:
    return [
        JobRow(id=10 + n, name="sweep", state=state, command="run", created=5.0, array=10, array_index=n, **more)  # type: ignore[arg-type]
        for n in range(count)
    ]


def test_an_array_is_one_line_with_its_counts_and_expands_to_its_tasks() -> None:
    table = Table([row(1, created=1.0), *array(3), row(20, created=20.0)], (110, 8))
    table.jobs.apply(0, [Change(row=array(1, State.FAILED)[0])])
    table.draw()
    assert len(table.jobs) == 3 and table.jobs.line_at(1) == ArrayRef(0, 10)
    assert "▸  10  sweep" in table.lines()[2] and "✗" in table.lines()[2]
    assert "1 failed, 2 queued  run" in table.lines()[2]
    table.jobs.move(1)
    assert table.jobs.targets() == (Ref(0, 10), Ref(0, 11), Ref(0, 12))
    assert table.jobs.current_ref is None and table.jobs.current == array(1, State.FAILED)[0]
    assert table.jobs.toggle_expand()
    table.draw()
    assert "▾  10  sweep" in table.lines()[2]
    assert ["[0] sweep" in line for line in table.lines()] == [False, False, False, True, False, False, False, False]
    table.jobs.set_filter("state:failed")
    table.draw()
    assert "1 of 3: 1 failed" in table.lines()[1] and table.jobs.targets() == (Ref(0, 10),)


def test_an_array_of_one_task_is_an_array_and_one_change_repaints_it() -> None:
    table = Table([*array(1), *[row(job, created=99.0) for job in range(30, 40)]], (110, 14))
    assert table.draw() == []
    table.jobs.apply(0, [Change(row=array(1, State.FAILED)[0])])
    assert [y for y, _, _ in table.draw()] == [11]


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8, 12, 20, 33, 60, 80, 200])
@pytest.mark.parametrize("height", [1, 2, 5, 24])
@pytest.mark.parametrize("ascii", [False, True])
def test_any_size_can_be_drawn(width: int, height: int, ascii: bool) -> None:
    names = [
        "two\nlines",
        "\x1b[2J\x1b]0;t\x07",
        "[red]x[/red]",
        "👩‍💻👍🏽❤️ 日本",
        "a\u202eb\u2028c",
        "n" * 300,
        "",
        "Z" + "\u0301" * 40,
    ]
    rows = [
        JobRow(id=n, name=name, state=state, command=name, detail=name, progress=0.3, created=float(n), tags=(name,))
        for n, (name, state) in enumerate(zip(names, list(State), strict=False), 1)
    ]
    table = Table([*rows, *array(3, State.RUNNING, started=NOW)], (width, height), ascii=ascii)
    table.jobs.move_to(0)
    table.jobs.toggle_expand()
    table.canvas.choose([column.id for column in COLUMNS])
    table.draw()
    for line in table.lines():
        assert cell_len(line) == width and line.isprintable()


def test_what_says_that_nothing_is_listed_is_not_cut_off_from_its_line() -> None:
    table = Table([], (60, 6))
    table.canvas.note = "There are no jobs yet."
    table.draw()
    assert table.lines()[2].strip() == "There are no jobs yet."


# -- what stays in view


moves = st.one_of(
    st.tuples(st.just("move"), st.integers(-30, 30)),
    st.tuples(st.just("roll"), st.integers(-30, 30)),
    st.tuples(st.just("add"), st.lists(st.integers(1, 60), max_size=8)),
    st.tuples(st.just("remove"), st.lists(st.integers(1, 60), max_size=8)),
    st.tuples(st.just("size"), st.integers(1, 20)),
)


@given(st.lists(moves, max_size=12))
def test_the_cursor_is_always_in_view_and_the_view_within_the_list(steps: list[tuple[str, object]]) -> None:
    jobs = JobList()
    jobs.replace(0, [row(job, created=float(job)) for job in range(1, 41)])
    scroll = Scroll(jobs.view)
    scroll.height = 10
    for what, how in steps:
        held = scroll.hold(jobs.cursor_number)
        if what == "move":
            jobs.move(how)  # type: ignore[arg-type]
            scroll.show(jobs.cursor_number)
        elif what == "roll":
            scroll.move(how)  # type: ignore[arg-type]
            if jobs.cursor_number is not None:
                jobs.move_to(scroll.in_view(jobs.cursor_number))
        elif what == "size":
            scroll.height = how  # type: ignore[assignment]
            scroll.show(jobs.cursor_number)
        else:
            changes = [
                Change(row=row(job, created=float(job))) if what == "add" else Change(removed=job)
                for job in how  # type: ignore[union-attr]
            ]
            jobs.apply(0, changes)
            scroll.settle(held, jobs.cursor_number)
        assert scroll.top == 0 or scroll.top + scroll.height <= len(jobs)
        if jobs.cursor_number is not None:
            assert scroll.top <= jobs.cursor_number < scroll.top + scroll.height
        first, end = scroll.thumb()
        assert 0 <= first <= end <= scroll.height and (first == end) == (len(jobs) <= scroll.height)


@given(st.integers(1, 500), st.integers(1, 30), st.integers(-3, 40))
def test_the_scroll_bar_reaches_both_ends(count: int, height: int, place: int) -> None:
    jobs = JobList()
    jobs.replace(0, [row(job) for job in range(1, count + 1)])
    scroll = Scroll(jobs.view)
    scroll.height = height
    last = max(0, count - height)
    assert 0 <= scroll.top_at(place) <= last
    assert scroll.top_at(0) == 0 or height == 1
    scroll.move(count)
    assert scroll.top == last and (last == 0 or scroll.thumb()[1] == height)


def test_the_clock_is_the_systems_own_unless_another_is_given() -> None:
    jobs = JobList()
    jobs.replace(0, [row(1, State.RUNNING, started=time.time() - 7200)])
    assert jobs.set_filter("elapsed>1h") == "" and jobs.shown == 1


def test_when_a_scheduler_means_to_start_a_job_stands_before_why_it_waits() -> None:
    row = JobRow(id=1, name="x", state=State.SUBMITTED, detail="waits for free resources", expected=1_000_000.0)
    at = time.strftime("%H:%M", time.localtime(1_000_000))
    assert why_words(row, 999_000.0) == f"starts {at}?; waits for free resources"
    assert why_words(row, 1_000_001.0) == "waits for free resources"
    assert why_words(msgspec.structs.replace(row, started=9.0), 999_000.0) == "waits for free resources"
