"""What must not be lost when things break: kills, hang-ups, full disks, garbage, lost files, a wrong clock."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobtui.core import (
    AfterTime,
    BlockingJobManager,
    Engine,
    EngineFailedError,
    JobManager,
    JobRow,
    JobSpec,
    Retry,
    Settings,
    WorkDir,
    WorkDirError,
)
from jobtui.core.identity import myself
from jobtui.core.job import Begin, End
from jobtui.core.lease import is_held, read_lease
from jobtui.core.metadir import read_facts
from jobtui.core.script import job_script, place_here

Until = Callable[..., Any]
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def manager(workdir: WorkDir) -> BlockingJobManager:
    return BlockingJobManager(workdir)


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(path)]).returncode:
        pytest.skip("mounting a small tmpfs needs root")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def sh(line: str, **more: Any) -> JobSpec:
    return JobSpec(shell=line, **more)


def one(manager: BlockingJobManager, job: int) -> JobRow:
    detail = manager.detail(job)
    assert detail is not None
    return detail.row


def begin_of(manager: BlockingJobManager, job: int) -> Begin | None:
    return read_facts(manager.workdir.metadir(job)).begin


def end_of(manager: BlockingJobManager, job: int) -> End | None:
    return read_facts(manager.workdir.metadir(job)).end


def kill_payload(leader: int) -> None:
    """KILL to the payload's process group, or to its leader in the moment before it has one."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        os.kill(leader, signal.SIGKILL)


def kill_engine(manager: BlockingJobManager) -> None:
    lease = read_lease(manager.workdir)
    assert lease is not None
    os.kill(lease.process.pid, signal.SIGKILL)
    while is_held(lease):
        time.sleep(0.005)


# -- kills


def test_a_thousand_jobs_run_exactly_once_whatever_happens_to_the_engine(
    manager: BlockingJobManager, jobtui: Command, tmp_path: Path, until: Until
) -> None:
    ran = tmp_path / "ran"
    ran.mkdir()
    lines = "".join(f"sh -c 'echo x >> {ran}/{i}; exit {i % 7}'\n" for i in range(1000))
    jobtui("submit", "--from", "-", input=lines, check=0)
    waiting = subprocess.Popen(
        [Path(sys.executable).with_name("jobtui"), "wait"],
        env={**os.environ, "JOBTUI_WORKDIR": manager.workdir.path},
        stderr=subprocess.PIPE,
    )
    chance = random.Random(7)
    for _ in range(10):
        before = len(os.listdir(ran))
        until(lambda: is_held(read_lease(manager.workdir)))
        some = before + chance.randrange(2, 60)
        until(lambda n=some: len(os.listdir(ran)) >= n or waiting.poll() is not None)
        if waiting.poll() is None and is_held(read_lease(manager.workdir)):
            kill_engine(manager)
    waiting.communicate(timeout=120)
    assert waiting.returncode == 1, "six of seven jobs fail"
    rows = manager.jobs()
    assert len(rows) == 1000
    assert Counter(path.read_text() for path in ran.iterdir()) == {"x\n": 1000}
    assert [row.exit_code for row in rows] == [i % 7 for i in range(1000)]
    assert {row.state for row in rows} == {"finished", "failed"}
    assert all(row.attempt == 1 for row in rows)


def test_the_engine_killed_between_its_word_and_the_start_runs_the_job_once(
    manager: BlockingJobManager, tmp_path: Path
) -> None:
    manager.configure({"autostart": False})
    job = manager.submit(sh(f"echo x >> {tmp_path}/ran"))[0]
    spec = read_facts(manager.workdir.metadir(job)).spec
    assert spec is not None
    submitting = {"attempt": 1, "tag": spec.tag, "at": time.time()}
    Path(manager.workdir.metadir(job), "job.submitting").write_bytes(msgspec.json.encode(submitting) + b"\n")
    manager.start_engine()
    assert manager.wait([job], timeout=60)[0].state == "finished"
    assert (tmp_path / "ran").read_text() == "x\n"


