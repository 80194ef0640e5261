"""Gives a person's orders: finds which jobs are meant, asks where that is due, and tells what became of it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual.message import Message

from ...core.errands import ForeignName, named
from ...core.filters import id_ranges
from ...core.job import ENDED, WAITING, JobRow, Outcome, State
from ..celltext import called, one_line, words_of
from ..ref import ForeignRef, JobRef, Ref
from .orders import (
    CANCEL,
    NO_BUGS,
    PRIORITY,
    RESUBMIT,
    RETRY,
    SIGNAL,
    SIGNALS,
    Abilities,
    Order,
    count,
    priority_order,
    signal_order,
)

if TYPE_CHECKING:
    from ..detail.form import Made
    from .desk import JobScreen
    from .dialogs import ValueDialog

# Seconds during which a job that slipped under the cursor takes no order.
_SLIPPED = 0.5
# For every key in the footer so many jobs are looked at; all are before an order is given.
_LOOKED_AT = 200


def _identity(row: JobRow) -> object:
    """What a job that takes an order must still have when it gets it: ids of schedulers are used again."""
    return row.submitted if row.foreign else row.attempt


class Ordered(Message):
    """What became of an order."""

    def __init__(self, order: Order, outcomes: dict[JobRef, Outcome]) -> None:
        """Carry the outcomes."""
        super().__init__()
        self.order, self.outcomes = order, outcomes


class Giver:
    """The orders of one screen. Whom an order means is decided once, by id, when its key is pressed."""

    def __init__(self, desk: JobScreen) -> None:
        """Give orders for the jobs on this screen."""
        self._desk = desk
        # Orders that are under way.
        self.pending = 0

    # -- which jobs

    def targets(self, order: Order) -> tuple[JobRef, ...]:
        """The jobs that the order means: the marked ones, else the cursor's; of an array only those to be retried."""
        jobs = self._desk.table.jobs
        refs = jobs.targets()
        if order is RETRY and not jobs.marks and jobs.current_ref is None:
            refs = tuple(ref for ref in refs if (row := jobs.row(ref)) and row.state in ENDED - {State.FINISHED})
        return refs

    def can(self, row: JobRow) -> Abilities:
        """What the back end of a job can do."""
        return self._desk.capabilities(row.backend)

    def refusal(self, order: Order, looked_at: int = _LOOKED_AT) -> str:
        """Why the order is not possible now, "" if one of the first jobs meant can take it, or there are more."""
        refs = self.targets(order)
        first = ""
        for ref in refs[:looked_at]:
            # A list that is frozen shows jobs that are not there any more.
            row = self._desk.table.jobs.row(ref)
            # Back ends are loaded only for orders that ask for their abilities: not before the first picture.
            can = self.can(row) if row is not None and order.needs else frozenset[str]()
            why = order.refuses(row, can) if row is not None else "it was removed meanwhile"
            if not why:
                return ""
            first = first or why
        if not refs and order is RETRY and self._desk.table.jobs.current is not None:
            return "no task of this array has failed"
        return "" if len(refs) > looked_at else first or "there is no job"

    def no_single_job(self) -> str:
        """Why there is not exactly one job to work on, "" if there is."""
        jobs = self._desk.table.jobs
        if len(jobs.marks) > 1:
            return "this works on one job at a time"
        return "" if self.single() is not None else "there is no job"

    def single(self) -> JobRef | None:
        """The one job meant, if it is one; of an array the task that its row stands for."""
        jobs = self._desk.table.jobs
        if len(jobs.marks) == 1:
            return next(iter(jobs.marks))
        return None if jobs.marks else jobs.told_ref

    # -- asking

    def jobs_changed(self) -> None:
        """Show in the question what has become of its jobs."""
        from .dialogs import ConfirmDialog

        if isinstance(self._desk.app.screen, ConfirmDialog):
            self._desk.app.screen.update_jobs()

    def order(self, order: Order) -> None:
        """Give an order for the marked jobs, or for the one under the cursor; asks first where that is due."""
        jobs, refs = self._desk.table.jobs, self.targets(order)
        if self._refused(order, refs) or self._hasty():
            return
        if refs != (jobs.current_ref,) or self._asks(order, jobs.rows[refs[0]]):
            # Also for a single marked job that the cursor is not on: it may be out of sight.
            self._ask(order, refs)
        else:
            self.give(order, refs)

    def _refused(self, order: Order, refs: Sequence[JobRef]) -> bool:
        """Say why none of the jobs meant can take the order, if that is so."""
        why = self.refusal(order, len(refs))
        if not why:
            return False
        who, can = (f"none of the {len(refs)} jobs" if refs else ""), "can be"
        if len(refs) == 1:
            who, can = self.called(refs[0]), "cannot be"
        self._desk.say(f"{who} {can} {order.past}: {why}" if who else why, bad=True)
        return True

    def called(self, ref: JobRef) -> str:
        """What messages call a job; among several work directories with the one that it is in."""
        row, places = self._desk.table.jobs.row(ref), self._desk.places
        if isinstance(ref, ForeignRef):
            return called(row) if row is not None else one_line(f"{ref.backend}:{ref.jid}")
        words = called(row) if row is not None else f"job {ref.job}"
        return f"{words} in {one_line(places[ref.place].label)}" if len(places) > 1 else words

    def _hasty(self) -> bool:
        """Another job came under the cursor by itself: say that a key pressed in this moment was not meant for it."""
        table = self._desk.table
        if table.jobs.marks or time.monotonic() - table.slipped_at >= _SLIPPED:
            return False
        now = table.jobs.told_ref
        self._desk.say(f"the cursor has just moved to {self.called(now) if now else 'nothing'}; press the key again")
        return True

    def _asks(self, order: Order, row: JobRow) -> bool:
        """Whether the order for this single job needs a question: some people want none for what has not started."""
        unasked = order is CANCEL and row.state in WAITING and not self._desk.memory.config.screen.confirm_own
        # What others submitted by other means is made anew out of what its scheduler tells.
        return (order.asks == "always" and not unasked) or (order is RESUBMIT and row.foreign)

    def _ask(self, order: Order, refs: tuple[JobRef, ...]) -> None:
        from .dialogs import ConfirmDialog

        jobs = self._desk.table.jobs
        attempts = {ref: _identity(row) for ref in refs if (row := jobs.row(ref)) is not None}
        hidden = jobs.hidden_marks if jobs.marks else 0

        def answered(yes: bool | None) -> None:
            if not yes:
                return
            gone = {ref: why for ref in refs if (why := self._why_not_the_same(ref, attempts.get(ref)))}
            self.give(order, [ref for ref in refs if ref not in gone], gone)

        self._desk.app.push_screen(ConfirmDialog(order, refs, jobs.row, self.can, self.called, hidden), answered)

    def _why_not_the_same(self, ref: JobRef, identity: object) -> str:
        """Why a job is not what it was when this was its ``identity``, "" if it is."""
        row = self._desk.table.jobs.row(ref)
        if row is None:
            return "it was removed meanwhile"
        if row.foreign:
            return "" if _identity(row) == identity else "this id is another job's by now; left alone"
        # A job that went on to another attempt meanwhile is not the one that was named.
        return "" if _identity(row) == identity else "it began another attempt meanwhile; left alone"

    def signal(self) -> None:
        """Ask which signal, then send it."""
        from .dialogs import ValueDialog

        if self._refused(SIGNAL, self.targets(SIGNAL)) or self._hasty():
            return

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

        if self._refused(PRIORITY, self.targets(PRIORITY)) or self._hasty():
            return

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
            order = make(text)
            self._ask(order, refs) if order.asks == "always" else self.give(order, refs)

        self._desk.app.push_screen(dialog, answered)

    def edit(self) -> None:
        """Edit the spec of a job and submit it as a new one."""
        from ..detail.editing import edit_and_resubmit, edit_foreign

        desk, ref = self._desk, self.single()
        row = desk.table.jobs.row(ref) if ref is not None else None
        if ref is None or row is None:
            desk.say(self.no_single_job())
            return
        if self._hasty():
            return
        manager = desk.places[ref.place].manager
        if isinstance(ref, ForeignRef):
            desk.say(f"{row.backend} is asked for the script of {row.jid} ...")
            desk.run_worker(partial(edit_foreign, desk, ref, row, manager, desk.tools.edit))
        else:
            desk.run_worker(partial(edit_and_resubmit, desk, ref, manager, desk.tools.edit))

    def submit(self) -> None:
        """Fill in a form for a new job."""
        from ..detail.form import SubmitForm

        desk, row = self._desk, self._desk.table.jobs.current
        ref = desk.table.jobs.told_ref
        managers = [(place.label, place.manager) for place in desk.places]
        form = SubmitForm(
            managers, desk.tools.edit, place=ref.place if ref else 0, cwd=row.cwd if row is not None else ""
        )

        def made(answer: Made | None) -> None:
            if answer is not None:
                self.submitted([Ref(answer[0], job) for job in answer[1]])

        desk.app.push_screen(form, made)

    def submitted(self, refs: Sequence[Ref]) -> None:
        """Say which jobs are new."""
        self._desk.say(f"submitted {'job' if len(refs) == 1 else 'jobs'} {id_ranges(ref.job for ref in refs)}")

    # -- giving

    def give(self, order: Order, refs: Sequence[JobRef], left: Mapping[JobRef, str] | None = None) -> None:
        """Give the order for these jobs, whatever is under the cursor by now; ``left``: why others are left alone."""
        self.pending += 1
        if len(refs) > 1:
            self._desk.say(f"{order.verb} {count(len(refs))} …")
        self._desk.run_worker(self._give(order, refs, left or {}))

    async def _give(self, order: Order, refs: Sequence[JobRef], left: Mapping[JobRef, str]) -> None:
        outcomes = {ref: Outcome(0, False, why) for ref, why in left.items()}
        await self._give_own(order, [ref for ref in refs if isinstance(ref, Ref)], outcomes)
        await self._give_foreign(order, [ref for ref in refs if isinstance(ref, ForeignRef)], outcomes)
        self._desk.post_message(Ordered(order, outcomes))

    async def _give_own(self, order: Order, refs: Sequence[Ref], outcomes: dict[JobRef, Outcome]) -> None:
        by_place: defaultdict[int, list[int]] = defaultdict(list)
        for ref in refs:
            by_place[ref.place].append(ref.job)
        for place, jobs in by_place.items():
            try:
                for outcome in await order.give(self._desk.places[place].manager, jobs):
                    outcomes[Ref(place, outcome.job)] = outcome
            except NO_BUGS as error:
                for job in jobs:
                    outcomes.setdefault(Ref(place, job), Outcome(job, False, words_of(error)))

    async def _give_foreign(self, order: Order, refs: Sequence[ForeignRef], outcomes: dict[JobRef, Outcome]) -> None:
        by_place: defaultdict[int, list[tuple[ForeignRef, ForeignName]]] = defaultdict(list)
        for ref in refs:
            row = self._desk.table.jobs.row(ref)
            why = "it is not listed by its scheduler any more"
            if row is not None:
                why = order.refuses(row, self.can(row) if order.needs else frozenset())
            if row is None or order.foreign is None or why:
                outcomes[ref] = Outcome(0, False, why)
            else:
                by_place[ref.place].append((ref, (ref.backend, named(row))))
        for place, some in by_place.items():
            assert order.foreign is not None
            try:
                found = await order.foreign(self._desk.places[place].manager, [name for _, name in some])
                outcomes.update((ref, found[ref.backend, ref.jid]) for ref, _ in some)
            except NO_BUGS as error:
                outcomes.update((ref, Outcome(0, False, words_of(error))) for ref, _ in some)

    def ordered(self, message: Ordered) -> None:
        """Say what became of an order: in a line for one job, in a dialog for more."""
        desk, outcomes = self._desk, message.outcomes
        self.pending -= 1
        desk.table.unmark([ref for ref, outcome in outcomes.items() if outcome.done])
        desk.tools.log_order(message.order, outcomes)
        if len(outcomes) == 1:
            ((ref, outcome),) = outcomes.items()
            words = f"{self.called(ref)}: {outcome.words}"
            desk.say(words if outcome.done else f"not done: {words}", bad=not outcome.done)
        elif outcomes:
            from .dialogs import ReportDialog

            desk.app.push_screen(ReportDialog(message.order, outcomes, self.called))
