"""Decoders of JSON into our structs, made one at a time.

msgspec describes a struct to itself when it is first decoded. A second thread that decodes it meanwhile takes the half
made description and crashes the process (seen with msgspec 0.22.0), so descriptions are finished behind a lock.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import msgspec

_T = TypeVar("_T")

_lock = threading.Lock()
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def decoder(kind: type[_T]) -> msgspec.json.Decoder[_T]:
    """The decoder of ``kind``; any thread may ask for it and use it."""
    found = _decoders.get(kind)
    if found is None:
        with _lock:
            found = _decoders[kind] = msgspec.json.Decoder(kind)
    return found


def convert(value: object, kind: type[_T], *, strict: bool = True) -> _T:
    """What ``msgspec.convert`` gives; raises msgspec.ValidationError."""
    decoder(kind)
    return msgspec.convert(value, kind, strict=strict)
