"""Which waiting job starts next: priority, then age, as far as slots and budgets allow. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from .job import Resources
from .settings import Budget
from .units import size

# A job that does not fit is passed by smaller ones for at most this long, in seconds; then the engine waits for it.
PATIENCE = 60.0
# How many jobs behind one that does not fit are looked at.
_LOOK_AHEAD = 200


class InUse:
    """What the jobs in flight use of the budget."""

    def __init__(self) -> None:
        """Start with nothing in use."""
        self._jobs: dict[int, tuple[Resources, tuple[int, ...]]] = {}
        self.cpus = 0
        self.memory = 0
        self.gpus: set[int] = set()

    def __len__(self) -> int:
        """How many jobs are in flight."""
        return len(self._jobs)

    def __contains__(self, job: int) -> bool:
        """Whether this job is in flight."""
        return job in self._jobs

    def add(self, job: int, need: Resources, gpus: tuple[int, ...] = ()) -> None:
        """Count a job; ``gpus`` are the numbers of the devices that it was given."""
        if job in self._jobs:
            return
        self._jobs[job] = (need, gpus)
        self.cpus += need.cpus
        self.memory += need.memory or 0
        self.gpus |= set(gpus)

    def discard(self, job: int) -> None:
        """Give back what a job used; nothing happens if it used nothing."""
        need, gpus = self._jobs.pop(job, (None, ()))
        if need is not None:
            self.cpus -= need.cpus
            self.memory -= need.memory or 0
            self.gpus -= set(gpus)

    def gpus_of(self, job: int) -> tuple[int, ...]:
        """The numbers of the devices that a job was given."""
        return self._jobs[job][1] if job in self._jobs else ()

    def lacking(self, need: Resources, budget: Budget) -> str:
        """Why a job with these needs cannot start now, in words; "" if it can."""
        counted = (
            ("cpus", need.cpus, self.cpus, budget.cpus),
            ("memory", need.memory or 0, self.memory, budget.memory),
            ("gpus", need.gpus, len(self.gpus), budget.gpus),
        )
        for name, wanted, _, limit in counted:
            if wanted > limit:
                return f"{_said(wanted, name)}, but the engine's budget is {_amount(limit, name)}"
        if len(self._jobs) >= budget.slots:
            return f"a free slot ({budget.slots} in use)"
        for name, wanted, used, limit in counted:
            if wanted and used + wanted > limit:
                free = _amount(max(0, limit - used), name)
                return f"{_said(wanted, name)} ({free} of {_amount(limit, name)} free)"
        return ""

    def free_gpus(self, count: int, budget: Budget) -> tuple[int, ...]:
        """The numbers of ``count`` devices that nobody uses."""
        return tuple(number for number in range(budget.gpus) if number not in self.gpus)[:count]


def _said(amount: int, name: str) -> str:
    return f"{_amount(amount, name)} of memory" if name == "memory" else f"{amount} {name}"


def _amount(amount: int, name: str) -> str:
    return size(amount) if name == "memory" else str(amount)


def _never_fits(need: Resources, budget: Budget) -> bool:
    return need.cpus > budget.cpus or (need.memory or 0) > budget.memory or need.gpus > budget.gpus


class ReadyQueue:
    """The jobs that may start now, highest priority first, then the lowest id."""

    def __init__(self) -> None:
        """Start empty."""
        self._heap: list[tuple[int, int]] = []
        self._need: dict[int, tuple[int, Resources]] = {}
        self._passed_since: tuple[int, float] | None = None

    def __len__(self) -> int:
        """How many jobs are ready."""
        return len(self._need)

    def __contains__(self, job: int) -> bool:
        """Whether this job is ready."""
        return job in self._need

    def add(self, job: int, priority: int, need: Resources) -> None:
        """Put a job in, or change its priority."""
        if self._need.get(job) == (priority, need):
            return
        self._need[job] = (priority, need)
        heapq.heappush(self._heap, (-priority, job))

    def first(self) -> int | None:
        """The job whose turn it is."""
        while self._heap:
            priority, job = self._heap[0]
            known = self._need.get(job)
            if known is not None and known[0] == -priority:
                return job
            heapq.heappop(self._heap)
        return None

    def discard(self, job: int) -> None:
        """Take a job out; nothing happens if it is not in."""
        self._need.pop(job, None)

    def take(self, count: int, used: InUse, budget: Budget, now: float) -> list[tuple[int, tuple[int, ...]]]:
        """Take out up to ``count`` jobs that fit and count them as used: (job, numbers of its gpus) each.

        ``now`` in seconds of any steady clock. A job that does not fit is passed by those that do, for PATIENCE
        seconds at most, so that a big one starts at last.
        """
        taken: list[tuple[int, tuple[int, ...]]] = []
        passed: list[tuple[int, int]] = []
        while self._heap and len(taken) < count and len(used) < budget.slots and len(passed) < _LOOK_AHEAD:
            entry = heapq.heappop(self._heap)
            known = self._need.get(entry[1])
            if known is None or -entry[0] != known[0]:
                continue
            job, need = entry[1], known[1]
            if _never_fits(need, budget):
                # Out of the way, until a change of the budget makes the engine add it anew.
                continue
            if used.lacking(need, budget):
                passed.append(entry)
                if len(passed) == 1 and not self._may_pass(job, now):
                    break
                continue
            gpus = used.free_gpus(need.gpus, budget)
            used.add(job, need, gpus)
            del self._need[job]
            taken.append((job, gpus))
        for entry in passed:
            heapq.heappush(self._heap, entry)
        return taken

    def _may_pass(self, job: int, now: float) -> bool:
        if self._passed_since is None or self._passed_since[0] != job:
            self._passed_since = (job, now)
        return now - self._passed_since[1] < PATIENCE


class Yard:
    """Where the jobs of one back end wait for their start: those that are ready, and what those in flight use."""

    def __init__(self, budget: Budget) -> None:
        """Start empty."""
        self.ready = ReadyQueue()
        self.use = InUse()
        self.budget = budget

    def take_together(self, jobs: Iterable[int], need: Resources) -> list[int]:
        """Take out those of these jobs that are ready, as far as slots are free, and count them as used."""
        taken: list[int] = []
        for job in jobs:
            if len(self.use) >= self.budget.slots:
                break
            if job in self.ready:
                self.ready.discard(job)
                self.use.add(job, need)
                taken.append(job)
        return taken

    def has_room(self) -> bool:
        """Whether a ready job waits and a slot is free."""
        return bool(self.ready) and len(self.use) < self.budget.slots
