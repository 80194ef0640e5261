"""What PBS and Torque tell of their queues (qstat -Q -f) and nodes (pbsnodes -a).

The form of pbsnodes' answer was recorded from OpenPBS 23.06; that of qstat -Q -f is the one of qstat -f, with the
attributes that the recorded JSON has, and Torque's are taken from its manual pages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..core.queues import Capacity, Node, Queue
from .dialect import Command, Reply, number

# Nothing is started on a node of whose states one is among these.
_UNUSABLE = frozenset(
    {
        "down",
        "offline",
        "unknown",
        "state-unknown",
        "stale",
        "provisioning",
        "wait-provisioning",
        "maintenance",
        "sleep",
        "unresolvable",
    }
)
_COUNT = re.compile(r"(\w+):(\d{1,9})(?!\d)")
_SIZE = re.compile(r"(\d{1,18})([kmgtp]?)(b|w)?", re.IGNORECASE)
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50}


def questions(patience: float) -> Sequence[Command]:
    """One question about all queues, one about all nodes."""
    return (Command(("qstat", "-Q", "-f"), patience=patience), Command(("pbsnodes", "-a"), patience=patience))


def read(replies: Sequence[Reply]) -> Capacity:
    """The queues and nodes in the answers to ``questions``. PBS does not count the slots of a queue."""
    trouble = [reply.words() for reply in replies if reply.code != 0]
    queues = [_queue(name, values) for name, values in _records(replies[0].out, "Queue: ")]
    nodes = [_node(name, values) for name, values in _records(replies[1].out, "")]
    return Capacity(tuple(queues), tuple(nodes), trouble[0] if trouble else "")


def _records(text: str, title: str) -> list[tuple[str, dict[str, str]]]:
    """The names in lines of their own, each with the attributes below it; those without any are left out."""
    found: list[tuple[str, dict[str, str]]] = []
    # Lines that begin with a tab go on with the value before.
    for line in text.replace("\n\t", "").splitlines():
        key, sign, value = line.partition(" = ")
        if line[:1] not in ("", " ", "\t") and line.startswith(title) and not sign:
            found.append((line.removeprefix(title).strip(), {}))
        elif line.startswith(" ") and sign and found:
            found[-1][1].setdefault(key.strip(), value.strip())
    return [(name, values) for name, values in found if name and values]


def _queue(name: str, values: Mapping[str, str]) -> Queue:
    counts = {state: int(count) for state, count in _COUNT.findall(values.get("state_count", ""))}
    enabled, started = values.get("enabled") == "True", values.get("started") == "True"
    state = "open" if enabled and started else "stopped" if enabled else "closed"
    if values.get("queue_type", "").startswith("R"):
        state += ", routes"
    return Queue(
        name,
        state,
        usable=enabled and started,
        used=_whole(values.get("resources_assigned.ncpus", "")),
        running=counts.get("Running", 0) + counts.get("Exiting", 0),
        waiting=sum(counts.get(word, 0) for word in ("Queued", "Held", "Waiting", "Transit")),
        time_limit=_seconds(values.get("resources_max.walltime", "")),
    )


def _node(name: str, values: Mapping[str, str]) -> Node:
    state = values.get("state", "")
    # Torque: what its node daemon measured, in one line.
    status = dict(part.split("=", 1) for part in values.get("status", "").split(",") if "=" in part)
    total = _whole(values.get("resources_available.ncpus", values.get("np", "")))
    used = _whole(values.get("resources_assigned.ncpus", ""))
    if used is None and "np" in values:
        used = _slots(values.get("jobs", ""))
    gpus = _whole(values.get("resources_available.ngpus", values.get("gpus", ""))) or None
    return Node(
        name,
        state,
        not _UNUSABLE & set(re.split(r"[,\s]+", state)),
        used,
        total,
        _size(values.get("resources_assigned.mem", "")),
        _size(values.get("resources_available.mem", status.get("physmem", ""))),
        _whole(values.get("resources_assigned.ngpus", "")) if gpus else None,
        gpus,
        values.get("comment", values.get("note", "")),
        tuple(filter(None, re.split(r"[,\s]+", values.get("queue", "")))),
    )


def _slots(jobs: str) -> int:
    """How many slots are in use, out of Torque's ``0/12.srv, 1-3/13.srv``."""
    used = 0
    for job in jobs.split(", "):
        for span in job.partition("/")[0].split(","):
            low, _, high = span.strip().partition("-")
            if low.isascii() and low.isdigit():
                used += max(1, int(number(high)) - int(number(low)) + 1) if high else 1
    return used


def _whole(text: str) -> int | None:
    return int(number(text)) if text.isascii() and text.isdigit() else None


def _size(text: str) -> int | None:
    """Bytes out of ``16gb`` or ``512000kb``; None where there is none."""
    match = _SIZE.fullmatch(text)
    if match is None:
        return None
    return int(match[1]) * 2 ** _UNITS[match[2].lower()] * (8 if (match[3] or "").lower() == "w" else 1)


def _seconds(text: str) -> float | None:
    """Seconds out of ``00:10:00``; None where there is no limit."""
    parts = text.split(":")
    if not text or len(parts) > 3 or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        return None
    total = 0
    for part in parts:
        total = total * 60 + int(part)
    return float(total)
