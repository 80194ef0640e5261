"""The queues and nodes of a scheduler, as far as it tells: plain data, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec


class Queue(msgspec.Struct, frozen=True, omit_defaults=True):
    """A queue, which Slurm calls a partition.

    ``state``: the scheduler's own word; ``usable``: it takes jobs and starts them. ``default``: the one of jobs that
    name none. ``used``, ``free``, ``total``: slots, which are CPUs but for Grid Engine and LSF; None where the
    scheduler does not count them by queue. What is neither used nor free is down, drained or reserved. ``nodes``: how
    many; ``gpus`` likewise. ``running``, ``waiting``: everybody's jobs, where told. ``time_limit``: seconds that a job
    may take at most, None: none, or not told.
    """

    name: str
    state: str = ""
    usable: bool = True
    default: bool = False
    used: int | None = None
    free: int | None = None
    total: int | None = None
    nodes: int | None = None
    gpus_used: int | None = None
    gpus: int | None = None
    running: int | None = None
    waiting: int | None = None
    time_limit: float | None = None


class Node(msgspec.Struct, frozen=True, omit_defaults=True):
    """A machine that a scheduler runs jobs on.

    ``state``: the scheduler's own word; ``usable``: jobs may be started there; ``reason``: why not, in the words of
    whoever took it away. ``used``, ``total``: slots, as in ``Queue``; ``memory_used``, ``memory``: bytes, promised to
    jobs where the scheduler counts that, else in use. None: not told. ``queues``: the queues that it belongs to.
    """

    name: str
    state: str = ""
    usable: bool = True
    used: int | None = None
    total: int | None = None
    memory_used: int | None = None
    memory: int | None = None
    gpus_used: int | None = None
    gpus: int | None = None
    reason: str = ""
    queues: tuple[str, ...] = ()


class Capacity(msgspec.Struct, frozen=True):
    """What a scheduler has: its queues and nodes. ``trouble``: in its words, why this is not all; "" if it is."""

    queues: tuple[Queue, ...] = ()
    nodes: tuple[Node, ...] = ()
    trouble: str = ""


class Share(msgspec.Struct, frozen=True):
    """How many jobs one person has in a queue."""

    running: int = 0
    waiting: int = 0


def shares(jobs: Iterable[tuple[str, str]]) -> dict[str, Share]:
    """A person's jobs by queue, out of the queue and the presence (see ``Observation``) of each."""
    counted: dict[str, list[int]] = {}
    for queue, presence in jobs:
        if presence in ("pending", "held"):
            counted.setdefault(queue, [0, 0])[1] += 1
        elif presence in ("running", "suspended", "ending"):
            counted.setdefault(queue, [0, 0])[0] += 1
    return {queue: Share(*both) for queue, both in counted.items()}


def share_of(queue: Queue, mine: Mapping[str, Share]) -> Share:
    """What a person has in a queue. A job that may start in several stands in Slurm as ``short,long``."""
    found = [share for names, share in mine.items() if queue.name in names.split(",")]
    return Share(sum(share.running for share in found), sum(share.waiting for share in found))
