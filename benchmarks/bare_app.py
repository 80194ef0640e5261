"""A bare Textual app, the peer of the screen's start: a header, a table of 60 rows and a footer."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import DataTable, Footer, Header


class BareApp(App[None]):
    """What everybody's first Textual app with a table looks like."""

    def compose(self) -> ComposeResult:
        """Header, table, footer."""
        yield Header()
        yield DataTable()
        yield Footer()

    def on_mount(self) -> None:
        """Fill the table."""
        table = self.query_one(DataTable)
        table.add_columns("ID", "NAME", "STATE", "BACKEND", "ELAPSED", "EXIT", "COMMAND")
        for row in range(60):
            table.add_row(str(row), f"align-{row}", "finished", "local", "5s", "0", f"./align.sh sample{row}")


if __name__ == "__main__":
    BareApp().run()
