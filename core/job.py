"""The plain data of a job: its spec, the facts on disk about it, its states, and the row that clients see."""

from __future__ import annotations

import shlex
from enum import StrEnum
from typing import Any, Literal

import msgspec

from .conditions import Condition

SCHEMA_VERSION = 1


class State(StrEnum):
    """Where a job is in its life. The words are what people and ``--json`` see."""

    CREATED = "created"
    QUEUED = "queued"
    HELD = "held"
    SUBMITTED = "submitted"
    RUNNING = "running"
    SUSPENDED = "suspended"
    CANCELLING = "cancelling"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


# The back end that is always there: this machine.
LOCAL = "local"
# The back end that is another machine without a scheduler, as in ssh@host.
SSH = "ssh"
# The back end that stands for the first scheduler found here, or this machine where there is none.
AUTO = "auto"


def is_far(backend: str) -> bool:
    """Whether the jobs of a back end run on another machine, where their files are too."""
    return "@" in backend


def has_scheduler(backend: str) -> bool:
    """Whether a scheduler starts the jobs of a back end, and knows causes of their ends that nothing else tells."""
    return backend.partition("@")[0] not in (LOCAL, SSH)


ENDED = frozenset({State.FINISHED, State.FAILED, State.CANCELLED, State.UNKNOWN})
# Why an attached job is not run again, and why no new one is made of it.
NO_ATTEMPT = "jobtui did not submit it, so there is no next attempt; resubmit it as a new job"
NO_SCRIPT = "jobtui did not submit it and has no job script of it"
WAITING = frozenset({State.CREATED, State.QUEUED, State.HELD})
IN_FLIGHT = frozenset({State.SUBMITTED, State.RUNNING, State.SUSPENDED, State.CANCELLING})


class Reason(StrEnum):
    """Why a job failed or was cancelled, as one stable word for programs."""

    EXIT = "exit-code"
    SIGNAL = "signal"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out-of-memory"
    NODE_FAILURE = "node-failure"
    PREEMPTED = "preempted"
    LAUNCH = "launch"
    LOST = "lost"
    PERSON = "person"
    CONDITION = "condition"
    HALTED = "halted"
    DAMAGED = "damaged"


# What is tried again when a job asks for retries and does not say after which endings.
RETRIED_BY_DEFAULT = (
    Reason.EXIT,
    Reason.SIGNAL,
    Reason.TIMEOUT,
    Reason.OUT_OF_MEMORY,
    Reason.NODE_FAILURE,
    Reason.PREEMPTED,
    Reason.LAUNCH,
)


