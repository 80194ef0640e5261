"""The command demo: a living sample workload in a work directory of its own, and the screen on it."""

from __future__ import annotations

import sys

import click

from ..core.blocking import BlockingJobManager
from ..core.conditions import AfterJob, AllOf
from ..core.job import ArrayTask, JobSpec, Retry
from ..core.workdir import WorkDir
from .common import default_workdir

_PROGRESS = """
i=0
while [ $i -le 100 ]; do
  printf '\\rtraining  %3d%%  loss 0.%03d' $i $((999 - i * 9))
  [ $((i % 10)) -ne 0 ] || printf '\\nepoch %d: validation ok\\n' $((i / 10))
  i=$((i + 1)); sleep 0.5
done
"""
_ALIGN = """
n=$JOBTUI_ARRAY_INDEX
echo "aligning sample $n"
i=0
while [ $i -lt $((n * 4 + 6)) ]; do
  echo "$(date +%T) sample $n: chunk $i, $((i * 7919 % 1000)) reads"
  i=$((i + 1)); sleep 1
done
[ $n -ne 4 ] || { echo 'sample 4: reference index is missing' >&2; exit 3; }
"""
_COLOURS = r"""printf '\033[32mPASS\033[0m test_one\n\033[31mFAIL\033[0m test_two\n'; exit 1"""


def demo_specs(first: int) -> list[JobSpec]:
    """The sample jobs; ``first`` is the id that the first of them gets."""
    align = [JobSpec(name="align", shell=_ALIGN, array=ArrayTask(0, index), tags=("demo",)) for index in range(1, 9)]
    ids = range(first, first + len(align))
    return [
        *align,
        JobSpec(name="train", shell=_PROGRESS, tags=("demo",), priority=5),
        JobSpec(name="unit-tests", shell=_COLOURS, retry=Retry(limit=2, delay=5), tags=("demo",), priority=4),
        JobSpec(name="too-slow", command=("sleep", "300"), timeout=20, tags=("demo",), priority=3),
        JobSpec(name="hello", command=("echo", "hello from jobtui"), tags=("demo",), priority=5),
        JobSpec(name="not-there", command=("no-such-program", "--version"), tags=("demo",), priority=5),
        JobSpec(name="server", shell="while :; do date; sleep 2; done", tags=("demo",), priority=4),
        JobSpec(
            name="collect", command=("echo", "all samples"), after=AllOf(tuple(map(AfterJob, ids))), tags=("demo",)
        ),
        JobSpec(name="held-one", command=("echo", "released"), hold=True, tags=("demo",)),
    ]


def submit_demo(workdir: WorkDir) -> list[int]:
    """Submit the sample jobs to a work directory and return their ids."""
    manager = BlockingJobManager(workdir)
    manager.configure({"slots": 5})
    specs = demo_specs(max(workdir.ids(), default=0) + 1)
    waiting = [spec for spec in specs if spec.after is not None]
    ids = manager.submit(*[spec for spec in specs if spec.after is None])
    return ids + manager.submit(*waiting)


@click.command()
def demo() -> None:
    """Submit a few lively sample jobs to a work directory of their own, and open the screen on them."""
    workdir = WorkDir(default_workdir(None).path + "-demo")
    ids = submit_demo(workdir)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        click.echo(f"{len(ids)} sample jobs run in {workdir.path}; look at them with: jobtui ls -w {workdir.path}")
        return
    from .app import open_screen

    open_screen(workdir)
