"""What a client can order, from submitting to removing. It writes down what a person wants; the engine acts."""

from __future__ import annotations

import functools
import os
import re
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from . import metadir
from .again import again
from .backend import BackendMissingError, Capability, Surroundings, load, split
from .catalog import Catalog, Detail
from .conditions import jobs_in
from .job import (
    AUTO,
    ENDED,
    IN_FLIGHT,
    LOCAL,
    NO_ATTEMPT,
    NO_SCRIPT,
    WAITING,
    Asked,
    Intent,
    JobRow,
    JobSpec,
    Order,
    Outcome,
    SpecError,
    State,
    has_scheduler,
    is_far,
)
from .places import remember
from .supervisor import ensure_engine
from .units import parse_signal
from .verdict import retry_asked
from .workdir import Hint, WorkDir, WorkDirError, new_tag

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ORDERS_KEPT = 20


def submit(workdir: WorkDir, specs: Sequence[JobSpec], environment: Mapping[str, str] | None = None) -> list[int]:
    """Make jobs and see that an engine drives them; returns their ids in order.

    ``environment``: what the jobs inherit, None for this process's own. Raises SpecError, WorkDirError,
    SettingsError; then no job was made.
    """
    if not specs:
        return []
    try:
        here = os.getcwd()
    except FileNotFoundError as error:
        raise SpecError("the directory that you are in was removed; go to another one") from error
    specs = _with_backends(specs, os.environ if environment is None else environment)
    workdir.create()
    _check_all(workdir, specs)
    try:
        reference = workdir.keep_environment(os.environ if environment is None else environment)
        common = {"env_ref": reference, "created": time.time(), "umask": _umask()}
        ids = workdir.add([_complete(spec, here, common) for spec in specs])
        contiguous = ids[-1] - ids[0] == len(ids) - 1
        workdir.tell(Hint(first=ids[0], last=ids[-1]) if contiguous else Hint(jobs=tuple(ids)))
    except OSError as error:
        raise WorkDirError(f"no job was submitted: cannot write to {workdir.path}: {error.strerror}") from error
    remember(workdir.path)
    ensure_engine(workdir)
    return ids


def _with_backends(specs: Sequence[JobSpec], environment: Mapping[str, str]) -> Sequence[JobSpec]:
    """The specs with what ``auto`` stands for here in its place."""
    if not any(spec.backend == AUTO for spec in specs):
        return specs
    from .choosing import choose

    name = choose(dict(environment))
    return [msgspec.structs.replace(spec, backend=name) if spec.backend == AUTO else spec for spec in specs]


def _complete(spec: JobSpec, here: str, common: Mapping[str, Any]) -> JobSpec:
    """Fill in what the submitter left open."""
    return msgspec.structs.replace(
        spec,
        cwd=_directory(spec, here),
        stdin=None if spec.stdin is None else os.path.join(here, os.path.expanduser(spec.stdin)),
        tag=new_tag(),
        created=common["created"],
        env_ref=spec.env_ref or common["env_ref"],
        umask=common["umask"] if spec.umask is None else spec.umask,
    )


def _directory(spec: JobSpec, here: str) -> str:
    """Where a job is to run; what is not absolute lies in the home of the machine that it runs on."""
    if is_far(spec.backend):
        return spec.cwd
    return os.path.join(here, os.path.expanduser(spec.cwd)) if spec.cwd else here


