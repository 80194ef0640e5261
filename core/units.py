"""Reads durations, sizes, times and signals as people write them, and writes them as people read them."""

from __future__ import annotations

import re
import signal
from datetime import datetime, timedelta

_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_LAST_TIME = 253_000_000_000.0  # in the year 9987
_LAST_SIGNAL = 64
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")


def parse_duration(text: str) -> float:
    """Seconds out of ``90``, ``90s``, ``1h30m``, ``2d`` or ``HH:MM:SS``; raises ValueError with what is allowed."""
    wrong = ValueError(f"'{text}' is not a duration; write it like 90s, 15m, 2h, 1h30m or 01:30:00")
    lower = text.strip().lower()
    if ":" in lower:
        parts = lower.split(":")
        if len(parts) > 3 or not all(part.isascii() and part.isdigit() for part in parts):
            raise wrong
        seconds = 0.0
        for part in parts:
            seconds = seconds * 60 + int(part)
        return seconds
    position, total = 0, 0.0
    parts = list(_PART.finditer(lower))
    for match in parts:
        unit_missing = not match[2] and len(parts) > 1
        if lower[position : match.start()].strip() or match[2] not in _SECONDS or unit_missing:
            raise wrong
        total += float(match[1]) * _SECONDS[match[2]]
        position = match.end()
    if position == 0 or lower[position:].strip():
        raise wrong
    return total


def parse_size(text: str) -> int:
    """Bytes out of ``512M``, ``4G``, ``4GiB``, ``1048576``; units are powers of 1024. Raises ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", text.strip().lower())
    if match is None:
        raise ValueError(f"'{text}' is not a size; write it like 512M or 4G")
    return int(float(match[1]) * _BYTES[match[2]])


def parse_time(text: str, now: float) -> float:
    """Epoch seconds out of ``18:30``, ``2026-12-01T08:00``, ``2026-12-01``, ``+2h`` or ``now+90s``.

    ``now`` is epoch seconds; a time of day that has passed means tomorrow's. Raises ValueError.
    """
    plain = text.strip()
    if plain.startswith(("+", "now+")):
        then = now + parse_duration(plain.removeprefix("now").removeprefix("+"))
        if then > _LAST_TIME:
            raise ValueError(f"'{text}' is beyond the calendar")
        return then
    # Without a zone: what the clock on the wall will show, on either side of a change to summer time.
    here = datetime.fromtimestamp(now)
    clock = re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", plain)
    try:
        if clock is not None:
            hour, minute, second = int(clock[1]), int(clock[2]), int(clock[3] or 0)
            then = here.replace(hour=hour, minute=minute, second=second, microsecond=0)
            return (then if then > here else then + timedelta(days=1)).timestamp()
        return datetime.fromisoformat(plain).astimezone().timestamp()
    except ValueError:
        raise ValueError(f"'{text}' is not a time; write it like 18:30, 2026-12-01T08:00 or +2h") from None


def parse_signal(text: str) -> str:
    """The name of a signal out of ``USR1``, ``sigusr1`` or ``10``, as ``signal_name`` gives it; raises ValueError."""
    word = text.strip().upper().removeprefix("SIG")
    if word.isascii() and word.isdigit():
        if 0 < int(word) <= _LAST_SIGNAL:
            return signal_name(int(word))
    elif f"SIG{word}" in signal.Signals.__members__:
        return signal_name(signal.Signals[f"SIG{word}"])
    raise ValueError(f"'{text}' is not a signal; write it like USR1, TERM or 10")


def signal_name(number: int) -> str:
    """The name of a signal without "SIG", or its number where it has no name."""
    try:
        return signal.Signals(number).name.removeprefix("SIG")
    except ValueError:
        return str(number)


def signal_number(name: str) -> int:
    """The number of a signal that ``signal_name`` named."""
    return int(name) if name.isdigit() else signal.Signals[f"SIG{name}"]


def duration(seconds: float | None) -> str:
    """A run time in at most two units: ``4.2s``, ``3m10s``, ``2h05m``, ``3d04h``; "" for None."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def size(count: int | None) -> str:
    """Bytes as ``512 B``, ``1.5 KiB``, ``4.0 GiB``; "" for None."""
    if count is None:
        return ""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def counted(number: int, thing: str) -> str:
    """A number of things: ``1 job``, ``2 jobs``, ``0 jobs``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def shown(text: str) -> str:
    """Text that can be written as UTF-8: bytes that were no valid text stand as ``\\udcXX``."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
