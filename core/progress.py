"""How far running jobs are: what they say themselves in job.progress, or else what the end of their output shows."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence

import msgspec

from . import metadir
from .job import JobRow, State
from .workdir import WorkDir

# Bytes of the end of an output that are looked at.
_TAIL = 4096
# Files that are remembered, and jobs whose outputs are read for one list.
_REMEMBERED = 2000
_READ_AT_ONCE = 200
_RUNNING = frozenset({State.RUNNING, State.SUSPENDED, State.CANCELLING})


class _Seen(msgspec.Struct):
    """What a file said when it had this signature; ``fell``: at some time it said more than after that."""

    signature: tuple[int, int, int]
    share: float | None
    highest: float = 0.0
    fell: bool = False


class ProgressReader:
    """Tells how far running jobs are. Files that have not changed since the last time are not read again."""

    def __init__(self, workdir: WorkDir) -> None:
        """Begin with nothing read."""
        self._workdir = workdir
        self._seen: dict[str, _Seen] = {}

    def of(self, jobs: Iterable[int]) -> dict[int, float]:
        """The share done, 0 to 1, of those of these jobs that show it."""
        if len(self._seen) > _REMEMBERED:
            self._seen.clear()
        shares = ((job, self._share(self._workdir.metadir(job))) for job in jobs)
        return {job: share for job, share in shares if share is not None}

    def _share(self, folder: str) -> float | None:
        own = self._read(f"{folder}/{metadir.PROGRESS}", lambda _status: metadir.read_progress(folder))
        if own is not None and own.share is not None:
            return own.share
        for name in (metadir.STDOUT, metadir.STDERR):
            path = f"{folder}/{name}"
            seen = self._read(path, lambda status, path=path: _share_at_end(path, status.st_size))
            if seen is not None and seen.share is not None and not seen.fell:
                return seen.share
        return None

    def _read(self, path: str, read: Callable[[os.stat_result], float | None]) -> _Seen | None:
        """What a file says now, or said when it was as it is now; None if there is no such file."""
        try:
            status = os.stat(path)
        except OSError:
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        signature = (status.st_ino, status.st_size, status.st_mtime_ns)
        before = self._seen.get(path)
        if before is not None and before.signature == signature:
            return before
        from .progresstext import BACKWARDS

        seen = self._seen[path] = _Seen(signature, read(status))
        if before is not None and before.signature[0] == status.st_ino and before.signature[1] <= status.st_size:
            seen.highest = before.highest
            seen.fell = before.fell or (seen.share is not None and seen.share < before.highest - BACKWARDS)
        seen.highest = max(seen.highest, seen.share or 0.0)
        return seen


def _share_at_end(path: str, size: int) -> float | None:
    # Its patterns take longer to compile than a screen may take to open.
    from .progresstext import share_in

    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        data = os.pread(fd, _TAIL, max(0, size - _TAIL))
    finally:
        os.close(fd)
    return share_in(data.decode("utf-8", "replace"), whole=size <= _TAIL)


def with_progress(rows: Sequence[JobRow], reader: ProgressReader) -> list[JobRow]:
    """These rows, those of running jobs with the progress that they show now."""
    running = [row.id for row in rows if row.state in _RUNNING]
    shares = reader.of(running[:_READ_AT_ONCE])
    return [msgspec.structs.replace(row, progress=shares.get(row.id)) if row.state in _RUNNING else row for row in rows]
