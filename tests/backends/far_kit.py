"""A back end for tests whose jobs' files are in another folder: the test says when jobs end, and cuts the link."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from jobtui.backends.farfiles import Part, read_parts
from jobtui.backends.transport import Here
from jobtui.core.backend import (
    Answer,
    Found,
    Handle,
    History,
    Probe,
    Reading,
    Request,
    Snapshot,
    Surroundings,
    Took,
    Verb,
    Wanted,
)
from jobtui.core.verdict import Observation

NAME = "test@far"


class FarSide:
    """The other machine, as a folder: ``JOB.ATTEMPT/job.stdout``, ``JOB.end``, and ``down`` while the link is lost."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def log(self, job: int, attempt: int = 1, stream: str = "stdout") -> Path:
        path = self.folder / f"{job}.{attempt}" / f"job.{stream}"
        path.parent.mkdir(exist_ok=True)
        return path

    def end(self, job: int) -> None:
        (self.folder / f"{job}.end").touch()

    def cut(self, words: str = "no route to host") -> None:
        (self.folder / "down").write_text(words)

    def mend(self) -> None:
        (self.folder / "down").unlink()

    @property
    def trips(self) -> int:
        """How often files were read."""
        return len((self.folder / "trips").read_bytes()) if (self.folder / "trips").exists() else 0


class FarBackend:
    """Takes every job. Its far side is the folder that the environment names."""

    name = "test"
    polled = True
    own_id = ""
    capabilities = frozenset[str]()
    array_limit = 0
    longest_pause = 1.0
    far = None
    slots = 0
    folder = Path()

    def __init__(self, surroundings: Surroundings) -> None:
        self._linked = surroundings.linked

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        pass

    def _trouble(self) -> str:
        down = self.folder / "down"
        trouble = down.read_text() if down.exists() else ""
        self._linked(trouble)
        return trouble

    async def probe(self) -> Probe:
        return Probe(True, "a folder")

    async def submit(self, requests: Sequence[Request]) -> list[Answer]:
        return [Took(f"far-{request.job}") for request in requests]

    async def find(self, handles: Sequence[Handle]) -> Found:
        return Found({}, complete=True)

    async def poll(self, handles: Sequence[Handle]) -> Snapshot:
        trouble = self._trouble()
        if trouble:
            return Snapshot({}, complete=False, at=time.time(), trouble=trouble)
        ended = Observation("gone", outcome="finished", exit_code=0)
        seen = {
            handle.job: ended if (self.folder / f"{handle.job}.end").exists() else Observation("running")
            for handle in handles
        }
        return Snapshot(seen, complete=True, at=time.time())

    async def cancel(self, handles: Sequence[Handle], grace: float) -> dict[int, str]:
        return {}

    async def history(self, handles: Sequence[Handle]) -> History:
        return History({}, complete=True)

    async def order(self, verb: Verb, handles: Sequence[Handle]) -> dict[int, str]:
        return {}

    async def signal(self, handles: Sequence[Handle], name: str) -> dict[int, str]:
        return {}

    async def read(self, wanted: Sequence[Wanted]) -> Reading:
        trouble = self._trouble()
        if trouble:
            return Reading((), trouble)
        with (self.folder / "trips").open("a") as file:
            file.write("x")
        parts = [
            Part(f"{self.folder}/{one.handle.job}.{one.handle.attempt}/{one.name}", one.start, one.most)
            for one in wanted
        ]
        return await read_parts(Here(), {"PATH": os.environ["PATH"]}, parts)
