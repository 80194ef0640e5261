"""Several commands of one shell: each has an answer of its own, and none is believed not to have run that may have."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
from hypothesis import given
from hypothesis import strategies as st

from jobtui.backends.chain import answers, script
from jobtui.backends.dialect import Command, Reply
from jobtui.backends.transport import Here, TransportError

Until = Callable[..., Any]
ENV = {"PATH": os.environ["PATH"]}


def sh(line: str, patience: float = 20.0) -> Command:
    return Command(("sh", "-c", line), patience=patience)


def chain(*commands: Command) -> list[Reply | TransportError]:
    return anyio.run(Here().chain, commands, ENV)


def test_each_command_has_an_answer_of_its_own(tmp_path: Path) -> None:
    got = chain(
        sh("echo one; echo 'a b' >&2"), sh("printf no-line-end; cat"), sh("printf '1 begins'; exit 3"), sh("no")
    )
    assert got == [Reply(0, "one\n", "a b\n"), Reply(0, "no-line-end", ""), Reply(3, "1 begins", "")]


def test_after_one_that_fails_none_is_begun(tmp_path: Path) -> None:
    assert len(chain(sh("true"), sh("exit 1"), sh(f"touch {tmp_path}/third"), sh(f"touch {tmp_path}/fourth"))) == 2
    assert not list(tmp_path.iterdir())


def test_one_that_hangs_is_killed_in_its_own_time_and_nobody_knows_of_the_rest(tmp_path: Path) -> None:
    first, hung, after = chain(sh("echo 1", 1.0), sh("sleep 60", 1.0), sh(f"touch {tmp_path}/third", 1.0))
    assert first == Reply(0, "1\n", "")
    assert isinstance(hung, TransportError) and hung.kind == "timeout"
    assert isinstance(after, TransportError) and after.kind == "timeout"
    assert not list(tmp_path.iterdir())


def test_a_shell_that_is_killed_leaves_doubt_about_all_that_have_not_answered() -> None:
    first, second, third = chain(sh("true"), sh("kill -9 $PPID"), sh("true"))
    assert first == Reply(0, "", "")
    assert all(isinstance(one, TransportError) and one.kind == "broken" for one in (second, third))


def test_nothing_more_is_begun_once_whoever_asked_is_dead(tmp_path: Path, until: Until) -> None:
    line = f"echo $PPID >{tmp_path}/shell; kill -9 $JT_ASKER; while kill -0 $JT_ASKER 2>/dev/null; do :; done"
    program = (
        "import anyio, os\n"
        "from jobtui.backends.dialect import Command\n"
        "from jobtui.backends.transport import Here\n"
        f"commands = [Command(('sh', '-c', {line!r})), Command(('touch', {str(tmp_path / 'second')!r}))]\n"
        "anyio.run(Here().chain, commands, {**os.environ, 'JT_ASKER': str(os.getpid())})\n"
    )
    subprocess.run([sys.executable, "-c", program], timeout=60)
    shell = int((tmp_path / "shell").read_text())

    def is_over() -> bool:
        try:
            return Path(f"/proc/{shell}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    until(is_over)
    assert not (tmp_path / "second").exists()


MARK = "feed"
RUN = subprocess.run(
    ["sh", "-c", script([sh("echo 11; echo e >&2"), sh("true"), sh("echo 13; exit 4"), sh("echo 14")], MARK)],
    capture_output=True,
)
WHOLE = [Reply(0, "11\n", "e\n"), Reply(0, "", ""), Reply(4, "13\n", "")]


@given(st.integers(0, len(RUN.stdout)), st.integers(0, len(RUN.stderr)))
def test_a_torn_answer_leaves_doubt_and_never_certainty_that_is_none(out: int, err: int) -> None:
    got = answers(RUN.stdout[:out], RUN.stderr[:err], 4, MARK)
    if out == len(RUN.stdout) and len(got) == 3:
        assert got == WHOLE
    else:
        assert len(got) == 4 and got[3] is None
    for one, true in zip(got, WHOLE, strict=False):
        assert one is None or one == true


def test_a_whole_answer_leaves_no_doubt() -> None:
    assert answers(RUN.stdout, RUN.stderr, 4, MARK) == WHOLE
