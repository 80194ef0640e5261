"""The command demo: a living sample workload in a work directory of its own, and the screen on it."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from ..core.blocking import BlockingJobManager
from ..core.conditions import AfterJob, AllOf
from ..core.job import ArrayTask, JobSpec, Retry
from ..core.workdir import WorkDir
from .common import default_workdir

# The programs of the sample jobs, written beside the jobs so that their command lines are short and readable.
_PROGRAMS = {
    "train.sh": r"""# A training run with a progress bar.
i=0
while [ $i -le 100 ]; do
  printf '\rtraining  %3d%%  loss 0.%03d' $i $((999 - i * 9))
  [ $((i % 10)) -ne 0 ] || printf '\nepoch %d: validation ok\n' $((i / 10))
  i=$((i + 1)); sleep 0.5
done
""",
    "align.sh": r"""# One task of an array; the fourth one fails.
echo "aligning sample $JOBTUI_ARRAY_INDEX"
i=0
while [ $i -lt $((JOBTUI_ARRAY_INDEX * 4 + 6)) ]; do
  echo "$(date +%T) sample $JOBTUI_ARRAY_INDEX: chunk $i, $((i * 7919 % 1000)) reads"
  i=$((i + 1)); sleep 1
done
[ "$JOBTUI_ARRAY_INDEX" -ne 4 ] || { echo 'sample 4: reference index is missing' >&2; exit 3; }
""",
    "tests.sh": r"""printf '\033[32mPASS\033[0m test_one\n\033[31mFAIL\033[0m test_two\n'; exit 1
""",
    "server.sh": r"""while :; do echo "$(date +%T) GET / 200"; sleep 2; done
""",
}


def _write_programs(folder: str) -> None:
    os.makedirs(folder, exist_ok=True)
    for name, text in _PROGRAMS.items():
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)


def _demo_specs(folder: str) -> list[JobSpec]:
    def job(name: str, *command: str, **more: Any) -> JobSpec:
        return JobSpec(name=name, command=command, cwd=folder, tags=("demo",), **more)

    return [
        *[job("align", "sh", "align.sh", array=ArrayTask(0, index)) for index in range(1, 9)],
        job("train", "sh", "train.sh", priority=5),
        job("unit-tests", "sh", "tests.sh", retry=Retry(limit=2, delay=5), priority=4),
        job("too-slow", "sleep", "300", timeout=20, priority=3),
        job("hello", "echo", "hello from jobtui", priority=5),
        job("not-there", "no-such-program", "--version", priority=5),
        job("server", "sh", "server.sh", priority=4),
        job("held-one", "echo", "released", hold=True),
    ]


def submit_demo(workdir: WorkDir) -> list[int]:
    """Submit the sample jobs to a work directory and return their ids."""
    folder = workdir.path + "-programs"
    _write_programs(folder)
    manager = BlockingJobManager(workdir)
    manager.configure({"slots": 5})
    ids = manager.submit(*_demo_specs(folder))
    samples = AllOf(tuple(AfterJob(job) for job in ids[:8]))
    collect = JobSpec(name="collect", command=("echo", "all samples"), cwd=folder, after=samples, tags=("demo",))
    return ids + manager.submit(collect)


@click.command()
def demo() -> None:
    """Submit a few lively sample jobs to a work directory of their own, and open the screen on them."""
    workdir = WorkDir(default_workdir(None).path + "-demo")
    ids = submit_demo(workdir)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        click.echo(f"{len(ids)} sample jobs run in {workdir.path}; look at them with: jobtui ls -w {workdir.path}")
        return
    from .screen.app import open_screen

    open_screen(workdir)
