"""Reads what people and earlier versions wrote into a typed record: what is wrong is named, the rest is used."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

_S = TypeVar("_S", bound=msgspec.Struct)


def fill(kind: type[_S], values: Mapping[str, Any]) -> tuple[_S, list[str]]:
    """A record of ``kind`` (all fields with defaults) out of ``values``, and what could not be used, a line each."""
    hints = get_type_hints(kind, include_extras=True)
    fields = {field.name: hints[field.name] for field in msgspec.structs.fields(kind)}
    good: dict[str, Any] = {}
    problems: list[str] = []
    for name, value in values.items():
        if name not in fields:
            problems.append(f"{name}: there is no such setting{nearest(name, fields)}")
            continue
        try:
            good[name] = msgspec.convert(value, fields[name])
        except (msgspec.ValidationError, ValueError):
            problems.append(f"{name}: write {expected(fields[name])}")
    return kind(**good), problems


def nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean ...?`` with the nearest of the known words, or all of them where none is near."""
    names = list(known)
    near = get_close_matches(word, names, 1)
    return f"; did you mean '{near[0]}'?" if near else f"; there are {', '.join(names)}"


def expected(hint: object) -> str:
    """What a value of this type looks like in a settings file, in words."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _bounded(args[0], args[1])
    if origin is Literal:
        words = [f'"{word}"' for word in args]
        return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
    if origin in (Union, types.UnionType):
        return " or ".join(expected(arg) for arg in args if arg is not type(None))
    if origin in (tuple, list):
        return "a list, each item " + expected(args[0])
    return {bool: "true or false", int: "a whole number", float: "a number", str: "text in quotes"}.get(
        hint,  # pyright: ignore[reportArgumentType] any type may be asked for
        "a table",
    )


def _bounded(hint: object, meta: msgspec.Meta) -> str:
    low = "" if meta.ge is None else f" from {meta.ge}"
    high = "" if meta.le is None else f" to {meta.le}"
    return f"{expected(hint)}{low}{high}"
