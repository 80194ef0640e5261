"""A page of styled lines of a given width: headings, labelled values that wrap, and where each line comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, get_character_cell_size
from rich.text import Text

from ..celltext import one_line

Place = tuple[str, int | None]

_LABEL = 12
_NARROWEST = 12
# From this width on two values stand on one line.
_ROOMY = 110
# Of one value not more than this many characters are shown.
_LONGEST = 6000


@dataclass(frozen=True)
class Line:
    """One line on the page. ``place``: the file (and its line) that it tells of; ``fold``: it opens what follows."""

    text: Text
    place: Place | None = None
    fold: bool = False


class Page:
    """Lines of at most ``width`` columns, in the order in which they are added."""

    def __init__(self, width: int) -> None:
        """Begin empty."""
        self.width = max(_NARROWEST, width)
        self.lines: list[Line] = []

    def add(self, text: Text, place: Place | None = None, *, fold: bool = False) -> None:
        """Add a line as it is."""
        self.lines.append(Line(text, place, fold))

    def heading(self, words: str, note: str = "", *, fold: bool = False, place: Place | None = None) -> None:
        """Begin a section; ``note`` is said of it in small."""
        if self.lines:
            self.add(Text())
        text = Text(" ").append(words, "bold")
        if note:
            text.append(f"  {one_line(note)}", "dim")
        self.add(text, place, fold=fold)

    def value(self, label: str, value: str, style: str = "") -> None:
        """Add a labelled value from a job: data, wrapped as often as needed; nothing where it is empty.

        The lines of a value with newlines stand below each other.
        """
        column = min(_LABEL, self.width // 3)
        for number, part in enumerate(self._parts(value, self.width - column - 1)):
            shown = label[: column - 1] if number == 0 else ""
            self.add(Text(" ").append(shown.ljust(column), "dim").append(part, style))

    def pairs(self, values: Sequence[tuple[str, str]]) -> None:
        """Add labelled values, two on a line where there is room for both; those that are empty are left out."""
        values = [(label, value) for label, value in values if value]
        half = self.width // 2
        while values:
            (label, value), *values = values
            before = len(self.lines)
            self.value(label, value)
            first = self.lines[-1].text
            short = len(self.lines) == before + 1 and first.cell_len < half
            if values and short and self.width >= _ROOMY and cell_len(one_line(values[0][1])) < half - _LABEL - 2:
                (label, value), *values = values
                first.append(" " * (half - first.cell_len)).append(label.ljust(_LABEL), "dim").append(one_line(value))

    def item(self, value: str, style: str = "") -> None:
        """Add a value without a label, below a heading."""
        for number, part in enumerate(self._parts(value, self.width - 4)):
            self.add(Text("  " if number == 0 else "    ").append(part, style))

    def _parts(self, value: str, columns: int) -> Iterator[str]:
        if not value:
            return
        shown = value[:_LONGEST]
        if len(value) > _LONGEST:
            shown += f" … ({len(value):,} characters)"
        for line in shown.split("\n"):
            yield from wrap(one_line(line.expandtabs(4)), columns) or [""]


def wrap(text: str, columns: int) -> list[str]:
    """``text`` in parts that fit into ``columns``; it breaks behind blanks where it can. The parts make up the text."""
    columns = max(2, columns)
    parts: list[str] = []
    line, used = "", 0
    for word in _words(text):
        width = cell_len(word.rstrip(" "))
        if used and used + width > columns:
            parts.append(line)
            line, used = "", 0
        for piece in [word] if width <= columns else _cut(word, columns):
            if used + cell_len(piece.rstrip(" ")) > columns:
                parts.append(line)
                line, used = "", 0
            line += piece
            used += cell_len(piece)
    return [*parts, line] if line else parts


def _words(text: str) -> Iterator[str]:
    """The words with the blanks behind them."""
    start = 0
    for at in range(1, len(text)):
        if text[at - 1] == " " != text[at]:
            yield text[start:at]
            start = at
    if text:
        yield text[start:]


def _cut(word: str, columns: int) -> Iterator[str]:
    """A word that is too long, in parts that fit."""
    start, used = 0, 0
    for at, char in enumerate(word):
        width = get_character_cell_size(char)
        if used and used + width > columns:
            yield word[start:at]
            start, used = at, 0
        used += width
    yield word[start:]
