"""The table on a screen, with its filter line and dialogs: mouse, messages, and what is seen is what is acted on."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from textual import on
from textual.app import App, ComposeResult
from textual.events import MouseScrollDown
from textual.message import Message
from textual.pilot import Pilot

from jobtui.core import Change, JobRow, State
from jobtui.tui.ref import ArrayRef, Ref
from jobtui.tui.table.chooser import ColumnsDialog, SortDialog
from jobtui.tui.table.columns import DEFAULT
from jobtui.tui.table.filterbar import FilterBar
from jobtui.tui.table.joblist import JobList
from jobtui.tui.table.jobtable import JobTable
from jobtui.tui.table.order import NEWEST_FIRST

Body = Callable[["TableApp", Pilot[None]], Awaitable[None]]
ARRAY = range(50, 54)


def row(job: int, state: State = State.FINISHED, name: str = "") -> JobRow:
    array = 50 if job in ARRAY else None
    return JobRow(
        id=job,
        name=name or f"job-{job:03}",
        state=state,
        command=f"run {job}",
        created=float(job),
        array=array,
        array_index=None if array is None else job - array,
    )


def rows(*jobs: int) -> list[JobRow]:
    return [row(job) for job in jobs]


class TableApp(App[None]):
    """A table over a filter line; remembers what they tell."""

    # Between the clicks of a double click a slow machine takes its time.
    CLICK_CHAIN_TIME_THRESHOLD = 60.0

    def __init__(self, found: Iterable[JobRow]) -> None:
        super().__init__(ansi_color=True)
        self.animation_level = "none"
        self.found = list(found)
        self.jobs = JobList()
        self.table = JobTable(self.jobs)
        self.bar = FilterBar(["state:failed", "older"])
        self.told: list[Message] = []

    def compose(self) -> ComposeResult:
        yield self.table
        yield self.bar

    def on_mount(self) -> None:
        self.table.focus()
        if self.found:
            self.table.replace(0, self.found)

    @on(JobTable.CursorMoved)
    @on(JobTable.Removed)
    @on(JobTable.SortChosen)
    @on(JobTable.Opened)
    @on(FilterBar.Accepted)
    @on(FilterBar.Cancelled)
    def note(self, message: Message) -> None:
        self.told.append(message)

    @on(FilterBar.Typed)
    def filter(self, message: FilterBar.Typed) -> None:
        self.bar.hint(self.table.set_filter(message.text))

    def of(self, kind: type[Any]) -> list[Any]:
        return [message for message in self.told if type(message) is kind]

    def lines(self) -> list[str]:
        return [strip.text for strip in self.screen._compositor.render_strips()]

    def cursor_line(self) -> str:
        return next((line for line in self.lines() if line.startswith(">")), "")


def on_screen(found: Iterable[JobRow], body: Body, size: tuple[int, int] = (90, 14)) -> None:
    async def run() -> None:
        app = TableApp(found)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await body(app, pilot)

    asyncio.run(run())


def test_a_job_removed_under_the_cursor_is_told_with_its_name_and_so_is_one_that_the_filter_hides() -> None:
    async def body(app: TableApp, pilot: Pilot[None]) -> None:
        app.table.select(Ref(0, 2))
        app.table.apply(0, [Change(removed=2)])
        await pilot.pause()
        told = app.of(JobTable.Removed)[-1]
        assert (told.line, told.words) == (Ref(0, 2), "job 2 job-002 was removed")
        assert app.jobs.cursor == Ref(0, 1) and "job-001" in app.cursor_line()
        assert app.of(JobTable.CursorMoved)[-1].line == Ref(0, 1)
        app.table.set_filter("state:finished")
        app.table.apply(0, [Change(row=row(1, State.FAILED))])
        await pilot.pause()
        told = app.of(JobTable.Removed)[-1]
        assert (told.line, told.words) == (Ref(0, 1), "job 1 job-001 is failed now, and the filter hides it")
        assert app.jobs.cursor == Ref(0, 3)

    on_screen(rows(1, 2, 3), body)


def test_clicks_move_sort_expand_and_open() -> None:
    async def body(app: TableApp, pilot: Pilot[None]) -> None:
        await pilot.click(JobTable, offset=(10, 4))
        assert app.jobs.cursor == app.jobs.line_at(3) == Ref(0, 6)
        assert not app.of(JobTable.Opened)
        await pilot.click(JobTable, offset=(10, 4), times=2)
        assert [message.line for message in app.of(JobTable.Opened)] == [Ref(0, 6)]
        state = app.lines()[0].index("STATE")
        await pilot.click(JobTable, offset=(state, 0))
        assert app.of(JobTable.SortChosen)[-1].terms[0] == ("state", False)
        assert "STATE" in app.lines()[0] and "▲" in app.lines()[0]
        await pilot.click(JobTable, offset=(state, 0))
        assert app.jobs.sort_terms[0] == ("state", True) and app.jobs.cursor == Ref(0, 6)
        app.table.set_sort(NEWEST_FIRST)
        app.table.go("home")
        await pilot.click(JobTable, offset=(2, 1))
        assert app.jobs.cursor == ArrayRef(0, 50) and len(app.jobs) == 8 + 1 + 4
        await pilot.click(JobTable, offset=(2, 1))
        assert len(app.jobs) == 9

    on_screen(rows(*range(1, 9), *ARRAY), body)


def test_the_wheel_and_the_scroll_bar_take_the_cursor_along_so_that_it_is_always_seen() -> None:
    async def body(app: TableApp, pilot: Pilot[None]) -> None:
        for _ in range(5):
            await pilot._post_mouse_events([MouseScrollDown], JobTable)
        await pilot.pause()
        assert "job-185" in app.lines()[1] and app.cursor_line() == app.lines()[1]
        assert app.jobs.cursor == Ref(0, 185)
        await pilot.mouse_down(JobTable, offset=(89, 13))
        await pilot.pause()
        assert "job-001" in app.lines()[13]
        await pilot.hover(JobTable, offset=(89, 1))
        await pilot.mouse_up(JobTable, offset=(89, 1))
        await pilot.pause()
        assert "job-200" in app.lines()[1] and app.cursor_line()
        cursor = app.jobs.cursor
        await pilot.hover(JobTable, offset=(89, 9))
        await pilot.pause()
        assert app.jobs.cursor == cursor, "it was let go"

    on_screen(rows(*range(1, 201)), body)


def test_pages_move_the_view_and_the_cursor_keeps_its_line_on_the_screen() -> None:
    async def body(app: TableApp, pilot: Pilot[None]) -> None:
        app.table.go("down")
        app.table.go("page-down")
        await pilot.pause()
        assert app.lines()[2].startswith(">") and "job-187" in app.lines()[2]
        app.table.go("half-up")
        app.table.go("end")
        await pilot.pause()
        assert app.lines()[13].startswith(">") and "job-001" in app.lines()[13]
        app.table.go("home")
        assert app.jobs.cursor == Ref(0, 200)

    on_screen(rows(*range(1, 201)), body, size=(90, 14))


def test_a_frozen_table_stands_still_while_the_rows_are_true() -> None:
    async def body(app: TableApp, pilot: Pilot[None]) -> None:
        before = app.lines()
        app.table.freeze(True)
        app.table.apply(0, [Change(row=row(9)), Change(row=row(2, State.FAILED)), Change(removed=3)])
        app.table.tick()
        await pilot.pause()
        assert app.lines() == before and app.jobs.waiting == 3
        failed = app.jobs.row(Ref(0, 2))
        assert failed is not None and failed.state is State.FAILED and app.jobs.row(Ref(0, 3)) is None
        assert app.jobs.targets() == (Ref(0, 3),), "what is seen; the dialog says that it is gone"
        app.table.freeze(False)
        await pilot.pause()
        assert "job-009" in app.lines()[1] and "✗ failed" in app.cursor_line()
        assert app.of(JobTable.Removed)[-1].line == Ref(0, 3)

    on_screen(rows(1, 2, 3), body)


def test_an_empty_table_says_why() -> None:
    async def body(app: TableApp, pilot: Pilot[None]) -> None:
        assert "The jobs are being read." in app.lines()[2]
        app.table.set_loaded(True)
        await pilot.pause()
        assert "There are no jobs yet." in app.lines()[2]
        app.table.extend(0, rows(1, 2))
        assert app.table.set_filter("nothing") == ""
        await pilot.pause()
        assert "No job matches the filter; it hides 2." in app.lines()[2] and app.jobs.cursor is None
        app.table.go("down")
        app.table.toggle_mark()
        app.table.mark_range()
        app.table.mark_all()
        assert not app.table.toggle_expand() and app.jobs.targets() == ()

    on_screen([], body)


def test_with_several_places_a_column_says_where_a_job_is() -> None:
    async def body(app: TableApp, pilot: Pilot[None]) -> None:
        assert "WHERE" not in app.lines()[0]
        app.table.set_labels({0: "thesis", 1: "project"})
        app.table.extend(1, rows(1))
        await pilot.pause()
        assert "WHERE" in app.lines()[0]
        assert sorted(re.findall("thesis|project", "".join(app.lines()))) == ["project", "thesis", "thesis"]
        app.table.forget(1)
        await pilot.pause()
        assert "project" not in "".join(app.lines())

    on_screen(rows(1, 2), body)


def test_progress_from_the_screen_is_shown_until_the_row_says_more() -> None:
    async def body(app: TableApp, pilot: Pilot[None]) -> None:
        assert app.table.visible_refs() == [Ref(0, 2), Ref(0, 1)]
        app.table.set_progress({Ref(0, 1): 0.25, Ref(0, 2): 0.5, Ref(0, 77): 0.5})
        await pilot.pause()
        assert "25%" in app.lines()[2] and "%" not in app.lines()[1], "one has ended, one does not exist"
        app.table.apply(0, [Change(row=row(1, State.RUNNING, "renamed"))])
        await pilot.pause()
        assert "25%" in app.lines()[2] and "renamed" in app.lines()[2]
        app.table.apply(0, [Change(row=row(1))])
        await pilot.pause()
        assert "25%" not in app.lines()[2]

    on_screen([row(1, State.RUNNING), row(2)], body)


def test_a_filter_is_typed_with_completion_history_and_hints() -> None:
    async def body(app: TableApp, pilot: Pilot[None]) -> None:
        app.table.prepare_filter()
        app.bar.open("")
        await pilot.pause()
        await pilot.press(*"sta", "tab", *"fai")
        await pilot.pause()
        assert app.bar.entry.value == "state:fai" and "there are failed" in app.lines()[-1]
        assert app.jobs.shown == 3, "what cannot be read yet hides nothing"
        await pilot.press("tab")
        await pilot.pause()
        assert app.bar.entry.value == "state:failed" and app.jobs.shown == 1
        assert "there are" not in app.lines()[-1] and "job-002" in app.cursor_line()
        await pilot.press("comma")
        await pilot.pause()
        assert app.jobs.shown == 1, "the term holds while it is changed"
        await pilot.press("up")
        assert app.bar.entry.value == "older"
        await pilot.press("up", "up")
        assert app.bar.entry.value == "state:failed"
        await pilot.press("down", "down")
        assert app.bar.entry.value == "state:failed,"
        await pilot.press("backspace", "enter")
        await pilot.pause()
        assert app.of(FilterBar.Accepted)[-1].text == "state:failed"
        assert app.bar.history == ["older", "state:failed"]
        await pilot.press("escape")
        await pilot.pause()
        assert app.of(FilterBar.Cancelled)
        app.bar.close()
        await pilot.pause()
        assert "/" not in app.lines()[-1]
        assert not app.bar.entry.cursor_blink

    on_screen([row(1), row(2, State.FAILED), row(3)], body)


def test_columns_are_chosen_in_a_dialog() -> None:
    async def body(app: TableApp, pilot: Pilot[None]) -> None:
        answers: list[Any] = []

        async def ask(*keys: str) -> None:
            app.push_screen(ColumnsDialog(app.table.columns), answers.append)
            await pilot.pause()
            await pilot.press(*keys)
            await pilot.pause()

        await ask("down", "K", "down", "down", "space", "enter")
        assert answers[-1] == ("name", "id", *DEFAULT[3:])
        app.table.set_columns(answers[-1])
        await pilot.pause()
        assert app.lines()[0].split()[:2] == ["NAME", "ID▼"] and "STATE" not in app.lines()[0]
        await ask("r", "space", "escape")
        assert answers[-1] is None and app.table.columns[0] == "name"
        await ask("r", "enter")
        assert answers[-1] == DEFAULT
        await ask("end", "space", "J", "shift+up", "q")
        assert answers[-1] is None

    on_screen(rows(1), body, size=(60, 16))


def test_what_to_sort_by_is_chosen_in_a_dialog() -> None:
    async def body(app: TableApp, pilot: Pilot[None]) -> None:
        answers: list[Any] = []

        async def ask(*keys: str) -> None:
            app.push_screen(SortDialog(app.jobs.sort_terms), answers.append)
            await pilot.pause()
            await pilot.press(*keys)
            await pilot.pause()

        await ask("home", "j", "j", "enter")
        assert answers[-1] == (("name", False), ("created", True))
        await ask("home", "down", "down", "space", "enter")
        assert answers[-1] == (("created", True), ("name", False))
        app.table.set_sort([("name", False)])
        await pilot.pause()
        assert [line[3:14].split()[1] for line in app.lines()[1:4]] == ["job-001", "job-002", "job-003"]
        await ask("enter")
        assert answers[-1] == (("name", True),)
        await ask("space", "escape")
        assert answers[-1] is None

    on_screen(rows(1, 2, 3), body, size=(80, 24))


# -- what is seen is what is acted on

ids = st.one_of(st.integers(1, 30), st.sampled_from(ARRAY))
states = st.sampled_from([State.RUNNING, State.FINISHED, State.FAILED])
steps = st.one_of(
    st.tuples(st.just("row"), ids, states),
    st.tuples(st.just("gone"), ids),
    st.tuples(st.just("go"), st.sampled_from(["up", "down", "page-up", "page-down", "half-down", "home", "end"])),
    st.tuples(st.just("filter"), st.sampled_from(["", "state:failed", "!state:failed", "job-0", "state:"])),
    st.tuples(st.just("sort"), st.sampled_from(["name", "state", "id"])),
    st.tuples(st.sampled_from(["mark", "range", "all", "expand", "wheel", "freeze", "thaw", "tick"])),
    st.tuples(st.just("size"), st.integers(30, 120), st.integers(3, 20)),
)


def seen_ids(line: str) -> str:
    found = re.match(r"[> ][*+ ](?:[▸▾│ ] )? *(\d+)", line)
    return found[1] if found else ""


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, min_size=10, max_size=40))
def test_whatever_happens_the_job_under_the_cursor_on_the_screen_is_the_one_that_an_order_goes_to(
    sequence: list[tuple[Any, ...]],
) -> None:
    async def body(app: TableApp, pilot: Pilot[None]) -> None:
        table = app.table
        for what, *how in sequence:
            match what:
                case "row":
                    table.apply(0, [Change(row=row(*how))])
                case "gone":
                    table.apply(0, [Change(removed=how[0])])
                case "go":
                    table.go(how[0])
                case "filter":
                    table.set_filter(how[0])
                case "sort":
                    table.sort_by(how[0])
                case "size":
                    await pilot.resize_terminal(*how)
                    await pilot.pause()
                case "wheel":
                    table._roll(3)
                case "freeze" | "thaw":
                    table.freeze(what == "freeze")
                case _:
                    {
                        "mark": table.toggle_mark,
                        "range": table.mark_range,
                        "all": table.mark_all,
                        "expand": table.toggle_expand,
                        "tick": table.tick,
                    }[what]()
            assert len(app.lines()) == app.size.height
            cursor = app.jobs.cursor
            at_cursor = [line for line in app.lines() if line.startswith(">")]
            if cursor is None:
                assert not at_cursor and not len(app.jobs)
                continue
            assert len(at_cursor) == 1, "the cursor is always in view"
            assert seen_ids(at_cursor[0]) == str(cursor.job if isinstance(cursor, Ref) else cursor.array)
            for line in app.lines():
                if line[1:2] == "*" and "▸" not in line and "▾" not in line:
                    assert Ref(0, int(seen_ids(line))) in app.jobs.marks

    on_screen(rows(*range(1, 25), *ARRAY), body)
