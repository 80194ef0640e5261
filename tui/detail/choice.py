"""A dialog with a text and some answers; each has a key, and Esc takes the one that changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

BUTTONS_CSS = """
    .buttons { height: 1; width: auto; margin-top: 1; }
    Button { margin-right: 2; width: auto; min-width: 0; background: ansi_default; color: ansi_default; }
    Button:focus { text-style: reverse bold; background: ansi_default; color: ansi_default; }
"""


@dataclass(frozen=True)
class Answer:
    """One answer: ``id`` is what the dialog gives back; ``keys`` in Textual's names, the first is shown."""

    id: str
    words: str
    keys: tuple[str, ...]


class ChoiceDialog(ModalScreen[str]):
    """Gives back the id of the answer taken. The last answer changes nothing: Esc takes it."""

    DEFAULT_CSS = f"""
    ChoiceDialog {{
        align: center middle;
        .box {{
            width: auto; max-width: 100%; height: auto; max-height: 100%; border: round ansi_default; padding: 0 1;
        }}
        .title {{ width: auto; text-style: bold; margin-bottom: 1; }}
        .scroll {{ width: auto; max-width: 100%; height: auto; max-height: 68vh; scrollbar-size-vertical: 1; }}
        .body {{ width: auto; }}
        {BUTTONS_CSS}
    }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,shift+tab", "app.focus_previous"),
        Binding("right,tab", "app.focus_next"),
        Binding("up,k", "scroll_body(-1)"),
        Binding("down,j", "scroll_body(1)"),
        Binding("pageup", "scroll_body(-10)"),
        Binding("pagedown", "scroll_body(10)"),
    ]

    def __init__(self, title: str, body: Text, answers: Sequence[Answer], focus: Answer | None = None) -> None:
        """Ask something; the body is data already made safe. Enter takes ``focus``, or else the last answer."""
        super().__init__()
        self._title, self._body, self.answers = title, body, answers
        self._focus = focus or answers[-1]

    def compose(self) -> ComposeResult:
        """Title, text, a button for each answer."""
        with VerticalScroll(classes="box", can_focus=False):
            yield Static(Text(self._title), classes="title", markup=False)
            with VerticalScroll(classes="scroll", can_focus=False):
                yield Static(self._body, classes="body", markup=False)
            with Horizontal(classes="buttons"):
                for answer in self.answers:
                    yield Button(Text(f"{answer.words} ({answer.keys[0]})"), id=answer.id, compact=True)

    def on_mount(self) -> None:
        """Make Enter safe."""
        self.query_one(f"#{self._focus.id}", Button).focus()

    def on_key(self, event: events.Key) -> None:
        """Take the answer of a key."""
        for answer in self.answers:
            if event.key in answer.keys:
                event.stop()
                self.dismiss(answer.id)
                return
        if event.key in ("escape", "ctrl+c", "q"):
            event.stop()
            self.dismiss(self.answers[-1].id)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Take the answer of a button."""
        event.stop()
        if event.button.id is not None:
            self.dismiss(event.button.id)

    def action_scroll_body(self, lines: int) -> None:
        """Scroll what does not fit."""
        self.query_one(".scroll").scroll_relative(y=lines, animate=False)
