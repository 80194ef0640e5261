"""Foreign jobs on the screen: rows like others, named by their scheduler's ids, and orders for exactly those."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from screen_kit import Recorder, Site, line_with, on_screen, painted, press, presses, until
from textual.pilot import Pilot

from jobtui.core import JobSpec, State
from jobtui.core.backend import Foreign, Shown
from jobtui.core.errands import ForeignOrder
from jobtui.core.job import Attached, Resources
from jobtui.core.seen import Seen, keep_seen
from jobtui.core.verdict import Observation
from jobtui.core.wants import Wants
from jobtui.core.workdir import ErrandFor
from jobtui.tui.ref import ForeignRef, Ref
from jobtui.tui.screen.desk import JobScreen

SUBMITTED = float(int(time.time()) - 120)


def foreign(jid: str, name: str, presence: Any = "running", submitted: float = SUBMITTED, **seen: Any) -> Foreign:
    return Foreign(jid, name, Observation(presence, **seen), "main", submitted, f"/x/{name}.sh", "/x")


def say(site: Site, *others: Foreign, at: float | None = None, backend: str = "slurm") -> None:
    at = time.time() if at is None else at
    keep_seen(site.workdir, Seen(backend, "Slurm", at, at, "", others))


async def to_job(desk: JobScreen, pilot: Pilot[None], ref: Any) -> None:
    await until(pilot, lambda: desk.jobs.number_of(ref) is not None)
    await press(pilot, "home")
    while desk.jobs.cursor != ref:
        before = desk.jobs.cursor
        await press(pilot, "down")
        assert desk.jobs.cursor != before
    desk.table.slipped_at = 0.0


def test_foreign_jobs_are_in_the_table_and_found_by_filters(tmp_path: Path) -> None:
    site = Site(tmp_path / "jobs")
    site.add("mine", State.RUNNING)
    say(site, foreign("4711", "theirs"), foreign("4712", "waiting", "held", detail="held in Slurm"))

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: line_with(desk, "slurm:4711", "theirs", "running"))
        assert line_with(desk, "slurm:4712", "waiting", "held")
        desk.lists.set_filter("is:foreign")
        await until(pilot, lambda: not line_with(desk, "mine"))
        assert line_with(desk, "slurm:4711")
        desk.lists.set_filter("slurm:4712")
        assert desk.message
        desk.lists.set_filter("4712")
        await until(pilot, lambda: not line_with(desk, "slurm:4711"))
        assert line_with(desk, "slurm:4712")

    on_screen(site.save(), body, schedulers=["slurm"])


def test_they_come_and_change_and_go_while_cursor_and_marks_stay_on_theirs(tmp_path: Path) -> None:
    site = Site(tmp_path / "jobs")
    site.add("mine", State.RUNNING)
    say(site, foreign("1", "one"), foreign("2", "two"))

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        two = ForeignRef(0, "slurm", "2")
        await to_job(desk, pilot, two)
        await press(pilot, "space")
        await to_job(desk, pilot, two)
        say(site, foreign("3", "new", submitted=SUBMITTED + 5), foreign("2", "two", "gone", outcome="failed", at=1.0))
        await until(pilot, lambda: line_with(desk, "slurm:2", "failed") and line_with(desk, "slurm:3"))
        assert not line_with(desk, "slurm:1")
        assert desk.jobs.cursor == two and desk.jobs.marks == {two}
        say(site, foreign("3", "new"))
        await until(pilot, lambda: "slurm:2 two is not listed by slurm any more" in painted(pilot))
        assert not desk.jobs.marks

    on_screen(site.save(), body, schedulers=["slurm"])


@presses("cancel")
def test_cancelling_a_foreign_job_names_it_and_orders_just_that(tmp_path: Path) -> None:
    site = Site(tmp_path / "jobs")
    site.add("mine", State.RUNNING)
    say(site, foreign("4711", "theirs"), foreign("4712", "other"))
    recorder = Recorder(site.save().workdir)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await to_job(desk, pilot, ForeignRef(0, "slurm", "4711"))
        await press(pilot, "c")
        assert "slurm:4711 theirs" in painted(pilot) and "job 1" not in painted(pilot).split("Cancel 1 job?")[1]
        await press(pilot, "y")
        await until(pilot, lambda: "slurm:4711 theirs: cancel noted" in painted(pilot))
        assert recorder.orders == []
        assert recorder.foreign_orders == [(ForeignOrder("cancel"), (("slurm", ErrandFor("4711", SUBMITTED)),))]

    on_screen(recorder, body, schedulers=["slurm"])


def test_an_id_that_became_another_job_behind_the_question_is_left_alone(tmp_path: Path) -> None:
    site = Site(tmp_path / "jobs")
    say(site, foreign("4711", "theirs"))
    recorder = Recorder(site.save().workdir)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        ref = ForeignRef(0, "slurm", "4711")
        await to_job(desk, pilot, ref)
        await press(pilot, "c")
        say(site, foreign("4711", "another", submitted=SUBMITTED + 50))
        await until(pilot, lambda: (row := desk.jobs.row(ref)) and row.name == "another")
        await press(pilot, "y")
        await until(pilot, lambda: "another job's by now" in painted(pilot))
        assert recorder.foreign_orders == []

    on_screen(recorder, body, schedulers=["slurm"])


@presses("attach")
def test_a_key_takes_a_foreign_job_over_and_nothing_else(tmp_path: Path) -> None:
    site = Site(tmp_path / "jobs")
    site.add("mine", State.RUNNING)
    say(site, foreign("4711", "theirs"), foreign("4712", "over", "gone", outcome="finished", exit_code=0, at=1.0))
    recorder = Recorder(site.save().workdir)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await to_job(desk, pilot, Ref(0, 1))
        await press(pilot, "A")
        assert "it is a job of this work directory already" in painted(pilot)
        await to_job(desk, pilot, ForeignRef(0, "slurm", "4712"))
        await press(pilot, "A")
        assert "it has ended already (finished)" in painted(pilot)
        await to_job(desk, pilot, ForeignRef(0, "slurm", "4711"))
        await press(pilot, "A")
        await until(pilot, lambda: "slurm:4711 theirs: attach noted" in painted(pilot))
        assert recorder.orders == []
        assert recorder.foreign_orders == [(ForeignOrder("attach"), (("slurm", ErrandFor("4711", SUBMITTED)),))]

    on_screen(recorder, body, schedulers=["slurm"])


@presses("retry", "edit", "requeue")
def test_an_attached_job_shows_its_output_and_is_never_run_again(tmp_path: Path) -> None:
    site, log = Site(tmp_path / "jobs"), tmp_path / "run.out"
    log.write_text("what it writes\n")
    spec = JobSpec(name="theirs", backend="slurm", cwd="/x", attached=Attached(str(log), str(log)))
    own = {"backend": "slurm", "jid": "4711", "submitted": SUBMITTED, "attached": True}
    job = site.add("theirs", State.FAILED, spec=spec, **own)
    Path(site.workdir.metadir(job), "job.stdout").symlink_to(log)
    recorder = Recorder(site.save().workdir)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await to_job(desk, pilot, Ref(0, job))
        await until(pilot, lambda: line_with(desk, "what it writes"))
        await press(pilot, "r")
        assert "there is no next attempt" in painted(pilot)
        await press(pilot, "B")
        assert "it has ended" in painted(pilot) or "there is no next attempt" in painted(pilot)
        await press(pilot, "e")
        await until(pilot, lambda: "has no job script of it" in painted(pilot))
        await press(pilot, "i")
        await until(pilot, lambda: line_with(desk, "stdout", "run.out"))
        assert recorder.orders == []

    on_screen(recorder, body, (120, 50))


@presses("retry", "remove")
def test_what_cannot_be_done_to_a_foreign_job_says_why(tmp_path: Path) -> None:
    site = Site(tmp_path / "jobs")
    say(site, foreign("4711", "theirs"))

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await to_job(desk, pilot, ForeignRef(0, "slurm", "4711"))
        for key in ("r", "D"):
            await press(pilot, key)
            assert "was not submitted by jobtui" in painted(pilot)

    on_screen(site.save(), body, schedulers=["slurm"])


@presses("foreign")
def test_a_key_hides_foreign_jobs_and_the_next_screen_remembers(tmp_path: Path) -> None:
    site = Site(tmp_path / "jobs")
    site.add("mine", State.RUNNING)
    say(site, foreign("4711", "theirs"))
    wants = Wants(site.save().workdir)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: line_with(desk, "slurm:4711"))
        await until(pilot, lambda: wants.look(time.monotonic()) and list(wants.schedulers) == ["slurm"])
        await press(pilot, "O")
        assert not line_with(desk, "slurm:4711") and line_with(desk, "mine")
        await until(pilot, lambda: wants.look(time.monotonic()) and not wants.all)

    async def again(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: line_with(desk, "mine"))
        assert not line_with(desk, "slurm:4711")
        await press(pilot, "O")
        await until(pilot, lambda: line_with(desk, "slurm:4711"))

    on_screen(site, body, schedulers=["slurm"])
    on_screen(site, again, schedulers=["slurm"])


def test_a_screen_that_is_closed_wants_nothing_any_more(tmp_path: Path) -> None:
    site = Site(tmp_path / "jobs").save()
    folder = Path(site.workdir.path, "wants")

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: folder.exists() and list(folder.iterdir()))
        await press(pilot, "q")

    on_screen(site, body, schedulers=["slurm"])
    assert list(folder.iterdir()) == []


def test_where_no_scheduler_is_nothing_is_wanted(tmp_path: Path) -> None:
    site = Site(tmp_path / "jobs")
    site.add("mine", State.RUNNING)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "O", "O")
        await until(pilot, lambda: "no scheduler" in painted(pilot))

    on_screen(site.save(), body)
    assert not Path(site.workdir.path, "wants").exists()


def test_what_was_heard_last_shows_at_once_with_its_time(tmp_path: Path) -> None:
    site = Site(tmp_path / "jobs", lease=False)
    say(site, foreign("4711", "theirs"), at=time.time() - 7200)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: line_with(desk, "slurm:4711", "as of "))

    on_screen(site.save(), body, schedulers=["slurm"])


def test_two_work_directories_show_a_foreign_job_once_and_the_jobs_of_each_other_not_as_foreign(tmp_path: Path) -> None:
    one, two = Site(tmp_path / "one"), Site(tmp_path / "two")
    one.add("here", State.RUNNING, backend="slurm", jid="5", submitted=SUBMITTED)
    for site in (one, two):
        say(site.save(), foreign("5", "here"), foreign("6", "theirs"))

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        two.begin("there", State.RUNNING, backend="slurm", jid="7", submitted=SUBMITTED)
        await until(pilot, lambda: desk.jobs.row(Ref(1, 1)))
        await until(pilot, lambda: line_with(desk, "slurm:6"))
        assert [ref.jid for ref in desk.jobs.rows if isinstance(ref, ForeignRef)] == ["6"]

    on_screen([one, two], body, schedulers=["slurm"])


def test_the_output_of_a_foreign_job_is_followed_where_its_scheduler_says_it_is(tmp_path: Path) -> None:
    site, out, err = Site(tmp_path / "jobs"), tmp_path / "run.out", tmp_path / "run.err"
    say(site, foreign("1", "one", started=SUBMITTED), foreign("2", "two", started=SUBMITTED), foreign("3", "three"))
    out.write_text("first line\n")
    err.write_text("a warning\n")
    recorder = Recorder(site.save().workdir)
    recorder.told["slurm:1"] = Shown(str(out), str(err))
    recorder.told["slurm:3"] = Shown("/dev/null", "/dev/null")

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await to_job(desk, pilot, ForeignRef(0, "slurm", "1"))
        await until(pilot, lambda: line_with(desk, "first line"))
        with out.open("a") as file:
            file.write("second line\n")
        await until(pilot, lambda: line_with(desk, "second line"))
        await press(pilot, "o")
        await until(pilot, lambda: line_with(desk, "a warning") and not line_with(desk, "first line"))
        await press(pilot, "o")
        await until(pilot, lambda: line_with(desk, "a warning") and line_with(desk, "first line"))
        await to_job(desk, pilot, ForeignRef(0, "slurm", "2"))
        await until(pilot, lambda: "Where it writes is not known: its scheduler has forgotten it." in painted(pilot))
        await to_job(desk, pilot, ForeignRef(0, "slurm", "3"))
        await until(pilot, lambda: "It throws this output away" in painted(pilot))

    on_screen(recorder, body, (120, 40), schedulers=["slurm"])


def test_the_detail_of_a_foreign_job_says_what_its_scheduler_tells(tmp_path: Path) -> None:
    site = Site(tmp_path / "jobs")
    say(site, foreign("1", "one", started=SUBMITTED, host="n7"), foreign("2", "two", "gone", outcome="failed", at=9.0))
    recorder = Recorder(site.save().workdir)
    recorder.told["slurm:1"] = Shown("/x/one.out", "/x/one.err", command="/x/one.sh in", resources=Resources(cpus=4))

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await press(pilot, "i")
        await to_job(desk, pilot, ForeignRef(0, "slurm", "1"))
        for words in ("/x/one.out", "/x/one.err", "/x/one.sh in", "4 cpus", "n7", "main"):
            await until(pilot, lambda words=words: line_with(desk, words))
        await to_job(desk, pilot, ForeignRef(0, "slurm", "2"))
        await until(pilot, lambda: line_with(desk, "its scheduler has forgotten it"))

    on_screen(recorder, body, (120, 50), schedulers=["slurm"])