def test_a_job_cancelled_while_its_start_was_in_doubt_never_starts(manager: BlockingJobManager, tmp_path: Path) -> None:
    manager.configure({"autostart": False})
    job = manager.submit(sh(f"touch {tmp_path}/ran"))[0]
    folder = Path(manager.workdir.metadir(job))
    spec = read_facts(str(folder)).spec
    assert spec is not None
    sent = {"attempt": 1, "tag": spec.tag, "at": time.time()}
    (folder / "job.submitting").write_bytes(msgspec.json.encode(sent) + b"\n")
    manager.cancel([job])
    manager.start_engine()
    assert manager.wait([job], timeout=60)[0].state == "cancelled"
    # The script that the dead engine had started comes to life only now.
    late = tmp_path / "late"
    late.write_text(job_script(spec, job, 1, place_here(manager.workdir.path, job), {}))
    subprocess.run(["sh", str(late)], timeout=60)
    assert not (tmp_path / "ran").exists()
    assert one(manager, job).state == "cancelled"


def test_a_hang_up_of_the_terminal_touches_neither_jobs_nor_queue(
    manager: BlockingJobManager, tmp_path: Path, until: Until
) -> None:
    manager.configure({"slots": 1})
    line = f"jobtui submit -w {manager.workdir.path} --shell 'sleep 1; echo 1 >> {tmp_path}/out'; "
    line += (
        f"jobtui submit -w {manager.workdir.path} --shell 'echo 2 >> {tmp_path}/out'; touch {tmp_path}/done; sleep 60"
    )
    import pty

    pid, fd = pty.fork()
    if pid == 0:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        os.execvpe("sh", ["sh", "-c", line], {**os.environ, "PATH": path})
    until((tmp_path / "done").exists)
    os.close(fd)  # the kernel sends SIGHUP to the session of a terminal that goes away
    os.waitpid(pid, 0)
    rows = manager.wait([1, 2], timeout=60)
    assert [row.state for row in rows] == ["finished", "finished"]
    assert (tmp_path / "out").read_text() == "1\n2\n"


def test_a_killed_payload_shows_its_signal(manager: BlockingJobManager, until: Until) -> None:
    job, other = manager.submit(sh("sleep 60"), sh("sleep 0.5"))
    kill_payload(until(lambda: begin_of(manager, job)).payload.pid)
    rows = manager.wait([job, other], timeout=60)
    assert [(row.state, row.reason) for row in rows] == [("failed", "signal"), ("finished", None)]


def test_a_killed_job_script_leaves_the_job_running_and_then_lost_never_finished(
    manager: BlockingJobManager, until: Until
) -> None:
    job, other = manager.submit(sh("sleep 1.5"), sh("sleep 0.2"))
    begin = until(lambda: begin_of(manager, job))
    os.kill(begin.wrapper.pid, signal.SIGKILL)
    until(lambda: "exit code will not be known" in one(manager, job).detail)
    assert one(manager, job).state == "running"
    rows = manager.wait([job, other], timeout=60)
    assert [(row.state, row.reason) for row in rows] == [("failed", "lost"), ("finished", None)]
    assert rows[0].attempt == 1, "a job of unknown end is not run again by itself"


def test_an_unsupervised_job_can_still_be_cancelled(manager: BlockingJobManager, until: Until) -> None:
    job = manager.submit(sh("sleep 60"))[0]
    begin = until(lambda: begin_of(manager, job))
    os.kill(begin.wrapper.pid, signal.SIGKILL)
    until(lambda: "exit code will not be known" in one(manager, job).detail)
    manager.cancel([job])
    assert manager.wait([job], timeout=60)[0].state == "cancelled"
    until(lambda: not os.path.exists(f"/proc/{begin.payload.pid}"))


def test_everything_killed_while_no_engine_runs_is_seen_by_the_next(manager: BlockingJobManager, until: Until) -> None:
    job = manager.submit(sh("sleep 60"))[0]
    begin = until(lambda: begin_of(manager, job))
    kill_engine(manager)
    os.kill(begin.wrapper.pid, signal.SIGKILL)
    kill_payload(begin.payload.pid)
    until(lambda: one(manager, job).reason == "lost")
    assert manager.wait([job], timeout=60)[0].reason == "lost"


