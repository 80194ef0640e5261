"""What a dialect is: how one kind of scheduler is spoken to. Pure: it builds commands and reads answers, no more."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from ..core.backend import Answer, Capability, Dependency, Request, Shown, Verb
from ..core.job import JobSpec, Resources
from ..core.queues import Capacity
from ..core.verdict import Observation

# Seconds that a question may take; a scheduler that answers at all does so well before.
PATIENCE = 60.0


class Command(msgspec.Struct, frozen=True):
    """One command for a transport: never read by a shell. It is killed after ``patience`` seconds."""

    argv: tuple[str, ...]
    stdin: bytes = b""
    patience: float = PATIENCE


class Order(msgspec.Struct, frozen=True):
    """A command that changes something about the jobs ``jids``."""

    jids: tuple[str, ...]
    command: Command


class Reply(msgspec.Struct, frozen=True):
    """What a command came to: its exit code, and its output as text (bytes that are none were replaced)."""

    code: int
    out: str
    err: str

    def words(self) -> str:
        """What the scheduler said about its trouble, in one line."""
        return one_line(self.err) or one_line(self.out) or f"exit code {self.code} without a word"


class Site(msgspec.Struct, frozen=True):
    """What probing told about a cluster.

    ``words``: what was found, for people. ``remembers``: for how many seconds after its end the status query still
    tells of a job. ``kill_wait``: seconds between TERM and KILL when the scheduler stops a job. ``capabilities``: what
    can be asked of it besides the dialect's own. ``array_limit``: how many tasks an array may
    have. ``noted``: what else its dialect wants to know, in terms of its own.
    """

    words: str
    version: tuple[int, ...] = ()
    cluster: str = ""
    array_limit: int = 0
    remembers: float = 300.0
    kill_wait: float = 30.0
    capabilities: frozenset[Capability] = frozenset()
    noted: Mapping[str, str] = {}


class Asked(msgspec.Struct, frozen=True):
    """One job that is asked about: its id, its mark, and when it was sent (epoch seconds, 0 if not known)."""

    jid: str
    mark: str
    sent: float = 0.0


class Entry(msgspec.Struct, frozen=True):
    """One job in a scheduler's answer. ``mark`` is "" where the answer does not tell; times are epoch seconds."""

    jid: str
    seen: Observation
    mark: str = ""
    name: str = ""
    queue: str = ""
    submitted: float = 0.0
    command: str = ""
    cwd: str = ""


class Listing(msgspec.Struct, frozen=True):
    """A scheduler's answer about jobs. ``complete``: a job that was asked for and is not in it was not there.

    Where it is not complete, ``trouble`` says why in the scheduler's own words.
    """

    entries: tuple[Entry, ...]
    complete: bool
    trouble: str = ""


class Dialect(Protocol):
    """How one kind of scheduler is spoken to. A method that reads a reply never raises, whatever the reply holds.

    ``title`` is what people call the scheduler, ``programs`` must all be on PATH, ``own_id`` is the shell word by
    which a running job script finds its own id. ``forms`` are variables that fix the form of answers; they are set
    for questions and orders, never for submissions. Empty lists of ids are never passed.
    """

    name: str
    title: str
    programs: Sequence[str]
    own_id: str
    forms: Mapping[str, str]
    capabilities: frozenset[Capability]

    def scrub(self, env: Mapping[str, str]) -> dict[str, str]:
        """The environment without what changes the meaning of commands. Jobs inherit what is left where they can."""
        ...

    def probe(self) -> Command:
        """Ask for version and settings: cheap, and answered by this kind of scheduler only."""
        ...

    def read_probe(self, reply: Reply) -> Site | str:
        """What was found, or in words why it cannot be used now."""
        ...

    def submit(self, request: Request, site: Site) -> Command:
        """Hand one attempt over, marked with ``backend.mark``."""
        ...

    def read_submit(self, reply: Reply) -> Answer:
        """Whether the scheduler has the job now. In doubt: Uncertain."""
        ...

    def status(self, asked: Sequence[Asked], site: Site) -> Command:
        """ONE query for all of these jobs and, where the scheduler can, all others of this person."""
        ...

    def read_status(self, reply: Reply) -> Listing:
        """The jobs in the answer."""
        ...

    def history(self, asked: Sequence[Asked], site: Site) -> Sequence[Command]:
        """Look these jobs up in the accounting."""
        ...

    def read_history(self, asked: Sequence[Asked], reply: Reply) -> Listing:
        """The jobs in the answer; of several records the one that belongs to the job that was asked for."""
        ...

    def cancel(self, jids: Sequence[str], *, force: bool) -> Sequence[Order]:
        """Stop jobs, waiting or running; ``force``: KILL at once."""
        ...

    def order(self, verb: Verb, jids: Sequence[str]) -> Sequence[Order]:
        """Hold, release, suspend, resume or requeue jobs, as far as ``capabilities`` say."""
        ...

    def signal(self, jids: Sequence[str], name: str) -> Sequence[Order]:
        """Send a signal ("USR1") to the job scripts of running jobs."""
        ...

    def read_refusals(self, jids: Sequence[str], reply: Reply) -> dict[str, str]:
        """Which of the jobs in a cancel, order or signal were refused, and in which words. Ended ones are not."""
        ...


