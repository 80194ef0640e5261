"""Frames for the terminal: what Textual wants shown becomes a picture, and its difference to what is shown is sent.

Textual sends each dirty region anew, whether or not it looks different, and makes the screen wait for a slow line.
Here a frame is made when the line is free. So frames that a slow line had no time for are never made, and the last
one always is.
"""

# pyright: reportPrivateUsage=false
# Textual has no public place for this. ``wire.attach`` looks first whether all that is used is there and as expected.

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from rich.color import ColorSystem
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.app import App
from textual.screen import Screen

from .wire_cells import Line, Palette, blank, line_of, splice
from .wire_diff import paint

# Between these a terminal draws nothing, and then all at once.
_SYNC, _END_SYNC = "\x1b[?2026h", "\x1b[?2026l"


@runtime_checkable
class Outlet(Protocol):
    """The part of a driver that frames are sent to."""

    listener: Any

    @property
    def ready(self) -> bool:
        """Whether a frame may be sent now; if not, ``listener.ready`` is called when it may."""
        ...

    def send_frame(self, frame: str) -> None:
        """Send a frame, whole and in order with all else."""
        ...


class Picture:
    """What the terminal should show, line by line."""

    def __init__(self, colors: ColorSystem) -> None:
        """Nothing yet; colours are of this kind."""
        self.palette = Palette(colors)
        self.width = 0
        self.lines: list[Line] = []

    def take(self, update: LayoutUpdate | ChopsUpdate) -> bool:
        """Take an update; False if it cannot be understood without another of the whole screen before it."""
        if isinstance(update, LayoutUpdate):
            self._layout(update)
            return True
        if len(update.chops) != len(self.lines) or update.chop_ends[0][-1:] != [self.width]:
            return False
        self._chops(update)
        return True

    def _layout(self, update: LayoutUpdate) -> None:
        self.width = update.region.width
        self.lines = [line_of(strips, self.palette, self.width) for strips in update.strips]
        self.lines += [blank(self.width)] * (update.region.height - len(self.lines))

    def _chops(self, update: ChopsUpdate) -> None:
        """Take the cells that Textual would send: from the left edge of each widget that has changed ones."""
        for y, start, end in update.spans:
            if not 0 <= y < len(self.lines):
                continue
            line = self.lines[y]
            for last, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
                if strip is None or x >= end or last <= start:
                    continue
                stop = min(last, end)
                part = strip if last <= end else strip.crop(0, stop - x)
                line = splice(line, x, line_of([part], self.palette, stop - x))
            self.lines[y] = line


class Wire:
    """Sends what an app shows."""

    def __init__(self, app: App[Any], report: Callable[[Exception], object]) -> None:
        """Stand between ``app`` and its driver; ``report`` hears of a bug here; then Textual does it."""
        self._app = app
        self._report = report
        self._plainly = app._display
        self._outlet: Outlet | None = None
        self._picture = Picture(app.console._color_system or ColorSystem.TRUECOLOR)
        self._shown: list[Line | None] = []
        self._cursor: tuple[int, int] | None = None
        self._pending = False
        app._display = self.display

    def display(self, screen: Screen[Any], renderable: Any) -> None:
        """Show an update; in the place of Textual's own method."""
        app = self._app
        outlet = self._outlet_now()
        ours = isinstance(renderable, LayoutUpdate | ChopsUpdate)
        if outlet is None or not ours or app._batch_count or not app._running or app._closed:
            self._plainly(screen, renderable)
            if outlet is not None and renderable is not None and not isinstance(renderable, CompositorUpdate):
                self._forget()
            return
        try:
            if not self._picture.take(renderable) or self._picture.palette.full:
                self._anew(screen)
            self._pending = True
            self._send(outlet)
        except Exception as error:  # noqa: BLE001 the screen goes on, and the bug is told
            self._give_up(error)
        else:
            app.post_display_hook()

    def _outlet_now(self) -> Outlet | None:
        driver = self._app._driver
        if driver is not self._outlet:
            self._outlet = None
            if isinstance(driver, Outlet) and not driver.is_inline:
                self._outlet = driver
                driver.listener = self
                self._forget()
        return self._outlet

    def _anew(self, screen: Screen[Any]) -> None:
        """Make the picture from the whole screen."""
        self._picture = Picture(self._picture.palette.colors)
        self._picture.take(screen._compositor.render_full_update())
        self._forget()

    def _forget(self) -> None:
        self._shown = []

    def _send(self, outlet: Outlet) -> None:
        picture, app = self._picture, self._app
        if not outlet.ready or not app._running or app._closed:
            return
        self._pending = False
        cursor = app.screen.outer_size.clamp_offset(app.cursor_position)
        app._previous_cursor_position = cursor
        begin = ""
        if len(self._shown) != len(picture.lines) or (self._shown and _width(self._shown[0]) != picture.width):
            # Nothing is known of the terminal; not even the look that it draws in.
            self._shown = [None] * len(picture.lines)
            self._cursor = None
            begin = "\x1b[m"
        body = paint(self._shown, picture.lines, picture.palette).text()
        if not body and cursor == self._cursor:
            return
        self._cursor = (cursor.x, cursor.y)
        frame = f"{begin}{body}\x1b[{cursor.y + 1};{cursor.x + 1}H"
        outlet.send_frame(_SYNC + frame + _END_SYNC if app._sync_available else frame)

    def _give_up(self, error: Exception) -> None:
        """Leave it to Textual from now on."""
        app = self._app
        app._display = self._plainly
        self._outlet = None
        self._report(error)
        self._plainly(app.screen, app.screen._compositor.render_full_update())

    # -- called by the driver and by who knows that the terminal was written on

    def ready(self) -> None:
        """Send what has waited: the line is free."""
        if self._outlet is None or not self._pending:
            return
        try:
            self._send(self._outlet)
        except Exception as error:  # noqa: BLE001 as above
            self._give_up(error)

    def unknown(self, columns: int, lines: int) -> None:
        """Send everything: what the terminal shows is not known. If its size has changed, the app draws anew."""
        self._forget()
        self._pending = (columns, lines) == (self._picture.width, len(self._picture.lines))
        self.ready()

    def reset(self) -> None:
        """Send everything again: something else may have written on the terminal."""
        self._forget()
        self._pending = bool(self._picture.lines)
        self.ready()


def _width(line: Line | None) -> int:
    return -1 if line is None else len(line.text)
