"""What each key does with the list, the log, the panes and all around them; and that no action is without a test."""

from __future__ import annotations

import ast
import os
import re
import shlex
import time
from pathlib import Path

import pytest
from screen_kit import Recorder, Site, burst, line_with, lines, on_screen, press, presses, put_cursor, until
from textual.geometry import Offset
from textual.pilot import Pilot

from jobtui.core import ArrayTask, JobSpec, State
from jobtui.tui.ref import ArrayRef, Ref
from jobtui.tui.screen.actions import ACTIONS
from jobtui.tui.screen.chooser import Chooser, CopyDialog
from jobtui.tui.screen.commandlog import CommandLogScreen
from jobtui.tui.screen.desk import JobScreen
from jobtui.tui.screen.helpscreen import HelpScreen
from jobtui.tui.screen.palette import Palette
from jobtui.tui.table.chooser import SortDialog
from jobtui.tui.table.columns import COLUMNS


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "jobs")


def test_every_action_has_a_test_that_presses_its_key() -> None:
    covered: set[str] = set()
    for path in Path(__file__).parent.glob("test_screen*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "presses":
                covered |= {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
    # It has no key unless somebody gives it one; see below.
    assert {action.id for action in ACTIONS} - covered == set()
    assert covered <= {action.id for action in ACTIONS}


def few(site: Site) -> None:
    """Three jobs: the newest runs."""
    site.add("alpha", State.FINISHED, started=1000.0, ended=1090.0)
    site.add("beta", State.FAILED, started=1000.0, ended=1010.0, exit_code=3, detail="exit code 3")
    site.add("gamma", State.RUNNING)
    site.save()


def order(desk: JobScreen) -> list[int]:
    """The jobs as they are painted, from above."""
    found = (re.match(r"[> ][ *+]\s*[▾▸]?\s*(\d+)  ", line) for line in lines(desk)[2:])
    return [int(match[1]) for match in found if match]


# -- the list


@presses("mark", "unmark", "mark-all", "mark-range")
def test_marks(site: Site) -> None:
    ids = [site.add(f"job-{n}") for n in range(6)]

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "space")
        assert desk.jobs.marks == {Ref(0, ids[5])} and desk.jobs.cursor == Ref(0, ids[4])
        assert "1 marked" in lines(desk)[0] and line_with(desk, " * ", "job-5")
        await press(pilot, "down", "down", "v")
        assert desk.jobs.marks == {Ref(0, job) for job in ids[2:]}
        await press(pilot, "a")
        assert len(desk.jobs.marks) == 6
        await press(pilot, "a")
        assert not desk.jobs.marks
        await press(pilot, "space", "space", "escape")
        assert not desk.jobs.marks and "marked" not in lines(desk)[0]

    on_screen(site.save(), body)


@presses("filter", "unmark")
def test_a_filter_shows_what_matches_as_it_is_typed_and_escape_takes_it_away(site: Site) -> None:
    few(site)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "slash", *"state:fai")
        assert desk.jobs.shown == 1 or line_with(desk, "state:fai")
        await press(pilot, *"led")
        assert order(desk) == [2] and "1 of 3 shown" in lines(desk)[0]
        await press(pilot, "enter")
        assert desk.focused is desk.table and order(desk) == [2]
        await press(pilot, "slash")
        assert desk.filter_bar.entry.value == "state:failed"
        await press(pilot, "enter", "escape")
        assert order(desk) == [3, 2, 1]
        await press(pilot, "slash", *"nothing", "escape")
        assert order(desk) == [3, 2, 1] and desk.focused is desk.table
        await press(pilot, "slash", "up")
        assert desk.filter_bar.entry.value == "state:failed"
        await press(pilot, "escape", "slash", *"elapsed>", "enter")
        assert order(desk) == [3, 2, 1] and "elapsed" in desk.message

    on_screen(site, body)


