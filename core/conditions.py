"""When a job may start: conditions on other jobs' ends and on the time, and whether they hold, wait, or never can."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import msgspec

Ending = Literal["ok", "fail", "any"]
JobEnd = Literal["ok", "fail", "active", "missing"]
EndOf = Callable[[int], JobEnd]


class AfterJob(msgspec.Struct, frozen=True, tag="job"):
    """Holds once job ``id`` has ended well ("ok"), badly ("fail": failed, cancelled or unknown) or at all ("any")."""

    id: int
    ending: Ending = "ok"


class AfterTime(msgspec.Struct, frozen=True, tag="time"):
    """Holds from the moment ``at`` (epoch seconds) on."""

    at: float


class AllOf(msgspec.Struct, frozen=True, tag="all"):
    """Holds when every part holds."""

    parts: tuple[Condition, ...]


class AnyOf(msgspec.Struct, frozen=True, tag="any"):
    """Holds when one part holds."""

    parts: tuple[Condition, ...]


Condition = AfterJob | AfterTime | AllOf | AnyOf


class Outlook(msgspec.Struct, frozen=True):
    """What a condition comes to now.

    ``answer``: "holds", "waits" or "never". ``why`` says in words what is waited for or why it can never hold;
    ``end`` is the single job whose end is waited for, with that ending. ``wake`` is the next moment (epoch seconds) at
    which time alone may change the answer.
    """

    answer: Literal["holds", "waits", "never"]
    why: str = ""
    wake: float | None = None
    end: tuple[int, Ending] | None = None


HOLDS = Outlook("holds")
_ENDS = {"ok": "to end well", "fail": "to end badly", "any": "to end"}
_NAMED = 5


def evaluate(condition: Condition | None, end_of: EndOf, now: float) -> Outlook:
    """Decide a condition. ``end_of(id)`` tells how a job stands; ``now`` is epoch seconds.

    A job whose folder is gone ("missing") can satisfy nothing any more.
    """
    if condition is None:
        return HOLDS
    if isinstance(condition, AfterTime):
        return HOLDS if now >= condition.at else Outlook("waits", "a start time", condition.at)
    if isinstance(condition, AfterJob):
        return _after_job(condition, end_of(condition.id))
    outlooks = [evaluate(part, end_of, now) for part in condition.parts]
    decide = _all if isinstance(condition, AllOf) else _any
    return decide(outlooks)


def _after_job(condition: AfterJob, end: JobEnd) -> Outlook:
    job = f"job {condition.id}"
    if end == "active":
        return Outlook("waits", f"{job} {_ENDS[condition.ending]}", end=(condition.id, condition.ending))
    if end == "missing":
        return Outlook("never", f"{job} was removed")
    if condition.ending in ("any", end):
        return HOLDS
    return Outlook("never", f"{job} ended {'badly' if end == 'fail' else 'well'}")


def _all(outlooks: list[Outlook]) -> Outlook:
    for outlook in outlooks:
        if outlook.answer == "never":
            return outlook
    return _waiting([outlook for outlook in outlooks if outlook.answer == "waits"], " and ") or HOLDS


def _any(outlooks: list[Outlook]) -> Outlook:
    if not outlooks or any(outlook.answer == "holds" for outlook in outlooks):
        return HOLDS
    waiting = _waiting([outlook for outlook in outlooks if outlook.answer == "waits"], " or ")
    return waiting or Outlook("never", " and ".join(outlook.why for outlook in outlooks))


def _waiting(outlooks: list[Outlook], joiner: str) -> Outlook | None:
    if not outlooks:
        return None
    wakes = [outlook.wake for outlook in outlooks if outlook.wake is not None]
    return Outlook("waits", _joined(outlooks, joiner), min(wakes, default=None))


def _joined(outlooks: list[Outlook], joiner: str) -> str:
    """What several conditions wait for, jobs that are to end alike named together."""
    together: dict[Ending, list[int]] = {}
    words = [outlook.why for outlook in outlooks if outlook.end is None]
    for outlook in outlooks:
        if outlook.end is not None:
            together.setdefault(outlook.end[1], []).append(outlook.end[0])
    for ending, jobs in together.items():
        named = [str(job) for job in jobs[:_NAMED]]
        if len(jobs) > _NAMED:
            named.append(f"{len(jobs) - _NAMED} more")
        listed = named[0] if len(named) == 1 else ", ".join(named[:-1]) + joiner + named[-1]
        words.append(f"job{'s' if len(jobs) > 1 else ''} {listed} {_ENDS[ending]}")
    return joiner.join(words)


def undecided(condition: Condition, end_of: EndOf, now: float) -> Condition | None:
    """What a condition that waits still waits for: without the parts that hold, and those that never can."""
    if isinstance(condition, AfterJob | AfterTime):
        return condition if evaluate(condition, end_of, now).answer == "waits" else None
    parts = [part for part in (undecided(one, end_of, now) for one in condition.parts) if part is not None]
    if len(parts) < 2:
        return parts[0] if parts else None
    return AllOf(tuple(parts)) if isinstance(condition, AllOf) else AnyOf(tuple(parts))


def jobs_in(condition: Condition | None) -> Iterator[int]:
    """Yield the id of every job that a condition names."""
    if isinstance(condition, AfterJob):
        yield condition.id
    elif isinstance(condition, AllOf | AnyOf):
        for part in condition.parts:
            yield from jobs_in(part)


def all_of(parts: list[Condition]) -> Condition | None:
    """Join conditions that must all hold; None where there are none."""
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


_ENDING = {"ok": "well", "fail": "badly", "any": "in any way"}


def after_words(ends: Sequence[AfterJob], *, one_is_enough: bool) -> str:
    """Say when a job starts that waits for other jobs: "after jobs 1 and 2 end well"."""
    joiner = " or " if one_is_enough else " and "
    together: dict[Ending, list[str]] = {}
    for end in ends:
        together.setdefault(end.ending, []).append(str(end.id))
    words: list[str] = []
    for ending, jobs in together.items():
        named = jobs if len(jobs) <= _NAMED else [*jobs[:_NAMED], f"{len(jobs) - _NAMED} more"]
        listed = named[0] if len(named) == 1 else ", ".join(named[:-1]) + joiner + named[-1]
        verb = f"job {listed} ends" if len(jobs) == 1 else f"jobs {listed} end"
        words.append(f"{verb} {_ENDING[ending]}")
    return "after " + joiner.join(words)


def describe(condition: Condition | None) -> str:
    """Say a condition in words, for people."""
    if condition is None:
        return ""
    if isinstance(condition, AfterTime):
        from datetime import datetime

        return "not before " + datetime.fromtimestamp(condition.at).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
    if isinstance(condition, AfterJob):
        return f"job {condition.id} {_ENDS[condition.ending]}"
    joiner = " and " if isinstance(condition, AllOf) else " or "
    return "(" + joiner.join(describe(part) for part in condition.parts) + ")"
