"""What clients are looking at: each keeps a small file in the work directory for as long as it looks.

The engine asks schedulers for the sake of those who look, also where it has no jobs of its own, and stays meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping

import msgspec

from . import metadir
from .workdir import WorkDir

_FOLDER = "wants"
# Seconds: how often a client says that it still looks, and after how many it is taken for gone.
RENEWAL, STALE = 10.0, 30.0
# Seconds between two looks of the engine at the times of the files: a renewal changes no folder.
_LOOK = 2.0


class LogWant(msgspec.Struct, frozen=True, omit_defaults=True):
    """A log that somebody reads: a job's ``stream`` ("stdout", "stderr"), of which attempt.

    ``whole``: also its beginning, where that is not here; its end is fetched in any case.
    """

    job: int
    stream: str
    attempt: int
    whole: bool = False


class Want(msgspec.Struct, frozen=True, omit_defaults=True):
    """``wants/<name>``: what one client looks at.

    ``schedulers``: the back ends whose jobs it shows; ``queues``: those whose queues it shows; ``logs``: what it
    reads. ``env``: the client's environment, in which its schedulers are asked where no job of the work directory says
    in which; empty for the engine's own.
    """

    schedulers: tuple[str, ...] = ()
    logs: tuple[LogWant, ...] = ()
    queues: tuple[str, ...] = ()
    env: Mapping[str, str] = {}


class Looking:
    """A client's side: its file, for as long as it looks. Every call is quick, but does file operations."""

    def __init__(self, workdir: WorkDir) -> None:
        """Look at nothing yet; this touches nothing on disk."""
        self._workdir = workdir
        self._name = f"{os.uname().nodename}-{os.getpid()}-{os.urandom(4).hex()}"
        self._want = Want()
        self._said = 0.0

    @property
    def _path(self) -> str:
        return self._workdir.file(f"{_FOLDER}/{self._name}")

    def at(self, want: Want) -> None:
        """Say what is looked at from now on, and again so that it goes on to hold. Nothing: as ``close``.

        Raises WorkDirError or OSError where the work directory cannot be written; the client then sees no more than
        is known anyway.
        """
        if want == self._want:
            if time.monotonic() - self._said >= RENEWAL:
                self.renew()
            return
        if want == Want():
            self.close()
            return
        self._want = want
        self._write()

    def _write(self) -> None:
        self._said = time.monotonic()
        self._workdir.create()
        os.makedirs(self._workdir.file(_FOLDER), mode=0o700, exist_ok=True)
        metadir.write_atomic(self._path, metadir.encode(self._want))
        self._workdir.wake()

    def renew(self) -> None:
        """Say that it is still looked at. Raises as ``at``."""
        if self._want == Want():
            return
        self._said = time.monotonic()
        try:
            os.utime(self._path)
        except FileNotFoundError:
            # The engine took us for gone: this process, or the machine, was stopped for a while.
            self._write()

    def close(self) -> None:
        """Look at nothing any more."""
        if self._want == Want():
            return
        self._want = Want()
        with contextlib.suppress(OSError):
            os.unlink(self._path)
        self._workdir.wake()


class Wants:
    """The engine's side: what all clients look at now. ``all`` are the wants of those that are not stale."""

    def __init__(self, workdir: WorkDir) -> None:
        """Know of nobody yet."""
        self._folder = workdir.file(_FOLDER)
        self._found: dict[str, _Found] = {}
        self._changed = 0
        self._looked = float("-inf")
        self.all: tuple[Want, ...] = ()

    @property
    def schedulers(self) -> dict[str, Mapping[str, str]]:
        """The back ends that somebody looks at, each with the environment in which to ask."""
        return {name: want.env for want in self.all for name in (*want.schedulers, *want.queues)}

    @property
    def queues(self) -> frozenset[str]:
        """The back ends whose queues somebody looks at."""
        return frozenset(name for want in self.all for name in want.queues)

    @property
    def logs(self) -> frozenset[LogWant]:
        """The logs that somebody reads."""
        return frozenset(log for want in self.all for log in want.logs)

    def look(self, now: float) -> bool:
        """See what changed, at the time ``now`` of a steady clock; whether anything did."""
        try:
            changed = os.stat(self._folder).st_mtime_ns
        except OSError:
            # Nobody ever looked.
            changed = 0
        if changed == self._changed and now - self._looked < _LOOK:
            return False
        self._changed, self._looked = changed, now
        before, self.all = self.all, self._fresh(now) if changed else ()
        return self.all != before

    def _fresh(self, now: float) -> tuple[Want, ...]:
        seen: dict[str, _Found] = {}
        with contextlib.suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.endswith(".tmp"):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    status = entry.stat()
                    mark = status.st_ino, status.st_mtime_ns
                    found = self._found.get(entry.name)
                    if found is None:
                        # Clocks of machines differ: a file that seems old counts from its next renewal on.
                        late = time.time() - status.st_mtime >= STALE
                        found = _Found(mark, now, late, _read(entry.path))
                    elif found.mark != mark:
                        want = found.want if found.mark[0] == mark[0] else _read(entry.path)
                        found = _Found(mark, now, False, want)
                    seen[entry.name] = found
        self._found = seen
        fresh = [seen[name].want for name in sorted(seen) if not self._is_stale(name, now)]
        return tuple(want for want in fresh if want != Want())

    def _is_stale(self, name: str, now: float) -> bool:
        found = self._found[name]
        if now - found.at >= STALE:
            with contextlib.suppress(OSError):
                os.unlink(f"{self._folder}/{name}")
            return True
        return found.late


class _Found(msgspec.Struct):
    """A client's file: its inode and time, when that changed last on our clock, whether it was old when found."""

    mark: tuple[int, int]
    at: float
    late: bool
    want: Want


def _read(path: str) -> Want:
    try:
        with open(path, "rb") as file:
            return metadir.decode(file.read(), Want)
    except (OSError, msgspec.MsgspecError, ValueError):
        # Written by a newer version, or by nobody who knows how: it wants nothing that we could give.
        return Want()
