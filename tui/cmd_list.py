"""The commands ls and queue: which jobs there are, and what waits and why."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from ..core.blocking import BlockingJobManager
from ..core.filters import join_terms, parse_filter
from ..core.foreign import foreign_rows, own_jobs
from ..core.job import ENDED, LOCAL, JobRow, State, as_object
from ..core.settings import budget, read_settings
from ..core.units import duration
from ..core.waiting import Waiting, explain
from ..core.workdir import WorkDir
from .common import existing, print_json, print_table, undriven_note, workdir_option
from .text import plain

_ENDED_SHOWN = 100
# Seconds that a scheduler has to answer.
_PATIENCE = 20.0
_SORTS: dict[str, Callable[[JobRow], Any]] = {
    "id": lambda row: row.id or None,
    "name": lambda row: row.name.casefold(),
    "state": lambda row: str(row.state),
    "elapsed": lambda row: row.elapsed,
    "created": lambda row: row.created,
    "started": lambda row: row.started,
    "ended": lambda row: row.ended,
    "exit": lambda row: row.exit_code,
    "priority": lambda row: row.priority,
}


@click.command()
@click.option("--all", "everything", is_flag=True, help="Every job, not only the active and the 100 newest ended ones.")
@click.option("--json", "as_json", is_flag=True, help="Every job as JSON, for programs.")
@click.option("--foreign", is_flag=True, help="Also your jobs in schedulers that were not submitted by jobtui.")
@click.option("-q", "--quiet", is_flag=True, help="Ids only, one per line.")
@click.option("--sort", "field", type=click.Choice(list(_SORTS)), default="id", help="By what to sort [default: id].")
@click.option("-r", "--reverse", is_flag=True, help="The highest first; what has no value stays last.")
@workdir_option
@click.argument("filter_words", metavar="[FILTER]...", nargs=-1)
def ls(
    everything: bool,
    as_json: bool,
    foreign: bool,
    quiet: bool,
    field: str,
    reverse: bool,
    workdir: WorkDir,
    filter_words: tuple[str, ...],
) -> None:
    """List the active jobs and the newest ended ones.

    A filter is made of terms that must all hold: state:failed, name~align, elapsed>1h, exit:137, tag:night,
    !state:held, id:3-9; a plain word must stand in the name or the command. States: created queued held submitted
    running suspended cancelling finished failed cancelled unknown, and active, ended, bad, waiting.

    \b
    Examples:
      jobtui ls
      jobtui ls state:failed name~align
      jobtui ls --foreign is:foreign               what sbatch or qsub made, not jobtui
      jobtui ls --all --sort elapsed --reverse
      jobtui ls --json | jq '.[] | select(.elapsed > 60) | .id'
    """
    if not workdir.exists() and not foreign:
        if as_json:
            click.echo("[]")
        else:
            click.echo(f"jobtui: there are no jobs yet in {workdir.path}", err=True)
        return
    manager = BlockingJobManager(workdir)
    test = parse_filter(join_terms(filter_words))
    others = _foreign(manager) if foreign else []
    complete = everything or as_json or quiet or bool(filter_words)
    rows: list[JobRow] = []
    if workdir.exists():
        rows = manager.catalog.all() if complete else manager.catalog.recent(_ENDED_SHOWN)
    if not quiet:
        rows = manager.with_progress(rows)
    rows = _sorted([row for row in [*rows, *others] if test(row)], field, reverse=reverse)
    if as_json:
        print_json(list(map(as_object, rows)))
        return
    if quiet:
        click.echo("".join(f"{row.label}\n" for row in rows), nl=False)
        return
    if not rows:
        click.echo("jobtui: no job matches" if filter_words else "jobtui: there are no jobs yet", err=True)
        return
    _print_jobs(rows)
    if sys.stdout.isatty() and not complete and sum(row.state in ENDED for row in rows) == _ENDED_SHOWN:
        click.echo(f"(the newest {_ENDED_SHOWN} ended jobs; jobtui ls --all shows every one)", err=True)
    undriven_note(manager, [row for row in rows if not row.foreign])


def _foreign(manager: BlockingJobManager) -> list[JobRow]:
    """The person's jobs that schedulers have and the work directory has not, as the engine hears of them now."""
    from ..core.choosing import within_reach

    own = manager.catalog.all() if manager.workdir.exists() else []
    used = {row.backend for row in own if row.state not in ENDED and row.backend != LOCAL}
    names = sorted(used | set(within_reach(os.environ)))
    if not names:
        click.echo("jobtui: the commands of no scheduler are on the PATH here", err=True)
        return []
    all_asked = manager.ask_schedulers(names, _PATIENCE)
    seen = manager.schedulers()
    if not all_asked:
        click.echo("jobtui: not all schedulers were asked; this is what is known of them", err=True)
    answered = [one for one in seen if one.at]
    for one in seen:
        if one.trouble and (one.at or not answered):
            click.echo(f"jobtui: {one.backend}: {plain(one.trouble)}", err=True)
    return foreign_rows(seen, own_jobs(own, seen), time.time())


