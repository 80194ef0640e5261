"""How the screen names a job: by its work directory and its id, for as long as the screen is open."""

from __future__ import annotations

from typing import NamedTuple


class Ref(NamedTuple):
    """A job: ``place`` numbers the work directories that the screen was opened on, ``job`` is the id there."""

    place: int
    job: int
