"""The command completion: the script that makes a shell complete jobtui's commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Examples:
      eval "$(jobtui completion bash)"                             in ~/.bashrc
      eval "$(jobtui completion zsh)"                              in ~/.zshrc
      jobtui completion fish > ~/.config/fish/completions/jobtui.fish
    """
    from .cli import cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "jobtui", "_JOBTUI_COMPLETE").source())
