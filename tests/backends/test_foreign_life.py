"""Foreign jobs under the engine: asked for while somebody looks, ordered by their ids, and left alone otherwise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from life_kit import install

from jobtui.core import BlockingJobManager, JobSpec, WorkDir
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
