"""How the panes are arranged: one above the other, side by side or one alone; which one has the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from .action import PANES, Pane

if TYPE_CHECKING:
    from .desk import JobScreen

Layout = Literal["auto", "stacked", "side", "single"]
LAYOUTS: tuple[Layout, ...] = ("auto", "stacked", "side", "single")
Second = Literal["log", "detail"]

# From so many columns on two panes fit beside each other; below so many lines only one has room.
_SIDE_FROM = 170
_ONE_BELOW = 14
_ONE_NARROWER = 30
_LEAST, _MOST, _STEP = 20, 80, 5


def choose_layout(layout: Layout, width: int, height: int) -> Layout:
    """The layout for a terminal of this size; a wish is heeded where it has room."""
    if height < _ONE_BELOW or width < _ONE_NARROWER:
        return "single"
    if layout == "auto":
        return "side" if width >= _SIDE_FROM else "stacked"
    return "stacked" if layout == "side" and width < 2 * _ONE_NARROWER else layout


class Arrange:
    """Arranges the panes of one screen. The table comes first; the second pane is the log or the detail."""

    def __init__(self, desk: JobScreen) -> None:
        """Begin with the table above the log."""
        self._desk = desk
        self.layout: Layout = "auto"
        self.second: Second = "log"
        # The table's share of the room, in percent.
        self.share = 45
        self.zoomed = False

    @property
    def current(self) -> Pane:
        """The pane that has the keys."""
        focused = self._desk.focused
        if focused is None:
            return "table"
        around = focused.ancestors_with_self
        found: list[Pane] = [pane for pane in PANES if self._desk.pane(pane) in around]
        return found[0] if found else "table"

    def focus(self, pane: Pane) -> None:
        """Give the keys to a pane, which comes into view."""
        if pane not in ("table", self.second):
            self.second = pane
            self._desk.show_current()
        self.apply(pane)
        # At once, not when the loop comes to it: the next key may have arrived already.
        self._desk.set_focus(self._desk.view(pane))

    def step(self, step: int) -> None:
        """Give the keys to the next pane."""
        order: list[Pane] = ["table", self.second]
        at = order.index(self.current) if self.current in order else 0
        self.focus(order[(at + step) % len(order)])

    def swap(self) -> None:
        """Show the detail in place of the log, and back."""
        target: Second = "log" if self.second == "detail" else "detail"
        had_keys = self.current != "table" or choose_layout(self.layout, *self._desk.size) == "single"
        self.second = target
        self._desk.show_current()
        self.apply(self.current)
        if had_keys:
            self.focus(target)

    def zoom(self) -> None:
        """Give the present pane all the room, and back."""
        self.zoomed = not self.zoomed
        if self.zoomed and self.current == "table":
            self.focus(self.second)
        self.apply(self.current)

    def set_layout(self, name: str) -> None:
        """Take a layout by its name; one that does not exist changes nothing."""
        self.layout = cast("Layout", name) if name in LAYOUTS else self.layout

    def next_layout(self) -> None:
        """Take the next layout."""
        self.layout = LAYOUTS[(LAYOUTS.index(self.layout) + 1) % len(LAYOUTS)]
        self.zoomed = False
        self.apply(self.current)
        self._desk.say(f"layout: {self.layout}")

    def grow(self, step: int) -> None:
        """Give the table more or less room."""
        self.share = min(_MOST, max(_LEAST, self.share + step * _STEP))
        self.apply(self.current)

    def apply(self, current: Pane) -> None:
        """Make it so. Only what changes is laid out anew."""
        desk = self._desk
        layout = choose_layout(self.layout, *desk.size)
        alone = self.zoomed or layout == "single"
        for pane in PANES:
            shown = pane == current if alone else pane in ("table", self.second)
            desk.pane(pane).display = shown
        side = layout == "side" and not alone
        desk.area.set_class(side, "side")
        desk.area.set_class(alone, "alone")
        table = desk.table
        second = desk.pane(self.second)
        unit = "w" if side else "h"
        if alone:
            for pane in PANES:
                desk.pane(pane).styles.width = desk.pane(pane).styles.height = "1fr"
            return
        for widget, share in ((table, self.share), (second, 100 - self.share)):
            widget.styles.width = f"{share}fr" if unit == "w" else "1fr"
            widget.styles.height = f"{share}fr" if unit == "h" else "1fr"
