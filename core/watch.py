"""Tells when files may have changed: by the kernel's events where they come, else by looking, ever less often."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence

import anyio

from .identity import file_system

# Seconds: a first look soon after a change, then less and less often.
_FIRST_LOOK = 0.02
_LAST_LOOK = 0.5


async def changes_in(paths: Sequence[str], heartbeat: float) -> AsyncIterator[None]:
    """Yield whenever something at or directly in ``paths`` may have changed, and every ``heartbeat`` seconds.

    A path that is not there (any more) ends nothing: the next look tells. Close the iterator when done.
    """
    if all(file_system(path).local for path in paths):
        async for _ in _events(paths, heartbeat):
            yield
    async for _ in _looks(paths, heartbeat):
        yield


async def _events(paths: Sequence[str], heartbeat: float) -> AsyncIterator[None]:
    """Yield on inotify events; ends when the machine gives us none (its limits are used up, or a path is gone)."""
    from watchfiles import awatch  # pyright: ignore[reportUnknownVariableType]

    milliseconds = max(1, int(heartbeat * 1000))
    try:
        async for _ in awatch(
            *paths,
            watch_filter=None,
            debounce=50,
            step=10,
            rust_timeout=milliseconds,
            yield_on_timeout=True,
            recursive=False,
        ):
            yield
            if not all(map(os.path.exists, paths)):
                return
    except (OSError, RuntimeError):
        # "OS file watch limit reached" is a plain OSError, too many inotify instances a RuntimeError of watchfiles.
        return


async def _looks(paths: Sequence[str], heartbeat: float) -> AsyncIterator[None]:
    seen, pause, waited = _signature(paths), _FIRST_LOOK, 0.0
    while True:
        await anyio.sleep(pause)
        waited += pause
        now = _signature(paths)
        if now != seen or waited >= heartbeat:
            pause = _FIRST_LOOK if now != seen else pause
            seen, waited = now, 0.0
            yield
        pause = min(pause * 1.3, _LAST_LOOK, heartbeat)


def _signature(paths: Sequence[str]) -> list[object]:
    """Times and sizes of the paths, and of the plain files directly in the folders among them."""
    found: list[object] = []
    for path in paths:
        try:
            status = os.stat(path)
            found.append((status.st_mtime_ns, status.st_size))
            if os.path.isdir(path):
                with os.scandir(path) as entries:
                    files = [entry for entry in entries if not entry.name.isdigit() and entry.is_file()]
                    found += [(e.name, s.st_mtime_ns, s.st_size) for e in files for s in [e.stat()]]
        except OSError:
            found.append(None)
    return found
