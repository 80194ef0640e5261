"""Opens a file in the person's pager or editor while the screen steps aside, at the line that was looked at."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

from textual.app import App, SuspendNotSupported

from ...core.units import size
from ..celltext import one_line, short_path, words_of

# Bytes: editors read a whole file, and larger ones they chew on for minutes.
_EDITED = 256 * 2**20
# Bytes: counting the lines of a larger file takes less too long.
_COUNTED = 64 * 2**20
_EDITORS = ("nano", "vim", "vi", "emacs")
_PLUS_LINE = frozenset({"more", "most", "moar", "moor", "view", "vimpager", "w3m"})
_COLON_LINE = frozenset({"hx", "helix", "subl", "sublime_text", "zed", "zeditor", "mcedit"})
_GOTO_LINE = frozenset({"code", "code-insiders", "codium", "cursor"})
# Windows of their own: without this word they come back at once, before anything was edited.
_WAITING = frozenset({*_GOTO_LINE, "subl", "sublime_text", "zed", "zeditor", "gedit"})


class CannotOpenError(Exception):
    """There is no such program, or the file is not fit for it; the text says so to the person."""


def pager_command(environ: Mapping[str, str], path: str, line: int | None, offset: int | None, bytes: int) -> list[str]:
    """The command that pages a file of ``bytes``: from line number ``line`` (1 is the first), or the byte ``offset``.

    Raises CannotOpenError.
    """
    words = _split(environ.get("PAGER") or "less", "PAGER")
    name = os.path.basename(words[0])
    place: list[str] = []
    if name == "less":
        # Colours are let through, and nothing else.
        words[1:1] = ["-R"]
        if bytes > _COUNTED:
            words[1:1] = ["-n"]
        if offset is not None and (line is None or bytes > _COUNTED):
            place = [f"+{offset}P"]
        elif line is not None:
            place = [f"+{line}g"]
    elif name in _PLUS_LINE and line is not None:
        place = [f"+{line}"]
    return [_found(words[0], "PAGER"), *words[1:], *place, os.path.abspath(path)]


def editor_command(environ: Mapping[str, str], path: str, line: int | None) -> list[str]:
    """The command that edits a file, with the cursor on line number ``line``. Raises CannotOpenError."""
    chosen = environ.get("VISUAL") or environ.get("EDITOR")
    if not chosen:
        chosen = next((name for name in _EDITORS if shutil.which(name)), "vi")
    words = _split(chosen, "EDITOR")
    name = os.path.basename(words[0])
    if name in _WAITING and not {"--wait", "-w"} & set(words):
        words.append("--wait")
    file = os.path.abspath(path)
    if line is None:
        place = [file]
    elif name in _GOTO_LINE:
        place = ["--goto", f"{file}:{line}"]
    elif name in _COLON_LINE:
        place = [f"{file}:{line}"]
    else:
        # vi, vim, nvim, nano, emacs, micro, kak, joe, ne, mg, jed and their like.
        place = [f"+{line}", file]
    return [_found(words[0], "EDITOR"), *words[1:], *place]


def _split(chosen: str, variable: str) -> list[str]:
    try:
        words = shlex.split(chosen)
    except ValueError as error:
        raise CannotOpenError(f"${variable} cannot be read: {error}") from error
    if not words:
        raise CannotOpenError(f"${variable} is blank; set it to the name of a program")
    return words


def _found(program: str, variable: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise CannotOpenError(f"there is no program '{program}'; set ${variable} to one that you have")
    return path


def _size(path: str) -> int:
    """The size of a regular file; raises CannotOpenError for anything else."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise CannotOpenError(words_of(error)) from error
    if not stat.S_ISREG(status.st_mode):
        raise CannotOpenError(f"{short_path(path)} is no ordinary file")
    return status.st_size


def run_pager(app: App[Any], path: str, line: int | None = None, offset: int | None = None) -> str:
    """Page through a file while the screen steps aside; returns "" , or in words why that was not possible.

    Blocks the app until the pager is left, so that nothing is drawn into its picture.
    """
    try:
        command = pager_command(os.environ, path, line, offset, _size(path))
        _run_aside(app, command)
    except CannotOpenError as error:
        return one_line(str(error))
    # Pagers end as they please, after a broken pipe for one: nothing depends on it.
    return ""


def run_editor(app: App[Any], path: str, line: int | None = None) -> str:
    """Edit a file while the screen steps aside; returns "" , or in words why nothing can be taken as edited.

    Blocks the app until the editor is left, so that nothing is drawn into its picture.
    """
    try:
        bytes = _size(path)
        if bytes > _EDITED:
            raise CannotOpenError(f"{short_path(path)} has {size(bytes)}, too much for an editor; use the pager")
        command = editor_command(os.environ, path, line)
        code = _run_aside(app, command)
    except CannotOpenError as error:
        return one_line(str(error))
    return f"{os.path.basename(command[0])} ended with exit code {code}" if code else ""


def _run_aside(app: App[Any], command: list[str]) -> int:
    """Run a program on the terminal and return its exit code. Raises CannotOpenError."""
    done: int | OSError = 0
    try:
        with app.suspend(), _deaf():
            # An exception that left this block would leave the screen aside for good.
            try:
                done = subprocess.run(command, check=False).returncode
            except OSError as error:
                done = error
    except SuspendNotSupported as error:
        raise CannotOpenError("this is possible in a terminal only") from error
    if isinstance(done, OSError):
        raise CannotOpenError(words_of(done)) from done
    return done


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Let keys that send signals, such as ctrl+c, reach the program only."""

    def nothing(_number: int, _frame: object) -> None:
        # Not SIG_IGN: the program would inherit it, and ctrl+c would do nothing there either.
        return

    before = {number: signal.signal(number, nothing) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
