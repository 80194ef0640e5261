"""What a scheduler said last, kept in the work directory, so that clients show it with its age and ask nobody."""

from __future__ import annotations

import os
from collections.abc import Iterable

import msgspec

from . import metadir
from .backend import Foreign
from .workdir import WorkDir

_PREFIX = "seen."


class Seen(msgspec.Struct, frozen=True):
    """``seen.<back end>``: what a scheduler said last, for clients. Times are epoch seconds.

    ``at``: when it last answered in full, 0 if it never did; ``tried``: when it was asked last; ``trouble``: why that
    was not answered in full, in its own words. ``others`` are the person's jobs there that are not of this work
    directory.
    """

    backend: str
    words: str
    at: float
    tried: float
    trouble: str = ""
    others: tuple[Foreign, ...] = ()


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
    found: list[Seen] = []
    for name in sorted(os.listdir(workdir.path)):
        if not name.startswith(_PREFIX) or name.endswith(".tmp"):
            continue
        try:
            with open(workdir.file(name), "rb") as file:
                found.append(metadir.decode(file.read(), Seen))
        except (FileNotFoundError, msgspec.MsgspecError, ValueError):
            continue
    return found
