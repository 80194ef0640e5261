"""Sequences for the terminal beside the picture: bell, clipboard, title, and whether the mouse is reported."""

# pyright: reportPrivateUsage=false
# Textual has no public way to its driver.

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver


def send_raw(app: App[Any], text: str) -> bool:
    """Send a complete escape sequence that draws nothing (bell, OSC) to the terminal, between two frames.

    False, and nothing is sent, where there is no terminal of ours: in a headless test, in a browser, or while another
    program such as the editor has the terminal. Call it from the app's own thread.
    """
    driver = app._driver
    if not isinstance(driver, LinuxDriver) or driver.is_inline or not _in_use(driver):
        return False
    driver.write(text)
    driver.flush()
    return True


def _in_use(driver: LinuxDriver) -> bool:
    ours: bool | None = getattr(driver, "active", None)
    if ours is not None:
        return ours
    writer = driver._writer_thread
    return writer is not None and writer.is_alive()


def unfit(environ: Mapping[str, str]) -> str:
    """In words, why the terminal cannot show the screen; "" if it can."""
    kind = environ.get("TERM", "")
    if kind in ("dumb", "unknown"):
        return f"this terminal (TERM={kind}) cannot show the screen; jobtui ls lists the jobs"
    return ""


def through_tmux(sequence: str, environ: Mapping[str, str]) -> str:
    """What makes tmux hand ``sequence`` on to the terminal around it; the sequence itself outside of tmux.

    tmux does so before 3.3, and later if ``allow-passthrough`` is on; else it drops all of it, and nothing is drawn.
    The bell and the title (OSC 0, 2) need no wrapping: tmux understands them. For the clipboard (OSC 52) send the plain
    sequence and then the wrapped one: tmux heeds the first if ``set-clipboard`` is ``on``, and the second if it lets
    sequences through; with its defaults neither, but there ``tmux load-buffer -w -`` (3.2 and later), given the text on
    its input, reaches the clipboard.
    """
    if not environ.get("TMUX"):
        return sequence
    return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"


def set_mouse(app: App[Any], on: bool) -> None:
    """Take the mouse, or release it so that the terminal's own selection works. Stays so over suspend and resume."""
    driver = app._driver
    if not isinstance(driver, LinuxDriver) or driver._mouse == on:
        return
    if on:
        driver._mouse = True
    if _in_use(driver) and on:
        driver._enable_mouse_support()
    elif _in_use(driver):
        driver._disable_mouse_support()
    # Read when the application mode begins again.
    driver._mouse = on
