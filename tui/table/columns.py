"""The columns that there are: what each says of a job and of an array, how it sorts, and how wide it may be."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

from ...core.job import JobRow
from ..celltext import coarse, elapsed, run_time, short_path, short_time
from .arrays import RANK, Summary
from .words import bytes_text, counts_text, glyph, natural, progress_bar, task_name

Key = Callable[[JobRow], Any]


class Look(NamedTuple):
    """How things are shown: ``now`` is epoch seconds, ``label`` names the job's work directory."""

    now: float
    ascii: bool
    label: str


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of the table.

    ``head`` stands above it, ``title`` names it where there is more room. ``value`` is what it says of a job,
    ``of_array`` of an array. ``order_by`` gives for a moment (epoch seconds) what jobs are sorted by, None standing
    for a missing value; ``descending``: so it sorts when it is chosen. ``least`` and ``most`` bound its width; it is
    widened beyond ``enough`` only when all others have enough. ``sparse``: it takes no room as long as nothing in
    view has a value. Where there is no room, the columns of the lowest ``worth`` go.
    """

    id: str
    head: str
    title: str
    value: Callable[[JobRow, Look], str]
    of_array: Callable[[Summary, Look], str]
    order_by: Callable[[float], Key]
    least: int
    most: int
    enough: int = 1000
    worth: int
    right: bool = False
    default: bool = False
    descending: bool = False
    sparse: bool = False


def _field(name: str) -> Callable[[float], Key]:
    get = attrgetter(name)
    return lambda _now: get


def _by_text(get: Callable[[JobRow], str | None]) -> Callable[[float], Key]:
    return lambda _now: lambda row: natural(text) if (text := get(row)) else None


def _nothing(_summary: Summary, _look: Look) -> str:
    return ""


def _text(id: str, head: str, get: Callable[[JobRow], str | None], least: int, most: int, **more: Any) -> Column:
    """Text of a job; of an array it says what the first task says."""
    given: dict[str, Any] = {
        "title": head.capitalize(),
        "value": lambda row, _look: get(row) or "",
        "of_array": lambda summary, _look: get(summary.first) or "",
        "order_by": _by_text(get),
    }
    return Column(id=id, head=head, least=least, most=most, **{**given, **more})


def _number(id: str, head: str, words: Callable[[JobRow], str], least: int, most: int, **more: Any) -> Column:
    """A number of a job; of an array it says what the first task says."""
    given: dict[str, Any] = {
        "title": head.capitalize(),
        "value": lambda row, _look: words(row),
        "of_array": lambda summary, _look: words(summary.first),
        "order_by": _field(id),
        "right": True,
        "descending": True,
    }
    return Column(id=id, head=head, least=least, most=most, **{**given, **more})


def _time(id: str, title: str, of_array: Callable[[Summary], float | None], worth: int) -> Column:
    """A time of a job."""
    get = attrgetter(id)
    return Column(
        id=id,
        head=id.upper(),
        title=title,
        value=lambda row, look: short_time(get(row), look.now),
        of_array=lambda summary, look: short_time(of_array(summary), look.now),
        order_by=_field(id),
        least=7,
        most=10,
        worth=worth,
        descending=True,
    )


def why_words(row: JobRow, now: float) -> str:
    """Why a job is what it is; before it, when a scheduler means to start it. ``now``: epoch seconds."""
    if row.expected is None or row.expected <= now or row.started is not None:
        return row.detail
    return f"starts {short_time(row.expected, now)}?{'; ' if row.detail else ''}{row.detail}"


def _exit(row: JobRow) -> str:
    return "" if row.exit_code is None else str(row.exit_code)


def _share(row: JobRow) -> float | None:
    # No number is no progress; and it has no place among numbers.
    return None if row.progress is None or math.isnan(row.progress) else row.progress


def _more_than_one(count: int) -> str:
    return str(count) if count > 1 else ""


def _run_time_words(summary: Summary, look: Look) -> str:
    seconds = summary.elapsed(look.now)
    return "" if seconds is None else coarse(seconds)


def _by_run_time(now: float) -> Key:
    return lambda row: row.elapsed if row.elapsed is not None else run_time(row, now)


STATE_WIDTH = 12
"""A state's word with its glyph, and the bar of an array."""

