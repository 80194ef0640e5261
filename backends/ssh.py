"""The back end for another machine without a scheduler: job scripts as processes there, which need no connection."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Self

from ..core.backend import (
    Answer,
    Capability,
    FarFolders,
    Found,
    Handle,
    History,
    Probe,
    Reach,
    Reading,
    Rejected,
    Request,
    Snapshot,
    Surroundings,
    Took,
    Uncertain,
    Verb,
    Wanted,
)
from ..core.job import Begin, Process, Reason
from ..core.units import signal_number
from ..core.verdict import Observation
from . import sshtext
from .dialect import one_line
from .far import Far
from .farjobs import FarJobs, Sight, folder_of, seen_in
from .transport import Output, TransportError

_PATIENCE = 30.0
# Seconds between two looks at most: nothing else tells that a job has ended.
_LONGEST_PAUSE = 5.0
_LOST = "the job script was killed before it could record the exit code"


class SshBackend:
    """Runs jobs on another machine. They are that machine's: they outlive the connection and all else of ours."""

    name = "ssh"
    polled = True
    reach: Reach = "far"
    programs: Sequence[str] = ("ssh",)
    capabilities: frozenset[Capability] = frozenset({"suspend", "resume", "signal"})
    own_id = "$$"
    array_limit = 0
    longest_pause = _LONGEST_PAUSE

    def __init__(self, surroundings: Surroundings) -> None:
        """Make it; this touches nothing yet."""
        self.name = f"ssh@{surroundings.host}"
        self._machine = Far(surroundings.host, surroundings.env, surroundings.linked)
        self._folders = FarJobs(self._machine, surroundings.key)
        self._cpus = 0

    @property
    def far(self) -> FarFolders | None:
        """Where the jobs' folders are there."""
        return self._folders

    @property
    def slots(self) -> int:
        """How many jobs may be there at once: one for each of its cores."""
        return max(1, self._cpus)

    async def __aenter__(self) -> Self:
        """Nothing has to be got ready."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Nothing has to be ended: jobs go on."""

    async def probe(self) -> Probe:
        """Ask the machine what it is."""
        try:
            greeting = await self._machine.greeting()
        except TransportError as error:
            return Probe(False, str(error))
        self._cpus = greeting.cpus
        return Probe(True, f"runs jobs on {greeting.host}, {greeting.cpus} at a time")

    # -- starting

    async def submit(self, requests: Sequence[Request]) -> list[Answer]:
        """Make the jobs' folders there and start the job scripts, all in one call."""
        try:
            root = await self._folders.path()
            staging, seconds = await self._folders.staged(requests)
            jobs = [(folder_of(request.job, request.attempt), request.tag) for request in requests]
            output = await self._machine.shell(f"{staging}\n{sshtext.starting(root, jobs)}", _PATIENCE + seconds)
        except OSError as error:
            return [Rejected(f"cannot read its job script: {error.strerror}", retryable=True)] * len(requests)
        except TransportError as error:
            if error.kind == "unreachable":
                return [Rejected(str(error), retryable=True)] * len(requests)
            return [Uncertain(str(error))] * len(requests)
        took = {line[0]: line[1] for line in _words(_texts(output), "took", 2)}
        words = one_line(output.err.decode("utf-8", "replace")) or f"exit code {output.code} without a word"
        failed = Rejected(f"it cannot be started on {self._machine.host}: {words}", retryable=True)
        return [Took(took[folder], running=True) if folder in took else failed for folder, _ in jobs]

    async def find(self, handles: Sequence[Handle]) -> Found:
        """Look for attempts by their folders."""
        snapshot = await self.poll(handles)
        return Found(snapshot.jids, snapshot.complete)

    # -- watching

    async def poll(self, handles: Sequence[Handle]) -> Snapshot:
        """See which jobs' processes are alive, and then what their folders tell, in one call."""
        root = self._folders.root
        # First the processes: what has ended since has left its record by the time that the folders are looked into.
        script = f"{sshtext.watching(root, handles)}\n{self._folders.looking(handles)}"
        try:
            output = await self._machine.shell(script, _PATIENCE)
        except TransportError as error:
            return Snapshot({}, complete=False, at=time.time(), trouble=str(error))
        sight = seen_in(output.out, handles, time.time())
        complete = sight.complete and "watched" in sight.lines
        words = "" if complete else output.reply().words()
        if "nowhere" in sight.lines and any(handle.jid for handle in handles):
            complete, words = False, f"the jobs' folders are not there: {root}"
        seen, jids = judged(handles, sight)
        return Snapshot(seen if complete else {}, complete, time.time(), words, jids, records=sight.records)

    async def history(self, handles: Sequence[Handle]) -> History:
        """No machine keeps accounts of what was run on it."""
        return History({}, complete=False)

    async def read(self, wanted: Sequence[Wanted]) -> Reading:
        """Read pieces of jobs' files; see FarFiles."""
        return await self._folders.read(wanted)

    # -- orders

    async def cancel(self, handles: Sequence[Handle], grace: float) -> dict[int, str]:
        """TERM to the job scripts, which pass it on; after ``grace`` seconds KILL to all that is left of the jobs."""
        return await self._order(handles, sshtext.stopping(self._folders.root, handles, grace))

    async def signal(self, handles: Sequence[Handle], name: str) -> dict[int, str]:
        """Signal the process group of each job's command."""
        return await self._order(handles, sshtext.ordering(self._folders.root, handles, str(signal_number(name))))

    async def order(self, verb: Verb, handles: Sequence[Handle]) -> dict[int, str]:
        """Stop jobs, or let them go on. Their job scripts are left alone: they see to the time limits."""
        word = "STOP" if verb == "suspend" else "CONT"
        return await self._order(handles, sshtext.ordering(self._folders.root, handles, word))

    async def _order(self, handles: Sequence[Handle], script: str) -> dict[int, str]:
        try:
            output = await self._machine.shell(script, _PATIENCE)
        except TransportError as error:
            return dict.fromkeys((handle.job for handle in handles), str(error))
        if output.code != 0:
            return dict.fromkeys((handle.job for handle in handles), output.reply().words())
        over = {line[0] for line in _words(_texts(output), "over", 1)}
        return {
            handle.job: "its command does not run any more"
            for handle in handles
            if folder_of(handle.job, handle.attempt) in over
        }


