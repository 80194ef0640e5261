"""Sends the news of ended jobs to the terminal: bell, desktop notification, title; gathered, so that it stays calm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from textual.app import App
from textual.timer import Timer

from ...core.job import JobRow
from .config import NotifySettings
from .notify import (
    BELL,
    POP_TITLE,
    PUSH_TITLE,
    Notice,
    desktop_sequence,
    gather,
    knows_commands,
    news,
    title_sequence,
    title_text,
)
from .terminal import send_raw, through_tmux

# Seconds: what ends meanwhile is told together; the title changes no more often.
_GATHER = 1.0
_TITLE_REST = 2.0


class Notifier:
    """Told of every change of a job, it tells the person. Use it from the app's own thread."""

    def __init__(
        self,
        app: App[Any],
        settings: NotifySettings,
        environ: Mapping[str, str],
        say: Callable[[str, bool], None],
    ) -> None:
        """``say`` shows a line on the screen too; its second argument is whether the news is bad."""
        self._app, self._settings, self._environ, self._say = app, settings, environ, say
        self._commands = knows_commands(environ.get("TERM", ""))
        self._pending: list[Notice] = []
        self._title = self._shown = ""
        self._title_rest: Timer | None = None

    def start(self) -> None:
        """Begin; the app must run. While another program has the terminal, the title is not ours."""
        self._app.app_suspend_signal.subscribe(self._app, lambda _: self.restore_title(), immediate=True)
        self._app.app_resume_signal.subscribe(self._app, lambda _: self._show_title())

    # -- jobs that end

    def see(self, before: JobRow | None, after: JobRow) -> None:
        """Tell of this change if it is news."""
        notice = news(before, after, self._settings)
        if notice is None:
            return
        self._pending.append(notice)
        if len(self._pending) == 1:
            self._app.set_timer(_GATHER, self._tell)

    def _tell(self) -> None:
        notices, self._pending = self._pending, []
        words = gather(notices)
        self._say(words, any(notice.bad for notice in notices))
        if self._settings.bell:
            send_raw(self._app, BELL)
        if self._commands and (sequence := desktop_sequence(self._settings.desktop, words)):
            send_raw(self._app, through_tmux(sequence, self._environ))

    # -- the title

    def count(self, running: int, failed: int) -> None:
        """Say in the terminal's title how many jobs there are."""
        self._title = title_text(running, failed)
        if self._title_rest is None:
            self._show_title()

    def _show_title(self) -> None:
        self._title_rest = None
        if not self._settings.title or not self._commands or self._title == self._shown:
            return
        push = "" if self._shown else PUSH_TITLE
        if send_raw(self._app, push + title_sequence(self._title)):
            self._shown = self._title
            self._title_rest = self._app.set_timer(_TITLE_REST, self._show_title)

    def restore_title(self) -> None:
        """Put back the title that the terminal had; call it before the app ends."""
        if self._shown:
            send_raw(self._app, title_sequence("") + POP_TITLE)
            self._shown = ""
