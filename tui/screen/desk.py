"""The first screen: the table of jobs, the log of the selected one, and the orders that a person can give."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator
from typing import ClassVar, cast

import anyio
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer

from ...core.job import ENDED, JobRow, Outcome, SpecError, State
from ...core.journal import Change
from ...core.manager import JobManager
from ...core.settings import SettingsError
from ...core.supervisor import EngineFailedError
from ...core.workdir import WorkDirError
from ..bar import Bar
from ..celltext import STATE_STYLES, called, one_line, short_path, words_of
from ..log.pane import LogPane
from ..ref import Ref
from ..table.joblist import JobList
from ..table.jobtable import JobTable
from .actions import ACTIONS, BY_ID, Order, bindings, label
from .dialogs import ConfirmDialog, HelpDialog, ReportDialog

# The number of the one work directory.
_PLACE = 0
# Of the jobs that ended before the screen was opened, the newest so many are listed.
_ENDED_LISTED = 200
_ENGINE_LOOK = 2.0
_MISSING_LOOK = 1.0
_MESSAGE_STAYS = 8.0
# Seconds during which a job that slipped under the cursor takes no order.
_SLIPPED = 0.5
_NO_BUGS = (OSError, SpecError, WorkDirError, SettingsError, EngineFailedError, LookupError)


class JobScreen(Screen[None], inherit_bindings=False):
    """Table above, log below. Workers ask the manager and post messages; only handlers touch widgets."""

    BINDINGS: ClassVar[list[BindingType]] = list(bindings())
    CSS = """
    JobScreen.zoomed #table { display: none; }
    """

    class Loaded(Message):
        """All jobs, as they are when following begins."""

        def __init__(self, rows: list[JobRow]) -> None:
            """Carry the rows."""
            super().__init__()
            self.rows = rows

    class Changed(Message):
        """Changes of jobs."""

        def __init__(self, changes: list[Change]) -> None:
            """Carry the changes."""
            super().__init__()
            self.changes = changes

    class Trouble(Message):
        """The work directory cannot be read; ``gone``: because it is not there."""

        def __init__(self, words: str, gone: bool) -> None:
            """Say why."""
            super().__init__()
            self.words, self.gone = words, gone

    class EngineSeen(Message):
        """Who drives the work directory, "" for nobody."""

        def __init__(self, words: str) -> None:
            """Carry the words."""
            super().__init__()
            self.words = words

    class Ordered(Message):
        """What became of an order."""

        def __init__(self, order: Order, outcomes: list[Outcome]) -> None:
            """Carry the outcomes."""
            super().__init__()
            self.order, self.outcomes = order, outcomes

    class Failed(Message):
        """Something asked of the manager could not be done."""

        def __init__(self, words: str) -> None:
            """Say why."""
            super().__init__()
            self.words = words

    def __init__(self, manager: JobManager) -> None:
        """Show the jobs of this manager."""
        super().__init__()
        self.manager = manager
        self.jobs = JobList()
        self.message = ""
        self._message_timer: Timer | None = None
        self._engine: str | None = None
        self._trouble = ""
        self._capped = False
        self._slipped_at = float("-inf")
        self.header = Bar("header")
        self.table = JobTable(self.jobs)
        self.log_pane = LogPane()
        self.footer = Bar("footer")

    def compose(self) -> ComposeResult:
        """One line of facts, the table, the log, one line of keys."""
        yield self.header
        yield self.table
        yield self.log_pane
        yield self.footer

    def on_mount(self) -> None:
        """Begin to follow the jobs."""
        self.table.focus()
        self._refresh_header()
        self._refresh_footer()
        self.set_interval(1.0, self.table.tick)
        self.run_worker(self._follow_jobs())
        self.run_worker(self._watch_engine())

    # -- workers

    async def _follow_jobs(self) -> None:
        while True:
            try:
                feed = await self.manager.follow(ended=_ENDED_LISTED)
                self.post_message(self.Loaded(feed.rows))
                # A generator, whatever the protocol promises: it must be closed in this task.
                async with contextlib.aclosing(cast("AsyncGenerator[list[Change]]", aiter(feed))) as batches:
                    async for changes in batches:
                        self.post_message(self.Changed(changes))
            except OSError as error:
                gone = isinstance(error, FileNotFoundError) and not self.manager.workdir.exists()
                self.post_message(self.Trouble(words_of(error), gone))
            await anyio.sleep(_MISSING_LOOK)

    async def _watch_engine(self) -> None:
        started = False
        while True:
            lease = await self.manager.engine()
            words = "" if lease is None else f"engine {lease.process.pid} on {lease.host}"
            self.post_message(self.EngineSeen(words))
            if lease is None and not started and self.table.loaded and self._undriven():
                # Once: an engine that somebody stopped while we look is not started behind their back.
                started = True
                await self._start_engine()
            await anyio.sleep(_ENGINE_LOOK)

    async def _start_engine(self) -> None:
        try:
            await self.manager.ensure_engine()
        except _NO_BUGS as error:
            self.post_message(self.Failed(words_of(error)))

    async def _give(self, order: Order, ids: tuple[int, ...]) -> None:
        try:
            if order.id == "cancel":
                outcomes = await self.manager.cancel(ids)
            elif order.id == "retry":
                outcomes = await self.manager.retry(ids)
            else:
                outcomes = [await self._resubmit(job) for job in ids]
        except _NO_BUGS as error:
            self.post_message(self.Failed(words_of(error)))
        else:
            self.post_message(self.Ordered(order, outcomes))

    async def _resubmit(self, job: int) -> Outcome:
        try:
            return Outcome(job, True, f"submitted again as job {await self.manager.resubmit(job)}")
        except _NO_BUGS as error:
            return Outcome(job, False, words_of(error))

    # -- what workers and panes tell

    def on_job_screen_loaded(self, message: Loaded) -> None:
        """Show the jobs."""
        self._trouble = ""
        self._capped = sum(row.state in ENDED for row in message.rows) >= _ENDED_LISTED
        self.table.replace(_PLACE, message.rows)
        self._jobs_changed()

    def on_job_screen_changed(self, message: Changed) -> None:
        """Show the changes."""
        self.table.apply(_PLACE, message.changes)
        self._jobs_changed()

    def on_job_screen_trouble(self, message: Trouble) -> None:
        """Say that the work directory cannot be read."""
        if message.gone and not self.jobs.rows:
            # Nobody submitted a job yet; the directory is made with the first one.
            self.table.replace(_PLACE, [])
            self._trouble = ""
        else:
            self._trouble = message.words
            if message.gone:
                self.table.replace(_PLACE, [])
        self._jobs_changed()

    def on_job_screen_engine_seen(self, message: EngineSeen) -> None:
        """Show who drives."""
        if message.words != self._engine:
            self._engine = message.words
            self._refresh_header()

    def on_job_screen_failed(self, message: Failed) -> None:
        """Say what could not be done."""
        self.say(message.words, bad=True)

    def on_job_screen_ordered(self, message: Ordered) -> None:
        """Say what became of an order: in a line for one job, in a dialog for more."""
        outcomes = message.outcomes
        self.table.unmark(Ref(_PLACE, outcome.job) for outcome in outcomes if outcome.done)
        self._refresh_header()
        if len(outcomes) == 1:
            outcome = outcomes[0]
            words = f"{self._called(outcome.job)}: {outcome.words}"
            self.say(words if outcome.done else f"not done: {words}", bad=not outcome.done)
        else:
            self.app.push_screen(ReportDialog(message.order, outcomes, self._row))

    def on_job_table_cursor_moved(self, message: JobTable.CursorMoved) -> None:
        """Show the log of the job under the cursor."""
        self.log_pane.show(self.manager, self.jobs.current)
        self._refresh_footer()

    def on_job_table_removed(self, message: JobTable.Removed) -> None:
        """Say that the cursor is on another job, and let a hasty key not hit that one."""
        self._slipped_at = time.monotonic()
        current = self.jobs.current
        after = f"; the cursor is on {called(current)} now" if current is not None else ""
        self.say(f"{message.words}{after}")

    def _jobs_changed(self) -> None:
        self.log_pane.show(self.manager, self.jobs.current)
        self._refresh_header()
        self._refresh_footer()
        if isinstance(self.app.screen, ConfirmDialog):
            self.app.screen.update_jobs()

    # -- the lines above and below

    def _undriven(self) -> int:
        """How many jobs need an engine."""
        return sum(count for state, count in self.jobs.counts.items() if state not in ENDED and state is not State.HELD)

    def _refresh_header(self) -> None:
        width = self.app.size.width
        facts = Text()
        if self.jobs.marks:
            facts.append(f"  {len(self.jobs.marks)} marked", "bold")
        for state in State:
            if self.jobs.counts[state]:
                # Of ended jobs only the newest are listed: there are at least so many.
                more = "+" if self._capped and state in ENDED else ""
                facts.append(f"  {self.jobs.counts[state]}{more} {state}", STATE_STYLES.get(state, ""))
        if self._trouble:
            facts.append(f"  {one_line(self._trouble)}", "bold red")
        elif self._engine:
            # Where there is no room, the process is enough.
            roomy = width - facts.cell_len - len(self._engine) > 30
            facts.append(f"  {one_line(self._engine if roomy else self._engine.partition(' on ')[0])}", "dim")
        elif self._engine is not None:
            facts.append("  no engine drives", "bold red" if self._undriven() else "dim")
        path = one_line(short_path(self.manager.workdir.path))
        room = width - facts.cell_len - 1
        if len(path) > room:
            # The end of a path tells more than its beginning.
            path = "…" + path[len(path) - room + 1 :] if room > 8 else ""
        self.header.show(Text(" ").append(path, "bold").append_text(facts))

    def _refresh_footer(self) -> None:
        if self.message:
            return
        text = Text()
        row = self.jobs.current
        for action in ACTIONS:
            if action.short:
                idle = bool(action.refuses(row))
                item = Text(" ").append(label(action.keys[0]), "dim" if idle else "bold")
                item.append(f" {action.short} ", "dim" if idle else "")
                if text.cell_len + item.cell_len > self.app.size.width:
                    break
                text += item
        self.footer.show(text)

    def say(self, words: str, *, bad: bool = False) -> None:
        """Show a message in place of the keys for a while."""
        self.message = words
        self.footer.show(Text(" ").append(one_line(words), "bold red" if bad else "bold"))
        if self._message_timer is not None:
            self._message_timer.stop()
        self._message_timer = self.set_timer(_MESSAGE_STAYS, self._clear_message)

    def _clear_message(self) -> None:
        self.message = ""
        self._refresh_footer()

    def on_resize(self) -> None:
        """Fit the header and the keys into the new width."""
        self._refresh_header()
        self._refresh_footer()

    # -- actions

    def action_act(self, action: str) -> None:
        """Do what a key stands for; see ``actions.ACTIONS``."""
        BY_ID[action].run(self)

    def order(self, action: Order) -> None:
        """Give an order for the marked jobs, or for the one under the cursor; asks first where that is due."""
        ids = tuple(ref.job for ref in self.jobs.targets())
        rows = [row for row in map(self._row, ids) if row is not None]
        refusals = [action.refuses(row) for row in rows]
        if not rows:
            self.say(f"there is no job to {action.verb}")
        elif all(refusals):
            which = called(rows[0]) if len(rows) == 1 else f"none of the {len(rows)} marked jobs"
            can = "cannot be" if len(rows) == 1 else "can be"
            self.say(f"{which} {can} {action.past}: {refusals[0]}", bad=True)
        elif not self.jobs.marks and time.monotonic() - self._slipped_at < _SLIPPED:
            self.say(f"the cursor has just moved to {called(rows[0])}; press the key again")
        elif action.asks == "always" or self.jobs.targets() != (self.jobs.cursor,):
            # Also for a single marked job that the cursor is not on: it may be out of sight.
            self.app.push_screen(
                ConfirmDialog(action, ids, self._row), lambda yes: self._confirmed(action, ids, yes)
            )
        else:
            self._confirmed(action, ids, True)

    def _confirmed(self, action: Order, ids: tuple[int, ...], yes: bool | None) -> None:
        if yes:
            self.run_worker(self._give(action, ids))

    def _row(self, job: int) -> JobRow | None:
        return self.jobs.row(Ref(_PLACE, job))

    def _called(self, job: int) -> str:
        row = self._row(job)
        return called(row) if row is not None else f"job {job}"

    def go(self, where: str) -> None:
        """Move in the pane that has the focus."""
        if self.log_pane.view.has_focus or where in ("left", "right"):
            self.log_pane.go(where)
        else:
            self.table.go(where)

    def toggle_mark(self) -> None:
        """Mark or unmark the job under the cursor."""
        self.table.toggle_mark()
        self._refresh_header()

    def clear_marks(self) -> None:
        """Take all marks away."""
        self.table.unmark(self.jobs.marks)
        self._refresh_header()

    def switch_stream(self) -> None:
        """Show the other output stream."""
        self.log_pane.switch_stream()

    def toggle_follow(self) -> None:
        """Follow the log, or stop."""
        self.log_pane.toggle_follow()

    def switch_focus(self) -> None:
        """Give the keys to the other pane."""
        if self.log_pane.view.has_focus and not self.has_class("zoomed"):
            self.table.focus()
        else:
            self.log_pane.view.focus()

    def toggle_zoom(self) -> None:
        """Show the log alone, or both panes."""
        self.toggle_class("zoomed")
        if self.has_class("zoomed"):
            self.log_pane.view.focus()
        else:
            self.table.focus()

    def show_help(self) -> None:
        """Open the help."""
        self.app.push_screen(HelpDialog())

    def quit(self) -> None:
        """Close the screen; the jobs go on."""
        self.app.exit()
