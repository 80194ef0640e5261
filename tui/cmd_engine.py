"""The commands engine and doctor: what drives the jobs, how it is set, and whether all is well."""

from __future__ import annotations

import sys
import time
from typing import Any

import click
import msgspec

from ..core.blocking import BlockingJobManager
from ..core.settings import Settings, budget
from ..core.units import duration, parse_duration, parse_size, size
from ..core.workdir import LOG, WorkDir
from .common import existing, print_json, workdir_option
from .text import plain


@click.group()
def engine() -> None:
    """Show, start, stop or set the engine: the process that drives a work directory's jobs.

    One is started when jobs are submitted, goes on when you log out, and ends when nothing is left to do.
    """


@engine.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@workdir_option
def status(as_json: bool, workdir: WorkDir) -> None:
    """Say whether an engine drives the work directory, and how it is set."""
    manager = BlockingJobManager(workdir)
    lease, settings = manager.engine(), manager.settings()
    if as_json:
        print_json(
            {
                "running": lease is not None,
                "pid": lease.process.pid if lease else None,
                "host": lease.host if lease else None,
                "since": lease.since if lease else None,
                "workdir": workdir.path,
                "log": workdir.file(LOG),
                "settings": msgspec.structs.asdict(settings),
            }
        )
        return
    if lease is not None:
        age = duration(time.time() - lease.since)
        click.echo(f"engine     running: pid {lease.process.pid} on {lease.host}, for {age}")
    else:
        click.echo("engine     not running" + ("" if settings.autostart else " (autostart is off)"))
    limits = budget(settings)
    click.echo(f"workdir    {plain(workdir.path)}")
    click.echo(f"slots      {limits.slots}")
    click.echo(f"budget     {limits.cpus} cpus, {size(limits.memory)} of memory, {limits.gpus} gpus")
    tries = f", {settings.retries} times" if settings.on_error == "retry" else ""
    click.echo(f"on error   {settings.on_error}{tries}")
    click.echo(f"log        {plain(workdir.file(LOG))}")


@engine.command()
@workdir_option
def start(workdir: WorkDir) -> None:
    """Start an engine if none drives the work directory."""
    lease = BlockingJobManager(workdir).start_engine()
    click.echo(f"an engine drives {plain(workdir.path)}: pid {lease.process.pid} on {lease.host}")


@engine.command()
@workdir_option
def stop(workdir: WorkDir) -> None:
    """Stop the engine. Running jobs go on; waiting ones wait for the next engine."""
    stopped = existing(workdir).stop_engine()
    click.echo("the engine has stopped; running jobs go on" if stopped else "no engine was running")


_INTEGERS = ("slots", "cpus", "gpus", "retries", "submission_batch")


def _value(name: str, text: str) -> Any:
    if text == "default":
        return None
    if name in _INTEGERS:
        if not (text.isascii() and text.isdigit()):
            raise click.UsageError(f"{name}: '{text}' is not a whole number")
        return int(text)
    try:
        if name == "memory":
            return parse_size(text)
        if name == "linger":
            return parse_duration(text)
    except ValueError as error:
        raise click.UsageError(f"{name}: {error}") from error
    if name == "on_error" and text not in ("ignore", "retry", "halt"):
        raise click.UsageError("on_error is ignore, retry or halt")
    if name == "autostart":
        words = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}
        if text.lower() not in words:
            raise click.UsageError("autostart is on or off")
        return words[text.lower()]
    return text


@engine.command(name="set")
@workdir_option
@click.argument("assignments", nargs=-1, required=True, metavar="NAME=VALUE...")
def set_(workdir: WorkDir, assignments: tuple[str, ...]) -> None:
    """Set the engine of this work directory; a running one obeys at once. VALUE default: back to the default.

    \b
    slots            jobs at once [default: the number of cores]
    cpus memory gpus budgets that the running jobs' requests must fit into
    on_error         ignore | retry | halt
    retries          how often, with on_error=retry
    submission_batch attempts handed to a back end in one call
    linger           seconds that an engine without work stays
    autostart        whether submitting starts an engine (on | off)
    """
    values: dict[str, Any] = {}
    for word in assignments:
        name, equals, text = word.partition("=")
        if not equals or name not in Settings.__struct_fields__:
            raise click.UsageError(f"'{word}': write NAME=VALUE; names: {', '.join(Settings.__struct_fields__)}")
        values[name] = _value(name, text)
    try:
        Settings(**{name: value for name, value in values.items() if value is not None})
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    BlockingJobManager(workdir).configure(values)


@click.command()
@workdir_option
def doctor(workdir: WorkDir) -> None:
    """Check this machine and the work directory, and say what is wrong and what to do about it."""
    import anyio

    from ..core.doctor import examine

    findings = anyio.run(examine, workdir)
    for finding in findings:
        click.echo(f"{'ok   ' if finding.good else 'WRONG'}  {plain(finding.words)}")
    sys.exit(0 if all(finding.good for finding in findings) else 1)
