"""What many answers of a scheduler come to: no silence ends a job, however good, bad and missing answers follow."""

from __future__ import annotations

import itertools
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtui.core.job import (
    Accepted,
    Asked,
    Attached,
    Begin,
    End,
    EngineEnd,
    Intent,
    JobSpec,
    Process,
    Reason,
    State,
    Submitting,
)
from jobtui.core.pollplan import MACHINE, PollPlan
from jobtui.core.sightings import ABSENT_FOR, ACCOUNTED_ALIVE, SETTLE, Sighting
from jobtui.core.verdict import Facts, Observation, judge, needs_word

GRACE = 2.0
SPEC = JobSpec(command=("x",), backend="slurm", tag="t")
SENT = Facts(spec=SPEC, submitting=Submitting(1, "t", 0.0))
BEGUN = Facts(
    spec=SPEC,
    submitting=Submitting(1, "t", 0.0),
    claimed=True,
    begin=Begin(1, "t", "h", "b", Process(1, 1), Process(2, 2), 0.0),
)
RUNNING = Observation("running", host="n1", started=5.0)
PENDING = Observation("pending")
COMPLETED = Observation("gone", exit_code=0, at=9.0, outcome="finished", started=5.0)
FAILED = Observation("gone", at=9.0, outcome="failed", started=5.0)
TIMEOUT = Observation("gone", Reason.TIMEOUT, "limit", at=9.0, outcome="failed", started=5.0)
CANCELLED = Observation("gone", None, "by 1", at=9.0, outcome="cancelled")


def ended(code: int, forwarded: str | None = None, **more: object) -> Facts:
    end = End(1, "t", code, 1.0, forwarded=forwarded, **more)  # type: ignore[arg-type]
    return Facts(spec=SPEC, submitting=BEGUN.submitting, claimed=True, begin=BEGUN.begin, end=end)


def presence(sighting: Sighting, facts: Facts, now: float, can_account: bool = True) -> str | None:
    seen = sighting.conclude(facts, now, GRACE, can_account).observation
    return seen.presence if seen is not None else None


def absent(sighting: Sighting, start: float, step: float, times: int) -> float:
    for number in range(times):
        sighting.answered(None, True, start + number * step)
    return start + (times - 1) * step


# -- a job that is not in the answer any more


def test_a_missing_job_is_lost_only_after_time_answers_and_accounting_agree() -> None:
    sighting = Sighting(1)
    sighting.answered(RUNNING, True, 0.0)
    now = absent(sighting, 1.0, 30.0, 4)
    assert presence(sighting, BEGUN, now) == "running"
    sighting.answered(None, True, now + 60.0)
    conclusion = sighting.conclude(BEGUN, now + 60.0, GRACE, True)
    assert conclusion.account and conclusion.observation is not None and conclusion.observation.presence == "running"
    sighting.accounted(None, False, now + 61.0)
    assert presence(sighting, BEGUN, now + 62.0) == "running"
    sighting.accounted(None, True, now + 125.0)
    assert presence(sighting, BEGUN, now + 126.0) == "lost"
    assert judge(BEGUN, Observation("lost")).state is State.UNKNOWN


def test_without_accounting_a_missing_job_is_lost_after_time_and_answers() -> None:
    sighting = Sighting(1)
    absent(sighting, 0.0, 1.0, 50)
    assert presence(sighting, SENT, 50.0, can_account=False) is None
    sighting.answered(None, True, ABSENT_FOR)
    assert presence(sighting, SENT, ABSENT_FOR, can_account=False) == "lost"


def test_one_sighting_starts_the_absence_anew() -> None:
    sighting = Sighting(1)
    absent(sighting, 0.0, 60.0, 2)
    sighting.answered(PENDING, False, 90.0)
    now = absent(sighting, 100.0, 50.0, 3)
    assert presence(sighting, SENT, now, can_account=False) == "pending"


def test_an_accounting_that_says_it_lives_is_believed_only_so_often() -> None:
    sighting, now = Sighting(1), 0.0
    for _ in range(ACCOUNTED_ALIVE):
        now = absent(sighting, now + 1.0, 61.0, 3)
        assert sighting.conclude(SENT, now, GRACE, True).account
        sighting.accounted(PENDING, True, now)
        assert presence(sighting, SENT, now) is None
        now += 100.0
    now = absent(sighting, now, 61.0, 3)
    assert presence(sighting, SENT, now) == "lost"


