"""Whole lives of jobs under a scripted stand-in for LSF: with the engine, with trouble, and with plain bsub beside."""

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

from jobtui.backends.lsf import LsfBackend
from jobtui.core import ArrayTask, BlockingJobManager, JobRow, JobSpec, Resources, WorkDir
from jobtui.core.backend import Rejected, Surroundings, Took
from jobtui.core.job import Reason

Until = Callable[..., Any]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return install("fake_lsf.py", "lsid bsub bjobs bkill bstop bresume bhist", tmp_path, monkeypatch)


@pytest.fixture
def manager(home: Path, workdir: WorkDir) -> BlockingJobManager:
    return BlockingJobManager(workdir)


def sh(line: str, **more: Any) -> JobSpec:
    return JobSpec(shell=line, backend="lsf", **more)


def test_jobs_wait_run_and_end(manager: BlockingJobManager, home: Path, until: Until) -> None:
    (home / "busy").touch()
    (home / "full").touch()
    ids = manager.submit(
        sh("echo out; echo err >&2"),
        sh("exit 3"),
        sh("while :; do sleep 0.1; done"),
        sh("true"),
        sh("while :; do sleep 0.1; done", resources=Resources(time=60)),
        sh("true", resources=Resources(queue="nosuch")),
    )

    def rows() -> dict[int, JobRow]:
        return {row.id: row for row in manager.jobs()}

    until(lambda: all(rows()[job].jid for job in ids[:5]))
    assert {str(rows()[job].state) for job in ids[:5]} == {"submitted"}
    assert (rows()[ids[5]].state, rows()[ids[5]].reason) == ("failed", "launch")
    assert "No such queue" in rows()[ids[5]].detail
    manager.hold([ids[0]])
    until(lambda: rows()[ids[0]].state == "held")
    assert rows()[ids[1]].detail == "waits for free resources (Not enough job slots: 1 host)"
    manager.cancel([ids[3]])
    until(lambda: rows()[ids[3]].state == "cancelled")
    (home / "busy").unlink()
    # The stand-in starts jobs when it is called.
    ask("lsid")
    until(lambda: rows()[ids[2]].state == "running")
    manager.cancel([ids[2]])
    manager.release([ids[0]])
    ends = {row.id: (str(row.state), row.reason, row.exit_code) for row in manager.wait(ids, timeout=60)}
    assert [ends[job] for job in ids[:3]] == [
        ("finished", None, 0), ("failed", "exit-code", 3), ("cancelled", "person", 143),
    ]  # fmt: skip
    assert ends[ids[4]][:2] == ("failed", "timeout")
    assert Path(manager.workdir.metadir(ids[0]), "job.stdout").read_text() == "out\n"
    assert not Path(manager.workdir.metadir(ids[3]), "job.begin").exists() and sent(home) == 5


def test_no_job_is_lost_or_run_twice_however_lsf_flaps(manager: BlockingJobManager, home: Path, tmp_path: Path) -> None:
    misbehave(home, bsub="good lie good silent good", bjobs="good good partial good good garbage")
    log = tmp_path / "log"
    line = f"echo $JOBTUI_JOB_INDEX >> {log}; sleep 0.3; exit $((JOBTUI_JOB_INDEX % 3))"
    ids = manager.submit(*[sh(line) for _ in range(5)])
    rows = manager.wait(ids, timeout=90)
    assert [row.exit_code for row in rows] == [job % 3 for job in ids]
    assert {str(row.state) for row in rows} == {"finished", "failed"}
    assert sorted(map(int, log.read_text().split())) == ids and sent(home) == 5


def test_an_array_is_sent_at_once(manager: BlockingJobManager, home: Path) -> None:
    line = "echo $JOBTUI_ARRAY_INDEX; exit $((JOBTUI_ARRAY_INDEX == 7))"
    # The first submission tells what there is; what is known then is sent together.
    manager.wait(manager.submit(sh("true")), timeout=30)
    ids = manager.submit(*[sh(line, array=ArrayTask(0, index)) for index in (5, 6, 7, 8)])
    rows = manager.wait(ids, timeout=60)
    assert [row.exit_code for row in rows] == [0, 0, 1, 0]
    assert [Path(manager.workdir.metadir(job), "job.stdout").read_text() for job in ids] == ["5\n", "6\n", "7\n", "8\n"]
    assert [row.jid for row in rows] == [f"2[{index}]" for index in range(1, 5)]
    assert (home / "calls.bsub").read_text() == "xx" and sent(home) == 5


