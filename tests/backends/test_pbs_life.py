"""Whole lives of jobs under a scripted stand-in for PBS: with the engine, with trouble, and with plain qsub beside."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from backend_kit import handle, request
from life_kit import ask, install, left_behind, misbehave, sent

from jobtui.backends.pbs import PbsBackend
from jobtui.core import ArrayTask, BlockingJobManager, JobRow, JobSpec, Resources, WorkDir
from jobtui.core.backend import Rejected, Surroundings, Took

Until = Callable[..., Any]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return install("fake_pbs.py", "qsub qstat qselect qdel qhold qrls qsig", tmp_path, monkeypatch)


@pytest.fixture
def manager(home: Path, workdir: WorkDir) -> BlockingJobManager:
    return BlockingJobManager(workdir)


def sh(line: str, **more: Any) -> JobSpec:
    return JobSpec(shell=line, backend="pbs", **more)


def test_jobs_wait_run_and_end(manager: BlockingJobManager, home: Path, until: Until, tmp_path: Path) -> None:
    (home / "busy").touch()
    ids = manager.submit(
        sh('echo "$JOBTUI_JOB_INDEX $MINE"; echo err >&2', env={"MINE": "a 'b\nc"}),
        sh("exit 3"),
        sh("while :; do sleep 0.1; done"),
        sh("true"),
        sh("while :; do sleep 0.1; done", resources=Resources(time=1)),
        sh("true", resources=Resources(queue="nosuch")),
    )

    def rows() -> dict[int, JobRow]:
        return {row.id: row for row in manager.jobs()}

    until(lambda: all("Not enough free nodes" in rows()[job].detail for job in ids[:5]))
    assert {str(rows()[job].state) for job in ids[:5]} == {"submitted"}
    assert (rows()[ids[5]].state, rows()[ids[5]].reason) == ("failed", "launch")
    assert "Unknown queue" in rows()[ids[5]].detail
    manager.hold([ids[0]])
    until(lambda: rows()[ids[0]].state == "held")
    manager.cancel([ids[3]])
    until(lambda: rows()[ids[3]].state == "cancelled")
    (home / "busy").unlink()
    # The stand-in starts jobs when it is called.
    ask("qselect", "-u", "me")
    until(lambda: rows()[ids[2]].state == "running")
    assert rows()[ids[2]].jid and rows()[ids[2]].jid.endswith(".vm")  # type: ignore[union-attr]
    manager.cancel([ids[2]])
    manager.release([ids[0]])
    ends = {row.id: (str(row.state), row.reason, row.exit_code) for row in manager.wait(ids, timeout=60)}
    assert [ends[job] for job in ids[:3]] == [
        ("finished", None, 0), ("failed", "exit-code", 3), ("cancelled", "person", 143),
    ]  # fmt: skip
    assert ends[ids[4]][:2] == ("failed", "timeout")
    assert Path(manager.workdir.metadir(ids[0]), "job.stdout").read_text() == f"{ids[0]} a 'b\nc\n"
    assert not Path(manager.workdir.metadir(ids[3]), "job.begin").exists() and sent(home) == 5


def test_no_job_is_lost_or_run_twice_however_pbs_flaps(manager: BlockingJobManager, home: Path, tmp_path: Path) -> None:
    misbehave(
        home,
        qsub="good lie good silent good",
        qstat="good good partial good good garbage",
        qselect="good good good good fail",
    )
    log = tmp_path / "log"
    line = f"echo $JOBTUI_JOB_INDEX >> {log}; sleep 0.3; exit $((JOBTUI_JOB_INDEX % 3))"
    ids = manager.submit(*[sh(line) for _ in range(6)])
    rows = manager.wait(ids, timeout=90)
    assert [row.exit_code for row in rows] == [job % 3 for job in ids]
    assert {str(row.state) for row in rows} == {"finished", "failed"}
    assert sorted(map(int, log.read_text().split())) == ids and sent(home) == 6


def test_a_server_that_takes_nothing_is_waited_for(manager: BlockingJobManager, home: Path, until: Until) -> None:
    misbehave(home, qsub="refuse")
    ids = manager.submit(sh("true"), sh("true"))
    until(lambda: all("cannot connect to server" in row.detail for row in manager.jobs()))
    assert {str(row.state) for row in manager.jobs()} == {"queued"} and sent(home) == 0
    misbehave(home, qsub="good")
    assert {str(row.state) for row in manager.wait(ids, timeout=60)} == {"finished"}


def test_an_array_is_sent_at_once(manager: BlockingJobManager, home: Path) -> None:
    line = "echo $JOBTUI_ARRAY_INDEX; exit $((JOBTUI_ARRAY_INDEX == 7))"
    # The first submission tells what there is; what is known then is sent together.
    manager.wait(manager.submit(sh("true")), timeout=30)
    ids = manager.submit(*[sh(line, array=ArrayTask(0, index)) for index in (5, 6, 7, 8)])
    rows = manager.wait(ids, timeout=60)
    assert [row.exit_code for row in rows] == [0, 0, 1, 0]
    assert [Path(manager.workdir.metadir(job), "job.stdout").read_text() for job in ids] == ["5\n", "6\n", "7\n", "8\n"]
    assert [row.jid for row in rows] == [f"2[{index}].vm" for index in range(4)]
    assert (home / "calls.qsub").read_text() == "xx" and sent(home) == 5


# -- the back end by itself


def surroundings() -> PbsBackend:
    return PbsBackend(Surroundings(dict(os.environ)))


def test_jobs_of_the_persons_own_are_seen_and_ordered(home: Path, tmp_path: Path) -> None:
    async def act() -> None:
        (home / "busy").touch()
        backend = surroundings()
        probe = await backend.probe()
        assert probe.usable and "with job history" in probe.words
        attempts = [request(1), request(2, resources=Resources(queue="nosuch"))]
        here = dict(os.environ)
        answers = await backend.submit([msgspec.structs.replace(attempt, env=here) for attempt in attempts])
        assert answers == [Took("1.vm"), Rejected("Unknown queue")]
        ask("qsub", "-N", "mine", "-v", "X=1")
        ours = handle(1, "1.vm")
        snapshot = await backend.poll([ours])
        assert snapshot.complete and snapshot.seen[1].presence == "pending"
        assert [(one.jid, one.name, one.seen.presence) for one in snapshot.others] == [("2.vm", "mine", "pending")]
        # Found by its mark alone, as after a submission that nobody answered.
        assert (await backend.find([handle(1, None)])).jids == {1: "1.vm"}
        assert (await backend.find([handle(3, None)])).complete
        foreign = handle(-1, "2.vm")
        assert await backend.order("hold", [ours, foreign]) == {}
        assert {one.seen.presence for one in (await backend.poll([])).others} == {"held"}
        assert await backend.cancel([ours, foreign, handle(9, "99.vm")], 10.0) == {}
        snapshot = await backend.poll([ours, handle(9, "99.vm")])
        assert snapshot.complete and set(snapshot.seen) == {1}
        assert (snapshot.seen[1].presence, snapshot.seen[1].outcome) == ("gone", "cancelled")
        assert (await backend.find([handle(1, None)])).jids == {1: "1.vm"}

    anyio.run(act)


def test_a_denied_order_is_told_in_pbs_own_words(home: Path) -> None:
    async def act() -> None:
        backend = surroundings()
        (home / "busy").touch()
        ask("qsub", "-N", "mine", "-v", "X=1")
        assert await backend.order("suspend", [handle(1, "1.vm")]) == {1: "Unauthorized Request 1.vm"}

    anyio.run(act)


def test_a_hung_server_is_given_up_on_and_nothing_is_left_of_the_question(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobtui.backends.pbs._PATIENCE", 1.0)

    async def act() -> None:
        backend = surroundings()
        assert (await backend.probe()).usable
        misbehave(home, qstat="hang")
        ask("qsub", "-N", "mine", "-v", "X=1")
        snapshot = await backend.poll([handle(1, "1.vm")])
        assert not snapshot.complete and not snapshot.seen and "no answer in 1 s" in snapshot.trouble

    anyio.run(act)
    assert not left_behind(home, "qstat")
