"""A file of one's own to edit a text in: private, and kept where its text would be lost otherwise."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Awaitable, Callable

# Lets the person edit the file at a path, from a line on, and returns when the editor was left: "", or why it could
# not be used. Whoever opens the detail view says how.
Editor = Callable[[str, int | None], Awaitable[str]]

# Nobody writes a spec of this many bytes by hand.
_LARGEST = 8 * 2**20


class Scratch:
    """A text in a file of mode 0600, in a folder of its own (0700). Its methods block, and raise OSError."""

    def __init__(self, name: str, text: str) -> None:
        """Write the text to a new file called ``name``."""
        self.folder = tempfile.mkdtemp(prefix="jobtui-edit-")
        self.path = f"{self.folder}/{name}"
        self._first = text.encode("utf-8")
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(self._first)

    def read(self) -> str:
        """The text as it is now. Raises UnicodeDecodeError where it is no UTF-8."""
        with open(self.path, "rb") as file:
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise OSError(27, "it is too large", self.path)
        return data.decode("utf-8")

    def changed(self) -> bool:
        """Whether there is anything in it that would be lost with it."""
        try:
            with open(self.path, "rb") as file:
                return file.read(_LARGEST) != self._first
        except FileNotFoundError:
            return False

    def remove(self) -> None:
        """Remove the file, and its folder with what an editor left in it by its name."""
        with contextlib.suppress(OSError):
            for entry in os.listdir(self.folder):
                os.unlink(f"{self.folder}/{entry}")
            os.rmdir(self.folder)
