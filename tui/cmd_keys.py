"""``jobtui keys``: the keys of the screen as this person has them."""

from __future__ import annotations

import click


@click.command()
@click.option("--markdown", is_flag=True, help="All presets as Markdown, for the documentation.")
def keys(markdown: bool) -> None:
    """Print the keys of the screen, with the ids by which config.toml changes them."""
    from .screen.actions import ACTIONS
    from .screen.config import read_config
    from .screen.helptext import keys_markdown, keys_text
    from .screen.keymap import Keymap

    if markdown:
        click.echo(keys_markdown(ACTIONS), nl=False)
        return
    config = read_config()
    keymap = Keymap(ACTIONS, config.screen.preset, config.keys)
    click.echo(keys_text(keymap))
    for problem in (*config.problems, *keymap.problems):
        click.echo(f"jobtui: {problem}", err=True)
