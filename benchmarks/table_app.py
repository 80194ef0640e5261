"""A small app to measure tables with: ``python -m benchmarks.table_app ours|stock JOBS``.

Keys: j, k and space move, n and e sort by name and run time, f types a filter and takes it back key by key, c changes
50 visible jobs, g goes on to change 50 jobs anywhere each second. The last line says how many things were done, and the
milliseconds of CPU that each took until it was painted.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable, Iterable

os.environ.setdefault("TEXTUAL_FPS", "10")

import msgspec
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.widgets import DataTable

from jobtui.core.filters import parse_filter
from jobtui.core.job import JobRow, State
from jobtui.core.journal import Change
from jobtui.core.sharing import share
from jobtui.tui.bar import Bar
from jobtui.tui.celltext import elapsed
from jobtui.tui.ref import Ref
from jobtui.tui.table.joblist import JobList
from jobtui.tui.table.jobtable import JobTable

RUNNING = 1000
_TASKS = 500
_PORTION = 5000
_TYPED = ("s", "sa", "sam", "samp", "sampl", "sample-77", "sample-7", "sample-", "", "state:failed", "elapsed>1h")
_NAMES = ("align", "train", "simulate", "call-variants", "merge")


def made(job: int, now: float) -> JobRow:
    """A job like many: the newest ones run, every tenth ended badly, and the ids 5,001 to 10,000 are ten arrays."""
    rnd = random.Random(job)
    failed, name = job % 10 == 3, _NAMES[job % 5]
    array = (job - 1) // _TASKS * _TASKS + 1 if 5000 < job <= 10_000 else None
    return JobRow(
        id=job,
        name=name if array else f"{name}-{job % 997}",
        state=State.FAILED if failed else State.FINISHED,
        reason="exit-code" if failed else None,
        detail="exit code 1" if failed else "",
        jid=str(40_000 + job),
        workdir="/home/anna/project/jobs",
        command=f"python {name}.py --sample sample-{job} --out results/{job}.bam",
        cwd="/home/anna/project",
        exit_code=int(failed),
        created=1.7e9 + job,
        submitted=1.7e9 + job + 0.25,
        started=1.7e9 + job + 0.5,
        ended=now - rnd.random() * 1e6,
        elapsed=rnd.random() * 9000,
        host=f"node{job % 64}",
        tags=("night",),
        array=array,
        array_index=None if array is None else job - array,
    )


def rows(count: int) -> list[JobRow]:
    """So many jobs, read as a client reads them; the newest thousand run."""
    now = time.time()
    decoder, found = msgspec.json.Decoder(JobRow), list[JobRow]()
    for job in range(count, 0, -1):
        row = made(job, now)
        if job > count - RUNNING:
            row = running(row, now - job % 5000)
        found.append(share(decoder.decode(msgspec.json.encode(row))))
    return found


def running(row: JobRow, started: float) -> JobRow:
    """The same job, running."""
    return msgspec.structs.replace(
        row, state=State.RUNNING, reason=None, detail="", exit_code=None, started=started, ended=None, elapsed=None
    )


def changed(row: JobRow) -> JobRow:
    """A job after its next step: one that ran has ended, one that had ended runs again."""
    if row.state is State.RUNNING:
        return msgspec.structs.replace(row, state=State.FINISHED, elapsed=61.0, exit_code=0)
    return running(row, time.time())


class Ours:
    """The job table."""

    def __init__(self) -> None:
        self.jobs = JobList()
        self.widget = JobTable(self.jobs)

    def fill(self, found: list[JobRow]) -> None:
        """The newest first, then portions, as they are read."""
        self.widget.replace(0, found[:60])
        for start in range(60, len(found), _PORTION):
            self.widget.extend(0, found[start : start + _PORTION])

    def sort(self, column: str) -> None:
        self.widget.sort_by(column)

    def filter(self, text: str) -> None:
        self.widget.set_filter(text)

    def change(self, ids: Iterable[int]) -> None:
        found = [row for job in ids if (row := self.jobs.row(Ref(0, job))) is not None]
        self.widget.apply(0, [Change(row=changed(row)) for row in found])

    def visible(self) -> list[int]:
        return [ref.job for ref in self.widget.visible_refs()]

    def move(self, where: str) -> None:
        self.widget.go(where)

    def tick(self) -> None:
        self.widget.tick()


class Stock:
    """Textual's own DataTable with the same jobs."""

    COLUMNS = ("id", "name", "state", "elapsed", "detail", "command")

    def __init__(self) -> None:
        self.rows: dict[int, JobRow] = {}
        self.widget: DataTable[str] = DataTable(cursor_type="row")

    def fill(self, found: list[JobRow]) -> None:
        for column in self.COLUMNS:
            self.widget.add_column(column.upper(), key=column)
        self.rows = {row.id: row for row in found}
        self._add(found)

    def _add(self, found: Iterable[JobRow]) -> None:
        for row in found:
            self.widget.add_row(*self._cells(row), key=str(row.id))

    def _cells(self, row: JobRow) -> tuple[str, ...]:
        return (str(row.id), row.name, row.state, elapsed(row), row.detail, row.command)

    def sort(self, column: str) -> None:
        if column == "elapsed":
            self.widget.sort("id", key=lambda job: self.rows[int(job)].elapsed or 0.0, reverse=True)
        else:
            self.widget.sort(column)

    def filter(self, text: str) -> None:
        test = parse_filter(text)
        self.widget.clear()
        self._add(row for row in self.rows.values() if test(row))

    def change(self, ids: Iterable[int]) -> None:
        for job in ids:
            self.rows[job] = changed(self.rows[job])
            for column, text in zip(self.COLUMNS, self._cells(self.rows[job]), strict=True):
                if column in ("state", "elapsed", "detail"):
                    self.widget.update_cell(str(job), column, text)

    def visible(self) -> list[int]:
        top = round(self.widget.scroll_y)
        shown = range(top, min(top + self.widget.size.height - 1, self.widget.row_count))
        return [int(self.widget.get_row_at(number)[0]) for number in shown]

    def move(self, where: str) -> None:
        {"up": self.widget.action_cursor_up, "down": self.widget.action_cursor_down}.get(
            where, self.widget.action_page_down
        )()

    def tick(self) -> None:
        for job in self.visible():
            if self.rows[job].state is State.RUNNING:
                self.widget.update_cell(str(job), "elapsed", elapsed(self.rows[job]))


