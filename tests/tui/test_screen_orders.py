"""Orders from the screen: which jobs they reach, what they ask, what they refuse, and what is on disk afterwards."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
from screen_kit import (
    Recorder,
    Site,
    burst,
    line_with,
    lines,
    on_screen,
    painted,
    press,
    presses,
    put_cursor,
    state,
    until,
)
from textual.pilot import Pilot

from jobtui.core import AfterJob, ArrayTask, BlockingJobManager, JobManager, JobSpec, Outcome, State, WorkDir
from jobtui.core.backend import Foreign
from jobtui.core.job import Intent
from jobtui.core.metadir import read_facts
from jobtui.core.seen import Seen, keep_seen
from jobtui.core.verdict import Observation
from jobtui.tui.detail.choice import ChoiceDialog
from jobtui.tui.detail.form import SubmitForm
from jobtui.tui.ref import ArrayRef, ForeignRef, Ref
from jobtui.tui.screen import giver
from jobtui.tui.screen.desk import JobScreen
from jobtui.tui.screen.dialogs import ConfirmDialog, ReportDialog, ValueDialog


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "jobs")


def intent(site: Site, job: int) -> Intent:
    return read_facts(site.workdir.metadir(job)).intent


def is_open(desk: JobScreen, kind: type) -> bool:
    """Whether a dialog is open and ready for keys."""
    screen = desk.app.screen
    return isinstance(screen, kind) and screen.is_mounted and screen.focused is not None


async def asked(desk: JobScreen, pilot: Pilot[None], *keys: str) -> ConfirmDialog:
    """Press keys until a question is open."""
    await press(pilot, *keys)
    await until(pilot, lambda: is_open(desk, ConfirmDialog))
    assert isinstance(desk.app.screen, ConfirmDialog)
    return desk.app.screen


def array_of(site: Site, *states: State, name: str = "align") -> list[int]:
    """The tasks of an array."""
    first = len(site.rows) + 1
    made = []
    for index, each in enumerate(states):
        spec = JobSpec(command=("align", str(index)), name=name, cwd=site.workdir.path, array=ArrayTask(first, index))
        made.append(site.add(name, each, spec=spec))
    return made


# -- each order, as it is found on disk


@presses("cancel")
def test_cancel_names_the_job_and_asks_that_one_to_stop(site: Site) -> None:
    before, victim, after = (site.add(name, State.RUNNING) for name in ("before", "victim", "after"))

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await put_cursor(desk, pilot, victim)
        await asked(desk, pilot, "c")
        assert line_with(desk, "Cancel 1 job?") and line_with(desk, f"job {victim} victim  running")
        for _ in range(5):
            site.begin("new", State.RUNNING)
        await until(pilot, lambda: Ref(0, after + 5) in desk.jobs)
        await press(pilot, "y")
        await until(pilot, lambda: line_with(desk, f"job {victim} victim: asked to stop"))

    on_screen(site.save(), body)
    assert intent(site, victim).cancel is not None
    assert all(intent(site, job).cancel is None for job in site.rows if job != victim), (before, after)


@pytest.mark.parametrize("key", ["enter", "n", "escape", "q", "ctrl+c"])
def test_the_question_does_nothing_unless_told_to(site: Site, key: str) -> None:
    job = site.add("kept", State.HELD)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await asked(desk, pilot, "c")
        await press(pilot, key)
        await until(pilot, lambda: desk.app.screen is desk)

    on_screen(site.save(), body)
    assert intent(site, job) == Intent()


def test_the_question_is_answered_by_its_buttons_too(site: Site) -> None:
    job = site.add("given up", State.HELD)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await asked(desk, pilot, "c")
        await press(pilot, "left", "enter")
        await until(pilot, lambda: line_with(desk, "given up: cancelled"))
        site.say(job, state=State.HELD, name="again")
        await until(pilot, lambda: line_with(desk, "again"))
        await asked(desk, pilot, "c")
        await pilot.click("#no")
        await until(pilot, lambda: desk.app.screen is desk)

    on_screen(site.save(), body)
    assert intent(site, job).cancel is not None


@presses("requeue")
def test_requeue_asks_first_and_then_stops_the_job_and_runs_it_again(site: Site) -> None:
    waiting, ended, running = (site.add(str(each), each) for each in (State.QUEUED, State.FAILED, State.RUNNING))
    manager = Recorder(site.save().workdir)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await put_cursor(desk, pilot, ended)
        await press(pilot, "B")
        assert "cannot be requeued: it has ended; retry it" in desk.message
        await put_cursor(desk, pilot, waiting)
        await press(pilot, "B")
        assert "cannot be requeued: only a job that was started" in desk.message
        await put_cursor(desk, pilot, running)
        await asked(desk, pilot, "B")
        assert line_with(desk, "Requeue 1 job?") and line_with(desk, "runs again from its beginning")
        await press(pilot, "n")
        assert manager.orders == []
        await asked(desk, pilot, "B")
        await press(pilot, "y")
        await until(pilot, lambda: manager.orders == [("requeue", (running,))])

    on_screen(manager, body)


@presses("retry")
def test_retry_asks_for_another_attempt_of_an_ended_job(site: Site) -> None:
    job = site.add("broken", State.FAILED)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "r")
        await until(pilot, lambda: line_with(desk, f"job {job} broken: runs again as attempt 2"))

    on_screen(site.save(), body)
    assert intent(site, job).retry is not None


@presses("retry", "expand")
def test_retry_on_the_line_of_an_array_means_its_failed_tasks(site: Site) -> None:
    tasks = array_of(site, State.FINISHED, State.FAILED, State.RUNNING, State.CANCELLED, State.FAILED)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        assert desk.jobs.cursor == ArrayRef(0, tasks[0])
        dialog = await asked(desk, pilot, "r")
        assert dialog.refs == (Ref(0, tasks[1]), Ref(0, tasks[3]), Ref(0, tasks[4]))
        await press(pilot, "n", "x")
        assert len(desk.jobs) == 6
        await press(pilot, "G", "r")
        await until(pilot, lambda: "runs again as attempt 2" in desk.message)

    on_screen(site.save(), body)
    assert [job for job in tasks if intent(site, job).retry] == [tasks[4]]


def test_an_array_whose_tasks_all_did_well_has_none_to_retry(site: Site) -> None:
    array_of(site, State.FINISHED, State.FINISHED)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "r")
        assert desk.message == "no task of this array has failed" and desk.app.screen is desk

    on_screen(site.save(), body)


@presses("resubmit")
def test_resubmit_makes_a_new_job_and_the_cursor_stays(site: Site) -> None:
    job = site.add("again", State.FINISHED)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "s")
        await until(pilot, lambda: f"submitted again as job {job + 1}" in desk.message)
        await until(pilot, lambda: Ref(0, job + 1) in desk.jobs)
        assert desk.jobs.cursor == Ref(0, job)

    on_screen(site.save(), body)
    spec = read_facts(site.workdir.metadir(job + 1)).spec
    assert spec is not None and spec.resubmitted_from == job and spec.name == "again"


class Shell:
    """Stands in for leaving the screen to another program: the test has no terminal to give away."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 0
        monkeypatch.setattr("jobtui.tui.screen.jobapp.JobApp.suspend", lambda _app: self)

    def __enter__(self) -> None:
        self.left += 1

    def __exit__(self, *_: object) -> None:
        pass


