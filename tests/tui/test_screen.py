"""What the screen does, seen through Textual's pilot, with the real manager, engine and jobs."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from jobtui.core import BlockingJobManager, JobRow, JobSpec, State, WorkDir, supervisor
from jobtui.tui.ref import Ref
from jobtui.tui.screen.desk import JobScreen
from jobtui.tui.screen.dialogs import ConfirmDialog, HelpDialog, ReportDialog
from jobtui.tui.screen.jobapp import JobApp

Body = Callable[[JobScreen, Pilot[None]], Awaitable[None]]


@pytest.fixture
def manager(workdir: WorkDir) -> BlockingJobManager:
    return BlockingJobManager(workdir)


def sh(line: str, **more: Any) -> JobSpec:
    return JobSpec(shell=line, **more)


def held(manager: BlockingJobManager, count: int) -> list[int]:
    """Jobs that stay as they are: no engine is needed for them."""
    return manager.submit(*[sh("true", name=f"held-{n}", hold=True) for n in range(count)])


def on_screen(workdir: WorkDir, body: Body, size: tuple[int, int] = (100, 30)) -> None:
    """Open the screen and run ``body`` with it."""

    async def run() -> None:
        app = JobApp(workdir)
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: app.desk.table.loaded)
            await body(app.desk, pilot)

    asyncio.run(run())


async def until(pilot: Pilot[None], condition: Callable[[], Any], timeout: float = 20.0) -> Any:
    """Wait until something holds and return it; fails after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not true within {timeout} s"
        await pilot.pause(0.02)
    return answer


def lines(desk: JobScreen) -> list[str]:
    """The text on the whole terminal, line by line."""
    strips = desk.app.screen._compositor.render_strips()
    return [strip.text for strip in strips]


def line_with(desk: JobScreen, text: str) -> str:
    return next((line for line in lines(desk) if text in line), "")


def cursor_line(desk: JobScreen) -> str:
    return next((line for line in lines(desk) if line.startswith(">")), "")


def state(desk: JobScreen, job: int) -> str:
    row = desk.jobs.row(Ref(0, job))
    return "" if row is None else str(row.state)


async def put_cursor(desk: JobScreen, pilot: Pilot[None], job: int) -> None:
    await until(pilot, lambda: Ref(0, job) in desk.jobs)
    await pilot.press("home")
    while desk.jobs.cursor != Ref(0, job):
        before = desk.jobs.cursor
        await pilot.press("down")
        assert desk.jobs.cursor != before, "the job is not in the table"


# -- the table


def test_a_job_submitted_while_it_is_open_appears_and_ends_before_your_eyes(
    workdir: WorkDir, manager: BlockingJobManager, tmp_path: Path
) -> None:
    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        assert line_with(desk, "There are no jobs yet")
        gate = tmp_path / "gate"
        job = manager.submit(sh(f"while [ ! -e {gate} ]; do sleep 0.05; done; exit 7", name="visible"))[0]
        await until(pilot, lambda: re.search(rf"{job}  visible +► running +\d+s +while", line_with(desk, "visible")))
        await until(pilot, lambda: "1 running" in lines(desk)[0] and "engine " in lines(desk)[0])
        gate.touch()
        await until(
            pilot, lambda: re.search(r"visible +✗ failed +\d+s +exit code 7 +while", line_with(desk, "visible  "))
        )

    on_screen(workdir, body)


def test_new_jobs_stand_above_and_the_cursor_and_marks_stay_on_their_jobs(
    workdir: WorkDir, manager: BlockingJobManager
) -> None:
    first = held(manager, 40)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await put_cursor(desk, pilot, first[20])
        await pilot.press("space")
        assert desk.jobs.marks == {Ref(0, first[20])} and desk.jobs.cursor == Ref(0, first[19])
        more = held(manager, 5)
        manager.remove([])
        await until(pilot, lambda: Ref(0, more[-1]) in desk.jobs)
        assert desk.jobs.cursor == Ref(0, first[19]) and desk.jobs.marks == {Ref(0, first[20])}
        assert re.match(rf"> +{first[19]}  held-19 ", cursor_line(desk))
        assert re.match(rf" \* +{first[20]}  held-20 ", line_with(desk, "held-20"))

    on_screen(workdir, body)


def test_a_removed_job_under_the_cursor_is_told_and_its_neighbour_takes_no_hasty_order(
    workdir: WorkDir, manager: BlockingJobManager
) -> None:
    ids = manager.submit(*[sh("true", name=f"t{n}") for n in range(3)])
    manager.wait(ids, timeout=30)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await put_cursor(desk, pilot, ids[1])
        manager.remove([ids[1]])
        await until(pilot, lambda: Ref(0, ids[1]) not in desk.jobs)
        assert desk.jobs.cursor == Ref(0, ids[0])
        await until(pilot, lambda: f"job {ids[1]} t1 was removed; the cursor is on job {ids[0]}" in desk.message)
        desk._slipped_at = time.monotonic()
        await pilot.press("r")
        assert "press the key again" in desk.message
        assert manager.detail(ids[0]).facts.intent.retry is None  # type: ignore[union-attr]

    on_screen(workdir, body)


