"""The lease: who drives a work directory, so that exactly one engine does and every client can tell which."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time

import msgspec

from . import metadir
from .identity import is_alive, myself, this_boot, this_host
from .job import Process
from .stale import current
from .workdir import LEASE, LOCK, WorkDir

# How long, in seconds, a lease of another machine may stay unrenewed before it counts as given up.
EXPIRY = 90.0
RENEWAL = 20.0


class Lease(msgspec.Struct, frozen=True):
    """``engine.lease``: the engine's process and host, since when it drives (epoch seconds).

    ``renewed``: when it last said so; the time of the file, filled in by the reader.
    """

    host: str
    boot: str
    process: Process
    since: float
    token: str
    renewed: float = 0.0


class LeaseTakenError(Exception):
    """Another engine drives the work directory; the text names it."""


def read_lease(workdir: WorkDir) -> Lease | None:
    """The lease as it stands on disk, or None where there is none that can be read."""
    try:
        return current(_read, workdir.file(LEASE))
    except (OSError, msgspec.MsgspecError, ValueError):
        return None


def _read(path: str) -> Lease:
    with open(path, "rb") as file:
        lease = metadir.decode(file.read(), Lease)
        return msgspec.structs.replace(lease, renewed=os.fstat(file.fileno()).st_mtime)


def is_held(lease: Lease | None) -> bool:
    """Whether the engine of this lease still drives: by its process on this machine, by its renewals on another."""
    if lease is None:
        return False
    if lease.host == this_host():
        return lease.boot == this_boot() and is_alive(lease.process)
    return time.time() - lease.renewed < EXPIRY


class HeldLease:
    """The right to drive a work directory. Taken by ``take``; kept by calling ``renew`` every RENEWAL seconds."""

    def __init__(self, workdir: WorkDir, fd: int, lease: Lease) -> None:
        """Use ``take``."""
        self._workdir, self._fd, self.lease = workdir, fd, lease

    def renew(self) -> bool:
        """Say that we still drive. False: somebody else took over; stop driving."""
        now = read_lease(self._workdir)
        if now is not None and now.token != self.lease.token:
            return False
        # Touched, not rewritten: needs no room on a full disk, and changes nothing in the directory itself.
        with contextlib.suppress(OSError):
            if now is None:
                metadir.write_fact(self._workdir.path, LEASE, self.lease)
            else:
                os.utime(self._workdir.file(LEASE))
        return True

    def give_up(self) -> None:
        """Stop driving, and say so."""
        now = read_lease(self._workdir)
        if now is not None and now.token == self.lease.token:
            with contextlib.suppress(OSError):
                os.unlink(self._workdir.file(LEASE))
        os.close(self._fd)


def take(workdir: WorkDir) -> HeldLease:
    """Become the engine of a work directory. Raises LeaseTakenError or OSError.

    On one machine the kernel's lock decides, and lets go when its holder dies; across machines, where locks may
    not reach, the renewals of the lease do.
    """
    fd = os.open(workdir.file(LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LeaseTakenError(_whose(read_lease(workdir))) from None
        old = read_lease(workdir)
        if old is not None and old.host != this_host() and is_held(old):
            raise LeaseTakenError(_whose(old))
        lease = Lease(this_host(), this_boot(), myself(), time.time(), os.urandom(8).hex())
        metadir.write_fact(workdir.path, LEASE, lease)
    except BaseException:
        os.close(fd)
        raise
    return HeldLease(workdir, fd, lease)


def _whose(lease: Lease | None) -> str:
    if lease is None:
        return "another engine drives this work directory"
    return f"an engine on {lease.host} (pid {lease.process.pid}) drives this work directory"