def editor(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that edits its last argument by a line of sh."""
    program = folder / "editor"
    program.write_text(f"#!/bin/sh\nfor file; do :; done\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(program))


@presses("edit")
def test_edit_and_resubmit_shows_the_difference_and_makes_a_new_job(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = site.add("tune", State.FAILED)
    shell = Shell(monkeypatch)
    editor(tmp_path, "sed -i 's/tune/tuned/g' \"$file\"", monkeypatch)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "e")
        await until(pilot, lambda: is_open(desk, ChoiceDialog))
        assert line_with(desk, "with these changes?") and line_with(desk, "tuned")
        await press(pilot, "y")
        await until(pilot, lambda: line_with(desk, f"submitted job {job + 1}"))

    on_screen(site.save(), body)
    spec = read_facts(site.workdir.metadir(job + 1)).spec
    assert shell.left == 1 and spec is not None and (spec.name, spec.command) == ("tuned", ("echo", "tuned"))


def test_what_was_edited_is_submitted_only_when_told_to(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = site.add("tune", State.FAILED)
    Shell(monkeypatch)
    editor(tmp_path, "exit 0", monkeypatch)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "e")
        await until(pilot, lambda: is_open(desk, ChoiceDialog))
        await press(pilot, "escape")
        await until(pilot, lambda: line_with(desk, "nothing was submitted"))

    on_screen(site.save(), body)
    assert not os.path.exists(site.workdir.metadir(job + 1))


@presses("submit")
def test_the_form_submits_a_new_job(site: Site) -> None:
    site.add("other", State.FINISHED)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "n")
        await until(pilot, lambda: is_open(desk, SubmitForm))
        await press(pilot, *"echo hi", "ctrl+o")
        await until(pilot, lambda: line_with(desk, "submitted job 2"))
        await until(pilot, lambda: Ref(0, 2) in desk.jobs)

    on_screen(site.save(), body)
    spec = read_facts(site.workdir.metadir(2)).spec
    assert spec is not None and spec.command_line() == "echo hi"


@presses("hold", "release", "priority")
def test_waiting_jobs_are_held_released_and_moved_in_the_queue(site: Site) -> None:
    waiting, kept = site.add("waiting"), site.add("kept", State.HELD)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "U")
        await until(pilot, lambda: line_with(desk, f"job {kept} kept: released"))
        await press(pilot, "down", "H")
        await until(pilot, lambda: line_with(desk, f"job {waiting} waiting: held"))
        await press(pilot, "equals_sign")
        await until(pilot, lambda: is_open(desk, ValueDialog))
        await press(pilot, "x")
        await until(pilot, lambda: line_with(desk, "a priority is a whole number"))
        await press(pilot, "backspace", "backspace", *"-5", "enter")
        await until(pilot, lambda: line_with(desk, "has priority -5 now"))

    on_screen(site.save(), body)
    assert (intent(site, kept).hold, intent(site, waiting).hold, intent(site, waiting).priority) == (False, True, -5)


@presses("signal", "suspend", "resume")
def test_running_jobs_are_sent_signals_suspended_and_resumed(site: Site) -> None:
    running, stopped = site.add("running", State.RUNNING), site.add("stopped", State.SUSPENDED)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "Y")
        await until(pilot, lambda: line_with(desk, "stopped: asked to resume it"))
        await press(pilot, "down", "T")
        await until(pilot, lambda: line_with(desk, "running: asked to suspend it"))
        await press(pilot, "X")
        await until(pilot, lambda: is_open(desk, ValueDialog))
        await press(pilot, "up")
        await until(pilot, lambda: line_with(desk, "INT "))
        await press(pilot, *["backspace"] * 8, *"nonsense")
        await until(pilot, lambda: line_with(desk, "there is no signal nonsense"))
        await press(pilot, "enter", *["backspace"] * 8, *"usr1", "enter")
        await until(pilot, lambda: line_with(desk, "Send USR1 to 1 job?") and is_open(desk, ConfirmDialog))
        await press(pilot, "y")
        await until(pilot, lambda: line_with(desk, "running: asked to send it USR1"))

    on_screen(site.save(), body)
    assert [(order.verb, order.signal) for order in intent(site, running).orders] == [
        ("suspend", ""),
        ("signal", "USR1"),
    ]
    assert [order.verb for order in intent(site, stopped).orders] == ["resume"]


@presses("remove")
def test_remove_asks_and_deletes_the_folder_of_an_ended_job(site: Site) -> None:
    parent, child = site.add("parent", State.FINISHED), site.add("old", State.FINISHED)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        dialog = await asked(desk, pilot, "D")
        assert dialog.refs == (Ref(0, child),)
        assert line_with(desk, "Their folders and output are deleted for good.")
        await press(pilot, "y")
        await until(pilot, lambda: line_with(desk, f"job {child}", "removed"))
        await until(pilot, lambda: Ref(0, child) not in desk.jobs)

    on_screen(site.save(), body)
    assert not os.path.exists(site.workdir.metadir(child)) and os.path.exists(site.workdir.metadir(parent))


def test_a_real_engine_carries_them_out_before_your_eyes(workdir: WorkDir, tmp_path: Path) -> None:
    manager = BlockingJobManager(workdir)
    manager.configure({"slots": 4})
    script = "trap 'echo got usr1' USR1; while :; do sleep 0.05; done"
    talking, other, broken = manager.submit(
        JobSpec(shell=script, name="talking", grace=2),
        JobSpec(command=("sleep", "300"), name="other"),
        JobSpec(shell="echo attempt $JOBTUI_ATTEMPT; exit 4", name="broken"),
    )

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: [state(desk, job) for job in (talking, other)] == ["running", "running"])
        await until(pilot, lambda: state(desk, broken) == "failed" and line_with(desk, "2 running", "engine"))
        await put_cursor(desk, pilot, broken)
        await until(pilot, lambda: line_with(desk, "exit code 4"))
        await press(pilot, "r")
        await until(pilot, lambda: _log(desk, "attempt 2"))
        await put_cursor(desk, pilot, talking)
        await press(pilot, "T")
        await until(pilot, lambda: state(desk, talking) == "suspended")
        await press(pilot, "Y")
        await until(pilot, lambda: state(desk, talking) == "running")
        await press(pilot, "X", *["backspace"] * 4, *"USR1", "enter")
        await until(pilot, lambda: is_open(desk, ConfirmDialog))
        await press(pilot, "y")
        await until(pilot, lambda: _log(desk, "got usr1"))
        await asked(desk, pilot, "c")
        await press(pilot, "y")
        await until(pilot, lambda: state(desk, talking) == "cancelled")
        assert state(desk, other) == "running"

    on_screen(JobManager(workdir), body, (120, 30))
    # Closing the screen leaves the jobs alone.
    detail = manager.detail(other)
    assert detail is not None and detail.row.state is State.RUNNING and detail.facts.begin is not None
    assert Path(f"/proc/{detail.facts.begin.payload.pid}").exists()


def _log(desk: JobScreen, words: str) -> bool:
    return any(words in row.text for row in desk.log_pane.view.port.rows)


# -- several jobs


@presses("mark", "cancel")
def test_orders_go_to_the_marked_jobs_and_say_what_became_of_each(site: Site) -> None:
    done = site.add("done", State.FINISHED)
    ids = [site.add(f"held-{n}", State.HELD) for n in range(4)]

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        for job in (ids[3], ids[1], done):
            await put_cursor(desk, pilot, job)
            await press(pilot, "space")
        await put_cursor(desk, pilot, ids[2])
        await asked(desk, pilot, "c")
        assert line_with(desk, "Cancel 3 jobs?") and line_with(desk, "2 of 3 jobs can be cancelled")
        assert line_with(desk, "left alone: it has ended already (finished)")
        await press(pilot, "y")
        await until(pilot, lambda: isinstance(desk.app.screen, ReportDialog) and line_with(desk, "2 of 3 jobs"))
        assert re.search(rf"NOT +job {done} done: it has ended already", line_with(desk, "NOT"))
        assert lines(desk).index(line_with(desk, "NOT")) < lines(desk).index(line_with(desk, "done  job"))
        await press(pilot, "escape")
        assert desk.jobs.marks == {Ref(0, done)}

    on_screen(site.save(), body)
    assert [intent(site, job).cancel is not None for job in ids] == [False, True, False, True]


def test_a_single_marked_job_out_of_sight_is_named_first(site: Site) -> None:
    job, other = site.add("marked", State.FAILED), site.add("other", State.FAILED)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await put_cursor(desk, pilot, job)
        await press(pilot, "space", "home", "slash", *"other", "enter")
        assert "1 marked (1 out of sight)" in lines(desk)[0]
        dialog = await asked(desk, pilot, "r")
        assert dialog.refs == (Ref(0, job),)
        assert line_with(desk, "1 job of these is not shown now")
        await press(pilot, "n")

    on_screen(site.save(), body)
    assert not intent(site, job).retry and not intent(site, other).retry


def test_above_twenty_jobs_the_number_must_be_typed(site: Site) -> None:
    for n in range(21):
        site.add(f"held-{n}", State.HELD)
    manager = Recorder(site.workdir)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await asked(desk, pilot, "a", "c")
        assert line_with(desk, "and 11 more") and line_with(desk, "Type 21 and Enter to cancel 21 jobs")
        await press(pilot, "y", "enter")
        assert isinstance(desk.app.screen, ConfirmDialog)
        await press(pilot, *"20", "enter")
        assert isinstance(desk.app.screen, ConfirmDialog)
        await press(pilot, *"21", "enter")
        await until(pilot, lambda: line_with(desk, "Cancel: done for 21 of 21 jobs"))

    on_screen([site.save() and manager], body)
    assert manager.orders == [("cancel", tuple(range(1, 22)))]


def test_what_a_manager_cannot_do_at_all_is_told_for_each_job(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(2):
        site.add(f"held-{n}", State.HELD)
    manager = JobManager(site.workdir)

    async def full(*_: Any, **__: Any) -> list[Outcome]:
        raise OSError(28, "No space left on device", f"{site.workdir.path}/inbox")

    monkeypatch.setattr(manager, "cancel", full)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await asked(desk, pilot, "c")
        await press(pilot, "y")
        await until(pilot, lambda: "not done: job 2 held-1:" in desk.message and "No space left" in desk.message)
        await asked(desk, pilot, "a", "c")
        await press(pilot, "y")
        await until(pilot, lambda: isinstance(desk.app.screen, ReportDialog) and line_with(desk, "NOT   job 1 held-0:"))

    site.save()
    on_screen(manager, body, (160, 30))


# -- refused, or left alone


def test_what_is_impossible_is_refused_with_the_reason_and_opens_no_dialog(site: Site) -> None:
    async def empty(desk: JobScreen, pilot: Pilot[None]) -> None:
        for key in "crseHUXTYD":
            desk.message = ""
            await press(pilot, key)
            assert desk.message == "there is no job" and desk.app.screen is desk, key
        await press(pilot, "equals_sign", "o", "f", "space", "v", "a", "x", "z", "z", "end", "i", "i", "enter")
        assert desk.app.screen is desk

    on_screen(site.save(), empty)
    over, waiting = site.add("over", State.FINISHED), site.add("waiting", State.HELD)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        refused = {
            over: {
                "c": "cannot be cancelled: it has ended already (finished)",
                "H": "cannot be held: ",
                "U": "cannot be released: it is not held",
                "equals_sign": "only a waiting job has a place in the queue, and it is finished",
                "X": "only a running job takes signals, and it is finished",
                "T": "only a running job can be suspended, and it is finished",
                "Y": "it is not suspended (finished)",
            },
            waiting: {
                "r": "cannot be retried: it has not ended yet, it is held",
                "D": "cannot be removed: only an ended job can be removed, and it is held",
                "X": "only a running job takes signals, and it is held",
            },
        }
        for job, keys in refused.items():
            await put_cursor(desk, pilot, job)
            for key, words in keys.items():
                await press(pilot, key)
                assert words in desk.message and f"job {job} " in desk.message, (key, desk.message)
                assert desk.app.screen is desk
        await press(pilot, "a", "T")
        assert desk.message.startswith("none of the 2 jobs can be suspended: ")
        await press(pilot, "e")
        assert desk.message == "this works on one job at a time"

    on_screen(site.save(), body)
    assert intent(site, over) == intent(site, waiting) == Intent()


def test_the_palette_greys_what_cannot_be_done_and_says_why(site: Site) -> None:
    site.add("over", State.FINISHED)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "colon", *"suspend")
        await until(pilot, lambda: line_with(desk, "only a running job can be suspended"))
        await press(pilot, "enter")
        assert desk.app.screen is not desk
        await press(pilot, "escape")

    on_screen(site.save(), body, (120, 30))


def test_a_question_shows_what_becomes_of_its_jobs_and_leaves_alone_what_went_on(site: Site) -> None:
    ids = [site.add(name, State.RUNNING) for name in ("stays", "ends", "retried", "removed")]
    stays, ends, retried, removed = ids
    manager = JobManager(site.workdir)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await asked(desk, pilot, "a", "c")
        site.say(ends, state=State.FINISHED, ended=time.time(), elapsed=1.0, exit_code=0)
        (Path(site.workdir.metadir(ends)) / "job.rc").write_bytes(b"")
        site.say(retried, attempt=2)
        site.append([], [removed])
        await until(pilot, lambda: line_with(desk, "left alone: it has ended already (finished)"))
        await until(pilot, lambda: line_with(desk, f"job {removed}  removed meanwhile"))
        orders: list[tuple[int, ...]] = []

        async def cancel(jobs: Any, **_: Any) -> list[Outcome]:
            orders.append(tuple(jobs))
            return [Outcome(job, job == stays, "asked to stop" if job == stays else "it has ended") for job in jobs]

        manager.cancel = cancel  # type: ignore[method-assign]
        await press(pilot, "y")
        await until(pilot, lambda: isinstance(desk.app.screen, ReportDialog))
        assert orders == [(stays, ends)]
        assert line_with(desk, "Cancel: done for 1 of 4 jobs")
        assert line_with(desk, f"job {retried} retried: it began another attempt meanwhile; left alone")
        assert line_with(desk, f"job {removed}: it was removed meanwhile")
        assert line_with(desk, f"job {ends} ends: it has ended")

    site.save()
    on_screen(manager, body)


def test_a_job_that_slips_under_the_cursor_takes_no_hasty_order(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [site.add(f"t{n}", State.FAILED) for n in range(3)]
    manager = Recorder(site.workdir)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await put_cursor(desk, pilot, ids[1])
        site.append([], [ids[1]])
        monkeypatch.setattr(giver, "_SLIPPED", 60.0)
        await until(pilot, lambda: desk.jobs.cursor == Ref(0, ids[0]))
        # At once, before anything is painted.
        assert desk.press("r")
        assert "the cursor has just moved to job 1 t0; press the key again" in desk.message
        for key in ("c", "X", "D", "s", "equals_sign", "e"):
            assert desk.press(key) and desk.app.screen is desk
        monkeypatch.setattr(giver, "_SLIPPED", 0.0)
        await press(pilot, "r")
        await until(pilot, lambda: manager.orders)

    on_screen([site.save() and manager], body)
    assert manager.orders == [("retry", (ids[0],))]


def test_some_want_no_question_before_what_has_not_started_is_cancelled(site: Site, tmp_path: Path) -> None:
    waiting, running = site.add("waiting"), site.add("running", State.RUNNING)
    manager = Recorder(site.workdir)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await asked(desk, pilot, "c")
        await press(pilot, "n", "down", "c")
        await until(pilot, lambda: manager.orders)

    site.save()
    on_screen(manager, body, config="[screen]\nconfirm_own = false\n")
    assert manager.orders == [("cancel", (waiting,))], running


# -- keys that arrive all at once


@pytest.mark.parametrize(
    ("keys", "orders"),
    [
        (("c", "y"), [("cancel", (2,))]),
        (("c", "n", "j", "c", "y"), [("cancel", (1,))]),
        (("c", "c", "escape"), []),
        (("c", "enter"), []),
        (("n", *"crsDHU", "escape", "y"), []),
        (("slash", *"carsHUD", "enter"), []),
        (("slash", *"cary", "escape"), []),
        (("colon", *"crsHUD", "escape"), []),
        (("2", "slash", *"crsHUD", "enter"), []),
        (("2", "slash", *"cy", "enter", "q", "c", "y"), [("cancel", (2,))]),
        (("slash", *"car", "enter", "c", "y"), [("cancel", (1,))]),
        (("X", *"crsHUD", "escape"), []),
        (("S", "r", "s", "escape"), []),
        (("C", "r", "s", "escape"), []),
        (("y", "r", "s", "q"), []),
        (("question_mark", "r", "s", "q"), []),
        (("at", "r", "s", "q"), []),
        (("F", "r", "s", "q"), []),
    ],
    ids=lambda value: "".join(value) if value and isinstance(value[0], str) else "",
)
def test_keys_behind_one_that_opens_something_go_there_and_not_to_the_table(
    site: Site, keys: tuple[str, ...], orders: list[tuple[str, tuple[int, ...]]]
) -> None:
    site.add("car", State.RUNNING)
    site.add("cat", State.FAILED if keys[0] == "F" else State.RUNNING)
    manager = Recorder(site.workdir)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, *keys)
        await until(pilot, lambda: len(manager.orders) >= len(orders))

    site.save()
    on_screen(manager, body, config="[filters]\nbad = 'state:failed'\n")
    assert manager.orders == orders


def test_text_typed_at_once_behind_its_key_is_all_there(site: Site) -> None:
    site.add("cab", State.RUNNING)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        burst(desk, "slash", *"cab")
        await until(pilot, lambda: desk.filter_bar.entry.value == "cab" and desk.jobs.filter_text == "cab")
        burst(desk, "enter", "slash", *"c", "escape")
        await until(pilot, lambda: desk.jobs.filter_text == "" and desk.focused is desk.table)
        burst(desk, "colon", *"sort")
        await until(pilot, lambda: line_with(desk, "Sort by the next column", "Sort by the column to the right"))
        burst(desk, "escape", "n", *"echo")
        await until(pilot, lambda: is_open(desk, SubmitForm))
        await until(pilot, lambda: line_with(desk, "command", "echo"))

    on_screen(site.save(), body)


def test_a_condition_keeps_a_job_from_being_removed_and_that_is_said(site: Site) -> None:
    parent = site.add("parent", State.FINISHED)
    spec = JobSpec(command=("true",), name="child", cwd=site.workdir.path, after=AfterJob(parent), hold=True)
    site.add("child", State.HELD, spec=spec)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await put_cursor(desk, pilot, parent)
        await asked(desk, pilot, "D")
        await press(pilot, "y")
        await until(pilot, lambda: line_with(desk, f"not done: job {parent} parent: job 2 waits for it"))

    on_screen(site.save(), body)


@presses("resubmit", "edit")
def test_a_foreign_job_is_submitted_again_by_its_script_after_a_question_or_an_editor(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    others = [Foreign(jid, "theirs", Observation("running"), "main", now) for jid in ("4711", "4712")]
    keep_seen(site.workdir, Seen("slurm", "Slurm", now, now, "", tuple(others)))
    recorder = Recorder(site.save().workdir)
    recorder.specs["slurm:4711"] = JobSpec(shell="#!/bin/sh\nexpensive --run\n", name="theirs", backend="slurm")
    Shell(monkeypatch)
    editor(tmp_path, "sed -i 's/expensive/cheap/' \"$file\"", monkeypatch)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        async def to(jid: str) -> None:
            await until(pilot, lambda: line_with(desk, f"slurm:{jid}"))
            await press(pilot, "home")
            while desk.jobs.cursor != ForeignRef(0, "slurm", jid):
                before = desk.jobs.cursor
                await press(pilot, "down")
                assert desk.jobs.cursor != before
            desk.table.slipped_at = 0.0

        await to("4711")
        await press(pilot, "s")
        assert is_open(desk, ConfirmDialog)
        await press(pilot, "y")
        await until(pilot, lambda: "submitted again as job 1" in painted(pilot))
        await until(pilot, lambda: Ref(0, 1) in desk.jobs)
        await to("4711")
        await press(pilot, "e")
        await until(pilot, lambda: is_open(desk, ChoiceDialog))
        assert line_with(desk, "cheap --run")
        await press(pilot, "y")
        await until(pilot, lambda: line_with(desk, "submitted job 2"))
        await to("4712")
        await press(pilot, "e")
        await until(pilot, lambda: line_with(desk, "has forgotten its script"))

    on_screen(recorder, body, (120, 40), schedulers=["slurm"])
    specs = [read_facts(site.workdir.metadir(job)).spec for job in (1, 2)]
    assert [spec and spec.shell for spec in specs] == ["#!/bin/sh\nexpensive --run\n", "#!/bin/sh\ncheap --run\n"]
