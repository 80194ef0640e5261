"""The pen that a terminal writes with: colours and weight, changed by SGR sequences, turned into a rich style."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from rich.color import Color
from rich.style import Style

BOLD, DIM, ITALIC, UNDERLINE, REVERSE, STRIKE = 1, 2, 4, 8, 16, 32

_SGR = re.compile(rb"\x1b\[([\d;:]*)m")
_RESETS = (b"\x1b[0m", b"\x1b[m")
# A sequence longer than this is no colour that anybody meant.
_LONGEST = 60

_SET = {1: BOLD, 2: DIM, 3: ITALIC, 4: UNDERLINE, 7: REVERSE, 9: STRIKE, 21: UNDERLINE}
_CLEAR = {22: BOLD | DIM, 23: ITALIC, 24: UNDERLINE, 27: REVERSE, 29: STRIKE}


class Pen(NamedTuple):
    """Colours ("" the terminal's own, "0" to "255" of its palette, "#rrggbb") and the flags above.

    Blinking and hidden text are not among them: nothing on the screen moves by itself, and a log hides nothing.
    """

    fore: str = ""
    back: str = ""
    flags: int = 0


PLAIN = Pen()


@functools.lru_cache(4096)
def changed(pen: Pen, parameters: str) -> Pen:
    """The pen after the SGR sequence with these parameters, such as ``1;31`` or ``38;5;208``."""
    if len(parameters) > _LONGEST:
        return pen
    words = [[int(part or 0) for part in word.split(":")] for word in parameters.split(";")]
    at = 0
    while at < len(words):
        code, *more = words[at]
        at += 1
        if code == 0:
            pen = PLAIN
        elif code == 4 and more:
            # 4:0 is none, 4:3 a curly line and so on.
            pen = _with_flags(pen, UNDERLINE if more[0] else 0, 0 if more[0] else UNDERLINE)
        elif code in _SET or code in _CLEAR:
            pen = _with_flags(pen, _SET.get(code, 0), _CLEAR.get(code, 0))
        elif code in (38, 48, 58):
            used, colour = (0, _colour(more)) if more else _spread_colour(words[at:])
            at += used
            if code != 58 and colour is not None:
                pen = _with_colour(pen, code == 48, colour)
        elif 30 <= code <= 49 and code % 10 != 8:
            pen = _with_colour(pen, code >= 40, "" if code % 10 == 9 else str(code % 10))
        elif 90 <= code <= 97 or 100 <= code <= 107:
            pen = _with_colour(pen, code >= 100, str(code % 10 + 8))
    return pen


def _with_flags(pen: Pen, on: int, off: int) -> Pen:
    return pen._replace(flags=pen.flags & ~off | on)


def _with_colour(pen: Pen, back: bool, colour: str) -> Pen:
    return pen._replace(back=colour) if back else pen._replace(fore=colour)


def _spread_colour(words: list[list[int]]) -> tuple[int, str | None]:
    """A colour in parameters of its own (``5;208``, ``2;255;0;0``), and how many of them it takes."""
    count = {5: 2, 2: 4}.get(words[0][0], 1) if words else 0
    return count, _colour([word[0] for word in words[:count]])


def _colour(numbers: list[int]) -> str | None:
    if len(numbers) >= 2 and numbers[0] == 5:
        return str(numbers[1]) if numbers[1] <= 255 else None
    if len(numbers) >= 4 and numbers[0] == 2 and max(numbers[-3:]) <= 255:
        return "#{:02x}{:02x}{:02x}".format(*numbers[-3:])
    return None


def after(pen: Pen, data: bytes) -> Pen:
    """The pen behind ``data``: all its colour changes from the last reset on."""
    if b"\x1b" not in data:
        return pen
    begin = max(data.rfind(reset) for reset in _RESETS)
    if begin >= 0:
        pen = PLAIN
    for match in _SGR.finditer(data, max(begin, 0)):
        pen = changed(pen, match[1].decode("ascii"))
    return pen


@functools.lru_cache(1024)
def style_of(pen: Pen) -> Style:
    """The rich style that draws like this pen."""
    flags = pen.flags
    return Style(
        color=_rich_colour(pen.fore),
        bgcolor=_rich_colour(pen.back),
        bold=bool(flags & BOLD) or None,
        dim=bool(flags & DIM) or None,
        italic=bool(flags & ITALIC) or None,
        underline=bool(flags & UNDERLINE) or None,
        reverse=bool(flags & REVERSE) or None,
        strike=bool(flags & STRIKE) or None,
    )


def _rich_colour(colour: str) -> Color | None:
    if not colour:
        return None
    return Color.parse(colour) if colour.startswith("#") else Color.from_ansi(int(colour))
