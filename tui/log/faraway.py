"""A log whose file is on another machine: has it fetched while it is in view, and says how much of it is here."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass

import anyio
from textual.message import Message

from ...core.logcopy import Far
from ...core.manager import JobManager, Stream
from ...core.supervisor import EngineFailedError
from ...core.units import size as size_words
from ...core.wants import RENEWAL, LogWant, Want
from ...core.workdir import WorkDirError
from ..celltext import words_of
from .shown import Shown

# Each look has a part of its own: one that ends late must not end the next one.
_numbers = itertools.count()
# Seconds between two looks at what is known of it, and after which an answer that nothing follows is shown as old.
_LOOK, _OLD = 0.5, 60.0


@dataclass(frozen=True)
class Away:
    """What is known of a far log. ``missing``: bytes at its beginning; ``fetched``: of these; ``size``: of all.

    ``fetching``: the beginning is on its way. ``looked``: it was seen at least once; ``over``: nothing more is to come.
    ``trouble``: why it cannot be read. ``as_of``: the time of day to which all this belongs, where that is not now.
    ``anew``: the time of day when it began anew.
    """

    host: str
    missing: int = 0
    fetched: int = 0
    size: int = 0
    fetching: bool = False
    looked: bool = False
    over: bool = False
    trouble: str = ""
    as_of: str = ""
    anew: str = ""

    def words(self, key: str) -> str:
        """What the title says; ``key`` fetches the beginning."""
        front = f"the first {size_words(self.missing)}" if self.missing else ""
        if self.trouble and not self.looked:
            return f"{self.host}: {self.trouble}"
        if self.as_of:
            return f"{self.host} is silent: as of {self.as_of}" + (f", without {front}" if front else "")
        if self.trouble:
            return f"{self.host}: {self.trouble}"
        if front and self.fetching:
            return f"fetching {front}: {size_words(self.fetched)}"
        if front:
            return f"{front} are on {self.host}" + (f"; {key} fetches them" if key else "")
        return f"began anew at {self.anew}" if self.anew else ""

    def empty_words(self) -> str:
        """What stands in place of the text while nothing is here, "" where there is indeed nothing."""
        if self.looked:
            return ""
        return f"Nothing of it is here: {self.trouble}" if self.trouble else f"Being fetched from {self.host} ..."


class FarSeen(Message):
    """More is known of the far log that is shown."""

    def __init__(self, shown: Shown, away: Away) -> None:
        """Say of which."""
        super().__init__()
        self.shown, self.away = shown, away


class FarWatch:
    """Looks at one far log for as long as it is shown. ``whole``: its beginning is wanted too."""

    def __init__(self, manager: JobManager, shown: Shown, backend: str, post: Callable[[Message], object]) -> None:
        """Look at nothing yet."""
        self._manager, self._shown, self._backend, self._post = manager, shown, backend, post
        self._host = backend.partition("@")[2]
        self._streams: tuple[Stream, ...] = ("stdout", "stderr") if shown.stream == "merged" else (shown.stream,)
        self._part = f"log {next(_numbers)}"
        self._lives: list[str] = []
        self._anew = ""
        self._renewed = self._since = time.monotonic()
        self._asked: Want | None = None
        self.whole = False

    async def run(self) -> None:
        """Look and tell what is news, until this is cancelled."""
        earlier = self._shown.attempt if self._shown.attempt != self._shown.current else None
        paths = [self._manager.log_path(self._shown.job, stream, earlier) for stream in self._streams]
        told: Away | None = None
        try:
            while True:
                try:
                    fars = [await self._manager.far(path) for path in paths]
                    await self._ask(fars)
                    away = await self._away(fars)
                except (OSError, WorkDirError, EngineFailedError, ValueError) as error:
                    away = Away(self._host, trouble=words_of(error))
                if away != told:
                    told = away
                    self._post(FarSeen(self._shown, away))
                await anyio.sleep(_LOOK)
        finally:
            if self._asked not in (None, Want()):
                with anyio.CancelScope(shield=True):
                    await self._manager.look_at(self._part, Want())

    async def _ask(self, fars: list[Far | None]) -> None:
        """Say what is looked at; where all is here and nothing more is to come, nobody is asked for anything."""
        open_ = [
            stream
            for stream, far in zip(self._streams, fars, strict=True)
            if far is None or not far.over or (self.whole and far.begin)
        ]
        logs = tuple(LogWant(self._shown.job, stream, self._shown.attempt, self.whole) for stream in open_)
        want = Want(logs=logs)
        if want == self._asked and (not logs or time.monotonic() - self._renewed < RENEWAL):
            return
        if want != (self._asked or Want()) or logs:
            await self._manager.look_at(self._part, want)
        self._asked, self._renewed = want, time.monotonic()
        if logs:
            await self._manager.ensure_engine()

    async def _away(self, fars: list[Far | None]) -> Away:
        known = [far for far in fars if far is not None]
        link = next((link for link in await self._manager.links() if link.backend == self._backend), None)
        lost = link.trouble if link is not None else ""
        if not known:
            return Away(self._host, trouble=lost)
        lives = [far.life for far in known]
        if self._lives and len(lives) == len(self._lives) and lives != self._lives:
            self._anew = time.strftime("%H:%M:%S")
        self._lives = lives
        over = len(known) == len(fars) and all(far.over for far in known)
        seen = min(far.at for far in known)
        quiet = min(time.monotonic() - self._since, time.time() - seen)
        old = not over and bool(seen) and (bool(lost) or quiet > _OLD)
        missing = sum(far.begin for far in known)
        return Away(
            self._host,
            missing=missing,
            fetched=sum(far.fetched for far in known),
            size=sum(far.size or 0 for far in known),
            fetching=self.whole and bool(missing),
            looked=len(known) == len(fars) and all(far.at for far in known),
            over=over,
            trouble=lost if not over and not seen else next((far.trouble for far in known if far.trouble), ""),
            as_of=time.strftime("%H:%M:%S", time.localtime(seen)) if old else "",
            anew=self._anew,
        )
