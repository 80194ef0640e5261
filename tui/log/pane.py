"""The pane with the output of a job: title, text and prompt; opens logs, and does what a person asks of them."""

from __future__ import annotations

import time
from functools import partial

import anyio
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer

from ...core.job import ENDED, JobRow, is_far
from ...core.manager import JobManager
from ...core.units import size as size_words
from ..bar import Bar
from ..celltext import words_of
from .caption import Facts, caption
from .document import text_of
from .faraway import Away, FarSeen, FarWatch
from .finder import Finder
from .growth import Growth
from .item import Look
from .prompt import Prompt
from .session import Session
from .shown import STREAMS, Shown, Shows
from .title import title
from .view import LogView

# Seconds that the cursor rests before a log is opened.
_REST = 0.08


class LogPane(Vertical):
    """The log of one job with its title line. Reading happens in a ``Session``, which posts messages."""

    DEFAULT_CSS = """
    LogPane { height: 1fr; }
    """

    class Opening(Message):
        """A log is opened; from now on the session tells of it."""

        def __init__(self, shown: Shown, session: Session) -> None:
            """Say which."""
            super().__init__()
            self.shown, self.session = shown, session

    class Unreadable(Message):
        """The output of a foreign job cannot be read."""

        def __init__(self, shown: Shown, words: str) -> None:
            """Say of which, and why."""
            super().__init__()
            self.shown, self.words = shown, words

    def __init__(self) -> None:
        """Show no job."""
        super().__init__(id="log")
        self._manager: JobManager | None = None
        self._row: JobRow | None = None
        self._shown: Shown | None = None
        self._session: Session | None = None
        self._stream: Shows = "stdout"
        self._attempt: int | None = None
        self._far: FarWatch | None = None
        self._away: Away | None = None
        # The key that fetches the beginning of a log from another machine.
        self.fetch_key = ""
        self._states = False
        self._trouble = ""
        self._counted = False
        self._growth = Growth()
        self._again: Timer | None = None
        self.title = Bar("log-title", rule=True)
        self.view = LogView()
        self.prompt = Prompt()
        self.finder = Finder(self.view, self.prompt, self._reread)

    def compose(self) -> ComposeResult:
        """Title above text, and the prompt while it is open."""
        yield self.title
        yield self.view
        yield self.prompt

    # -- which log is shown

    def show(self, manager: JobManager | None, row: JobRow | None) -> None:
        """Show the log of this job; call it again when the row changed. None: no job."""
        self._manager, self._row = manager, row
        self._open(_REST)

    @property
    def stream(self) -> Shows:
        """Which output is shown."""
        return self._stream

    @stream.setter
    def stream(self, stream: Shows) -> None:
        self._stream = stream
        self._open(0.0)

    @property
    def wrap(self) -> bool:
        """Whether long lines are wrapped."""
        return self.view.wrap

    @wrap.setter
    def wrap(self, wrap: bool) -> None:
        if wrap != self.view.wrap:
            self.view.wrap, self.view.left = wrap, 0
            self._reread()

    def _open(self, rest: float) -> None:
        """Open the log that is to be shown now, unless it is; ``rest``: seconds to wait, another may be wanted."""
        shown = self._to_show()
        if shown != self._shown:
            self._shown, self._attempt = shown, shown and shown.attempt
            self.workers.cancel_group(self, "log")
            self._session, self._trouble, self._counted = None, "", False
            self._far = self._away = None
            self._growth = Growth()
            # A prompt stays open: what is being typed into it must not become keys of the screen.
            self.finder.attach(None)
            self.view.clear(merged=shown is not None and shown.stream == "merged")
            if shown is not None:
                self.run_worker(partial(self._run, shown, rest), group="log", exclusive=True)
        elif self._session is not None and self._is_over():
            self._session.finish()
        self.refresh_title()

    def _to_show(self) -> Shown | None:
        row, old = self._row, self._shown
        if row is None or self._manager is None:
            return None
        workdir = self._manager.workdir.path
        if row.foreign:
            return Shown(workdir, 0, 1, 1, self._stream, f"{row.label} {row.submitted}")
        attempt = row.attempt
        if old is not None and (old.workdir, old.job) == (workdir, row.id) and old.current == row.attempt:
            attempt = self._attempt or attempt
        return Shown(workdir, row.id, row.attempt, attempt, self._stream)

    def _is_over(self) -> bool:
        """Whether nothing more is to come."""
        row, shown = self._row, self._shown
        if row is None or shown is None or (self._is_far() and (self._away is None or not self._away.over)):
            return False
        return row.state in ENDED or shown.attempt != row.attempt

    async def _run(self, shown: Shown, rest: float) -> None:
        # A cursor that runs down the table opens no log on its way.
        await anyio.sleep(rest)
        if self._manager is None:
            return
        session = await self._session_of(shown, self._manager)
        if isinstance(session, str):
            self.post_message(self.Unreadable(shown, session))
            return
        self.post_message(self.Opening(shown, session))
        async with anyio.create_task_group() as tasks:
            if self._is_far():
                self._far = FarWatch(self._manager, shown, self._backend(), self.post_message)
                tasks.start_soon(self._far.run)
            await session.run()

    def _backend(self) -> str:
        return self._row.backend if self._row is not None else ""

    def _is_far(self) -> bool:
        """Whether a copy of a log on another machine is shown."""
        return self._shown is not None and not self._shown.foreign and is_far(self._backend())

    async def _session_of(self, shown: Shown, manager: JobManager) -> Session | str:
        if not shown.foreign or self._row is None:
            return shown.session(manager, self._is_over(), self.post_message)
        return await shown.foreign_session(manager, self._row, self._is_over(), self.post_message)

    # -- what the session, the view and the prompt tell

    def on_log_pane_opening(self, message: Opening) -> None:
        """From now on read from this session."""
        message.stop()
        if message.shown == self._shown:
            self._session = message.session
            if self._is_over():
                message.session.finish()
            self.finder.attach(message.session)
            self.view.port.failed()
            self.view.update()

    def on_log_pane_unreadable(self, message: Unreadable) -> None:
        """Say why there is nothing to see."""
        message.stop()
        if message.shown == self._shown:
            self._trouble = message.words
            self.refresh_title()

    def on_log_view_needs(self, message: LogView.Needs) -> None:
        """Read the rows that the view needs."""
        message.stop()
        if self._session is not None:
            search = self.finder.search
            wrap = self.view.text_width if self.view.wrap else 0
            self._session.read(message.need, Look(wrap, self._states, search.pattern if search else None))

    def on_session_paged(self, message: Session.Paged) -> None:
        """Show the rows that were read."""
        message.stop()
        if message.session is self._session:
            self._trouble = ""
            self.view.show(message.page, message.need)
            self.refresh_title()

    def on_session_watched(self, message: Session.Watched) -> None:
        """The log is not what it was, or more is known of it."""
        message.stop()
        session, port = message.session, self.view.port
        if session is not self._session:
            return
        if message.restarted:
            self.finder.restarted()
            self.view.clear(merged=self.view.merged, follow=port.follow)
            self._counted = False
        port.grows_above = session.filter is not None and session.filter.more
        if message.grew or session.filter is not None:
            port.grew()
        if not self._counted and session.lines is not None:
            # Line numbers are known now.
            self._counted = True
            port.stay()
        self.view.update()
        self.finder.progressed()
        self.refresh_title()

    def on_far_seen(self, message: FarSeen) -> None:
        """Say how much of a log on another machine is here."""
        message.stop()
        if message.shown == self._shown:
            self._away = message.away
            if self._session is not None and self._is_over():
                self._session.finish()
            self.refresh_title()

    def on_session_located(self, message: Session.Located) -> None:
        """Go to the line whose number was typed."""
        message.stop()
        if message.session is self._session:
            self.finder.located(message.offset, message.number)
            self.refresh_title()

    def on_session_failed(self, message: Session.Failed) -> None:
        """Say why the log cannot be read."""
        message.stop()
        if message.session is self._session:
            self._trouble = f"cannot be read: {words_of(message.error)}"
            self.view.port.failed()
            self.refresh_title()

    def on_log_view_moved(self, message: LogView.Moved) -> None:
        """Tell in the title where we are."""
        message.stop()
        self.refresh_title()

    def on_prompt_typed(self, message: Prompt.Typed) -> None:
        """Search and filter while it is typed."""
        message.stop()
        self.finder.typed(message.purpose, message.words)
        self.refresh_title()

    def on_prompt_accepted(self, message: Prompt.Accepted) -> None:
        """Keep what was typed."""
        message.stop()
        if self.finder.accepted(message.purpose, message.words):
            self._close_prompt()

    def on_prompt_cancelled(self, message: Prompt.Cancelled) -> None:
        """Leave all as it was."""
        message.stop()
        self.finder.cancelled()
        self._close_prompt()

    def _close_prompt(self) -> None:
        if self.prompt.is_open:
            self.prompt.close()
            # At once: the next key may have arrived already.
            self.screen.set_focus(self.view)
            self.refresh_title()

    def on_descendant_focus(self) -> None:
        """Show by the title that keys go here."""
        self.refresh_title()

    def on_descendant_blur(self) -> None:
        """Show by the title that keys go elsewhere."""
        self.refresh_title()

    def on_resize(self) -> None:
        """Fit the title into the new width."""
        self.refresh_title()

    # -- what keys do

    def go(self, where: str) -> None:
        """Move: up, down, page-up, page-down, half-up, half-down, home, end, left or right."""
        self.finder.remark = ""
        self.view.go(where)
        self.refresh_title()

    def switch_stream(self) -> None:
        """Show stdout, then stderr, then both in one."""
        self.stream = STREAMS[(STREAMS.index(self._stream) + 1) % len(STREAMS)]

    def toggle_follow(self) -> None:
        """Follow the end of the log, or stop."""
        self.view.port.set_follow(not self.view.port.follow)
        self.view.update()
        self.refresh_title()

    def toggle_wrap(self) -> None:
        """Wrap long lines, or cut them at the edge."""
        self.wrap = not self.wrap

    def toggle_states(self) -> None:
        """Show every state of lines that were rewritten, or the last one alone."""
        self._states = not self._states
        self._reread()

    def start_search(self) -> None:
        """Ask what to search."""
        self.finder.start("search")

    def start_filter(self) -> None:
        """Ask which lines to show."""
        self.finder.start("filter")

    def start_jump(self) -> None:
        """Ask for a line number or a percentage to go to."""
        self.finder.start("jump")

    def next_match(self, step: int) -> None:
        """Go to the next (1) or previous (-1) line that matches the search."""
        self.finder.next_match(step)
        self.refresh_title()

    def next_error(self, step: int) -> None:
        """Go to the next (1) or previous (-1) line that tells of an error."""
        self.finder.next_error(step)
        self.refresh_title()

    def other_attempt(self, step: int) -> None:
        """Show what the next (1) or previous (-1) attempt of the job wrote."""
        row, shown = self._row, self._shown
        if row is not None and shown is not None:
            self._attempt = min(max(1, shown.attempt + step), row.attempt)
            self._open(0.0)

    def no_fetch(self) -> str:
        """Why no beginning of a log can be fetched, "" if it can."""
        if self._away is None:
            return "all of the log is here"
        if self._away.fetching:
            return "it is being fetched"
        return "" if self._away.missing else "all of the log is here"

    def fetch(self) -> str:
        """Fetch the beginning of the log from the other machine; returns what is done, in words."""
        if self._far is None or self._away is None:
            return self.no_fetch()
        self._far.whole = True
        return f"fetching the first {size_words(self._away.missing)} from {self._away.host}"

    def clear(self) -> bool:
        """Drop what is searched, then the filter; tells whether there was any of it."""
        there_was = self.finder.clear()
        self.refresh_title()
        return there_was

    def _reread(self) -> None:
        """Show what is in view in another way."""
        self.view.port.stay()
        self.view.update()
        self.refresh_title()

    # -- for copies and other programs

    def visible_text(self) -> str:
        """What is in view, as text."""
        return text_of(self.view.port.rows)

    def last_lines(self, number: int) -> str:
        """The last lines of the log, up to a megabyte. Raises OSError."""
        return self._session.last_lines(number) if self._session is not None else ""

    def location(self) -> tuple[str, int | None] | None:
        """The file that is shown, and the number of the line at the top of the view where it is known."""
        session, shown, row = self._session, self._shown, self.view.port.top_row
        if session is None or shown is None:
            return None
        return session.place(row.start if row is not None else 0)

    # -- the title

    def refresh_title(self) -> None:
        """Say whose log it is, where we are in it, and what is going on; repaints only what changed."""
        row, shown, view, session = self._row, self._shown, self.view, self._session
        if row is None or shown is None:
            self.title.show(Text(" no job selected"), strong=view.has_focus)
            view.say("")
            return
        size, lines = (session.size, session.lines) if session is not None else (0, None)
        again = self._growth.update(time.monotonic(), lines, size, follow=view.follow or view.port.at_end)
        if again is not None and self._again is None:
            self._again = self.set_timer(again, self._refresh_title_again)
        facts = Facts(
            row=row,
            stream=shown.stream,
            attempt=shown.attempt,
            follow=view.follow,
            opened=session is not None and session.opened,
            page=view.port.page,
            top=view.port.top_row,
            size=size,
            lines=lines,
            note=(self._trouble if session is not None else "") or self._note(),
            remark=self.finder.remark,
            badge=self._growth.badge,
            speed=self._growth.speed,
            other="stderr" if shown.stream == "stdout" else "stdout",
            other_size=session.other_size if session is not None else 0,
            left=view.left,
            states=self._states,
            search=session.search if session is not None else None,
            search_words=self.finder.search.words if self.finder.search is not None else "",
            filter=session.filter if session is not None else None,
            filter_words=self.finder.filter.words if self.finder.filter is not None else "",
            errors=session.errors if session is not None else None,
            here=view.here,
            strong=view.has_focus,
        )
        self.title.show(title(list(caption(facts)), self.size.width), strong=view.has_focus)
        view.say(self._empty_words(row, shown, session))

    def _note(self) -> str:
        if self._away is not None:
            return self._away.words(self.fetch_key)
        return self._session.note if self._session is not None else ""

    def _refresh_title_again(self) -> None:
        self._again = None
        self.refresh_title()

    def _empty_words(self, row: JobRow, shown: Shown, session: Session | None) -> str:
        if session is None and row.foreign:
            trouble = self._trouble
            return f"{trouble[:1].upper()}{trouble[1:]}." if trouble else "Its scheduler is asked where it writes ..."
        if session is None or not session.opened:
            return ""
        if session.size and session.filter is not None:
            return "Looking for lines that pass the filter ..." if session.filter.more else "No line passes the filter."
        if session.size:
            return ""
        if self._is_far() and (self._away is None or self._away.empty_words()):
            return self._away.empty_words() if self._away is not None else ""
        where = "either stream" if shown.stream == "merged" else shown.stream
        if row.started is None and not self._is_over():
            return "It has not started yet."
        return f"It wrote nothing to {where}." if self._is_over() else f"Nothing on {where} yet."