def test_jobs_of_an_earlier_boot_failed_with_the_machine(manager: BlockingJobManager, until: Until) -> None:
    ids = manager.submit(sh("sleep 60"), sh("sleep 60", retry=Retry(limit=1)))
    for job in ids:
        until(lambda job=job: begin_of(manager, job))
    kill_engine(manager)
    for job in ids:
        path = Path(manager.workdir.metadir(job), "job.begin")
        begin = msgspec.json.decode(path.read_bytes())
        os.kill(begin["wrapper"][0], signal.SIGKILL)
        kill_payload(begin["payload"][0])
        begin["boot"] = "00000000-0000-0000-0000-000000000000"
        path.write_bytes(msgspec.json.encode(begin) + b"\n")
    assert one(manager, ids[0]).reason == "node-failure"
    manager.start_engine()
    row = manager.wait(ids[:1], timeout=60)[0]
    assert (row.state, row.reason) == ("failed", "node-failure") and "restarted" in row.detail
    until(lambda: one(manager, ids[1]).attempt == 2 and one(manager, ids[1]).state == "running")


# -- two engines


def test_of_engines_started_at_once_one_drives_and_each_job_runs_once(
    manager: BlockingJobManager, tmp_path: Path
) -> None:
    manager.configure({"autostart": False})
    ids = manager.submit(*[sh(f"echo x >> {tmp_path}/{i}.ran") for i in range(20)])
    argv = [sys.executable, "-m", "jobtui.core.supervisor", manager.workdir.path]
    engines = [subprocess.Popen(argv, start_new_session=True) for _ in range(6)]
    rows = manager.wait(ids, timeout=60)
    assert {row.state for row in rows} == {"finished"}
    assert [(tmp_path / f"{i}.ran").read_text() for i in range(20)] == ["x\n"] * 20
    manager.stop_engine()
    assert [engine.wait(timeout=60) for engine in engines] == [0] * 6


def test_a_lease_of_a_dead_process_is_taken_over_at_once(manager: BlockingJobManager) -> None:
    manager.submit(sh("sleep 60"))
    first = manager.start_engine()
    kill_engine(manager)
    second = manager.start_engine()
    assert second.process.pid != first.process.pid


def test_a_lease_of_another_machine_is_respected_until_it_expires(manager: BlockingJobManager) -> None:
    manager.configure({"autostart": False})
    lease = {"host": "elsewhere", "boot": "x", "process": myself(), "since": time.time(), "token": "t"}
    path = Path(manager.workdir.file("engine.lease"))
    path.write_bytes(msgspec.json.encode(lease) + b"\n")
    assert manager.engine() is not None and manager.engine().host == "elsewhere"
    os.utime(path, (time.time() - 3600, time.time() - 3600))
    assert manager.engine() is None
    assert manager.start_engine().host != "elsewhere"


# -- disks


