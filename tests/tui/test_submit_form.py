"""The form for a new job: what is typed, checked, remembered and submitted."""

from __future__ import annotations

import asyncio
import os
import stat
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.app import App
from textual.events import Key, Paste
from textual.pilot import Pilot
from textual.widgets import Input

from jobtui.core import AfterJob, AllOf, ArrayTask, BlockingJobManager, JobManager, JobSpec, Resources, Retry, WorkDir
from jobtui.tui.detail.choice import ChoiceDialog
from jobtui.tui.detail.form import Made, SubmitForm
from jobtui.tui.detail.form_model import ENTRIES, draft, preview, texts_of
from jobtui.tui.detail.history import Recall, add_to_history, read_history

NOW = 1_800_000_000.0
EMPTY = dict.fromkeys([entry.id for entry in ENTRIES], "")


# -- the model


def test_the_fields_make_a_job() -> None:
    texts = {
        **EMPTY,
        "command": "zcat in.gz | sort",
        "name": " sorting ",
        "cwd": "/data",
        "cpus": "4",
        "memory": "1.5G",
        "gpus": "1",
        "timeout": "1h30m",
        "tags": "a, b c",
        "after": "3,4",
        "retries": "2",
    }
    made = draft(texts, JobSpec(), NOW)
    assert not made.errors
    assert made.specs == (
        JobSpec(
            shell="zcat in.gz | sort",
            name="sorting",
            cwd="/data",
            resources=Resources(4, 3 * 2**29, 1),
            timeout=5400.0,
            tags=("a", "b", "c"),
            after=AllOf((AfterJob(3), AfterJob(4))),
            retry=Retry(limit=2),
        ),
    )
    words = preview(made.specs).plain
    for word in ("sh: zcat in.gz | sort", "in /data", "4 cpus, 1.5 GiB of memory, 1 gpu", "at most 1h30m"):
        assert word in words
    assert "after job 3 to end well and job 4 to end well" in words and "up to 2 retries" in words


def test_an_array_makes_a_job_for_each_index() -> None:
    made = draft({**EMPTY, "command": "true", "array": "1-10:3"}, JobSpec(), NOW)
    assert [spec.array for spec in made.specs] == [ArrayTask(0, index) for index in (1, 4, 7, 10)]
    assert "4 jobs, one for each index" in preview(made.specs).plain


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("command", "  ", "what is to run?"),
        ("cpus", "0", "whole number, 1 or more"),
        ("cpus", "many", "whole number"),
        ("cpus", "9" * 30, "whole number"),
        ("gpus", "-1", "whole number, 0 or more"),
        ("memory", "much", "'much' is not a size"),
        ("memory", "0", "no amount of memory"),
        ("memory", "9" * 400 + "G", ""),
        ("timeout", "0", "longer than 0 seconds"),
        ("timeout", "soon", "is not a duration"),
        ("after", "twelve", "'twelve' is no job id"),
        ("after", "at:never", "is not a time"),
        ("array", "1-", "1-"),
        ("array", "1-9999999999", "more than 100,000 jobs"),
        ("retries", "often", "whole number"),
    ],
)
def test_what_cannot_be_is_told_beside_its_field(field: str, text: str, words: str) -> None:
    made = draft({**EMPTY, "command": "true", field: text}, JobSpec(), NOW)
    assert list(made.errors) == [field] and words in made.errors[field] and made.specs == ()


@settings(max_examples=50, deadline=None)
@given(
    st.builds(
        JobSpec,
        command=st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=4).map(tuple),
        name=st.none() | st.text(max_size=5),
        timeout=st.none() | st.floats(0.001, 1e9),
        tags=st.lists(st.text(max_size=4), max_size=3).map(tuple),
        resources=st.builds(Resources, st.integers(1, 9), st.none() | st.integers(1, 2**50), st.integers(0, 4)),
        env=st.just({"A": "1"}),
        priority=st.integers(0, 9),
    )
)
def test_fields_that_were_not_touched_change_nothing(spec: JobSpec) -> None:
    assert draft(texts_of(spec), spec, NOW).specs == (spec,)


# -- the history


