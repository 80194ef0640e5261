"""Text for one table cell, measured as Textual measures it, and the words for states, times and errors."""

from __future__ import annotations

import os
import time

from rich.cells import cell_len, set_cell_size

from ..core.job import ENDED, JobRow, State
from .text import plain

# Terminals disagree on the width of what these join or modify; without them every emoji stands for itself.
_JOINERS = dict.fromkeys([0x200D, 0xFE0E, 0xFE0F, *range(0x1F3FB, 0x1F400)])

# Basic colours alone: they are the terminal's own, so they are readable on dark and on light.
STATE_STYLES = {
    State.RUNNING: "green",
    State.FAILED: "bold red",
    State.CANCELLED: "yellow",
    State.CANCELLING: "yellow",
    State.UNKNOWN: "magenta",
    State.HELD: "cyan",
    State.SUSPENDED: "cyan",
    State.FINISHED: "",
}


def one_line(text: str) -> str:
    """Text from a job as data on one line."""
    return plain(text).translate(_JOINERS)


def cell(text: str, columns: int, *, right: bool = False) -> str:
    """``text`` from a job, safe and exactly ``columns`` wide."""
    shown = one_line(text)
    missing = columns - cell_len(shown)
    if missing < 0:
        return set_cell_size(shown, columns - 1) + "…" if columns > 0 else ""
    return " " * missing + shown if right else shown + " " * missing


def coarse(seconds: float) -> str:
    """A run time in units so coarse that a screen of long jobs rarely changes."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def elapsed(row: JobRow) -> str:
    """How long a job ran, or runs by now."""
    if row.elapsed is not None:
        return coarse(row.elapsed)
    if row.started is None or row.state in ENDED:
        return ""
    return coarse(time.time() - row.started)


def called(row: JobRow) -> str:
    """A job as messages name it: id and name."""
    return f"job {row.id} {cell(row.name, min(30, max(1, cell_len(one_line(row.name)))))}".rstrip()


def short_path(path: str) -> str:
    """A path with ~ for the person's home."""
    home = os.path.expanduser("~")
    return "~" + path[len(home) :] if path == home or path.startswith(home + "/") else path


def words_of(error: Exception) -> str:
    """An error in plain words."""
    if isinstance(error, FileNotFoundError):
        return f"{error.filename or 'the work directory'} is not there (any more)"
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or error}"
    return str(error)
