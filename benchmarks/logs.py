"""The log pane: how soon a large log is on the screen, what counting its lines costs, and following a fast writer."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .kit import Figure, cpu, rss, scratch_folder, until
from .terminal import Terminal

GIGABYTES = 10
LINES_PER_SECOND = 1_000_000
SECONDS = 10

# A hundred bytes in a line, as many programs write.
_LINE = b"2026-01-05 12:00:00.%03d INFO  worker %02d: step %08d loss=0.%04d accuracy=0.%04d throughput=%05d/s ok\n"
_WRITER = """
import sys, time
path, rate, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
part = rate // 100
block = b"".join(b"%-98d \\n" % n for n in range(part))
begin, written = time.monotonic(), 0
with open(path, "ab", buffering=0) as file:
    while (now := time.monotonic() - begin) < seconds:
        if written * 1.0 < now * rate:
            file.write(block)
            written += part
        else:
            time.sleep(0.001)
print(written)
"""


class _Screen:
    """The pane in a terminal of its own."""

    def __init__(self, folder: str, size: tuple[int, int] = (160, 50)) -> None:
        self.report = Path(f"{folder}/report")
        program = [sys.executable, "-m", "benchmarks.log_app", str(self.report), f"{folder}/jobs"]
        self.terminal = Terminal(program, size=size)
        self.pid = self.terminal.pid
        self.bytes = 0

    def drain(self, seconds: float) -> None:
        """Let time pass; what is written is taken and not looked at."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            import select

            if select.select([self.terminal.fd], [], [], left)[0]:
                self.bytes += len(os.read(self.terminal.fd, 1 << 16))

    def press(self, key: str) -> float:
        """Press a key; returns when."""
        now = time.monotonic()
        os.write(self.terminal.fd, key.encode())
        return now

    def events(self, what: str) -> list[tuple[float, float]]:
        """When something happened, and the number with it."""
        if not self.report.exists():
            return []
        lines = [line.split() for line in self.report.read_text().splitlines()]
        return [(float(line[0]), float(line[2])) for line in lines if len(line) == 3 and line[1] == what]

    def wait(self, what: str, count: int = 1, timeout: float = 300.0) -> tuple[float, float]:
        """Wait until something happened so often, and return when, with the number."""
        deadline = time.monotonic() + timeout
        while len(events := self.events(what)) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(what)
            self.drain(0.02)
        return events[count - 1]


@contextmanager
def _shown(sizes: dict[int, int]) -> Iterator[tuple[_Screen, str]]:
    """A screen on jobs with logs of so many bytes."""
    folder = scratch_folder()
    for job, size in sizes.items():
        os.makedirs(f"{folder}/jobs/{job}")
        _write(f"{folder}/jobs/{job}/job.stdout", size)
    screen = _Screen(folder)
    try:
        yield screen, folder
    finally:
        screen.terminal.close()
        for job in sizes:
            os.unlink(f"{folder}/jobs/{job}/job.stdout")


def _write(path: str, size: int) -> None:
    """A log of lines that are all different within 64 MB; nothing in it is sparse."""
    count = min(size, 64 * 2**20) // 100
    block = b"".join(_LINE % (n % 1000, n % 64, n, n % 9999, n % 9973, n % 99991) for n in range(count))
    with open(path, "wb") as file:
        while (left := size - file.tell()) > 0:
            file.write(block if left >= len(block) else block[: block.rfind(b"\n", 0, left) + 1 or left])


