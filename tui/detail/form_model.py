"""What the submit form holds, apart from the screen: its fields, what is wrong in them, and the jobs that they make."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import msgspec
from rich.text import Text

from ...core.filters import FilterError
from ...core.job import ArrayTask, JobSpec
from ...core.units import duration
from ..celltext import one_line, short_path
from ..spec_options import parse_array
from .after_text import parse_after, spanned, write_after
from .spec_fields import read_bytes, read_limit, write_bytes, write_seconds
from .words import condition_words, count, needs

# So many jobs at once are submitted without the screen standing still for long.
MOST_TASKS = 100_000
_MOST = 2**31 - 1
_COMMAND_SHOWN = 300


@dataclass(frozen=True)
class Entry:
    """One field to type in.

    ``attribute`` is where its value belongs in a spec, as in "resources.cpus", "" where it is no single value.
    ``show`` gives the text of a value, ``read`` takes it back from a text that is not empty and the time now (epoch
    seconds); it raises ValueError with plain words. An empty field stands for the default.
    """

    id: str
    label: str
    hint: str
    attribute: str
    show: Callable[[Any], str]
    read: Callable[[str, float], Any]

    def text(self, spec: JobSpec) -> str:
        """What stands in the field for a spec."""
        if not self.attribute:
            return spec.command_line() if self.id == COMMAND else ""
        value = attrgetter(self.attribute)(spec)
        return "" if value == self.default() else self.show(value)

    def default(self) -> Any:
        """Its value where nobody says anything."""
        return attrgetter(self.attribute)(JobSpec())

    def change(self, spec: JobSpec, value: Any) -> JobSpec:
        """The spec with another value in it."""
        outer, _, inner = self.attribute.partition(".")
        if inner:
            value = msgspec.structs.replace(getattr(spec, outer), **{inner: value})
        return msgspec.structs.replace(spec, **{outer: value})


@dataclass(frozen=True)
class Draft:
    """What the form comes to: the jobs to be submitted, or what is wrong (field id -> words).

    ``spec`` is what all of them have in common, without what is wrong.
    """

    spec: JobSpec
    specs: tuple[JobSpec, ...]
    errors: Mapping[str, str]


def _whole(least: int) -> Callable[[str, float], int]:
    def read(text: str, _now: float) -> int:
        plain = text.strip()
        if not (plain.isascii() and plain.isdigit()) or not least <= int(plain) <= _MOST:
            raise ValueError(f"it must be a whole number, {least} or more")
        return int(plain)

    return read


def _as_typed(text: str, _now: float) -> str:
    return text.strip()


def _words(text: str, _now: float) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[\s,]+", text) if word)


def _bare(write: Callable[[Any], str]) -> Callable[[Any], str]:
    """A value as it is typed, without the quotes that a file needs."""
    return lambda value: write(value).strip('"')


COMMAND, ARRAY = "command", "array"
ENTRIES = (
    Entry(COMMAND, "command", "a line for the shell; ↑ ↓ earlier ones", "", str, _as_typed),
    Entry("name", "name", "like its program", "name", str, _as_typed),
    Entry("cwd", "directory", "this one", "cwd", str, _as_typed),
    Entry("cpus", "cpus", "1", "resources.cpus", str, _whole(1)),
    Entry("memory", "memory", "not counted; 512M, 4G", "resources.memory", _bare(write_bytes), read_bytes),
    Entry("gpus", "gpus", "none", "resources.gpus", str, _whole(0)),
    Entry("timeout", "time limit", "none; 90s, 15m, 2h, 1h30m", "timeout", _bare(write_seconds), read_limit),
    Entry("tags", "tags", "words to find it by", "tags", " ".join, _words),
    Entry("after", "after", "at once; 12,13 or any:14 or fail:15 or at:18:30", "after", write_after, parse_after),
    Entry(ARRAY, "array", "one job; 1-100 or 0-20:5", "", str, _as_typed),
    Entry("retries", "retries", "as the engine is set; 3", "retry.limit", str, _whole(0)),
)


def texts_of(spec: JobSpec) -> dict[str, str]:
    """What stands in the fields for a spec."""
    return {entry.id: entry.text(spec) for entry in ENTRIES}


def fits_line(spec: JobSpec) -> bool:
    """Whether the command can stand in a field of one line."""
    return spec.command_line().isprintable()


def draft(texts: Mapping[str, str], base: JobSpec, now: float) -> Draft:
    """The jobs that the typed texts make of ``base``, which keeps what the form has no field for.

    A field that says what ``base`` says leaves that as it is.
    """
    spec, errors = base, dict[str, str]()
    if not texts[COMMAND].strip():
        spec = msgspec.structs.replace(spec, shell=None, command=())
        errors[COMMAND] = "what is to run?"
    elif texts[COMMAND] != base.command_line():
        spec = msgspec.structs.replace(spec, shell=texts[COMMAND], command=())
    for entry in ENTRIES:
        text = texts[entry.id]
        if not entry.attribute or text == entry.text(base):
            continue
        try:
            spec = entry.change(spec, entry.read(text, now) if text.strip() else entry.default())
        except (ValueError, OverflowError) as error:
            errors[entry.id] = str(error)
    indices: list[int] = []
    try:
        indices = read_array(texts[ARRAY])
    except FilterError as error:
        errors[ARRAY] = str(error)
    if errors:
        return Draft(spec, (), errors)
    tasks = tuple(msgspec.structs.replace(spec, array=ArrayTask(0, index)) for index in indices)
    return Draft(spec, tasks or (spec,), {})


def read_array(text: str) -> list[int]:
    """The indices of an array, none for an empty text; raises FilterError."""
    if not text.strip():
        return []
    if spanned(text) > MOST_TASKS:
        raise FilterError(f"these are more than {MOST_TASKS:,} jobs")
    return parse_array(text)


def preview(specs: tuple[JobSpec, ...]) -> Text:
    """What would be submitted, in words."""
    spec = specs[0]
    shown = one_line(spec.command_line()[:_COMMAND_SHOWN])
    text = Text("sh: " if spec.shell is not None else "", "dim").append(shown, "bold not dim")
    words = [
        f"in {short_path(spec.cwd)}" if spec.cwd else "",
        f"on {spec.backend}",
        needs(spec.resources),
        f"at most {duration(spec.timeout)}" if spec.timeout is not None else "",
        f"after {condition_words(spec.after)}" if spec.after is not None else "",
        f"up to {count(spec.retry.limit, 'retry', 'retries')}" if spec.retry.limit else "",
        "held" if spec.hold else "",
        f"{count(len(spec.env), 'variable')}" if spec.env else "",
        f"{count(len(specs), 'job')}, one for each index" if spec.array is not None else "",
    ]
    return text.append("\n" + one_line(" · ".join(filter(None, words))), "not bold not dim")
