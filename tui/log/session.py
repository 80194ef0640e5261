"""One opened log: watches it, reads pages for the view, counts its lines and looks through it, all beside the screen.

Everything that may block happens in threads, a slice at a time; what was found out is told by messages.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import cast

import anyio
import anyio.to_thread
from textual.message import Message

from ...core.identity import file_system
from ...core.watch import changes_in
from .document import Document, Page
from .item import Look as Appearance
from .item import rows_of
from .lineindex import LineIndex
from .lines import Lines, Regions
from .matcher import Both, Errors, Matcher, Query
from .merged import MergedSnapshot, MergedSource
from .pen import PLAIN
from .scan import Scan
from .source import RESTARTS, LogSource, Look, Snapshot
from .viewport import Need

# Seconds: between two frames of a log that grows, and how long it must rest until events are waited for again.
_FRAME = 0.1
_QUIET = 1.5
# Of the time a page takes to build, so many times as much is left to others.
_REST = 4
# Seconds between two looks where events come, and where they do not.
_HEARTBEAT = 0.5
_SLOW_HEARTBEAT = 2.0
# Seconds of work in a thread before the next one is asked whether it is still wanted.
_SLICE = 0.02
_INDEX_SLICE = 32 * 2**20
_TELL = 0.1
# Bytes of a log that are read for a copy.
_MOST_COPIED = 2**20
# On file systems that are not this machine's own, larger logs are counted only when somebody asks for a line number.
_COUNTED_ANYWHERE = 64 * 2**20

_NOTES = {
    Look.TRUNCATED: "was cut off",
    Look.REPLACED: "was replaced by a new file",
    Look.REWRITTEN: "was written anew",
    Look.GONE: "was removed; this is what can still be read",
}


class Bell:
    """Wakes a task that waits; a ring while it is busy is heard afterwards."""

    def __init__(self) -> None:
        """Silent."""
        self._event = anyio.Event()

    def ring(self) -> None:
        """Wake it."""
        self._event.set()

    async def wait(self) -> None:
        """Wait for a ring since the last call."""
        await self._event.wait()
        self._event = anyio.Event()


class Session:
    """An open log. Its attributes may be read at any time by the task that shows it.

    ``size``: bytes; ``lines``: newlines, None while they are not counted; ``note``: what happened to the file, with
    the time of day; ``other_size``: bytes in the other stream; ``generation`` counts how often all became void.
    """

    class Watched(Message):
        """The log grew or was replaced, or more is known of it. ``restarted``: nothing is as it was."""

        def __init__(self, session: Session, *, grew: bool = False, restarted: bool = False) -> None:
            """Say of which."""
            super().__init__()
            self.session, self.grew, self.restarted = session, grew, restarted

    class Paged(Message):
        """A page was read."""

        def __init__(self, session: Session, page: Page, need: Need) -> None:
            """Carry it."""
            super().__init__()
            self.session, self.page, self.need = session, page, need

    class Failed(Message):
        """The log cannot be read."""

        def __init__(self, session: Session, error: OSError) -> None:
            """Say why."""
            super().__init__()
            self.session, self.error = session, error

    class Located(Message):
        """The line that was wanted begins at ``offset``; ``number`` is its own, smaller where there are not so many."""

        def __init__(self, session: Session, offset: int, number: int) -> None:
            """Carry the place."""
            super().__init__()
            self.session, self.offset, self.number = session, offset, number

    def __init__(
        self,
        source: LogSource | MergedSource,
        paths: list[str],
        other: str | None,
        post: Callable[[Message], object],
    ) -> None:
        """Open nothing yet; ``paths``: the files to watch; ``other``: the other stream's; ``post`` sends messages."""
        self._source, self._paths, self._other, self._post = source, paths, other, post
        self.snapshot: Snapshot = LogSource("").snapshot()
        self.opened = False
        self.note = ""
        self.other_size = 0
        self.search: Scan | None = None
        self.filter: Scan | None = None
        self.errors: Scan | None = None
        self._count_wanted = False
        self._line_wanted: int | None = None
        self._local = True
        self._finished = False
        self._reopened = 0.0
        self._cost = 0.0
        self._wanted: tuple[Need, Appearance] | None = None
        self._page_bell, self._work_bell = Bell(), Bell()
        self._begin()

    def _begin(self) -> None:
        self.index = LineIndex()
        self._counted = False
        self._document, self._regions = Document(), Regions()

    @property
    def size(self) -> int:
        """Bytes, as far as was looked."""
        return self.snapshot.size

    @property
    def lines(self) -> int | None:
        """How many lines have an end, as of a moment ago; None until they were counted once."""
        return self.index.newlines if self._counted else None

    @property
    def counts(self) -> bool:
        """Whether the lines are counted, now or soon."""
        return self._count_wanted or self._local or self.snapshot.stable <= _COUNTED_ANYWHERE

    # -- what the view asks for

    def read(self, need: Need, appearance: Appearance) -> None:
        """Read a page; an earlier wish that was not begun with is forgotten."""
        self._wanted = need, appearance
        self._page_bell.ring()

    def set_search(self, query: Query | None, origin: int) -> None:
        """Look for matching lines, from the line at ``origin`` on, within the filter; None: not any more."""
        self.search = None if query is None else Scan(self._within_filter(query), origin, self.snapshot.stable)
        self._work_bell.ring()

    def set_filter(self, query: Query | None, origin: int) -> None:
        """Show matching lines alone; None: all lines. A search begins anew: it is within the filter."""
        self.filter = None if query is None else Scan(query, origin, self.snapshot.stable)
        self._work_bell.ring()

    def look_for_errors(self, origin: int) -> Scan:
        """Look for lines that tell of errors."""
        if self.errors is None:
            self.errors = Scan(Errors(), origin, self.snapshot.stable)
            self._work_bell.ring()
        return self.errors

    def locate(self, number: int) -> None:
        """Find out where line ``number`` begins, and tell. For this even a large log that is far away is counted."""
        self._count_wanted, self._line_wanted = True, number
        self._work_bell.ring()

    def finish(self) -> None:
        """The job has ended: nothing more is to come."""
        self._finished = True

    def last_lines(self, count: int) -> str:
        """The text of the last lines, up to a bound on what is read. Raises OSError."""
        lines = Lines(self.snapshot, Regions())
        found: list[str] = []
        end = at = self.snapshot.size
        while len(found) < count and (start := lines.previous(at)) is not None and end - start <= _MOST_COPIED:
            rows = rows_of(lines, start, at, PLAIN, False)
            found.append("\n".join("".join(text for text, _ in runs) for runs in rows))
            at = start
        return "\n".join(reversed(found))

    def place(self, offset: int) -> tuple[str, int | None]:
        """Which file the line at ``offset`` is in, and its number there where it is known. Raises OSError."""
        if isinstance(self.snapshot, MergedSnapshot):
            return self._paths[self.snapshot.stream_at(offset) - 1], None
        return self._paths[0], self.index.number_at(self.snapshot, offset)

    def _within_filter(self, query: Query) -> Matcher:
        return query if self.filter is None else Both(query, self.filter.matcher)

    # -- the tasks

    async def run(self) -> None:
        """Work until cancelled. Errors of the file system are told, and tried again."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch)
            tasks.start_soon(self._read_pages)
            tasks.start_soon(self._look_through)

    async def _watch(self) -> None:
        self._local = await anyio.to_thread.run_sync(self._is_local)
        await self._look()
        while True:
            await self._wait_for_change()
            quiet_since = time.monotonic()
            while time.monotonic() - quiet_since < _QUIET:
                await anyio.sleep(max(_FRAME, self._cost * _REST))
                if await self._look():
                    quiet_since = time.monotonic()

    def _is_local(self) -> bool:
        return all(file_system(os.path.dirname(path)).local for path in self._paths)

    async def _wait_for_change(self) -> None:
        while self._finished:
            # Whoever writes here now does so behind the job's back: that is no reason to be woken for.
            await anyio.sleep(_SLOW_HEARTBEAT)
            if await self._look():
                return
        folders = [os.path.dirname(self._paths[0]), *self._paths]
        heartbeat = _HEARTBEAT if self._local else _SLOW_HEARTBEAT
        # The protocol promises an iterator; it is a generator, which must be closed in this task.
        changes = cast("AsyncGenerator[None]", changes_in(folders, heartbeat))
        async with contextlib.aclosing(changes):
            async for _ in changes:
                if await self._look() or self._finished:
                    return

    async def _look(self) -> bool:
        """Look at the file, tell what changed, and return whether anything did."""
        before = self.snapshot.size, self.other_size, self.opened
        try:
            look, snapshot = await anyio.to_thread.run_sync(self._poll)
        except OSError as error:
            self._post(self.Failed(self, error))
            return False
        restarted = look in RESTARTS
        if look in _NOTES:
            self.note = f"{_NOTES[look]} at {time.strftime('%H:%M:%S')}"
        self.snapshot = snapshot
        if not self.opened:
            self.opened = True
            self._page_bell.ring()
        if restarted:
            self._restart()
        changed = look is not Look.SAME or before != (snapshot.size, self.other_size, True)
        if changed:
            self._work_bell.ring()
            self._post(self.Watched(self, grew=True, restarted=restarted))
        return changed

    def _poll(self) -> tuple[Look, Snapshot]:
        if self._finished and isinstance(self._source, MergedSource):
            self._source.finish()
        now = time.monotonic()
        reopen = not self._local and now - self._reopened >= _SLOW_HEARTBEAT
        self._reopened = now if reopen else self._reopened
        look = self._source.poll(reopen=reopen)
        if self._other is not None:
            try:
                self.other_size = os.stat(self._other).st_size
            except OSError:
                self.other_size = 0
        return look, self._source.snapshot()

    def _restart(self) -> None:
        self._begin()
        for name in ("search", "filter", "errors"):
            scan: Scan | None = getattr(self, name)
            if scan is not None:
                setattr(self, name, Scan(scan.matcher, 0, self.snapshot.stable))

    async def _read_pages(self) -> None:
        while True:
            await self._page_bell.wait()
            if self._wanted is None or not self.opened:
                continue
            (need, appearance), self._wanted = self._wanted, None
            index = self.index
            started = time.monotonic()
            try:
                page = await anyio.to_thread.run_sync(self._build, need, appearance)
            except OSError as error:
                self._post(self.Failed(self, error))
                continue
            self._cost = time.monotonic() - started
            if index is self.index:
                self._post(self.Paged(self, page, need))

    def _build(self, need: Need, appearance: Appearance) -> Page:
        snapshot, filter_, index = self.snapshot, self.filter, self.index
        lines = Lines(snapshot, self._regions, joined=filter_ is None and not appearance.states)
        origins = snapshot if isinstance(snapshot, MergedSnapshot) else None
        page = self._document.page(lines, filter_ or lines, appearance, need.anchor, need.before, need.behind, origins)
        if filter_ is None and page.rows:
            page = replace(page, number=index.number_at(snapshot, page.rows[0].start))
        return page

    async def _look_through(self) -> None:
        told = time.monotonic()
        await self._work_bell.wait()
        while True:
            try:
                busy = await anyio.to_thread.run_sync(self._work)
            except OSError as error:
                self._post(self.Failed(self, error))
                busy = False
            now = time.monotonic()
            if not busy or now - told >= _TELL:
                told = now
                self._post(self.Watched(self))
            if not busy:
                await self._work_bell.wait()

    def _work(self) -> bool:
        """Look a little further through the log; tells whether there is more to do."""
        snapshot, until = self.snapshot, time.monotonic() + _SLICE
        busy = False
        for scan in (self.search, self.filter, self.errors):
            if scan is None:
                continue
            while (more := scan.advance(snapshot)) and time.monotonic() < until:
                pass
            busy = busy or more
            until = max(until, time.monotonic() + _SLICE / 2)
        if self.counts:
            index = self.index
            more = index.advance(snapshot, _INDEX_SLICE)
            self._counted = self._counted or (index is self.index and not more)
            busy = busy or more
            self._locate(snapshot)
        return busy

    def _locate(self, snapshot: Snapshot) -> None:
        number, index = self._line_wanted, self.index
        if number is None or not (number - 1 <= index.newlines or index.scanned >= snapshot.stable):
            return
        self._line_wanted = None
        unfinished = snapshot.read(max(0, snapshot.stable - 1), 1) != b"\n"
        number = min(number, max(1, index.newlines + unfinished))
        offset = index.offset_of(snapshot, number)
        if offset is not None:
            self._post(self.Located(self, offset, number))