def test_the_accounting_tells_how_a_missing_job_ended() -> None:
    sighting = Sighting(1)
    now = absent(sighting, 0.0, 61.0, 3)
    sighting.accounted(TIMEOUT, True, now)
    seen = sighting.conclude(BEGUN, now, GRACE, True).observation
    assert seen is not None and judge(BEGUN, seen).reason == Reason.TIMEOUT


Answer = tuple[Literal["there", "missing", "broken"], float]


@given(st.lists(st.tuples(st.sampled_from(["there", "missing", "broken"]), st.floats(0.5, 100.0)), max_size=60))
def test_silence_never_ends_a_job(answers: list[Answer]) -> None:
    sighting, now = Sighting(1), 0.0
    missing: list[float] = []
    for kind, pause in answers:
        now += pause
        if kind == "there":
            sighting.answered(RUNNING, True, now)
            missing.clear()
        else:
            sighting.answered(None, kind == "missing", now)
            missing += [now] if kind == "missing" else []
        proven = len(missing) >= 3 and missing[-1] - missing[0] >= 120.0
        verdict = judge(BEGUN, sighting.conclude(BEGUN, now, GRACE, False).observation)
        assert verdict.state is (State.UNKNOWN if proven else State.RUNNING)


@given(
    st.lists(st.sampled_from([RUNNING, PENDING, COMPLETED, FAILED, TIMEOUT, CANCELLED, None]), max_size=30),
    st.booleans(),
)
def test_a_job_seen_alive_last_is_alive(answers: list[Observation | None], claimed: bool) -> None:
    sighting = Sighting(1)
    for number, seen in enumerate(answers):
        sighting.answered(seen, True, float(number))
    sighting.answered(RUNNING, True, 100.0)
    assert presence(sighting, BEGUN if claimed else SENT, 101.0) == "running"


def test_a_job_cancelled_while_it_waited_may_be_withdrawn_once_its_scheduler_knows_it_no_more() -> None:
    sighting = Sighting(1)
    sighting.answered(PENDING, True, 0.0)
    sighting.answered(None, True, 1.0)
    sighting.cancelled(2.0)
    sighting.answered(None, True, 3.0)
    assert not sighting.conclude(SENT, 3.0, GRACE, True).withdraw
    absent(sighting, 5.0, 1.0, 2)
    assert sighting.conclude(SENT, 7.0, GRACE, True).withdraw
    assert not sighting.conclude(BEGUN, 7.0, GRACE, True).withdraw


# -- an end that only the scheduler tells of


def test_an_end_without_a_record_is_asked_for_twice_and_waits_for_the_record() -> None:
    sighting = Sighting(1)
    sighting.answered(COMPLETED, True, 0.0)
    first = sighting.conclude(BEGUN, 0.1, GRACE, True)
    assert first.observation is not None and first.observation.presence == "ending" and first.soon
    sighting.answered(COMPLETED, True, 1.0)
    assert presence(sighting, BEGUN, 1.1) == "ending"
    assert presence(sighting, BEGUN, 2.1) == "gone"
    verdict = judge(BEGUN, sighting.conclude(BEGUN, 2.1, GRACE, True).observation)
    assert (verdict.state, verdict.exit_code) == (State.FINISHED, 0)


def test_a_failure_without_a_code_asks_the_accounting_for_it() -> None:
    sighting = Sighting(1)
    for at in (0.0, 1.0, 3.0):
        sighting.answered(FAILED, True, at)
    conclusion = sighting.conclude(BEGUN, 3.0, GRACE, True)
    assert conclusion.account and conclusion.observation is not None and conclusion.observation.presence == "ending"
    sighting.accounted(Observation("gone", exit_code=4, at=9.0, outcome="failed"), True, 4.0)
    verdict = judge(BEGUN, sighting.conclude(BEGUN, 4.0, GRACE, True).observation)
    assert (verdict.state, verdict.reason, verdict.exit_code) == (State.FAILED, Reason.EXIT, 4)


def test_a_job_cancelled_while_it_waited_needs_no_record() -> None:
    sighting = Sighting(1)
    sighting.answered(CANCELLED, True, 0.0)
    assert presence(sighting, SENT, 0.0) == "gone"
    assert judge(SENT, CANCELLED).state is State.CANCELLED


def test_an_end_that_was_a_requeue_is_taken_back() -> None:
    sighting = Sighting(1)
    sighting.answered(Observation("gone", Reason.PREEMPTED, "", outcome="failed", started=1.0), True, 0.0)
    sighting.answered(PENDING, True, 2.0)
    assert presence(sighting, SENT, 50.0) == "pending"


