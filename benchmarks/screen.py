"""The screen in a real terminal: how soon it shows, what it costs, what it sends, and how it bears a slow line."""

from __future__ import annotations

import contextlib
import os
import re
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator

import msgspec

from jobtui.core import BlockingJobManager, JobRow, JobSpec, State
from jobtui.core.index import Indexed, IndexWriter
from jobtui.core.journal import JournalWriter
from jobtui.core.lease import take
from jobtui.core.workdir import INDEX, JOURNAL, WorkDir

from .kit import COMMAND, Figure, scratch, scratch_folder
from .terminal import Terminal
from .work_directory import crowd

_SIZE = (160, 50)
_BUSY = 1000


def _environment() -> dict[str, str]:
    folder = scratch_folder()
    names = ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
    return {**{name: folder for name in names}, "TERM": "xterm-256color", "COLORTERM": "truecolor"}


@contextlib.contextmanager
def _screen(path: str, **more: float) -> Iterator[Terminal]:
    terminal = Terminal([COMMAND, "-w", path], size=_SIZE, environment=_environment(), **more)  # type: ignore[arg-type]
    try:
        yield terminal
    finally:
        terminal.close()


def _crowd(count: int) -> str:
    """A work directory of many jobs that no engine drives."""
    path = f"{scratch_folder()}/jobs"
    crowd(WorkDir(path), count)
    BlockingJobManager(WorkDir(path)).configure({"autostart": False})
    return path


def _painted(arguments: list[str], environment: dict[str, str]) -> float:
    """Milliseconds from the start of a program until rows of a table are on its screen."""
    started = time.perf_counter()
    terminal = Terminal(arguments, size=_SIZE, environment=environment)
    try:
        while "align-" not in terminal.text():
            terminal.read(0.003)
            if time.perf_counter() - started > 30:
                raise TimeoutError(terminal.text())
        return (time.perf_counter() - started) * 1000
    finally:
        terminal.close()


def start() -> list[Figure]:
    """Process start to the first painted rows, beside a bare Textual app, in turn; and memory once all is read."""
    few, many = _crowd(100), _crowd(100_000)
    environment = _environment()
    programs = {
        "bare": [sys.executable, "-m", "benchmarks.bare_app"],
        "few": [COMMAND, "-w", few],
        "many": [COMMAND, "-w", many],
    }
    times: dict[str, list[float]] = {name: [] for name in programs}
    for run in range(12):
        for name, arguments in programs.items():
            took = _painted(arguments, environment)
            # The first round compiles modules and fills caches.
            if run:
                times[name].append(took)
    bare, first, second = (statistics.median(times[name]) for name in ("bare", "few", "many"))
    figures = [
        Figure(
            f"start to first rows, {words}, beside a bare Textual app ({bare:.0f} ms)",
            f"{took:.0f} ms, {took / bare:.2f} x",
            "at most 2 x",
            took <= 2 * bare,
        )
        for words, took in (("100 jobs", first), ("100,000 jobs", second))
    ]
    with _screen(many) as terminal:
        terminal.until("align-")
        terminal.until(lambda: "reading" not in terminal.text(), 60)
        terminal.still(1.0)
        memory = terminal.rss() / 2**20
    figures.append(Figure("memory with 100,000 jobs", f"{memory:.0f} MB", "at most 130 MB", memory <= 130))
    return figures


@contextlib.contextmanager
def _driven(started: float) -> Iterator[tuple[str, JournalWriter, list[JobRow]]]:
    """Jobs that all run since ``started``, as index and journal say, which are ours: we hold the lease."""
    path = _crowd(_BUSY)
    workdir = WorkDir(path)
    lease = take(workdir)
    running = {"state": State.RUNNING, "started": started, "ended": None, "elapsed": None, "exit_code": None}
    rows = [msgspec.structs.replace(row, **running) for row in BlockingJobManager(workdir).jobs()]
    index = IndexWriter(workdir.file(INDEX))
    index.write([Indexed(row, workdir.mtime_ns(row.id)) for row in rows], [])
    index.close()
    journal = JournalWriter(workdir.file(JOURNAL))
    try:
        yield path, journal, rows
    finally:
        journal.close()
        lease.give_up()


