"""Tells when files may have changed: by the kernel's events where they come, else by looking, ever less often."""

from __future__ import annotations

import importlib
import os
from collections.abc import AsyncIterator, Sequence

import anyio
import anyio.to_thread

from .identity import file_system

# Seconds: a first look soon after a change, then less and less often.
_FIRST_LOOK = 0.02
_LAST_LOOK = 0.5


async def changes_in(paths: Sequence[str], heartbeat: float) -> AsyncIterator[None]:
    """Yield whenever one of the files or folders ``paths`` may have changed, and every ``heartbeat`` seconds.

    More may have changed than these: the caller looks. A path that is not there (any more) ends nothing. Close the
    iterator when done.
    """
    folders = sorted({path if os.path.isdir(path) else os.path.dirname(path) for path in paths})
    if all(file_system(folder).local for folder in folders):
        async for _ in _events(folders, heartbeat):
            yield
    async for _ in _looks(paths, heartbeat):
        yield


async def _events(folders: Sequence[str], heartbeat: float) -> AsyncIterator[None]:
    """Yield on inotify events; ends when the machine gives us none (its limits are used up, or a folder is gone)."""
    # Importing it takes longer than an answer to a key may.
    await anyio.to_thread.run_sync(importlib.import_module, "watchfiles")
    from watchfiles import awatch  # pyright: ignore[reportUnknownVariableType]

    milliseconds = max(1, int(heartbeat * 1000))
    try:
        async for _ in awatch(
            *folders,
            watch_filter=None,
            debounce=50,
            step=10,
            rust_timeout=milliseconds,
            yield_on_timeout=True,
            recursive=False,
        ):
            yield
            if not all(map(os.path.exists, folders)):
                return
    except (OSError, RuntimeError):
        # "OS file watch limit reached" is a plain OSError, too many inotify instances a RuntimeError of watchfiles.
        return


async def _looks(paths: Sequence[str], heartbeat: float) -> AsyncIterator[None]:
    seen, pause, waited = list(map(_signature, paths)), _FIRST_LOOK, 0.0
    while True:
        await anyio.sleep(pause)
        waited += pause
        now = list(map(_signature, paths))
        if now != seen or waited >= heartbeat:
            pause = _FIRST_LOOK if now != seen else pause
            seen, waited = now, 0.0
            yield
        pause = min(pause * 1.3, _LAST_LOOK, heartbeat)


def _signature(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
