"""What the command line prints: words and exit codes for mistakes, tables, JSON, colours, and odd text as data."""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyte
import pytest

from jobtui.core.job import ArrayTask, Begin, End, JobSpec, Process
from jobtui.core.metadir import write_fact
from jobtui.core.settings import write_settings
from jobtui.core.workdir import WorkDir
from jobtui.tui.cli import cli, main
from jobtui.tui.screen import app

JOBTUI = str(Path(sys.executable).with_name("jobtui"))
Command = Callable[..., "subprocess.CompletedProcess[str]"]
Until = Callable[..., Any]
TAG = "jttag"
ESC = "\x1b"


@pytest.fixture
def shelf(workdir: WorkDir) -> WorkDir:
    """A work directory whose jobs nobody drives, so that they stay as a test made them."""
    workdir.create()
    write_settings(workdir, {"autostart": False})
    return workdir


def held(name: str | None = None, *command: str, **more: Any) -> JobSpec:
    return JobSpec(command=command or ("true",), name=name, tag=TAG, hold=True, cwd="/", created=1_000.0, **more)


def ended(workdir: WorkDir, *jobs: int, code: int = 0, at: float = 2_000.0, **more: Any) -> None:
    """Make jobs ended ones that ran for 90 s."""
    for job in jobs:
        path = workdir.metadir(job)
        write_fact(path, "job.begin", Begin(1, TAG, "here", "boot", Process(1, 1), Process(2, 2), 10.0))
        write_fact(path, "job.rc", End(attempt=1, tag=TAG, exit_code=code, uptime=100.0, **more))
        os.utime(f"{path}/job.begin", (at - 90, at - 90))
        os.utime(f"{path}/job.rc", (at, at))


# -- mistakes