# -- the back end by itself


def surroundings() -> LsfBackend:
    return LsfBackend(Surroundings(dict(os.environ)))


def test_jobs_of_the_persons_own_are_seen_and_ordered(home: Path) -> None:
    async def act() -> None:
        (home / "busy").touch()
        backend = surroundings()
        probe = await backend.probe()
        assert probe.usable and probe.words == "volclava project 2.2, cluster volclava"
        # Nothing there: a complaint and an exit code, and an answer.
        assert (await backend.poll([])).complete
        attempts = [request(1), request(2, resources=Resources(queue="nosuch"))]
        here = dict(os.environ)
        answers = await backend.submit([msgspec.structs.replace(attempt, env=here) for attempt in attempts])
        assert answers == [Took("1"), Rejected("nosuch: No such queue. Job not submitted.")]
        ask("bsub", "-J", "mine", "sleep 1")
        ours, foreign = handle(1, "1"), handle(-1, "2")
        snapshot = await backend.poll([ours])
        assert snapshot.complete and snapshot.seen[1].presence == "pending"
        assert [(one.jid, one.name, one.seen.presence) for one in snapshot.others] == [("2", "mine", "pending")]
        # Found by its mark alone, as after a submission that nobody answered.
        assert (await backend.find([handle(1, None)])).jids == {1: "1"}
        assert await backend.order("hold", [ours, foreign]) == {}
        assert {one.seen.presence for one in (await backend.poll([])).others} == {"held"}
        assert await backend.order("release", [ours]) == {}
        assert (await backend.poll([ours])).seen[1].presence == "pending"
        assert await backend.cancel([ours, foreign, handle(9, "99")], 10.0) == {}
        snapshot = await backend.poll([ours, handle(9, "99")])
        assert snapshot.complete and (snapshot.seen[1].presence, snapshot.seen[1].outcome) == ("gone", "cancelled")

    anyio.run(act)


def test_what_a_relatives_bjobs_leaves_open_is_in_its_bhist(home: Path) -> None:
    async def act() -> None:
        backend = surroundings()
        ask("bsub", "-J", "fails", "exit 3")
        ask("bsub", "-J", "slow", "-W", "1", "sleep 60")
        handles = [handle(1, "1"), handle(2, "2")]
        with anyio.fail_after(20):
            while not all(one.presence == "gone" for one in (await backend.poll(handles)).seen.values()):
                await anyio.sleep(0.1)
        assert {one.outcome for one in (await backend.poll(handles)).seen.values()} == {None}
        history = await backend.history(handles)
        assert history.complete and (history.seen[1].exit_code, history.seen[1].reason) == (3, None)
        assert history.seen[2].reason == Reason.TIMEOUT

    anyio.run(act)


def test_a_job_is_suspended_and_resumed(home: Path, until: Until) -> None:
    async def act() -> None:
        backend = surroundings()
        ask("bsub", "-J", "mine", "sleep 60")
        job = handle(1, "1")
        assert await backend.order("suspend", [job]) == {}
        assert (await backend.poll([job])).seen[1].presence == "suspended"
        assert await backend.order("resume", [job]) == {}
        assert (await backend.poll([job])).seen[1].presence == "running"
        assert await backend.cancel([job], 0.0) == {}

    anyio.run(act)
    until((home / "end.1").exists)


def test_a_lim_that_is_gone_does_not_keep_us_for_ever(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobtui.backends.lsf._PATIENCE", 1.0)

    async def act() -> None:
        backend = surroundings()
        assert (await backend.probe()).usable
        misbehave(home, bjobs="hang")
        snapshot = await backend.poll([handle(1, "1")])
        assert not snapshot.complete and not snapshot.seen and "no answer in 1 s" in snapshot.trouble

    anyio.run(act)
    assert not left_behind(home, "bjobs")
