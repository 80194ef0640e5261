"""The table of jobs: draws only the lines in view, repaints only those that changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ...core.job import JobRow
from ...core.journal import Change
from ..celltext import STATE_STYLES, cell, elapsed, one_line
from .joblist import Applied, JobList

_GAP = 2
_NAME_WIDTHS = (8, 24)
_COMMAND_LEAST = 20
_MEASURED = 200
# Left out in this order where the screen is too narrow.
_DISPENSABLE = ("BACKEND", "COMMAND", "EXIT", "ELAPSED", "NAME")
_HEAD = Style(bold=True, underline=True)
_NO_JOBS = "There are no jobs yet. Submit one in a shell:  jobtui submit -- COMMAND"


@dataclass(frozen=True)
class Column:
    """A column: its head, its width, and whether it holds numbers."""

    head: str
    columns: int
    right: bool = False


def choose_columns(available: int, id_width: int, name_width: int) -> list[Column]:
    """The columns that fit, the command taking what is left over."""
    wanted = [
        Column("ID", id_width, True),
        Column("NAME", name_width),
        Column("STATE", 10),
        Column("BACKEND", 8),
        Column("ELAPSED", 7, True),
        Column("EXIT", 4, True),
        Column("COMMAND", _COMMAND_LEAST),
    ]

    def room() -> int:
        return available - sum(column.columns + _GAP for column in wanted)

    for head in _DISPENSABLE:
        if room() < 0:
            wanted = [column for column in wanted if column.head != head]
    if wanted[-1].head == "COMMAND":
        wanted[-1] = Column("COMMAND", wanted[-1].columns + max(0, room()))
    return wanted


class JobTable(ScrollView, can_focus=True, inherit_bindings=False):
    """Draws a ``JobList``; every change to that list goes through here, so that the right lines are repainted."""

    DEFAULT_CSS = """
    JobTable {
        height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; scrollbar-gutter: stable;
    }
    """

    class CursorMoved(Message):
        """The cursor is on another job, or on none."""

        def __init__(self, job: int | None) -> None:
            """Name the job."""
            super().__init__()
            self.job = job

    class Removed(Message):
        """The cursor's job was removed, and the cursor is on another one now."""

        def __init__(self, job: int) -> None:
            """Name the removed job."""
            super().__init__()
            self.job = job

    def __init__(self, jobs: JobList) -> None:
        """Draw these jobs."""
        super().__init__(id="table")
        self.jobs = jobs
        self.loaded = False
        self._columns: list[Column] = []
        self._name_width = _NAME_WIDTHS[0]
        self._times: dict[int, str] = {}
        self._told: int | None = None

    # -- changes of the data

    def replace(self, rows: list[JobRow]) -> None:
        """Show these rows instead of all there were."""
        self.loaded = True
        self._change(rows, lambda: self.jobs.replace(rows))

    def apply(self, changes: list[Change]) -> None:
        """Show changes."""
        rows = [change.row for change in changes if change.row is not None]
        self._change(rows, lambda: self.jobs.apply(changes))

    def _change(self, rows: Sequence[JobRow], change: Callable[[], Applied]) -> None:
        top = round(self.scroll_y)
        # Somebody who scrolled away from the newest jobs keeps looking at the same ones.
        anchor = self.jobs.job_at(min(top, len(self.jobs) - 1)) if len(self.jobs) and top else None
        in_view = self._cursor_in_view()
        applied = change()
        widened = self._measure(rows)
        if applied.moved or widened:
            self.virtual_size = Size(self._width, len(self.jobs) + 1)
            if anchor is not None and anchor in self.jobs:
                self._scroll(self.jobs.line_of(anchor))
            if in_view:
                self._show_cursor()
            self.refresh()
        else:
            self._refresh_jobs(applied.changed)
        if applied.lost is not None:
            self.post_message(self.Removed(applied.lost))
        self._tell()

    def tick(self) -> None:
        """Repaint the lines whose elapsed time reads differently now."""
        rows = self.jobs.rows
        self._refresh_jobs([job for job, shown in self._times.items() if job in rows and elapsed(rows[job]) != shown])

    # -- the person's moves

    def go(self, where: str) -> None:
        """Move the cursor: up, down, page-up, page-down, home or end."""
        page = max(1, self._lines - 1)
        steps = {"up": -1, "down": 1, "page-up": -page, "page-down": page, "home": -len(self.jobs)}
        self.move(steps.get(where, len(self.jobs)))

    def move(self, lines: int) -> None:
        """Move the cursor down by ``lines``."""
        before = self.jobs.cursor
        self.jobs.move(lines)
        self._cursor_moved(before)

    def toggle_mark(self) -> None:
        """Mark the cursor's job or take its mark away, and go on to the next."""
        self.jobs.toggle_mark()
        self._refresh_jobs([job for job in [self.jobs.cursor] if job is not None])
        self.move(1)

    def unmark(self, jobs: Iterable[int]) -> None:
        """Take marks away."""
        gone = self.jobs.marks & set(jobs)
        self.jobs.marks -= gone
        self._refresh_jobs(gone)

    def _cursor_moved(self, before: int | None) -> None:
        if before != self.jobs.cursor:
            self._refresh_jobs([job for job in (before, self.jobs.cursor) if job is not None])
        self._show_cursor()
        self._tell()

    def _tell(self) -> None:
        if self._told != self.jobs.cursor:
            self._told = self.jobs.cursor
            self.post_message(self.CursorMoved(self.jobs.cursor))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the job that was clicked."""
        line = round(self.scroll_y) + event.y - 1
        if event.y >= 1 and line < len(self.jobs):
            before = self.jobs.cursor
            self.jobs.move_to(line)
            self._cursor_moved(before)

    def on_focus(self) -> None:
        """Show by the cursor's line that keys go here."""
        self._refresh_jobs(self.jobs.rows if self.jobs.cursor is None else [self.jobs.cursor])

    def on_blur(self) -> None:
        """Show by the cursor's line that keys go elsewhere."""
        self.on_focus()

    # -- geometry: line 0 of the widget is the head

    @property
    def _width(self) -> int:
        """How many columns there are beside the scrollbar."""
        return self.scrollable_content_region.width

    @property
    def _lines(self) -> int:
        """How many jobs fit."""
        return max(1, self.size.height - 1)

    def on_resize(self) -> None:
        """Lay out the columns for the new width."""
        self._measure(())
        self.virtual_size = Size(self._width, len(self.jobs) + 1)
        self._show_cursor()
        self.refresh()

    def _measure(self, rows: Sequence[JobRow]) -> bool:
        """Choose the columns; names only ever widen theirs, so that the table does not flutter."""
        # The newest of many are enough to know what names are like here.
        longest = max((cell_len(one_line(row.name)) for row in rows[-_MEASURED:]), default=0)
        self._name_width = min(max(self._name_width, longest), _NAME_WIDTHS[1])
        columns = choose_columns(self._width, max(3, len(str(self.jobs.highest))), self._name_width)
        if columns == self._columns:
            return False
        self._columns = columns
        return True

    def _cursor_in_view(self) -> bool:
        job = self.jobs.cursor
        return job is None or 0 <= self.jobs.line_of(job) - round(self.scroll_y) < self._lines

    def _show_cursor(self) -> None:
        if self.jobs.cursor is None or not self.size.height:
            return
        line, top = self.jobs.line_of(self.jobs.cursor), round(self.scroll_y)
        if line < top:
            self._scroll(line)
        elif line >= top + self._lines:
            self._scroll(line - self._lines + 1)

    def _scroll(self, line: int) -> None:
        self.scroll_to(y=line, animate=False, immediate=True, force=True)

    def _refresh_jobs(self, jobs: Iterable[int]) -> None:
        top = round(self.scroll_y)
        for job in jobs:
            y = self.jobs.line_of(job) - top
            if 0 <= y < self._lines:
                self.refresh(Region(0, y + 1, self.size.width, 1))

    # -- drawing

    def render_line(self, y: int) -> Strip:
        """Draw one line of the widget."""
        width = self._width
        if y == 0:
            self._times = {job: text for job, text in self._times.items() if job in self.jobs}
            heads = [cell(column.head, column.columns, right=column.right) for column in self._columns]
            return Strip([Segment("  " + "  ".join(heads), _HEAD)]).adjust_cell_length(width, _HEAD)
        line = round(self.scroll_y) + y - 1
        if line < len(self.jobs):
            return self._render_job(self.jobs.job_at(line), width)
        text = "  " + _NO_JOBS if self.loaded and not self.jobs.rows and y == 2 else ""
        return Strip([Segment(cell(text, width), Style.null())], width)

    def _render_job(self, job: int, width: int) -> Strip:
        row = self.jobs.rows[job]
        here, marked = job == self.jobs.cursor, job in self.jobs.marks
        base = Style(reverse=True) if here and self.has_focus else Style(bold=True) if here or marked else Style.null()
        self._times[job] = elapsed(row)
        segments = [Segment((">" if here else " ") + ("*" if marked else " "), base)]
        for column in self._columns:
            text = cell(self._value(row, column.head), column.columns, right=column.right)
            # Reversed, a colour would be a block of it; the word says it all.
            coloured = column.head == "STATE" and not base.reverse
            style = base + Style.parse(STATE_STYLES.get(row.state, "")) if coloured else base
            segments += [Segment(text, style), Segment(" " * _GAP, base)]
        return Strip(segments).simplify().adjust_cell_length(width, base)

    def _value(self, row: JobRow, head: str) -> str:
        match head:
            case "ID":
                return str(row.id)
            case "NAME":
                return row.name
            case "STATE":
                return row.state
            case "BACKEND":
                return row.backend
            case "ELAPSED":
                return self._times[row.id]
            case "EXIT":
                return "" if row.exit_code is None else str(row.exit_code)
            case _:
                return row.command.strip()
