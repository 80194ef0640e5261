"""Both streams as one log: whole lines, in the order of arrival as far as it was seen, and honest about the rest."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtui.tui.log import merged as merged_module
from jobtui.tui.log.document import Document, Page
from jobtui.tui.log.item import Look
from jobtui.tui.log.lines import Lines, Regions
from jobtui.tui.log.merged import STDERR, STDOUT, MergedSnapshot, MergedSource
from jobtui.tui.log.source import LogSource
from jobtui.tui.log.source import Look as Found


class Job:
    """Two files, and a look at both."""

    def __init__(self, folder: Path, over: bool = False) -> None:
        self.paths = {STDOUT: folder / "out", STDERR: folder / "err"}
        self.over = over
        self.open()

    def open(self) -> None:
        self.source = MergedSource(LogSource(str(self.paths[STDOUT])), LogSource(str(self.paths[STDERR])), self.over)

    def write(self, stream: int, data: bytes) -> None:
        with self.paths[stream].open("ab") as file:
            file.write(data)

    def page(self) -> Page:
        snapshot = self.source.snapshot()
        assert isinstance(snapshot, MergedSnapshot)
        lines = Lines(snapshot, Regions())
        return Document().page(lines, lines, Look(), None, 10_000, 0, snapshot)

    @property
    def seen(self) -> list[tuple[int, str]]:
        return [(0 if row.note else row.stream, row.text) for row in self.page().rows]


def test_what_is_watched_stands_in_the_order_of_arrival(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.source.poll()
    for stream, data in [
        (1, b"a\n"),
        (2, b"oops\n"),
        (1, b"b\nc"),
        (2, b"half"),
        (1, b"c\n"),
        (2, b" done\n"),
        (1, b"d"),
    ]:
        job.write(stream, data)
        assert job.source.poll() is Found.GREW
    assert job.seen == [(1, "a"), (2, "oops"), (1, "b"), (1, "cc"), (2, "half done"), (1, "d")]


def test_a_line_without_its_end_is_shown_last_and_stays_one_line(tmp_path: Path) -> None:
    job = Job(tmp_path)
    for stream, data in [(2, b"\r10%"), (1, b"start\n"), (2, b"\r20%"), (1, b"wai"), (2, b"\r30%")]:
        job.write(stream, data)
        job.source.poll()
    assert job.seen == [(1, "start"), (1, "wai"), (2, "30%")]
    job.write(2, b"\n")
    job.source.poll()
    assert job.seen == [(1, "start"), (2, "30%"), (1, "wai")]


def test_what_was_written_before_is_kept_apart_and_named(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.write(1, b"one\ntwo\n")
    job.write(2, b"error\npart")
    job.source.poll()
    job.write(1, b"three\n")
    job.source.poll()
    assert job.seen == [
        (0, "── stdout, all that was written before this view ──"),
        (1, "one"),
        (1, "two"),
        (0, "── stderr, all that was written before this view ──"),
        (2, "error"),
        (0, "── from here on both, in the order of arrival ──"),
        (1, "three"),
        (2, "part"),
    ]


def test_of_one_stream_alone_the_order_is_known(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.write(1, b"one\n")
    job.source.poll()
    job.write(2, b"late\n")
    job.source.poll()
    assert job.seen == [(1, "one"), (2, "late")]


def test_at_the_end_of_the_job_lines_without_an_end_are_whole(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.write(1, b"out without end")
    job.write(2, b"err without end")
    for over in (False, True):
        job.over = over
        job.open()
        job.source.poll()
        job.source.finish()
        job.source.poll()
        snapshot = job.source.snapshot()
        assert snapshot.stable == snapshot.size
        assert (0, "── stdout, all of it ──") in job.seen or not over
        assert [row for row in job.seen if row[0]] == [(1, "out without end"), (2, "err without end")]


def test_a_stream_that_is_cut_off_begins_all_anew(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.write(1, b"old\n")
    job.write(2, b"kept\n")
    job.source.poll()
    job.paths[STDOUT].write_bytes(b"")
    assert job.source.poll() is Found.TRUNCATED and job.source.generation == 1
    assert job.seen == [(2, "kept")]


@given(
    st.lists(
        st.tuples(st.sampled_from([1, 2]), st.sampled_from([b"a\n", b"bb", b"\n", b"c\nd\n", b"\re"])), max_size=30
    )
)
def test_no_byte_is_lost_and_each_stream_keeps_its_order(writes: list[tuple[int, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        job = Job(Path(folder))
        whole = {1: b"", 2: b""}
        for stream, data in writes:
            job.write(stream, data)
            whole[stream] += data
            job.source.poll()
        snapshot = job.source.snapshot()
        assert isinstance(snapshot, MergedSnapshot)
        data = snapshot.read(0, 10_000)
        assert len(data) == snapshot.size
        assert [snapshot.read(at, 3) for at in range(len(data))] == [data[at : at + 3] for at in range(len(data))]
        found, at = {1: b"", 2: b""}, 0
        for line in data.splitlines(keepends=True) if b"\r" not in data else data.split(b"\n"):
            line = line if line.endswith(b"\n") else line + b"\n"
            found[snapshot.stream_at(at)] += line
            at += len(line)
        for stream, written in whole.items():
            assert found[stream].rstrip(b"\n") == written.rstrip(b"\n")


def test_a_long_watch_takes_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merged_module, "_MANY", 10)
    job = Job(tmp_path)
    for number in range(200):
        job.write(1 + number % 2, b"%d\n" % number)
        job.source.poll()
    assert len(job.source._spans.begins) < 40
    assert sorted(int(text) for _, text in job.seen) == list(range(200))
