"""The wire: a terminal shows the same whether Textual writes to it or the wire, whatever is dropped on the way."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pyte
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem
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

from benchmarks.terminal import Emulator
from jobtui.tui.screen import wire_frames
from jobtui.tui.screen.flow import Flow
from jobtui.tui.screen.terminal import send_raw, set_mouse, through_tmux, unfit
from jobtui.tui.screen.wire import attach
from jobtui.tui.screen.wire_cells import PLAIN, Line, Palette, cut, joined, line_of, splice
from jobtui.tui.screen.wire_diff import paint

# -- lines and their difference

STYLES = [
    None,
    Style(),
    Style(color="red"),
    Style(color="default", bgcolor="default"),
    Style(bgcolor="blue", bold=True),
    Style(bgcolor="color(49)", color="color(39)"),
    Style(color="#102030", bgcolor="#0a2730", dim=True),
    Style(underline=True),
    Style(reverse=True, italic=True),
    Style(strike=True),
]
TEXTS = ["a", "bb", "hello", " ", "     ", "漢字", "é", "e\u0301", "│", "x\u0301y", "1234567", "────", "\u00a0", "ﾊﾝ"]
WIDTH, HEIGHT = 30, 9

segments = st.builds(
    Segment, st.lists(st.sampled_from(TEXTS), max_size=4).map("".join), st.sampled_from(STYLES), st.none()
)
strips = st.lists(segments, max_size=4).map(Strip)
lines = st.lists(strips, max_size=2).filter(lambda line: sum(strip.cell_length for strip in line) <= WIDTH)
pictures = st.lists(lines, min_size=HEIGHT, max_size=HEIGHT)


def emulated(width: int = WIDTH, height: int = HEIGHT) -> tuple[Emulator, pyte.Stream]:
    screen = Emulator(width, height)
    stream = pyte.Stream(screen)
    # As Textual sets it: no wrapping at the right margin.
    stream.feed("\x1b[?7l")
    return screen, stream


def as_rendered(picture: list[list[Strip]]) -> Emulator:
    """What Textual's own sequences of these lines show."""
    screen, stream = emulated()
    for y, parts in enumerate(picture):
        line = Strip.join(parts).extend_cell_length(WIDTH)
        cells = [Strip.render_style(style or Style(), text, ColorSystem.TRUECOLOR) for text, style, _ in line]
        stream.feed(f"\x1b[{y + 1}H{''.join(cells)}")
    return screen


@given(st.lists(pictures, min_size=1, max_size=4), st.data())
@settings(max_examples=60, deadline=None)
def test_any_picture_becomes_any_other(pictures: list[list[list[Strip]]], data: st.DataObject) -> None:
    palette = Palette(ColorSystem.TRUECOLOR)
    screen, stream = emulated()
    shown: list[Line | None] = [None] * HEIGHT
    for picture in pictures:
        # Often it is the one before, scrolled.
        if data.draw(st.booleans()):
            lines = [line for line in shown if line is not None] or [
                line_of(strips, palette, WIDTH) for strips in picture
            ]
            top, bottom = sorted(data.draw(st.tuples(st.integers(0, HEIGHT), st.integers(0, HEIGHT))))
            up = data.draw(st.integers(-3, 3))
            region = lines[top:bottom]
            lines[top:bottom] = region[up % len(region) :] + region[: up % len(region)] if region else region
            wanted = lines
        else:
            wanted = [line_of(strips, palette, WIDTH) for strips in picture]
            stream.feed(paint(shown, wanted, palette).text())
            assert screen.looks() == as_rendered(picture).looks()
        stream.feed(paint(shown, wanted, palette).text())
        fresh, fresh_stream = emulated()
        fresh_stream.feed(paint([None] * HEIGHT, wanted, palette).text())
        assert screen.looks() == fresh.looks()
        assert paint(shown, wanted, palette).text() == ""


