"""Orders to a scheduler: collected for a moment, given in bulk, and given again, ever later, while they are refused."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Literal

import anyio
import msgspec

from .backend import Backend, Handle, Verb

_log = logging.getLogger("jobtui.engine")

# Seconds.
_GATHER = 0.05
_AGAIN, _AGAIN_MOST = 5.0, 300.0

Told = Callable[[Iterable[int]], None]
# What is ordered, and for "signal" which one.
Once = tuple[Literal["signal", "suspend", "resume"], str]


class _Order(msgspec.Struct):
    handle: Handle
    verb: Verb | Literal["cancel"]
    grace: float = 0.0
    due: float = 0.0
    refused: int = 0
    words: str = ""


class Orders:
    """The orders to one scheduler that stand; a job's newest order replaces the one before."""

    def __init__(self, backend: Backend, told: Told) -> None:
        """Give orders to ``backend``; ``told(jobs)`` is called when an order to these jobs was given or refused."""
        self._backend = backend
        self._told = told
        self._standing: dict[int, _Order] = {}
        self._once: list[tuple[Once, Handle]] = []
        # What was refused of the orders that are given a single time.
        self._refused: dict[int, str] = {}
        self._bell = anyio.Event()

    def cancel(self, handle: Handle, grace: float) -> None:
        """Stop a job; KILL after ``grace`` seconds."""
        self._refused.pop(handle.job, None)
        self._standing[handle.job] = _Order(handle, "cancel", grace)
        self._bell.set()

    def give(self, verb: Verb, handle: Handle) -> None:
        """Give an order that the scheduler can carry out."""
        self._refused.pop(handle.job, None)
        self._standing[handle.job] = _Order(handle, verb)
        self._bell.set()

    def once(self, order: Once, handle: Handle) -> None:
        """Give an order a single time, whatever becomes of it: one that comes twice may do harm."""
        self._refused.pop(handle.job, None)
        self._once.append((order, handle))
        self._bell.set()

    def refusal(self, job: int) -> str:
        """Why the newest order for this job was refused so far, in the scheduler's words; "" if it was not."""
        order = self._standing.get(job)
        if order is not None and order.words:
            return f"could not {order.verb} it: {order.words}"
        return self._refused.get(job, "")

    async def run(self) -> None:
        """Give what is due until cancelled."""
        while True:
            self._bell = anyio.Event()
            now = time.monotonic()
            due = [order for order in self._standing.values() if order.due <= now]
            if due or self._once:
                await anyio.sleep(_GATHER)
                await self._give_once()
                await self._give([order for order in self._standing.values() if order.due <= time.monotonic()])
                continue
            first = min((order.due for order in self._standing.values()), default=float("inf"))
            with anyio.move_on_after(first - now):
                await self._bell.wait()

    async def _give_once(self) -> None:
        groups: defaultdict[Once, list[Handle]] = defaultdict(list)
        for order, handle in self._once:
            groups[order].append(handle)
        self._once = []
        for (verb, name), handles in groups.items():
            try:
                if verb == "signal":
                    refused = await self._backend.signal(handles, name)
                else:
                    refused = await self._backend.order(verb, handles)
            except Exception:  # noqa: BLE001 logged with its traceback
                _log.exception("a bug in the back end %s", self._backend.name)
                refused = {}
            for job, words in refused.items():
                what = f"send {name} to" if verb == "signal" else verb
                self._refused[job] = f"could not {what} it: {words}"
                _log.error("job %d: %s refuses to %s it: %s", job, self._backend.name, what, words)
            self._told([handle.job for handle in handles])

    async def _give(self, orders: list[_Order]) -> None:
        groups: defaultdict[tuple[Verb | Literal["cancel"], float], list[_Order]] = defaultdict(list)
        for order in orders:
            groups[order.verb, order.grace].append(order)
        for (verb, grace), some in groups.items():
            handles = [order.handle for order in some]
            try:
                if verb == "cancel":
                    refused = await self._backend.cancel(handles, grace)
                else:
                    refused = await self._backend.order(verb, handles)
            except Exception:  # noqa: BLE001 logged with its traceback; the orders are given again later
                _log.exception("a bug in the back end %s", self._backend.name)
                refused = {handle.job: "a bug in jobtui; see engine.log" for handle in handles}
            self._note(some, refused)

    def _note(self, orders: list[_Order], refused: dict[int, str]) -> None:
        for order in orders:
            job = order.handle.job
            if self._standing.get(job) is not order:
                continue
            words = refused.get(job)
            if words is None:
                del self._standing[job]
                continue
            order.words = words
            order.due = time.monotonic() + min(_AGAIN_MOST, _AGAIN * 2.0 ** min(order.refused, 10))
            order.refused += 1
            _log.warning("job %d: %s refuses to %s it: %s", job, self._backend.name, order.verb, words)
        self._told([order.handle.job for order in orders])

    def drop(self, job: int) -> None:
        """The job has ended: nothing is to be ordered any more."""
        self._standing.pop(job, None)
        self._refused.pop(job, None)
