"""A dialog with text to be read: scrolls, is searched with ``/``, and is closed with Esc."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

# Borders and the like take so many columns of the screen.
_FRAME = 6


class Reader(ModalScreen[None]):
    """Text under a title. Subclasses say what it is; ``text`` is asked again at each new width or search."""

    DEFAULT_CSS = """
    Reader { align: center middle; background: transparent; }
    Reader .box {
        width: 100%; height: 100%; border: round ansi_default; padding: 0 1; background: ansi_default;
        color: ansi_default;
    }
    Reader .title { text-style: bold; height: 1; margin-bottom: 1; }
    Reader .scroll { height: 1fr; background: ansi_default; scrollbar-size-vertical: 1; }
    Reader .body { width: 100%; height: auto; }
    Reader Input { display: none; background: ansi_default; color: ansi_default; }
    Reader.searching Input { display: block; }
    Reader .hint { height: 1; text-style: dim; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back"),
        Binding("q,question_mark,f1,ctrl+c", "close"),
        Binding("up,k", "scroll_lines(-1)"),
        Binding("down,j", "scroll_lines(1)"),
        Binding("pageup,ctrl+u", "scroll_pages(-1)"),
        Binding("pagedown,ctrl+d,space", "scroll_pages(1)"),
        Binding("home,g", "to_end(-1)"),
        Binding("end,G", "to_end(1)"),
        Binding("slash", "search"),
    ]
    AUTO_FOCUS = ""
    hint = "/ search   Esc close"
    at_end = False

    def __init__(self, title: str) -> None:
        """Make one with a title; nothing is drawn before it is pushed."""
        super().__init__()
        self._title = title
        self.needle = ""

    def text(self, width: int, needle: str) -> Text:
        """What is to be read, in lines of at most ``width`` columns; with a ``needle`` only what it occurs in."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """Title, text, search field, hint."""
        with Vertical(classes="box"):
            yield Static(Text(self._title), classes="title", markup=False)
            with VerticalScroll(classes="scroll", can_focus=False):
                yield Static(classes="body", markup=False)
            search = Input(placeholder="search", compact=True)
            search.cursor_blink = False
            yield search
            yield Static(Text(self.hint), classes="hint", markup=False)

    def on_mount(self) -> None:
        """Show the text."""
        self.set_focus(None)
        self.show_text()
        if self.at_end:
            self.call_after_refresh(self.action_to_end, 1)

    def on_resize(self, event: events.Resize) -> None:
        """Fit the text into the new width."""
        self.show_text()

    def show_text(self) -> None:
        """Ask for the text again and show it."""
        found = self.text(max(1, self.app.size.width - _FRAME), self.needle)
        self.query_one(".body", Static).update(found if found.plain.strip() else Text("Nothing matches.", "dim"))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what matches as it is typed."""
        self.needle = event.value.strip()
        self.show_text()
        self.action_to_end(-1)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Give the keys back to the text."""
        self.set_focus(None)

    def action_search(self) -> None:
        """Begin to search."""
        self.add_class("searching")
        self.query_one(Input).focus()

    def action_back(self) -> None:
        """End the search; without one, close."""
        if not self.has_class("searching"):
            self.dismiss(None)
            return
        self.query_one(Input).value = ""
        self.remove_class("searching")
        self.set_focus(None)

    def action_close(self) -> None:
        """Close it."""
        self.dismiss(None)

    def action_scroll_lines(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one(".scroll").scroll_relative(y=lines, animate=False)

    def action_scroll_pages(self, pages: int) -> None:
        """Scroll by pages."""
        scroll = self.query_one(".scroll")
        scroll.scroll_relative(y=pages * max(1, scroll.size.height - 1), animate=False)

    def action_to_end(self, end: int) -> None:
        """Scroll to the beginning (-1) or the end (1)."""
        scroll = self.query_one(".scroll")
        if end < 0:
            scroll.scroll_home(animate=False)
        else:
            scroll.scroll_end(animate=False)
