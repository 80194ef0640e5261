"""Whether the machines answer on which a work directory's jobs run: noted by its engine, read by clients."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable

import msgspec

from . import metadir
from .backend import split
from .workdir import WorkDir

_log = logging.getLogger("jobtui.engine")

_PREFIX = "link."
# Seconds after which an answer is written down again although nothing changed by it.
_STEP = 10.0


class Link(msgspec.Struct, frozen=True, omit_defaults=True):
    """``link.<back end>``: how the link to the machine of a back end stands. Times are epoch seconds.

    ``since``: since when it is as it is; ``at``: when the machine answered last, 0 if it never did; ``tried``: when it
    was asked last; ``trouble``: why it did not answer then, "" where it did.
    """

    backend: str
    since: float
    at: float
    tried: float
    trouble: str = ""

    @property
    def host(self) -> str:
        """The machine."""
        return split(self.backend)[1]


class LinkKeeper:
    """The engine's note of one link; ``back`` is called when it was lost and is there again."""

    def __init__(self, workdir: WorkDir, backend: str, back: Callable[[], object]) -> None:
        """Go on from what was noted last."""
        self._workdir, self._backend, self._back = workdir, backend, back
        self.link = _read(workdir.file(_PREFIX + backend))
        self._written = 0.0

    def heard(self, trouble: str) -> None:
        """The machine answered (""), or did not, and why."""
        now, before = time.time(), self.link
        turned = before is None or bool(before.trouble) != bool(trouble)
        since = now if turned or before is None else before.since
        at = now if not trouble else before.at if before is not None else 0.0
        link = self.link = Link(self._backend, since, at, now, trouble)
        if turned or trouble or not 0 <= now - self._written < _STEP:
            self._write(link)
        if turned and before is not None and not trouble:
            self._back()

    def _write(self, link: Link) -> None:
        self._written = link.tried
        try:
            metadir.write_fact(self._workdir.path, _PREFIX + self._backend, link)
        except OSError as error:
            _log.warning("cannot save how the link to %s stands: %s", self._backend, error)


def read_links(workdir: WorkDir) -> list[Link]:
    """How the links of a work directory stand; files that make no sense are left out. Raises OSError."""
    names = sorted(name for name in os.listdir(workdir.path) if name.startswith(_PREFIX) and not name.endswith(".tmp"))
    return [link for link in (_read(workdir.file(name)) for name in names) if link is not None]


def _read(path: str) -> Link | None:
    try:
        with open(path, "rb") as file:
            return metadir.decode(file.read(), Link)
    except (FileNotFoundError, msgspec.MsgspecError, ValueError):
        return None
