"""Everything about one job: what is gathered, which lines it makes, and the pane that shows them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from jobtui.core import AfterJob, AllOf, BlockingJobManager, JobManager, JobSpec, Resources, Retry, WorkDir
from jobtui.core.catalog import Catalog
from jobtui.core.dossier import Dossier, dossier
from jobtui.tui.detail.lines import detail_lines
from jobtui.tui.detail.page import Line, wrap
from jobtui.tui.detail.pane import DetailPane, Shown
from jobtui.tui.detail.timeline import bar
from jobtui.tui.detail.words import exit_words, moment, needs, retries


@pytest.fixture
def manager(workdir: WorkDir) -> BlockingJobManager:
    made = BlockingJobManager(workdir)
    made.configure({"autostart": False})
    return made


def gathered(workdir: WorkDir, job: int) -> Dossier:
    found = dossier(Catalog(workdir), job)
    assert found is not None
    return found


def shown(found: Dossier, width: int = 100, *, script: bool = False, now: float | None = None) -> list[Line]:
    return detail_lines(found, time.time() if now is None else now, width, script=script)


def text(lines: list[Line]) -> str:
    return "\n".join(line.text.plain.rstrip() for line in lines)


# -- words and measures


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Mn", "Me", "Zl", "Zp"])), st.integers(2, 40))
def test_wrapping_loses_nothing_and_keeps_to_the_width(line: str, columns: int) -> None:
    parts = wrap(line, columns)
    assert "".join(parts) == line
    assert all(cell_len(part.rstrip(" ")) <= columns for part in parts)


def test_wrapping_breaks_behind_blanks_where_it_can() -> None:
    assert wrap("one two three", 8) == ["one two ", "three"]
    assert wrap("abcdefgh ij", 4) == ["abcd", "efgh ", "ij"]


@given(
    st.none() | st.floats(0, 1e6, allow_subnormal=False),
    st.none() | st.floats(0, 1e6, allow_subnormal=False),
    st.integers(2, 60),
)
def test_a_bar_is_full_and_shows_whatever_took_time(waited: float | None, ran: float | None, columns: int) -> None:
    waiting, running = bar(waited, ran, columns)
    assert waiting + running in (0, columns) and waiting >= 0 and running >= 0
    if waited:
        assert waiting > 0
    if ran:
        assert running > 0


def test_exit_codes_needs_and_retries_in_words() -> None:
    assert exit_words(127, None) == "127: the command was not found"
    assert exit_words(137, 9) == "137: 128 and 9, so SIGKILL ended it"
    assert exit_words(42, None) == "42"
    assert needs(Resources(cpus=1, memory=2**30, gpus=2)) == "1 cpu, 1.0 GiB of memory, 2 gpus"
    assert retries(Retry()) == "" and retries(Retry(limit=0)) == "never"
    assert retries(Retry(limit=3, delay=10, backoff="exponential", on=("timeout",))) == (
        "up to 3 times, 10s after it ended, then twice as long each time up to 1h00m; after timeout"
    )


def test_a_time_of_another_day_has_its_date() -> None:
    now = time.mktime((2026, 11, 21, 12, 0, 0, 0, 0, -1))
    assert moment(now - 60, now) == "11:59:00"
    assert moment(now - 86400, now) == "2026-11-20 12:00"
    assert moment(1e300, now) == "?"


# -- what is gathered, and its lines


def test_a_job_that_was_tried_again_shows_each_attempt_with_its_end_and_output(workdir: WorkDir) -> None:
    manager = BlockingJobManager(workdir)
    spec = JobSpec(
        shell="echo out; echo err >&2; exit 3", name="twice", retry=Retry(limit=1), timeout=60.0, tags=("red",)
    )
    manager.wait(manager.submit(spec), timeout=90)
    found = gathered(workdir, 1)
    assert [(item.row.attempt, item.row.exit_code) for item in found.tries] == [(1, 3), (2, 3)]
    first, second = found.tries
    assert first.queued == found.detail.row.created and second.queued == first.row.ended
    lines = shown(found, script=True)
    page = text(lines)
    for words in (
        " state       failed: exit code 3",
        " reason      exit-code: the program itself said that it failed",
        " command     echo out; echo err >&2; exit 3",
        " tags        red",
        " time limit  1m00s; 10s from TERM to KILL",
        " retries     up to 1 time",
        "job.retry/1/job.stdout  4 B",
        f"  {workdir.path}/1",
        "▾ Job script",
        "#!/bin/sh",
        "inherited",
    ):
        assert words in page
    assert sum("failed: exit code 3" in line for line in page.split("\n")) == 3
    places = {line.place for line in lines}
    assert (f"{workdir.path}/1/job.retry/1/job.stderr", None) in places
    assert (f"{workdir.path}/1/job.stdout", None) in places
    script = next(line for line in lines if line.text.plain.strip() == "#!/bin/sh")
    assert script.place == (f"{workdir.path}/1/job.wrapped.local", 1)
    assert "#!/bin/sh" not in text(shown(found))


def test_a_waiting_job_names_what_it_waits_for(workdir: WorkDir, manager: BlockingJobManager) -> None:
    first, second = manager.submit(JobSpec(shell="true", name="first"), JobSpec(shell="true", name="gone", hold=True))
    after = AllOf((AfterJob(first), AfterJob(second, "any")))
    third = manager.submit(JobSpec(shell="true", after=after))[0]
    page = text(shown(gathered(workdir, third)))
    assert "state       created: waits for" in page and "Starts when" in page
    assert "job 1 to end well and job 2 to end" in page
    assert "  job 1 first  queued" in page and "  job 2 gone  held: held; release it" in page
    assert "waits for   no engine drives this work directory" in text(shown(gathered(workdir, first)))
    manager.cancel([second])
    page = text(shown(gathered(workdir, second)))
    assert "What was asked" in page and " cancel      by " in page and "attempt 1" in page


def test_what_does_not_exist_is_not_shown(workdir: WorkDir, manager: BlockingJobManager) -> None:
    manager.submit(JobSpec(command=("true",)))
    page = text(shown(gathered(workdir, 1)))
    for words in ("exit code", "tags", "priority", "retries", "array", "What was asked", "Starts when", "Job script"):
        assert words not in page
    assert dossier(Catalog(workdir), 99) is None


def test_a_damaged_job_says_so(workdir: WorkDir, manager: BlockingJobManager) -> None:
    manager.submit(JobSpec(command=("true",)))
    with open(f"{workdir.path}/1/job.json", "w") as file:
        file.write("{oops")
    page = text(shown(gathered(workdir, 1)))
    assert "job.json cannot be read" in page and "damaged     job.json" in page and "Attempts" not in page


HOSTILE = "a\x1b[2Jb\x07\u202ec\ud800[red]d[/]\u200d"


@pytest.mark.parametrize("width", [1, 24, 60, 160])
def test_whatever_a_job_holds_stays_data_and_within_the_width(
    workdir: WorkDir, manager: BlockingJobManager, width: int
) -> None:
    manager.submit(
        JobSpec(
            command=("echo", HOSTILE.replace("\ud800", "\udce9") * 40, "wörd 日本 " * 30),
            name=HOSTILE.replace("\ud800", ""),
            env={"X": "1\n2\x1b]0;t\x07", "LONG": "v" * 20_000},
            tags=(HOSTILE.replace("\ud800", ""),),
            hold=True,
        )
    )
    lines = shown(gathered(workdir, 1), width)
    assert all(line.text.plain.isprintable() for line in lines)
    # Headings, tables and names of files are cut by the view, not wrapped; and so is all where there is hardly room.
    wide = [line for line in lines if cell_len(line.text.plain.rstrip()) > max(40, width)]
    allowed = ("Attempts", "Environment", "Files", "job.", " #", " 1 ")
    assert all(any(word in line.text.plain for word in allowed) for line in wide)
    assert "(20,00" in text(lines).replace("\n    ", "") or width < 60


def test_secrets_are_shown_nowhere_not_even_in_the_job_script(workdir: WorkDir) -> None:
    manager = BlockingJobManager(workdir)
    secrets = {"PLAIN": "hunter2", "QUOTED": "sword'fish\nsecond line", "LONG": "L" * 80_000, "ODD": "xyz\udce9zyx"}
    spec = JobSpec(shell="true", env={**secrets, "OPEN": "yes"}, secret=tuple(secrets))
    manager.wait(manager.submit(spec), timeout=90)
    found = gathered(workdir, 1)
    assert found.script is not None
    page = text(shown(found, 160, script=True))
    for words in ("hunter2", "fish", "second line", "LLLL", "zyx"):
        assert words not in page and words not in found.script.text
    assert "PLAIN=(secret)" in page and "OPEN=yes" in page and "export PLAIN=(secret)" in page


def test_of_a_long_script_the_beginning_is_shown(workdir: WorkDir, manager: BlockingJobManager) -> None:
    manager.submit(JobSpec(shell="true", env={"S": "s3cret" * 20_000}, secret=("S",)))
    path = f"{workdir.path}/1/job.wrapped.local"
    # However much stands before it, no part of a secret is left at the end.
    for before in (0, 60_000, 65_500, 65_536, 100_000):
        with open(path, "w") as file:
            file.write("#" * before + f"\nexport S={'s3cret' * 20_000}\n" + "end\n" * 20_000)
        script = gathered(workdir, 1).script
        assert script is not None and not script.whole and len(script.text) <= 65_536
        assert "s3cret" not in script.text
    assert "the rest is in the file" in text(shown(gathered(workdir, 1), script=True))


def test_the_page_of_a_running_job_changes_rarely(workdir: WorkDir, manager: BlockingJobManager) -> None:
    manager.submit(JobSpec(shell="true"))
    found = gathered(workdir, 1)
    row = msgspec.structs.replace(found.detail.row, state="running", started=found.detail.row.created)
    tries = [msgspec.structs.replace(found.tries[0], row=row)]
    found = msgspec.structs.replace(found, detail=msgspec.structs.replace(found.detail, row=row), tries=tries, why="")
    begin = found.detail.row.created + 3600.5
    assert shown(found, now=begin) == shown(found, now=begin + 50)
    assert shown(found, now=begin) != shown(found, now=begin + 100)


# -- the pane


class Host(App[None]):
    def __init__(self) -> None:
        super().__init__(ansi_color=True)
        self.animation_level = "none"
        self.pane = DetailPane()

    def compose(self) -> ComposeResult:
        yield self.pane


def in_pane(body: Callable[[DetailPane, Pilot[None]], Awaitable[None]], size: tuple[int, int] = (80, 30)) -> None:
    async def run() -> None:
        app = Host()
        async with app.run_test(size=size) as pilot:
            await body(app.pane, pilot)

    asyncio.run(run())


async def until(pilot: Pilot[None], condition: Callable[[], Any], timeout: float = 60.0) -> Any:
    deadline = time.monotonic() + timeout
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not true within {timeout} s"
        await pilot.pause(0.02)
    return answer


def test_the_pane_shows_the_job_it_was_given_and_never_another(workdir: WorkDir, manager: BlockingJobManager) -> None:
    manager.submit(*[JobSpec(shell=f"echo {name}", name=name) for name in ("alpha", "beta", "gamma")])
    rows = manager.jobs()

    async def body(pane: DetailPane, pilot: Pilot[None]) -> None:
        client = JobManager(workdir)
        pane.show(None, None)
        assert pane.location() is None and "no job selected" in pane.title.text.plain
        pane.show(client, rows[0])
        await until(pilot, lambda: "echo alpha" in pane.visible_text())
        assert "job 1 alpha" in pane.title.text.plain
        for row in rows:
            pane.show(client, row)
        # Nothing stale is left while the next job is looked up.
        assert "echo" not in pane.visible_text() and "job 3 gamma" in pane.title.text.plain
        await until(pilot, lambda: "echo gamma" in pane.visible_text())
        # What comes late for another job is not shown.
        late = await client.dossier(1)
        pane.post_message(DetailPane.Loaded(Shown(client, 1), late, 0.0))
        await pilot.pause()
        assert "echo gamma" in pane.visible_text() and "alpha" not in pane.visible_text()

    in_pane(body)


def test_the_pane_follows_changes_of_its_job_and_says_when_it_is_gone(
    workdir: WorkDir, manager: BlockingJobManager
) -> None:
    manager.submit(JobSpec(shell="true", name="one", hold=True))

    async def body(pane: DetailPane, pilot: Pilot[None]) -> None:
        client = JobManager(workdir)
        pane.show(client, manager.jobs()[0])
        await until(pilot, lambda: "state       held" in pane.visible_text())
        manager.cancel([1])
        pane.show(client, manager.jobs()[0])
        await until(pilot, lambda: "state       cancelled" in pane.visible_text())
        row = manager.jobs()[0]
        manager.remove([1])
        pane.show(client, msgspec.structs.replace(row, detail="changed"))
        await until(pilot, lambda: "This job is not there any more." in pane.visible_text())
        pane.show(None, None)
        assert pane.visible_text() == ""

    in_pane(body)


def test_a_work_directory_that_cannot_be_read_is_said_in_words(
    workdir: WorkDir, manager: BlockingJobManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.submit(JobSpec(shell="true"))

    async def body(pane: DetailPane, pilot: Pilot[None]) -> None:
        client = JobManager(workdir)

        async def fail(job: int) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(client, "dossier", fail)
        pane.show(client, manager.jobs()[0])
        await until(pilot, lambda: "This job cannot be read: Input/output error" in pane.visible_text())

    in_pane(body)


def test_one_moves_folds_and_gets_the_place_in_the_pane(workdir: WorkDir) -> None:
    manager = BlockingJobManager(workdir)
    manager.wait(manager.submit(JobSpec(shell="true", name="one")), timeout=90)
    folder = f"{workdir.path}/1"

    async def body(pane: DetailPane, pilot: Pilot[None]) -> None:
        pane.show(JobManager(workdir), manager.jobs()[0])
        await until(pilot, lambda: pane.view.lines)
        assert pane.location() == (f"{folder}/job.json", None)
        assert pane.visible_text().startswith(" state")
        pane.view.focus()
        await pilot.press("enter")
        await until(pilot, lambda: pane.view.max_scroll_y > 40)
        pane.go("end")
        path, line = pane.location() or ("", None)
        assert path == f"{folder}/job.wrapped.local" and line is not None and line > 10
        assert "jt_run 3>" in pane.visible_text()
        pane.go("up")
        assert pane.location() == (path, line - 1)
        pane.go("half-up")
        pane.go("home")
        assert pane.view.scroll_y == 0
        pane.go("page-down")
        assert pane.view.scroll_y == pane.view.size.height - 1
        fold = next(i for i, item in enumerate(pane.view.lines) if item.fold)
        pane.view.scroll_to(y=fold, animate=False)
        await pilot.pause()
        assert pane.location() == (path, None)
        await pilot.click(pane.view, offset=(3, fold - round(pane.view.scroll_y)))
        await until(pilot, lambda: "▸ Job script" in pane.visible_text())

    in_pane(body, (60, 20))


def test_long_lines_are_seen_by_going_right_and_a_new_width_wraps_anew(
    workdir: WorkDir, manager: BlockingJobManager
) -> None:
    manager.submit(JobSpec(command=("echo", *["word"] * 30), hold=True))
    with open(f"{workdir.path}/1/job.wrapped.local", "w") as file:
        file.write("#!/bin/sh\n" + "x" * 200 + "THE END\n")

    async def body(pane: DetailPane, pilot: Pilot[None]) -> None:
        def seen() -> str:
            return "\n".join(pane.view.render_line(y).text for y in range(pane.view.size.height))

        pane.show(JobManager(workdir), manager.jobs()[0])
        await until(pilot, lambda: pane.view.lines)
        narrow = len(pane.view.lines)
        pane.toggle_script()
        assert "THE END" not in seen()
        for _ in range(6):
            pane.go("right")
        assert "THE END" in seen()
        for _ in range(6):
            pane.go("left")
        assert "THE END" not in seen() and " state" in seen()
        pane.toggle_script()
        await pilot.resize_terminal(160, 40)
        await until(pilot, lambda: len(pane.view.lines) < narrow)

    in_pane(body, (60, 40))


def test_nothing_is_painted_where_nothing_changed(
    workdir: WorkDir, manager: BlockingJobManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.submit(JobSpec(shell="true", hold=True))

    async def body(pane: DetailPane, pilot: Pilot[None]) -> None:
        client, row = JobManager(workdir), manager.jobs()[0]
        pane.show(client, row)
        await until(pilot, lambda: pane.view.lines and not pane._loading)
        painted: list[Any] = []
        monkeypatch.setattr(pane.view, "refresh", lambda *args, **more: painted.append(args))
        monkeypatch.setattr(pane.title, "refresh", lambda *args, **more: painted.append(args))
        lines = list(pane.view.lines)
        pane.show(client, row)
        pane.view.show(lines, keep_place=True)
        assert painted == []
        lines[2] = Line(lines[2].text + "!", lines[2].place)
        pane.view.show(lines, keep_place=True)
        assert [region.y for (region,) in painted] == [2]

    in_pane(body)


def test_the_inherited_variables_are_counted(workdir: WorkDir, manager: BlockingJobManager) -> None:
    manager.submit(JobSpec(shell="true"))
    assert gathered(workdir, 1).inherited == len(workdir.environment(os.listdir(f"{workdir.path}/env")[0][:-5]))
