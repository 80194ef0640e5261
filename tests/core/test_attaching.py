"""Taking foreign jobs over: what is recorded of them, where their logs are, and which cannot be taken over."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jobtui.core import JobRow, JobSpec, State, WorkDir
from jobtui.core.attaching import attached_spec, is_same, not_attachable, take_over, there_already
from jobtui.core.backend import Foreign, Shown
from jobtui.core.job import Resources, SpecError
from jobtui.core.metadir import read_facts
from jobtui.core.orders import submit
from jobtui.core.verdict import Observation, judge

SENT = 1_000_000.0


def listed(jid: str = "4711", mark: str = "", submitted: float = SENT) -> Foreign:
    return Foreign(jid, "theirs", Observation("running"), "main", submitted, "/x/run.sh", "/x", mark)


def folder(workdir: WorkDir, told: Shown | None) -> Path:
    workdir.create()
    spec = attached_spec("slurm", listed(), told, "env", SENT + 50)
    return Path(workdir.metadir(take_over(workdir, spec, listed())))


def test_all_that_is_known_is_in_its_folder(workdir: WorkDir, tmp_path: Path) -> None:
    out, err = tmp_path / "out", tmp_path / "err"
    out.write_text("hello\n")
    needs = Resources(cpus=4, queue="main")
    place = folder(workdir, Shown(str(out), str(err), "", "theirs", "/x/run.sh a", "/y", needs))
    facts = read_facts(str(place))
    assert facts.spec is not None and facts.accepted is not None
    assert (facts.spec.name, facts.spec.command_line(), facts.spec.cwd) == ("theirs", "/x/run.sh a", "/y")
    assert (facts.spec.resources, facts.spec.created, facts.accepted.jid) == (needs, SENT, "4711")
    assert judge(facts).state is State.SUBMITTED
    assert (place / "job.stdout").read_text() == "hello\n"
    assert os.readlink(place / "job.stderr") == str(err) and not (place / "job.stderr").exists()
    assert there_already(workdir, "slurm", listed()) == int(place.name)
    # Removing the job leaves the person's own files alone.
    workdir.remove(int(place.name))
    assert out.read_text() == "hello\n"


@pytest.mark.parametrize("told", [None, Shown(), Shown("/dev/null", "/dev/null"), Shown("relative", "a\0b")])
def test_what_is_no_file_is_no_log(workdir: WorkDir, told: Shown | None) -> None:
    place = folder(workdir, told)
    assert sorted(os.listdir(place)) == ["job.jid", "job.json"]


def test_one_file_for_both_streams_is_linked_once(workdir: WorkDir) -> None:
    place = folder(workdir, Shown("/x/out", "/x/out"))
    assert os.path.islink(place / "job.stdout") and not os.path.lexists(place / "job.stderr")


def test_a_folder_that_cannot_be_filled_is_no_job(workdir: WorkDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "symlink", full)
    with pytest.raises(OSError, match="No space"):
        folder(workdir, Shown("/x/out"))
    assert workdir.ids() == []


def test_arrays_and_jobs_of_other_work_directories_are_not_taken_over() -> None:
    assert "one by one, as 3_1" in not_attachable([listed("3_1"), listed("3_2")])
    assert "one by one" in not_attachable([listed("3[].srv")])
    assert "one by one" in not_attachable([listed("3_[4-9]")])
    assert "another work directory" in not_attachable([listed(mark="jt" + "0" * 18 + ".1")])
    for jid in ("3", "3_1", "3[7].srv", "3.srv", "3;far"):
        assert not not_attachable([listed(jid)])


def test_the_same_job_is_known_by_id_and_time() -> None:
    row = JobRow(id=3, name="theirs", state=State.RUNNING, backend="slurm", jid="4711", submitted=SENT, attached=True)
    over = JobRow(id=3, name="theirs", state=State.FAILED, backend="slurm", jid="4711", submitted=SENT, attached=True)
    # While it lives here, its id is no other job's, whatever time its scheduler gives it.
    assert is_same(row, "slurm", listed(submitted=SENT + 9999))
    assert is_same(over, "slurm", listed()) and not is_same(over, "slurm", listed(submitted=SENT + 9999))
    assert not is_same(row, "sge", listed()) and not is_same(row, "slurm", listed("4712"))


def test_nobody_submits_a_job_that_says_it_is_attached(workdir: WorkDir) -> None:
    spec = attached_spec("local", listed(), None, "env", SENT)
    with pytest.raises(SpecError, match="no job script"):
        submit(workdir, [JobSpec(command=("true",)), spec])