def test_lines_are_kept_in_a_private_file_newest_last_and_once(tmp_path: Path) -> None:
    path = str(tmp_path / "state" / "submitted.jsonl")
    assert read_history(path) == []
    for line in ("one", "two", "one", " secret thing", "", "bad\x1b[2J", "x" * 5000):
        add_to_history(path, line)
    assert read_history(path) == ["two", "one"]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    for number in range(250):
        add_to_history(path, f"line {number}")
    assert len(read_history(path)) == 200 and read_history(path)[-1] == "line 249"
    Path(path).write_bytes(b'"kept"\n{oops\n3\n"\\u001b[2J"\n\xff\n')
    assert read_history(path) == ["kept"]


def test_walking_through_the_history_comes_back_to_what_was_typed() -> None:
    recall = Recall(["one", "two"])
    assert recall.step("typ", -1) == "two"
    assert recall.step("two", -1) == "one"
    assert recall.step("one", -1) is None
    assert recall.step("one", 1) == "two"
    assert recall.step("two", 1) == "typ"
    assert recall.step("typ", 1) is None
    assert recall.step("typ", -1) == "two"
    assert recall.step("two changed", -1) == "two"
    assert Recall([]).step("x", -1) is None


# -- the form


@pytest.fixture
def manager(workdir: WorkDir) -> BlockingJobManager:
    made = BlockingJobManager(workdir)
    made.configure({"autostart": False})
    return made


class Host(App[None]):
    def __init__(self) -> None:
        super().__init__(ansi_color=True)
        self.animation_level = "none"
        self.made: list[Made | None] = []


Body = Callable[[SubmitForm, Pilot[None]], Awaitable[None]]


async def no_editor(path: str, line: int | None) -> str:
    return "there is none"


def page(app: App[Any]) -> str:
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


async def until(pilot: Pilot[None], condition: Callable[[], Any], timeout: float = 60.0) -> Any:
    deadline = time.monotonic() + timeout
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not true within {timeout} s:\n{page(pilot.app)}"
        await pilot.pause(0.02)
    return answer


@pytest.fixture
def in_form(workdir: WorkDir, manager: BlockingJobManager, tmp_path: Path) -> Callable[..., list[Made | None]]:
    """Open the form, run a body with it, and return what it gave back."""

    def call(body: Body, size: tuple[int, int] = (80, 24), edit: Any = no_editor, more: Any = ()) -> list[Made | None]:
        async def run() -> list[Made | None]:
            app = Host()
            async with app.run_test(size=size) as pilot:
                form = SubmitForm(
                    [("~/jobs", JobManager(workdir)), *more],
                    edit,
                    cwd=str(tmp_path),
                    history=str(tmp_path / "history"),
                )
                app.push_screen(form, app.made.append)
                await until(pilot, lambda: "Submit a job" in page(app))
                await body(form, pilot)
                return app.made

        return asyncio.run(run())

    return call


async def fill(pilot: Pilot[None], form: SubmitForm, **texts: str) -> None:
    """Put texts into fields, as a paste would."""
    for name, text in texts.items():
        form.query_one(f"#{name}", Input).value = text
    await pilot.pause()


Form = Callable[..., list[Made | None]]


def test_a_job_is_typed_and_submitted_and_its_command_remembered(
    in_form: Form, manager: BlockingJobManager, tmp_path: Path
) -> None:
    async def body(form: SubmitForm, pilot: Pilot[None]) -> None:
        assert form.focused is not None and form.focused.id == "command"
        await pilot.press(*"ls|wc", "enter", *"n1", "enter", "enter", "2")
        await until(pilot, lambda: "sh: ls|wc" in page(pilot.app) and "2 cpus" in page(pilot.app))
        # Enter goes from field to field; on the last one it submits.
        assert form.focused.id == "cpus"
        form.query_one("#backend").focus()
        await until(pilot, lambda: form.focused is not None and form.focused.id == "backend")
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.made)  # type: ignore[attr-defined]

    assert in_form(body) == [(0, [1])]
    spec = manager.detail(1).facts.spec  # type: ignore[union-attr]
    assert spec is not None
    assert (spec.shell, spec.name, spec.cwd, spec.resources.cpus) == ("ls|wc", "n1", str(tmp_path), 2)
    assert read_history(str(tmp_path / "history")) == ["ls|wc"]


