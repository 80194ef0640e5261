"""The command attach: takes jobs over that were submitted without jobtui."""

from __future__ import annotations

import click

from ..core.errands import ForeignOrder
from ..core.places import remember
from ..core.workdir import WorkDir
from .common import foreign_names, give, workdir_option


@click.command()
@workdir_option
@click.argument("jobs", nargs=-1, required=True, metavar="BACKEND:ID...")
def attach(workdir: WorkDir, jobs: tuple[str, ...]) -> None:
    """Take jobs over that sbatch, qsub or bsub made, so that their history is kept in the work directory.

    Each becomes a job here, with a number of its own; nothing is done to it in its scheduler. How it ends is told by
    the scheduler alone, and it is never submitted again.

    \b
    Examples:
      jobtui attach slurm:4711
      jobtui attach slurm:4711_3 slurm:4711_4      tasks of an array, one by one
    """
    _, others = foreign_names(jobs)
    if others:
        raise click.UsageError(f"'{others[0]}' is not a job of a scheduler: attach takes them as in slurm:4711")
    remember(workdir.path)
    give(workdir, jobs, lambda _manager, _words: (), ForeignOrder("attach"))
