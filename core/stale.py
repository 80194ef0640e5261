"""Reading files that another machine may replace at any moment: on NFS what was just opened can be gone again."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")

_TRIES = 3


def current(read: Callable[..., _T], *values: object) -> _T:
    """What ``read(*values)`` returns; it is called again where a file was replaced between its opening and its reading.

    A server that no longer has a file answers ESTALE to those who hold it open (nfs(5)); its path leads to the new one
    at once. Raises what ``read`` raises, ESTALE too if it comes three times in a row.
    """
    for _ in range(_TRIES - 1):
        try:
            return read(*values)
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
    return read(*values)
