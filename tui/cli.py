"""The command line: finds the command, and turns every error into words, an exit code, and a log of what was a bug."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

import click

from .common import default_workdir

# In the order of --help. Modules are imported when their command is used: listing jobs must not load the screen.
_COMMANDS = {
    "submit": "cmd_submit",
    "run": "cmd_run",
    "ls": "cmd_list",
    "show": "cmd_show",
    "logs": "cmd_logs",
    "wait": "cmd_wait",
    "cancel": "cmd_orders",
    "retry": "cmd_orders",
    "requeue": "cmd_orders",
    "resubmit": "cmd_submit",
    "hold": "cmd_orders",
    "release": "cmd_orders",
    "rm": "cmd_orders",
    "queue": "cmd_list",
    "engine": "cmd_engine",
    "doctor": "cmd_engine",
    "demo": "cmd_demo",
    "completion": "cmd_completion",
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

        command = getattr(import_module(f".{_COMMANDS[cmd_name]}", __package__), cmd_name)
        assert isinstance(command, click.Command)
        return command


def _version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if not value:
        return
    from importlib.metadata import version

    click.echo(f"jobtui {version('jobtui')}")
    context.exit()


@click.group(cls=_Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-w", "--workdir", metavar="DIR", help="Work directory of the jobs.")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
@click.pass_context
def cli(context: click.Context, workdir: str | None) -> None:
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
    """
    resolved = default_workdir(workdir)
    context.params["workdir"] = resolved
    if context.invoked_subcommand is None:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            click.echo(context.get_help())
            return
        from .screen.app import open_screen

        open_screen(resolved)


def _log_bug() -> str:
    """Append the present traceback to the person's log file and return its path."""
    import time
    import traceback

    from platformdirs import user_log_path

    path = user_log_path("jobtui") / "errors.log"
    # Not the whole command line: it may hold a job's secrets.
    text = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {sys.argv[:2]}\n{traceback.format_exc()}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        sys.stderr.write(text)
        return "the lines above"
    return str(path)


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
    # Closed by whoever started us: then there is nobody to print for.
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
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 a bug, logged with its traceback
        words = _words_of(error)
        if words is None:
            click.echo(f"jobtui: a bug in jobtui: {type(error).__name__}: {error}; see {_log_bug()}", err=True)
            return 1
        click.echo(f"jobtui: {words[0]}", err=True)
        return words[1]


def entry() -> None:
    """The installed command."""
    sys.exit(main())
