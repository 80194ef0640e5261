"""How much was added to a log since it was followed last, and how fast it grows; told twice a second at most."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from ...core.units import size as size_words
from .title import count, rate

# Seconds: over so long the speed is taken, and between two figures that are told.
_SPAN = 2.0
_PAUSE = 0.5
# From these on a log is fast enough for its speed to be told: lines per second, bytes per second.
_FAST = 1000.0
_FAST_BYTES = 2.0**20


class _Sample(NamedTuple):
    at: float
    lines: int | None
    size: int


class Growth:
    """Is told what there is, and says how it grew in words. Times are seconds of a clock that never goes back."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._samples: deque[_Sample] = deque()
        self._since: _Sample | None = None
        self._told_at = float("-inf")
        # What was said last, and stands until the next time.
        self.badge = self.speed = ""

    def update(self, now: float, lines: int | None, size: int, *, follow: bool) -> float | None:
        """Take in what there is now; returns after how many seconds to come again, None for not at all.

        ``lines`` is None where they are not counted; then bytes are told.
        """
        sample = _Sample(now, lines, size)
        if follow:
            self._since = None
        elif self._since is None:
            self._since = sample
        if not self._samples or self._samples[-1][1:] != sample[1:]:
            self._samples.append(sample)
        while now - self._samples[0].at > _SPAN and len(self._samples) > 1:
            self._samples.popleft()
        badge, speed = self._added(sample), self._speed(now)
        if (badge, speed) != (self.badge, self.speed):
            left = self._told_at + _PAUSE - now
            if left > 0 and bool(badge) == bool(self.badge):
                return left
            self._told_at = now
            self.badge, self.speed = badge, speed
        # A log that stops growing tells nothing by itself.
        return _PAUSE if speed else None

    def _added(self, now: _Sample) -> str:
        since = self._since
        if since is None or now.size <= since.size:
            return ""
        if now.lines is None or since.lines is None:
            return f"+{size_words(now.size - since.size)}"
        added = now.lines - since.lines
        return f"+{count(added)} line{'s' if added != 1 else ''}" if added else ""

    def _speed(self, now: float) -> str:
        first, last = self._samples[0], self._samples[-1]
        seconds = now - first.at
        if seconds < _PAUSE or now - last.at > _SPAN / 2:
            return ""
        if first.lines is not None and last.lines is not None:
            speed = (last.lines - first.lines) / seconds
            return rate(speed) if speed >= _FAST else ""
        speed = (last.size - first.size) / seconds
        return f"{size_words(int(speed))}/s" if speed >= _FAST_BYTES else ""
