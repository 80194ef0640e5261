"""Where a scheduler's commands run. This one runs them here: bounded in time and output, killed with all children."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import anyio

from ..core.identity import members
from .chain import answers, script
from .dialect import Command, Reply

# Bytes: the answer about 100,000 jobs is some 20 MB.
LARGEST = 64 * 2**20
_PIECE = 2**17
# Seconds in which what a command left running may close its output.
DRAIN = 1.0
# No environment holds this entry.
_NOBODY = b"\0"


class TransportError(Exception):
    """A command did not come to an end of its own. ``kind`` says why; the text is for people.

    "missing" and "unreachable": it did nothing. "timeout", "broken" (the way to it broke) and "flood": nobody knows
    what it did.
    """

    def __init__(self, kind: Literal["missing", "unreachable", "timeout", "broken", "flood"], words: str) -> None:
        """Say why, and in words."""
        super().__init__(words)
        self.kind = kind


class Output(NamedTuple):
    """What a command came to: its exit code, and its output as it was."""

    code: int
    out: bytes
    err: bytes

    def reply(self) -> Reply:
        """The same as text."""
        return Reply(self.code, self.out.decode("utf-8", "replace"), self.err.decode("utf-8", "replace"))


class Transport(Protocol):
    """Runs commands, here or on another machine."""

    async def run(self, command: Command, env: Mapping[str, str]) -> Reply:
        """Run a command to its end in the environment ``env``; raises TransportError.

        Cancelling kills it.
        """
        ...

    async def lacking(self, programs: Sequence[str], env: Mapping[str, str]) -> list[str]:
        """Which of these programs are not on the PATH there; raises TransportError."""
        ...

    async def fetch(self, command: Command, env: Mapping[str, str]) -> Output:
        """Run a command whose output is no text, such as pieces of a job's files; else as ``run``."""
        ...


@runtime_checkable
class Chains(Protocol):
    """What a transport has besides that runs several commands in a row for little more than the price of one."""

    async def chain(self, commands: Sequence[Command], env: Mapping[str, str]) -> list[Reply | TransportError]:
        """Run commands that read nothing, one after the other, until one fails; each within its own patience.

        Answers for the first of them; the others were certainly not begun. Raises TransportError where none was.
        """
        ...


class Here:
    """Runs commands on this machine."""

    async def run(self, command: Command, env: Mapping[str, str]) -> Reply:
        """See Transport."""
        return (await self.fetch(command, env)).reply()

    async def fetch(self, command: Command, env: Mapping[str, str]) -> Output:
        """Run a command in a session of its own; see Transport."""
        child = _start(command, env)
        try:
            with anyio.fail_after(command.patience):
                out, err = await _gather(child)
        except TimeoutError:
            raise TransportError("timeout", f"{command.argv[0]} gave no answer in {command.patience:g} s") from None
        finally:
            end(child)
        return Output(child.returncode, out, err)

    async def chain(self, commands: Sequence[Command], env: Mapping[str, str]) -> list[Reply | TransportError]:
        """See Chains."""
        mark, patience = secrets.token_hex(8), max(command.patience for command in commands)
        child = start(("/bin/sh", "-c", script(commands, mark)), env, subprocess.DEVNULL)
        assert child.stdout is not None and child.stderr is not None
        out, err = bytearray(), bytearray()
        try:
            with anyio.move_on_after(patience) as limit:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_read_marks, child.stdout.fileno(), out, tasks.cancel_scope, mark, limit, patience)
                    tasks.start_soon(read_all, child.stderr.fileno(), err, tasks.cancel_scope)
                    await ended(child)
                    tasks.cancel_scope.deadline = anyio.current_time() + DRAIN
        finally:
            end(child)
        name = commands[0].argv[0]
        late = TransportError("timeout", f"{name} gave no answer in {patience:g} s")
        lost = late if limit.cancelled_caught else TransportError("broken", f"{name} was cut short")
        return [reply if reply is not None else lost for reply in answers(bytes(out), bytes(err), len(commands), mark)]

    async def lacking(self, programs: Sequence[str], env: Mapping[str, str]) -> list[str]:
        """Which of these programs are not on the PATH."""
        return [name for name in programs if shutil.which(name, path=env.get("PATH")) is None]


