"""The back ends that an engine uses: opened when the first job needs them, with a lane for each that is polled."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial

from anyio.abc import TaskGroup

from .backend import Backend, BackendMissingError, Hint, Surroundings, load, split
from .lane import Answered, Lane, Ring
from .links import LinkKeeper
from .roster import Roster
from .workdir import LOG, WorkDir

_log = logging.getLogger("jobtui.engine")

_ENVIRONMENTS_KEPT = 16


class Fleet:
    """The open back ends and lanes of one engine."""

    def __init__(
        self,
        workdir: WorkDir,
        roster: Roster,
        tasks: TaskGroup,
        stack: AsyncExitStack,
        hint: Hint,
        ring: Ring,
        answered: Answered,
    ) -> None:
        """Open nothing yet. Lanes run in ``tasks``, and ``stack`` closes the back ends.

        ``hint`` marks a job, ``ring`` wakes the engine up, and ``answered`` takes answers to submissions.
        """
        self._workdir = workdir
        self._roster = roster
        self._tasks = tasks
        self._stack = stack
        self._hint = hint
        self._ring = ring
        self._answered = answered
        self._backends: dict[str, Backend] = {}
        self._environments: dict[str, dict[str, str]] = {}
        self._watched: frozenset[str] = frozenset()
        self._queues: frozenset[str] = frozenset()
        self.lanes: dict[str, Lane] = {}
        # Told the names of back ends whose machines answer again.
        self.when_back: list[Callable[[str], object]] = []

    async def for_job(self, name: str, env_ref: str | None = None) -> Backend | None:
        """The back end of that name, ready for use; None (logged) where it is not installed.

        ``env_ref``: the environment of a job for it, in which its commands will run.
        """
        return self._backends.get(name) or await self._open(name, self.environment(env_ref))

    async def for_asking(self, name: str, env: Mapping[str, str]) -> Backend | None:
        """The same for a client's questions: ``env`` is the client's environment, empty for that of this engine."""
        return await self._open(name, env or self.environment(None))

    async def watch(self, wanted: Mapping[str, Mapping[str, str]], queues: frozenset[str]) -> None:
        """Have these back ends asked also while no job needs it, in these environments, and no others.

        ``queues``: those whose queues and nodes are to be asked for too.
        """
        self._watched, self._queues = frozenset(wanted), queues
        for name, env in wanted.items():
            await self.for_asking(name, env)
        for name, lane in self.lanes.items():
            self._tell(name, lane)

    def _tell(self, name: str, lane: Lane) -> None:
        lane.watch(name in self._watched)
        lane.queues.watch(name in self._queues)

    async def _open(self, name: str, env: Mapping[str, str]) -> Backend | None:
        """The back end of that name, whose commands run in the environment ``env`` unless it is in use already."""
        if name not in self._backends:
            try:
                kind = load(name)
            except BackendMissingError as error:
                _log.error("%s", error)
                return None
            link = LinkKeeper(self._workdir, name, partial(self._is_back, name))
            host = split(name)[1]
            key = self._workdir.far_name() if host else ""
            surroundings = Surroundings(env, self._hint, self._workdir.file(LOG), host, link.heard, key)
            backend = self._backends[name] = await self._stack.enter_async_context(kind(surroundings))
            if backend.polled:
                lane = self.lanes[name] = Lane(name, backend, self._workdir, self._roster, self._answered, self._ring)
                lane.start(self._tasks)
                self._tell(name, lane)
        return self._backends[name]

    def _is_back(self, name: str) -> None:
        """A machine answers again: ask soon for what was missed."""
        if name in self.lanes:
            self.lanes[name].link_is_back()
        for tell in self.when_back:
            tell(name)

    def get(self, name: str) -> Backend | None:
        """The back end of that name, if it is open."""
        return self._backends.get(name)

    def environment(self, reference: str | None) -> dict[str, str]:
        """The environment that a job asked for, that of this engine where it did not."""
        if reference is None:
            return {name: value for name, value in os.environ.items() if not name.startswith("JOBTUI_")}
        if reference not in self._environments:
            if len(self._environments) >= _ENVIRONMENTS_KEPT:
                self._environments.clear()
            self._environments[reference] = self._workdir.environment(reference)
        return self._environments[reference]
