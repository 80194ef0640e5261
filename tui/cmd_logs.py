"""The command logs: what a job wrote, and what it goes on writing."""

from __future__ import annotations

import os
import sys

import anyio
import click

from ..core.logfile import LogFile
from ..core.manager import JobManager, Stream
from ..core.workdir import WorkDir
from .cmd_run import copy_log, write_out
from .common import chosen, existing, fail, workdir_option
from .text import TerminalFilter


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on until the job ends.")
@click.option("--stderr", "stream", flag_value="stderr", help="The job's standard error.")
@click.option("--stdout", "stream", flag_value="stdout", default="stdout", help="The job's standard output (default).")
@click.option("--both", "stream", flag_value="both", help="Both, each to the same stream of this command.")
@click.option("-n", "--lines", type=click.IntRange(0), help="Only the last N lines.")
@click.option("--attempt", type=click.IntRange(1), help="Of an earlier attempt.")
@workdir_option
@click.argument("job")
def logs(follow: bool, stream: str, lines: int | None, attempt: int | None, workdir: WorkDir, job: str) -> None:
    """Print a job's output.

    \b
    Examples:
      jobtui logs 12
      jobtui logs -f -n 20 12
      jobtui logs --stderr --attempt 1 12
    """
    manager = existing(workdir)
    rows = chosen(manager, [job])
    if len(rows) != 1:
        fail("logs takes one job", 2)
    row = rows[0]
    earlier = attempt if attempt != row.attempt else None
    asynchronous = JobManager(workdir)
    streams: list[Stream] = ["stdout", "stderr"] if stream == "both" else ["stderr" if stream == "stderr" else "stdout"]
    opened: list[tuple[Stream, LogFile]] = []
    for name in streams:
        log = LogFile(asynchronous.log_path(row.id, name, earlier))
        if lines is not None:
            log.to_tail(lines)
        # One stream goes to stdout, whichever it is; both keep their own.
        opened.append((name if stream == "both" else "stdout", log))
    if earlier is not None and not os.path.isdir(os.path.dirname(opened[0][1].path)):
        fail(f"job {row.id} has no attempt {attempt}; this is attempt {row.attempt}")
    if follow and earlier is None:
        anyio.run(_follow, asynchronous, row.id, opened)
        return
    for name, log in opened:
        _print(name, log)


def _print(stream: Stream, log: LogFile) -> None:
    out = sys.stdout if stream == "stdout" else sys.stderr
    harmless = TerminalFilter() if out.isatty() else None
    while data := log.read(1 << 20).data:
        write_out(out.fileno(), harmless.feed(data) if harmless else data)


async def _follow(manager: JobManager, job: int, opened: list[tuple[Stream, LogFile]]) -> None:
    async with anyio.create_task_group() as tasks:
        for stream, log in opened:
            tasks.start_soon(copy_log, manager, job, stream, log)
