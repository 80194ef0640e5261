"""Which log of which job is shown, and the session that reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from textual.message import Message

from ...core.manager import JobManager
from .merged import MergedSource
from .session import Session
from .source import LogSource

Shows = Literal["stdout", "stderr", "merged"]
STREAMS: tuple[Shows, ...] = ("stdout", "stderr", "merged")


@dataclass(frozen=True)
class Shown:
    """A log. A retry has another one: its files are new. ``current``: the job's attempt; ``attempt``: the shown one."""

    workdir: str
    job: int
    current: int
    attempt: int
    stream: Shows

    def session(self, manager: JobManager, over: bool, post: Callable[[Message], object]) -> Session:
        """What reads it; ``over``: nothing more is to come; ``post`` sends the session's messages."""
        earlier = self.attempt if self.attempt != self.current else None
        out, err = (manager.log_path(self.job, stream, earlier) for stream in ("stdout", "stderr"))
        if self.stream == "merged":
            return Session(MergedSource(LogSource(out), LogSource(err), over), [out, err], None, post)
        path, other = (out, err) if self.stream == "stdout" else (err, out)
        return Session(LogSource(path), [path], other, post)
