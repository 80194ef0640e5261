"""What a back end is: the protocol that the engine speaks, its questions and answers, and the registry."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol, Self, runtime_checkable

import msgspec

from .conditions import Ending
from .job import Begin, JobSpec, Resources
from .queues import Capacity, Share
from .verdict import Observation

ENTRY_POINTS = "jobtui.backends"


class BackendMissingError(Exception):
    """No back end of that name is installed; the text says which there are."""


class Task(msgspec.Struct, frozen=True):
    """An attempt's place in a submission of many: the tasks with the same ``mark`` are sent together as one array."""

    mark: str
    index: int


class Parent(msgspec.Struct, frozen=True):
    """A job that another one waits for: its number and attempt, what its back end calls it, and how it must end."""

    job: int
    attempt: int
    jid: str
    ending: Ending


class Dependency(msgspec.Struct, frozen=True):
    """The jobs of the same back end that an attempt waits for: all of them, unless ``one_is_enough``."""

    parents: tuple[Parent, ...]
    one_is_enough: bool = False


class Request(msgspec.Struct, frozen=True):
    """One attempt to be started. ``script`` and ``metadir`` are absolute paths, ``env`` the whole environment.

    ``after``: the back end must not start it before these jobs have ended as they must.
    """

    job: int
    attempt: int
    tag: str
    script: str
    metadir: str
    spec: JobSpec
    env: Mapping[str, str]
    task: Task | None = None
    after: Dependency | None = None


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
    """What a back end needs to find a job that it once took. ``begin`` is the job script's own record, if any.

    ``sent``: when the attempt was handed over (epoch seconds); it tells a job from an older one with its id.
    ``task``: its place in a submission of many. ``attached``: under which name it was attached, if it was: it has no
    mark, so that a later job with its id is told from it by that.
    """

    job: int
    attempt: int
    tag: str
    jid: str | None
    metadir: str
    begin: Begin | None
    sent: float = 0.0
    task: Task | None = None
    attached: str | None = None

    @property
    def mark(self) -> str:
        """What the attempt is found by."""
        return mark(self.tag, self.attempt) if self.task is None else task_mark(self.task.mark, self.task.index)


def mark(tag: str, attempt: int) -> str:
    """What one attempt of a job is marked with in a scheduler, and found by: no other attempt anywhere has it."""
    return f"{tag}.{attempt}"


def task_mark(mark: str, index: int) -> str:
    """What one task of an array is found by, where the array is marked with ``mark``."""
    return f"{mark}[{index}]"


class Foreign(msgspec.Struct, frozen=True):
    """A job of this person's that was not sent by this engine: how the scheduler calls it, and what it says of it.

    ``mark`` is what the scheduler shows of a mark of ours, so a job of another work directory has one.
    """

    jid: str
    name: str
    seen: Observation
    queue: str = ""
    submitted: float = 0.0
    command: str = ""
    cwd: str = ""
    mark: str = ""


class Record(msgspec.Struct, frozen=True):
    """A file of a job's folder on another machine, of which the job's folder here gets a copy.

    ``attempt``: to which it belongs; ``data``: all that is in it; ``at``: when it was written (epoch seconds by the
    clock here).
    """

    attempt: int
    name: str
    data: bytes
    at: float


