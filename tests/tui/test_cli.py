"""The command line on real jobs of this machine: every command does what it says, with bytes and codes intact."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import time
import unittest.mock
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobtui.core.blocking import BlockingJobManager
from jobtui.core.identity import start_ticks
from jobtui.core.job import ENDED
from jobtui.core.workdir import WorkDir
from jobtui.tui.cli import main

JOBTUI = str(Path(sys.executable).with_name("jobtui"))
Command = Callable[..., "subprocess.CompletedProcess[str]"]
Until = Callable[..., Any]

# Prints its arguments as a Python list of bytes.
SHOW_ARGUMENTS = (sys.executable, "-Sc", "import os, sys; print([os.fsencode(a) for a in sys.argv[1:]])")


class Jobs:
    """The real command on one work directory, with an engine that has room for many jobs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / "jobs"
        self.manager = BlockingJobManager(self.path)
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("JOBTUI_")},
            "JOBTUI_WORKDIR": str(self.path),
            "XDG_CONFIG_HOME": str(root / "config"),
            "XDG_STATE_HOME": str(root / "state"),
        }

    def popen(self, *arguments: str | bytes, **more: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [JOBTUI, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**self.env, **more.pop("env", {})},
            cwd=more.pop("cwd", self.root),
            **more,
        )

    def __call__(
        self, *arguments: str | bytes, check: int | None = 0, input: bytes = b"", **more: Any
    ) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            [JOBTUI, *arguments],
            input=input,
            capture_output=True,
            env={**self.env, **more.pop("env", {})},
            cwd=more.pop("cwd", self.root),
            timeout=120,
            **more,
        )
        assert check is None or done.returncode == check, (arguments, done)
        assert b"Traceback" not in done.stderr and b"a bug in jobtui" not in done.stderr, done
        return done

    def submit(self, *arguments: str, **more: Any) -> int:
        """Submit one job and return its id; in this process, which takes a tenth of the time, where that will do."""
        if more:
            done = self("submit", *arguments, **more)
            out, err = done.stdout.decode(), done.stderr.decode()
        else:
            streams = io.StringIO(), io.StringIO()
            with (
                unittest.mock.patch.dict(os.environ, self.env),
                contextlib.redirect_stdout(streams[0]),
                contextlib.redirect_stderr(streams[1]),
            ):
                assert main(["submit", *arguments]) == 0, streams[1].getvalue()
            out, err = (stream.getvalue() for stream in streams)
        assert out.endswith("\n") and out[:-1].isdigit(), "the id, and nothing but the id"
        assert err == ""
        return int(out)

    # Looking on is done without the command: it has tests of its own, and costs a process each time.

    def wait(self, *jobs: int, timeout: float = 60.0) -> int:
        """Wait until jobs have ended; 0 if all of them finished, else 1."""
        deadline = time.monotonic() + timeout
        while True:
            rows = self.manager.catalog.some(jobs)
            if len(rows) == len(set(jobs)) and all(row.state in ENDED for row in rows):
                return 0 if all(row.state == "finished" for row in rows) else 1
            assert time.monotonic() < deadline, [(row.id, str(row.state), row.detail) for row in rows]
            time.sleep(0.02)

    def out(self, job: int) -> bytes:
        try:
            return (self.path / str(job) / "job.stdout").read_bytes()
        except FileNotFoundError:
            return b""

    def logs(self, job: int, *options: str) -> bytes:
        return self("logs", *options, str(job)).stdout

    def row(self, job: int) -> dict[str, Any]:
        detail = self.manager.detail(job)
        assert detail is not None
        return json.loads(msgspec.json.encode(detail.row))

    def state(self, job: int) -> str:
        return self.row(job)["state"]

    def shown(self, job: int) -> dict[str, Any]:
        """What show --json says."""
        (found,) = json.loads(self("show", "--json", str(job)).stdout)
        return found


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    """One work directory for all tests that do not mind each other's jobs."""
    found = Jobs(tmp_path_factory.mktemp("cli"))
    found("engine", "set", "slots=30", "cpus=1000", "linger=60")
    yield found
    subprocess.run([JOBTUI, "cancel", "--force", "state:active"], env=found.env, capture_output=True)
    subprocess.run([JOBTUI, "wait", "--timeout", "60s"], env=found.env, capture_output=True)
    subprocess.run([JOBTUI, "engine", "stop"], env=found.env, capture_output=True)


