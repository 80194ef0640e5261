"""What is shown of queues and nodes: lines made of what schedulers told, and the words around them. Pure."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ...core.queues import Node, Queue, Share, share_of
from ...core.seen import Seen, SeenQueues
from ...core.units import counted
from ..celltext import coarse

# Seconds: what is older than two questions to a scheduler says how old it is.
_FRESH = 90.0
# Seconds after which a scheduler that tells nothing is not worth waiting for in silence.
_PATIENCE = 3.0


class QueueLine(NamedTuple):
    """A queue of a scheduler, and what the person has in it."""

    backend: str
    queue: Queue
    mine: Share

    @property
    def key(self) -> tuple[str, str]:
        """What it is known by."""
        return self.backend, self.queue.name

    @property
    def words(self) -> str:
        """What a filter looks at."""
        queue = self.queue
        return f"{self.backend} {queue.name} {queue.state}"

    @property
    def usable(self) -> bool:
        """Whether it takes jobs and starts them."""
        return self.queue.usable


class NodeLine(NamedTuple):
    """A node of a scheduler."""

    backend: str
    node: Node

    @property
    def key(self) -> tuple[str, str]:
        """What it is known by."""
        return self.backend, self.node.name

    @property
    def words(self) -> str:
        """What a filter looks at."""
        node = self.node
        return f"{self.backend} {node.name} {node.state} {node.reason} {' '.join(node.queues)}"

    @property
    def usable(self) -> bool:
        """Whether jobs may be started there."""
        return self.node.usable


class Board(NamedTuple):
    """All that is known. ``facts``: for each scheduler when it told that, and what stands in the way of newer news."""

    queues: tuple[QueueLine, ...] = ()
    nodes: tuple[NodeLine, ...] = ()
    facts: tuple[SeenQueues, ...] = ()


def board(told: Sequence[SeenQueues], seen: Sequence[Seen]) -> Board:
    """Put together what schedulers told of their queues, and what they told of the person's jobs."""
    mine = {one.backend: one.mine for one in seen}
    queues = [
        QueueLine(one.backend, queue, share_of(queue, mine.get(one.backend, {})))
        for one in told
        for queue in one.capacity.queues
    ]
    nodes = [NodeLine(one.backend, node) for one in told for node in one.capacity.nodes]
    return Board(tuple(queues), tuple(nodes), tuple(told))


def age_words(told: SeenQueues, now: float) -> str:
    """How a scheduler is called, how old is what it told, and why there is nothing newer; ``now``: epoch seconds."""
    words = told.words or told.backend
    if told.at:
        words += f", as of {time.strftime('%H:%M:%S', time.localtime(told.at))}"
        if now - told.at >= _FRESH:
            words += f" ({coarse(now - told.at)} ago)"
    if told.trouble:
        words += f": {told.trouble}"
    return words


def missing_words(wanted: Iterable[str], unable: Iterable[str], told: Sequence[SeenQueues], waited: float) -> list[str]:
    """What is to be said of schedulers that have told nothing: a line each.

    ``unable``: those that are never asked for their queues; ``waited``: for how many seconds somebody looks already.
    """
    known = {one.backend for one in told}
    lines = [f"{name} does not tell of its queues and nodes" for name in sorted(unable)]
    late = "; the engine is asked to ask it" if waited >= _PATIENCE else ""
    lines += [f"{name} has told nothing yet{late}" for name in sorted(set(wanted) - known)]
    return lines


def node_counts(nodes: Iterable[NodeLine]) -> str:
    """How many nodes there are, and in which states: ``12 nodes: 8 idle, 3 mixed, 1 drained``."""
    states = Counter(line.node.state or "?" for line in nodes)
    total = sum(states.values())
    if not total:
        return ""
    return f"{counted(total, 'node')}: " + ", ".join(f"{count} {state}" for state, count in states.most_common(8))


def matching(words: str, needles: str) -> bool:
    """Whether all words of ``needles`` stand in ``words``, in either case of letters."""
    folded = words.casefold()
    return all(needle in folded for needle in needles.casefold().split())
