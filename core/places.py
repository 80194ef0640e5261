"""The work directories that this person has used: a small file for each, so that a screen can open on all of them."""

from __future__ import annotations

import contextlib
import os
import time

from .metadir import write_atomic

_KEPT = 100
# Seconds: what was used so lately is not written down again.
_LATELY = 600.0


def places_folder() -> str:
    """Where they are remembered: files that hold one path each, and whose time is that of the last use."""
    from platformdirs import user_state_path

    return str(user_state_path("jobtui") / "places")


def remember(path: str) -> None:
    """Note that a work directory is used. Where that cannot be written down nothing happens: it is a convenience."""
    import hashlib

    data = os.fsencode(path)
    folder = places_folder()
    file = f"{folder}/{hashlib.sha256(data).hexdigest()[:24]}"
    with contextlib.suppress(OSError):
        if os.path.exists(file):
            if abs(time.time() - os.stat(file).st_mtime) > _LATELY:
                os.utime(file)
            return
        os.makedirs(folder, mode=0o700, exist_ok=True)
        write_atomic(file, data + b"\n")
        for old in _newest_first(folder)[_KEPT:]:
            os.unlink(old)


def known() -> list[str]:
    """The work directories that were used and are still there, the one used last first. Raises OSError.

    Those that were removed are forgotten; but not where more than they is gone, such as a disk that is not mounted now.
    """
    found: list[str] = []
    for file in _newest_first(places_folder()):
        with contextlib.suppress(FileNotFoundError), open(file, "rb") as opened:
            path = os.fsdecode(opened.read().removesuffix(b"\n"))
            if os.path.isdir(path):
                found.append(path)
            elif os.path.isdir(os.path.dirname(path)):
                with contextlib.suppress(OSError):
                    os.unlink(file)
    return found


def _newest_first(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            files = [(entry.stat().st_mtime, entry.path) for entry in entries if not entry.name.endswith(".tmp")]
    except FileNotFoundError:
        return []
    return [path for _, path in sorted(files, reverse=True)]
