"""What goes over the wire: puts our driver and our frames under an app, if Textual is as they expect it."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.app import App

from ..buglog import log_bug

if TYPE_CHECKING:
    from .wire_frames import Wire

_APP = (
    "_batch_count",
    "_closed",
    "_driver",
    "_previous_cursor_position",
    "_running",
    "_sync_available",
    "console",
    "cursor_position",
    "driver_class",
    "post_display_hook",
)
_DRIVER = (
    "_disable_bracketed_paste",
    "_disable_in_band_window_resize",
    "_disable_line_wrap",
    "_disable_mouse_support",
    "_enable_bracketed_paste",
    "_enable_line_wrap",
    "_enable_mouse_support",
    "_patch_iflag",
    "_patch_lflag",
    "_query_in_band_window_resize",
    "_request_terminal_sync_mode_support",
    "_sigcont_application",
    "_sigtstp_application",
    "no_automatic_restart",
    "process_message",
    "resume_application_mode",
    "send_message",
    "suspend_application_mode",
)


class _OtherTextualError(Exception):
    """Textual is not as it is known here."""


def attach(app: App[Any], report: Callable[[Exception], object] = log_bug) -> Wire | None:
    """Let ``app``, which does not run yet, draw through a ``Wire``; None, and nothing is changed, where that cannot be.

    ``report`` hears why it is not possible, or later of an exception in the wire: then Textual's own output is used.
    """
    try:
        from textual.drivers.linux_driver import LinuxDriver

        from .driver import ScreenDriver
        from .wire_frames import Wire

        _look(app, LinuxDriver)
        _try()
    except Exception as error:  # noqa: BLE001 whatever it is, the screen works without
        report(error)
        return None
    if app.driver_class is LinuxDriver:
        app.driver_class = ScreenDriver
    return Wire(app, report)


def _look(app: App[Any], driver: type) -> None:
    """Whether all that is used is there."""
    missing = [name for name in _APP if not hasattr(app, name)] + [
        name for name in _DRIVER if not hasattr(driver, name)
    ]
    if missing:
        raise _OtherTextualError(f"without {', '.join(missing)}")
    if list(inspect.signature(app._display).parameters) != ["screen", "renderable"]:
        raise _OtherTextualError("another _display")


def _try() -> None:
    """Draw a small picture, change one cell, and see whether that is what would be sent."""
    from rich.color import ColorSystem
    from rich.segment import Segment
    from rich.style import Style
    from textual._compositor import ChopsUpdate, LayoutUpdate
    from textual.geometry import Region
    from textual.strip import Strip

    from .wire_cells import Line
    from .wire_diff import paint
    from .wire_frames import Picture

    picture = Picture(ColorSystem.STANDARD)
    shown: list[Line | None] = [None, None]
    first = Strip([Segment("ab", Style(color="red")), Segment("c")])
    second = Strip([Segment("aX", Style(color="red")), Segment("c")])
    picture.take(LayoutUpdate([[first], [Strip([Segment("def")])]], Region(0, 0, 3, 2)))
    sent = paint(shown, picture.lines, picture.palette).text()
    picture.take(ChopsUpdate([{0: second}, {0: None}], [(0, 1, 2)], [[3], [3]]))
    changed = paint(shown, picture.lines, picture.palette).text()
    expected = "\x1b[1H\x1b[0;31mab\x1b[mc\x1b[2Hdef", "\x1b[1;2H\x1b[0;31mX\x1b[m"
    if (sent, changed) != expected:
        raise _OtherTextualError(f"{sent!r} and {changed!r} would be sent")
