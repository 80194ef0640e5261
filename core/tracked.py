"""What an engine remembers of a job that has not ended."""

from __future__ import annotations

from .backend import Dependency
from .job import JobSpec, State


class Tracked:
    """What is remembered of a job that has not ended; ``launched`` and ``asked_to_stop``: by this very engine.

    ``sent``: its attempt was handed to a back end, which calls it ``jid``. ``note``: why its back end does not take it
    now. ``again``: a person wants it to run again after this attempt. ``after``: what its back end is to have it wait
    for; ``refused``: the attempt for which the back end would not.
    """

    __slots__ = (
        "after",
        "again",
        "asked_to_stop",
        "attempt",
        "jid",
        "launched",
        "mtime",
        "not_before",
        "note",
        "paused",
        "published",
        "refused",
        "sent",
        "spec",
        "state",
    )

    def __init__(self, spec: JobSpec, attempt: int) -> None:
        """Begin to follow a job."""
        self.spec = spec
        self.attempt = attempt
        self.state = State.CREATED
        self.not_before = 0.0  # on the monotonic clock
        self.paused = 0
        self.mtime = 0
        self.launched = 0
        self.asked_to_stop = 0
        self.sent = False
        self.jid = ""
        self.again = False
        self.after: Dependency | None = None
        self.refused = 0
        self.note = ""
        self.published: object = None
