"""The journal and the index: torn, damaged, replaced and missing files are noticed, and never give a wrong answer."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobtui.core.identity import FileSystem
from jobtui.core.index import Indexed, IndexReader, IndexUnusableError, IndexWriter
from jobtui.core.job import JobRow, State
from jobtui.core.journal import Change, JournalReader, JournalWriter


def row(job: int, state: State = State.RUNNING, **more: object) -> JobRow:
    return JobRow(id=job, name=f"job {job}", state=state, **more)  # type: ignore[arg-type]


def told(changes: list[Change] | None) -> list[object]:
    """Changes as short text: 3:running, -4, or "anew"."""
    if changes is None:
        return ["anew"]
    return [f"{c.row.id}:{c.row.state}" if c.row is not None else f"-{c.removed}" for c in changes]


def all_told(reader: JournalReader) -> list[object]:
    """What a reader tells until it is no longer behind."""
    found = told(reader.read())
    while reader.behind:
        found += told(reader.read())
    return found


# -- the journal


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def test_a_reader_is_told_what_came_after_it_began_once_and_in_order(journal: Path) -> None:
    writer = JournalWriter(str(journal))
    writer.append([row(1)], [])
    reader = JournalReader(str(journal))
    assert told(reader.read()) == []
    writer.append([row(2), row(3, State.FAILED)], [1])
    writer.append([row(2, State.FINISHED)], [])
    assert told(reader.read()) == ["2:running", "3:failed", "-1", "2:finished"]
    assert told(reader.read()) == []
    writer.close()


def test_rows_go_through_the_journal_unchanged(journal: Path) -> None:
    writer, reader = JournalWriter(str(journal)), JournalReader(str(journal))
    odd = row(
        5, State.FAILED, command="a\nb\r\t\x1b[31m \U0001f600", detail='"', tags=("x",), exit_code=3, elapsed=1.25
    )
    writer.append([odd], [])
    assert reader.read() == [Change(row=odd)]
    writer.close()


def test_a_torn_last_line_waits_for_its_rest(journal: Path) -> None:
    writer = JournalWriter(str(journal))
    writer.append([row(1), row(2)], [])
    writer.close()
    whole = journal.read_bytes()
    journal.write_bytes(b"")
    reader = JournalReader(str(journal))
    lines = whole.splitlines(keepends=True)
    got: list[object] = []
    for end in range(len(whole) + 1):
        with journal.open("ab") as file:
            file.write(whole[max(0, end - 1) : end])
        now = told(reader.read())
        assert now == [] or end in (len(whole) - len(lines[-1]), len(whole))
        got += now
    assert got == ["1:running", "2:running"]


def test_a_line_that_was_never_finished_does_not_swallow_the_next_one(journal: Path) -> None:
    first = JournalWriter(str(journal))
    first.append([row(1)], [])
    first.close()
    reader = JournalReader(str(journal))
    with journal.open("ab") as file:
        file.write(b'{"row":{"id":2,"na')  # the engine was killed here
    second = JournalWriter(str(journal))
    second.append([row(3)], [])
    second.close()
    # Nobody knows what the torn line said: everything is read once, and from then on nothing is missed.
    assert told(reader.read()) == ["anew"]
    third = JournalWriter(str(journal))
    third.append([row(4)], [])
    third.close()
    assert told(reader.read()) == ["4:running"]


@pytest.mark.parametrize("line", [b"garbage\n", b"\x00\xff\xfe\n", b"[1,2]\n", b'{"row":7}\n', b'{"row":{"id":1}}\n'])
def test_a_garbage_line_makes_readers_start_anew_and_go_on(journal: Path, line: bytes) -> None:
    writer, reader = JournalWriter(str(journal)), JournalReader(str(journal))
    with journal.open("ab") as file:
        file.write(line)
    assert told(reader.read()) == ["anew"]
    writer.append([row(2)], [])
    assert told(reader.read()) == ["2:running"]
    writer.close()


def test_a_line_that_is_no_utf8_makes_readers_start_anew(journal: Path) -> None:
    writer, reader = JournalWriter(str(journal)), JournalReader(str(journal))
    with journal.open("ab") as file:
        file.write(b'{"row":{"id":1,"name":"\x80","state":"failed"}}\n')
    assert told(reader.read()) == ["anew"]
    writer.close()


def test_empty_lines_mean_nothing(journal: Path) -> None:
    writer, reader = JournalWriter(str(journal)), JournalReader(str(journal))
    with journal.open("ab") as file:
        file.write(b"\n\n \n")
    writer.append([row(2)], [])
    assert told(reader.read()) == ["2:running"]
    writer.close()


def test_a_journal_that_appears_later_is_read_from_its_beginning(journal: Path) -> None:
    reader = JournalReader(str(journal))
    assert told(reader.read()) == []
    writer = JournalWriter(str(journal))
    writer.append([row(1)], [])
    assert told(reader.read()) == ["1:running"]
    writer.append([row(2)], [])
    assert told(reader.read()) == ["2:running"]
    writer.close()


def test_a_truncated_journal_makes_readers_start_anew(journal: Path) -> None:
    writer = JournalWriter(str(journal))
    writer.append([row(1), row(2)], [])
    reader = JournalReader(str(journal))
    os.truncate(journal, 10)
    assert told(reader.read()) == ["anew"]
    writer.append([row(3)], [])
    # The rest of the line that was cut may cost one more start, but never the row.
    assert told(reader.read()) in (["anew"], ["3:running"])
    writer.append([row(4)], [])
    assert told(reader.read()) == ["4:running"]
    writer.close()


def test_a_journal_that_another_file_took_the_place_of_makes_readers_start_anew(journal: Path, tmp_path: Path) -> None:
    writer = JournalWriter(str(journal))
    writer.append([row(1)], [])
    reader = JournalReader(str(journal))
    other = tmp_path / "other"
    other.write_bytes(journal.read_bytes())
    other.rename(journal)
    assert told(reader.read()) == ["anew"]
    # The writer notices as well, and writes where readers look.
    writer.append([row(2)], [])
    assert told(reader.read()) == ["2:running"]
    writer.close()


def test_a_journal_that_was_deleted_is_made_anew_by_the_next_change_and_nothing_is_missed(journal: Path) -> None:
    writer = JournalWriter(str(journal))
    writer.append([row(1)], [])
    reader = JournalReader(str(journal))
    writer.append([row(2)], [])
    journal.unlink()
    assert told(reader.read()) == ["2:running"]
    writer.append([row(3)], [])
    assert told(reader.read()) == ["3:running"]
    writer.append([row(4)], [])
    assert told(reader.read()) == ["4:running"]
    writer.close()


def test_a_journal_deleted_between_two_looks_hides_nothing_even_at_the_same_length(journal: Path) -> None:
    writer = JournalWriter(str(journal))
    writer.append([row(1)], [])
    reader = JournalReader(str(journal))
    journal.unlink()
    writer.append([row(2)], [])
    assert told(reader.read()) == ["2:running"]
    writer.close()


def test_a_journal_deleted_twice_between_two_looks_makes_readers_start_anew(journal: Path) -> None:
    writer = JournalWriter(str(journal))
    reader = JournalReader(str(journal))
    for job in (1, 2):
        journal.unlink()
        writer.append([row(job)], [])
    assert told(reader.read()) == ["anew"]
    writer.append([row(3)], [])
    assert told(reader.read()) == ["3:running"]
    writer.close()


def test_a_journal_that_another_engine_began_makes_readers_start_anew(journal: Path) -> None:
    JournalWriter(str(journal)).close()
    reader = JournalReader(str(journal))
    journal.unlink()
    writer = JournalWriter(str(journal))
    writer.append([row(1)], [])
    assert told(reader.read()) == ["anew"]
    writer.close()


def test_a_journal_never_grows_without_end_and_its_readers_miss_nothing(journal: Path) -> None:
    writer = JournalWriter(str(journal))
    always, seldom = JournalReader(str(journal)), JournalReader(str(journal))
    sizes = []
    for number in range(40):
        writer.append([row(number, command="x" * 2**20)], [])
        assert all_told(always) == [f"{number}:running"]
        if number % 10 == 9:
            assert all_told(seldom) == [f"{job}:running" for job in range(number - 9, number + 1)]
        sizes.append(journal.stat().st_size)
    assert max(sizes) < 20 * 2**20 and sizes[-1] < max(sizes)
    writer.close()


def test_what_a_full_disk_cut_off_does_not_hide_what_comes_after(journal: Path) -> None:
    writer, reader = JournalWriter(str(journal)), JournalReader(str(journal))
    writer.append([row(1)], [])
    os.truncate(journal, journal.stat().st_size - 5)
    writer.close()
    assert told(reader.read()) == []
    again = JournalWriter(str(journal))
    again.append([row(2)], [])
    assert told(reader.read()) == ["anew"]
    again.close()


# -- the index


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return tmp_path / "index.db"


def fill(index: Path, *rows: JobRow) -> None:
    writer = IndexWriter(str(index))
    writer.write([Indexed(one, one.id * 10) for one in rows], [])
    writer.close()


MIXED = [
    row(1, State.FINISHED, ended=50.0),
    row(2),
    row(3, State.FAILED, ended=70.0, exit_code=3),
    row(4, State.HELD),
    row(5, State.CANCELLED, ended=60.0),
    row(6, State.UNKNOWN, created=55.0),
]


def jobs(found: list[Indexed]) -> list[int]:
    return [item.row.id for item in found]


def test_what_was_written_is_found(index: Path) -> None:
    fill(index, *MIXED)
    with IndexReader(str(index)) as reader:
        assert [(item.row, item.mtime) for item in reader.all()] == [(one, one.id * 10) for one in MIXED]
        assert jobs(reader.active()) == [2, 4]
        assert jobs(reader.newest_ended(3)) == [3, 5, 6]
        assert jobs(reader.newest_ended(99)) == [3, 5, 6, 1]
        assert jobs(reader.newest_ended(0)) == []
        assert sorted(jobs(reader.some([6, 2, 77]))) == [2, 6]
        assert jobs(reader.some([])) == []
        assert reader.ids() == {1, 2, 3, 4, 5, 6}


def test_a_later_row_replaces_the_earlier_and_removed_jobs_are_gone(index: Path) -> None:
    fill(index, *MIXED)
    writer = IndexWriter(str(index))
    assert not writer.fresh
    writer.write([Indexed(row(2, State.FINISHED, ended=99.0), 7)], [1, 55])
    assert writer.get(2) == row(2, State.FINISHED, ended=99.0)
    assert writer.get(1) is None
    assert writer.known()[2] == (True, 7) and writer.known()[4] == (False, 40)
    writer.close()
    with IndexReader(str(index)) as reader:
        assert jobs(reader.newest_ended(1)) == [2]
        assert reader.ids() == {2, 3, 4, 5, 6}


def test_a_thousand_rows_are_found_by_their_ids(index: Path) -> None:
    fill(index, *(row(job) for job in range(1, 1_501)))
    with IndexReader(str(index)) as reader:
        assert sorted(jobs(reader.some(range(1, 3_000)))) == list(range(1, 1_501))


def test_a_write_that_fails_changes_nothing(index: Path) -> None:
    fill(index, *MIXED)
    writer = IndexWriter(str(index))
    # A number that no column holds makes the second row fail after the first was taken.
    with pytest.raises((sqlite3.Error, OverflowError)):
        writer.write([Indexed(row(90), 1), Indexed(row(91), 2**70)], [2])
    assert writer.get(90) is None and writer.get(2) is not None
    writer.write([Indexed(row(92), 1)], [])
    assert writer.get(92) is not None
    writer.close()


def test_on_a_shared_file_system_readers_wait_for_a_write_and_read_nothing_half_written(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobtui.core.index.file_system", lambda _path: FileSystem("nfs4", False))
    writer = IndexWriter(str(index))
    writer.write([Indexed(row(job), 0) for job in range(1, 500)], [])
    assert not Path(f"{index}-wal").exists()
    other = sqlite3.connect(index, isolation_level=None, check_same_thread=False)
    # So little room that what is written goes to the file before the end.
    other.execute("PRAGMA cache_size=2")
    other.execute("BEGIN EXCLUSIVE")
    other.execute("UPDATE job SET mtime = 7")
    end = threading.Timer(0.3, lambda: other.execute("COMMIT"))
    end.start()
    with IndexReader(str(index)) as reader:
        assert {item.mtime for item in reader.all()} == {7}
    end.join()
    other.close()
    writer.close()


def test_readers_read_while_the_engine_writes(index: Path) -> None:
    writer = IndexWriter(str(index))
    for job in range(1, 60):
        writer.write([Indexed(row(job), 1)], [])
        with IndexReader(str(index)) as reader:
            assert jobs(reader.all()) == list(range(1, job + 1))
    writer.close()


def _garbage(index: Path) -> None:
    index.write_bytes(random.Random(1).randbytes(20_000))


def _text(index: Path) -> None:
    index.write_text("not a database\n")


def _empty(index: Path) -> None:
    index.write_bytes(b"")


def _cut(index: Path) -> None:
    fill(index, *(row(job, command="x" * 500) for job in range(1, 300)))
    os.truncate(index, index.stat().st_size // 2)


def _holed(index: Path) -> None:
    fill(index, *(row(job, command="x" * 500) for job in range(1, 300)))
    size = index.stat().st_size
    with index.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 8192))


def _other_version(index: Path) -> None:
    fill(index, *MIXED)
    with sqlite3.connect(index) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()


def _other_tables(index: Path) -> None:
    with sqlite3.connect(index) as db:
        db.execute("CREATE TABLE recipe (cake TEXT)")
    db.close()


def _garbage_row(index: Path) -> None:
    fill(index, *MIXED)
    with sqlite3.connect(index) as db:
        db.execute("UPDATE job SET row = ? WHERE id = 3", (b'{"id":3,"na',))
    db.close()


def _row_no_utf8(index: Path) -> None:
    fill(index, *MIXED)
    with sqlite3.connect(index) as db:
        db.execute("UPDATE job SET row = ? WHERE id = 3", (b'{"id":3,"name":"\x80","state":"failed"}',))
    db.close()


def _patched(index: Path, at: int, data: bytes) -> None:
    fill(index, *MIXED)
    with index.open("r+b") as file:
        file.seek(at)
        file.write(data)


def _file_format(index: Path) -> None:
    _patched(index, 44, b"\0\0\0\5")  # "schema format number" of the sqlite file format


def _schema_no_utf8(index: Path) -> None:
    fill(index, *MIXED)
    _patched(index, index.read_bytes().index(b"newest_ended"), b"\x80")


def _folder(index: Path) -> None:
    index.mkdir()


def _nothing(index: Path) -> None:
    index.unlink(missing_ok=True)


DAMAGE = [_garbage, _text, _empty, _cut, _holed, _other_version, _other_tables, _nothing]


@pytest.mark.parametrize(
    "damage",
    [
        *(*DAMAGE, _garbage_row, _folder, _file_format),
        _row_no_utf8,
        _schema_no_utf8,
    ],
)
def test_a_reader_says_that_a_wrong_index_cannot_be_used(index: Path, damage: Callable[[Path], None]) -> None:
    damage(index)
    with pytest.raises(IndexUnusableError) as refused, IndexReader(str(index)) as reader:
        reader.all()
    assert str(refused.value)


def test_a_reader_that_finds_no_index_makes_none(index: Path) -> None:
    with pytest.raises(IndexUnusableError):
        IndexReader(str(index))
    assert not index.exists()


@pytest.mark.parametrize(
    "damage",
    [
        *DAMAGE,
        _file_format,
        _schema_no_utf8,
    ],
)
def test_a_writer_makes_a_wrong_index_anew(index: Path, damage: Callable[[Path], None]) -> None:
    damage(index)
    writer = IndexWriter(str(index))
    assert writer.fresh and writer.known() == {}
    writer.write([Indexed(row(8), 5)], [])
    writer.close()
    with IndexReader(str(index)) as reader:
        assert jobs(reader.all()) == [8]


def test_one_garbage_row_is_unknown_to_the_writer_and_is_mended_by_the_next_write(index: Path) -> None:
    _garbage_row(index)
    writer = IndexWriter(str(index))
    assert writer.get(3) is None
    writer.write([Indexed(row(3), 5)], [])
    writer.close()
    with IndexReader(str(index)) as reader:
        assert jobs(reader.all()) == [1, 2, 3, 4, 5, 6]


def test_a_writer_notices_that_its_index_was_deleted_or_replaced(index: Path, tmp_path: Path) -> None:
    writer = IndexWriter(str(index))
    writer.write([Indexed(row(1), 5)], [])
    assert not writer.lost()
    index.unlink()
    assert writer.lost()
    writer.reopen()
    assert not writer.lost() and writer.fresh and writer.known() == {}
    (tmp_path / "other").write_text("something else")
    (tmp_path / "other").rename(index)
    assert writer.lost()
    writer.reopen()
    writer.write([Indexed(row(2), 5)], [])
    writer.close()
    with IndexReader(str(index)) as reader:
        assert jobs(reader.all()) == [2]


@pytest.mark.parametrize("name", ["with blank", "50%", "what?", "#1", "a'b\"c", "ümläut"])
def test_an_index_works_in_a_directory_of_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    fill(tmp_path / name / "index.db", *MIXED)
    with IndexReader(str(tmp_path / name / "index.db")) as reader:
        assert len(reader.ids()) == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "index.db"
    fill(path, *(row(job, command="x" * 200) for job in range(1, 100)))
    return path


@settings(max_examples=80, deadline=None)
@example(patches=[(0.328125, b"\x80")])
@example(patches=[(0.046875, b"\x80")])
@example(patches=[(0.7186106801318127, b"\x00")])
@example(patches=[(0.00038020934677207975, b"\x00" * 15 + b"\x05")])
@given(patches=st.lists(st.tuples(st.floats(0, 0.9999), st.binary(min_size=1, max_size=64)), min_size=1, max_size=4))
def test_whatever_happens_to_the_bytes_readers_answer_or_refuse_and_writers_go_on(
    sound: Path, tmp_path_factory: pytest.TempPathFactory, patches: list[tuple[float, bytes]]
) -> None:
    index = tmp_path_factory.mktemp("damaged") / "index.db"
    data = bytearray(sound.read_bytes())
    for place, patch in patches:
        at = int(place * len(data))
        data[at : at + len(patch)] = patch
    index.write_bytes(data)
    try:
        with IndexReader(str(index)) as reader:
            for item in [*reader.all(), *reader.active(), *reader.newest_ended(5), *reader.some([1, 50])]:
                assert isinstance(item.row, JobRow)
            reader.ids()
    except IndexUnusableError:
        pass
    writer = IndexWriter(str(index))
    writer.write([Indexed(row(500), 1)], [])
    assert writer.get(500) == row(500)
    writer.close()
