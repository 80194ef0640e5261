"""The command line: finds the command, and turns every error into words, an exit code, and a log of what was a bug."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

import click

from ..core.workdir import WorkDir
from .common import default_workdir

# In the order of --help: the module of each command, which is imported when the command is used, and what it does.
# Listing jobs must not load the screen, nor help every command.
_COMMANDS = {
    "submit": ("cmd_submit", "Submit a job and print its id."),
    "run": ("cmd_run", "Submit a job, follow its output, and exit with its exit code."),
    "ls": ("cmd_list", "List the active jobs and the newest ended ones."),
    "show": ("cmd_show", "Show jobs in full."),
    "logs": ("cmd_logs", "Print a job's output."),
    "wait": ("cmd_wait", "Wait until jobs have ended."),
    "cancel": ("cmd_orders", "Stop jobs with all their processes."),
    "retry": ("cmd_orders", "Run ended jobs again: the same job, the next attempt."),
    "requeue": ("cmd_orders", "Stop jobs that run or wait in a scheduler, and run each again."),
    "resubmit": ("cmd_submit", "Submit jobs again as new jobs, with changes if wanted."),
    "attach": ("cmd_attach", "Take jobs over that sbatch, qsub or bsub made: their history is kept from then on."),
    "hold": ("cmd_orders", "Keep waiting jobs from starting."),
    "release": ("cmd_orders", "Let held jobs start."),
    "priority": ("cmd_orders", "Give waiting jobs another priority."),
    "signal": ("cmd_orders", "Send a signal to running jobs."),
    "suspend": ("cmd_orders", "Stop running jobs where they are, until they are resumed."),
    "resume": ("cmd_orders", "Let suspended jobs go on."),
    "rm": ("cmd_orders", "Delete ended jobs with their output for good."),
    "queue": ("cmd_list", "Show what waits, in which order, and why."),
    "queues": ("cmd_queues", "Show the queues and nodes of the schedulers: what is free, what is yours."),
    "places": ("cmd_places", "List the work directories that you have used."),
    "keys": ("cmd_keys", "Print the keys of the screen."),
    "engine": ("cmd_engine", "Show, start, stop or set the engine, which drives the jobs."),
    "doctor": ("cmd_engine", "Check this machine and the work directory."),
    "demo": ("cmd_demo", "Submit lively sample jobs, and open the screen on them."),
    "completion": ("cmd_completion", "Print the completion script of a shell."),
}


class _ReaderGoneError(Exception):
    """Nobody reads our output any more. No OSError: click would take that for a failure of its own."""


class _Commands(click.Group):
    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(*args, **extra)
        except BrokenPipeError as error:
            raise _ReaderGoneError from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _ReaderGoneError from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        from importlib import import_module

        command = getattr(import_module(f".{_COMMANDS[cmd_name][0]}", __package__), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in _COMMANDS.items()])


def _version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if not value:
        return
    from importlib.metadata import version

    click.echo(f"jobtui {version('jobtui')}")
    context.exit()


@click.group(cls=_Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-w",
    "--workdir",
    "workdirs",
    metavar="DIR",
    multiple=True,
    help="Work directory of the jobs; for the screen, several.",
)
@click.option("--all", "every", is_flag=True, help="Open the screen on all work directories that you have used.")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
@click.pass_context
def cli(context: click.Context, workdirs: tuple[str, ...], every: bool) -> None:
    """Run jobs, watch them, and lose none: on this machine, in one table. Without a command: the screen.

    \b
    Examples:
      jobtui submit -- python train.py --lr 0.1    prints the new job's id
      jobtui run -- make -j4                       follows the output, exits with its code
      jobtui submit --from commands.txt            one job per line
      jobtui ls state:failed                       which jobs failed
      jobtui logs -f 12                            follow the output of job 12
      jobtui cancel 3-9                            stop jobs 3 to 9
      jobtui                                       opens the screen
      jobtui -w run1 -w run2                       on two work directories
    """
    if context.invoked_subcommand is not None:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        click.echo(context.get_help())
        return
    chosen = _chosen(workdirs, every=every)
    from ..core.places import remember
    from .screen.app import open_screen

    for workdir in chosen:
        if workdir.exists():
            remember(workdir.path)
    open_screen(chosen)


def _chosen(given: tuple[str, ...], *, every: bool) -> list[WorkDir]:
    """The work directories for the screen, each once: those given or else the usual one, then all that are known."""
    found = [default_workdir(path) for path in given] or [default_workdir(None)]
    if every:
        from ..core.places import known

        found += map(WorkDir, known())
    return list({workdir.path: workdir for workdir in found}.values())


def _words_of(error: Exception) -> tuple[str, int] | None:
    """The message and exit code for an error that is no bug, None for a bug."""
    from ..core.filters import FilterError
    from ..core.job import SpecError
    from ..core.settings import SettingsError
    from ..core.supervisor import EngineFailedError
    from ..core.workdir import WorkDirError

    if isinstance(error, FilterError):
        return str(error), 2
    if isinstance(error, SpecError | SettingsError | WorkDirError | EngineFailedError):
        return str(error), 1
    if isinstance(error, OSError) and error.errno in (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.ESTALE,
        errno.EIO,
    ):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror), 1
    return None


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 could not be done, 2 wrong usage."""
    # Closed by whoever started us: then there is nobody to read from and to print for. In this order they get their
    # own numbers, which no other file must get.
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    try:
        result: Any = cli.main(args=arguments, prog_name="jobtui", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Abort:
        click.echo("jobtui: interrupted", err=True)
        return 130
    except click.ClickException as error:
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            click.echo(error.format_message())
            return 2
        hint = ""
        if isinstance(error, click.UsageError) and error.ctx is not None:
            hint = f" (see {error.ctx.command_path} --help)"
        click.echo(f"jobtui: {error.format_message()}{hint}", err=True)
        return 2
    except (BrokenPipeError, _ReaderGoneError):
        # The reader of our output went away (ls | head): not an error, and nobody to tell.
        _drop_output()
        return 0
    except Exception as error:  # noqa: BLE001 a bug, logged with its traceback
        words = _words_of(error)
        try:
            sys.stdout.flush()
        except OSError:
            _drop_output()
        if words is None:
            from .buglog import log_bug

            click.echo(f"jobtui: a bug in jobtui: {type(error).__name__}: {error}; see {log_bug(error)}", err=True)
            return 1
        click.echo(f"jobtui: {words[0]}", err=True)
        return words[1]


def _drop_output() -> None:
    """Forget what could not be written: Python would try it once more at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def entry() -> None:
    """The installed command."""
    sys.exit(main())