@presses("filters")
def test_named_filters_and_those_used_last_are_chosen_by_number(site: Site) -> None:
    few(site)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "slash", *"gamma", "enter", "escape", "F")
        assert isinstance(desk.app.screen, Chooser)
        assert line_with(desk, "bad", "state:failed") and line_with(desk, "gamma")
        await press(pilot, "1")
        assert order(desk) == [2]
        await press(pilot, "F", "2")
        assert order(desk) == [3]

    on_screen(site, body, config='[filters]\nbad = "state:failed"\n')


def test_without_any_filter_it_is_said_how_to_make_one(site: Site) -> None:
    few(site)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "F")
        assert "there are no filters yet" in desk.message and desk.app.screen is desk

    on_screen(site, body)


@presses("sort", "sort-next", "sort-previous", "sort-reverse")
def test_sorting(site: Site) -> None:
    few(site)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        assert order(desk) == [3, 2, 1]
        await press(pilot, "I")
        assert order(desk) == [1, 2, 3]
        await press(pilot, "greater_than_sign")
        first = desk.table.columns[0]
        assert desk.jobs.sort_terms[0].column == first == "id"
        await press(pilot, "greater_than_sign")
        assert desk.jobs.sort_terms[0].column == "name" and order(desk) == [1, 2, 3]
        await press(pilot, "I")
        assert order(desk) == [3, 2, 1]
        await press(pilot, "less_than_sign", "less_than_sign")
        assert desk.jobs.sort_terms[0].column == desk.table.columns[-1]
        await press(pilot, "S")
        assert isinstance(desk.app.screen, SortDialog)
        ids = [column.id for column in COLUMNS]
        await press(pilot, "home", *["down"] * ids.index("elapsed"), "enter")
        assert desk.jobs.sort_terms[0].column == "elapsed" and order(desk) == [3, 1, 2]
        await press(pilot, "S", "r", "enter")
        assert order(desk) == [3, 2, 1]

    on_screen(site, body, (160, 30))


@presses("columns")
def test_columns_are_chosen_and_ordered(site: Site) -> None:
    few(site)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        before = desk.table.columns
        await press(pilot, "C", "down", "space", "home", "J", "enter")
        assert "NAME" not in lines(desk)[1] and "name" not in desk.table.columns
        assert set(desk.table.columns) == set(before) - {"name"}
        await press(pilot, "C", "r", "enter")
        assert desk.table.columns == before
        await press(pilot, "C", "space", "escape")
        assert desk.table.columns == before

    on_screen(site, body)


def two_arrays(site: Site) -> None:
    for first in (1, 4):
        for index in range(3):
            spec = JobSpec(command=("x",), name=f"array-{first}", cwd="/tmp", array=ArrayTask(first, index))
            site.add(spec.title(), State.FAILED if index == 1 else State.FINISHED, spec=spec)
    site.save()


@presses("expand", "open", "left", "right")
def test_an_array_is_one_line_that_unfolds(site: Site) -> None:
    two_arrays(site)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        assert [desk.jobs.line_at(n) for n in range(len(desk.jobs))] == [ArrayRef(0, 4), ArrayRef(0, 1)]
        assert line_with(desk, "array-4", "1 failed", "2 finished")
        unfolded = [ArrayRef(0, 4), Ref(0, 4), Ref(0, 5), Ref(0, 6), ArrayRef(0, 1)]
        for on, off in (("x", "x"), ("right", "left"), ("enter", "enter"), ("l", "h")):
            await press(pilot, on)
            assert [desk.jobs.line_at(n) for n in range(len(desk.jobs))] == unfolded, on
            await press(pilot, off)
            assert len(desk.jobs) == 2, off
        # What is shown beside is the task that failed.
        assert line_with(desk, "stdout", "job 5 array-4")

    on_screen(site, body)