def _start(command: Command, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    stdin = _given(command.stdin)
    try:
        return start(command.argv, env, stdin if stdin is not None else subprocess.DEVNULL)
    finally:
        if stdin is not None:
            os.close(stdin)


def start(argv: Sequence[str], env: Mapping[str, str], stdin: int) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own; raises TransportError. ``stdin``: as for Popen."""
    try:
        return subprocess.Popen(
            argv,
            bufsize=0,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env),
            cwd="/",
            start_new_session=True,
        )
    except FileNotFoundError:
        raise TransportError("missing", f"there is no command {argv[0]} on the PATH") from None
    except OSError as error:
        raise TransportError("unreachable", f"cannot run {argv[0]}: {error.strerror}") from error
    except ValueError as error:
        raise TransportError("unreachable", f"cannot run {argv[0]}: {error}") from error


def _given(data: bytes) -> int | None:
    """A file that holds ``data`` for a command to read: no pipe that has to be filled while it reads."""
    if not data:
        return None
    fd = os.memfd_create("stdin", os.MFD_CLOEXEC)
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


async def _gather(child: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """Read all output of a command."""
    assert child.stdout is not None and child.stderr is not None
    texts = bytearray(), bytearray()
    async with anyio.create_task_group() as tasks:
        for stream, text in zip((child.stdout, child.stderr), texts, strict=True):
            tasks.start_soon(read_all, stream.fileno(), text, tasks.cancel_scope)
        await ended(child)
        tasks.cancel_scope.deadline = anyio.current_time() + DRAIN
    refuse_flood(*texts)
    return bytes(texts[0]), bytes(texts[1])


async def ended(child: subprocess.Popen[bytes]) -> None:
    """Wait until a command has ended; what it left running may still hold its output."""
    fd = os.pidfd_open(child.pid)
    try:
        await anyio.wait_readable(fd)
    finally:
        os.close(fd)


def refuse_flood(*texts: bytearray) -> None:
    """Raise TransportError where there is more output than can be meant."""
    if max(map(len, texts)) > LARGEST:
        raise TransportError("flood", f"more than {LARGEST // 2**20} MiB of output")


async def read_all(fd: int, text: bytearray, scope: anyio.CancelScope) -> None:
    """Read until the other side has closed; give ``scope`` up where there is too much."""
    os.set_blocking(fd, False)
    while len(text) <= LARGEST:
        try:
            piece = os.read(fd, _PIECE)
        except BlockingIOError:
            await anyio.wait_readable(fd)
            continue
        if not piece:
            return
        text += piece
    scope.cancel()


async def _read_marks(
    fd: int, text: bytearray, scope: anyio.CancelScope, mark: str, limit: anyio.CancelScope, patience: float
) -> None:
    """Read as ``read_all`` does; each mark gives another ``patience`` seconds until ``limit``."""
    os.set_blocking(fd, False)
    seen = 0
    while len(text) <= LARGEST:
        try:
            piece = os.read(fd, _PIECE)
        except BlockingIOError:
            await anyio.wait_readable(fd)
            continue
        if not piece:
            return
        text += piece
        marks = text.count(mark.encode())
        if marks > seen:
            seen, limit.deadline = marks, anyio.current_time() + patience
    scope.cancel()


def end(child: subprocess.Popen[bytes]) -> None:
    """Leave nothing of a command behind. Until it is waited for, its pid and its group are nobody else's."""
    assert child.stdout is not None and child.stderr is not None
    over = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    if not over:
        for process in members(frozenset({child.pid}), _NOBODY):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process.pid, signal.SIGKILL)
    child.wait()
    for stream in (child.stdin, child.stdout, child.stderr):
        if stream is not None:
            stream.close()