def test_what_the_job_says_of_its_begin_is_newer_than_an_old_answer() -> None:
    sighting = Sighting(1)
    sighting.answered(PENDING, True, 1.0)
    assert presence(sighting, BEGUN, 2.0) == "running"
    sighting.answered(PENDING, True, 3.0)
    seen = sighting.conclude(BEGUN, 4.0, GRACE, True).observation
    assert seen is not None and seen.presence == "pending" and "put back" in seen.detail


# -- an end that the job's own record tells of


@pytest.mark.parametrize(
    ("facts", "asks"),
    [
        (ended(0), False),
        (ended(0, "TERM"), True),
        (ended(3), True),
        (ended(143, "TERM"), True),
        (ended(143, timeout=True), False),
        (ended(1, launch="cwd"), False),
    ],
)
def test_only_a_bad_end_waits_for_the_scheduler_to_name_its_cause(facts: Facts, asks: bool) -> None:
    assert needs_word(facts) is asks
    assert (judge(facts).state is State.RUNNING) is asks


@pytest.mark.parametrize(
    ("word", "state", "reason"),
    [
        (TIMEOUT, State.FAILED, Reason.TIMEOUT),
        (Observation("gone", Reason.OUT_OF_MEMORY, "", outcome="failed"), State.FAILED, Reason.OUT_OF_MEMORY),
        (CANCELLED, State.CANCELLED, Reason.PERSON),
        (FAILED, State.FAILED, Reason.SIGNAL),
        (COMPLETED, State.FAILED, Reason.SIGNAL),
        (Observation("gone"), State.FAILED, Reason.SIGNAL),
    ],
)
def test_the_scheduler_names_the_cause_and_the_record_the_code(word: Observation, state: State, reason: Reason) -> None:
    verdict = judge(ended(143, "TERM"), word)
    assert (verdict.state, verdict.reason, verdict.exit_code) == (state, reason, 143)


def test_a_good_end_is_good_whatever_the_scheduler_says() -> None:
    for word in (TIMEOUT, FAILED, CANCELLED, Observation("lost"), RUNNING, None):
        assert judge(ended(0), word).state is State.FINISHED


def test_a_cancelled_job_is_cancelled_and_one_that_failed_by_itself_is_not() -> None:
    intent = Intent(cancel=Asked(1, 1.0, "me"))
    stopped, failed = (Facts(**{**_fields(facts), "intent": intent}) for facts in (ended(143, "TERM"), ended(2)))
    assert judge(stopped).state is State.CANCELLED
    assert judge(failed, FAILED).state is State.FAILED
    gone = Facts(**{**_fields(BEGUN), "intent": intent})
    assert judge(gone, COMPLETED).state is State.FINISHED
    assert judge(gone, FAILED).state is State.CANCELLED
    assert judge(gone, TIMEOUT).reason == Reason.TIMEOUT


def _fields(facts: Facts) -> dict[str, object]:
    return {name: getattr(facts, name) for name in facts.__struct_fields__}


def test_a_bad_end_waits_for_the_word_and_not_for_ever() -> None:
    sighting, facts = Sighting(1), ended(3)
    sighting.answered(RUNNING, True, 0.0)
    assert sighting.conclude(facts, 1.0, GRACE, True).soon
    assert presence(sighting, facts, 1.0 + SETTLE / 2) == "ending"
    assert presence(sighting, facts, 1.1 + SETTLE) == "gone"


def test_a_record_that_is_written_late_is_waited_for() -> None:
    over = Observation("gone")
    for facts in (ended(143, "TERM"), BEGUN):
        sighting = Sighting(1)
        presence(sighting, BEGUN, 0.0)
        for at in (0.0, 1.0):
            sighting.answered(over, True, at)
        assert sighting.conclude(facts, 3.0, GRACE, True).account
        sighting.accounted(None, True, 3.0)
        waiting = sighting.conclude(facts, 4.0, GRACE, True)
        assert not waiting.account and waiting.again is not None and waiting.again < 10.0
        assert presence(sighting, facts, 4.0) == "ending"
        assert sighting.conclude(facts, 20.0, GRACE, True).account
        sighting.accounted(TIMEOUT, True, 20.0)
        seen = sighting.conclude(facts, 21.0, GRACE, True).observation
        assert seen is not None and judge(facts, seen).reason == Reason.TIMEOUT


def test_a_job_that_never_began_has_no_record_that_comes_late() -> None:
    sighting = Sighting(1)
    for at in (0.0, 1.0):
        sighting.answered(Observation("gone"), True, at)
    assert sighting.conclude(SENT, 3.0, GRACE, True).account
    sighting.accounted(None, True, 3.0)
    assert presence(sighting, SENT, 3.1) == "gone"