def processes_with(marker: str) -> list[int]:
    """The processes, zombies not counted, with a word in their command line."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if marker.encode() in Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0"):
                found.append(int(name))
        except OSError:
            continue
    return found


def is_watching(pid: int) -> bool:
    """Whether a process waits for changes of files."""
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if "inotify" in os.readlink(fd):
                return True
    return False


# -- submit


def test_submit_prints_the_id_alone_and_the_job_runs(jobs: Jobs) -> None:
    done = jobs("submit", "--", "echo", "hello")
    job = int(done.stdout)
    assert (done.stdout, done.stderr) == (b"%d\n" % job, b"")
    assert jobs.wait(job) == 0
    assert jobs.logs(job) == b"hello\n"
    row = jobs.shown(job)
    assert (row["state"], row["exit_code"], row["reason"], row["name"]) == ("finished", 0, None, "echo")


NASTY = [
    b"",
    b" ",
    b"two words",
    b"it's",
    b'"quoted"',
    b"'",
    b"$HOME",
    b"${x:-y}",
    b"`id`",
    b"$(id)",
    b"a\nb\n",
    b"\t\r\x01\x7f",
    b"*",
    b"~",
    b"?[a-z]",
    b"\\",
    b"\\n",
    b"-n",
    b"--",
    b"--help",
    b"a;b|c&d>e<f",
    b"#comment",
    b"!history",
    b"%s%d",
    "naïve 日本 😀".encode(),
    b"\xff\xfe\x80",
    b"=",
    b"{}{{{0}}}",
    b"x" * 100_000,
]


def test_arguments_arrive_byte_for_byte(jobs: Jobs) -> None:
    job = int(jobs("submit", "--", *SHOW_ARGUMENTS, *NASTY).stdout)
    assert jobs.wait(job) == 0
    assert jobs.out(job).decode() == f"{NASTY}\n"
    assert jobs("run", "--", *SHOW_ARGUMENTS, *NASTY).stdout.decode() == f"{NASTY}\n"


def test_options_of_the_command_are_not_taken_for_ours(jobs: Jobs) -> None:
    job = jobs.submit("--name", "mine", "echo", "--name", "theirs", "-h", "--", "--shell")
    jobs.wait(job)
    assert jobs.out(job) == b"--name theirs -h -- --shell\n"
    assert jobs.row(job)["name"] == "mine"


def test_a_shell_reads_the_command_only_where_asked(jobs: Jobs) -> None:
    job = jobs.submit("--shell", "printf 'b\\na\\n' | sort; echo \"$((6 * 7))\"")
    jobs.wait(job)
    assert jobs.out(job) == b"a\nb\n42\n"
    assert jobs.row(job)["command"] == "printf 'b\\na\\n' | sort; echo \"$((6 * 7))\""


LINES = r"""
# a comment, and an empty line

echo one
   echo  two   words
