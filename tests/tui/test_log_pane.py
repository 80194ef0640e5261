"""The log pane as a person sees it, through Textual's pilot: files grow while it looks, and keys do what they say."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from jobtui.core import JobManager, JobRow, State, WorkDir, watch
from jobtui.core.identity import FileSystem
from jobtui.tui.log import session as session_module
from jobtui.tui.log.pane import LogPane
from jobtui.tui.log.session import Session
from jobtui.tui.log.shown import Shown

Body = Callable[["Host", Pilot[None]], Awaitable[None]]


class Host(App[None]):
    """The pane alone, on the folder of a job that nobody runs."""

    def __init__(self, workdir: WorkDir, row: JobRow) -> None:
        super().__init__(ansi_color=True)
        self.animation_level = "none"
        self.pane = LogPane()
        self.manager, self.row = JobManager(workdir), row

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.pane.show(self.manager, self.row)
        self.pane.view.focus()

    @property
    def lines(self) -> list[str]:
        """The terminal line by line, without blanks and scroll bar at the right."""
        return [strip.text.rstrip(" ▐›") for strip in self.screen._compositor.render_strips()]

    @property
    def title_line(self) -> str:
        return self.lines[0]

    def has(self, words: str) -> bool:
        return any(words in line for line in self.lines)


class Job:
    """The files of one job."""

    def __init__(self, folder: Path) -> None:
        self.workdir = WorkDir(folder / "jobs")
        self.folder = Path(self.workdir.metadir(7))
        self.folder.mkdir(parents=True)
        self.row = JobRow(id=7, name="train", state=State.RUNNING, started=1.0)

    def write(self, data: bytes | str, stream: str = "stdout") -> None:
        with (self.folder / f"job.{stream}").open("ab") as file:
            file.write(data.encode() if isinstance(data, str) else data)

    def show(self, body: Body, size: tuple[int, int] = (100, 12)) -> None:
        async def run() -> None:
            app = Host(self.workdir, self.row)
            async with app.run_test(size=size) as pilot:
                await until(pilot, lambda: app.pane._session is not None and app.pane._session.opened)
                await body(app, pilot)

        asyncio.run(run())


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


async def until(pilot: Pilot[None], condition: Callable[[], Any], timeout: float = 60.0) -> Any:
    deadline = time.monotonic() + timeout
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not true within {timeout} s: {pilot.app.lines}"  # type: ignore[attr-defined]
        await pilot.pause(0.01)
    return answer


def numbered(first: int, count: int) -> str:
    return "".join(f"line {number}\n" for number in range(first, first + count))


# -- following


def test_it_shows_the_end_follows_and_counts(job: Job) -> None:
    job.write(numbered(0, 5000))

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.lines[-1] == "line 4999" and "5,000 lines" in app.title_line)
        assert "stdout · job 7 train · running" in app.title_line and "following" in app.title_line
        job.write(numbered(5000, 3))
        await until(pilot, lambda: app.lines[-1] == "line 5002" and "5,003 lines" in app.title_line)

    job.show(body)


def test_a_progress_bar_is_redrawn_in_its_row_and_no_other_row_is(job: Job) -> None:
    job.write("start\n" * 9 + "\r 1%")

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.lines[-2] == " 1%")
        drawn: list[int] = []
        view = app.pane.view
        original = view.render_line
        view.render_line = lambda y: drawn.append(y) or original(y)  # type: ignore[method-assign]
        job.write("\r 2%\r 3%\x1b[K")
        await until(pilot, lambda: app.lines[-2] == " 3%")
        assert set(drawn) == {9}

    job.show(body)


def test_nothing_moves_while_it_is_not_followed_and_new_lines_are_told(job: Job) -> None:
    job.write(numbered(0, 100))

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.lines[-1] == "line 99" and "100 lines" in app.title_line)
        app.pane.go("up")
        await until(pilot, lambda: app.lines[-1] == "line 98" and "not following" in app.title_line)
        job.write(numbered(100, 1234))
        await until(pilot, lambda: "+1,234 lines" in app.title_line)
        assert app.lines[1:] == [f"line {number}" for number in range(88, 99)]
        assert "line 89 of 1,334" in app.title_line
        app.pane.toggle_follow()
        await until(pilot, lambda: app.lines[-1] == "line 1333" and "+" not in app.title_line)
        app.pane.toggle_follow()
        app.pane.go("page-up")
        await until(pilot, lambda: app.lines[-1] == "line 1323")
        app.pane.go("half-down")
        app.pane.go("page-down")
        await until(pilot, lambda: app.lines[-1] == "line 1333" and "not following" not in app.title_line)

    job.show(body)


def test_lines_that_are_in_view_are_no_news(job: Job) -> None:
    job.write("one\n")

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.has("one"))
        app.pane.toggle_follow()
        job.write("two\n")
        await until(pilot, lambda: app.has("two") and "of 2" in app.title_line)
        await until(pilot, lambda: "+" not in app.title_line)
        job.write(numbered(0, 50))
        await until(pilot, lambda: "+50 lines" in app.title_line)
        assert app.lines[1:3] == ["one", "two"]

    job.show(body)


def test_where_no_events_come_growth_is_found_all_the_same(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (watch, session_module):
        monkeypatch.setattr(module, "file_system", lambda _path: FileSystem("nfs", False))
    monkeypatch.setattr(session_module, "_COUNTED_ANYWHERE", 100)
    monkeypatch.setattr(session_module, "_QUIET", 0.2)
    job.write(numbered(0, 1000))

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.lines[-1] == "line 999")
        await pilot.pause(0.3)
        job.write("more\n")
        await until(pilot, lambda: app.lines[-1] == "more")
        # A large log that is far away is not read as a whole before somebody asks for a line number.
        assert "lines" not in app.title_line
        app.pane.go("up")
        await until(pilot, lambda: "99 %" in app.title_line or "98 %" in app.title_line)
        app.pane.start_jump()
        await pilot.press("9", "enter")
        await until(pilot, lambda: app.lines[1] == "line 8" and "line 9 of 1,001" in app.title_line)

    job.show(body)


def test_every_line_of_a_fast_writer_is_there(job: Job) -> None:
    async def body(app: Host, pilot: Pilot[None]) -> None:
        for part in range(20):
            job.write(numbered(part * 10_000, 10_000))
            await pilot.pause(0.01)
        await until(pilot, lambda: app.lines[-1] == "line 199999" and "200,000 lines" in app.title_line)
        app.pane.go("home")
        await until(pilot, lambda: app.lines[1] == "line 0" and "line 1 of 200,000" in app.title_line)
        for _ in range(300):
            app.pane.go("page-down")
        await until(pilot, lambda: app.lines[1] == "line 3000")
        assert app.lines[1:] == [f"line {number}" for number in range(3000, 3011)]

    job.show(body)


# -- what happens to the file


def test_a_log_that_is_cut_off_replaced_or_removed_is_told(job: Job) -> None:
    job.write("old one\nold two\n")
    path = job.folder / "job.stdout"

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.has("old two"))
        os.truncate(path, 0)
        await until(pilot, lambda: "was cut off at" in app.title_line and not app.has("old"))
        job.write("new\n")
        await until(pilot, lambda: app.has("new"))
        (job.folder / "next").write_text("other file\n")
        (job.folder / "next").rename(path)
        await until(pilot, lambda: "was replaced" in app.title_line and app.has("other file"))
        path.unlink()
        await until(pilot, lambda: "was removed" in app.title_line and app.has("other file"))

    job.show(body, (140, 12))


def test_what_cannot_be_read_is_told_and_read_when_it_can_be(job: Job) -> None:
    (job.folder / "job.stdout").mkdir()

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "cannot be read" in app.title_line and "not a regular file" in app.title_line)
        (job.folder / "job.stdout").rmdir()
        job.write("now\n")
        await until(pilot, lambda: app.has("now") and "cannot be read" not in app.title_line)

    async def run() -> None:
        app = Host(job.workdir, job.row)
        async with app.run_test(size=(160, 5)) as pilot:
            await body(app, pilot)

    asyncio.run(run())


# -- streams and attempts


def test_stdout_stderr_and_both_in_turn(job: Job) -> None:
    job.write("hello\n")
    job.write("oops\n", "stderr")

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.has("hello"))
        app.pane.switch_stream()
        await until(pilot, lambda: app.has("oops") and not app.has("hello") and "stderr" in app.title_line)
        app.pane.switch_stream()
        await until(pilot, lambda: app.has("│ hello") and app.has("┃ oops") and "merged" in app.title_line)
        job.write("more\n")
        await until(pilot, lambda: app.has("│ more"))
        assert app.pane.stream == "merged"
        app.pane.stream = "stdout"
        await until(pilot, lambda: app.has("more") and not app.has("oops"))

    job.show(body)


def test_earlier_attempts_can_be_looked_at(job: Job) -> None:
    job.write("third\n")
    for attempt, words in ((1, "first\n"), (2, "second\n")):
        folder = job.folder / "job.retry" / str(attempt)
        folder.mkdir(parents=True)
        (folder / "job.stdout").write_text(words)
    job.row = JobRow(id=7, name="train", state=State.RUNNING, started=1.0, attempt=3)

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.has("third") and "attempt 3 of 3" in app.title_line)
        app.pane.other_attempt(-1)
        await until(pilot, lambda: app.has("second") and "attempt 2 of 3" in app.title_line)
        app.pane.other_attempt(-1)
        app.pane.other_attempt(-1)
        await until(pilot, lambda: app.has("first") and "attempt 1 of 3" in app.title_line)
        app.pane.other_attempt(1)
        await until(pilot, lambda: app.has("second"))
        # A new attempt is shown when it begins.
        app.pane.show(app.manager, JobRow(id=7, name="train", state=State.RUNNING, started=1.0, attempt=4))
        await until(pilot, lambda: app.has("third") and "attempt 4 of 4" in app.title_line)

    job.show(body)


def test_a_log_without_lines_says_why(job: Job) -> None:
    job.row = JobRow(id=7, name="train", state=State.QUEUED)

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.has("It has not started yet."))
        app.pane.show(app.manager, JobRow(id=7, name="train", state=State.RUNNING, started=1.0))
        await until(pilot, lambda: app.has("Nothing on stdout yet."))
        job.write("x" * 2048, "stderr")
        await until(pilot, lambda: "stderr has 2.0 KiB" in app.title_line)
        ended = JobRow(id=7, name="train", state=State.FAILED, started=1.0, ended=2.0, detail="exit 137: killed")
        app.pane.show(app.manager, ended)
        await until(
            pilot, lambda: app.has("It wrote nothing to stdout.") and "failed: exit 137: killed" in app.title_line
        )
        assert "following" not in app.title_line
        app.pane.show(None, None)
        await until(pilot, lambda: "no job selected" in app.title_line and not app.has("It wrote"))

    job.show(body)


def test_a_cursor_that_runs_down_the_table_opens_no_log_on_its_way(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    job.write("here\n")
    opened: list[int] = []
    original = Shown.session

    def counted(shown: Shown, *arguments: Any) -> Session:
        opened.append(shown.job)
        return original(shown, *arguments)

    monkeypatch.setattr(Shown, "session", counted)

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.has("here"))
        for other in range(100, 200):
            app.pane.show(app.manager, JobRow(id=other, name="other", state=State.QUEUED))
        app.pane.show(app.manager, job.row)
        await until(pilot, lambda: len(opened) > 1 and app.has("here"))
        assert opened == [7, 7]

    job.show(body)


# -- searching


def test_search_follows_what_is_typed_goes_around_and_is_cancelled(job: Job) -> None:
    job.write("".join(f"line {n}{' Needle' if n % 100 == 50 else ''}\n" for n in range(1000)))

    async def body(app: Host, pilot: Pilot[None]) -> None:
        pane = app.pane
        await until(pilot, lambda: app.has("line 999"))
        pane.start_search()
        await pilot.press(*"need")
        # While the end was followed, the nearest match is the last one.
        await until(pilot, lambda: app.has("line 950 Needle") and app.has("10 lines"))
        row = next(row for row in pane.view.port.rows if row.start == pane.view.here)
        assert row.marks == ((9, 13),)
        await pilot.press("escape")
        await until(pilot, lambda: app.lines[-1] == "line 999" and pane.view.follow and not pane.prompt.is_open)
        assert pane.view.has_focus and not any(row.marks for row in pane.view.port.rows)

        pane.start_search()
        await pilot.press(*"ne+dle", "enter")
        await until(pilot, lambda: "/ne+dle: 10 of 10" in app.title_line and not pane.prompt.is_open)
        pane.next_match(1)
        await until(pilot, lambda: app.has("line 50 Needle") and "went on from the beginning" in app.title_line)
        pane.next_match(1)
        await until(pilot, lambda: app.has("line 150 Needle") and "2 of 10" in app.title_line)
        assert app.lines[4] == "line 150 Needle" and "went on" not in app.title_line
        pane.next_match(-1)
        await until(pilot, lambda: app.has("line 50 Needle"))
        job.write("another needle\n")
        await until(pilot, lambda: "1 of 11" in app.title_line)
        assert pane.clear() and not pane.clear()
        await until(pilot, lambda: "needle" not in app.title_line)

    job.show(body, (120, 12))


def test_a_search_that_finds_nothing_says_so_and_goes_nowhere(job: Job) -> None:
    job.write(numbered(0, 500))

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.has("line 499"))
        app.pane.next_match(1)
        assert "nothing is searched for yet" in app.title_line or await until(
            pilot, lambda: "nothing is searched for yet" in app.title_line
        )
        app.pane.start_search()
        await pilot.press(*"(oops", "enter")
        await until(pilot, lambda: "/(oops: none" in app.title_line and "no line matches" in app.title_line)
        assert app.lines[-1] == "line 499"

    job.show(body, (140, 12))


def test_searched_words_are_remembered(job: Job) -> None:
    job.write(numbered(0, 50))

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.has("line 49"))
        for words in ("a", "b"):
            app.pane.start_search()
            await pilot.press(words, "enter")
            await until(pilot, lambda: not app.pane.prompt.is_open)
        app.pane.start_search()
        await pilot.press("3", "up", "up")
        await until(pilot, lambda: app.lines[-1].startswith(" / a"))
        await pilot.press("down", "down")
        await until(pilot, lambda: app.lines[-1].startswith(" / 3"))

    job.show(body)


def test_a_filter_shows_matching_lines_alone_and_goes_on_while_it_grows(job: Job) -> None:
    job.write("".join(f"{'keep' if n % 10 == 0 else 'drop'} {n}\n" for n in range(2000)))

    async def body(app: Host, pilot: Pilot[None]) -> None:
        pane = app.pane
        await until(pilot, lambda: app.has("drop 1999"))
        pane.start_filter()
        await pilot.press(*"keep", "enter")
        await until(pilot, lambda: app.lines[-1] == "keep 1990" and "& keep: 200" in app.title_line)
        assert app.lines[1:] == [f"keep {n}" for n in range(1890, 2000, 10)]
        job.write("drop it\nkeep this\n")
        await until(pilot, lambda: app.lines[-1] == "keep this" and "& keep: 201" in app.title_line)
        pane.go("home")
        await until(pilot, lambda: app.lines[1:3] == ["keep 0", "keep 10"])
        pane.start_search()
        await pilot.press(*"00$", "enter")
        await until(pilot, lambda: "/00$: 1 of 19" in app.title_line and app.lines[1] == "keep 70")
        assert pane.location() == (str(job.folder / "job.stdout"), 71)
        assert pane.clear()
        assert pane.clear()
        await until(pilot, lambda: app.lines[1:3] == ["keep 70", "drop 71"])
        assert not pane.clear()
        pane.start_filter()
        await pilot.press(*"nowhere")
        await until(pilot, lambda: app.has("No line passes the filter.") and app.has("0 lines"))
        await pilot.press("escape")
        await until(pilot, lambda: app.lines[1:3] == ["keep 70", "drop 71"])

    job.show(body, (120, 12))


def test_errors_are_gone_to_one_by_one(job: Job) -> None:
    job.write("".join(f"line {n}{' ValueError: bad' if n in (300, 700) else ' 0 errors'}\n" for n in range(1000)))

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.has("line 999"))
        app.pane.next_error(-1)
        await until(pilot, lambda: app.has("line 700 ValueError") and "errors: 2 of 2" in app.title_line)
        app.pane.next_error(-1)
        await until(pilot, lambda: app.has("line 300 ValueError"))
        app.pane.next_error(-1)
        await until(pilot, lambda: app.has("line 700") and "went on from the end" in app.title_line)
        assert app.pane.clear()

    job.show(body, (140, 12))


def test_lines_and_percentages_are_gone_to(job: Job) -> None:
    job.write("".join(f"line {number:06d}\n" for number in range(1, 10_001)))

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.has("line 010000"))
        for words, top in (
            ("50%", "line 005001"),
            ("1,000", "line 001000"),
        ):
            app.pane.start_jump()
            await pilot.press(*words, "enter")
            await until(pilot, lambda top=top: app.lines[1] == top and not app.pane.prompt.is_open)
        app.pane.start_jump()
        await pilot.press(*"99999", "enter")
        await until(pilot, lambda: app.lines[-1] == "line 010000" and "has 10,000 lines" in app.title_line)
        app.pane.start_jump()
        await pilot.press(*"12x", "enter")
        await until(pilot, lambda: app.has("type a line number such as 120, or a percentage"))
        await pilot.press("escape")
        await until(pilot, lambda: not app.pane.prompt.is_open and app.lines[-1] == "line 010000")

    job.show(body)


# -- how it is shown


def test_long_lines_are_cut_or_wrapped_and_scrolled_sideways(job: Job) -> None:
    job.write("a" * 60 + "b" * 60 + "c" * 60 + "\nend\n")

    async def body(app: Host, pilot: Pilot[None]) -> None:
        pane = app.pane
        await until(pilot, lambda: app.lines[1:3] == ["a" * 49, "end"])
        pane.go("right")
        await until(pilot, lambda: app.lines[1] == "a" * 28 + "b" * 21 and pane.view.left == 32)
        pane.go("left")
        pane.toggle_wrap()
        await until(
            pilot, lambda: app.lines[1:6] == ["a" * 49, "a" * 11 + "b" * 38, "b" * 22 + "c" * 27, "c" * 33, "end"]
        )
        assert pane.wrap and pane.visible_text() == "a" * 60 + "b" * 60 + "c" * 60 + "\nend"
        pane.wrap = False
        await until(pilot, lambda: app.lines[2] == "end")

    job.show(body, (50, 8))


def test_a_match_beyond_the_edge_is_brought_into_view(job: Job) -> None:
    job.write("x" * 300 + "needle" + "x" * 300 + "\n" + numbered(0, 100))

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.has("line 99"))
        app.pane.start_search()
        await pilot.press(*"needle", "enter")
        await until(pilot, lambda: "xneedlex" in app.lines[1] and app.pane.view.left > 200)
        app.pane.finder.clear()
        app.pane.go("home")
        app.pane.start_search()
        await pilot.press(*"line 1$", "enter")
        await until(pilot, lambda: "1 of 1" in app.title_line and app.has("line 1") and app.pane.view.left == 0)

    job.show(body)


def test_every_state_of_a_progress_bar_can_be_seen(job: Job) -> None:
    job.write("start\n\r10%\r20%\r30%")

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.lines[1:4] == ["start", "30%", ""])
        app.pane.toggle_states()
        await until(
            pilot, lambda: app.lines[1:6] == ["start", "10%", "20%", "30%", ""] and "all states" in app.title_line
        )
        app.pane.toggle_states()
        await until(pilot, lambda: app.lines[1:4] == ["start", "30%", ""])

    job.show(body)


def test_copies_and_other_programs_get_text_and_place(job: Job) -> None:
    job.write("\x1b[31mred\x1b[0m\n" + numbered(2, 100) + "\rlast 9%")

    async def body(app: Host, pilot: Pilot[None]) -> None:
        pane = app.pane
        await until(pilot, lambda: app.has("last 9%") and "101 lines" in app.title_line)
        assert pane.location() == (str(job.folder / "job.stdout"), 92)
        assert pane.visible_text().split("\n") == [f"line {n}" for n in range(92, 102)] + ["last 9%"]
        assert pane.last_lines(2) == "line 101\nlast 9%" and pane.last_lines(1000).startswith("red\nline 2\n")
        pane.stream = "merged"
        await until(pilot, lambda: app.has("│ last 9%"))
        assert pane.location() == (str(job.folder / "job.stdout"), None)
        pane.show(None, None)
        assert pane.location() is None and pane.last_lines(5) == "" and pane.visible_text() == ""

    job.show(body)


def test_the_wheel_and_the_scroll_bar_move(job: Job) -> None:
    job.write("".join(f"line {number:04d}\n" for number in range(1000)))

    async def body(app: Host, pilot: Pilot[None]) -> None:
        from textual.events import MouseScrollUp

        await until(pilot, lambda: app.lines[-1] == "line 0999")
        app.pane.view.post_message(MouseScrollUp(app.pane.view, 5, 5, 0, -1, 0, False, False, False))
        await until(pilot, lambda: app.lines[-1] == "line 0996" and not app.pane.view.follow)
        await pilot.click(app.pane.view, offset=(99, 5))
        await until(pilot, lambda: app.lines[1] == "line 0454")

    job.show(body)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (20, 5)])
def test_it_lives_in_any_size_and_says_what_matters_most(job: Job, size: tuple[int, int]) -> None:
    job.write(numbered(0, 300) + "日本語 \x1b[31m" + "wide " * 50 + "\n")
    job.write("error\n", "stderr")

    async def body(app: Host, pilot: Pilot[None]) -> None:
        pane = app.pane
        for stream in ("stdout", "merged"):
            pane.stream = stream  # type: ignore[assignment]
            await until(pilot, lambda: pane.view.port.rows or size[1] == 1)
            for where in ("up", "page-up", "half-down", "right", "left", "home", "end"):
                pane.go(where)
            await pilot.pause()
            pane.toggle_wrap()
            pane.next_error(-1)
            await pilot.pause(0.05)
            pane.start_search()
            await pilot.press("1", "enter")
            await pilot.pause()
        assert all(len(strip.text) <= size[0] for strip in app.screen._compositor.render_strips())
        if size[0] >= 20:
            assert "merged" in app.title_line

    job.show(body, size)


def test_hostile_output_changes_nothing_but_its_own_rows(job: Job) -> None:
    job.write(
        b"safe\n\x1b]0;title\x07\x1b[2J\x1b[?1049l[red]markup[/red] \xff\x00\x1b[5;8mnot hidden\x1b[0m \xe2\x80\xae!\n"
    )
    job.write(
        b"\x1b[31m" * 1000
        + b"x\n"
        + b"\x1b[999999999C\x1b[-1;m\n"
        + os.urandom(20_000).replace(b"\n", b"")
        + b"\nlast\n"
    )

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.has("last"))
        app.pane.go("home")
        await until(pilot, lambda: app.has("[red]markup[/red] \ufffd^@not hidden \\u202e!"))
        strips = app.screen._compositor.render_strips()
        assert all(strip.cell_length == 100 and strip.text.isprintable() for strip in strips)

    job.show(body)
