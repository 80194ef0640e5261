"""One line of text over the whole width, repainted only when it says something else."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.strip import Strip
from textual.widget import Widget

from .celltext import one_line


class Bar(Widget):
    """A line of styled text, cut at the right edge."""

    DEFAULT_CSS = """
    Bar { height: 1; }
    """

    def __init__(self, name: str, *, rule: bool = False) -> None:
        """Make an empty one; ``name`` is its id on the screen. ``rule``: underlined."""
        super().__init__(id=name)
        self.text = Text()
        self._base = Style(underline=rule)
        self._strong = False

    def show(self, text: Text, *, strong: bool = False) -> None:
        """Show this text; ``strong``: light on dark, or the other way round."""
        if text != self.text or text.spans != self.text.spans or strong != self._strong:
            self.text, self._strong = text, strong
            self.refresh()

    def show_words(self, words: Sequence[str], *, strong: bool = False) -> None:
        """Show words from jobs as data, the first one bold, with dots between them."""
        text = Text(" ")
        text.append(one_line(words[0]), "bold")
        for word in words[1:]:
            text.append(" · ").append(one_line(word))
        self.show(text, strong=strong)

    def render_line(self, y: int) -> Strip:
        """Draw the line."""
        base = Style(reverse=True) if self._strong else self._base
        segments = [
            Segment(segment.text, base + (segment.style or Style.null()))
            for segment in self.text.render(self.app.console, end="")
        ]
        return Strip(segments).simplify().adjust_cell_length(self.size.width, base)
