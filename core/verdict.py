"""What state a job is in: one pure function from the facts on disk and a back end's observation to a verdict."""

from __future__ import annotations

import signal as signals
from typing import Literal

import msgspec

from .job import (
    ENDED,
    Accepted,
    Begin,
    End,
    EngineEnd,
    Intent,
    JobRow,
    JobSpec,
    Order,
    Reason,
    State,
    Submitting,
    has_scheduler,
)
from .units import shown as _shown
from .units import signal_name

# Statuses up to 128 + 64 stand for Linux' signals 1 to 64 in every POSIX shell.
_SIGNAL_BASE = 128
_LAST_SIGNAL = 64


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on disk about one job. ``spec`` is None where ``job.json`` cannot be read.

    ``claimed``: ``job.begin`` exists, be it still empty. ``moving``: the files of the last attempt are being
    moved away for the next. ``settled``: an engine has published how this
    attempt ended. ``damaged`` names the files whose content makes no sense. ``progress`` is 0 to 1. ``obeyed``: the
    serial of the last order that an engine has seen to.
    """

    spec: JobSpec | None
    attempt: int = 1
    intent: Intent = Intent()
    obeyed: int = 0
    submitting: Submitting | None = None
    accepted: Accepted | None = None
    claimed: bool = False
    begin: Begin | None = None
    end: End | None = None
    engine_end: EngineEnd | None = None
    moving: bool = False
    damaged: tuple[str, ...] = ()
    settled: bool = False
    progress: float | None = None


class Observation(msgspec.Struct, frozen=True):
    """What a back end sees of a job now.

    ``presence`` "gone" is certain knowledge that nothing of it runs any more; a back end that merely does not
    see a job gives no observation. "ending": it is about over, and how is not known yet. "lost": it left without a
    trace, which only many answers together can tell. ``exit_code`` is what the back end knows of the end, ``at``
    when (epoch seconds), ``outcome`` its own word for the end: "cancelled" by somebody, not by us. ``started`` and
    ``expected`` (start, of one that waits) are epoch seconds, 0 if not known.
    """

    presence: Literal["pending", "held", "running", "suspended", "ending", "gone", "lost"]
    reason: str | None = None
    detail: str = ""
    exit_code: int | None = None
    at: float = 0.0
    outcome: Literal["finished", "failed", "cancelled"] | None = None
    host: str = ""
    started: float = 0.0
    expected: float = 0.0


class Verdict(msgspec.Struct, frozen=True):
    """A job's state with its reason (stable word), the same in words, and the exit code or signal if known.

    ``expected``: when a job that waits in a scheduler may start (epoch seconds), as the scheduler says. ``started``
    (epoch seconds) and ``host``: as the scheduler says, which counts where no job script tells.
    """

    state: State
    reason: str | None = None
    detail: str = ""
    exit_code: int | None = None
    signal: int | None = None
    ended: float | None = None
    expected: float | None = None
    started: float | None = None
    host: str = ""


def judge(facts: Facts, observation: Observation | None = None) -> Verdict:
    """Give the verdict on a job: on its current attempt, or on the next where a person asked for that."""
    verdict = judge_attempt(facts, observation)
    if verdict.state in ENDED and retry_asked(facts):
        return Verdict(State.QUEUED, detail="runs again soon")
    return verdict


_PUBLISHED: dict[State, Literal["pending", "held", "running", "suspended"]] = {
    State.SUBMITTED: "pending",
    State.HELD: "held",
    State.RUNNING: "running",
    State.SUSPENDED: "suspended",
}


def last_seen(row: JobRow | None, facts: Facts) -> Observation | None:
    """What an engine published of a job in a scheduler's hands: the best that is known before the next answer."""
    if row is None or row.attempt != facts.attempt or row.state not in _PUBLISHED or facts.end is not None:
        return None
    if facts.claimed and row.state in (State.SUBMITTED, State.HELD):
        # It has begun since.
        return None
    expected, started, host = row.expected or 0.0, row.started or 0.0, row.host or ""
    return Observation(_PUBLISHED[row.state], detail=row.detail, expected=expected, started=started, host=host)


def retry_asked(facts: Facts) -> bool:
    """Whether a person wants the job to run again after its present attempt; what was attached never does."""
    if facts.spec is None or facts.spec.attached is not None:
        return False
    return facts.intent.retry is not None and facts.intent.retry.attempt == facts.attempt


