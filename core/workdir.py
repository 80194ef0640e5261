"""A work directory: the numbered folders of all its jobs, the submitters' environments, and the clients' hints."""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from . import metadir
from .decoding import decoder
from .job import ArrayTask, JobSpec

INBOX = "inbox"
WAKE = "engine.wake"
LEASE = "engine.lease"
LOCK = "engine.lock"
LOG = "engine.log"
SETTINGS = "engine.json"
JOURNAL = "journal"
INDEX = "index.db"
ENVIRONMENTS = "env"
HIGHEST = "highest"
FAR_NAME = "far.name"

# Set by terminals, shells and jobtui itself: they mean nothing to a job, and differ from shell to shell.
_NOT_KEPT = frozenset({"_", "PWD", "OLDPWD", "SHLVL", "LINES", "COLUMNS", "WINDOWID", "STY", "TMUX", "TMUX_PANE"})


class WorkDirError(Exception):
    """A work directory cannot be used for what was asked; the text says why and what to do."""


ErrandVerb = Literal["cancel", "hold", "release", "suspend", "resume", "requeue", "signal", "show", "script", "attach"]


class ErrandFor(msgspec.Struct, frozen=True):
    """A foreign job: its id, and when its scheduler got it (epoch seconds, 0 if not known): ids are used again."""

    jid: str
    submitted: float = 0.0


class Errand(msgspec.Struct, frozen=True):
    """What the engine is to do with foreign jobs, to be answered under this ``id``; see ``errands``.

    ``at``: when it was given (epoch seconds); ``env``: the environment in which to ask the scheduler if it is in use
    by nothing else.
    """

    id: str
    backend: str
    verb: ErrandVerb
    jobs: tuple[ErrandFor, ...]
    at: float
    signal: str = ""
    force: bool = False
    env: Mapping[str, str] = {}


