"""The marked jobs: by ref, so that they stay marked through every sort, filter and refresh."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ..ref import JobRef
from .code import code_of, ref_of
from .view import View


class Marks:
    """Marks on the jobs of a view. ``version`` changes whenever they do."""

    def __init__(self, view: View) -> None:
        """Begin without any."""
        self.refs: set[JobRef] = set()
        self.version = 0
        self._view = view
        self._pivot: int | None = None
        self._hidden: tuple[object, int] = (None, 0)

    def toggle(self, line: int) -> None:
        """Mark a line's job or take its mark away; of an array all listed tasks."""
        refs = self._refs([line])
        self.version += 1
        if refs <= self.refs:
            self.refs -= refs
        else:
            self.refs |= refs
            self._pivot = line

    def extend_to(self, number: int) -> None:
        """Mark all lines from the one that was marked last to line number ``number``."""
        there = None if self._pivot is None else self._view.index(self._pivot)
        first, last = sorted((number, number if there is None else there))
        lines = self._view.lines
        # The tasks of an expanded array are lines themselves: its own line stands for nothing in a range.
        self.refs |= self._refs(line for line in lines[first : last + 1] if line not in self._view.expanded)
        self._pivot = lines[number]
        self.version += 1

    def toggle_all(self) -> None:
        """Mark all listed jobs; take all marks away if they are marked."""
        refs = set(map(ref_of, self._view.shown))
        self.refs = set() if refs <= self.refs else self.refs | refs
        self.version += 1

    def remove(self, refs: Iterable[JobRef]) -> None:
        """Take marks away."""
        self.refs = self.refs.difference(refs)
        self.version += 1

    @property
    def hidden(self) -> int:
        """How many marked jobs the filter hides."""
        sign = self.version, self._view.revision
        if self._hidden[0] != sign:
            self._hidden = sign, sum(not self._view.passes(code_of(ref)) for ref in self.refs)
        return self._hidden[1]

    def on(self, line: int) -> Literal["all", "some", "none"]:
        """How many of the jobs that a line stands for are marked."""
        if not self.refs:
            return "none"
        if line >= 0:
            return "all" if ref_of(line) in self.refs else "none"
        tasks = self._view.tasks(line)
        if len(tasks) <= len(self.refs):
            marked = sum(ref_of(code) in self.refs for code in tasks)
        else:
            marked = sum(self._view.parent(code_of(ref)) == line for ref in self.refs)
        return "none" if not marked else "all" if marked == len(tasks) else "some"

    def _refs(self, lines: Iterable[int]) -> set[JobRef]:
        return {ref_of(code) for line in lines for code in self._view.meant(line)}
