"""What somebody chooses in the dialogs for columns and for sorting, apart from how they look."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from .columns import BY_ID, COLUMNS, DEFAULT, readable_columns
from .order import NEWEST_FIRST, SortTerm, readable_terms

Chosen_co = TypeVar("Chosen_co", covariant=True)


class Choice(Protocol[Chosen_co]):
    """What a dialog with a list of columns changes."""

    def __len__(self) -> int:
        """How many columns it lists."""
        ...

    def words(self, number: int) -> str:
        """A column as the dialog lists it."""
        ...

    def change(self, number: int) -> None:
        """Change a column."""
        ...

    def reset(self) -> int:
        """Back to what is usual; returns where the cursor belongs."""
        ...

    def accept(self, number: int) -> Chosen_co:
        """What was chosen, with the cursor on column ``number``."""
        ...


class ColumnChoice:
    """Columns in order, each on or off; those that are off stand behind at first."""

    def __init__(self, chosen: Iterable[str]) -> None:
        """Begin with these columns on."""
        self._take(readable_columns(chosen))

    def _take(self, on: tuple[str, ...]) -> None:
        self.order = [*on, *(column.id for column in COLUMNS if column.id not in on)]
        self._on = set(on)

    def __len__(self) -> int:
        """How many columns there are."""
        return len(self.order)

    def is_on(self, number: int) -> bool:
        """Whether a column is on."""
        return self.order[number] in self._on

    def change(self, number: int) -> None:
        """Turn a column on or off."""
        self._on ^= {self.order[number]}

    def move(self, number: int, step: int) -> int:
        """Move a column up (-1) or down (1); returns where it is then."""
        to = min(max(number + step, 0), len(self.order) - 1)
        self.order.insert(to, self.order.pop(number))
        return to

    def reset(self) -> int:
        """Back to the usual columns; returns where the cursor belongs."""
        self._take(DEFAULT)
        return 0

    def accept(self, number: int) -> tuple[str, ...]:
        """The columns that are on, in order; the usual ones if none is."""
        return readable_columns(id for id in self.order if id in self._on)

    def words(self, number: int) -> str:
        """A column as the dialog lists it."""
        return f"{'[x]' if self.is_on(number) else '[ ]'} {BY_ID[self.order[number]].title}"


class SortChoice:
    """Columns to sort by, the most important first."""

    def __init__(self, terms: Iterable[tuple[str, bool]]) -> None:
        """Begin with these."""
        self.terms = list(readable_terms(terms))
        self._touched = False

    def __len__(self) -> int:
        """How many columns there are."""
        return len(COLUMNS)

    @property
    def first(self) -> int:
        """Where the column that is sorted by first stands."""
        return COLUMNS.index(BY_ID[self.terms[0].column]) if self.terms else 0

    def change(self, number: int) -> None:
        """Sort by a column after the others; once more: the other way round; once more: not any more."""
        self._touched = True
        column = COLUMNS[number]
        for place, term in enumerate(self.terms):
            if term.column == column.id:
                if term.descending is column.descending:
                    self.terms[place] = SortTerm(column.id, not term.descending)
                else:
                    del self.terms[place]
                return
        self.terms.append(SortTerm(column.id, column.descending))

    def accept(self, number: int) -> tuple[SortTerm, ...]:
        """What to sort by: what was put together, or where nothing was, the column at the cursor, then the others."""
        if self._touched:
            return readable_terms(self.terms)
        column = COLUMNS[number]
        if self.terms and self.terms[0].column == column.id:
            first = SortTerm(column.id, not self.terms[0].descending)
        else:
            first = SortTerm(column.id, column.descending)
        return readable_terms([first, *self.terms])

    def reset(self) -> int:
        """Newest first; returns where the cursor belongs."""
        self.terms, self._touched = list(NEWEST_FIRST), True
        return self.first

    def words(self, number: int) -> str:
        """A column as the dialog lists it."""
        column = COLUMNS[number]
        for place, term in enumerate(self.terms, 1):
            if term.column == column.id:
                return f"{place} {'descending' if term.descending else 'ascending':<10}  {column.title}"
        return f"{'':14}{column.title}"
