"""The wire under apps: a terminal shows the same whether Textual writes to it or the wire, whatever is dropped."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.segment import Segment
from rich.style import Style
from textual._compositor import CompositorUpdate
from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical
from textual.driver import Driver
from textual.events import Resize
from textual.geometry import Size
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import DataTable, Input, Label, Static

from benchmarks.terminal import emulated
from jobtui.tui.screen import wire_frames
from jobtui.tui.screen.wire import attach
from jobtui.tui.screen.wire_cells import Palette

TEXTS = ["a", "hello", " ", "漢字", "e\u0301", "│", "x\u0301y", "────", "\u00a0"]


class FakeTerminal(Driver):
    """A driver whose line can be slow, and which says what it got."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.listener: Any = None
        self.slow = False
        self.got = ""
        self.frames: list[str] = []

    @property
    def ready(self) -> bool:
        return not self.slow

    def send_frame(self, frame: str) -> None:
        assert not self.slow
        self.frames.append(frame)
        self.got += frame

    def write(self, data: str) -> None:
        self.got += data

    def start_application_mode(self) -> None:
        assert self._size is not None
        self.send_message(Resize(Size(*self._size), Size(*self._size)))

    def disable_input(self) -> None:
        pass

    def stop_application_mode(self) -> None:
        pass


class Stage:
    """An app on two terminals: one gets Textual's own output, the other the wire's."""

    def __init__(self, app: App[Any], size: tuple[int, int]) -> None:
        app.driver_class = FakeTerminal
        self.bugs: list[Exception] = []
        wire = attach(app, self.bugs.append)
        assert wire is not None, self.bugs
        self.app, self.wire = app, wire
        self._display = app._display
        app._display = self._both
        self.resize(size)

    def resize(self, size: tuple[int, int]) -> None:
        self.size = size
        self.plain, self._plain_stream = emulated(*size)
        self.wired, self._wired_stream = emulated(*size)
        self._fed = 0
        if self.app._driver is not None:
            self._fed = len(self.driver.got)
            self.wire.unknown(*size)

    @property
    def driver(self) -> FakeTerminal:
        driver = self.app._driver
        assert isinstance(driver, FakeTerminal)
        return driver

    def _both(self, screen: Any, renderable: Any) -> None:
        app = self.app
        if isinstance(renderable, CompositorUpdate) and not app._batch_count and app._running and not app._closed:
            x, y = app.screen.outer_size.clamp_offset(app.cursor_position)
            self._plain_stream.feed(renderable.render_segments(app.console) + f"\x1b[{y + 1};{x + 1}H")
        self._display(screen, renderable)
        if not self.driver.slow and not self.bugs:
            self.check()

    def check(self) -> None:
        """Both show the same, the cursor included."""
        self._wired_stream.feed(self.driver.got[self._fed :])
        self._fed = len(self.driver.got)
        assert not self.bugs
        if self.app.screen.outer_size != self.size:
            # The app has not heard of its new size yet.
            return
        if self.wired.looks() != self.plain.looks():
            raise AssertionError("\n".join(["plain:", *self.plain.display, "wire:", *self.wired.display]))
        place = [(screen.cursor.y, screen.cursor.x) for screen in (self.plain, self.wired)]
        assert place[0] == place[1]

    def flow(self, free: bool) -> None:
        """The line becomes slow, or takes what has waited."""
        was_slow, self.driver.slow = self.driver.slow, not free
        if was_slow and free:
            self.wire.ready()
            self.check()


Body = Callable[[Stage, Pilot[Any]], Awaitable[None]]


def on_stage(app: App[Any], body: Body, size: tuple[int, int] = (60, 16)) -> None:
    async def run() -> None:
        stage = Stage(app, size)
        async with app.run_test(headless=False, size=size) as pilot:
            await pilot.pause()
            await body(stage, pilot)
            await pilot.pause()
            stage.flow(free=True)
            # After a bug Textual's own output is used, and there is nothing to compare it with.
            if not stage.bugs:
                stage.check()

    asyncio.run(run())


