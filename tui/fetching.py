"""Has a far job's logs fetched while a command reads them, and says in a line what of them is not here, and why."""

from __future__ import annotations

import time
from collections.abc import Sequence

import anyio
import click

from ..core.job import JobRow
from ..core.logcopy import Far, size_of
from ..core.manager import JobManager, Stream
from ..core.units import duration, size
from ..core.wants import LogWant, Want
from .text import plain

_PART = "logs"
# Seconds between two looks: at the job's attempt, at the link, and at what came.
_RENEW, _LINK, _LOOK = 2.0, 1.0, 0.05
# Seconds without anything new after which no more is waited for.
_PATIENCE = 30.0
# Seconds after which a link that was lost before is believed to be: it is not tried again at every wish.
_LOST = 3.0
# From so many bytes on it is said that they are fetched.
_MUCH = 8 * 2**20


class Fetching:
    """The logs of one job whose files are on another machine. ``attempt``: an earlier one; ``whole``: all of them."""

    def __init__(
        self, manager: JobManager, row: JobRow, streams: Sequence[Stream], attempt: int | None, *, whole: bool
    ) -> None:
        """Ask for nothing yet."""
        self._manager, self._row, self._attempt, self._whole = manager, row, attempt, whole
        self._streams = streams
        self._paths = [manager.log_path(row.id, stream, attempt) for stream in streams]
        self._host = row.backend.partition("@")[2]

    async def keep(self) -> None:
        """Look at the logs, of each attempt as it comes, until this is cancelled."""
        attempt = self._attempt or self._row.attempt
        try:
            while True:
                logs = tuple(LogWant(self._row.id, stream, attempt, self._whole) for stream in self._streams)
                await self._manager.look_at(_PART, Want(logs=logs))
                await self._manager.ensure_engine()
                await anyio.sleep(_RENEW)
                detail = await self._manager.detail(self._row.id)
                if self._attempt is None and detail is not None:
                    attempt = detail.row.attempt
        finally:
            self._manager.look_away()

    async def is_needed(self) -> bool:
        """Whether something is missing here, or may still come."""
        fars = [await self._manager.far(path) for path in self._paths]
        return any(far is None or not far.over or (self._whole and far.begin > 0) for far in fars)

    async def settle(self) -> str:
        """Wait until all that is wanted is here; returns why it is not, "" if it is."""
        before = {path: await self._seen_at(path) for path in self._paths}
        tried = await self._tried()
        last, since, told = None, time.monotonic(), False
        begun = since
        while True:
            now = [await self._manager.far(path) for path in self._paths]
            fresh = [far for far, path in zip(now, self._paths, strict=True) if far and far.at != before[path]]
            if len(fresh) == len(now):
                trouble = next((far.trouble for far in fresh if far.trouble), "")
                if trouble:
                    return trouble
                left = sum(_left(path, far, self._whole) for path, far in zip(self._paths, fresh, strict=True))
                if not left:
                    return ""
                if left > _MUCH and not told:
                    told = True
                    click.echo(f"jobtui: fetching {size(left)} from {plain(self._host)}", err=True)
            link = await self._link()
            if link and (await self._tried() != tried or time.monotonic() - begun > _LOST):
                return link
            sizes = [(far, size_of(path)) for far, path in zip(now, self._paths, strict=True)]
            if sizes != last:
                last, since = sizes, time.monotonic()
            elif time.monotonic() - since > _PATIENCE:
                return await self._why_nothing()
            await anyio.sleep(_LOOK)

    async def _why_nothing(self) -> str:
        if await self._manager.engine() is None:
            return "no engine runs that could fetch it: jobtui engine start"
        return f"nothing came in {duration(_PATIENCE)}"

    async def _seen_at(self, path: str) -> float:
        far = await self._manager.far(path)
        return far.at if far is not None else 0.0

    async def _link(self) -> str:
        """Why the machine does not answer, "" where it does."""
        links = await self._manager.links()
        return next((link.trouble for link in links if link.backend == self._row.backend), "")

    async def _tried(self) -> float:
        links = await self._manager.links()
        return next((link.tried for link in links if link.backend == self._row.backend), 0.0)

    async def tell_link(self) -> None:
        """Say when the link is lost and when it is back, until this is cancelled."""
        before = await self._link()
        while True:
            await anyio.sleep(_LINK)
            now = await self._link()
            if bool(now) != bool(before):
                words = f"lost ({plain(now)}); waiting for it" if now else "back"
                click.echo(f"jobtui: the link to {plain(self._host)} is {words}", err=True)
            before = now

    async def lacking(self, trouble: str, cut: Sequence[bool]) -> list[str]:
        """What is not here, a line for each log; ``cut``: whether more lines were wanted than a copy may hold."""
        found: list[str] = []
        for stream, path, short in zip(self._streams, self._paths, cut, strict=True):
            far = await self._manager.far(path)
            words = lacking_words(self._host, far, size_of(path), trouble, short, time.time())
            if words:
                found.append(f"{stream}: {words}" if len(self._paths) > 1 else words)
        return found


def _left(path: str, far: Far, whole: bool) -> int:
    """How many bytes are known to be there and wanted, and are not here."""
    end = far.begin + size_of(path) if far.inode else 0
    behind = max(0, (far.size or 0) - end)
    return behind + (far.begin - far.fetched if whole and far.inode else 0)


def lacking_words(host: str, far: Far | None, here: int, trouble: str, short: bool, now: float) -> str:
    """What of a far log is not here, and why; "" if nothing is known to be missing.

    ``here``: bytes of the copy; ``trouble``: why no more came; ``short``: lines may be missing at its beginning.
    """
    copied = far is not None and far.inode != 0
    front = f"its first {size(far.begin)}" if far is not None and copied and far.begin else ""
    if not trouble:
        return f"{front} are on {host} only; without --lines all of it is fetched" if front and short else ""
    if far is None or not copied:
        return f"nothing of it is here: {host}: {trouble}"
    age = duration(max(0.0, now - far.at))
    behind = max(0, (far.size or 0) - far.begin - here)
    parts = [f"without {front}"] if front and short else []
    parts += [f"without the last {size(behind)} of then"] if behind else []
    return ", ".join([f"{host}: {trouble}: this is what it held {age} ago", *parts])
