"""The table of jobs: draws the lines in view, and repaints of them only what reads differently."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from ...core.job import JobRow
from ...core.journal import Change
from ..ref import JobRef, Line, Ref
from .canvas import Canvas
from .code import ref_of
from .columns import DEFAULT, readable_columns
from .joblist import JobList, Lost
from .layout import GAP
from .order import SortTerm, sorted_by
from .scroll import Scroll

_WHEEL = 3
_NO_JOBS = "There are no jobs yet."
_LOADING = "The jobs are being read."


class JobTable(Widget, can_focus=True, inherit_bindings=False):
    """Draws a ``JobList``; every change to that list goes through here, so that the right cells are repainted.

    Line 0 is the head; the last column is the scroll bar.
    """

    DEFAULT_CSS = """
    JobTable { height: 1fr; }
    """

    class CursorMoved(Message):
        """The cursor is on another line, or on none."""

        def __init__(self, line: Line | None) -> None:
            """Name the line."""
            super().__init__()
            self.line = line

    class Removed(Message):
        """What was under the cursor is gone, and the cursor is on another line now; ``words``: what, and why."""

        def __init__(self, line: Line, words: str) -> None:
            """Name what is gone."""
            super().__init__()
            self.line, self.words = line, words

    class SortChosen(Message):
        """The person sorted the list by a click."""

        def __init__(self, terms: tuple[SortTerm, ...]) -> None:
            """Carry what the list is sorted by now."""
            super().__init__()
            self.terms = terms

    class Opened(Message):
        """A line was clicked twice."""

        def __init__(self, line: Line) -> None:
            """Name the line."""
            super().__init__()
            self.line = line

    def __init__(self, jobs: JobList, *, ascii: bool = False) -> None:
        """Draw these jobs; ``ascii``: with no character beyond ASCII of our own."""
        super().__init__(id="table")
        self.jobs = jobs
        self.ascii = ascii
        self.loaded = False
        self._empty = _NO_JOBS
        self._scroll = Scroll(jobs.view)
        self._canvas = Canvas(jobs, self._scroll, ascii=ascii)
        self._chosen: tuple[str, ...] = DEFAULT
        self._now = time.time()
        self._told: Line | None = None
        # Whether somebody has put the cursor anywhere.
        self._moved = False
        # When the cursor last went to another line by itself (monotonic seconds).
        self.slipped_at = float("-inf")
        self._dragging = False

    # -- changes of the data

    def replace(self, place: int, rows: Iterable[JobRow]) -> None:
        """Show these jobs instead of all that a place had."""
        self.loaded = True
        self._change(lambda: self.jobs.replace(place, rows))

    def extend(self, place: int, rows: Iterable[JobRow]) -> None:
        """Show these jobs beside those of a place. The cursor stays on the first line until somebody moves it."""

        def change() -> Lost | None:
            lost = self.jobs.extend(place, rows)
            if not self.loaded and not self._moved:
                self.jobs.move_to(0)
            return lost

        self._change(change)

    def apply(self, place: int, changes: Iterable[Change]) -> None:
        """Show changes."""
        self._change(lambda: self.jobs.apply(place, changes))

    def forget(self, place: int) -> None:
        """Show no job of a place any more."""
        self._change(lambda: self.jobs.forget(place))

    def set_foreign(self, place: int, rows: Iterable[JobRow]) -> None:
        """Show these foreign jobs instead of those that a place had."""
        self._change(lambda: self.jobs.set_foreign(place, rows))

    def set_progress(self, shares: Mapping[Ref, float]) -> None:
        """Show how far jobs are, 0 to 1."""
        self._change(lambda: self.jobs.set_progress(shares))

    def set_loaded(self, loaded: bool) -> None:
        """While no job is there: say that they are being loaded, or that there are none."""
        self.loaded = loaded
        self._sync()

    def say_empty(self, words: str) -> None:
        """What is to be said where there are no jobs at all."""
        if words != self._empty:
            self._empty = words
            self._sync()

    def freeze(self, on: bool) -> None:
        """Keep the list as it is, or show what has changed meanwhile; the rows are up to date all the time."""
        self._change(lambda: self.jobs.freeze(on))

    def tick(self) -> None:
        """Let time go by: repaint the run times that read differently now."""
        if not self.jobs.frozen:
            self._change(self.jobs.pass_time)

    def _change(self, change: Callable[[], Lost | None]) -> None:
        held, cursor, marked = self._scroll.hold(self.jobs.cursor_number), self.jobs.cursor, bool(self.jobs.marks)
        lost = change()
        # With its last mark gone, an order goes to the cursor's job, which was not meant either.
        if self.jobs.cursor != cursor or (marked and not self.jobs.marks):
            # Here and not by a message: a key may be dealt with before any message is.
            self.slipped_at = time.monotonic()
        self._scroll.settle(held, self.jobs.cursor_number)
        self._sync()
        if lost is not None:
            self.post_message(self.Removed(lost.line, lost.words))

    # -- what the person chooses

    def set_filter(self, text: str) -> str:
        """Show the jobs that pass a filter; returns "" or why it cannot be read yet, see ``JobList.set_filter``."""
        return self._reorder(lambda: self.jobs.set_filter(text))

    def prepare_filter(self) -> None:
        """Get ready for somebody to type a filter: its first key is as quick as the others then."""
        self.jobs.prepare_filter()

    def set_sort(self, terms: Iterable[tuple[str, bool]]) -> None:
        """Sort by columns, the most important first, each with whether it descends."""
        self._reorder(lambda: self.jobs.set_sort(terms))

    def sort_by(self, column: str, *, toggle: bool = True) -> None:
        """Sort by a column, and by those before it where it says the same; ``toggle``: once more reverses it."""
        self.set_sort(sorted_by(self.jobs.sort_terms, column, toggle=toggle))

    def set_columns(self, ids: Iterable[str]) -> None:
        """Show these columns, in this order; unknown ones are left out."""
        self._chosen = readable_columns(ids)
        self._choose_columns()

    @property
    def columns(self) -> tuple[str, ...]:
        """The chosen columns, also those that have no room."""
        return self._chosen

    def set_labels(self, labels: Mapping[int, str]) -> None:
        """Name the places; with more than one, a column says where a job is."""
        self._canvas.labels = dict(labels)
        self._choose_columns()

    def _choose_columns(self) -> None:
        ids = list(self._chosen)
        if len(self._canvas.labels) > 1 and "workdir" not in ids:
            ids.insert(1 if ids[0] == "id" else 0, "workdir")
        self._canvas.choose(ids)
        self._sync()

    def set_expanded(self, on: bool) -> bool:
        """Expand the array under the cursor or collapse it; see ``JobList.expand``."""
        return self._keep(lambda: self.jobs.expand(on))

    def toggle_expand(self) -> bool:
        """Expand the array under the cursor or collapse it; whether there is one."""
        return self._keep(self.jobs.toggle_expand)

    def _keep(self, change: Callable[[], bool]) -> bool:
        """Change lines; what is in view stays where it is."""
        held = self._scroll.hold(self.jobs.cursor_number)
        done = change()
        self._scroll.settle(held, self.jobs.cursor_number)
        self._sync()
        return done

    def _reorder(self, change: Callable[[], str | None]) -> str:
        """Change the order; the cursor's line stays where it is."""
        held = self._scroll.hold(self.jobs.cursor_number)
        words = change()
        self._scroll.follow(held, self.jobs.cursor_number)
        self._sync()
        return words or ""

    # -- the cursor

    def go(self, where: str) -> None:
        """Move the cursor: up, down, page-up, page-down, half-up, half-down, home or end."""
        self._moved = True
        page = max(1, self._scroll.height - 1)
        half = max(1, self._scroll.height // 2)
        steps = {"up": -1, "down": 1, "page-up": -page, "page-down": page, "half-up": -half, "half-down": half}
        if where in ("home", "end"):
            self.jobs.move_to(0 if where == "home" else len(self.jobs) - 1)
        else:
            if abs(steps[where]) > 1:
                self._scroll.move(steps[where])
            self.jobs.move(steps[where])
        self._scroll.show(self.jobs.cursor_number)
        self._sync()

    def select(self, ref: JobRef) -> bool:
        """Put the cursor on a job, or on the array that it is in; whether it is listed."""
        self._moved = True
        found = self.jobs.select(ref)
        self._scroll.show(self.jobs.cursor_number)
        self._sync()
        return found

    def visible_refs(self) -> list[JobRef]:
        """The jobs whose own lines are in view."""
        return [ref_of(line) for line in self._scroll.lines if line >= 0]

    def _roll(self, lines: int) -> None:
        """Scroll; the cursor comes along, so that nobody gives an order to a job out of sight."""
        self._moved = True
        number = self.jobs.cursor_number
        self._scroll.move(lines)
        if number is not None and (new := self._scroll.in_view(number)) != number:
            self.jobs.move_to(new)
        self._sync()

    # -- marks

    def toggle_mark(self) -> None:
        """Mark what is under the cursor or take its mark away, and go on to the next line."""
        self.jobs.toggle_mark()
        self.go("down")

    def mark_range(self) -> None:
        """Mark all from the line marked last to the cursor."""
        self.jobs.mark_range()
        self._sync()

    def mark_all(self) -> None:
        """Mark all listed jobs, or none if they are marked."""
        self.jobs.mark_all()
        self._sync()

    def unmark(self, refs: Iterable[JobRef]) -> None:
        """Take marks away."""
        self.jobs.unmark(refs)
        self._sync()

    # -- the mouse

    def on_click(self, event: events.Click) -> None:
        """Sort by a head; put the cursor on a line; expand an array by its sign, or open a line by a second click."""
        self._moved = True
        number = self._scroll.top + event.y - 1
        if event.x >= self.size.width - 1:
            return
        if event.y == 0:
            self._click_head(event.x)
        elif number < len(self.jobs):
            self.jobs.move_to(number)
            line = self.jobs.line_at(number)
            if self._canvas.tree and event.x in (2, 3) and not isinstance(line, Ref):
                self.toggle_expand()
            elif event.chain == 2:
                self.post_message(self.Opened(line))
            self._sync()

    def _click_head(self, x: int) -> None:
        for each in self._canvas.placed:
            if each.x <= x < each.x + each.width + GAP:
                self.sort_by(each.column.id)
                self.post_message(self.SortChosen(self.jobs.sort_terms))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll down."""
        event.stop()
        self._roll(_WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll up."""
        event.stop()
        self._roll(-_WHEEL)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of the scroll bar."""
        if event.x >= self.size.width - 1 and event.y >= 1:
            self._dragging = True
            self.capture_mouse()
            self._roll(self._scroll.top_at(event.y - 1) - self._scroll.top)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drag the scroll bar."""
        if self._dragging:
            self._roll(self._scroll.top_at(event.y - 1) - self._scroll.top)

    def on_mouse_up(self) -> None:
        """Let the scroll bar go."""
        if self._dragging:
            self._dragging = False
            self.release_mouse()

    def on_focus(self) -> None:
        """Show by the cursor's line that keys go here."""
        self._sync()

    def on_blur(self) -> None:
        """Show by the cursor's line that keys go elsewhere."""
        self._sync()

    def on_resize(self) -> None:
        """Use the new room."""
        self._scroll.height = max(1, self.size.height - 1)
        self._scroll.show(self.jobs.cursor_number)
        self._canvas.relax()
        self._sync()

    # -- drawing

    def _sync(self) -> None:
        """Draw what is in view anew, have what reads differently repainted, and tell where the cursor is."""
        width, height = self.size
        if width and height:
            if not self.jobs.frozen:
                self._now = time.time()
            self._canvas.note = self._note()
            regions = self._canvas.draw(width, height, focused=self.has_focus, now=self._now)
            if regions:
                self.refresh(*regions)
        if self._told != self.jobs.cursor:
            self._told = self.jobs.cursor
            self.post_message(self.CursorMoved(self._told))

    def _note(self) -> str:
        """What stands where no job does."""
        if not self.loaded:
            return _LOADING
        if self.jobs.total:
            return f"No job matches the filter; it hides {self.jobs.total}."
        return self._empty

    def render_line(self, y: int) -> Strip:
        """Give a line as it was drawn."""
        return self._canvas.strip(y)