def test_mistakes_are_told_while_typing_and_hold_the_form_open(in_form: Form, manager: BlockingJobManager) -> None:
    async def body(form: SubmitForm, pilot: Pilot[None]) -> None:
        assert "!" not in page(pilot.app)
        await pilot.press("ctrl+o")
        await until(pilot, lambda: "! what is to run?" in page(pilot.app))
        assert form.focused is not None and form.focused.id == "command"
        await fill(pilot, form, command="true", timeout="2x", after="7", cwd="/nowhere")
        await until(pilot, lambda: "! '2x' is not a duration" in page(pilot.app))
        assert "what is to run" not in page(pilot.app) and "see the fields marked with !" in page(pilot.app)
        await until(pilot, lambda: "! there is no job 7 in" in " ".join(page(pilot.app).split()))
        assert "! there is no directory" in page(pilot.app)
        await pilot.press("ctrl+o")
        # Nothing typed is lost, and the keys are at the first field that is wrong.
        assert form.focused is not None and form.focused.id == "cwd"
        assert form.query_one("#command").value == "true"  # type: ignore[attr-defined]
        await fill(pilot, form, cwd="", timeout="", after="")
        await until(pilot, lambda: "!" not in page(pilot.app))
        await pilot.press("ctrl+o")
        await until(pilot, lambda: pilot.app.made)  # type: ignore[attr-defined]

    assert in_form(body, (80, 40)) == [(0, [1])]
    assert [row.command for row in manager.jobs()] == ["true"]


def test_what_the_work_directory_refuses_stays_in_the_form(
    in_form: Form, manager: BlockingJobManager, tmp_path: Path
) -> None:
    async def body(form: SubmitForm, pilot: Pilot[None]) -> None:
        await fill(pilot, form, command="true")
        await until(pilot, lambda: "sh: true" in page(pilot.app))
        manager.configure({"slots": 2})
        Path(f"{manager.workdir.path}/engine.json").write_text("{oops")
        manager.workdir.create()
        os.rename(manager.workdir.path, f"{manager.workdir.path}-away")
        Path(manager.workdir.path).write_text("a file in its place")
        await pilot.press("ctrl+o")
        await until(pilot, lambda: "! cannot use the work directory" in page(pilot.app))
        os.unlink(manager.workdir.path)
        os.rename(f"{manager.workdir.path}-away", manager.workdir.path)
        manager.workdir.file("engine.json")
        os.unlink(manager.workdir.file("engine.json"))
        manager.configure({"autostart": False})
        await pilot.press("ctrl+o")
        await until(pilot, lambda: pilot.app.made)  # type: ignore[attr-defined]

    assert in_form(body) == [(0, [1])]