class Rows(ScrollView, can_focus=True):
    """Numbered lines, some of them wide, and one cursor."""

    def __init__(self, count: int = 200) -> None:
        super().__init__()
        self.count, self.cursor = count, 0
        self.virtual_size = Size(50, count)

    def render_line(self, y: int) -> Strip:
        row = y + self.scroll_offset.y
        if row >= self.count:
            return Strip.blank(self.size.width)
        rnd = random.Random(row)
        word = "漢字 e\u0301 " if row % 5 == 2 else "ascii "
        text = f"{row:>5} {word}{rnd.randrange(10**8)} {'─' * (row % 9)}"
        style = Style(reverse=row == self.cursor, color=rnd.choice(["red", "green", "default"]))
        x = self.scroll_offset.x
        line = Strip([Segment(text, style), Segment(f" {row % 3}", Style(bold=True))])
        return line.crop_extend(x, x + self.size.width, Style())

    def move(self, rows: int) -> None:
        self.cursor = max(0, min(self.count - 1, self.cursor + rows))
        top, height = self.scroll_offset.y, self.size.height
        if not top <= self.cursor < top + height:
            self.scroll_to(y=self.cursor - height // 2, animate=False)
        self.refresh()


class Dialog(ModalScreen[None]):
    CSS = "Dialog { align: center middle; } Vertical { width: 21; height: 5; border: round red; }"

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label("漢字 dialog")
            yield Input("typed", id="answer")


class Everything(App[None]):
    """Panes beside and above each other, a table of Textual's, a line to type into, a floating pane."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { layers: below above; }
    Horizontal { height: 1fr; }
    Rows, DataTable { width: 1fr; height: 1fr; }
    #floating { layer: above; offset: 9 3; width: 12; height: 3; background: blue; display: none; }
    .ascii { width: 9; }
    """

    def __init__(self, ansi: bool = True) -> None:
        super().__init__(ansi_color=ansi)
        self.animation_level = "none"
        self.beside, self.below = Rows(), Rows()
        self.table: DataTable[str] = DataTable()

    def compose(self) -> ComposeResult:
        yield Static("header 漢字", id="header", markup=False)
        with Horizontal():
            yield self.beside
            yield self.table
        yield self.below
        yield Static("floats 漢", id="floating", markup=False)
        yield Input("input")

    def on_mount(self) -> None:
        self.table.add_columns("one", "two")
        for n in range(30):
            self.table.add_row(str(n), "漢" * (n % 4) + "x")


def act(stage: Stage, name: str, number: int) -> None:
    app = stage.app
    assert isinstance(app, Everything)
    if name == "move":
        app.beside.move(number - 20)
    elif name == "scroll":
        app.below.scroll_to(y=app.below.scroll_offset.y + number - 20, animate=False)
    elif name == "sideways":
        app.below.scroll_to(x=number, animate=False)
    elif name == "cell":
        app.table.update_cell_at((number % 30, 1), TEXTS[number % len(TEXTS)])
    elif name == "header":
        app.query_one("#header", Static).update(TEXTS[number % len(TEXTS)] * (number % 7))
    elif name == "float":
        floating = app.query_one("#floating")
        floating.display = not floating.display
    elif name == "hide":
        app.table.display = not app.table.display
    elif name == "narrow":
        app.beside.set_class(not app.beside.has_class("ascii"), "ascii")
    elif name == "dialog" and len(app.screen_stack) == 1:
        app.push_screen(Dialog())
    elif name == "dialog":
        app.pop_screen()
    elif name == "focus":
        app.screen.focus_next()
    elif name == "reset":
        stage.wire.reset()
    elif name in ("slow", "free"):
        stage.flow(free=name == "free")


ACTS = [
    "move",
    "scroll",
    "sideways",
    "cell",
    "header",
    "float",
    "hide",
    "narrow",
    "dialog",
    "focus",
    "reset",
    "slow",
    "free",
    "resize",
]


@given(
    st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 40), st.booleans()), min_size=10, max_size=30),
    st.booleans(),
    st.sampled_from([(60, 16), (31, 9), (80, 24)]),
)
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_app_shows_the_same_with_any_frames_dropped(
    acts: list[tuple[str, int, bool]], ansi: bool, size: tuple[int, int]
) -> None:
    async def body(stage: Stage, pilot: Pilot[Any]) -> None:
        for name, number, pause in acts:
            act(stage, name, number)
            if pause:
                await pilot.pause()
            if name == "dialog":
                await pilot.press("漢", "left")
            new = (20 + number, 5 + number % 13)
            # Not to the size that it has: there Textual's own output would leave the terminal as it is.
            if name == "resize" and new != stage.size:
                stage.resize(new)
                await pilot.resize_terminal(*new)

    on_stage(Everything(ansi), body, size)


