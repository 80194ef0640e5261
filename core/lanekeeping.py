"""A lane's word to clients: what its scheduler said last, saved in the work directory with its time."""

from __future__ import annotations

import logging

from .backend import Backend, Foreign, Snapshot
from .seen import Seen, keep_seen
from .workdir import WorkDir

_log = logging.getLogger("jobtui.engine")


class Keeper:
    """Saves the answers of one scheduler."""

    def __init__(self, backend: Backend, workdir: WorkDir) -> None:
        """Save what ``backend`` says in ``workdir``."""
        self._backend = backend
        self._workdir = workdir
        self._words = ""
        self._answered_at = 0.0

    async def probe(self) -> None:
        """Find out what the scheduler is."""
        probe = await self._backend.probe()
        if probe.usable:
            self._words = probe.words

    async def keep(self, snapshot: Snapshot, marks: set[str]) -> None:
        """Save the answer, so that a screen opened later shows it with its age, and nobody asks a second time.

        ``marks`` are those of the jobs in the lane.
        """
        if snapshot.complete:
            self._answered_at = snapshot.at
        if not self._words and snapshot.complete:
            self._words = (await self._backend.probe()).words
        others = tuple(other for other in snapshot.others if not self._is_ours(other, marks))
        seen = Seen(
            self._backend.name, self._words, self._answered_at, snapshot.at, snapshot.trouble, others, snapshot.mine
        )
        try:
            keep_seen(self._workdir, seen)
        except OSError as error:
            _log.warning("cannot save what %s said: %s", self._backend.name, error)

    def _is_ours(self, other: Foreign, marks: set[str]) -> bool:
        """Whether this is a job of this work directory, or an ended one of another."""
        if self._backend.far is None:
            mine = other.command.startswith(f"{self._workdir.path}/")
        else:
            mine = f"/{self._workdir.far_name()}/" in other.command
        return bool(other.mark) and (mine or other.seen.presence == "gone" or other.mark in marks)
