"""What Grid Engine tells of its queues and hosts: qhost shows both, with the slots of each queue on each host."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import unescape

import msgspec

from ..core.queues import Capacity, Node, Queue
from .dialect import Command, Reply, number

_HOST = re.compile(r"<host name='([^']*)'>(.*?)</host>", re.DOTALL)
_QUEUE = re.compile(r"<queue name='([^']*)'>(.*?)</queue>", re.DOTALL)
_VALUE = re.compile(r"<(?:host|queue)value (?:qname='[^']*' )?name='(\w+)'>([^<]*)</")
_LIMIT = re.compile(r"^qname\s+(\S+)|^(?:h_rt|s_rt)\s+([^\s,]+)", re.MULTILINE)
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)([KMGT]?)")
_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
# The letters for the state of a queue on a host, from qstat(1), the gravest first.
_STATES = {
    "u": "unreachable",
    "E": "error",
    "o": "orphaned",
    "c": "ambiguous",
    "d": "disabled",
    "D": "disabled",
    "s": "suspended",
    "S": "suspended",
    "C": "suspended",
    "A": "overloaded",
    "a": "overloaded",
}


def questions(patience: float) -> Sequence[Command]:
    """One question about all hosts and the queues on them, one for the time limits of queues."""
    return (
        Command(("qhost", "-q", "-xml"), patience=patience),
        Command(("qconf", "-sq", "*"), patience=patience),
    )


def read(replies: Sequence[Reply]) -> Capacity:
    """The hosts and queues in the answers to ``questions``. Graphics processors are not told of.

    A host is as usable as the most usable of its queues. Its slots are those of its queues together, but used ones are
    no more than the host has where queues share it.
    """
    hosts, limits = replies
    if hosts.code != 0 or "</qhost>" not in hosts.out:
        return Capacity(trouble=hosts.words() if hosts.code != 0 or hosts.err.strip() else "its answer was torn")
    nodes: list[Node] = []
    queues: dict[str, Queue] = {}
    for name, text in _HOST.findall(hosts.out):
        if name == "global":
            continue
        here = {queue: dict(_VALUE.findall(body)) for queue, body in _QUEUE.findall(text)}
        nodes.append(_node(unescape(name), dict(_VALUE.findall(_QUEUE.sub("", text))), here))
        for queue, values in here.items():
            known = queues.get(queue, Queue(unescape(queue), used=0, free=0, total=0, nodes=0, usable=False))
            queues[queue] = _with(known, values)
    times = _times(limits.out) if limits.code == 0 else {}
    told = [
        msgspec.structs.replace(queue, state=queue.state or "ok", time_limit=times.get(queue.name))
        for queue in queues.values()
    ]
    return Capacity(tuple(told), tuple(nodes))


def _with(queue: Queue, values: Mapping[str, str]) -> Queue:
    """The queue with what it has on one more host."""
    used, total, letters = _count(values, "slots_used"), _count(values, "slots"), values.get("state_string", "")
    usable = _usable(letters)
    return msgspec.structs.replace(
        queue,
        used=(queue.used or 0) + used,
        free=(queue.free or 0) + (max(0, total - used) if usable else 0),
        total=(queue.total or 0) + total,
        nodes=(queue.nodes or 0) + 1,
        usable=queue.usable or usable,
        # What is so on some hosts only is said of those.
        state="" if usable or queue.usable else state_word(letters),
    )


def _node(name: str, values: Mapping[str, str], here: Mapping[str, Mapping[str, str]]) -> Node:
    letters = [queue.get("state_string", "") for queue in here.values()]
    usable = any(map(_usable, letters))
    reachable = values.get("load_avg", "-").strip() != "-"
    bad = {queue: state_word(queue_values.get("state_string", "")) for queue, queue_values in here.items()}
    told = ", ".join(f"{unescape(queue)} {word}" for queue, word in bad.items() if word and (usable or reachable))
    slots = max((_count(queue, "slots") for queue in here.values()), default=0)
    return Node(
        name,
        "ok" if usable else "unreachable" if not reachable else state_word("".join(letters)) or "no queue",
        usable,
        sum(_count(queue, "slots_used") for queue in here.values()),
        max(slots, sum(_count(queue, "slots_used") for queue in here.values())),
        _size(values.get("mem_used", "")),
        _size(values.get("mem_total", "")),
        reason=told,
        queues=tuple(unescape(queue) for queue in here),
    )


def state_word(letters: str) -> str:
    """The gravest of the letters for a queue's state as a word, "" if there is none."""
    return next((word for letter, word in _STATES.items() if letter in letters), "")


def _usable(letters: str) -> bool:
    # On an overloaded host jobs go on, and new ones wait until the load is gone.
    return not set(letters) & set("uEocdDsSC")


def _count(values: Mapping[str, str], name: str) -> int:
    return int(number(values.get(name, "")))


def _size(text: str) -> int | None:
    """Bytes out of ``23.5G``; None for ``-``."""
    match = _SIZE.fullmatch(text.strip())
    return None if match is None else int(float(match[1]) * 2 ** _UNITS[match[2]])


def _times(text: str) -> dict[str, float]:
    """The shorter of each queue's two run time limits, in seconds; where it differs by host, the usual one."""
    found: dict[str, float] = {}
    name = ""
    for queue, limit in _LIMIT.findall(text):
        if queue:
            name = queue
        elif name and (parts := _seconds(limit)):
            found[name] = min(found.get(name, parts), parts)
    return found


def _seconds(text: str) -> float:
    """Seconds out of ``24:00:00`` or ``3600``; 0 for INFINITY and whatever else."""
    parts = text.split(":")
    if len(parts) > 3 or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        return 0.0
    total = 0
    for part in parts:
        total = total * 60 + int(part)
    return float(total)
