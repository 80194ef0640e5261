"""The columns of the two tables: what each says of a queue or a node, and what it sorts by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ..celltext import coarse
from ..table.words import bytes_text, natural
from .board import NodeLine, QueueLine

T = TypeVar("T", QueueLine, NodeLine)
GAP = 2
_BAR = 10


@dataclass(frozen=True)
class Column(Generic[T]):
    """``text`` is what it says (of a line; whether in ASCII alone), ``key`` what it sorts by, None standing last.

    ``most``: the most columns that it may take; what is cut to fewer than ``least`` is left out. Where there is no
    room, those of the lowest ``worth`` go. ``alarming``: red where jobs are not started there.
    """

    id: str
    head: str
    text: Callable[[T, bool], str]
    key: Callable[[T], Any]
    worth: int
    most: int = 40
    right: bool = False
    descending: bool = False
    alarming: bool = False
    least: int = 12


def bar(used: int | None, free: int | None, total: int | None, *, ascii: bool) -> str:
    """How much of something is used (full), free (dots) and neither (crosses)."""
    if used is None or not total:
        return ""
    full, gone, rest = ("#", "x", ".") if ascii else ("█", "×", "·")
    idle = max(0, total - used) if free is None else free
    taken = max(1 if used else 0, min(_BAR, used * _BAR // total))
    away = max(0, min(_BAR - taken, round(max(0, total - used - idle) * _BAR / total)))
    return full * taken + gone * away + rest * (_BAR - taken - away)


def _of(used: object, total: object) -> str:
    if total is None:
        return "" if used is None else str(used)
    return f"{'?' if used is None else used}/{total}"


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _more(value: int) -> str:
    return str(value) if value else ""


def _limit(seconds: float | None) -> str:
    return "" if seconds is None else coarse(seconds)


def _memory(line: NodeLine) -> str:
    node = line.node
    used = None if node.memory_used is None else bytes_text(node.memory_used)
    return _of(used, bytes_text(node.memory) if node.memory is not None else None)


def _share(used: int | None, total: int | None) -> float | None:
    return None if used is None or not total else used / total


QUEUE_COLUMNS: Sequence[Column[QueueLine]] = (
    Column("backend", "WHERE", lambda q, _: q.backend, lambda q: natural(q.backend), 90, 16),
    Column(
        "name",
        "QUEUE",
        lambda q, _: q.queue.name + ("*" if q.queue.default else ""),
        lambda q: natural(q.queue.name),
        100,
        24,
    ),
    Column("state", "STATE", lambda q, _: q.queue.state, lambda q: q.queue.state, 80, 14, alarming=True),
    Column(
        "bar",
        "LOAD",
        lambda q, ascii: bar(q.queue.used, q.queue.free, q.queue.total, ascii=ascii),
        lambda q: _share(q.queue.used, q.queue.total),
        60,
        _BAR,
        descending=True,
    ),
    Column(
        "used",
        "USED",
        lambda q, _: _of(q.queue.used, q.queue.total),
        lambda q: q.queue.used,
        85,
        15,
        right=True,
        descending=True,
    ),
    Column("free", "FREE", lambda q, _: _number(q.queue.free), lambda q: q.queue.free, 84, 8, True, True),
    Column(
        "gpus",
        "GPUS",
        lambda q, _: _of(q.queue.gpus_used, q.queue.gpus) if q.queue.gpus else "",
        lambda q: q.queue.gpus,
        50,
        11,
        True,
        True,
    ),
    Column("nodes", "NODES", lambda q, _: _number(q.queue.nodes), lambda q: q.queue.nodes, 30, 6, True, True),
    Column("running", "RUN", lambda q, _: _number(q.queue.running), lambda q: q.queue.running, 35, 7, True, True),
    Column("waiting", "WAIT", lambda q, _: _number(q.queue.waiting), lambda q: q.queue.waiting, 36, 7, True, True),
    Column("my-run", "MY RUN", lambda q, _: _more(q.mine.running), lambda q: q.mine.running, 70, 7, True, True),
    Column("my-wait", "MY WAIT", lambda q, _: _more(q.mine.waiting), lambda q: q.mine.waiting, 71, 7, True, True),
    Column("limit", "LIMIT", lambda q, _: _limit(q.queue.time_limit), lambda q: q.queue.time_limit, 55, 8, True, True),
)
NODE_COLUMNS: Sequence[Column[NodeLine]] = (
    Column("backend", "WHERE", lambda n, _: n.backend, lambda n: natural(n.backend), 90, 16),
    Column("name", "NODE", lambda n, _: n.node.name, lambda n: natural(n.node.name), 100, 30),
    Column("state", "STATE", lambda n, _: n.node.state, lambda n: n.node.state, 95, 20, alarming=True),
    Column(
        "bar",
        "LOAD",
        lambda n, ascii: bar(n.node.used, None if n.node.usable else 0, n.node.total, ascii=ascii),
        lambda n: _share(n.node.used, n.node.total),
        40,
        _BAR,
        descending=True,
    ),
    Column("used", "CPUS", lambda n, _: _of(n.node.used, n.node.total), lambda n: n.node.used, 85, 9, True, True),
    Column("memory", "MEMORY", lambda n, _: _memory(n), lambda n: n.node.memory, 60, 11, True, True),
    Column(
        "gpus",
        "GPUS",
        lambda n, _: _of(n.node.gpus_used, n.node.gpus) if n.node.gpus else "",
        lambda n: n.node.gpus,
        70,
        7,
        True,
        True,
    ),
    Column("queues", "QUEUES", lambda n, _: ",".join(n.node.queues), lambda n: ",".join(n.node.queues), 20, 24),
    Column("reason", "REASON", lambda n, _: n.node.reason, lambda n: n.node.reason or None, 86, 200, least=30),
)


def fit(columns: Sequence[Column[T]], wanted: Mapping[str, int], room: int) -> list[tuple[Column[T], int]]:
    """The columns that have room, each with its width, out of the widths that they want; 0: it has nothing to say."""
    placed = [column for column in columns if wanted.get(column.id)]

    def least(column: Column[T]) -> int:
        # What is cut can still be read in part, but for numbers.
        return wanted[column.id] if column.right or column.id == "bar" else min(wanted[column.id], column.least)

    while len(placed) > 1 and sum(least(column) + GAP for column in placed) - GAP > room:
        placed.remove(min(placed, key=lambda column: column.worth))
    widths = {column.id: least(column) for column in placed}
    for column in sorted(placed, key=lambda column: -column.worth):
        spare = room - sum(width + GAP for width in widths.values()) + GAP
        widths[column.id] += max(0, min(spare, wanted[column.id] - widths[column.id]))
    return [(column, min(widths[column.id], max(1, room))) for column in placed]
