"""Going to the next or previous matching line: which one it is, as soon as that is known, and on past the ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from .scan import Answer, Scan


class Ended(Enum):
    """There is nothing to go to."""

    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Hunt:
    """A wish to go to the matching line after ``base`` (``step`` 1) or before it (-1); ``wrapped``: on past the end."""

    scan: Scan
    step: int
    base: int
    wrapped: bool = False

    def look(self) -> tuple[Hunt, int | Ended | None]:
        """Where to go: the offset of a line; None while that is not known yet; or that there is nothing.

        The wish that comes back knows whether the search went on past the end of the log.
        """
        answer = self._answer()
        if answer is Answer.NONE and not self.wrapped:
            hunt = replace(self, base=-1 if self.step > 0 else self.scan.size + 1, wrapped=True)
            return hunt, hunt.look()[1]
        if isinstance(answer, Answer):
            return self, Ended.NOTHING if answer is Answer.NONE else None
        return self, answer

    def _answer(self) -> int | Answer:
        return self.scan.following(self.base) if self.step > 0 else self.scan.preceding(self.base)
