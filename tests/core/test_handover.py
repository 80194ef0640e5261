"""What is handed over to a scheduler: it means what the condition means, and what cannot be said in its terms stays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobtui.core.backend import Dependency
from jobtui.core.conditions import AfterJob, AfterTime, AllOf, AnyOf, Condition, JobEnd, evaluate, undecided
from jobtui.core.handover import MOST_PARENTS, Standing, dependency, was_let_go, words
from jobtui.core.job import Reason
from jobtui.core.verdict import Observation

NOW = 1_000.0
leaves: st.SearchStrategy[Condition] = st.one_of(
    st.builds(AfterJob, id=st.integers(1, 5), ending=st.sampled_from(["ok", "fail", "any"])),
    st.builds(AfterTime, at=st.sampled_from([0.0, 9_999.0])),
)
conditions = st.recursive(
    leaves,
    lambda inner: (
        st.builds(AllOf, parts=st.lists(inner, max_size=4).map(tuple))
        | st.builds(AnyOf, parts=st.lists(inner, max_size=4).map(tuple))
    ),
    max_leaves=10,
)
some_ends = st.fixed_dictionaries({job: st.sampled_from(["ok", "fail", "active"]) for job in range(1, 6)})
last_ends = st.fixed_dictionaries({job: st.sampled_from(["ok", "fail"]) for job in range(1, 6)})
known = st.frozensets(st.integers(1, 5))


def scheduled(given_over: Dependency, ends: dict[int, JobEnd]) -> str:
    """What a scheduler makes of it: written without regard to how conditions are judged here."""
    answers = {
        "waits" if ends[one.job] == "active" else "holds" if one.ending in ("any", ends[one.job]) else "never"
        for one in given_over.parents
    }
    order = ("holds", "waits", "never") if given_over.one_is_enough else ("never", "waits", "holds")
    return next(answer for answer in order if answer in answers)


@given(conditions, some_ends, last_ends, known)
def test_a_scheduler_starts_a_job_exactly_when_its_condition_holds(
    condition: Condition, then: dict[int, JobEnd], last: dict[int, JobEnd], there: frozenset[int]
) -> None:
    if evaluate(condition, then.__getitem__, NOW).answer != "waits":
        return
    left = undecided(condition, then.__getitem__, NOW)
    given_over = dependency(left, lambda job: Standing(1, str(job)) if job in there else None)
    if given_over is None:
        return
    assert {one.job for one in given_over.parents} <= there
    assert all(then[one.job] == "active" for one in given_over.parents)
    assert scheduled(given_over, then) == "waits"
    # Whatever the ends are, and in whatever order they come.
    ends = dict(then)
    for job, end in last.items():
        if ends[job] == "active":
            ends[job] = end
        assert scheduled(given_over, ends) == evaluate(condition, ends.__getitem__, NOW).answer


def test_what_a_scheduler_cannot_be_told_stays_with_the_engine() -> None:
    def here(job: int) -> Standing | None:
        return Standing(1, f"{job}00") if job < 200 else None

    assert dependency(AllOf((AfterJob(1), AfterTime(2_000.0))), here) is None
    assert dependency(AllOf((AfterJob(1), AfterJob(200))), here) is None
    assert dependency(AllOf((AfterJob(1), AnyOf((AfterJob(2), AfterJob(3))))), here) is None
    assert dependency(AllOf(tuple(AfterJob(job) for job in range(MOST_PARENTS + 1))), here) is None
    assert dependency(None, here) is None
    several = dependency(AnyOf((AfterJob(1), AfterJob(2, "fail"))), here)
    assert several is not None and several.one_is_enough
    assert [(one.job, one.jid, one.ending) for one in several.parents] == [(1, "100", "ok"), (2, "200", "fail")]


def test_what_a_job_waits_for_is_said_in_plain_words() -> None:
    assert words(AfterJob(12), "slurm") == "after job 12 ends well (at slurm)"
    assert words(AllOf((AfterJob(1), AfterJob(2), AfterJob(3, "any"))), "pbs") == (
        "after jobs 1 and 2 end well and job 3 ends in any way (at pbs)"
    )
    assert words(AnyOf((AfterJob(1, "fail"), AfterJob(2, "fail"))), "lsf") == "after jobs 1 or 2 end badly (at lsf)"


def test_only_what_its_scheduler_gave_up_is_looked_at_again() -> None:
    assert was_let_go(Observation("gone", Reason.CONDITION, outcome="cancelled"))
    assert was_let_go(Observation("gone", exit_code=75, outcome="failed"))
    assert not was_let_go(Observation("gone", outcome="cancelled")), "somebody cancelled it"
    assert not was_let_go(Observation("pending"))
