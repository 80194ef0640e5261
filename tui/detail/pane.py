"""The pane with everything about the job under the cursor. It loads in a worker, which posts messages."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

import anyio
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from ...core.backend import Shown as Told
from ...core.dossier import Dossier
from ...core.job import ENDED, JobRow
from ...core.manager import JobManager
from ..bar import Bar
from ..celltext import called, words_of
from .foreign import foreign_lines
from .lines import detail_lines
from .page import Line, Place
from .view import DetailView

# Seconds: the cursor rests this long before a job is looked up; and between two looks at one that keeps changing.
_REST = 0.08
_PACE = 0.5
# Seconds between two times that the ages on the page are counted anew: of a job that goes on, and of one that ended.
_TICK = 1.0
_TICK_ENDED = 30.0
# A job that goes on is looked up again after so many seconds (its files grow), but later where looking takes long.
_AGAIN = 5.0
_SHARE = 20


@dataclass(frozen=True)
class Shown:
    """Which job is shown: its manager stands for the work directory. ``foreign`` names one that has no id there."""

    manager: JobManager
    job: int
    foreign: str = ""


class DetailPane(Vertical):
    """A title line above the view. ``show`` says which job; ``go`` moves in it."""

    DEFAULT_CSS = """
    DetailPane { height: 1fr; }
    """

    class Loaded(Message):
        """A job was looked up; ``dossier`` is None where it is not there any more."""

        def __init__(self, shown: Shown, dossier: Dossier | None, took: float) -> None:
            """Carry what was found, and how many seconds that took."""
            super().__init__()
            self.shown, self.dossier, self.took = shown, dossier, took

    class Asked(Message):
        """The scheduler of a foreign job was asked; a text says why it told nothing."""

        def __init__(self, shown: Shown, told: Told | str) -> None:
            """Carry what it told."""
            super().__init__()
            self.shown, self.told = shown, told

    class Trouble(Message):
        """A job cannot be looked up."""

        def __init__(self, shown: Shown, words: str) -> None:
            """Say why."""
            super().__init__()
            self.shown, self.words = shown, words

    def __init__(self) -> None:
        """Show no job yet."""
        super().__init__(id="detail")
        self.title = Bar("detail-title", rule=True)
        self.view = DetailView()
        self._row: JobRow | None = None
        self._shown: Shown | None = None
        self._dossier: Dossier | None = None
        self._told: Told | str | None = None
        self._words = ""
        self._script = False
        self._loading = self._stale = False
        self._drawn_at = self._again_at = 0.0

    def compose(self) -> ComposeResult:
        """Title above text."""
        yield self.title
        yield self.view

    def on_mount(self) -> None:
        """Count ages from now on."""
        self.set_interval(_TICK, self._tick)

    # -- what is shown

    def show(self, manager: JobManager | None, row: JobRow | None) -> None:
        """Show this job, or none; call it again when its row changed."""
        shown = None
        if manager is not None and row is not None:
            shown = Shown(manager, row.id, f"{row.label} {row.submitted}" if row.foreign else "")
        changed, self._row = row != self._row, row
        if shown != self._shown:
            self._shown, self._dossier, self._told, self._words, self._script = shown, None, None, "", False
            self.view.show([], keep_place=False)
            self._load()
            if row is not None and row.foreign:
                self._draw()
        elif changed:
            self._stale = True
            if not self._loading:
                self._load()
        self._refresh_title()

    def toggle_script(self) -> None:
        """Show the text of the job script, or hide it again."""
        self._script = not self._script
        self._draw()

    def go(self, where: str) -> None:
        """Scroll: up, down, page-up, page-down, half-up, half-down, home, end, left or right."""
        self.view.go(where)

    def location(self) -> Place | None:
        """The file that the first line in view tells of, and the line in it if it is one; else the job's spec."""
        if self._shown is None or self._shown.foreign:
            return self.view.top_place()
        spec = f"{self._shown.manager.workdir.metadir(self._shown.job)}/job.json"
        return self.view.top_place() or (spec, None)

    def visible_text(self) -> str:
        """The lines in view as plain text, without blanks at their ends."""
        top = round(self.view.scroll_y)
        lines = self.view.lines[top : top + self.view.size.height]
        return "\n".join(line.text.plain.rstrip() for line in lines)

    # -- loading

    def _load(self) -> None:
        self._stale = False
        self._loading = self._shown is not None
        if self._shown is None:
            self.workers.cancel_group(self, "detail")
        else:
            self.run_worker(partial(self._look_up, self._shown), group="detail", exclusive=True)

    async def _look_up(self, shown: Shown) -> None:
        # A cursor that runs down the table looks up no job on its way.
        await anyio.sleep(_REST if self._dossier is None else _PACE)
        begin = time.monotonic()
        if shown.foreign and self._row is not None:
            await self._ask(shown, self._row)
            return
        try:
            dossier = await shown.manager.dossier(shown.job)
        except OSError as error:
            self.post_message(self.Trouble(shown, words_of(error)))
        else:
            self.post_message(self.Loaded(shown, dossier, time.monotonic() - begin))

    async def _ask(self, shown: Shown, row: JobRow) -> None:
        self.post_message(self.Asked(shown, await shown.manager.show_foreign(row)))

    def on_detail_pane_asked(self, message: Asked) -> None:
        """Show what the scheduler of a foreign job told."""
        message.stop()
        if message.shown == self._shown:
            self._told = message.told
            self._loaded()

    def on_detail_pane_loaded(self, message: Loaded) -> None:
        """Show what was found, unless another job is shown by now."""
        message.stop()
        if message.shown == self._shown:
            self._dossier = message.dossier
            self._again_at = time.monotonic() + max(_AGAIN, _SHARE * message.took)
            self._words = "" if message.dossier is not None else "This job is not there any more."
            self._loaded()

    def on_detail_pane_trouble(self, message: Trouble) -> None:
        """Say why there is nothing to see."""
        message.stop()
        if message.shown == self._shown:
            self._dossier, self._words = None, f"This job cannot be read: {message.words}"
            self._loaded()

    def _loaded(self) -> None:
        self._loading = False
        self._draw()
        if self._stale:
            self._load()

    # -- drawing

    def _draw(self) -> None:
        self._drawn_at = time.monotonic()
        if self._shown is not None and self._shown.foreign and self._row is not None:
            lines = foreign_lines(self._row, self._told, time.time(), self.view.columns)
        elif self._dossier is not None:
            lines = detail_lines(self._dossier, time.time(), self.view.columns, script=self._script)
        else:
            lines = [Line(Text(f"  {self._words}"))] if self._words else []
        self.view.show(lines, keep_place=True)

    def _tick(self) -> None:
        dossier = self._dossier
        if self._shown is not None and self._shown.foreign and self.view.is_on_screen:
            self._draw()
        if dossier is None or not self.view.is_on_screen:
            return
        now, ended = time.monotonic(), dossier.detail.row.state in ENDED
        # Half a tick less: timers are never on the dot.
        if now - self._drawn_at >= (_TICK_ENDED if ended else _TICK) - _TICK / 2:
            self._draw()
        if not ended and not self._loading and now >= self._again_at:
            self._load()

    def _refresh_title(self) -> None:
        row, strong = self._row, self.view.has_focus
        if row is None:
            self.title.show(Text(" no job selected"), strong=strong)
            return
        words = ["detail", called(row), f"{row.state}{': ' if row.detail else ''}{row.detail}"]
        if row.attempt > 1:
            words.insert(2, f"attempt {row.attempt}")
        self.title.show_words(words, strong=strong)

    def on_detail_view_fold(self, message: DetailView.Fold) -> None:
        """Open or close the job script."""
        message.stop()
        self.toggle_script()

    def on_detail_view_resized(self, message: DetailView.Resized) -> None:
        """Fit the lines into the new width."""
        message.stop()
        self._draw()

    def on_descendant_focus(self) -> None:
        """Show by the title that keys go here."""
        self._refresh_title()

    def on_descendant_blur(self) -> None:
        """Show by the title that keys go elsewhere."""
        self._refresh_title()
