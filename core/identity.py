"""Who runs where: this host and boot, and processes that cannot be confused with a later one of the same pid."""

from __future__ import annotations

import functools
import os
import re
import time
from typing import NamedTuple

from .job import Process

# Position of "starttime" (field 22 in proc(5)) among the fields that follow the command name.
_START_FIELD = 19


@functools.cache
def this_host() -> str:
    """The name of this machine, as its kernel says it (what the job script records)."""
    return os.uname().nodename


@functools.cache
def this_boot() -> str:
    """An id that is new at every start of this machine (``/proc/sys/kernel/random/boot_id``); "" if unknown."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def uptime() -> float:
    """Seconds since this machine was started: a clock that nobody can set back."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _stat_fields(pid: int) -> list[str] | None:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return None
    # The command name may hold blanks and brackets: only the last bracket ends it (proc(5)).
    return text[text.rfind(")") + 2 :].split()


def start_ticks(pid: int) -> int | None:
    """When process ``pid`` was started, in kernel ticks since boot; None if there is no such living process.

    A zombie counts as dead: it runs nothing any more.
    """
    fields = _stat_fields(pid)
    if fields is None or fields[0] in "ZX":
        return None
    return int(fields[_START_FIELD])


def is_alive(process: Process) -> bool:
    """Whether this very process, and not a later one with its pid, is alive."""
    return start_ticks(process.pid) == process.ticks


def is_stopped(process: Process) -> bool:
    """Whether this very process was stopped by a signal (STOP, TSTP ...) and has not been told to go on."""
    fields = _stat_fields(process.pid)
    return fields is not None and fields[0] == "T" and int(fields[_START_FIELD]) == process.ticks


def myself() -> Process:
    """The identity of the calling process."""
    return Process(os.getpid(), start_ticks(os.getpid()) or 0)


def members(sids: frozenset[int], marker: bytes) -> list[Process]:
    """The living processes of the sessions ``sids``, or with ``marker`` in their environment.

    ``marker`` is a whole entry such as ``b"JOBTUI_TAG=x"``: it finds children that went into a session of
    their own. Processes of other people, whose environment cannot be read, are left out.
    """
    found: list[Process] = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        pid = int(name)
        fields = _stat_fields(pid)
        if fields is None or fields[0] in "ZX":
            continue
        if int(fields[3]) in sids or _has_marker(pid, marker):
            found.append(Process(pid, int(fields[_START_FIELD])))
    return found


def _has_marker(pid: int, marker: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return marker in file.read().split(b"\0")
    except OSError:
        return False


class FileSystem(NamedTuple):
    """What kind of file system holds a path; ``local``: only this machine writes to it, so its events are seen."""

    kind: str
    local: bool

    @property
    def late(self) -> float:
        """Seconds after which a file that is opened shows what another machine wrote to it."""
        # sshfs(1), dcache_timeout: 20. SMB and FUSE believe an answer for one second where nothing else was set.
        return 0.0 if self.local else 21.0 if self.kind == "fuse.sshfs" else 3.0


_LOCAL = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "tmpfs", "ramfs", "overlay", "bcachefs"})


def file_system(path: str) -> FileSystem:
    """The file system of ``path``, from ``/proc/self/mountinfo`` (proc(5)); unknown ones count as not local."""
    real = os.path.realpath(path)
    best, kind = "", "unknown"
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                left, _, right = line.partition(" - ")
                mount = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), left.split(" ")[4])
                inside = real == mount or real.startswith(mount.rstrip("/") + "/")
                if inside and len(mount) >= len(best):
                    best, kind = mount, right.split(" ", 1)[0]
    except (OSError, IndexError):
        return FileSystem("unknown", False)
    return FileSystem(kind, kind in _LOCAL)
