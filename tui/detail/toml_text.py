"""Writes values as TOML that a person reads easily and that gives back exactly the same values, odd text included.

TOML has no way to write bytes that are no text (lone surrogates in Python): such a text is a table with JSON in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
# A list longer than this, in characters, has a line for each of its values.
_ROW = 96


def write_key(name: str) -> str:
    """A key, in quotes where it needs them."""
    return name if _BARE.fullmatch(name) else _basic(name)


def write_text(text: str) -> str:
    """A text as one value; one with several lines stands as they are."""
    if any("\ud800" <= char <= "\udfff" for char in text):
        escaped = json.dumps(text)
        return "{ json = " + (f"'{escaped}'" if "'" not in escaped else _basic(escaped)) + " }"
    if "\n" in text and "'''" not in text and not text.endswith("'") and _fits_literal(text.replace("\n", "")):
        return f"'''\n{text}'''"
    if '"' in text or "\\" in text:
        return f"'{text}'" if "'" not in text and _fits_literal(text) else _basic(text)
    return _basic(text)


def read_text(value: object) -> str:
    """The text that ``write_text`` wrote, after TOML was read; raises ValueError for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and value.keys() == {"json"} and isinstance(value["json"], str):
        try:
            text = json.loads(value["json"])
        except ValueError as error:
            raise ValueError(f"the JSON in it cannot be read: {error}") from error
        if isinstance(text, str):
            return text
    raise ValueError('it must be a text in quotes, as in "this"')


def write_texts(texts: Sequence[str]) -> str:
    """A list of texts, on one line if that is short."""
    # Inside a list no value goes over several lines.
    values = [write_text(text) if "\n" not in text else _one_line(text) for text in texts]
    row = f"[{', '.join(values)}]"
    if len(row) <= _ROW:
        return row
    return "[\n" + "".join(f"  {value},\n" for value in values) + "]"


def _one_line(text: str) -> str:
    written = write_text(text)
    return _basic(text) if written.startswith("'''") else written


def _fits_literal(text: str) -> bool:
    return all(char.isprintable() or char == "\t" for char in text)


def _basic(text: str) -> str:
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
