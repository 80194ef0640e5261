"""Fetches what is looked at of logs on other machines, for the engine: all of a back end in one round trip."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

import anyio
import anyio.lowlevel
import msgspec
from anyio.abc import TaskGroup

from . import metadir
from .backend import Backend, FarFiles, Handle, Piece, Wanted, split
from .logcopy import FIRST, LogCopy
from .verdict import Facts
from .wants import LogWant
from .workdir import WorkDir

_log = logging.getLogger("jobtui.engine")

# Seconds between two looks at a log: while it grows, and at most.
_SOON, _LATE = 1.0, 10.0
_SLOWER = 1.5
# Seconds after which a lost link is asked for again, at first and at most; its back end tries it more rarely.
_TRY_FIRST, _TRY_LATE = 2.0, 5.0
# Bytes in one piece: from the slowest link to the fastest; and the seconds that a piece should take.
_LEAST, _MOST = 16 * 1024, 4 * 2**20
_QUICK, _SLOW = 1.0, 5.0

Open = Callable[[str, str | None], Awaitable[Backend | None]]


def next_pause(before: float, *, grew: bool) -> float:
    """Seconds until a log is looked at again."""
    return _SOON if grew else min(before * _SLOWER, _LATE)


def next_most(most: int, seconds: float, *, full: bool) -> int:
    """How large the next piece may be, after one (``full``: as large as allowed) took so many seconds."""
    if seconds > _SLOW:
        return max(_LEAST, most // 2)
    return min(_MOST, most * 2) if full and seconds < _QUICK else most


def log_path(folder: str, attempt: int, stream: str) -> str:
    """Where the log of an attempt is, below a job's folder."""
    earlier = f"{folder}/{metadir.RETRY}/{attempt}"
    name = metadir.STDOUT if stream == "stdout" else metadir.STDERR
    return f"{earlier if os.path.isdir(earlier) else folder}/{name}"


class _Looked:
    """One log that is looked at. ``anew``: nobody looked a moment ago. Times are of the monotonic clock."""

    __slots__ = ("anew", "backend", "due", "env_ref", "pause", "tag", "want")

    def __init__(self, want: LogWant, backend: str, tag: str, env_ref: str | None) -> None:
        self.want, self.backend, self.tag, self.env_ref = want, backend, tag, env_ref
        self.anew = True
        self.due = 0.0
        self.pause = _SOON

    @property
    def is_done(self) -> bool:
        """Whether nothing more is to come."""
        return self.due == float("inf")


class _Asked(NamedTuple):
    """A piece that is asked for; ``over``: the attempt had ended by then; ``front``: it is for the beginning."""

    looked: _Looked
    wanted: Wanted
    over: bool
    front: bool


