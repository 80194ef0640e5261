"""Jobs under a real Slurm that keeps no accounts and forgets ended jobs soon: the jobs' own records have to do."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clusters_kit import Cluster, slurm_cluster

from jobtui.core import BlockingJobManager, JobRow, JobSpec, Resources
from jobtui.core.lease import read_lease

Until = Callable[..., Any]
Row = Callable[[int], JobRow]
Sh = Callable[..., JobSpec]


@pytest.fixture(scope="module")
def slurm() -> Iterator[Cluster]:
    settings = {
        "JOBTUI_SLURM_NODES": "2",
        "JOBTUI_SLURM_DBD": "0",
        "JOBTUI_SLURM_MINJOBAGE": "10",
    }
    yield from slurm_cluster(settings)


@pytest.fixture(autouse=True)
def clean(slurm: Cluster, manager: BlockingJobManager) -> Iterator[None]:
    yield
    if manager.workdir.exists():
        manager.stop_engine()
        jids = [row.jid for row in manager.jobs() if row.jid]
        if jids:
            slurm.ask("scancel", "-Q", *jids, check=False)


def test_the_doctor_says_so(jobtui: Callable[..., Any]) -> None:
    assert "without accounting" in jobtui("doctor").stdout


def test_ends_are_told_by_the_jobs_own_records(manager: BlockingJobManager, sh: Sh) -> None:
    rows = manager.wait(manager.submit(sh("exit 0"), sh("exit 5"), sh("kill -TERM $$")), timeout=60)
    assert [(str(row.state), row.exit_code) for row in rows] == [("finished", 0), ("failed", 5), ("failed", 143)]


def test_an_end_while_no_engine_ran_and_that_slurm_has_forgotten_is_told(
    slurm: Cluster, manager: BlockingJobManager, sh: Sh, row: Row, until: Until, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    line = f"while ! [ -e {go} ]; do sleep 0.1; done; exit"
    ids = manager.submit(sh(f"{line} 0"), sh(f"{line} 6"))
    until(lambda: all(row(job).state == "running" for job in ids))
    lease = read_lease(manager.workdir)
    assert lease is not None
    os.kill(lease.process.pid, signal.SIGKILL)
    go.touch()
    jids = {str(row(job).jid) for job in ids}
    until(lambda: not jids & set(slurm.ask("squeue", "-h", "-t", "all", "-o", "%i").split()), 60)
    manager.start_engine()
    rows = manager.wait(ids, timeout=60)
    assert [(str(one.state), one.exit_code) for one in rows] == [("finished", 0), ("failed", 6)]


def test_waiting_and_running_jobs_are_cancelled(manager: BlockingJobManager, sh: Sh, row: Row, until: Until) -> None:
    ids = manager.submit(sh("sleep 300"), sh("true", resources=Resources(extra=("--begin=now+3600",))))
    until(lambda: row(ids[0]).state == "running" and row(ids[1]).jid)
    manager.cancel(ids)
    assert {str(one.state) for one in manager.wait(ids, timeout=60)} == {"cancelled"}