@runtime_checkable
class Arrays(Protocol):
    """What a dialect has besides whose scheduler takes arrays."""

    def submit_array(self, requests: Sequence[Request], site: Site) -> Command:
        """Hand many attempts over at once, whose specs differ in what their own job scripts say only."""
        ...

    def task_id(self, array: str, index: int) -> str:
        """What the scheduler calls a task of the array that it called ``array``."""
        ...


@runtime_checkable
class Depends(Protocol):
    """What a dialect has besides whose scheduler can have a job wait for others."""

    def wait_for(self, dependency: Dependency, spec: JobSpec) -> Sequence[str] | None:
        """The options of a submission that say so; None where the scheduler cannot, or the person says otherwise."""
        ...


@runtime_checkable
class Queues(Protocol):
    """What a dialect has besides whose scheduler tells of its queues and nodes."""

    def capacity(self, site: Site) -> Sequence[Command]:
        """Ask for queues and nodes: as few questions as possible, however many there are."""
        ...

    def read_capacity(self, replies: Sequence[Reply]) -> Capacity:
        """What the answers tell, one for each question; what makes no sense is left out and told as trouble."""
        ...


@runtime_checkable
class Tells(Protocol):
    """What a dialect has besides whose scheduler tells more of a job when it is asked for that one alone."""

    def show(self, jid: str) -> Command:
        """Ask for everything about one job."""
        ...

    def read_show(self, jid: str, reply: Reply) -> Shown | str:
        """What was told, or in words why nothing was."""
        ...

    def needs(self, script: str, told: Resources) -> Resources:
        """What a job with this script is to ask for, where that is told of the one that had it."""
        ...

    def script(self, jid: str) -> Command | str:
        """Ask for the job script as it was submitted; or in words why that is no use."""
        ...

    def read_script(self, reply: Reply) -> tuple[str, str]:
        """The script; or "" and in words why it is not there."""
        ...


# -- what dialects share


def waiting(dialect: Depends, request: Request) -> Sequence[str]:
    """The options by which a request is made to wait for what it has to wait for."""
    return (dialect.wait_for(request.after, request.spec) if request.after is not None else None) or ()


_PREFIX = re.compile(r"^(?:[\w./-]+: )?(?:slurm_\w+ )?(?:error|fatal|warning): ", re.IGNORECASE)
_LONGEST = 300


def one_line(text: str) -> str:
    """What a program said, as one line for people: without its own name, and not endless."""
    lines = [_PREFIX.sub("", line.strip()) for line in text.splitlines()]
    joined = "; ".join(dict.fromkeys(line for line in lines if line))
    return joined if len(joined) <= _LONGEST else joined[: _LONGEST - 1] + "…"


def number(text: str) -> float:
    """A number that is not negative and finite, as in epoch seconds; 0 for anything else."""
    text = text.strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0.0


def clipped(text: str, longest: int) -> str:
    """A name that schedulers take: one line, no control characters, not longer than ``longest`` bytes."""
    clean = "".join(char if char.isprintable() else " " for char in text).strip()
    return clean.encode("utf-8", "replace")[:longest].decode("utf-8", "ignore")


def chunks(jids: Sequence[str], size: int) -> list[Sequence[str]]:
    """The ids in portions of at most ``size``."""
    return [jids[start : start + size] for start in range(0, len(jids), size)]
