"""Opens the screen: sets what Textual reads when it is imported, runs the app, and passes on a bug as an exception."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ...core.job import JobRow
from ...core.manager import JobManager
from ...core.workdir import WorkDir

# How many of the newest jobs are read while Textual is imported, to be in the first picture.
_FIRST = 100


def _glance(workdir: WorkDir) -> list[JobRow]:
    from ...core.catalog import Catalog

    try:
        return Catalog(workdir).glance(_FIRST)
    except OSError:
        # Said by the screen, which tries again.
        return []


def open_screen(workdirs: Sequence[WorkDir]) -> None:
    """Show the jobs of ``workdirs`` until the person quits. A bug is raised after the terminal was restored.

    Where the terminal cannot show it, ends the process with a line that says so.
    """
    from .config import read_config

    os.environ.setdefault("TEXTUAL_FPS", str(read_config().screen.fps))
    os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    with ThreadPoolExecutor(1) as pool:
        first = pool.map(_glance, workdirs)
        from .jobapp import JobApp
        from .terminal import unfit

        if words := unfit(os.environ):
            sys.exit(f"jobtui: {words}")
        app = JobApp([JobManager(workdir) for workdir in workdirs], list(first))
    app.run()
    words = app.memory.save()
    if words:
        print(f"jobtui: {words}", file=sys.stderr)
    if app.bug is not None:
        raise app.bug