@pytest.fixture
def mistake(shelf: WorkDir, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command line in this process: its exit code, and what it wrote."""
    shelf.add([held("one"), held("two")])
    ended(shelf, 2)
    monkeypatch.setenv("JOBTUI_WORKDIR", shelf.path)
    monkeypatch.setenv("XDG_STATE_HOME", f"{shelf.path}/../state")

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        try:
            code: Any = main(list(arguments))
        except SystemExit as leaving:
            code = leaving.code
        out, err = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, code, out, err)

    return call


USAGE = [
    (["nonsense"], "No such command 'nonsense'"),
    (["submit"], "what is to run? Write it behind --"),
    (["run"], "Missing argument"),
    (["submit", "--bogus", "--", "x"], "No such option '--bogus'"),
    (["submit", "--timeout", "soon", "--", "x"], "'soon' is not a duration; write it like 90s"),
    (["submit", "--mem", "lots", "--", "x"], "'lots' is not a size; write it like 512M"),
    (["submit", "--at", "yesterday", "--", "x"], "'yesterday' is not a time; write it like 18:30"),
    (["submit", "--after", "x", "--", "x"], "'x' is not a job id; write 12, 3-9 or 3,5,8"),
    (["submit", "--env", "NOT_SET_ANYWHERE", "--", "x"], "write it as NAME=VALUE"),
    (["submit", "--retry-on", "foo", "--", "x"], "there is no ending 'foo'"),
    (["submit", "--cpus", "0", "--", "x"], "--cpus"),
    (["submit", "--array", "1-5:0", "--", "x"], "'1-5:0' is not an array; write 1-100"),
    (["submit", "--array", "5-1", "--", "x"], "'5-1' is not an array; write 1-100, 0-20:5 or 1,4,9"),
    (["submit", "--array", "1-x", "--", "x"], "'1-x' is not an array; write 1-100, 0-20:5 or 1,4,9"),
    (["submit", "--array", "1-5:", "--", "x"], "'1-5:' is not an array"),
    (["submit", "--from", "f", "--", "x"], "--from takes the commands from a file"),
    (["submit", "--from", "f", "--array", "1-3"], "--from takes the commands from a file"),
    (["show", "abc"], "'abc' is not a job id; write 12, 3-9 or 3,5,8"),
    (["show", "state:nope"], "there is no state 'nope'; there are created"),
    (["cancel"], "Missing argument"),
    (["cancel", "one"], "'one' is not a job id"),
    (["rm", "-y", "two"], "'two' is not a job id"),
    (["ls", "colour:red"], "'colour' cannot be filtered by; there are state"),
    (["ls", "name~("], "not a regular expression"),
    (["logs", "1,2"], "logs takes one job"),
    (["logs", "--attempt", "0", "1"], "--attempt"),
    (["wait", "--timeout", "x", "1"], "'x' is not a duration"),
    (["resubmit", "--shell", "1"], "--shell needs the new command"),
    (["engine", "set", "foo=1"], "'foo=1': write NAME=VALUE; names: slots"),
    (["engine", "set", "slots"], "'slots': write NAME=VALUE"),
    (["engine", "set", "slots=many"], "slots"),
    (["engine", "set", "slots=0"], "slots must be at least 1"),
    (["engine", "set", "autostart=maybe"], "autostart is on or off"),
    (["completion", "tcsh"], "'tcsh' is not one of"),
    (["signal", "USR9", "1"], "'USR9' is not a signal; write it like USR1, TERM or 10"),
    (["signal", "1"], "Missing argument"),
    (["-w", "a", "-w", "b", "ls"], "a command takes one work directory, and -w names 2; only the screen shows several"),
    (["ls", "-w", "a", "-w", "b"], "a command takes one work directory, and -w names 2; only the screen shows several"),
    (["--all", "ls"], "--all is for the screen: a command takes one work directory, by -w"),
    (["priority", "high", "1"], "'high' is not a valid integer"),
]
REFUSED = [
    (["show", "99"], "there is no job 99 in "),
    (["show", "1,99"], "there is no job 99 in "),
    (["show", "50-60"], "no job matches"),
    (["cancel", "state:running"], "no job matches"),
    (["logs", "99"], "there is no job 99 in "),
    (["wait", "99"], "there is no job 99 in "),
    (["resubmit", "99"], "there is no job 99 in "),
    (["rm", "1"], "job 1: only an ended job can be removed, and this one is held"),
    (["retry", "1"], "job 1: it has not ended yet (held)"),
    (["cancel", "2"], "job 2: it has ended already (finished)"),
    (["hold", "2"], "job 2: only a waiting job can be held, and this one is finished"),
    (["release", "2"], "job 2: it is not held (finished)"),
    (["signal", "HUP", "1"], "job 1: only a running job can be sent a signal, and this one is held"),
    (["suspend", "2"], "job 2: only a running job can be suspended, and this one is finished"),
    (["resume", "1"], "job 1: only a suspended job can be resumed, and this one is held"),
    (["priority", "-5", "2"], "job 2: only a waiting job has a place in the queue, and this one is finished"),
    (["logs", "--attempt", "7", "2"], "job 2 has no attempt 7; this is attempt 1"),
    (["submit", "--after", "99", "--", "x"], "after job 99, but there is no such job"),
    (["submit", "--cwd", "/not/here", "--", "x"], "there is no directory /not/here to run in"),
    (["submit", "--stdin", "/not/here", "--", "x"], "cannot read the input file /not/here"),
    (["submit", "-b", "nope", "--", "x"], "there is no back end called 'nope' (installed: "),
    (["submit", "--env", "1A=x", "--", "x"], "'1A' is not a name for an environment variable"),
    (["submit", "--", ""], "the command is empty"),
    (["submit", "--shell", "  "], "the command is empty"),
    (["submit", "--timeout", "0", "--", "x"], "a time limit must be longer than 0 seconds"),
    (["submit", "--from", "/not/here"], "cannot read /not/here: No such file or directory"),
    (["submit", "--from", "/"], "cannot read /: Is a directory"),
    (["submit", "--from", "/dev/null"], "there is no command in /dev/null"),
    (["-w", "/proc/nope", "submit", "--", "x"], "cannot use the work directory /proc/nope"),
    (["-w", "/not/here", "show", "1"], "there are no jobs yet in /not/here"),
    (["-w", "/not/here", "wait"], "there are no jobs yet in /not/here"),
    (["-w", "/not/here", "engine", "stop"], "there are no jobs yet in /not/here"),
]


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [*((*case, 2) for case in USAGE), *((*case, 1) for case in REFUSED)],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_is_told_on_stderr_in_a_line_or_two(
    mistake: Command, shelf: WorkDir, arguments: list[str], words: str, code: int
) -> None:
    done = mistake(*arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert done.stdout == ""
    assert 1 <= done.stderr.count("\n") <= 2
    assert "Traceback" not in done.stderr and "a bug in" not in done.stderr
    assert sorted(shelf.ids()) == [1, 2], "nothing was made or removed"


@pytest.mark.parametrize("setting", ["slots=many", "on_error=explode", "linger=x"])
def test_a_wrong_setting_is_refused_in_a_persons_words(mistake: Command, setting: str) -> None:
    done = mistake("engine", "set", setting)
    assert done.returncode == 2
    assert not re.search(r"literal|base 10|enum|\$\.|convert string", done.stderr)


def test_a_work_directory_that_is_a_file_is_refused(mistake: Command) -> None:
    assert mistake("-w", "/etc/passwd", "ls").returncode == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ls", "no-such-name"], "no job matches"),
        (["-w", "/not/here", "ls"], "there are no jobs yet in /not/here"),
        (["wait"], "no job is active"),
        (["engine", "stop"], "no engine was running"),
    ],
)
def test_nothing_to_show_is_no_error(mistake: Command, arguments: list[str], words: str) -> None:
    mistake("cancel", "1")
    done = mistake(*arguments)
    assert done.returncode == 0 and words in done.stdout + done.stderr
    assert "-w" not in arguments or mistake(*arguments, "--json").stdout == "[]\n"


def test_an_order_that_fails_for_some_is_carried_out_for_the_others(mistake: Command) -> None:
    done = mistake("cancel", "1", "2")
    assert done.returncode == 1
    assert done.stdout == "job 1: cancelled\n"
    assert done.stderr == "job 2: it has ended already (finished)\n"


def test_jobs_are_listed_in_the_order_asked_for(mistake: Command, shelf: WorkDir) -> None:
    shelf.add([held("Zeta"), held("alpha")])
    ended(shelf, 4, code=3)

    def ids(*options: str) -> list[str]:
        return mistake("ls", "--quiet", *options).stdout.split()

    assert ids() == ["1", "2", "3", "4"]
    assert ids("--sort", "id", "-r") == ["4", "3", "2", "1"]
    assert ids("--sort", "name") == ["4", "1", "2", "3"]
    assert ids("--sort", "exit", "--reverse") == ["4", "2", "1", "3"]
    assert ids("--sort", "elapsed") == ["2", "4", "1", "3"]


def test_the_work_directories_used_are_listed_with_what_they_hold(mistake: Command, shelf: WorkDir) -> None:
    assert "no work directory has been used yet" in mistake("places").stderr
    mistake("engine", "set", "autostart=off")
    mistake("submit", "--hold", "--", "true")
    (found,) = json.loads(mistake("places", "--json").stdout)
    assert found == {"workdir": shelf.path, "active": 2, "jobs": 3, "engine": None}
    assert mistake("places").stdout.split("\n")[1].split() == ["2", "3", "none", shelf.path]


def test_the_screen_opens_on_the_work_directories_named_or_on_all_that_are_known(
    mistake: Command, shelf: WorkDir, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened: list[list[str]] = []
    monkeypatch.setattr(app, "open_screen", lambda workdirs: opened.append([workdir.path for workdir in workdirs]))
    for stream in ("stdin", "stdout"):
        monkeypatch.setattr(getattr(sys, stream), "isatty", lambda: True, raising=False)
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    os.mkdir(one)
    for arguments in ([], ["-w", one, "-w", two, "-w", one], ["--all"], ["-w", two, "--all"]):
        assert mistake(*arguments).returncode == 0
    assert opened == [[shelf.path], [one, two], [shelf.path, one], [two, one, shelf.path]]


def test_help_is_there_for_every_command_and_fits_a_terminal(mistake: Command) -> None:
    top = mistake("--help")
    assert top.returncode == 0 and top.stderr == ""
    commands = [*cli.list_commands(None), *(f"engine {name}" for name in ("status", "start", "stop", "set"))]  # type: ignore[arg-type]
    assert len(commands) >= 20
    for name in commands:
        assert f"\n  {name} " in top.stdout or name.startswith("engine ")
        for option in ("--help", "-h"):
            done = mistake(*name.split(), option)
            assert done.returncode == 0 and done.stdout.startswith(f"Usage: jobtui {name}")
            assert max(map(len, done.stdout.splitlines())) <= 90
    for name in ("submit", "run", "ls", "show", "logs", "cancel", "retry", "resubmit", "wait", "rm"):
        assert "Examples:" in mistake(name, "--help").stdout


def test_help_loads_no_command() -> None:
    code = (
        "import sys; from jobtui.tui.cli import main; main(['--help']); print([m for m in sys.modules if 'cmd_' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_without_a_terminal_jobtui_alone_shows_its_help(jobtui: Command) -> None:
    done = jobtui(check=0)
    assert done.stdout.startswith("Usage: jobtui") and done.stderr == ""
    assert re.fullmatch(r"jobtui \d+\.\d+\S*\n", jobtui("--version", check=0).stdout)


@pytest.mark.parametrize("command", ['"$0"', '"$0" ls', '"$0" cancel 1-20'])
def test_a_closed_input_is_an_empty_one(shelf: WorkDir, command: str) -> None:
    shelf.add([held(f"job {number}") for number in range(20)])
    done = subprocess.run(
        ["bash", "-c", f"{command} <&-", JOBTUI],
        env={**os.environ, "JOBTUI_WORKDIR": shelf.path},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "") and done.stdout


@pytest.mark.parametrize(
    "redirection",
    [
        ">/dev/full",
        ">&-",
    ],
)
def test_an_output_that_cannot_be_written_is_told_in_a_line(shelf: WorkDir, redirection: str) -> None:
    shelf.add([held("one")])
    done = subprocess.run(
        ["bash", "-c", f'"$0" ls {redirection}', JOBTUI],
        env={**os.environ, "JOBTUI_WORKDIR": shelf.path},
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1)
    assert "Traceback" not in done.stderr and "bug" not in done.stderr and done.stderr.count("\n") <= 1


def test_a_full_output_is_not_called_a_full_work_directory(shelf: WorkDir) -> None:
    shelf.add([held("one")])
    env = {**os.environ, "JOBTUI_WORKDIR": shelf.path}
    with open("/dev/full", "w") as full:
        done = subprocess.run([JOBTUI, "ls"], env=env, stdout=full, stderr=subprocess.PIPE, text=True)
    assert "No space left" in done.stderr and "work directory" not in done.stderr


def test_submitting_from_a_directory_that_was_removed_says_so(shelf: WorkDir, tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", 'mkdir gone && cd gone && rmdir ../gone && "$0" submit -- true', JOBTUI],
        env={**os.environ, "JOBTUI_WORKDIR": shelf.path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert shelf.path not in done.stderr and "directory" in done.stderr


def test_a_filter_means_the_same_to_a_listing_and_to_an_order(jobtui: Command, shelf: WorkDir) -> None:
    shelf.add([held("a b"), held("xa", "echo", "b")])
    listed = jobtui("ls", "-q", "name~a b", check=0).stdout.split()
    cancelled = re.findall(r"job (\d+): cancelled", jobtui("cancel", "name~a b", check=0).stdout)
    assert listed == cancelled == ["1"]


# -- pipes


def test_a_long_listing_into_head_ends_quietly(shelf: WorkDir) -> None:
    shelf.add([held(f"job {number}", "echo", "x" * 120) for number in range(1_000)])
    for command in ("ls", "ls --json"):
        done = subprocess.run(
            ["bash", "-c", f'set -o pipefail; "$0" {command} | head -n 1', JOBTUI],
            env={**os.environ, "JOBTUI_WORKDIR": shelf.path},
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(
    "command", ["ls", "ls -q", "ls --json", "show 1", "queue", "logs 1", "release 1", "doctor", "-h"]
)
def test_a_reader_that_has_gone_is_no_error(shelf: WorkDir, command: str) -> None:
    shelf.add([held("one")])
    Path(shelf.metadir(1), "job.stdout").write_text("line\n")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [JOBTUI, *command.split()],
        env={**os.environ, "JOBTUI_WORKDIR": shelf.path},
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


# -- tables


def test_ls_shows_the_active_and_the_newest_ended_jobs(jobtui: Command, shelf: WorkDir) -> None:
    shelf.add([held(f"n{number}") for number in range(1, 131)])
    for job in range(1, 121):
        ended(shelf, job, at=2_000.0 + job)

    def ids(*arguments: str) -> list[int]:
        return [int(line.split()[0]) for line in jobtui("ls", *arguments, check=0).stdout.splitlines()[1:]]

    assert ids() == list(range(21, 131))
    assert ids("--all") == list(range(1, 131))
    assert ids("name:n3") == [3], "a filter looks at every job"
    assert ids("state:held") == list(range(121, 131))
    assert jobtui("ls", "-q", "id:1-3,130", check=0).stdout == "1\n2\n3\n130\n"
    assert len(json.loads(jobtui("ls", "--json", check=0).stdout)) == 130


def test_the_table_is_aligned_and_says_how_each_job_stands(jobtui: Command, shelf: WorkDir) -> None:
    shelf.add([held("a"), held("much longer name", "run", "two words"), held("日本"), held("late"), held("told")])
    ended(shelf, 2, code=3)
    ended(shelf, 4, code=143, timeout=True)
    ended(shelf, 5, code=139)
    lines = jobtui("ls", check=0).stdout.splitlines()
    assert [re.split(r"  +", line.strip()) for line in lines] == [
        ["ID", "NAME", "STATE", "BACKEND", "TRY", "ELAPSED", "EXIT", "COMMAND"],
        ["1", "a", "held", "local", "1", "true"],
        ["2", "much longer name", "failed", "local", "1", "1m30s", "3", "run 'two words'"],
        ["3", "日本", "held", "local", "1", "true"],
        ["4", "late", "failed (timeout)", "local", "1", "1m30s", "143", "true"],
        ["5", "told", "failed (signal)", "local", "1", "1m30s", "139", "true"],
    ]
    column = lines[0].index("STATE")
    assert all(line[column : column + 4] in ("held", "fail") for line in lines[1:3])
    assert lines[3].index("held") == column - 2, "two characters of double width"


def test_jobs_that_nobody_drives_are_told_of(jobtui: Command, shelf: WorkDir) -> None:
    shelf.add([held("one"), JobSpec(command=("true",), tag=TAG, created=1_000.0)])
    done = jobtui("ls", check=0)
    assert "jobtui engine start" in done.stderr and done.stderr.count("\n") == 1
    assert "jobtui engine start" in jobtui("queue", check=0).stdout
    done = jobtui("doctor")
    assert done.returncode == 1 and "jobtui engine start" in done.stdout
    jobtui("cancel", "2", check=0)
    assert jobtui("ls", check=0).stderr == "", "a held job waits for a person, not for an engine"


def test_show_tells_a_job_in_full(jobtui: Command, shelf: WorkDir) -> None:
    more: dict[str, Any] = {
        "timeout": 7200.0,
        "tags": ("x", "y"),
        "priority": 3,
        "env": {"A": "1 2"},
        "stdin": "/dev/null",
    }
    shelf.add([held("full", "run", "a b", **more), held("task", array=ArrayTask(2, 5), resubmitted_from=1)])
    ended(shelf, 1, code=3)
    Path(shelf.metadir(1), "job.stdout").write_bytes(b"x" * 2048)
    first, second = jobtui("show", "1-2", check=0).stdout.split("\n\n")
    for words in (
        "full",
        "failed: exit code 3",
        "run 'a b'",
        "1m30s",
        "2h00m",
        "x y",
        "A=1 2",
        "/dev/null",
        "job.stdout (2.0 KiB)",
        f"{shelf.path}/1",
        " on here",
    ):
        assert words in first
    assert "task 5 of array 2" in second and "from job 1" in second and "held; release it" in second


# -- JSON

KEYS = "id name state reason backend jid workdir metadir command cwd attempt exit_code signal created submitted"
KEYS += " started ended elapsed tags"


def test_the_json_of_a_listing_has_its_documented_keys(jobtui: Command, shelf: WorkDir) -> None:
    shelf.add([held("one", tags=("t",)), held("two")])
    ended(shelf, 2, code=139, at=5_000.0)
    first, second = json.loads(jobtui("ls", "--json", check=0).stdout)
    assert set(KEYS.split()) <= first.keys() == second.keys()
    assert {key: first[key] for key in KEYS.split()} == {
        "id": 1,
        "name": "one",
        "state": "held",
        "reason": None,
        "backend": "local",
        "jid": None,
        "workdir": shelf.path,
        "metadir": f"{shelf.path}/1",
        "command": "true",
        "cwd": "/",
        "attempt": 1,
        "exit_code": None,
        "signal": None,
        "created": 1_000.0,
        "submitted": None,
        "started": None,
        "ended": None,
        "elapsed": None,
        "tags": ["t"],
    }
    assert {key: second[key] for key in ("state", "reason", "exit_code", "signal", "started", "ended", "elapsed")} == {
        "state": "failed",
        "reason": "signal",
        "exit_code": 139,
        "signal": 11,
        "started": 4_910.0,
        "ended": 5_000.0,
        "elapsed": 90.0,
    }


ODD = [
    "two\nlines",
    "\x1b[31mred\x1b[2J",
    "\x1b]0;title\x07",
    "[bold]markup[/bold] {x} %s",
    "😀 日本",
    "\x9b2J",
    "\r\t\x00x",
    "  ",
]


def test_odd_text_is_data_in_json(jobtui: Command, shelf: WorkDir) -> None:
    shelf.add([held(text, "echo", text) for text in ODD])
    rows = json.loads(jobtui("ls", "--json", check=0).stdout)
    assert [row["name"] for row in rows] == ODD
    shown = json.loads(jobtui("show", "--json", f"1-{len(ODD)}", check=0).stdout)
    assert [job["spec"]["command"] for job in shown] == [["echo", text] for text in ODD]


def test_bytes_that_are_no_text_do_not_break_a_listing(jobtui: Command, shelf: WorkDir) -> None:
    shelf.add([held("n\udcff", "echo", "a\udcffb"), held("fine")])
    assert [row["id"] for row in json.loads(jobtui("ls", "--json", check=0).stdout)] == [1, 2]
    assert "\\udcff" in jobtui("ls", check=0).stdout
    assert "\\udcff" in jobtui("show", "1", check=0).stdout


def test_bytes_that_are_no_text_do_not_break_show_json(jobtui: Command, shelf: WorkDir) -> None:
    shelf.add([held("n", "echo", "a\udcffb")])
    (shown,) = json.loads(jobtui("show", "--json", "1", check=0).stdout)
    assert shown["id"] == 1


def test_a_start_time_beyond_the_calendar_is_refused_or_shown(jobtui: Command, shelf: WorkDir) -> None:
    done = jobtui("submit", "--at", "+1000000w", "--", "true")
    assert done.returncode == 2 or jobtui("show", done.stdout.strip()).returncode == 0


# -- terminals


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, workdir: WorkDir, *arguments: str, columns: int = 100, **env: str) -> None:
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        names = ("NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR", "CLICOLOR", "TERM")
        clean = {name: value for name, value in os.environ.items() if name not in names}
        self.child = subprocess.Popen(
            ["setsid", "--ctty", JOBTUI, *arguments],  # so that ^C is a signal
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**clean, "TERM": "xterm-256color", "JOBTUI_WORKDIR": workdir.path, **env},
        )
        os.close(slave)
        self.got = b""

    def read(self, until: bytes | None = None, timeout: float = 60.0) -> str:
        """What came so far, read until ``until`` was seen or the command ended."""
        deadline = time.monotonic() + timeout
        while until is None or until not in self.got:
            assert time.monotonic() < deadline, self.got
            if not select.select([self.master], [], [], 0.2)[0]:
                continue
            try:
                data = os.read(self.master, 65536)
            except OSError:
                break
            if not data:
                break
            self.got += data
        return self.got.decode("utf-8", "replace")

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def ended(self) -> int:
        self.read()
        code = self.child.wait(timeout=60)
        os.close(self.master)
        return code


def on_terminal(workdir: WorkDir, *arguments: str, **more: Any) -> str:
    terminal = Terminal(workdir, *arguments, **more)
    text = terminal.read()
    assert terminal.ended() == 0, text
    return text


def test_colours_are_for_terminals_that_want_them(jobtui: Command, shelf: WorkDir) -> None:
    shelf.add([held("one"), held("two")])
    ended(shelf, 2, code=3)
    assert f"{ESC}[31mfailed{ESC}[0m" in on_terminal(shelf, "ls")
    assert ESC not in on_terminal(shelf, "ls", NO_COLOR="1")
    assert ESC not in on_terminal(shelf, "ls", TERM="dumb")
    assert f"{ESC}[" in on_terminal(shelf, "ls", NO_COLOR=""), "an empty NO_COLOR means nothing (no-color.org)"
    assert ESC not in jobtui("ls", check=0, env={"TERM": "xterm-256color"}).stdout
    assert ESC not in on_terminal(shelf, "show", "2")


def test_the_state_is_coloured_and_not_a_name_that_reads_like_it(shelf: WorkDir) -> None:
    shelf.add([held("failed")])
    ended(shelf, 1, code=3)
    line = on_terminal(shelf, "ls").splitlines()[1]
    assert re.match(rf" *1  failed  {ESC}\[31mfailed{ESC}\[0m ", line)


@pytest.mark.parametrize("text", [text for text in ODD if text.strip()], ids=ascii)
def test_odd_names_and_commands_are_shown_as_data_on_a_terminal(shelf: WorkDir, text: str) -> None:
    shelf.add([held(text, "echo", text), held("next")])
    for command in (["ls"], ["show", "1"], ["queue"]):
        out = on_terminal(shelf, *command, NO_COLOR="1")
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", out), "nothing that a terminal obeys"
        screen = pyte.Screen(100, 40)
        pyte.Stream(screen).feed(out)
        lines = [line.rstrip() for line in screen.display if line.strip()]
        assert command[0] == "show" or len(lines) == 3, "one line per job"
        known = {
            "\n": "\\n",
            "\x1b": "\\x1b",
            "\x07": "\\x07",
            "\x9b": "\\x9b",
            "\r": "\\x0d",
            "\t": "\\t",
            "\0": "\\x00",
        }
        name = "".join(known.get(char, char) for char in text)
        # pyte keeps the second cell of a wide character as an empty string or a blank.
        assert name.replace(" ", "") in "".join(lines).replace(" ", "")


def test_a_table_is_as_wide_as_its_terminal(shelf: WorkDir) -> None:
    shelf.add([held("x" * 200, "y" * 200), held("日本" * 60, "語" * 90), held("short")])
    for columns in (80, 120):
        lines = on_terminal(shelf, "ls", columns=columns, NO_COLOR="1").splitlines()
        screen = pyte.Screen(columns, 40)
        pyte.Stream(screen).feed("\r\n".join(lines))
        assert len([line for line in screen.display if line.strip()]) == 4, "no line is broken into two"
        assert "…" in lines[1] and "…" in lines[2] and "short" in lines[3]


def test_logs_on_a_terminal_may_be_coloured_and_nothing_else(jobtui: Command, shelf: WorkDir) -> None:
    shelf.add([held("one")])
    data = b"\x1b[32mgreen\x1b[0m\x1b[2J\x1b]52;c;ZXZpbA==\x07\x1b[10;10Hplain\n"
    Path(shelf.metadir(1), "job.stdout").write_bytes(data)
    assert on_terminal(shelf, "logs", "1") == f"{ESC}[32mgreen{ESC}[0mplain\r\n"
    assert jobtui("logs", "1", check=0).stdout.encode() == data, "a file or a pipe gets the bytes"


def test_rm_of_many_asks_first_on_a_terminal(shelf: WorkDir) -> None:
    shelf.add([held("one"), held("two")])
    ended(shelf, 1, 2)
    terminal = Terminal(shelf, "rm", "1-2")
    assert "Delete 2 jobs" in terminal.read(b"[y/N]")
    terminal.type(b"n\n")
    assert terminal.ended() == 130
    assert sorted(shelf.ids()) == [1, 2]
    terminal = Terminal(shelf, "rm", "1-2")
    terminal.read(b"[y/N]")
    terminal.type(b"y\n")
    assert terminal.ended() == 0
    assert shelf.ids() == []


@pytest.mark.parametrize("answer", [b"c\n", b"d\n", b"\n"])
def test_ctrl_c_on_run_asks_whether_to_detach_or_to_cancel(
    jobtui: Command, workdir: WorkDir, tmp_path: Path, until: Until, answer: bytes
) -> None:
    line = f"echo is up; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo went on; exit 5"
    terminal = Terminal(workdir, "run", "--shell", line)
    terminal.read(b"is up")
    terminal.type(b"\x03")
    assert "[d]etach" in terminal.read(b"[c]ancel")

    def state() -> str:
        return json.loads(jobtui("ls", "--json", check=0).stdout)[0]["state"]

    assert state() == "running", "nothing happens before the answer"
    terminal.type(answer)
    if answer == b"c\n":
        assert terminal.ended() == 143
        assert state() == "cancelled"
        return
    if answer == b"d\n":
        terminal.ended()
        assert "jobtui logs -f 1" in terminal.got.decode()
        assert state() == "running"
    (tmp_path / "go").touch()
    if answer == b"\n":
        assert "went on" in terminal.read(b"went on")
        assert terminal.ended() == 5
    until(lambda: state() == "failed")
