"""Jobs on another machine by a real ssh and sshd: with and without a scheduler there, and when the link breaks."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clusters_kit import Cluster, free_ports, running, slurm_cluster

from jobtui.core import BlockingJobManager, JobRow, JobSpec, WorkDir
from jobtui.core.seen import read_seen

Until = Callable[..., Any]
Row = Callable[[int], JobRow]

HOME = Path("/home/carol")
NOISE = "echo Welcome; echo 'no terminal' >&2\n"


@pytest.fixture(scope="module")
def sshd() -> Iterator[Cluster]:
    """An sshd whose account greets everybody, also those who only want to run a command."""
    with running("sshd.sh", {"JOBTUI_SSHD_PORT": f"{free_ports(1)}"}) as cluster:
        files = [HOME / name for name in (".bashrc", ".profile")]
        kept = {file: file.read_bytes() if file.exists() else None for file in files}
        files[0].write_bytes(NOISE.encode() + (kept[files[0]] or b""))
        try:
            yield cluster
        finally:
            for file, content in kept.items():
                if content is None:
                    file.unlink(missing_ok=True)
                else:
                    file.write_bytes(content)


@pytest.fixture(autouse=True)
def clean(sshd: Cluster, manager: BlockingJobManager, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A connection of its own for each test, and nothing left on the other side."""
    runtime = tempfile.mkdtemp(prefix="jt")
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    sshd.call("up")
    yield
    if manager.workdir.exists():
        manager.cancel([row.id for row in manager.jobs()], force=True)
        deadline = time.monotonic() + 30
        while any(row.state == "cancelling" for row in manager.jobs()) and time.monotonic() < deadline:
            time.sleep(0.2)
        manager.stop_engine()
        shutil.rmtree(there(manager), ignore_errors=True)
    sshd.call("cut")
    shutil.rmtree(runtime, ignore_errors=True)


def there(manager: BlockingJobManager) -> Path:
    return HOME / ".local/state/jobtui" / manager.workdir.far_name()


def far(line: str, **more: Any) -> JobSpec:
    return JobSpec(shell=line, **{"backend": "ssh@far", **more})


def ends(rows: list[JobRow]) -> list[tuple[str, str | None, int | None]]:
    return [(str(row.state), row.reason, row.exit_code) for row in rows]


def connections(sshd: Cluster) -> int:
    text = subprocess.run(["pgrep", "-fc", "^sshd: carol@notty"], capture_output=True, text=True).stdout
    return int(text or 0)


def test_fifty_jobs_run_as_the_account_there_over_one_connection(
    sshd: Cluster, manager: BlockingJobManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "secret")
    lines = ['id -un; pwd; echo "${MY_TOKEN-none}"', *(f"exit {number % 4}" for number in range(1, 50))]
    ids = manager.submit(*[far(line) for line in lines])
    rows = manager.wait(ids, timeout=240)
    assert [row.exit_code for row in rows] == [0, *(number % 4 for number in range(1, 50))]
    assert (there(manager) / f"{ids[0]}.1/job.stdout").read_text() == "carol\n/home/carol\nnone\n"
    assert len(list(there(manager).glob("*/job.begin"))) == 50
    assert connections(sshd) <= 1


def test_a_job_there_is_cancelled_with_all_that_it_started(
    sshd: Cluster, manager: BlockingJobManager, row: Row, until: Until
) -> None:
    job = manager.submit(far("trap '' TERM; (setsid sleep 6021 &); while :; do sleep 0.2; done", grace=1.0))[0]
    until(lambda: row(job).state == "running", 40)
    until(lambda: subprocess.run(["pgrep", "-f", "^sleep 6021"], capture_output=True).returncode == 0)
    manager.cancel([job])
    assert ends(manager.wait([job], timeout=60)) == [("cancelled", "person", 137)]
    until(lambda: subprocess.run(["pgrep", "-f", "^sleep 6021"], capture_output=True).returncode == 1)


