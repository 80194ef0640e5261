"""One job's folder: reading its facts, writing the engine's, and moving an ended attempt's files away."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

import msgspec

from .decoding import convert, decoder
from .job import (
    ENDED,
    Accepted,
    Begin,
    End,
    EngineEnd,
    Intent,
    JobSpec,
    Obeyed,
    Submitting,
)
from .stale import current
from .verdict import Facts

SPEC = "job.json"
SCRIPT = "job.wrapped."
# The script of an attached job as its scheduler gave it back.
GIVEN = "job.given"
SUBMITTING = "job.submitting"
JID = "job.jid"
INTENT = "job.intent"
OBEYED = "job.obeyed"
BEGIN = "job.begin"
RC = "job.rc"
END = "job.end"
STDOUT = "job.stdout"
STDERR = "job.stderr"
SCHED = "job.sched"
PROGRESS = "job.progress"
STATUS = "job.status"
RETRY = "job.retry"
# Behind a log's name: what is known of the far file that it is a copy of, and the beginning while it is fetched.
FAR, FRONT = ".far", ".front"

# What belongs to one attempt, in the order in which it is moved away: what proves that it ran goes last.
_LOGS = tuple(log + part for log in (STDOUT, STDERR) for part in (FAR, FRONT, ""))
_OF_ATTEMPT = (STATUS, PROGRESS, *_LOGS, SCHED, JID, SUBMITTING, END, RC, BEGIN)

_MOVING = ".moving"
# Bytes; arguments and environment of one command are less than this on any system.
_LARGEST_FACT = 16 * 2**20


class _Progress(msgspec.Struct):
    percent: float


_read_progress = msgspec.json.Decoder(float | _Progress).decode


_T = TypeVar("_T")


def write_atomic(path: str, data: bytes, mode: int = 0o600, at: float | None = None) -> None:
    """Write a whole file or nothing: a reader sees the old content or the new. Raises OSError (disk full ...).

    ``at``: the file's time (epoch seconds) where it is not now.
    """
    temporary = f"{path}.{os.getpid()}.tmp"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        try:
            if os.write(fd, data) != len(data):
                raise OSError(28, "No space left on device", path)
            if at is not None:
                os.utime(fd, (at, at))
        finally:
            os.close(fd)
        os.rename(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def encode(fact: msgspec.Struct) -> bytes:
    """One line of JSON. Text that is not valid Unicode (odd bytes in arguments) survives as escapes."""
    try:
        return msgspec.json.encode(fact) + b"\n"
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(fact)).encode("ascii") + b"\n"


def decode(line: bytes, kind: type[_T]) -> _T:
    """Read back what ``encode`` wrote; raises msgspec.MsgspecError or ValueError for anything else."""
    try:
        return decoder(kind).decode(line)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return convert(json.loads(line), kind, strict=False)


def write_fact(metadir: str, name: str, fact: msgspec.Struct) -> None:
    """Write one fact file atomically. Raises OSError."""
    write_atomic(f"{metadir}/{name}", encode(fact))


def write_new(path: str, data: bytes) -> None:
    """Write a file that nobody trusts before its last newline is there: one system call less than atomically.

    Nothing is left of it where it cannot be written whole (OSError).
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        if os.write(fd, data) != len(data):
            raise OSError(28, "No space left on device", path)
    except OSError:
        os.unlink(path)
        raise
    finally:
        os.close(fd)