def _umask() -> int:
    """This process's umask, without changing it for a moment as umask(2) would."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return 0o022


def _check_all(workdir: WorkDir, specs: Sequence[JobSpec]) -> None:
    checked: set[tuple[str, str, str | None]] = set()
    parents: set[int] = set()
    for spec in specs:
        _check(spec)
        place = (spec.backend, spec.cwd, spec.stdin)
        if place not in checked:
            checked.add(place)
            _check_place(spec)
        if spec.backend != LOCAL:
            _check_backend(spec.backend)
        parents.update(jobs_in(spec.after))
    missing = sorted(job for job in parents if not os.path.exists(f"{workdir.metadir(job)}/{metadir.SPEC}"))
    if missing:
        raise SpecError(f"it is to start after job {missing[0]}, but there is no such job in {workdir.path}")


def _check(spec: JobSpec) -> None:
    if spec.attached is not None:
        raise SpecError(NO_SCRIPT)
    if bool(spec.command) == (spec.shell is not None):
        raise SpecError("a job needs a command: arguments, or one line for the shell, not both")
    if (spec.command and not spec.command[0]) or (spec.shell is not None and not spec.shell.strip()):
        raise SpecError("the command is empty")
    texts = (*spec.command, spec.shell or "", spec.cwd, spec.stdin or "", *spec.env.values())
    if any("\0" in text for text in texts):
        raise SpecError("a command, path or variable cannot hold a NUL character")
    for name in (*spec.env, *spec.secret):
        if not _VARIABLE.fullmatch(name):
            raise SpecError(f"'{name}' is not a name for an environment variable")
    needs, retry = spec.resources, spec.retry
    if needs.cpus < 1 or needs.gpus < 0 or (needs.memory is not None and needs.memory < 1):
        raise SpecError("a job needs at least one cpu, and not less than no memory or gpus")
    if needs.time is not None and needs.time <= 0:
        raise SpecError("the time asked of a scheduler must be longer than 0 seconds")
    if any("\0" in text for text in (needs.queue or "", needs.account or "", *needs.extra)):
        raise SpecError("an option for a scheduler cannot hold a NUL character")
    if (spec.timeout is not None and spec.timeout <= 0) or spec.grace < 0:
        raise SpecError("a time limit must be longer than 0 seconds")
    if (retry.limit is not None and retry.limit < 0) or retry.delay < 0 or retry.cap < 0:
        raise SpecError("retries and their delays cannot be negative")


def _check_place(spec: JobSpec) -> None:
    if is_far(spec.backend):
        if spec.stdin is not None:
            raise SpecError("a job on another machine has no standard input: let its command read the file there")
        return
    if spec.cwd and not os.path.isdir(os.path.expanduser(spec.cwd)):
        raise SpecError(f"there is no directory {spec.cwd} to run in")
    if spec.stdin is not None and not os.access(os.path.expanduser(spec.stdin), os.R_OK):
        raise SpecError(f"cannot read the input file {spec.stdin}")


@functools.cache
def capabilities(name: str) -> frozenset[Capability]:
    """What the back end ``name`` can do beside starting and stopping jobs; nothing where it is not installed."""
    try:
        return load(name)(Surroundings(os.environ, host=split(name)[1])).capabilities
    except BackendMissingError:
        return frozenset()


def _check_backend(name: str) -> None:
    try:
        load(name)
    except BackendMissingError as error:
        raise SpecError(str(error)) from error


# -- orders for jobs that exist

_Order = Callable[[str, Detail], Outcome]


def _for_each(workdir: WorkDir, jobs: Iterable[int], order: _Order, *, needs_engine: bool) -> list[Outcome]:
    """Give an order to each job; one that fails does not stop the others. The engine hears of it once."""
    outcomes: list[Outcome] = []
    for job, detail in Catalog(workdir).judged(jobs):
        if detail is None:
            outcomes.append(Outcome(job, False, "there is no such job"))
            continue
        try:
            outcomes.append(order(workdir.metadir(job), detail))
        except OSError as error:
            outcomes.append(Outcome(job, False, f"cannot write to its folder: {error.strerror}"))
    changed = tuple(outcome.job for outcome in outcomes if outcome.done)
    if changed:
        workdir.tell(Hint(jobs=changed))
        if needs_engine:
            ensure_engine(workdir)
    return outcomes


def _asked(detail: Detail, force: bool = False) -> Asked:
    return Asked(detail.facts.attempt, time.time(), f"{_person()}@{os.uname().nodename}", force=force)


def _person() -> str:
    """Who asks: by name, or by number where this machine does not know the name."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _intend(path: str, **changes: object) -> None:
    def change(intent: Intent) -> Intent:
        return msgspec.structs.replace(intent, **changes)

    metadir.change_intent(path, change)


def cancel(workdir: WorkDir, jobs: Iterable[int], *, force: bool = False) -> list[Outcome]:
    """Stop jobs. A waiting one is cancelled at once; a running one gets TERM, and KILL after its grace time.

    ``force``: KILL at once.
    """
    running: list[int] = []

    def order(path: str, detail: Detail) -> Outcome:
        row = detail.row
        if row.state in ENDED:
            return Outcome(row.id, False, f"it has ended already ({row.state})")
        if row.state is State.CANCELLING and retry_asked(detail.facts):
            _intend(path, retry=None, cancel=_asked(detail, force))
            return Outcome(row.id, True, "does not run again")
        if row.state is State.CANCELLING and not force:
            return Outcome(row.id, True, "it is being stopped already")
        if retry_asked(detail.facts):
            # Should the engine have opened the next attempt in this very moment, that one is meant.
            following = msgspec.structs.replace(_asked(detail, force), attempt=detail.facts.attempt + 1)
            _intend(path, retry=None, cancel=following)
            return Outcome(row.id, True, "does not run again")
        _intend(path, cancel=_asked(detail, force))
        if _is_sent(row):
            running.append(row.id)
            return Outcome(row.id, True, "asked to stop")
        return Outcome(row.id, True, "cancelled")

    return _carried_out(workdir, _for_each(workdir, jobs, order, needs_engine=False), running)


