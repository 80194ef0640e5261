"""What the screen remembers from one run to the next: columns, sorting, filters, layout."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, cast

import msgspec

from ..celltext import short_path
from .lenient import fill

# A file larger than this is not ours.
_LARGEST = 4 * 2**20
_ENTRIES = 50
_LONGEST = 1000

Line = Annotated[str, msgspec.Meta(max_length=_LONGEST)]
_T = TypeVar("_T", str, bool)


class Choice(msgspec.Struct, frozen=True):
    """A setting that was changed while the screen was open, and what was configured at that time."""

    chosen: str | bool
    configured: str | bool


class UIState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is remembered.

    ``columns``: their names in order, empty for the usual ones. ``sort``: columns, the first one first, each with
    whether it descends. ``histories``: what was typed, newest last, by what it was typed for ("filter", "search").
    ``split``: the table's share of the space in percent. ``chosen``: settings of ``[screen]`` changed at run time;
    ask ``in_force``.
    """

    columns: Annotated[tuple[Line, ...], msgspec.Meta(max_length=100)] = ()
    sort: Annotated[tuple[tuple[Line, bool], ...], msgspec.Meta(max_length=20)] = ()
    histories: Mapping[Line, tuple[Line, ...]] = {}
    split: Annotated[int, msgspec.Meta(ge=5, le=95)] | None = None
    stream: Literal["stdout", "stderr", "merged"] = "stdout"
    wrap: bool = False
    chosen: Mapping[Line, Choice] = {}


# -- changing it


def add_entry(state: UIState, kind: str, text: str) -> UIState:
    """Put a text at the end of a history; one that was there already moves."""
    text = text.strip()[:_LONGEST]
    if not text:
        return state
    history = (*(old for old in state.histories.get(kind, ()) if old != text), text)
    return msgspec.structs.replace(state, histories={**state.histories, kind: history[-_ENTRIES:]})


def choose(state: UIState, setting: str, value: _T, configured: _T) -> UIState:
    """Remember that a setting was changed while the screen was open."""
    others = {name: choice for name, choice in state.chosen.items() if name != setting}
    if value != configured:
        others[setting] = Choice(value, configured)
    return msgspec.structs.replace(state, chosen=others)


def in_force(state: UIState, setting: str, configured: _T) -> _T:
    """What holds for a setting: the last choice, unless the configuration was changed since."""
    choice = state.chosen.get(setting)
    if choice is None or choice.configured != configured or type(choice.chosen) is not type(configured):
        return configured
    return cast("_T", choice.chosen)


# -- the file


def state_path() -> str:
    """Where it is kept."""
    from platformdirs import user_state_path

    return str(user_state_path("jobtui") / "screen.json")


def read_state(path: str) -> UIState:
    """What was remembered; whatever cannot be read is forgotten, as nobody wrote it by hand."""
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
        values: Any = msgspec.json.decode(data) if len(data) <= _LARGEST else {}
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError):
        return UIState()
    return fill(UIState, values)[0] if isinstance(values, dict) else UIState()


class StateFile:
    """Writes the state where it changed: atomically, without locks; of two screens the last to write wins."""

    def __init__(self, path: str, state: UIState) -> None:
        """Write to ``path``, which holds ``state`` now."""
        self._path, self._written = path, state
        self._told = False

    def save(self, state: UIState) -> str:
        """Write it (blocking). Returns why it cannot be written, in words, the first time; else "" ."""
        if state == self._written:
            return ""
        try:
            _replace_file(self._path, msgspec.json.encode(state) + b"\n")
        except (OSError, UnicodeEncodeError) as error:
            if self._told:
                return ""
            self._told = True
            why = error.strerror if isinstance(error, OSError) else "a name in it is no text"
            return f"what the screen remembers cannot be written to {short_path(self._path)}: {why}"
        self._written = state
        return ""


def _replace_file(path: str, data: bytes) -> None:
    """Write a file that is whole at any moment, readable by its owner only. Raises OSError."""
    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    fd, temporary = tempfile.mkstemp(dir=folder, prefix=".screen-")
    try:
        with open(fd, "wb") as file:
            file.write(data)
        os.rename(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
