"""Handing the jobs that are due to their back ends, and recording the answers."""

from __future__ import annotations

import logging
import os
import time

from . import metadir
from .backend import Answer, Backend, Rejected, Request, Task, Took, mark
from .fleet import Fleet
from .job import Accepted, EngineEnd, Reason, Resources, State, Submitting
from .lane import Lane, Ring
from .queue import Yard
from .roster import Roster
from .script import job_script, place_here, place_there
from .verdict import Facts, Observation, judge
from .workdir import WorkDir

_log = logging.getLogger("jobtui.engine")

_TROUBLE_PAUSE = 5.0


class Starter:
    """Starts the ready jobs of a work directory."""

    def __init__(self, workdir: WorkDir, roster: Roster, fleet: Fleet, ring: Ring) -> None:
        """Start jobs that ``roster`` has ready at the back ends of ``fleet``; ``ring`` wakes the engine up."""
        self._workdir = workdir
        self._roster = roster
        self._fleet = fleet
        self._ring = ring
        # On the monotonic clock; 0 where nothing stands against starts.
        self.not_before = 0.0

    async def start_due(self) -> None:
        """Hand the next batches of ready jobs to their back ends, as far as budgets and lanes allow."""
        now = time.monotonic()
        if now < self.not_before:
            return
        self.not_before = 0.0
        for name, yard in self._roster.yards.items():
            if yard.has_room():
                await self._start_some(name, yard, now)

    async def _start_some(self, name: str, yard: Yard, now: float) -> None:
        roster, first = self._roster, yard.ready.first()
        backend = (
            await self._fleet.for_job(name, roster.tracked[first].spec.env_ref) if first in roster.tracked else None
        )
        lane = self._fleet.lanes.get(name)
        room = roster.settings.submission_batch if lane is None else min(roster.settings.submission_batch, lane.room)
        if room < 1:
            return
        requests: list[Request] = []
        array = self._array_next(yard, lane)
        taken = [(job, ()) for job in array] or yard.ready.take(room, yard.use, yard.budget, now)
        marked = mark(roster.tracked[array[0]].spec.tag, roster.tracked[array[0]].attempt) if array else ""
        for job, gpus in taken:
            with roster.trouble_of(job):
                task = Task(marked, job - array[0]) if array else None
                try:
                    request = self._prepare(job, gpus, backend, task)
                except OSError as error:
                    # Most likely the disk is full, for all jobs alike: nothing is lost, so try again later.
                    _log.error("job %d cannot be started now: %s", job, error)
                    self.not_before = now + _TROUBLE_PAUSE
                    request = None
                if request is None:
                    yard.use.discard(job)
                    roster.look_again(job, max(0.0, self.not_before - now))
                else:
                    requests.append(request)
        if requests:
            await self._submit(name, requests)
        if requests and yard.has_room():
            self._ring()

    def _array_next(self, yard: Yard, lane: Lane | None) -> list[int]:
        """The tasks of an array whose turn it is, taken out of the yard; none where they do not go together."""
        first = yard.ready.first()
        if lane is None or first is None or lane.array_limit < 2:
            return []
        tasks = [job for job in self._roster.tasks_with(first, lane.array_limit) if job in yard.ready]
        return yard.take_together(tasks, Resources()) if len(tasks) > 1 else []

    async def _submit(self, name: str, requests: list[Request]) -> None:
        backend, lane = self._fleet.get(name), self._fleet.lanes.get(name)
        if lane is not None:
            lane.submit(requests)
            return
        missing = [Rejected(f"the back end '{name}' is not installed")] * len(requests)
        answers = missing if backend is None else await backend.submit(requests)
        for request, answer in zip(requests, answers, strict=True):
            with self._roster.trouble_of(request.job):
                self.answered(request, answer)

    def _prepare(self, job: int, gpus: tuple[int, ...], backend: Backend | None, task: Task | None) -> Request | None:
        """Write what must be on disk before the attempt is sent; None if a person's wish came in between."""
        tracked, path = self._roster.tracked[job], self._workdir.metadir(job)
        spec, attempt = tracked.spec, tracked.attempt
        if os.path.exists(f"{path}/{metadir.BEGIN}") or spec.attached is not None:
            return None
        if spec.after is not None and not self._roster.awaits.still(tracked):
            return None
        of_array = (task.mark, task.index) if task is not None else ("", 0)
        awaited = tuple(parent.job for parent in tracked.after.parents) if tracked.after is not None else ()
        sent = metadir.encode(Submitting(attempt, spec.tag, time.time(), gpus, *of_array, awaited))
        metadir.write_new(f"{path}/{metadir.SUBMITTING}", sent)
        # A wish written before this moment is seen here; a later one finds a submission and stops the job.
        if os.path.exists(f"{path}/{metadir.INTENT}"):
            facts = metadir.read_facts(path, spec)
            cancelled = facts.intent.cancel is not None and facts.intent.cancel.attempt == attempt
            held = facts.intent.hold or (spec.hold and facts.intent.hold is None)
            if cancelled or held:
                os.unlink(f"{path}/{metadir.SUBMITTING}")
                return None
        far = backend.far if backend is not None else None
        # To another machine goes what the person names, and nothing of this one's environment.
        environment = self._fleet.environment(spec.env_ref) if far is None else {}
        place = place_here(self._workdir.path, job) if far is None else place_there(far.root, job, attempt)
        script = f"{path}/{metadir.SCRIPT}{spec.backend}"
        shown = dict(spec.env)
        if gpus:
            shown["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, gpus))
        if spec.array is not None:
            shown["JOBTUI_ARRAY_INDEX"] = str(spec.array.index)
            shown["JOBTUI_ARRAY_ID"] = str(spec.array.array)
        own_id = backend.own_id if backend is not None else ""
        text = job_script(spec, job, attempt, place, shown, own_id, tracked.after)
        metadir.write_new(script, text.encode("utf-8", "surrogateescape"))
        tracked.launched = attempt
        return Request(job, attempt, spec.tag, script, path, spec, environment, task, tracked.after)

    def answered(self, request: Request, answer: Answer) -> None:
        """Record a back end's answer to a submission."""
        roster, job, path, name = self._roster, request.job, request.metadir, request.spec.backend
        yard, tracked = roster.yard(name), roster.tracked.get(job)
        if isinstance(answer, Took):
            accepted = Accepted(request.attempt, answer.jid, name, time.time())
            metadir.record_answer(path, accepted)
            if tracked is not None:
                tracked.note = ""
            place = (request.task.mark, request.task.index) if request.task is not None else ("", 0)
            awaited = tuple(parent.job for parent in request.after.parents) if request.after is not None else ()
            gpus = yard.use.gpus_of(job)
            submitting = Submitting(request.attempt, request.tag, accepted.at, gpus, *place, awaited)
            facts = Facts(spec=request.spec, attempt=request.attempt, submitting=submitting, accepted=accepted)
            if name in self._fleet.lanes:
                self._fleet.lanes[name].taken(job, facts)
            else:
                roster.apply(job, facts, judge(facts, Observation("running" if answer.running else "pending")))
        elif isinstance(answer, Rejected):
            yard.use.discard(job)
            if answer.retryable or request.after is not None:
                if tracked is not None and not answer.retryable:
                    # Perhaps it has forgotten one of the others: then the engine waits for them.
                    _log.info("job %d: %s refuses to have it wait: %s", job, name, answer.text)
                    tracked.refused = request.attempt
                if tracked is not None:
                    tracked.note = answer.text
                    tracked.not_before = 0.0 if name in self._fleet.lanes else time.monotonic() + _TROUBLE_PAUSE
                os.unlink(f"{path}/{metadir.SUBMITTING}")
            else:
                end = EngineEnd(request.attempt, State.FAILED, Reason.LAUNCH, answer.text, time.time())
                metadir.write_fact(path, metadir.END, end)
            roster.dirty[job] = None
        else:
            if tracked is not None:
                tracked.launched = 0
            roster.look_again(job, 0.0 if name in self._fleet.lanes else _TROUBLE_PAUSE)