def _room(wanted: int) -> int:
    """As much as there is room for, in memory too: what is measured is not the disk."""
    status = os.statvfs(os.environ.get("TMPDIR", "/tmp"))
    free = min(status.f_bavail * status.f_frsize // 2, os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(wanted, free)


def opening() -> list[Figure]:
    """A log of 10 GB, in the page cache: from opening it to the first rows, memory and speed while it is counted."""
    size = _room(GIGABYTES * 10**9)
    with _shown({1: 1000, 2: size}) as (screen, folder):
        # Into the page cache.
        subprocess.run(["cat", f"{folder}/jobs/2/job.stdout"], stdout=subprocess.DEVNULL, check=True)
        screen.wait("indexed")
        screen.drain(1.0)
        before, busy = rss(screen.pid), cpu(screen.pid)
        screen.press("n")
        opened = screen.wait("opened", 2)[0]
        most = before
        while len(screen.events("indexed")) < 2:
            screen.drain(0.05)
            most = max(most, rss(screen.pid))
        painted = screen.events("painted")[1][0]
        indexed, lines = screen.events("indexed")[1]
        used = cpu(screen.pid) - busy
        pages = [_went(screen, key) for key in "gdeudddgee"]
        screen.drain(3.0)
        idle_bytes, idle_cpu = screen.bytes, cpu(screen.pid)
        screen.drain(20.0)
        idle_bytes, idle_cpu = screen.bytes - idle_bytes, (cpu(screen.pid) - idle_cpu) / 20 * 100
    first, speed = (painted - opened) * 1000, size / (indexed - opened) / 1e9
    memory = (most - before) / 2**20
    words = f"log of {size / 1e9:.1f} GB ({lines / 1e6:.1f} M lines)"
    middle = statistics.median(pages) * 1000
    return [
        Figure(f"{words}: opened to first rows painted", f"{first:.0f} ms", "at most 100 ms", first <= 100),
        Figure("the same: counting its lines, warm", f"{speed:.2f} GB/s ({used:.1f} s CPU)", "1 GB/s", speed >= 1),
        Figure("the same: memory above start meanwhile", f"{memory:.0f} MB", "at most 60 MB", memory <= 60),
        Figure(
            "the same: key to painted, ends and pages",
            f"{middle:.0f} ms (worst {max(pages) * 1000:.0f})",
            "50 ms",
            middle <= 50,
        ),
        Figure("the same, idle: bytes to the terminal in 20 s", f"{idle_bytes}", "0", idle_bytes == 0),
        Figure("the same, idle: CPU", f"{idle_cpu:.2f} % of a core", "at most 1 %", idle_cpu <= 1),
    ]


def _went(screen: _Screen, key: str) -> float:
    """Press a key, and return the seconds until what it did was painted."""
    count = len(screen.events("went"))
    pressed = screen.press(key)
    return screen.wait("went", count + 1)[0] - pressed


def following() -> list[Figure]:
    """A writer of 1 M lines of 100 bytes per second: nothing is lost, keys are heard, and it costs little."""
    with _shown({1: 1000}) as (screen, folder):
        screen.wait("indexed")
        path = f"{folder}/jobs/1/job.stdout"
        known = int(screen.events("lines")[-1][1])
        command = [sys.executable, "-c", _WRITER, path, str(LINES_PER_SECOND), str(SECONDS)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        screen.drain(2.0)
        busy, sent, begin = cpu(screen.pid), screen.bytes, time.monotonic()
        screen.drain(SECONDS / 2)
        seconds = time.monotonic() - begin
        busy, sent = (cpu(screen.pid) - busy) / seconds * 100, (screen.bytes - sent) / seconds
        keys = [_went(screen, key) for key in "uuuduueuugueuuuue"]
        while writer.poll() is None:
            screen.drain(0.1)
        written = int(writer.communicate()[0])
        until(lambda: screen.drain(0.1) or screen.events("lines")[-1][1] >= known + written, 20)
        counted = int(screen.events("lines")[-1][1]) - known
    rate = written / SECONDS / 1e6
    middle, worst = statistics.median(keys) * 1000, max(keys) * 1000
    return [
        Figure(
            f"following {rate:.2f} M lines/s for {SECONDS} s: lines written and not counted",
            f"{written - counted} of {written:,}",
            "0",
            counted == written,
        ),
        Figure("the same: key to painted", f"{middle:.0f} ms (worst {worst:.0f})", "50 ms", middle <= 50),
        Figure("the same: CPU", f"{busy:.0f} % of a core", "at most 25 %", busy <= 25),
        Figure("the same: to the terminal, 160x50", f"{sent / 1000:.0f} KB/s", "at most 150 KB/s", sent <= 150_000),
    ]
