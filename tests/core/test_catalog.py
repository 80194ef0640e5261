"""What clients see of a work directory: with a good index, a stale one, a wrong one and none; and what changes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobtui.core.catalog import Catalog
from jobtui.core.conditions import AfterJob, AfterTime, AnyOf
from jobtui.core.follower import Follower
from jobtui.core.identity import myself, this_boot, this_host
from jobtui.core.index import Indexed, IndexWriter
from jobtui.core.job import Accepted, Asked, Begin, End, Intent, JobRow, JobSpec, Process, Retry, State, Submitting
from jobtui.core.journal import Change, JournalWriter
from jobtui.core.metadir import change_intent, encode, open_attempt, write_fact
from jobtui.core.verdict import judge, summarize
from jobtui.core.workdir import INDEX, JOURNAL, WorkDir

TAG = "jttag"
NOBODY = Process(2**22 - 1, 1)


def spec(name: str = "job", **more: Any) -> JobSpec:
    return JobSpec(command=("true",), name=name, tag=TAG, **more)


@pytest.fixture
def place(tmp_path: Path) -> WorkDir:
    """A work directory that nobody drives."""
    directory = WorkDir(tmp_path / "w")
    directory.create()
    return directory


@pytest.fixture
def catalog(place: WorkDir) -> Catalog:
    return Catalog(place)


def begin(
    place: WorkDir, job: int, process: Process = NOBODY, boot: str | None = None, host: str | None = None
) -> None:
    """Make the job one that runs, or ran, as the given process."""
    sent, taken = Submitting(1, TAG, 1.0), Accepted(1, str(process.pid), "local", 1.0)
    Path(place.metadir(job), "job.jid").write_bytes(encode(sent) + encode(taken))
    record = Begin(1, TAG, host or this_host(), this_boot() if boot is None else boot, process, process, 5.0)
    write_fact(place.metadir(job), "job.begin", record)


def end(place: WorkDir, job: int, code: int = 0, at: float | None = None) -> None:
    write_fact(place.metadir(job), "job.rc", End(attempt=1, tag=TAG, exit_code=code, uptime=6.0))
    if at is not None:
        os.utime(f"{place.metadir(job)}/job.rc", (at, at))


def indexed(place: WorkDir, catalog: Catalog, name: str | None = None) -> None:
    """Write an index of all jobs as they are; ``name``: the name that it says each job has."""
    rows = catalog.all()
    if name is not None:
        rows = [JobRow(**{**{f: getattr(row, f) for f in row.__struct_fields__}, "name": name}) for row in rows]
    writer = IndexWriter(place.file(INDEX))
    writer.write([Indexed(row, place.mtime_ns(row.id)) for row in rows], [])
    writer.close()


def states(rows: list[JobRow]) -> dict[int, str]:
    return {row.id: str(row.state) for row in rows}


def mixed(place: WorkDir) -> None:
    """Four jobs: finished, failed, held, queued."""
    place.add([spec("one"), spec("two"), spec("three", hold=True), spec("four")])
    for job, code in ((1, 0), (2, 3)):
        begin(place, job)
        end(place, job, code, at=1_000.0 + job)


MIXED = {1: "finished", 2: "failed", 3: "held", 4: "queued"}


# -- with and without an index


def test_without_an_index_every_job_is_listed_by_id(place: WorkDir, catalog: Catalog) -> None:
    mixed(place)
    assert states(catalog.all()) == MIXED
    assert [row.id for row in catalog.all()] == [1, 2, 3, 4]
    assert not os.path.exists(place.file(INDEX)), "reading changes nothing on disk"


def test_an_index_spares_reading_the_folders(place: WorkDir, catalog: Catalog) -> None:
    mixed(place)
    indexed(place, catalog, name="from the index")
    assert {row.name for row in catalog.all()} == {"from the index"}
    detail = catalog.detail(1)
    assert detail is not None and detail.facts.spec is not None and detail.facts.spec.name == "one"


def test_an_index_row_is_not_believed_once_its_folder_changed(place: WorkDir, catalog: Catalog) -> None:
    mixed(place)
    indexed(place, catalog, name="from the index")
    change_intent(place.metadir(4), lambda intent: Intent(cancel=Asked(1, 5.0, "me")))
    change_intent(place.metadir(3), lambda intent: Intent(hold=False))
    rows = {row.id: row for row in catalog.all()}
    assert states(list(rows.values())) == {1: "finished", 2: "failed", 3: "queued", 4: "cancelled"}
    assert [rows[job].name for job in rows] == ["from the index", "from the index", "three", "four"]
    assert {row.name for row in catalog.recent(9) if row.id > 2} == {"three", "four"}


def test_jobs_that_the_index_does_not_know_yet_are_listed_and_removed_ones_are_not(
    place: WorkDir, catalog: Catalog
) -> None:
    mixed(place)
    indexed(place, catalog)
    place.remove(2)
    place.add([spec("five")])
    assert states(catalog.all()) == {1: "finished", 3: "held", 4: "queued", 5: "queued"}
    assert [row.id for row in catalog.recent(0)] == [3, 4, 5]


def _garbage(path: Path) -> None:
    path.write_bytes(b"\x00garbage" * 999)


def _cut(path: Path) -> None:
    os.truncate(path, 3_000)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [_garbage, _cut, _folder])
def test_a_wrong_index_hides_nothing(place: WorkDir, catalog: Catalog, damage: Callable[[Path], None]) -> None:
    mixed(place)
    indexed(place, catalog, name="from the index")
    damage(Path(place.file(INDEX)))
    assert states(catalog.all()) == MIXED
    assert {row.name for row in catalog.all()} == {"one", "two", "three", "four"}
    assert [row.id for row in catalog.recent(1)] == [2, 3, 4]


@pytest.mark.parametrize("with_index", [False, True])
def test_recent_is_every_active_job_and_the_newest_ended_ones(
    place: WorkDir, catalog: Catalog, with_index: bool
) -> None:
    place.add([spec() for _ in range(8)])
    for job, at in ((1, 50.0), (2, 90.0), (4, 70.0), (6, 60.0), (8, 80.0)):
        begin(place, job)
        end(place, job, at=at)
    if with_index:
        indexed(place, catalog)
    assert [row.id for row in catalog.recent(0)] == [3, 5, 7]
    assert [row.id for row in catalog.recent(2)] == [2, 3, 5, 7, 8]
    assert [row.id for row in catalog.recent(99)] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_jobs_asked_for_by_id_come_once_by_id_as_far_as_they_exist(place: WorkDir, catalog: Catalog) -> None:
    mixed(place)
    assert [row.id for row in catalog.some([4, 2, 2, 99, 1])] == [1, 2, 4]
    assert catalog.some([]) == []


# -- what is a job


def test_a_folder_without_a_spec_is_a_job_still_being_made_and_not_listed(place: WorkDir, catalog: Catalog) -> None:
    place.add([spec()])
    os.mkdir(place.metadir(2))
    Path(place.metadir(2), "job.stdout").write_text("x")
    assert states(catalog.all()) == {1: "queued"}
    assert catalog.detail(2) is None


def test_a_folder_with_a_damaged_spec_is_listed_as_unknown(place: WorkDir, catalog: Catalog) -> None:
    place.add([spec(), spec()])
    Path(place.metadir(2), "job.json").write_bytes(b'{"version": 1, "comm')
    assert states(catalog.all()) == {1: "queued", 2: "unknown"}
    row = catalog.some([2])[0]
    assert row.reason == "damaged" and "job.json" in row.detail


def test_what_else_lies_in_a_work_directory_is_no_job(place: WorkDir, catalog: Catalog) -> None:
    place.add([spec()])
    Path(place.file("7")).write_text("a file called 7")
    for name in ("notes", "8.bak", "-9", "1a", ".removed-4-abcd", "²", "٣"):
        shutil.copytree(place.metadir(1), place.file(name))
    assert states(catalog.all()) == {1: "queued"}


def test_a_missing_work_directory_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Catalog(WorkDir(tmp_path / "nope")).all()


# -- without an engine


def test_a_running_job_is_seen_running_while_its_processes_live(place: WorkDir, catalog: Catalog) -> None:
    place.add([spec(), spec(), spec(), spec()])
    begin(place, 1, myself())
    begin(place, 2, NOBODY)
    begin(place, 3, myself(), boot="another boot")
    begin(place, 4, NOBODY, host="another host")
    rows = catalog.all()
    assert states(rows) == {1: "running", 2: "failed", 3: "failed", 4: "running"}
    assert [row.reason for row in rows] == [None, "lost", "node-failure", None]


def test_a_reused_pid_is_not_taken_for_the_job(place: WorkDir, catalog: Catalog) -> None:
    place.add([spec()])
    begin(place, 1, Process(os.getpid(), myself().ticks - 1))
    assert states(catalog.all()) == {1: "failed"}


def test_an_index_is_not_believed_about_running_jobs_while_no_engine_watches_them(
    place: WorkDir, catalog: Catalog
) -> None:
    place.add([spec()])
    begin(place, 1, myself())
    indexed(place, catalog)
    mtime = place.mtime_ns(1)
    begin(place, 1, NOBODY)
    os.utime(place.metadir(1), ns=(mtime, mtime))  # as if the process had died: no file changed
    assert states(catalog.all()) == {1: "failed"}


def test_waiting_jobs_say_what_they_wait_for(place: WorkDir, catalog: Catalog) -> None:
    place.add([spec(), spec(after=AfterJob(1)), spec(after=AfterTime(4e9)), spec(after=AnyOf((AfterJob(1, "any"),)))])
    assert {row.id: row.detail for row in catalog.all()} == {
        1: "",
        2: "waits for job 1 to end well",
        3: "waits for a start time",
        4: "waits for job 1 to end",
    }
    begin(place, 1)
    end(place, 1)
    assert states(catalog.all()) == {1: "finished", 2: "queued", 3: "created", 4: "queued"}


def test_a_job_in_full_tells_of_its_earlier_attempts(place: WorkDir, catalog: Catalog) -> None:
    place.add([spec()])
    begin(place, 1)
    end(place, 1, 3, at=1_000.0)
    open_attempt(place.metadir(1), 1)
    detail = catalog.detail(1)
    assert detail is not None
    assert (detail.row.state, detail.row.attempt, detail.row.exit_code) == (State.QUEUED, 2, None)
    (first,) = detail.attempts
    assert (first.number, first.exit_code, first.ended) == (1, 3, 1_000.0)
    assert sorted(os.listdir(first.folder)) == ["job.begin", "job.jid", "job.rc"]


def test_a_failed_attempt_that_will_be_tried_again_is_not_the_end(place: WorkDir, catalog: Catalog) -> None:
    place.add([spec(retry=Retry(limit=2)), spec(retry=Retry(limit=2, on=("timeout",)))])
    for job in (1, 2):
        begin(place, job)
        end(place, job, 3)
    assert states(catalog.all()) == {1: "queued", 2: "failed"}


# -- what changes


@pytest.fixture
def journal(place: WorkDir) -> JournalWriter:
    return JournalWriter(place.file(JOURNAL))


def now(place: WorkDir, job: int) -> JobRow:
    (row,) = Catalog(place).some([job])
    return row


def told(changes: list[Change]) -> dict[int, str]:
    """The last word on each job that was told of."""
    found: dict[int, str] = {}
    for change in changes:
        if change.row is not None:
            found[change.row.id] = str(change.row.state)
        elif change.removed is not None:
            found[change.removed] = "removed"
    return found


def news(follower: Follower) -> list[Change]:
    """All that a follower has to tell now."""
    changes = follower.poll()
    while follower.behind:
        changes += follower.poll()
    return changes


def test_a_follower_begins_with_what_is_there_and_is_silent_while_nothing_changes(
    place: WorkDir, catalog: Catalog
) -> None:
    mixed(place)
    follower = Follower(catalog)
    assert states(follower.read(None)) == MIXED
    assert follower.active == 2
    assert [follower.poll() for _ in range(3)] == [[], [], []]
    assert states(Follower(catalog).read(1)) == {2: "failed", 3: "held", 4: "queued"}


def test_a_follower_tells_of_new_jobs_before_any_engine_saw_them(place: WorkDir, catalog: Catalog) -> None:
    mixed(place)
    follower = Follower(catalog)
    follower.read(None)
    place.add([spec("five"), spec("six", hold=True)])
    assert told(news(follower)) == {5: "queued", 6: "held"}
    assert follower.poll() == []
    assert follower.active == 4


def test_a_follower_tells_of_a_job_once_it_is_wholly_made(place: WorkDir, catalog: Catalog) -> None:
    follower = Follower(catalog)
    follower.read(None)
    os.mkdir(place.metadir(1))
    assert follower.poll() == []
    write_fact(place.metadir(1), "job.json", spec())
    assert told(news(follower)) == {1: "queued"}


def test_a_follower_tells_what_the_journal_says_in_order(
    place: WorkDir, catalog: Catalog, journal: JournalWriter
) -> None:
    mixed(place)
    follower = Follower(catalog)
    follower.read(None)
    begin(place, 4)
    running = summarize(4, place.path, facts := catalog.detail(4).facts, judge(facts))  # type: ignore[union-attr]
    end(place, 4)
    journal.append([running, now(place, 4)], [])
    said = [str(change.row.state) for change in news(follower) if change.row]
    assert list(dict.fromkeys(said)) == ["running", "finished"], "told twice at most, and never backwards"
    assert follower.active == 1


def test_a_follower_tells_of_removed_jobs(place: WorkDir, catalog: Catalog, journal: JournalWriter) -> None:
    mixed(place)
    follower = Follower(catalog)
    follower.read(None)
    place.remove(1)
    assert told(news(follower)) == {1: "removed"}
    place.remove(2)
    journal.append([], [2])
    assert told(news(follower)) == {2: "removed"}
    assert follower.poll() == []


def test_a_follower_sees_changes_that_no_engine_wrote_down(place: WorkDir, catalog: Catalog) -> None:
    mixed(place)
    follower = Follower(catalog)
    follower.read(None)
    change_intent(place.metadir(4), lambda intent: Intent(cancel=Asked(1, 5.0, "me")))
    assert told(news(follower)) == {4: "cancelled"}


def _replace(journal: str, other: Path) -> None:
    other.write_bytes(b"")
    other.rename(journal)


def test_a_follower_starts_anew_when_the_journal_is_replaced(
    place: WorkDir, catalog: Catalog, journal: JournalWriter, tmp_path: Path
) -> None:
    mixed(place)
    journal.append(catalog.all(), [])
    follower = Follower(catalog)
    follower.read(None)
    begin(place, 4)
    end(place, 4, 7)
    place.remove(1)
    _replace(place.file(JOURNAL), tmp_path / "other")
    assert told(news(follower)).items() >= {1: "removed", 4: "failed"}.items()
    assert follower.poll() == []
    change_intent(place.metadir(3), lambda intent: Intent(hold=False))
    journal.append([now(place, 3)], [])
    assert told(news(follower)) == {3: "queued"}


def test_a_follower_that_starts_anew_tells_of_jobs_that_are_still_active(
    place: WorkDir, catalog: Catalog, journal: JournalWriter, tmp_path: Path
) -> None:
    mixed(place)
    follower = Follower(catalog)
    follower.read(None)
    change_intent(place.metadir(3), lambda intent: Intent(hold=False))
    place.add([spec("five")])
    _replace(place.file(JOURNAL), tmp_path / "other")
    assert told(news(follower)).items() >= {3: "queued", 5: "queued"}.items()


@pytest.mark.parametrize("damage", [_garbage, _cut])
def test_a_follower_survives_a_garbage_journal(
    place: WorkDir, catalog: Catalog, journal: JournalWriter, damage: Callable[[Path], None]
) -> None:
    mixed(place)
    for _ in range(20):
        journal.append(catalog.all(), [])
    follower = Follower(catalog)
    follower.read(None)
    damage(Path(place.file(JOURNAL)))
    begin(place, 4)
    end(place, 4, 7)
    assert told(news(follower))[4] == "failed"


def test_the_rows_and_the_changes_together_are_always_what_is_there(
    place: WorkDir, catalog: Catalog, journal: JournalWriter
) -> None:
    mixed(place)
    follower = Follower(catalog)
    seen = states(follower.read(None))

    def catch_up() -> None:
        for job, state in told(news(follower)).items():
            if state == "removed":
                seen.pop(job, None)
            else:
                seen[job] = state
        assert seen == states(catalog.all())

    place.add([spec("five")])
    catch_up()
    begin(place, 5, myself())
    journal.append([now(place, 5)], [])
    catch_up()
    end(place, 5)
    journal.append([now(place, 5)], [])
    catch_up()
    open_attempt(place.metadir(5), 1)
    journal.append([now(place, 5)], [])
    catch_up()
    place.remove(5)
    place.add([spec("six")])
    journal.append([now(place, 6)], [5])
    catch_up()
    Path(place.file(JOURNAL)).unlink()
    place.remove(2)
    catch_up()
    assert seen == {1: "finished", 3: "held", 4: "queued", 6: "queued"}


def test_a_follower_says_when_the_work_directory_is_gone(place: WorkDir, catalog: Catalog) -> None:
    mixed(place)
    follower = Follower(catalog)
    follower.read(None)
    shutil.rmtree(place.path)
    with pytest.raises(FileNotFoundError):
        follower.poll()
