"""The parts of the submit form: a line to type in, a choice among a few names, and a row with what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Label, Static

from ..celltext import one_line


class LineInput(Input):
    """A line to type in, without a blinking cursor."""

    DEFAULT_CSS = """
    LineInput, LineInput:focus { border: none; height: 1; padding: 0; background: ansi_default; color: ansi_default; }
    LineInput > .input--cursor { text-style: reverse; background: ansi_default; color: ansi_default; }
    LineInput > .input--selection { text-style: reverse; background: ansi_default; color: ansi_default; }
    LineInput > .input--placeholder { text-style: dim; color: ansi_default; }
    """

    class Shortened(Message):
        """Several lines were pasted, and only the first one was taken."""

        def __init__(self, line: LineInput) -> None:
            """Say where."""
            super().__init__()
            self.line = line

    def __init__(self, id: str, hint: str) -> None:
        """Make an empty one; ``hint`` is shown while it is."""
        super().__init__(id=id, placeholder=hint, compact=True, select_on_focus=False)
        self.cursor_blink = False

    def on_paste(self, event: events.Paste) -> None:
        """Say that a line is a line."""
        if len(event.text.strip("\r\n").splitlines()) > 1:
            # After the news that the text has changed.
            self.call_after_refresh(self.post_message, self.Shortened(self))


class CommandInput(LineInput):
    """The line with the command: up and down ask for earlier and later ones."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "recall(-1)", show=False),
        Binding("down", "recall(1)", show=False),
    ]

    class Recalled(Message):
        """An earlier (``steps`` negative) or later command is wanted."""

        def __init__(self, steps: int) -> None:
            """Say how far."""
            super().__init__()
            self.steps = steps

    def action_recall(self, steps: int) -> None:
        """Ask for another command."""
        self.post_message(self.Recalled(steps))


class Pick(Widget, can_focus=True):
    """One of a few names: left and right, or space, take the next."""

    DEFAULT_CSS = """
    Pick { height: 1; }
    Pick:focus { text-style: underline; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "turn(-1)", show=False),
        Binding("right,space", "turn(1)", show=False),
    ]

    class Changed(Message):
        """Another name was taken."""

    def __init__(self, id: str, names: Sequence[str], chosen: int = 0) -> None:
        """Offer these names; ``chosen`` is the place of the first one taken."""
        super().__init__(id=id)
        self.names, self.chosen = list(names), chosen

    @property
    def name_chosen(self) -> str:
        """The name that is taken."""
        return self.names[self.chosen]

    def offer(self, names: Sequence[str], name: str) -> None:
        """Offer other names; ``name`` is taken, and added where it is not among them."""
        self.names = [*names, *([name] if name not in names else [])]
        self.chosen = self.names.index(name)
        self.refresh()

    def action_turn(self, steps: int) -> None:
        """Take the next name, or the one before."""
        if len(self.names) > 1:
            self.chosen = (self.chosen + steps) % len(self.names)
            self.refresh()
            self.post_message(self.Changed())

    def on_click(self) -> None:
        """Take the next name."""
        self.action_turn(1)

    def render(self) -> Text:
        """The name between arrows where there is a choice."""
        name = one_line(self.name_chosen)
        if len(self.names) == 1:
            return Text(name).append("  (the only one)", "dim")
        return Text("‹ ").append(name).append(" ›").append(f"  {self.chosen + 1} of {len(self.names)}", "dim")


class Row(Vertical):
    """A labelled field, with words below it while something is wrong."""

    DEFAULT_CSS = """
    Row { height: auto; }
    Row Horizontal { height: 1; }
    Row Label { width: 12; text-style: dim; }
    Row:focus-within Label { text-style: bold; }
    Row .remark { margin-left: 12; color: ansi_red; height: auto; display: none; }
    """

    def __init__(self, label: str, field: Widget) -> None:
        """Put a field behind a label."""
        super().__init__()
        self._label, self.field = label, field
        self._remark = Static(classes="remark", markup=False)
        self.words = ""

    def compose(self) -> ComposeResult:
        """Label and field, and the words below."""
        with Horizontal():
            yield Label(Text(self._label))
            yield self.field
        yield self._remark

    def remark(self, words: str) -> None:
        """Say what is wrong, "" for nothing."""
        if words != self.words:
            self.words = words
            self._remark.update(Text(f"! {one_line(words)}"))
            self._remark.display = bool(words)
