"""A job's spec as text for an editor, and back: TOML with a comment on each field, defaults commented out.

Values of secrets are never written; they are kept unless the text gives others.
"""

from __future__ import annotations

import difflib
import re
import time
import tomllib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ...core.job import JobSpec, SpecError
from ..celltext import one_line
from .spec_fields import ENV, FIELDS, TABLES, Field, check_variable
from .toml_text import read_text, write_key, write_text

# What the text can change in a spec; everything else is kept as it is.
EDITED = (*dict.fromkeys(field.table or field.name for field in FIELDS), ENV)

_AT_LINE = re.compile(r"\s*\(at line (\d+), column \d+\)")
_TABLE = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"""\s*["']?([^"'\s=.]+)["']?\s*[=.]""")
_QUOTES = ("'''", '"""')


class SpecTextError(SpecError):
    """The text cannot be read; the words begin with the line where that is known (``line``, the first is 1)."""

    def __init__(self, words: str, line: int | None = None) -> None:
        """Say what is wrong."""
        super().__init__(f"line {line}: {words}" if line is not None else words)
        self.line = line


# -- writing


def write_spec(spec: JobSpec, heading: Iterable[str] = (), backends: Sequence[str] = ()) -> str:
    """The text of a spec. ``heading``: lines to begin with, ``backends``: names to offer; both may hold anything."""
    lines = [f"# {one_line(line)}" for line in heading]
    lines += ["# A line that begins with # does not count; take the # away to set what it says."]
    for field in FIELDS:
        if not field.table:
            lines += _written(field, spec, backends)
    lines += ["", "# Variables for the job, beside those that it inherits."]
    lines += _environment(spec)
    for table in TABLES[1:]:
        lines += ["", f"[{table}]"]
        for field in FIELDS:
            if field.table == table:
                lines += _written(field, spec, backends)[1:]
    return "\n".join(lines) + "\n"


def _written(field: Field, spec: JobSpec, backends: Sequence[str]) -> list[str]:
    help = list(field.help)
    if field.name == "backend" and backends:
        help[-1] = f"{help[-1]} There are: {', '.join(map(one_line, backends))}."
    value = field.value(spec)
    setting = f"#{field.example}" if value == field.default() else f"{field.name} = {field.write(value)}"
    return ["", *(f"# {line}" for line in help), setting]


def _environment(spec: JobSpec) -> list[str]:
    lines = [f"[{ENV}]"]
    for name, value in spec.env.items():
        if name in spec.secret:
            lines.append(f"# {one_line(name)} is secret: it keeps its value unless you give it one here.")
        else:
            lines.append(f"{write_key(name)} = {write_text(value)}")
    return lines if spec.env else [*lines, '#NAME = "value"']


# -- reading


def parse_spec(text: str, old: JobSpec) -> JobSpec:
    """The spec that the text says; what it cannot say (secrets, the place in an array ...) is kept from ``old``.

    Raises SpecTextError.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(str(error), text) from error
    except RecursionError as error:
        raise SpecTextError("it is nested too deeply") from error
    _check_keys(document, text)
    now = time.time()
    found: dict[str, dict[str, Any]] = {"": {}, "resources": {}, "retry": {}}
    for field in FIELDS:
        found[field.table][field.name] = _read(field, document, text, old, now)
    top = found[""]
    if bool(top["command"]) == (top["shell"] is not None):
        both = _line_of(text, "", "shell") if top["command"] else None
        raise SpecTextError("a job needs a command or a shell line, one of the two", both)
    return msgspec.structs.replace(
        old,
        **top,
        env=_read_environment(document, text, old, top["secret"]),
        resources=msgspec.structs.replace(old.resources, **found["resources"]),
        retry=msgspec.structs.replace(old.retry, **found["retry"]),
    )


def _syntax_error(words: str, text: str) -> SpecTextError:
    match = _AT_LINE.search(words)
    plain = _AT_LINE.sub("", words).replace(" (at end of document)", "; the text ends too early")
    line = int(match[1]) if match else text.count("\n") + 1
    return SpecTextError(f"this cannot be read as TOML: {plain}", line)


def _check_keys(document: dict[str, Any], text: str) -> None:
    tops = [field.name for field in FIELDS if not field.table]
    for key, value in document.items():
        if key in TABLES:
            if not isinstance(value, dict):
                raise SpecTextError(f"[{key}] is a heading with lines below it", _line_of(text, "", key))
            if key != ENV:
                known = [field.name for field in FIELDS if field.table == key]
                for name in value:
                    _check_key(name, key, known, text)
        elif key not in tops:
            _check_key(key, "", [*tops, *TABLES], text)


def _check_key(key: str, table: str, known: Sequence[str], text: str) -> None:
    if key in known:
        return
    line = _line_of(text, table, key)
    home = next((field.table for field in FIELDS if field.name == key), None)
    if home is not None:
        place = f"below [{home}]" if home else "above the first [heading]"
        raise SpecTextError(f"'{key}' belongs {place}", line)
    near = difflib.get_close_matches(key, known, 1)
    guess = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(known)}"
    raise SpecTextError(f"there is no '{one_line(key)}'; {guess}", line)


def _read(field: Field, document: dict[str, Any], text: str, old: JobSpec, now: float) -> Any:
    table = document.get(field.table, {}) if field.table else document
    if field.name not in table:
        return field.default()
    given, before = table[field.name], field.value(old)
    # The same text stands for the same value, even where it leaves something unsaid.
    if before != field.default() and tomllib.loads(f"x = {field.write(before)}")["x"] == given:
        return before
    try:
        return field.read(given, now)
    except (ValueError, OverflowError) as error:
        raise SpecTextError(f"{field.name}: {error}", _line_of(text, field.table, field.name)) from error


def _read_environment(document: dict[str, Any], text: str, old: JobSpec, secret: Sequence[str]) -> dict[str, str]:
    given: dict[str, Any] = document.get(ENV, {})
    found: dict[str, str] = {}
    for name in dict.fromkeys([*old.env, *given]):
        if name in given:
            try:
                check_variable(name)
                found[name] = read_text(given[name])
            except ValueError as error:
                raise SpecTextError(f"{one_line(name)}: {error}", _line_of(text, ENV, name)) from error
        elif name in secret and name in old.secret:
            found[name] = old.env[name]
    for name in secret:
        if name not in found and name not in old.secret:
            raise SpecTextError(
                f"'{name}' is to be secret, but has no value below [{ENV}]", _line_of(text, "", "secret")
            )
    return found


def _line_of(text: str, table: str, key: str) -> int | None:
    """The number of the line where a key stands, as far as that can be seen; the first is 1."""
    here, quote = "", ""
    for number, line in enumerate(text.split("\n"), 1):
        if quote:
            quote = "" if quote in line else quote
            continue
        match = _TABLE.match(line)
        if match is not None:
            here = match[1]
            continue
        match = _KEY.match(line)
        if match is not None and (here, match[1]) == (table, key):
            return number
        quote = next((mark for mark in _QUOTES if line.count(mark) == 1), "")
    return None
