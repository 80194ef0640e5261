"""The workers that follow the work directories of a screen: they ask the managers and post messages, no more."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass
from typing import cast

import anyio
from textual.message import Message

from ...core.foreign import OLD
from ...core.job import JobRow, State
from ...core.journal import Change
from ...core.manager import JobManager
from ...core.seen import Seen
from ...core.wants import Want
from ..celltext import words_of
from ..ref import Ref
from .linkwords import LinkWords, link_words
from .orders import NO_BUGS

# Seconds between two looks: at the engine, at a work directory that is not there, at the progress of jobs in view, at
# links.
_ENGINE_LOOK = 1.0
_MISSING_LOOK = 1.0
_PROGRESS_LOOK = 2.0
_LINK_LOOK = 1.0
_SCHEDULERS_LOOK = 1.0
# Seconds between two engines that are started to ask schedulers.
_ENGINE_PAUSE = 30.0


@dataclass
class Place:
    """A work directory that the screen shows. ``engine``: who drives it, "" for nobody, None before it is known."""

    index: int
    manager: JobManager
    label: str
    engine: str | None = None
    trouble: str = ""
    links: tuple[LinkWords, ...] = ()
    loaded: bool = False


class Loaded(Message):
    """Jobs as they are when following begins, in portions."""

    def __init__(self, place: int, rows: list[JobRow], *, last: bool) -> None:
        """Carry the rows; ``last``: these were the last ones."""
        super().__init__()
        self.place, self.rows, self.last = place, rows, last


class Changed(Message):
    """Changes of jobs."""

    def __init__(self, place: int, changes: list[Change]) -> None:
        """Carry the changes."""
        super().__init__()
        self.place, self.changes = place, changes


class Trouble(Message):
    """A work directory cannot be read; ``gone``: because it is not there."""

    def __init__(self, place: int, words: str, gone: bool) -> None:
        """Say why."""
        super().__init__()
        self.place, self.words, self.gone = place, words, gone


class EngineSeen(Message):
    """Who drives a work directory, "" for nobody."""

    def __init__(self, place: int, words: str) -> None:
        """Carry the words."""
        super().__init__()
        self.place, self.words = place, words


class LinksSeen(Message):
    """How the links to the machines of a work directory stand; only those that were tried lately."""

    def __init__(self, place: int, links: tuple[LinkWords, ...]) -> None:
        """Carry them."""
        super().__init__()
        self.place, self.links = place, links


class Progressed(Message):
    """How far jobs are, 0 to 1."""

    def __init__(self, progress: dict[Ref, float]) -> None:
        """Carry the shares."""
        super().__init__()
        self.progress = progress


class ForeignSeen(Message):
    """What schedulers said last of all jobs of the person."""

    def __init__(self, place: int, seen: list[Seen]) -> None:
        """Carry it."""
        super().__init__()
        self.place, self.seen = place, seen


class Failed(Message):
    """Something asked of a manager could not be done."""

    def __init__(self, words: str) -> None:
        """Say why."""
        super().__init__()
        self.words = words


Post = Callable[[Message], object]


async def follow_jobs(place: Place, shown: Callable[[], list[int]], post: Post) -> None:
    """Tell of all jobs of a place, the newest first, then of their changes, for ever; ``shown``: what is listed."""
    while True:
        try:
            feed = await place.manager.stream(shown())
            # Generators, whatever the protocol promises: they must be closed in this task.
            async with contextlib.aclosing(cast("AsyncGenerator[list[JobRow]]", feed.load())) as chunks:
                async for rows in chunks:
                    post(Loaded(place.index, rows, last=False))
            post(Loaded(place.index, [], last=True))
            async with contextlib.aclosing(cast("AsyncGenerator[list[Change]]", aiter(feed))) as batches:
                async for changes in batches:
                    post(Changed(place.index, changes))
        except OSError as error:
            gone = isinstance(error, FileNotFoundError) and not place.manager.workdir.exists()
            post(Trouble(place.index, words_of(error), gone))
        await anyio.sleep(_MISSING_LOOK)


async def watch_engine(place: Place, undriven: Callable[[], bool], post: Post) -> None:
    """Tell who drives a place. Where jobs wait and nobody does, start an engine: the first time, and when one died."""
    needed, started = False, False
    while True:
        try:
            lease = await place.manager.engine()
            post(EngineSeen(place.index, "" if lease is None else f"engine {lease.process.pid} on {lease.host}"))
            if lease is not None:
                needed, started = undriven(), False
            elif undriven() and not started:
                started = True
                if needed:
                    post(Failed("the engine has ended while jobs need it; starting another one"))
                if not await place.manager.ensure_engine():
                    post(Failed("no engine drives these jobs, and starting one is switched off: jobtui engine start"))
        except NO_BUGS as error:
            post(Failed(words_of(error)))
        await anyio.sleep(_ENGINE_LOOK)


async def watch_links(place: Place, post: Post) -> None:
    """Tell whether the machines answer on which jobs of a place run."""
    before: tuple[LinkWords, ...] = ()
    while True:
        with contextlib.suppress(FileNotFoundError):
            try:
                links = link_words(await place.manager.links(), time.time())
                if links != before:
                    before = links
                    post(LinksSeen(place.index, links))
            except NO_BUGS as error:
                post(Failed(words_of(error)))
        await anyio.sleep(_LINK_LOOK)


async def watch_schedulers(place: Place, wanted: Callable[[], Iterable[str] | None], post: Post) -> None:
    """Have the engine ask the schedulers that are ``wanted`` (None: not known yet), and tell what it hears.

    What it heard last is told at once. A work directory that cannot be written is shown as it is.
    """
    manager = place.manager
    signs: dict[str, int] | None = None
    told_old, engine_at, failed = 0.0, 0.0, False
    while True:
        names = wanted()
        now = time.monotonic()
        if names is not None:
            names = tuple(sorted(names))
            try:
                new = await manager.scheduler_signs(names)
                if new != signs or (names and now - told_old >= OLD):
                    signs, told_old = new, now
                    post(ForeignSeen(place.index, await manager.schedulers() if any(new.values()) else []))
                await manager.look_at("schedulers", Want(schedulers=names, env=dict(os.environ) if names else {}))
                if names and now >= engine_at and await manager.engine() is None:
                    engine_at = now + _ENGINE_PAUSE
                    await manager.ensure_engine()
                failed = False
            except NO_BUGS as error:
                if not failed and not _is_read_only(error):
                    post(Failed(words_of(error)))
                failed = True
        await anyio.sleep(_SCHEDULERS_LOOK)


def _is_read_only(error: Exception) -> bool:
    why = error if isinstance(error, OSError) else error.__cause__
    return isinstance(why, OSError) and why.errno in (errno.EACCES, errno.EROFS, errno.EPERM)


async def watch_progress(in_view: Callable[[], list[tuple[Place, JobRow]]], post: Post) -> None:
    """Tell how far the running jobs in view are."""
    before: dict[Ref, float] = {}
    while True:
        found: dict[Ref, float] = {}
        jobs: dict[int, tuple[Place, list[int]]] = {}
        for place, row in in_view():
            if row.state in (State.RUNNING, State.SUSPENDED) and not row.foreign:
                jobs.setdefault(place.index, (place, []))[1].append(row.id)
        for place, ids in jobs.values():
            with contextlib.suppress(OSError):
                found |= {Ref(place.index, job): share for job, share in (await place.manager.progress(ids)).items()}
        if found != before:
            before = found
            post(Progressed(found))
        await anyio.sleep(_PROGRESS_LOOK)
