"""How the link to another machine stands, in words that change only when it does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from ...core.links import Link

# Seconds: a machine that was not tried for so long is nobody's concern now.
_LATELY = 300.0


class LinkWords(NamedTuple):
    """The words for one link, and whether it is lost."""

    words: str
    lost: bool


def link_words(links: Sequence[Link], now: float) -> tuple[LinkWords, ...]:
    """Those of links that were tried lately, the lost ones first. ``now``: epoch seconds."""
    lately = [link for link in links if now - link.tried < _LATELY]
    return tuple(sorted(map(_words, lately), key=lambda link: not link.lost))


def _words(link: Link) -> LinkWords:
    if not link.trouble:
        return LinkWords(f"{link.host} connected", False)
    # Times of the day, not ages: nothing is painted while nothing changes.
    answered = f", answered {_clock(link.at)}" if link.at else ""
    return LinkWords(f"{link.host} lost since {_clock(link.since)}{answered}", True)


def _clock(at: float) -> str:
    return time.strftime("%H:%M" if time.time() - at < 12 * 3600 else "%b %d %H:%M", time.localtime(at))
