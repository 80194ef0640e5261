"""What a lane remembers of the jobs that were handed to its scheduler."""

from __future__ import annotations

import os

from . import metadir
from .backend import Handle, Task
from .sightings import Sighting
from .verdict import Facts
from .workdir import WorkDir


class Known:
    """What a lane remembers of one attempt of a job."""

    __slots__ = ("handle", "missing_since", "mtime", "polled", "sighting", "void", "wish")
    handle: Handle

    def __init__(self, facts: Facts, wish: bool | None) -> None:
        """Begin to follow an attempt; ``wish`` to hold it, if it was expressed before the attempt was sent."""
        self.sighting = Sighting(facts.attempt)
        self.mtime = 0
        self.polled = False
        self.missing_since: float | None = None
        self.wish = wish
        # On another machine: whether its start was taken away from it; None while nobody was asked to.
        self.void: bool | None = None


def handle_of(workdir: WorkDir, job: int, facts: Facts) -> Handle:
    """What the back end needs to find the attempt of a job that these facts tell of."""
    assert facts.spec is not None
    jid = facts.accepted.jid if facts.accepted is not None else None
    sent = facts.accepted.at if facts.accepted is not None else facts.submitting.at if facts.submitting else 0.0
    path = workdir.metadir(job)
    place = facts.submitting
    task = Task(place.array, place.index) if place is not None and place.array else None
    attached = facts.spec.title() if facts.spec.attached is not None else None
    return Handle(job, facts.attempt, facts.spec.tag, jid, path, facts.begin, sent, task, attached)


def old_wish(workdir: WorkDir, job: int, facts: Facts) -> bool | None:
    """The wish to hold or release that was expressed before the job was sent, and so has had its effect."""
    try:
        asked = os.stat(f"{workdir.metadir(job)}/{metadir.INTENT}").st_mtime
    except OSError:
        return None
    sent = facts.submitting.at if facts.submitting is not None else 0.0
    return facts.intent.hold if asked < sent else None
