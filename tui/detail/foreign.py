"""What the detail view says of a foreign job: what its scheduler lists, and what it tells when asked for it alone."""

from __future__ import annotations

from rich.text import Text

from ...core.backend import Shown
from ...core.job import ENDED, JobRow
from ..celltext import STATE_STYLES, one_line
from .page import Line, Page
from .words import exit_words, moment, moment_ago, needs, reason_words


def foreign_lines(row: JobRow, told: Shown | str | None, now: float, width: int) -> list[Line]:
    """The lines for a view of ``width`` columns at the time ``now`` (epoch seconds).

    ``told``: what its scheduler told, None as long as it is asked, or in words why it told nothing.
    """
    page = Page(width)
    page.value("state", f"{row.state}{': ' if row.detail else ''}{row.detail}", STATE_STYLES.get(row.state, ""))
    if row.state in ENDED:
        page.value("reason", reason_words(row.reason))
        page.value("ended", moment_ago(row.ended, now))
    if row.exit_code is not None:
        page.value("exit code", exit_words(row.exit_code, row.signal))
    page.add(Text())
    more = told if isinstance(told, Shown) else Shown()
    page.value("name", row.name)
    page.value("command", more.command or row.command)
    page.value("directory", more.cwd or row.cwd)
    page.pairs(
        [
            ("back end", row.backend),
            ("id there", row.jid or ""),
            ("queue", row.queue or ""),
            ("host", row.host or ""),
            ("needs", needs(more.resources) if isinstance(told, Shown) else ""),
            ("submitted", moment_ago(row.submitted, now)),
            ("started", moment_ago(row.started, now)),
            ("may start", moment(row.expected, now) if row.expected and row.started is None else ""),
        ]
    )
    page.heading("Output")
    if told is None:
        page.item("its scheduler is asked where it writes ...", "dim")
    elif isinstance(told, str):
        page.item(f"where it writes is not known: {one_line(told)}")
    else:
        page.value("stdout", more.stdout or "not told")
        page.value("stderr", more.stderr or "not told")
    page.add(Text())
    page.item("It was not submitted by jobtui: its scheduler alone has it.", "dim")
    return page.lines
