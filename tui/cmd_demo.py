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
    "train.sh": r"""# A training run: coloured lines, and a progress bar that is drawn again and again.
epoch=1
while [ $epoch -le 40 ]; do
  step=0
  while [ $step -le 20 ]; do
    bar=$(printf '%*s' $step '' | tr ' ' '#')
    printf '\repoch %2d/40 %3d%%|%-20s| loss 0.%03d' $epoch $((step * 5)) "$bar" $((900 - epoch * 17 - step * 3))
    step=$((step + 1)); sleep 0.2
  done
  printf '\n\033[36mepoch %d\033[0m validation accuracy 0.%d \033[32mok\033[0m\n' $epoch $((700 + epoch * 6))
  [ $((epoch % 7)) -ne 0 ] || printf '\033[33mWARNING\033[0m learning rate halved\n' >&2
  epoch=$((epoch + 1))
done
""",
    "align.sh": r"""# One task of an array; the fourth one fails.
n=$JOBTUI_ARRAY_INDEX
echo "aligning sample $n against hg38"
i=0
while [ $i -lt $((n * 3 + 4)) ]; do
  echo "$(date +%T) sample $n: chunk $i, $((i * 7919 % 1000)) reads mapped"
  i=$((i + 1)); sleep 1
done
[ "$n" -ne 4 ] || { echo 'ERROR: sample 4: the reference index is missing' >&2; exit 3; }
echo "sample $n: done"
""",
    "tests.sh": r"""echo 'collecting ... 3 tests'
printf '\033[32mPASS\033[0m test_read\n\033[32mPASS\033[0m test_write\n\033[31mFAIL\033[0m test_merge\n'
printf 'Traceback (most recent call last):\n  File "merge.py", line 42, in merge\nValueError: 3 rows lost\n' >&2
exit 1
""",
    "server.sh": r"""while :; do echo "$(date +%T) GET /results/$(($(date +%s) % 97)) 200"; sleep 2; done
""",
    "fetch.sh": r"""i=1
while [ $i -le 120 ]; do printf '\r%3d of 120 files' $i; i=$((i + 1)); sleep 0.5; done; echo
""",
}
_SAMPLES = 12


def _write_programs(folder: str) -> None:
    os.makedirs(folder, exist_ok=True)
    for name, text in _PROGRAMS.items():
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)


def _demo_specs(folder: str) -> list[JobSpec]:
    def job(name: str, *command: str, **more: Any) -> JobSpec:
        return JobSpec(name=name, command=command, cwd=folder, tags=("demo",), **more)

    return [
        *[job("align", "sh", "align.sh", array=ArrayTask(0, index)) for index in range(1, _SAMPLES + 1)],
        job("train resnet", "sh", "train.sh", priority=9),
        job("fetch-reads", "sh", "fetch.sh", priority=8),
        job("unit-tests", "sh", "tests.sh", retry=Retry(limit=2, delay=5), priority=7),
        job("too-slow", "sleep", "300", timeout=20, priority=6),
        job("hello", "echo", "hello from jobtui", priority=9),
        job("render", "blender-not-here", "--frames", "1-240", priority=9),
        job("server", "sh", "server.sh", priority=5),
        job("publish", "rsync", "-a", "results/", "web:/srv/results", hold=True),
    ]


def submit_demo(workdir: WorkDir) -> list[int]:
    """Submit the sample jobs to a work directory and return their ids."""
    folder = workdir.path + "-programs"
    _write_programs(folder)
    manager = BlockingJobManager(workdir)
    manager.configure({"slots": 6})
    ids = manager.submit(*_demo_specs(folder))
    samples = AllOf(tuple(AfterJob(job) for job in ids[:_SAMPLES]))
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

    open_screen([workdir])
