"""The engine's side of errands: sees that the jobs are the person's and the ones that were meant, then does it."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import TaskGroup

from .again import is_task
from .attaching import attached_spec, not_attachable, take_over, there_already
from .backend import Backend, Foreign, ForeignBackend, Handle, Hint, Shown, Verb
from .errands import Answer, is_too_old, keep_answer
from .fleet import Fleet
from .roster import Roster
from .workdir import Errand, ErrandFor, WorkDir

_log = logging.getLogger("jobtui.engine")

# What another job with the same id may differ by from what the scheduler said of the submission before, in seconds.
_SAME = 2.0
_NONE: Mapping[str, int] = MappingProxyType({})
_ORDERS: dict[str, Verb] = {verb: verb for verb in ("hold", "release", "suspend", "resume", "requeue")}


class ErrandRunner:
    """Runs the errands that clients leave for the engine of a work directory, beside its loop."""

    def __init__(self, workdir: WorkDir, tasks: TaskGroup, fleet: Fleet, roster: Roster, hint: Hint) -> None:
        """Run them in ``tasks``, through the back ends of ``fleet``; ``hint`` makes the engine look at a new job."""
        self._workdir, self._tasks, self._fleet, self._roster = workdir, tasks, fleet, roster
        self._hint = hint
        self._running = 0
        # Two that mean the same job must not both take it over.
        self._attaching = anyio.Lock()

    @property
    def busy(self) -> bool:
        """Whether somebody waits for an answer."""
        return self._running > 0

    def take(self, errand: Errand) -> None:
        """Run one; the answer comes later."""
        self._running += 1
        self._tasks.start_soon(self._run, errand)

    async def _run(self, errand: Errand) -> None:
        try:
            keep_answer(self._workdir, errand, await self._answer(errand))
        except OSError as error:
            _log.error("cannot answer: %s", error)
        finally:
            self._running -= 1

    async def _answer(self, errand: Errand) -> Answer:
        backend = await self._fleet.for_asking(errand.backend, errand.env)
        if backend is None or not backend.polled:
            return _refused(errand, f"'{errand.backend}' is no scheduler that is known here")
        tracked = self._roster.tracked
        own_tags = {one.spec.tag for one in tracked.values()}
        own = {one.jid: job for job, one in tracked.items() if one.spec.attached and one.spec.backend == errand.backend}
        try:
            if errand.verb == "attach":
                async with self._attaching:
                    return await self._attach(backend, errand, own_tags)
            return await carry_out(backend, errand, own_tags, own)
        except Exception:  # noqa: BLE001 logged with its traceback; the client is told
            _log.exception("a bug in the back end %s", errand.backend)
            return _refused(errand, "a bug in jobtui; see engine.log")
        finally:
            self._fleet.lanes[errand.backend].look_soon()

    async def _attach(self, backend: Backend, errand: Errand, own_tags: Collection[str]) -> Answer:
        if is_too_old(errand):
            return _refused(errand, "it was asked too long ago; ask again")
        if backend.far is not None:
            return _refused(errand, "a job on another machine is attached by a jobtui there")
        snapshot = await backend.poll([])
        refused: dict[str, str] = {}
        attached: dict[str, int] = {}
        lacking: dict[str, str] = {}
        for job in errand.jobs:
            found, why = meant_by(job, snapshot.others, own_tags)
            if not found and not snapshot.complete:
                why = snapshot.trouble or f"{backend.name} does not answer"
            why = why or not_attachable(found)
            if why:
                refused[job.jid] = why
                continue
            try:
                there = await anyio.to_thread.run_sync(there_already, self._workdir, errand.backend, found[0])
                if there is not None:
                    refused[job.jid] = f"it is job {there} of this work directory already"
                    continue
                told, script = await _all_about(backend, found[0].jid)
                attached[job.jid] = self._take_over(errand, found[0], told, script)
            except OSError as error:
                refused[job.jid] = f"cannot write to {self._workdir.path}: {error.strerror}"
                continue
            if isinstance(told, str):
                lacking[job.jid] = f"where it writes is not known: {told}"
        return Answer(refused, attached=attached, lacking=lacking)

    def _take_over(self, errand: Errand, other: Foreign, told: Shown | str, script: str) -> int:
        """The number of the job that it is from now on. Raises OSError."""
        env_ref = self._workdir.keep_environment(errand.env)
        known = told if isinstance(told, Shown) else None
        spec = attached_spec(errand.backend, other, known, env_ref, time.time())
        number = take_over(self._workdir, spec, other, script)
        _log.info("job %d: attached %s:%s", number, errand.backend, other.jid)
        self._hint(number)
        return number


async def _all_about(backend: Backend, jid: str) -> tuple[Shown | str, str]:
    """What a scheduler tells of a job when it is asked for it alone, or why it does not; and its script, if it can."""
    if not isinstance(backend, ForeignBackend):
        return f"the back end '{backend.name}' does not tell more of it", ""
    found, why = await backend.show([jid])
    if jid not in found:
        return why or "it does not tell", ""
    script = "" if is_task(jid) else (await backend.script(jid))[0]
    if not script:
        return found[jid], ""
    needs = backend.needs(script, found[jid].resources)
    return msgspec.structs.replace(found[jid], resources=needs), script


async def carry_out(
    backend: Backend, errand: Errand, own_tags: Collection[str], attached: Mapping[str, int] = _NONE
) -> Answer:
    """Do what is asked. ``own_tags``: those of the work directory's jobs in flight, which take orders as such alone.

    ``attached``: the numbers of those that were taken over, by their ids in this scheduler.
    """
    if is_too_old(errand):
        return _refused(errand, "it was asked too long ago; ask again")
    if errand.verb == "show":
        return await _show(backend, errand)
    if errand.verb == "script":
        return await _script(backend, errand)
    if errand.verb != "cancel" and errand.verb not in backend.capabilities:
        return _refused(errand, f"the back end '{backend.name}' cannot {errand.verb} jobs")
    # Asked anew: what was listed a minute ago may be over, and its id may be another job's.
    snapshot = await backend.poll([])
    refused: dict[str, str] = {}
    meant: dict[int, str] = {}
    handles: list[Handle] = []
    for job in errand.jobs:
        found, why = meant_by(job, snapshot.others, own_tags)
        taken = next((attached[other.jid] for other in found if other.jid in attached), None)
        if taken is not None:
            found, why = [], f"it is job {taken} of this work directory; name it by that number"
        if why and not found and not snapshot.complete:
            why = snapshot.trouble or f"{backend.name} does not answer"
        if why:
            refused[job.jid] = why
        for other in found:
            number = -1 - len(handles)
            meant[number] = job.jid
            handles.append(Handle(number, 0, "", other.jid, "", None))
    words = await _order(backend, errand, handles) if handles else {}
    for number, why in words.items():
        refused.setdefault(meant[number], why)
    return Answer(refused)


def meant_by(job: ErrandFor, listed: Sequence[Foreign], own_tags: Collection[str]) -> tuple[list[Foreign], str]:
    """The listed jobs that are meant, those of a whole array for its number; or none of them, and why."""
    found = [other for other in listed if other.jid == job.jid]
    if not found:
        part = re.compile(rf"{re.escape(job.jid)}[_.\[;].*")
        found = [other for other in listed if part.fullmatch(other.jid)]
    if not found:
        return [], "it does not list such a job of yours"
    if any(_tag(other) in own_tags for other in found):
        return [], "it is a job of this work directory; name it by its number there"
    there = [other for other in found if other.seen.presence != "gone"]
    if not there:
        return [], "it has ended already"
    if job.submitted and any(other.submitted and abs(other.submitted - job.submitted) > _SAME for other in there):
        return [], "this id is another job's by now; left alone"
    return there, ""


def _tag(other: Foreign) -> str:
    return other.mark.partition("[")[0].rpartition(".")[0]


async def _order(backend: Backend, errand: Errand, handles: Sequence[Handle]) -> dict[int, str]:
    if errand.verb == "cancel":
        return await backend.cancel(handles, 0.0 if errand.force else 1.0)
    if errand.verb == "signal":
        return await backend.signal(handles, errand.signal)
    return await backend.order(_ORDERS[errand.verb], handles)


async def _show(backend: Backend, errand: Errand) -> Answer:
    if not isinstance(backend, ForeignBackend):
        return _refused(errand, f"the back end '{backend.name}' does not tell more of it")
    jids = [job.jid for job in errand.jobs]
    shown, why = await backend.show(jids)
    return Answer({jid: why or "it does not tell" for jid in jids if jid not in shown}, shown)


async def _script(backend: Backend, errand: Errand) -> Answer:
    if not isinstance(backend, ForeignBackend):
        return _refused(errand, f"the back end '{backend.name}' does not give job scripts back")
    jid = errand.jobs[0].jid
    script, why = await backend.script(jid)
    if why:
        return _refused(errand, why)
    told, why = await backend.show([jid])
    if jid not in told:
        return Answer({jid: why or "it does not tell more of it"}, script=script)
    needs = backend.needs(script, told[jid].resources)
    return Answer(script=script, shown={jid: msgspec.structs.replace(told[jid], resources=needs)})


def _refused(errand: Errand, why: str) -> Answer:
    return Answer({job.jid: why for job in errand.jobs})
