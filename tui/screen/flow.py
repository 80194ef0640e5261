"""How much may be on its way to the terminal: frames are held back while too much of what was sent has not arrived.

What the kernel took may still wait for seconds in ssh and in the network. So with every few kilobytes the terminal is
asked for its cursor's position: its answer says that everything before was drawn.
"""

from __future__ import annotations

from collections import deque

# Asks for the position of the cursor; every terminal since the VT100 answers.
QUESTION = "\x1b[6n"
# Bytes after which a question is due.
_EVERY = 2048
# Bytes that may be on their way: a fraction of a second of a slow line, and many small frames on a long one.
_WINDOW = 8192
# Seconds after which an answer is taken for lost, and how many lost ones in a row end the questions.
_PATIENCE = 2.0
_LOST = 3


class Flow:
    """Counts bytes sent and bytes known to have arrived. Times are in seconds of one clock."""

    def __init__(self) -> None:
        """Nothing was sent, and it is not known whether the terminal answers."""
        self._answers = False
        self._sent = 0
        self._arrived = 0
        self._asked: deque[tuple[int, float]] = deque()
        self._lost = 0

    def awaited(self, now: float) -> bool:
        """Whether an answer may be on its way."""
        return bool(self._asked) and now - self._asked[-1][1] < _PATIENCE

    def sent(self, count: int) -> None:
        """Some bytes were sent."""
        self._sent += count

    def due(self) -> bool:
        """Whether a question should follow what was sent."""
        return self._answers and self._sent - (self._asked[-1][0] if self._asked else self._arrived) >= _EVERY

    def asked(self, now: float) -> None:
        """A question was sent."""
        self._asked.append((self._sent, now))

    def answered(self) -> None:
        """An answer came: all that was sent before its question has arrived."""
        self._answers = True
        self._lost = 0
        if self._asked:
            self._arrived = self._asked.popleft()[0]

    def wait(self, now: float) -> float:
        """Seconds for which the next frame has to wait at most, 0 if it may go."""
        while self._asked and now - self._asked[0][1] >= _PATIENCE:
            self._arrived = self._asked.popleft()[0]
            self._lost += 1
            if self._lost >= _LOST:
                self._answers = False
        if not self._answers or not self._asked or self._sent - self._arrived <= _WINDOW:
            return 0.0
        return self._asked[0][1] + _PATIENCE - now
