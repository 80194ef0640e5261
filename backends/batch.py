"""The back end for every batch system: a dialect says what is asked and what the answers mean, a transport asks."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import anyio
import anyio.to_thread
import msgspec

from ..core.backend import (
    Answer,
    Capability,
    Dependency,
    FarFolders,
    Foreign,
    Found,
    Handle,
    History,
    Probe,
    Reach,
    Reading,
    Rejected,
    Request,
    Shown,
    Snapshot,
    Surroundings,
    Took,
    Uncertain,
    Verb,
    Wanted,
)
from ..core.job import JobSpec, Resources
from ..core.queues import Capacity, shares
from ..core.verdict import Observation
from .dialect import (
    Arrays,
    Asked,
    Command,
    Depends,
    Dialect,
    Entry,
    Listing,
    Order,
    Queues,
    Reply,
    Site,
    Tells,
    one_line,
)
from .far import Far
from .farjobs import FarJobs, Sight, kept, seen_in, submitted
from .fartext import command_script, new_mark
from .transport import Chains, Here, Output, Transport, TransportError

# Submissions under way at a time: schedulers answer one after the other anyway.
_AT_ONCE = 4
# Submissions that one shell makes one after the other, where there are many.
_IN_A_ROW = 8
# A job that came before ours by more seconds than clocks may differ is another one with the same id.
_CLOCKS_DIFFER = 3600.0
# Seconds: a submission on another machine is over, there too, before it may be sent again.
_SEND_PATIENCE = 45.0
# Seconds for looking into folders there.
_LOOK_PATIENCE = 20.0
# The exit code of a command that was killed.
_KILLED = 137


class BatchBackend:
    """Runs jobs under one batch system. Jobs are the scheduler's: they outlive this and everything else of ours."""

    polled = True
    reach: Reach = "both"
    slots = 0

    def __init__(self, dialect: Dialect, surroundings: Surroundings, transport: Transport | None = None) -> None:
        """Speak ``dialect`` here, on the machine that the surroundings name, or where ``transport`` leads."""
        host = surroundings.host
        self.name = f"{dialect.name}@{host}" if host else dialect.name
        self.own_id = dialect.own_id
        self.dialect = dialect
        self._folders: FarJobs | None = None
        own: Mapping[str, str] = {}
        if host:
            there = Far(host, surroundings.env, surroundings.linked, dialect.scrub)
            self._folders = FarJobs(there, surroundings.key)
            self._transport: Transport = there
        else:
            self._transport = transport or Here()
            own = dialect.scrub(surroundings.env)
        self._env = {**own, "LC_ALL": "C", **dialect.forms}
        self._site: Site | None = None
        self._gate = anyio.CapacityLimiter(_AT_ONCE)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What can be asked besides the common calls; known in full once the scheduler has answered."""
        found = self._site.capabilities if self._site is not None else frozenset[Capability]()
        told = frozenset[Capability]({"queues"}) if isinstance(self.dialect, Queues) else frozenset[Capability]()
        return self.dialect.capabilities | found | told

    @property
    def far(self) -> FarFolders | None:
        """Where the jobs' folders are on another machine."""
        return self._folders

    @property
    def array_limit(self) -> int:
        """How many attempts may be sent as one array."""
        return self._site.array_limit if self._site is not None and isinstance(self.dialect, Arrays) else 0

    @property
    def longest_pause(self) -> float:
        """Seconds after which the scheduler must be asked again, before it forgets jobs that ended."""
        return max(2.0, (self._site.remembers if self._site is not None else 300.0) / 3)

    async def __aenter__(self) -> Self:
        """Nothing has to be got ready."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Nothing has to be ended: jobs go on."""

    async def _run(self, command: Command) -> Reply:
        return await self._transport.run(command, self._env)

    async def probe(self) -> Probe:
        """Ask the scheduler what it is."""
        site = await self._probed()
        return Probe(True, site.words) if isinstance(site, Site) else Probe(False, site)

    async def _probed(self) -> Site | str:
        """What probing found, once it found something; else why not."""
        if self._site is not None:
            return self._site
        try:
            site = self.dialect.read_probe(await self._run(self.dialect.probe()))
        except TransportError as error:
            return str(error)
        if isinstance(site, Site):
            self._site = site
        return site

    def can_wait(self, spec: JobSpec, dependency: Dependency) -> bool:
        """Whether the scheduler itself can have a job wait for these others."""
        if self._folders is not None:
            # How they ended is known here before their folders there tell it.
            return False
        return isinstance(self.dialect, Depends) and self.dialect.wait_for(dependency, spec) is not None

    # -- submitting

    async def submit(self, requests: Sequence[Request]) -> list[Answer]:
        """Submit several at a time. What was not even sent, because of trouble before it, may be sent later."""
        site = await self._probed()
        if isinstance(site, str):
            return [await self._unusable(site)] * len(requests)
        answers: dict[int, Answer] = {}
        trouble: list[str] = []

        async def send(row: list[_Sending]) -> None:
            while row:
                async with self._gate:
                    known = [Rejected(trouble[0], retryable=True)] if trouble else await self._submit(row)
                for sending, answer in zip(row, known, strict=False):
                    if isinstance(answer, Uncertain) or (isinstance(answer, Rejected) and answer.retryable):
                        trouble.append(answer.text)
                    answers.update({one.job: self._for_task(one, answer) for one in sending.requests})
                row = row[len(known) :]

        async with anyio.create_task_group() as tasks:
            for row in _rows([await self._sending(some, site) for some in _together(requests)]):
                tasks.start_soon(send, row)
        return [answers[request.job] for request in requests]

    def _for_task(self, request: Request, answer: Answer) -> Answer:
        """What an answer to the whole array means for one of its tasks."""
        if request.task is None or not isinstance(answer, Took) or not isinstance(self.dialect, Arrays):
            return answer
        return Took(self.dialect.task_id(answer.jid, request.task.index))

    async def _sending(self, some: list[Request], site: Site) -> _Sending:
        """One attempt, or many as one array."""
        told = some if self._folders is None else [await self._folders.moved(request) for request in some]
        if told[0].task is not None and isinstance(self.dialect, Arrays):
            return _Sending(some, self.dialect.submit_array(told, site))
        return _Sending(some, self.dialect.submit(told[0], site))

    async def _submit(self, row: list[_Sending]) -> list[Answer]:
        """Send what is in a row, one after the other; the answers to the first of them: the others were not sent."""
        # In the jobs' own environment, which they inherit.
        env = self.dialect.scrub(row[0].requests[0].env)
        try:
            if self._folders is not None:
                replies = [await self._send_there(self._folders, row[0])]
            elif len(row) > 1 and isinstance(self._transport, Chains):
                replies = await self._transport.chain([sending.command for sending in row], env)
            else:
                replies = [await self._transport.run(row[0].command, env)]
        except TransportError as error:
            replies = [error]
        return [self._answer(reply) for reply in replies]

    async def _send_there(self, folders: FarJobs, sending: _Sending) -> Reply | Rejected:
        """Make the jobs' folders on the other machine and hand them over there, in one call."""
        try:
            staging, seconds = await folders.staged(sending.requests)
        except OSError as error:
            return Rejected(f"cannot read its job script: {error.strerror}", retryable=True)
        command, first = sending.command, await folders.moved(sending.requests[0])
        script = f"{staging}\n{kept(command.argv, command.stdin, first.metadir)}"
        output = await folders.far.shell(script, min(command.patience, _SEND_PATIENCE) + seconds)
        reply = submitted(output)
        if reply is None:
            words = one_line(output.err.decode("utf-8", "replace"))
            return Rejected(f"its folder cannot be made on {folders.far.host}: {words}", retryable=True)
        return reply

    def _answer(self, reply: Reply | Rejected | TransportError) -> Answer:
        if isinstance(reply, Rejected):
            return reply
        if not isinstance(reply, TransportError):
            return self.dialect.read_submit(reply)
        if reply.kind in ("missing", "unreachable"):
            return Rejected(str(reply), retryable=reply.kind == "unreachable")
        return Uncertain(str(reply))

    async def _unusable(self, words: str) -> Rejected:
        """Whether the scheduler is not there at all, or does not answer now for the reason in ``words``."""
        try:
            missing = await self._transport.lacking(self.dialect.programs, self._env)
        except TransportError as error:
            return Rejected(str(error), retryable=True)
        if missing:
            return Rejected(f"{self.dialect.title} is not here: there is no command {missing[0]} on the PATH")
        return Rejected(words, retryable=True)

    async def find(self, handles: Sequence[Handle]) -> Found:
        """Look for attempts in the same answer that tells of all jobs."""
        snapshot = await self.poll(handles)
        return Found(snapshot.jids, snapshot.complete)

    async def _look_there(self, folders: FarJobs, command: Command, handles: Sequence[Handle]) -> Snapshot:
        """Ask for all jobs, and look into their folders, in one call."""
        mark, patience = new_mark(), command.patience
        script = "\n".join(
            [
                # A scheduler that hangs must not keep what the folders tell.
                f"jt_t=; ! command -v timeout >/dev/null || jt_t='timeout -s KILL {patience:g}'",
                f"$jt_t {command_script(command, mark)}",
                f"printf '\\n%s %s\\n' {mark} \"$?\"",
                folders.looking(handles),
            ]
        )
        try:
            output = await folders.far.shell(script, patience + _LOOK_PATIENCE, self._env)
        except TransportError as error:
            return Snapshot({}, complete=False, at=time.time(), trouble=str(error))
        said, _, rest = output.out.partition(f"\n{mark} ".encode())
        code, _, looks = rest.partition(b"\n")
        reply = Output(int(code) if code.isdigit() else 1, said, output.err).reply()
        listing = self.dialect.read_status(reply)
        if reply.code == _KILLED and not listing.complete:
            words = f"{command.argv[0]} gave no answer in {patience:g} s on {folders.far.host}"
            listing = msgspec.structs.replace(listing, trouble=words)
        return self._with_records(sorted_out(handles, listing), seen_in(looks, handles, time.time()))

    def _with_records(self, snapshot: Snapshot, sight: Sight) -> Snapshot:
        """Add what the folders told: also the ids in answers to submissions that never reached us."""
        jids = dict(snapshot.jids)
        for job, reply in sight.answers.items():
            answer = self.dialect.read_submit(reply)
            if isinstance(answer, Took):
                jids.setdefault(job, answer.jid)
        complete = snapshot.complete and sight.complete
        return msgspec.structs.replace(snapshot, complete=complete, jids=jids, records=sight.records)

    # -- looking

    async def poll(self, handles: Sequence[Handle]) -> Snapshot:
        """Ask for all jobs in one query."""
        site = await self._probed()
        if isinstance(site, str):
            return Snapshot({}, complete=False, at=time.time(), trouble=site)
        command = self.dialect.status(_asked(handles), site)
        if self._folders is not None:
            return await self._look_there(self._folders, command, handles)
        listing = await self._list(command)
        return sorted_out(handles, listing)

    async def _list(self, command: Command) -> Listing:
        try:
            return self.dialect.read_status(await self._run(command))
        except TransportError as error:
            return Listing((), complete=False, trouble=str(error))

    async def history(self, handles: Sequence[Handle]) -> History:
        """Look jobs up in the accounting."""
        site = await self._probed()
        if isinstance(site, str) or "history" not in self.capabilities:
            return History({}, complete=False)
        asked = _asked(handles)
        by_jid = {job.jid: handle.job for job, handle in zip(asked, handles, strict=True)}
        seen: dict[int, Observation] = {}
        complete = True
        for command in self.dialect.history(asked, site):
            try:
                listing = self.dialect.read_history(asked, await self._run(command))
            except TransportError:
                return History(seen, complete=False)
            complete = complete and listing.complete
            seen |= {by_jid[entry.jid]: entry.seen for entry in listing.entries if entry.jid in by_jid}
        return History(seen, complete)

    async def capacity(self) -> Capacity:
        """Ask for queues and nodes."""
        site = await self._probed()
        if isinstance(site, str):
            return Capacity(trouble=site)
        if not isinstance(self.dialect, Queues):
            return Capacity(trouble=f"{self.dialect.title} is not asked for its queues")
        try:
            replies = [await self._run(command) for command in self.dialect.capacity(site)]
        except TransportError as error:
            return Capacity(trouble=str(error))
        # A large site tells megabytes.
        return await anyio.to_thread.run_sync(self.dialect.read_capacity, replies)

    async def show(self, jids: Sequence[str]) -> tuple[dict[str, Shown], str]:
        """Ask for jobs one by one: this is for the one that somebody looks at."""
        if not isinstance(self.dialect, Tells):
            return {}, f"{self.dialect.title} is not asked where jobs write to"
        found: dict[str, Shown] = {}
        why = ""
        for jid in jids:
            try:
                told = self.dialect.read_show(jid, await self._run(self.dialect.show(jid)))
            except TransportError as error:
                told = str(error)
            if isinstance(told, Shown):
                found[jid] = told
            else:
                why = told
        return found, why

    def needs(self, script: str, told: Resources) -> Resources:
        """What a job with this script is to ask for; see ForeignBackend."""
        return self.dialect.needs(script, told) if isinstance(self.dialect, Tells) else told

    async def script(self, jid: str) -> tuple[str, str]:
        """The job script as it was submitted."""
        if not isinstance(self.dialect, Tells):
            return "", f"{self.dialect.title} does not give job scripts back"
        command = self.dialect.script(jid)
        if isinstance(command, str):
            return "", command
        try:
            return self.dialect.read_script(await self._run(command))
        except TransportError as error:
            return "", str(error)

    async def read(self, wanted: Sequence[Wanted]) -> Reading:
        """Read pieces of jobs' files on another machine; see FarFiles."""
        if self._folders is None:
            return Reading((), "the jobs' files are on this machine")
        return await self._folders.read(wanted)

    # -- orders

    async def cancel(self, handles: Sequence[Handle], grace: float) -> dict[int, str]:
        """Have the scheduler stop jobs; the time between TERM and KILL is the scheduler's own unless it is 0."""
        jids = _jids(handles)
        return await self._give(jids, self.dialect.cancel(list(jids), force=grace <= 0)) if jids else {}

    async def order(self, verb: Verb, handles: Sequence[Handle]) -> dict[int, str]:
        """Hold, release, suspend, resume or requeue jobs."""
        jids = _jids(handles)
        return await self._give(jids, self.dialect.order(verb, list(jids))) if jids else {}

    async def signal(self, handles: Sequence[Handle], name: str) -> dict[int, str]:
        """Send a signal to jobs."""
        jids = _jids(handles)
        return await self._give(jids, self.dialect.signal(list(jids), name)) if jids else {}

    async def _give(self, jids: Mapping[str, int], orders: Sequence[Order]) -> dict[int, str]:
        refused: dict[int, str] = {}
        for order in orders:
            try:
                words = self.dialect.read_refusals(order.jids, await self._run(order.command))
            except TransportError as error:
                words = dict.fromkeys(order.jids, str(error))
            refused |= {jids[jid]: text for jid, text in words.items() if jid in jids}
        return refused


