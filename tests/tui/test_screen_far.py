"""What the screen shows of a job on another machine: its log as far as it is here, and whether the machine answers."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from screen_kit import Site, line_with, lines, on_screen, press, presses, put_cursor, until
from textual.pilot import Pilot

from jobtui.core import JobSpec, State
from jobtui.core.links import Link
from jobtui.core.logcopy import Far
from jobtui.core.metadir import write_fact
from jobtui.core.wants import LogWant, Wants
from jobtui.tui.screen.desk import JobScreen


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "jobs")


AWAY = JobSpec(command=("work",), name="away", backend="ssh@far")


def log(site: Site, job: int, text: str, **known: object) -> None:
    """The copy of a log as the engine makes it."""
    folder = Path(site.workdir.metadir(job))
    new = folder / "job.stdout.new"
    new.write_text(text)
    far = Far("far", os.stat(new).st_ino, **{"size": len(text), "at": time.time(), "life": "one", **known})  # type: ignore[arg-type]
    write_fact(str(folder), "job.stdout.far", far)
    os.rename(new, folder / "job.stdout")


def link(site: Site, trouble: str = "") -> None:
    now = time.time()
    write_fact(site.workdir.path, "link.ssh@far", Link("ssh@far", now, now, now, trouble))


@presses("log.fetch", "log.stream", "view-log")
def test_of_a_log_on_another_machine_it_says_what_is_here_and_a_key_fetches_the_rest(site: Site) -> None:
    far = site.add("away", State.RUNNING, backend=AWAY.backend, spec=AWAY)
    site.add("here", State.RUNNING)
    site.save()
    wants = Wants(site.workdir)

    def wanted() -> set[LogWant]:
        wants.look(time.monotonic() + 3600)
        return set(wants.logs)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await put_cursor(desk, pilot, far)
        await until(pilot, lambda: line_with(desk, "Being fetched from far"))
        await until(pilot, lambda: wanted() == {LogWant(far, "stdout", 1)})
        log(site, far, "the end of it\n", begin=2**20, size=2**20 + 14)
        await until(pilot, lambda: line_with(desk, "the end of it"))
        await until(pilot, lambda: line_with(desk, "the first 1.0 MiB are on far; B fetches them"))
        await press(pilot, "2", "B")
        await until(pilot, lambda: wanted() == {LogWant(far, "stdout", 1, whole=True)})
        await until(pilot, lambda: line_with(desk, "stdout ·", "fetching the first 1.0 MiB"))
        log(site, far, "the beginning\nthe end of it\n")
        await until(pilot, lambda: line_with(desk, "the beginning"))
        await until(pilot, lambda: not line_with(desk, "stdout ·", "first 1.0 MiB"))
        assert not line_with(desk, "replaced")
        await press(pilot, "o")
        await until(pilot, lambda: wanted() == {LogWant(far, "stderr", 1)})
        await press(pilot, "escape", "up")
        await until(pilot, lambda: wanted() == set())

    on_screen(site, body, (140, 30))


def test_a_lost_link_is_shown_with_its_time_and_the_log_with_its_age(site: Site) -> None:
    far = site.add("away", State.RUNNING, backend=AWAY.backend, spec=AWAY)
    site.save()
    link(site)
    log(site, far, "as it was\n")

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "far connected" in lines(desk)[0])
        await until(pilot, lambda: line_with(desk, "as it was"))
        link(site, "no route to host")
        await until(pilot, lambda: "far lost since " in lines(desk)[0])
        await until(pilot, lambda: line_with(desk, "far is silent: as of "))
        link(site)
        await until(pilot, lambda: "far connected" in lines(desk)[0])
        await until(pilot, lambda: not line_with(desk, "silent"))

    on_screen(site, body, (140, 30))


def test_a_log_of_which_all_is_here_asks_nobody_for_anything(site: Site) -> None:
    far = site.add("away", State.FINISHED, backend=AWAY.backend, spec=AWAY)
    site.save()
    log(site, far, "all of it\n", over=True)
    link(site, "no route to host")

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: line_with(desk, "all of it"))
        await until(pilot, lambda: desk.log_pane.no_fetch() == "all of the log is here")
        assert not os.path.exists(site.workdir.file("wants"))
        assert not line_with(desk, "silent")

    on_screen(site, body, (140, 30))
