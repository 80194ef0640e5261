"""Copies text: to the terminal's clipboard, over SSH and through tmux and screen too, and always to a file."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any

import anyio.to_thread
from textual.app import App

from ...core.units import size
from ..celltext import short_path
from ..text import without_escapes
from .terminal import send_raw, through_tmux

# Bytes of a sequence; many terminals ignore longer ones.
_LONGEST = 74_000
# GNU screen drops longer pieces.
_SCREEN_PIECE = 500
_TMUX_TIME = 5.0


def fit_to_paste(text: str) -> str:
    """Text from a job as it can be pasted: no escape sequences, and no newline at the end that would run a command."""
    return without_escapes(text).rstrip("\n")


def clipboard_sequence(text: str) -> str | None:
    """The sequence that puts a text into the terminal's clipboard (OSC 52); None if it is too long for that."""
    sequence = f"\x1b]52;c;{base64.b64encode(_bytes(text)).decode('ascii')}\a"
    return sequence if len(sequence) <= _LONGEST else None


def clipboard_sequences(sequence: str, environ: Mapping[str, str]) -> list[str]:
    """What is sent so that the sequence reaches the terminal through tmux or screen, if we are in one of them."""
    if environ.get("TMUX"):
        return [sequence, through_tmux(sequence, environ)]
    if environ.get("STY"):
        pieces = [sequence[at : at + _SCREEN_PIECE] for at in range(0, len(sequence), _SCREEN_PIECE)]
        return ["".join(f"\x1bP{piece}\x1b\\" for piece in pieces)]
    return [sequence]


async def copy(app: App[Any], text: str, what: str) -> str:
    """Copy ``text``, which may come from a job, and return what to tell the person; ``what``: "the command", say."""
    text = fit_to_paste(text)
    if not text:
        return f"there is nothing in {what} to copy"
    written = await anyio.to_thread.run_sync(_write, text)
    sequence = clipboard_sequence(text)
    if sequence is None:
        return f"{what} is too long for the clipboard ({size(len(_bytes(text)))}): {written}"
    if os.environ.get("TMUX") and await anyio.to_thread.run_sync(_to_tmux, text):
        return f"copied {what}; {written}, and in tmux's paste buffer"
    sent = [send_raw(app, part) for part in clipboard_sequences(sequence, os.environ)]
    return f"copied {what}; {written}" if all(sent) else f"{what}: {written}"


def _bytes(text: str) -> bytes:
    try:
        # Odd bytes in a path are copied as they are.
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


def _to_tmux(text: str) -> bool:
    """Give the text to tmux, which knows best how to hand it on; False where it cannot (before 3.2)."""
    try:
        done = subprocess.run(
            ["tmux", "load-buffer", "-w", "-"],
            input=_bytes(text),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_TMUX_TIME,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def copy_path() -> str:
    """The file that holds what was copied last: in the session's own folder, or else with the person's state."""
    session = os.environ.get("XDG_RUNTIME_DIR")
    if session and os.access(session, os.W_OK):
        return f"{session}/jobtui-copied.txt"
    from platformdirs import user_state_path

    return str(user_state_path("jobtui") / "copied.txt")


def _write(text: str) -> str:
    """Write the file, for its owner only, and say in words where it is or why there is none."""
    path = copy_path()
    temporary = ""
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        fd, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".copied-")
        with open(fd, "wb") as file:
            file.write(_bytes(text) + b"\n")
        os.rename(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        return f"it could not be written to {short_path(path)}: {error.strerror}"
    return f"it is in {short_path(path)}"