class _Sending(NamedTuple):
    """What one command hands over."""

    requests: list[Request]
    command: Command


def _rows(sendings: list[_Sending]) -> list[list[_Sending]]:
    """What is sent in a row: starting a process is dear, but few submissions should not wait for each other."""
    length = _IN_A_ROW if len(sendings) > _IN_A_ROW else math.ceil(len(sendings) / _AT_ONCE)
    rows: list[list[_Sending]] = []
    for sending in sendings:
        last = rows[-1] if rows else []
        alike = last and last[0].requests[0].env is sending.requests[0].env
        if alike and len(last) < length and not sending.command.stdin and not last[0].command.stdin:
            last.append(sending)
        else:
            rows.append([sending])
    return rows


def _together(requests: Sequence[Request]) -> list[list[Request]]:
    """The requests, each by itself or with those that are tasks of the same array."""
    groups: dict[str | int, list[Request]] = {}
    for request in requests:
        groups.setdefault(request.job if request.task is None else request.task.mark, []).append(request)
    return list(groups.values())


def _jids(handles: Sequence[Handle]) -> dict[str, int]:
    """The jobs that have an id yet."""
    return {handle.jid: handle.job for handle in handles if handle.jid}


def _asked(handles: Sequence[Handle]) -> list[Asked]:
    return [Asked(handle.jid or "", handle.mark, handle.sent) for handle in handles]


