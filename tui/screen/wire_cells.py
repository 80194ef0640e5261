"""Lines of the terminal as plain strings: one character and one look per cell, made from Textual's strips."""

# pyright: reportPrivateUsage=false
# The codes of a style are kept by Textual in private attributes; to make them anew would cost more than all the rest.

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.style import Style
from textual.strip import Strip

# The look of a cell that nothing was set for.
PLAIN = "\0"
# What stands in the second cell of a wide character.
REST = "\0"
_JOINER = "\u200d"
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")
# Half of a pair, as from a file name that is no UTF-8: it cannot be sent.
_HALVES = re.compile("[\ud800-\udfff]")
_SET_BACK = {"0", "22", "39", "49"}
# Attributes that show on a blank too: underlined, blinking, reversed, struck through, framed, overlined.
_SEEN_ON_BLANKS = {"4", "5", "6", "7", "9", "21", "51", "52", "53"}


class Line(NamedTuple):
    """One line: the character of each cell, the look of each cell, and the cells that hold several characters."""

    text: str
    look: str
    clusters: tuple[tuple[int, str], ...] = ()


class Code(NamedTuple):
    """How a look is set: the parameters of SGR, and the link with its id."""

    sgr: str
    link: tuple[str, str] | None = None


class Palette:
    """Names each look by one character, so that lines can be compared as strings."""

    # Looks are never forgotten, so that a line can always be read; far above what a screen can show at once.
    LIMIT = 50_000

    def __init__(self, colors: ColorSystem) -> None:
        """Begin with the plain look alone; styles are rendered for these colours."""
        self.colors = colors
        self.codes = [Code("")]
        self._names: dict[Code, str] = {Code(""): PLAIN}
        self._known: dict[object, tuple[str, str]] = {}

    @property
    def full(self) -> bool:
        """Whether it is time to begin anew."""
        return len(self.codes) > self.LIMIT or len(self._known) > 2 * self.LIMIT

    def looks(self, style: Style) -> tuple[str, str]:
        """The names of a style's look on text, and on blanks, where most of it cannot be seen."""
        sgr = style._ansi
        if sgr is None:
            sgr = Strip.render_ansi(style, self.colors)
        key: object = sgr if not style._link else (sgr, style._link, style._link_id)
        known = self._known.get(key)
        if known is None:
            link = (_HALVES.sub("", _CONTROLS.sub("", style._link)), style._link_id) if style._link else None
            of_text, of_blanks = _reduced(sgr)
            known = self._known[key] = self._name(Code(of_text, link)), self._name(Code(of_blanks, link))
        return known

    def _name(self, code: Code) -> str:
        name = self._names.get(code)
        if name is None:
            name = self._names[code] = chr(len(self.codes))
            self.codes.append(code)
        return name


def _reduced(sgr: str) -> tuple[str, str]:
    """SGR parameters without those that a reset sets anyway; and those of them that show on a blank."""
    words = iter(sgr.split(";"))
    kept: list[str] = []
    background: list[str] = []
    seen = False
    for word in words:
        if word in ("38", "48"):
            kind = next(words, "")
            rest = [next(words, "") for _ in range(1 if kind == "5" else 3)]
            color = ";".join([word, kind, *rest])
            kept.append(color)
            if word == "48":
                background.append(color)
        elif word and word not in _SET_BACK:
            kept.append(word)
            seen = seen or word in _SEEN_ON_BLANKS
            if (word.startswith("4") and len(word) == 2) or (word.startswith("10") and len(word) == 3):
                background.append(word)
    text = ";".join(kept)
    return text, text if seen else ";".join(background)


def line_of(segments: Iterable[Strip], palette: Palette, width: int) -> Line:
    """The line that these strips make up, exactly ``width`` cells."""
    texts: list[str] = []
    looks: list[str] = []
    clusters: list[tuple[int, str]] = []
    at = 0
    looks_of = palette.looks
    for strip in segments:
        for text, style, control in strip:
            if control or not text:
                continue
            if text.isascii() and text.isprintable():
                cells, more = text, ()
            else:
                cells, more = _cells(text)
            length = len(cells)
            if style is None:
                look = PLAIN
            else:
                look, blank = looks_of(style)
                if look != blank and not cells.strip(" "):
                    look = blank
            texts.append(cells)
            looks.append(look * length)
            for place, cluster in more:
                clusters.append((at + place, cluster))
            at += length
    if at < width:
        texts.append(" " * (width - at))
        looks.append(PLAIN * (width - at))
    line = Line("".join(texts), "".join(looks), tuple(clusters))
    return line if at <= width else cut(line, 0, width)


@lru_cache(8192)
def _cells(text: str) -> tuple[str, tuple[tuple[int, str], ...]]:
    """The characters of the cells, and what stands in cells that hold several characters.

    Characters that draw nothing by themselves, above all control characters, are left out.
    """
    parts: list[str] = []
    for char in _HALVES.sub("\ufffd", _CONTROLS.sub("", text)):
        joined = parts and (parts[-1].endswith(_JOINER) or not cell_len(char))
        if joined:
            parts[-1] += char
        elif cell_len(char):
            parts.append(char)
    cells = ""
    clusters: list[tuple[int, str]] = []
    for part in parts:
        if len(part) > 1:
            clusters.append((len(cells), part))
        cells += part[0] + REST * (cell_len(part) - 1)
    return cells, tuple(clusters)


def cut(line: Line, start: int, end: int) -> Line:
    """The cells from ``start`` up to ``end``; halves of wide characters become blanks, as terminals do it."""
    text = line.text[start:end]
    if text.startswith(REST):
        text = " " + text[1:]
    if end < len(line.text) and line.text[end] == REST and text:
        text = text[:-1] + " "
    clusters = line.clusters and tuple(
        (place - start, cluster)
        for place, cluster in line.clusters
        if start <= place < end and text[place - start] != " "
    )
    return Line(text, line.look[start:end], clusters)


def joined(*lines: Line) -> Line:
    """Lines side by side."""
    clusters: list[tuple[int, str]] = []
    at = 0
    for line in lines:
        clusters.extend((at + place, cluster) for place, cluster in line.clusters)
        at += len(line.text)
    return Line("".join(line.text for line in lines), "".join(line.look for line in lines), tuple(clusters))


def splice(line: Line, start: int, part: Line) -> Line:
    """``line`` with ``part`` written over it from the cell ``start`` on; what does not fit is cut."""
    width = len(line.text)
    start = min(start, width)
    end = min(start + len(part.text), width)
    return joined(cut(line, 0, start), cut(part, 0, end - start), cut(line, end, width))


def blank(width: int) -> Line:
    """An empty line."""
    return Line(" " * width, PLAIN * width)
