"""The dialogs in which somebody chooses the columns of the table and what it is sorted by."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar, TypeVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from ..celltext import cell
from .choices import Choice, ColumnChoice, SortChoice
from .order import SortTerm

Result = TypeVar("Result")

# Lines of the dialog that are no columns: the border, the title, and the keys with a gap above each.
_FRAME = 6
_CURSOR = Style(reverse=True)


class _Column(Widget, can_focus=False):
    """Lines of text with a cursor, scrolled as it needs."""

    DEFAULT_CSS = """
    _Column { width: 100%; height: 1fr; background: ansi_default; color: ansi_default; }
    """

    class Clicked(Message):
        """A line was clicked."""

        def __init__(self, number: int) -> None:
            """Number the line."""
            super().__init__()
            self.number = number

    def __init__(self, words: Callable[[int], str], count: int, cursor: int) -> None:
        """Show ``count`` lines, each as ``words`` says."""
        super().__init__()
        self.cursor = cursor
        self.count, self._words, self._top = count, words, 0

    def put_cursor(self, number: int) -> None:
        """Move the cursor to a line, or to the nearest one that exists; the lines may read differently now."""
        self.cursor = min(max(number, 0), self.count - 1)
        self._show()
        self.refresh()

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self._show()

    def _show(self) -> None:
        height = max(1, self.size.height)
        self._top = max(min(self._top, self.cursor), self.cursor - height + 1)

    def on_click(self, event: events.Click) -> None:
        """Tell which line was clicked."""
        if self._top + event.y < self.count:
            self.post_message(self.Clicked(self._top + event.y))

    def render_line(self, y: int) -> Strip:
        """Draw a line."""
        number, width = self._top + y, self.size.width
        if number >= self.count:
            return Strip.blank(width)
        style = _CURSOR if number == self.cursor else Style.null()
        return Strip([Segment(cell(" " + self._words(number), width), style)], width)


class _ListDialog(ModalScreen[Result | None]):
    """Lists columns; Space changes the one under the cursor, Enter accepts, Esc changes nothing."""

    DEFAULT_CSS = """
    _ListDialog { align: center middle; }
    _ListDialog .box {
        width: 72; max-width: 100%; max-height: 100%; border: round ansi_default; padding: 0 1;
        background: ansi_default; color: ansi_default;
    }
    _ListDialog .title { height: 1; margin-bottom: 1; text-style: bold; }
    _ListDialog .keys { height: auto; margin-top: 1; text-style: dim; }
    """
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,ctrl+c", "cancel"),
        Binding("enter", "accept"),
        Binding("space", "change"),
        Binding("r", "reset"),
        Binding("up,k", "move(-1)"),
        Binding("down,j", "move(1)"),
        Binding("pageup", "move(-10)"),
        Binding("pagedown", "move(10)"),
        Binding("home,g", "move(-1000)"),
        Binding("end,G", "move(1000)"),
    ]

    def __init__(self, title: str, keys: str, choice: Choice[Result], cursor: int) -> None:
        """Let somebody choose; ``keys`` says how."""
        super().__init__()
        self._title, self._keys, self._choice = title, keys, choice
        self.list = _Column(choice.words, len(choice), cursor)

    def compose(self) -> ComposeResult:
        """Title, columns, keys."""
        with Vertical(classes="box") as box:
            box.styles.height = self.list.count + _FRAME
            yield Static(Text(self._title), classes="title", markup=False)
            yield self.list
            yield Static(Text(self._keys), classes="keys", markup=False)

    def on__column_clicked(self, message: _Column.Clicked) -> None:
        """Put the cursor on a line, and change it by a second click."""
        message.stop()
        if message.number == self.list.cursor:
            self.action_change()
        else:
            self.list.put_cursor(message.number)

    def action_move(self, lines: int) -> None:
        """Move the cursor."""
        self.list.put_cursor(self.list.cursor + lines)

    def action_change(self) -> None:
        """Change the column under the cursor."""
        self._choice.change(self.list.cursor)
        self.list.put_cursor(self.list.cursor)

    def action_reset(self) -> None:
        """Back to what is usual."""
        self.list.put_cursor(self._choice.reset())

    def action_accept(self) -> None:
        """Give back what was chosen."""
        self.dismiss(self._choice.accept(self.list.cursor))

    def action_cancel(self) -> None:
        """Change nothing."""
        self.dismiss(None)


class ColumnsDialog(_ListDialog[tuple[str, ...]]):
    """Which columns, in which order; gives back their ids, None to change nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("K,shift+up", "shift(-1)"),
        Binding("J,shift+down", "shift(1)"),
    ]

    def __init__(self, chosen: Iterable[str]) -> None:
        """Begin with these columns on."""
        self._columns = ColumnChoice(chosen)
        super().__init__("Columns", "Space on/off  K J move  r usual ones  Enter accept  Esc cancel", self._columns, 0)

    def action_shift(self, step: int) -> None:
        """Move the column under the cursor."""
        self.list.put_cursor(self._columns.move(self.list.cursor, step))


class SortDialog(_ListDialog[tuple[SortTerm, ...]]):
    """What to sort by; gives back the terms, None to change nothing."""

    def __init__(self, terms: Iterable[tuple[str, bool]]) -> None:
        """Begin with these terms."""
        choice = SortChoice(terms)
        keys = "Enter sort by this  Space several  r newest first  Esc cancel"
        super().__init__("Sort by", keys, choice, choice.first)