@presses("up", "down", "page-up", "page-down", "half-up", "half-down", "home", "end")
def test_moving(site: Site) -> None:
    for n in range(200):
        site.add(f"job-{n}")

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        page = desk.table.size.height - 2
        for keys, expected in [
            (("down", "j"), 2),
            (("up", "k"), 0),
            (("pagedown",), page),
            (("pageup",), 0),
            (("ctrl+d",), (page + 1) // 2),
            (("ctrl+u",), 0),
            (("end",), 199),
            (("home",), 0),
            (("G",), 199),
            (("g",), 0),
        ]:
            await press(pilot, *keys)
            assert desk.jobs.cursor_number == expected, keys
            assert re.match(rf">\s+{200 - expected}  ", line_with(desk, f"job-{199 - expected} "))

    on_screen(site.save(), body)


# -- the log


def text_of(desk: JobScreen) -> str:
    return "\n".join(row.text for row in desk.log_pane.view.port.rows)


def title_of(desk: JobScreen) -> str:
    return desk.log_pane.title.text.plain


@presses("log.stream", "log.follow", "log.wrap", "left", "right", "end", "page-up")
def test_the_log_follows_wraps_scrolls_and_changes_its_stream(site: Site) -> None:
    job = site.add("talks", State.RUNNING)
    site.log(job, "".join(f"line {n}\n" for n in range(100)) + "wide " + "x" * 200 + " the end\n")
    site.log(job, "something went wrong\n", "stderr")

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "line 99" in text_of(desk))
        await press(pilot, "2")
        assert desk.panes.current == "log"
        await press(pilot, "w")
        await until(pilot, lambda: line_with(desk, "the end"))
        await press(pilot, "w")
        await until(pilot, lambda: not line_with(desk, "the end"))
        await press(pilot, "right", "right", "right")
        await until(pilot, lambda: line_with(desk, "the end") and "column" in title_of(desk))
        await press(pilot, "left", "left", "h", "pageup")
        assert not desk.log_pane.view.follow and "not following" in title_of(desk)
        top = desk.log_pane.view.port.rows[0].text
        site.log(job, "more\n")
        await until(pilot, lambda: "+1 line" in title_of(desk))
        assert desk.log_pane.view.port.rows[0].text == top
        await press(pilot, "G")
        await until(pilot, lambda: "more" in text_of(desk) and desk.log_pane.view.follow)
        await press(pilot, "f")
        assert not desk.log_pane.view.follow
        await press(pilot, "f", "o")
        await until(pilot, lambda: "something went wrong" in text_of(desk) and "stderr" in title_of(desk))
        await press(pilot, "o")
        await until(pilot, lambda: "more" in text_of(desk) and "merged" in title_of(desk))
        await press(pilot, "o", "q")
        await until(pilot, lambda: "stdout" in title_of(desk) and desk.panes.current == "table")

    on_screen(site.save(), body)


@presses(
    "log.search",
    "log.next",
    "log.previous",
    "log.filter",
    "log.jump",
    "log.next-error",
    "log.previous-error",
    "unmark",
)
def test_the_log_is_searched_filtered_and_jumped_in(site: Site) -> None:
    job = site.add("long", State.FINISHED)
    numbered = "".join(f"step {n}{' needle' if n % 100 == 50 else ''}\n" for n in range(1000))
    site.log(job, numbered.replace("step 333\n", "ERROR: lost 333\n").replace("step 666\n", "ERROR: lost 666\n"))

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "step 999" in text_of(desk))
        await press(pilot, "tab", "slash", *"needle", "enter")
        await until(pilot, lambda: "/needle: 10 of 10" in title_of(desk))
        here = _here(desk)
        await press(pilot, "n")
        await until(pilot, lambda: _here(desk) != here)
        await press(pilot, "N")
        await until(pilot, lambda: _here(desk) == here)
        # Also where keys come faster than what they lead to can be read.
        burst(desk, "n", "n", "n", "N")
        await until(pilot, lambda: "/needle: 2 of 10" in title_of(desk) and "step 150 needle" in text_of(desk))
        await press(pilot, "L", *"500", "enter")
        await until(pilot, lambda: "step 499" in text_of(desk))
        await press(pilot, "ctrl+g", *"0%", "enter")
        await until(pilot, lambda: "step 0\n" in text_of(desk))
        await press(pilot, "right_square_bracket")
        await until(pilot, lambda: "lost 333" in text_of(desk))
        await press(pilot, "right_square_bracket")
        await until(pilot, lambda: "lost 666" in text_of(desk))
        await press(pilot, "left_square_bracket")
        await until(pilot, lambda: "lost 333" in text_of(desk))
        await press(pilot, "ampersand", *"lost", "enter")
        await until(pilot, lambda: text_of(desk).split("\n") == ["ERROR: lost 333", "ERROR: lost 666"])
        # Esc takes the search away, then the filter, then the keys from the log.
        await press(pilot, "escape")
        await until(pilot, lambda: "needle" not in title_of(desk) and "& lost" in title_of(desk))
        await press(pilot, "escape")
        await until(pilot, lambda: "step" in text_of(desk) and desk.panes.current == "log")
        await press(pilot, "escape")
        assert desk.panes.current == "table"

    on_screen(site.save(), body, (120, 40))


