"""Opens the screen: sets what Textual reads when it is imported, runs the app, and passes on a bug as an exception."""

from __future__ import annotations

import os
import sys

from ...core.workdir import WorkDir

# Frames per second: enough for a person, and bearable for a slow line.
_FRAMES = 10


def open_screen(workdir: WorkDir) -> None:
    """Show the jobs of ``workdir`` until the person quits. A bug is raised after the terminal was restored.

    Where the terminal cannot show it, ends the process with a line that says so.
    """
    os.environ.setdefault("TEXTUAL_FPS", str(_FRAMES))
    os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    from .jobapp import JobApp
    from .terminal import unfit

    if words := unfit(os.environ):
        sys.exit(f"jobtui: {words}")
    app = JobApp(workdir)
    app.run()
    if app.bug is not None:
        raise app.bug