def record_answer(metadir: str, accepted: Accepted) -> None:
    """Add the back end's answer to ``job.submitting``, which thereby becomes ``job.jid``. Raises OSError.

    Creating a file is the dearest thing that the engine does for a job: this needs none.
    """
    sent, answered = f"{metadir}/{SUBMITTING}", f"{metadir}/{JID}"
    got = _read(sent) or _read(answered) or (b"", 0.0)
    if os.path.exists(sent) and got[0].count(b"\n") == 1 and got[0].endswith(b"\n"):
        fd = os.open(sent, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            os.write(fd, encode(accepted))
        finally:
            os.close(fd)
        os.rename(sent, answered)
        return
    # An earlier answer was cut short by a full disk or a kill.
    write_atomic(answered, got[0].split(b"\n")[0] + b"\n" + encode(accepted))
    with contextlib.suppress(FileNotFoundError):
        os.unlink(sent)


def write_status(metadir: str, word: str) -> None:
    """Write the derived state in one word, for people and other tools.

    Always of the same length, in place: a reader sees the old word or the new one.
    """
    fd = os.open(f"{metadir}/{STATUS}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(fd, f"{word:<11}\n".encode("ascii"), 0)
    finally:
        os.close(fd)


def _read(path: str) -> tuple[bytes, float] | None:
    """A small file's content and modification time; None if there is none."""
    return current(_read_once, path)


def _read_once(path: str) -> tuple[bytes, float] | None:
    try:
        # Not to wait for ever where somebody put a pipe in a fact's place.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except PermissionError:
        return b"", 0.0
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return b"", status.st_mtime
        return os.read(fd, _LARGEST_FACT), status.st_mtime
    finally:
        os.close(fd)


class _Reader:
    """Reads the facts of one folder and remembers which files were damaged."""

    def __init__(self, metadir: str) -> None:
        self.metadir = metadir
        self.damaged: list[str] = []

    def lines(self, name: str) -> tuple[list[bytes], float] | None:
        """The complete (newline-ended) lines of a fact file with its time; None where there is no file."""
        got = _read(f"{self.metadir}/{name}")
        if got is None:
            return None
        lines = [line.strip() for line in got[0].split(b"\n")[:-1]]
        return [line for line in lines if line], got[1]

    def parse(self, name: str, line: bytes, kind: type[_T]) -> _T | None:
        try:
            return decode(line, kind)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self.damaged.append(name)
            return None

    def fact(self, name: str, kind: type[_T]) -> _T | None:
        got = self.lines(name)
        if got is None:
            return None
        if not got[0]:
            self.damaged.append(name)
            return None
        return self.parse(name, got[0][0], kind)


def read_facts(metadir: str, spec: JobSpec | None = None) -> Facts:
    """Everything on disk about the job in ``metadir``. Damaged files are named in the result, never raised.

    ``spec`` spares reading ``job.json`` again. Raises FileNotFoundError if the folder is not there, and OSError
    if the file system does not answer.
    """
    names = set(os.listdir(metadir))
    reader = _Reader(metadir)
    if spec is None and SPEC in names:
        spec = _read_spec(reader)
    attempt, moving = _attempt(metadir) if RETRY in names else (1, False)
    begin, end = _read_begin(reader) if BEGIN in names else (None, None)
    if RC in names:
        end = _read_end(reader) or end
    sent = JID if JID in names else SUBMITTING if SUBMITTING in names else None
    submitting, accepted = _read_sent(reader, sent) if sent is not None else (None, None)
    return Facts(
        spec=spec,
        attempt=attempt,
        moving=moving,
        intent=(reader.fact(INTENT, Intent) or Intent()) if INTENT in names else Intent(),
        obeyed=(reader.fact(OBEYED, Obeyed) or Obeyed(0)).serial if OBEYED in names else 0,
        submitting=submitting,
        accepted=accepted,
        claimed=BEGIN in names,
        begin=begin,
        end=end,
        engine_end=reader.fact(END, EngineEnd) if END in names else None,
        progress=read_progress(metadir) if PROGRESS in names else None,
        settled=STATUS in names and _is_settled(metadir),
        damaged=tuple(reader.damaged),
    )


def _read_spec(reader: _Reader) -> JobSpec | None:
    spec = reader.fact(SPEC, JobSpec)
    if spec is not None and not spec.command and spec.shell is None and spec.attached is None:
        # Some other JSON: no job is ever made without a command.
        reader.damaged.append(SPEC)
        return None
    return spec


def is_spec_damaged(metadir: str) -> bool:
    """Whether there is a ``job.json`` that cannot be read. Raises OSError if the file system does not answer."""
    reader = _Reader(metadir)
    return _read_spec(reader) is None and bool(reader.damaged)


def _read_begin(reader: _Reader) -> tuple[Begin | None, End | None]:
    got = reader.lines(BEGIN)
    if got is None or not got[0]:
        return None, None
    lines, at = got
    begin = reader.parse(BEGIN, lines[0], Begin)
    end = reader.parse(BEGIN, lines[1], End) if len(lines) > 1 else None
    if begin is None:
        return None, None
    if end is not None:
        # The disk was full at the end: the file's time is the end's, the start lies the run time before it.
        end = msgspec.structs.replace(end, at=at)
        at -= max(0.0, end.uptime - begin.uptime)
    return msgspec.structs.replace(begin, at=at), end


def _is_settled(metadir: str) -> bool:
    got = _read(f"{metadir}/{STATUS}")
    return got is not None and got[0].strip().decode("ascii", "replace") in ENDED


def _read_sent(reader: _Reader, name: str) -> tuple[Submitting | None, Accepted | None]:
    """What was sent, and the answer behind it if there is one."""
    got = reader.lines(name)
    if got is None or not got[0]:
        reader.damaged.append(name)
        return None, None
    lines = got[0]
    submitting = reader.parse(name, lines[0], Submitting)
    return submitting, reader.parse(name, lines[1], Accepted) if len(lines) > 1 else None


def _read_end(reader: _Reader) -> End | None:
    got = reader.lines(RC)
    if got is None:
        return None
    if not got[0]:
        reader.damaged.append(RC)
        return None
    end = reader.parse(RC, got[0][0], End)
    return None if end is None else msgspec.structs.replace(end, at=got[1])


def read_progress(metadir: str) -> float | None:
    """The share done, 0 to 1, out of ``job.progress``: a number (percent) or an object with ``percent``."""
    got = _read(f"{metadir}/{PROGRESS}")
    try:
        value = _read_progress(got[0] if got else b"")
    except msgspec.MsgspecError:
        return None
    percent = value.percent if isinstance(value, _Progress) else value
    return min(max(percent / 100.0, 0.0), 1.0)


def attempts(metadir: str) -> list[int]:
    """The numbers of the earlier attempts whose files are kept, in order."""
    try:
        names = os.listdir(f"{metadir}/{RETRY}")
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(_numbers(names))


def _attempt(metadir: str) -> tuple[int, bool]:
    """The number of the current attempt, and whether the move to it is still under way."""
    try:
        names = os.listdir(f"{metadir}/{RETRY}")
    except NotADirectoryError:
        return 1, False
    moving = _numbers(name.removesuffix(_MOVING) for name in names if name.endswith(_MOVING))
    return max([0, *_numbers(names), *moving]) + 1, bool(moving)


def _numbers(names: Iterable[str]) -> list[int]:
    """The names that are numbers of attempts; whatever else somebody put there is left alone."""
    return [int(name) for name in names if name.isascii() and name.isdigit()]


def open_attempt(metadir: str, ended: int) -> None:
    """Move the files of attempt number ``ended`` to ``job.retry/<ended>/``, so that the next one can start.

    May be called again after it was interrupted at any point. Raises OSError.
    """
    target = f"{metadir}/{RETRY}/{ended}"
    moving = target + _MOVING
    if os.path.isdir(target):
        return
    os.makedirs(moving, mode=0o700, exist_ok=True)
    for name in os.listdir(metadir):
        if name.startswith(SCRIPT) and not name.endswith(".tmp"):
            os.rename(f"{metadir}/{name}", f"{moving}/{name}")
    for name in _OF_ATTEMPT:
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{metadir}/{name}", f"{moving}/{name}")
    os.rename(moving, target)


def claim_void(metadir: str) -> bool:
    """Take the start of the current attempt away from any job script that has not started yet.

    True: no script can start this attempt any more. False: one has started.
    """
    try:
        os.close(os.open(f"{metadir}/{BEGIN}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return False
    return True


@contextlib.contextmanager
def _one_at_a_time(metadir: str) -> Generator[None]:
    """Keep two clients from changing the same intent at once, where the file system can lock a folder."""
    fd = os.open(metadir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def change_intent(metadir: str, change: Callable[[Intent], Intent]) -> Intent:
    """Read, change and write back ``job.intent``; returns the new one. Raises OSError."""
    with _one_at_a_time(metadir):
        reader = _Reader(metadir)
        intent = change(reader.fact(INTENT, Intent) or Intent())
        write_fact(metadir, INTENT, intent)
    return intent