def _here(desk: JobScreen) -> int | None:
    return desk.log_pane.view.here


@presses("log.attempt-previous", "log.attempt-next", "log.states")
def test_the_log_shows_earlier_attempts_and_the_states_of_a_progress_bar(site: Site) -> None:
    job = site.add("tried", State.FINISHED, attempt=2)
    site.log(job, "10%\r50%\r100%\n")
    earlier = f"{site.workdir.metadir(job)}/job.retry/1"
    os.makedirs(earlier)
    Path(earlier, "job.stdout").write_text("the first try\n")

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: text_of(desk) == "100%")
        await press(pilot, "2", "x")
        await until(pilot, lambda: all(part in text_of(desk) for part in ("10%", "50%", "100%")))
        await press(pilot, "x", "left_parenthesis")
        await until(pilot, lambda: "the first try" in text_of(desk) and "attempt 1 of 2" in title_of(desk))
        await press(pilot, "right_parenthesis")
        await until(pilot, lambda: text_of(desk) == "100%")

    on_screen(site.save(), body)


def test_without_a_job_the_keys_of_the_log_say_so(site: Site) -> None:
    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "o")
        assert desk.message == "Next output stream: there is no job"

    on_screen(site.save(), body)


# -- the panes


def shown(desk: JobScreen) -> list[str]:
    """The panes that are on the screen, with where the keys go first."""
    widgets = {"table": desk.table, "log": desk.log_pane, "detail": desk.detail}
    return [desk.panes.current, *(name for name, widget in widgets.items() if widget.size and widget.region)]


@presses("pane", "pane-back", "view-table", "view-log", "view-detail", "detail", "open", "quit")
def test_the_keys_go_from_pane_to_pane(site: Site) -> None:
    few(site)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        for key, expected in [
            ("tab", ["log", "table", "log"]),
            ("tab", ["table", "table", "log"]),
            ("shift+tab", ["log", "table", "log"]),
            ("1", ["table", "table", "log"]),
            ("3", ["detail", "table", "detail"]),
            ("2", ["log", "table", "log"]),
            ("i", ["detail", "table", "detail"]),
            ("i", ["log", "table", "log"]),
            ("q", ["table", "table", "log"]),
            ("i", ["table", "table", "detail"]),
            ("enter", ["detail", "table", "detail"]),
            ("escape", ["table", "table", "detail"]),
        ]:
            await press(pilot, key)
            await until(pilot, lambda expected=expected: shown(desk) == expected)
        await until(pilot, lambda: line_with(desk, "command", "echo gamma"))
        await press(pilot, "q")
        assert not desk.is_attached

    on_screen(site, body)