@given(strips, st.integers(0, WIDTH), strips)
def test_a_line_written_over_keeps_its_width_and_no_half_of_a_wide_character(
    under: Strip, start: int, over: Strip
) -> None:
    palette = Palette(ColorSystem.TRUECOLOR)
    part = line_of([over], palette, over.cell_length)
    line = splice(line_of([under], palette, WIDTH), start, part)
    assert len(line.text) == len(line.look) == WIDTH
    for x, char in enumerate(line.text):
        if char == "\0":
            assert line.text[x - 1] in "漢字ﾊﾝ" and x
        if char in "漢字":
            assert line.text[x + 1] == "\0"
    assert joined(cut(line, 0, start), cut(line, start, WIDTH)).look == line.look


def test_half_of_a_wide_character_that_is_written_over_leaves_a_blank() -> None:
    (under, over) = rows("漢字 text", "xy")
    assert splice(under, 1, cut(over, 0, 2)).text.startswith(" xy  text")
    assert splice(under, 0, cut(over, 0, 1)).text.startswith("x 字\0 text")
    assert cut(under, 1, 3).text == "  "


def rows(*texts: str, style: Style | None = None) -> list[Line]:
    palette = Palette(ColorSystem.STANDARD)
    return [line_of([Strip([Segment(text, style)])], palette, WIDTH) for text in texts]


def sent(before: list[Line], after: list[Line]) -> str:
    return paint([*before], after, Palette(ColorSystem.STANDARD)).text()


def test_one_changed_cell_is_sent_alone() -> None:
    assert sent(rows("job 1 running 5s"), rows("job 1 running 6s")) == "\x1b[1;15H6"


def test_far_changes_in_a_line_are_sent_without_what_lies_between() -> None:
    assert sent(rows("1 unchanged text here 1"), rows("2 unchanged text here 2")) == "\x1b[1H2\x1b[21C2"


def test_a_line_that_ends_is_erased() -> None:
    assert sent(rows("a long line of some length"), rows("a")) == "\x1b[1;3H\x1b[K"


def test_scrolled_lines_are_moved_not_sent() -> None:
    texts = [f"{n} " + chr(ord("a") + n) * 20 for n in range(12)]
    moved = sent(rows("header", *texts[:10], "footer"), rows("header", *texts[1:11], "footer"))
    assert moved.startswith("\x1b[2;11r\x1b[2H\x1b[1M\x1b[r") and "10 kkkk" in moved and len(moved) < 70
    back = sent(rows("header", *texts[1:11], "footer"), rows("header", *texts[:10], "footer"))
    assert back.startswith("\x1b[2;11r\x1b[2H\x1b[1L\x1b[r") and "0 aaaa" in back and len(back) < 70


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(-4, 4), st.integers(0, 250)), max_size=8))
@settings(max_examples=60, deadline=None)
def test_whatever_is_scrolled_is_shown_right(moves: list[tuple[int, int, int, int]]) -> None:
    palette = Palette(ColorSystem.STANDARD)
    screen, stream = emulated()
    shown: list[Line | None] = [None] * HEIGHT
    texts = [f"{n} {chr(ord('a') + n) * 20}" for n in range(HEIGHT)]
    for first, second, up, new in [(0, 0, 0, 0), *moves]:
        top, bottom = min(first, second), max(first, second) + 1
        region = texts[top:bottom]
        fresh = [f"{new + n} {chr(ord('A') + (new + n) % 26) * 22}" for n in range(abs(up))]
        texts[top:bottom] = (region + fresh)[-len(region) :] if up > 0 else (fresh + region)[: len(region)]
        stream.feed(paint(shown, [line_of([Strip([Segment(text)])], palette, WIDTH) for text in texts], palette).text())
        assert [line.rstrip() for line in screen.display] == texts


def test_what_stands_behind_a_changed_wide_character_is_in_its_place() -> None:
    assert sent(rows("漢 unchanged text a"), rows("字 unchanged text b")) == "\x1b[1H字\x1b[16Cb"


def test_a_scroll_bar_at_the_right_edge_does_not_keep_lines_from_being_scrolled() -> None:
    texts = [f"{n} " + chr(ord("a") + n) * 20 for n in range(12)]
    bars = [" ", " ", "█", "█", " ", " ", " ", " ", " ", " "]
    before = rows(*[f"{text:<29}{bar}" for text, bar in zip(texts[:10], bars, strict=True)])
    after = rows(*[f"{text:<29}{bar}" for text, bar in zip(texts[2:12], [" ", *bars[:-1]], strict=True)])
    assert "\x1b[2M" in sent(before, after) and "6 ggg" not in sent(before, after)


