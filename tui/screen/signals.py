"""Signals that end the screen: what is to be kept is kept, the terminal is restored, and the jobs are left alone."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from textual.app import App

_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
# Seconds that the app may take to end; a thread that waits for a dead file server must not keep it.
_PATIENCE = 5.0


def heed(app: App[Any], before_exit: Callable[[], None]) -> None:
    """End ``app`` in good order on SIGTERM, SIGHUP, SIGINT, SIGQUIT, and when its terminal is gone.

    ``before_exit`` is called first, once, in the event loop; it keeps what is to be kept. If the app has not ended some
    seconds later, it ends at once, with the terminal restored. Call this in the running app.
    """
    loop = asyncio.get_running_loop()
    before: dict[int, Any] = {}
    told = False

    def leave() -> None:
        # A terminal that goes tells so several times.
        nonlocal told
        if told:
            return
        told = True
        try:
            before_exit()
        except Exception as error:  # noqa: BLE001 a bug, which ends the app and is told as any other
            app._handle_exception(error)
        else:
            app.exit()

    def heard(number: int, _frame: object) -> None:
        # Not the loop's own handlers: those hear of a signal also while another program has the terminal and its
        # interrupt key is meant for that program.
        if loop.is_closed():
            signal.signal(number, before[number])
            os.kill(os.getpid(), number)
            return
        if not told and _has_terminal(app):
            _end_later(app, number)
        loop.call_soon_threadsafe(leave)

    def lost() -> None:
        _end_later(app, signal.SIGHUP)
        leave()

    for number in _ENDING:
        # In tests the app may run beside the main thread, where there are no handlers.
        with contextlib.suppress(ValueError):
            before[number] = signal.signal(number, heard)
    # Our own driver has it; any other says nothing of a lost terminal.
    driver: Any = app._driver
    if hasattr(driver, "lost"):
        driver.lost = lost


def _has_terminal(app: App[Any]) -> bool:
    return getattr(app._driver, "active", True)


def _end_later(app: App[Any], number: int) -> None:
    timer = threading.Timer(_PATIENCE, _end_now, (app, number))
    timer.daemon = True
    timer.start()


def _end_now(app: App[Any], number: int) -> None:
    try:
        if app._driver is not None:
            app._driver.stop_application_mode()
    finally:
        os._exit(128 + number)