class Fetcher:
    """Keeps the copies of those far logs up to date that somebody looks at."""

    def __init__(
        self, workdir: WorkDir, tasks: TaskGroup, open_backend: Open, is_over: Callable[[int, int], bool]
    ) -> None:
        """Work in ``tasks``. ``open_backend``: the back end of a name, for a job's environment.

        ``is_over``: whether an attempt of a job has ended.
        """
        self._workdir, self._tasks = workdir, tasks
        self._open, self._is_over = open_backend, is_over
        self._looked: dict[tuple[int, int, str], _Looked] = {}
        self._at_work: set[str] = set()
        self._bells: dict[str, anyio.Event] = {}

    def want(self, wants: Iterable[LogWant]) -> None:
        """Keep these logs up to date from now on, and no others."""
        wants = list(wants)
        whole = {(want.job, want.attempt, want.stream) for want in wants if want.whole}
        logs = {(want.job, want.attempt, want.stream): want for want in wants}
        for key in self._looked.keys() - logs.keys():
            del self._looked[key]
        for key, want in logs.items():
            want = msgspec.structs.replace(want, whole=key in whole)
            looked = self._looked.get(key) or self._new(want)
            if looked is not None:
                if want != looked.want:
                    looked.want, looked.due = want, 0.0
                self._looked[key] = looked
        for name in {looked.backend for looked in self._looked.values()}:
            if name not in self._at_work:
                self._at_work.add(name)
                self._tasks.start_soon(self._serve, name)
            elif name in self._bells:
                self._bells[name].set()

    def stir(self, name: str) -> None:
        """Look again at once at what waits for one back end."""
        for one in self._looked.values():
            if one.backend == name and one.due != float("inf"):
                one.due = 0.0
        if name in self._bells:
            self._bells[name].set()

    def _new(self, want: LogWant) -> _Looked | None:
        """What a log that nobody looked at until now is; None where it is on this machine, or nowhere."""
        facts = self._facts(want.job)
        if facts is None or facts.spec is None or not split(facts.spec.backend)[1]:
            return None
        return _Looked(want, facts.spec.backend, facts.spec.tag, facts.spec.env_ref)

    async def _serve(self, name: str) -> None:
        """Fetch from one back end while anything of it is looked at."""
        most, failures = FIRST, 0
        while looked := [one for one in self._looked.values() if one.backend == name]:
            self._bells[name] = anyio.Event()
            now = time.monotonic()
            due = [one for one in looked if one.due <= now]
            if not due:
                with anyio.move_on_after(min(one.due for one in looked) - now):
                    await self._bells[name].wait()
                continue
            read, failed = await self._round(name, due, most)
            seconds = time.monotonic() - now
            if not failed:
                most, failures = next_most(most, seconds, full=read >= most), 0
                continue
            most, failures = max(_LEAST, most // 2), failures + 1
            pause = min(_TRY_LATE, _TRY_FIRST * 2.0 ** min(failures - 1, 10))
            for one in looked:
                one.due = max(one.due, time.monotonic() + pause)
        self._at_work.discard(name)

    async def _round(self, name: str, due: list[_Looked], most: int) -> tuple[int, bool]:
        """Read a piece of each log; the bytes of all, and whether the far side was silent."""
        backend = await self._open(name, due[0].env_ref)
        if not isinstance(backend, FarFiles):
            _log.error("the files of jobs of %s cannot be read from here", name)
            return 0, True
        asked: list[_Asked] = []
        for one in due:
            try:
                asked += self._questions(one, most)
            except OSError as error:
                self._troubled(one, error)
        reading = await backend.read([question.wanted for question in asked]) if asked else None
        if reading is not None and reading.trouble:
            return 0, True
        for question, piece in zip(asked, reading.pieces if reading is not None else (), strict=True):
            try:
                await self._take(question, piece)
            except OSError as error:
                self._troubled(question.looked, error)
        for one in due:
            try:
                await self._see_to_front(one)
            except OSError as error:
                self._troubled(one, error)
        return sum(len(piece.data) for piece in reading.pieces) if reading is not None else 0, False

    def _copy(self, one: _Looked) -> LogCopy:
        """Made anew for each use: an attempt's files move when the next one is opened."""
        path = log_path(self._workdir.metadir(one.want.job), one.want.attempt, one.want.stream)
        return LogCopy(path, split(one.backend)[1])

    def _questions(self, one: _Looked, most: int) -> list[_Asked]:
        want, copy = one.want, self._copy(one)
        over = self._is_over(want.job, want.attempt)
        handle = self._handle(one)
        name = metadir.STDOUT if want.stream == "stdout" else metadir.STDERR
        start, count = copy.ask(most, anew=one.anew)
        one.anew = False
        asked = [_Asked(one, Wanted(handle, name, start, count), over, False)]
        front = copy.ask_front(most) if want.whole and copy.lacks_front else None
        if front is not None:
            asked.append(_Asked(one, Wanted(handle, name, *front), over, True))
        return asked

    def _facts(self, job: int) -> Facts | None:
        try:
            return metadir.read_facts(self._workdir.metadir(job))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _handle(self, one: _Looked) -> Handle:
        path, want = self._workdir.metadir(one.want.job), one.want
        facts = self._facts(want.job)
        if facts is None or facts.attempt != want.attempt:
            return Handle(want.job, want.attempt, one.tag, None, path, None)
        jid = facts.accepted.jid if facts.accepted is not None else None
        return Handle(want.job, want.attempt, one.tag, jid, path, facts.begin)

    async def _take(self, question: _Asked, piece: Piece) -> None:
        one, wanted = question.looked, question.wanted
        copy, asked = self._copy(one), (wanted.start, wanted.most)
        if question.front:
            copy.take_front(asked, piece)
            return
        grew = copy.take(asked, piece, time.time(), over=question.over)
        one.pause = next_pause(one.pause, grew=grew)
        one.due = time.monotonic() + one.pause
        if copy.behind and not piece.trouble:
            one.due = 0.0
        elif copy.far.over:
            one.due = float("inf")

    async def _see_to_front(self, one: _Looked) -> None:
        """Join the beginning once it is here; until then, go on with it."""
        copy = self._copy(one)
        if not one.want.whole or not copy.lacks_front or copy.far.trouble or copy.far.size is None:
            return
        if copy.ask_front(1) is not None:
            one.due = 0.0
            return
        while not copy.join_front():
            await anyio.lowlevel.checkpoint()

    def _troubled(self, one: _Looked, error: OSError) -> None:
        """A copy cannot be written; the others go on."""
        _log.error("job %d: its %s cannot be copied here: %s", one.want.job, one.want.stream, error)
        one.due = time.monotonic() + _LATE
