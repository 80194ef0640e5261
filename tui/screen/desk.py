"""The screen: puts table, log and detail together, hears what workers and panes tell, and does what keys stand for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import ModalScreen, Screen
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from ...core.job import JobRow
from ...core.manager import JobManager
from ..bar import Bar
from ..celltext import one_line
from ..detail.pane import DetailPane
from ..log.pane import LogPane
from ..ref import Ref
from ..table.filterbar import FilterBar
from ..table.joblist import JobList
from ..table.jobtable import JobTable
from . import feeds, header
from .action import Pane
from .actions import ACTIONS
from .arrange import Arrange
from .giver import Giver, Ordered
from .keymap import Keymap
from .listing import Listing
from .memory import Memory, labels
from .others import Others
from .terminal import repaint
from .tools import Copied, Tools

if TYPE_CHECKING:
    from ..detail.editing import NotSubmitted, Submitted

_MESSAGE_STAYS = 8.0
_SUBMIT = "jobtui submit -- COMMAND"
_TYPING = [("Enter", "keep", True), ("Esc", "give up", True), ("Tab", "complete", True), ("↑ ↓", "earlier ones", True)]


class JobScreen(Screen[None], inherit_bindings=False):
    """Workers ask managers and post messages; only the handlers here and in the panes touch widgets."""

    DEFAULT_CSS = """
    JobScreen #panes { layout: vertical; }
    JobScreen #panes.side { layout: horizontal; }
    JobScreen #panes.side #log, JobScreen #panes.side #detail { border-left: solid ansi_bright_black; }
    """

    def __init__(
        self, managers: Sequence[JobManager], memory: Memory, keymap: Keymap, first: Sequence[list[JobRow]]
    ) -> None:
        """Show the jobs of these managers; ``first``: rows of each that are known already."""
        super().__init__()
        named = zip(managers, labels(managers), strict=True)
        self.places = [feeds.Place(i, manager, name) for i, (manager, name) in enumerate(named)]
        self.memory, self.keymap, self._first = memory, keymap, first
        self.jobs = JobList()
        self.panes = Arrange(self)
        self.giver = Giver(self)
        self.lists = Listing(self)
        self.tools = Tools(self, memory, keymap)
        self.others = Others(self)
        self.paused = self._followed = False
        self.message = ""
        self._message_timer: Timer | None = None
        self.head = Bar("header")
        self.table = JobTable(self.jobs, ascii=memory.ascii_only())
        self.log_pane = LogPane()
        self.log_pane.fetch_key = keymap.label("log.fetch", "log")
        self.detail = DetailPane()
        self.area = Container(id="panes")
        self.filter_bar = FilterBar()
        self.footer = Bar("footer")

    def compose(self) -> ComposeResult:
        """One line of facts, the panes, the filter while it is written, one line of keys."""
        yield self.head
        with self.area:
            yield self.table
            yield self.log_pane
            yield self.detail
        yield self.filter_bar
        yield self.footer

    def on_mount(self) -> None:
        """Begin to follow the jobs."""
        self.memory.restore(self)
        if len(self.places) > 1:
            self.table.set_labels({place.index: place.label for place in self.places})
        for place, rows in enumerate(self._first):
            if rows:
                self.table.extend(place, rows)
        self.set_focus(self.table)
        self.panes.apply("table")
        self.jobs_changed()
        self.set_interval(1.0, self._tick)
        self.tools.start()
        for place in self.places:
            self._follow(place)
            self.run_worker(feeds.watch_engine(place, lambda place=place: self._undriven(place), self.post_message))
            self.run_worker(feeds.watch_links(place, self.post_message))
        self.run_worker(feeds.watch_progress(self._in_view, self.post_message))
        self.others.start()

    # -- what workers and panes tell

    def on_loaded(self, message: feeds.Loaded) -> None:
        """Show the jobs of a place."""
        place = self.places[message.place]
        place.trouble = ""
        self.table.extend(place.index, message.rows)
        self.others.note(place.index, message.rows)
        place.loaded = message.last
        if message.last:
            self.table.set_loaded(all(place.loaded for place in self.places))
        self.jobs_changed()

    def on_changed(self, message: feeds.Changed) -> None:
        """Show changes, and tell of ends."""
        self.tools.tell_ends(message.place, message.changes)
        self.table.apply(message.place, message.changes)
        self.others.note(message.place, [change.row for change in message.changes if change.row is not None])
        self.jobs_changed()

    def on_trouble(self, message: feeds.Trouble) -> None:
        """Say that a work directory cannot be read."""
        place = self.places[message.place]
        known = any(isinstance(ref, Ref) and ref.place == place.index for ref in self.jobs.rows)
        # Before anybody submitted a job there is no directory; it is made with the first one.
        if message.gone and not known and not place.trouble:
            place.trouble = ""
        elif not place.trouble:
            # The rows stay, and say how old they are.
            age = "" if message.gone or not known else f"; jobs as of {time.strftime('%H:%M:%S')}"
            place.trouble = message.words + age
        place.loaded = True
        if message.gone:
            self.table.replace(place.index, [])
        self.table.set_loaded(True)
        self.jobs_changed()

    def on_engine_seen(self, message: feeds.EngineSeen) -> None:
        """Show who drives."""
        if message.words != self.places[message.place].engine:
            self.places[message.place].engine = message.words
            self.refresh_header()

    def on_links_seen(self, message: feeds.LinksSeen) -> None:
        """Show whether other machines answer."""
        self.places[message.place].links = message.links
        self.refresh_header()

    def on_progressed(self, message: feeds.Progressed) -> None:
        """Show how far jobs are."""
        self.table.set_progress(message.progress)

    def on_foreign_seen(self, message: feeds.ForeignSeen) -> None:
        """Show the jobs that schedulers have and no work directory."""
        self.others.seen(message.place, message.seen)

    def on_failed(self, message: feeds.Failed) -> None:
        """Say what could not be done."""
        self.say(message.words, bad=True)

    def on_ordered(self, message: Ordered) -> None:
        """Say what became of an order."""
        self.giver.ordered(message)
        self.refresh_header()

    def on_submitted(self, message: Submitted) -> None:
        """Say which job is new."""
        self.giver.submitted(message.refs)

    def on_not_submitted(self, message: NotSubmitted) -> None:
        """Say why nothing was submitted."""
        self.say(message.words, bad=message.bad)

    def on_copied(self, message: Copied) -> None:
        """Say where the copy is."""
        self.say(message.words)

    def on_job_table_cursor_moved(self, message: JobTable.CursorMoved) -> None:
        """Show the job under the cursor."""
        self.show_current()
        self.refresh_footer()

    def on_job_table_removed(self, message: JobTable.Removed) -> None:
        """Say that the cursor is on another job."""
        self.say(message.words)

    def on_job_table_opened(self, message: JobTable.Opened) -> None:
        """Open what was clicked twice."""
        self.open()

    def on_job_table_sort_chosen(self, message: JobTable.SortChosen) -> None:
        """Remember the order."""
        self.memory.collect(self)

    def on_filter_bar_typed(self, message: FilterBar.Typed) -> None:
        """Filter as it is typed."""
        self.filter_bar.hint(self.table.set_filter(message.text))
        self.jobs_changed()

    def on_filter_bar_accepted(self, message: FilterBar.Accepted) -> None:
        """Keep the filter."""
        self.lists.filtered(message.text)

    def on_filter_bar_cancelled(self, message: FilterBar.Cancelled) -> None:
        """Filter no more."""
        self.lists.filtered("")

    def on_descendant_focus(self) -> None:
        """Show the keys of the pane that has them."""
        self.refresh_footer()

    def on_resize(self) -> None:
        """Arrange everything for the new size."""
        self.panes.apply(self.panes.current)
        self.refresh_header()
        self.refresh_footer()

    def on_screen_suspend(self) -> None:
        """Nothing moves beneath a dialog."""
        self.table.freeze(True)

    def on_screen_resume(self) -> None:
        """Let what was collected meanwhile show."""
        self.table.freeze(self.paused)
        self.refresh_footer()

    def press(self, key: str) -> bool:
        """Do what a key stands for in this pane. Whether it stands for anything; in a field it is text."""
        if isinstance(self.focused, Input):
            return False
        action = self.keymap.find(key, self.panes.current)
        if action is None:
            return False
        why = action.refuses(self)
        if why and action.group != "Jobs":
            self.say(f"{action.title}: {why}")
        else:
            # Orders for jobs say themselves whom they refuse, and why.
            action.run(self)
        return True

    # -- what others ask of the screen

    def pane(self, pane: Pane) -> JobTable | LogPane | DetailPane:
        """The widget of a pane."""
        if pane == "table":
            return self.table
        return self.log_pane if pane == "log" else self.detail

    def view(self, pane: Pane) -> Widget:
        """The widget of a pane that gets the keys."""
        if pane == "table":
            return self.table
        return self.log_pane.view if pane == "log" else self.detail.view

    @property
    def manager(self) -> JobManager | None:
        """The manager of the job under the cursor."""
        ref = self.jobs.told_ref
        return None if ref is None else self.places[ref.place].manager

    def show_current(self) -> None:
        """Show the job under the cursor in the second pane."""
        shown = self.log_pane if self.panes.second == "log" else self.detail
        shown.show(self.manager, self.jobs.current)

    def say(self, words: str, *, bad: bool = False) -> None:
        """Show a message in place of the keys for a while."""
        self.message = words
        self.footer.show(Text(" ").append(one_line(words), "bold red" if bad else "bold"))
        if self._message_timer is not None:
            self._message_timer.stop()
        self._message_timer = self.set_timer(_MESSAGE_STAYS, self._clear_message)

    def refresh_header(self) -> None:
        """Write the first line anew."""
        jobs = self.jobs
        facts = header.Facts(
            places=[(place.manager.workdir.path, place.engine, place.trouble) for place in self.places],
            counts=jobs.counts,
            marked=len(jobs.marks),
            hidden_marks=jobs.hidden_marks,
            paused=self.paused,
            waiting=jobs.waiting if self.paused else 0,
            loading=not all(place.loaded or place.trouble for place in self.places),
            undriven=sum(header.undriven(jobs.own_counts(place.index)) for place in self.places),
            filter=jobs.filter_text,
            shown=jobs.shown,
            total=jobs.total,
            links=list(dict.fromkeys(link for place in self.places for link in place.links)),
            ascii=self.table.ascii,
        )
        self.head.show(header.header(facts, self.app.size.width))
        self.tools.count(jobs.counts)

    # -- actions

    def go(self, where: str) -> None:
        """Move in the pane that has the keys."""
        match self.panes.current:
            case "log":
                self.log_pane.go(where)
            case "detail":
                self.detail.go(where)
            case _ if where in ("left", "right"):
                self.table.set_expanded(where == "right")
            case _:
                self.table.go(where)

    def open(self) -> None:
        """Unfold an array, or go into the output of a job."""
        if self.jobs.cursor is not None and self.jobs.current_ref is None:
            self.table.toggle_expand()
        elif self.jobs.current is not None:
            self.panes.focus(self.panes.second)

    def clear(self) -> None:
        """Close, clear the filter, clear the marks: one at a time, in this order."""
        if self.panes.current != "table":
            if self.panes.current == "log" and self.log_pane.clear():
                return
            self.back()
        elif self.panes.zoomed:
            self.panes.zoom()
        elif self.jobs.filter_text:
            self.lists.set_filter("")
        else:
            self.table.unmark(set(self.jobs.marks))
            self.refresh_header()

    def back(self) -> None:
        """Go back to the table; from there, close the screen."""
        if self.panes.current == "table":
            if self.giver.pending:
                self.say(f"an order is being given; {self.keymap.label('quit-now')} leaves at once")
            else:
                self.quit()
            return
        self.panes.zoomed = False
        self.panes.focus("table")

    def quit(self) -> None:
        """Close the screen; the jobs go on."""
        self.memory.collect(self)
        self.tools.stop()
        self.others.stop()
        self.app.exit()

    def pause(self) -> None:
        """Stop all updates of the screen, or go on."""
        self.paused = not self.paused
        self.table.freeze(self.paused)
        if self.paused:
            self._followed = self.log_pane.view.follow
        if self._followed and self.log_pane.view.follow is self.paused:
            self.log_pane.toggle_follow()
        self.refresh_header()

    def reload(self) -> None:
        """Read all jobs again and repaint the whole terminal."""
        for place in self.places:
            self._follow(place)
        repaint(self.app)
        self.show_current()

    def capabilities(self, backend: str) -> frozenset[str]:
        """What a back end can do."""
        return self.places[0].manager.capabilities(backend)

    # -- inside

    def _follow(self, place: feeds.Place) -> None:
        def shown() -> list[int]:
            return [ref.job for ref in self.jobs.rows if isinstance(ref, Ref) and ref.place == place.index]

        following = feeds.follow_jobs(place, shown, self.post_message)
        self.run_worker(following, group=f"follow-{place.index}", exclusive=True)

    def _in_view(self) -> list[tuple[feeds.Place, JobRow]]:
        # A list that is frozen shows jobs that are not there any more.
        seen = [(self.places[ref.place], self.jobs.row(ref)) for ref in self.table.visible_refs()]
        return [(place, row) for place, row in seen if row is not None]

    def _undriven(self, place: feeds.Place) -> bool:
        return place.loaded and header.undriven(self.jobs.own_counts(place.index)) > 0

    def _why_empty(self) -> str:
        """What to say where there are no jobs at all."""
        troubles = [place.trouble for place in self.places if place.trouble]
        key = self.keymap.label("submit", "table")
        return troubles[0] if troubles else f"There are no jobs yet: {key} submits one; in a shell  {_SUBMIT}"

    def _tick(self) -> None:
        self.table.tick()

    def jobs_changed(self) -> None:
        """Show everywhere what the jobs are now."""
        if not self.paused:
            self.show_current()
        self.table.say_empty(self._why_empty())
        self.refresh_header()
        self.refresh_footer()
        if self.app.screen is not self:
            self.giver.jobs_changed()

    def refresh_footer(self) -> None:
        """Write the line of keys anew, unless it says something else."""
        if self.message or isinstance(self.app.screen, ModalScreen):
            return
        if isinstance(self.focused, Input):
            self.footer.show(header.footer(_TYPING, self.app.size.width))
            return
        current = self.panes.current
        items = [
            (self.keymap.label(action.id, current), action.short, not action.refuses(self))
            for action in ACTIONS
            if action.short and self.keymap.keys(action.id, current)
        ]
        self.footer.show(header.footer(items, self.app.size.width))

    def _clear_message(self) -> None:
        self.message = ""
        self.refresh_footer()
