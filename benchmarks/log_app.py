"""The log pane alone, to measure it: ``python -m benchmarks.log_app REPORT FOLDER`` shows the jobs of a work directory.

Keys: n the next job, u up, d a page down, e the end, g the beginning, s a search, q quit. What happens is written to
REPORT, a line for each event: seconds of the monotonic clock, what, a number.
"""

from __future__ import annotations

import os
import sys
import time

os.environ.setdefault("TEXTUAL_FPS", "60")

from textual.app import App, ComposeResult

from jobtui.core import JobManager, JobRow, State, WorkDir
from jobtui.tui.log.finder import Query
from jobtui.tui.log.pane import LogPane
from jobtui.tui.log.session import Session


class Measured(LogPane):
    """Writes down when a log was opened, painted and counted."""

    def __init__(self, report: str) -> None:
        super().__init__()
        self._report = open(report, "w", buffering=1)  # noqa: SIM115
        self._painted = self._indexed = True

    def tell(self, what: str, number: float = 0) -> None:
        self._report.write(f"{time.monotonic()} {what} {number}\n")

    def on_log_pane_opening(self, message: LogPane.Opening) -> None:
        self._painted = self._indexed = False
        self.tell("opened")
        super().on_log_pane_opening(message)

    def on_session_paged(self, message: Session.Paged) -> None:
        super().on_session_paged(message)
        if not self._painted and message.page.rows:
            self._painted = True
            self.call_after_refresh(self.tell, "painted")

    def on_session_watched(self, message: Session.Watched) -> None:
        super().on_session_watched(message)
        if self._session is not None and self._session.lines is not None:
            if not self._indexed:
                self._indexed = True
                self.tell("indexed", self._session.lines)
            self.tell("lines", self._session.lines)


class LogApp(App[None]):
    """One pane, and keys."""

    BINDINGS = [
        ("n", "next", ""),
        ("u", "go('up')", ""),
        ("d", "go('page-down')", ""),
        ("e", "go('end')", ""),
        ("g", "go('home')", ""),
        ("s", "search", ""),
        ("q", "quit", ""),
    ]

    def __init__(self, report: str, folder: str) -> None:
        super().__init__(ansi_color=True)
        self.animation_level = "none"
        self.pane = Measured(report)
        self.manager = JobManager(WorkDir(folder))
        self.job = 0

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.pane.view.focus()
        self.action_next()

    def action_next(self) -> None:
        self.job += 1
        self.pane.show(self.manager, JobRow(id=self.job, name="measured", state=State.RUNNING, started=1.0))

    def action_go(self, where: str) -> None:
        self.pane.go(where)
        self.call_after_refresh(self.pane.tell, "went")

    def action_search(self) -> None:
        self.pane.finder.search = Query("not to be found")
        self.pane.finder.attach(self.pane._session)


LogApp(sys.argv[1], sys.argv[2]).run()
