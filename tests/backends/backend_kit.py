"""What the tests of the back ends share: recorded answers, requests, handles."""

from __future__ import annotations

from pathlib import Path

from jobtui.backends.dialect import Reply
from jobtui.core.backend import Handle, Request, mark
from jobtui.core.job import JobSpec

CAPTURES = Path(__file__).parent / "captures"


def recorded(scheduler: str, name: str) -> Reply:
    """A recorded answer with the exit code that it had."""
    folder = CAPTURES / scheduler
    codes = {line.split("\t")[0]: int(line.split("\t")[1]) for line in (folder / "index.tsv").read_text().splitlines()}
    texts = [path.read_text() if (path := folder / f"{name}.{kind}").exists() else "" for kind in ("out", "err")]
    return Reply(codes[name], *texts)


def request(job: int = 1, attempt: int = 1, **spec: object) -> Request:
    """One attempt to be submitted."""
    what = JobSpec(**{"command": ("true",), **spec})  # type: ignore[arg-type]
    return Request(job, attempt, f"jt{job:06x}", f"/w/{job}/job.wrapped.x", f"/w/{job}", what, {"PATH": "/usr/bin"})


def handle(job: int, jid: str | None, attempt: int = 1, sent: float = 0.0) -> Handle:
    """A job that was sent as ``request(job)`` and is called ``jid``."""
    return Handle(job, attempt, f"jt{job:06x}", jid, f"/w/{job}", None, sent)


def mark_of(job: int, attempt: int = 1) -> str:
    """What ``request(job, attempt)`` is marked with."""
    return mark(f"jt{job:06x}", attempt)
