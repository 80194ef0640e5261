"""Commands that run here: bounded in time and output, and nothing of them is left behind."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from jobtui.backends.dialect import Command, Reply
from jobtui.backends.transport import Here, TransportError

Until = Callable[..., Any]
ENV = {"PATH": os.environ["PATH"]}


def run(*argv: str, stdin: bytes = b"", patience: float = 20.0, env: dict[str, str] | None = None) -> Reply:
    return anyio.run(Here().run, Command(argv, stdin, patience), env or ENV)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_output_code_input_and_environment() -> None:
    line = 'cat; echo "$X" >&2; exit 3'
    assert run("sh", "-c", line, stdin=b"in \xff", env={**ENV, "X": "y"}) == Reply(3, "in \ufffd", "y\n")


def test_much_output_and_much_input_do_not_block_each_other() -> None:
    data = b"x" * 3_000_000
    reply = run("sh", "-c", "cat; head -c 2000000 /dev/zero | tr '\\0' y >&2", stdin=data)
    assert len(reply.out) == 3_000_000 and len(reply.err) == 2_000_000


def test_a_command_that_is_not_there_and_one_that_cannot_run(tmp_path: Path) -> None:
    with pytest.raises(TransportError, match="no command nosuchcommand") as raised:
        run("nosuchcommand")
    assert raised.value.kind == "missing"
    (tmp_path / "x").write_text("")
    with pytest.raises(TransportError) as raised:
        run(str(tmp_path / "x"))
    assert raised.value.kind == "unreachable"


def test_the_path_is_that_of_the_environment_given(tmp_path: Path) -> None:
    script = tmp_path / "which-one"
    script.write_text("#!/bin/sh\necho mine\n")
    script.chmod(0o755)
    assert run("which-one", env={"PATH": f"{tmp_path}:/usr/bin:/bin"}).out == "mine\n"


def test_a_command_that_hangs_is_killed_with_all_its_children(tmp_path: Path, until: Until) -> None:
    pids = tmp_path / "pids"
    line = (
        f"trap '' TERM; sleep 300 & echo $! >> {pids}; echo $$ >> {pids}; (sh -c 'echo $$ >> {pids}; sleep 300') & wait"
    )
    started = time.monotonic()
    with pytest.raises(TransportError, match=r"no answer in 0\.5 s") as raised:
        run("sh", "-c", line, patience=0.5)
    assert raised.value.kind == "timeout" and time.monotonic() - started < 10
    assert len(pids.read_text().split()) == 3
    until(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()))


def test_what_a_command_leaves_running_does_not_hold_it_up(tmp_path: Path, until: Until) -> None:
    pid = tmp_path / "pid"
    started = time.monotonic()
    assert run("sh", "-c", f"sleep 300 & echo $! > {pid}; echo done").out == "done\n"
    assert time.monotonic() - started < 10
    until(lambda: not alive(int(pid.read_text())))


def test_endless_output_is_cut_off() -> None:
    with pytest.raises(TransportError, match="64 MiB") as raised:
        run("cat", "/dev/zero")
    assert raised.value.kind == "flood"


def test_cancelling_kills_the_command(tmp_path: Path, until: Until) -> None:
    pid = tmp_path / "pid"

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Here().run, Command(("sh", "-c", f"echo $$ > {pid}; exec sleep 300")), ENV)
            with anyio.fail_after(20):
                while not (pid.exists() and pid.read_text()):
                    await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()

    anyio.run(main)
    until(lambda: not alive(int(pid.read_text())))


def test_no_file_descriptors_are_left_open() -> None:
    async def main() -> int:
        for _ in range(3):
            await Here().run(Command(("true",), b"x"), ENV)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            await Here().run(Command(("true",), b"x"), ENV)
        return len(os.listdir("/proc/self/fd")) - before

    assert anyio.run(main) == 0
