"""The list behind the table: whatever happens, an order goes to exactly the jobs that the person saw.

A naive model says what must be seen: it sorts, filters and groups all jobs anew after every step.
"""

from __future__ import annotations

from collections import Counter
from functools import cmp_to_key
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from jobtui.core import Change, JobRow, State
from jobtui.core.filters import parse_filter
from jobtui.core.job import ENDED, IN_FLIGHT
from jobtui.tui.ref import ArrayRef, Line, Ref
from jobtui.tui.table.code import line_of
from jobtui.tui.table.columns import BY_ID
from jobtui.tui.table.joblist import JobList, Lost
from jobtui.tui.table.order import NEWEST_FIRST

PLACES = (0, 1)
NOW = 10_000.0
# Jobs 20-24 are the tasks of array 20, 40-42 those of array 40.
ARRAYS = {20: range(20, 25), 40: range(40, 43)}
ids = st.one_of(st.integers(1, 12), st.sampled_from([*ARRAYS[20], *ARRAYS[40]]))
states = st.sampled_from([State.QUEUED, State.RUNNING, State.FINISHED, State.FAILED, State.HELD])
FILTERS = [
    "",
    "a",
    "al",
    "!al",
    "state:active",
    "state:failed,running",
    "id:3-30",
    "al state:ended",
    "elapsed>100",
    "elapsed>100 b",
    "exit:1",
    "name:Alpha",
    "array:20",
    "nothing at all is called so",
]
# With what of them can be read.
HALF_TYPED = {
    "state:": "",
    "al state:fai": "al",
    "elapsed>": "",
    'name~"Al': "name~Al",
    "state:active name~(": "state:active",
    "!": "",
    "id:3-": "",
}
SORTS = ["created", "id", "name", "state", "elapsed", "exit", "workdir", "tags", "progress", "started"]


@st.composite
def rows(draw: st.DrawFn) -> JobRow:
    job, state = draw(ids), draw(states)
    array = next((number for number, tasks in ARRAYS.items() if job in tasks), None)
    started = None if state in (State.QUEUED, State.HELD) else draw(st.sampled_from([NOW - 500, NOW - 50, NOW - 5]))
    return JobRow(
        id=job,
        name=draw(st.sampled_from(["Alpha", "align-9", "align-10", "beta", ""])),
        state=state,
        command=draw(st.sampled_from(["echo b", "run ALL", ""])),
        created=draw(st.sampled_from([None, 1.0, 2.0, float(job)])),
        started=started,
        elapsed=None if state not in ENDED or started is None else draw(st.sampled_from([None, 3.0, 300.0])),
        exit_code=draw(st.sampled_from([None, 0, 1])) if state in ENDED else None,
        tags=draw(st.sampled_from([(), ("x",), ("X", "y")])),
        workdir=draw(st.sampled_from(["/a", "/b"])),
        progress=draw(st.sampled_from([None, None, 0.5])),
        array=array,
        array_index=None if array is None else job - array,
    )


