"""What the screen looks like: its text in the main states and sizes, as plain files beside this one.

After a change that was meant:  make snapshots, look at  git diff tests/tui/snapshots,  and commit it with the change.
Nothing in a picture is of the machine: the clock stands still, and the home is shown by a made-up name of equal length.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
import string
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from screen_kit import Recorder, Site, lines, on_screen, press, put_cursor, until
from textual.pilot import Pilot

from jobtui.core import AfterJob, ArrayTask, JobSpec, Resources, State
from jobtui.tui.ref import Ref
from jobtui.tui.screen.desk import JobScreen
from jobtui.tui.screen.dialogs import ConfirmDialog, ReportDialog

FOLDER = Path(__file__).parent / "snapshots"
UPDATE = bool(os.environ.get("JOBTUI_UPDATE_SNAPSHOTS"))
NOW = 1_795_255_200.0  # a Saturday, 10:00 in UTC
SIZES = [(80, 24), (120, 40), (200, 60)]
SCREEN = '[screen]\nsymbols = "unicode"\n'
# Where the home of a test is, and what is shown for it; the last letters may be cut off.
HOME = re.compile(r"/tmp/jobs-\w{1,8}")
SHOWN = "/users/physics/ann"


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with a clock that stands still."""
    path = Path(tempfile.mkdtemp(prefix="jobs-", dir="/tmp"))
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setenv("HOME", str(path))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield path
    monkeypatch.undo()
    time.tzset()
    shutil.rmtree(path)


def workload(site: Site) -> Site:
    """Some jobs of every kind, as somebody may have them on a Saturday morning."""
    project = Path(site.workdir.path).parent / "project"
    project.mkdir()

    def add(
        name: str, state: State, command: str, age: float, *, spec: dict[str, Any] | None = None, **row: Any
    ) -> None:
        """Add a job made ``age`` seconds ago; times of ``row`` are seconds ago, too."""
        for key in ("started", "ended"):
            if key in row:
                row[key] = NOW - row[key]
        site.add(
            name,
            state,
            spec=JobSpec(name=name, command=tuple(command.split()), cwd=str(project), **spec or {}),
            created=NOW - age,
            **row,
        )

    states = [State.FINISHED] * 6 + [State.FAILED] + [State.RUNNING] * 2 + [State.QUEUED] * 3
    for index, state in enumerate(states):
        row: dict[str, Any] = {}
        if state is not State.QUEUED:
            row["started"] = 5000 - index * 300
        if state in (State.FINISHED, State.FAILED):
            row["ended"] = 4400 - index * 400
            row["exit_code"] = 3 if state is State.FAILED else 0
        if state is State.FAILED:
            row["detail"] = "exit code 3"
        command = f"./align.sh sample{index}.fq --ref hg38"
        add("align", state, command, 5400, spec={"array": ArrayTask(1, index)}, **row)
    add("fetch-reads", State.FINISHED, "wget -i urls.txt", 9000, started=8990, ended=8000, exit_code=0)
    failed = {"started": 3990, "ended": 3970, "detail": "exit code 1", "exit_code": 1, "attempt": 2}
    add("unit-tests", State.FAILED, "python -m pytest -x", 4000, **failed)
    add(
        "train resnet",
        State.RUNNING,
        "python train.py --epochs 40 --lr 0.001",
        1500,
        started=1380,
        progress=0.37,
        cpus=4,
        memory=8 * 2**30,
        gpus=1,
        spec={"resources": Resources(4, 8 * 2**30, 1), "tags": ("gpu", "paper"), "timeout": 14400.0},
    )
    add("too-slow", State.CANCELLED, "sleep 300", 3000, started=2990, ended=2900, detail="by ann")
    add("big-sort", State.SUSPENDED, "sort -S 4G reads.tsv", 900, started=890)
    add("plot", State.QUEUED, "python plot.py", 300, detail="waits for job 15", spec={"after": AfterJob(15)})
    add("publish", State.HELD, "rsync -a results/ web:/srv/results", 120)
    site.log(15, "epoch 13 loss 0.412 \x1b[32mok\x1b[0m\nepoch 14 loss 0.398 \x1b[32mok\x1b[0m\n")
    site.log(15, "\x1b[33mWARNING\x1b[0m learning rate halved\n", "stderr")
    site.log(15, "epoch 15  10%|##        |\repoch 15  37%|#######   | loss 0.391")
    return site.save()


class Album:
    """The pictures of one session, compared with the files at its end."""

    def __init__(self, desk: JobScreen, pilot: Pilot[None], size: tuple[int, int]) -> None:
        self.desk, self.pilot = desk, pilot
        self.suffix = f"{size[0]}x{size[1]}"
        self.taken: dict[str, str] = {}

    async def take(self, name: str, *, look: Callable[[JobScreen], str] | None = None) -> None:
        """Take a picture once all that is to be shown is there."""
        look = look or text
        await until(self.pilot, lambda: at_rest(self.desk))
        before = ""
        while before != (now := look(self.desk)):
            before = now
            await self.pilot.pause(0.02)
        self.taken[f"{name}-{self.suffix}.txt"] = HOME.sub(lambda found: SHOWN[: len(found[0])], now)

    def compare(self) -> None:
        wrong: list[str] = []
        for name, now in self.taken.items():
            path = FOLDER / name
            if UPDATE:
                path.write_text(now)
            before = path.read_text() if path.exists() else ""
            if now != before:
                diff = difflib.unified_diff(
                    before.splitlines(), now.splitlines(), f"kept {name}", "now", lineterm="", n=1
                )
                wrong += ["", *diff]
        accept = "The screen looks another way. Where that is meant:  make snapshots"
        assert not wrong, "\n".join([accept, *wrong])