@presses("zoom", "layout", "grow", "shrink")
def test_panes_are_arranged_as_one_likes(site: Site) -> None:
    few(site)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        whole = desk.area.size
        await press(pilot, "z")
        await until(pilot, lambda: desk.table.size == whole and shown(desk) == ["table", "table"])
        await press(pilot, "tab")
        await until(pilot, lambda: desk.log_pane.size == whole and shown(desk) == ["log", "log"])
        await press(pilot, "escape")
        await until(pilot, lambda: shown(desk) == ["table", "table", "log"])
        height = desk.table.size.height
        await press(pilot, "plus", "plus")
        await until(pilot, lambda: desk.table.size.height > height)
        await press(pilot, "minus", "minus", "minus")
        await until(pilot, lambda: desk.table.size.height < height)
        for name in ("stacked", "side", "single", "auto"):
            await press(pilot, "vertical_line")
            assert desk.message == f"layout: {name}"
            side = name == "side"
            await until(pilot, lambda side=side: desk.area.has_class("side") == side)
            if side:
                await until(pilot, lambda: desk.table.size.height == desk.log_pane.size.height == whole.height)

    on_screen(site, body, (120, 40))


@presses("pause")
def test_a_paused_screen_stands_still_until_it_goes_on(site: Site) -> None:
    few(site)
    site.log(3, "line\n" * 50 + "first\n")

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "first" in text_of(desk))
        await press(pilot, "P")
        assert " PAUSED " in lines(desk)[0]
        site.say(3, state=State.FAILED, ended=time.time())
        site.append([], [2])
        site.begin("late")
        site.log(3, "second\n")
        await until(pilot, lambda: "3 changed since" in lines(desk)[0])
        await until(pilot, lambda: "+1 line" in title_of(desk))
        assert order(desk) == [3, 2, 1] and line_with(desk, "gamma", "running") and "second" not in text_of(desk)
        assert "running" in title_of(desk)
        await press(pilot, "down")
        # What is gone takes no order, though it is still to be seen.
        for key in ("c", "r", "s", "D"):
            await press(pilot, key)
            assert "removed meanwhile" in desk.message or "no such" in desk.message, key
        await press(pilot, "up", "P")
        assert order(desk) == [4, 3, 1] and line_with(desk, "gamma", "failed")
        await until(pilot, lambda: "second" in text_of(desk))

    on_screen(site, body)


@presses("refresh")
def test_refresh_reads_all_jobs_again(site: Site) -> None:
    few(site)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        # As a client of another machine may find it: nothing told of these changes.
        site.rows[1] = site.rows[1].__class__(**{**_fields(site.rows[1]), "name": "renamed"})
        site.save()
        for key in ("R", "f5", "ctrl+r", "ctrl+l"):
            await press(pilot, key)
            await until(pilot, lambda: line_with(desk, "renamed"))

    on_screen(site, body)


def _fields(row: object) -> dict[str, object]:
    return {name: getattr(row, name) for name in row.__struct_fields__}  # type: ignore[attr-defined]


@presses("mouse")
def test_the_mouse_is_left_to_the_terminal_and_taken_back(site: Site) -> None:
    few(site)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "m")
        assert desk.message == "select text with the mouse; m takes it back"
        assert desk.memory.setting("mouse") is False
        await press(pilot, "m")
        assert desk.message == "the mouse is the screen's again"

    on_screen(site, body)


@presses("theme")
def test_the_theme_changes_at_once_by_the_palette_or_a_key_of_ones_own(site: Site) -> None:
    few(site)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        for name in ("dark", "light", "mono", "terminal"):
            await press(pilot, "f9")
            assert desk.memory.setting("theme") == name and desk.app.theme == f"jobtui-{name}"
        await press(pilot, "colon", *"theme light", "enter")
        assert desk.app.theme == "jobtui-light"
        assert line_with(desk, "theme: light")

    on_screen(site, body, config='[keys]\ntheme = "F9"\n')


# -- around


