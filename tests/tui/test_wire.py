"""The wire: any picture becomes any other on the terminal, little is sent, and no more than the line bears."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.strip import Strip

from benchmarks.terminal import Emulator, emulated
from jobtui.tui.screen.flow import Flow
from jobtui.tui.screen.terminal import send_raw, set_mouse, through_tmux, unfit
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


def as_rendered(picture: list[list[Strip]]) -> Emulator:
    """What Textual's own sequences of these lines show."""
    screen, stream = emulated(WIDTH, HEIGHT)
    for y, parts in enumerate(picture):
        line = Strip.join(parts).extend_cell_length(WIDTH)
        cells = [Strip.render_style(style or Style(), text, ColorSystem.TRUECOLOR) for text, style, _ in line]
        stream.feed(f"\x1b[{y + 1}H{''.join(cells)}")
    return screen


@given(st.lists(pictures, min_size=1, max_size=4), st.data())
@settings(max_examples=60, deadline=None)
def test_any_picture_becomes_any_other(pictures: list[list[list[Strip]]], data: st.DataObject) -> None:
    palette = Palette(ColorSystem.TRUECOLOR)
    screen, stream = emulated(WIDTH, HEIGHT)
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
        fresh, fresh_stream = emulated(WIDTH, HEIGHT)
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
    screen, stream = emulated(WIDTH, HEIGHT)
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
        app = App[None]()
        async with app.run_test():
            set_mouse(app, False)
            assert not send_raw(app, "\x07")

    asyncio.run(run())


def test_a_dumb_terminal_is_told_so() -> None:
    assert "TERM=dumb" in unfit({"TERM": "dumb"})
    assert unfit({"TERM": "xterm"}) == unfit({}) == ""