def test_the_cause_that_an_engine_wrote_down_stays() -> None:
    facts = ended(7, "TERM")
    recorded = EngineEnd(1, State.FAILED, Reason.TIMEOUT, "limit", 9.0, 7)
    again = Facts(**{**_fields(facts), "engine_end": recorded})  # type: ignore[arg-type]
    assert (judge(again).state, judge(again).reason) == (State.FAILED, Reason.TIMEOUT)
    # Written without knowing this end: the job's record is the better evidence.
    lost = EngineEnd(1, State.UNKNOWN, Reason.LOST, "", 9.0)
    better = Facts(**{**_fields(facts), "engine_end": lost})  # type: ignore[arg-type]
    assert judge(better, TIMEOUT).reason == Reason.TIMEOUT


# -- when to ask


def test_polls_come_soon_after_news_and_rarely_in_quiet() -> None:
    plan, now, pauses = PollPlan(0.0), 0.0, []
    for _ in range(8):
        plan.answered(now, running=True, longest=100.0)
        pauses.append(plan.due - now)
        now = plan.due
    assert pauses == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 30.0]
    plan.stir(now - 20.0)
    assert plan.due - (now - 20.0) <= 2.0
    plan.answered(now, running=False, longest=5.0)
    assert plan.due - now <= 5.0


@given(st.lists(st.floats(0.05, 3.0), min_size=100, max_size=400))
def test_however_much_happens_there_are_six_polls_a_minute_in_the_long_run(pauses: list[float]) -> None:
    plan, now, polls = PollPlan(0.0), 0.0, 0
    for pause in pauses:
        now += pause
        plan.stir(now)
        if now >= plan.due:
            polls += 1
            plan.answered(now, running=True, longest=100.0)
    assert polls <= 8 + now / 10.0


def test_a_machine_without_a_scheduler_is_asked_each_second_while_its_jobs_come_and_go() -> None:
    plan, now, polls = PollPlan(0.0, MACHINE), 0.0, 0
    while now < 60.0:
        now += 0.25
        plan.stir(now)
        if now >= plan.due:
            polls += 1
            plan.answered(now, running=True, longest=5.0)
    assert 50 <= polls <= 70


@given(st.floats(0, 1))
def test_in_trouble_the_pause_grows_to_minutes(chance: float) -> None:
    plan, now = PollPlan(0.0), 0.0
    pauses = []
    for _ in range(12):
        plan.failed(now, chance)
        plan.stir(now)
        pauses.append(plan.due - now)
        now = plan.due
    assert (
        pauses[0] >= 3.5 and all(b >= a - 1e-6 for a, b in itertools.pairwise(pauses)) and 450.0 <= pauses[-1] <= 750.0
    )


def test_an_attached_job_leaves_no_record_to_wait_for_and_is_never_taken_for_withdrawn() -> None:
    facts = Facts(
        spec=JobSpec(name="theirs", backend="slurm", tag="t", attached=Attached()),
        accepted=Accepted(1, "7", "slurm", 1.0),
    )
    sighting = Sighting(1)
    sighting.answered(Observation("running", started=5.0), True, 1.0)
    sighting.cancelled(2.0)
    for at in (3.0, 4.0, 5.0):
        sighting.answered(None, True, at)
    assert not sighting.conclude(facts, 5.0, 90.0, True).withdraw
    assert presence(sighting, facts, 5.0) == "running"
    # Said once, an end may be a requeue; said twice, nothing else is to come.
    over = Observation("gone", outcome="finished", exit_code=0, started=5.0)
    sighting.answered(over, True, 6.0)
    assert presence(sighting, facts, 6.0) == "ending"
    sighting.answered(over, True, 8.0)
    assert presence(sighting, facts, 8.0) == "gone"


def test_the_accounting_may_be_late_with_the_record_of_an_attached_job() -> None:
    facts = Facts(
        spec=JobSpec(name="theirs", backend="slurm", tag="t", attached=Attached()),
        accepted=Accepted(1, "7", "slurm", 1.0),
    )
    sighting = Sighting(1)
    for at in (1.0, 3.0):
        sighting.answered(Observation("gone", outcome="failed", started=0.5), True, at)
    assert sighting.conclude(facts, 3.0, 90.0, True).account
    sighting.accounted(None, True, 3.0)
    assert presence(sighting, facts, 4.0) == "ending"
    record = Observation("gone", outcome="failed", exit_code=3, started=0.5)
    sighting.accounted(record, True, 20.0)
    assert sighting.conclude(facts, 20.0, 90.0, True).observation == record
