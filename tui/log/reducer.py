"""A small terminal for a piece of a log: what a line, or a block redrawn by cursor moves, shows in the end."""

from __future__ import annotations

import re
from itertools import groupby
from typing import NamedTuple

from .glyphs import cells, harmless, is_ordinary, width
from .pen import BOLD, DIM, PLAIN, Pen, changed

# Pieces of one row: text and the pen it is written with.
Runs = tuple[tuple[str, Pen], ...]

# Columns: no sequence moves further to the right than this.
_WIDEST = 4096
_TAB = 8
_MARK = Pen(flags=DIM)

# CSI; strings (OSC, DCS, SOS, PM, APC) with their terminator; other escapes; runs of NUL; single control characters.
_TOKEN = re.compile(
    r"\x1b\[([0-?]*)[ -/]*([@-~])"
    r"|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)"
    r"|\x1b[ -/]*([0-~])?"
    r"|(\x00+)"
    r"|([\x01-\x1f\x7f])"
)
_ODD = re.compile(r"[\x00-\x1f\x7f]")
# Moves that make an earlier state of a rewritten line matter for a later one.
_MOVES = re.compile(rb"[\t\b\x00]|\x1b\[[\d;]*[A-JPX@`]|\x1b\[1K|\x1b[78M]")
_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_ERASES = re.compile(rb"\x1b\[[02]?K")
_COLOURS = re.compile(rb"\x1b\[[\d;:]*m")
# A line that was rewritten more often than this is first freed of what cannot be seen any more.
_REWRITES = 12


class Reduced(NamedTuple):
    """What is shown in the end, and the pen for what follows."""

    rows: tuple[Runs, ...]
    pen: Pen