class TableApp(App[None]):
    """A table and a line that says what things cost."""

    CSS = "DataTable { height: 1fr; }"

    BINDINGS = [
        Binding("j", "do('move', 'down')", priority=True),
        Binding("k", "do('move', 'up')", priority=True),
        Binding("space", "do('move', 'page-down')", priority=True),
        Binding("n", "do('sort', 'name')", priority=True),
        Binding("e", "do('sort', 'elapsed')", priority=True),
        Binding("f", "filter", priority=True),
        Binding("c", "change", priority=True),
        Binding("g", "go_on", priority=True),
    ]

    def __init__(self, table: Ours | Stock, count: int) -> None:
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark"
        self.table, self.count = table, count
        self.line = Bar("costs")
        self.done = 0
        self.costs: list[float] = []
        self._to_type: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.table.widget
        yield self.line

    def on_mount(self) -> None:
        self.table.widget.focus()
        found = rows(self.count)
        self.call_after_refresh(self._time, lambda: self.table.fill(found))
        self.set_interval(1.0, self.table.tick)

    def _time(self, action: Callable[[], object]) -> None:
        """Do something, and say what it cost when it is painted."""
        before = time.process_time()
        action()
        self.call_after_refresh(self._note, before)

    def _note(self, before: float) -> None:
        self.costs.append((time.process_time() - before) * 1000)
        if self._to_type:
            self._time(lambda: self.table.filter(self._to_type.pop(0)))
            return
        self.done += 1
        self.line.show(Text(f"done={self.done} ms=" + ",".join(f"{cost:.1f}" for cost in self.costs)))
        self.costs = []

    def action_do(self, what: str, how: str) -> None:
        self._time(lambda: getattr(self.table, what)(how))

    def action_filter(self) -> None:
        if isinstance(self.table, Ours):
            self.table.widget.prepare_filter()
        self._to_type = [*_TYPED[1:], ""]
        self._time(lambda: self.table.filter(_TYPED[0]))

    def action_change(self) -> None:
        ids = self.table.visible()[:50]
        self._time(lambda: self.table.change(ids))

    def action_go_on(self) -> None:
        rnd = random.Random(1)
        self.set_interval(0.1, lambda: self.table.change({rnd.randint(1, self.count) for _ in range(5)}))


if __name__ == "__main__":
    TableApp(Ours() if sys.argv[1] == "ours" else Stock(), int(sys.argv[2])).run()
