"""What the tests of whole lives under scripted stand-ins share."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest


def install(program: str, commands: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the stand-in ``program`` on the PATH under the names ``commands``; returns the folder of its state."""
    home = folder / "fake"
    (folder / "bin").mkdir()
    (home / "modes").mkdir(parents=True)
    script = Path(__file__).with_name(program)
    for name in commands.split():
        file = folder / "bin" / name
        file.write_text(f'#!/bin/sh\nexec {sys.executable} -ES {script} {home} {name} "$@"\n')
        file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    return home


def misbehave(home: Path, **modes: str) -> None:
    """Say how the calls of each command go, over and over again."""
    for command, words in modes.items():
        (home / "modes" / command).write_text(words)


def sent(home: Path) -> int:
    """How many jobs the stand-in ever took."""
    return len(list(home.glob("job.*.json")))


def ask(*argv: str) -> str:
    """What a person's own command says."""
    return subprocess.run(argv, input="", capture_output=True, text=True, timeout=30, check=True).stdout


def left_behind(home: Path, command: str, patience: float = 10.0) -> list[list[bytes]]:
    """The calls of a command of the stand-in that still run some time after they were killed."""
    deadline = time.monotonic() + patience
    while (found := _calls(home, command)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _calls(home: Path, command: str) -> list[list[bytes]]:
    found: list[list[bytes]] = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            found.append(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))
        except OSError:
            continue
    return [words for words in found if str(home).encode() in words and command.encode() in words]
