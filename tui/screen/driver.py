"""The terminal's life: application mode begins and ends, the process is stopped and goes on, the terminal is lost.

Textual's own driver writes in a thread whose queue makes the whole screen wait for a slow line, reads in another, and
does neither end well when the terminal is gone. This one does both in the event loop, and never waits.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import signal
import sys
import termios
import time
import tty
from codecs import getincrementaldecoder
from collections.abc import Callable
from typing import Any, Protocol

from textual import constants, events
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size
from textual.message import Message

from .flow import QUESTION, Flow
from .tty import Tty, open_tty

# Seconds for which a terminal that takes nothing, and its last answers, are waited for when application mode ends.
_LAST_WORDS = 1.0
_LAST_ANSWERS = 0.5
# Seconds between two looks at the size while the window is being dragged.
_RESIZE = 0.05
# Alternative screen, cursor hidden, focus reported.
_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?1004h"
# Keyboard protocol back, look and scroll region as at rest, normal screen, cursor shown, focus not reported.
_LEAVE = "\x1b[<u\x1b[m\x1b[r\x1b[?1049l\x1b[?25h\x1b[?1004l"
# Disambiguated keys with their text, as Textual asks for them.
_KEYBOARD = "\x1b[>25u"


class Listener(Protocol):
    """Who draws."""

    def unknown(self, columns: int, lines: int) -> None:
        """The terminal has this size, and what it shows is not known: it is ours anew, or its window was resized."""
        ...

    def ready(self) -> None:
        """The next frame may be sent."""
        ...


class ScreenDriver(LinuxDriver):
    """A driver for terminals that never makes the screen wait, and leaves the terminal as it was."""

    def __init__(self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None):
        """See Textual's driver."""
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.listener: Listener | None = None
        self.lost: Callable[[], object] = app.exit
        self._tty: Tty | None = None
        self._flow = Flow()
        self._stopping = False
        self._parser = XTermParser(debug)
        self._encoding = (sys.__stdout__ and sys.__stdout__.encoding) or "utf-8"
        self._decode = getincrementaldecoder(self._encoding)("replace").decode
        self._deaf = False
        self._tick: asyncio.TimerHandle | None = None
        self._resize: asyncio.TimerHandle | None = None
        self._hold: asyncio.TimerHandle | None = None
        if size is None:
            self._size = self._get_terminal_size()

    # -- what is sent

    @property
    def active(self) -> bool:
        """Whether the terminal is ours: not before the start, nor while another program has it."""
        return self._tty is not None

    def write(self, data: str) -> None:
        """Send text, in order and whole; dropped while the terminal is not ours."""
        if self._tty is not None:
            raw = data.encode(self._encoding, "replace")
            self._flow.sent(len(raw))
            self._tty.write(raw)

    @property
    def ready(self) -> bool:
        """Whether the next frame may be sent. If not, the listener is told when it may."""
        if self._tty is None or not self._tty.empty:
            return False
        wait = self._flow.wait(time.monotonic())
        if wait and self._hold is None:
            self._hold = self._loop.call_later(wait, self._may_go)
        return not wait

    def send_frame(self, frame: str) -> None:
        """Send one frame."""
        self.write(frame)
        if self._flow.due():
            self._ask()

    def _ask(self) -> None:
        self._flow.asked(time.monotonic())
        self.write(QUESTION)

    def _may_go(self) -> None:
        if self._hold is not None:
            self._hold.cancel()
            self._hold = None
        if self.listener is not None and self.ready:
            self.listener.ready()

    # -- what is typed

    def _read(self, data: bytes) -> None:
        for message in self._parser.feed(self._decode(data)):
            self.process_message(message)
        if self._tick is not None:
            self._tick.cancel()
        # An escape key is told from the beginning of a sequence by what does not follow.
        self._tick = self._loop.call_later(constants.ESCAPE_DELAY + 0.005, self._time_out)

    def _time_out(self) -> None:
        self._tick = None
        for message in self._parser.tick():
            self.process_message(message)

    def process_message(self, message: Message) -> None:
        """Keep the terminal's answers for ourselves."""
        if isinstance(message, events.CursorPosition):
            self._flow.answered()
            self._may_go()
        elif not self._deaf:
            super().process_message(message)

    # -- beginning and end

    def _get_terminal_size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self.fileno)
        except OSError:
            return 80, 24
        # Lines that no window belongs to, such as a serial one, say 0.
        return size.columns or 80, size.lines or 24

    def start_application_mode(self) -> None:
        """Take the terminal."""
        if self._tty is not None:
            return
        self._wait_for_foreground()
        self._tty = Tty(open_tty(self.fileno), self._read, self._may_go, self._lose)
        self._flow = Flow()
        self._deaf = False
        atexit.register(self.stop_application_mode)
        signal.signal(signal.SIGWINCH, self._window_changed)
        try:
            self.attrs_before = termios.tcgetattr(self.fileno)
            termios.tcsetattr(self.fileno, termios.TCSANOW, self._raw(self.attrs_before))
        except termios.error:
            self.attrs_before = None
        self.write(_ENTER)
        if not constants.DISABLE_KITTY_KEY:
            self.write(_KEYBOARD)
        self._enable_mouse_support()
        self._request_terminal_sync_mode_support()
        self._query_in_band_window_resize()
        self._enable_bracketed_paste()
        self._disable_line_wrap()
        self._ask()
        self._send_size()
        if self._must_signal_resume:
            self._must_signal_resume = False
            self.send_message(self.SignalResume())

    def _raw(self, attributes: list[Any]) -> list[Any]:
        raw: list[Any] = [list(part) if isinstance(part, list) else part for part in attributes]
        raw[tty.LFLAG] = self._patch_lflag(raw[tty.LFLAG])
        raw[tty.IFLAG] = self._patch_iflag(raw[tty.IFLAG])
        raw[tty.CC][termios.VMIN] = 1
        raw[tty.CC][termios.VTIME] = 0
        return raw

    def _disable_mouse_support(self) -> None:
        super()._disable_mouse_support()
        if self._mouse_pixels:
            self.write("\x1b[?1016l")

    def disable_input(self) -> None:
        """Hear no more keys and no more of the window."""
        if self._tty is not None:
            with contextlib.suppress(ValueError):
                # Not in the main thread.
                signal.signal(signal.SIGWINCH, signal.SIG_DFL)
            self._disable_mouse_support()
        self._deaf = True
        for timer in (self._tick, self._resize, self._hold):
            if timer is not None:
                timer.cancel()
        self._tick = self._resize = self._hold = None

    def stop_application_mode(self) -> None:
        """Give the terminal back as it was."""
        terminal = self._tty
        if terminal is None:
            return
        atexit.unregister(self.stop_application_mode)
        self._disable_bracketed_paste()
        self._enable_line_wrap()
        self._disable_in_band_window_resize()
        self.disable_input()
        self._hear_answers(terminal)
        self.write(_LEAVE)
        terminal.drain(_LAST_WORDS)
        self._tty = None
        with contextlib.suppress(termios.error):
            termios.tcflush(self.fileno, termios.TCIFLUSH)
            if self.attrs_before is not None:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
        terminal.close()

    def _hear_answers(self, terminal: Tty) -> None:
        """Wait a moment for answers on their way, which would else be typed into the shell."""
        deadline = time.monotonic() + _LAST_ANSWERS
        while self._flow.awaited(time.monotonic()) and not terminal.lost and (left := deadline - time.monotonic()) > 0:
            terminal.drain(min(left, _LAST_WORDS))
            terminal.wait_for_input(max(0.0, deadline - time.monotonic()))
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None

    def close(self) -> None:
        """Nothing is left to close: it was with the end of application mode."""

    def _lose(self) -> None:
        """The terminal is gone: its window was closed, or the connection broke."""
        self._loop.call_soon(self.lost)

    # -- size

    def _window_changed(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._resize_soon)

    def _resize_soon(self) -> None:
        if self._resize is None and not self._in_band_window_resize:
            self._resize = self._loop.call_later(_RESIZE, self._send_size)

    def _send_size(self) -> None:
        self._resize = None
        size = Size(*self._get_terminal_size())
        self.send_message(events.Resize(size, size))
        if self.listener is not None:
            self.listener.unknown(size.width, size.height)

    # -- stopped and continued by the shell

    def _sigtstp_application(self, *_: object) -> None:
        if self.active and self._auto_restart:
            self._loop.call_soon_threadsafe(self._suspend)
        else:
            # Another program has the terminal, and was stopped with us.
            os.kill(os.getpid(), signal.SIGSTOP)

    def _suspend(self) -> None:
        if self.active:
            self._must_signal_resume = True
            self.suspend_application_mode()
            self._stop()
            self.resume_application_mode()
        else:
            self._stop()

    def _stop(self) -> None:
        self._stopping = True
        os.kill(os.getpid(), signal.SIGSTOP)
        self._wait_for_foreground()
        self._stopping = False

    def _wait_for_foreground(self) -> None:
        """Sleep until the shell gives us the terminal; after ``bg`` it has not."""
        while not self._in_foreground():
            os.kill(os.getpid(), signal.SIGSTOP)

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self.fileno) == os.getpgrp()
        except OSError:
            return True

    def _sigcont_application(self, *_: object) -> None:
        # Unless we stopped ourselves: SIGSTOP came from elsewhere, and the shell has used the terminal since.
        if not self._stopping and self.active and self._auto_restart:
            self._loop.call_soon_threadsafe(self._revive)

    def _revive(self) -> None:
        if self.active:
            self._wait_for_foreground()
            self.suspend_application_mode()
            self.resume_application_mode()
