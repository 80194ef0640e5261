"""What a scheduler said last, kept in the work directory, so that clients show it with its age and ask nobody."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from . import metadir
from .backend import Foreign
from .queues import Capacity, Share
from .stale import current
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

    ``at``: when it told ``capacity``, 0 if it never did; ``tried``: when it was asked last; ``trouble``: why that was
    not answered in full, in its own words. ``words``: which scheduler it is.
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


def seen_signs(workdir: WorkDir, backends: Iterable[str]) -> dict[str, int]:
    """When these schedulers' words were written down last, as numbers to compare; 0 where they never were."""
    return {name: _sign(workdir.file(f"{_PREFIX}{name}")) for name in backends}


def _sign(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def read_seen(workdir: WorkDir) -> list[Seen]:
    """What each scheduler of this work directory said last; files that make no sense are left out. Raises OSError."""
    found = [_read(path, Seen) for path in _paths(workdir, _PREFIX)]
    return [seen for seen in found if seen is not None]


def keep_queues(workdir: WorkDir, seen: SeenQueues) -> None:
    """Write down what a scheduler told of its queues. Raises OSError."""
    metadir.write_fact(workdir.path, f"{_QUEUES}{seen.backend}", seen)


class QueuesReader:
    """Reads what schedulers told of their queues, and decodes only what is new: a large site tells much."""

    def __init__(self, workdir: WorkDir) -> None:
        """Know of nothing yet."""
        self._workdir = workdir
        self._known: dict[str, tuple[tuple[int, int], SeenQueues | None]] = {}

    def read(self) -> list[SeenQueues]:
        """What each scheduler told last; files that make no sense are left out. Raises OSError."""
        found: dict[str, tuple[tuple[int, int], SeenQueues | None]] = {}
        for path in _paths(self._workdir, _QUEUES):
            try:
                status = os.stat(path)
            except FileNotFoundError:
                continue
            mark, known = (status.st_ino, status.st_mtime_ns), self._known.get(path)
            found[path] = known if known is not None and known[0] == mark else (mark, _read(path, SeenQueues))
        self._known = found
        return [seen for _, seen in found.values() if seen is not None]


def _paths(workdir: WorkDir, prefix: str) -> list[str]:
    names = sorted(os.listdir(workdir.path))
    return [workdir.file(name) for name in names if name.startswith(prefix) and not name.endswith(".tmp")]


def _read(path: str, kind: type[_T]) -> _T | None:
    try:
        return current(_decode, path, kind)
    except (FileNotFoundError, msgspec.MsgspecError, ValueError):
        return None


def _decode(path: str, kind: type[_T]) -> _T:
    with open(path, "rb") as file:
        return metadir.decode(file.read(), kind)
