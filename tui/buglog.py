"""The person's log of our own bugs: where their tracebacks go."""

from __future__ import annotations

import os
import sys
import time
import traceback


def log_bug(error: BaseException) -> str:
    """Append a bug's traceback to the log and return the log's path, or other words for where the traceback is."""
    from platformdirs import user_log_path

    path = user_log_path("jobtui") / "errors.log"
    # Not the whole command line: it may hold a job's secrets.
    lines = "".join(traceback.format_exception(error))
    text = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {sys.argv[:2]}\n{lines}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        sys.stderr.write(text)
        return "the lines above"
    return str(path)
