"""Conditions as one line of text: ``12,13 and any:14 or at:18:30``; written and read back the same.

``12`` or ``3-9``: these jobs have finished; ``any:12``: it has ended, well or not; ``fail:12``: it has ended badly;
``at:TIME``: not before. ``and`` binds closer than ``or``; parentheses group.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from ...core.conditions import AfterJob, AfterTime, AllOf, AnyOf, Condition, Ending, all_of
from ...core.filters import FilterError, parse_ids
from ...core.units import parse_time

HOW = "write it like 12,13 or any:14 or fail:15 or at:18:30, joined by 'and' and 'or'"

_TOKEN = re.compile(r"[()]|[^\s()]+")
_SPAN = re.compile(r"(\d{1,18})-(\d{1,18})")
_SECONDS = re.compile(r"@(\d+(?:\.\d+)?(?:e[+-]?\d+)?)")
_LAST_TIME = 253_000_000_000.0  # in the year 9987
_MOST = 10_000
_DEEPEST = 50
_PREFIXES: dict[str, Ending] = {"ok": "ok", "any": "any", "fail": "fail"}


def spanned(text: str) -> int:
    """How many numbers ``1-5,9`` stands for, without making them all; what is no range counts as one."""
    total = 0
    for word in text.split(","):
        match = _SPAN.match(word.strip())
        total += max(1, int(match[2]) - int(match[1]) + 1) if match else 1
    return total


# -- reading


def parse_after(text: str, now: float) -> Condition | None:
    """The condition in a text, None where it is empty; ``now`` is epoch seconds. Raises ValueError with plain words."""
    tokens = _TOKEN.findall(re.sub(r",\s+", ",", text))
    if not tokens:
        return None
    reader = _Reader(tokens, now)
    found = reader.either()
    if reader.at < len(tokens):
        raise ValueError(f"what does '{tokens[reader.at]}' mean there? {HOW}")
    return found


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, tokens: list[str], now: float) -> None:
        self.tokens, self.now = tokens, now
        self.at = self.depth = 0

    def next(self) -> str:
        return self.tokens[self.at].lower() if self.at < len(self.tokens) else ""

    def either(self) -> Condition:
        parts = self._joined("or", lambda: [self._both()])
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _both(self) -> Condition:
        found = all_of(self._joined("and", self._term))
        assert found is not None
        return found

    def _joined(self, word: str, read: Callable[[], list[Condition]]) -> list[Condition]:
        parts = read()
        while self.next() == word:
            self.at += 1
            parts += read()
        return parts

    def _term(self) -> list[Condition]:
        word = self.next()
        self.at += 1
        if word == "(":
            self.depth += 1
            if self.depth > _DEEPEST:
                raise ValueError("there are too many parentheses in it")
            inner = self.either()
            if self.next() != ")":
                raise ValueError("a ) is missing")
            self.at += 1
            self.depth -= 1
            return [inner]
        if word in ("", "and", "or", ")"):
            raise ValueError(f"a condition is missing{f' before {word!r}' if word else ' at the end'}; {HOW}")
        prefix, colon, rest = self.tokens[self.at - 1].partition(":")
        if prefix.lower() == "at" and colon:
            return [AfterTime(_moment(rest, self.now))]
        if not colon:
            return _jobs(prefix, "ok")
        if prefix.lower() in _PREFIXES:
            return _jobs(rest, _PREFIXES[prefix.lower()])
        raise ValueError(f"there is no '{prefix}:'; {HOW}")


def _moment(text: str, now: float) -> float:
    match = _SECONDS.fullmatch(text)
    at = float(match[1]) if match is not None else parse_time(text, now)
    if at > _LAST_TIME:
        raise ValueError(f"'{text}' is beyond the calendar")
    return at


def _jobs(text: str, ending: Ending) -> list[Condition]:
    text = text.strip(",")
    if spanned(text) > _MOST:
        raise ValueError(f"these are more than {_MOST:,} jobs")
    try:
        return [AfterJob(job, ending) for job in parse_ids(text)]
    except FilterError as error:
        raise ValueError(f"'{text}' is no job id; {HOW}") from error


# -- writing


def write_after(condition: Condition | None) -> str:
    """The text that ``parse_after`` reads; "" for what always holds."""
    simple = _simplified(condition)
    return "" if simple is None else _written(simple)


def _simplified(condition: Condition | None) -> Condition | None:
    """The same without parts that always hold, and without groups of one."""
    if isinstance(condition, AllOf):
        parts = [part for part in map(_simplified, condition.parts) if part is not None]
        return all_of(parts)
    if isinstance(condition, AnyOf):
        parts = [part for part in map(_simplified, condition.parts) if part is not None]
        if not parts or len(parts) < len(condition.parts):
            return None
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))
    return condition


def _written(condition: Condition) -> str:
    if isinstance(condition, AfterTime):
        return f"at:{_moment_text(condition.at)}"
    if isinstance(condition, AfterJob):
        return ("" if condition.ending == "ok" else f"{condition.ending}:") + str(condition.id)
    if isinstance(condition, AnyOf):
        return " or ".join(_inside(part) for part in condition.parts)
    return " and ".join(_runs(condition.parts))


def _inside(part: Condition) -> str:
    return f"({_written(part)})" if isinstance(part, AllOf | AnyOf) else _written(part)


def _runs(parts: tuple[Condition, ...]) -> list[str]:
    """The parts of an AllOf; neighbours that are jobs to end alike stand as one list."""
    found: list[str] = []
    last: Ending | None = None
    for part in parts:
        if isinstance(part, AfterJob) and part.ending == last:
            found[-1] += f",{part.id}"
        else:
            found.append(_inside(part))
        last = part.ending if isinstance(part, AfterJob) else None
    return found


def _moment_text(at: float) -> str:
    """The time with its zone, or as bare seconds where that would not give back the very same moment."""
    try:
        then = datetime.fromtimestamp(at).astimezone()
        text = then.isoformat(timespec="seconds" if not then.microsecond else "microseconds")
        if datetime.fromisoformat(text).timestamp() == at:
            return text
    except (ValueError, OverflowError, OSError):
        pass
    return f"@{at!r}"
