"""Words of the detail view: what exit codes and reasons mean, times, resources, retries."""

from __future__ import annotations

import signal
from datetime import datetime

from ...core.conditions import Condition, describe
from ...core.job import JobRow, Reason, Resources, Retry
from ...core.units import duration, size
from ..celltext import coarse
from .after_text import write_after

REASONS = {
    Reason.EXIT: "the program itself said that it failed",
    Reason.SIGNAL: "a signal ended it",
    Reason.TIMEOUT: "it reached its time limit",
    Reason.OUT_OF_MEMORY: "it used more memory than there was for it",
    Reason.NODE_FAILURE: "its machine failed or was restarted",
    Reason.PREEMPTED: "its place was given to another job",
    Reason.LAUNCH: "it could not be started",
    Reason.LOST: "it is gone and left no exit code",
    Reason.PERSON: "somebody asked for it",
    Reason.CONDITION: "what it waited for can never happen",
    Reason.HALTED: "another job failed, and the engine stops at the first failure",
    Reason.DAMAGED: "a file in its folder makes no sense",
}

# What a shell, sysexits(3) and habit say of exit codes.
_CODES = {
    0: "success",
    1: "a failure of any kind",
    2: "in many programs: wrong use of its command line",
    64: "sysexits: wrong use of its command line",
    65: "sysexits: wrong data",
    66: "sysexits: no input",
    69: "sysexits: a service is not available",
    70: "sysexits: a bug in the program",
    71: "sysexits: an error of the operating system",
    73: "sysexits: an output file cannot be made",
    74: "sysexits: an input or output error",
    75: "sysexits: try again later",
    77: "sysexits: no permission",
    78: "sysexits: wrong configuration",
    126: "the command could not be executed",
    127: "the command was not found",
    255: "an exit code out of range, or a connection that ssh could not make",
}
_SIGNAL_BASE = 128


def exit_words(code: int, number: int | None) -> str:
    """An exit code with its meaning, as far as it has one; ``number`` is the signal in it."""
    if number is None:
        return f"{code}: {_CODES[code]}" if code in _CODES else str(code)
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return f"{code}: {_SIGNAL_BASE} and {number}, so {name} ended it"


def reason_words(reason: str | None) -> str:
    """A reason with its meaning; "" where there is none."""
    if reason is None:
        return ""
    return f"{reason}: {REASONS[Reason(reason)]}" if reason in set(Reason) else reason


def moment(at: float | None, now: float) -> str:
    """A time of day, with the date where that is not today's; "" for None. Both are epoch seconds."""
    if at is None:
        return ""
    try:
        then, today = datetime.fromtimestamp(at), datetime.fromtimestamp(now)
    except (ValueError, OverflowError, OSError):
        return "?"
    return then.strftime("%H:%M:%S" if then.date() == today.date() else "%Y-%m-%d %H:%M")


def moment_ago(at: float | None, now: float) -> str:
    """A time and how long ago that is, coarsely."""
    return f"{moment(at, now)} ({coarse(now - at)} ago)" if at is not None else ""


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 gpu``, ``2 gpus``; ``plural`` where it is not made with an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def needs(resources: Resources) -> str:
    """What a job asks for."""
    parts = [count(resources.cpus, "cpu")]
    if resources.memory is not None:
        parts.append(f"{size(resources.memory)} of memory")
    if resources.gpus:
        parts.append(count(resources.gpus, "gpu"))
    return ", ".join(parts)


def retries(retry: Retry) -> str:
    """When and how often a job is tried again; "" where that is left to the engine's settings."""
    if retry == Retry():
        return ""
    if retry.limit == 0:
        return "never"
    times = "as often as the engine is set to" if retry.limit is None else f"up to {count(retry.limit, 'time')}"
    wait = ""
    if retry.delay:
        wait = f", {duration(retry.delay)} after it ended"
        if retry.backoff == "exponential":
            wait += f", then twice as long each time up to {duration(retry.cap)}"
    on = f"; after {', '.join(retry.on)}" if retry.on != Retry().on else ""
    return f"{times}{wait}{on}"


def where(row: JobRow) -> str:
    """The back end, what it calls the job, and the machine."""
    number = f", {'process' if row.backend == 'local' else 'there called'} {row.jid}" if row.jid else ""
    return f"{row.backend}{number}" + (f", on {row.host}" if row.host else "")


def condition_words(condition: Condition) -> str:
    """What a condition waits for."""
    try:
        return describe(condition).removeprefix("(").removesuffix(")")
    except (ValueError, OverflowError, OSError):
        # A time that no calendar has; only a job.json written by hand can hold one.
        return write_after(condition)
