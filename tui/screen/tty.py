"""The terminal as a file that is never waited for: what it does not take now is kept and follows when it can."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable

_READ = 65536
# Bytes kept for a terminal that does not read, before a write waits for it after all.
_KEPT = 1 << 20


def open_tty(fd: int) -> int:
    """A file of our own for the terminal behind ``fd``, which does not block; a copy of ``fd`` if that cannot be had.

    ``fd`` itself is shared with the shell, so it cannot be made not to block.
    """
    flags = os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(os.ttyname(fd), flags)
    except OSError:
        pass
    try:
        # After su, a terminal may be somebody else's; as the controlling terminal it can be opened.
        os.tcgetpgrp(fd)
        return os.open("/dev/tty", flags)
    except OSError:
        return os.dup(fd)


class Tty:
    """Reads from and writes to a terminal in the running event loop."""

    def __init__(self, fd: int, read: Callable[[bytes], None], emptied: Callable[[], None], lost: Callable[[], None]):
        """Use the terminal ``fd``, which is closed at the end.

        ``read`` gets what is typed, ``emptied`` is called when the terminal has taken all, ``lost`` once when it is
        gone.
        """
        self.fd = fd
        self._loop = asyncio.get_running_loop()
        self._on_read, self._on_emptied, self._on_lost = read, emptied, lost
        self._waiting = bytearray()
        self._writing = False
        self.lost = False
        self._loop.add_reader(fd, self.take)

    @property
    def empty(self) -> bool:
        """Whether the terminal has taken everything."""
        return not self._waiting

    def write(self, data: bytes) -> None:
        """Send, or keep for later."""
        if self.lost:
            return
        self._waiting += data
        if not self._writing:
            self._push()
        if len(self._waiting) > _KEPT:
            self.drain(60.0)

    def _push(self) -> None:
        """Send what the terminal takes."""
        try:
            while self._waiting:
                del self._waiting[: os.write(self.fd, self._waiting)]
        except BlockingIOError:
            if not self._writing and not self._loop.is_closed():
                self._writing = True
                self._loop.add_writer(self.fd, self._resume)
        except OSError:
            self._lose()

    def _resume(self) -> None:
        self._push()
        if self._writing and not self._waiting and not self.lost:
            self._writing = False
            self._loop.remove_writer(self.fd)
            self._on_emptied()

    def take(self) -> None:
        """Read what was typed."""
        try:
            data = os.read(self.fd, _READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._on_read(data)
        else:
            # A terminal in raw mode has no end of input but its own.
            self._lose()

    def _lose(self) -> None:
        if not self.lost:
            self.lost = True
            self._waiting.clear()
            self._detach()
            self._on_lost()

    def _detach(self) -> None:
        self._writing = False
        if not self._loop.is_closed():
            self._loop.remove_reader(self.fd)
            self._loop.remove_writer(self.fd)

    def drain(self, seconds: float) -> None:
        """Wait until the terminal has taken everything, or has taken nothing for so long."""
        left = len(self._waiting) + 1
        while not self.lost and 0 < len(self._waiting) < left:
            left = len(self._waiting)
            select.select([], [self.fd], [], seconds)
            self._push()

    def wait_for_input(self, seconds: float) -> None:
        """Wait for something to be typed, and read it."""
        if not self.lost and select.select([self.fd], [], [], seconds)[0]:
            self.take()

    def close(self) -> None:
        """Let go of the terminal."""
        if not self.lost:
            self._detach()
        self.lost = True
        os.close(self.fd)