class Shown(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a scheduler tells of one job when it is asked for that job alone.

    ``stdout`` and ``stderr``: where it writes, patterns filled in, "" where the scheduler does not say; ``host``: the
    machine that these paths are of, "" for any. ``command``: the script or command that was submitted.
    """

    stdout: str = ""
    stderr: str = ""
    host: str = ""
    name: str = ""
    command: str = ""
    cwd: str = ""
    resources: Resources = Resources()


class Snapshot(msgspec.Struct, frozen=True):
    """What a back end saw at one time, ``at`` (epoch seconds). A job missing from ``seen`` was not seen.

    That proves nothing by itself, and less where the answer is not ``complete``; ``trouble`` then says why in the
    scheduler's own words. ``jids`` are those of jobs that were found by their marks. ``others`` are the person's other
    jobs there. ``mine``: how many jobs the person has in each queue, ours and others. ``records``: what is new in the
    folders of jobs on another machine.
    """

    seen: Mapping[int, Observation]
    complete: bool
    at: float = 0.0
    trouble: str = ""
    jids: Mapping[int, str] = {}
    others: tuple[Foreign, ...] = ()
    mine: Mapping[str, Share] = {}
    records: Mapping[int, tuple[Record, ...]] = {}


class Found(msgspec.Struct, frozen=True):
    """The jobs that were found by their marks: job -> jid. ``complete``: one that is not in it is not there."""

    jids: Mapping[int, str]
    complete: bool


class History(msgspec.Struct, frozen=True):
    """What the accounting tells of jobs. ``complete``: a job not in ``seen`` has no record there."""

    seen: Mapping[int, Observation]
    complete: bool


class Wanted(msgspec.Struct, frozen=True):
    """A piece of the file ``name`` of an attempt: up to ``most`` bytes from ``start`` on; negative: from the end."""

    handle: Handle
    name: str
    start: int
    most: int


class Piece(msgspec.Struct, frozen=True):
    """``data`` stands from ``start`` on in a file of ``size`` bytes, None where there is no such file (yet).

    ``trouble``: why the file cannot be read.
    """

    start: int = 0
    data: bytes = b""
    size: int | None = None
    trouble: str = ""


class Reading(msgspec.Struct, frozen=True):
    """The pieces that were wanted, in the same order; none, and ``trouble`` in words, where the far side is silent."""

    pieces: tuple[Piece, ...]
    trouble: str = ""


Capability = Literal["hold", "release", "suspend", "resume", "requeue", "signal", "history", "foreign", "queues"]
Verb = Literal["hold", "release", "suspend", "resume", "requeue"]


class Probe(msgspec.Struct, frozen=True):
    """Whether a back end can be used here, and in words what was found."""

    usable: bool
    words: str


Reach = Literal["here", "far", "both"]

Hint = Callable[[int], None]


Linked = Callable[[str], None]


def _unheard(_word: object) -> None:
    """Where nobody listens."""


class Surroundings(msgspec.Struct, frozen=True):
    """What a back end is given when it is made.

    ``hint(job)`` tells its engine that something about a job may have changed; its helpers may write to the file
    ``log``; ``env`` is the environment in which its commands run; ``host`` is the far end's name in
    ``backend@host``, "" for this machine. ``linked(trouble)`` tells that the far end answered (""), or why it did not.
    ``key``: what the work directory is called on other machines.
    """

    env: Mapping[str, str]
    hint: Hint = _unheard
    log: str = os.devnull
    host: str = ""
    linked: Linked = _unheard
    key: str = ""


class FarFolders(Protocol):
    """The jobs' folders where they are on another machine, which copies here what is new in them.

    ``root`` is the shell word for the folder that holds them there: that of an attempt is called ``job.attempt``.
    """

    @property
    def root(self) -> str:
        """The shell word."""
        ...

    async def void(self, handles: Sequence[Handle]) -> dict[int, bool]:
        """Take the start of attempts away from any script that has not started yet.

        True: no script can start this attempt any more. False: one has started. A job that is not in the answer
        could not be asked for.
        """
        ...


class Backend(Protocol):
    """Runs jobs. All calls are in bulk and none raises for the sake of a single job.

    An instance belongs to one engine, which enters it, and is told through ``hint(job)``, from within the event
    loop, that something about a job may have changed. Leaving it never touches jobs. ``polled``: its jobs are
    in a scheduler's hands, whose calls may take long and fail; a back end that is not answers at once, and its hints
    tell all. ``own_id`` is the shell word by which a running job script finds its own id there. ``programs``:
    the commands without which it is of no use; known before an instance is made. ``reach``: whether it runs jobs here
    only, on other machines only (``name@host``), or both.
    """

    name: str
    polled: bool
    own_id: str
    reach: Reach
    programs: Sequence[str]

    @property
    def capabilities(self) -> frozenset[Capability]:
        """The optional calls that it has; it may find out more as it goes."""
        ...

    @property
    def far(self) -> FarFolders | None:
        """Where the jobs' folders are on another machine; None where they are in the work directory itself."""
        ...

    @property
    def slots(self) -> int:
        """How many jobs may be there at once; 0 where that is a scheduler's matter, or the engine's."""
        ...

    @property
    def array_limit(self) -> int:
        """How many attempts may be sent as one array; 0 where that is not possible."""
        ...

    @property
    def longest_pause(self) -> float:
        """Seconds between two polls at most, lest it forgets in between how a job ended."""
        ...

    def __init__(self, surroundings: Surroundings) -> None:
        """Make a back end; this touches nothing yet."""
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

    async def find(self, handles: Sequence[Handle]) -> Found:
        """Look for attempts by their marks: those whose submission was answered by nobody."""
        ...

    async def poll(self, handles: Sequence[Handle]) -> Snapshot:
        """See how these jobs stand now."""
        ...

    async def cancel(self, handles: Sequence[Handle], grace: float) -> dict[int, str]:
        """Stop jobs and all their processes: TERM, then KILL after ``grace`` seconds (0: KILL at once).

        Returns after asking, not after the end. The result names the jobs that could not be asked, and why.
        """
        ...

    async def history(self, handles: Sequence[Handle]) -> History:
        """Look into the accounting for jobs that are gone. Only with the capability "history"."""
        ...

    async def capacity(self) -> Capacity:
        """Its queues and nodes. Only with the capability "queues"."""
        ...

    async def order(self, verb: Verb, handles: Sequence[Handle]) -> dict[int, str]:
        """Hold, release, suspend, resume or requeue jobs; names those that could not be, and why.

        Only where ``verb`` is one of the capabilities.
        """
        ...

    async def signal(self, handles: Sequence[Handle], name: str) -> dict[int, str]:
        """Send the signal ``name`` ("USR1") to jobs; names those that could not be reached, and why."""
        ...


@runtime_checkable
class FarFiles(Protocol):
    """What a back end can do besides whose jobs' files are on another machine."""

    async def read(self, wanted: Sequence[Wanted]) -> Reading:
        """Read pieces of files byte by byte, all in one round trip. Raises nothing for a file or a lost link."""
        ...


@runtime_checkable
class Waits(Protocol):
    """What a back end has besides that can keep a job from starting until others have ended, without an engine."""

    def can_wait(self, spec: JobSpec, dependency: Dependency) -> bool:
        """Whether a job with this spec can be handed over with this dependency."""
        ...


@runtime_checkable
class ForeignBackend(Protocol):
    """What a back end has besides that tells more of jobs that were not sent by us."""

    async def show(self, jids: Sequence[str]) -> tuple[dict[str, Shown], str]:
        """What the scheduler tells of these jobs, as far as it does; and why it does not, in its own words."""
        ...

    async def script(self, jid: str) -> tuple[str, str]:
        """The text of the job script as it was submitted; or "" and why the scheduler does not give it back."""
        ...

    def needs(self, script: str, told: Resources) -> Resources:
        """What a new job with this script is to ask for; ``told``: what the scheduler tells of the one that had it."""
        ...


def installed() -> dict[str, str]:
    """The names of the installed back ends, each with the place of its class (entry points ``jobtui.backends``)."""
    from importlib.metadata import entry_points

    return {entry.name: entry.value for entry in entry_points(group=ENTRY_POINTS)}


def here() -> list[str]:
    """The names of those that can run jobs on this machine."""
    from importlib.metadata import entry_points

    entries = entry_points(group=ENTRY_POINTS)
    return [entry.name for entry in entries if entry.load().reach != "far"]


def without_host() -> list[str]:
    """The installed back ends that need no machine's name behind theirs, by name."""
    names: list[str] = []
    for name in sorted(installed()):
        with contextlib.suppress(BackendMissingError):
            load(name)
            names.append(name)
    return names


def split(name: str) -> tuple[str, str]:
    """The kind of back end and the host in ``kind@host``; no host stands for this machine."""
    kind, _, host = name.partition("@")
    return kind, host


# What ssh would take for an option, and what no machine is called, never gets to it.
_HOST = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.+-]*@)?[A-Za-z0-9_][A-Za-z0-9_.:-]*")


def load(name: str) -> type[Backend]:
    """The class of the back end called ``name`` (``kind`` or ``kind@host``); BackendMissingError if there is none."""
    from importlib.metadata import entry_points

    kind, host = split(name)
    for entry in entry_points(group=ENTRY_POINTS, name=kind):
        backend: type[Backend] = entry.load()
        if "@" in name:
            _check_host(name, kind, host, backend)
        elif backend.reach == "far":
            raise BackendMissingError(f"'{kind}' needs the name of a machine, as in {kind}@HOST")
        return backend
    known = ", ".join(sorted(installed())) or "none"
    raise BackendMissingError(f"there is no back end called '{kind}' (installed: {known})")


def _check_host(name: str, kind: str, host: str, backend: type[Backend]) -> None:
    if backend.reach == "here":
        raise BackendMissingError(f"'{name}': '{kind}' is this machine; jobs on another one are ssh@HOST")
    if not _HOST.fullmatch(host) or len(host) > 200:
        raise BackendMissingError(f"'{name}': '{host}' is not the name of a machine, as in ssh@HOST or ssh@USER@HOST")
