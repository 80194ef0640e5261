"""The terminal application around the screen: its theme, its signals, and how a bug ends it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from textual import events
from textual.app import App
from textual.screen import Screen

from ...core.job import JobRow
from ...core.manager import JobManager
from .actions import ACTIONS
from .config import read_config
from .desk import JobScreen
from .keymap import Keymap
from .memory import Memory
from .signals import heed
from .themes import apply_theme
from .typist import Typist
from .wire import attach


class JobApp(App[None], inherit_bindings=False):
    """The terminal application. Its keys are all in ``actions.ACTIONS``."""

    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False

    def __init__(self, managers: Sequence[JobManager], first: Sequence[list[JobRow]] = ()) -> None:
        """Show the jobs of these managers; ``first``: rows of each that are known already."""
        # Said here and not by the theme alone: NO_COLOR is heeded in another way where colours are the terminal's own.
        super().__init__(ansi_color=True)
        self.animation_level = "none"
        config = read_config()
        self.memory = Memory(config)
        keymap = Keymap(ACTIONS, config.screen.preset, config.keys)
        self.desk = JobScreen(managers, self.memory, keymap, first)
        self._typist = Typist(self, self._press, super().on_event)
        attach(self)

    def get_default_screen(self) -> Screen[Any]:
        """The one screen."""
        return self.desk

    async def on_event(self, event: events.Event) -> None:
        """Take what is typed; Textual deals with all else."""
        if not isinstance(event, events.Key | events.Paste) or (event.is_forwarded and self._is_open):
            await super().on_event(event)
        elif self._is_open:
            self._typist.take(event)

    @property
    def _is_open(self) -> bool:
        """Whether there is anything to type into: not while the app ends."""
        return bool(self.screen_stack) and self.desk.is_attached

    def _press(self, key: str) -> bool:
        return self.screen is self.desk and self.desk.press(key)

    @property
    def bug(self) -> Exception | None:
        """The exception that ended the app, if one did."""
        return self._exception

    def on_mount(self) -> None:
        """Dress, and leave in good order when told to by a signal."""
        apply_theme(self, str(self.memory.setting("theme")), os.environ)
        heed(self, self.before_exit)

    def before_exit(self) -> None:
        """Keep what is to be remembered, and give the terminal its title back."""
        self.memory.collect(self.desk)
        self.memory.save()
        self.desk.tools.stop()
        self.desk.others.stop()

    def _print_error_renderables(self) -> None:
        """Print nothing: the command line writes a bug to its log and says so in one line."""
        self._exit_renderables.clear()