def _sorted(rows: list[JobRow], field: str, *, reverse: bool) -> list[JobRow]:
    """The rows by a field, and by id where that is equal."""
    key = _SORTS[field]
    valued = [row for row in rows if key(row) is not None]
    return sorted(valued, key=key, reverse=reverse) + [row for row in rows if key(row) is None]


def _print_jobs(rows: list[JobRow]) -> None:
    now = time.time()
    why = {row.label: row.detail for row in rows if row.backend != LOCAL and row.detail}
    # What schedulers say of jobs; of others the state and the exit code say it all.
    heads = [">ID", "NAME", "STATE", "BACKEND", ">TRY", ">ELAPSED", ">EXIT", *(["WHY"] if why else []), "COMMAND"]
    lines = [
        (
            row.label,
            row.name,
            _state_words(row),
            row.backend,
            str(row.attempt),
            duration(elapsed(row, now)),
            "" if row.exit_code is None else str(row.exit_code),
            *([why.get(row.label, "")] if why else []),
            row.command,
        )
        for row in rows
    ]
    print_table(heads, lines, [row.state for row in rows])


def _state_words(row: JobRow) -> str:
    """The state, for a failure that the exit code does not tell why, and how far a running job is."""
    if row.state is State.RUNNING and row.progress is not None:
        return f"{row.state} {row.progress:.0%}"
    if row.state is State.FAILED and row.reason not in (None, "exit-code"):
        return f"{row.state} ({row.reason})"
    return str(row.state)


def elapsed(row: JobRow, now: float) -> float | None:
    """How long the job ran, or has run until ``now`` (epoch seconds); None before its start."""
    if row.elapsed is not None:
        return row.elapsed
    if row.started is None or row.state in ENDED:
        return None
    return max(0.0, now - row.started)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@workdir_option
def queue(as_json: bool, workdir: WorkDir) -> None:
    """Show what waits, in the order in which it will start, and why it waits."""
    manager = existing(workdir)
    waiting = explain(manager.catalog.recent(0), budget(read_settings(workdir)), driven=manager.engine() is not None)
    if as_json:
        print_json([{"id": w.row.id, "state": w.row.state, "why": w.why, "expected": w.row.expected} for w in waiting])
        return
    if not waiting:
        click.echo("jobtui: nothing waits", err=True)
        return
    now = time.time()
    lines = [(str(w.row.id), w.row.name, str(w.row.state), str(w.row.priority), _with_start(w, now)) for w in waiting]
    print_table([">ID", "NAME", "STATE", ">PRIORITY", "WHY"], lines, [w.row.state for w in waiting])


def _with_start(waiting: Waiting, now: float) -> str:
    """Why a job waits, and when its scheduler means to start it."""
    start = waiting.row.expected
    if start is None or start <= now:
        return waiting.why
    return f"{waiting.why}; may start {datetime.fromtimestamp(start).strftime('%Y-%m-%d %H:%M')}"
