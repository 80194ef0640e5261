"""When a scheduler is asked again: soon after a change, then less and less often, and ever more rarely in trouble."""

from __future__ import annotations

from typing import NamedTuple

# Seconds.
STEADY = 10.0
WHILE_RUNNING = 30.0
WHILE_WAITING = 60.0
# Polls that may come soon at once.
_BURST = 6.0


class Pace(NamedTuple):
    """How often something may be asked, in seconds: after a change, in the long run, and at least while in trouble."""

    soon: float
    steady: float
    trouble: float


# A scheduler is everybody's: six questions a minute at most in the long run.
SCHEDULER = Pace(2.0, STEADY, 600.0)
# How often another machine is tried again is its back end's matter.
FAR_SCHEDULER = Pace(2.0, STEADY, 60.0)
# A machine that runs nothing but its jobs: nothing else tells that a slot is free again.
MACHINE = Pace(0.5, 1.0, 60.0)


class PollPlan:
    """The plan for one scheduler. Times are seconds of any steady clock."""

    def __init__(self, now: float, pace: Pace = SCHEDULER) -> None:
        """Ask at once."""
        self._pace = pace
        self.due = now
        self.failures = 0
        self._interval = self._pace.soon
        self._last = now - pace.soon
        self._tokens = _BURST

    def stir(self, now: float) -> None:
        """Something changed, or is about to: ask soon, as far as that is not too often."""
        if self.failures:
            return
        self._interval = self._pace.soon
        wait = self._pace.soon if self._tokens >= 1.0 else self._pace.steady
        self.due = min(self.due, max(now + 0.2, self._last + wait))

    def answered(self, now: float, *, running: bool, longest: float) -> None:
        """Plan on after an answer. ``running``: a job runs; ``longest``: the longest pause allowed."""
        self._spend(now)
        self.failures = 0
        pause = self._interval if self._tokens >= 1.0 else max(self._interval, self._pace.steady)
        self.due = now + min(pause, longest)
        self._interval = min(self._interval * 2, WHILE_RUNNING if running else WHILE_WAITING)

    def failed(self, now: float, chance: float) -> None:
        """Plan on after no answer, or half a one. ``chance``: random, 0 to 1."""
        self._spend(now)
        self.failures += 1
        pause = min(self._pace.trouble, STEADY / 2 * 2.0 ** min(self.failures - 1, 10))
        self.due = now + pause * (0.75 + chance / 2)
        self._interval = self._pace.soon

    def back(self, now: float) -> None:
        """What stood in the way is over: ask at once."""
        if self.failures:
            self.failures = 0
            self.due = now

    def _spend(self, now: float) -> None:
        gained = max(0.0, now - self._last) / self._pace.steady
        self._tokens = max(0.0, min(_BURST, self._tokens + gained) - 1.0)
        self._last = now