def test_esc_asks_only_where_something_was_typed(in_form: Form, manager: BlockingJobManager) -> None:
    async def body(form: SubmitForm, pilot: Pilot[None]) -> None:
        await pilot.press("x", "escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is form)
        assert form.query_one("#command", Input).value == "x"
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
        await pilot.press("n", "backspace", "escape")
        await until(pilot, lambda: pilot.app.made)  # type: ignore[attr-defined]

    assert in_form(body) == [None]
    assert not manager.workdir.ids()


def test_up_and_down_take_earlier_commands(in_form: Form, tmp_path: Path) -> None:
    for line in ("first", "second"):
        add_to_history(str(tmp_path / "history"), line)

    async def body(form: SubmitForm, pilot: Pilot[None]) -> None:
        value = lambda: form.query_one("#command").value  # type: ignore[attr-defined] # noqa: E731
        await until(pilot, lambda: form._recall.step("", -1))
        await fill(pilot, form, command="typed")
        await pilot.press("up")
        await until(pilot, lambda: value() == "second")
        await pilot.press("up", "up")
        await until(pilot, lambda: value() == "first")
        await pilot.press("down", "down")
        await until(pilot, lambda: value() == "typed")
        assert form.focused is not None and form.focused.id == "command"
        await pilot.press("down")
        assert form.focused.id == "name"
        await pilot.press("up")
        assert form.focused.id == "command"

    in_form(body)


def test_the_whole_spec_is_edited_and_comes_back_into_the_form(
    in_form: Form, manager: BlockingJobManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    async def edit(path: str, line: int | None) -> str:
        text = Path(path).read_text()
        assert 'shell = "sort"' in text and "cpus = 2" in text
        text = text.replace('shell = "sort"', "shell = '''\nsort\nuniq\n'''").replace("\n[env]", '\n[env]\nA = "1"')
        Path(path).write_text(text.replace('#timeout = "2h"', 'timeout = "2h"').replace("cpus = 2", "cpus = 3"))
        return ""

    async def body(form: SubmitForm, pilot: Pilot[None]) -> None:
        await fill(pilot, form, command="sort", cpus="2")
        await pilot.press("ctrl+e")
        await until(pilot, lambda: "a command of several lines: Ctrl+E edits it" in page(pilot.app))
        assert form.query_one("#timeout").value == "2h"  # type: ignore[attr-defined]
        assert form.focused is not None and form.focused.id == "name"
        assert "1 variable" in page(pilot.app) and "sh: sort\\nuniq\\n" in page(pilot.app)
        await pilot.press("ctrl+o")
        await until(pilot, lambda: pilot.app.made)  # type: ignore[attr-defined]

    assert in_form(body, edit=edit) == [(0, [1])]
    spec = manager.detail(1).facts.spec  # type: ignore[union-attr]
    assert spec is not None and spec.shell == "sort\nuniq\n" and spec.env == {"A": "1"} and spec.resources.cpus == 3
    assert not list(tmp_path.glob("jobtui-edit-*"))


def test_an_editor_that_cannot_be_used_leaves_the_form_as_it_was(in_form: Form) -> None:
    async def body(form: SubmitForm, pilot: Pilot[None]) -> None:
        form.query_one("#command").post_message(Paste("sort\nuniq\n"))
        await until(pilot, lambda: "only the first of the lines was taken" in page(pilot.app))
        await pilot.press("ctrl+e")
        await until(pilot, lambda: "The editor could not be used: there is none" in page(pilot.app))
        await pilot.press("n")
        await until(pilot, lambda: "! nothing was submitted" in page(pilot.app))
        assert form.query_one("#command", Input).value == "sort"
        await fill(pilot, form, cpus="x")
        await pilot.press("ctrl+e")
        await until(pilot, lambda: "! first put right the fields marked with !" in page(pilot.app))

    in_form(body)


def test_one_chooses_among_several_work_directories(in_form: Form, tmp_path: Path) -> None:
    other = BlockingJobManager(WorkDir(tmp_path / "other"))
    other.configure({"autostart": False})

    async def body(form: SubmitForm, pilot: Pilot[None]) -> None:
        assert "‹ ~/jobs ›" in page(pilot.app)
        await fill(pilot, form, command="true")
        form.query_one("#place").focus()
        await pilot.press("right")
        await until(pilot, lambda: "‹ elsewhere ›" in page(pilot.app))
        # The last field: Enter submits.
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.made)  # type: ignore[attr-defined]

    assert in_form(body, more=[("elsewhere", JobManager(other.workdir))]) == [(1, [1])]
    assert [row.command for row in other.jobs()] == ["true"]


def test_keys_pressed_in_a_burst_go_where_they_belong(in_form: Form, manager: BlockingJobManager) -> None:
    async def body(form: SubmitForm, pilot: Pilot[None]) -> None:
        # All at once, as a slow line delivers them: nobody waits for the screen between two keys.
        for key in ("l", "s", "enter", "a", "b", "tab", "tab", "2", "ctrl+o"):
            pilot.app.post_message(Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: pilot.app.made)  # type: ignore[attr-defined]

    assert in_form(body) == [(0, [1])]
    row = manager.jobs()[0]
    assert (row.command, row.name, row.cpus) == ("ls", "ab", 2)


def test_every_field_can_be_reached_at_any_size(in_form: Form) -> None:
    async def body(form: SubmitForm, pilot: Pilot[None]) -> None:
        for size in ((80, 24), (20, 5)):
            await pilot.resize_terminal(*size)
            form.query_one("#command").focus()
            seen = set()
            for _ in range(15):
                assert form.focused is not None
                seen.add(form.focused.id)
                form.action_step(1)
            assert seen >= {entry.id for entry in ENTRIES} | {"backend", "submit", "edit", "cancel"}
            await pilot.pause()
        await pilot.resize_terminal(80, 24)
        form.query_one("#backend").focus()
        await until(pilot, lambda: form.focused is not None and form.focused.id == "backend")
        await until(pilot, lambda: "local" in page(pilot.app) and "Submit (Ctrl+O)" in page(pilot.app))

    in_form(body)
