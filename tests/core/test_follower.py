"""Loading many jobs in portions while they change: at the end the client has exactly what is there."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobtui.core import catalog as catalog_module
from jobtui.core import follower as follower_module
from jobtui.core.catalog import Catalog
from jobtui.core.follower import Follower
from jobtui.core.idset import IdSet
from jobtui.core.job import Accepted, Begin, End, Intent, JobRow, JobSpec, Process, State, Submitting
from jobtui.core.journal import JournalWriter
from jobtui.core.manager import JobManager
from jobtui.core.metadir import change_intent, encode, write_fact
from jobtui.core.publisher import Publisher
from jobtui.core.sharing import share
from jobtui.core.workdir import INDEX, JOURNAL, WorkDir

TAG = "jttag"


def spec(**more: Any) -> JobSpec:
    return JobSpec(command=("true",), tag=TAG, **more)


def end(place: WorkDir, job: int, code: int = 0) -> None:
    """Make a job one that ran and ended on another machine."""
    folder, who = place.metadir(job), Process(2**22 - 1, 1)
    Path(folder, "job.jid").write_bytes(encode(Submitting(1, TAG, 1.0)) + encode(Accepted(1, "7", "local", 1.0)))
    write_fact(folder, "job.begin", Begin(1, TAG, "elsewhere", "boot", who, who, 5.0))
    write_fact(folder, "job.rc", End(attempt=1, tag=TAG, exit_code=code, uptime=6.0))


def publish(place: WorkDir) -> None:
    """Do what an engine does at its start: put every job into the index and the journal."""
    publisher = Publisher(place)
    for row in Catalog(place).all():
        publisher.put(row)
    publisher.flush()
    publisher.close()


@pytest.fixture
def place(tmp_path: Path) -> WorkDir:
    directory = WorkDir(tmp_path / "w")
    directory.create()
    return directory


@pytest.fixture
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_module, "PORTION", 3)
    monkeypatch.setattr(follower_module, "PORTION", 3)
    monkeypatch.setattr(follower_module, "_FIRST", 2)


def crowd(place: WorkDir, count: int) -> None:
    """Jobs of which every third has ended."""
    place.add([spec() for _ in range(count)])
    for job in range(3, count + 1, 3):
        end(place, job)


def states(rows: list[JobRow]) -> dict[int, str]:
    return {row.id: str(row.state) for row in rows}


class Client:
    """Does with a follower what a screen does."""

    def __init__(self, place: WorkDir) -> None:
        self.follower = Follower(Catalog(place))
        self.states: dict[int, str] = {}

    def load(self) -> Iterator[None]:
        for rows in self.follower.load():
            self.states |= states(rows)
            yield

    def poll(self) -> int:
        changes = self.follower.poll()
        for change in changes:
            if change.removed is not None:
                self.states.pop(change.removed, None)
            if change.row is not None:
                self.states[change.row.id] = str(change.row.state)
        return len(changes)

    def catch_up(self) -> None:
        self.poll()
        while self.follower.behind:
            self.poll()


# -- glancing


@pytest.mark.parametrize("index", ["good", "none", "damaged"])
def test_a_glance_gives_the_newest_jobs_as_they_are(place: WorkDir, index: str) -> None:
    crowd(place, 20)
    if index != "none":
        publish(place)
    if index == "damaged":
        Path(place.file(INDEX)).write_bytes(b"\x00garbage" * 999)
    end(place, 19, 3)
    assert [(row.id, str(row.state)) for row in Catalog(place).glance(4)] == [
        (20, "queued"),
        (19, "failed"),
        (18, "finished"),
        (17, "queued"),
    ]
    assert len(Catalog(place).glance(100)) == 20


def test_a_glance_sees_jobs_that_no_engine_has_seen_yet_and_none_that_are_gone(place: WorkDir) -> None:
    crowd(place, 6)
    publish(place)
    place.remove(6)
    place.add([spec(), spec()])
    assert [row.id for row in Catalog(place).glance(3)] == [8, 7]
    assert {row.id for row in Catalog(place).glance(5)} == {8, 7, 5, 4}


def test_a_glance_does_not_list_the_directory_where_there_is_an_index(
    place: WorkDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd(place, 6)
    publish(place)
    monkeypatch.setattr(WorkDir, "ids", lambda self: pytest.fail("listed"))
    assert [row.id for row in Catalog(place).glance(2)] == [6, 5]


def test_a_glance_into_nothing(place: WorkDir) -> None:
    assert Catalog(place).glance(5) == []
    os.rmdir(place.file("inbox"))
    os.rmdir(place.path)
    with pytest.raises(FileNotFoundError):
        Catalog(place).glance(5)


def test_rows_of_a_work_directory_that_was_moved_name_its_new_place(place: WorkDir, tmp_path: Path) -> None:
    crowd(place, 3)
    publish(place)
    moved = WorkDir(shutil.move(place.path, tmp_path / "moved"))
    assert {row.workdir for row in Catalog(moved).all()} == {moved.path}
    assert Catalog(moved).glance(1)[0].metadir == f"{moved.path}/3"


# -- loading


@pytest.mark.usefixtures("small_portions")
@pytest.mark.parametrize("index", ["good", "none", "half"])
def test_loading_gives_every_job_the_newest_and_the_active_first(place: WorkDir, index: str) -> None:
    crowd(place, 20)
    if index != "none":
        publish(place)
    if index == "half":
        place.add([spec(), spec()])
    portions = list(Follower(Catalog(place)).load())
    rows = [row for portion in portions for row in portion]
    assert states(rows) == states(Catalog(place).all())
    assert len({row.id for row in rows}) == len(rows), "each job once"
    newest = 22 if index == "half" else 20
    assert [row.id for row in portions[0]] == [newest, newest - 1]
    assert all(len(portion) <= 3 for portion in portions)
    if index == "good":
        ended = [row.state is State.FINISHED for row in rows[2:]]
        assert ended == sorted(ended), "the active ones before the ended ones"


def test_jobs_shown_after_a_glance_and_removed_before_loading_are_told_as_gone(place: WorkDir) -> None:
    crowd(place, 6)
    publish(place)
    shown = [row.id for row in Catalog(place).glance(3)]
    place.remove(6)
    follower = Follower(Catalog(place), shown)
    list(follower.load())
    assert [change.removed for change in follower.poll()] == [6]


def test_a_folder_still_being_made_while_loading_is_told_when_it_is_a_job(place: WorkDir) -> None:
    crowd(place, 3)
    os.mkdir(place.metadir(4), 0o700)
    client = Client(place)
    list(client.load())
    client.catch_up()
    assert set(client.states) == {1, 2, 3}
    write_fact(place.metadir(4), "job.json", spec())
    client.catch_up()
    assert client.states[4] == "queued"


@pytest.mark.usefixtures("small_portions")
def test_a_journal_that_is_lost_is_made_up_for_in_portions(place: WorkDir) -> None:
    crowd(place, 20)
    publish(place)
    client = Client(place)
    list(client.load())
    os.unlink(place.file(JOURNAL))
    end(place, 1, 3)
    end(place, 20, 3)
    place.remove(9)
    publish(place)
    assert client.poll() <= 3 and client.follower.behind
    client.catch_up()
    assert client.states[1] == client.states[20] == "failed" and 9 not in client.states


def test_very_many_changes_come_in_pieces(place: WorkDir) -> None:
    place.add([spec()])
    row = Catalog(place).all()[0]
    journal = JournalWriter(place.file(JOURNAL))
    follower = Follower(Catalog(place))
    list(follower.load())
    journal.append([JobRow(id=1, name="n", state=State.QUEUED, command="x" * 1000 + str(i)) for i in range(3000)], [])
    journal.append([row], [])
    journal.close()
    pieces = [follower.poll()]
    while follower.behind:
        pieces.append(follower.poll())
    assert len(pieces) > 2 and max(map(len, pieces)) < 2000
    assert pieces[-1][-1].row == row


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("portions"), st.integers(1, 3)),
        st.tuples(st.just("add"), st.integers(1, 3)),
        st.tuples(st.sampled_from(("end", "remove", "hold", "release")), st.integers(1, 16)),
        st.tuples(st.sampled_from(("tell", "forget journal", "forget index")), st.just(0)),
    ),
    max_size=14,
)


@pytest.mark.usefixtures("small_portions")
@settings(max_examples=40, deadline=None, suppress_health_check=[])
@given(st.booleans(), _STEPS)
def test_whatever_happens_while_loading_the_client_ends_with_what_is_there(
    indexed: bool, steps: list[tuple[str, int]]
) -> None:
    folder = tempfile.mkdtemp()
    try:
        place = WorkDir(folder)
        place.create()
        crowd(place, 12)
        if indexed:
            publish(place)
        client = Client(place)
        loading = client.load()
        for what, number in steps:
            _step(place, loading, what, number)
        for _ in loading:
            pass
        client.catch_up()
        # Without an engine some of the jobs that wait are looked at in turn, once a second; here at once.
        for _ in range(12):
            client.follower._looking._due = 0.0
            client.catch_up()
        assert client.states == states(Catalog(place).all())
    finally:
        shutil.rmtree(folder)


def _step(place: WorkDir, loading: Iterator[None], what: str, number: int) -> None:
    there = os.path.exists(place.metadir(number))
    if what == "portions":
        for _ in range(number):
            next(loading, None)
    elif what == "add":
        place.add([spec() for _ in range(number)])
    elif what == "tell":
        publish(place)
    elif what.startswith("forget"):
        Path(place.file(JOURNAL if what == "forget journal" else INDEX)).unlink(missing_ok=True)
    elif what == "end" and there and not os.path.exists(f"{place.metadir(number)}/job.rc"):
        end(place, number, number % 2)
    elif what == "remove" and there:
        place.remove(number)
    elif there:
        change_intent(place.metadir(number), lambda intent: Intent(hold=what == "hold"))


def test_a_stream_gives_the_jobs_and_then_their_changes(place: WorkDir) -> None:
    crowd(place, 5)

    async def follow() -> dict[int, str]:
        seen: dict[int, str] = {}
        feed = await JobManager(place).stream()
        async for rows in feed.load():
            seen |= states(rows)
        assert len(seen) == 5
        place.add([spec(hold=True)])
        with anyio.fail_after(10):
            changes = aiter(feed)
            while 6 not in seen:
                seen |= states([change.row for change in await anext(changes) if change.row is not None])
            await changes.aclose()
        return seen

    assert anyio.run(follow)[6] == "held"


def test_a_stream_of_a_directory_that_is_not_there_says_so_and_can_be_begun_again(tmp_path: Path) -> None:
    place = WorkDir(tmp_path / "later")

    async def load() -> list[JobRow]:
        feed = await JobManager(place).stream()
        return [row async for rows in feed.load() for row in rows]

    with pytest.raises(FileNotFoundError):
        anyio.run(load)
    place.create()
    place.add([spec()])
    assert [row.id for row in anyio.run(load)] == [1]


# -- what makes it small


@given(st.lists(st.tuples(st.booleans(), st.one_of(st.integers(0, 9000), st.integers(0, 2**60))), max_size=60))
def test_a_set_of_ids_is_a_set(steps: list[tuple[bool, int]]) -> None:
    ours, model = IdSet(), set[int]()
    for add, job in steps:
        (ours.add if add else ours.discard)(job)
        (model.add if add else model.discard)(job)
        assert (job in ours) == add
    assert list(ours) == sorted(model, reverse=True) and len(ours) == len(model)
    half = IdSet(sorted(model)[::2])
    assert list(ours.without(half)) == sorted(model - set(half), reverse=True)


def test_rows_share_equal_values_and_stay_what_they_are() -> None:
    def row(job: int, **more: Any) -> JobRow:
        return JobRow(id=job, name="".join(["a", "b"]), state=State.QUEUED, **more)

    first, second = share(row(1, created=5.0, array=5)), share(row(2, created=float("5"), array_index=5))
    assert first.name is second.name and first.created is second.created
    assert (type(first.array), type(first.created), type(second.array_index)) == (int, float, int)
    assert second == row(2, created=5.0, array_index=5)
