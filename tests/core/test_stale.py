"""Files on network file systems that another machine replaces: a handle that is held or was just opened is stale."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobtui.core import JobRow, JobSpec, metadir
from jobtui.core.job import Intent, State
from jobtui.core.journal import JournalReader, JournalWriter
from jobtui.core.lease import read_lease, take
from jobtui.core.logfile import LogFile
from jobtui.core.workdir import WorkDir
from jobtui.tui.log.source import LogSource, Look

Stale = Callable[..., None]


@pytest.fixture
def stale(monkeypatch: pytest.MonkeyPatch) -> Stale:
    """Make a call of the system answer as NFS does, for one file: ``times`` times, or until it is opened anew."""

    def make(call: str, path: Path, times: int) -> None:
        real, inode, left = getattr(os, call), os.stat(path).st_ino, [times]
        status = os.fstat

        def answer(fd: Any, *more: Any) -> Any:
            if left[0] and isinstance(fd, int) and status(fd).st_ino == inode:
                left[0] -= 1
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
            return real(fd, *more)

        monkeypatch.setattr(os, call, answer)

    return make


def row(job: int) -> JobRow:
    return JobRow(id=job, name="x", state=State.QUEUED, backend="local", attempt=1, workdir="/w", command="true")


def test_a_fact_that_was_replaced_while_it_was_read_is_read_again(workdir: WorkDir, stale: Stale) -> None:
    workdir.create()
    (job,) = workdir.add([JobSpec(command=("true",))])
    folder = workdir.metadir(job)
    metadir.write_fact(folder, metadir.INTENT, Intent(hold=True))
    stale("read", Path(folder, metadir.INTENT), 2)
    facts = metadir.read_facts(folder)
    assert facts.intent.hold and not facts.damaged


def test_a_server_that_has_lost_the_file_for_good_is_told_of(workdir: WorkDir, stale: Stale) -> None:
    workdir.create()
    (job,) = workdir.add([JobSpec(command=("true",))])
    stale("read", Path(workdir.metadir(job), metadir.SPEC), 1000)
    with pytest.raises(OSError, match="Stale"):
        metadir.read_facts(workdir.metadir(job))


def test_an_engine_whose_lease_is_renewed_at_that_moment_still_drives(workdir: WorkDir, stale: Stale) -> None:
    workdir.create()
    held = take(workdir)
    stale("fstat", Path(workdir.file("engine.lease")), 1)
    assert read_lease(workdir) is not None
    held.give_up()


def test_output_is_followed_across_it_and_none_is_repeated(tmp_path: Path, stale: Stale) -> None:
    path = tmp_path / "log"
    path.write_text("one\n")
    log = LogFile(str(path))
    assert log.read().data == b"one\n"
    with path.open("a") as file:
        file.write("two\n")
    stale("pread", path, 1)
    added = log.read()
    assert (added.data, added.restarted) == (b"two\n", False)


def test_a_held_log_that_another_machine_replaced_is_opened_anew(tmp_path: Path, stale: Stale) -> None:
    path = tmp_path / "log"
    path.write_text("old\n")
    source = LogSource(str(path))
    assert source.poll() is Look.GREW
    stale("fstat", path, 1)
    (tmp_path / "new").write_text("new one\n")
    held = source.snapshot()
    assert source.poll() is Look.REPLACED
    snapshot = source.snapshot()
    assert snapshot.read(0, 100) in (b"old\n", b"new one\n") and held.size == 4
    os.rename(tmp_path / "new", path)
    assert source.poll() is Look.REPLACED
    assert source.snapshot().read(0, 100) == b"new one\n"


def test_a_held_journal_that_another_machine_removed_means_to_read_all_jobs_and_then_its_successor(
    tmp_path: Path, stale: Stale
) -> None:
    path = tmp_path / "journal"
    writer = JournalWriter(str(path))
    reader = JournalReader(str(path))
    writer.append([row(1)], [])
    assert [change.row.id for change in reader.read() or [] if change.row] == [1]
    stale("fstat", path, 1000)
    os.rename(path, tmp_path / "away")
    assert reader.read() is None
    assert reader.read() == []
    successor = JournalWriter(str(path))
    successor.append([row(2)], [])
    assert [change.row.id for change in reader.read() or [] if change.row] == [2]
