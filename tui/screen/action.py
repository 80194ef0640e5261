"""What an action of the screen is: its name, keys and words, where it works, and what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .desk import JobScreen

Pane = Literal["table", "log", "detail"]
Group = Literal["Jobs", "List", "Log", "Move", "View", "General"]
PANES: tuple[Pane, ...] = ("table", "log", "detail")


@dataclass(frozen=True)
class Action:
    """Something that a person can do on the screen; keys, footer, help and command palette are made from these.

    ``id`` is stable: people remap keys by it. ``title`` is a short imperative ("Cancel"), ``help`` one sentence.
    ``keys`` are the default keys in Textual's names; the same key may stand for different actions in different
    ``panes``. ``refuses`` says why it cannot be done now, "" if it can. ``short``: its word in the footer, "" to
    leave it out there.
    """

    id: str
    title: str
    help: str
    keys: tuple[str, ...]
    run: Callable[[JobScreen], None]
    group: Group
    panes: tuple[Pane, ...] = PANES
    short: str = ""
    refuses: Callable[[JobScreen], str] = lambda _desk: ""