def test_a_broken_connection_and_a_dead_sshd_change_no_state(
    sshd: Cluster, manager: BlockingJobManager, row: Row, until: Until
) -> None:
    go = HOME / "go"
    go.unlink(missing_ok=True)
    ids = manager.submit(far("until [ -e go ]; do sleep 0.1; done; exit 5"), far("sleep 600"))
    until(lambda: all(row(job).state == "running" for job in ids), 40)
    sshd.call("cut")
    sshd.call("down")
    late = manager.submit(far("true"))[0]
    until(lambda: any("refused" in seen.trouble for seen in read_seen(manager.workdir)), 40)
    go.touch()
    until((there(manager) / f"{ids[0]}.1/job.rc").exists)
    assert [row(job).state for job in (*ids, late)] == ["running", "running", "queued"]
    sshd.call("up")
    rows = manager.wait([ids[0], late], timeout=120)
    go.unlink()
    assert ends(rows) == [("failed", "exit-code", 5), ("finished", None, 0)]
    assert row(ids[1]).state == "running"


def test_connections_cut_at_random_lose_and_double_nothing(sshd: Cluster, manager: BlockingJobManager) -> None:
    log = HOME / "ran"
    log.unlink(missing_ok=True)
    ids = manager.submit(*[far("echo $JOBTUI_JOB_INDEX >>~/ran; exit $((JOBTUI_JOB_INDEX % 2))") for _ in range(12)])
    for pause in (0.3, 0.7, 1.1, 0.5):
        time.sleep(pause)
        sshd.call("cut")
    rows = manager.wait(ids, timeout=240)
    assert [row.exit_code for row in rows] == [job % 2 for job in ids]
    assert sorted(map(int, log.read_text().split())) == ids
    log.unlink()


def test_a_wrong_name_and_a_denied_key_are_said_in_sshs_own_words(
    sshd: Cluster, manager: BlockingJobManager, row: Row, until: Until
) -> None:
    ids = manager.submit(
        JobSpec(command=("true",), backend="ssh@no-such-host.invalid"),
        JobSpec(command=("true",), backend="ssh@wrong@far"),
    )
    until(lambda: "Could not resolve hostname" in row(ids[0]).detail, 60)
    until(lambda: "Permission denied" in row(ids[1]).detail, 60)
    assert [row(job).state for job in ids] == ["queued", "queued"]
    manager.cancel(ids)


def test_slurm_on_another_machine(sshd: Cluster, workdir: WorkDir, manager: BlockingJobManager, row: Row) -> None:
    settings = {"JOBTUI_SLURM_DBD": "0"}
    for slurm in slurm_cluster(settings):
        # What a login there sets; here nobody knows of it.
        conf = os.environ.pop("SLURM_CONF")
        with (HOME / ".profile").open("a") as file:
            file.write(f"\nexport SLURM_CONF={conf}\necho Welcome\n")
        try:
            _with_slurm(slurm, sshd, manager, row)
        finally:
            os.environ["SLURM_CONF"] = conf
            manager.stop_engine()


def _with_slurm(slurm: Cluster, sshd: Cluster, manager: BlockingJobManager, row: Row) -> None:
    def there_by_slurm(line: str, **more: Any) -> JobSpec:
        return far(line, backend="slurm@far", **more)

    ids = manager.submit(there_by_slurm("id -un; pwd; exit 3"), *[there_by_slurm("sleep 600") for _ in range(2)])
    assert ends(manager.wait([ids[0]], timeout=60)) == [("failed", "exit-code", 3)]
    assert (there(manager) / f"{ids[0]}.1/job.stdout").read_text() == "carol\n/home/carol\n"
    sshd.call("cut")
    manager.cancel(ids[1:])
    assert {str(one.state) for one in manager.wait(ids[1:], timeout=90)} == {"cancelled"}
    assert len(slurm.ask("squeue", "-h", "-t", "all", "-o", "%i").split()) == 3
