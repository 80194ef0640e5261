"""Whatever happens beneath, an order from the screen reaches exactly the jobs that the screen showed.

What is expected is read from the painted lines alone: cursor, marks, ids and work directories as they stand there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from screen_kit import Recorder, Site, burst, lines, on_screen, press, until
from textual.pilot import Pilot

from jobtui.core import Change, JobRow, State
from jobtui.core.filters import parse_filter
from jobtui.core.job import ENDED
from jobtui.tui.ref import Ref
from jobtui.tui.screen import feeds
from jobtui.tui.screen.desk import JobScreen
from jobtui.tui.screen.dialogs import ConfirmDialog, ReportDialog

LABELS = ("one", "two")
STATES = (State.QUEUED, State.HELD, State.RUNNING, State.SUSPENDED, State.FINISHED, State.FAILED, State.CANCELLED)
FILTERS = ("", "align", "state:failed", "!other", "state:active", "nothing is called so")
# Resubmitting is always possible, so these orders must arrive; the others may be refused by a job's state.
ALWAYS = "s"
ORDERS = "scrHUTYD"
_ARRAY = range(20, 24)

# A job as it is now (place, id, state, attempt, name), or only (place, id) of one that is gone.
ids = st.one_of(st.integers(1, 5), st.sampled_from(_ARRAY))
names = st.sampled_from(["plain", "other", "beta"])
rows = st.tuples(st.integers(0, 1), ids, st.sampled_from(STATES), st.integers(1, 3), names)
removals = st.tuples(st.integers(0, 1), ids)
changes = st.lists(st.one_of(rows, removals), min_size=1, max_size=6)
News = list[tuple[Any, ...]]
steps = st.one_of(
    st.tuples(st.just("news"), changes),
    st.tuples(st.just("move"), st.lists(st.sampled_from(["j", "k", "g", "G", "pagedown"]), min_size=1, max_size=5)),
    st.tuples(st.just("keys"), st.sampled_from(["x", "I", "greater_than_sign", "less_than_sign", "P"])),
    st.tuples(st.just("mark"), st.sampled_from(["space", "space", "space", "v", "a", "escape"])),
    st.tuples(st.just("filter"), st.sampled_from(FILTERS)),
    st.tuples(st.just("order"), st.sampled_from(ORDERS + ALWAYS * 4)),
    st.tuples(st.just("order"), st.sampled_from(ORDERS + ALWAYS * 4)),
    st.tuples(st.just("hasty"), changes, st.sampled_from(ORDERS)),
    st.tuples(st.just("meanwhile"), changes, st.sampled_from(ORDERS)),
)
START: News = [(place, job, STATES[job % 7], 1, "plain") for place in (0, 1) for job in (1, 2, 3, *_ARRAY)]


def row_of(job: int, state: State, attempt: int, name: str) -> JobRow:
    in_array = job in _ARRAY
    return JobRow(
        id=job,
        name="align" if in_array else name,
        state=state,
        attempt=attempt,
        created=float(job),
        started=None if state in (State.QUEUED, State.HELD) else 1000.0,
        array=_ARRAY[0] if in_array else None,
        array_index=job - _ARRAY[0] if in_array else None,
    )


class Painted(NamedTuple):
    """A line of the table as it is painted. ``kind``: what the tree says, "▸" or "▾" for an array."""

    here: bool
    mark: str
    kind: str
    ref: Ref


_LINE = re.compile(r"([> ])([*+ ])(?:([▸▾│ ]) )?\s*(\d+)  (one|two)\s")


class Person:
    """Somebody at the screen, who knows what was painted and nothing else."""

    def __init__(self, desk: JobScreen, pilot: Pilot[None], managers: list[Recorder]) -> None:
        self.desk, self.pilot, self.managers = desk, pilot, managers
        # All jobs as they are, and as they were when the list was frozen.
        self.rows: dict[Ref, JobRow] = {}
        self.seen: dict[Ref, JobRow] = {}
        self.marks: set[Ref] = set()
        self.paused = False
        self.given = 0

    # -- what there is to see

    def painted(self) -> list[Painted]:
        found = (_LINE.match(line) for line in lines(self.desk)[2:])
        return [
            Painted(match[1] == ">", match[2], match[3] or " ", Ref(LABELS.index(match[5]), int(match[4])))
            for match in found
            if match
        ]

    def tasks(self, ref: Ref) -> set[Ref]:
        """The tasks of an array that pass the filter that is shown."""
        passes = parse_filter(self.desk.jobs.filter_text)
        return {
            each for each, row in self.seen.items() if each.place == ref.place and row.array == ref.job and passes(row)
        }

    def look(self) -> None:
        """Take notice of what is marked; what is out of sight stays marked."""
        self.marks &= self.seen.keys() if " marked" in lines(self.desk)[0] else set[Ref]()
        for line in self.painted():
            refs = self.tasks(line.ref) if line.kind in "▸▾" else {line.ref}
            if line.mark == "*":
                self.marks |= refs
            elif line.mark == " ":
                self.marks -= refs
        found = re.search(r" (\d+) marked", lines(self.desk)[0])
        assert len(self.marks) == (int(found[1]) if found else 0)

    def meant(self, key: str) -> set[Ref]:
        """The jobs that an order means now."""
        if self.marks:
            return set(self.marks)
        line = next((line for line in self.painted() if line.here), None)
        if line is None:
            return set()
        if line.kind not in "▸▾":
            return {line.ref}
        tasks = self.tasks(line.ref)
        if key != "r":
            return tasks
        return {ref for ref in tasks if (row := self.rows.get(ref)) and row.state in ENDED - {State.FINISHED}}

    # -- what happens

    def news(self, news: News) -> None:
        """Let jobs change, as the workers tell it."""
        for place, job, *more in news:
            if more:
                row = self.rows[Ref(place, job)] = row_of(job, *more)
                change = Change(row=row)
            else:
                self.rows.pop(Ref(place, job), None)
                change = Change(removed=job)
            self.desk.post_message(feeds.Changed(place, [change]))

    async def told(self) -> None:
        """Wait until the screen has heard of all that happened, and the cursor is used to its place."""
        jobs = self.desk.jobs
        await until(self.pilot, lambda: dict(jobs.rows) == self.rows)
        if not self.paused:
            self.seen = dict(self.rows)
        self.desk.table.slipped_at = 0.0
        self.look()

    async def give(self, key: str, meanwhile: News | None = None, hasty: News | None = None) -> None:
        """Give an order, and see whom it reaches."""
        expected, before = self.meant(key), {ref: self.rows.get(ref) for ref in self.seen}
        for manager in self.managers:
            manager.orders.clear()
        if hasty:
            self.news(hasty)
            burst(self.desk, key)
        await press(self.pilot, *(() if hasty else (key,)))
        dialog = self.desk.app.screen
        if isinstance(dialog, ConfirmDialog):
            self.check_question(dialog)
            if hasty:
                expected = set(dialog.refs)
            assert set(dialog.refs) == expected
            if meanwhile:
                self.news(meanwhile)
            await until(self.pilot, lambda: dict(self.desk.jobs.rows) == self.rows)
            if not hasty:
                expected -= {ref for ref, row in before.items() if row is None or not _same(row, self.rows.get(ref))}
            await press(self.pilot, "y")
        await until(self.pilot, lambda: not self.desk.giver.pending)
        if isinstance(self.desk.app.screen, ReportDialog):
            await press(self.pilot, "escape")
        assert self.desk.app.screen is self.desk
        found = {
            Ref(place, job) for place, manager in enumerate(self.managers) for _, jobs in manager.orders for job in jobs
        }
        if hasty:
            # Not to all of them, perhaps: some may be gone. But to none that was not shown.
            assert found <= expected, (key, found, expected)
        elif found or (key == ALWAYS and not meanwhile):
            assert found == expected & (self.rows.keys() if self.paused or meanwhile else expected), (
                key,
                found,
                expected,
            )
        self.given += len(found)
        # What was done is not marked any more.
        self.marks -= found

    def check_question(self, dialog: ConfirmDialog) -> None:
        """See that the question names the jobs that it is about."""
        text = "\n".join(lines(self.desk))
        for ref in dialog.refs[:10]:
            assert re.search(rf"job {ref.job} (\S+ )?(in {LABELS[ref.place]} |.*removed meanwhile)", text), (ref, text)

    async def do(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("news", news):
                self.news(news)
            case ("move", keys):
                await press(self.pilot, *keys)
            case ("keys", key):
                await press(self.pilot, key)
                if key == "P":
                    self.paused = not self.paused
            case ("mark", key):
                await press(self.pilot, key)
            case ("filter", text):
                await press(self.pilot, "slash", "ctrl+u", *_keys(text), "enter")
            case ("order", key):
                await self.give(key)
            case ("hasty", news, key):
                await self.give(key, hasty=news)
            case ("meanwhile", news, key):
                await self.give(key, meanwhile=news)
        await self.told()


def _same(row: JobRow, now: JobRow | None) -> bool:
    return now is not None and now.attempt == row.attempt


def _keys(text: str) -> Iterable[str]:
    names = {" ": "space", ":": "colon", "!": "exclamation_mark"}
    return (names.get(char, char) for char in text)


# Not shrunk: each example opens a screen, and the steps read well as they are.
@settings(max_examples=14, phases=[Phase.reuse, Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, min_size=10, max_size=40))
def test_an_order_reaches_exactly_the_jobs_that_were_shown(
    tmp_path_factory: pytest.TempPathFactory, taken: list[tuple[Any, ...]]
) -> None:
    folder: Path = tmp_path_factory.mktemp("right")
    managers = [Recorder(Site(folder / label).workdir) for label in LABELS]

    async def body(desk: JobScreen, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: all(place.loaded for place in desk.places))
        person = Person(desk, pilot, managers)
        person.news(START)
        await person.told()
        for step in taken:
            await person.do(step)

    on_screen(managers, body, (120, 60), config='[screen]\nlayout = "single"\n')
