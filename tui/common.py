"""What the commands share: the work directory meant, selections of jobs, printing, and tables."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, TypeVar

import click

from ..core.backend import installed as backends_installed
from ..core.blocking import BlockingJobManager
from ..core.errands import ForeignName, ForeignOrder
from ..core.filters import is_filter, parse_selection
from ..core.foreign import split_name
from ..core.job import ENDED, JobRow, Outcome, State
from ..core.units import counted
from ..core.workdir import ErrandFor, WorkDir
from .text import fit, plain, width

_F = TypeVar("_F", bound=Callable[..., Any])

_ENGINE_START = 3.0

_COLOURS = {
    State.RUNNING: "32",
    State.FINISHED: "2",
    State.FAILED: "31",
    State.CANCELLED: "33",
    State.UNKNOWN: "35",
    State.CANCELLING: "33",
    State.HELD: "36",
}


def workdir_option(command: _F) -> _F:
    """Give a command ``-w/--workdir``; its function gets the work directory as ``workdir``."""
    return click.option(
        "-w",
        "--workdir",
        metavar="DIR",
        multiple=True,
        callback=_resolve,
        help="Work directory [default: $JOBTUI_WORKDIR, ./.jobtui if it exists, else your own one].",
    )(command)


def _resolve(context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> WorkDir:
    top = context.find_root().params
    if top.get("every"):
        raise click.UsageError("--all is for the screen: a command takes one work directory, by -w")
    given = value or top.get("workdirs") or ()
    if len(given) > 1:
        raise click.UsageError(
            f"a command takes one work directory, and -w names {len(given)}; only the screen shows several"
        )
    return default_workdir(given[0] if given else None)


def default_workdir(value: str | None) -> WorkDir:
    """The work directory that is meant where ``value`` was given (None: nothing)."""
    if value or (value := os.environ.get("JOBTUI_WORKDIR")):
        if os.path.exists(value) and not os.path.isdir(value):
            fail(f"{value} is not a directory")
        return WorkDir(value)
    if os.path.isdir(".jobtui"):
        return WorkDir(".jobtui")
    from platformdirs import user_state_path

    return WorkDir(user_state_path("jobtui") / "jobs")


def fail(message: str, code: int = 1) -> NoReturn:
    """End the command with a message for a person on stderr."""
    click.echo(f"jobtui: {message}", err=True)
    sys.exit(code)


def existing(workdir: WorkDir) -> BlockingJobManager:
    """The manager of a work directory that must exist."""
    if not workdir.exists():
        fail(f"there are no jobs yet in {workdir.path}")
    return BlockingJobManager(workdir)


def chosen(manager: BlockingJobManager, words: Sequence[str]) -> list[JobRow]:
    """The jobs that ids, ranges and filters mean; ends the command where an id given by itself is not there."""
    selection = parse_selection(words)
    rows = manager.pick(selection)
    if selection.ids is not None:
        found = set(manager.workdir.ids())
        # A range may have gaps; an id that was written out must exist.
        named = {int(part) for word in words for part in word.split(",") if part.isdigit()}
        missing = sorted(named - found)
        if missing:
            fail(f"there is no job {missing[0]} in {manager.workdir.path}")
    if not rows:
        fail("no job matches")
    return rows


def foreign_names(words: Sequence[str]) -> tuple[list[ForeignName], list[str]]:
    """The foreign jobs among the words of a command line (``slurm:4711``), and the other words."""
    pairs = [(word, None if is_filter(word) else split_name(word)) for word in words]
    named = [(name[0], ErrandFor(name[1])) for _, name in pairs if name is not None]
    known = backends_installed() if named else {}
    for backend, _ in named:
        if backend.partition("@")[0] not in known:
            fail(f"there is no back end called '{backend}' (installed: {', '.join(sorted(known))})", 2)
    return named, [word for word, name in pairs if name is None]


def give(
    workdir: WorkDir,
    words: Sequence[str],
    own: Callable[[BlockingJobManager, Sequence[str]], Iterable[Outcome]],
    order: ForeignOrder,
) -> NoReturn:
    """Give an order to the jobs that words mean: ``own`` gives it to those of the work directory."""
    foreign, rest = foreign_names(words)
    good = report_some(own(existing(workdir), rest)) if rest else True
    if foreign:
        outcomes = BlockingJobManager(workdir).order_foreign(order, foreign)
        for (backend, jid), outcome in outcomes.items():
            good &= outcome.done
            click.echo(f"{backend}:{plain(jid)}: {plain(outcome.words)}", err=not outcome.done)
    sys.exit(0 if good else 1)


def report(outcomes: Iterable[Outcome]) -> NoReturn:
    """Print what became of each order, and end with 1 if one could not be carried out."""
    sys.exit(0 if report_some(outcomes) else 1)


def report_some(outcomes: Iterable[Outcome]) -> bool:
    """Print what became of each order; whether all could be carried out."""
    good = True
    for outcome in outcomes:
        good &= outcome.done
        click.echo(f"job {outcome.job}: {plain(outcome.words)}", err=not outcome.done)
    return good


def print_json(value: object) -> None:
    """Print a value as JSON for programs."""
    import msgspec

    try:
        text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    except UnicodeEncodeError:
        # Bytes that are no text, in an argument or a path, stand as escapes.
        import json

        text = json.dumps(msgspec.to_builtins(value), indent=2)
    click.echo(text)


def colours() -> bool:
    """Whether stdout is a terminal that wants colour."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def state_colour(state: State) -> str:
    """The colour of a state as the number of an SGR sequence, "" for none."""
    return _COLOURS.get(state, "")