class Screen:
    """Rows of cells without a right edge, and a cursor. Grows downwards; what is above the first row is not there."""

    def __init__(self, pen: Pen = PLAIN, *, keep_states: bool = False) -> None:
        """Begin empty. ``keep_states``: what a carriage return begins to overwrite stays as a row of its own."""
        self.pen = pen
        self._keep = keep_states
        self._texts: list[list[str]] = [[]]
        self._pens: list[list[Pen]] = [[]]
        self._row = self._column = 0
        self._written = False

    def feed(self, text: str) -> None:
        """Take in decoded text with everything in it."""
        at = 0
        for match in _TOKEN.finditer(text):
            if match.start() > at:
                self._write(text[at : match.start()], self.pen)
            at = match.end()
            if match[2]:
                self._control(match[2], match[1])
            elif match[4]:
                self._nuls(len(match[4]))
            elif match[5]:
                self._single(match[5])
            elif match[3] == "M":
                self._up(1)
        self._write(text[at:], self.pen)

    def rows(self) -> tuple[Runs, ...]:
        """What is shown now."""
        return tuple(_runs(texts, pens) for texts, pens in zip(self._texts, self._pens, strict=True))

    # -- writing

    def _write(self, text: str, pen: Pen) -> None:
        if not text:
            return
        new = list(text) if text.isascii() else cells(harmless(text))
        texts, pens, column = self._texts[self._row], self._pens[self._row], self._column
        end = column + len(new)
        if column > len(texts):
            pens += [PLAIN] * (column - len(texts))
            texts += [" "] * (column - len(texts))
        # Half of a wide character that is overwritten leaves a blank.
        if column < len(texts) and not texts[column]:
            texts[column - 1] = " "
        if end < len(texts) and not texts[end]:
            texts[end] = " "
        texts[column:end] = new
        pens[column:end] = [pen] * len(new)
        self._column = end
        self._written = True

    def _nuls(self, count: int) -> None:
        self._write("^@" if count == 1 else f"({count:,} NUL bytes)", _MARK)

    def _single(self, char: str) -> None:
        if char == "\n":
            self._line_feed()
        elif char == "\r":
            if self._keep and self._written:
                self._line_feed()
            self._column = 0
        elif char == "\b":
            self._column = max(0, self._column - 1)
        elif char == "\t":
            self._column = min(_WIDEST, (self._column // _TAB + 1) * _TAB)
        elif char not in "\x0e\x0f":
            # Those two switch character sets, and come with many a "reset".
            self._write("^" + chr(ord(char) ^ 0x40), _MARK)

    # -- moving and erasing

    def _line_feed(self) -> None:
        self._row += 1
        self._column = 0
        self._written = False
        if self._row == len(self._texts):
            self._texts.append([])
            self._pens.append([])

    def _up(self, count: int) -> None:
        self._row = max(0, self._row - count)

    def _control(self, final: str, parameters: str) -> None:
        if final == "m":
            if not parameters or parameters[0] not in "<=>?":
                self.pen = changed(self.pen, parameters)
            return
        if len(parameters) > 9 or (not parameters.replace(";", "").isdigit() and parameters):
            return
        first = parameters.split(";", maxsplit=1)[0]
        count = min(int(first or 0), _WIDEST)
        if final == "K":
            self._erase_line(count)
        elif final == "J":
            self._erase_below() if count == 0 else None
        elif self._keep and final in "ABEF":
            # Every state has its own row: there is nothing to go back to.
            self._column = 0
        elif final in "AF":
            self._up(max(1, count))
        elif final in "BE":
            self._row = min(len(self._texts) - 1, self._row + max(1, count))
        elif final == "C":
            self._column = min(_WIDEST, self._column + max(1, count))
        elif final == "D":
            self._column = max(0, self._column - max(1, count))
        elif final in "G`":
            self._column = max(0, count - 1)
        if final in "EF":
            self._column = 0

    def _erase_line(self, how: int) -> None:
        texts, pens = self._texts[self._row], self._pens[self._row]
        if how == 0:
            if self._column < len(texts) and not texts[self._column]:
                texts[self._column - 1] = " "
            del texts[self._column :], pens[self._column :]
        elif how == 1:
            end = min(self._column + 1, len(texts))
            if end < len(texts) and not texts[end]:
                texts[end] = " "
            texts[:end], pens[:end] = [" "] * end, [PLAIN] * end
        elif how == 2:
            texts.clear()
            pens.clear()

    def _erase_below(self) -> None:
        self._erase_line(0)
        del self._texts[self._row + 1 :], self._pens[self._row + 1 :]


def _runs(texts: list[str], pens: list[Pen]) -> Runs:
    """Cells as runs of one pen."""
    runs: list[tuple[str, Pen]] = []
    at = 0
    for pen, group in groupby(pens):
        count = sum(1 for _ in group)
        runs.append(("".join(texts[at : at + count]), pen))
        at += count
    return tuple(runs)


def trimmed(runs: Runs) -> Runs:
    """Without blanks at the end that nobody sees."""
    while runs:
        text, pen = runs[-1]
        if pen.back or pen.flags & ~(DIM | BOLD) or not text.endswith(" "):
            return runs
        text = text.rstrip(" ")
        if text:
            return (*runs[:-1], (text, pen))
        runs = runs[:-1]
    return runs


def reduce(data: bytes, pen: Pen = PLAIN) -> Reduced:
    """What a line, or a block of lines that moves the cursor up, shows in the end. A last newline adds no row."""
    data = data.removesuffix(b"\n").removesuffix(b"\r")
    if data.count(b"\r") > _REWRITES and not _MOVES.search(data):
        data = _last_states(data)
    text = data.decode("utf-8", "replace")
    if not _ODD.search(text):
        return Reduced((_plain(text, pen),), pen)
    screen = Screen(pen)
    screen.feed(text)
    return Reduced(screen.rows(), screen.pen)


def states(data: bytes, pen: Pen = PLAIN) -> Reduced:
    """All states of a line that was rewritten, one row each."""
    screen = Screen(pen, keep_states=True)
    screen.feed(data.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "replace"))
    return Reduced(screen.rows(), screen.pen)


def _plain(text: str, pen: Pen) -> Runs:
    """A line without any control character."""
    shown = text if text.isascii() else "".join(cells(harmless(text)))
    return ((shown, pen),) if shown else ()


def _last_states(data: bytes) -> bytes:
    """Leave out those states of a rewritten line of which nothing can be seen, but for their colour changes.

    A state is covered by later ones that are at least as wide. There are no moves in ``data`` but carriage returns.
    """
    if not is_ordinary(_SEQUENCES.sub("", data.decode("utf-8", "replace")).replace("\r", "")):
        return data
    parts = data.split(b"\r")
    kept: list[int] = []
    covered = -1
    for at in range(len(parts) - 1, -1, -1):
        part = parts[at]
        erases = _ERASES.search(part) is not None
        # No character has more columns than bytes.
        if len(part) > covered:
            columns = width(_SEQUENCES.sub("", part.decode("utf-8", "replace")))
            if columns > covered:
                covered = columns
                kept.append(at)
        if erases:
            if kept[-1] != at:
                kept.append(at)
            break
    pieces: list[bytes] = []
    behind = 0
    for at in reversed(kept):
        pieces.append(_colours(parts[behind:at]) + parts[at])
        behind = at + 1
    return b"\r".join(pieces)


def _colours(parts: list[bytes]) -> bytes:
    """The colour changes in these, nothing else."""
    return b"".join(b"".join(_COLOURS.findall(part)) for part in parts if b"\x1b" in part)