HOSTILE = {
    "newline": "two\nlines",
    "escape": "\x1b[2J\x1b]0;title\x07\x1b[31mred",
    "markup": "[red]x[/red][/]",
    "emoji": "👩‍💻👍🏽❤️ 日本",
    "bidi": "a\u202eb\u2028c",
    "long": "n" * 300,
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_name_is_data_and_breaks_no_line(workdir: WorkDir, manager: BlockingJobManager, name: str) -> None:
    plain, hostile = manager.submit(
        sh("true", name="plain", hold=True), JobSpec(command=("echo", name), name=name, hold=True)
    )

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: Ref(0, hostile) in desk.jobs and desk.log_pane.view.note)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(desk.app.screen, ConfirmDialog))
        await pilot.press("n")
        await until(pilot, lambda: desk.app.screen is desk)
        shown = lines(desk)
        assert all(cell_len(line) == 100 for line in shown)
        assert all(line.isprintable() for line in shown)
        row, other = line_with(desk, f"{hostile}  "), line_with(desk, f"{plain}  plain")
        before = lambda line: cell_len(line[: line.index("held  ")])  # noqa: E731
        assert before(row) == before(other)
        if name == HOSTILE["markup"]:
            assert "[red]x[/red][/]" in row
        if name == HOSTILE["newline"]:
            assert r"two\nlines" in row

    on_screen(workdir, body)


def test_columns_give_way_where_there_is_no_room(workdir: WorkDir, manager: BlockingJobManager) -> None:
    held(manager, 1)

    async def head(desk: JobScreen, pilot: Pilot[None]) -> None:
        heads.append(lines(desk)[1].replace("▼", "").split())

    heads: list[list[str]] = []
    for width in (120, 70, 50, 24):
        on_screen(workdir, head, size=(width, 24))
    assert heads == [
        ["ID", "NAME", "STATE", "ELAPSED", "WHY", "COMMAND"],
        ["ID", "NAME", "STATE", "ELAPSED", "WHY", "COMMAND"],
        ["ID", "NAME", "STATE", "ELAPSED"],
        ["ID", "STATE"],
    ]


# -- the log


def log_text(desk: JobScreen) -> str:
    """What is in view or was read around it."""
    return "\n".join(row.text for row in desk.log_pane.view.port.page.rows)


def test_the_log_follows_keeps_the_last_state_of_a_progress_bar_and_stops_when_scrolled(
    workdir: WorkDir, manager: BlockingJobManager, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    wait = f"while [ ! -e {gate} ]; do sleep 0.05; done; rm {gate}"
    line = (
        "i=0; while [ $i -lt 100 ]; do echo line $i; i=$((i+1)); done; printf '\\r10%%\\r50%%'; "
        f"{wait}; printf '\\r99%%\\n\\033[31mred\\033[0m [b]\\n'; {wait}; "
        f"echo unseen; {wait}; echo seen; echo oops >&2; {wait}"
    )
    job = manager.submit(sh(line))[0]

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        view = desk.log_pane.view
        await until(pilot, lambda: line_with(desk, "50%") and line_with(desk, "line 99"))
        assert not line_with(desk, "10%")
        gate.touch()
        await until(pilot, lambda: line_with(desk, "red [b]"))
        assert line_with(desk, "99%") and not line_with(desk, "50%")
        assert [str(pen.fore) for _, pen in view.port.rows[-1].runs] == ["1", ""]

        await pilot.press("tab", "pageup")
        assert not view.follow and "not following" in line_with(desk, f"job {job}")
        top = lines(desk)[-5].split()
        gate.touch()
        await until(pilot, lambda: "+1 line" in line_with(desk, f"job {job}"))
        assert lines(desk)[-5].split()[:2] == top[:2] and not line_with(desk, "unseen")
        await pilot.press("end")
        assert view.follow
        await until(pilot, lambda: line_with(desk, "unseen"))
        gate.touch()
        await until(pilot, lambda: line_with(desk, "seen "))

        await pilot.press("o")
        await until(pilot, lambda: line_with(desk, "oops") and line_with(desk, "stderr"))
        gate.touch()

    on_screen(workdir, body)


def test_a_log_of_many_gigabytes_is_opened_at_its_end_and_read_in_parts(
    workdir: WorkDir, manager: BlockingJobManager
) -> None:
    job = held(manager, 1)[0]
    path = workdir.metadir(job) + "/job.stdout"
    with open(path, "wb") as file:
        file.write(b"the first line\n")
        file.truncate(10 * 2**30)
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + b"".join(b"line %d %s\n" % (n, b"x" * 400) for n in range(5000)))

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        view = desk.log_pane.view
        await until(pilot, lambda: line_with(desk, "line 4999"))
        await pilot.press("tab")
        start = view.port.page.rows[0].start
        for _ in range(200):
            await pilot.press("pageup")
            if view.port.page.rows[0].start < start - 300_000:
                break
        assert len(view.port.page.rows) < 300
        numbers = [int(found[1]) for text in lines(desk) if (found := re.match(r"line (\d+)", text))]
        assert len(numbers) > 5 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert numbers[-1] < 4500
        await pilot.press("home")
        await until(pilot, lambda: line_with(desk, "the first line"))
        await pilot.press("end")
        await until(pilot, lambda: line_with(desk, "line 4999"))

    on_screen(workdir, body)