@presses("help")
def test_help_names_every_key_of_the_pane_and_that_jobs_outlive_the_screen(site: Site) -> None:
    few(site)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        for key in ("question_mark", "f1"):
            await press(pilot, key)
            await until(pilot, lambda: isinstance(desk.app.screen, HelpScreen) and line_with(desk, "Keys in the table"))
            await press(pilot, "G")
            await until(pilot, lambda: line_with(desk, "Quitting closes the screen only"))
            await press(pilot, "q")
            assert desk.app.screen is desk
        await press(pilot, "2", "question_mark")
        await until(pilot, lambda: line_with(desk, "Keys in the log"))
        await press(pilot, "escape")

    on_screen(site, body, (100, 40))


@presses("palette")
def test_the_palette_does_any_action(site: Site) -> None:
    few(site)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "ctrl+p")
        assert isinstance(desk.app.screen, Palette)
        await press(pilot, *"mark all", "enter")
        assert len(desk.jobs.marks) == 3
        await press(pilot, "colon", *"sort by name", "enter")
        assert desk.jobs.sort_terms[0].column == "name"
        await press(pilot, "colon", *"quiet ones", "enter")
        assert desk.jobs.filter_text == "state:finished"

    on_screen(site, body, config='[filters]\n"quiet ones" = "state:finished"\n')


@presses("copy")
def test_copy_offers_what_there_is_of_the_job_and_writes_it_to_a_file(site: Site, tmp_path: Path) -> None:
    few(site)
    site.log(3, "an output line\n")

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "an output line" in text_of(desk))
        copied = tmp_path / "home" / "state" / "jobtui" / "copied.txt"

        async def copy(words: str) -> str:
            await press(pilot, "y")
            assert isinstance(desk.app.screen, CopyDialog)
            match = re.search(r"│\s+(\d)\s", line_with(desk, words)) or re.search(r"(\d)\s+│", line_with(desk, words))
            copied.unlink(missing_ok=True)
            number = [entry.title for entry in desk.app.screen.entries].index(words) + 1
            assert match is None or int(match[1]) == number
            await press(pilot, str(number))
            await until(pilot, copied.exists)
            await until(pilot, lambda: "copied.txt" in desk.message)
            return copied.read_text()

        assert await copy("The id") == "3\n"
        assert await copy("The command") == "echo gamma\n"
        assert await copy("Its folder") == f"{site.workdir.path}/3\n"
        assert await copy("The path of its output") == f"{site.workdir.path}/3/job.stdout\n"
        assert await copy("The last 200 lines") == "an output line\n"
        assert "an output line" in await copy("The text in view")
        # With the detail in view the log is that of an earlier job.
        await press(pilot, "i", "down")
        assert await copy("The path of its output") == f"{site.workdir.path}/2/job.stdout\n"
        await press(pilot, "y")
        assert not line_with(desk, "lines", "of the log")
        await press(pilot, "escape", "a")
        assert await copy("The ids") == "1-3\n"

    on_screen(site, body)


