"""Queues and nodes of a real Slurm, asked by an engine for somebody who looks; and a node that is taken away."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clusters_kit import Cluster, slurm_cluster

from jobtui.core import BlockingJobManager, JobRow, JobSpec

Sh = Callable[..., JobSpec]


@pytest.fixture(scope="module")
def slurm() -> Iterator[Cluster]:
    yield from slurm_cluster({"JOBTUI_SLURM_DBD": "0"})


def test_queues_nodes_and_ones_own_share_of_them(
    slurm: Cluster, manager: BlockingJobManager, sh: Sh, row: Callable[[int], JobRow], until: Callable[..., Any]
) -> None:
    drained = f"{slurm.env['JOBTUI_SLURM_NODE']}1"
    slurm.ask("scontrol", "update", f"nodename={drained}", "state=drain", "reason=new disks, ask ops")
    (job,) = manager.submit(sh("sleep 600"))
    try:
        until(lambda: row(job).state == "running", 60)
        command = [str(Path(sys.executable).with_name("jobtui")), "-w", manager.workdir.path, "queues", "--json"]

        def ask() -> dict[str, Any]:
            done = subprocess.run(command, env=slurm.env, capture_output=True, text=True, timeout=120, check=True)
            return json.loads(done.stdout)[0]

        # The job's own records told that it runs; Slurm is asked again some seconds later.
        until(lambda: any(queue["my_running"] for queue in ask()["queues"]), 60)
        told = ask()
        assert (told["backend"], told["trouble"]) == ("slurm", "")
        main = next(queue for queue in told["queues"] if queue["default"])
        assert (main["name"], main["total"], main["used"], main["free"]) == ("main", 16, 1, 11)
        assert (main["my_running"], main["time_limit"]) == (1, 86400.0)
        (gone,) = [node for node in told["nodes"] if not node["usable"]]
        assert (gone["name"], gone["state"], gone["reason"]) == (drained, "drained", "new disks, ask ops")
        assert sum(node["gpus"] or 0 for node in told["nodes"]) == 2
    finally:
        manager.cancel([job])
        manager.stop_engine()
        slurm.ask("scancel", "-Q", "--user=root", check=False)
