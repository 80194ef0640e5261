"""The job script under every sh at hand: what it runs, what it records, and what it does when things go wrong."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobtui.core.backend import Dependency, Parent
from jobtui.core.identity import is_alive
from jobtui.core.job import Asked, EngineEnd, Intent, JobSpec, Reason, State
from jobtui.core.metadir import encode, read_facts
from jobtui.core.script import job_script, place_here
from jobtui.core.verdict import Facts, judge
from jobtui.core.workdir import new_tag

SHELLS = [
    shell
    for shell in (["dash"], ["bash", "--posix"], ["bash"], ["busybox", "sh"])
    if shutil.which(shell[0]) is not None
]
Until = Callable[..., Any]


class Script:
    """A job script in a folder of its own."""

    def __init__(
        self, root: Path, spec: JobSpec, env: dict[str, str] | None = None, after: Dependency | None = None
    ) -> None:
        self.spec = spec
        self.folder = root / "1"
        self.folder.mkdir(exist_ok=True)
        text = job_script(spec, 1, 1, place_here(str(root), 1), env or {}, "", after)
        (self.folder / "script").write_bytes(text.encode("utf-8", "surrogateescape"))

    def start(self, shell: list[str], env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*shell, str(self.folder / "script")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=None if env is None else {**os.environ, **env},
        )

    def run(self, shell: list[str], env: dict[str, str] | None = None) -> int:
        child = self.start(shell, env)
        child.communicate(timeout=30)
        return child.returncode

    def facts(self) -> Facts:
        return read_facts(str(self.folder), self.spec)

    def begun(self) -> Facts | None:
        facts = self.facts()
        return facts if facts.begin is not None else None

    def out(self) -> bytes:
        return (self.folder / "job.stdout").read_bytes()


def spec(*command: str, **more: Any) -> JobSpec:
    return JobSpec(command=command, cwd=more.pop("cwd", "/"), tag=new_tag(), **more)


@pytest.fixture(params=SHELLS, ids=" ".join)
def sh(request: pytest.FixtureRequest) -> list[str]:
    return request.param


@pytest.mark.parametrize("code", [0, 1, 75, 99, 127, 130, 255])
def test_the_exit_code_is_recorded_and_passed_on(tmp_path: Path, sh: list[str], code: int) -> None:
    script = Script(tmp_path, spec("sh", "-c", f"echo out; echo err >&2; exit {code}"))
    assert script.run(sh) == code
    facts = script.facts()
    assert facts.end is not None and facts.end.exit_code == code
    assert script.out() == b"out\n"
    assert (script.folder / "job.stderr").read_bytes() == b"err\n"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=40).map(lambda b: os.fsdecode(b.replace(b"\0", b""))), max_size=5))
def test_arguments_arrive_byte_for_byte(tmp_path: Path, arguments: list[str]) -> None:
    for sh in SHELLS:
        shutil.rmtree(tmp_path / "1", ignore_errors=True)
        script = Script(tmp_path, spec("python3", "-Sc", "import sys; print(sys.argv[1:])", *arguments))
        assert script.run(sh) == 0
        assert script.out().decode() == f"{[os.fsdecode(os.fsencode(a)) for a in arguments]}\n"


def test_the_payload_has_a_process_group_of_its_own(tmp_path: Path, sh: list[str], until: Until) -> None:
    script = Script(tmp_path, spec("sleep", "30"))
    child = script.start(sh)
    facts = until(script.begun)
    until(lambda: os.getpgid(facts.begin.payload.pid) == facts.begin.payload.pid)
    assert os.getpgid(child.pid) != facts.begin.payload.pid
    assert is_alive(facts.begin.wrapper) and is_alive(facts.begin.payload)
    os.killpg(facts.begin.payload.pid, signal.SIGKILL)
    child.communicate(timeout=10)
    assert judge(script.facts()).signal == signal.SIGKILL


def test_a_signal_to_the_script_reaches_the_payload_and_is_recorded(
    tmp_path: Path, sh: list[str], until: Until
) -> None:
    script = Script(
        tmp_path, spec("sh", "-c", "trap 'echo got it; exit 0' TERM; echo ready; while :; do sleep 0.1; done")
    )
    child = script.start(sh)
    until(lambda: (script.folder / "job.stdout").exists() and script.out() == b"ready\n")
    child.terminate()
    child.communicate(timeout=10)
    assert script.out() == b"ready\ngot it\n"
    end = script.facts().end
    assert end is not None and (end.exit_code, end.forwarded) == (0, "TERM")
    assert judge(script.facts()).state == "failed", "an exit with 0 after being told to stop is not a finish"


def test_the_time_limit_holds_without_anybody_watching(tmp_path: Path, sh: list[str]) -> None:
    script = Script(tmp_path, spec("sh", "-c", "trap '' TERM; sleep 60 & wait; sleep 60", timeout=1, grace=1))
    started = time.monotonic()
    script.run(sh)
    assert time.monotonic() - started < 20
    assert judge(script.facts()).reason == "timeout"


def test_a_time_limit_that_is_kept_leaves_no_timer_behind(tmp_path: Path, sh: list[str], until: Until) -> None:
    script = Script(tmp_path, spec("true", timeout=100_000))
    marker = b"JOBTUI_TAG=" + script.spec.tag.encode()
    assert script.run(sh) == 0
    until(lambda: not any(marker in _environ(pid) for pid in os.listdir("/proc") if pid.isdigit()))
    assert judge(script.facts()).state == "finished"


def _environ(pid: str) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def test_of_two_copies_of_a_script_only_one_runs_the_command(tmp_path: Path, sh: list[str]) -> None:
    script = Script(tmp_path, spec("sh", "-c", "echo ran; sleep 0.2"))
    children = [script.start(sh) for _ in range(8)]
    for child in children:
        child.communicate(timeout=60)
    assert script.out() == b"ran\n"
    assert judge(script.facts()).state == "finished"


def test_a_stopped_and_continued_job_is_waited_for_without_spinning(
    tmp_path: Path, sh: list[str], until: Until
) -> None:
    script = Script(tmp_path, spec("sleep", "0.5"))
    child = script.start(sh)
    payload = until(script.begun).begin.payload.pid
    until(lambda: Path(f"/proc/{payload}/comm").read_text() == "sleep\n")
    os.kill(payload, signal.SIGSTOP)
    until(lambda: Path(f"/proc/{payload}/stat").read_text().split()[2] == "T")
    before = sum(map(int, Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
    time.sleep(0.3)  # the time in which a spinning script would burn ticks; not a synchronisation
    after = sum(map(int, Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
    assert after - before < 10
    os.kill(payload, signal.SIGCONT)
    child.communicate(timeout=10)
    assert judge(script.facts()).state == "finished"


def test_the_persons_own_variables_reach_the_job_untouched(tmp_path: Path, sh: list[str]) -> None:
    names = [
        "d",
        "p",
        "t",
        "w",
        "s",
        "e",
        "b",
        "up",
        "rest",
        "host",
        "boot",
        "pid",
        "rc",
        "to",
        "fw",
        "launch",
        "ticks",
    ]
    mine = {name: f"mine of {name}" for name in names}
    script = Script(tmp_path, spec("env"), {"LATER": 'it\'s "$x"\nand `more`'})
    script.run(sh, mine)
    out = script.out().decode()
    assert all(f"{name}=mine of {name}\n" in out for name in names)
    assert 'LATER=it\'s "$x"\nand `more`\n' in out


def test_the_job_knows_its_place(tmp_path: Path, sh: list[str]) -> None:
    script = Script(
        tmp_path, spec("sh", "-c", 'echo "$JOBTUI_JOB_INDEX $JOBTUI_ATTEMPT $JOBTUI_JOB_METADIR $JOBTUI_METADIR"')
    )
    script.run(sh)
    assert script.out().decode() == f"1 1 {tmp_path}/1 {tmp_path}\n"


def test_umask_directory_and_input_are_the_specs(tmp_path: Path, sh: list[str]) -> None:
    (tmp_path / "in put").write_text("from a file\n")
    place = tmp_path / "it's here"
    place.mkdir()
    asked = spec("sh", "-c", "umask; pwd; cat", cwd=str(place), stdin=str(tmp_path / "in put"), umask=0o027)
    script = Script(tmp_path, asked)
    script.run(sh)
    assert script.out().decode() == f"0027\n{place}\nfrom a file\n"
    assert (script.folder / "job.stdout").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("missing", ["cwd", "stdin"])
def test_what_cannot_start_says_so_and_never_counts_as_run(tmp_path: Path, sh: list[str], missing: str) -> None:
    script = Script(tmp_path, spec("echo", "ran", **{missing: str(tmp_path / "not there")}))
    script.run(sh)
    verdict = judge(script.facts())
    assert (verdict.state, verdict.reason) == ("failed", "launch")
    assert str(tmp_path / "not there") in verdict.detail
    assert not (script.folder / "job.stdout").exists()


def _tmpfs(path: Path, size: str) -> None:
    path.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]).returncode
    ):
        pytest.skip("mounting a small tmpfs needs root")


def test_the_exit_code_survives_a_full_disk(tmp_path: Path, sh: list[str]) -> None:
    disk = tmp_path / "disk"
    _tmpfs(disk, "256k")
    try:
        script = Script(disk, spec("sh", "-c", "cat /dev/zero; exit 9"))
        assert script.run(sh) == 9
        facts = script.facts()
        assert facts.end is not None and facts.end.exit_code == 9
        assert facts.begin is not None
        assert judge(facts).reason == "exit-code"
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_no_command_runs_when_its_start_cannot_be_recorded(tmp_path: Path, sh: list[str]) -> None:
    disk = tmp_path / "disk"
    _tmpfs(disk, "64k")
    try:
        script = Script(disk, spec("touch", str(tmp_path / "ran")))
        with pytest.raises(OSError), (disk / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        script.run(sh)
        assert not (tmp_path / "ran").exists()
        assert judge(script.facts()).state != "finished"
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def parent(root: Path, job: int, command: str | None, **asked: Any) -> None:
    """The folder of a job that ended by itself, or left no record where ``command`` is None."""
    (root / str(job)).mkdir()
    if command is not None:
        text = job_script(spec("sh", "-c", command), job, 1, place_here(str(root), job), {})
        (root / str(job) / "script").write_text(text)
        subprocess.run(["sh", str(root / str(job) / "script")], check=False, timeout=30)
    (root / str(job) / "job.intent").write_text(msgspec.json.encode(Intent(**asked)).decode() + "\n")


def waits(*parents: tuple[int, Any], one_is_enough: bool = False) -> Dependency:
    return Dependency(tuple(Parent(job, 1, str(job), ending) for job, ending in parents), one_is_enough)


def test_a_script_that_is_started_too_early_does_not_begin(tmp_path: Path, sh: list[str]) -> None:
    parent(tmp_path, 2, "true")
    parent(tmp_path, 3, "exit 3", hold=True)
    parent(tmp_path, 4, "true", retry=Asked(1, 0.0, "me"))
    parent(tmp_path, 5, "exit 1")
    (tmp_path / "5" / "job.retry" / "1").mkdir(parents=True)
    parent(tmp_path, 6, None)
    cases: list[tuple[Dependency, bool]] = [
        (waits((2, "ok")), True),
        (waits((2, "fail")), False),
        (waits((2, "any"), (3, "any"), (6, "any")), True),
        (waits((3, "ok")), False),
        (waits((3, "fail")), True),
        (waits((2, "ok"), (3, "ok")), False),
        (waits((2, "ok"), (3, "ok"), one_is_enough=True), True),
        (waits((2, "fail"), (3, "ok"), one_is_enough=True), False),
        (waits((4, "any")), False),
        (waits((5, "fail")), False),
        (waits((6, "fail")), True),
    ]
    for after, may_start in cases:
        shutil.rmtree(tmp_path / "1", ignore_errors=True)
        script = Script(tmp_path, spec("echo", "ran"), after=after)
        assert script.run(sh) == (0 if may_start else 75), after
        assert (script.facts().begin is not None) == may_start
        assert may_start == (script.folder / "job.stdout").exists()


def test_a_record_that_comes_late_is_waited_for(tmp_path: Path, sh: list[str], until: Until) -> None:
    parent(tmp_path, 2, None)
    script = Script(tmp_path, spec("true"), after=waits((2, "ok")))
    child = script.start(sh)
    until(lambda: Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text())
    assert script.begun() is None
    (tmp_path / "2" / "job.rc").write_text('{"attempt":1,"tag":"x","exit_code":0,"uptime":1.0}\n')
    assert child.wait(30) == 0 and script.facts().end is not None


@pytest.mark.parametrize(("ending", "code"), [("any", 0), ("fail", 3)])
def test_a_job_that_still_runs_is_waited_for_whatever_its_scheduler_says(
    tmp_path: Path, sh: list[str], until: Until, ending: Any, code: int
) -> None:
    parent(tmp_path, 2, None)
    (tmp_path / "2" / "job.begin").write_text('{"attempt":1}\n')
    script = Script(tmp_path, spec("true"), after=waits((2, ending)))
    child = script.start(sh)
    until(lambda: Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text())
    assert script.begun() is None
    (tmp_path / "2" / "job.rc").write_text(f'{{"attempt":1,"tag":"x","exit_code":{code},"uptime":1.0}}\n')
    assert child.wait(30) == 0 and script.facts().end is not None


@pytest.mark.parametrize(("ending", "may_start"), [("any", True), ("fail", True), ("ok", False)])
def test_an_end_that_only_the_engine_saw_counts_too(
    tmp_path: Path, sh: list[str], ending: Any, may_start: bool
) -> None:
    parent(tmp_path, 2, None)
    (tmp_path / "2" / "job.begin").write_text('{"attempt":1}\n')
    (tmp_path / "2" / "job.end").write_bytes(encode(EngineEnd(1, State.FAILED, Reason.NODE_FAILURE, "", 0.0)))
    script = Script(tmp_path, spec("true"), after=waits((2, ending)))
    assert script.run(sh) == (0 if may_start else 75)


def test_a_job_that_was_told_to_stop_has_not_ended_well_for_its_scheduler(
    tmp_path: Path, sh: list[str], until: Until
) -> None:
    script = Script(tmp_path, spec("sh", "-c", "trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done"))
    child = script.start(sh)
    until(lambda: script.begun() and script.out())
    child.send_signal(signal.SIGTERM)
    assert child.wait(20) != 0
    end = script.facts().end
    assert end is not None and end.exit_code == 0 and end.forwarded == "TERM"
