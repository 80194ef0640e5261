"""The shell lines that a person submitted before, newest last, in a small private file of theirs."""

from __future__ import annotations

import contextlib
import json
import os

_KEPT = 200
# Bytes of one line that are worth keeping; and of the whole file.
_LONGEST = 4000
_LARGEST = 2 * 2**20


def history_path() -> str:
    """Where the lines are kept."""
    from platformdirs import user_state_path

    return str(user_state_path("jobtui") / "submitted.jsonl")


def read_history(path: str) -> list[str]:
    """The lines, oldest first; none where the file cannot be read. What is no line is left out."""
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST)
    except OSError:
        return []
    found: list[str] = []
    for line in data.splitlines():
        with contextlib.suppress(ValueError):
            text = json.loads(line)
            if isinstance(text, str) and text.isprintable():
                found.append(text)
    return found[-_KEPT:]


def add_to_history(path: str, line: str) -> None:
    """Keep a line as the newest one, unless it begins with a blank or is not fit for it. Raises OSError."""
    if not line or line[0].isspace() or len(line) > _LONGEST or not line.isprintable():
        return
    lines = [kept for kept in read_history(path) if kept != line] + [line]
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    temporary = f"{path}.{os.getpid()}.tmp"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(fd, "w", encoding="ascii") as file:
        file.writelines(json.dumps(kept) + "\n" for kept in lines[-_KEPT:])
    os.replace(temporary, path)


class Recall:
    """Walking through the history in a field: what was typed is the newest line."""

    def __init__(self, lines: list[str]) -> None:
        """Begin behind the newest of ``lines``."""
        self._lines = lines
        self._at = len(lines)
        self._typed = ""

    def step(self, shown: str, steps: int) -> str | None:
        """The line ``steps`` further (negative: older) than ``shown``, which is in the field; None at the end."""
        if self._at == len(self._lines) or shown != self._lines[self._at]:
            # Changed by hand: this is the newest line now.
            self._typed, self._at = shown, len(self._lines)
        at = self._at + steps
        while 0 <= at < len(self._lines) and self._lines[at] == shown:
            at += steps
        if not 0 <= at <= len(self._lines):
            return None
        self._at = at
        return self._lines[at] if at < len(self._lines) else self._typed
