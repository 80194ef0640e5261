"""Foreign jobs as rows and as the targets of orders: never taken for another job, never acted on unseen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import anyio
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtui.core import JobRow, State
from jobtui.core.backend import Foreign, Handle, Snapshot
from jobtui.core.errandrunner import carry_out, meant_by
from jobtui.core.errands import PATIENCE, make_errand
from jobtui.core.filters import FilterError, parse_filter, read_typed
from jobtui.core.foreign import OLD, foreign_rows, own_jobs, split_name
from jobtui.core.job import as_object
from jobtui.core.seen import Seen
from jobtui.core.verdict import Observation
from jobtui.core.workdir import ErrandFor

NOW = 1_000_000.0


def foreign(jid: str, presence: Any = "running", submitted: float = NOW - 60, mark: str = "", **seen: Any) -> Foreign:
    return Foreign(jid, f"job{jid}", Observation(presence, **seen), "main", submitted, "/x/run.sh", "/x", mark)


def said(*others: Foreign, at: float = NOW, backend: str = "slurm") -> Seen:
    return Seen(backend, "Slurm", at, at, "", others)


def rows(*others: Foreign, own: Sequence[JobRow] = (), at: float = NOW) -> dict[str, JobRow]:
    seen = [said(*others, at=at)]
    return {row.label: row for row in foreign_rows(seen, own_jobs(own, seen), NOW)}


def test_what_a_scheduler_says_of_a_foreign_job_is_in_its_row() -> None:
    found = rows(
        foreign("1", started=NOW - 30, host="n1"),
        foreign("2", "held", detail="held in Slurm"),
        foreign("3", "gone", outcome="failed", started=NOW - 50, at=NOW - 20, exit_code=3),
        foreign("4", "ending"),
    )
    assert {label: row.state for label, row in found.items()} == {
        "slurm:1": State.RUNNING,
        "slurm:2": State.HELD,
        "slurm:3": State.FAILED,
        "slurm:4": State.RUNNING,
    }
    one = found["slurm:1"]
    assert (one.foreign, one.name, one.queue, one.host, one.started) == (True, "job1", "main", "n1", NOW - 30)
    assert (found["slurm:3"].elapsed, found["slurm:3"].exit_code) == (30.0, 3)
    assert found["slurm:2"].detail == "held in Slurm"
    told = as_object(one)
    assert told["id"] is None and told["metadir"] is None and told["foreign"] and told["jid"] == "1"


def test_an_end_that_nobody_knows_the_outcome_of_is_not_shown() -> None:
    assert not rows(foreign("1", "gone"))


def test_old_news_say_when_they_were_new() -> None:
    assert rows(foreign("1"), at=NOW - OLD + 5)["slurm:1"].detail == ""
    assert rows(foreign("1"), at=NOW - OLD - 5)["slurm:1"].detail.startswith("as of ")


def test_a_job_of_the_work_directory_is_not_foreign_but_a_later_one_with_its_id_is() -> None:
    own = JobRow(id=7, name="mine", state=State.RUNNING, backend="slurm", jid="1", submitted=NOW - 61)
    assert not rows(foreign("1"), own=[own])
    old = msgspec.structs.replace(own, submitted=NOW - 1e6, state=State.FINISHED)
    assert rows(foreign("1"), own=[old])
    assert rows(foreign("1"), own=[msgspec.structs.replace(own, backend="sge")])


def test_foreign_jobs_are_found_by_filters_and_have_no_number() -> None:
    theirs = rows(foreign("4711"))["slurm:4711"]
    mine = JobRow(id=1, name="mine", state=State.RUNNING)

    def passes(text: str) -> list[bool]:
        return [parse_filter(text)(row) for row in (mine, theirs)]

    assert passes("is:foreign") == [False, True]
    assert passes("is:own") == [True, False]
    assert passes("!is:foreign") == [True, False]
    assert passes("slurm:4711".replace(":", "")) == [False, False]
    assert passes("queue:main") == [False, True]
    assert passes("id<5") == [True, False]
    assert passes("id:0-9") == [True, False]
    assert passes("jid:4711") == [False, True]
    with pytest.raises(FilterError, match="is:foreign"):
        parse_filter("is:mine")
    assert read_typed("is:")[1]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("slurm:4711", ("slurm", "4711")),
        ("slurm:4711_3", ("slurm", "4711_3")),
        ("slurm@far:12", ("slurm@far", "12")),
        ("pbs:12[3].srv", ("pbs", "12[3].srv")),
        ("12", None),
        ("3-9", None),
        ("slurm:", None),
        (":12", None),
    ],
)
def test_names_of_foreign_jobs(text: str, name: tuple[str, str] | None) -> None:
    assert split_name(text) == name


# -- orders


class Scheduler:
    """A back end that lists these jobs, and notes what it is ordered."""

    name = "slurm"
    capabilities = frozenset({"hold", "signal"})

    def __init__(self, *others: Foreign, complete: bool = True, refuses: str = "") -> None:
        self.others, self.complete, self.refuses = others, complete, refuses
        self.orders: list[tuple[str, tuple[str | None, ...]]] = []

    async def poll(self, handles: Sequence[Handle]) -> Snapshot:
        assert not handles
        return Snapshot({}, self.complete, NOW, "" if self.complete else "cannot be reached", {}, self.others)

    def _note(self, what: str, handles: Sequence[Handle]) -> dict[int, str]:
        self.orders.append((what, tuple(handle.jid for handle in handles)))
        return {handle.job: self.refuses for handle in handles} if self.refuses else {}

    async def cancel(self, handles: Sequence[Handle], grace: float) -> dict[int, str]:
        return self._note("cancel" if grace else "kill", handles)

    async def order(self, verb: str, handles: Sequence[Handle]) -> dict[int, str]:
        return self._note(verb, handles)

    async def signal(self, handles: Sequence[Handle], name: str) -> dict[int, str]:
        return self._note(name, handles)


def give(scheduler: Any, verb: Any, *jobs: ErrandFor, tags: Sequence[str] = (), **more: Any) -> dict[str, str]:
    errand = msgspec.structs.replace(make_errand("slurm", verb, jobs), **more)
    return dict(anyio.run(carry_out, scheduler, errand, tags).refused)


def test_an_order_goes_to_exactly_the_jobs_that_are_listed_now() -> None:
    scheduler = Scheduler(foreign("1"), foreign("2"), foreign("12"))
    assert give(scheduler, "cancel", ErrandFor("1", NOW - 60), ErrandFor("3")) == {
        "3": "it does not list such a job of yours"
    }
    assert scheduler.orders == [("cancel", ("1",))]
    assert not give(scheduler, "signal", ErrandFor("2"), signal="USR1")
    assert not give(scheduler, "cancel", ErrandFor("2"), force=True)
    assert scheduler.orders[1:] == [("USR1", ("2",)), ("kill", ("2",))]


def test_the_refusal_comes_back_in_the_schedulers_own_words() -> None:
    scheduler = Scheduler(foreign("1"), refuses="Access/permission denied")
    assert give(scheduler, "hold", ErrandFor("1")) == {"1": "Access/permission denied"}


@pytest.mark.parametrize(
    ("listed", "complete", "why"),
    [
        (foreign("1", submitted=NOW + 999), True, "another job's by now"),
        (foreign("1", "gone", outcome="finished"), True, "ended already"),
        (foreign("1", mark="jtabc.1"), True, "of this work directory"),
        (foreign("9"), False, "cannot be reached"),
    ],
)
def test_what_is_not_surely_the_job_that_was_meant_is_left_alone(listed: Foreign, complete: bool, why: str) -> None:
    scheduler = Scheduler(listed, complete=complete)
    assert why in give(scheduler, "cancel", ErrandFor("1", NOW - 60), tags=["jtabc"])["1"]
    assert not scheduler.orders


def test_an_order_that_nobody_waits_for_any_more_is_not_carried_out() -> None:
    scheduler = Scheduler(foreign("1"))
    assert "too long ago" in give(scheduler, "cancel", ErrandFor("1"), at=time.time() - 3 * PATIENCE)["1"]
    assert "cannot requeue" in give(scheduler, "requeue", ErrandFor("1"))["1"]
    assert not scheduler.orders


def test_the_number_of_an_array_means_its_tasks() -> None:
    tasks = [foreign("3_1"), foreign("3_2", "pending"), foreign("3_4", "gone", outcome="finished"), foreign("31_1")]
    scheduler = Scheduler(*tasks)
    assert not give(scheduler, "cancel", ErrandFor("3"))
    assert scheduler.orders == [("cancel", ("3_1", "3_2"))]


ids = st.from_regex(r"[0-9]{1,3}(_[0-9]|\.srv|\[[0-9]\])?", fullmatch=True)


@given(st.lists(ids, unique=True), ids)
def test_never_is_a_job_meant_whose_number_is_another(listed: list[str], jid: str) -> None:
    found, why = meant_by(ErrandFor(jid), [foreign(one) for one in listed], ())
    assert bool(found) != bool(why)
    for other in found:
        assert other.jid == jid or (other.jid.startswith(jid) and not other.jid[len(jid)].isdigit())
