"""The themes: readable, told apart by every eye, and changed while the screen is open without a trace of the old."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Sequence
from itertools import combinations

import pytest
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.app import App, ComposeResult
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from jobtui.core.job import State
from jobtui.tui.celltext import STATE_STYLES
from jobtui.tui.screen.themes import PALETTES, THEMES, apply_theme, theme_in_force

RGB = tuple[float, float, float]
# Machado, Oliveira and Fernandes 2009, severity 1: how colours look without one kind of cones, in linear light.
VISION = {
    "all cones": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}


def linear(colour: str) -> RGB:
    def channel(at: int) -> float:
        value = int(colour[at : at + 2], 16) / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    return channel(1), channel(3), channel(5)


def contrast(one: str, other: str) -> float:
    """As WCAG 2 has it."""

    def luminance(colour: str) -> float:
        red, green, blue = linear(colour)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def seen(colour: str, eye: Sequence[RGB]) -> RGB:
    """The colour in CIE Lab, as this eye sees it."""
    light = linear(colour)
    red, green, blue = (min(1.0, max(0.0, sum(a * b for a, b in zip(row, light, strict=True)))) for row in eye)

    def f(t: float) -> float:
        return t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116

    x = f((0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047)
    y = f(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    z = f((0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("theme", sorted(PALETTES))
def test_every_colour_is_readable_on_the_background(theme: str) -> None:
    palette = PALETTES[theme]
    for name, colour in palette.items():
        # Black is for text on a bright ground.
        if name not in ("background", "black"):
            assert contrast(colour, palette["background"]) >= 4.5, name


@pytest.mark.parametrize("theme", sorted(PALETTES))
@pytest.mark.parametrize("eye", sorted(VISION))
def test_states_have_different_colours_for_every_eye(theme: str, eye: str) -> None:
    palette = PALETTES[theme]
    colours = {style.split()[-1] if style else "foreground" for style in STATE_STYLES.values()}
    assert colours <= palette.keys()
    for one, other in combinations(sorted(colours), 2):
        distance = math.dist(seen(palette[one], VISION[eye]), seen(palette[other], VISION[eye]))
        assert distance > 12, (one, other)


@pytest.mark.parametrize(
    ("wanted", "colours", "environ", "shown", "words"),
    [
        ("terminal", "standard", {}, "terminal", ""),
        ("dark", "truecolor", {}, "dark", ""),
        ("light", "256", {}, "light", ""),
        ("light", "standard", {}, "terminal", "needs 256 colours"),
        ("mono", "standard", {}, "mono", ""),
        ("terminal", "256", {"NO_COLOR": "1"}, "mono", ""),
        ("dark", "256", {"NO_COLOR": "1"}, "mono", "NO_COLOR"),
        ("dark", "256", {"NO_COLOR": ""}, "dark", ""),
        ("blue", "256", {}, "terminal", "there is no theme 'blue'; there are terminal, dark, light, mono"),
    ],
)
def test_what_the_terminal_cannot_show_is_replaced_with_a_word(
    wanted: str, colours: str, environ: dict[str, str], shown: str, words: str
) -> None:
    name, why = theme_in_force(wanted, colours, environ)
    assert name == shown
    assert why == "" if not words else words in why


class Lines(Widget):
    """Draws its lines itself, and leaves the colours to the terminal where it can, as the table and the log do."""

    DEFAULT_CSS = "Lines { height: 2; }"

    def render_line(self, y: int) -> Strip:
        return Strip([Segment("plain"), Segment("failed", Style.parse("bold red")), Segment("dim", Style(dim=True))])


class Sample(App[None]):
    """A bit of everything that the screen draws."""

    def compose(self) -> ComposeResult:
        text = Text()
        for state in State:
            text.append(f"{state} ", STATE_STYLES.get(state, ""))
        yield Static(text.append("dim", "dim").append("cursor", "reverse"))
        yield Lines()
        yield Button("No", compact=True)
        yield Input("text")


@pytest.fixture(autouse=True)
def many_colours(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    yield


def drawn(*themes: str, environ: dict[str, str] | None = None) -> list[list[Segment]]:
    """What is on the screen after these themes were chosen one after the other."""

    async def run() -> list[list[Segment]]:
        app = Sample(ansi_color=True)
        apply_theme(app, themes[0], environ or {})
        async with app.run_test(size=(100, 10)) as pilot:
            for theme in themes[1:]:
                apply_theme(app, theme, environ or {})
                await pilot.pause()
            await pilot.pause()
            return [list(strip) for strip in app.screen._compositor.render_strips()]

    return asyncio.run(run())


def colours(lines: list[list[Segment]]) -> set[str]:
    styles = [segment.style for line in lines for segment in line if segment.style is not None]
    found = [colour for style in styles for colour in (style.color, style.bgcolor) if colour is not None]
    return {"default" if colour.is_default else colour.name for colour in found}


def test_each_theme_uses_its_own_colours_only() -> None:
    assert not any(colour.startswith("#") for colour in colours(drawn("terminal")))
    assert {"color(1)", "color(2)"} <= colours(drawn("terminal"))
    assert colours(drawn("mono")) == {"default"}
    for theme in ("dark", "light"):
        lines = drawn(theme)
        found = colours(lines)
        assert {PALETTES[theme]["background"], PALETTES[theme]["green"], PALETTES[theme]["red"]} <= found
        assert all(segment.style and segment.style.bgcolor for line in lines for segment in line if segment.text)
        assert "default" not in found and not any(colour.startswith("color(") for colour in found)


@pytest.mark.parametrize("theme", THEMES)
def test_a_theme_chosen_while_it_runs_looks_like_one_chosen_at_the_start(theme: str) -> None:
    others = [other for other in THEMES if other != theme]
    assert drawn(*others, theme) == drawn(theme)
    assert drawn(others[0], theme) == drawn(theme)


def test_no_color_holds_whatever_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert colours(drawn("terminal", "dark", environ={"NO_COLOR": "1"})) == {"default"}
