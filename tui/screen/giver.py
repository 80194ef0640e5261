"""Gives a person's orders: finds which jobs are meant, asks where that is due, and tells what became of it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual.message import Message

from ...core.filters import id_ranges
from ...core.job import ENDED, WAITING, JobRow, Outcome, State
from ..celltext import called, words_of
from ..ref import Ref
from .orders import CANCEL, NO_BUGS, RETRY, SIGNALS, Abilities, Order, count, priority_order, signal_order

if TYPE_CHECKING:
    from ..detail.form import Made
    from .desk import JobScreen
    from .dialogs import ValueDialog

# Seconds during which a job that slipped under the cursor takes no order.
_SLIPPED = 0.5


class Ordered(Message):
    """What became of an order."""

    def __init__(self, order: Order, outcomes: dict[Ref, Outcome]) -> None:
        """Carry the outcomes."""
        super().__init__()
        self.order, self.outcomes = order, outcomes


class Giver:
    """The orders of one screen. Whom an order means is decided once, by id, when its key is pressed."""

    def __init__(self, desk: JobScreen) -> None:
        """Give orders for the jobs on this screen."""
        self._desk = desk
        self._slipped_at = float("-inf")
        # Orders that are under way.
        self.pending = 0

    def slipped(self) -> None:
        """Another job came under the cursor by itself: a key pressed in this moment was not meant for it."""
        self._slipped_at = time.monotonic()

    # -- which jobs

    def targets(self, order: Order) -> tuple[Ref, ...]:
        """The jobs that the order means: the marked ones, else the cursor's; of an array only those to be retried."""
        jobs = self._desk.table.jobs
        refs = jobs.targets()
        if order is RETRY and not jobs.marks and jobs.current_ref is None:
            refs = tuple(ref for ref in refs if jobs.rows[ref].state in ENDED - {State.FINISHED})
        return refs

    def can(self, row: JobRow) -> Abilities:
        """What the back end of a job can do."""
        return self._desk.capabilities(row.backend)

    def refusal(self, order: Order) -> str:
        """Why the order is not possible now, "" if at least one of the jobs meant can take it."""
        refs = self.targets(order)
        first = ""
        for ref in refs:
            row = self._desk.table.jobs.rows[ref]
            why = order.refuses(row, self.can(row))
            if not why:
                return ""
            first = first or why
        if not refs and order is RETRY and self._desk.table.jobs.current is not None:
            return "no task of this array has failed"
        return first or "there is no job"

    def no_single_job(self) -> str:
        """Why there is not exactly one job to work on, "" if there is."""
        jobs = self._desk.table.jobs
        if len(jobs.marks) > 1:
            return "this works on one job at a time"
        return "" if self.single() is not None else "there is no job"

    def single(self) -> Ref | None:
        """The one job meant, if it is one; of an array the task that its row stands for."""
        jobs = self._desk.table.jobs
        if len(jobs.marks) == 1:
            return next(iter(jobs.marks))
        row = jobs.current
        return None if row is None or jobs.marks else jobs.current_ref or self._desk.ref_of(row)

    # -- asking

    def jobs_changed(self) -> None:
        """Show in the question what has become of its jobs."""
        from .dialogs import ConfirmDialog

        if isinstance(self._desk.app.screen, ConfirmDialog):
            self._desk.app.screen.update_jobs()

    def order(self, order: Order) -> None:
        """Give an order for the marked jobs, or for the one under the cursor; asks first where that is due."""
        desk, refs = self._desk, self.targets(order)
        why = self.refusal(order)
        if why:
            one = desk.table.jobs.rows[refs[0]] if len(refs) == 1 else None
            who = called(one) if one else f"none of the {len(refs)} jobs" if refs else ""
            can = "cannot be" if one else "can be"
            desk.say(f"{who} {can} {order.past}: {why}" if who else why, bad=True)
        elif not desk.table.jobs.marks and time.monotonic() - self._slipped_at < _SLIPPED:
            now = desk.table.jobs.current
            desk.say(f"the cursor has just moved to {called(now) if now else 'another job'}; press the key again")
        elif refs != (desk.table.jobs.current_ref,) or self._asks(order, desk.table.jobs.rows[refs[0]]):
            # Also for a single marked job that the cursor is not on: it may be out of sight.
            self._ask(order, refs)
        else:
            self.give(order, refs)

    def _asks(self, order: Order, row: JobRow) -> bool:
        """Whether the order for this single job needs a question: some people want none for what has not started."""
        unasked = order is CANCEL and row.state in WAITING and not self._desk.memory.config.screen.confirm_own
        return order.asks == "always" and not unasked

    def _ask(self, order: Order, refs: tuple[Ref, ...]) -> None:
        from .dialogs import ConfirmDialog

        jobs = self._desk.table.jobs
        attempts = {ref: jobs.rows[ref].attempt for ref in refs}
        hidden = jobs.hidden_marks if jobs.marks else 0

        def answered(yes: bool | None) -> None:
            if not yes:
                return
            # A job that went on to another attempt meanwhile is not the one that was named.
            still = tuple(ref for ref in refs if (row := jobs.rows.get(ref)) and row.attempt == attempts[ref])
            if len(still) < len(refs):
                self._desk.say(f"{count(len(refs) - len(still))} began another attempt meanwhile; left alone", bad=True)
            if still:
                self.give(order, still)

        self._desk.app.push_screen(ConfirmDialog(order, refs, jobs.rows.get, self.can, hidden), answered)

    def signal(self) -> None:
        """Ask which signal, then send it."""
        from .dialogs import ValueDialog

        def check(text: str) -> str:
            try:
                signal_order(text)
            except ValueError as error:
                return str(error)
            return ""

        hint = "Up and Down choose among " + " ".join(SIGNALS)
        self._value(ValueDialog("Send which signal?", hint, SIGNALS, check, "TERM"), signal_order)

    def priority(self) -> None:
        """Ask which priority, then set it."""
        from .dialogs import ValueDialog

        def check(text: str) -> str:
            try:
                int(text)
            except ValueError:
                return "a priority is a whole number; higher ones start first"
            return ""

        row = self._desk.table.jobs.current
        now = row.priority if row is not None else 0
        values = [str(now + step) for step in (1, 10, 100, -1, -10)]
        dialog = ValueDialog("Which priority?", "higher ones start first", values, check, str(now))
        self._value(dialog, lambda text: priority_order(int(text)))

    def _value(self, dialog: ValueDialog, make: Callable[[str], Order]) -> None:
        refs = self._desk.table.jobs.targets()

        def answered(text: str | None) -> None:
            if text is None:
                return
            # The jobs were chosen before the question; it changes nothing that a list moved on behind it.
            still = tuple(ref for ref in refs if ref in self._desk.table.jobs.rows)
            order = make(text)
            self._ask(order, still) if order.asks == "always" else self.give(order, still)

        self._desk.app.push_screen(dialog, answered)

    def edit(self) -> None:
        """Edit the spec of a job and submit it as a new one."""
        from ..detail.editing import edit_and_resubmit

        desk, ref = self._desk, self.single()
        if ref is None:
            desk.say(self.no_single_job())
            return
        manager = desk.places[ref.place].manager
        desk.run_worker(partial(edit_and_resubmit, desk, ref, manager, desk.tools.edit))

    def submit(self) -> None:
        """Fill in a form for a new job."""
        from ..detail.form import SubmitForm

        desk, row = self._desk, self._desk.table.jobs.current
        ref = desk.table.jobs.current_ref or (None if row is None else desk.ref_of(row))
        managers = [(place.label, place.manager) for place in desk.places]
        form = SubmitForm(
            managers, desk.tools.edit, place=ref.place if ref else 0, cwd=row.cwd if row is not None else ""
        )

        def made(answer: Made | None) -> None:
            if answer is not None:
                self.submitted([Ref(answer[0], job) for job in answer[1]])

        desk.app.push_screen(form, made)

    def submitted(self, refs: Sequence[Ref]) -> None:
        """Say which jobs are new; the cursor goes to the first of them as soon as it is listed."""
        self._desk.say(f"submitted {'job' if len(refs) == 1 else 'jobs'} {id_ranges(ref.job for ref in refs)}")

    # -- giving

    def give(self, order: Order, refs: Sequence[Ref]) -> None:
        """Give the order for these jobs, whatever is under the cursor by now."""
        self.pending += 1
        if len(refs) > 1:
            self._desk.say(f"{order.verb} {count(len(refs))} …")
        self._desk.run_worker(self._give(order, refs))

    async def _give(self, order: Order, refs: Sequence[Ref]) -> None:
        by_place: defaultdict[int, list[int]] = defaultdict(list)
        for ref in refs:
            by_place[ref.place].append(ref.job)
        outcomes: dict[Ref, Outcome] = {}
        for place, jobs in by_place.items():
            try:
                for outcome in await order.give(self._desk.places[place].manager, jobs):
                    outcomes[Ref(place, outcome.job)] = outcome
            except NO_BUGS as error:
                for job in jobs:
                    outcomes.setdefault(Ref(place, job), Outcome(job, False, words_of(error)))
        self._desk.post_message(Ordered(order, outcomes))

    def ordered(self, message: Ordered) -> None:
        """Say what became of an order: in a line for one job, in a dialog for more."""
        desk, outcomes = self._desk, message.outcomes
        self.pending -= 1
        desk.table.unmark([ref for ref, outcome in outcomes.items() if outcome.done])
        desk.tools.log_order(message.order, outcomes)
        if len(outcomes) == 1:
            ((ref, outcome),) = outcomes.items()
            row = desk.table.jobs.rows.get(ref)
            words = f"{called(row) if row else f'job {ref.job}'}: {outcome.words}"
            desk.say(words if outcome.done else f"not done: {words}", bad=not outcome.done)
        elif outcomes:
            from .dialogs import ReportDialog

            desk.app.push_screen(ReportDialog(message.order, outcomes, desk.table.jobs.rows.get))
