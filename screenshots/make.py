"""Makes the pictures of the real screen: runs it on a small workload in a temporary folder, writes SVG and PNG."""

from __future__ import annotations

import asyncio
import html
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.cells import cell_len

from jobtui.core import BlockingJobManager, JobSpec, State, WorkDir
from jobtui.core.supervisor import stop_engine
from jobtui.tui.screen.jobapp import JobApp

HERE = Path(__file__).parent
_TRAIN = r"""
e=1
while [ $e -le 400 ]; do
  printf '\033[36mepoch %3d\033[0m  loss 0.%03d  \033[32mval ok\033[0m\n' $e $((900 - e % 90 * 9)); e=$((e + 1))
  [ $e -le 40 ] || sleep 2
done
"""
_TESTS = r"""
printf '\033[32mPASS\033[0m test_read\n\033[32mPASS\033[0m test_write\n\033[31mFAIL\033[0m test_merge: 3 rows lost\n'
exit 1
"""


def specs() -> list[JobSpec]:
    """The workload: some jobs that ended, some that run, some that wait."""
    ended = [
        JobSpec(name="fetch-reads", command=("sh", "-c", "echo 48 files fetched")),
        JobSpec(name="unit-tests", shell=_TESTS.strip()),
        JobSpec(name="index genome", command=("sh", "-c", "sleep 1; echo index written")),
        JobSpec(name="render", command=("blender-not-here", "--frames", "1-240")),
    ]
    running = [
        JobSpec(name=f"align-{n}", shell=f"while :; do echo sample {n}: $(date +%T); sleep 1; done") for n in (1, 2)
    ]
    train = JobSpec(name="train resnet", shell=_TRAIN.strip())
    waiting = [JobSpec(name=f"align-{n}", command=("align", f"sample{n}.fq", "--ref", "hg38")) for n in range(3, 7)]
    held = JobSpec(name="publish", command=("rsync", "-a", "results/", "web:/srv/results"), hold=True)
    return [*ended, *running, train, *waiting, held]


def seed(workdir: WorkDir) -> None:
    """Submit the workload and wait until it looks as intended."""
    manager = BlockingJobManager(workdir)
    manager.configure({"slots": 3})
    ids = manager.submit(*specs())
    manager.wait(ids[:4], timeout=60)
    wait_for(lambda: sum(row.state is State.RUNNING for row in manager.jobs()) == 3)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something holds, a minute at most."""
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(condition)
        time.sleep(0.05)


async def picture(workdir: WorkDir, name: str, size: tuple[int, int], keys: str) -> None:
    """Open the screen at a size, press keys, and write what is seen."""
    app = JobApp(workdir)
    async with app.run_test(size=size) as pilot:
        desk = app.desk
        async with asyncio.timeout(60):
            while not desk.jobs.rows:
                await pilot.pause(0.05)
            train = next(row.id for row in desk.jobs.rows.values() if row.name.startswith("train"))
            while desk.jobs.cursor != train:
                await pilot.press("down")
            while len(desk.log_pane.view.window) < 30:
                await pilot.pause(0.05)
        await pilot.press(*keys.split())
        await pilot.pause(0.3)
        svg = app.export_screenshot(title="jobtui")
    svg = steady(svg)
    (HERE / f"{name}.svg").write_text(svg, encoding="utf-8")
    write_png(svg, HERE / f"{name}.png")


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
        workdir = WorkDir(Path(folder, "jobs"))
        try:
            seed(workdir)
            for name, size, keys in [
                ("first", (120, 40), ""),
                ("narrow", (80, 24), ""),
                ("dialog", (120, 40), "space space c"),
                ("help", (100, 30), "question_mark"),
            ]:
                asyncio.run(picture(workdir, name, size, keys))
        finally:
            manager = BlockingJobManager(workdir)
            active = [row.id for row in manager.jobs("active")]
            manager.cancel(active, force=True)
            manager.wait(active, timeout=30)
            stop_engine(workdir)


if __name__ == "__main__":
    main()
