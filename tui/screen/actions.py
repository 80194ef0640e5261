"""Every action of the screen: its keys, its words, for which jobs it is possible, and what it does.

The key bindings, the footer and the help are made from this one table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from textual.binding import Binding

from ...core.job import ENDED, JobRow, State

Asks = Literal["always", "for many"]


class Desk(Protocol):
    """What the screen can do for an action."""

    def go(self, where: str) -> None:
        """Move in the pane that has the focus."""

    def order(self, action: Order) -> None:
        """Give an order for the marked jobs, or for the one under the cursor."""

    def toggle_mark(self) -> None:
        """Mark or unmark the job under the cursor."""

    def clear_marks(self) -> None:
        """Take all marks away."""

    def switch_stream(self) -> None:
        """Show the other output stream."""

    def toggle_follow(self) -> None:
        """Follow the log, or stop."""

    def switch_focus(self) -> None:
        """Give the keys to the other pane."""

    def toggle_zoom(self) -> None:
        """Show the log alone, or both panes."""

    def show_help(self) -> None:
        """Open the help."""

    def quit(self) -> None:
        """Close the screen."""


@dataclass(frozen=True)
class Action:
    """Something that a key does. ``short``: its word in the footer, "" to leave it out there.

    ``refuses`` says why it cannot be done with the job under the cursor, "" if it can.
    """

    id: str
    keys: tuple[str, ...]
    help: str
    run: Callable[[Desk], None]
    short: str = ""
    refuses: Callable[[JobRow | None], str] = lambda _row: ""


@dataclass(frozen=True)
class Order:
    """An order for jobs: ``refuses`` says why one job cannot take it, "" if it can. ``asks``: when to ask first."""

    id: Literal["cancel", "retry", "resubmit"]
    verb: str
    past: str
    refuses: Callable[[JobRow], str]
    asks: Asks


def _not_cancelled(row: JobRow) -> str:
    return f"it has ended already ({row.state})" if row.state in ENDED else ""


def _not_retried(row: JobRow) -> str:
    if row.state in ENDED:
        return ""
    word = "is being stopped" if row.state is State.CANCELLING else f"is {row.state}"
    return f"it has not ended yet, it {word}; cancel it first, or resubmit it"


def _never(_row: JobRow) -> str:
    return ""


CANCEL = Order("cancel", "cancel", "cancelled", _not_cancelled, "always")
RETRY = Order("retry", "retry", "retried", _not_retried, "for many")
RESUBMIT = Order("resubmit", "resubmit", "resubmitted", _never, "for many")


def _needs_job(row: JobRow | None) -> str:
    return "there is no job" if row is None else ""


def _order(order: Order, help: str) -> Action:
    """The action that gives an order for jobs."""
    key = {"cancel": "c", "retry": "r", "resubmit": "s"}[order.id]
    return Action(
        order.id,
        (key,),
        help,
        lambda desk: desk.order(order),
        order.verb,
        lambda row: _needs_job(row) if row is None else order.refuses(row),
    )


def _go(where: str) -> Callable[[Desk], None]:
    return lambda desk: desk.go(where)


ACTIONS = (
    _order(CANCEL, "Cancel the job; asks first and names what it would stop"),
    _order(RETRY, "Run an ended job again, as a new attempt"),
    _order(RESUBMIT, "Submit the job once more, as a new job"),
    Action(
        "mark",
        ("space",),
        "Mark the job, or unmark it; orders go to the marked jobs",
        lambda d: d.toggle_mark(),
        "mark",
        _needs_job,
    ),
    Action("unmark", ("escape",), "Take all marks away", lambda d: d.clear_marks()),
    Action(
        "stream", ("o",), "Show stderr instead of stdout, and back", lambda d: d.switch_stream(), "out/err", _needs_job
    ),
    Action("follow", ("f",), "Follow the end of the log, or stop", lambda d: d.toggle_follow(), "follow", _needs_job),
    Action("help", ("question_mark", "f1"), "This help", lambda d: d.show_help(), "help"),
    Action("quit", ("q", "ctrl+c"), "Close the screen; the jobs go on", lambda d: d.quit(), "quit"),
    Action(
        "focus",
        ("tab", "shift+tab"),
        "Move the keys to the log, and back to the table",
        lambda d: d.switch_focus(),
        "pane",
    ),
    Action("zoom", ("z",), "Give the log the whole screen, and back", lambda d: d.toggle_zoom(), "zoom"),
    Action("up", ("up", "k"), "Up", _go("up")),
    Action("down", ("down", "j"), "Down", _go("down")),
    Action("page-up", ("pageup", "ctrl+u"), "A page up", _go("page-up")),
    Action("page-down", ("pagedown", "ctrl+d"), "A page down", _go("page-down")),
    Action("home", ("home", "g"), "To the newest job, or the beginning of the log", _go("home")),
    Action("end", ("end", "G"), "To the oldest job, or the end of the log, which is followed then", _go("end")),
    Action("left", ("left", "h"), "Log: back to the left", _go("left")),
    Action("right", ("right", "l"), "Log: to the right in long lines", _go("right")),
)
BY_ID = {action.id: action for action in ACTIONS}

_LABELS = {
    "question_mark": "?",
    "space": "Space",
    "escape": "Esc",
    "tab": "Tab",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "f1": "F1",
    "shift+tab": "Shift+Tab",
}


def label(key: str) -> str:
    """A key as people call it."""
    return _LABELS.get(key, key.replace("ctrl+", "Ctrl+"))


def bindings() -> list[Binding]:
    """The key bindings: each calls ``action_act`` with the id of its action."""
    return [Binding(",".join(action.keys), f"act('{action.id}')", action.help, show=False) for action in ACTIONS]
