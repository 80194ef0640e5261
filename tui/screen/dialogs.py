"""The dialogs: confirm an order for jobs, ask for a value, choose, and report. They hold job ids, never rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from ...core.job import JobRow, Outcome
from ..celltext import STATE_STYLES, one_line
from ..ref import JobRef
from .orders import Abilities, Order, count

_NAMED = 10
_REPORTED = 200
# Above so many jobs a hasty y is not enough: the number has to be typed.
_TYPED_ABOVE = 20
BOX = """
    align: center middle;
    .box { width: auto; max-width: 100%; height: auto; max-height: 100%; border: round ansi_default; padding: 0 1; }
    .title { width: auto; text-style: bold; margin-bottom: 1; }
    .body { width: auto; }
    .hint { width: auto; margin-top: 1; color: ansi_yellow; }
    .buttons { height: 1; width: auto; margin-top: 1; }
    Button { margin-right: 2; width: auto; min-width: 0; background: ansi_default; color: ansi_default; }
    Button:focus { text-style: reverse bold; background: ansi_default; color: ansi_default; }
    Input {
        width: 40; max-width: 100%; height: 1; border: none; padding: 0;
        background: ansi_default; color: ansi_default;
    }
"""

Find = Callable[[JobRef], JobRow | None]
Can = Callable[[JobRow], Abilities]
Call = Callable[[JobRef], str]


def jobs_text(refs: Sequence[JobRef], order: Order, find: Find, can: Can, call: Call) -> Text:
    """The jobs that an order is for, as they are now."""
    text = Text()
    for ref in refs[:_NAMED]:
        row = find(ref)
        text.append(call(ref)).append("  ")
        if row is None:
            text.append("removed meanwhile\n", "dim")
            continue
        text.append(str(row.state), STATE_STYLES.get(row.state, ""))
        refusal = order.refuses(row, can(row))
        text.append(f"  left alone: {one_line(refusal)}\n" if refusal else "\n", "dim" if refusal else "")
    if len(refs) > _NAMED:
        text.append(f"and {len(refs) - _NAMED} more\n")
    if len(refs) > 1:
        able = sum((row := find(ref)) is not None and not order.refuses(row, can(row)) for ref in refs)
        if able < len(refs):
            text.append(f"{able} of {count(len(refs))} can be {order.past}\n", "bold")
    text.right_crop(1)
    return text


class ConfirmDialog(ModalScreen[bool]):
    """Asks whether an order is to be given for exactly these jobs; the safe button has the focus."""

    DEFAULT_CSS = f"ConfirmDialog {{ {BOX} }}"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)"),
        Binding("n,escape,q,ctrl+c", "answer(False)"),
        Binding("left,right,tab,shift+tab,h,l", "app.focus_next"),
    ]

    def __init__(self, order: Order, refs: tuple[JobRef, ...], find: Find, can: Can, call: Call, hidden: int) -> None:
        """Ask about these jobs; ``find`` gives a row as it is now, ``call`` what the job is called.

        ``hidden``: how many of them are out of sight.
        """
        super().__init__()
        self.order, self.refs, self._find, self._can, self._call = order, refs, find, can, call
        self._hidden = hidden
        self._typed = len(refs) > _TYPED_ABOVE

    def compose(self) -> ComposeResult:
        """Title, jobs, two buttons; for many jobs a field for their number."""
        verb = self.order.verb
        number = count(len(self.refs))
        with VerticalScroll(classes="box", can_focus=False):
            yield Static(Text(f"{verb[0].upper()}{verb[1:]} {number}?"), classes="title", markup=False)
            yield Static(self._jobs(), id="jobs", classes="body", markup=False)
            if self._hidden:
                are = "is" if self._hidden == 1 else "are"
                words = f"{count(self._hidden)} of these {are} not shown now: the filter hides what was marked"
                yield Static(Text(words), classes="hint", markup=False)
            if self.order.warns:
                yield Static(Text(self.order.warns), classes="hint", markup=False)
            if self._typed:
                yield Static(
                    Text(f"Type {len(self.refs)} and Enter to {verb} {number}; Esc leaves them alone."), classes="hint"
                )
                field = Input(id="number", compact=True, restrict=r"[0-9]*")
                field.cursor_blink = False
                yield field
            else:
                with Horizontal(classes="buttons"):
                    yield Button(f"Yes, {verb} (y)", id="yes", compact=True)
                    yield Button("No (n)", id="no", compact=True)

    def _jobs(self) -> Text:
        return jobs_text(self.refs, self.order, self._find, self._can, self._call)

    def on_mount(self) -> None:
        """Make Enter safe."""
        self.query_one("#number" if self._typed else "#no").focus()

    def update_jobs(self) -> None:
        """Show the jobs as they are now."""
        if self.is_mounted:
            self.query_one("#jobs", Static).update(self._jobs())

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Take the answer."""
        self.dismiss(event.button.id == "yes")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the number for an answer if it is the right one."""
        if event.value.strip() == str(len(self.refs)):
            self.dismiss(True)
        else:
            event.input.value = ""

    def action_answer(self, answer: bool) -> None:
        """Take the answer of a key."""
        if not (answer and self._typed):
            self.dismiss(answer)


class ValueDialog(ModalScreen[str | None]):
    """Asks for a line of text, which ``check`` finds fault with in words; offers some values to choose from."""

    DEFAULT_CSS = f"ValueDialog {{ {BOX} }}"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "give_up"),
        Binding("down,tab", "step(1)", priority=True),
        Binding("up,shift+tab", "step(-1)", priority=True),
    ]

    def __init__(self, title: str, hint: str, values: Sequence[str], check: Callable[[str], str], first: str) -> None:
        """``values``: what Up and Down put into the field, which begins with ``first``."""
        super().__init__()
        self._title, self._hint, self._values, self._check, self._first = title, hint, list(values), check, first

    def compose(self) -> ComposeResult:
        """Title, field, what is wrong, how to answer."""
        with VerticalScroll(classes="box", can_focus=False):
            yield Static(Text(self._title), classes="title", markup=False)
            field = Input(self._first, compact=True)
            field.cursor_blink = False
            yield field
            yield Static(Text(self._hint), classes="hint", id="hint", markup=False)
            yield Static(Text("Enter: go on   Esc: give up", "dim"), classes="buttons", markup=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say at once what is wrong."""
        wrong = self._check(event.value) if event.value.strip() else ""
        self.query_one("#hint", Static).update(Text(wrong or self._hint))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the value if nothing is wrong with it."""
        if not self._check(event.value):
            self.dismiss(event.value.strip())

    def action_step(self, step: int) -> None:
        """Put the next or the previous of the values into the field."""
        if not self._values:
            return
        field = self.query_one(Input)
        at = self._values.index(field.value) + step if field.value in self._values else 0
        field.value = self._values[at % len(self._values)]
        field.cursor_position = len(field.value)

    def action_give_up(self) -> None:
        """Close without a value."""
        self.dismiss(None)


class Notice(ModalScreen[None]):
    """Text to be read and closed."""

    DEFAULT_CSS = f"Notice {{ {BOX} }}"
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
    """What became of an order, job by job: what was not done comes first."""

    def __init__(self, order: Order, outcomes: Mapping[JobRef, Outcome], call: Call) -> None:
        """Show these outcomes; ``call`` gives what a job is called."""
        body = Text()
        for ref, outcome in sorted(outcomes.items(), key=lambda item: item[1].done)[:_REPORTED]:
            body.append("done  " if outcome.done else "NOT   ", "green" if outcome.done else "bold red")
            body.append(f"{call(ref)}: {one_line(outcome.words)}\n")
        if len(outcomes) > _REPORTED:
            body.append(f"and {len(outcomes) - _REPORTED} more\n")
        body.right_crop(1)
        done = sum(outcome.done for outcome in outcomes.values())
        verb = order.verb[0].upper() + order.verb[1:]
        super().__init__(f"{verb}: done for {done} of {count(len(outcomes))}", body)
