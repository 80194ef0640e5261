"""Makes the pictures of the real screen: runs it on the demo workload in a temporary folder, writes SVG and PNG."""

from __future__ import annotations

import asyncio
import html
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from textual.pilot import Pilot

from jobtui.core import BlockingJobManager, JobManager, State, WorkDir
from jobtui.core.supervisor import stop_engine
from jobtui.tui.cmd_demo import submit_demo
from jobtui.tui.screen.desk import JobScreen
from jobtui.tui.screen.jobapp import JobApp

HERE = Path(__file__).parent
Act = Callable[[JobScreen, Pilot[Any]], Awaitable[None]]


def seed(workdir: WorkDir) -> None:
    """Submit the workload and wait until it looks as intended: some jobs ended well, some not, some run, some wait."""
    submit_demo(workdir)
    manager = BlockingJobManager(workdir)

    def ripe() -> bool:
        rows = {(row.name, row.array_index): row.state for row in manager.jobs()}
        failed = [("align", 4), ("unit-tests", None), ("too-slow", None), ("render", None)]
        return all(rows[key] is State.FAILED for key in failed)

    wait_for(ripe)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something holds, two minutes at most."""
    deadline = time.monotonic() + 120
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(condition)
        time.sleep(0.05)


async def picture(workdir: WorkDir, name: str, size: tuple[int, int], job: str, act: Act) -> None:
    """Open the screen at a size, put the cursor on a job, do something, and write what is seen."""
    app = JobApp([JobManager(workdir)])
    async with app.run_test(size=size) as pilot:
        desk = app.desk
        async with asyncio.timeout(60):
            while not all(place.loaded for place in desk.places):
                await pilot.pause(0.05)
            while (row := desk.jobs.current) is None or row.name != job:
                await pilot.press("down")
            # The log is opened, and the progress of the jobs in view read.
            await pilot.pause(2.5)
            await act(desk, pilot)
        await pilot.pause(0.5)
        svg = app.export_screenshot(title="jobtui")
    svg = steady(svg)
    (HERE / f"{name}.svg").write_text(svg, encoding="utf-8")
    write_png(svg, HERE / f"{name}.png")


def keys(*pressed: str) -> Act:
    """Press keys."""

    async def act(_desk: JobScreen, pilot: Pilot[Any]) -> None:
        await pilot.press(*pressed)

    return act


async def edit(desk: JobScreen, pilot: Pilot[Any]) -> None:
    """Edit a job as a person would, in an editor that is a function here: a picture has no terminal to lend."""

    async def change(path: str, _line: int | None) -> str:
        text = Path(path).read_text(encoding="utf-8")
        text = text.replace('"train.sh"', '"train.sh", "--lr", "0.01"').replace("priority = 9", "priority = 20")
        Path(path).write_text(re.sub(r"(?m)^# ?timeout = .*$", 'timeout = "2h"', text), encoding="utf-8")
        return ""

    desk.tools.edit = change
    await pilot.press("e")
    await pilot.pause(1.0)


PICTURES: list[tuple[str, tuple[int, int], str, Act]] = [
    ("table", (120, 36), "train resnet", keys()),
    ("log", (120, 36), "train resnet", keys("z")),
    ("array", (120, 36), "align", keys("enter", "down", "down", "down", "down", "o")),
    ("edit", (120, 36), "train resnet", edit),
    ("filter", (120, 36), "unit-tests", keys("slash", *"state:failed el", "tab")),
    ("detail", (120, 36), "unit-tests", keys("i")),
    ("dialog", (120, 36), "server", keys("space", "space", "c")),
    ("help", (120, 40), "server", keys("question_mark")),
    ("narrow", (80, 24), "train resnet", keys()),
    ("light", (120, 36), "train resnet", lambda desk, _pilot: _theme(desk, "light")),
    ("wide", (200, 50), "train resnet", keys()),
]


async def _theme(desk: JobScreen, name: str) -> None:
    desk.tools.set_theme(name)
    desk.message = ""
    desk.refresh_footer()


def steady(svg: str) -> str:
    """The picture with a font that every Debian has, and each character in its cell, whatever the font's widths."""
    svg = re.sub(r"@font-face\s*{[^}]*}", "", svg).replace("Fira Code", "DejaVu Sans Mono")

    def place(match: re.Match[str]) -> str:
        before, x, between, length, after, text = match.groups()
        characters = html.unescape(text)
        step = float(length) / max(1, cell_len(characters))
        places, column = [], 0
        for character in characters:
            places.append(f"{float(x) + column * step:g}")
            column += cell_len(character)
        return f'<text {before}x="{" ".join(places)}"{between}{after}>{text}</text>'

    return re.sub(r'<text ([^>]*?)x="([\d.]+)"([^>]*?) textLength="([\d.]+)"([^>]*)>([^<]*)</text>', place, svg)


def write_png(svg: str, path: Path) -> None:
    """Turn the SVG into a PNG, with cairosvg."""
    import cairosvg

    cairosvg.svg2png(bytestring=svg.encode(), write_to=str(path), output_width=1400)


def main() -> None:
    """Make all pictures."""
    if subprocess.run([sys.executable, "-c", "import cairosvg"], check=False, capture_output=True).returncode:
        sys.exit("This needs cairosvg for the PNG files: pip install cairosvg (and Debian's libcairo2)")
    os.environ.pop("NO_COLOR", None)
    with tempfile.TemporaryDirectory(prefix="jobtui-") as folder:
        # A home of its own: short paths, and nobody's configuration.
        os.environ |= {"HOME": folder, "COLORTERM": "truecolor", "TERM": "xterm-256color"}
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            os.environ.pop(name, None)
        workdir = WorkDir(Path(folder, "project"))
        try:
            seed(workdir)
            for name, size, job, act in PICTURES:
                if not sys.argv[1:] or name in sys.argv[1:]:
                    asyncio.run(picture(workdir, name, size, job, act))
        finally:
            manager = BlockingJobManager(workdir)
            active = [row.id for row in manager.jobs("active")]
            manager.cancel(active, force=True)
            manager.wait(active, timeout=30)
            stop_engine(workdir)


if __name__ == "__main__":
    main()
