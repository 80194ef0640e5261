"""Draws one line of the table as pieces, one for each column, so that two drawings can be compared piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from rich.segment import Segment
from rich.style import Style

from ...core.job import JobRow, State
from ..celltext import STATE_STYLES, cell
from .arrays import Summary
from .columns import Look
from .layout import GAP, Placed
from .order import SortTerm
from .words import glyph, state_shares

PLAIN = Style.null()
BOLD = Style(bold=True)
REVERSE = Style(reverse=True)
HEAD = Style(bold=True, underline=True)
DIM = Style(dim=True)
_STYLES = {state: Style.parse(STATE_STYLES.get(state, "")) for state in State}

Piece = tuple[Segment, ...]
Marked = Literal["all", "some", "none"]


class Subject(NamedTuple):
    """What a line is about: a job, or else the summary of an array; and what its columns say, by their ids."""

    row: JobRow
    summary: Summary | None
    texts: dict[str, str]


class Mood(NamedTuple):
    """How a line stands out: whether the cursor is on it (and the keys go there), and what is marked of it."""

    here: bool
    focused: bool
    marked: Marked

    @property
    def style(self) -> Style:
        """The style of the whole line."""
        if self.here and self.focused:
            return REVERSE
        return BOLD if self.here or self.marked == "all" else PLAIN


class Branch(NamedTuple):
    """The tree beside the ids: whether there is one, and whether this line is an array, expanded or not, or a task."""

    there: bool
    kind: Literal["none", "collapsed", "expanded", "task"]


def gutter_width(tree: bool) -> int:
    """How many columns stand before the first column of the table."""
    return 4 if tree else 2


def gutter(mood: Mood, branch: Branch, *, ascii: bool) -> str:
    """The cursor, the mark, and the tree."""
    text = (">" if mood.here else " ") + {"all": "*", "some": "+", "none": " "}[mood.marked]
    if branch.there:
        shapes = {"none": " ", "collapsed": "+", "expanded": "-", "task": "|"}
        if not ascii:
            shapes = {"none": " ", "collapsed": "▸", "expanded": "▾", "task": "│"}
        text += shapes[branch.kind] + " "
    return text


def head_pieces(placed: Sequence[Placed], start: int, sort: SortTerm, *, ascii: bool) -> list[Piece]:
    """The heads, with a mark beside the column that the list is sorted by."""
    pieces: list[Piece] = [(Segment(" " * start, HEAD),)]
    up, down = ("^", "v") if ascii else ("▲", "▼")
    there = {each.column.id for each in placed}
    # Ids are given in the order in which jobs are made: the one column can speak for the other.
    by = "id" if sort.column == "created" and "created" not in there else sort.column
    for column, _, width in placed:
        mark = (down if sort.descending else up) if column.id == by else " "
        pieces.append((Segment(cell(column.head, width, right=column.right) + mark + " " * (GAP - 1), HEAD),))
    return pieces


def line_pieces(subject: Subject, placed: Sequence[Placed], mood: Mood, branch: Branch, look: Look) -> list[Piece]:
    """One line: the gutter, and then each column with the gap behind it."""
    base = mood.style
    pieces: list[Piece] = [(Segment(gutter(mood, branch, ascii=look.ascii), base),)]
    ids = [each.column.id for each in placed]
    joined = subject.summary is not None and _follows(ids, "detail", "command")
    for number, (column, _, width) in enumerate(placed):
        if joined and column.id == "command":
            pieces.append(())
        elif joined and column.id == "detail":
            # The counts of an array may be long; what its command says matters less.
            room = width + GAP + placed[number + 1].width
            pieces.append((Segment(cell(_counts_and_command(subject), room) + " " * GAP, base),))
        else:
            pieces.append(_piece(subject, column.id, width, base, look, right=column.right, ids=ids))
    return [_in_ascii(piece) for piece in pieces] if look.ascii else pieces


def _in_ascii(piece: Piece) -> Piece:
    """With another sign for what was cut off."""
    return tuple(Segment(segment.text.replace("…", "~"), segment.style) for segment in piece)


def _follows(ids: Sequence[str], one: str, other: str) -> bool:
    return one in ids and ids[ids.index(one) + 1 :][:1] == [other]


def _counts_and_command(subject: Subject) -> str:
    return f"{subject.texts['detail']}  {subject.texts['command']}"


def _piece(subject: Subject, id: str, width: int, base: Style, look: Look, *, right: bool, ids: Sequence[str]) -> Piece:
    gap = Segment(" " * GAP, base)
    if id == "state":
        return (*_state_segments(subject, width, base, look), gap)
    text = subject.texts[id]
    if id == "detail" and not text and "command" not in ids:
        # Where there is no room for both, the one stands in for the other.
        # Dim and reversed it would be a patch of grey.
        style = base if base.reverse else base + DIM
        return (Segment(cell(subject.row.command.strip(), width), style), gap)
    return (Segment(cell(text, width, right=right) + " " * GAP, base),)


def _state_segments(subject: Subject, width: int, base: Style, look: Look) -> list[Segment]:
    """The state of a job in its colour, or the states of an array as a bar of their shapes."""
    if subject.summary is None:
        return [Segment(cell(subject.texts["state"], width), _coloured(base, subject.row.state))]
    return [
        Segment(glyph(state, ascii=look.ascii) * share, _coloured(base, state))
        for state, share in state_shares(subject.summary, width)
    ]


def _coloured(base: Style, state: State) -> Style:
    # Reversed, a colour would be a block of it; the word says it all.
    return base if base.reverse else base + _STYLES[state]
