"""The command run: submit a job, follow both of its streams, and exit with its code."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import anyio
import click
import msgspec

from ..core.blocking import BlockingJobManager
from ..core.job import JobRow, JobSpec, State, is_far
from ..core.logfile import LogFile
from ..core.manager import JobManager, Stream
from ..core.workdir import WorkDir
from .common import workdir_option
from .fetching import Fetching
from .spec_options import check_retry_on, command_fields, fields, spec_options
from .text import TerminalFilter, plain


@click.command(context_settings={"allow_interspersed_args": False})
@spec_options
@workdir_option
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(options: dict[str, Any], workdir: WorkDir, command: tuple[str, ...]) -> int:
    """Submit a job, follow its output, and exit with its exit code.

    Ctrl-C asks whether to detach (the job goes on) or to cancel it.

    \b
    Examples:
      jobtui run -- make -j4
      jobtui run --timeout 10m --shell 'make && make test'
    """
    check_retry_on(options)
    spec = msgspec.structs.replace(JobSpec(**fields(options)), **command_fields(command, shell=options["shell"]))
    job = BlockingJobManager(workdir).submit(spec)[0]
    if sys.stderr.isatty():
        click.echo(f"jobtui: job {job}", err=True)
    return anyio.run(_attend, JobManager(workdir), job)


async def _attend(manager: JobManager, job: int) -> int:
    """Copy the job's output until it has ended or the person goes away; returns the exit code."""
    result = 1
    async with anyio.create_task_group() as tasks:

        async def watch_keyboard() -> None:
            if await _interrupted(manager, job):
                tasks.cancel_scope.cancel()

        tasks.start_soon(watch_keyboard)
        result = await _follow(manager, job)
        tasks.cancel_scope.cancel()
    return result


async def _follow(manager: JobManager, job: int) -> int:
    """Copy both streams of every attempt until the job has ended for good."""
    detail = await manager.detail(job)
    if detail is None:
        return 1
    async with anyio.create_task_group() as tasks:
        if is_far(detail.row.backend):
            fetching = Fetching(manager, detail.row, ("stdout", "stderr"), None, whole=True)
            tasks.start_soon(fetching.keep)
            tasks.start_soon(fetching.tell_link)
        async with anyio.create_task_group() as streams:
            streams.start_soon(copy_log, manager, job, "stdout", manager.log(detail.row, "stdout"))
            streams.start_soon(copy_log, manager, job, "stderr", manager.log(detail.row, "stderr"))
        tasks.cancel_scope.cancel()
    rows = await manager.wait([job])
    return _exit_code(rows[0]) if rows else 1


async def copy_log(manager: JobManager, job: int, stream: Stream, log: LogFile) -> None:
    """Copy what a job writes to one stream to the same stream of ours, until it has ended."""
    out = sys.stdout if stream == "stdout" else sys.stderr
    harmless = TerminalFilter() if out.isatty() else None
    added = manager.follow_log(log, job)
    async for piece in added:
        write_out(out.fileno(), harmless.feed(piece.data) if harmless else piece.data)


def write_out(fd: int, data: bytes) -> None:
    """Write all of ``data``; raises BrokenPipeError when the reader is gone."""
    while data:
        data = data[os.write(fd, data) :]


def _exit_code(row: JobRow) -> int:
    """What a shell would say of this end; says on stderr why where the code alone does not."""
    if row.state is State.FINISHED:
        return 0
    if row.reason != "exit-code":
        click.echo(f"jobtui: job {row.id} {row.state}: {plain(row.detail)}", err=True)
    return row.exit_code or 1


async def _interrupted(manager: JobManager, job: int) -> bool:
    """Ask at each Ctrl-C; True when we are to leave the job alone."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as numbers:
        async for number in numbers:
            answer = await _ask() if number == signal.SIGINT else "d"
            if answer == "c":
                await manager.cancel([job])
            elif answer == "d":
                click.echo(f"jobtui: job {job} goes on; follow it with: jobtui logs -f {job}", err=True)
                return True
    return False


async def _ask() -> str:
    """The person's choice: "d" detach, "c" cancel, "" go on. Without a terminal the job is left alone."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return "d"
    click.echo("\njobtui: [d]etach (the job goes on), [c]ancel it, or Enter to go on following: ", err=True, nl=False)
    await anyio.wait_readable(sys.stdin)
    line = os.read(sys.stdin.fileno(), 1024).decode(errors="replace")
    return line.strip().lower()[:1]
