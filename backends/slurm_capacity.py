"""What Slurm tells of its partitions (sinfo) and nodes (scontrol show node)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from ..core.queues import Capacity, Node, Queue
from .dialect import Command, Reply, number

_FIELD = "\x1f"
# sinfo's letters: name (with a star if it is the default), up or not, time limit, nodes and CPUs (A/I/O/T).
_PARTITION = ("P", "a", "l", "F", "C")
# Nothing is started on a node of which one of these is said.
_UNUSABLE = frozenset(
    {"down", "drain", "fail", "maint", "unknown", "error", "future", "invalid_reg", "invalid", "blocked", "inval"}
)
_KEYS = re.compile(
    r"(?:^|\s)(NodeName|CPUAlloc|CPUTot|CPUEfctv|RealMemory|AllocMem|Gres|GresUsed|State|Partitions)=(\S*)"
)
# Behind it others may follow, which are free text as well.
_REASON = re.compile(r"\sReason=(.*?)(?:\s\[[^\]\s]*@[^\]\s]*\]|$)")
_GPUS = re.compile(r"(?:^|,)gpu(?::[^:,()]+)*?:(\d{1,6})(?=[,(]|$)")


def questions(patience: float) -> Sequence[Command]:
    """One question about all partitions, one about all nodes."""
    line = _FIELD.join(f"%{letter}" for letter in _PARTITION)
    return (
        Command(("sinfo", "-h", "-o", line), patience=patience),
        Command(("scontrol", "show", "node", "-d", "-o"), patience=patience),
    )


def read(replies: Sequence[Reply]) -> Capacity:
    """The partitions and nodes in the answers to ``questions``."""
    partitions, machines = replies
    trouble = [reply.words() for reply in replies if reply.code != 0]
    nodes: list[Node] = []
    for line in machines.out.splitlines():
        node = _node(line)
        if node is not None:
            nodes.append(node)
        elif line.strip():
            trouble.append("Slurm told of a node what makes no sense")
    queues: dict[str, Queue] = {}
    for line in partitions.out.splitlines():
        queue = _queue(line)
        if queue is None:
            trouble.append("Slurm told of a partition what makes no sense")
        else:
            queues[queue.name] = _added(queues[queue.name], queue) if queue.name in queues else queue
    with_gpus = _with_gpus(list(queues.values()), nodes)
    return Capacity(tuple(with_gpus), tuple(nodes), trouble[0] if trouble else "")


def _queue(line: str) -> Queue | None:
    """A partition, or some of its nodes."""
    fields = line.split(_FIELD)
    if len(fields) != len(_PARTITION) or not fields[0].strip("* "):
        return None
    name, state, limit, nodes, cpus = (field.strip() for field in fields)
    counted, slots = _counts(nodes), _counts(cpus)
    if counted is None or slots is None:
        return None
    used, free, _, total = slots
    return Queue(
        name.removesuffix("*"),
        state,
        usable=state == "up",
        default=name.endswith("*"),
        used=used,
        free=free,
        total=total,
        nodes=counted[3],
        time_limit=seconds(limit),
    )


def _counts(text: str) -> tuple[int, int, int, int] | None:
    """Allocated, idle, other and all, as in 3/1/0/4."""
    parts = text.split("/")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() and len(part) < 12 for part in parts):
        return None
    used, free, other, total = map(int, parts)
    return used, free, other, total


def _added(one: Queue, other: Queue) -> Queue:
    """The same partition, told of in two lines."""

    def both(a: int | None, b: int | None) -> int:
        return (a or 0) + (b or 0)

    return msgspec.structs.replace(
        one,
        used=both(one.used, other.used),
        free=both(one.free, other.free),
        total=both(one.total, other.total),
        nodes=both(one.nodes, other.nodes),
    )


def seconds(limit: str) -> float | None:
    """Seconds out of ``1-00:00:00``, ``10:00`` (minutes and seconds) or ``infinite`` (None)."""
    match = re.fullmatch(r"(?:(\d{1,6})-)?(\d{1,6}(?::\d{1,2}){0,2})", limit)
    if match is None:
        return None
    parts = [int(part) for part in match[2].split(":")]
    if match[1]:
        parts = [*parts, 0, 0][:3]
    total = 0
    for part in parts:
        total = total * 60 + part
    return total + 86400.0 * int(match[1] or 0)


def _node(line: str) -> Node | None:
    found: dict[str, str] = {}
    for key, value in _KEYS.findall(line):
        # Of a key that stands again in somebody's free text the first one counts.
        found.setdefault(key, value)
    name, word = found.get("NodeName", ""), found.get("State", "")
    if not name or not line.startswith("NodeName=") or not word:
        return None
    used = _whole(found.get("CPUAlloc", ""))
    total = _whole(found.get("CPUEfctv", "")) or _whole(found.get("CPUTot", ""))
    state, usable = _state(word)
    gpus, gpus_used = _gpus(found.get("Gres", "")), _gpus(found.get("GresUsed", ""))
    memory, promised = _whole(found.get("RealMemory", "")), _whole(found.get("AllocMem", ""))
    reason = _REASON.search(line)
    return Node(
        name,
        state,
        usable,
        used,
        total,
        None if promised is None else promised * 2**20,
        None if memory is None else memory * 2**20,
        gpus_used if gpus else None,
        gpus or None,
        reason[1] if reason is not None else "",
        tuple(part for part in found.get("Partitions", "").split(",") if part and part != "(null)"),
    )


def _whole(text: str) -> int | None:
    return int(number(text)) if text.isascii() and text.isdigit() else None


def _state(word: str) -> tuple[str, bool]:
    """Slurm's word for the state of a node as sinfo says it, and whether jobs are started there: ``IDLE+DRAIN``."""
    base, *flags = word.lower().split("+")
    silent = base.endswith("*") or "not_responding" in flags
    base = base.removesuffix("*")
    usable = not silent and not _UNUSABLE & {base, *flags}
    busy = base in ("allocated", "mixed", "completing")
    if "drain" in flags:
        base, flags = ("draining" if busy else "drained"), []
    elif "fail" in flags:
        base, flags = ("failing" if busy else "fail"), []
    flags = [flag for flag in flags if flag != "not_responding"]
    shown = flags[0] if base == "idle" and flags else "+".join([base, *flags])
    return shown + ("*" if silent else ""), usable


def _gpus(text: str) -> int:
    """How many are named in ``gpu:a100:4(S:0-1),gpu:v100:2``."""
    # What stands in brackets holds commas.
    return sum(int(count) for count in _GPUS.findall(re.sub(r"\([^()]*\)", "", text)))


def _with_gpus(queues: Sequence[Queue], nodes: Sequence[Node]) -> list[Queue]:
    """The partitions with the GPUs of their nodes."""
    sums: dict[str, list[int]] = {}
    for node in nodes:
        if node.gpus:
            for name in node.queues:
                known = sums.setdefault(name, [0, 0])
                known[0] += node.gpus_used or 0
                known[1] += node.gpus
    return [
        msgspec.structs.replace(queue, gpus_used=sums[queue.name][0], gpus=sums[queue.name][1])
        if queue.name in sums
        else queue
        for queue in queues
    ]
