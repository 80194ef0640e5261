"""The view of queues and nodes: two tables one above the other, from what the engine was told last."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import ClassVar

import anyio
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input

from ...core.manager import JobManager
from ...core.queues import Share
from ...core.seen import SeenQueues
from ...core.wants import Want
from ..bar import Bar
from ..celltext import one_line, words_of
from ..queues.board import Board, NodeLine, QueueLine, age_words, board, missing_words, node_counts
from ..queues.columns import NODE_COLUMNS, QUEUE_COLUMNS
from ..queues.grid import Grid
from .orders import NO_BUGS

# The part of this client that looks at queues, in ``JobManager.look_at``.
PART = "queues"
# Seconds between two looks at what was told; a renewal of the want is due every ten.
_LOOK = 1.0
_HINTS = "Tab nodes, queues   Enter its nodes alone   / filter   < > I sort   Esc back"
_NO_ENGINE = "no engine asks the scheduler, and starting one is switched off: jobtui engine start"
_NO_SCHEDULER = "No scheduler was found: there are no jobs at one in this work directory, and none answers here."


class Told(Message):
    """What is known now: of which schedulers news are awaited, which never tell, and what was told."""

    def __init__(self, wanted: list[str], unable: list[str], told: list[SeenQueues], shown: Board) -> None:
        """Carry it."""
        super().__init__()
        self.wanted, self.unable, self.told, self.shown = wanted, unable, told, shown


class Trouble(Message):
    """It cannot be looked at."""

    def __init__(self, words: str) -> None:
        """Say why."""
        super().__init__()
        self.words = words


class QueueScreen(ModalScreen[None]):
    """Asks no scheduler: says to the engine that somebody looks, and reads what the engine wrote down."""

    DEFAULT_CSS = """
    QueueScreen { background: ansi_default; color: ansi_default; }
    QueueScreen Bar { height: 1; }
    QueueScreen #queue-news { display: none; }
    QueueScreen #queue-news.said { display: block; }
    QueueScreen Input { display: none; background: ansi_default; color: ansi_default; }
    QueueScreen.searching Input { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back"),
        Binding("q,Q,ctrl+c", "close"),
        Binding("tab,shift+tab", "other"),
        Binding("enter", "open"),
        Binding("slash", "search"),
        Binding("greater_than_sign", "sort(1)"),
        Binding("less_than_sign", "sort(-1)"),
        Binding("I", "reverse"),
        Binding("up,k", "go('up')"),
        Binding("down,j", "go('down')"),
        Binding("pageup", "go('page-up')"),
        Binding("pagedown,space", "go('page-down')"),
        Binding("ctrl+u", "go('half-up')"),
        Binding("ctrl+d", "go('half-down')"),
        Binding("home,g", "go('home')"),
        Binding("end,G", "go('end')"),
    ]

    def __init__(self, manager: JobManager, *, ascii: bool, can: Callable[[str], frozenset[str]]) -> None:
        """Look through this manager; ``can`` says what a back end is able to do."""
        super().__init__()
        self._manager, self._can = manager, can
        self._shown = Board()
        self._wanted: list[str] = []
        self._unable: list[str] = []
        self._told: list[SeenQueues] = []
        self._only: tuple[str, str] | None = None
        self._began = time.monotonic()
        self._trouble = ""
        self._asked = False
        self._searched: Grid[QueueLine] | Grid[NodeLine] | None = None
        note = "asking the engine which queues there are"
        self.queues = Grid[QueueLine]("queues", QUEUE_COLUMNS, ascii=ascii, note=note)
        self.nodes = Grid[NodeLine]("nodes", NODE_COLUMNS, ascii=ascii, note="")

    def compose(self) -> ComposeResult:
        """Which scheduler, its queues; how many nodes, the nodes; a field for a filter, the keys."""
        yield Bar("queue-title")
        yield Bar("queue-news")
        yield self.queues
        yield Bar("node-title")
        yield self.nodes
        field = Input(placeholder="words that must occur: a name, a state, a reason, a queue", compact=True)
        field.cursor_blink = False
        yield field
        yield Bar("queue-keys")

    def on_mount(self) -> None:
        """Begin to look."""
        self.set_focus(self.queues)
        self.query_one("#queue-keys", Bar).show(Text(f" {_HINTS}", "dim"))
        self._describe()
        self.run_worker(self._look())
        self.set_interval(_LOOK, self._describe)

    def on_resize(self) -> None:
        """Use the new room."""
        self._divide()

    # -- what is known

    async def _look(self) -> None:
        """Say that somebody looks, and tell what is new, until this is closed."""
        try:
            await self._keep_looking()
        finally:
            # Here, where nothing can say the contrary afterwards.
            with contextlib.suppress(*NO_BUGS):
                await self._manager.look_at(PART, Want())

    async def _keep_looking(self) -> None:
        env = dict(os.environ)
        before: tuple[list[SeenQueues], dict[str, dict[str, Share]]] | None = None
        wanted: list[str] | None = None
        unable: list[str] = []
        while True:
            try:
                if wanted is None:
                    near = await self._manager.nearby(env)
                    unable = [name for name in near if "queues" not in self._can(name)]
                    wanted = [name for name in near if name not in unable]
                if wanted:
                    await self._manager.look_at(PART, Want(queues=tuple(wanted), env=env))
                    if not await self._manager.ensure_engine():
                        self.post_message(Trouble(_NO_ENGINE))
                told = await self._manager.queues() if wanted else []
                seen = await self._manager.schedulers() if wanted else []
                now = (told, {one.backend: dict(one.mine) for one in seen})
                if now != before:
                    before = now
                    told = [one for one in told if one.backend in wanted]
                    self.post_message(Told(wanted, unable, told, board(told, seen)))
            except NO_BUGS as error:
                self.post_message(Trouble(words_of(error)))
            await anyio.sleep(_LOOK)

    def on_told(self, message: Told) -> None:
        """Show what is known now."""
        self._wanted, self._unable, self._told = message.wanted, message.unable, message.told
        self._shown = message.shown
        self._asked, self._trouble = True, ""
        if self._only is not None and all(line.key != self._only for line in self._shown.queues):
            self._only = None
        self.queues.fill(self._shown.queues)
        self.nodes.fill(self._shown.nodes)
        self._divide()
        self._describe()

    def on_trouble(self, message: Trouble) -> None:
        """Say why nothing new comes."""
        self._trouble = message.words
        self._describe()

    def _divide(self) -> None:
        """Give the queues the lines that they need, up to half of the screen, and the nodes the rest."""
        wanted = max(2, len(self._shown.queues) + 1)
        self.queues.styles.height = min(wanted, max(2, (self.app.size.height - 4) // 2))

    def _describe(self) -> None:
        """Write the lines above the tables anew: when this was told, and what is chosen of it."""
        now = time.time()
        title = Text(" Queues", "bold")
        for told in self._told:
            title.append("  ").append(one_line(age_words(told, now)), "bold red" if told.trouble else "")
        self._title("queue-title", title, self.queues)
        missing = missing_words(self._wanted, self._unable, self._told, time.monotonic() - self._began)
        if self._trouble:
            missing.append(self._trouble)
        elif not self._wanted and not self._unable and self._asked:
            missing.append(_NO_SCHEDULER)
        news = self.query_one("#queue-news", Bar)
        news.set_class(bool(missing) and bool(self._shown.queues), "said")
        news.show(Text(" ").append(one_line("; ".join(missing))))
        if missing and not self._shown.queues:
            self.queues.tell("; ".join(missing))
        of = f" of {self._only[1]}" if self._only is not None else ""
        self._title("node-title", Text(f" Nodes{of}", "bold").append(f"  {node_counts(self.nodes.lines)}"), self.nodes)

    def _title(self, name: str, title: Text, grid: Grid[QueueLine] | Grid[NodeLine]) -> None:
        if grid.needles:
            title.append(f"  {len(grid.lines)} of {grid.total}: {one_line(grid.needles)}", "bold yellow")
        self.query_one(f"#{name}", Bar).show(title)

    # -- keys

    @property
    def _current(self) -> Grid[QueueLine] | Grid[NodeLine]:
        return self.nodes if self.focused is self.nodes else self.queues

    def action_go(self, where: str) -> None:
        """Move in the table that has the keys."""
        self._current.go(where)

    def action_other(self) -> None:
        """Give the keys to the other table."""
        self.set_focus(self.queues if self.focused is self.nodes else self.nodes)

    def action_sort(self, step: int) -> None:
        """Sort by another column."""
        self._current.sort_step(step)

    def action_reverse(self) -> None:
        """Sort the other way round."""
        self._current.sort_reverse()

    def action_open(self) -> None:
        """Show the nodes of the queue under the cursor alone, or all again."""
        line = self.queues.current
        if self.focused is self.queues and line is not None:
            self._choose(None if self._only == line.key else line.key)

    @on(Grid.Opened)
    def _opened(self) -> None:
        self.action_open()

    def _choose(self, only: tuple[str, str] | None) -> None:
        self._only = only
        self.nodes.keep(self.nodes.needles, None if only is None else lambda node: _belongs(node, only))
        self._describe()

    def action_search(self) -> None:
        """Filter the table that has the keys, as it is typed."""
        field = self.query_one(Input)
        self._searched = self._current
        with field.prevent(Input.Changed):
            field.value = self._searched.needles
        self.add_class("searching")
        self.set_focus(field)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what matches."""
        self._filter(event.value)

    def on_input_submitted(self) -> None:
        """Keep the filter."""
        self._leave_field()

    def _filter(self, needles: str) -> None:
        grid, only = self._searched, self._only
        if grid is self.nodes and only is not None:
            self.nodes.keep(needles, lambda node: _belongs(node, only))
        elif grid is not None:
            grid.keep(needles)
        self._describe()

    def _leave_field(self) -> None:
        self.remove_class("searching")
        self.set_focus(self._searched)

    def action_back(self) -> None:
        """Clear the filter, then show all nodes, then close: one at a time."""
        if self.has_class("searching"):
            self._filter("")
            self._leave_field()
        elif self._current.needles:
            self._searched = self._current
            self._filter("")
        elif self._only is not None:
            self._choose(None)
        else:
            self.action_close()

    def action_close(self) -> None:
        """Close it; nobody looks any more."""
        self.dismiss(None)


def _belongs(node: NodeLine, queue: tuple[str, str]) -> bool:
    return node.backend == queue[0] and queue[1] in node.node.queues
