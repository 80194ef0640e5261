"""The command queues from end to end: an engine asks a scheduler that answers as a real one did."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from backend_kit import CAPTURES

from jobtui.core import BlockingJobManager, WorkDir

SLURM = CAPTURES / "slurm"


def command(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sbatch", "scancel", "squeue", "sacct"):
        command(folder, name, "exit 0")
    command(folder, "sinfo", f"cat {SLURM}/sinfo-partitions.out")
    node, config = SLURM / "scontrol-show-node.out", SLURM / "scontrol-show-config.out"
    command(folder, "scontrol", f"case $2 in node) cat {node} ;; *) cat {config} ;; esac")
    (folder / "cat").symlink_to(shutil.which("cat") or "/bin/cat")
    # No scheduler of this machine.
    monkeypatch.setenv("PATH", str(folder))
    return folder


def jobtui(workdir: WorkDir, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("jobtui")), "-w", workdir.path, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_queues_and_nodes_of_a_scheduler_without_any_job_of_ours(programs: Path, workdir: WorkDir) -> None:
    try:
        table = jobtui(workdir, "queues", "--nodes")
        assert table.returncode == 0, table.stderr
        assert "Slurm 22.05.8" in table.stderr and "as of" in table.stderr
        lines = [line.split() for line in table.stdout.splitlines() if line]
        assert lines[0][:4] == ["QUEUE", "STATE", "LOAD", "USED"]
        assert lines[1] == ["main*", "up", "##xx......", "11/40", "21", "1/2", "10", "1d00h"]
        assert "maintenance at noon: new disks, ask ops" in table.stdout
        (told,) = json.loads(jobtui(workdir, "queues", "--json", "-b", "slurm").stdout)
        assert told["queues"][1]["time_limit"] == 600.0 and told["queues"][1]["my_waiting"] == 0
        assert [node["name"] for node in told["nodes"] if not node["usable"]] == ["n3", "n4"]
    finally:
        BlockingJobManager(workdir).stop_engine()


def test_where_nobody_can_be_asked_one_line_says_so(workdir: WorkDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    none = jobtui(workdir, "queues")
    assert (none.returncode, none.stdout) == (1, "")
    assert none.stderr.startswith("jobtui: no scheduler was found") and none.stderr.count("\n") == 1
    local = jobtui(workdir, "queues", "-b", "local")
    assert local.returncode == 1 and "local does not tell of its queues" in local.stderr
    wrong = jobtui(workdir, "queues", "-b", "slrum")
    assert wrong.returncode == 2 and "there is no back end called 'slrum'" in wrong.stderr
