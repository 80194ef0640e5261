"""What the tests on real schedulers share: bringing a scheduler up, taking it down, and talking to it."""

from __future__ import annotations

import os
import random
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent

# What a script ends with where its scheduler is not to be had.
NOT_HERE = 77

# Below the ports that the system gives to whoever asks for any.
PORTS = range(11000, 31000)


def free_ports(count: int) -> int:
    """The first of ``count`` ports in a row that nobody uses."""
    while True:
        first = random.choice(PORTS)
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first


class Cluster:
    """A running scheduler that its script brings up, takes down, and troubles."""

    def __init__(self, script: str, env: dict[str, str]) -> None:
        self.script = str(HERE / script)
        self.env = {**os.environ, **env}

    def call(self, *words: str, timeout: float = 600.0) -> str:
        """Run the script; its output."""
        done = self._run(words, timeout)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def bring_up(self) -> None:
        """Install what is missing and start it, which takes minutes on a new machine."""
        done = self._run(("up",), timeout=3000.0)
        if done.returncode == NOT_HERE:
            pytest.skip(done.stderr.strip())
        if done.returncode != 0:
            # Shown with the first test that wanted it, and not again with all the others.
            print(done.stdout, done.stderr)
            pytest.fail(f"{self.script} up: {done.stderr.strip().rpartition(chr(10))[2]}", pytrace=False)

    def settings(self) -> dict[str, str]:
        """The environment in which the scheduler's commands find it."""
        return dict(re.findall(r"^export (\w+)=(.*)$", self.call("env"), re.MULTILINE))

    def _run(self, words: tuple[str, ...], timeout: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", self.script, *words], env=self.env, capture_output=True, text=True, timeout=timeout
        )

    def ask(self, *argv: str, check: bool = True) -> str:
        """Run one of the scheduler's own commands."""
        done = subprocess.run(argv, env=self.env, capture_output=True, text=True, timeout=120)
        assert not check or done.returncode == 0, (argv, done.stdout, done.stderr)
        return done.stdout


@contextmanager
def running(script: str, settings: dict[str, str]) -> Iterator[Cluster]:
    """A scheduler in a folder of its own, while it is up; skips the test where it is not to be had."""
    # Not pytest's own folder, which other people may not enter.
    folder = tempfile.mkdtemp(prefix="jobtui-cluster-")
    os.chmod(folder, 0o755)
    cluster = Cluster(script, {"JOBTUI_CLUSTERS_DIR": folder, **settings})
    try:
        cluster.bring_up()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in cluster.settings().items():
                cluster.env[name] = value
                patch.setenv(name, value)
            yield cluster
    finally:
        cluster.call("wipe")
        shutil.rmtree(folder, ignore_errors=True)


def slurm_cluster(settings: dict[str, str]) -> Iterator[Cluster]:
    """A Slurm; its settings are in the environment of this process while it is up."""
    port = free_ports(31)
    # Node names are those of the machine: two clusters must not have the same.
    with running("slurm.sh", {"JOBTUI_SLURM_PORT": f"{port}", "JOBTUI_SLURM_NODE": f"p{port}n", **settings}) as cluster:
        yield cluster


def sge_cluster() -> Iterator[Cluster]:
    """A Grid Engine; its settings are in the environment of this process while it is up."""
    with running("sge.sh", {"JOBTUI_SGE_PORT": f"{free_ports(2)}"}) as cluster:
        yield cluster