def test_a_log_that_is_written_anew_is_shown_anew(
    workdir: WorkDir, manager: BlockingJobManager, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    wait = f"while [ ! -e {gate} ]; do sleep 0.05; done"
    manager.submit(sh(f"echo old old old; {wait}; : > $JOBTUI_JOB_METADIR/job.stdout; echo new; sleep 60"))

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "old old" in log_text(desk))
        gate.touch()
        await until(pilot, lambda: "new" in log_text(desk) and "old" not in log_text(desk))

    on_screen(workdir, body)


# -- orders


def test_cancel_names_the_job_and_stops_that_one_alone_whatever_arrives_meanwhile(
    workdir: WorkDir, manager: BlockingJobManager
) -> None:
    manager.configure({"slots": 4})
    before, victim, after = manager.submit(*[sh("sleep 300", name=name) for name in ("before", "victim", "after")])

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: all(state(desk, job) == "running" for job in (before, victim, after)))
        await put_cursor(desk, pilot, victim)
        await pilot.press("c")
        dialog = desk.app.screen
        assert isinstance(dialog, ConfirmDialog) and dialog.ids == (victim,)
        await until(pilot, lambda: line_with(desk, f"job {victim} victim  running"))
        new = manager.submit(sh("sleep 300", name="new"), *[sh("true", hold=True) for _ in range(5)])
        await until(pilot, lambda: Ref(0, new[-1]) in desk.jobs)
        assert line_with(desk, f"job {victim} victim  running")
        await pilot.press("y")
        await until(pilot, lambda: desk.message == f"job {victim} victim: asked to stop")
        await until(pilot, lambda: state(desk, victim) == "cancelled")
        assert [state(desk, job) for job in (before, after)] == ["running", "running"]
        assert manager.detail(new[0]).row.state in (State.RUNNING, State.QUEUED)  # type: ignore[union-attr]

    on_screen(workdir, body)


@pytest.mark.parametrize("key", ["enter", "n", "escape", "q"])
def test_the_cancel_dialog_does_nothing_unless_told_to(workdir: WorkDir, manager: BlockingJobManager, key: str) -> None:
    job = held(manager, 1)[0]

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: Ref(0, job) in desk.jobs)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(desk.app.screen, ConfirmDialog) and desk.app.screen.focused)
        await pilot.press(key)
        await until(pilot, lambda: desk.app.screen is desk)
        await pilot.pause(0.1)
        assert manager.detail(job).row.state is State.HELD  # type: ignore[union-attr]

    on_screen(workdir, body)


def test_orders_go_to_the_marked_jobs_and_say_what_became_of_each(
    workdir: WorkDir, manager: BlockingJobManager
) -> None:
    done = manager.submit(sh("true", name="done"))
    manager.wait(done, timeout=30)
    ids = held(manager, 4)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        for job in (ids[3], ids[1], done[0]):
            await put_cursor(desk, pilot, job)
            await pilot.press("space")
        await put_cursor(desk, pilot, ids[2])
        await pilot.press("c")
        await until(pilot, lambda: line_with(desk, "Cancel 3 jobs?"))
        assert line_with(desk, "left alone: it has ended already (finished)")
        await pilot.press("y")
        await until(pilot, lambda: isinstance(desk.app.screen, ReportDialog) and line_with(desk, "2 of 3 jobs"))
        assert re.search(rf"NOT +job {done[0]} done: it has ended already", line_with(desk, "NOT"))
        await pilot.press("escape")
        await until(pilot, lambda: [state(desk, job) for job in ids] == ["held", "cancelled", "held", "cancelled"])
        assert desk.jobs.marks == {Ref(0, done[0])}

    on_screen(workdir, body)