COLUMNS = (
    _number(
        "id",
        "ID",
        attrgetter("label"),
        3,
        14,
        title="Id",
        order_by=lambda _now: lambda row: row.id or None,
        of_array=lambda summary, _look: str(summary.first.array),
        worth=100,
        default=True,
    ),
    Column(
        id="workdir",
        head="WHERE",
        title="Work directory",
        value=lambda row, look: "" if row.foreign else look.label or short_path(row.workdir),
        of_array=lambda summary, look: look.label or short_path(summary.first.workdir),
        order_by=_by_text(attrgetter("workdir")),
        least=5,
        most=16,
        worth=80,
    ),
    _text(
        "name",
        "NAME",
        task_name,
        10,
        40,
        enough=24,
        of_array=lambda summary, _look: summary.first.name,
        order_by=_by_text(attrgetter("name")),
        worth=90,
        default=True,
    ),
    Column(
        id="state",
        head="STATE",
        title="State",
        value=lambda row, look: f"{glyph(row.state, ascii=look.ascii)} {row.state}",
        of_array=lambda summary, look: "",
        order_by=lambda _now: lambda row: RANK[row.state],
        least=STATE_WIDTH,
        most=STATE_WIDTH,
        worth=95,
        default=True,
    ),
    Column(
        id="progress",
        head="PROGRESS",
        title="Progress, where a job tells it",
        value=lambda row, look: progress_bar(row.progress, ascii=look.ascii),
        of_array=lambda summary, look: progress_bar(summary.progress, ascii=look.ascii),
        order_by=lambda _now: _share,
        least=10,
        most=10,
        worth=70,
        default=True,
        descending=True,
        sparse=True,
    ),
    Column(
        id="elapsed",
        head="ELAPSED",
        title="Elapsed time",
        value=lambda row, look: elapsed(row, look.now),
        of_array=_run_time_words,
        order_by=_by_run_time,
        least=7,
        most=8,
        worth=85,
        right=True,
        default=True,
        descending=True,
    ),
    _number(
        "attempt",
        "TRY",
        lambda row: _more_than_one(row.attempt),
        3,
        4,
        title="Attempts, where there was more than one",
        of_array=lambda summary, _look: _more_than_one(summary.attempts),
        worth=45,
        default=True,
        sparse=True,
    ),
    _number(
        "exit",
        "EXIT",
        _exit,
        4,
        4,
        title="Exit code",
        of_array=lambda summary, _look: _exit(summary.telling_row),
        order_by=_field("exit_code"),
        worth=55,
    ),
    _text(
        "detail",
        "WHY",
        attrgetter("detail"),
        8,
        60,
        value=lambda row, look: why_words(row, look.now),
        enough=28,
        title="Why: exit and reasons in words",
        of_array=lambda summary, _look: counts_text(summary),
        worth=60,
        default=True,
        sparse=True,
    ),
    _text("backend", "BACKEND", attrgetter("backend"), 7, 10, worth=30),
    _text("queue", "QUEUE", attrgetter("queue"), 5, 12, title="Queue or partition", worth=38),
    _text("host", "HOST", attrgetter("host"), 4, 16, of_array=_nothing, worth=40),
    _text("jid", "JID", attrgetter("jid"), 3, 12, title="Id in the scheduler", of_array=_nothing, worth=15),
    _number("cpus", "CPUS", lambda row: str(row.cpus), 4, 5, title="CPUs", worth=35),
    _number("memory", "MEM", lambda row: bytes_text(row.memory), 5, 5, title="Memory", worth=34),
    _number("gpus", "GPUS", lambda row: str(row.gpus) if row.gpus else "", 4, 4, title="GPUs", worth=33),
    _number("priority", "PRIO", lambda row: str(row.priority), 4, 6, title="Priority", worth=32),
    _text("tags", "TAGS", lambda row: " ".join(row.tags), 4, 16, worth=31),
    _time("created", "Created", lambda summary: summary.first.created, 25),
    _time("expected", "When its scheduler means to start it", lambda summary: summary.first.expected, 27),
    _time("started", "Started", lambda summary: summary.started, 28),
    _time("ended", "Ended", lambda summary: summary.ended, 26),
    _text("cwd", "DIRECTORY", lambda row: short_path(row.cwd), 9, 30, title="Directory", worth=20),
    _text("command", "COMMAND", lambda row: row.command.strip(), 16, 40, worth=50, default=True),
)
BY_ID = {column.id: column for column in COLUMNS}
DEFAULT = tuple(column.id for column in COLUMNS if column.default)
"""The ids of the columns that are shown unless others are chosen."""


def readable_columns(ids: Iterable[str]) -> tuple[str, ...]:
    """The ids of columns that there are, each once; the usual ones if none is left."""
    return tuple(dict.fromkeys(id for id in ids if id in BY_ID)) or DEFAULT