def judge_attempt(facts: Facts, observation: Observation | None = None) -> Verdict:
    """Give the verdict on the job's current attempt. Evidence of other attempts or other jobs is ignored."""
    if facts.spec is None:
        return Verdict(State.UNKNOWN, Reason.DAMAGED, "job.json cannot be read; the job can only be removed")
    now = _current(facts)
    if facts.spec.attached is not None and now.accepted is None:
        # Never one that waits to be submitted: it is in its scheduler, or was.
        return Verdict(State.UNKNOWN, Reason.DAMAGED, "job.jid cannot be read: what its scheduler calls it is lost")
    if now.end is not None:
        return _ended(now.end, now, observation)
    if now.engine_end is not None:
        return _ended_by_engine(now.engine_end)
    if now.submitting is None and now.accepted is None and not now.claimed:
        return _waiting(facts.spec, now)
    return _in_flight(now, observation)


def is_held(facts: Facts) -> bool:
    """Whether the job is kept from starting by a person's word."""
    if facts.intent.hold is not None:
        return facts.intent.hold
    return facts.spec is not None and facts.spec.hold


def priority_of(facts: Facts) -> int:
    """The priority that counts: the one given last."""
    if facts.intent.priority is not None:
        return facts.intent.priority
    return facts.spec.priority if facts.spec is not None else 0


def due_orders(facts: Facts) -> list[Order]:
    """The orders for the present attempt that no engine has seen to yet, oldest first."""
    return [order for order in facts.intent.orders if order.attempt == facts.attempt and order.serial > facts.obeyed]


def _current(facts: Facts) -> Facts:
    """The facts without what belongs to an earlier attempt or, by its tag, to another job."""
    assert facts.spec is not None
    if facts.moving:
        return Facts(spec=facts.spec, attempt=facts.attempt, intent=facts.intent)

    tag = facts.spec.tag

    def mine(fact: Submitting | Accepted | Begin | End | EngineEnd | None) -> bool:
        if fact is None or fact.attempt != facts.attempt:
            return False
        return isinstance(fact, Accepted | EngineEnd) or fact.tag == tag

    stale_begin = facts.begin is not None and not mine(facts.begin)
    return Facts(
        spec=facts.spec,
        attempt=facts.attempt,
        intent=facts.intent,
        submitting=facts.submitting if mine(facts.submitting) else None,
        accepted=facts.accepted if mine(facts.accepted) else None,
        claimed=facts.claimed and not stale_begin,
        begin=facts.begin if mine(facts.begin) else None,
        end=facts.end if mine(facts.end) else None,
        engine_end=facts.engine_end if mine(facts.engine_end) else None,
        damaged=facts.damaged,
    )


def _cancel_asked(facts: Facts) -> bool:
    return facts.intent.cancel is not None and facts.intent.cancel.attempt == facts.attempt


def _waiting(spec: JobSpec, facts: Facts) -> Verdict:
    cancel = facts.intent.cancel
    if cancel is not None and cancel.attempt == facts.attempt:
        return Verdict(State.CANCELLED, cancel.reason, cancel.detail or "cancelled before it started", ended=cancel.at)
    if is_held(facts):
        return Verdict(State.HELD, detail="held; release it to let it start")
    if spec.after is not None:
        return Verdict(State.CREATED)
    return Verdict(State.QUEUED)


_SEEN = {
    "pending": State.SUBMITTED,
    "held": State.HELD,
    "running": State.RUNNING,
    "suspended": State.SUSPENDED,
}


def _in_flight(facts: Facts, observation: Observation | None) -> Verdict:
    if observation is not None and observation.presence == "gone":
        if facts.spec is None or facts.spec.attached is None:
            return _gone(facts, observation)
        started, ended = _started(observation), observation.at or None
        verdict = _attached_gone(facts, observation)
        return msgspec.structs.replace(verdict, started=started, ended=ended, host=observation.host)
    if observation is not None and observation.presence == "lost":
        return Verdict(State.UNKNOWN, Reason.LOST, observation.detail)
    detail = observation.detail if observation is not None else ""
    if _cancel_asked(facts):
        refused = detail if detail.startswith("could not cancel") else ""
        words = refused or "asked to stop; waiting for it to end"
        return Verdict(State.CANCELLING, detail=words, started=_started(observation), host=_host(observation))
    if observation is not None and observation.presence in _SEEN:
        return Verdict(
            _SEEN[observation.presence],
            detail=detail,
            expected=observation.expected or None,
            started=_started(observation),
            host=observation.host,
        )
    return Verdict(State.RUNNING if facts.claimed else State.SUBMITTED, detail=detail)


def _started(seen: Observation | None) -> float | None:
    return seen.started or None if seen is not None else None


def _host(seen: Observation | None) -> str:
    return seen.host if seen is not None else ""


def _ended_by_engine(end: EngineEnd) -> Verdict:
    """What the engine recorded, unless that contradicts itself."""
    if end.state not in ENDED or (end.state is State.FINISHED and end.exit_code != 0):
        return Verdict(State.UNKNOWN, Reason.DAMAGED, "job.end makes no sense", end.exit_code, ended=end.at)
    number = _signal_in(end.exit_code)
    return Verdict(end.state, end.reason, end.detail, end.exit_code, number, end.at, started=end.started, host=end.host)