def print_table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], states: Sequence[State | None] | None = None
) -> None:
    """Print aligned columns; on a terminal the last one is cut to its width. ``states`` colours the state column.

    Heads that begin with '>' are columns of numbers, aligned to the right.
    """
    right = [head.startswith(">") for head in heads]
    titles = [head.removeprefix(">") for head in heads]
    cells = [[plain(cell) for cell in row] for row in rows]
    widths = [max([width(titles[i]), *(width(row[i]) for row in cells)]) for i in range(len(titles))]
    if sys.stdout.isatty():
        screen = _terminal_width()
        if "WHY" in titles[:-1]:
            widths[titles.index("WHY")] = min(widths[titles.index("WHY")], 40)
        for i, limit in ((1, 28), (len(widths) - 1, max(10, screen - sum(widths[:-1]) - 2 * (len(widths) - 1)))):
            widths[i] = min(widths[i], limit)
    bold, dim = ("\x1b[1m", "\x1b[0m") if colours() else ("", "")
    lines = [bold + "  ".join(_parts(titles, widths, right)).rstrip() + dim]
    for number, row in enumerate(cells):
        parts = _parts(row, widths, right)
        state = states[number] if states else None
        colour = state_colour(state) if state is not None and colours() else ""
        if state is not None and colour:
            column = titles.index("STATE")
            parts[column] = parts[column].replace(str(state), f"\x1b[{colour}m{state}\x1b[0m", 1)
        lines.append("  ".join(parts).rstrip())
    click.echo("\n".join(lines))


def _terminal_width() -> int:
    import shutil

    return shutil.get_terminal_size().columns


def _parts(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> list[str]:
    return [
        " " * (columns - width(cell)) + cell if flush and width(cell) <= columns else fit(cell, columns)
        for cell, columns, flush in zip(cells, widths, right, strict=True)
    ]


def undriven_note(manager: BlockingJobManager, rows: Iterable[JobRow]) -> None:
    """Say on stderr that jobs wait while no engine drives the work directory."""
    active = [row for row in rows if row.state not in ENDED and row.state is not State.HELD]
    # An engine that was started with the newest job needs a moment to be there.
    settled = time.time() - max((row.created or 0.0 for row in active), default=0.0) > _ENGINE_START
    if active and settled and manager.engine() is None:
        waiting = f"{counted(len(active), 'job')} {'has' if len(active) == 1 else 'have'} not ended"
        click.echo(
            f"jobtui: {waiting}, but no engine drives {plain(manager.workdir.path)}; "
            "start one with: jobtui engine start",
            err=True,
        )
