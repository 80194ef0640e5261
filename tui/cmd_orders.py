"""The commands that order something of jobs: cancel, signal, suspend, resume, retry, hold, release, priority, rm."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from ..core.errands import ForeignOrder
from ..core.job import ENDED, JobRow
from ..core.workdir import WorkDir
from .common import chosen, existing, give, report, workdir_option
from .spec_options import SIGNAL

_JOBS = click.argument("jobs", nargs=-1, required=True)
_ASK_ABOVE = 1


@click.command()
@click.option("--force", is_flag=True, help="KILL at once, without a grace time.")
@workdir_option
@_JOBS
def cancel(force: bool, workdir: WorkDir, jobs: tuple[str, ...]) -> None:
    """Stop jobs with all their processes: TERM first, KILL after the job's grace time.

    Waiting jobs are cancelled at once. Jobs that a filter finds and that have ended are left out.

    \b
    Examples:
      jobtui cancel 12
      jobtui cancel 3-9 15
      jobtui cancel state:queued name~align
      jobtui cancel slurm:4711                     one that sbatch made, not jobtui
    """
    give(
        workdir,
        jobs,
        lambda manager, words: manager.cancel(_ids(_active_if_filtered(chosen(manager, words), words)), force=force),
        ForeignOrder("cancel", force=force),
    )


def _ids(rows: list[JobRow]) -> list[int]:
    return [row.id for row in rows]


def _active_if_filtered(rows: list[JobRow], words: Sequence[str]) -> list[JobRow]:
    """Without the ended jobs, unless each job was named by itself: they are no error where a range finds them."""
    if all(word.replace(",", "").isdigit() for word in words):
        return rows
    active = [row for row in rows if row.state not in ENDED]
    if not active:
        click.echo("jobtui: all of these have ended already", err=True)
        sys.exit(1)
    return active


@click.command()
@workdir_option
@_JOBS
def retry(workdir: WorkDir, jobs: tuple[str, ...]) -> None:
    """Run ended jobs again: the same job, the next attempt. The last attempt's output is kept.

    \b
    Examples:
      jobtui retry 12
      jobtui retry state:failed reason:timeout
      jobtui retry array:12 state:failed           only the failed tasks of array 12
    """
    manager = existing(workdir)
    report(manager.retry(_ids(chosen(manager, jobs))))


@click.command()
@workdir_option
@_JOBS
def requeue(workdir: WorkDir, jobs: tuple[str, ...]) -> None:
    """Stop jobs that run or wait in a scheduler, and run each again as its next attempt.

    \b
    Examples:
      jobtui requeue 12
    """
    give(
        workdir,
        jobs,
        lambda manager, words: manager.requeue(_ids(_active_if_filtered(chosen(manager, words), words))),
        ForeignOrder("requeue"),
    )


@click.command()
@workdir_option
@_JOBS
def hold(workdir: WorkDir, jobs: tuple[str, ...]) -> None:
    """Keep waiting jobs from starting until they are released."""
    give(workdir, jobs, lambda manager, words: manager.hold(_ids(chosen(manager, words))), ForeignOrder("hold"))


@click.command()
@workdir_option
@_JOBS
def release(workdir: WorkDir, jobs: tuple[str, ...]) -> None:
    """Let held jobs start."""
    give(workdir, jobs, lambda manager, words: manager.release(_ids(chosen(manager, words))), ForeignOrder("release"))


@click.command(context_settings={"ignore_unknown_options": True})
@workdir_option
@click.argument("value", type=int)
@_JOBS
def priority(value: int, workdir: WorkDir, jobs: tuple[str, ...]) -> None:
    """Give waiting jobs another priority: jobs with a higher one start first, the usual one is 0.

    \b
    Examples:
      jobtui priority 10 12-15
      jobtui priority -5 state:queued name~plot
    """
    manager = existing(workdir)
    report(manager.set_priority(_ids(chosen(manager, jobs)), value))


@click.command()
@workdir_option
@click.argument("name", metavar="SIGNAL", type=SIGNAL)
@_JOBS
def signal(name: str, workdir: WorkDir, jobs: tuple[str, ...]) -> None:
    """Send a signal to running jobs: to the process group of each job's command.

    SIGNAL is a name or a number. To stop jobs, use cancel: it ends with KILL, and the job is not tried again.

    \b
    Examples:
      jobtui signal USR1 12
      jobtui signal HUP state:running name~server
    """
    give(
        workdir,
        jobs,
        lambda manager, words: manager.signal(_ids(chosen(manager, words)), name),
        ForeignOrder("signal", signal=name),
    )


@click.command()
@workdir_option
@_JOBS
def suspend(workdir: WorkDir, jobs: tuple[str, ...]) -> None:
    """Stop running jobs where they are, until they are resumed.

    They keep their memory and their slots, and their time limits go on.
    """
    give(workdir, jobs, lambda manager, words: manager.suspend(_ids(chosen(manager, words))), ForeignOrder("suspend"))


@click.command()
@workdir_option
@_JOBS
def resume(workdir: WorkDir, jobs: tuple[str, ...]) -> None:
    """Let suspended jobs go on."""
    give(workdir, jobs, lambda manager, words: manager.resume(_ids(chosen(manager, words))), ForeignOrder("resume"))


@click.command()
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@workdir_option
@_JOBS
def rm(yes: bool, workdir: WorkDir, jobs: tuple[str, ...]) -> None:
    """Delete ended jobs with their output for good. Their ids are not given again.

    \b
    Examples:
      jobtui rm 12
      jobtui rm -y state:finished
    """
    manager = existing(workdir)
    rows = chosen(manager, jobs)
    if len(rows) > _ASK_ABOVE and not yes and sys.stdin.isatty():
        click.confirm(f"Delete {len(rows)} jobs with all their output?", abort=True, err=True)
    report(manager.remove(_ids(rows)))
