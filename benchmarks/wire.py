"""Bytes to the terminal and lag on a slow line: the wire next to Textual's own output, the same app at 160x50."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

from .kit import Figure
from .terminal import Terminal

_SIZE = (160, 50)
_WAYS = ("plain", "wire")


@contextlib.contextmanager
def opened(way: str, what: str, *, rate: float = 0.0, buffer: int = 0) -> Iterator[Terminal]:
    """The sample app, drawn and at rest."""
    terminal = Terminal([sys.executable, "-m", "benchmarks.wire_app", way, what], size=_SIZE, rate=rate, buffer=buffer)
    try:
        terminal.until("loss=" if what == "log" else "running")
        terminal.still()
        yield terminal
    finally:
        terminal.close()


def _bytes_of(terminal: Terminal, keys: bytes) -> int:
    """Bytes that a key costs."""
    before = terminal.arrived
    terminal.press(keys)
    terminal.still(0.25)
    return terminal.arrived - before


def _bytes_per_second(way: str, what: str, key: bytes, seconds: float) -> tuple[float, float]:
    """Bytes and CPU seconds per second after a key."""
    with opened(way, what) as terminal:
        terminal.press(key)
        terminal.read(1.0)
        arrived, cpu = terminal.arrived, terminal.cpu()
        terminal.read(seconds)
        return (terminal.arrived - arrived) / seconds, (terminal.cpu() - cpu) / seconds


def cursor() -> Iterator[Figure]:
    """Keys that move in the table and in the log."""
    found: dict[str, dict[str, int]] = {}
    for way in _WAYS:
        with opened(way, "table") as terminal:
            moved = _bytes_of(terminal, b"j")
            paged = _bytes_of(terminal, b" ")
            # Down to the last line that is shown; from there everything scrolls by one line.
            _bytes_of(terminal, b"j" * 60)
            scrolled = _bytes_of(terminal, b"j")
            dialog = _bytes_of(terminal, b"d") + _bytes_of(terminal, b"\x1b")
        with opened(way, "log") as terminal:
            line = _bytes_of(terminal, b"j")
        found[way] = {
            "cursor down one row without scrolling": moved,
            "table scrolled by one row": scrolled,
            "table, page down": paged,
            "log scrolled by one line": line,
            "dialog opened and closed": dialog,
        }
    for what, count in found["wire"].items():
        limit = 1000 if what.startswith("cursor") else found["plain"][what]
        yield Figure(f"bytes, {what}", f"{count}", f"{limit}; plain {found['plain'][what]}", count <= limit)


def steady() -> Iterator[Figure]:
    """What goes on by itself: nothing, cells that change, a log that grows."""
    for what, key, name, limit in (
        ("table", b"", "idle", 0),
        ("table", b"t", "20 cells changing per second", 2000),
        ("log", b"f", "following a fast log", 150_000),
        ("side", b"t", "20 cells changing per second, panes side by side", 2000),
    ):
        plain, plain_cpu = _bytes_per_second("plain", what, key, 4.0)
        wire, cpu = _bytes_per_second("wire", what, key, 4.0)
        value = f"{wire:,.0f} B/s, CPU {cpu:.1%}"
        yield Figure(name, value, f"{limit:,} B/s; plain {plain:,.0f} B/s, CPU {plain_cpu:.1%}", wire <= limit)


def slow() -> Iterator[Figure]:
    """Page-down held for 2 s, 20 a second, on a line of 50 KB/s; also one that swallows 256 KB, as ssh does."""
    for buffer in (0, 256 * 1024):
        told = []
        for way in _WAYS:
            with opened(way, "table", rate=50_000, buffer=buffer) as terminal:
                for _ in range(40):
                    terminal.press(b" ")
                    terminal.read(0.05)
                released, before = time.monotonic(), terminal.arrived
                terminal.still(1.0, timeout=60)
                moved = max((at for at, _ in terminal.history), default=released) - released
                row = 40 * 47
                lost = str(row) not in terminal.text()
                told.append((max(0.0, moved), lost, terminal.arrived - before))
        (plain, _, _), (wire, lost, _) = told
        name = "page-down held for 2 s at 50 KB/s" + (f", {buffer // 1024} KB buffered" if buffer else "")
        limit = f"2 s, no key lost; plain {plain:.1f} s"
        yield Figure(
            name, f"moves {wire:.1f} s after release{', keys lost' if lost else ''}", limit, wire <= 2 and not lost
        )
