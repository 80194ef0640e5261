"""Another machine by the person's own ssh: scripts for its sh go over one shared connection, bounded in time there too.

``Far.shell`` runs a script and gives the bytes that it wrote; ``run`` and ``fetch`` are those of every transport.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import stat
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

import anyio

from ..core.backend import Linked
from . import fartext
from .dialect import Command, Reply
from .fartext import Greeting
from .transport import DRAIN, Here, Output, TransportError, end, ended, read_all, refuse_flood, start

# Seconds that a connection and the login shell may take until a script is taken.
_PATIENCE = 40.0
_CONNECT = 15
# Seconds after which a silent link counts as dead: this many times this long.
_ALIVE, _ALIVE_COUNT = 15, 3
# Seconds that an idle connection stays open for the next call.
_PERSIST = 120
# Sessions at once on one connection; sshd allows 10 unless told otherwise.
_AT_ONCE = 6
# Seconds between attempts to reach a machine; a refused key is tried rarely, lest we are shut out.
_FIRST, _MOST = 2.0, 60.0
_DENIED_FIRST, _DENIED_MOST = 60.0, 600.0
_DENIALS = ("Permission denied", "Host key verification failed", "Too many authentication failures")
# A socket's path may have 107 bytes, and ssh adds up to 17 while it makes one (unix(7)).
_LONGEST_SOCKET = 85

Scrub = Callable[[Mapping[str, str]], Mapping[str, str]]


class Far:
    """A machine that ssh knows as ``host``. ``env``: in which ssh itself runs; nothing of it is sent.

    ``linked`` is told "" whenever it has answered, and why when it could not be reached. ``scrub`` drops what commands
    must not find in their environment there.
    """

    def __init__(self, host: str, env: Mapping[str, str], linked: Linked, scrub: Scrub = dict) -> None:
        """Make it; this touches nothing yet."""
        self.host = host
        self._env = dict(env)
        self._linked = linked
        self._scrub = scrub
        self._options: list[str] | None = None
        self._socket = ""
        self._greeting: Greeting | None = None
        self._dropped: list[str] = []
        self._gate = anyio.CapacityLimiter(_AT_ONCE)
        self._first = anyio.Lock()
        self._failures = 0
        self._closed_until = 0.0
        self._words = ""

    # -- what can be asked

    async def greeting(self) -> Greeting:
        """What the machine said of itself when it was reached first; raises TransportError."""
        async with self._first:
            if self._greeting is None:
                mark = fartext.new_mark()
                answer = await self._call(fartext.greeting_script(mark), _PATIENCE)
                greeting = fartext.read_greeting(answer, mark)
                if greeting is None:
                    raise TransportError("unreachable", f"{self.host}: its shell gives no sense")
                if greeting.lacks:
                    raise TransportError("unreachable", f"{self.host} lacks {greeting.lacks}")
                kept = self._scrub(dict.fromkeys(greeting.names, ""))
                self._dropped = sorted(greeting.names - kept.keys())
                self._greeting = greeting
            return self._greeting

    async def shell(self, script: str, patience: float, env: Mapping[str, str] | None = None) -> Output:
        """Run a script by the machine's ``/bin/sh``, in the environment of a login with ``env`` over it.

        Its standard input is empty, its home is where it starts. It is killed there, with all that is of its process
        group, some seconds after ``patience``. Raises TransportError: "unreachable" if certainly nothing ran.
        """
        greeting = await self.greeting()
        before = fartext.environment(greeting, self._dropped, env or {})
        return await self._call(f"{before}\n{script}", patience)

    async def run(self, command: Command, env: Mapping[str, str]) -> Reply:
        """Run a command there; see Transport. ``env`` comes on top of the environment of a login there."""
        return (await self.fetch(command, env)).reply()

    async def fetch(self, command: Command, env: Mapping[str, str]) -> Output:
        """Run a command there for the bytes that it writes; see Transport."""
        output = await self.shell(fartext.command_script(command, fartext.new_mark()), command.patience, env)
        if output.code == 127 and await self.lacking(command.argv[:1], env):
            raise TransportError("missing", f"there is no command {command.argv[0]} on {self.host}")
        return output

    async def lacking(self, programs: Sequence[str], env: Mapping[str, str]) -> list[str]:
        """Which of these programs are not on the PATH there; raises TransportError."""
        answer = await self.shell(fartext.lacking_script(programs), _PATIENCE, env)
        return answer.out.decode("utf-8", "replace").split()

    # -- one call

    async def _call(self, script: str, patience: float) -> Output:
        if time.monotonic() < self._closed_until:
            raise TransportError("unreachable", self._words)
        async with self._gate:
            try:
                options = await self._ready_options()
                answer = await self._converse(options, script, patience)
            except TransportError as error:
                if error.kind == "unreachable":
                    self._note_failure(str(error))
                if error.kind in ("unreachable", "broken"):
                    self._linked(str(error))
                raise
        self._failures = 0
        self._linked("")
        return answer

    def _note_failure(self, words: str) -> None:
        """Leave a machine alone for a while that cannot be reached."""
        denied = any(text in words for text in _DENIALS)
        first, most = (_DENIED_FIRST, _DENIED_MOST) if denied else (_FIRST, _MOST)
        pause = min(most, first * 2.0 ** min(self._failures, 10)) * random.uniform(0.75, 1.25)
        self._failures += 1
        self._words = words
        self._closed_until = time.monotonic() + pause

    async def _converse(self, options: list[str], script: str, patience: float) -> Output:
        """Have one session: the script is sent once the far shell says that it waits for one."""
        mark = fartext.new_mark()
        argv = ["ssh", *options, "--", self.host, fartext.opening(mark, patience)]
        child = start(argv, self._env, subprocess.PIPE)
        texts = bytearray(), bytearray()
        sent = False

        async def talk(scope: anyio.CancelScope) -> None:
            nonlocal sent
            assert child.stdin is not None and child.stdout is not None
            if await _heard(child.stdout.fileno(), texts[0], mark):
                sent = True
                scope.deadline = anyio.current_time() + patience
                tasks.start_soon(_say, child, fartext.framed(script, mark))
                await read_all(child.stdout.fileno(), texts[0], tasks.cancel_scope)

        try:
            with anyio.fail_after(_PATIENCE) as scope:
                async with anyio.create_task_group() as tasks:
                    assert child.stderr is not None
                    tasks.start_soon(read_all, child.stderr.fileno(), texts[1], tasks.cancel_scope)
                    tasks.start_soon(talk, scope)
                    await ended(child)
                    tasks.cancel_scope.deadline = anyio.current_time() + DRAIN
        except TimeoutError:
            if sent:
                raise TransportError("timeout", f"{self.host} gave no answer in {patience:g} s") from None
            await self._hang_up()
            raise TransportError("unreachable", f"{self.host}: no connection in {_PATIENCE:g} s") from None
        finally:
            end(child)
        refuse_flood(*texts)
        answer = fartext.unframed(bytes(texts[0]), bytes(texts[1]), mark)
        if answer is not None:
            return answer
        words = fartext.from_ssh(bytes(texts[1]), mark) or f"ssh ended with code {child.returncode}"
        if sent:
            raise TransportError("broken", f"the link to {self.host} broke: {words}")
        raise TransportError("unreachable", words if self.host in words else f"{self.host}: {words}")

    # -- the shared connection

    async def _ready_options(self) -> list[str]:
        """The options for each call: the person's own sharing of connections where there is one, else ours."""
        if self._options is None:
            options = [word for setting in _SETTINGS for word in ("-o", setting)]
            reply = await Here().run(Command(("ssh", "-G", "-T", "--", self.host), patience=_CONNECT), self._env)
            if reply.code != 0:
                raise TransportError("unreachable", reply.words())
            if not fartext.multiplexes(reply.out):
                self._socket = _socket_path(self.host, self._env)
                options += _sharing(self._socket) if self._socket else []
            self._options = ["-T", "-x", *options]
        return self._options

    async def _hang_up(self) -> None:
        """Give up our connection where it no longer answers; one that the person shares is left alone."""
        if not self._socket or not os.path.exists(self._socket):
            return
        words = ("ssh", "-o", f"ControlPath={self._socket}", "-O", "exit", "--", self.host)
        with contextlib.suppress(TransportError):
            await Here().run(Command(words, patience=3.0), self._env)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._socket)


