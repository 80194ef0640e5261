"""The themes: the terminal's own 16 colours, dark and light ones of our own, and none; changed at run time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from textual.app import App
from textual.color import Color
from textual.filter import LineFilter, NoColor
from textual.theme import Theme

THEMES = ("terminal", "dark", "light", "mono")
_PREFIX = "jobtui-"
_ORDER = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")

# Everything on the screen names the 16 colours of a terminal; these themes say what they look like. At least 4.5:1
# against the background (WCAG AA), and states stay apart for people who do not tell red from green.
_DARK = {
    "background": "#16181d",
    "foreground": "#d8dbe2",
    "black": "#16181d",
    "red": "#e86f48",
    "green": "#6ff0a0",
    "yellow": "#f7c146",
    "blue": "#7aa2f7",
    "magenta": "#d765ff",
    "cyan": "#56a6cf",
    "white": "#d8dbe2",
    "bright_black": "#8b919e",
    "bright_red": "#ff8d68",
    "bright_green": "#9af7be",
    "bright_yellow": "#ffd87a",
    "bright_blue": "#a3c0ff",
    "bright_magenta": "#e39bff",
    "bright_cyan": "#8cc9e8",
    "bright_white": "#ffffff",
}
_LIGHT = {
    "background": "#fafaf7",
    "foreground": "#1c1e23",
    "black": "#1c1e23",
    "red": "#c33938",
    "green": "#107c6f",
    "yellow": "#5a4d08",
    "blue": "#2451b5",
    "magenta": "#8922ba",
    "cyan": "#11466d",
    # A terminal's white on this background would not be seen: logs mean "ordinary text" by it.
    "white": "#3c3f46",
    "bright_black": "#5c5f67",
    "bright_red": "#b5302f",
    "bright_green": "#0b6b5f",
    "bright_yellow": "#6b5c0c",
    "bright_blue": "#1d46a3",
    "bright_magenta": "#77199f",
    "bright_cyan": "#0d5480",
    "bright_white": "#1c1e23",
}
PALETTES: Mapping[str, Mapping[str, str]] = {"dark": _DARK, "light": _LIGHT}


class Ground(LineFilter):
    """Gives text and background where a widget left them to the terminal the colours of a theme."""

    def __init__(self, palette: Mapping[str, str]) -> None:
        """Use the palette's background and foreground."""
        super().__init__()
        self._base = Style(color=palette["foreground"], bgcolor=palette["background"])

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Paint the segments of a line."""
        base = self._base
        return [Segment(text, base + style if style else base, control) for text, style, control in segments]


def theme_in_force(wanted: str, color_system: str | None, environ: Mapping[str, str]) -> tuple[str, str]:
    """The theme that can be shown instead of ``wanted``, and in words why it is another one, "" if it is not.

    ``color_system``: what rich found of the terminal ("standard", "256", "truecolor", None for no colour).
    """
    if wanted not in THEMES:
        return "terminal", f"there is no theme '{wanted}'; there are {', '.join(THEMES)}"
    if environ.get("NO_COLOR"):
        return "mono", "" if wanted in ("mono", "terminal") else "NO_COLOR is set in the environment: no colours"
    if wanted in PALETTES and color_system not in ("256", "truecolor"):
        # Rounded to 16 colours of unknown looks, text and background could fall together.
        return "terminal", f"the theme {wanted} needs 256 colours, and this terminal says it has not (TERM)"
    return wanted, ""


def apply_theme(app: App[Any], wanted: str, environ: Mapping[str, str]) -> str:
    """Show the app in a theme, also while it runs; returns why it is another one than wanted, in words, or ""."""
    name, words = theme_in_force(wanted, app.console.color_system, environ)
    palette = PALETTES.get(name)
    app.register_theme(_textual_theme(name))
    if palette is not None:
        if name == "light":
            app.ansi_theme_light = _terminal_theme(palette)
        else:
            app.ansi_theme_dark = _terminal_theme(palette)
    app.ansi_color = palette is None
    app.theme = _PREFIX + name
    # Textual offers no public way to change these but the environment.
    filters = app._filters  # pyright: ignore[reportPrivateUsage]
    filters[:] = [each for each in filters if not isinstance(each, (NoColor, Ground))]
    if name == "mono":
        filters.append(NoColor())
    elif palette is not None:
        filters.insert(0, Ground(palette))
    return words


def _textual_theme(name: str) -> Theme:
    """What Textual's own widgets are drawn with."""
    palette = PALETTES.get(name)
    if palette is None:
        return Theme(
            name=_PREFIX + name,
            ansi=True,
            primary="ansi_blue",
            secondary="ansi_cyan",
            warning="ansi_yellow",
            error="ansi_red",
            success="ansi_green",
            accent="ansi_blue",
            foreground="ansi_default",
            background="ansi_default",
            surface="ansi_default",
            panel="ansi_default",
            boost="ansi_default",
            variables={
                "ansi-background": "ansi_default",
                "ansi-foreground": "ansi_default",
                "border": "ansi_blue",
                "border-blurred": "ansi_default",
                "scrollbar-background": "ansi_default",
                "scrollbar-background-hover": "ansi_default",
                "scrollbar-background-active": "ansi_default",
                "block-cursor-foreground": "ansi_black",
                "block-cursor-background": "ansi_cyan",
                "input-selection-background": "ansi_cyan",
                "input-selection-foreground": "ansi_black",
            },
        )
    return Theme(
        name=_PREFIX + name,
        dark=name == "dark",
        primary=palette["blue"],
        secondary=palette["cyan"],
        warning=palette["yellow"],
        error=palette["red"],
        success=palette["green"],
        accent=palette["blue"],
        foreground=palette["foreground"],
        background=palette["background"],
        surface=palette["background"],
        panel=palette["background"],
        boost=palette["background"],
        variables={
            "ansi-background": palette["background"],
            "ansi-foreground": palette["foreground"],
            "text-disabled": palette["bright_black"],
            "border": palette["blue"],
            "border-blurred": palette["bright_black"],
            "scrollbar": palette["blue"],
            "scrollbar-hover": palette["bright_blue"],
            "scrollbar-active": palette["bright_blue"],
            "scrollbar-background": palette["background"],
            "scrollbar-background-hover": palette["background"],
            "scrollbar-background-active": palette["background"],
            "scrollbar-corner-color": palette["background"],
            "input-cursor-background": palette["foreground"],
            "input-cursor-foreground": palette["background"],
            "input-selection-background": palette["blue"],
            "input-selection-foreground": palette["background"],
            "block-cursor-background": palette["blue"],
            "block-cursor-foreground": palette["background"],
        },
    )


def _terminal_theme(palette: Mapping[str, str]) -> TerminalTheme:
    def colours(prefix: str) -> list[tuple[int, int, int]]:
        return [_rgb(palette[prefix + name]) for name in _ORDER]

    return TerminalTheme(_rgb(palette["background"]), _rgb(palette["foreground"]), colours(""), colours("bright_"))


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
