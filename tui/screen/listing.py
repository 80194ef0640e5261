"""What a person does with the list: marks, filters, sorts, unfolds, and chooses columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..table.order import SortTerm
    from .desk import JobScreen


class Listing:
    """The list of one screen."""

    def __init__(self, desk: JobScreen) -> None:
        """Work on the table of this screen."""
        self._desk = desk

    def unfold(self) -> None:
        """Show the tasks of an array, or hide them."""
        self._desk.table.toggle_expand()

    def mark(self) -> None:
        """Mark or unmark the job under the cursor."""
        self._desk.table.toggle_mark()
        self._desk.refresh_header()

    def mark_range(self) -> None:
        """Mark from the last mark to the cursor."""
        self._desk.table.mark_range()
        self._desk.refresh_header()

    def mark_all(self) -> None:
        """Mark all jobs shown, or none."""
        self._desk.table.mark_all()
        self._desk.refresh_header()

    def filter(self) -> None:
        """Write a filter."""
        self._desk.table.prepare_filter()
        self._desk.filter_bar.history = list(self._desk.memory.history("filter"))
        self._desk.filter_bar.open(self._desk.jobs.filter_text)
        # At once: the next key may have arrived already.
        self._desk.set_focus(self._desk.filter_bar.entry)

    def filtered(self, text: str) -> None:
        """Keep a filter that was written."""
        self._desk.filter_bar.close()
        self._desk.set_focus(self._desk.table)
        self.set_filter(text)
        self._desk.memory.add("filter", text)

    def set_filter(self, text: str) -> None:
        """Show the jobs that pass a filter."""
        hint = self._desk.table.set_filter(text)
        if hint:
            self._desk.say(hint, bad=True)
        self._desk.jobs_changed()

    def choose_sort(self) -> None:
        """Choose what to sort by."""
        from ..table.chooser import SortDialog

        self._desk.app.push_screen(SortDialog(self._desk.jobs.sort_terms), self._sorted)

    def _sorted(self, terms: tuple[SortTerm, ...] | None) -> None:
        if terms:
            self._desk.table.set_sort(terms)
            self._desk.memory.collect(self._desk)

    def sort_step(self, step: int) -> None:
        """Sort by the column beside the present one."""
        shown = self._desk.table.columns
        at = (
            shown.index(self._desk.jobs.sort_terms[0][0])
            if self._desk.jobs.sort_terms and self._desk.jobs.sort_terms[0][0] in shown
            else -1
        )
        self._desk.table.sort_by(shown[(at + step) % len(shown)], toggle=False)
        self._desk.memory.collect(self._desk)

    def sort_reverse(self) -> None:
        """Sort the other way round."""
        if self._desk.jobs.sort_terms:
            self._desk.table.sort_by(self._desk.jobs.sort_terms[0][0], toggle=True)

    def choose_columns(self) -> None:
        """Choose and order the columns."""
        from ..table.chooser import ColumnsDialog

        self._desk.app.push_screen(ColumnsDialog(self._desk.table.columns), self._columns_chosen)

    def _columns_chosen(self, ids: tuple[str, ...] | None) -> None:
        if ids:
            self._desk.table.set_columns(ids)
            self._desk.memory.collect(self._desk)
