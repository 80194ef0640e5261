"""Which log of which job is shown, and the session that reads it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import anyio.to_thread
from textual.message import Message

from ...core.identity import this_host
from ...core.job import JobRow
from ...core.manager import JobManager
from .merged import MergedSource
from .session import Session
from .source import LogSource

Shows = Literal["stdout", "stderr", "merged"]
STREAMS: tuple[Shows, ...] = ("stdout", "stderr", "merged")


@dataclass(frozen=True)
class Shown:
    """A log. A retry has another one: its files are new. ``current``: the job's attempt; ``attempt``: the shown one.

    ``foreign`` names a job that only its scheduler has, and when that got it; "" for the work directory's own.
    """

    workdir: str
    job: int
    current: int
    attempt: int
    stream: Shows
    foreign: str = ""

    def session(self, manager: JobManager, over: bool, post: Callable[[Message], object]) -> Session:
        """What reads it; ``over``: nothing more is to come; ``post`` sends the session's messages."""
        earlier = self.attempt if self.attempt != self.current else None
        out, err = (manager.log_path(self.job, stream, earlier) for stream in ("stdout", "stderr"))
        return self._reading(out, err, over, post)

    async def foreign_session(
        self, manager: JobManager, row: JobRow, over: bool, post: Callable[[Message], object]
    ) -> Session | str:
        """What reads the output of a foreign job where its scheduler says that it is; or in words why nothing can."""
        told = await manager.show_foreign(row)
        if isinstance(told, str):
            return f"where it writes is not known: {told}"
        out, err = told.stdout, told.stderr or told.stdout
        path = err if self.stream == "stderr" else out
        why = await anyio.to_thread.run_sync(_unreadable, path, told.host, row.started is not None)
        if why:
            return why
        if out == err or not os.path.isfile(err):
            return Session(LogSource(path), [path], None, post)
        return self._reading(out, err, over, post)

    def _reading(self, out: str, err: str, over: bool, post: Callable[[Message], object]) -> Session:
        if self.stream == "merged":
            return Session(MergedSource(LogSource(out), LogSource(err), over), [out, err], None, post)
        path, other = (out, err) if self.stream == "stdout" else (err, out)
        return Session(LogSource(path), [path], other, post)


def _unreadable(path: str, host: str, started: bool) -> str:
    """In words why the output at a path cannot be read here, "" if it can, or will be when the job writes some."""
    if not path:
        return "its scheduler does not say where it writes"
    if path == os.devnull:
        return "it throws this output away (/dev/null)"
    try:
        os.stat(path)
    except FileNotFoundError:
        if not started or os.path.isdir(os.path.dirname(path)):
            return ""
        elsewhere = f" ({host} has it)" if host and host.partition(".")[0] != this_host().partition(".")[0] else ""
        return f"its output {path} is not to be seen from this machine{elsewhere}"
    except OSError as error:
        return f"its output {path} cannot be read here: {error.strerror}"
    return "" if os.access(path, os.R_OK) else f"its output {path} cannot be read here: permission denied"