def test_a_full_disk_is_a_clear_error_and_loses_nothing(tmpfs: Path, until: Until) -> None:
    manager = BlockingJobManager(tmpfs / "jobs")
    try:
        manager.configure({"slots": 1})
        before = manager.submit(sh("sleep 1; exit 6"), sh("echo later"))
        until(lambda: begin_of(manager, before[0]))
        with pytest.raises(OSError), (tmpfs / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        with pytest.raises(WorkDirError, match="No space left"):
            manager.submit(*[sh("true") for _ in range(50)])
        assert [row.id for row in manager.jobs()] == before, "a failed submission leaves no half job"
        until(lambda: end_of(manager, before[0]))
        (tmpfs / "filler").unlink()
        rows = manager.wait(before, timeout=60)
        assert [row.exit_code for row in rows] == [6, 0]
    finally:
        manager.stop_engine()


def test_a_job_that_fills_the_disk_harms_only_itself(tmpfs: Path, until: Until) -> None:
    manager = BlockingJobManager(tmpfs / "jobs")
    try:
        full = tmpfs.parent / "full"
        other = manager.submit(sh(f"while [ ! -e {full} ]; do sleep 0.1; done; exit 5"))[0]
        until(lambda: begin_of(manager, other))
        greedy = manager.submit(sh("cat /dev/zero; exit 3"))[0]
        until(lambda: end_of(manager, greedy))
        assert manager.stop_engine(), "which needs no room"
        full.touch()
        until(lambda: end_of(manager, other))
        assert [one(manager, job).exit_code for job in (greedy, other)] == [3, 5]
        os.truncate(f"{manager.workdir.metadir(greedy)}/job.stdout", 0)
        rows = manager.wait([greedy, other], timeout=60)
        assert {row.id: row.exit_code for row in rows} == {greedy: 3, other: 5}
    finally:
        manager.stop_engine()


def test_a_read_only_work_directory_can_be_read_and_says_that_it_cannot_be_written(
    tmpfs: Path, jobtui: Command, until: Until
) -> None:
    manager = BlockingJobManager(tmpfs / "jobs")
    manager.wait(manager.submit(sh("exit 2")), timeout=60)
    manager.stop_engine()
    until(lambda: subprocess.run(["mount", "-o", "remount,ro", str(tmpfs)]).returncode == 0)
    place = {"JOBTUI_WORKDIR": str(tmpfs / "jobs")}
    assert " 2 " in jobtui("ls", env=place, check=0).stdout
    assert "exit code 2" in jobtui("show", "1", env=place, check=0).stdout
    for order in (["submit", "true"], ["retry", "1"], ["rm", "1"], ["engine", "start"]):
        done = jobtui(*order, env=place, check=1)
        assert "Read-only" in done.stderr and "Traceback" not in done.stderr, order
        assert len(done.stderr.splitlines()) <= 2


# -- garbage and lost files


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.one_of(st.just(b""), st.binary(min_size=1, max_size=60), st.just(b'{"attempt":1')))
def test_garbage_in_one_jobs_folder_touches_no_other_job(tmp_path: Path, garbage: bytes) -> None:
    root = tmp_path / str(time.monotonic_ns())
    manager = BlockingJobManager(root)
    manager.configure({"autostart": False})
    names = ["job.json", "job.intent", "job.begin", "job.rc", "job.jid", "job.submitting", "job.end", "job.progress"]
    ids = manager.submit(*[sh("true") for _ in range(len(names) + 2)])
    for job, name in zip(ids, names, strict=False):
        Path(manager.workdir.metadir(job), name).write_bytes(garbage)
    anyio.run(lambda: _bounded(manager.workdir))
    rows = {row.id: row for row in manager.jobs()}
    assert [rows[job].state for job in ids[-2:]] == ["finished", "finished"]
    assert set(rows) == set(ids), "no job vanishes"
    damaged = dict(zip(names, ids, strict=False))
    assert rows[damaged["job.json"]].state == "unknown"
    for name in ("job.begin", "job.rc"):
        assert (
            rows[damaged[name]].state != "finished" or os.path.getsize(f"{rows[damaged[name]].metadir}/job.begin") > 60
        )
    shutil.rmtree(root)


async def _bounded(workdir: WorkDir) -> None:
    with anyio.move_on_after(3):
        await Engine(workdir, Settings(slots=4, linger=0)).run()


@pytest.mark.parametrize("damage", ["delete", "garbage", "truncate", "other"])
def test_index_and_journal_are_rebuilt_while_the_engine_runs_and_nothing_is_lost(
    manager: BlockingJobManager, until: Until, damage: str
) -> None:
    ended = manager.submit(sh("exit 0"), sh("exit 3"))
    manager.wait(ended, timeout=60)
    running = manager.submit(sh("sleep 1; exit 4"))
    until(lambda: begin_of(manager, running[0]))
    _damage(manager, damage)
    assert [row.id for row in manager.jobs()] == ended + running, "everything works without them"
    more = manager.submit(sh("exit 5"))
    rows = manager.wait(ended + running + more, timeout=30)
    assert [row.exit_code for row in rows] == [0, 3, 4, 5]
    until(lambda: _indexed(manager) == set(ended + running + more))


