"""The commands engine and doctor: what drives the jobs, how it is set, and whether all is well."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import click
import msgspec

from ..core.identity import file_system
from ..core.index import IndexReader, IndexUnusableError
from ..core.job import ENDED
from ..core.lease import is_held, read_lease
from ..core.settings import Settings, budget, config_path, read_settings, write_settings
from ..core.supervisor import spawn, stop_engine
from ..core.units import duration, parse_size, size
from ..core.workdir import INBOX, INDEX, LOG, Hint, WorkDir
from .common import existing, fail, print_json, workdir_option
from .text import plain

_START_TIMEOUT = 10.0


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
    lease = read_lease(workdir)
    driven = is_held(lease)
    settings = read_settings(workdir)
    if as_json:
        alive = lease if driven else None
        print_json(
            {
                "running": driven,
                "pid": alive.process.pid if alive else None,
                "host": alive.host if alive else None,
                "since": alive.since if alive else None,
                "workdir": workdir.path,
                "log": workdir.file(LOG),
                "settings": msgspec.structs.asdict(settings),
            }
        )
        return
    if lease is not None and driven:
        age = duration(time.time() - lease.since)
        click.echo(f"engine     running: pid {lease.process.pid} on {lease.host}, for {age}")
    else:
        click.echo("engine     not running" + ("" if settings.autostart else " (autostart is off)"))
    limits = budget(settings)
    click.echo(f"workdir    {plain(workdir.path)}")
    click.echo(f"slots      {limits.slots}")
    click.echo(f"budget     {limits.cpus} cpus, {size(limits.memory)} of memory, {limits.gpus} gpus")
    click.echo(
        f"on error   {settings.on_error}" + (f", {settings.retries} times" if settings.on_error == "retry" else "")
    )
    click.echo(f"log        {plain(workdir.file(LOG))}")


@engine.command()
@workdir_option
def start(workdir: WorkDir) -> None:
    """Start an engine if none drives the work directory."""
    workdir.create()
    if is_held(read_lease(workdir)):
        click.echo("jobtui: an engine drives it already", err=True)
        return
    pid = spawn(workdir)
    deadline = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < deadline:
        if is_held(read_lease(workdir)):
            click.echo(f"engine started, pid {pid}")
            return
        if os.waitpid(pid, os.WNOHANG)[0]:
            break
        time.sleep(0.02)
    fail(f"the engine did not start; see {workdir.file(LOG)}")


@engine.command()
@workdir_option
def stop(workdir: WorkDir) -> None:
    """Stop the engine. Running jobs go on; waiting ones wait for the next engine."""
    existing(workdir)
    lease = read_lease(workdir)
    if lease is None or not is_held(lease):
        click.echo("jobtui: no engine is running", err=True)
        return
    stop_engine(workdir)
    deadline = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < deadline:
        now = read_lease(workdir)
        if now is None or now.token != lease.token or not is_held(now):
            click.echo(f"engine {lease.process.pid} stopped; running jobs go on")
            return
        time.sleep(0.02)
    fail(f"the engine (pid {lease.process.pid} on {lease.host}) has not stopped yet; see {workdir.file(LOG)}")


_INTEGERS = ("slots", "cpus", "gpus", "retries", "submission_batch")


def _value(name: str, text: str) -> Any:
    if text == "default":
        return None
    try:
        if name in _INTEGERS:
            return int(text)
        if name == "memory":
            return parse_size(text)
        if name == "linger":
            return float(text)
    except ValueError as error:
        raise click.UsageError(f"{name}: {error}") from error
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
    workdir.create()
    write_settings(workdir, values)
    workdir.tell(Hint(settings=True))


@click.command()
@workdir_option
def doctor(workdir: WorkDir) -> None:
    """Check this machine and the work directory, and say what is wrong and what to do about it."""
    troubles = 0
    for good, words in (*_machine(), *_directory(workdir)):
        troubles += not good
        click.echo(f"{'ok   ' if good else 'WRONG'}  {plain(words)}")
    sys.exit(1 if troubles else 0)


def _machine() -> list[tuple[bool, str]]:
    import anyio

    from ..core.backend import installed, load

    async def probe(name: str) -> tuple[bool, str]:
        found = await load(name)(lambda job: None).probe()
        return found.usable, f"back end {name}: {found.words}"

    answers = [anyio.run(probe, name) for name in sorted(installed())]
    path = config_path()
    answers.append((True, f"your settings: {path}{'' if os.path.exists(path) else ' (not there: the defaults hold)'}"))
    return answers


def _directory(workdir: WorkDir) -> list[tuple[bool, str]]:
    if not workdir.exists():
        return [(True, f"work directory {workdir.path}: not there yet; the first submit makes it")]
    where = file_system(workdir.path)
    how = "its changes are watched" if where.local else "shared: its changes are found by looking"
    space = os.statvfs(workdir.path)
    free = space.f_bavail * space.f_frsize
    answers = [
        (True, f"work directory {workdir.path} ({where.kind}; {how})"),
        (os.access(workdir.path, os.W_OK), "the work directory can be written"),
        (free > 2**20 and (space.f_favail > 16 or not space.f_files), f"{size(free)} free on its file system"),
        _engine_state(workdir),
    ]
    manager = existing(workdir)
    rows = manager.catalog.all()
    damaged = [row.id for row in rows if row.reason == "damaged"]
    answers.append(
        (not damaged, f"{len(rows)} jobs" + (f"; damaged: {damaged}; look at them, then: jobtui rm" if damaged else ""))
    )
    try:
        with IndexReader(workdir.file(INDEX)) as index:
            answers.append((True, f"the index knows {len(index.ids())} jobs"))
    except IndexUnusableError as error:
        answers.append((True, f"no usable index ({error}); the next engine makes it anew"))
    return answers


def _engine_state(workdir: WorkDir) -> tuple[bool, str]:
    lease = read_lease(workdir)
    if lease is not None and is_held(lease):
        waiting = len(os.listdir(workdir.file(INBOX)))
        return True, f"an engine drives it: pid {lease.process.pid} on {lease.host}; {waiting} hints not taken yet"
    active = [row for row in existing(workdir).catalog.recent(0) if row.state not in ENDED and row.state != "held"]
    if active:
        return False, f"no engine drives it, and {len(active)} jobs have not ended; start one: jobtui engine start"
    return True, "no engine runs, and none is needed"
