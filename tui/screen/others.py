"""The foreign jobs of one screen: which schedulers it looks at, and which of their jobs it shows."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

import anyio.to_thread

from ...core.choosing import within_reach
from ...core.foreign import foreign_rows, own_jobs
from ...core.job import ENDED, LOCAL, JobRow
from ...core.seen import Seen
from . import feeds

if TYPE_CHECKING:
    from .desk import JobScreen


class Others:
    """Which foreign jobs the screen shows. The schedulers that are here are asked through its first work directory."""

    def __init__(self, desk: JobScreen) -> None:
        """Show nothing yet."""
        self._desk = desk
        self._here: list[str] | None = None
        self._used: defaultdict[int, set[str]] = defaultdict(set)
        self._seen: dict[int, list[Seen]] = {}

    @property
    def shown(self) -> bool:
        """Whether foreign jobs are shown."""
        return bool(self._desk.memory.setting("foreign"))

    def start(self) -> None:
        """Begin to look."""
        for place in self._desk.places:
            wanted = partial(self._wanted, place)
            self._desk.run_worker(feeds.watch_schedulers(place, wanted, self._desk.post_message))
        self._desk.run_worker(self._find())

    def stop(self) -> None:
        """Look at nothing any more."""
        for place in self._desk.places:
            place.manager.look_away()

    async def _find(self) -> None:
        # In a thread: back ends are imported for it.
        self._here = await anyio.to_thread.run_sync(within_reach, dict(os.environ))

    def _wanted(self, place: feeds.Place) -> Iterable[str] | None:
        """The schedulers whose jobs are shown of a place; None as long as that is not known."""
        if self._here is None or not (place.loaded or place.trouble):
            return None
        if not self.shown:
            return ()
        here = self._here if place.index == 0 else ()
        return {*here, *self._used[place.index]} - {LOCAL}

    def note(self, place: int, rows: Iterable[JobRow]) -> None:
        """A place has these jobs: their schedulers are asked anyway."""
        self._used[place].update(row.backend for row in rows if row.state not in ENDED)

    def seen(self, place: int, seen: list[Seen]) -> None:
        """Schedulers said something."""
        self._seen[place] = seen
        self._show()

    def _show(self) -> None:
        own = own_jobs(self._desk.jobs.rows.values(), [one for seen in self._seen.values() for one in seen])
        taken: set[tuple[str, str | None]] = set()
        for place in self._desk.places:
            rows = foreign_rows(self._seen.get(place.index, ()), own, time.time()) if self.shown else []
            # Several work directories hear of the same jobs.
            rows = [row for row in rows if (row.backend, row.jid) not in taken]
            taken.update((row.backend, row.jid) for row in rows)
            self._desk.table.set_foreign(place.index, rows)
        self._desk.jobs_changed()

    def toggle(self) -> None:
        """Show foreign jobs, or hide them."""
        self._desk.memory.choose("foreign", not self.shown)
        self._show()
        key = self._desk.keymap.label("foreign")
        if not self.shown:
            self._desk.say(f"jobs that were not submitted by jobtui are hidden; {key} shows them")
        elif self._here:
            self._desk.say("jobs that were not submitted by jobtui are shown: is:foreign finds them")
        else:
            self._desk.say("the commands of no scheduler are on the PATH here: there are no other jobs to show")
