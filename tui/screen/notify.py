"""Tells a person who looks elsewhere that jobs ended: which endings are news, and in what words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...core.job import ENDED, JobRow, Reason, State
from ..celltext import called, coarse, one_line
from .config import NotifySettings

_LONGEST = 160


@dataclass(frozen=True)
class Notice:
    """That a job ended. ``bad``: not well, and not because the person cancelled it. ``words``: one line."""

    bad: bool
    words: str


def news(before: JobRow | None, after: JobRow, settings: NotifySettings) -> Notice | None:
    """What to tell of a job that was seen as ``before`` and is ``after`` now; None: nothing.

    News is the end of an attempt that was seen before its end. What the person cancelled is none to them.
    """
    if settings.when == "none" or before is None or after.state not in ENDED:
        return None
    if before.state in ENDED and before.attempt == after.attempt:
        return None
    if after.state is State.CANCELLED and after.reason == Reason.PERSON:
        return None
    bad = after.state is not State.FINISHED
    if not bad and (settings.when == "failed" or _short(after, settings.min_seconds)):
        return None
    after_time = "" if after.elapsed is None else f" after {coarse(after.elapsed)}"
    detail = f": {one_line(after.detail)}" if bad and after.detail else ""
    return Notice(bad, _cut(f"{called(after)} {after.state}{after_time}{detail}"))


def _short(row: JobRow, least: float) -> bool:
    return row.elapsed is not None and row.elapsed < least


def gather(notices: Sequence[Notice]) -> str:
    """One line for all that ended at about the same time."""
    if len(notices) == 1:
        return notices[0].words
    bad = sum(notice.bad for notice in notices)
    return f"{len(notices)} jobs ended, {f'{bad} badly' if bad else 'all well'}"


def title_text(running: int, failed: int) -> str:
    """The terminal's title."""
    parts = [f"{count} {word}" for count, word in ((running, "running"), (failed, "failed")) if count]
    return f"jobtui: {', '.join(parts)}" if parts else "jobtui"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


# -- what terminals understand

BELL = "\a"
PUSH_TITLE = "\x1b[22;2t"
POP_TITLE = "\x1b[23;2t"


def desktop_sequence(kind: str, text: str) -> str:
    """The sequence that asks the terminal for a desktop notification, as ``NotifySettings.desktop`` says; "" for none.

    The text may come from jobs: it can neither end the sequence nor begin another one.
    """
    # The word in front keeps a text such as "4;1" from being a command of those terminals that have some.
    words = _cut(one_line(f"jobtui: {text}"))
    if kind == "osc9":
        return f"\x1b]9;{words}\a"
    if kind == "osc777":
        # Fields are parted by semicolons.
        return f"\x1b]777;notify;jobtui;{words.removeprefix('jobtui: ').replace(';', ',')}\a"
    return ""


def title_sequence(text: str) -> str:
    """The sequence that sets the terminal's title."""
    return f"\x1b]2;{_cut(one_line(text))}\a"


def knows_commands(term: str) -> bool:
    """Whether a terminal with this ``$TERM`` takes operating system commands (OSC) without printing them."""
    return term not in ("", "linux", "dumb", "vt100", "vt220", "cons25")
