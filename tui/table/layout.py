"""Which columns have room, and how wide they are: measured on what is in view, and never narrower from then on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.cells import cell_len

from ..celltext import one_line
from .columns import BY_ID, DEFAULT, Column

GAP = 2
# So many columns stay however narrow the screen is.
_KEPT = 2
# Take what is left over; the first of them that is there.
_GREEDY = ("command", "detail", "cwd", "name")


class Placed(NamedTuple):
    """A column on the screen: where it begins and how wide it is, without the gap behind it."""

    column: Column
    x: int
    width: int


def place(ids: Sequence[str], wanted: Mapping[str, int], start: int, available: int) -> tuple[Placed, ...]:
    """The columns that fit between ``start`` and ``available``, in order.

    ``wanted``: their measured widths; one of 0 is left out. Columns first get the
    least that they need, the most worthy ones stay; then enough; then as much as they want.
    """
    columns = [BY_ID[id] for id in ids if wanted.get(id)]
    least = {column.id: min(column.least, wanted[column.id]) for column in columns}
    room = available - start

    def spare(widths: Mapping[str, int]) -> int:
        return room - sum(widths[column.id] + GAP for column in columns) + GAP

    while len(columns) > _KEPT and spare(least) < 0:
        columns.remove(min(columns, key=lambda column: column.worth))
    if len(columns) > 1 and spare(least) < 0:
        # The less worthy one of the last two may be cut, down to a single character.
        loser = min(columns, key=lambda column: column.worth).id
        least[loser] = max(0, least[loser] + spare(least))
        columns = [column for column in columns if least[column.id]]
    widths = dict(least)
    by_worth = sorted(columns, key=lambda column: -column.worth)
    for most in ("enough", "most"):
        for column in by_worth:
            more = min(wanted[column.id], getattr(column, most)) - widths[column.id]
            widths[column.id] += max(0, min(more, spare(widths)))
    greedy = next((id for id in _GREEDY if BY_ID[id] in columns), None)
    if greedy is not None:
        widths[greedy] += max(0, spare(widths))
    placed: list[Placed] = []
    for column in columns:
        placed.append(Placed(column, start, max(1, min(widths[column.id], room))))
        start += widths[column.id] + GAP
    return tuple(placed)


class Widths:
    """The widths that columns want, grown by what they had to show so far."""

    def __init__(self) -> None:
        """Begin with the least."""
        self.ids: tuple[str, ...] = DEFAULT
        self.wanted: dict[str, int] = {}
        self.relax()

    def relax(self) -> None:
        """Forget what was measured, when everything is drawn anew anyway."""
        self.wanted = {id: 0 if BY_ID[id].sparse else BY_ID[id].least for id in self.ids}

    def choose(self, ids: Sequence[str]) -> None:
        """Show these columns."""
        self.ids = tuple(ids)
        self.relax()

    def measure(self, texts: Mapping[str, str]) -> None:
        """Grow by what the columns have to show on one line."""
        for id, text in texts.items():
            column = BY_ID[id]
            if text and self.wanted[id] < column.most:
                need = cell_len(one_line(text))
                self.wanted[id] = max(self.wanted[id], column.least, min(need, column.most))
