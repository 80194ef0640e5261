"""Foreign jobs under the engine: asked for while somebody looks, ordered by their ids, and left alone otherwise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from life_kit import install, misbehave, sent

from jobtui.core import AfterJob, BlockingJobManager, JobSpec, WorkDir
from jobtui.core.errands import ForeignOrder
from jobtui.core.foreign import foreign_rows, own_jobs
from jobtui.core.wants import Looking, Want
from jobtui.core.workdir import ErrandFor

Until = Callable[..., Any]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return install("fake_pbs.py", "qsub qstat qselect qdel qhold qrls qsig", tmp_path, monkeypatch)


def sub(line: str, name: str) -> str:
    script = f"#!/bin/sh\n{line}\n"
    argv = ["qsub", "-N", name, "-v", "X=1"]
    done = subprocess.run(argv, input=script, capture_output=True, text=True, timeout=30, check=True)
    return done.stdout.strip()


def test_what_somebody_looks_at_is_asked_for_without_any_job(home: Path, workdir: WorkDir, until: Until) -> None:
    theirs = sub("sleep 60", "theirs")
    manager = BlockingJobManager(workdir)
    assert manager.ask_schedulers(["pbs"], 60)
    (seen,) = manager.schedulers()
    assert [(other.jid, other.name, other.seen.presence) for other in seen.others] == [(theirs, "theirs", "running")]
    # Nobody looks any more: nobody asks, and the engine ends.
    until(lambda: manager.engine() is None, 60)


def test_an_order_reaches_the_foreign_job_and_no_other(home: Path, workdir: WorkDir, until: Until) -> None:
    theirs, other = sub("sleep 60", "theirs"), sub("sleep 60", "other")
    manager = BlockingJobManager(workdir)
    (mine,) = manager.submit(JobSpec(shell="sleep 60", backend="pbs"))
    looking = Looking(workdir)
    looking.at(Want(schedulers=("pbs",)))

    def shown() -> dict[str, str]:
        seen = manager.schedulers()
        own = manager.jobs()
        return {row.jid or "": str(row.state) for row in foreign_rows(seen, own_jobs(own, seen), 0.0)}

    until(lambda: manager.jobs()[0].state == "running" and set(shown()) == {theirs, other}, 60)
    jid = manager.jobs()[0].jid or ""
    outcomes = manager.order_foreign(
        ForeignOrder("cancel"),
        [
            ("pbs", ErrandFor(theirs)),
            ("pbs", ErrandFor("999.nowhere")),
            ("pbs", ErrandFor(jid)),
            ("none", ErrandFor("1")),
        ],
    )
    assert outcomes["pbs", theirs].done
    assert "does not list" in outcomes["pbs", "999.nowhere"].words
    assert "of this work directory" in outcomes["pbs", jid].words
    assert "no scheduler" in outcomes["none", "1"].words
    until(lambda: shown().get(theirs) in (None, "cancelled", "failed"), 60)
    assert shown()[other] == "running"
    assert manager.jobs()[0].state == "running"
    assert list(Path(workdir.path, "answers").iterdir()) == []
    looking.close()
    manager.cancel([mine])


def test_each_foreign_job_is_listed_with_its_own_reason(home: Path, workdir: WorkDir, until: Until) -> None:
    runs = sub("sleep 60", "runs")
    manager = BlockingJobManager(workdir)
    assert manager.ask_schedulers(["pbs"], 60)
    (home / "busy").touch()
    waits = sub("sleep 60", "waits")
    subprocess.run(["qhold", waits], check=True, timeout=30)
    jobtui = [Path(sys.executable).with_name("jobtui"), "-w", workdir.path, "ls", "--foreign"]

    def lines() -> dict[str, str]:
        assert manager.ask_schedulers(["pbs"], 60)
        out = subprocess.run(jobtui, capture_output=True, text=True, timeout=120, check=True).stdout
        return {line.split()[0]: line for line in out.splitlines()[1:]}

    until(lambda: set(lines()) == {f"pbs:{jid}" for jid in (runs, waits)} and "held" in lines()[f"pbs:{waits}"])
    assert "release it" in lines()[f"pbs:{waits}"]
    assert "release it" not in lines()[f"pbs:{runs}"]


def attached(manager: BlockingJobManager, jid: str) -> int:
    outcome = manager.order_foreign(ForeignOrder("attach"), [("pbs", ErrandFor(jid))])["pbs", jid]
    assert outcome.done, outcome.words
    return outcome.job


def plain(line: str, name: str) -> str:
    """A job without any mark."""
    argv = ["qsub", "-N", name, "-v", "X="]
    script = f"#!/bin/sh\n{line}\n"
    return subprocess.run(argv, input=script, capture_output=True, text=True, timeout=30, check=True).stdout.strip()


def test_an_attached_job_is_followed_to_the_end_that_its_scheduler_tells(
    home: Path, workdir: WorkDir, until: Until, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    wait = f"while [ ! -e {gate} ]; do sleep 0.05; done"
    good, bad, doomed = plain(wait, "good"), plain(f"{wait}; exit 3", "bad"), plain("sleep 600", "doomed")
    manager = BlockingJobManager(workdir)
    manager.configure({"on_error": "retry"})
    ids = [attached(manager, jid) for jid in (good, bad, doomed)]
    (_, again) = manager.order_foreign(ForeignOrder("attach"), [("pbs", ErrandFor(good))]).popitem()
    assert not again.done and f"it is job {ids[0]} of this work directory already" in again.words
    rows = until(lambda: all(row.state == "running" for row in manager.jobs()) and manager.jobs(), 60)
    assert [(row.id, row.name, row.jid, row.attached) for row in rows] == [
        (ids[0], "good", good, True),
        (ids[1], "bad", bad, True),
        (ids[2], "doomed", doomed, True),
    ]
    seen = manager.schedulers()
    assert not foreign_rows(seen, own_jobs(manager.jobs(), seen), 0.0)
    # By the scheduler's id no order reaches it behind our back.
    (_, refused) = manager.order_foreign(ForeignOrder("cancel"), [("pbs", ErrandFor(doomed))]).popitem()
    assert not refused.done and f"job {ids[2]}" in refused.words
    manager.cancel([ids[2]])
    manager.stop_engine()
    gate.write_text("")
    manager.start_engine()
    ended = {row.id: row for row in manager.wait(ids, timeout=120)}
    assert [(str(ended[job].state), ended[job].exit_code) for job in ids[:2]] == [("finished", 0), ("failed", 3)]
    assert ended[ids[2]].state == "cancelled"
    # Nothing of it ever runs again.
    assert not any(outcome.done for outcome in [*manager.retry(ids), *manager.requeue(ids)])
    assert sent(home) == 3
    for job in ids:
        assert not Path(workdir.metadir(job), "job.begin").exists()


def test_a_scheduler_that_falls_silent_ends_no_attached_job(home: Path, workdir: WorkDir, until: Until) -> None:
    jid = plain("sleep 600", "theirs")
    manager = BlockingJobManager(workdir)
    job = attached(manager, jid)
    until(lambda: manager.jobs()[0].state == "running", 60)
    misbehave(home, qstat="fail", qselect="fail")
    (_, refused) = manager.order_foreign(ForeignOrder("attach"), [("pbs", ErrandFor("99.vm"))]).popitem()
    assert not refused.done
    assert manager.jobs()[0].state == "running"
    misbehave(home, qstat="good", qselect="good")
    manager.cancel([job])
    assert manager.wait([job], timeout=120)[0].state == "cancelled"


def test_the_command_attaches_and_says_what_it_cannot(home: Path, workdir: WorkDir, jobtui: Any, until: Until) -> None:
    jid = plain("sleep 600", "theirs")
    assert jobtui("attach", "12").returncode == 2
    done = jobtui("attach", f"pbs:{jid}", "pbs:99.vm")
    assert done.returncode == 1
    why = "where it writes is not known: PBS is not asked where jobs write to"
    assert done.stdout == f"pbs:{jid}: is job 1 of the work directory now; {why}\n"
    assert "pbs:99.vm: it does not list such a job of yours" in done.stderr
    assert "taken over later" in jobtui("show", "1").stdout
    assert "has no job script of it" in jobtui("resubmit", "1").stderr
    assert jobtui("cancel", "1").returncode == 0


def test_a_job_may_wait_for_an_attached_one_and_no_failure_of_ours_halts_that(
    home: Path, workdir: WorkDir, until: Until, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    manager = BlockingJobManager(workdir)
    manager.configure({"on_error": "halt"})
    first = attached(manager, plain(f"while [ ! -e {gate} ]; do sleep 0.05; done", "first"))
    (bad,) = manager.submit(JobSpec(command=("false",)))
    assert manager.wait([bad], timeout=60)[0].state == "failed"
    manager.stop_engine()
    until(lambda: manager.engine() is None, 60)
    manager.configure({"on_error": "ignore"})
    (after,) = manager.submit(JobSpec(shell="true", backend="pbs", after=AfterJob(first)))
    manager.start_engine()
    wanted = {first: "running", bad: "failed", after: "created"}
    until(lambda: {row.id: str(row.state) for row in manager.jobs()} == wanted, 60)
    gate.write_text("")
    assert [str(row.state) for row in manager.wait([first, after], timeout=120)] == ["finished", "finished"]