class Small(App[None]):
    ENABLE_COMMAND_PALETTE = False

    def compose(self) -> ComposeResult:
        yield Static("nothing", id="text", markup=False)
        yield Input()

    def show(self, text: str) -> None:
        self.query_one("#text", Static).update(text)


def test_frames_that_a_slow_line_has_no_time_for_are_never_sent_and_the_last_always_is() -> None:
    async def body(stage: Stage, pilot: Pilot[Any]) -> None:
        stage.flow(free=False)
        count = len(stage.driver.frames)
        for n in range(10):
            stage.app.show(f"state {n}")
            await pilot.pause()
        assert len(stage.driver.frames) == count
        stage.flow(free=True)
        assert len(stage.driver.frames) == count + 1
        assert "state 9" in stage.wired.display[0]

    on_stage(Small(), body)


def test_what_looks_the_same_is_not_sent() -> None:
    async def body(stage: Stage, pilot: Pilot[Any]) -> None:
        await pilot.pause()
        count = len(stage.driver.frames)
        stage.app.show("nothing")
        stage.app.screen.refresh(layout=True)
        await pilot.pause()
        assert len(stage.driver.frames) == count

    on_stage(Small(), body)


def test_the_terminals_cursor_follows_the_line_that_is_typed_into() -> None:
    async def body(stage: Stage, pilot: Pilot[Any]) -> None:
        await pilot.press(*"abc", "left")
        await pilot.pause()
        assert stage.app.cursor_position == (stage.wired.cursor.x, stage.wired.cursor.y) != (0, 0)

    on_stage(Small(), body)


def test_a_frame_is_drawn_at_once_where_the_terminal_can() -> None:
    async def body(stage: Stage, pilot: Pilot[Any]) -> None:
        stage.app._sync_available = True
        stage.app.show("changed")
        await pilot.pause()
        assert stage.driver.frames[-1].startswith("\x1b[?2026h") and stage.driver.frames[-1].endswith("\x1b[?2026l")

    on_stage(Small(), body)


def test_a_bug_in_the_wire_leaves_the_app_with_textuals_own_output(monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(stage: Stage, pilot: Pilot[Any]) -> None:
        def broken(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(wire_frames, "paint", broken)
        before = len(stage.driver.got)
        stage.app.show("changed")
        await pilot.pause()
        assert [type(bug) for bug in stage.bugs] == [ZeroDivisionError]
        screen, stream = emulated(*stage.size)
        stream.feed(stage.driver.got[before:])
        assert screen.display[0].startswith("changed") and screen.display == stage.plain.display
        stage.app.show("again")
        await pilot.pause()
        assert "again" in stage.driver.got

    on_stage(Small(), body)


def test_another_textual_is_left_alone() -> None:
    class Other(App[None]):
        def _display(self, screen: Any, renderable: Any, more: Any = None) -> None:
            pass

    app, told = Other(), list[Exception]()
    driver = app.driver_class
    assert attach(app, told.append) is None
    assert len(told) == 1 and app.driver_class is driver and "_display" not in vars(app)


def test_looks_do_not_pile_up_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Palette, "LIMIT", 20)

    async def body(stage: Stage, pilot: Pilot[Any]) -> None:
        text = stage.app.query_one("#text", Static)
        for n in range(30):
            text.styles.color = f"rgb({n},{n},{n})"
            await pilot.pause()
        assert len(stage.wire._picture.palette.codes) < 40

    on_stage(Small(), body)
