"""What the screen did, as the commands that do the same, so that it can be trusted, learnt from and repeated."""

from __future__ import annotations

import shlex
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...core.filters import id_ranges

_KEPT = 500


@dataclass(frozen=True)
class Done:
    """One thing that was done: when (epoch seconds), the command that does the same, and what became of it."""

    at: float
    command: str
    outcome: str


def command_line(workdir: str, words: Sequence[str], ids: Sequence[int], foreign: Iterable[str] = ()) -> str:
    """The command that gives an order, whose own words these are, to jobs of a work directory and foreign ones."""
    return shlex.join(["jobtui", "-w", workdir, *words, *([id_ranges(ids)] if ids else []), *foreign])


class CommandLog:
    """The last of what was done, oldest first."""

    def __init__(self) -> None:
        """Begin empty."""
        self.entries: deque[Done] = deque(maxlen=_KEPT)

    def add(self, command: str, outcome: str) -> None:
        """Note what was done just now."""
        self.entries.append(Done(time.time(), command, outcome))