_SETTINGS = (
    "BatchMode=yes",
    f"ConnectTimeout={_CONNECT}",
    f"ServerAliveInterval={_ALIVE}",
    f"ServerAliveCountMax={_ALIVE_COUNT}",
    "LogLevel=ERROR",
    # What a person's configuration may ask for in a terminal of theirs.
    "ClearAllForwardings=yes",
    "RemoteCommand=none",
    "PermitLocalCommand=no",
    "RequestTTY=no",
    "StdinNull=no",
    "ForkAfterAuthentication=no",
    "SessionType=default",
)


def _sharing(socket: str) -> list[str]:
    settings = ("ControlMaster=auto", f"ControlPath={socket}", f"ControlPersist={_PERSIST}")
    return [word for setting in settings for word in ("-o", setting)]


def _socket_path(host: str, env: Mapping[str, str]) -> str:
    """Where the shared connection to a host has its socket; "" where there is no safe place for one."""
    folder = _private_folder(env)
    path = f"{folder}/{hashlib.sha256(host.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"
    return path if folder and len(os.fsencode(path)) <= _LONGEST_SOCKET and not set(path) & set('%" \\') else ""


def _private_folder(env: Mapping[str, str]) -> str:
    """A folder that is nobody else's, made where it is missing; "" where that is not possible."""
    runtime = env.get("XDG_RUNTIME_DIR", "")
    path = f"{runtime}/jobtui" if runtime.startswith("/") else f"/tmp/jobtui-{os.getuid()}"
    with contextlib.suppress(FileExistsError, FileNotFoundError, PermissionError, NotADirectoryError):
        os.mkdir(path, 0o700)
    try:
        found = os.lstat(path)
    except OSError:
        return ""
    private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return path if private else ""


async def _heard(fd: int, text: bytearray, mark: str) -> bool:
    """Read until the far shell waits for its script; False if it never will."""
    os.set_blocking(fd, False)
    while not fartext.is_ready(bytes(text), mark):
        try:
            piece = os.read(fd, 4096)
        except BlockingIOError:
            await anyio.wait_readable(fd)
            continue
        text += piece
        if not piece or len(text) > 2**20:
            return False
    return True


async def _say(child: subprocess.Popen[bytes], data: bytes) -> None:
    """Write all of ``data`` to a command, and let it know that this was all."""
    assert child.stdin is not None
    fd, view = child.stdin.fileno(), memoryview(data)
    os.set_blocking(fd, False)
    with contextlib.suppress(BrokenPipeError):
        while view:
            try:
                view = view[os.write(fd, view) :]
            except BlockingIOError:
                await anyio.wait_writable(fd)
    child.stdin.close()