class Terminal:
    """Stands in for the terminal that another program gets while the screen steps aside."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.left, self.folder = 0, folder
        monkeypatch.setattr("jobtui.tui.screen.jobapp.JobApp.suspend", lambda _app: self)
        for variable in ("PAGER", "VISUAL"):
            program = folder / variable.lower()
            program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {shlex.quote(str(folder))}/{variable}.words\n')
            program.chmod(0o755)
            monkeypatch.setenv(variable, str(program))

    def __enter__(self) -> None:
        self.left += 1

    def __exit__(self, *_: object) -> None:
        pass

    def words(self, variable: str) -> list[str]:
        return (self.folder / f"{variable}.words").read_text().splitlines()


@presses("pager", "editor")
def test_the_file_in_view_is_opened_at_the_line_in_view(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(site)
    site.log(3, "".join(f"line {n}\n" for n in range(100)))
    terminal = Terminal(monkeypatch, tmp_path)
    log = f"{site.workdir.path}/3/job.stdout"

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "line 99" in text_of(desk) and "100 lines" in title_of(desk))
        await press(pilot, "2", "g")
        await until(pilot, lambda: "line 0\n" in text_of(desk))
        await press(pilot, "down", "p", "E")
        assert terminal.words("PAGER")[-1] == log
        assert terminal.words("VISUAL") == ["+2", log]
        await press(pilot, "i")
        await until(pilot, lambda: line_with(desk, "echo gamma"))
        await press(pilot, "E")
        assert terminal.words("VISUAL")[-1] == f"{site.workdir.path}/3/job.json"
        assert terminal.left == 3
        monkeypatch.setenv("VISUAL", "no-such-editor")
        await press(pilot, "E")
        assert "there is no program 'no-such-editor'; set $EDITOR to one that you have" in desk.message

    on_screen(site, body)


@presses("command-log")
def test_the_command_log_holds_what_was_done_as_commands(site: Site) -> None:
    few(site)
    manager = Recorder(site.workdir)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "at")
        assert line_with(desk, "Nothing was ordered yet.")
        await press(pilot, "at")
        await put_cursor(desk, pilot, 2)
        await press(pilot, "r")
        await until(pilot, lambda: manager.orders)
        await press(pilot, "a", "c", "y")
        await until(pilot, lambda: len(manager.orders) == 2)
        await press(pilot, "escape", "at")
        assert isinstance(desk.app.screen, CommandLogScreen)
        done = [(each.command, each.outcome) for each in desk.tools._commands.entries]
        begin = f"jobtui -w {site.workdir.path}"
        assert done == [(f"{begin} retry 2", "retry noted"), (f"{begin} cancel 1-3", "done for 3 of 3 jobs")]
        assert line_with(desk, "retry 2") and line_with(desk, "done for 3 of 3 jobs")

    on_screen(manager, body, (160, 30))


@presses("quit-now")
@pytest.mark.parametrize("keys", [("q",), ("ctrl+c",), ("2", "ctrl+c"), ("2", "q", "q"), ("q", "q", "j", "c", "y")])
def test_quitting(site: Site, keys: tuple[str, ...]) -> None:
    few(site)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        burst(desk, *keys)
        await until(pilot, lambda: not desk.is_attached)
        if "ctrl+c" not in keys:
            desk.keymap.find("ctrl+c", "table")

    on_screen(site, body)


@presses("quit")
def test_an_order_under_way_is_waited_for(site: Site) -> None:
    few(site)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        desk.giver.pending = 1
        await press(pilot, "q")
        assert desk.is_attached and desk.message == "an order is being given; Ctrl+c leaves at once"
        desk.giver.pending = 0
        await press(pilot, "q")
        assert not desk.is_attached

    on_screen(site, body)


@presses("suspend-app")
def test_the_shell_gets_the_terminal(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    few(site)
    asked: list[bool] = []
    monkeypatch.setattr("jobtui.tui.screen.jobapp.JobApp.action_suspend_process", lambda _app: asked.append(True))

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "ctrl+z")
        assert asked == [True]

    on_screen(site, body)


# -- the mouse


def test_the_mouse_moves_sorts_unfolds_and_opens(site: Site) -> None:
    two_arrays(site)
    site.add("plain", State.FAILED)
    site.save()

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        async def click(line: int, column: int = 10, times: int = 1) -> None:
            await pilot.click(desk.table, Offset(column, line), times=times)

        await click(2)
        assert desk.jobs.cursor == ArrayRef(0, 4)
        await click(2, column=2)
        assert len(desk.jobs) == 6
        await click(0, column=lines(desk)[1].index("STATE"))
        assert desk.jobs.sort_terms[0].column == "state"
        await click(0, column=lines(desk)[1].index("STATE"))
        assert desk.jobs.sort_terms[0].column == "state"
        number = desk.jobs.number_of(Ref(0, 7))
        assert number is not None
        await click(number + 1, times=2)
        await until(pilot, lambda: desk.panes.current == "log")

    on_screen(site, body)
