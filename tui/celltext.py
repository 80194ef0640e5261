"""Text for one table cell, measured as Textual measures it, and the words for states, times and errors."""

from __future__ import annotations

import os
import re
import time
from datetime import datetime

from rich.cells import cell_len, set_cell_size

from ..core.job import ENDED, JobRow, State
from .text import plain

# Terminals disagree on the width of what these join or modify; without them every emoji stands for itself.
_JOINERS = dict.fromkeys([0x200D, 0xFE0E, 0xFE0F, *range(0x1F3FB, 0x1F400)])
# Accents upon one character; more are piled up only to spill over the lines above.
_PILE = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{2})[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)

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

# One shape each, told apart without colour; none that a terminal draws as an emoji or two columns wide.
_GLYPHS = {
    State.CREATED: "·.",
    State.QUEUED: "○o",
    State.HELD: "■=",
    State.SUBMITTED: "◎O",
    State.RUNNING: "►>",
    State.SUSPENDED: "‖|",
    State.CANCELLING: "~~",
    State.FINISHED: "✓+",
    State.FAILED: "✗x",
    State.CANCELLED: "⊘-",
    State.UNKNOWN: "??",
}
STATE_GLYPHS = {state: shapes[0] for state, shapes in _GLYPHS.items()}
STATE_GLYPHS_ASCII = {state: shapes[1] for state, shapes in _GLYPHS.items()}


def needs_ascii(encoding: str, term: str) -> bool:
    """Whether a terminal with this encoding and ``$TERM`` may lack the shapes of ``STATE_GLYPHS``."""
    return "utf" not in encoding.lower() or term in ("linux", "dumb", "vt100", "vt220")


def one_line(text: str) -> str:
    """Text from a job as data on one line."""
    shown = plain(text)
    return shown if shown.isascii() else _PILE.sub(r"\1", shown.translate(_JOINERS))


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


def run_time(row: JobRow, now: float) -> float | None:
    """Seconds that a job ran, or has run until ``now`` (epoch seconds); None before its start."""
    if row.elapsed is not None:
        return row.elapsed
    if row.started is None or row.state in ENDED:
        return None
    return max(0.0, now - row.started)


def elapsed(row: JobRow, now: float | None = None) -> str:
    """How long a job ran, or runs by now."""
    seconds = run_time(row, time.time() if now is None else now)
    return "" if seconds is None else coarse(seconds)


def short_time(then: float | None, now: float) -> str:
    """A local time as short as it is clear: ``14:02``, ``Mon 14:02`` within a week, else ``2026-11-03``."""
    if then is None:
        return ""
    try:
        when, today = datetime.fromtimestamp(then), datetime.fromtimestamp(now)
    except (OverflowError, OSError, ValueError):
        return "?"
    days = abs((today.date() - when.date()).days)
    return when.strftime("%H:%M" if days == 0 else "%a %H:%M" if days < 7 else "%Y-%m-%d")


def called(row: JobRow) -> str:
    """A job as messages name it: id and name."""
    whom = one_line(row.label) if row.foreign else f"job {row.id}"
    return f"{whom} {cell(row.name, min(30, max(1, cell_len(one_line(row.name)))))}".rstrip()


def short_path(path: str) -> str:
    """A path with ~ for the person's home."""
    home = os.path.expanduser("~")
    return "~" + path[len(home) :] if path == home or path.startswith(home + "/") else path


def words_of(error: Exception) -> str:
    """An error in plain words."""
    if isinstance(error, FileNotFoundError):
        return f"{_named(error) or 'the work directory'} is not there (any more)"
    if isinstance(error, OSError):
        place = f"{_named(error)}: " if error.filename else ""
        return f"{place}{error.strerror or error}"
    return str(error)


def _named(error: OSError) -> str:
    return short_path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else ""
