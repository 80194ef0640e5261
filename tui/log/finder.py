"""Search, filter, errors and jumps in a log: what is typed at the prompt, and which line to go to next."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .hunt import Ended, Hunt
from .matcher import Query
from .prompt import Prompt, Purpose
from .scan import Scan
from .session import Session
from .title import count
from .view import LogView

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?) ?%")
_NUMBER = re.compile(r"[1-9]\d{0,17}")
_WHERE = "type a line number such as 120, or a percentage such as 50%"


@dataclass(frozen=True)
class _Before:
    """What is restored when a prompt is cancelled."""

    follow: bool
    top: tuple[int, int] | None
    search: Query | None
    filter: Query | None


class Finder:
    """What a person looks for in the logs. It stays when another log is shown.

    ``remark``: what came of the last wish, for the title. ``reread`` shows the rows in view anew.
    """

    def __init__(self, view: LogView, prompt: Prompt, reread: Callable[[], None]) -> None:
        """Look for nothing."""
        self._view, self._prompt, self._reread = view, prompt, reread
        self._session: Session | None = None
        self.search: Query | None = None
        self.filter: Query | None = None
        self.remark = ""
        self._hunt: Hunt | None = None
        self._before: _Before | None = None
        self._line_wanted = 0

    # -- the log

    def attach(self, session: Session | None) -> None:
        """Look in this log from now on."""
        self._session, self._hunt, self.remark = session, None, ""
        if session is not None and self.filter is not None:
            session.set_filter(self.filter, 0)
        if session is not None and self.search is not None:
            session.set_search(self.search, 0)

    def restarted(self) -> None:
        """The log is not what it was: its lines are elsewhere."""
        self._hunt, self._before = None, None

    def progressed(self) -> None:
        """More of the log was looked through."""
        if self._hunt is not None:
            self._go_on()
        if self._prompt.is_open:
            self._answer()

    # -- next and previous

    def next_match(self, step: int) -> None:
        """Go to the next (1) or previous (-1) line that matches the search."""
        session = self._session
        self.remark = ""
        if session is None or session.search is None:
            self.remark = "nothing is searched for yet"
        else:
            self._begin(session.search, step)

    def next_error(self, step: int) -> None:
        """Go to the next (1) or previous (-1) line that tells of an error."""
        self.remark = ""
        if self._session is not None:
            self._begin(self._session.look_for_errors(self._origin()), step)

    def _begin(self, scan: Scan, step: int) -> None:
        port = self._view.port
        here, top, heading = self._view.here, port.top_row, port.heading
        if here is not None and (port.shows(here) if heading is None else heading == here):
            base = here
        elif heading is not None:
            base = heading - 1 if step > 0 else heading
        elif top is None or (port.follow and step < 0):
            base = scan.size + 1
        else:
            base = top.start - 1 if step > 0 else top.start
        port.set_follow(False)
        self._hunt = Hunt(scan, step, base)
        self._go_on()

    def _go_on(self) -> None:
        assert self._hunt is not None
        self._hunt, line = self._hunt.look()
        if line is None:
            return
        hunt, self._hunt = self._hunt, None
        if isinstance(line, Ended):
            self.remark = "no line matches"
            return
        if hunt.wrapped:
            self.remark = "went on from the beginning" if hunt.step > 0 else "went on from the end"
        view = self._view
        view.mark_here(line, whole=self._session is not None and hunt.scan is self._session.errors)
        if not view.port.shows(line):
            view.port.jump(line, above=view.port.height // 3)
        view.update()

    def _origin(self) -> int:
        """Where looking begins: at the top of what is in view, or at the end while that is followed."""
        rows = self._view.port.rows
        if not rows:
            return 0
        return rows[-1].start if self._view.port.follow else rows[0].start

    # -- the prompt

    def start(self, purpose: Purpose) -> None:
        """Ask what to search, filter or go to."""
        if self._prompt.is_open:
            return
        # Also before the log is there: what is typed next must not become keys of the screen.
        port = self._view.port
        top = port.top_row
        self.remark = ""
        self._before = _Before(port.follow, top and (top.start, top.sub), self.search, self.filter)
        self._prompt.open(purpose)

    def typed(self, purpose: Purpose, words: str) -> None:
        """Search and filter follow what is typed."""
        if purpose == "search":
            self._set_search(Query(words) if words else None)
            if self._session is not None and self._session.search is not None:
                follow = self._before is not None and self._before.follow
                base = self._session.size + 1 if follow else self._origin() - 1
                self._hunt = Hunt(self._session.search, -1 if follow else 1, base)
        elif purpose == "filter":
            self._set_filter(Query(words) if words else None)
        self.progressed()

    def accepted(self, purpose: Purpose, words: str) -> bool:
        """Keep what was typed; returns whether the prompt can be closed."""
        if purpose == "jump" and words.strip() and not self._jump(words.strip()):
            self._prompt.answer(_WHERE)
            return False
        self._before = None
        return True

    def cancelled(self) -> None:
        """Leave all as it was before the prompt was opened."""
        before, self._before, self._hunt = self._before, None, None
        if before is None:
            return
        port = self._view.port
        if before.filter is not self.filter:
            self._set_filter(before.filter)
        if before.search is not self.search:
            self._set_search(before.search)
        if before.follow:
            port.set_follow(True)
        elif before.top is not None:
            port.jump(before.top[0], row=before.top[1])
        self._view.mark_here(None)
        self._reread()

    def clear(self) -> bool:
        """Stop looking for the next line, then searching, then filtering; tells whether there was any of it."""
        session = self._session
        if self._hunt is not None:
            self._hunt = None
        elif self.search is not None or (session is not None and session.errors is not None):
            if session is not None:
                session.errors = None
            self._view.mark_here(None)
            self._set_search(None)
        elif self.filter is not None:
            self._set_filter(None)
        else:
            return False
        self.remark = ""
        return True

    def _set_search(self, query: Query | None) -> None:
        self.search, self._hunt = query, None
        if self._session is not None:
            self._session.set_search(query, self._origin())
        self._reread()

    def _set_filter(self, query: Query | None) -> None:
        self.filter, self._hunt = query, None
        if self._session is not None:
            self._session.set_filter(query, self._origin())
            self._session.set_search(self.search, self._origin())
        self._reread()

    def _jump(self, words: str) -> bool:
        session, port = self._session, self._view.port
        percent = _PERCENT.fullmatch(words)
        number = _NUMBER.fullmatch(words.replace(",", ""))
        if session is None or not (percent or number):
            return False
        if number:
            self._line_wanted = int(words.replace(",", ""))
            session.locate(self._line_wanted)
        elif percent and float(percent[1]) <= 100:
            port.jump(int(session.size * float(percent[1]) / 100))
        else:
            return False
        return True

    def located(self, offset: int, number: int) -> None:
        """Go to the line that was asked for by its number; ``number`` is that of the last one where it is not there."""
        if number < self._line_wanted:
            self.remark = f"the log has {count(number)} lines"
        self._view.port.jump(offset)
        self._view.update()

    def _answer(self) -> None:
        """Say beside what is typed what came of it."""
        session, purpose = self._session, self._prompt.purpose
        query = self.search if purpose == "search" else self.filter
        scan = session and (session.search if purpose == "search" else session.filter)
        if purpose == "jump" or query is None or scan is None:
            self._prompt.answer("")
            return
        words = f"{count(scan.count)}{'+' if scan.full else ''} line{'s' if scan.count != 1 else ''}"
        if scan.more:
            words += f" so far, {scan.share:.0%}"
        if query.given_up:
            words += f"; too slow on {count(query.given_up)} more"
        self._prompt.answer(f"{words}; {query.note}" if query.note else words)
