"""What the tests on real schedulers share: bringing a scheduler up, taking it down, and talking to it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def reason_to_skip() -> str | None:
    """Why no scheduler can be installed here, if so."""
    if os.geteuid() != 0:
        return "installing a scheduler needs root"
    if shutil.which("apt-get") is None:
        return "the schedulers come as Debian packages, and this is not Debian"
    return None


class Cluster:
    """A running scheduler that its script brings up, takes down, and troubles."""

    def __init__(self, script: str, env: dict[str, str]) -> None:
        self.script = str(HERE / script)
        self.env = {**os.environ, **env}

    def call(self, *words: str, timeout: float = 600.0) -> str:
        """Run the script; its output."""
        done = subprocess.run(
            ["bash", self.script, *words], env=self.env, capture_output=True, text=True, timeout=timeout
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def ask(self, *argv: str, check: bool = True) -> str:
        """Run one of the scheduler's own commands."""
        done = subprocess.run(argv, env=self.env, capture_output=True, text=True, timeout=120)
        assert not check or done.returncode == 0, (argv, done.stdout, done.stderr)
        return done.stdout


def slurm_cluster(settings: dict[str, str]) -> Iterator[Cluster]:
    """A Slurm; its settings are in the environment of this process while it is up."""
    why = reason_to_skip()
    if why is not None:
        pytest.skip(why)
    # Not pytest's own folder, which the database's user may not enter.
    folder = tempfile.mkdtemp(prefix="jobtui-slurm-")
    os.chmod(folder, 0o755)
    cluster = Cluster("slurm.sh", {"JOBTUI_CLUSTERS_DIR": folder, **settings})
    cluster.call("up")
    conf = cluster.call("env").strip().partition("=")[2]
    cluster.env["SLURM_CONF"] = conf
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = conf
    try:
        yield cluster
    finally:
        if before is None:
            del os.environ["SLURM_CONF"]
        else:
            os.environ["SLURM_CONF"] = before
        cluster.call("wipe")
        shutil.rmtree(folder, ignore_errors=True)
