"""Conditions: what after ok/fail/any, times, all-of and any-of come to, and that a never says why."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobtui.core.conditions import (
    AfterJob,
    AfterTime,
    AllOf,
    AnyOf,
    Condition,
    JobEnd,
    all_of,
    describe,
    evaluate,
    jobs_in,
)
from jobtui.core.job import JobSpec

NOW = 1_000.0
quick = settings(max_examples=100, deadline=None)

leaves: st.SearchStrategy[Condition] = st.one_of(
    st.builds(AfterJob, id=st.integers(1, 5), ending=st.sampled_from(["ok", "fail", "any"])),
    st.builds(AfterTime, at=st.sampled_from([0.0, 999.0, NOW, 1_001.0, 9_999.0])),
)
conditions = st.recursive(
    leaves,
    lambda inner: (
        st.builds(AllOf, parts=st.lists(inner, max_size=4).map(tuple))
        | st.builds(AnyOf, parts=st.lists(inner, max_size=4).map(tuple))
    ),
    max_leaves=10,
)
ends = st.fixed_dictionaries({job: st.sampled_from(["ok", "fail", "active", "missing"]) for job in range(1, 6)})


@pytest.mark.parametrize(
    ("ending", "end", "answer"),
    [
        ("ok", "ok", "holds"),
        ("ok", "fail", "never"),
        ("fail", "ok", "never"),
        ("fail", "fail", "holds"),
        ("any", "ok", "holds"),
        ("any", "fail", "holds"),
        *((ending, "active", "waits") for ending in ("ok", "fail", "any")),
        *((ending, "missing", "never") for ending in ("ok", "fail", "any")),
    ],
)
def test_after_a_job(ending: str, end: JobEnd, answer: str) -> None:
    outlook = evaluate(AfterJob(7, ending), lambda job: end, NOW)  # type: ignore[arg-type]
    assert outlook.answer == answer
    assert ("job 7" in outlook.why) is (answer != "holds")


@pytest.mark.parametrize(("at", "answer"), [(999.0, "holds"), (NOW, "holds"), (1_000.5, "waits")])
def test_after_a_time_holds_from_that_very_moment_on(at: float, answer: str) -> None:
    assert evaluate(AfterTime(at), lambda job: "ok", NOW).answer == answer


def test_no_condition_holds() -> None:
    assert evaluate(None, lambda job: "missing", NOW).answer == "holds"


def _model(condition: Condition, end: dict[int, JobEnd]) -> str:
    """The answer by three-valued logic: the worst part decides all-of, the best part any-of."""
    if isinstance(condition, AfterTime):
        return "holds" if condition.at <= NOW else "waits"
    if isinstance(condition, AfterJob):
        match end[condition.id]:
            case "active":
                return "waits"
            case "missing":
                return "never"
            case how:
                return "holds" if condition.ending in (how, "any") else "never"
    order = ["never", "waits", "holds"]
    ranks = [order.index(_model(part, end)) for part in condition.parts] or [2]
    return order[min(ranks) if isinstance(condition, AllOf) else max(ranks)]


@quick
@given(conditions, ends)
def test_nested_conditions_follow_three_valued_logic(condition: Condition, end: dict[int, JobEnd]) -> None:
    assert evaluate(condition, end.__getitem__, NOW).answer == _model(condition, end)


@quick
@given(conditions, ends)
def test_what_does_not_hold_says_why(condition: Condition, end: dict[int, JobEnd]) -> None:
    outlook = evaluate(condition, end.__getitem__, NOW)
    assert bool(outlook.why) is (outlook.answer != "holds")
    if outlook.answer == "never":
        culprits = [job for job in jobs_in(condition) if end[job] != "active"]
        assert any(f"job {job} " in outlook.why for job in culprits)


@quick
@given(conditions, ends)
def test_a_never_stays_never_whatever_the_others_do(condition: Condition, end: dict[int, JobEnd]) -> None:
    if evaluate(condition, end.__getitem__, NOW).answer != "never":
        return
    for outcome in ("ok", "fail", "missing"):
        later: dict[int, JobEnd] = {job: outcome if how == "active" else how for job, how in end.items()}  # type: ignore[misc]
        assert evaluate(condition, later.__getitem__, NOW + 10_000).answer == "never"


@quick
@given(conditions, ends)
def test_time_alone_changes_the_answer_not_before_the_time_to_wake(
    condition: Condition, end: dict[int, JobEnd]
) -> None:
    now = evaluate(condition, end.__getitem__, NOW)
    if now.answer != "waits":
        return
    for moment in (1_000.5, 1_001.0, 5_000.0, 9_999.0, 20_000.0):
        if evaluate(condition, end.__getitem__, moment).answer != "waits":
            assert now.wake is not None and now.wake <= moment


@quick
@given(conditions)
def test_every_job_named_is_found_and_every_one_needed_is_named(condition: Condition) -> None:
    asked: list[int] = []

    def end_of(job: int) -> JobEnd:
        asked.append(job)
        return "active"

    evaluate(condition, end_of, NOW)
    assert set(asked) == set(jobs_in(condition))
    words = describe(condition)
    assert all(f"job {job} " in words for job in asked)


@quick
@given(conditions)
def test_a_condition_survives_being_written_to_a_spec(condition: Condition) -> None:
    spec = JobSpec(command=("a",), after=condition)
    assert msgspec.json.decode(msgspec.json.encode(spec), type=JobSpec).after == condition


def test_a_long_wait_names_the_first_jobs_and_counts_the_rest() -> None:
    condition = AllOf(tuple(AfterJob(job) for job in range(1, 101)))
    why = evaluate(condition, lambda job: "active", NOW).why
    assert "jobs 1, 2, 3" in why and "95 more" in why and len(why) < 200


def test_joining_conditions_that_must_all_hold() -> None:
    first, second = AfterJob(1), AfterTime(5.0)
    assert all_of([]) is None
    assert all_of([first]) == first
    assert all_of([first, second]) == AllOf((first, second))
