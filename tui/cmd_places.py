"""The command places: the work directories that this person has used."""

from __future__ import annotations

import click

from ..core.blocking import BlockingJobManager
from ..core.places import known
from .common import print_json, print_table


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def places(as_json: bool) -> None:
    """List the work directories that you have used and that are still there, the one used last first.

    The screen shows the jobs of all of them at once with: jobtui --all
    """
    found = [_place(path) for path in known()]
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("jobtui: no work directory has been used yet", err=True)
        return
    lines = [
        (str(place["active"]), str(place["jobs"]), str(place["engine"] or "none"), str(place["workdir"]))
        for place in found
    ]
    print_table([">ACTIVE", ">JOBS", "ENGINE", "WORKDIR"], lines)


def _place(path: str) -> dict[str, object]:
    manager = BlockingJobManager(path)
    active, jobs = manager.catalog.counts()
    lease = manager.engine()
    engine = None if lease is None else f"pid {lease.process.pid} on {lease.host}"
    return {"workdir": path, "active": active, "jobs": jobs, "engine": engine}
