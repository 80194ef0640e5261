"""The fields of a job that a person can edit as text: how each is explained, written and read."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...core.job import JobSpec
from ...core.units import parse_duration, parse_size
from ..spec_options import check_endings
from .after_text import parse_after, write_after
from .toml_text import read_text, write_text, write_texts

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_BYTES = 2**60
_MOST_COUNT = 2**31 - 1


class WrongValueError(ValueError):
    """A value in the text cannot be used; the words say what it must be."""


@dataclass(frozen=True)
class Field:
    """One field. ``table``: the table of the text that it stands in, "" for the top; ``name``: within it.

    ``help``: lines that explain it; ``example``: what stands in the text, commented out, while it is at its default.
    ``write`` gives the value as TOML, ``read`` takes it back from what TOML reads and from the time now (epoch
    seconds); it raises ValueError with plain words.
    """

    table: str
    name: str
    help: tuple[str, ...]
    example: str
    write: Callable[[Any], str]
    read: Callable[[Any, float], Any]

    def value(self, spec: JobSpec) -> Any:
        """Its value in a spec."""
        return getattr(getattr(spec, self.table) if self.table else spec, self.name)

    def default(self) -> Any:
        """Its value where nobody said anything."""
        return self.value(JobSpec())


# -- reading


def _text(value: object, _now: float) -> str:
    return read_text(value)


def _texts(value: object, _now: float) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise WrongValueError('it must be a list of texts, as in ["one", "two"]')
    return tuple(map(read_text, value))


def _command(value: object, now: float) -> tuple[str, ...]:
    words = _texts(value, now)
    if not words or not words[0]:
        raise WrongValueError("the command is empty")
    return words


def _line(value: object, _now: float) -> str:
    line = read_text(value)
    if not line.strip():
        raise WrongValueError("the command is empty")
    return line


def _names(value: object, now: float) -> tuple[str, ...]:
    names = _texts(value, now)
    for name in names:
        check_variable(name)
    return tuple(dict.fromkeys(names))


def check_variable(name: str) -> None:
    """Refuse what is no name for an environment variable; raises ValueError."""
    if not _VARIABLE.fullmatch(name):
        raise WrongValueError(f"'{name}' is not a name for an environment variable")


def _endings(value: object, now: float) -> tuple[str, ...]:
    words = _texts(value, now)
    check_endings(words)
    return words


def _whole(least: int) -> Callable[[object, float], int]:
    def read(value: object, _now: float) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _MOST_COUNT:
            raise WrongValueError("it must be a whole number" + (f", {least} or more" if least >= 0 else ""))
        return value

    return read


def _flag(value: object, _now: float) -> bool:
    if not isinstance(value, bool):
        raise WrongValueError("it must be true or false")
    return value


def _seconds(value: object, _now: float) -> float:
    if isinstance(value, str):
        seconds = parse_duration(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        raise WrongValueError('it must be a duration, as in "90s", "15m" or "2h"')
    if not math.isfinite(seconds) or seconds < 0:
        raise WrongValueError("that is no time that can pass")
    return seconds


def read_limit(value: object, now: float) -> float:
    """A time limit in seconds."""
    seconds = _seconds(value, now)
    if not seconds:
        raise WrongValueError("a time limit must be longer than 0 seconds")
    return seconds


def read_bytes(value: object, _now: float) -> int:
    """An amount of memory in bytes."""
    if isinstance(value, str):
        count = parse_size(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        count = value
    else:
        raise WrongValueError('it must be a size, as in "512M" or "4G"')
    if not 0 < count <= _MOST_BYTES:
        raise WrongValueError("that is no amount of memory")
    return count


def _growth(value: object, _now: float) -> str:
    if value not in ("constant", "exponential"):
        raise WrongValueError('it must be "constant" or "exponential"')
    return str(value)


def _condition(value: object, now: float) -> Any:
    return parse_after(read_text(value), now)


# -- writing


def write_seconds(seconds: float) -> str:
    """A duration without loss: as people write it, or as a bare number where it is no whole number of seconds."""
    whole = int(seconds) if math.isfinite(seconds) else -1
    if whole != seconds or whole >= 10**12:
        return repr(float(seconds))
    parts = [(whole // 3600, "h"), (whole % 3600 // 60, "m"), (whole % 60, "s")]
    return f'"{"".join(f"{count}{unit}" for count, unit in parts if count) or "0s"}"'


def write_bytes(count: int) -> str:
    """A size without loss: with the largest unit that fits it, or as a bare number of bytes."""
    for power, unit in ((4, "T"), (3, "G"), (2, "M"), (1, "K")):
        if count and count % 1024**power == 0:
            return f'"{count // 1024**power}{unit}"'
    return str(count)


def _write_flag(value: bool) -> str:
    return "true" if value else "false"


def _write_after(value: Any) -> str:
    return write_text(write_after(value))


FIELDS = (
    Field(
        "",
        "command",
        ("The program and its arguments, given to it as they are: no shell reads them.",),
        'command = ["python", "train.py", "--lr", "0.1"]',
        write_texts,
        _command,
    ),
    Field(
        "",
        "shell",
        ("In place of the command: a line, or several, for sh.",),
        "shell = 'zcat in.gz | sort > out'",
        write_text,
        _line,
    ),
    Field("", "name", ("Its name; without one it is called like its program.",), 'name = "train"', write_text, _text),
    Field("", "cwd", ("The directory to run in.",), 'cwd = "~/project"', write_text, _text),
    Field("", "stdin", ("A file to read standard input from.",), 'stdin = "in.txt"', write_text, _text),
    Field("", "backend", ("Where it runs.",), 'backend = "local"', write_text, _text),
    Field(
        "", "timeout", ("Stop it after this time: 90s, 15m, 2h, 1h30m.",), 'timeout = "2h"', write_seconds, read_limit
    ),
    Field(
        "", "grace", ("The time between TERM and KILL when it is stopped.",), 'grace = "10s"', write_seconds, _seconds
    ),
    Field("", "priority", ("Jobs with a higher one start first.",), "priority = 0", str, _whole(-_MOST_COUNT)),
    Field("", "tags", ("Words to find it by.",), 'tags = ["experiment1"]', write_texts, _texts),
    Field(
        "",
        "after",
        (
            "When it may start. 12,13: these jobs have finished; any:12: it has ended, well or not;",
            "fail:12: it has ended badly; at:18:30, at:+2h, at:2026-12-01T08:00: not before. Joined by and, or, ( ).",
        ),
        'after = "12,13 and at:18:30"',
        _write_after,
        _condition,
    ),
    Field("", "hold", ("Whether it waits until it is released.",), "hold = false", _write_flag, _flag),
    Field(
        "",
        "secret",
        (
            "Which variables below [env] are never shown.",
            "One of these that has no value there keeps the value that it has.",
        ),
        'secret = ["TOKEN"]',
        write_texts,
        _names,
    ),
    Field("resources", "cpus", ("Cores.",), "cpus = 1", str, _whole(1)),
    Field("resources", "memory", ("Memory: 512M, 4G.",), 'memory = "4G"', write_bytes, read_bytes),
    Field("resources", "gpus", ("GPUs.",), "gpus = 0", str, _whole(0)),
    Field(
        "retry",
        "limit",
        ("How often it is tried again at most; without it: as the engine is set.",),
        "limit = 3",
        str,
        _whole(0),
    ),
    Field("retry", "delay", ("How long to wait before that.",), 'delay = "10s"', write_seconds, _seconds),
    Field(
        "retry",
        "backoff",
        ('"constant", or "exponential": the wait doubles each time.',),
        'backoff = "exponential"',
        write_text,
        _growth,
    ),
    Field("retry", "cap", ("The longest wait.",), 'cap = "1h"', write_seconds, _seconds),
    Field(
        "retry",
        "on",
        (
            "After which endings: exit-code, signal, timeout, out-of-memory, node-failure, preempted, launch, lost,",
            "exit:75 (a certain exit code).",
        ),
        'on = ["timeout", "exit:75"]',
        write_texts,
        _endings,
    ),
)
TABLES = ("env", "resources", "retry")
ENV = "env"
