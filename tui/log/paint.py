"""Draws one row of a log as a strip: the part that is in view, matches marked, and at the right where we are."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from .document import Row
from .glyphs import cells, width
from .merged import STDERR
from .pen import style_of
from .reducer import Runs

GUTTER = 2

_MATCH = Style(reverse=True)
_HERE = Style(reverse=True, bold=True, underline=True)
_DIM = Style(dim=True)
_GUTTERS = {False: Segment("│ ", _DIM), True: Segment("┃ ", Style(color="red"))}
_THUMB = Segment("▐", _DIM)
_MORE = Segment("›", _DIM)
_NOTHING = Segment(" ")


def strip(row: Row | None, columns: int, left: int, *, merged: bool, here: bool, thumb: bool) -> Strip:
    """A row on ``columns``, scrolled ``left`` to the right; None: an empty one. ``here``: the match we went to.

    The last column shows whether there is more to the right, or the ``thumb`` of the scroll bar.
    """
    segments: list[Segment] = []
    room = max(0, columns - 1)
    more = False
    if row is not None:
        if merged and not row.note and room > GUTTER:
            segments.append(_GUTTERS[row.stream == STDERR])
            room -= GUTTER
        if row.note:
            left = 0
        parts, used, more = _cut(row.runs, left, room)
        segments += _marked(parts, row, left, _HERE if here else _MATCH) if row.marks else parts
        room -= used
    segments.append(Segment(" " * room))
    if columns > 0:
        segments.append(_THUMB if thumb else _MORE if more else _NOTHING)
    return Strip(segments, columns).simplify()


def _cut(runs: Runs, left: int, room: int) -> tuple[list[Segment], int, bool]:
    """The part of a row in view, how many columns it takes, and whether there is more to its right."""
    parts: list[Segment] = []
    used, skip = 0, left
    for text, pen in runs:
        if used >= room:
            return parts, used, True
        if text.isascii():
            if skip >= len(text):
                skip -= len(text)
                continue
            shown, more = text[skip : skip + room - used], len(text) - skip > room - used
            columns = len(shown)
        else:
            whole = cells(text)
            if skip >= len(whole):
                skip -= len(whole)
                continue
            part, more = whole[skip : skip + room - used], len(whole) - skip > room - used
            shown, columns = _uncut(part, whole, skip), len(part)
        skip = 0
        parts.append(Segment(shown, style_of(pen)))
        used += columns
        if more:
            return parts, used, True
    return parts, used, False


def _uncut(part: list[str], whole: list[str], skip: int) -> str:
    """Cells as text; a wide character of which only half is in view is a blank."""
    if part and not part[0]:
        part[0] = " "
    end = skip + len(part)
    if part and end < len(whole) and not whole[end]:
        part[-1] = " "
    return "".join(part)


def _marked(parts: list[Segment], row: Row, left: int, mark: Style) -> list[Segment]:
    """The parts with the columns that match in another style."""
    cuts = sorted({edge - left for pair in row.marks for edge in pair if edge > left})
    marked: list[Segment] = []
    at = 0
    for text, style, _ in parts:
        rest = text
        end = at + width(text)
        for cut in [edge for edge in cuts if at < edge < end] + [end]:
            piece, rest = _split(rest, cut - at)
            inside = any(begin <= at + left < stop for begin, stop in row.marks)
            marked.append(Segment(piece, (style or Style.null()) + mark if inside else style))
            at = cut
    return marked


def _split(text: str, columns: int) -> tuple[str, str]:
    """Text in two, the first part so many columns wide."""
    if text.isascii():
        return text[:columns], text[columns:]
    whole = cells(text)
    return "".join(whole[:columns]), "".join(whole[columns:])