class Naive:
    """What the person must see, computed from scratch."""

    def __init__(self) -> None:
        self.rows: dict[Ref, JobRow] = {}
        self.terms: list[tuple[str, bool]] = list(NEWEST_FIRST)
        self.filter = ""
        self.expanded: set[ArrayRef] = set()
        self.order_now = self.filter_now = 0.0

    def passes(self, ref: Ref) -> bool:
        row = self.rows[ref]
        if row.elapsed is None and row.started is not None and row.state in IN_FLIGHT:
            row = msgspec.structs.replace(row, elapsed=max(0.0, self.filter_now - row.started))
        return parse_filter(self.filter)(row)

    def array(self, ref: Ref) -> ArrayRef | None:
        number = self.rows[ref].array
        return None if number is None else ArrayRef(ref.place, number)

    def _terms(self, a: JobRow, b: JobRow, terms: list[tuple[str, bool]]) -> int:
        for column, descending in terms:
            get = BY_ID[column].order_by(self.order_now)
            one, other = get(a), get(b)
            if one is None or other is None:
                if one is not other:
                    return 1 if one is None else -1
            elif one != other:
                return (1 if one > other else -1) * (-1 if descending else 1)
        return 0

    def _compare(self, one: Ref, a: JobRow, other: Ref, b: JobRow) -> int:
        return (
            self._terms(a, b, [*self.terms, ("created", True)])
            or (other.job > one.job) - (other.job < one.job)
            or (one.place > other.place) - (one.place < other.place)
        )

    def _sorted(self, refs: list[Ref]) -> list[Ref]:
        return sorted(refs, key=cmp_to_key(lambda a, b: self._compare(a, self.rows[a], b, self.rows[b])))

    def lead(self, line: Line) -> Ref:
        """The job by which a line stands."""
        array = self.array(line) if isinstance(line, Ref) else line
        return line if array is None else next(ref for ref in self.shown() if self.array(ref) == array)  # type: ignore

    def nearest(self, ref: Ref, row: JobRow, array: ArrayRef | None) -> Line | None:
        """The line that stands where this job stood: behind all that belong above it, or the last one."""
        lines = self.lines()
        if array in self.expanded and array in lines:
            tasks = self._tasks([each for each in self.shown() if self.array(each) == array])
            below = [task for task in tasks if self._compare_tasks(task, self.rows[task], ref, row) > 0]
            return below[0] if below else tasks[-1]
        for line in lines:
            lead = self.lead(line)
            if self._compare(lead, self.rows[lead], ref, row) >= 0:
                return line
        return lines[-1] if lines else None

    def _compare_tasks(self, one: Ref, a: JobRow, other: Ref, b: JobRow) -> int:
        terms = [term for term in self.terms if term[0] not in ("id", "created")]
        return self._terms(a, b, terms) or (a.array_index or 0) - (b.array_index or 0) or one.job - other.job

    def _tasks(self, refs: list[Ref]) -> list[Ref]:
        return sorted(refs, key=cmp_to_key(lambda a, b: self._compare_tasks(a, self.rows[a], b, self.rows[b])))

    def shown(self) -> list[Ref]:
        return self._sorted([ref for ref in self.rows if self.passes(ref)])

    def lines(self) -> list[Line]:
        shown, lines, seen = self.shown(), [], set()
        for ref in shown:
            array = self.array(ref)
            if array is None:
                lines.append(ref)
            elif array not in seen:
                seen.add(array)
                lines.append(array)
                if array in self.expanded:
                    lines += self._tasks([each for each in shown if self.array(each) == array])
        return lines

    def meant(self, line: Line) -> set[Ref]:
        return {line} if isinstance(line, Ref) else {ref for ref in self.shown() if self.array(ref) == line}