def _texts(output: Output) -> Mapping[str, Sequence[str]]:
    return seen_in(output.out, (), 0.0).lines


def _words(lines: Mapping[str, Sequence[str]], word: str, count: int) -> list[list[str]]:
    """The lines that begin with a word and have so many more behind it."""
    return [line.split() for line in lines.get(word, ()) if len(line.split()) == count]


def judged(handles: Sequence[Handle], sight: Sight) -> tuple[dict[int, Observation], dict[int, str]]:
    """How jobs are by their processes, and the ids of those that were started."""
    boot, host = ("".join(sight.lines.get(word, ("",))[:1]) for word in ("boot", "host"))
    states = {Process(int(pid), int(ticks)): state for pid, state, ticks in _numbers(sight)}
    started = {words[0]: words[1:] for words in _words(sight.lines, "pid", 4)}
    seen: dict[int, Observation] = {}
    jids: dict[int, str] = {}
    for handle in handles:
        first = started.get(folder_of(handle.job, handle.attempt))
        if first is not None:
            jids[handle.job] = first[0]
        if handle.begin is not None:
            observation = _look(handle.begin, boot, host, states)
        elif handle.job in sight.records:
            # It has begun by now: the next look knows where.
            continue
        elif first is not None:
            observation = _look_first(first, boot)
        elif handle.jid is not None:
            observation = Observation("gone", Reason.LAUNCH, "its job script never started there")
        else:
            continue
        if observation is not None:
            seen[handle.job] = observation
    return seen, jids


def _numbers(sight: Sight) -> list[list[str]]:
    return [line for line in _words(sight.lines, "proc", 3) if line[0].isdigit() and line[2].isdigit()]


def _look(begin: Begin, boot: str, host: str, states: Mapping[Process, str]) -> Observation | None:
    """How a job is whose script has begun. One that began on another machine of the same name is not seen."""
    if begin.boot != boot:
        if begin.host != host:
            return None
        return Observation("gone", Reason.NODE_FAILURE, f"{host} was restarted while it ran")
    wrapper, payload = states.get(begin.wrapper, "Z"), states.get(begin.payload, "Z")
    if wrapper not in "ZX":
        return Observation("suspended" if payload == "T" else "running", host=host)
    if payload not in "ZX":
        words = "its job script was killed: it still runs, but its exit code will not be known"
        return Observation("running", detail=words, host=host)
    return Observation("gone", Reason.LOST, _LOST)


def _look_first(first: Sequence[str], boot: str) -> Observation:
    """How a job is whose script was started and has not said anything (yet)."""
    _, its_boot, alive = first
    if its_boot != boot:
        return Observation("gone", Reason.NODE_FAILURE, "the machine was restarted before it began")
    if alive == "alive":
        return Observation("running")
    return Observation(
        "gone", Reason.LAUNCH, "the job script ended before it could start the command; is the disk full?"
    )
