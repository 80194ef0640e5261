"""Jobs on another machine over a link that misbehaves: each runs exactly once there, and silence changes nothing."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ssh_kit import Link, install_ssh

from jobtui.backends.farjobs import seen_in
from jobtui.backends.ssh import judged
from jobtui.core import BlockingJobManager, JobRow, JobSpec, Retry, SpecError, WorkDir, lanesearch
from jobtui.core.backend import BackendMissingError, Handle, load
from jobtui.core.engine import Engine
from jobtui.core.job import Begin, Process
from jobtui.core.seen import read_seen
from jobtui.core.settings import Settings

Until = Callable[..., Any]


@pytest.fixture
def link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Link:
    return install_ssh(tmp_path, monkeypatch)


@pytest.fixture
def manager(workdir: WorkDir) -> BlockingJobManager:
    return BlockingJobManager(workdir)


def far(line: str, **more: Any) -> JobSpec:
    return JobSpec(shell=line, **{"backend": "ssh@far", **more})


def one(manager: BlockingJobManager, job: int) -> JobRow:
    return next(row for row in manager.jobs() if row.id == job)


def folder(link: Link, manager: BlockingJobManager, job: int, attempt: int = 1) -> Path:
    return link.far_home / ".local/state/jobtui" / manager.workdir.far_name() / f"{job}.{attempt}"


# -- lives


def test_jobs_run_there_and_their_records_come_back(
    link: Link, manager: BlockingJobManager, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    link.is_("noisy")
    monkeypatch.setenv("MY_TOKEN", "secret")
    (link.far_home / "below").mkdir()
    ids = manager.submit(
        far('pwd; echo "$MINE"; echo "${MY_TOKEN-none}"; echo err >&2', env={"MINE": "a 'b"}),
        far("exit 3", cwd="below"),
        far("pwd", cwd="~/below"),
        far("true", cwd="nowhere"),
        far("pwd", cwd=str(tmp_path)),
        far("read x; echo $?"),
    )
    rows = manager.wait(ids, timeout=60)
    ends = [(str(row.state), row.reason, row.exit_code) for row in rows]
    good = ("finished", None, 0)
    assert ends == [good, ("failed", "exit-code", 3), good, ("failed", "launch", None), good, good]
    texts = {job: (folder(link, manager, job) / "job.stdout").read_text() for job in (ids[0], *ids[2:3], *ids[4:])}
    assert list(texts.values()) == [
        f"{link.far_home}\na 'b\nnone\n",
        f"{link.far_home}/below\n",
        f"{tmp_path}\n",
        "1\n",
    ]
    assert (folder(link, manager, ids[0]) / "job.stderr").read_text() == "err\n"
    assert rows[0].elapsed is not None and rows[0].started and rows[0].ended and rows[0].host == os.uname().nodename
    assert stat.S_IMODE(folder(link, manager, ids[0]).stat().st_mode) == 0o700


def test_a_link_that_flaps_runs_each_job_exactly_once(
    link: Link, workdir: WorkDir, manager: BlockingJobManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanesearch, "_SURELY_NOT_THERE", 1.0)
    manager.configure({"autostart": False})
    ids = manager.submit(*[far("echo $JOBTUI_JOB_INDEX >>~/log; exit $((JOBTUI_JOB_INDEX % 3))") for _ in range(10)])
    link.is_("good lose good drop cut good good lose noisy good")
    engine = Engine(workdir, Settings(linger=0.1, submission_batch=2))

    async def drive() -> None:
        with anyio.fail_after(90):
            await engine.run()

    anyio.run(drive)
    rows = manager.jobs()
    assert [row.exit_code for row in rows] == [job % 3 for job in ids]
    assert sorted((link.far_home / "log").read_text().split(), key=int) == [str(job) for job in ids]


def test_while_the_link_is_down_nothing_changes_and_the_reason_is_shown(
    link: Link, manager: BlockingJobManager, until: Until
) -> None:
    running = manager.submit(far("until [ -e go ]; do sleep 0.1; done; exit 5"))[0]
    until(lambda: one(manager, running).state == "running")
    link.is_("refuse")
    waiting = manager.submit(far("true"))[0]
    until(lambda: "Connection refused" in one(manager, waiting).detail)
    until(lambda: any("Connection refused" in seen.trouble for seen in read_seen(manager.workdir)), 30)
    (link.far_home / "go").touch()
    until((folder(link, manager, running) / "job.rc").exists)
    assert (one(manager, running).state, one(manager, waiting).state) == ("running", "queued")
    link.is_("good")
    rows = manager.wait([running, waiting], timeout=90)
    assert [(str(row.state), row.exit_code) for row in rows] == [("failed", 5), ("finished", 0)]
    assert not any(seen.trouble for seen in read_seen(manager.workdir))


def test_jobs_go_on_without_an_engine_and_the_next_one_takes_them_up(
    link: Link, manager: BlockingJobManager, until: Until
) -> None:
    job = manager.submit(far("until [ -e go ]; do sleep 0.1; done; exit 4"))[0]
    until(lambda: one(manager, job).state == "running")
    assert manager.stop_engine()
    (link.far_home / "go").touch()
    until((folder(link, manager, job) / "job.rc").exists)
    manager.start_engine()
    assert manager.wait([job], timeout=40)[0].exit_code == 4


def test_orders_reach_what_runs_there(link: Link, manager: BlockingJobManager, until: Until) -> None:
    stubborn = "trap '' TERM; (setsid sleep 601 &); echo $$ >pid; while :; do sleep 0.1; done"
    jobs = manager.submit(far(stubborn, grace=1.0), far("trap 'exit 9' USR1; while :; do sleep 0.1; done"))
    until(lambda: all(one(manager, job).state == "running" for job in jobs) and (link.far_home / "pid").exists())
    manager.suspend([jobs[1]])
    until(lambda: one(manager, jobs[1]).state == "suspended", 30)
    manager.resume([jobs[1]])
    until(lambda: one(manager, jobs[1]).state == "running", 30)
    manager.signal([jobs[1]], "USR1")
    manager.cancel([jobs[0]])
    rows = manager.wait(jobs, timeout=60)
    assert [(str(row.state), row.exit_code) for row in rows] == [("cancelled", 137), ("failed", 9)]
    assert not Path(f"/proc/{(link.far_home / 'pid').read_text().strip()}/fd/0").exists()
    until(lambda: b"601" not in b"".join(_command_lines()))


def _command_lines() -> list[bytes]:
    found: list[bytes] = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            found.append(Path(f"/proc/{pid}/cmdline").read_bytes())
        except OSError:
            continue
    return [words for words in found if words.startswith(b"sleep\x00")]


def test_each_attempt_has_a_folder_of_its_own(link: Link, manager: BlockingJobManager) -> None:
    job = manager.submit(far("echo $JOBTUI_ATTEMPT; [ $JOBTUI_ATTEMPT = 2 ]", retry=Retry(limit=3)))[0]
    row = manager.wait([job], timeout=60)[0]
    assert (row.state, row.attempt) == ("finished", 2)
    texts = [(folder(link, manager, job, attempt) / "job.stdout").read_text() for attempt in (1, 2)]
    assert texts == ["1\n", "2\n"]


def test_a_job_that_is_killed_with_its_script_is_lost(link: Link, manager: BlockingJobManager, until: Until) -> None:
    job = manager.submit(far("sleep 600"))[0]
    until(lambda: one(manager, job).state == "running")
    until(lambda: (detail := manager.detail(job)) is not None and detail.facts.begin is not None)
    detail = manager.detail(job)
    assert detail is not None and detail.facts.begin is not None
    for process in (detail.facts.begin.wrapper, detail.facts.begin.payload):
        os.kill(process.pid, 9)
    row = manager.wait([job], timeout=40)[0]
    assert (row.state, row.reason) == ("failed", "lost")


def test_what_cannot_go_to_another_machine_is_refused_in_plain_words(link: Link, manager: BlockingJobManager) -> None:
    for name, words in {
        "ssh": "needs the name of a machine",
        "ssh@": "not the name of a machine",
        "ssh@-oProxyCommand=x": "not the name of a machine",
        "slurm@a b": "not the name of a machine",
        "ssh@a;b": "not the name of a machine",
        "local@far": "jobs on another one are ssh@HOST",
        "nothing@far": "there is no back end called 'nothing'",
    }.items():
        with pytest.raises(BackendMissingError, match=words):
            load(name)
    assert load("slurm@me@host-1.example.org").name == "slurm"
    with pytest.raises(SpecError, match="no standard input"):
        manager.submit(far("cat", stdin="/etc/passwd"))


def test_a_scheduler_there_is_spoken_to_in_the_environment_of_a_login(
    link: Link, manager: BlockingJobManager, until: Until, tmp_path: Path
) -> None:
    home = tmp_path / "fake"
    (home / "modes").mkdir(parents=True)
    (link.far_home / "bin").mkdir()
    script = link.far_home / "bin" / "fake"
    script.write_text(f"#!{sys.executable} -IS\n{Path(__file__).with_name('fake_slurm.py').read_text()}")
    script.chmod(0o755)
    for name in ("sbatch", "squeue", "scancel", "scontrol", "sacct"):
        (link.far_home / "bin" / name).symlink_to(script)
    (link.far_home / ".profile").write_text(f"export PATH=$HOME/bin:$PATH FAKE_SLURM={home}\n")
    ids = manager.submit(far("pwd", backend="slurm@far"), far("exit 2", backend="slurm@far"))
    rows = manager.wait(ids, timeout=60)
    assert [(str(row.state), row.exit_code) for row in rows] == [("finished", 0), ("failed", 2)]
    assert (folder(link, manager, ids[0]) / "job.stdout").read_text() == f"{link.far_home}\n"
    # The answer to a submission is lost: it is found there, and nothing is sent a second time.
    link.is_("lose good good good")
    job = manager.submit(far("sleep 0.1", backend="slurm@far"))
    assert manager.wait(job, timeout=60)[0].state == "finished"
    assert len(list(home.glob("job.*.json"))) == 3


def test_a_machine_without_the_scheduler_says_so(link: Link, manager: BlockingJobManager) -> None:
    row = manager.wait(manager.submit(far("true", backend="lsf@far")), timeout=30)[0]
    assert (row.state, row.reason) == ("failed", "launch") and "there is no command" in row.detail


# -- what a look means

BEGIN = Begin(1, "t", "far", "boot-1", Process(10, 100), Process(11, 101), 5.0)


def handle(begin: Begin | None = BEGIN, jid: str | None = "10") -> Handle:
    return Handle(7, 1, "t", jid, "/x", begin)


def look(*lines: str, begin: Begin | None = BEGIN, jid: str | None = "10") -> tuple[str, str | None]:
    handles = [handle(begin, jid)]
    text = "\n".join([*lines, "looked"]).encode() + b"\n"
    seen, _ = judged(handles, seen_in(text, handles, 1000.0))
    return (seen[7].presence, seen[7].reason) if 7 in seen else ("", None)


def test_processes_tell_how_a_job_is() -> None:
    here = ("boot boot-1", "host far")
    assert look(*here, "proc 10 S 100", "proc 11 S 101") == ("running", None)
    assert look(*here, "proc 10 S 100", "proc 11 T 101") == ("suspended", None)
    assert look(*here, "proc 11 S 101") == ("running", None)
    assert look(*here, "proc 10 S 555", "proc 11 Z 101") == ("gone", "lost")
    assert look("boot boot-2", "host far", "proc 10 S 100") == ("gone", "node-failure")
    assert look("boot boot-2", "host other") == ("", None)
    assert look(*here, "pid 7.1 10 boot-1 alive", begin=None) == ("running", None)
    assert look(*here, "pid 7.1 10 boot-1 -", begin=None) == ("gone", "launch")
    assert look(*here, "begin 7.1 {}", begin=None) == ("", None)
    assert look(*here, begin=None, jid=None) == ("", None)


@given(st.text(max_size=200), st.integers(0, 300))
def test_garbage_in_a_look_is_no_end_and_no_crash(noise: str, cut: int) -> None:
    text = (f"boot boot-1\nhost far\nproc 10 S 100\nproc 11 S 101\nrc 7.1 {noise}\nat 1 x\nlooked\n").encode(
        "utf-8", "surrogateescape" if noise.isascii() else "replace"
    )
    handles = [handle()]
    sight = seen_in(text[: max(0, len(text) - cut)], handles, 1000.0)
    seen, _ = judged(handles, sight)
    assert not sight.complete or seen[7].presence == "running"


def test_records_get_the_time_at_which_they_were_written() -> None:
    text = b"begin 7.1 {}\nrc 7.1 {}\nat 400 7.1/job.begin\nat 460 7.1/job.rc\nnow 470\nlooked\n"
    records = seen_in(text, [handle(None)], 10_000.0).records[7]
    assert [(record.name, record.at) for record in records] == [("job.begin", 9930.0), ("job.rc", 9990.0)]
