"""What the screen can do around the jobs: copy, pager, editor, palette, help, command log, theme, mouse, news."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import anyio.to_thread
from textual.message import Message

from ...core.filters import id_ranges
from ...core.job import JobRow, Outcome, State
from ...core.journal import Change
from ..ref import JobRef, Ref
from .commands import CommandLog, command_line
from .entries import Entry
from .keymap import Keymap
from .memory import Memory
from .notifier import Notifier
from .orders import Order
from .terminal import set_mouse
from .themes import THEMES, apply_theme

if TYPE_CHECKING:
    from .chooser import Copyable
    from .desk import JobScreen

_LAST_LINES = 200


class Copied(Message):
    """Something was copied; ``words`` say where it is."""

    def __init__(self, words: str) -> None:
        """Carry the words."""
        super().__init__()
        self.words = words


class Tools:
    """The tools of one screen."""

    def __init__(self, desk: JobScreen, memory: Memory, keymap: Keymap) -> None:
        """Serve this screen."""
        self._desk, self._memory, self._keymap = desk, memory, keymap
        self._commands = CommandLog()
        self._notifier: Notifier | None = None
        self._mouse = True

    def start(self) -> None:
        """Begin; the app runs."""
        app = self._desk.app
        self._notifier = Notifier(app, self._memory.config.notify, os.environ, self._news)
        self._notifier.start()
        self._set_mouse(bool(self._memory.setting("mouse")))
        problems = [*self._memory.config.problems, *self._keymap.problems]
        if problems:
            self._desk.say(problems[0] + (f" (and {len(problems) - 1} more)" if problems[1:] else ""), bad=True)

    def stop(self) -> None:
        """Leave the terminal's title as it was."""
        if self._notifier is not None:
            self._notifier.restore_title()

    # -- news

    def _news(self, words: str, bad: bool) -> None:
        self._desk.say(words, bad=bad)

    def tell_ends(self, place: int, changes: Sequence[Change]) -> None:
        """Tell of jobs that ended."""
        if self._notifier is None:
            return
        for change in changes:
            if change.row is not None:
                self._notifier.see(self._desk.jobs.row(Ref(place, change.row.id)), change.row)

    def count(self, counts: Mapping[State, int]) -> None:
        """Say in the terminal's title how many jobs run and failed."""
        if self._notifier is not None:
            self._notifier.count(counts.get(State.RUNNING, 0), counts.get(State.FAILED, 0))

    # -- the command log

    def log_order(self, order: Order, outcomes: Mapping[JobRef, Outcome]) -> None:
        """Note an order as the command that would have given it."""
        for place in self._desk.places:
            refs = [ref for ref in outcomes if ref.place == place.index]
            if not refs:
                continue
            ids = [ref.job for ref in refs if isinstance(ref, Ref)]
            names = [f"{ref.backend}:{ref.jid}" for ref in refs if not isinstance(ref, Ref)]
            done = sum(outcomes[ref].done for ref in refs)
            words = next(iter(outcomes.values())).words if len(refs) == 1 else f"done for {done} of {len(refs)} jobs"
            self._commands.add(command_line(place.manager.workdir.path, order.words, ids, names), words)

    def show_commands(self) -> None:
        """Show what the screen did."""
        from .commandlog import CommandLogScreen

        self._desk.app.push_screen(CommandLogScreen(self._commands, self._copy_commands))

    def _copy_commands(self, text: str) -> None:
        from .chooser import Copyable

        self._copy(Copyable("the commands", text, lambda: text))

    # -- dialogs

    def help(self) -> None:
        """Show all keys."""
        from .helpscreen import HelpScreen

        self._desk.app.push_screen(HelpScreen(self._keymap, self._desk.panes.current))

    def palette(self) -> None:
        """Offer all actions, the named filters and the columns to sort by."""
        from .chooser import run_entry
        from .palette import Palette, action_entries

        desk = self._desk
        entries = action_entries(
            self._keymap, desk.panes.current, lambda action: action.refuses(desk), lambda action: action.run(desk)
        )
        entries += [
            Entry(f"Filter: {name}", text, "", "", lambda text=text: desk.lists.set_filter(text))
            for name, text in self._memory.config.filters.items()
        ]
        entries += [
            Entry(f"Sort by {id}", "", "", "", lambda id=id: desk.table.sort_by(id, toggle=False))
            for id in desk.table.columns
        ]
        entries += [Entry(f"Theme: {name}", "", "", "", lambda name=name: self.set_theme(name)) for name in THEMES]
        desk.app.push_screen(Palette(entries), run_entry)

    def queues(self) -> None:
        """Show the queues and nodes of the schedulers of the work directory under the cursor."""
        from .queuescreen import QueueScreen

        desk = self._desk
        manager = desk.manager or desk.places[0].manager
        desk.app.push_screen(QueueScreen(manager, ascii=self._memory.ascii_only(), can=desk.capabilities))

    def choose_filter(self) -> None:
        """Offer the named filters and those used last."""
        from .chooser import Chooser, run_entry

        desk = self._desk
        named = [(name, text) for name, text in self._memory.config.filters.items()]
        recent = [(text, "") for text in reversed(self._memory.history("filter"))]
        entries = [
            Entry(
                name,
                text,
                str(number) if number < 10 else "",
                "",
                lambda it=text or name: desk.lists.set_filter(it),
            )
            for number, (name, text) in enumerate([*named, *recent][:20], 1)
        ]
        if entries:
            desk.app.push_screen(Chooser("Filters", entries), run_entry)
        else:
            desk.say("there are no filters yet: name some in config.toml, table [filters], or write one with /")

    # -- copy and open

    def copy(self) -> None:
        """Offer what can be copied of the job under the cursor."""
        from .chooser import Copyable, CopyDialog, run_entry

        desk, row = self._desk, self._desk.jobs.current
        refs = desk.jobs.targets()
        # The same id stands for another job elsewhere.
        names = [f"{ref.backend}:{ref.jid}" for ref in refs if not isinstance(ref, Ref)]
        numbers = id_ranges(ref.job for ref in refs if isinstance(ref, Ref))
        ids = " ".join(filter(None, [numbers, *names])) if len({ref.place for ref in refs}) == 1 else ""
        choices = [Copyable("the id" if len(refs) < 2 else "the ids", ids, lambda: ids)]
        manager, log = desk.manager, desk.panes.second == "log"
        if row is not None and manager is not None:
            # A log that is not shown is that of an earlier job.
            place = desk.log_pane.location() if log else None
            own = "" if row.foreign else manager.log_path(row.id, "stdout")
            choices += _copyable(row, place[0] if place else own)
        choices.append(Copyable("the text in view", desk.panes.second, self._in_view))
        if log:
            last = partial(desk.log_pane.last_lines, _LAST_LINES)
            choices.append(Copyable(f"the last {_LAST_LINES} lines", "of the log", last))
        desk.app.push_screen(CopyDialog(choices, self._copy), run_entry)

    def _in_view(self) -> str:
        desk = self._desk
        return desk.detail.visible_text() if desk.panes.second == "detail" else desk.log_pane.visible_text()

    def _copy(self, choice: Copyable) -> None:
        from .clipboard import copy

        async def work() -> None:
            text = await anyio.to_thread.run_sync(choice.text)
            self._desk.post_message(Copied(await copy(self._desk.app, text, choice.what)))

        self._desk.run_worker(work())

    def pager(self) -> None:
        """Open the file in view in the pager."""
        from .external import run_pager

        self._open(run_pager)

    def editor(self) -> None:
        """Open the file in view in the editor."""
        from .external import run_editor

        self._open(run_editor)

    def _open(self, run: Callable[..., str]) -> None:
        desk = self._desk
        second = desk.detail if desk.panes.second == "detail" else desk.log_pane
        place = second.location()
        if place is None:
            desk.say("there is no file to open")
            return
        words = run(desk.app, place[0], place[1])
        if words:
            desk.say(words, bad=True)

    async def edit(self, path: str, line: int | None) -> str:
        """Edit a file; returns "" , or in words why that was not possible."""
        from .external import run_editor

        return run_editor(self._desk.app, path, line)

    def to_shell(self) -> None:
        """Leave the screen to the shell until it is brought back."""
        self._desk.app.action_suspend_process()

    # -- looks

    def mouse(self) -> None:
        """Leave the mouse to the terminal, or take it back."""
        self._set_mouse(not self._mouse)
        self._memory.choose("mouse", self._mouse)
        key = self._keymap.label("mouse")
        self._desk.say(
            "the mouse is the screen's again" if self._mouse else f"select text with the mouse; {key} takes it back"
        )

    def _set_mouse(self, on: bool) -> None:
        self._mouse = on
        set_mouse(self._desk.app, on)

    def next_theme(self) -> None:
        """Use the next theme."""
        now = self._memory.setting("theme")
        # What was remembered may be no theme any more.
        at = THEMES.index(now) if now in THEMES else -1
        self.set_theme(THEMES[(at + 1) % len(THEMES)])

    def set_theme(self, name: str) -> None:
        """Use a theme from now on."""
        words = apply_theme(self._desk.app, name, os.environ)
        self._memory.choose("theme", name)
        self._desk.say(words or f"theme: {name}", bad=bool(words))


def _copyable(row: JobRow, output: str) -> list[Copyable]:
    """The texts of a job that can be copied."""
    from .chooser import Copyable

    texts = [
        ("the command", row.command),
        ("its directory", row.cwd),
        ("its folder", "" if row.foreign else row.metadir),
        ("the path of its output", output),
        ("the name", row.name),
        ("why it ended so", row.detail),
    ]
    return [Copyable(what, text, lambda text=text: text) for what, text in texts]
