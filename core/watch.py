"""Tells when files may have changed: by the kernel's events where they come, else by looking, ever less often."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

import anyio
import anyio.to_thread

from .identity import FileSystem, file_system
from .settings import file_settings

# Seconds: a first look soon after a change, then ever less often. Each look at a shared file system asks its server.
_FIRST_LOOK = 0.02
_LAST_LOOK = 0.5
_LAST_LOOK_SHARED = 1.0

# For watchfiles; milliseconds. A watcher that asks itself every 10 takes 0.5 % of a core while nothing happens.
_OPTIONS: dict[str, Any] = {
    "watch_filter": None,
    "debounce": 50,
    "step": 50,
    "yield_on_timeout": True,
    "recursive": False,
}
# "OS file watch limit reached" is a plain OSError, too many inotify instances a RuntimeError of watchfiles.
_REFUSALS = (OSError, RuntimeError)


class Watching(NamedTuple):
    """How the files in a place are followed: by ``events`` or by looking; ``told``: because the person set it so."""

    where: FileSystem
    events: bool
    told: bool


def watching(path: str) -> Watching:
    """How files below ``path`` are followed: as the person set it, else by what kind of file system it is."""
    where, wanted = file_system(path), file_settings()[0].watch
    return Watching(where, where.local if wanted == "auto" else wanted == "events", wanted != "auto")


def gives_events(folder: str) -> bool:
    """Whether this machine has events left for one more watcher of ``folder``: their number is limited."""
    from watchfiles import watch  # pyright: ignore[reportUnknownVariableType]

    try:
        with contextlib.closing(watch(folder, rust_timeout=1, **_OPTIONS)) as looks:
            next(looks)
    except _REFUSALS:
        return False
    return True


async def changes_in(paths: Sequence[str], heartbeat: float) -> AsyncIterator[None]:
    """Yield whenever one of the files or folders ``paths`` may have changed, and about every ``heartbeat`` seconds.

    More may have changed than these: the caller looks. A path that is not there (any more) ends nothing. Close the
    iterator when done.
    """
    folders, places = await anyio.to_thread.run_sync(_places, paths)
    if all(place.events for place in places):
        async for _ in _events(folders, heartbeat):
            yield
    last = _LAST_LOOK if all(place.where.local for place in places) else _LAST_LOOK_SHARED
    async for _ in _looks(paths, heartbeat, last):
        yield


def _places(paths: Sequence[str]) -> tuple[list[str], list[Watching]]:
    folders = sorted({path if os.path.isdir(path) else os.path.dirname(path) for path in paths})
    return folders, list(map(watching, folders))


async def _events(folders: Sequence[str], heartbeat: float) -> AsyncIterator[None]:
    """Yield on inotify events; ends when the machine gives us none (its limits are used up, or a folder is gone)."""
    # Importing it takes longer than an answer to a key may.
    await anyio.to_thread.run_sync(importlib.import_module, "watchfiles")
    from watchfiles import awatch  # pyright: ignore[reportUnknownVariableType]

    try:
        async for _ in awatch(*folders, rust_timeout=max(1, int(heartbeat * 1000)), **_OPTIONS):
            yield
            if not all(map(os.path.exists, folders)):
                return
    except _REFUSALS:
        return


async def _looks(paths: Sequence[str], heartbeat: float, last: float) -> AsyncIterator[None]:
    """Yield when a look shows a change. Between two looks there are up to ``last`` seconds."""
    seen, pause, waited = await anyio.to_thread.run_sync(_signatures, paths), _FIRST_LOOK, 0.0
    while True:
        await anyio.sleep(pause)
        waited += pause
        now = await anyio.to_thread.run_sync(_signatures, paths)
        if now != seen or waited >= heartbeat:
            pause = _FIRST_LOOK if now != seen else pause
            seen, waited = now, 0.0
            yield
        pause = min(pause * 1.3, last)


def _signatures(paths: Sequence[str]) -> list[tuple[int, int, int] | None]:
    return list(map(_signature, paths))


def _signature(path: str) -> tuple[int, int, int] | None:
    """What changes with a file or folder; None where there is none.

    It is opened for that: NFS asks its server again whenever something is opened (nfs(5), close-to-open consistency),
    while the answer to a bare ``stat`` may be a minute old.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return _unopened(path)
    try:
        return _of(os.fstat(fd))
    except OSError:
        # Replaced by another machine just now (ESTALE).
        return None
    finally:
        os.close(fd)


def _unopened(path: str) -> tuple[int, int, int] | None:
    try:
        return _of(os.stat(path))
    except OSError:
        return None


def _of(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_mtime_ns, status.st_size
