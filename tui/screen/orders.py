"""The orders that a person can give for jobs: their words, which jobs can take them, and how they reach a manager."""

from __future__ import annotations

import functools
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ...core.errands import ForeignName, ForeignOrder
from ...core.job import ENDED, IN_FLIGHT, NO_ATTEMPT, WAITING, JobRow, Outcome, SpecError, State
from ...core.manager import JobManager
from ...core.settings import SettingsError
from ...core.supervisor import EngineFailedError
from ...core.workdir import WorkDirError
from ..celltext import words_of

# What an order or a look can run into that is no bug: said to the person in words.
NO_BUGS = (OSError, SpecError, WorkDirError, SettingsError, EngineFailedError, LookupError)

Asks = Literal["always", "for many"]
Give = Callable[[JobManager, Sequence[int]], Awaitable[list[Outcome]]]
GiveForeign = Callable[[JobManager, Sequence[ForeignName]], Awaitable[Mapping[tuple[str, str], Outcome]]]
# What a back end can do beside starting and stopping jobs, as words.
Abilities = frozenset[str]


@dataclass(frozen=True)
class Order:
    """An order for jobs. ``words`` are its arguments on the command line, behind ``jobtui``.

    ``refuses_own`` says why one job cannot take it, "" if it can. ``asks``: when to ask first. ``warns``: a line that
    belongs to the question. ``needs``: what the back end must be able to do, "" for nothing special. ``foreign``: the
    same order for jobs that only their scheduler has; None where they cannot take it.
    """

    id: str
    verb: str
    past: str
    words: tuple[str, ...]
    refuses_own: Callable[[JobRow, Abilities], str]
    give: Give
    asks: Asks = "for many"
    warns: str = ""
    needs: str = ""
    foreign: GiveForeign | None = None

    def refuses(self, row: JobRow, can: Abilities) -> str:
        """Why this job cannot take the order, "" if it can."""
        if row.foreign and self.foreign is None:
            return f"{row.label} was not submitted by jobtui; its scheduler alone has it"
        return self.refuses_own(row, can)


def _no_cancel(row: JobRow, _can: Abilities) -> str:
    return f"it has ended already ({row.state})" if row.state in ENDED else ""


def _no_attach(row: JobRow, _can: Abilities) -> str:
    if not row.foreign:
        return "it is a job of this work directory already"
    return f"it has ended already ({row.state})" if row.state in ENDED else ""


def _no_retry(row: JobRow, _can: Abilities) -> str:
    if row.attached:
        return NO_ATTEMPT
    if row.state in ENDED:
        return ""
    word = "is being stopped" if row.state is State.CANCELLING else f"is {row.state}"
    return f"it has not ended yet, it {word}; cancel it first, or resubmit it"


def _no_requeue(row: JobRow, can: Abilities) -> str:
    if row.foreign and "requeue" not in can:
        return f"the back end {row.backend} puts no job back that jobtui did not submit"
    if row.attached:
        return NO_ATTEMPT
    if row.state in IN_FLIGHT or (row.state is State.HELD and row.jid is not None):
        return ""
    if row.state in ENDED:
        return "it has ended; retry it, or resubmit it"
    return f"only a job that was started can be requeued, and it is {row.state}"


def _no_resubmit(_row: JobRow, _can: Abilities) -> str:
    return ""


def _no_hold(row: JobRow, can: Abilities) -> str:
    if row.state is State.HELD:
        return "it is held already"
    if row.state is State.SUBMITTED and "hold" in can:
        # It waits in its scheduler.
        return ""
    return "" if row.state in WAITING else f"only a waiting job can be held, and it is {row.state}"


def _no_release(row: JobRow, _can: Abilities) -> str:
    return "" if row.state is State.HELD else f"it is not held ({row.state})"


def _no_remove(row: JobRow, _can: Abilities) -> str:
    return "" if row.state in ENDED else f"only an ended job can be removed, and it is {row.state}"


def _no_priority(row: JobRow, _can: Abilities) -> str:
    return "" if row.state in WAITING else f"only a waiting job has a place in the queue, and it is {row.state}"


def _no_signal(row: JobRow, can: Abilities) -> str:
    if "signal" not in can:
        return f"the back end {row.backend} cannot send signals"
    if row.state in (State.RUNNING, State.SUSPENDED, State.CANCELLING):
        return ""
    return f"only a running job takes signals, and it is {row.state}"


def _no_suspend(row: JobRow, can: Abilities) -> str:
    if "suspend" not in can:
        return f"the back end {row.backend} cannot suspend jobs"
    return "" if row.state is State.RUNNING else f"only a running job can be suspended, and it is {row.state}"


def _no_resume(row: JobRow, can: Abilities) -> str:
    if "suspend" not in can:
        return f"the back end {row.backend} cannot suspend jobs"
    return "" if row.state is State.SUSPENDED else f"it is not suspended ({row.state})"


