"""The terminal application around the screen: colours of the terminal, signals, and how a bug ends it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import Any

from textual.app import App
from textual.screen import Screen

from ...core.manager import JobManager
from ...core.workdir import WorkDir
from .desk import JobScreen
from .wire import attach


class JobApp(App[None]):
    """The terminal application. It is in the terminal's own colours, so dark and light are the terminal's choice."""

    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False

    def __init__(self, workdir: WorkDir) -> None:
        """Show the jobs of this work directory."""
        # Said here and not by the theme alone: NO_COLOR is heeded in another way where colours are the terminal's own.
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark"
        self.animation_level = "none"
        self.wire = attach(self)
        self.desk = JobScreen(JobManager(workdir))

    def get_default_screen(self) -> Screen[Any]:
        """The one screen."""
        return self.desk

    @property
    def bug(self) -> Exception | None:
        """The exception that ended the app, if one did."""
        return self._exception

    def on_mount(self) -> None:
        """Leave in good order, with the terminal restored, also when told to by a signal."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            # In tests the app may run beside the main thread, where there are no handlers.
            with contextlib.suppress(ValueError, RuntimeError):
                loop.add_signal_handler(number, self.exit)

    def _print_error_renderables(self) -> None:
        """Print nothing: the command line writes a bug to its log and says so in one line."""
        self._exit_renderables.clear()
