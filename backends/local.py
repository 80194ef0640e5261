"""The local back end: job scripts as processes of this machine, watched by pidfd, stopped with all their children."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from typing import Self

import anyio
from anyio.abc import TaskGroup

from ..core.backend import (
    Answer,
    Capability,
    FarFolders,
    Found,
    Handle,
    History,
    Probe,
    Reach,
    Rejected,
    Request,
    Snapshot,
    Surroundings,
    Took,
    Verb,
)
from ..core.identity import is_alive, is_stopped, members, start_ticks, this_boot, this_host
from ..core.job import Begin, Process, Reason
from ..core.queues import Capacity
from ..core.units import signal_number
from ..core.verdict import Observation

_log = logging.getLogger("jobtui.backends.local")

# A script exits with this when another copy of it has claimed the attempt (core/script.py).
_CLAIM_FAILED = 75
_ALIVE_POLL = 1.0


class LocalBackend:
    """Runs jobs on this machine. Jobs outlive it; a later instance adopts them by their job.begin."""

    name = "local"
    polled = False
    capabilities: frozenset[Capability] = frozenset({"suspend", "resume", "signal"})
    own_id = ""
    programs: Sequence[str] = ()
    longest_pause = 60.0
    array_limit = 0
    reach: Reach = "here"
    far: FarFolders | None = None
    slots = 0

    def __init__(self, surroundings: Surroundings) -> None:
        """Hint at each job whose processes ended; what job scripts say goes to the log."""
        self._hint = surroundings.hint
        self._log_path = surroundings.log
        self._log_fd = -1
        self._tasks: TaskGroup | None = None
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._watched: dict[int, Process] = {}
        self._statuses: dict[int, tuple[int, int]] = {}
        self._stopping: dict[int, anyio.Event] = {}

    async def __aenter__(self) -> Self:
        """Open the task group that watches processes, and the log."""
        self._log_fd = os.open(self._log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Stop watching; the jobs go on."""
        assert self._tasks is not None
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)
        os.close(self._log_fd)

    async def probe(self) -> Probe:
        """Say whether this machine has what local jobs need: /proc, sh and setsid."""
        lacking = [name for name in ("/bin/sh", "/proc/self/stat", "/proc/uptime") if not os.path.exists(name)]
        import shutil

        if shutil.which("setsid") is None:
            lacking.append("setsid")
        if lacking:
            return Probe(False, f"this machine lacks {', '.join(lacking)}")
        return Probe(True, f"runs jobs on {this_host()}")

    # -- starting

    async def submit(self, requests: Sequence[Request]) -> list[Answer]:
        """Start the job scripts, each in a session of its own."""
        return [self._spawn(request) for request in requests]

    def _spawn(self, request: Request) -> Answer:
        environment = {**request.env, "JOBTUI_TAG": request.tag}
        try:
            child = subprocess.Popen(
                ["/bin/sh", request.script],
                stdin=subprocess.DEVNULL,
                stdout=self._log_fd,
                stderr=self._log_fd,
                env=environment,
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            return Rejected(f"cannot start the job script: {error.strerror}", retryable=True)
        except ValueError as error:
            return Rejected(f"cannot start the job script: {error}")
        self._statuses.pop(request.job, None)
        self._children[request.job] = child
        ticks = start_ticks(child.pid)
        self._watch(request.job, request.attempt, Process(child.pid, ticks if ticks is not None else -1))
        return Took(str(child.pid), running=True)

    # -- watching

    def _watch(self, job: int, attempt: int, process: Process) -> None:
        """Hint when this process has ended. Watching one twice does no harm."""
        if self._watched.get(job) == process:
            return
        self._watched[job] = process
        assert self._tasks is not None
        self._tasks.start_soon(self._await_end, job, attempt, process)

    async def _await_end(self, job: int, attempt: int, process: Process) -> None:
        child = self._children.get(job)
        mine = child is not None and child.pid == process.pid
        await _ended(process, is_child=mine)
        if child is not None and mine:
            status = child.wait()
            self._children.pop(job, None)
            self._statuses[job] = (attempt, status)
        if self._watched.get(job) == process:
            del self._watched[job]
        self._hint(job)

    async def find(self, handles: Sequence[Handle]) -> Found:
        """Look for job scripts by the tag in their environment."""
        jids: dict[int, str] = {}
        for handle in handles:
            for process in members(frozenset(), f"JOBTUI_TAG={handle.tag}".encode()):
                jids.setdefault(handle.job, str(process.pid))
        return Found(jids, complete=True)

    async def poll(self, handles: Sequence[Handle]) -> Snapshot:
        """See which jobs' processes are alive. Jobs of another machine are not seen."""
        seen: dict[int, Observation] = {}
        for handle in handles:
            observation = self._look(handle)
            if observation is not None:
                seen[handle.job] = observation
        return Snapshot(seen, complete=True)

    def _look(self, handle: Handle) -> Observation | None:
        begin = handle.begin
        child = self._children.get(handle.job)
        if child is not None:
            return Observation("suspended" if begin is not None and is_stopped(begin.payload) else "running")
        if begin is None:
            return self._look_without_begin(handle)
        if begin.host != this_host():
            return None
        if begin.boot != this_boot():
            return Observation("gone", Reason.NODE_FAILURE, "this machine was restarted while it ran")
        if is_alive(begin.wrapper):
            self._watch(handle.job, handle.attempt, begin.wrapper)
            return Observation("suspended" if is_stopped(begin.payload) else "running")
        if is_alive(begin.payload):
            self._watch(handle.job, handle.attempt, begin.payload)
            return Observation(
                "running", detail="its job script was killed: it still runs, but its exit code will not be known"
            )
        status = self._status(handle)
        if status is not None and status >= 0 and status != _CLAIM_FAILED:
            return Observation("gone", exit_code=status)
        return Observation("gone", Reason.LOST, "the job script was killed before it could record the exit code")

    def _status(self, handle: Handle) -> int | None:
        attempt, status = self._statuses.get(handle.job, (0, None))
        return status if attempt == handle.attempt else None

    def _look_without_begin(self, handle: Handle) -> Observation:
        """Judge a job that was taken but whose script has not said anything (yet)."""
        alive = members(frozenset(), f"JOBTUI_TAG={handle.tag}".encode())
        if alive:
            self._watch(handle.job, handle.attempt, alive[0])
            return Observation("running")
        words = "the job script ended before it could start the command; see engine.log, and whether the disk is full"
        return Observation("gone", Reason.LAUNCH, words)

    async def history(self, handles: Sequence[Handle]) -> History:
        """This machine keeps no accounts."""
        return History({}, complete=False)

    async def capacity(self) -> Capacity:
        """This machine has no queues."""
        return Capacity(trouble="this machine has no queues")

    # -- signals

    async def signal(self, handles: Sequence[Handle], name: str) -> dict[int, str]:
        """Signal the process group of each job's command."""
        number = signal_number(name)
        return _for_each(handles, lambda _handle, begin: _kill_group(begin.payload, number))

    async def order(self, verb: Verb, handles: Sequence[Handle]) -> dict[int, str]:
        """Stop jobs, or let them go on. Their job scripts are left alone: they see to the time limits."""
        return _for_each(handles, _suspend if verb == "suspend" else _resume)

    # -- stopping

    async def cancel(self, handles: Sequence[Handle], grace: float) -> dict[int, str]:
        """TERM to the job scripts, which pass it on; after ``grace`` seconds KILL to all that is left of the jobs."""
        assert self._tasks is not None
        refused: dict[int, str] = {}
        for handle in handles:
            if handle.begin is not None and handle.begin.host != this_host():
                refused[handle.job] = f"it runs on {handle.begin.host}; cancel it from an engine there"
                continue
            hurry = self._stopping.get(handle.job)
            if hurry is None:
                hurry = self._stopping[handle.job] = anyio.Event()
                self._tasks.start_soon(self._stop, handle, grace, hurry)
            if grace <= 0:
                hurry.set()
        return refused

    async def _stop(self, handle: Handle, grace: float, hurry: anyio.Event) -> None:
        try:
            wrapper, payload = self._processes(handle)
            leaders = [process for process in (wrapper, payload) if process is not None]
            if not hurry.is_set():
                if wrapper is not None and is_alive(wrapper):
                    _kill(wrapper, signal.SIGTERM)
                elif payload is not None and is_alive(payload):
                    _kill_group(payload, signal.SIGTERM)
                if payload is not None and is_alive(payload):
                    # A stopped process gets its TERM only once it goes on.
                    _kill_group(payload, signal.SIGCONT)
                with anyio.move_on_after(grace):
                    await self._gone_or_hurry(handle, leaders, hurry)
            await self._sweep(handle, leaders, wrapper)
        finally:
            del self._stopping[handle.job]
            self._hint(handle.job)

    def _processes(self, handle: Handle) -> tuple[Process | None, Process | None]:
        begin = handle.begin
        if begin is not None and begin.boot == this_boot():
            return begin.wrapper, begin.payload
        return self._watched.get(handle.job), None

    async def _gone_or_hurry(self, handle: Handle, leaders: list[Process], hurry: anyio.Event) -> None:
        pause = 0.02
        while not hurry.is_set() and _remains(handle, leaders, None):
            with anyio.move_on_after(pause):
                await hurry.wait()
            pause = min(pause * 1.5, 0.5)

    async def _sweep(self, handle: Handle, leaders: list[Process], wrapper: Process | None) -> None:
        """KILL everything but the job script, which then records the end."""
        remaining: list[Process] = []
        for _ in range(100):
            remaining = _remains(handle, leaders, wrapper)
            if not remaining:
                return
            for process in remaining:
                _kill(process, signal.SIGKILL)
            await anyio.sleep(0.05)
        _log.error("job %d: processes %s do not end even by KILL", handle.job, remaining)


def _remains(handle: Handle, leaders: list[Process], wrapper: Process | None) -> list[Process]:
    """What is alive of a job, but for ``wrapper``. A session counts only while its own leader proves whose it is."""
    sids = frozenset(process.pid for process in leaders if is_alive(process))
    found = members(sids, f"JOBTUI_TAG={handle.tag}".encode())
    return [process for process in found if process != wrapper]


def _for_each(handles: Sequence[Handle], act: Callable[[Handle, Begin], None]) -> dict[int, str]:
    """Do something to the processes of jobs; names the jobs that have none here, and why."""
    refused: dict[int, str] = {}
    for handle in handles:
        begin = handle.begin
        if begin is None or (begin.host == this_host() and not _runs_here(begin)):
            refused[handle.job] = "its command does not run any more"
        elif begin.host != this_host():
            refused[handle.job] = f"it runs on {begin.host}; an engine there can do it"
        else:
            act(handle, begin)
    return refused


def _runs_here(begin: Begin) -> bool:
    return begin.boot == this_boot() and is_alive(begin.payload)


def _suspend(handle: Handle, begin: Begin) -> None:
    # The group as one, so that nothing of it starts another process meanwhile; then what has left the group.
    _kill_group(begin.payload, signal.SIGSTOP)
    for process in _of_command(handle, begin):
        _kill(process, signal.SIGSTOP)


def _resume(handle: Handle, begin: Begin) -> None:
    for process in _of_command(handle, begin):
        _kill(process, signal.SIGCONT)
    _kill_group(begin.payload, signal.SIGCONT)


def _of_command(handle: Handle, begin: Begin) -> list[Process]:
    """The processes of a job but for its script and what belongs to that, such as the timer."""
    found: list[Process] = []
    for process in _remains(handle, [begin.wrapper, begin.payload], begin.wrapper):
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(process.pid) != begin.wrapper.pid:
                found.append(process)
    return found


def _kill(process: Process, number: int) -> None:
    """Signal this very process and no later one with its pid."""
    try:
        fd = os.pidfd_open(process.pid)
    except OSError:
        return
    try:
        if is_alive(process):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(fd, number)
    finally:
        os.close(fd)


def _kill_group(leader: Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if is_alive(leader):
            os.killpg(leader.pid, number)


async def _ended(process: Process, *, is_child: bool) -> None:
    """Wait until this process has ended, without a thread and without polling where the kernel can tell."""
    try:
        fd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    except OSError as error:
        _log.warning("no pidfd for %s (%s): looking once a second instead", process, error)
        while is_alive(process):
            await anyio.sleep(_ALIVE_POLL)
        return
    try:
        # A child of ours keeps its pid until it is waited for; any other pid may be somebody else's by now.
        if is_child or is_alive(process):
            await anyio.wait_readable(fd)
    finally:
        os.close(fd)