def _carried_out(workdir: WorkDir, outcomes: list[Outcome], jobs: Container[int]) -> list[Outcome]:
    """See that an engine runs to do what was asked of ``jobs``; where none may be started, say so."""
    if not any(outcome.job in jobs for outcome in outcomes) or ensure_engine(workdir):
        return outcomes
    lacking = ", but no engine runs to do it: jobtui engine start"
    return [Outcome(o.job, False, o.words + lacking) if o.job in jobs else o for o in outcomes]


def signal(workdir: WorkDir, jobs: Iterable[int], name: str) -> list[Outcome]:
    """Send a signal (``USR1``, ``10``) to running jobs. Raises ValueError for one that there is not."""
    known = parse_signal(name)
    return _order(workdir, jobs, "signal", f"asked to send it {known}", known)


def suspend(workdir: WorkDir, jobs: Iterable[int]) -> list[Outcome]:
    """Stop running jobs where they are. They keep their slots, and their time limits go on."""
    return _order(workdir, jobs, "suspend", "asked to suspend it")


def resume(workdir: WorkDir, jobs: Iterable[int]) -> list[Outcome]:
    """Let suspended jobs go on."""
    return _order(workdir, jobs, "resume", "asked to resume it")


_Once = Literal["signal", "suspend", "resume"]

# Which jobs can take an order, the same in words, and what a back end must be able to do for it.
_TAKERS: dict[_Once, tuple[frozenset[State], str, str]] = {
    "signal": (
        frozenset({State.RUNNING, State.SUSPENDED, State.CANCELLING}),
        "only a running job can be sent a signal",
        "send signals",
    ),
    "suspend": (frozenset({State.RUNNING}), "only a running job can be suspended", "suspend jobs"),
    "resume": (frozenset({State.SUSPENDED}), "only a suspended job can be resumed", "resume jobs"),
}


def _order(workdir: WorkDir, jobs: Iterable[int], verb: _Once, words: str, name: str = "") -> list[Outcome]:
    """Give an order that is carried out once to jobs that run."""
    states, takers, ability = _TAKERS[verb]
    given: list[int] = []

    def order(path: str, detail: Detail) -> Outcome:
        row = detail.row
        if row.state not in states:
            return Outcome(row.id, False, f"{takers}, and this one is {row.state}")
        if verb not in capabilities(row.backend):
            return Outcome(row.id, False, f"the back end '{row.backend}' cannot {ability}")
        asked = _asked(detail)

        def change(intent: Intent) -> Intent:
            serial = max([detail.facts.obeyed, *(earlier.serial for earlier in intent.orders)]) + 1
            new = Order(serial, asked.attempt, verb, asked.at, asked.by, name)
            return msgspec.structs.replace(intent, orders=(*intent.orders, new)[-_ORDERS_KEPT:])

        metadir.change_intent(path, change)
        given.append(row.id)
        return Outcome(row.id, True, words)

    return _carried_out(workdir, _for_each(workdir, jobs, order, needs_engine=False), given)


def set_priority(workdir: WorkDir, jobs: Iterable[int], value: int) -> list[Outcome]:
    """Give waiting jobs another priority: those with a higher one start first. A retry keeps it."""

    def order(path: str, detail: Detail) -> Outcome:
        row = detail.row
        if row.state not in WAITING:
            return Outcome(row.id, False, f"only a waiting job has a place in the queue, and this one is {row.state}")
        _intend(path, priority=value)
        return Outcome(row.id, True, f"has priority {value} now")

    return _for_each(workdir, jobs, order, needs_engine=False)


def _is_sent(row: JobRow) -> bool:
    """Whether the job is in a back end's hands; a scheduler may hold one that is."""
    return row.state in IN_FLIGHT or (row.state is State.HELD and row.jid is not None)


def requeue(workdir: WorkDir, jobs: Iterable[int]) -> list[Outcome]:
    """Stop jobs that wait in a scheduler or run, and run each again as its next attempt."""

    def order(path: str, detail: Detail) -> Outcome:
        row = detail.row
        if row.attached:
            return Outcome(row.id, False, NO_ATTEMPT)
        if not _is_sent(row):
            return Outcome(row.id, False, f"only a job that was started can be requeued, and this one is {row.state}")
        asked = _asked(detail)
        _intend(path, cancel=asked, retry=asked, hold=False)
        return Outcome(row.id, True, f"is stopped and runs again as attempt {detail.facts.attempt + 1}")

    return _for_each(workdir, jobs, order, needs_engine=True)