echo 'in quotes'  "and $HOME"
echo $HOME ~ * `id` | & ;
printf '%s|' a\ b "" 'x#y'
"""


@pytest.mark.parametrize("source", ["file", "-"])
def test_a_file_gives_one_job_per_line_split_but_not_read_by_a_shell(jobs: Jobs, tmp_path: Path, source: str) -> None:
    path = tmp_path / "commands.txt"
    path.write_text(LINES)
    name = str(path) if source == "file" else "-"
    done = jobs("submit", "--from", name, "--tag", "batch", input=LINES.encode())
    first, last = map(int, done.stdout.decode().split("-"))
    assert last - first == 4
    assert jobs.wait(*range(first, last + 1)) == 0
    assert [jobs.out(job) for job in range(first, last + 1)] == [
        b"one\n",
        b"two words\n",
        b"in quotes and $HOME\n",
        b"$HOME ~ * `id` | & ;\n",
        b"a b||x#y|",
    ]
    assert jobs.row(last)["tags"] == ["batch"]


def test_lines_for_the_shell_are_each_given_to_it(jobs: Jobs) -> None:
    done = jobs("submit", "--shell", "--from", "-", input=b"# none\nx=5; echo $((x + 1))\necho 'a|b' | tr '|' '-'\n")
    first, last = map(int, done.stdout.decode().split("-"))
    jobs.wait(first, last)
    assert (jobs.out(first), jobs.out(last)) == (b"6\n", b"a-b\n")


def test_bytes_that_are_no_utf8_survive_in_a_file_of_commands(jobs: Jobs) -> None:
    line = shlex.join(SHOW_ARGUMENTS).encode() + b" a\xff 'b \xfe'\n"
    job = int(jobs("submit", "--from", "-", input=line).stdout)
    jobs.wait(job)
    assert jobs.out(job) == b"[b'a\\xff', b'b \\xfe']\n"


def test_only_the_blanks_of_a_shell_split_a_line(jobs: Jobs) -> None:
    word = "東京\u3000大阪\u00a0x"
    job = int(jobs("submit", "--hold", "--from", "-", input=f"echo {word}\n".encode()).stdout)
    assert jobs.shown(job)["spec"]["command"] == ["echo", word]


def test_a_wrong_line_is_named_and_no_job_is_made_of_any(jobs: Jobs) -> None:
    before = len(os.listdir(jobs.path))
    done = jobs("submit", "--from", "-", input=b"echo good\n\necho 'never closed\n", check=2)
    assert b"line 3" in done.stderr and b"no job was submitted" in done.stderr and done.stdout == b""
    assert len(os.listdir(jobs.path)) == before


def test_an_array_gives_each_job_its_index(jobs: Jobs) -> None:
    task = ["sh", "-c", 'echo "$JOBTUI_ARRAY_INDEX of $JOBTUI_ARRAY_ID as $JOBTUI_JOB_INDEX"']
    first, last = map(int, jobs("submit", "--array", "0-20:5,99", "--name", "arr", "--", *task).stdout.split(b"-"))
    ids = range(first, last + 1)
    assert jobs.wait(*ids) == 0
    indices = [0, 5, 10, 15, 20, 99]
    assert [jobs.out(job) for job in ids] == [
        f"{i} of {first} as {job}\n".encode() for i, job in zip(indices, ids, strict=True)
    ]
    rows = json.loads(jobs("ls", "--json", f"array:{first}").stdout)
    assert [(row["id"], row["array_index"], row["name"]) for row in rows] == [
        (job, i, "arr") for i, job in zip(indices, ids, strict=True)
    ]
    assert jobs("ls", "-q", f"array:{first}", "index>=20").stdout.split() == [b"%d" % job for job in ids[-2:]]


def test_conditions_on_other_jobs(jobs: Jobs, until: Until) -> None:
    good, bad = jobs.submit("--hold", "--", "true"), jobs.submit("--hold", "--", "false")
    after = {
        kind: [jobs.submit(kind, str(job), "--", "echo", "ran") for job in (good, bad)]
        for kind in ("--after", "--after-fail", "--after-any")
    }
    both = jobs.submit("--after", str(good), "--after-fail", str(bad), "--", "echo", "ran")
    row = jobs.row(both)
    assert row["state"] == "created" and f"job {good}" in row["detail"] and f"job {bad}" in row["detail"]
    jobs("release", f"{good},{bad}")
    everything = [*(job for pair in after.values() for job in pair), both]
    assert jobs.wait(*everything) == 1
    found = {kind: [jobs.row(job) for job in pair] for kind, pair in after.items()}
    states = {kind: [row["state"] for row in pair] for kind, pair in found.items()}
    assert states == {
        "--after": ["finished", "cancelled"],
        "--after-fail": ["cancelled", "finished"],
        "--after-any": ["finished", "finished"],
    }
    never = found["--after"][1]
    assert never["reason"] == "condition" and f"job {bad} ended badly" in never["detail"]
    assert found["--after-fail"][0]["detail"] == f"could never start: job {good} ended well"
    assert jobs.state(both) == "finished"


def test_a_start_time(jobs: Jobs) -> None:
    job = jobs.submit("--at", "+1s", "--", "true")
    assert jobs.state(job) == "created"
    assert jobs.wait(job) == 0
    row = jobs.row(job)
    assert 0.9 <= row["started"] - row["created"] < 10


def test_retries_run_until_the_job_ends_well_and_keep_every_output(jobs: Jobs) -> None:
    line = 'echo "try $JOBTUI_ATTEMPT"; [ "$JOBTUI_ATTEMPT" -ge 3 ]'
    job = jobs.submit("--retries", "5", "--retry-delay", "0.3s", "--shell", line)
    jobs("wait", str(job))
    row = jobs.shown(job)
    assert (row["attempt"], row["state"], jobs.out(job)) == (3, "finished", b"try 3\n")
    assert [jobs.logs(job, "--attempt", str(n)) for n in (1, 2, 3)] == [b"try 1\n", b"try 2\n", b"try 3\n"]
    assert [attempt["exit_code"] for attempt in row["attempts"]] == [1, 1]
    assert row["started"] - row["attempts"][0]["ended"] >= 0.6


def test_retries_are_for_the_endings_asked_for(jobs: Jobs) -> None:
    line = "exit $((73 + JOBTUI_ATTEMPT))"
    job = jobs.submit("--retries", "5", "--retry-on", "exit:74,exit:75,signal", "--shell", line)
    jobs("wait", str(job), check=1)
    assert (jobs.row(job)["attempt"], jobs.row(job)["exit_code"]) == (3, 76)


def test_a_time_limit_ends_the_job_and_what_it_started(jobs: Jobs, until: Until) -> None:
    job = jobs.submit("--timeout", "1s", "--grace", "1s", "--shell", "setsid sleep 7261.5 & echo up; sleep 7261.5")
    assert jobs.wait(job) == 1
    row = jobs.row(job)
    assert (row["state"], row["reason"]) == ("failed", "timeout")
    assert "time limit" in row["detail"] and row["elapsed"] < 20
    until(lambda: not processes_with("7261.5"))


def test_variables_reach_the_job_and_secret_ones_are_never_shown(jobs: Jobs) -> None:
    options = ["--env", "PLAIN=a b=c", "--env", "INHERITED", "--secret", "TOKEN=hunter2-of-the-test", "--secret", "KEY"]
    line = 'echo "$PLAIN|$INHERITED|$TOKEN|$KEY|$FROM_ME"'
    env = {"INHERITED": "from here", "KEY": "key-of-the-test", "FROM_ME": "my own"}
    job = jobs.submit(*options, "--shell", line, env=env)
    jobs.wait(job)
    assert jobs.out(job) == b"a b=c|from here|hunter2-of-the-test|key-of-the-test|my own\n"
    for command in (["show"], ["show", "--json"]):
        shown = jobs(*command, str(job)).stdout
        assert b"a b=c" in shown and b"(secret)" in shown
        assert b"hunter2" not in shown and b"key-of-the-test" not in shown
    for command in (["ls", "--json"], ["ls", "--all"], ["queue"], ["engine", "status", "--json"]):
        done = jobs(*command, check=None)
        assert b"hunter2" not in done.stdout + done.stderr
    again = int(jobs("resubmit", str(job)).stdout)
    jobs.wait(again)
    assert b"|hunter2-of-the-test|" in jobs.out(again)
    assert b"hunter2" not in jobs("show", "--json", str(again)).stdout


def test_directory_and_input_are_those_asked_for_or_the_submitters(jobs: Jobs, tmp_path: Path) -> None:
    place = tmp_path / "a dir"
    place.mkdir()
    (place / "in.txt").write_text("from the file\n")
    here = jobs.submit("--shell", "pwd; cat", cwd=place)
    there = jobs.submit("--cwd", str(place), "--stdin", "a dir/in.txt", "--shell", "pwd; cat", cwd=tmp_path)
    jobs.wait(here, there)
    assert jobs.out(here) == f"{place}\n".encode()
    assert jobs.out(there) == f"{place}\nfrom the file\n".encode()


def test_the_jobs_umask_is_the_submitters_and_its_folder_is_private(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.submit("--cwd", str(tmp_path), "--shell", "umask; : >made", umask=0o026)
    jobs.wait(job)
    assert jobs.out(job) == b"0026\n"
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o640
    folder = jobs.path / str(job)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(jobs.path.stat().st_mode) == 0o700
    for path in (*folder.iterdir(), *(p for p in jobs.path.iterdir() if p.is_file())):
        assert not path.stat().st_mode & 0o077, path


def test_what_a_job_needs_and_is_called_is_in_its_row(jobs: Jobs) -> None:
    options = ["--hold", "--name", "big one", "--tag", "a", "--tag", "b", "--priority", "-5", "--cpus", "2"]
    job = jobs.submit(*options, "--mem", "1.5G", "--gpus", "1", "--", "true")
    row = jobs.row(job)
    shown = {key: row[key] for key in ("name", "tags", "priority", "cpus", "memory", "gpus", "state", "backend")}
    assert shown == {
        "name": "big one",
        "tags": ["a", "b"],
        "priority": -5,
        "cpus": 2,
        "memory": 3 * 2**29,
        "gpus": 1,
        "state": "held",
        "backend": "local",
    }


def test_a_held_job_starts_when_it_is_released(jobs: Jobs) -> None:
    job = jobs.submit("--hold", "--", "echo", "ran")
    assert jobs.state(job) == "held"
    assert jobs("release", str(job)).stdout == f"job {job}: released\n".encode()
    assert jobs.wait(job) == 0
    assert jobs.out(job) == b"ran\n"
    assert b"only a waiting job can be held" in jobs("hold", str(job), check=1).stderr
    assert b"not held" in jobs("release", str(job), check=1).stderr


def test_a_waiting_job_can_be_held(jobs: Jobs) -> None:
    job = jobs.submit("--at", "+1h", "--", "true")
    assert jobs("hold", str(job)).stdout == f"job {job}: held\n".encode()
    assert jobs.state(job) == "held"
    jobs("release", str(job))
    assert jobs.state(job) == "created"
    jobs("cancel", str(job))


# -- run


@pytest.mark.parametrize(
    ("line", "code"), [("exit 0", 0), ("exit 1", 1), ("exit 77", 77), ("exit 255", 255), ("kill -9 $$", 137)]
)
def test_run_exits_as_its_job(jobs: Jobs, line: str, code: int) -> None:
    done = jobs("run", "--shell", line, check=code)
    assert (b"SIGKILL" in done.stderr) is (code == 137)


def test_run_passes_both_streams_on_unchanged(jobs: Jobs, tmp_path: Path) -> None:
    data = bytes(range(256)) * 2_000
    (tmp_path / "data").write_bytes(data)
    done = jobs("run", "--cwd", str(tmp_path), "--shell", "cat data; { printf 'err\\033[2J'; cat data; } >&2")
    assert done.stdout == data
    assert done.stderr == b"err\x1b[2J" + data


def test_run_shows_output_while_the_job_runs(jobs: Jobs) -> None:
    follow = jobs.popen("run", "--shell", "echo early; while [ ! -e go ]; do sleep 0.05; done; echo late")
    assert follow.stdout is not None
    assert follow.stdout.readline() == b"early\n"
    (jobs.root / "go").touch()
    assert follow.communicate(timeout=60) == (b"late\n", b"")
    assert follow.returncode == 0


def test_run_says_why_where_the_code_does_not(jobs: Jobs) -> None:
    done = jobs("run", "--timeout", "1s", "--grace", "1s", "--", "sleep", "600", check=None)
    assert b"time limit" in done.stderr and done.returncode > 128
    assert jobs("run", "--", "no-such-program", check=127).stdout == b""


def test_a_job_stopped_at_its_time_limit_exits_as_its_program_did(jobs: Jobs) -> None:
    ids = [jobs.submit("--timeout", "1s", "--", "sleep", "600") for _ in range(10)]
    jobs.wait(*ids)
    assert [jobs.row(job)["exit_code"] for job in ids] == [143] * len(ids)


def test_a_hidden_interrupt_leaves_the_job_running(jobs: Jobs, until: Until) -> None:
    follow = jobs.popen("run", "--shell", "echo up; sleep 600")
    assert follow.stdout is not None and follow.stdout.readline() == b"up\n"
    follow.send_signal(signal.SIGINT)
    _, err = follow.communicate(timeout=60)
    job = int(err.split(b"job ")[1].split()[0])
    assert b"goes on" in err and f"jobtui logs -f {job}".encode() in err
    assert jobs.state(job) == "running"
    jobs("cancel", str(job))


# -- logs


def test_logs_of_either_stream_and_of_its_last_lines(jobs: Jobs) -> None:
    job = jobs.submit("--shell", "seq 1 100; seq 201 300 >&2; printf unfinished")
    jobs.wait(job)
    out = b"".join(b"%d\n" % n for n in range(1, 101)) + b"unfinished"
    err = b"".join(b"%d\n" % n for n in range(201, 301))
    assert jobs.logs(job) == out
    assert jobs.logs(job, "--stderr") == err
    both = jobs("logs", "--both", str(job))
    assert (both.stdout, both.stderr) == (out, err)
    assert jobs.logs(job, "-n", "2") == b"100\nunfinished"
    assert jobs.logs(job, "-n", "2", "--stderr") == b"299\n300\n"
    assert jobs.logs(job, "-n", "0") == b""
    assert jobs.logs(job, "-n", "1000") == out
    assert jobs.logs(job, "-f", "-n", "1") == b"unfinished"


def test_logs_follow_ends_with_the_job_and_misses_nothing(jobs: Jobs, tmp_path: Path) -> None:
    line = "echo first; while [ ! -e go ]; do sleep 0.05; done; seq 1 5000; echo oops >&2"
    job = jobs.submit("--cwd", str(tmp_path), "--shell", line)
    follow = jobs.popen("logs", "-f", "--both", str(job))
    assert follow.stdout is not None and follow.stdout.readline() == b"first\n"
    assert follow.poll() is None
    (tmp_path / "go").touch()
    out, err = follow.communicate(timeout=60)
    assert out == b"".join(b"%d\n" % n for n in range(1, 5001))
    assert err == b"oops\n"
    assert follow.returncode == 0


def test_logs_follow_a_job_that_has_not_started_yet(jobs: Jobs) -> None:
    job = jobs.submit("--hold", "--", "echo", "at last")
    follow = jobs.popen("logs", "-f", str(job))
    jobs("release", str(job))
    assert follow.communicate(timeout=60) == (b"at last\n", b"")


def test_logs_of_what_is_not_there(jobs: Jobs) -> None:
    job = jobs.submit("--hold", "--", "true")
    assert jobs.logs(job) == b""
    done = jobs("logs", "--attempt", "4", str(job), check=1)
    assert f"job {job} has no attempt 4".encode() in done.stderr
    assert b"one job" in jobs("logs", "1-3", check=2).stderr


# -- cancel


def test_a_waiting_job_is_cancelled_at_once(jobs: Jobs) -> None:
    job = jobs.submit("--at", "+1h", "--", "true")
    assert jobs("cancel", str(job)).stdout == f"job {job}: cancelled\n".encode()
    row = jobs.row(job)
    assert (row["state"], row["reason"], row["started"]) == ("cancelled", "person", None)
    done = jobs("cancel", str(job), check=1)
    assert b"has ended already" in done.stderr and done.stdout == b""


def test_cancel_ends_a_job_with_all_that_it_started(jobs: Jobs, until: Until) -> None:
    tree = "sleep 7262.5 & (setsid sleep 7262.5 &) ; (trap '' TERM; sleep 7262.5; sleep 7262.5) & echo up; wait"
    job = jobs.submit("--grace", "1s", "--shell", tree)
    until(lambda: len(processes_with("7262.5")) >= 3 and jobs.out(job) == b"up\n")
    assert jobs("cancel", str(job)).stdout == f"job {job}: asked to stop\n".encode()
    assert jobs.wait(job) == 1
    row = jobs.row(job)
    assert (row["state"], row["reason"]) == ("cancelled", "person")
    until(lambda: not processes_with("7262.5"))


def test_a_job_may_clean_up_before_it_goes(jobs: Jobs, until: Until) -> None:
    job = jobs.submit("--shell", "trap 'echo cleaned; exit 0' TERM; echo up; while :; do sleep 0.05; done")
    until(lambda: jobs.out(job) == b"up\n")
    jobs("cancel", str(job))
    jobs.wait(job)
    assert jobs.out(job) == b"up\ncleaned\n"
    assert jobs.state(job) == "cancelled"


def test_force_does_not_wait(jobs: Jobs, until: Until) -> None:
    job = jobs.submit("--grace", "1h", "--shell", "trap '' TERM; echo up; while :; do sleep 0.05; done")
    until(lambda: jobs.out(job) == b"up\n")
    jobs("cancel", str(job))
    until(lambda: jobs.state(job) == "cancelling")
    jobs("cancel", "--force", str(job))
    assert jobs.wait(job) == 1
    assert jobs.row(job)["signal"] == 9


def test_cancel_takes_ranges_and_filters_and_leaves_ended_jobs_alone(jobs: Jobs) -> None:
    ended = jobs.submit("--tag", "sel", "--", "true")
    jobs.wait(ended)
    held = [jobs.submit("--hold", "--tag", "sel", "--name", name, "--", "true") for name in ("x", "y", "y")]
    done = jobs("cancel", f"{ended}-{held[-1]}", "tag:sel", "name:y")
    assert done.stdout == b"".join(b"job %d: cancelled\n" % job for job in held[1:])
    assert [jobs.state(job) for job in (ended, *held)] == ["finished", "held", "cancelled", "cancelled"]
    jobs("cancel", "tag:sel")
    assert b"ended already" in jobs("cancel", "tag:sel", check=1).stderr


# -- signal, suspend, resume, priority


def test_a_running_job_gets_signals_and_can_be_suspended_and_resumed(jobs: Jobs, until: Until) -> None:
    job = jobs.submit("--shell", "trap 'echo signal' USR1; echo up; while :; do sleep 0.05; done")
    until(lambda: jobs.out(job) == b"up\n")
    assert jobs("signal", "USR1", str(job)).stdout == f"job {job}: asked to send it USR1\n".encode()
    until(lambda: jobs.out(job) == b"up\nsignal\n")
    jobs("suspend", str(job))
    until(lambda: [row.id for row in jobs.manager.select("state:suspended")] == [job])
    assert b"only a running job can be suspended" in jobs("suspend", str(job), check=1).stderr
    jobs("resume", str(job))
    until(lambda: jobs.manager.catalog.some([job])[0].state == "running")
    jobs("signal", "kill", str(job))
    assert jobs.wait(job) == 1
    assert b"killed by SIGKILL, which " in jobs("show", str(job)).stdout


def test_the_priority_of_waiting_jobs_can_be_changed(jobs: Jobs) -> None:
    held = [jobs.submit("--hold", "--", "true") for _ in range(2)]
    assert jobs("priority", "-5", str(held[0])).stdout == f"job {held[0]}: has priority -5 now\n".encode()
    jobs("priority", "10", f"{held[1]}")
    assert [jobs.row(job)["priority"] for job in held] == [-5, 10]


# -- retry and resubmit


def test_only_the_failed_tasks_of_an_array_are_run_again(jobs: Jobs) -> None:
    line = "exit $((JOBTUI_ARRAY_INDEX % 2 * (2 - JOBTUI_ATTEMPT)))"
    ids = jobs("submit", "--array", "1-4", "--shell", line).stdout.decode().strip()
    first = int(ids.split("-")[0])
    other = jobs.submit("--", "false")
    assert jobs.wait(*range(first, first + 4), other) == 1
    done = jobs("retry", f"array:{first}", "state:failed").stdout.decode()
    assert done == "".join(f"job {job}: runs again as attempt 2\n" for job in (first, first + 2))
    assert jobs.wait(*range(first, first + 4)) == 0
    assert [jobs.row(job)["attempt"] for job in (*range(first, first + 4), other)] == [2, 1, 2, 1, 1]


def test_retry_runs_the_same_job_again_and_keeps_the_earlier_output(jobs: Jobs, tmp_path: Path) -> None:
    line = 'echo "attempt $JOBTUI_ATTEMPT"; [ -e fixed ]'
    job = jobs.submit("--cwd", str(tmp_path), "--shell", line)
    assert jobs.wait(job) == 1
    (tmp_path / "fixed").touch()
    assert jobs("retry", str(job)).stdout == f"job {job}: runs again as attempt 2\n".encode()
    assert jobs.wait(job) == 0
    assert jobs.logs(job) == b"attempt 2\n"
    assert jobs.logs(job, "--attempt", "1") == b"attempt 1\n"
    row = jobs.shown(job)
    assert (row["attempt"], row["state"], row["attempts"][0]["exit_code"]) == (2, "finished", 1)
    assert b"attempt 1: exit code 1" in jobs("show", str(job)).stdout


def test_retry_refuses_a_job_that_has_not_ended(jobs: Jobs) -> None:
    job = jobs.submit("--hold", "--", "true")
    assert b"has not ended yet" in jobs("retry", str(job), check=1).stderr


def test_a_cancelled_job_can_be_run_after_all(jobs: Jobs) -> None:
    job = jobs.submit("--hold", "--", "echo", "ran")
    jobs("cancel", str(job))
    jobs("retry", str(job))
    assert jobs.wait(job) == 0
    assert jobs.out(job) == b"ran\n"


def test_resubmit_makes_a_new_job_that_knows_where_it_came_from(jobs: Jobs) -> None:
    old = jobs.submit("--name", "orig", "--tag", "t", "--env", "A=1", "--shell", 'echo "$A$B"; exit 3')
    jobs.wait(old)
    new = int(jobs("resubmit", str(old)).stdout)
    changed = int(jobs("resubmit", "--name", "other", "--env", "B=2", "--timeout", "1h", str(old)).stdout)
    replaced = int(jobs("resubmit", str(old), "--", "echo", "$A", "--x").stdout)
    jobs.wait(new, changed, replaced)
    assert [jobs.out(job) for job in (old, new, changed, replaced)] == [b"1\n", b"1\n", b"12\n", b"$A --x\n"]
    rows = {job: jobs.shown(job) for job in (old, new, changed, replaced)}
    assert [row["resubmitted_from"] for row in rows.values()] == [None, old, old, old]
    assert [row["name"] for row in rows.values()] == ["orig", "orig", "other", "orig"]
    assert rows[changed]["spec"]["timeout"] == 3600 and rows[old]["spec"].get("timeout") is None
    assert rows[old]["attempt"] == 1 and rows[new]["tags"] == ["t"]
    assert f"from job {old}".encode() in jobs("show", str(new)).stdout


def test_a_resubmitted_job_does_not_wait_again(jobs: Jobs) -> None:
    first = jobs.submit("--", "true")
    old = jobs.submit("--hold", "--after", str(first), "--", "echo", "ran")
    jobs("cancel", str(old))
    new = int(jobs("resubmit", str(old)).stdout)
    assert jobs.wait(new) == 0


def test_a_resubmitted_array_task_still_knows_its_index(jobs: Jobs) -> None:
    job = int(jobs("submit", "--array", "7", "--shell", 'echo "index $JOBTUI_ARRAY_INDEX"').stdout)
    jobs.wait(job)
    new = int(jobs("resubmit", str(job)).stdout)
    jobs.wait(new)
    assert (jobs.out(job), jobs.out(new)) == (b"index 7\n", b"index 7\n")


# -- wait and rm


def test_wait_tells_whether_all_finished(jobs: Jobs) -> None:
    good, bad, late = (
        jobs.submit("--", "true"),
        jobs.submit("--", "sh", "-c", "exit 4"),
        jobs.submit("--hold", "--", "true"),
    )
    assert jobs("wait", str(good)).stderr == b""
    done = jobs("wait", str(good), str(bad), check=1)
    assert f"job {bad} failed: exit code 4".encode() in done.stderr
    started = time.monotonic()
    done = jobs("wait", "--timeout", "0.3s", str(late), check=1)
    assert f"not ended yet: {late}".encode() in done.stderr
    assert time.monotonic() - started < 60
    jobs("cancel", str(late))
    assert f"job {late} cancelled".encode() in jobs("wait", str(late), check=1).stderr


def test_wait_notices_that_a_job_is_removed_meanwhile(jobs: Jobs, until: Until) -> None:
    job = jobs.submit("--hold", "--", "true")
    waiting = jobs.popen("wait", str(job))
    until(lambda: is_watching(waiting.pid))
    jobs("cancel", str(job))
    jobs("rm", str(job))
    _, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 1
    # Depending on what it saw first.
    assert f"job {job} cancelled".encode() in err or f"removed while waiting: {job}".encode() in err


def test_a_removed_job_is_gone_and_its_id_is_never_given_again(jobs: Jobs) -> None:
    job = jobs.submit("--", "true")
    jobs.wait(job)
    assert jobs("rm", str(job)).stdout == f"job {job}: removed\n".encode()
    assert not (jobs.path / str(job)).exists()
    done = jobs("show", str(job), check=1)
    assert f"there is no job {job}".encode() in done.stderr
    assert jobs.submit("--hold", "--", "true") == job + 1


def test_only_ended_jobs_that_nobody_waits_for_are_removed(jobs: Jobs) -> None:
    first = jobs.submit("--", "true")
    jobs.wait(first)
    held = jobs.submit("--hold", "--after", str(first), "--", "true")
    assert f"job {held} waits for it".encode() in jobs("rm", str(first), check=1).stderr
    assert b"only an ended job can be removed" in jobs("rm", str(held), check=1).stderr
    jobs("cancel", str(held))
    done = jobs("rm", f"{first},{held}")
    assert done.stdout == f"job {first}: removed\njob {held}: removed\n".encode()


# -- queue, engine, doctor, completion, demo


def test_queue_says_what_waits_and_why(jobtui: Command, until: Until) -> None:
    jobtui("engine", "set", "slots=1", "cpus=2", check=0)
    jobtui("submit", "--", "sleep", "600", check=0)
    jobtui("submit", "--", "true", check=0)
    jobtui("submit", "--priority", "3", "--", "true", check=0)
    jobtui("submit", "--cpus", "64", "--", "true", check=0)
    jobtui("submit", "--after", "1", "--", "true", check=0)
    jobtui("submit", "--hold", "--", "true", check=0)
    until(lambda: json.loads(jobtui("ls", "--json", "id:1").stdout)[0]["state"] == "running")
    found = json.loads(jobtui("queue", "--json", check=0).stdout)
    assert [item["id"] for item in found] == [3, 2, 4, 5, 6]
    why = {item["id"]: item["why"] for item in found}
    assert "a free slot (1 in use)" in why[3] and "next" in why[3]
    assert "1 ahead" in why[2]
    assert "budget is 2" in why[4], "it never starts, whatever ends"
    assert "job 1 to end well" in why[5]
    assert "release" in why[6]
    table = jobtui("queue", check=0).stdout.splitlines()
    assert table[0].split() == ["ID", "NAME", "STATE", "PRIORITY", "WHY"] and len(table) == 6
    jobtui("cancel", "--force", "state:active", check=0)


def test_the_engine_can_be_seen_stopped_started_and_set(jobtui: Command, workdir: WorkDir, until: Until) -> None:
    assert "not running" in jobtui("engine", "status", check=0).stdout
    assert jobtui("engine", "stop").returncode == 1, "there is no work directory yet"
    assert jobtui("submit", "--", "sleep", "600", check=0).stdout == "1\n"

    def status() -> dict[str, Any]:
        return json.loads(jobtui("engine", "status", "--json", check=0).stdout)

    until(lambda: status()["running"])
    now = status()
    assert (now["workdir"], now["host"]) == (workdir.path, os.uname().nodename)
    assert abs(now["since"] - time.time()) < 60 and Path(f"/proc/{now['pid']}").exists()
    assert f"pid {now['pid']} on " in jobtui("engine", "status", check=0).stdout
    until(lambda: json.loads(jobtui("ls", "--json").stdout)[0]["state"] == "running")

    assert "running jobs go on" in jobtui("engine", "stop", check=0).stdout
    assert not status()["running"]
    until(lambda: start_ticks(now["pid"]) is None)
    assert "no engine was running" in jobtui("engine", "stop", check=0).stdout
    assert json.loads(jobtui("ls", "--json").stdout)[0]["state"] == "running"

    jobtui("engine", "set", "autostart=off", "slots=3", "memory=2G", "on_error=retry", check=0)
    listed = jobtui("submit", "--", "true", check=0)
    assert listed.stdout == "2\n" and not status()["running"]
    assert "jobtui engine start" in jobtui("queue", check=0).stdout
    assert {key: status()["settings"][key] for key in ("slots", "memory", "on_error", "autostart")} == {
        "slots": 3,
        "memory": 2 * 2**30,
        "on_error": "retry",
        "autostart": False,
    }
    shown = jobtui("engine", "status", check=0).stdout
    assert "autostart is off" in shown and "2.0 GiB" in shown and "retry, 3 times" in shown

    assert "an engine drives" in jobtui("engine", "start", check=0).stdout
    assert jobtui("wait", "2", check=0).stderr == ""
    jobtui("engine", "set", "slots=default", check=0)
    assert status()["settings"]["slots"] is None
    jobtui("cancel", "--force", "1", check=0)
    assert jobtui("wait", "1").returncode == 1


def test_a_running_engine_obeys_new_settings(jobtui: Command, until: Until) -> None:
    jobtui("engine", "set", "slots=1", check=0)
    for _ in range(3):
        jobtui("submit", "--", "sleep", "600", check=0)

    def running() -> int:
        return len(json.loads(jobtui("ls", "--json", "state:running").stdout))

    until(lambda: running() == 1)
    jobtui("engine", "set", "slots=2", "cpus=2", check=0)
    until(lambda: running() == 2)
    jobtui("cancel", "--force", "1-3", check=0)


def test_doctor_finds_nothing_wrong_here_and_says_what_is(jobtui: Command, workdir: WorkDir) -> None:
    assert "not there yet" in jobtui("doctor", check=0).stdout
    jobtui("submit", "--", "true", check=0)
    jobtui("wait", "1", check=0)
    done = jobtui("doctor", check=0)
    assert all(line.startswith("ok ") for line in done.stdout.splitlines())
    assert workdir.path in done.stdout and "back end local" in done.stdout and "1 job\n" in done.stdout
    # In place, so that nothing but the file itself tells of it.
    Path(workdir.metadir(1), "job.json").write_bytes(b"{torn")
    done = jobtui("doctor", check=1)
    wrong = [line for line in done.stdout.splitlines() if not line.startswith("ok ")]
    assert len(wrong) == 1 and wrong[0].startswith("WRONG") and "read of 1:" in wrong[0] and "jobtui rm" in wrong[0]
    jobtui("rm", "1", check=0)
    assert "0 jobs" in jobtui("doctor", check=0).stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_gives_a_script_for_the_shell(jobtui: Command, shell: str) -> None:
    script = jobtui("completion", shell, check=0).stdout
    assert "_JOBTUI_COMPLETE" in script
    if shell == "bash":
        checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
        assert (checked.returncode, checked.stderr) == (0, "")


def test_commands_and_options_are_completed(jobtui: Command) -> None:
    def complete(*words: str) -> list[str]:
        env = {"_JOBTUI_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
        return [line.rpartition(",")[2] for line in jobtui(env=env).stdout.splitlines()]

    assert set(complete("jobtui", "re")) == {"retry", "requeue", "resubmit", "release", "resume"}
    assert "--retries" in complete("jobtui", "submit", "--ret")
    assert set(complete("jobtui", "engine", "sta")) == {"status", "start"}


def test_the_demo_submits_its_jobs_to_a_work_directory_of_its_own(jobs: Jobs) -> None:
    done = jobs("demo")
    path = f"{jobs.path}-demo"
    assert path in done.stdout.decode()
    try:
        rows = json.loads(jobs("-w", path, "ls", "--json").stdout)
        assert len(rows) >= 10 and {"demo"} == {tag for row in rows for tag in row["tags"]}
    finally:
        jobs("-w", path, "cancel", "--force", "state:active", check=None)
        jobs("-w", path, "wait", "--timeout", "60s", check=None)
        jobs("-w", path, "engine", "stop", check=None)


# -- which work directory


def test_the_work_directory_is_the_one_named_then_the_variables_then_the_one_here_then_ones_own(
    jobtui: Command, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    none = {"JOBTUI_WORKDIR": ""}

    def used(*arguments: str, env: dict[str, str]) -> str:
        return json.loads(jobtui(*arguments, env=env, cwd=here, check=0).stdout)["workdir"]

    status = ("engine", "status", "--json")
    assert used(*status, env=none) == str(tmp_path / "state" / "jobtui" / "jobs")
    (here / ".jobtui").mkdir()
    assert used(*status, env=none) == str(here / ".jobtui")
    assert used(*status, env={"JOBTUI_WORKDIR": "rel"}) == str(here / "rel")
    assert used("-w", "a", *status, env={"JOBTUI_WORKDIR": "rel"}) == str(here / "a")
    assert used(*status, "-w", str(tmp_path / "b"), env=none) == str(tmp_path / "b")
    assert used("-w", "a", *status, "-w", "b", env=none) == str(here / "b")
    assert used(*status, env={"JOBTUI_WORKDIR": "~/x", "HOME": str(here)}) == str(here / "x")
    assert [path.name for path in here.iterdir()] == [".jobtui"], "asking makes nothing"


def test_a_work_directory_with_an_odd_name_works(jobs: Jobs, tmp_path: Path) -> None:
    path = tmp_path / "it's 50% [odd] #1?\n"
    assert jobs("-w", str(path), "submit", "--", "sh", "-c", 'echo "$JOBTUI_METADIR"').stdout == b"1\n"
    try:
        jobs("-w", str(path), "wait", "1")
        assert jobs("-w", str(path), "logs", "1").stdout == f"{path}\n".encode()
        assert jobs("-w", str(path), "ls").stdout.count(b"\n") == 2
    finally:
        jobs("-w", str(path), "engine", "stop", check=None)