@contextlib.contextmanager
def _changing(journal: JournalWriter, rows: list[JobRow], per_second: int, *, visible: int) -> Iterator[None]:
    """Change the detail and state of jobs all the time; the newest ``visible`` ones in turn."""
    over = threading.Event()

    def change() -> None:
        number = 0
        while not over.wait(0.1):
            changed = []
            for _ in range(per_second // 10):
                row = rows[-1 - number % visible]
                state = State.RUNNING if (number // visible) % 2 else State.SUSPENDED
                changed.append(msgspec.structs.replace(row, state=state))
                number += 7
            journal.append(changed, [])

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _per_second(terminal: Terminal, seconds: float) -> tuple[float, float]:
    """Bytes and CPU share (percent of a core) while time passes."""
    arrived, cpu, begun = terminal.arrived, terminal.cpu(), time.monotonic()
    terminal.read(seconds)
    took = time.monotonic() - begun
    return (terminal.arrived - arrived) / took, (terminal.cpu() - cpu) / took * 100


def _settled(terminal: Terminal) -> None:
    terminal.until("align-")
    terminal.until(lambda: "reading" not in terminal.text(), 60)
    terminal.still(1.5)


def traffic() -> list[Figure]:
    """Bytes to the terminal: nothing changes, cells change, the cursor moves; and CPU of ticking and of keys."""
    figures: list[Figure] = []
    with _driven(time.time() - 4000) as (path, journal, rows), _screen(path) as terminal:
        _settled(terminal)
        sent, _ = _per_second(terminal, 15)
        figures.append(Figure("bytes when nothing changes", f"{sent:.0f} B/s", "0", sent == 0))
        with _changing(journal, rows, 20, visible=20):
            sent, _ = _per_second(terminal, 10)
        figures.append(Figure("bytes, 20 cells in view change per second", f"{sent:.0f} B/s", "2 KB/s", sent <= 2048))
        terminal.still(1.0)
        moves = []
        for _ in range(15):
            before = terminal.arrived
            terminal.press(b"j")
            terminal.still(0.4)
            moves.append(terminal.arrived - before)
        move = statistics.median(moves)
        figures.append(Figure("bytes, cursor down one row", f"{move:.0f} B", "at most 1 KB", move <= 1024))
        with _changing(journal, rows, 50, visible=_BUSY):
            _, idle = _per_second(terminal, 8)
            cpu, keys = terminal.cpu(), 0
            begun = time.monotonic()
            while time.monotonic() - begun < 8:
                terminal.press(b"j" if keys // 15 % 2 else b"k")
                keys += 1
                terminal.read(0.15)
            used = (terminal.cpu() - cpu - idle / 100 * (time.monotonic() - begun)) / keys * 1000
        figures.append(
            Figure("CPU of a key press, 1,000 jobs, 50 change per second", f"{used:.1f} ms", "20 ms", used <= 20)
        )
        figures.append(Figure("CPU while 50 of 1,000 jobs change per second", f"{idle:.1f} %", "-", True))
    shares = []
    for age in (0, 600):
        with _driven(time.time() - age) as (path, _, _), _screen(path) as terminal:
            terminal.until("align-")
            terminal.read(6)
            shares.append(_per_second(terminal, 30)[1])
    seconds_tick, minutes_tick = shares
    figures.append(
        Figure(
            "CPU, 1,000 running jobs whose elapsed time ticks",
            f"{seconds_tick:.1f} % in seconds, {minutes_tick:.1f} % in minutes",
            "2 %",
            seconds_tick <= 2,
        )
    )
    return figures


def slow() -> list[Figure]:
    """Page down held for 2 s on a line of 50 KB/s: how long the screen moves on after release, and no key is lost."""
    path = _crowd(5000)

    def run() -> tuple[float, int]:
        with _screen(path, rate=50_000) as terminal:
            _settled(terminal)
            for _ in range(40):
                terminal.press(b"\x1b[6~")
                terminal.read(0.05)
            released = time.monotonic()
            terminal.still(0.7)
            moved = max((at for at, _ in terminal.history), default=released) - released
            return max(0.0, moved), _cursor(terminal)

    def still() -> int:
        with _screen(path) as terminal:
            _settled(terminal)
            for _ in range(40):
                terminal.press(b"\x1b[6~")
                terminal.still(0.15)
            return _cursor(terminal)

    runs = [run() for _ in range(3)]
    expected = still()
    moved = statistics.median(took for took, _ in runs)
    lost = any(where != expected for _, where in runs)
    return [
        Figure("page down held on 50 KB/s: movement after release", f"{moved:.2f} s", "2 s", moved <= 2),
        Figure("keys lost meanwhile", "some" if lost else "none", "none", not lost),
    ]


def _cursor(terminal: Terminal) -> int:
    """The id of the job under the cursor."""
    found = re.search(r"^>\W*(\d+)", terminal.text(), re.MULTILINE)
    return int(found[1]) if found else -1


def following() -> list[Figure]:
    """A fast log followed at 160x50: bytes per second, CPU, and how soon a state change is painted."""
    figures: list[Figure] = []
    with scratch() as manager:
        manager.configure({"slots": 2})
        (job,) = manager.submit(JobSpec(name="align-yes", shell="yes 'some words of a log that is written fast'"))
        with _screen(manager.workdir.path) as terminal:
            terminal.until("some words")
            terminal.read(2)
            sent, cpu = _per_second(terminal, 10)
        manager.cancel([job], force=True)
        figures.append(
            Figure(
                "bytes, following a fast log", f"{sent / 1000:.1f} KB/s, CPU {cpu:.0f} %", "150 KB/s", sent <= 150_000
            )
        )
        delays = [_delay(manager, number) for number in range(9)]
        delay = statistics.median(delays) * 1000
        figures.append(
            Figure(
                "change of a state to painted cell",
                f"{delay:.0f} ms (worst {max(delays) * 1000:.0f})",
                "150 ms",
                delay <= 150,
            )
        )
    return figures


def _delay(manager: BlockingJobManager, number: int) -> float:
    """Seconds from the end of a job until the screen says so."""
    gate = f"{manager.workdir.path}-{number}"
    os.mkfifo(gate)
    name = f"gate{number}"
    manager.submit(JobSpec(name=name, command=("sh", "-c", f"read word < {gate}")))
    with _screen(manager.workdir.path) as terminal:

        def says(state: str) -> Callable[[], bool]:
            return lambda: re.search(rf"{name}\s+\W*{state}", terminal.text()) is not None

        terminal.until(says("running"))
        terminal.still(1.2)
        with open(gate, "w") as file:
            file.write("go\n")
        begun = time.perf_counter()
        while not says("finished")():
            terminal.read(0.002)
            if time.perf_counter() - begun > 20:
                raise TimeoutError(terminal.text())
        return time.perf_counter() - begun
