"""Verdicts: what the evidence on disk and a back end's word may and may not make of a job, for all combinations."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jobtui.core.conditions import AfterJob
from jobtui.core.job import (
    ENDED,
    Accepted,
    Asked,
    Attached,
    Begin,
    End,
    EngineEnd,
    Intent,
    JobRow,
    JobSpec,
    Process,
    Reason,
    State,
    Submitting,
)
from jobtui.core.journal import Change
from jobtui.core.verdict import Facts, Observation, is_held, judge, last_seen, summarize, will_retry

MINE, OTHER = "jtmine", "jtother"
quick = settings(max_examples=60, deadline=None)

attempts = st.integers(1, 3)
tags = st.sampled_from([MINE, MINE, OTHER])
codes = st.sampled_from([0, 0, 0, 1, 3, 75, 126, 127, 128, 130, 137, 143, 192, 193, 255])
moments = st.sampled_from([0.0, 1_000.0, 2_000.5])
specs = st.builds(
    JobSpec,
    command=st.just(("work",)),
    tag=st.just(MINE),
    hold=st.booleans(),
    after=st.sampled_from([None, AfterJob(7)]),
    timeout=st.sampled_from([None, 90.0]),
    cwd=st.just("/somewhere"),
)
asked = st.builds(
    Asked,
    attempt=attempts,
    at=moments,
    by=st.just("me@here"),
    reason=st.sampled_from([Reason.PERSON, Reason.CONDITION, Reason.HALTED]),
    detail=st.sampled_from(["", "could never start: job 7 was removed"]),
)
intents = st.builds(Intent, cancel=st.none() | asked, hold=st.sampled_from([None, True, False]))
submittings = st.builds(Submitting, attempt=attempts, tag=tags, at=moments)
accepteds = st.builds(Accepted, attempt=attempts, jid=st.just("4711"), backend=st.just("local"), at=moments)
begins = st.builds(
    Begin,
    attempt=attempts,
    tag=tags,
    host=st.just("here"),
    boot=st.just("b"),
    wrapper=st.just(Process(10, 1)),
    payload=st.just(Process(11, 2)),
    uptime=st.just(5.0),
    at=moments,
)
ends = st.builds(
    End,
    attempt=attempts,
    tag=tags,
    exit_code=codes,
    uptime=st.just(9.0),
    forwarded=st.sampled_from([None, None, "TERM", "INT"]),
    timeout=st.sampled_from([False, False, True]),
    launch=st.sampled_from([None, None, None, "cwd", "stdin", "output"]),
    at=moments,
)
# What an engine writes: "finished" only with the exit code 0.
engine_ends = st.one_of(
    st.builds(
        EngineEnd,
        attempt=attempts,
        state=st.sampled_from([State.FAILED, State.CANCELLED, State.UNKNOWN]),
        reason=st.sampled_from([Reason.LOST, Reason.NODE_FAILURE]),
        detail=st.just("gone"),
        at=moments,
        exit_code=st.none() | codes,
    ),
    st.builds(
        EngineEnd,
        attempt=attempts,
        state=st.just(State.FINISHED),
        reason=st.none(),
        detail=st.just(""),
        at=moments,
        exit_code=st.just(0),
    ),
)
presences = st.sampled_from(["pending", "running", "suspended"])
alive = st.builds(Observation, presence=presences, detail=st.sampled_from(["", "on node7"]))
gone = st.builds(
    Observation,
    presence=st.just("gone"),
    reason=st.sampled_from([None, Reason.LOST, Reason.NODE_FAILURE]),
    exit_code=st.none() | codes,
    at=moments,
)
observations = st.none() | alive | gone


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    begin = draw(st.none() | begins)
    return Facts(
        spec=draw(specs),
        attempt=draw(attempts),
        intent=draw(intents),
        submitting=draw(st.none() | submittings),
        accepted=draw(st.none() | accepteds),
        claimed=begin is not None or draw(st.booleans()),
        begin=begin,
        end=draw(st.none() | ends),
        engine_end=draw(st.none() | engine_ends),
        moving=draw(st.sampled_from([False, False, False, True])),
        damaged=draw(st.sampled_from([(), ("job.rc",), ("job.begin", "job.jid")])),
    )


def belongs(fact: Submitting | Accepted | Begin | End | EngineEnd | None, found: Facts) -> bool:
    """Whether a fact is about this very attempt of this very job."""
    return (
        fact is not None
        and not found.moving
        and fact.attempt == found.attempt
        and getattr(fact, "tag", MINE) == MINE  # job.jid and job.end carry none: only the engine writes them
    )


def launched(found: Facts) -> bool:
    """Whether anything shows that this attempt was sent on its way."""
    stale = found.begin is not None and not belongs(found.begin, found)
    return (
        belongs(found.submitting, found)
        or belongs(found.accepted, found)
        or (found.claimed and not found.moving and not stale)
    )


def told_of_end(found: Facts) -> bool:
    return belongs(found.end, found) or belongs(found.engine_end, found)


def endless(found: Facts) -> Facts:
    return msgspec.structs.replace(found, end=None, engine_end=None)


def sent(found: Facts) -> Facts:
    """The same with at least one fact that shows that this attempt was sent on its way."""
    if launched(found):
        return found
    return msgspec.structs.replace(found, submitting=Submitting(found.attempt, MINE, 1.0), moving=False)


def unsent(found: Facts) -> Facts:
    return msgspec.structs.replace(found, submitting=None, accepted=None, begin=None, claimed=False)


def with_intent(found: Facts, **changes: object) -> Facts:
    return msgspec.structs.replace(found, intent=msgspec.structs.replace(found.intent, **changes))


# -- what proves a finish


@quick
@given(facts(), observations)
def test_finished_needs_a_proof_of_exit_0(found: Facts, seen: Observation | None) -> None:
    verdict = judge(found, seen)
    if verdict.state is not State.FINISHED:
        return
    assert verdict.exit_code == 0 and verdict.signal is None and verdict.reason is None
    end, engine_end = found.end, found.engine_end
    if belongs(end, found):
        assert end is not None
        assert (end.exit_code, end.forwarded, end.timeout, end.launch) == (0, None, False, None)
    elif belongs(engine_end, found):
        assert engine_end is not None and (engine_end.state, engine_end.exit_code) == (State.FINISHED, 0)
    else:
        assert seen is not None and (seen.presence, seen.exit_code) == ("gone", 0) and launched(found)


@quick
@given(facts(), observations)
def test_a_recorded_exit_0_is_a_finish_whatever_else_is_said(found: Facts, seen: Observation | None) -> None:
    end = End(attempt=found.attempt, tag=MINE, exit_code=0, uptime=9.0, at=1_000.0)
    verdict = judge(msgspec.structs.replace(found, end=end, moving=False), seen)
    assert (verdict.state, verdict.exit_code, verdict.ended) == (State.FINISHED, 0, 1_000.0)


@pytest.mark.parametrize(
    ("state", "code"),
    [(State.FINISHED, None), (State.FINISHED, 3), (State.RUNNING, None), (State.QUEUED, 0)],
)
def test_an_end_that_contradicts_itself_is_neither_a_finish_nor_a_running_job(state: State, code: int | None) -> None:
    end = EngineEnd(attempt=1, state=state, reason=None, detail="", at=5.0, exit_code=code)
    verdict = judge(Facts(spec=JobSpec(command=("a",), tag=MINE), claimed=True, engine_end=end))
    assert verdict.state in ENDED - {State.FINISHED}


# -- whose evidence counts


@quick
@given(facts(), observations, st.data())
def test_evidence_of_other_attempts_and_other_jobs_changes_nothing(
    found: Facts, seen: Observation | None, data: st.DataObject
) -> None:
    clean = msgspec.structs.replace(
        found,
        submitting=found.submitting if belongs(found.submitting, found) else None,
        accepted=found.accepted if belongs(found.accepted, found) else None,
        begin=found.begin if belongs(found.begin, found) else None,
        claimed=found.claimed and (found.begin is None or belongs(found.begin, found)),
        end=found.end if belongs(found.end, found) else None,
        engine_end=found.engine_end if belongs(found.engine_end, found) else None,
        moving=False,
    )

    def foreign(kind: st.SearchStrategy[Any]) -> Any:
        fact = data.draw(kind)
        if not belongs(fact, clean):
            return fact
        changes = {"tag": OTHER} if hasattr(fact, "tag") else {"attempt": clean.attempt + 1}
        return msgspec.structs.replace(fact, **changes)

    dirty = msgspec.structs.replace(
        clean,
        submitting=clean.submitting or foreign(submittings),
        accepted=clean.accepted or foreign(accepteds),
        begin=clean.begin or foreign(begins),
        claimed=True,
        end=clean.end or foreign(ends),
        engine_end=clean.engine_end or foreign(engine_ends),
    )
    if clean.claimed and clean.begin is None:
        # Nobody knows yet whose claim it is, so there is no foreign one to compare with.
        dirty = msgspec.structs.replace(dirty, begin=None)
    assert judge(dirty, seen) == judge(clean, seen)
    mine, theirs = (summarize(1, "/w", some, judge(some, seen)) for some in (clean, dirty))
    assert mine == theirs


@quick
@given(facts(), observations)
def test_while_the_files_of_an_attempt_are_moved_away_none_of_them_counts(
    found: Facts, seen: Observation | None
) -> None:
    bare = Facts(spec=found.spec, attempt=found.attempt, intent=found.intent)
    assert judge(msgspec.structs.replace(found, moving=True), seen) == judge(bare, seen)


# -- silence


@quick
@given(facts())
def test_silence_never_ends_a_job(found: Facts) -> None:
    assert judge(endless(sent(found)), None).state not in ENDED
    assert judge(endless(with_intent(unsent(found), cancel=None)), None).state not in ENDED


@quick
@given(facts(), alive)
def test_a_job_that_is_seen_alive_has_not_ended(found: Facts, seen: Observation) -> None:
    assert judge(endless(sent(found)), seen).state not in ENDED


@quick
@given(facts(), gone)
def test_a_job_that_is_certainly_gone_has_ended(found: Facts, seen: Observation) -> None:
    found = sent(found)
    verdict = judge(found, seen)
    assert verdict.state in ENDED
    if not told_of_end(found) and seen.exit_code is None:
        assert verdict.state in (State.FAILED, State.CANCELLED)
        assert verdict.reason is not None and verdict.detail


@quick
@given(facts(), observations)
def test_what_is_gone_from_a_back_end_says_nothing_of_a_job_that_was_never_sent(
    found: Facts, seen: Observation | None
) -> None:
    found = endless(unsent(found))
    assert judge(found, seen) == judge(found, None)


# -- what a person asked


@quick
@given(facts(), observations, asked)
def test_a_wish_to_cancel_another_attempt_is_ignored(found: Facts, seen: Observation | None, old: Asked) -> None:
    assume(old.attempt != found.attempt)
    assert judge(with_intent(found, cancel=old), seen) == judge(with_intent(found, cancel=None), seen)


@quick
@given(facts(), observations, asked)
def test_a_job_cancelled_before_its_start_is_cancelled_at_once(
    found: Facts, seen: Observation | None, wish: Asked
) -> None:
    found = endless(unsent(found))
    now = msgspec.structs.replace(wish, attempt=found.attempt)
    verdict = judge(with_intent(found, cancel=now), seen)
    assert (verdict.state, verdict.reason, verdict.ended) == (State.CANCELLED, wish.reason, wish.at)
    assert verdict.exit_code is None
    assert wish.detail in verdict.detail


@quick
@given(facts(), asked, alive | st.none())
def test_a_running_job_asked_to_stop_is_cancelling_until_it_ended(
    found: Facts, wish: Asked, seen: Observation | None
) -> None:
    found = endless(sent(found))
    now = msgspec.structs.replace(wish, attempt=found.attempt)
    assert judge(with_intent(found, cancel=now), seen).state is State.CANCELLING


@pytest.mark.parametrize(
    ("code", "forwarded", "state", "reason"),
    [
        (143, "TERM", State.CANCELLED, Reason.PERSON),
        (137, None, State.CANCELLED, Reason.PERSON),
        (0, "TERM", State.CANCELLED, Reason.PERSON),
        (0, None, State.FINISHED, None),
        (3, None, State.FAILED, Reason.EXIT),
    ],
)
def test_a_job_that_ended_by_itself_before_it_could_be_cancelled_keeps_its_own_end(
    code: int, forwarded: str | None, state: State, reason: Reason | None
) -> None:
    end = End(attempt=1, tag=MINE, exit_code=code, uptime=9.0, forwarded=forwarded, at=5.0)
    wish = Asked(attempt=1, at=4.0, by="me@here")
    verdict = judge(Facts(spec=JobSpec(command=("a",), tag=MINE), intent=Intent(cancel=wish), claimed=True, end=end))
    assert (verdict.state, verdict.reason, verdict.exit_code) == (state, reason, code)


@quick
@given(facts(), ends, observations)
def test_a_time_limit_beats_everything_else_that_happened_after_the_launch(
    found: Facts, end: End, seen: Observation | None
) -> None:
    over = msgspec.structs.replace(end, attempt=found.attempt, tag=MINE, timeout=True, launch=None)
    verdict = judge(msgspec.structs.replace(found, end=over, moving=False), seen)
    assert (verdict.state, verdict.reason, verdict.exit_code) == (State.FAILED, Reason.TIMEOUT, over.exit_code)


@pytest.mark.parametrize("in_spec", [True, False])
@pytest.mark.parametrize("said", [None, True, False])
def test_the_last_word_of_a_person_decides_whether_a_job_is_held(in_spec: bool, said: bool | None) -> None:
    found = Facts(spec=JobSpec(command=("a",), tag=MINE, hold=in_spec), intent=Intent(hold=said))
    held = in_spec if said is None else said
    assert is_held(found) is held
    assert judge(found).state is (State.HELD if held else State.QUEUED)


@quick
@given(facts(), observations)
def test_an_ended_job_that_is_to_run_again_waits_for_its_next_attempt(found: Facts, seen: Observation | None) -> None:
    assume(judge(found, seen).state in ENDED)
    again = with_intent(found, retry=Asked(found.attempt, 9.0, "me@here"))
    assert judge(again, seen).state is State.QUEUED
    older = with_intent(found, retry=Asked(found.attempt - 1, 9.0, "me@here"))
    assert judge(older, seen) == judge(found, seen)


# -- reasons and words


@pytest.mark.parametrize(
    ("end", "reason", "signal", "words"),
    [
        ({"exit_code": 3}, Reason.EXIT, None, "exit code 3"),
        ({"exit_code": 127}, Reason.EXIT, None, "not found"),
        ({"exit_code": 126}, Reason.EXIT, None, "could not be executed"),
        ({"exit_code": 137}, Reason.SIGNAL, 9, "SIGKILL"),
        ({"exit_code": 139}, Reason.SIGNAL, 11, "SIGSEGV"),
        ({"exit_code": 128}, Reason.EXIT, None, "exit code 128"),
        ({"exit_code": 193}, Reason.EXIT, None, "exit code 193"),
        ({"exit_code": 0, "forwarded": "TERM"}, Reason.SIGNAL, None, "TERM"),
        ({"exit_code": 143, "timeout": True}, Reason.TIMEOUT, 15, "90 s"),
        ({"exit_code": 1, "launch": "cwd"}, Reason.LAUNCH, None, "/somewhere"),
        ({"exit_code": 1, "launch": "stdin"}, Reason.LAUNCH, None, "/in.txt"),
    ],
)
def test_every_failure_has_a_reason_and_says_why(
    end: dict[str, object], reason: Reason, signal: int | None, words: str
) -> None:
    spec = JobSpec(command=("a",), tag=MINE, cwd="/somewhere", stdin="/in.txt", timeout=90.0)
    fact = End(attempt=1, tag=MINE, uptime=9.0, **end)  # type: ignore[arg-type]
    verdict = judge(Facts(spec=spec, claimed=True, end=fact))
    assert (verdict.state, verdict.reason, verdict.signal) == (State.FAILED, reason, signal)
    assert words in verdict.detail


@quick
@given(facts(), observations)
def test_every_bad_end_says_why(found: Facts, seen: Observation | None) -> None:
    verdict = judge(found, seen)
    if verdict.state in (State.FAILED, State.CANCELLED):
        assert verdict.reason is not None and verdict.detail.strip()


@quick
@given(facts(), observations)
def test_a_job_without_a_readable_spec_is_unknown(found: Facts, seen: Observation | None) -> None:
    verdict = judge(msgspec.structs.replace(found, spec=None), seen)
    assert (verdict.state, verdict.reason) == (State.UNKNOWN, Reason.DAMAGED)
    assert "job.json" in verdict.detail


# -- the row that clients see

odd_text = st.text(st.characters(exclude_categories=()), max_size=12)
odd_specs = st.builds(
    JobSpec,
    command=st.lists(odd_text, max_size=4).map(tuple),
    shell=st.none() | odd_text,
    name=st.none() | odd_text,
    cwd=odd_text,
    env=st.dictionaries(odd_text, odd_text, max_size=2),
    tags=st.lists(odd_text, max_size=3).map(tuple),
    tag=st.just(MINE),
)


@quick
@given(odd_specs, odd_text, odd_text, st.none() | ends, observations)
def test_any_text_in_a_spec_makes_a_row_that_can_be_written_and_read_back(
    spec: JobSpec, workdir: str, words: str, end: End | None, seen: Observation | None
) -> None:
    engine_end = EngineEnd(1, State.FAILED, Reason.LAUNCH, words, 5.0)
    for found in (
        Facts(spec=spec, claimed=True, end=end),
        Facts(spec=spec, claimed=True, engine_end=engine_end),
        Facts(spec=None, end=end),
    ):
        row = summarize(1, "/" + workdir, found, judge(found, seen))
        assert msgspec.json.decode(msgspec.json.encode(row), type=JobRow) == row
        assert msgspec.json.decode(msgspec.json.encode(Change(row=row)), type=Change).row == row


def test_odd_bytes_in_a_command_stay_visible_in_its_row() -> None:
    spec = JobSpec(command=("run", "a\udcffb"), name="n\udcff", tag=MINE)
    row = summarize(1, "/w", Facts(spec=spec), judge(Facts(spec=spec)))
    assert "udcff" in row.command and "udcff" in row.name


def test_a_row_tells_the_times_of_its_own_attempt_by_the_hosts_uptime() -> None:
    spec = JobSpec(command=("a",), tag=MINE, created=90.0)
    begin = Begin(2, MINE, "here", "b", Process(1, 1), Process(2, 2), uptime=50.0, at=100.0)
    # The clock was set back by an hour while the job ran: the elapsed time does not believe it.
    end = End(attempt=2, tag=MINE, exit_code=0, uptime=53.5, at=-3_500.0)
    accepted = Accepted(2, "77", "local", 99.0)
    found = Facts(spec=spec, attempt=2, accepted=accepted, claimed=True, begin=begin, end=end)
    row = summarize(5, "/w", found, judge(found))
    assert (row.id, row.metadir, row.attempt, row.jid, row.host) == (5, "/w/5", 2, "77", "here")
    assert (row.created, row.submitted, row.started, row.ended) == (90.0, 99.0, 100.0, -3_500.0)
    assert row.elapsed == 3.5


def test_a_waiting_job_has_no_times_but_that_of_its_making() -> None:
    found = Facts(spec=JobSpec(command=("a",), tag=MINE, created=90.0))
    row = summarize(1, "/w", found, judge(found))
    assert (row.created, row.submitted, row.started, row.ended, row.elapsed) == (90.0, None, None, None, None)


# -- attached jobs: no script of ours tells anything of them


def attached(*, cancel: bool = False, **more: Any) -> Facts:
    spec = JobSpec(name="theirs", tag="t", backend="slurm", attached=Attached())
    asked = Intent(cancel=Asked(1, 5.0, "me")) if cancel else Intent()
    return Facts(spec=spec, intent=asked, accepted=Accepted(1, "7", "slurm", 1.0), **more)


@pytest.mark.parametrize(
    ("seen", "state", "reason", "code"),
    [
        (None, State.SUBMITTED, None, None),
        (Observation("running"), State.RUNNING, None, None),
        (Observation("lost"), State.UNKNOWN, "lost", None),
        (Observation("gone"), State.UNKNOWN, "lost", None),
        (Observation("gone", exit_code=0), State.FINISHED, None, 0),
        (Observation("gone", outcome="finished", exit_code=0), State.FINISHED, None, 0),
        (Observation("gone", outcome="failed"), State.FAILED, None, None),
        (Observation("gone", outcome="failed", exit_code=0), State.FAILED, None, 0),
        (Observation("gone", outcome="failed", exit_code=3), State.FAILED, "exit-code", 3),
        (Observation("gone", "timeout", outcome="failed", exit_code=143), State.FAILED, "timeout", 143),
        (Observation("gone", exit_code=137), State.FAILED, "signal", 137),
        (Observation("gone", outcome="cancelled"), State.CANCELLED, "person", None),
    ],
)
def test_an_attached_job_is_what_its_scheduler_says(seen: Any, state: State, reason: str | None, code: Any) -> None:
    verdict = judge(attached(), seen)
    assert (verdict.state, verdict.reason, verdict.exit_code) == (state, reason, code)


def test_an_attached_job_that_was_cancelled_may_have_finished_before() -> None:
    assert judge(attached(cancel=True), Observation("running")).state is State.CANCELLING
    assert judge(attached(cancel=True), Observation("gone", outcome="finished", exit_code=0)).state is State.FINISHED
    assert judge(attached(cancel=True), Observation("gone")).state is State.CANCELLED


def test_an_attached_job_never_waits_to_be_submitted() -> None:
    facts = msgspec.structs.replace(attached(), accepted=None)
    assert judge(facts).state is State.UNKNOWN
    again = msgspec.structs.replace(attached(), intent=Intent(retry=Asked(1, 5.0, "me")))
    ended = judge(again, Observation("gone", outcome="failed", exit_code=3))
    assert ended.state is State.FAILED and not will_retry(again, ended, 9)


def test_the_row_of_an_attached_job_has_the_schedulers_times_and_host() -> None:
    facts, seen = attached(), Observation("running", started=40.0, host="n3")
    row = summarize(1, "/w", facts, judge(facts, seen))
    assert (row.started, row.host, row.submitted, row.attached) == (40.0, "n3", 1.0, True)
    # What an engine published counts until the scheduler says more.
    kept = summarize(1, "/w", facts, judge(facts, last_seen(row, facts)))
    assert (kept.state, kept.started, kept.host) == (State.RUNNING, 40.0, "n3")
