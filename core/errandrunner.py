"""The engine's side of errands: sees that the jobs are the person's and the ones that were meant, then does it."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Sequence

from anyio.abc import TaskGroup

from .backend import Backend, Foreign, ForeignBackend, Handle, Verb
from .errands import Answer, is_too_old, keep_answer
from .fleet import Fleet
from .roster import Roster
from .workdir import Errand, ErrandFor, WorkDir

_log = logging.getLogger("jobtui.engine")

# What another job with the same id may differ by from what the scheduler said of the submission before, in seconds.
_SAME = 2.0
_ORDERS: dict[str, Verb] = {verb: verb for verb in ("hold", "release", "suspend", "resume", "requeue")}


class ErrandRunner:
    """Runs the errands that clients leave for the engine of a work directory, beside its loop."""

    def __init__(self, workdir: WorkDir, tasks: TaskGroup, fleet: Fleet, roster: Roster) -> None:
        """Run them in ``tasks``, through the back ends of ``fleet``."""
        self._workdir, self._tasks, self._fleet, self._roster = workdir, tasks, fleet, roster
        self._running = 0

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
        own_tags = {tracked.spec.tag for tracked in self._roster.tracked.values()}
        try:
            return await carry_out(backend, errand, own_tags)
        except Exception:  # noqa: BLE001 logged with its traceback; the client is told
            _log.exception("a bug in the back end %s", errand.backend)
            return _refused(errand, "a bug in jobtui; see engine.log")
        finally:
            self._fleet.lanes[errand.backend].look_soon()


async def carry_out(backend: Backend, errand: Errand, own_tags: Collection[str]) -> Answer:
    """Do what is asked. ``own_tags``: those of the work directory's jobs in flight, which take orders as such alone."""
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
    script, why = await backend.script(errand.jobs[0].jid)
    return Answer(script=script) if not why else _refused(errand, why)


def _refused(errand: Errand, why: str) -> Answer:
    return Answer({job.jid: why for job in errand.jobs})