def test_retry_runs_an_ended_job_again_and_shows_the_new_attempts_output(
    workdir: WorkDir, manager: BlockingJobManager
) -> None:
    job = manager.submit(sh("echo this is attempt $JOBTUI_ATTEMPT; exit 4"))[0]
    manager.wait([job], timeout=30)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "attempt 1" in log_text(desk))
        await pilot.press("r")
        await until(pilot, lambda: "runs again as attempt 2" in desk.message)
        await until(pilot, lambda: "attempt 2" in log_text(desk) and state(desk, job) == "failed")

    on_screen(workdir, body)


def test_resubmit_makes_a_new_job(workdir: WorkDir, manager: BlockingJobManager) -> None:
    job = manager.submit(sh("echo hello", name="again"))[0]
    manager.wait([job], timeout=30)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: state(desk, job) == "finished")
        await pilot.press("s")
        await until(pilot, lambda: f"submitted again as job {job + 1}" in desk.message)
        await until(pilot, lambda: state(desk, job + 1) == "finished")
        assert desk.jobs.rows[Ref(0, job + 1)].resubmitted_from == job and desk.jobs.cursor == Ref(0, job)
        # A marked job that the cursor is not on may be out of sight: it is named first.
        await put_cursor(desk, pilot, job)
        await pilot.press("space", "home", "s")
        await until(pilot, lambda: line_with(desk, "Resubmit 1 job?") and line_with(desk, f"job {job} again"))
        await pilot.press("n", "g", "G")
        assert desk.jobs.cursor == Ref(0, job) and len(desk.jobs) == 2

    on_screen(workdir, body)


def test_what_is_impossible_is_refused_with_the_reason(workdir: WorkDir, manager: BlockingJobManager) -> None:
    async def empty(desk: JobScreen, pilot: Pilot[None]) -> None:
        await pilot.press("c")
        assert desk.message == "there is no job to cancel"
        await pilot.press("o", "f", "space", "r", "z", "z", "end")

    on_screen(workdir, empty)
    ended = manager.submit(sh("true", name="over"))[0]
    manager.wait([ended], timeout=30)
    waiting = held(manager, 1)[0]

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await put_cursor(desk, pilot, ended)
        await pilot.press("c")
        assert desk.message == f"job {ended} over cannot be cancelled: it has ended already (finished)"
        assert desk.app.screen is desk
        await put_cursor(desk, pilot, waiting)
        await pilot.press("r")
        assert "cannot be retried: it has not ended yet, it is held" in desk.message

    on_screen(workdir, body)


# -- the whole


def test_help_names_every_key_and_says_that_jobs_outlive_the_screen(workdir: WorkDir) -> None:
    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(desk.app.screen, HelpDialog) and line_with(desk, "Quitting closes"))
        for words in ("Cancel the job", "Run an ended job again", "Show stderr", "Space"):
            assert line_with(desk, words)
        await pilot.press("escape")
        await until(pilot, lambda: desk.app.screen is desk)

    on_screen(workdir, body, size=(100, 40))


def test_quitting_leaves_the_jobs_running(workdir: WorkDir, manager: BlockingJobManager) -> None:
    job = manager.submit(sh("sleep 300"))[0]

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: state(desk, job) == "running")
        await pilot.press("q")

    on_screen(workdir, body)
    detail = manager.detail(job)
    assert detail is not None and detail.row.state is State.RUNNING
    begin = detail.facts.begin
    assert begin is not None and Path(f"/proc/{begin.payload.pid}").exists()


def test_a_work_directory_that_vanishes_is_told_and_one_that_comes_back_is_shown(
    workdir: WorkDir, manager: BlockingJobManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = held(manager, 1)[0]

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: Ref(0, job) in desk.jobs)
        shutil.rmtree(workdir.path)
        await until(pilot, lambda: "is not there" in lines(desk)[0] and not desk.jobs.rows)
        await pilot.press("c", "r", "down")
        monkeypatch.setattr(supervisor, "_started", {})
        again = held(manager, 2)
        await until(pilot, lambda: Ref(0, again[1]) in desk.jobs and "is not there" not in lines(desk)[0])

    on_screen(workdir, body, size=(160, 48))


def test_an_order_that_cannot_be_written_is_told(
    workdir: WorkDir, manager: BlockingJobManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = held(manager, 1)[0]

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        async def full(*_: object) -> list[JobRow]:
            raise OSError(28, "No space left on device", f"{workdir.path}/inbox")

        monkeypatch.setattr(desk.manager, "cancel", full)
        await until(pilot, lambda: Ref(0, job) in desk.jobs)
        await pilot.press("c", "y")
        await until(pilot, lambda: desk.message == f"{workdir.path}/inbox: No space left on device")

    on_screen(workdir, body)