class Person(RuleBasedStateMachine):
    """Somebody at the table while jobs come, change and go."""

    @initialize()
    def open(self) -> None:
        self.clock = NOW
        self.jobs = JobList(clock=lambda: self.clock)
        self.naive = Naive()
        self.latest: dict[Ref, JobRow] = {}
        self.frozen = False
        self.marks: set[Ref] = set()
        self.home: Line | None = None

    # -- what happens by itself

    def _data(self, change: Any) -> None:
        """Change the data, and check where that leaves cursor and marks."""
        before, seen = dict(self.naive.rows), self._seen()
        lost = change()
        if not self.frozen:
            self.naive.rows = dict(self.latest)
            self.marks -= before.keys() - self.naive.rows.keys()
            self.naive.expanded &= {self.naive.array(ref) for ref in self.latest}
        self._check_cursor(lost, seen)

    def _seen(self) -> tuple[Line, Ref, JobRow, ArrayRef | None] | None:
        """The line under the cursor and the job by which it stands."""
        line = self.jobs.cursor
        if line is None:
            return None
        ref = line if isinstance(line, Ref) else self.naive.lead(line)
        return line, ref, self.naive.rows[ref], self.naive.array(ref) if isinstance(line, Ref) else None

    def jobs_lines(self) -> list[Line]:
        return [self.jobs.line_at(number) for number in range(len(self.jobs))]

    def _check_cursor(self, lost: Lost | None, seen: tuple[Line, Ref, JobRow, ArrayRef | None] | None) -> None:
        lines = self.naive.lines()
        if seen is None:
            assert lost is None and self.jobs.cursor == (lines[0] if lines else None)
        elif seen[0] in lines:
            assert lost is None and self.jobs.cursor == seen[0]
        else:
            assert lost is not None and lost.line == seen[0] and lost.words
            assert self.jobs.cursor == self.naive.nearest(*seen[1:])

    @rule(place=st.sampled_from(PLACES), new=st.lists(rows(), max_size=40))
    def replace(self, place: int, new: list[JobRow]) -> None:
        self.latest = {ref: row for ref, row in self.latest.items() if ref.place != place}
        self.latest.update({Ref(place, row.id): row for row in new})
        self._data(lambda: self.jobs.replace(place, new))

    @rule(place=st.sampled_from(PLACES), new=st.lists(rows(), max_size=40))
    def extend(self, place: int, new: list[JobRow]) -> None:
        self.latest.update({Ref(place, row.id): row for row in new})
        self._data(lambda: self.jobs.extend(place, new))

    @rule(
        place=st.sampled_from(PLACES),
        changes=st.lists(
            st.one_of(rows().map(lambda row: Change(row=row)), ids.map(lambda job: Change(removed=job))), max_size=4
        ),
    )
    def apply(self, place: int, changes: list[Change]) -> None:
        for change in changes:
            if change.removed is not None:
                self.latest.pop(Ref(place, change.removed), None)
            elif change.row is not None:
                self.latest[Ref(place, change.row.id)] = change.row
        self._data(lambda: self.jobs.apply(place, changes))

    @rule(data=st.data(), state=states)
    @precondition(lambda self: self.latest)
    def end_some(self, data: st.DataObject, state: State) -> None:
        """What happens most: a job that is there goes on to its next state."""
        ref = data.draw(st.sampled_from(sorted(self.latest)))
        row = msgspec.structs.replace(self.latest[ref], state=state)
        self.latest[ref] = row
        self._data(lambda: self.jobs.apply(ref.place, [Change(row=row)]))

    @rule(data=st.data())
    @precondition(lambda self: self.jobs.current_ref)
    def remove_under_cursor(self, data: st.DataObject) -> None:
        ref = self.jobs.current_ref
        assert ref is not None
        self.latest.pop(ref, None)
        self._data(lambda: self.jobs.apply(ref.place, [Change(removed=ref.job)]))

    @rule(place=st.sampled_from(PLACES))
    def forget(self, place: int) -> None:
        self.latest = {ref: row for ref, row in self.latest.items() if ref.place != place}
        self._data(lambda: self.jobs.forget(place))

    @rule(seconds=st.sampled_from([1.0, 60.0, 1000.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock += seconds
        seen = self._seen()
        lost = self.jobs.pass_time()
        if not self.frozen:
            if "elapsed" in self.naive.filter:
                self.naive.filter_now = self.clock
            if any(column == "elapsed" for column, _ in self.naive.terms) and self.clock - self.naive.order_now >= 10:
                self.naive.order_now = self.clock
        self._check_cursor(lost, seen)

    # -- what the person does

    @rule(terms=st.lists(st.tuples(st.sampled_from(SORTS), st.booleans()), max_size=3, unique_by=lambda term: term[0]))
    def sort(self, terms: list[tuple[str, bool]]) -> None:
        cursor = self.jobs.cursor
        self.jobs.set_sort(terms)
        self.naive.terms, self.naive.order_now = terms or list(NEWEST_FIRST), self.clock
        assert self.jobs.cursor == cursor

    @rule(text=st.sampled_from([*FILTERS, *HALF_TYPED]))
    def filter(self, text: str) -> None:
        seen = self._seen()
        hint = self.jobs.set_filter(text)
        assert bool(hint) == (text in HALF_TYPED) and self.jobs.filter_text == text
        readable = HALF_TYPED.get(text, text)
        held = {word for word in self.naive.filter.split() if any(sign in word for sign in ":<>~")}
        if hint and not held <= set(readable.split()):
            # A term that could be read holds on while it is being changed.
            return
        self.naive.filter, self.naive.filter_now = readable, self.clock
        lines = self.naive.lines()
        if self.home in lines:
            # Back from a filter that was only tried.
            assert self.jobs.cursor == self.home
            self.home = None
        elif seen is None:
            assert self.jobs.cursor == (lines[0] if lines else None)
        elif seen[0] in lines:
            assert self.jobs.cursor == seen[0]
        else:
            assert self.jobs.cursor == self.naive.nearest(*seen[1:])
            self.home = self.home or seen[0]

    @rule(lines=st.integers(-8, 8))
    def move(self, lines: int) -> None:
        before, listed = self.jobs.cursor, self.jobs_lines()
        self.jobs.move(lines)
        if before is not None:
            self.home = None
            assert self.jobs.cursor == listed[min(max(listed.index(before) + lines, 0), len(listed) - 1)]

    @rule()
    def toggle_expand(self) -> None:
        cursor = self.jobs.cursor
        array = cursor if isinstance(cursor, ArrayRef) else None
        if isinstance(cursor, Ref):
            array = self.naive.array(cursor)
        assert self.jobs.toggle_expand() is (array is not None)
        if array is not None:
            self.naive.expanded ^= {array}
            assert self.jobs.cursor == array

    @rule()
    def mark(self) -> None:
        cursor = self.jobs.cursor
        self.jobs.toggle_mark()
        if cursor is not None:
            seen = self.naive.meant(cursor)
            self.marks = self.marks - seen if seen <= self.marks else self.marks | seen

    @rule(lines=st.integers(-6, 6))
    def mark_range(self, lines: int) -> None:
        """Mark a line, move, mark the range."""
        cursor = self.jobs.cursor
        if cursor is None or self.naive.meant(cursor) <= self.marks:
            return
        self.mark()
        first = self.jobs.cursor_number
        self.move(lines)
        second = self.jobs.cursor_number
        assert first is not None and second is not None
        self.jobs.mark_range()
        for line in self.jobs_lines()[min(first, second) : max(first, second) + 1]:
            if line not in self.naive.expanded:
                self.marks |= self.naive.meant(line)

    @rule()
    def mark_all(self) -> None:
        shown = set(self.naive.shown())
        self.jobs.mark_all()
        self.marks = set() if shown <= self.marks else self.marks | shown

    @rule(data=st.data())
    def unmark(self, data: st.DataObject) -> None:
        some = data.draw(st.sets(st.sampled_from(sorted(self.marks)))) if self.marks else set()
        self.jobs.unmark(some)
        self.marks -= some

    @rule(data=st.data())
    @precondition(lambda self: self.naive.rows)
    def select(self, data: st.DataObject) -> None:
        ref = data.draw(st.sampled_from(sorted(self.naive.rows)))
        lines = self.naive.lines()
        wanted = ref if ref in lines else self.naive.array(ref) if self.naive.passes(ref) else None
        assert self.jobs.select(ref) is (wanted is not None)
        if wanted is not None:
            self.home = None
            assert self.jobs.cursor == wanted

    @rule()
    def freeze(self) -> None:
        self.jobs.freeze(True)
        self.frozen = True

    @rule()
    @precondition(lambda self: self.frozen)
    def thaw(self) -> None:
        self.frozen = False
        self._data(lambda: self.jobs.freeze(False))

    # -- what always holds

    @invariant()
    def what_is_listed_is_what_a_naive_program_would_list(self) -> None:
        lines = self.naive.lines()
        assert self.jobs_lines() == lines
        assert [self.jobs.number_of(line) for line in lines] == list(range(len(lines)))
        assert self.jobs.shown == len(self.naive.shown())
        assert self.jobs.shown_counts == Counter(self.naive.rows[ref].state for ref in self.naive.shown())

    @invariant()
    def an_order_goes_to_the_jobs_that_were_seen(self) -> None:
        cursor = self.jobs.cursor
        seen = self.marks or (self.naive.meant(cursor) if cursor is not None else set())
        assert self.jobs.targets() == tuple(sorted(seen))
        assert self.jobs.marks == self.marks
        assert self.jobs.hidden_marks == len(self.marks - set(self.naive.shown()))

    @invariant()
    def the_rows_are_true_also_while_the_list_is_frozen(self) -> None:
        assert dict(self.jobs.rows) == self.latest
        assert self.jobs.total == len(self.latest)
        assert +self.jobs.counts == Counter(row.state for row in self.latest.values())
        for place in PLACES:
            here = Counter(row.state for ref, row in self.latest.items() if ref.place == place)
            assert self.jobs.own_counts(place) == here
        assert all(self.jobs.row(ref) == row for ref, row in self.latest.items())
        if self.jobs.cursor is not None:
            assert self.jobs.current in [*self.latest.values(), *self.naive.rows.values()]

    @invariant()
    def an_array_says_what_its_listed_tasks_are(self) -> None:
        for line in self.jobs.view.lines:
            if line >= 0:
                continue
            summary = self.jobs.view.summary(line)
            refs = self.naive.meant(line_of(line))
            found = [self.naive.rows[ref] for ref in refs]
            assert dict(summary.states) == Counter(row.state for row in found)
            assert summary.total == sum(self.naive.array(ref) == line_of(line) for ref in self.naive.rows)
            assert summary.first.id == min(row.id for row in found)
            assert summary.attempts == max(row.attempt for row in found)
            assert summary.started == min((row.started for row in found if row.started is not None), default=None)
            failed = [row.id for row in found if row.state is State.FAILED]
            assert not failed or summary.telling_row.id == min(failed)
            assert 0 <= summary.progress <= 1
            times = [
                row.elapsed if row.elapsed is not None else NOW * 2 - row.started
                for row in found
                if row.elapsed is not None or (row.started is not None and row.state in IN_FLIGHT)
            ]
            assert summary.elapsed(NOW * 2) == max(times, default=None)


TestPerson = Person.TestCase
TestPerson.settings = settings(
    max_examples=50, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