def sorted_out(handles: Sequence[Handle], listing: Listing) -> Snapshot:
    """Say which entries are which of our jobs, by id and mark; ids are used again, marks never."""
    marks = {handle.mark: handle for handle in handles}
    by_jid = {handle.jid: handle for handle in handles if handle.jid}
    seen: dict[int, Observation] = {}
    jids: dict[int, str] = {}
    others: list[Foreign] = []
    for entry in listing.entries:
        handle = marks.get(entry.mark) if entry.mark else by_jid.get(entry.jid)
        if handle is not None and not entry.mark and _is_another(entry, handle):
            handle = None
        if handle is None or (handle.jid and handle.jid != entry.jid):
            others.append(_foreign(entry))
            continue
        seen[handle.job] = entry.seen
        jids[handle.job] = entry.jid
    mine = shares((entry.queue, entry.seen.presence) for entry in listing.entries)
    return Snapshot(seen, listing.complete, time.time(), listing.trouble, jids, tuple(others), mine)


def _is_another(entry: Entry, handle: Handle) -> bool:
    """Whether the job in an answer only has the id of ours."""
    if not entry.submitted:
        return False
    # The same job has a later time where its scheduler put it back into the queue.
    unlike = handle.attached is not None and entry.name != handle.attached
    return (unlike and entry.submitted > handle.sent + _CLOCKS_DIFFER) or entry.submitted < handle.sent - _CLOCKS_DIFFER


def _foreign(entry: Entry) -> Foreign:
    return Foreign(
        entry.jid, entry.name, entry.seen, entry.queue, entry.submitted, entry.command, entry.cwd, entry.mark
    )