def will_retry(facts: Facts, verdict: Verdict, default_limit: int) -> bool:
    """Whether an attempt that ended like this is tried again by itself.

    ``default_limit``: how often, for a job that does not say. A verdict that an engine has published stands.
    """
    if verdict.state is not State.FAILED or facts.spec is None or facts.settled or facts.spec.attached is not None:
        return False
    retry = facts.spec.retry
    limit = default_limit if retry.limit is None else retry.limit
    return facts.attempt <= limit and retry.covers(verdict.reason, verdict.exit_code)


def _gone(facts: Facts, seen: Observation) -> Verdict:
    ended = seen.at or None
    if seen.outcome == "finished":
        return Verdict(State.FINISHED, None, "the exit code is the scheduler's", seen.exit_code, None, ended)
    cancel = facts.intent.cancel
    settled = seen.outcome is not None and seen.reason not in (None, Reason.CONDITION)
    if cancel is not None and cancel.attempt == facts.attempt and not settled:
        detail = cancel.detail or "stopped; its exit code was not recorded"
        return Verdict(State.CANCELLED, cancel.reason, detail, seen.exit_code, ended=ended)
    if seen.outcome == "cancelled":
        return Verdict(State.CANCELLED, seen.reason or Reason.PERSON, seen.detail, seen.exit_code, ended=ended)
    if seen.exit_code is not None:
        end = End(attempt=facts.attempt, tag="", exit_code=seen.exit_code, uptime=0.0, at=seen.at)
        return _ended(end, facts, seen)
    detail = seen.detail or "it ended without leaving an exit code"
    if "job.rc" in facts.damaged:
        detail = "job.rc is damaged, so its exit code is not known"
    return Verdict(State.FAILED, seen.reason or Reason.LOST, detail, ended=ended)


def _attached_gone(facts: Facts, seen: Observation) -> Verdict:
    """The end of a job that no script of ours ran: as its scheduler says, and unknown where it does not say how."""
    code, number, cancel = seen.exit_code, _signal_in(seen.exit_code), facts.intent.cancel
    if seen.outcome == "finished" or (seen.outcome is None and code == 0):
        return Verdict(State.FINISHED, None, "as its scheduler says", 0)
    settled = seen.outcome is not None and seen.reason not in (None, Reason.CONDITION)
    if cancel is not None and _cancel_asked(facts) and not settled:
        detail = cancel.detail or "stopped through its scheduler"
        return Verdict(State.CANCELLED, cancel.reason, detail, code, number)
    if seen.outcome == "cancelled":
        return Verdict(State.CANCELLED, seen.reason or Reason.PERSON, seen.detail, code, number)
    if seen.outcome == "failed" and (seen.reason is not None or not code):
        detail = seen.detail or "its scheduler says that it failed, and no more"
        return Verdict(State.FAILED, seen.reason, detail, code, number)
    if number is not None:
        return Verdict(State.FAILED, Reason.SIGNAL, _signal_words(number, facts), code, number)
    if code is not None:
        return Verdict(State.FAILED, Reason.EXIT, _exit_words(code), code)
    detail = seen.detail or "it has ended, and its scheduler does not say how"
    return Verdict(State.UNKNOWN, Reason.LOST, detail)


def _signal_in(exit_code: int | None) -> int | None:
    if exit_code is not None and _SIGNAL_BASE < exit_code <= _SIGNAL_BASE + _LAST_SIGNAL:
        return exit_code - _SIGNAL_BASE
    return None


def needs_word(facts: Facts) -> bool:
    """Whether the job script's record of the end leaves open what caused it, which a scheduler may know."""
    end, spec = facts.end, facts.spec
    if end is None or spec is None or not has_scheduler(spec.backend) or end.attempt != facts.attempt:
        return False
    stopped = end.forwarded is not None or _signal_in(end.exit_code) is not None
    certain = end.launch is not None or end.timeout or (_cancel_asked(facts) and stopped)
    return not certain and (end.exit_code != 0 or end.forwarded is not None)


