"""The headless engine process: starts it in a session of its own, runs it, and writes its log. Never hidden."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sqlite3
import sys
import time
from typing import TYPE_CHECKING

from .identity import is_alive, this_host
from .lease import Lease, LeaseTakenError, is_held, read_lease
from .settings import SettingsError, read_settings
from .workdir import LOG, Hint, WorkDir

if TYPE_CHECKING:
    from .engine import Engine

HALTED = 3
# An engine needs a moment to take its lease: seconds before another is started by the same process.
_STARTING = 1.0
_LOOK = 0.02


class EngineFailedError(Exception):
    """The engine that was started could not drive the work directory; the text says why and where its log is."""


# The engine that this process started last for each work directory: its pid, and when on the steady clock.
_started: dict[str, tuple[int, float]] = {}


def spawn(workdir: WorkDir) -> int:
    """Start a headless engine for ``workdir`` that outlives this process; returns its pid. Raises OSError.

    Two started at once do no harm: the second sees the first's lease and ends.
    """
    # An engine started from within a job must not be taken for a part of that job.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JOBTUI_")}
    log = workdir.file(LOG)
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "jobtui.core.supervisor", workdir.path],
        environment,
        setsid=True,
        setsigdef=[signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGPIPE],
        setsigmask=[],
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )


def ensure_engine(workdir: WorkDir) -> bool:
    """Start a headless engine unless one drives already or ``autostart`` is off; True if one drives or was started.

    Raises SettingsError, OSError, and EngineFailedError if the engine that this process started last failed.
    """
    if is_held(read_lease(workdir)):
        return True
    if not read_settings(workdir).autostart:
        return False
    _check_last(workdir)
    pid, at = _started.get(workdir.path, (0, 0.0))
    if not pid or time.monotonic() - at > _STARTING:
        _started[workdir.path] = spawn(workdir), time.monotonic()
    return True


def _check_last(workdir: WorkDir) -> None:
    """See what became of the engine that we started: a killed one is replaced, one that gave up is reported."""
    if workdir.path not in _started:
        return
    pid, _ = _started[workdir.path]
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        ended, status = pid, 0
    if not ended:
        return
    _started.pop(workdir.path, None)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) not in (0, HALTED):
        raise EngineFailedError(f"the engine ended with an error: {_last_line(workdir)} (see {workdir.file(LOG)})")


def _last_line(workdir: WorkDir) -> str:
    try:
        with open(workdir.file(LOG), encoding="utf-8", errors="replace") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 2000))
            lines = file.read().strip().splitlines()
    except OSError:
        return "its log cannot be read"
    return lines[-1] if lines else "it left no word"


def start_engine(workdir: WorkDir, timeout: float = 10.0) -> Lease:
    """Start a headless engine and wait until it drives, for ``timeout`` seconds; returns its lease.

    Raises EngineFailedError, WorkDirError or OSError. Where one drives already, its lease is returned.
    """
    workdir.create()
    lease = read_lease(workdir)
    if lease is not None and is_held(lease):
        return lease
    pid = spawn(workdir)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        lease = read_lease(workdir)
        if lease is not None and is_held(lease):
            return lease
        if os.waitpid(pid, os.WNOHANG)[0]:
            break
        time.sleep(_LOOK)
    raise EngineFailedError(f"the engine did not start: {_last_line(workdir)} (see {workdir.file(LOG)})")


def stop_engine(workdir: WorkDir, timeout: float = 10.0) -> bool:
    """Ask the engine to end and wait for it, ``timeout`` seconds at most; running jobs go on.

    False where none ran. Raises EngineFailedError if it does not end, and OSError.
    """
    lease = read_lease(workdir)
    if lease is None or not is_held(lease):
        return False
    try:
        workdir.tell(Hint(stop=True))
    except OSError as error:
        # A full disk holds no hint, and is a reason to stop.
        if error.errno not in (errno.ENOSPC, errno.EDQUOT) or lease.host != this_host() or not is_alive(lease.process):
            raise
        os.kill(lease.process.pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        now = read_lease(workdir)
        if now is None or now.token != lease.token or not is_held(now):
            if workdir.path in _started:
                # It is not one that has yet to take its lease: the next submission needs another.
                _started[workdir.path] = _started[workdir.path][0], 0.0
            return True
        time.sleep(_LOOK)
    raise EngineFailedError(f"the engine (pid {lease.process.pid} on {lease.host}) has not stopped yet")


def main(argv: list[str] | None = None) -> int:
    """Drive the work directory named in ``argv`` until nothing is left to drive.

    Returns 0, 1 (it cannot be driven; the log says why), or 3 (halted after a failed job).
    """
    arguments = sys.argv[1:] if argv is None else argv
    workdir = WorkDir(arguments[0])
    os.chdir("/")
    os.umask(0o077)
    import logging
    import logging.handlers

    handler = logging.handlers.RotatingFileHandler(workdir.file(LOG), maxBytes=2**20, backupCount=1)
    logging.basicConfig(
        handlers=[handler], level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(message)s"
    )
    log = logging.getLogger("jobtui.engine")
    # A failed write of the log (full disk) must not print tracebacks into the same full disk.
    logging.raiseExceptions = False
    import anyio

    from .engine import Engine, WorkDirGoneError
    from .groups import single_errors

    engine = Engine(workdir)

    async def drive() -> None:
        with single_errors():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_obey_signals, engine)
                await engine.run()
                tasks.cancel_scope.cancel()

    try:
        log.info("driving %s", workdir.path)
        anyio.run(drive)
    except (LeaseTakenError, WorkDirGoneError) as error:
        log.info("%s", error)
        return 0
    except (SettingsError, OSError, sqlite3.Error) as error:
        log.error("the engine cannot go on: %s", error)  # noqa: TRY400 a person's or the machine's trouble, no bug
        return 1
    except Exception:
        log.exception("a bug in jobtui ended the engine; jobs that run go on")
        return 1
    log.info("nothing left to drive" if engine.halted_by is None else f"halted by job {engine.halted_by}")
    return 0 if engine.halted_by is None else HALTED


async def _obey_signals(engine: Engine) -> None:
    """TERM and INT end the engine in good order; the hang-up of a terminal does not concern it."""
    import anyio

    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as received:
        async for number in received:
            if number != signal.SIGHUP:
                engine.stop()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
