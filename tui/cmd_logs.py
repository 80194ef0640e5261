"""The command logs: what a job wrote, and what it goes on writing."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import anyio
import click

from ..core.job import is_far
from ..core.logfile import LogFile
from ..core.manager import JobManager, Stream
from ..core.workdir import WorkDir
from .cmd_run import copy_log, write_out
from .common import chosen, existing, fail, workdir_option
from .fetching import Fetching
from .text import TerminalFilter, plain


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
    # One stream goes to stdout, whichever it is; both keep their own.
    opened: list[tuple[Stream, LogFile]] = [
        (name if stream == "both" else "stdout", asynchronous.log(row, name, earlier)) for name in streams
    ]
    if earlier is not None and not os.path.isdir(os.path.dirname(opened[0][1].path)):
        fail(f"job {row.id} has no attempt {attempt}; this is attempt {row.attempt}")
    follow = follow and earlier is None
    if is_far(row.backend):
        fetching = Fetching(asynchronous, row, streams, earlier, whole=lines is None)
        sys.exit(anyio.run(_print_far, asynchronous, row.id, opened, fetching, lines, follow))
    _to_tails(opened, lines)
    if follow:
        anyio.run(_follow, asynchronous, row.id, opened)
        return
    for name, log in opened:
        _print(name, log)


Opened = Sequence[tuple[Stream, LogFile]]


def _to_tails(opened: Opened, lines: int | None) -> None:
    if lines is not None:
        for _, log in opened:
            log.to_tail(lines)


async def _print_far(
    manager: JobManager, job: int, opened: Opened, fetching: Fetching, lines: int | None, follow: bool
) -> int:
    """Print what can be had of logs on another machine, and say what cannot; the exit code."""
    trouble = ""
    async with anyio.create_task_group() as tasks:
        if await fetching.is_needed():
            tasks.start_soon(fetching.keep)
            trouble = await fetching.settle()
        _to_tails(opened, lines)
        lacking = await fetching.lacking(trouble, [log.offset == 0 and lines != 0 for _, log in opened])
        for words in lacking:
            click.echo(f"jobtui: {plain(words)}", err=True)
        if follow:
            tasks.start_soon(fetching.tell_link)
            await _follow(manager, job, opened)
        else:
            for name, log in opened:
                _print(name, log)
        tasks.cancel_scope.cancel()
    return 1 if trouble and not follow else 0


def _print(stream: Stream, log: LogFile) -> None:
    out = sys.stdout if stream == "stdout" else sys.stderr
    harmless = TerminalFilter() if out.isatty() else None
    while data := log.read(1 << 20).data:
        write_out(out.fileno(), harmless.feed(data) if harmless else data)


async def _follow(manager: JobManager, job: int, opened: Opened) -> None:
    async with anyio.create_task_group() as tasks:
        for stream, log in opened:
            tasks.start_soon(copy_log, manager, job, stream, log)
