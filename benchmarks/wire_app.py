"""A small app to measure the wire with: ``python -m benchmarks.wire_app plain|wire table|log|both|side``.

A table of 100,000 rows on Textual's Line API (j, k, space, page keys, end), a log that grows (f: fast), a dialog (d),
and cells that change each second (t).
"""

from __future__ import annotations

import os
import random
import sys

os.environ.setdefault("TEXTUAL_FPS", "10")
os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")

from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical
from textual.geometry import Region, Size
from textual.screen import ModalScreen
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Input, Label

from jobtui.tui.screen.wire import attach

ROWS = 100_000
PLAIN, DIM, CURSOR, GREEN, RED = (Style.parse(text) for text in ("", "dim", "reverse", "green", "bold red"))
WORDS = ("alignment", "train", "evaluate", "merge-shards", "simulate", "render", "index", "call-variants")


class Table(ScrollView, can_focus=True):
    """Rows with a state in colour, and a cursor."""

    BINDINGS = [
        ("j,down", "go(1)", ""),
        ("k,up", "go(-1)", ""),
        ("space,pagedown", "page(1)", ""),
        ("b,pageup", "page(-1)", ""),
        ("g", "go(-100000)", ""),
        ("t", "tick", ""),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.virtual_size = Size(150, ROWS)
        self.cursor = 0
        self.ticks: dict[int, int] = {}

    def render_line(self, y: int) -> Strip:
        row = y + self.scroll_offset.y
        if row >= ROWS:
            return Strip.blank(self.size.width)
        rnd = random.Random(row)
        failed = row % 7 == 3
        base = CURSOR if row == self.cursor else PLAIN
        state = "failed" if failed else "running"
        cells = [
            Segment(f"{row:>7} ", base + DIM),
            Segment(f"{state:<10}", base + (RED if failed else GREEN)),
            Segment(f"{rnd.choice(WORDS) + str(rnd.randrange(10**6)):<32}", base),
            Segment(f"{rnd.randrange(5000):>6}s ", base),
            Segment(f"{self.ticks.get(row, 0):>8} ", base + DIM),
            Segment(f"{rnd.random():.12f} node{rnd.randrange(400):04d} /scratch/run/{row:07d}/out", base),
        ]
        return Strip(cells).adjust_cell_length(self.size.width, base)

    def action_go(self, rows: int) -> None:
        before, self.cursor = self.cursor, max(0, min(ROWS - 1, self.cursor + rows))
        self.show(before)

    def action_page(self, pages: int) -> None:
        before, self.cursor = self.cursor, max(0, min(ROWS - 1, self.cursor + pages * (self.size.height - 1)))
        self.scroll_to(y=self.scroll_offset.y + pages * (self.size.height - 1), animate=False)
        self.show(before)

    def show(self, before: int) -> None:
        top, height = self.scroll_offset.y, self.size.height
        if not top <= self.cursor < top + height:
            self.scroll_to(y=self.cursor if self.cursor < top else self.cursor - height + 1, animate=False)
            return
        for row in (before, self.cursor):
            self.refresh(Region(0, row - top, self.size.width, 1))

    def action_tick(self) -> None:
        self.set_interval(1.0, self.tick)

    def tick(self) -> None:
        """Change 20 visible cells, as a table does that refreshes regions."""
        top = self.scroll_offset.y
        for y in random.sample(range(self.size.height), min(20, self.size.height)):
            self.ticks[top + y] = self.ticks.get(top + y, 0) + 1
            self.refresh(Region(58, y, 9, 1))


class Log(ScrollView, can_focus=True):
    """Lines that grow by many a second when asked."""

    BINDINGS = [("f", "follow", ""), ("j", "go(1)", ""), ("k", "go(-1)", ""), ("space", "go(20)", "")]

    def __init__(self) -> None:
        super().__init__()
        self.count = 1000
        self.top = 0

    def render_line(self, y: int) -> Strip:
        row = self.top + y
        rnd = random.Random(row)
        text = f"{row:>9} {rnd.choice(WORDS)}: step {rnd.randrange(10**9)} loss={rnd.random():.6f} " + "x" * (row % 60)
        return Strip([Segment(text)]).adjust_cell_length(self.size.width)

    def action_go(self, rows: int) -> None:
        self.top = max(0, self.top + rows)
        self.refresh()

    def action_follow(self) -> None:
        self.set_interval(0.1, self.grow)

    def grow(self) -> None:
        self.action_go(10_000)


class Dialog(ModalScreen[None]):
    """A question with a line to type into."""

    BINDINGS = [("escape", "app.pop_screen", "")]
    DEFAULT_CSS = "Dialog { align: center middle; } Dialog Vertical { width: 40; height: 8; border: round green; }"

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label("Really?")
            line = Input()
            line.cursor_blink = False
            yield line


class Sample(App[None]):
    """Table, log, or both above each other or side by side."""

    BINDINGS = [("q", "quit", ""), ("d", "dialog", "")]
    ENABLE_COMMAND_PALETTE = False
    CSS = "Table, Log { height: 1fr; width: 1fr; background: ansi_default; }"

    def __init__(self, what: str) -> None:
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark"
        self.what = what

    def compose(self) -> ComposeResult:
        if self.what == "side":
            with Horizontal():
                yield Table()
                yield Log()
            return
        yield Label("jobs 100000, 14285 failed")
        if self.what in ("table", "both"):
            yield Table()
        if self.what in ("log", "both"):
            yield Log()
        yield Label("q quit  j down  k up")

    def action_dialog(self) -> None:
        self.push_screen(Dialog())


if __name__ == "__main__":
    app = Sample(sys.argv[2])
    if sys.argv[1] == "wire" and attach(app) is None:
        sys.exit("the wire does not fit this Textual")
    app.run()
