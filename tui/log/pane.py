"""The pane with a job's stdout or stderr: follows it, or lets a person scroll through a log of any size."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import cast

import anyio
import anyio.to_thread
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from ...core.job import ENDED, JobRow
from ...core.logfile import Added, LogFile
from ...core.manager import JobManager, Stream
from ...core.units import size as size_words
from ..bar import Bar
from ..celltext import called, words_of
from .view import LogView, Where
from .window import BLOCK, Piece, read_piece

# Seconds: the cursor rests this long before a log is opened; and between two updates of a log that grows fast.
_REST = 0.08
_PACE = 0.1
# A writer that is further ahead than this many bytes is not followed step by step: we go to the end.
_BEHIND = 4 * BLOCK


@dataclass(frozen=True)
class Shown:
    """Which log is shown. A retry is another one: its files are new."""

    job: int
    attempt: int
    stream: Stream


class LogPane(Vertical):
    """The log of one job with its title line. Reading happens in workers, which post messages."""

    DEFAULT_CSS = """
    LogPane { height: 1fr; }
    """

    class Read(Message):
        """A part of the log was read."""

        def __init__(self, shown: Shown, piece: Piece, where: Where | None, restarted: bool = False) -> None:
            """Carry the piece and what it is: a part that was asked for, or (None) what was added to the log."""
            super().__init__()
            self.shown, self.piece, self.restarted = shown, piece, restarted
            self.where: Where | None = where

    class Over(Message):
        """The job has ended and all of the log was given; ``other``: the size of the other stream."""

        def __init__(self, shown: Shown, other: int) -> None:
            """Say of which log."""
            super().__init__()
            self.shown, self.other = shown, other

    class Trouble(Message):
        """The log cannot be read."""

        def __init__(self, shown: Shown, words: str) -> None:
            """Say why."""
            super().__init__()
            self.shown, self.words = shown, words

    def __init__(self, manager: JobManager) -> None:
        """Show logs of this manager's jobs; none yet."""
        super().__init__(id="log")
        self._manager = manager
        self._row: JobRow | None = None
        self._shown: Shown | None = None
        self._remark = ""
        self.stream: Stream = "stdout"
        self.title = Bar("log-title", rule=True)
        self.view = LogView()

    def compose(self) -> ComposeResult:
        """Title above text."""
        yield self.title
        yield self.view

    # -- what is shown

    def show_job(self, row: JobRow | None) -> None:
        """Show the log of this job; call it again when the row changed."""
        self._row = row
        shown = None if row is None else Shown(row.id, row.attempt, self.stream)
        if shown != self._shown:
            self._shown, self._remark = shown, ""
            self.view.clear()
            self._open(shown)
        self.refresh_title()

    def switch_stream(self) -> None:
        """Show the other one of stdout and stderr."""
        self.stream = _other(self.stream)
        self.show_job(self._row)

    def refresh_title(self) -> None:
        """Say whose log it is and how it stands; repaints only what changed."""
        row, view = self._row, self.view
        if row is None:
            self.title.show(Text(" no job selected"), strong=view.has_focus)
            self.view.say("")
            return
        words = [self.stream, called(row), row.state]
        if row.detail:
            words[-1] += f": {row.detail}"
        if row.attempt > 1:
            words.insert(2, f"attempt {row.attempt}")
        if not view.follow:
            words.insert(1, "not following (f or End: follow)")
        if self._remark:
            words.insert(1, self._remark)
        self.title.show_words(words, strong=view.has_focus)
        self.view.say(self._empty_words(row))

    def _empty_words(self, row: JobRow) -> str:
        if row.started is None and row.state not in ENDED:
            return "It has not started yet."
        return f"It wrote nothing to {self.stream}." if row.state in ENDED else f"Nothing on {self.stream} yet."

    # -- reading, in workers

    def _open(self, shown: Shown | None) -> None:
        self.workers.cancel_group(self, "log")
        if shown is not None:
            self.run_worker(self._follow(shown), group="log", exclusive=True)

    async def _follow(self, shown: Shown) -> None:
        # A cursor that runs down the table opens no log on its way.
        await anyio.sleep(_REST)
        path = self._manager.log_path(shown.job, shown.stream)
        try:
            log = LogFile(path)
            log.offset = await self._read(shown, "end", -BLOCK, None)
            # The protocol promises an iterator; it is a generator, which must be closed in this task.
            changes = cast("AsyncGenerator[Added]", self._manager.follow_log(log, shown.job))
            async with contextlib.aclosing(changes):
                async for added in changes:
                    piece = Piece(log.offset - len(added.data), added.data, log.offset)
                    self.post_message(self.Read(shown, piece, None, added.restarted))
                    await anyio.sleep(_PACE)
                    await anyio.to_thread.run_sync(_catch_up, log)
            other = self._manager.log_path(shown.job, _other(shown.stream))
            self.post_message(self.Over(shown, (await anyio.to_thread.run_sync(read_piece, other, 0, 0)).size))
        except OSError as error:
            self.post_message(self.Trouble(shown, words_of(error)))

    async def _read(self, shown: Shown, where: Where, begin: int, end: int | None) -> int:
        """Read a part of the log, and return where it ended."""
        path = self._manager.log_path(shown.job, shown.stream)
        whole = where in ("end", "earlier")
        piece = await anyio.to_thread.run_sync(lambda: read_piece(path, begin, end, whole_lines=whole))
        self.post_message(self.Read(shown, piece, where))
        return piece.end

    async def _read_more(self, shown: Shown, where: Where, begin: int, end: int | None) -> None:
        try:
            await self._read(shown, where, begin, end)
        except OSError as error:
            self.post_message(self.Trouble(shown, words_of(error)))

    def on_log_view_needs(self, message: LogView.Needs) -> None:
        """Read the part of the log that the view came near to."""
        message.stop()
        if self._shown is None:
            return
        window = self.view.window
        parts: dict[Where, tuple[int, int | None]] = {
            "end": (-BLOCK, None),
            "start": (0, None),
            "earlier": (-BLOCK, window.start),
            "later": (window.end, None),
        }
        begin, end = parts[message.where]
        self.run_worker(self._read_more(self._shown, message.where, begin, end), group="log-more", exclusive=True)

    def on_log_pane_read(self, message: Read) -> None:
        """Show what was read, unless another log is shown by now."""
        message.stop()
        if message.shown != self._shown:
            return
        if message.where is None:
            self.view.add(message.piece, restarted=message.restarted)
        else:
            self.view.show(message.piece, message.where)
        self.refresh_title()

    def on_log_pane_trouble(self, message: Trouble) -> None:
        """Say why the log cannot be read."""
        message.stop()
        if message.shown == self._shown:
            self._remark = f"cannot be read: {message.words}"
            self.refresh_title()

    def on_log_pane_over(self, message: Over) -> None:
        """Point to the other stream where it has something."""
        message.stop()
        if message.shown == self._shown and message.other:
            self._remark = f"{_other(message.shown.stream)} has {size_words(message.other)} (o)"
            self.refresh_title()

    def on_log_view_follow_changed(self, message: LogView.FollowChanged) -> None:
        """Tell in the title whether the log is followed."""
        message.stop()
        self.refresh_title()

    def on_descendant_focus(self) -> None:
        """Show by the title that keys go here."""
        self.refresh_title()

    def on_descendant_blur(self) -> None:
        """Show by the title that keys go elsewhere."""
        self.refresh_title()


def _other(stream: Stream) -> Stream:
    return "stderr" if stream == "stdout" else "stdout"


def _catch_up(log: LogFile) -> None:
    """Skip to the last block of a log that grows faster than anybody reads."""
    piece = read_piece(log.path, -BLOCK, None, whole_lines=True)
    if piece.size - log.offset > _BEHIND:
        log.offset = piece.start