class Resources(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a job needs: ``cpus`` (cores), ``memory`` (bytes, None = not counted), ``gpus`` (devices).

    The rest is for schedulers: ``time`` (seconds; None: what the job's own limit comes to), ``queue`` (or
    partition), ``account``, and ``extra``: options that are handed on as they are.
    """

    cpus: int = 1
    memory: int | None = None
    gpus: int = 0
    time: float | None = None
    queue: str | None = None
    account: str | None = None
    extra: tuple[str, ...] = ()


class Retry(msgspec.Struct, frozen=True, omit_defaults=True):
    """How often and when a job that ended badly is tried again.

    ``limit``: further attempts at most; None takes the engine's own setting. ``delay`` and ``cap`` in seconds;
    with ``backoff`` "exponential" the delay doubles after each attempt up to ``cap``. ``on``: reasons
    (``Reason`` words) or ``exit:N``.
    """

    limit: int | None = None
    delay: float = 0.0
    backoff: Literal["constant", "exponential"] = "constant"
    cap: float = 3600.0
    on: tuple[str, ...] = tuple(str(reason) for reason in RETRIED_BY_DEFAULT)

    def pause(self, attempt: int) -> float:
        """Seconds to wait after attempt number ``attempt`` (1 is the first) ended."""
        if self.backoff == "constant":
            return min(self.delay, self.cap)
        return min(self.delay * 2.0 ** min(attempt - 1, 60), self.cap)

    def covers(self, reason: str | None, exit_code: int | None) -> bool:
        """Whether an ending with this reason and exit code is one to be tried again."""
        return reason in self.on or (exit_code is not None and f"exit:{exit_code}" in self.on)


class ArrayTask(msgspec.Struct, frozen=True):
    """The place of a job in an array: ``array`` is the id of its first job, ``index`` the task's own number."""

    array: int
    index: int


class Attached(msgspec.Struct, frozen=True, omit_defaults=True):
    """A job that was submitted without jobtui and taken over later: where its scheduler says that it writes.

    Absolute paths; "" where that was not told.
    """

    stdout: str = ""
    stderr: str = ""


class JobSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person asked for; never changed once a job was made of it (``job.json``).

    Exactly one of ``command`` (arguments, given to the program as they are) and ``shell`` (one line for ``sh``)
    is set, unless the job is ``attached``: then no job script of ours runs it, and it is never submitted. ``timeout``
    and ``grace`` are seconds, ``created`` is seconds since the epoch. ``secret`` names the entries of ``env`` that are
    never shown. Submitting fills in what is left empty: ``cwd``, ``umask``, ``created``,
    ``tag`` (unique, can be searched for in a scheduler) and ``env_ref`` (the stored environment of the submitter).
    """

    version: int = SCHEMA_VERSION
    command: tuple[str, ...] = ()
    shell: str | None = None
    name: str | None = None
    cwd: str = ""
    env: dict[str, str] = {}
    secret: tuple[str, ...] = ()
    env_ref: str | None = None
    stdin: str | None = None
    timeout: float | None = None
    grace: float = 10.0
    priority: int = 0
    tags: tuple[str, ...] = ()
    resources: Resources = Resources()
    retry: Retry = Retry()
    after: Condition | None = None
    hold: bool = False
    backend: str = LOCAL
    array: ArrayTask | None = None
    resubmitted_from: int | None = None
    umask: int | None = None
    created: float = 0.0
    tag: str = ""
    attached: Attached | None = None

    def command_line(self) -> str:
        """The command as one line that a shell would read back into the same arguments."""
        return self.shell if self.shell is not None else shlex.join(self.command)

    def title(self) -> str:
        """The name, or the program's own name where none was given."""
        if self.name is not None:
            return self.name
        words = self.command or tuple((self.shell or "").split())
        return words[0].rsplit("/", 1)[-1] if words else ""


class Process(msgspec.Struct, frozen=True, array_like=True):
    """A process that can be told from a later one with the same pid: pid and start time in kernel ticks."""

    pid: int
    ticks: int


class Submitting(msgspec.Struct, frozen=True, omit_defaults=True):
    """``job.submitting``, later the first line of ``job.jid``: this attempt is handed to a back end now.

    ``at``: epoch seconds; ``gpus``: the numbers of the devices that it was given. ``array``: what the submission of
    many is marked with that it is task number ``index`` of. ``after``: the jobs that the back end has it wait for.
    """

    attempt: int
    tag: str
    at: float
    gpus: tuple[int, ...] = ()
    array: str = ""
    index: int = 0
    after: tuple[int, ...] = ()


class Accepted(msgspec.Struct, frozen=True, omit_defaults=True):
    """``job.jid``, second line: the back end took this attempt and calls it ``jid``."""

    attempt: int
    jid: str
    backend: str
    at: float


class Begin(msgspec.Struct, frozen=True, omit_defaults=True):
    """``job.begin``, first line: which processes run this attempt, on which boot of which host.

    ``uptime`` is the host's seconds since boot: with the one in ``End`` it gives the elapsed time whatever is
    done to the clock. ``at`` is the file's modification time, filled in by the reader. ``jid`` is what the scheduler
    that started the script calls the job; "" where none did.
    """

    attempt: int
    tag: str
    host: str
    boot: str
    wrapper: Process
    payload: Process
    uptime: float
    at: float = 0.0
    jid: str = ""


class End(msgspec.Struct, frozen=True, omit_defaults=True):
    """``job.rc``: how the payload ended, as the job script saw it.

    ``exit_code`` is the shell's (128+n after signal n). ``forwarded`` names a signal that the script was sent and
    passed on, ``launch`` says which preparation failed before the payload could start.
    """

    attempt: int
    tag: str
    exit_code: int
    uptime: float
    forwarded: str | None = None
    timeout: bool = False
    launch: str | None = None
    at: float = 0.0


class EngineEnd(msgspec.Struct, frozen=True, omit_defaults=True):
    """``job.end``: an end that the job script could not record, with the evidence that the engine had for it.

    ``started`` (epoch seconds) and ``host``: of an attached job, which no script tells of.
    """

    attempt: int
    state: State
    reason: str | None
    detail: str
    at: float
    exit_code: int | None = None
    started: float | None = None
    host: str = ""


class Asked(msgspec.Struct, frozen=True, omit_defaults=True):
    """One wish in ``job.intent``: for which attempt, when (epoch seconds), by whom, and why."""

    attempt: int
    at: float
    by: str
    reason: str = Reason.PERSON
    detail: str = ""
    force: bool = False


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """One order in ``job.intent`` for a running attempt, to be carried out once: a later one has a higher ``serial``.

    ``at`` is epoch seconds; ``signal`` says which one to send, without "SIG".
    """

    serial: int
    attempt: int
    verb: Literal["signal", "suspend", "resume"]
    at: float
    by: str
    signal: str = ""


class Intent(msgspec.Struct, frozen=True, omit_defaults=True):
    """``job.intent``: what is asked of the job.

    ``cancel``, ``retry``, ``hold`` (True, False for released, or unsaid) and ``priority`` (instead of the spec's) stand
    until they are changed. ``orders`` are the newest of those that were given, oldest first.
    """

    cancel: Asked | None = None
    retry: Asked | None = None
    hold: bool | None = None
    priority: int | None = None
    orders: tuple[Order, ...] = ()


class Obeyed(msgspec.Struct, frozen=True):
    """``job.obeyed``: the orders up to this ``serial`` were carried out, or could not be."""

    serial: int


# Without garbage collection: rows are many, and hold nothing that could hold them.
class JobRow(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """One job as clients see it. Times are epoch seconds, elapsed is seconds.

    ``reason`` is a stable word, ``detail`` the same for people, ``expected`` when a scheduler means to start it.
    ``foreign``: the work directory does not have it, its scheduler does: it has no folder, and 0 for an ``id``.
    ``attached``: it was such a job before it was taken over.
    Text fields may hold any character: escape them before they reach a terminal.
    """

    id: int
    name: str
    state: State
    reason: str | None = None
    detail: str = ""
    backend: str = LOCAL
    jid: str | None = None
    workdir: str = ""
    command: str = ""
    cwd: str = ""
    attempt: int = 1
    exit_code: int | None = None
    signal: int | None = None
    created: float | None = None
    submitted: float | None = None
    started: float | None = None
    ended: float | None = None
    elapsed: float | None = None
    tags: tuple[str, ...] = ()
    priority: int = 0
    cpus: int = 1
    memory: int | None = None
    gpus: int = 0
    host: str | None = None
    array: int | None = None
    array_index: int | None = None
    resubmitted_from: int | None = None
    progress: float | None = None
    expected: float | None = None
    queue: str | None = None
    foreign: bool = False
    attached: bool = False

    @property
    def label(self) -> str:
        """What people call it: the id, or of a foreign job the scheduler's with its back end (``slurm:4711``)."""
        return f"{self.backend}:{self.jid}" if self.foreign else str(self.id)

    @property
    def metadir(self) -> str:
        """The job's folder."""
        return f"{self.workdir}/{self.id}"


def as_object(row: JobRow) -> dict[str, Any]:
    """The object of ``--json`` for a row."""
    whole = {**msgspec.to_builtins(row), "metadir": row.metadir}
    return {**whole, "id": None, "metadir": None, "workdir": None} if row.foreign else whole


class Outcome(msgspec.Struct, frozen=True):
    """What became of an order for one job: whether it was done, and in words what was done or why not."""

    job: int
    done: bool
    words: str


class SpecError(ValueError):
    """A job cannot be made of this spec; the text says why."""
