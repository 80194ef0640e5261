"""The job table with 100,000 jobs: fill, memory, sort, filter, live changes; next to Textual's DataTable."""

from __future__ import annotations

import contextlib
import re
import statistics
import sys
from collections.abc import Iterator

from .kit import Figure
from .terminal import Terminal

_SIZE = (160, 48)
_MANY, _SOME = 100_000, 10_000
_MB = 2**20


@contextlib.contextmanager
def _opened(kind: str, count: int) -> Iterator[tuple[Terminal, list[float]]]:
    """The sample app with its table filled, and the milliseconds of CPU that this took."""
    terminal = Terminal([sys.executable, "-m", "benchmarks.table_app", kind, str(count)], size=_SIZE)
    try:
        terminal.until("done=1 ", timeout=60)
        yield terminal, _costs(terminal)
    finally:
        terminal.close()


def _costs(terminal: Terminal) -> list[float]:
    found = re.search(r"ms=([\d.,]+)", terminal.text())
    assert found is not None
    return [float(cost) for cost in found[1].split(",")]


def _press(terminal: Terminal, key: bytes) -> list[float]:
    """Press a key; the milliseconds of CPU that each step took until it was painted."""
    found = re.search(r"done=(\d+)", terminal.text())
    assert found is not None
    terminal.press(key)
    terminal.until(f"done={int(found[1]) + 1} ", timeout=60)
    return _costs(terminal)


def _median(terminal: Terminal, key: bytes, times: int = 5) -> float:
    return statistics.median(_press(terminal, key)[0] for _ in range(times))


def _figure(what: str, value: float, peer: float | None, limit: float, unit: str = "ms") -> Figure:
    beside = "" if peer is None else f" (DataTable {peer:,.0f})"
    return Figure(what, f"{value:,.1f} {unit}{beside}", f"at most {limit:g} {unit}", value <= limit)


def filling() -> Iterator[Figure]:
    """CPU from the rows in memory to the painted table, and the memory of the whole process."""
    with _opened("stock", _SOME) as (_, stock), _opened("ours", _SOME) as (_, ours):
        yield _figure("table: 10,000 jobs to the screen", ours[0], stock[0], 150)
    with _opened("ours", _MANY) as (terminal, ours):
        yield _figure("table: 100,000 jobs to the screen, in portions of 5,000", ours[0], None, 1500)
        yield _figure("table: memory of the process with 100,000 jobs", terminal.rss() / _MB, None, 130, "MB")
        _press(terminal, b"f")
        yield _figure("the same after filters were typed", terminal.rss() / _MB, None, 145, "MB")


def choosing() -> Iterator[Figure]:
    """Sorting and filtering, until it is painted."""
    with _opened("stock", _SOME) as (terminal, _):
        sort, filtered = _median(terminal, b"n", 3), max(_press(terminal, b"f"))
    with _opened("ours", _SOME) as (terminal, _):
        yield _figure("table: sort 10,000 jobs by name", _median(terminal, b"n"), sort, 50)
        yield _figure("table: filter 10,000 jobs, the slowest key", max(_press(terminal, b"f")), filtered, 30)
    with _opened("ours", _MANY) as (terminal, _):
        yield _figure("table: sort 100,000 jobs by name", _median(terminal, b"n"), None, 300)
        yield _figure("table: sort 100,000 jobs by run time", _median(terminal, b"e"), None, 300)
        typed = [_press(terminal, b"f") for _ in range(3)]
        steps = [statistics.median(step) for step in zip(*typed, strict=True)]
        yield _figure("table: filter 100,000 jobs, the slowest key of a word", max(steps), None, 60)


def living() -> Iterator[Figure]:
    """The cursor, changes in view, and changes anywhere, 1,000 jobs running."""
    found: dict[str, tuple[float, float, float, float]] = {}
    for kind, count in (("stock", _SOME), ("ours", _SOME), ("ours", _MANY)):
        with _opened(kind, count) as (terminal, _):
            down, fifty = _cpu_per_key(terminal, b"j"), _cpu_per_key(terminal, b"c")
            terminal.read(1.0)
            idle = _cpu_share(terminal)
            terminal.press(b"g")
            found[f"{kind} {count}"] = down, fifty, idle, _cpu_share(terminal) - idle
    stock = found[f"stock {_SOME}"]
    for count in (_SOME, _MANY):
        down, fifty, idle, live = found[f"ours {count}"]
        peer = stock if count == _SOME else (None, None, None, None)
        yield _figure(f"table: cursor down, {count:,} jobs", down, peer[0], 20)
        yield _figure(f"table: 50 visible jobs change at once, {count:,} jobs", fifty, peer[1], 30)
        yield _figure(f"table: 1,000 running jobs tick, {count:,} jobs", idle, peer[2], 2, "% of a core")
        yield _figure(f"table: 50 changes a second more, {count:,} jobs", live, peer[3], 8, "% of a core")


def _cpu_share(terminal: Terminal, seconds: float = 8.0) -> float:
    before = terminal.cpu()
    terminal.read(seconds)
    return (terminal.cpu() - before) / seconds * 100


def _cpu_per_key(terminal: Terminal, key: bytes, times: int = 20) -> float:
    """Milliseconds of CPU that a key costs in all, its repainting included."""
    before = terminal.cpu()
    for _ in range(times):
        terminal.press(key)
        terminal.read(0.15)
    return (terminal.cpu() - before) / times * 1000
