"""Editing a job to submit it again: the editor is a small script, the jobs are real."""

from __future__ import annotations

import asyncio
import os
import re
import stat
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

from jobtui.core import AfterJob, BlockingJobManager, JobManager, JobSpec, State, WorkDir
from jobtui.tui.detail.choice import ChoiceDialog
from jobtui.tui.detail.editing import NotSubmitted, Submitted, edit_and_resubmit
from jobtui.tui.ref import Ref


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the files to edit are made."""
    place = tmp_path / "scratch"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


@pytest.fixture
def manager(workdir: WorkDir) -> BlockingJobManager:
    made = BlockingJobManager(workdir)
    made.configure({"autostart": False})
    return made


class Editor:
    """Runs one script after the other on the file, as an editor; remembers what it was shown, and from which line."""

    def __init__(self, folder: Path, *scripts: str) -> None:
        self.folder, self.scripts = folder, list(scripts)
        self.seen: list[str] = []
        self.lines: list[int | None] = []
        self.modes: list[int] = []

    async def __call__(self, path: str, line: int | None) -> str:
        self.seen.append(Path(path).read_text())
        self.lines.append(line)
        self.modes.append(stat.S_IMODE(os.stat(path).st_mode) | stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode))
        program = self.folder / "editor"
        program.write_text(f"#!/bin/sh\n{self.scripts.pop(0)}\n")
        program.chmod(0o700)
        done = await anyio.run_process([str(program), path], check=False)
        return "" if done.returncode == 0 else f"it ended with {done.returncode}"


class Desk(Screen[None]):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[Any] = []

    def on_submitted(self, message: Submitted) -> None:
        self.told.append(message)

    def on_not_submitted(self, message: NotSubmitted) -> None:
        self.told.append(message)


class Host(App[None]):
    def __init__(self) -> None:
        super().__init__(ansi_color=True)
        self.animation_level = "none"
        self.desk = Desk()

    def get_default_screen(self) -> Screen[Any]:
        return self.desk


Body = Callable[[Host, Pilot[None]], Awaitable[None]]


def editing(workdir: WorkDir, job: int, editor: Editor, body: Body, size: tuple[int, int] = (80, 24)) -> Any:
    """Edit a job, run ``body`` meanwhile, and return what the screen was told at the end."""

    async def run() -> Any:
        app = Host()
        async with app.run_test(size=size) as pilot:
            app.desk.run_worker(partial(edit_and_resubmit, app.desk, Ref(2, job), JobManager(workdir), editor))
            await body(app, pilot)
            return await until(pilot, lambda: app.desk.told and app.desk.told[0])

    return asyncio.run(run())


async def until(pilot: Pilot[None], condition: Callable[[], Any], timeout: float = 60.0) -> Any:
    deadline = time.monotonic() + timeout
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not true within {timeout} s:\n{page(pilot.app)}"
        await pilot.pause(0.02)
    return answer


def page(app: App[Any]) -> str:
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


async def dialog(app: Host, pilot: Pilot[None], words: str) -> str:
    """Wait for a dialog that says ``words``; returns all of it."""
    await until(pilot, lambda: isinstance(app.screen, ChoiceDialog) and words in page(app))
    return page(app)


def sed(*changes: str) -> str:
    return "sed -i " + " ".join(f"-e '{change}'" for change in changes) + ' "$1"'


SPEC = JobSpec(
    command=("python", "train.py", "--lr", "0.1"),
    name="train",
    env={"TOKEN": "hunter2", "SEED": "1"},
    secret=("TOKEN",),
    after=AfterJob(1),
    hold=True,
)


def test_what_was_changed_is_shown_and_submitted_as_a_new_job(
    workdir: WorkDir, manager: BlockingJobManager, tmp_path: Path, scratch: Path
) -> None:
    manager.submit(JobSpec(shell="true"))
    old = manager.submit(SPEC)[0]
    before = Path(f"{workdir.path}/{old}/job.json").read_bytes()
    editor = Editor(tmp_path, sed('s/"0.1"/"0.01"/', 's/^#timeout = .*/timeout = "3h"/', 's/SEED = "1"/SEED = "7"/'))

    async def body(app: Host, pilot: Pilot[None]) -> None:
        shown = await dialog(app, pilot, "Submit job 2 train again, with these changes?")
        assert re.search(r"command +- python train.py --lr 0.1 ", shown)
        assert re.search(r"\+ python train.py --lr 0.01 ", shown)
        assert re.search(r'timeout +- not set .*\n.*\+ "3h"', shown)
        assert "env          - SEED=1" in shown and "env          + SEED=7" in shown
        assert "It does not wait as the old job did: job 1 to end well." in shown and "It is not held" in shown
        assert "hunter2" not in shown
        # Enter is safe: nothing is submitted by a key too many.
        assert app.focused is not None and app.focused.id == "cancel"
        await pilot.press("y")

    told = editing(workdir, old, editor, body)
    assert isinstance(told, Submitted) and told.refs == (Ref(2, 3),)
    detail = manager.detail(3)
    assert detail is not None and detail.facts.spec is not None
    new = detail.facts.spec
    assert new.command == ("python", "train.py", "--lr", "0.01") and new.timeout == 10800.0
    assert new.env == {"TOKEN": "hunter2", "SEED": "7"} and new.secret == ("TOKEN",)
    assert new.after is None and not new.hold and new.resubmitted_from == old and new.name == "train"
    assert Path(f"{workdir.path}/{old}/job.json").read_bytes() == before
    assert "hunter2" not in editor.seen[0] and "job 2 train, to be submitted again" in editor.seen[0]
    assert editor.modes == [0o700] and list(scratch.iterdir()) == []


def test_a_mistake_is_told_and_the_editor_opens_again_at_its_line(
    workdir: WorkDir, manager: BlockingJobManager, tmp_path: Path
) -> None:
    manager.submit(JobSpec(command=("echo", "one"), hold=True))
    editor = Editor(tmp_path, sed('s/^#timeout = .*/timeout = "soon"/'), sed('s/"soon"/"5m"/'))

    async def body(app: Host, pilot: Pilot[None]) -> None:
        shown = await dialog(app, pilot, "This cannot be submitted")
        assert "timeout: 'soon' is not a duration" in " ".join(shown.replace("│", " ").split())
        assert app.focused is not None and app.focused.id == "again"
        await pilot.press("enter")
        await dialog(app, pilot, '+ "5m"')
        await pilot.press("tab", "e")
        # Edit again from here as well.
        await until(pilot, lambda: len(editor.lines) == 3)
        await dialog(app, pilot, '+ "5m"')
        await pilot.press("y")

    editor.scripts.append(":")
    assert isinstance(editing(workdir, 1, editor, body), Submitted)
    wrong = editor.seen[1].split("\n").index('timeout = "soon"') + 1
    assert editor.lines == [None, wrong, None]
    assert manager.detail(2).facts.spec.timeout == 300.0  # type: ignore[union-attr]


def test_a_text_that_is_given_up_is_kept(
    workdir: WorkDir, manager: BlockingJobManager, tmp_path: Path, scratch: Path
) -> None:
    manager.submit(JobSpec(command=("echo", "one"), hold=True))
    editor = Editor(tmp_path, 'echo "mine = 1 # hours of work" >>"$1"')

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await dialog(app, pilot, "there is no 'mine'")
        await pilot.press("escape")

    told = editing(workdir, 1, editor, body)
    assert isinstance(told, NotSubmitted) and not told.bad
    kept = next(scratch.glob("*/job-1.toml"))
    assert told.words == f"nothing was submitted; your text is kept in {kept}"
    assert "mine = 1 # hours of work" in kept.read_text() and stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert [row.id for row in manager.jobs()] == [1]


@pytest.mark.parametrize(("key", "made"), [("y", 2), ("enter", 1), ("n", 1), ("q", 1)])
def test_without_a_change_it_asks_whether_to_submit_the_same_again(
    workdir: WorkDir, manager: BlockingJobManager, tmp_path: Path, scratch: Path, key: str, made: int
) -> None:
    manager.submit(JobSpec(shell="echo same", name="same", hold=True))

    async def body(app: Host, pilot: Pilot[None]) -> None:
        assert "echo same" in await dialog(app, pilot, "Nothing was changed. Submit job 1 same again as it is?")
        await pilot.press(key)

    told = editing(workdir, 1, Editor(tmp_path, ":"), body)
    assert len(manager.jobs()) == made
    assert isinstance(told, Submitted if made == 2 else NotSubmitted)
    assert list(scratch.iterdir()) == []


def test_what_is_refused_can_be_put_right(workdir: WorkDir, manager: BlockingJobManager, tmp_path: Path) -> None:
    manager.submit(JobSpec(shell="true", hold=True))
    editor = Editor(
        tmp_path, sed('s/^#backend = .*/backend = "nowhere"/'), sed('s/"nowhere"/"local"/', 's/"true"/"false"/')
    )

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await dialog(app, pilot, '+ "nowhere"')
        await pilot.press("y")
        await dialog(app, pilot, "there is no back end called 'nowhere'")
        await pilot.press("e")
        await dialog(app, pilot, "+ false")
        await pilot.press("y")

    assert isinstance(editing(workdir, 1, editor, body), Submitted)
    assert [row.command for row in manager.jobs()] == ["true", "false"]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 3", "The editor could not be used: it ended with 3"),
        ('rm "$1"', "The text cannot be read"),
        ('printf "\\377" >>"$1"', "The text is not in UTF-8."),
    ],
)
def test_what_an_editor_may_do_is_told_in_words(
    workdir: WorkDir, manager: BlockingJobManager, tmp_path: Path, script: str, words: str
) -> None:
    manager.submit(JobSpec(shell="true", hold=True))

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await dialog(app, pilot, words)
        await pilot.press("n")

    assert isinstance(editing(workdir, 1, Editor(tmp_path, script), body), NotSubmitted)


def test_a_job_that_cannot_be_edited_says_why(workdir: WorkDir, manager: BlockingJobManager, tmp_path: Path) -> None:
    manager.submit(JobSpec(shell="true"))
    Path(f"{workdir.path}/1/job.json").write_text("{oops")

    async def body(app: Host, pilot: Pilot[None]) -> None:
        return None

    for job, words in ((1, "job 1: job.json cannot be read"), (9, "job 9 is not there any more")):
        told = editing(workdir, job, Editor(tmp_path), body)
        assert isinstance(told, NotSubmitted) and told.bad and told.words.startswith(words)


def test_a_long_diff_scrolls_and_names_are_data(workdir: WorkDir, manager: BlockingJobManager, tmp_path: Path) -> None:
    lines = "\n".join(f"echo {n}" for n in range(25))
    manager.submit(JobSpec(shell=lines, name="[red]\x1b[2J", hold=True))
    editor = Editor(tmp_path, sed("s/^echo \\(.*\\)/print \\1/"))

    async def body(app: Host, pilot: Pilot[None]) -> None:
        shown = await dialog(app, pilot, "- echo 0")
        assert "[red]\\x1b[2J" in shown and "\x1b" not in shown and "Cancel (n)" in shown
        for _ in range(5):
            await pilot.press("pagedown")
        await until(pilot, lambda: "+ print 24" in page(app))
        await pilot.press("y")

    told = editing(workdir, 1, editor, body)
    assert isinstance(told, Submitted | NotSubmitted)
    assert {row.state for row in manager.jobs()} <= {State.HELD, State.QUEUED}
