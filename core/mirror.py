"""Copies of the records in jobs' folders on another machine, so that the verdict finds the facts here as of any job."""

from __future__ import annotations

from collections.abc import Iterable

from . import metadir
from .backend import Record

_COPIED = frozenset({metadir.BEGIN, metadir.RC, metadir.PROGRESS})


def keep_records(folder: str, attempt: int, records: Iterable[Record]) -> bool:
    """Write what is new of this attempt into the job's folder here; whether anything was. Raises OSError."""
    news = False
    for record in records:
        path = f"{folder}/{record.name}"
        if record.attempt == attempt and record.name in _COPIED and _content(path) != record.data:
            metadir.write_atomic(path, record.data, at=record.at)
            news = True
    return news


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
