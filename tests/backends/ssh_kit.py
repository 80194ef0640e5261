"""What the tests with a scripted ssh share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


class Link:
    """The stand-in for ssh on the PATH; the far home, and how the link is."""

    def __init__(self, home: Path) -> None:
        self.home = home

    @property
    def far_home(self) -> Path:
        return self.home / "home"

    def is_(self, modes: str) -> None:
        """How the calls go from now on, over and over again."""
        (self.home / "modes").write_text(modes)
        (self.home / "calls").unlink(missing_ok=True)

    @property
    def calls(self) -> int:
        calls = self.home / "calls"
        return len(calls.read_text()) if calls.exists() else 0


def install_ssh(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Link:
    """Put the stand-in on the PATH."""
    import os

    home = folder / "ssh"
    (home / "home").mkdir(parents=True)
    (folder / "sshbin").mkdir()
    program = folder / "sshbin" / "ssh"
    script = Path(__file__).with_name("fake_ssh.py")
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -ES {script} {home} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'sshbin'}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return Link(home)