def retry(workdir: WorkDir, jobs: Iterable[int]) -> list[Outcome]:
    """Run ended jobs again as a new attempt; the last one's files are kept in ``job.retry/``."""

    def order(path: str, detail: Detail) -> Outcome:
        row = detail.row
        if row.state not in ENDED:
            return Outcome(row.id, False, f"it has not ended yet ({row.state}); cancel it first, or resubmit it")
        if row.attached:
            return Outcome(row.id, False, NO_ATTEMPT)
        if detail.facts.spec is None:
            return Outcome(row.id, False, row.detail)
        cancelled = detail.facts.intent.cancel
        if cancelled is not None and cancelled.attempt > detail.facts.attempt:
            cancelled = None
        _intend(path, retry=_asked(detail), hold=False, cancel=cancelled)
        return Outcome(row.id, True, f"runs again as attempt {detail.facts.attempt + 1}")

    return _for_each(workdir, jobs, order, needs_engine=True)


def hold(workdir: WorkDir, jobs: Iterable[int]) -> list[Outcome]:
    """Keep waiting jobs from starting."""

    def order(path: str, detail: Detail) -> Outcome:
        row = detail.row
        waits_there = row.state is State.SUBMITTED and has_scheduler(row.backend)
        if row.state not in WAITING and not waits_there:
            return Outcome(row.id, False, f"only a waiting job can be held, and this one is {row.state}")
        _intend(path, hold=True)
        return Outcome(row.id, True, "its scheduler is asked to hold it" if waits_there else "held")

    return _for_each(workdir, jobs, order, needs_engine=False)


def release(workdir: WorkDir, jobs: Iterable[int]) -> list[Outcome]:
    """Let held jobs start."""

    def order(path: str, detail: Detail) -> Outcome:
        row = detail.row
        if row.state is not State.HELD:
            return Outcome(row.id, False, f"it is not held ({row.state})")
        _intend(path, hold=False)
        return Outcome(row.id, True, "released" if row.jid is None else "its scheduler is asked to release it")

    return _for_each(workdir, jobs, order, needs_engine=True)


def remove(workdir: WorkDir, jobs: Iterable[int]) -> list[Outcome]:
    """Delete ended jobs with their output for good."""
    waited_for = _waited_for(workdir)

    def order(_path: str, detail: Detail) -> Outcome:
        row = detail.row
        if row.state not in ENDED:
            return Outcome(row.id, False, f"only an ended job can be removed, and this one is {row.state}")
        if row.id in waited_for:
            return Outcome(row.id, False, f"job {waited_for[row.id]} waits for it")
        workdir.remove(row.id)
        return Outcome(row.id, True, "removed")

    return _for_each(workdir, jobs, order, needs_engine=False)


def _waited_for(workdir: WorkDir) -> dict[int, int]:
    """Which jobs are named in a condition of one that waits: job -> who waits."""
    catalog = Catalog(workdir)
    found: dict[int, int] = {}
    waiting = [row.id for row in catalog.recent(ended=0) if row.state in (State.CREATED, State.HELD)]
    for job, detail in catalog.judged(waiting):
        if detail is not None and detail.facts.spec is not None:
            found.update(dict.fromkeys(jobs_in(detail.facts.spec.after), job))
    return found


def resubmit(workdir: WorkDir, job: int, changes: Mapping[str, Any]) -> int:
    """Make a new job of an old one's spec, with ``changes`` (fields of JobSpec) in it; returns its id.

    It starts at once: the old one's conditions and hold are not taken over unless ``changes`` sets them. Raises
    LookupError if there is no such job, and what ``submit`` raises.
    """
    detail = Catalog(workdir).detail(job)
    if detail is None:
        raise LookupError(f"there is no job {job} in {workdir.path}")
    if detail.facts.spec is None:
        raise SpecError(f"job {job}: {detail.row.detail}")
    spec = as_ours(workdir, job, detail.facts.spec)
    fresh: dict[str, Any] = {"after": None, "hold": False, "resubmitted_from": job, **changes}
    return submit(workdir, [msgspec.structs.replace(spec, **fresh)])[0]


def as_ours(workdir: WorkDir, job: int, spec: JobSpec) -> JobSpec:
    """The spec of a job as one that can be submitted again; of an attached one this runs the script that is kept.

    Raises SpecError where there is none, or it cannot be run.
    """
    if spec.attached is None:
        return spec
    try:
        with open(f"{workdir.metadir(job)}/{metadir.GIVEN}", "rb") as file:
            script = file.read().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        raise SpecError(f"job {job}: {NO_SCRIPT}") from None
    return again(spec, script)
