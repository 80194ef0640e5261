"""The dialogs: confirm an order for jobs, report what became of one, and help. They hold job ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from ...core.job import JobRow, Outcome
from ..celltext import STATE_STYLES, called, one_line
from .actions import ACTIONS, Order, label

_NAMED = 10
_BOX = """
    align: center middle;
    .box { width: auto; max-width: 96%; height: auto; max-height: 96%; border: round ansi_default; padding: 0 1; }
    .title { width: auto; text-style: bold; margin-bottom: 1; }
    .body { width: auto; }
    .buttons { height: 1; width: auto; margin-top: 1; }
    Button { margin-right: 2; width: auto; min-width: 0; background: ansi_default; color: ansi_default; }
    Button:focus { text-style: reverse bold; background: ansi_default; color: ansi_default; }
"""


def jobs_text(ids: Sequence[int], order: Order, find: Callable[[int], JobRow | None]) -> Text:
    """The jobs that an order is for, as they are now."""
    text = Text()
    for job in ids[:_NAMED]:
        row = find(job)
        if row is None:
            text.append(f"job {job}  removed meanwhile\n", "dim")
            continue
        text.append(called(row)).append("  ").append(str(row.state), STATE_STYLES.get(row.state, ""))
        refusal = order.refuses(row)
        text.append(f"  left alone: {one_line(refusal)}\n" if refusal else "\n", "dim" if refusal else "")
    if len(ids) > _NAMED:
        text.append(f"and {len(ids) - _NAMED} more\n")
    text.right_crop(1)
    return text


def count(jobs: int) -> str:
    """``1 job``, ``2 jobs``."""
    return f"{jobs} job{'' if jobs == 1 else 's'}"


class ConfirmDialog(ModalScreen[bool]):
    """Asks whether an order is to be given for exactly these jobs; the safe button has the focus."""

    DEFAULT_CSS = f"ConfirmDialog {{ {_BOX} }}"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)"),
        Binding("n,escape,q,ctrl+c", "answer(False)"),
        Binding("left,right,tab,shift+tab,h,l", "app.focus_next"),
    ]

    def __init__(self, order: Order, ids: tuple[int, ...], find: Callable[[int], JobRow | None]) -> None:
        """Ask about these ids; ``find`` gives a job's row as it is at the moment."""
        super().__init__()
        self.order, self.ids, self._find = order, ids, find

    def compose(self) -> ComposeResult:
        """Title, jobs, two buttons."""
        verb = self.order.verb
        with VerticalScroll(classes="box", can_focus=False):
            yield Static(Text(f"{verb.capitalize()} {count(len(self.ids))}?"), classes="title", markup=False)
            yield Static(jobs_text(self.ids, self.order, self._find), id="jobs", classes="body", markup=False)
            with Horizontal(classes="buttons"):
                yield Button(f"Yes, {verb} (y)", id="yes", compact=True)
                yield Button("No (n)", id="no", compact=True)

    def on_mount(self) -> None:
        """Make Enter safe."""
        self.query_one("#no", Button).focus()

    def update_jobs(self) -> None:
        """Show the jobs as they are now."""
        if self.is_mounted:
            self.query_one("#jobs", Static).update(jobs_text(self.ids, self.order, self._find))

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Take the answer."""
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        """Take the answer of a key."""
        self.dismiss(answer)


class Notice(ModalScreen[None]):
    """Text to be read and closed."""

    DEFAULT_CSS = f"Notice {{ {_BOX} }}"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,space,n,question_mark,f1,ctrl+c", "close"),
        Binding("up,k", "scroll_body(-1)"),
        Binding("down,j", "scroll_body(1)"),
        Binding("pageup", "scroll_body(-10)"),
        Binding("pagedown", "scroll_body(10)"),
    ]

    def __init__(self, title: str, body: Text) -> None:
        """Show a title and a body."""
        super().__init__()
        self._title, self._body = title, body

    def compose(self) -> ComposeResult:
        """Title, text, how to close it."""
        with VerticalScroll(classes="box", can_focus=False):
            yield Static(Text(self._title), classes="title", markup=False)
            yield Static(self._body, classes="body", markup=False)
            yield Static(Text("Esc closes this", "dim"), classes="buttons", markup=False)

    def action_scroll_body(self, lines: int) -> None:
        """Scroll what does not fit."""
        self.query_one(".box").scroll_relative(y=lines, animate=False)

    def action_close(self) -> None:
        """Close it."""
        self.dismiss(None)


class ReportDialog(Notice):
    """What became of an order, job by job."""

    def __init__(self, order: Order, outcomes: Sequence[Outcome], find: Callable[[int], JobRow | None]) -> None:
        """Show these outcomes."""
        body = Text()
        for outcome in outcomes:
            row = find(outcome.job)
            body.append("done  " if outcome.done else "NOT   ", "green" if outcome.done else "bold red")
            body.append(called(row) if row is not None else f"job {outcome.job}")
            body.append(f": {one_line(outcome.words)}\n")
        body.right_crop(1)
        done = sum(outcome.done for outcome in outcomes)
        super().__init__(f"{order.verb.capitalize()}: done for {done} of {count(len(outcomes))}", body)


class HelpDialog(Notice):
    """All keys, made from the table of actions."""

    def __init__(self) -> None:
        """Write the help."""
        body = Text()
        names = [" ".join(label(key) for key in action.keys) for action in ACTIONS]
        column = max(map(len, names)) + 2
        for name, action in zip(names, ACTIONS, strict=True):
            body.append(name.ljust(column), "bold").append(f"{action.help}\n")
        body.append("\nQuitting closes the screen only: jobs and their engine go on.")
        super().__init__("Keys", body)
