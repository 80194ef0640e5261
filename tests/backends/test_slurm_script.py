"""Which options in a job script are asked for again, and which are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtui.backends.slurm_script import needs
from jobtui.core.job import Resources

TOLD = Resources(cpus=16, memory=2**30, gpus=2, time=3600.0, queue="main", account="me")


@pytest.mark.parametrize(
    ("lines", "cpus", "gpus", "memory", "extra"),
    [
        ("", 16, 2, 2**30, ()),
        ("#SBATCH -J x -o out.%j -t 60 -p main -A me --mem=1G -c 4\n#SBATCH --array=1-9", 16, 2, 2**30, ()),
        ("#SBATCH -N 2 --ntasks-per-node 4", 1, 2, 2**30, ("--nodes=2", "--ntasks-per-node=4")),
        ("#SBATCH -n8 -c 2 # eight", 2, 2, 2**30, ("--ntasks=8",)),
        ("#SBATCH --gres=gpu:a100:2 --exclusive", 16, 0, 2**30, ("--gres=gpu:a100:2", "--exclusive")),
        ("#SBATCH --mem-per-cpu=1G -C 'a&b'", 16, 2, None, ("--mem-per-cpu=1G", "--constraint=a&b")),
        ("#SBATCH --exclusive -H -d afterok:1 --qos long", 16, 2, 2**30, ("--exclusive", "--qos=long")),
        ("#SBATCH 'open\n##SBATCH -n 3\n # no\nwork\n#SBATCH -n 4", 16, 2, 2**30, ()),
    ],
)
def test_layout_is_asked_for_again(
    lines: str, cpus: int, gpus: int, memory: int | None, extra: tuple[str, ...]
) -> None:
    found = needs(f"#!/bin/bash\n{lines}\nwork\n", TOLD)
    assert (found.cpus, found.gpus, found.memory, found.extra) == (cpus, gpus, memory, extra)
    assert (found.time, found.queue, found.account) == (3600.0, "main", "me")


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert needs(f"#SBATCH {text}", TOLD).cpus >= 1
