"""Task groups whose errors come out as themselves."""

from __future__ import annotations

import contextlib
from collections.abc import Generator


@contextlib.contextmanager
def single_errors() -> Generator[None]:
    """Raise the error itself where a task group wraps just one."""
    try:
        yield
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise
