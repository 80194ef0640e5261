"""What the jobs that have not ended wait for: in the engine, or handed over to the scheduler that has both."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

import msgspec

from .backend import Dependency
from .conditions import Condition, EndOf, Outlook, evaluate, jobs_in, undecided
from .handover import Standing, dependency
from .job import LOCAL, JobSpec
from .tracked import Tracked
from .verdict import Facts

# Seconds after which a start time is compared with the clock again: somebody may have set it.
_CLOCK_CHECK = 300.0

CanWait = Callable[[JobSpec, Dependency], bool]


class Waited(msgspec.Struct, frozen=True):
    """What the condition of a job that waits in its scheduler comes to, and what is left of it."""

    outlook: Outlook
    left: Condition | None


class Awaits:
    """The conditions of the jobs that an engine tracks, and who waits for whom."""

    def __init__(
        self,
        tracked: Mapping[int, Tracked],
        end_of: EndOf,
        look_again: Callable[[int, float], None],
        retries: Callable[[], int],
        can_wait: CanWait,
    ) -> None:
        """Judge conditions by ``end_of``; ``look_again(job, seconds)`` is called where time alone changes the answer.

        ``retries``: how often a job is tried again that does not say so itself. ``can_wait``: whether a job's back end
        can have it wait for others.
        """
        self._tracked = tracked
        self._end_of = end_of
        self._look_again = look_again
        self._retries = retries
        self._can_wait = can_wait
        self._dependents: defaultdict[int, set[int]] = defaultdict(set)

    def those_after(self, job: int) -> Iterable[int]:
        """The jobs that wait for this one."""
        return self._dependents.get(job, ())

    def over(self, job: int) -> Iterable[int]:
        """The jobs that waited for this one, which has ended."""
        return self._dependents.pop(job, ())

    def outlook(self, job: int, condition: Condition | None) -> Outlook:
        """What a job's condition comes to now; it is looked at again when that may have changed."""
        now = time.time()
        outlook = evaluate(condition, self._end_of, now)
        if outlook.answer == "waits":
            for other in jobs_in(condition):
                self._dependents[other].add(job)
            if outlook.wake is not None:
                self._look_again(job, min(max(0.0, outlook.wake - now), _CLOCK_CHECK))
        return outlook

    def dependency(self, tracked: Tracked) -> Dependency | None:
        """What a job's back end can have it wait for; None where the engine must wait."""
        spec = tracked.spec
        if tracked.refused == tracked.attempt or spec.after is None or spec.backend == LOCAL:
            return None
        left = undecided(spec.after, self._end_of, time.time())
        after = dependency(left, lambda other: self._standing(other, spec.backend))
        return after if after is not None and self._can_wait(spec, after) else None

    def _standing(self, job: int, backend: str) -> Standing | None:
        """How a job stands in a back end, if it is there and the end of this attempt will be its last."""
        one = self._tracked.get(job)
        if one is None or one.spec.backend != backend or not one.jid or one.again:
            return None
        if one.spec.attached is not None:
            # It leaves no record that the job script of another could look into.
            return None
        limit = self._retries() if one.spec.retry.limit is None else one.spec.retry.limit
        return Standing(one.attempt, one.jid) if one.attempt > limit else None

    def still(self, tracked: Tracked) -> bool:
        """Whether what was found out about a job's condition when it became ready is still true."""
        outlook = evaluate(tracked.spec.after, self._end_of, time.time())
        if outlook.answer == "waits":
            return tracked.after is not None and self.dependency(tracked) == tracked.after
        return outlook.answer == "holds" and tracked.after is None

    def in_scheduler(self, job: int, facts: Facts) -> Waited | None:
        """What a job waits for in its scheduler; None for one that does not wait for other jobs there, or has begun."""
        spec, sent = facts.spec, facts.submitting
        if spec is None or spec.after is None or sent is None or not sent.after or facts.claimed or facts.end:
            return None
        return Waited(self.outlook(job, spec.after), undecided(spec.after, self._end_of, time.time()))
