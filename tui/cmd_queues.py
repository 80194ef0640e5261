"""The command queues: the queues and nodes of the schedulers, from what the engine was told."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import anyio
import click
import msgspec

from ..core.backend import BackendMissingError, load
from ..core.manager import JobManager
from ..core.seen import Seen, SeenQueues
from ..core.wants import Want
from ..core.workdir import WorkDir
from .common import fail, print_json, print_table, workdir_option
from .queues.board import age_words, board
from .queues.columns import NODE_COLUMNS, QUEUE_COLUMNS, Column, T
from .text import plain

# Seconds: what is not older is printed as it is; how long news are waited for, which a scheduler in trouble takes.
_FRESH, _PATIENCE = 30.0, 45.0
_LOOK = 0.1


@click.command()
@click.option("-b", "--backend", metavar="NAME", help="Of this back end [default: those that have or had jobs here].")
@click.option("--nodes", is_flag=True, help="The nodes too.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs; always with the nodes.")
@workdir_option
def queues(backend: str | None, nodes: bool, as_json: bool, workdir: WorkDir) -> None:
    """Show the queues of the schedulers: how much of them is free, what is yours, and how long a job may take there.

    The engine of the work directory asks, at most twice a minute; what it was told a moment ago is printed as it is.

    \b
    Examples:
      jobtui queues
      jobtui queues --nodes -b slurm
      jobtui queues --json | jq '.[].nodes[] | select(.usable | not) | .name'
    """
    if backend:
        try:
            load(backend)
        except BackendMissingError as error:
            fail(str(error), 2)
    told, seen = anyio.run(_asked, JobManager(workdir), backend)
    if as_json:
        print_json([_as_json(one, seen) for one in told])
        return
    shown = board(told, seen)
    now = time.time()
    for one in told:
        click.echo(f"jobtui: {plain(age_words(one, now))}", err=True)
    if not shown.queues:
        fail("no queue is known")
    several = len(told) > 1
    _print([column for column in QUEUE_COLUMNS if several or column.id != "backend"], shown.queues)
    if nodes:
        click.echo()
        _print([column for column in NODE_COLUMNS if several or column.id != "backend"], shown.nodes)


def _print(columns: Sequence[Column[T]], lines: Sequence[T]) -> None:
    """Print the columns that have something to say."""
    texts = {column.id: [column.text(line, True) for line in lines] for column in columns}
    said = [column for column in columns if any(texts[column.id])]
    heads = [(">" if column.right else "") + column.head for column in said]
    print_table(heads, zip(*(texts[column.id] for column in said), strict=True))


def _as_json(told: SeenQueues, seen: Sequence[Seen]) -> dict[str, object]:
    lines = board([told], seen).queues
    return {
        "backend": told.backend,
        "words": told.words,
        "at": told.at or None,
        "tried": told.tried,
        "trouble": told.trouble,
        "queues": [
            {**msgspec.structs.asdict(line.queue), "my_running": line.mine.running, "my_waiting": line.mine.waiting}
            for line in lines
        ],
        "nodes": [msgspec.structs.asdict(node) for node in told.capacity.nodes],
    }


async def _asked(manager: JobManager, backend: str | None) -> tuple[list[SeenQueues], list[Seen]]:
    """Have the engine ask, and wait for what it is told; ends the command where nobody can be asked."""
    env, began = dict(os.environ), time.time()
    near = [backend] if backend else await manager.nearby(env)
    if not near:
        fail("no scheduler was found: there are no jobs at one in this work directory, and none answers here")
    able = [name for name in near if "queues" in manager.capabilities(name)]
    for name in near:
        if name not in able:
            click.echo(f"jobtui: {plain(name)} does not tell of its queues and nodes", err=True)
    if not able:
        fail("there is no other scheduler")
    try:
        await manager.look_at("queues", Want(queues=tuple(able), env=env))
        driven = await manager.ensure_engine()
        with anyio.move_on_after(_PATIENCE if driven else 0.0):
            while True:
                told = [one for one in await manager.queues() if one.backend in able]
                if {one.backend for one in told if one.tried >= began - _FRESH} == set(able):
                    break
                await anyio.sleep(_LOOK)
    finally:
        manager.look_away()
    told = [one for one in await manager.queues() if one.backend in able]
    if not driven:
        click.echo("jobtui: no engine asks, and starting one is switched off: jobtui engine start", err=True)
    for name in sorted(set(able) - {one.backend for one in told}):
        click.echo(f"jobtui: {plain(name)} has told nothing yet", err=True)
    return told, await manager.schedulers()
