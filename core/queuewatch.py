"""Asks a scheduler for its queues and nodes, and writes down what it tells, for as long as somebody looks at them."""

from __future__ import annotations

import logging
import random
import time

import anyio
import msgspec

from .backend import Backend
from .queues import Capacity
from .seen import QueuesReader, SeenQueues, keep_queues
from .workdir import WorkDir

_log = logging.getLogger("jobtui.engine")

# Seconds between two questions at least, and between two that were not answered at most.
_PAUSE, _LONGEST_PAUSE = 30.0, 600.0


class QueueWatch:
    """Asks one scheduler. Everything here runs in the engine's event loop."""

    def __init__(self, name: str, backend: Backend, workdir: WorkDir) -> None:
        """Ask ``backend``, which jobs call ``name``, for those who look at ``workdir``; at first nobody does."""
        self._name = name
        self._backend = backend
        self._workdir = workdir
        self._watched = anyio.Event()
        self._known: SeenQueues | None = None

    def watch(self, on: bool) -> None:
        """Somebody looks, or nobody does any more."""
        if on:
            self._watched.set()
        elif self._watched.is_set():
            self._watched = anyio.Event()

    async def run(self) -> None:
        """Ask while somebody looks, for ever."""
        failures = 0
        while True:
            await self._watched.wait()
            failures = 0 if await self._ask() else failures + 1
            await anyio.sleep(min(_LONGEST_PAUSE, _PAUSE * 2.0**failures) * random.uniform(1.0, 1.1))

    async def _ask(self) -> bool:
        """Ask once; whether that was answered."""
        try:
            capacity, words = await self._backend.capacity(), (await self._backend.probe()).words
        except Exception:  # noqa: BLE001 logged with its traceback; what is known stays, with its age
            _log.exception("a bug in asking %s for its queues", self._name)
            capacity, words = Capacity(trouble="a bug in jobtui; see engine.log"), ""
        try:
            self._keep(capacity, words)
        except OSError as error:
            _log.warning("cannot save what %s told of its queues: %s", self._name, error)
        return not capacity.trouble

    def _keep(self, capacity: Capacity, words: str) -> None:
        """Write down what was told; where nothing was, what is known already stays, with its age."""
        now = time.time()
        if capacity.queues or capacity.nodes or not capacity.trouble:
            self._known = SeenQueues(self._name, words, now, now, capacity.trouble, capacity)
        else:
            stored = (seen for seen in QueuesReader(self._workdir).read() if seen.backend == self._name)
            known = self._known or next(stored, None)
            known = known or SeenQueues(self._name, words, 0.0, now)
            self._known = msgspec.structs.replace(known, tried=now, trouble=capacity.trouble)
        keep_queues(self._workdir, self._known)
