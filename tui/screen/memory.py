"""Carries what the screen remembers between the state file and the widgets: once when it opens, and when it closes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec

from ...core.manager import JobManager
from ..celltext import needs_ascii
from ..ref import Ref
from .config import Config
from .uistate import StateFile, UIState, add_entry, choose, in_force, put_cursor, read_state, state_path

_T = TypeVar("_T", str, bool)

if TYPE_CHECKING:
    from .desk import JobScreen


def labels(managers: Sequence[JobManager]) -> list[str]:
    """Short names for work directories, as much of each path as tells it from the others."""
    parts = [manager.workdir.path.strip("/").split("/") for manager in managers]
    for length in range(1, max(map(len, parts), default=1) + 1):
        names = ["/".join(part[-length:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return [manager.workdir.path for manager in managers]


class Memory:
    """What one screen remembers. ``state`` is changed at once, the file is written in ``save``."""

    def __init__(self, config: Config) -> None:
        """Read what the last screen left."""
        self.config = config
        path = state_path()
        self.state: UIState = read_state(path)
        self._file = StateFile(path, self.state)

    def setting(self, name: str) -> str | bool:
        """A setting of ``[screen]`` as it holds now: configured, or changed on the screen since."""
        return in_force(self.state, name, getattr(self.config.screen, name))

    def choose(self, name: str, value: _T) -> None:
        """Remember that a setting was changed on the screen."""
        self.state = choose(self.state, name, value, getattr(self.config.screen, name))

    def ascii_only(self) -> bool:
        """Whether states are shown by shapes that every terminal has."""
        symbols = self.config.screen.symbols
        encoding = (sys.__stdout__ and sys.__stdout__.encoding) or "ascii"
        return symbols == "ascii" or (symbols == "auto" and needs_ascii(encoding, os.environ.get("TERM", "")))

    def restore(self, desk: JobScreen) -> None:
        """Make the screen what it was. The filter is not kept: a screen that hides jobs unasked would mislead."""
        state = self.state
        if state.columns:
            desk.table.set_columns(list(state.columns))
        if state.sort:
            desk.table.set_sort(list(state.sort))
        if state.split is not None:
            desk.panes.share = state.split
        desk.panes.set_layout(str(self.setting("layout")))
        desk.log_pane.stream = state.stream
        desk.log_pane.wrap = state.wrap

    def cursor(self, desk: JobScreen) -> Ref | None:
        """The job that the cursor was on when the first work directory was last looked at, if it still exists."""
        place = desk.places[0]
        job = self.state.cursors.get(place.manager.workdir.path)
        ref = None if job is None else Ref(place.index, job)
        return ref if ref in desk.jobs.rows else None

    def collect(self, desk: JobScreen) -> None:
        """Note what the screen is like now."""
        self.state = msgspec.structs.replace(
            self.state,
            columns=tuple(desk.table.columns),
            sort=desk.jobs.sort_terms,
            split=desk.panes.share,
            stream=desk.log_pane.stream,
            wrap=desk.log_pane.wrap,
        )
        self.choose("layout", desk.panes.layout)
        ref = desk.jobs.current_ref
        if ref is not None:
            self.state = put_cursor(self.state, desk.places[ref.place].manager.workdir.path, ref.job)

    def save(self) -> str:
        """Write the file; returns in words why that is not possible, the first time."""
        return self._file.save(self.state)

    def history(self, kind: str) -> tuple[str, ...]:
        """What was typed for something, newest last."""
        return self.state.histories.get(kind, ())

    def add(self, kind: str, text: str) -> None:
        """Put a text into a history."""
        self.state = add_entry(self.state, kind, text)
