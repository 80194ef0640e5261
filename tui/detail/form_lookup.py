"""What the submit form has to look up while one types: whether a directory and the jobs waited for are there."""

from __future__ import annotations

import os
from dataclasses import dataclass

import anyio.to_thread

from ...core.manager import JobManager
from ..celltext import short_path, words_of


@dataclass(frozen=True)
class Asked:
    """A directory ("": none), jobs, and the number of the work directory that they are to be in."""

    cwd: str
    jobs: tuple[int, ...]
    place: int


async def look_up(asked: Asked, manager: JobManager) -> dict[str, str]:
    """What is not there: field of the form -> words. ``manager`` is that of the work directory."""
    errors: dict[str, str] = {}
    if asked.cwd and not await anyio.to_thread.run_sync(os.path.isdir, os.path.expanduser(asked.cwd)):
        errors["cwd"] = f"there is no directory {asked.cwd}"
    if asked.jobs:
        try:
            rows = await manager.select(",".join(map(str, asked.jobs)))
        except OSError as error:
            errors["after"] = words_of(error)
        else:
            missing = sorted(set(asked.jobs) - {row.id for row in rows})
            if missing:
                errors["after"] = f"there is no job {missing[0]} in {short_path(manager.workdir.path)}"
    return errors