class Hint(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a client tells the engine: these jobs are new or changed, the settings changed, stop, or an errand."""

    jobs: tuple[int, ...] = ()
    first: int | None = None
    last: int | None = None
    settings: bool = False
    stop: bool = False
    errand: Errand | None = None

    def ids(self) -> Iterable[int]:
        """Every job named."""
        if self.first is not None and self.last is not None:
            return (*self.jobs, *range(self.first, self.last + 1))
        return self.jobs


class WorkDir:
    """A work directory at the absolute path ``path``. Making the object touches nothing on disk."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Take a path as the user typed it; it is made absolute."""
        self.path: str = os.path.abspath(os.path.expanduser(os.fspath(path)))

    def __repr__(self) -> str:
        """Show the path."""
        return f"WorkDir({self.path!r})"

    def file(self, name: str) -> str:
        """The path of one of the work directory's own files."""
        return f"{self.path}/{name}"

    def metadir(self, job: int) -> str:
        """The path of a job's folder."""
        return f"{self.path}/{job}"

    def exists(self) -> bool:
        """Whether there is such a directory."""
        return os.path.isdir(self.path)

    def create(self) -> None:
        """Make the directory and its inbox (0700) where missing; raises WorkDirError."""
        try:
            os.makedirs(self.path, mode=0o700, exist_ok=True)
            os.makedirs(self.file(INBOX), mode=0o700, exist_ok=True)
        except OSError as error:
            raise WorkDirError(f"cannot use the work directory {self.path}: {error.strerror}") from error

    def ids(self) -> list[int]:
        """The ids of all jobs that have a folder, in no order. Raises OSError."""
        return [int(name) for name in os.listdir(self.path) if name.isascii() and name.isdigit()]

    def mtime_ns(self, job: int) -> int:
        """When an entry of the job's folder was last made, renamed or removed; 0 if the folder is gone."""
        try:
            return os.stat(self.metadir(job)).st_mtime_ns
        except FileNotFoundError:
            return 0

    def far_name(self) -> str:
        """What this work directory is called on other machines, which it keeps wherever it is moved to.

        Made when it is asked for first, so only engines ask. Raises OSError.
        """
        path = self.file(FAR_NAME)
        try:
            with open(path, encoding="ascii") as file:
                name = file.read().strip()
        except FileNotFoundError:
            name = ""
        if not re.fullmatch(r"[A-Za-z0-9_-]{8,80}", name):
            own = re.sub(r"[^A-Za-z0-9_-]", "", os.path.basename(self.path))[:40]
            name = f"{own or 'jobs'}-{os.urandom(6).hex()}"
            metadir.write_atomic(path, name.encode("ascii") + b"\n")
        return name

    # -- new jobs

    def add(self, specs: Sequence[JobSpec]) -> list[int]:
        """Make one job of each spec and return their ids, in order. The engine is not told yet.

        An array task without an array id gets the first of these. All or nothing: where one folder cannot be
        written (OSError), those already made are removed.
        """
        number = self._next_id()
        made: list[int] = []
        try:
            for spec in specs:
                number = self._reserve(number)
                made.append(number)
                if spec.array is not None and not spec.array.array:
                    spec = msgspec.structs.replace(spec, array=ArrayTask(made[0], spec.array.index))
                metadir.write_fact(self.metadir(number), metadir.SPEC, spec)
                number += 1
        except OSError:
            import shutil

            for job in made:
                shutil.rmtree(self.metadir(job), ignore_errors=True)
            raise
        return made

    def adopt(self, spec: JobSpec, fill: Callable[[str], None]) -> int:
        """Make a job whose folder ``fill`` puts everything else into, before it becomes one; returns its id.

        Nothing is left of it where that cannot be written (OSError).
        """
        job = self._reserve(self._next_id())
        try:
            fill(self.metadir(job))
            metadir.write_fact(self.metadir(job), metadir.SPEC, spec)
        except OSError:
            import shutil

            shutil.rmtree(self.metadir(job), ignore_errors=True)
            raise
        return job

    def _reserve(self, number: int) -> int:
        while True:
            try:
                os.mkdir(self.metadir(number), 0o700)
                return number
            except FileExistsError:
                number += 1

    def _next_id(self) -> int:
        return max(self._kept_highest(), max(self.ids(), default=0)) + 1

    def _kept_highest(self) -> int:
        """The highest id ever given, as far as it had to be written down."""
        try:
            with open(self.file(HIGHEST), encoding="ascii") as file:
                return int(file.read())
        except (OSError, ValueError):
            return 0

    def remove(self, job: int) -> None:
        """Remove a job's folder for good; its id is never given again. Raises OSError."""
        if self._kept_highest() < job:
            metadir.write_atomic(self.file(HIGHEST), b"%d\n" % (self._next_id() - 1))
        import shutil

        # Renamed first: nobody ever sees half a job.
        trash = self.file(f".removed-{job}-{os.urandom(4).hex()}")
        os.rename(self.metadir(job), trash)
        shutil.rmtree(trash, ignore_errors=True)

    # -- environments

    def keep_environment(self, environment: Mapping[str, str]) -> str:
        """Store an environment once and return its name. Raises OSError."""
        kept = {
            name: value
            for name, value in environment.items()
            if name not in _NOT_KEPT and not name.startswith("JOBTUI_")
        }
        text = json.dumps(kept, sort_keys=True).encode("ascii")
        import hashlib

        reference = hashlib.sha256(text).hexdigest()[:24]
        folder = self.file(ENVIRONMENTS)
        if not os.path.exists(f"{folder}/{reference}.json"):
            os.makedirs(folder, mode=0o700, exist_ok=True)
            metadir.write_atomic(f"{folder}/{reference}.json", text + b"\n")
        return reference

    def environment(self, reference: str) -> dict[str, str]:
        """The environment stored under a name. Raises OSError or ValueError."""
        with open(f"{self.file(ENVIRONMENTS)}/{reference}.json", "rb") as file:
            return json.loads(file.read())

    # -- hints from clients to the engine

    def tell(self, hint: Hint) -> str:
        """Leave a hint for the engine and wake it up; returns the hint's path. OSError if it cannot be written."""
        folder = self.file(INBOX)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        path = f"{folder}/{os.urandom(8).hex()}"
        metadir.write_atomic(path, metadir.encode(hint))
        self.wake()
        return path

    def wake(self) -> None:
        """Ring the engine's bell, if one of this machine listens; it looks into the inbox anyway, a second later."""
        try:
            fd = os.open(self.file(WAKE), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return
        try:
            if stat.S_ISFIFO(os.fstat(fd).st_mode):
                with contextlib.suppress(OSError):
                    os.write(fd, b"!")
        finally:
            os.close(fd)

    def hints(self) -> list[tuple[str, Hint]]:
        """The hints not yet taken, each with its path; what cannot be read counts as an empty hint."""
        found: list[tuple[str, Hint]] = []
        try:
            names = os.listdir(self.file(INBOX))
        except FileNotFoundError:
            return found
        for name in names:
            if name.endswith(".tmp"):
                continue
            path = f"{self.file(INBOX)}/{name}"
            try:
                with open(path, "rb") as file:
                    found.append((path, decoder(Hint).decode(file.read())))
            except (FileNotFoundError, IsADirectoryError, PermissionError):
                continue
            except (msgspec.MsgspecError, ValueError):
                found.append((path, Hint()))
        return found


def new_tag() -> str:
    """A name for a job that no other job anywhere has; may be searched for in a scheduler."""
    return "jt" + os.urandom(9).hex()