def test_what_a_job_wrote_cannot_reach_the_terminal_as_a_sequence() -> None:
    line = rows("a\x1b[2Jb\x07c\rd\x9b1me\x00f\udc80")[0]
    assert sent(rows(""), [line]) == "\x1b[1Ha[2Jbcd1mef \x1b[1;12H\ufffd"


def test_a_link_is_opened_and_closed_and_carries_no_sequence() -> None:
    palette = Palette(ColorSystem.STANDARD)
    style = Style(link="file:///tmp/a\x1b]0;x\x07b")
    line = line_of([Strip([Segment("log", style), Segment(" more")])], palette, WIDTH)
    text = paint([None], [line], palette).text()
    assert text == f"\x1b[1H\x1b]8;id={style.link_id};file:///tmp/a]0;xb\x1b\\log\x1b]8;;\x1b\\ more\x1b[K"


def test_the_cursor_is_placed_anew_behind_what_terminals_measure_differently() -> None:
    # Drawn over blanks, so that no old text is left if it is narrower than thought.
    assert sent(rows("xxxxxx"), rows("a👩\u200d🔬b")) == "\x1b[1Ha  \x1b[1;2H👩\u200d🔬\x1b[1;4Hb  "


def test_colours_that_are_the_terminals_own_cost_nothing() -> None:
    palette = Palette(ColorSystem.STANDARD)
    own = line_of([Strip([Segment("text", Style(color="default", bgcolor="default"))])], palette, WIDTH)
    assert own.look == PLAIN * WIDTH
    # A blank shows no colour of text.
    blank = line_of([Strip([Segment("    ", Style(color="red", bold=True))])], palette, WIDTH)
    assert blank.look == PLAIN * WIDTH


# -- apps


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


# -- how much may be on its way


def test_without_answers_nothing_is_held_back() -> None:
    flow = Flow()
    flow.asked(0.0)
    flow.sent(10**6)
    assert not flow.due() and flow.wait(0.1) == 0


def test_a_line_with_much_on_its_way_holds_frames_back_until_it_answers() -> None:
    flow = Flow()
    flow.asked(0.0)
    flow.answered()
    flow.sent(100)
    assert not flow.due() and flow.wait(1.0) == 0
    flow.sent(20_000)
    assert flow.due()
    flow.asked(1.0)
    assert not flow.due() and flow.wait(1.1) > 0 and flow.awaited(1.1)
    flow.answered()
    assert flow.wait(1.2) == 0 and not flow.awaited(1.2)


def test_a_terminal_that_stops_answering_is_asked_no_more() -> None:
    flow = Flow()
    flow.asked(0.0)
    flow.answered()
    for n in range(1, 4):
        flow.sent(20_000)
        assert flow.due()
        flow.asked(n * 10.0)
        assert 0 < flow.wait(n * 10.0) <= 2
        assert flow.wait(n * 10.0 + 2.1) == 0
    flow.sent(20_000)
    assert not flow.due()


# -- beside the picture


def test_a_sequence_is_wrapped_for_tmux_and_left_alone_without_it() -> None:
    assert through_tmux("\x1b]52;c;eA==\x07", {}) == "\x1b]52;c;eA==\x07"
    assert through_tmux("\x1b]9;x\x1b\\", {"TMUX": "/tmp/x"}) == "\x1bPtmux;\x1b\x1b]9;x\x1b\x1b\\\x1b\\"


def test_where_there_is_no_terminal_nothing_is_sent() -> None:
    async def run() -> None:
        app = Small()
        async with app.run_test():
            set_mouse(app, False)
            assert not send_raw(app, "\x07")

    asyncio.run(run())


def test_a_dumb_terminal_is_told_so() -> None:
    assert "TERM=dumb" in unfit({"TERM": "dumb"})
    assert unfit({"TERM": "xterm"}) == unfit({}) == ""