def at_rest(desk: JobScreen) -> bool:
    """Whether the jobs, who drives them, and all about the job under the cursor are shown."""
    if not all(place.loaded and place.engine is not None for place in desk.places) or desk.message:
        return False
    if desk.panes.second == "detail":
        return not desk.detail._loading
    session, rows = desk.log_pane._session, desk.log_pane.view.port.rows
    if session is None:
        return desk.jobs.current is None
    return session.opened and session.lines is not None and bool(rows or not session.size)


def text(desk: JobScreen) -> str:
    return "\n".join(line.rstrip() for line in lines(desk)).rstrip() + "\n"


def styles(desk: JobScreen) -> str:
    """The text, and for each line which style each column has, by letters that are explained below."""
    letters: dict[str, str] = {}
    found: list[str] = []
    for strip in desk.app.screen._compositor.render_strips():
        row = ""
        for segment in strip:
            style = str(segment.style or "")
            letter = letters.setdefault(style, string.ascii_letters[len(letters)])
            row += letter * segment.cell_length
        found += [strip.text.rstrip(), row]
    legend = [f"{letter}: {style}" for style, letter in letters.items()]
    return "\n".join([*found, "", *legend]) + "\n"


def sizes(*chosen: tuple[int, int]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("size", chosen, ids=lambda size: f"{size[0]}x{size[1]}")


@sizes(*SIZES)
def test_the_main_states(home: Path, size: tuple[int, int]) -> None:
    site = workload(Site(home / "jobs"))

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        album = Album(desk, pilot, size)
        await put_cursor(desk, pilot, 15)
        await album.take("table")
        await press(pilot, "i")
        await album.take("detail")
        await press(pilot, "2", "z")
        await album.take("log-zoomed")
        await press(pilot, "q", "end", "k", "x")
        await album.take("array")
        await press(pilot, "x", "slash", *"state:fai")
        await album.take("filter-typing")
        await press(pilot, *"led", "enter")
        await album.take("filter")
        await press(pilot, "escape", "question_mark")
        await album.take("help")
        await press(pilot, "q", "g", "space", "j", "space", "space", "c")
        await until(pilot, lambda: isinstance(desk.app.screen, ConfirmDialog))
        await album.take("confirm")
        await press(pilot, "n", "P")
        site.say(15, state=State.FAILED)
        await until(pilot, lambda: "1 changed since" in text(desk))
        await album.take("paused")
        album.compare()

    on_screen(site, body, size, config=SCREEN)


@sizes(*SIZES)
def test_nothing_there_and_gone(home: Path, size: tuple[int, int]) -> None:
    site = Site(home / "jobs")

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        album = Album(desk, pilot, size)
        await album.take("empty")
        site.begin("one")
        await until(pilot, lambda: Ref(0, 1) in desk.jobs)
        shutil.rmtree(site.workdir.path)
        await until(pilot, lambda: desk.places[0].trouble and not desk.jobs.total)
        await until(pilot, lambda: "was removed" in desk.message)
        desk._clear_message()
        await album.take("gone")
        album.compare()

    on_screen(site.save(), body, size, config=SCREEN)


def test_dialogs(home: Path) -> None:
    site = workload(Site(home / "jobs"))
    manager = Recorder(site.workdir)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        album = Album(desk, pilot, (80, 24))
        await put_cursor(desk, pilot, 15)
        for name, keys in {
            "palette": ("colon", *"can"),
            "sort": ("S",),
            "columns": ("C",),
            "copy": ("y",),
            "signal": ("X",),
            "form": ("n", *"python tune.py"),
            "filters": ("F",),
        }.items():
            await press(pilot, *keys)
            await until(pilot, lambda: desk.app.screen is not desk)
            words = "sh: python tune.py" if name == "form" else ""
            await until(pilot, lambda words=words: words in text(desk))
            await album.take(name)
            await press(pilot, "escape", *(("y",) if name == "form" else ()))
            await until(pilot, lambda: desk.app.screen is desk)
        await press(pilot, "a", "D", "y")
        await until(pilot, lambda: isinstance(desk.app.screen, ReportDialog))
        desk._clear_message()
        await album.take("report")
        album.compare()

    filters = '[filters]\n"failed today" = "state:failed age<1d"\nmine = "tag:paper"\n'
    on_screen(manager, body, (80, 24), config=SCREEN + filters)


@pytest.mark.parametrize("theme", ["terminal", "light", "mono"])
def test_styles(home: Path, theme: str) -> None:
    site = workload(Site(home / "jobs"))

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        album = Album(desk, pilot, (80, 24))
        await put_cursor(desk, pilot, 15)
        await press(pilot, "k", "space")
        await album.take(f"styles-{theme}", look=styles)
        album.compare()

    on_screen(site, body, (80, 24), config=f'{SCREEN}theme = "{theme}"\n')


def test_several_work_directories(home: Path) -> None:
    one, two = workload(Site(home / "jobs")), Site(home / "thesis" / "runs", lease=False)
    for state in (State.FINISHED, State.QUEUED):
        two.add("simulate", state, created=NOW - 5000)

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        album = Album(desk, pilot, (80, 24))
        await until(pilot, lambda: "starting one is switched off" in desk.message)
        desk._clear_message()
        await album.take("places")
        await press(pilot, "a", "s")
        await album.take("places-confirm")
        await press(pilot, "escape")
        album.compare()

    on_screen([one, two.save()], body, (80, 24), config=SCREEN)


@sizes((20, 6), (40, 12))
def test_little_room(home: Path, size: tuple[int, int]) -> None:
    site = workload(Site(home / "jobs"))

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        album = Album(desk, pilot, size)
        await album.take("table")
        await press(pilot, "c")
        await album.take("confirm")
        await press(pilot, "escape")
        album.compare()

    on_screen(site, body, size, config=SCREEN)
