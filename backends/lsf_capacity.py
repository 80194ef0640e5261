"""What LSF tells of its queues (bqueues) and hosts (bhosts).

The answers were recorded from a relative of LSF; the words for states beyond those are from IBM's reference. Time
limits, memory and graphics processors stand in longer answers only, which take seconds on large sites: not asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..core.queues import Capacity, Node, Queue
from .dialect import Command, Reply, number

# A closed host with one of these is full of jobs; nobody took it away.
_BUSY = frozenset({"closed_full", "closed_excl", "closed_cu_excl", "closed_busy"})


def questions(patience: float) -> Sequence[Command]:
    """One question about all queues, one about all hosts, both in lines that are not cut."""
    return (Command(("bqueues", "-w"), patience=patience), Command(("bhosts", "-w"), patience=patience))


def read(replies: Sequence[Reply]) -> Capacity:
    """The queues and hosts in the answers to ``questions``."""
    trouble = [reply.words() for reply in replies if reply.code != 0]
    queues = [_queue(line) for line in _lines(replies[0].out, "QUEUE_NAME")]
    hosts = [_host(line) for line in _lines(replies[1].out, "HOST_NAME")]
    return Capacity(tuple(queues), tuple(hosts), trouble[0] if trouble else "")


def _lines(text: str, first: str) -> list[dict[str, str]]:
    """The lines of a table whose head begins with ``first``, by its heads; those that do not fit it are left out."""
    heads: list[str] = []
    found: list[dict[str, str]] = []
    for line in text.splitlines():
        words = line.split()
        if words[:1] == [first]:
            heads = words
        elif heads and len(words) == len(heads):
            found.append(dict(zip(heads, words, strict=True)))
    return found


def _queue(line: Mapping[str, str]) -> Queue:
    total, running = _whole(line.get("MAX", "")), _whole(line.get("RUN", ""))
    state = line.get("STATUS", "")
    used = None if running is None else running + (_whole(line.get("SUSP", "")) or 0)
    return Queue(
        line["QUEUE_NAME"],
        state,
        usable=state.lower() == "open:active",
        used=used,
        free=None if total is None or used is None else max(0, total - used),
        total=total,
        running=running,
        waiting=_whole(line.get("PEND", "")),
    )


def _host(line: Mapping[str, str]) -> Node:
    state = line.get("STATUS", "")
    used = _whole(line.get("NJOBS", ""))
    return Node(
        line["HOST_NAME"], state, state.lower() == "ok" or state.lower() in _BUSY, used, _whole(line.get("MAX", ""))
    )


def _whole(text: str) -> int | None:
    return int(number(text)) if text.isascii() and text.isdigit() else None
