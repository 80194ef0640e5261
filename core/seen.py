"""What a scheduler said last, kept in the work directory, so that clients show it with its age and ask nobody."""

from __future__ import annotations

import os

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from . import metadir
from .backend import Foreign
from .queues import Capacity, Share
from .workdir import WorkDir

_PREFIX, _QUEUES = "seen.", "queues."
_T = TypeVar("_T")


class Seen(msgspec.Struct, frozen=True):
    """``seen.<back end>``: what a scheduler said last, for clients. Times are epoch seconds.

    ``at``: when it last answered in full, 0 if it never did; ``tried``: when it was asked last; ``trouble``: why that
    was not answered in full, in its own words. ``others`` are the person's jobs there that are not of this work
    directory. ``mine``: how many jobs the person has in each of its queues.
    """

    backend: str
    words: str
    at: float
    tried: float
    trouble: str = ""
    others: tuple[Foreign, ...] = ()
    mine: Mapping[str, Share] = {}


class SeenQueues(msgspec.Struct, frozen=True):
    """``queues.<back end>``: what a scheduler told last of its queues and nodes. Times are epoch seconds.

    ``at``: when it told ``capacity``, 0 if it never did; ``tried``: when it was asked last; ``trouble``: why that was not
    answered in full, in its own words. ``words``: which scheduler it is.
    """

    backend: str
    words: str
    at: float
    tried: float
    trouble: str = ""
    capacity: Capacity = Capacity()


def keep_seen(workdir: WorkDir, seen: Seen) -> None:
    """Write down what a scheduler said. Raises OSError."""
    metadir.write_fact(workdir.path, f"{_PREFIX}{seen.backend}", seen)


def read_seen(workdir: WorkDir) -> list[Seen]:
    """What each scheduler of this work directory said last; files that make no sense are left out. Raises OSError."""
    return _read(workdir, _PREFIX, Seen)


def keep_queues(workdir: WorkDir, seen: SeenQueues) -> None:
    """Write down what a scheduler told of its queues. Raises OSError."""
    metadir.write_fact(workdir.path, f"{_QUEUES}{seen.backend}", seen)


def read_queues(workdir: WorkDir) -> list[SeenQueues]:
    """What each scheduler told last of its queues; files that make no sense are left out. Raises OSError."""
    return _read(workdir, _QUEUES, SeenQueues)


def _read(workdir: WorkDir, prefix: str, kind: type[_T]) -> list[_T]:
    found: list[_T] = []
    for name in sorted(os.listdir(workdir.path)):
        if not name.startswith(prefix) or name.endswith(".tmp"):
            continue
        try:
            with open(workdir.file(name), "rb") as file:
                found.append(metadir.decode(file.read(), kind))
        except (FileNotFoundError, msgspec.MsgspecError, ValueError):
            continue
    return found