async def _resubmit(manager: JobManager, jobs: Sequence[int]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for job in jobs:
        try:
            outcomes.append(Outcome(job, True, f"submitted again as job {await manager.resubmit(job)}"))
        except NO_BUGS as error:
            outcomes.append(Outcome(job, False, words_of(error)))
    return outcomes


def _errand(order: ForeignOrder) -> GiveForeign:
    return lambda manager, jobs: manager.order_foreign(order, jobs)


async def _resubmit_foreign(manager: JobManager, jobs: Sequence[ForeignName]) -> Mapping[tuple[str, str], Outcome]:
    outcomes: dict[tuple[str, str], Outcome] = {}
    for backend, job in jobs:
        try:
            made = await manager.submit(await manager.foreign_spec(backend, job))
            outcomes[backend, job.jid] = Outcome(0, True, f"submitted again as job {made[0]}")
        except NO_BUGS as error:
            outcomes[backend, job.jid] = Outcome(0, False, words_of(error))
    return outcomes


async def _nothing(_manager: JobManager, _jobs: Sequence[int]) -> list[Outcome]:
    """For an order that jobs of a work directory never take."""
    return []


CANCEL = Order(
    "cancel",
    "cancel",
    "cancelled",
    ("cancel",),
    _no_cancel,
    lambda m, jobs: m.cancel(jobs),
    "always",
    foreign=_errand(ForeignOrder("cancel")),
)
RETRY = Order("retry", "retry", "retried", ("retry",), _no_retry, lambda m, jobs: m.retry(jobs))
REQUEUE = Order(
    "requeue",
    "requeue",
    "requeued",
    ("requeue",),
    _no_requeue,
    lambda m, jobs: m.requeue(jobs),
    "always",
    "What runs is stopped, and runs again from its beginning as its next attempt.",
    needs="requeue",
    foreign=_errand(ForeignOrder("requeue")),
)
RESUBMIT = Order(
    "resubmit", "resubmit", "resubmitted", ("resubmit",), _no_resubmit, _resubmit, foreign=_resubmit_foreign
)
ATTACH = Order(
    "attach", "attach", "attached", ("attach",), _no_attach, _nothing, foreign=_errand(ForeignOrder("attach"))
)
HOLD = Order(
    "hold",
    "hold",
    "held",
    ("hold",),
    _no_hold,
    lambda m, jobs: m.hold(jobs),
    needs="hold",
    foreign=_errand(ForeignOrder("hold")),
)
RELEASE = Order(
    "release",
    "release",
    "released",
    ("release",),
    _no_release,
    lambda m, jobs: m.release(jobs),
    foreign=_errand(ForeignOrder("release")),
)
SUSPEND = Order(
    "suspend",
    "suspend",
    "suspended",
    ("suspend",),
    _no_suspend,
    lambda m, jobs: m.suspend(jobs),
    needs="suspend",
    foreign=_errand(ForeignOrder("suspend")),
)
RESUME = Order(
    "resume",
    "resume",
    "resumed",
    ("resume",),
    _no_resume,
    lambda m, jobs: m.resume(jobs),
    needs="suspend",
    foreign=_errand(ForeignOrder("resume")),
)
REMOVE = Order(
    "remove",
    "remove",
    "removed",
    ("rm",),
    _no_remove,
    lambda m, jobs: m.remove(jobs),
    "always",
    "Their folders and output are deleted for good.",
)

# Signals that people send to jobs, the mildest first; others can be typed.
SIGNALS = ("USR1", "USR2", "HUP", "INT", "TERM", "QUIT", "KILL")


def signal_order(name: str) -> Order:
    """The order to send a signal (``USR1``); raises ValueError for an unknown one."""
    known = name.strip().upper().removeprefix("SIG")
    number = int(known) if known.isdigit() else getattr(signal, f"SIG{known}", None)
    if number is None or not 0 < int(number) < signal.NSIG:
        raise ValueError(f"there is no signal {name}")
    return Order(
        "signal",
        f"send {known} to",
        f"sent {known}",
        ("signal", known),
        _no_signal,
        lambda manager, jobs: manager.signal(jobs, known),
        "always",
        needs="signal",
        foreign=_errand(ForeignOrder("signal", signal=known)),
    )


def priority_order(value: int) -> Order:
    """The order to give waiting jobs this priority."""
    return Order(
        "priority",
        f"set priority {value} for",
        f"given priority {value}",
        ("priority", str(value)),
        _no_priority,
        functools.partial(_set_priority, value),
    )


async def _set_priority(value: int, manager: JobManager, jobs: Sequence[int]) -> list[Outcome]:
    return await manager.set_priority(jobs, value)


# For the question whether an order that still needs a value is possible at all.
SIGNAL = replace(signal_order("TERM"), past="sent a signal")
PRIORITY = replace(priority_order(0), past="given a priority")


def count(jobs: int) -> str:
    """``1 job``, ``2 jobs``."""
    return f"{jobs} job{'' if jobs == 1 else 's'}"
