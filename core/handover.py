"""What a job waits for, as its own scheduler can be told, so that it holds with no engine alive. Pure."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from .backend import Dependency, Parent
from .conditions import AfterJob, AllOf, AnyOf, Condition, after_words
from .job import Reason
from .verdict import Observation

# Of more jobs than these the engine itself sees to the ends: commands must not grow without bounds.
MOST_PARENTS = 100


class Standing(msgspec.Struct, frozen=True):
    """A job in a scheduler's hands whose end will be its last: the attempt, and what the scheduler calls it."""

    attempt: int
    jid: str


def dependency(condition: Condition | None, standing_of: Callable[[int], Standing | None]) -> Dependency | None:
    """What is still waited for, in a scheduler's terms; None where it cannot be said in these.

    ``standing_of`` knows the jobs that are in the hands of the same scheduler and will not run again by themselves.
    """
    ends = _ends(condition)
    if ends is None or not 0 < len(ends) <= MOST_PARENTS:
        return None
    parents: list[Parent] = []
    for end in ends:
        standing = standing_of(end.id)
        if standing is None:
            return None
        parents.append(Parent(end.id, standing.attempt, standing.jid, end.ending))
    return Dependency(tuple(parents), one_is_enough=isinstance(condition, AnyOf))


def _ends(condition: Condition | None) -> list[AfterJob] | None:
    if isinstance(condition, AfterJob):
        return [condition]
    if not isinstance(condition, AllOf | AnyOf):
        return None
    ends = [part for part in condition.parts if isinstance(part, AfterJob)]
    return ends if len(ends) == len(condition.parts) else None


def words(condition: Condition | None, scheduler: str) -> str:
    """What a job waits for in its scheduler, for people."""
    ends = _ends(condition)
    if not ends:
        return ""
    return f"{after_words(ends, one_is_enough=isinstance(condition, AnyOf))} (at {scheduler})"


def was_let_go(seen: Observation) -> bool:
    """Whether a job that never began has left its scheduler for what it waited for, not by a person's order.

    Schedulers cancel what can never start by their own reckoning, and job scripts refuse to start too early.
    """
    return seen.presence == "gone" and (seen.reason == Reason.CONDITION or seen.outcome == "failed")
