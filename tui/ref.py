"""How the screen names what it lists: by work directory and id, for as long as the screen is open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Ref(NamedTuple):
    """A job: ``place`` numbers the work directories that the screen was opened on, ``job`` is the id there."""

    place: int
    job: int


# Not a tuple: the first task of an array has the array's own number, and must never be taken for the whole array.
@dataclass(frozen=True, slots=True, order=True)
class ArrayRef:
    """An array of jobs as one line: ``array`` is the id of its first job in the work directory ``place``."""

    place: int
    array: int


@dataclass(frozen=True, slots=True, order=True)
class ForeignRef:
    """A job that the work directory ``place`` does not have, but the scheduler of ``backend``, by its id there."""

    place: int
    backend: str
    jid: str


JobRef = Ref | ForeignRef
"""A job that the screen lists."""

Line = JobRef | ArrayRef
"""What a line of the table stands for."""