def _ended(end: End, facts: Facts, seen: Observation | None = None) -> Verdict:
    code = end.exit_code
    number = _signal_in(code)
    if end.launch is not None:
        return Verdict(State.FAILED, Reason.LAUNCH, _launch_words(end.launch, facts.spec), ended=end.at)
    if end.timeout:
        limit = facts.spec.timeout if facts.spec is not None else None
        words = "stopped at its time limit" + (f" of {limit:g} s" if limit is not None else "")
        return Verdict(State.FAILED, Reason.TIMEOUT, words, code, number, end.at)
    cancel = facts.intent.cancel
    if cancel is not None and _cancel_asked(facts) and (end.forwarded is not None or number is not None):
        return Verdict(State.CANCELLED, cancel.reason, cancel.detail or "cancelled while it ran", code, number, end.at)
    if code == 0 and end.forwarded is None:
        return Verdict(State.FINISHED, None, "", 0, None, end.at)
    if needs_word(facts):
        word = _word(end, facts, seen)
        if word is not None:
            return word
    if code == 0:
        words = f"told to stop from outside (signal {end.forwarded}), then exited with 0"
        return Verdict(State.FAILED, Reason.SIGNAL, words, code, None, end.at)
    if number is not None:
        return Verdict(State.FAILED, Reason.SIGNAL, _signal_words(number, facts), code, number, end.at)
    return Verdict(State.FAILED, Reason.EXIT, _exit_words(code), code, None, end.at)


def _word(end: End, facts: Facts, seen: Observation | None) -> Verdict | None:
    """What the scheduler says of an end, or that it is being asked; None where it has nothing to add."""
    recorded, code, number = facts.engine_end, end.exit_code, _signal_in(end.exit_code)
    if recorded is not None and recorded.exit_code == code:
        # Written by an engine that knew this end.
        return _ended_by_engine(recorded)
    if seen is None or seen.presence not in ("gone", "lost"):
        return Verdict(State.RUNNING, detail=f"ended with exit code {code}; its scheduler is asked why")
    if seen.outcome == "cancelled" and (end.forwarded is not None or number is not None):
        return Verdict(State.CANCELLED, Reason.PERSON, seen.detail, code, number, end.at)
    if seen.outcome == "failed" and seen.reason is not None:
        return Verdict(State.FAILED, seen.reason, seen.detail, code, number, end.at)
    return None


def _launch_words(what: str, spec: JobSpec | None) -> str:
    if spec is not None and what == "cwd":
        return f"could not start: cannot enter the directory {spec.cwd}"
    if spec is not None and what == "stdin":
        return f"could not start: cannot read the input file {spec.stdin}"
    return "could not start: its output files could not be opened; is the disk full?"


def _signal_words(number: int, facts: Facts) -> str:
    name = signal_name(number)
    killed = f"killed by SIG{name}" if not name.isdigit() else f"killed by signal {name}"
    for order in facts.intent.orders:
        if order.attempt == facts.attempt and order.signal == name:
            return f"{killed}, which {order.by} sent"
    return killed + ("; out of memory is a frequent cause" if number == signals.SIGKILL else "")


def _exit_words(code: int) -> str:
    hints = {126: ": the command could not be executed", 127: ": the command was not found"}
    return f"exit code {code}{hints.get(code, '')}"


def summarize(job: int, workdir: str, facts: Facts, verdict: Verdict) -> JobRow:
    """Make the row that clients see of job number ``job`` in ``workdir`` (absolute path)."""
    spec = facts.spec or JobSpec()
    now = facts if facts.spec is None else _current(facts)
    begin, end, accepted, submitting = now.begin, now.end, now.accepted, now.submitting
    started = begin.at if begin is not None else None
    host = begin.host if begin is not None else None
    if spec.attached is not None:
        started, host = verdict.started, verdict.host or None
    elif started is None and accepted is not None and verdict.state in (State.RUNNING, State.CANCELLING):
        started = accepted.at
    ended = verdict.ended
    elapsed = None
    if begin is not None and end is not None:
        elapsed = max(0.0, end.uptime - begin.uptime)
    elif started is not None and ended is not None:
        elapsed = max(0.0, ended - started)
    submitted = accepted.at if accepted is not None else submitting.at if submitting is not None else None
    array = spec.array
    return JobRow(
        id=job,
        name=_shown(spec.title()),
        state=verdict.state,
        reason=None if verdict.reason is None else _shown(str(verdict.reason)),
        detail=_shown(verdict.detail),
        backend=spec.backend,
        jid=_shown(accepted.jid) if accepted is not None else None,
        workdir=_shown(workdir),
        command=_shown(spec.command_line()),
        cwd=_shown(spec.cwd),
        attempt=facts.attempt,
        exit_code=verdict.exit_code,
        signal=verdict.signal,
        created=spec.created or None,
        submitted=submitted,
        started=started,
        ended=ended,
        elapsed=elapsed,
        tags=tuple(map(_shown, spec.tags)),
        priority=priority_of(facts),
        cpus=spec.resources.cpus,
        memory=spec.resources.memory,
        gpus=spec.resources.gpus,
        host=None if host is None else _shown(host),
        array=array.array if array is not None else None,
        array_index=array.index if array is not None else None,
        resubmitted_from=spec.resubmitted_from,
        progress=facts.progress,
        expected=verdict.expected,
        queue=None if spec.resources.queue is None else _shown(spec.resources.queue),
        attached=spec.attached is not None,
    )
