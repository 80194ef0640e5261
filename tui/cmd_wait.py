"""The command wait: until jobs have ended."""

from __future__ import annotations

import sys

import anyio
import click

from ..core.filters import id_ranges
from ..core.job import ENDED, JobRow
from ..core.manager import JobManager, all_well
from ..core.workdir import WorkDir
from .common import chosen, existing, workdir_option
from .spec_options import DURATION
from .text import plain

_NAMED = 10


@click.command()
@click.option("--timeout", type=DURATION, help="Give up after this time (90s, 2h), with exit code 1.")
@workdir_option
@click.argument("jobs", nargs=-1)
def wait(timeout: float | None, workdir: WorkDir, jobs: tuple[str, ...]) -> None:
    """Wait until jobs have ended; without ids: all that are active now.

    Exit code 0 if all of them finished, 1 if one did not. Give the ids where jobs that have ended before count.

    \b
    Examples:
      jobtui wait && jobtui submit -- ./publish.sh
      jobtui wait --timeout 2h 3-9
      jobtui wait "$(jobtui submit --from commands.txt)"
    """
    manager = existing(workdir)
    rows = chosen(manager, jobs) if jobs else [r for r in manager.catalog.recent(0) if r.state not in ENDED]
    ids = [row.id for row in rows]
    if not ids:
        click.echo("jobtui: no job is active; give ids to ask how ended ones ended", err=True)
        return
    ended = anyio.run(_wait, JobManager(workdir), ids, timeout)
    if ended is None:
        left = [row.id for row in manager.catalog.some(ids) if row.state not in ENDED]
        click.echo(f"jobtui: gave up waiting; not ended yet: {id_ranges(left)}", err=True)
        sys.exit(1)
    bad = [row for row in ended if not all_well([row])]
    for row in bad[:_NAMED]:
        click.echo(f"jobtui: job {row.id} {row.state}: {plain(row.detail)}", err=True)
    if len(bad) > _NAMED:
        click.echo(f"jobtui: and {len(bad) - _NAMED} more; see: jobtui ls state:bad", err=True)
    removed = set(ids) - {row.id for row in ended}
    if removed:
        click.echo(f"jobtui: removed while waiting: {id_ranges(removed)}", err=True)
    sys.exit(1 if bad or removed else 0)


async def _wait(manager: JobManager, jobs: list[int], seconds: float | None) -> list[JobRow] | None:
    with anyio.move_on_after(seconds):
        return await manager.wait(jobs)
    return None