@pytest.mark.parametrize("damage", ["delete", "garbage", "truncate", "other"])
def test_index_and_journal_are_rebuilt_by_the_next_engine(
    manager: BlockingJobManager, until: Until, damage: str
) -> None:
    ids = manager.submit(sh("exit 0"), sh("exit 3"))
    manager.wait(ids, timeout=60)
    manager.stop_engine()
    _damage(manager, damage)
    assert [row.exit_code for row in manager.jobs()] == [0, 3]
    manager.start_engine()
    until(lambda: _indexed(manager) == set(ids))
    assert [row.exit_code for row in manager.jobs()] == [0, 3]


def _damage(manager: BlockingJobManager, how: str) -> None:
    for name in ("index.db", "index.db-wal", "index.db-shm", "journal"):
        path = Path(manager.workdir.file(name))
        if not path.exists():
            continue
        if how == "delete":
            path.unlink()
        elif how == "truncate":
            os.truncate(path, path.stat().st_size // 2)
        else:
            # Damaged in place: an engine that has the file open meets it.
            with path.open("r+b") as file:
                size = path.stat().st_size
                file.write(
                    random.Random(1).randbytes(max(4096, size)) if how == "garbage" else b"SQLite format 3\0" * 64
                )


def _indexed(manager: BlockingJobManager) -> set[int]:
    try:
        with sqlite3.connect(f"file:{manager.workdir.file('index.db')}?mode=ro", uri=True) as db:
            return {row[0] for row in db.execute("SELECT id FROM job")}
    except sqlite3.Error:
        return set()


def test_a_work_directory_removed_under_the_engine_ends_the_engine_and_not_the_job(
    manager: BlockingJobManager, tmp_path: Path, until: Until
) -> None:
    job = manager.submit(sh(f"sleep 1; touch {tmp_path}/went-on"))[0]
    until(lambda: begin_of(manager, job))
    lease = read_lease(manager.workdir)
    # What the engine makes in it meanwhile is in the way for a moment.
    until(lambda: shutil.rmtree(manager.workdir.path, ignore_errors=True) or not manager.workdir.exists())
    assert lease is not None
    until(lambda: not is_held(lease))
    until((tmp_path / "went-on").exists)
    assert not manager.workdir.exists(), "the dying engine makes nothing anew"
    fresh = manager.submit(sh("exit 7"))
    assert fresh == [1]
    assert manager.wait(fresh, timeout=60)[0].exit_code == 7


def test_waiting_in_a_work_directory_that_is_removed_ends_with_words(
    manager: BlockingJobManager, jobtui: Command, until: Until
) -> None:
    jobtui("submit", "sleep", "60", check=0)
    waiting = subprocess.Popen(
        [Path(sys.executable).with_name("jobtui"), "wait"],
        env={**os.environ, "JOBTUI_WORKDIR": manager.workdir.path},
        stderr=subprocess.PIPE,
        text=True,
    )
    begin = until(lambda: begin_of(manager, 1))
    open_files = Path(f"/proc/{waiting.pid}/fd")
    until(lambda: any("inotify" in os.path.realpath(file) for file in open_files.iterdir()))
    shutil.rmtree(manager.workdir.path)
    _, words = waiting.communicate(timeout=60)
    os.killpg(begin.payload.pid, signal.SIGKILL)
    assert waiting.returncode == 1
    assert "Traceback" not in words and manager.workdir.path in words


def test_a_client_that_stays_sees_its_engines_die_and_starts_others_without_leaving_zombies(
    workdir: WorkDir, tmp_path: Path, until: Until
) -> None:
    other = WorkDir(tmp_path / "other")
    managers = [BlockingJobManager(place) for place in (workdir, other)]
    try:
        for manager in managers:
            manager.submit(sh("sleep 60", hold=True))

        async def attend() -> None:
            for manager in map(JobManager, (workdir, other)):
                lease = None
                for _ in range(2):
                    with anyio.fail_after(20):
                        while (lease := await manager.engine()) is None:
                            assert await manager.ensure_engine()
                            await anyio.sleep(0.02)
                    os.kill(lease.process.pid, signal.SIGKILL)
                    with anyio.fail_after(1):
                        while await manager.engine() is not None:
                            await anyio.sleep(0.005)
                assert lease is not None
                assert await manager.ensure_engine()
                assert not os.path.exists(f"/proc/{lease.process.pid}"), "a zombie was left"

        anyio.run(attend)
        for manager in managers:
            manager.configure({"autostart": False})
            until(lambda manager=manager: manager.engine() is not None)
            kill_engine(manager)
            assert anyio.run(JobManager(manager.workdir).ensure_engine) is False
            assert manager.engine() is None
    finally:
        managers[1].stop_engine()


def test_following_a_work_directory_that_vanishes_ends_with_words_and_can_be_begun_again(
    manager: BlockingJobManager,
) -> None:
    manager.configure({"autostart": False})
    manager.submit(sh("true"))
    jobs = JobManager(manager.workdir)

    async def follow() -> None:
        feed = await jobs.stream()
        assert [row.id async for rows in feed.load() for row in rows] == [1]
        shutil.rmtree(manager.workdir.path)
        async for _ in feed:
            pass

    async def again() -> list[int]:
        with anyio.fail_after(10):
            with pytest.raises(FileNotFoundError):
                await follow()
            manager.configure({"autostart": False})
            manager.submit(sh("true"), sh("true"))
            feed = await jobs.stream()
            return [row.id async for rows in feed.load() for row in rows]

    assert anyio.run(again) == [2, 1]


# -- the clock


def test_a_clock_set_back_changes_no_run_time_and_delays_no_retry(
    workdir: WorkDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = BlockingJobManager(workdir)
    manager.configure({"autostart": False})
    job = manager.submit(sh("sleep 0.5; exit $((2 - JOBTUI_ATTEMPT))", retry=Retry(limit=1, delay=1)))[0]
    real, shift = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + shift[0])

    async def program() -> None:
        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                engine = Engine(workdir, Settings(linger=0))
                tasks.start_soon(engine.run)
                while begin_of(manager, job) is None:
                    await anyio.sleep(0.02)
                shift[0] = -7200.0

    anyio.run(program)
    row = one(manager, job)
    assert (row.state, row.attempt) == ("finished", 2)
    assert row.elapsed is not None and 0.4 <= row.elapsed < 5


def test_files_dated_in_the_future_do_not_confuse_run_times(manager: BlockingJobManager) -> None:
    job = manager.submit(sh("sleep 0.3"))[0]
    manager.wait([job], timeout=60)
    manager.stop_engine()
    later = time.time() + 86400
    os.utime(f"{manager.workdir.metadir(job)}/job.begin", (later, later))
    os.unlink(manager.workdir.file("index.db"))
    elapsed = one(manager, job).elapsed
    assert elapsed is not None and 0.2 <= elapsed < 5


def test_a_start_time_in_the_past_by_a_clock_set_forward_starts_the_job(manager: BlockingJobManager) -> None:
    row = manager.wait(manager.submit(sh("true", after=AfterTime(time.time() - 3600))), timeout=60)[0]
    assert row.state == "finished"


# -- size, and an engine that cannot work


def test_a_gigabyte_of_output_costs_the_engine_no_memory(manager: BlockingJobManager, until: Until) -> None:
    manager.configure({"slots": 1})
    warm = manager.submit(sh("true"))
    manager.wait(warm, timeout=60)
    lease = manager.start_engine()
    before = _rss(lease.process.pid)
    job = manager.submit(sh("head -c 1073741824 /dev/zero"))[0]
    row = manager.wait([job], timeout=120)[0]
    assert row.state == "finished"
    assert os.path.getsize(f"{row.metadir}/job.stdout") == 2**30
    assert _rss(lease.process.pid) - before < 8 * 2**20
    manager.remove([job])


def _rss(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_an_engine_that_cannot_start_is_reported_and_not_started_for_ever(manager: BlockingJobManager) -> None:
    manager.configure({"autostart": False})
    job = manager.submit(sh("true"))[0]
    Path(manager.workdir.file("engine.json")).write_text('{"slots": "many"}\n')
    with pytest.raises(EngineFailedError, match=r"engine\.json"):
        manager.start_engine()
    manager_state = one(manager, job)
    assert manager_state.state == "queued"
