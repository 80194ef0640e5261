"""What a back end is: the protocol that the engine speaks, its questions and answers, and the registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol, Self

import msgspec

from .job import Begin, JobSpec
from .verdict import Observation

ENTRY_POINTS = "jobtui.backends"


class BackendMissingError(Exception):
    """No back end of that name is installed; the text says which there are."""


class Request(msgspec.Struct, frozen=True):
    """One attempt to be started. ``script`` and ``metadir`` are absolute paths, ``env`` the whole environment."""

    job: int
    attempt: int
    tag: str
    script: str
    metadir: str
    spec: JobSpec
    env: Mapping[str, str]


class Took(msgspec.Struct, frozen=True):
    """The back end has the job and calls it ``jid``; ``running``: it is certain that it runs already."""

    jid: str
    running: bool = False


class Rejected(msgspec.Struct, frozen=True):
    """The back end does not have the job. ``text`` is its own word; ``retryable``: it may take it later."""

    text: str
    retryable: bool = False


class Uncertain(msgspec.Struct, frozen=True):
    """Nobody knows whether the back end has the job: it must be looked for by its tag before it is sent again."""

    text: str


Answer = Took | Rejected | Uncertain


class Handle(msgspec.Struct, frozen=True):
    """What a back end needs to find a job that it once took. ``begin`` is the job script's own record, if any."""

    job: int
    attempt: int
    tag: str
    jid: str | None
    metadir: str
    begin: Begin | None


class Snapshot(msgspec.Struct, frozen=True):
    """What a back end sees at one time. A job missing from ``seen`` was not seen, which proves nothing."""

    seen: Mapping[int, Observation]
    complete: bool


class Found(msgspec.Struct, frozen=True):
    """The jobs that carry the tags looked for: tag -> jid. ``complete``: a tag not in it is not there."""

    jids: Mapping[str, str]
    complete: bool


Capability = Literal["suspend", "resume", "signal"]
Verb = Literal["suspend", "resume"]


class Probe(msgspec.Struct, frozen=True):
    """Whether a back end can be used here, and in words what was found."""

    usable: bool
    words: str


Hint = Callable[[int], None]


class Backend(Protocol):
    """Runs jobs. All calls are in bulk and none raises for the sake of a single job.

    An instance belongs to one engine, which enters it, and is told through ``hint(job)``, from within the event
    loop, that something about a job may have changed. Leaving it never touches jobs. ``poll_interval`` is the
    time in seconds between two polls of running jobs; None for a back end whose hints tell all. ``capabilities`` are
    the optional calls that it has.
    """

    name: str
    poll_interval: float | None
    capabilities: frozenset[Capability]

    def __init__(self, hint: Hint, log: str) -> None:
        """Make a back end that gives its hints to ``hint``; its helpers may write to the file ``log``."""
        ...

    async def __aenter__(self) -> Self:
        """Get ready to take jobs."""
        ...

    async def __aexit__(self, *exc: object) -> None:
        """Stop watching. Jobs go on."""
        ...

    async def probe(self) -> Probe:
        """Say whether this back end works here."""
        ...

    async def submit(self, requests: Sequence[Request]) -> list[Answer]:
        """Start attempts; one answer per request, in the same order."""
        ...

    async def find(self, tags: Sequence[str]) -> Found:
        """Look for jobs by their tags."""
        ...

    async def poll(self, handles: Sequence[Handle]) -> Snapshot:
        """See how these jobs stand now."""
        ...

    async def cancel(self, handles: Sequence[Handle], grace: float) -> dict[int, str]:
        """Stop jobs and all their processes: TERM, then KILL after ``grace`` seconds (0: KILL at once).

        Returns after asking, not after the end. The result names the jobs that could not be asked, and why.
        """
        ...

    async def order(self, verb: Verb, handles: Sequence[Handle]) -> dict[int, str]:
        """Suspend or resume jobs; names those that could not be, and why. Only where ``verb`` is a capability."""
        ...

    async def signal(self, handles: Sequence[Handle], name: str) -> dict[int, str]:
        """Send the signal ``name`` ("USR1") to jobs; names those that could not be reached, and why."""
        ...


def installed() -> dict[str, str]:
    """The names of the installed back ends, each with the place of its class (entry points ``jobtui.backends``)."""
    from importlib.metadata import entry_points

    return {entry.name: entry.value for entry in entry_points(group=ENTRY_POINTS)}


def load(name: str) -> type[Backend]:
    """The class of the back end called ``name``; raises BackendMissingError where there is none."""
    from importlib.metadata import entry_points

    for entry in entry_points(group=ENTRY_POINTS, name=name):
        return entry.load()
    known = ", ".join(sorted(installed())) or "none"
    raise BackendMissingError(f"there is no back end called '{name}' (installed: {known})")
