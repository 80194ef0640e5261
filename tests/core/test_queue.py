"""The queue: priority, then age, never over the budget, and big jobs that start at last."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from jobtui.core.job import JobRow, Resources, State
from jobtui.core.queue import PATIENCE, InUse, ReadyQueue
from jobtui.core.settings import Budget, Settings, budget
from jobtui.core.waiting import explain

GIB = 2**30
ONE = Resources()
WIDE = Budget(slots=100, cpus=1000, memory=1000 * GIB, gpus=100)

needs = st.builds(
    Resources,
    cpus=st.integers(1, 5),
    memory=st.none() | st.sampled_from([1, GIB, 3 * GIB, 9 * GIB]),
    gpus=st.integers(0, 3),
)


def ids(taken: list[tuple[int, tuple[int, ...]]]) -> list[int]:
    return [job for job, _ in taken]


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.integers(1, 50), st.integers(-3, 3)), st.randoms(use_true_random=False))
def test_jobs_start_by_priority_and_then_by_age(jobs: dict[int, int], random: Random) -> None:
    ready = ReadyQueue()
    order = list(jobs)
    random.shuffle(order)
    for job in order:
        ready.add(job, jobs[job], ONE)
    taken = ids(ready.take(100, InUse(), WIDE, 0.0))
    assert taken == sorted(jobs, key=lambda job: (-jobs[job], job))
    assert len(ready) == 0


def test_a_changed_priority_counts_and_a_job_is_taken_once() -> None:
    ready, used = ReadyQueue(), InUse()
    ready.add(1, 0, ONE)
    ready.add(2, 1, ONE)
    ready.add(1, 5, ONE)
    ready.add(1, 0, ONE)
    ready.add(1, 5, ONE)
    assert ids(ready.take(9, used, WIDE, 0.0)) == [1, 2]
    assert ids(ready.take(9, used, WIDE, 0.0)) == []


def test_a_job_taken_out_does_not_start() -> None:
    ready = ReadyQueue()
    ready.add(1, 0, ONE)
    ready.add(2, 0, ONE)
    ready.discard(1)
    ready.discard(99)
    assert 1 not in ready and 2 in ready and len(ready) == 1
    assert ids(ready.take(9, InUse(), WIDE, 0.0)) == [2]


class Driving(RuleBasedStateMachine):
    """Jobs come, start, end, change and go in any order, under a budget that changes too."""

    def __init__(self) -> None:
        super().__init__()
        self.ready, self.used = ReadyQueue(), InUse()
        self.waiting: dict[int, Resources] = {}
        self.running: dict[int, tuple[Resources, tuple[int, ...]]] = {}
        self.budget = Budget(slots=3, cpus=6, memory=8 * GIB, gpus=3)
        self.shrunk = False
        self.number, self.now = 0, 0.0

    @rule(priority=st.integers(-2, 2), need=needs)
    def submit(self, priority: int, need: Resources) -> None:
        self.number += 1
        self.ready.add(self.number, priority, need)
        self.waiting[self.number] = need

    @rule(data=st.data(), priority=st.integers(-2, 2), need=needs)
    def change(self, data: st.DataObject, priority: int, need: Resources) -> None:
        if self.waiting:
            job = data.draw(st.sampled_from(sorted(self.waiting)))
            self.ready.add(job, priority, need)
            self.waiting[job] = need

    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        if self.waiting:
            job = data.draw(st.sampled_from(sorted(self.waiting)))
            self.ready.discard(job)
            del self.waiting[job]

    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        if self.running:
            job = data.draw(st.sampled_from(sorted(self.running)))
            self.used.discard(job)
            self.used.discard(job)
            del self.running[job]

    @rule(slots=st.integers(1, 5), cpus=st.integers(1, 8), gpus=st.integers(0, 4))
    def set_budget(self, slots: int, cpus: int, gpus: int) -> None:
        self.budget = Budget(slots=slots, cpus=cpus, memory=8 * GIB, gpus=gpus)

    @rule(count=st.integers(1, 4), pause=st.sampled_from([0.0, 1.0, PATIENCE]))
    def start(self, count: int, pause: float) -> None:
        self.now += pause
        taken = self.ready.take(count, self.used, self.budget, self.now)
        assert len(taken) <= count
        for job, gpus in taken:
            need = self.waiting.pop(job)
            assert len(gpus) == len(set(gpus)) == need.gpus
            assert set(gpus) <= set(range(self.budget.gpus))
            self.running[job] = (need, gpus)
        if taken:
            # A budget that shrank under running jobs may be exceeded by them, but by no start.
            assert len(self.running) <= self.budget.slots
            assert sum(need.cpus for need, _ in self.running.values()) <= self.budget.cpus
            asked_memory = any(self.running[job][0].memory for job, _ in taken)
            memory = sum(need.memory or 0 for need, _ in self.running.values())
            assert not asked_memory or memory <= self.budget.memory

    @invariant()
    def what_is_counted_is_what_runs(self) -> None:
        assert len(self.used) == len(self.running)
        assert self.used.cpus == sum(need.cpus for need, _ in self.running.values())
        assert self.used.memory == sum(need.memory or 0 for need, _ in self.running.values())
        given_out = [gpu for _, gpus in self.running.values() for gpu in gpus]
        assert len(given_out) == len(set(given_out)), "no device is given to two jobs"
        assert self.used.gpus == set(given_out)
        assert len(self.ready) == len(self.waiting)


Driving.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestNeverOverTheBudget = Driving.TestCase


def test_a_big_job_is_passed_by_small_ones_for_its_patience_and_then_waited_for() -> None:
    ready, used = ReadyQueue(), InUse()
    four = Budget(slots=4, cpus=4, memory=8 * GIB, gpus=0)
    used.add(1, ONE)
    ready.add(2, 0, Resources(cpus=4))
    ready.add(3, 0, ONE)
    assert ids(ready.take(9, used, four, 100.0)) == [3]
    ready.add(4, 0, ONE)
    assert ids(ready.take(9, used, four, 100.0 + PATIENCE - 1)) == [4]
    ready.add(5, 0, ONE)
    assert ids(ready.take(9, used, four, 100.0 + PATIENCE)) == []
    used.discard(1)
    used.discard(3)
    assert ids(ready.take(9, used, four, 200.0 + PATIENCE)) == [], "the big one is next, and does not fit yet"
    used.discard(4)
    assert ids(ready.take(9, used, four, 201.0 + PATIENCE)) == [2]
    assert ids(ready.take(9, used, four, 202.0 + PATIENCE)) == [], "it has all there is"
    used.discard(2)
    assert ids(ready.take(9, used, four, 203.0 + PATIENCE)) == [5]


def test_each_big_job_has_a_patience_of_its_own() -> None:
    ready, used = ReadyQueue(), InUse()
    four = Budget(slots=4, cpus=4, memory=8 * GIB, gpus=0)
    used.add(1, ONE)
    ready.add(2, 0, Resources(cpus=4))
    assert ids(ready.take(9, used, four, 0.0)) == []
    ready.discard(2)
    ready.add(3, 0, Resources(cpus=4))
    ready.add(4, 0, ONE)
    assert ids(ready.take(9, used, four, PATIENCE + 1)) == [4]


@pytest.mark.parametrize("need", [Resources(cpus=5), Resources(gpus=1), Resources(memory=9 * GIB)])
def test_a_job_that_can_never_fit_does_not_stop_the_others(need: Resources) -> None:
    ready, used = ReadyQueue(), InUse()
    four = Budget(slots=4, cpus=4, memory=8 * GIB, gpus=0)
    ready.add(1, 0, need)
    ready.add(2, 0, ONE)
    assert ids(ready.take(9, used, four, 0.0)) == [2]
    ready.add(3, 0, ONE)
    assert ids(ready.take(9, used, four, PATIENCE + 1)) == [3]


def test_many_jobs_that_can_never_fit_do_not_hide_one_that_can() -> None:
    ready = ReadyQueue()
    for job in range(1, 251):
        ready.add(job, 0, Resources(gpus=1))
    ready.add(251, 0, ONE)
    assert ids(ready.take(9, InUse(), Budget(slots=4, cpus=4, memory=GIB, gpus=0), 0.0)) == [251]


@pytest.mark.parametrize(
    ("need", "used_up", "words"),
    [
        (ONE, [ONE] * 4, "a free slot (4 in use)"),
        (Resources(cpus=3), [Resources(cpus=6)], "3 cpus (2 of 8 free)"),
        (Resources(cpus=9), [], "9 cpus, but the engine's budget is 8"),
        (Resources(gpus=2), [Resources(gpus=1)], "2 gpus (1 of 2 free)"),
        (Resources(gpus=3), [], "3 gpus, but the engine's budget is 2"),
        (Resources(memory=9 * GIB), [], "but the engine's budget is"),
        (Resources(cpus=2, memory=GIB, gpus=1), [Resources(cpus=6, gpus=1)], ""),
    ],
)
def test_what_a_job_waits_for_is_said(need: Resources, used_up: list[Resources], words: str) -> None:
    limits = Budget(slots=4, cpus=8, memory=8 * GIB, gpus=2)
    used = InUse()
    for job, resources in enumerate(used_up):
        used.add(job, resources, used.free_gpus(resources.gpus, limits))
    said = used.lacking(need, limits)
    assert words in said and bool(words) is bool(said)


def test_memory_is_said_as_people_write_it() -> None:
    assert "9.0 GiB" in InUse().lacking(Resources(memory=9 * GIB), Budget(4, 8, 8 * GIB, 0))


# -- what a person is told of the queue


def _row(job: int, state: State, **more: object) -> JobRow:
    return JobRow(id=job, name=f"j{job}", state=state, **more)  # type: ignore[arg-type]


def test_the_queue_is_told_in_the_order_in_which_jobs_will_start_each_with_its_reason() -> None:
    rows = [
        _row(1, State.RUNNING),
        _row(2, State.QUEUED),
        _row(3, State.QUEUED, priority=5),
        _row(4, State.HELD, detail="held; release it to let it start"),
        _row(5, State.CREATED, detail="waits for job 1 to end well"),
        _row(6, State.FINISHED),
        _row(7, State.QUEUED, detail="attempt 2 may start 30 s from now"),
    ]
    told = explain(rows, Budget(slots=1, cpus=4, memory=GIB, gpus=0), driven=True)
    assert [item.row.id for item in told] == [3, 2, 7, 5, 4]
    why = {item.row.id: item.why for item in told}
    assert why[3] == "waits for a free slot (1 in use); next"
    assert why[2] == "waits for a free slot (1 in use); 1 ahead of it"
    assert (why[7], why[5]) == ("attempt 2 may start 30 s from now", "waits for job 1 to end well")
    assert "release" in why[4]


def test_without_an_engine_the_queue_says_what_to_do() -> None:
    (told,) = explain([_row(1, State.QUEUED)], WIDE, driven=False)
    assert "jobtui engine start" in told.why


def test_the_budget_is_the_machines_unless_it_is_set() -> None:
    own = budget(Settings())
    assert own.slots >= 1 and own.cpus >= own.slots and own.memory > 2**20
    assert budget(Settings(slots=7, cpus=3, memory=5, gpus=2)) == Budget(7, 3, 5, 2)
    assert budget(Settings(slots=500)).cpus == 500, "more slots than cores is a person's word"


@pytest.mark.parametrize(
    "wrong", [{"slots": 0}, {"cpus": 0}, {"memory": 0}, {"gpus": -1}, {"retries": -1}, {"submission_batch": 0}]
)
def test_settings_that_no_engine_can_work_with_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        Settings(**wrong)  # type: ignore[arg-type]


def test_jobs_that_wait_in_a_scheduler_come_last_with_its_words() -> None:
    there = msgspec.structs.replace(_row(1, State.SUBMITTED), backend="slurm", detail="waits for free resources")
    silent = msgspec.structs.replace(_row(2, State.SUBMITTED), backend="sge")
    told = explain([there, silent, _row(3, State.SUBMITTED), _row(4, State.HELD)], WIDE, driven=True)
    assert [(one.row.id, one.why) for one in told[1:]] == [(1, "waits for free resources"), (2, "waits in sge")]
    assert told[0].row.id == 4
