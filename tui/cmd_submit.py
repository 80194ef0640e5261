"""The commands submit and resubmit."""

from __future__ import annotations

import re
import shlex
import sys
from typing import Any

import click
import msgspec

from ..core.blocking import BlockingJobManager
from ..core.filters import id_ranges
from ..core.job import ArrayTask, JobSpec
from ..core.workdir import WorkDir
from .common import chosen, existing, fail, foreign_names, workdir_option
from .spec_options import check_retry_on, command_fields, fields, parse_array, spec_options

# What a shell splits words at.
_BLANKS = re.compile(r"[ \t\r]+")
_PASS_ON = {"allow_interspersed_args": False}


@click.command(context_settings=_PASS_ON)
@spec_options
@click.option("--from", "source", metavar="FILE", help="One job per line of a file (- for standard input).")
@click.option(
    "--array", metavar="1-100[:STEP]", help="One job per index; the job finds its own in $JOBTUI_ARRAY_INDEX."
)
@workdir_option
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def submit(
    options: dict[str, Any], source: str | None, array: str | None, workdir: WorkDir, command: tuple[str, ...]
) -> None:
    """Submit a job and print its id.

    The command gets its arguments as they are; no shell reads them unless --shell asks for one.

    \b
    Examples:
      jobtui submit -- python train.py --lr 0.1
      jobtui submit --name align --timeout 2h --retries 2 -- ./align.sh sample1
      jobtui submit --shell 'zcat in.gz | sort > out'
      jobtui submit --array 1-100 -- ./task.sh
      jobtui submit --from commands.txt
      jobtui submit --after 12,13 -- ./collect.sh
    """
    check_retry_on(options)
    if source is not None and (command or array):
        raise click.UsageError("--from takes the commands from a file: give no command and no --array beside it")
    if source is None and not command:
        raise click.UsageError("what is to run? Write it behind --, as in: jobtui submit -- ls -l")
    base = JobSpec(**fields(options))
    if source is not None:
        specs = _from_lines(source, base, shell=options["shell"])
    else:
        spec = msgspec.structs.replace(base, **command_fields(command, shell=options["shell"]))
        indices = parse_array(array) if array is not None else []
        specs = [msgspec.structs.replace(spec, array=ArrayTask(0, index)) for index in indices] or [spec]
    ids = BlockingJobManager(workdir).submit(*specs)
    click.echo(id_ranges(ids))


def _from_lines(source: str, base: JobSpec, *, shell: bool) -> list[JobSpec]:
    """A spec for each line that is not empty and no comment."""
    try:
        with click.open_file(source, "rb") as file:
            text = file.read().decode("utf-8", "surrogateescape")
    except OSError as error:
        fail(f"cannot read {source}: {error.strerror}")
    specs: list[JobSpec] = []
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip(" \t\r")
        if not stripped or stripped.startswith("#"):
            continue
        try:
            # Without quotes a shell splits at blanks only, and that is ten times as fast.
            simple = not any(char in stripped for char in "\"'\\")
            words = [stripped] if shell else _BLANKS.split(stripped) if simple else shlex.split(stripped)
        except ValueError as error:
            fail(f"{source}, line {number}: {error}; no job was submitted", 2)
        specs.append(msgspec.structs.replace(base, **command_fields(words, shell=shell)))
    if not specs:
        fail(f"there is no command in {source}")
    return specs


@click.command(context_settings=_PASS_ON)
@spec_options
@workdir_option
@click.argument("job")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def resubmit(options: dict[str, Any], workdir: WorkDir, job: str, command: tuple[str, ...]) -> None:
    """Submit jobs again as new jobs, with changes if wanted, and print the new ids.

    The old jobs stay as they are; each new one remembers which it came from. Conditions are not taken over.

    \b
    Examples:
      jobtui resubmit 12
      jobtui resubmit --timeout 4h --mem 16G 12
      jobtui resubmit 12 -- python train.py --lr 0.01
      jobtui resubmit slurm:4711      one that sbatch made, by its script
    """
    check_retry_on(options)
    # Behind the job's id the parser hands on the "--" that ends our own options.
    command = command[1:] if command[:1] == ("--",) else command
    foreign, _ = foreign_names([job])
    if foreign:
        manager = BlockingJobManager(workdir)
        if options["shell"] and not command:
            raise click.UsageError("--shell needs the new command: jobtui resubmit --shell 12 'a | b'")
        spec = manager.foreign_spec(*foreign[0])
        changes = fields(options, spec) | (command_fields(command, shell=options["shell"]) if command else {})
        click.echo(id_ranges(manager.submit(msgspec.structs.replace(spec, **changes))))
        return
    manager = existing(workdir)
    ids: list[int] = []
    for row in chosen(manager, [job]):
        detail = manager.detail(row.id)
        old = detail.facts.spec if detail is not None else None
        changes = fields(options, old)
        if command:
            changes |= command_fields(command, shell=options["shell"])
        elif options["shell"]:
            raise click.UsageError("--shell needs the new command: jobtui resubmit --shell 12 'a | b'")
        try:
            ids.append(manager.resubmit(row.id, **changes))
        except LookupError as error:
            fail(str(error))
    click.echo(id_ranges(ids))
    sys.exit(0)
