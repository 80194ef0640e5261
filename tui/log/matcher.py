"""Which lines of a log match what a person typed, or tell of an error: a chunk at a time, as it is shown."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from typing import Protocol

import regex

from .glyphs import is_ordinary
from .reducer import reduce

# Seconds for one chunk; when they are used up each line gets a little for itself, until these are used up as well.
_CHUNK_PATIENCE = 0.15
_LINE_PATIENCE = 0.005

_SPECIAL = frozenset("\\.^$*+?{}[]|()")
# Counts in an expression, all multiplied, and its length: what is compiled of it grows with them without a bound.
_COUNTS = re.compile(r"\{\s*(\d*)\s*,?\s*(\d*)")
_MOST_REPEATS = 10_000
_LONGEST = 1000
# What means something else in a whole chunk than in a line of its own.
_WHOLE_TEXT = re.compile(r"\\[AZzG]|\(\?(?![:P])")
# Colours, and moves from line to line.
_WITHOUT_EFFECT = re.compile(rb"\x1b\[(?:[\d;:]*m|\d{0,9}[AB])")
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")


class Matcher(Protocol):
    """Says which lines match."""

    def lines(self, chunk: bytes) -> Iterator[int]:
        """The numbers, from 0 and ascending, of the matching lines of ``chunk``, in which they are as shown."""
        ...


class Query:
    """What a person searches for: a regular expression, or plain text where it is none.

    Without capital letters both cases match. ``words``: what was typed; ``note``: why it is taken as plain text, or
    ""; ``given_up``: lines that were left out because the expression took too long on them.
    """

    def __init__(self, words: str) -> None:
        """Understand ``words``, which are not empty."""
        self.words, self.note, self.given_up = words, "", 0
        self._fold = not any(map(str.isupper, words))
        flags = regex.MULTILINE | (regex.IGNORECASE if self._fold else 0)
        self._plain = words.encode("utf-8", "replace")
        if _SPECIAL.intersection(words):
            try:
                self.pattern = _compiled(words, flags)
                self._plain = b""
            except (regex.error, RecursionError, OverflowError, ValueError) as error:
                self.note = f"no regular expression ({error}): taken as plain text"
        if self._plain:
            # The letters that fold into ASCII ones from elsewhere (the Kelvin sign) are not worth a slow search.
            self.pattern = regex.compile(regex.escape(words), flags | (regex.ASCII if words.isascii() else 0))
        self._alone = not self._plain and _WHOLE_TEXT.search(words) is not None

    def lines(self, chunk: bytes) -> Iterator[int]:
        """See ``Matcher``."""
        chunk = chunk.removesuffix(b"\n")
        if self._plain and (not self._fold or self._plain.isascii()):
            return _holding(chunk.lower() if self._fold else chunk, self._plain)
        text = chunk.decode("utf-8", "replace")
        if self._alone:
            return iter(list(self._one_by_one(text)))
        try:
            # All at once: a chunk that takes too long in the middle is begun again.
            return iter(list(self._searched(text)))
        except TimeoutError:
            return iter(list(self._one_by_one(text)))

    def _searched(self, text: str) -> Iterator[int]:
        """Search on, each time from the beginning of the next line. Raises TimeoutError."""
        until = time.monotonic() + _CHUNK_PATIENCE
        at = number = 0
        while at <= len(text):
            match = self._match(text, until - time.monotonic(), at)
            if match is None:
                return
            begin = max(at, text.rfind("\n", at, match.start()) + 1)
            end = text.find("\n", begin)
            end = len(text) if end < 0 else end
            number += text.count("\n", at, begin)
            # Where the match goes on behind the line, the line has to match by itself.
            if match.end() <= end or self._match(text[begin:end], until - time.monotonic()):
                yield number
            at, number = end + 1, number + 1

    def _one_by_one(self, text: str) -> Iterator[int]:
        until = time.monotonic() + 4 * _CHUNK_PATIENCE
        for number, line in enumerate(text.split("\n")):
            try:
                if self._match(line, min(_LINE_PATIENCE, until - time.monotonic())):
                    yield number
            except TimeoutError:
                self.given_up += 1

    def _match(self, text: str, patience: float, at: int = 0) -> regex.Match[str] | None:
        """Search, without holding the interpreter. Raises TimeoutError after ``patience`` seconds."""
        if patience <= 0:
            raise TimeoutError
        return self.pattern.search(text, at, timeout=patience, concurrent=True)


def _compiled(words: str, flags: int) -> regex.Pattern[str]:
    """The expression. Raises ValueError and what the compiler raises for what is none, or would take all memory."""
    repeats = math.prod(max(1, *(int(number or 0) for number in pair)) for pair in _COUNTS.findall(words[:_LONGEST]))
    if len(words) > _LONGEST or repeats > _MOST_REPEATS:
        raise ValueError("it repeats too much" if repeats > _MOST_REPEATS else "it is too long")
    return regex.compile(words, flags)


def _holding(chunk: bytes, words: bytes) -> Iterator[int]:
    """The numbers of the lines that hold these words."""
    at = number = 0
    while (found := chunk.find(words, at)) >= 0:
        number += chunk.count(b"\n", at, found)
        yield number
        at = chunk.find(b"\n", found) + 1
        number += 1
        if not at:
            return


# In lower case. Each of them must stand in a line that is taken for an error.
_ALARMS = (
    b"error",
    b"exception",
    b"traceback",
    b"fatal",
    b"panic",
    b"fail",
    b"kill",
    b"abort",
    b"oom",
    b"out of memory",
    b"segfault",
    b"segmentation",
    b"core dumped",
    b"critical",
    b"no such file",
    b"not found",
    b"denied",
    b"no space left",
)
# What then has to be there as a word.
_ERROR = re.compile(
    rb"\b(?:errors?|fatal|panic|panicked|critical|aborted|abort|segfault|oom|killed|failed|failure|traceback)\b"
    rb"|\b[a-z0-9.]*(?:error|exception)\b|out of memory|\boom[- ]?kill|segmentation fault|core dumped"
    rb"|no such file or directory|command not found|permission denied|no space left on device"
)
# "0 errors", "no failures", "errors: 0", "error: 0.12", "without errors": all is well.
_FINE = re.compile(
    rb"\b(?:0|no|zero|without(?: any)?)[ \t]+(?:\w+[ \t]+)?(?:errors?|failures?|failed|exceptions?)\b"
    rb"|\b(?:errors?|failures?|failed|exceptions?)\b[ \t]*[:=][ \t]*(?:0|none|false)\b(?!\.)"
    rb"|\berrors?\b[ \t]*[:=]?[ \t]*[-+]?(?:\d*\.\d+|\d+e)[-+\d]*"
)


class Errors:
    """Lines that tell of an error: the usual words for it, but not "0 errors" or "error=0.12"."""

    def lines(self, chunk: bytes) -> Iterator[int]:
        """See ``Matcher``."""
        low = chunk.removesuffix(b"\n").lower()
        hits: set[int] = set()
        for alarm in _ALARMS:
            hits.update(_holding(low, alarm))
        lines = low.split(b"\n") if hits else []
        return (number for number in sorted(hits) if _ERROR.search(_FINE.sub(b"", lines[number])))


class Both:
    """Lines that match both: what is searched in a filtered log."""

    def __init__(self, first: Matcher, second: Matcher) -> None:
        """Combine them."""
        self._first, self._second = first, second

    def lines(self, chunk: bytes) -> Iterator[int]:
        """See ``Matcher``."""
        also = set(self._second.lines(chunk))
        return (number for number in self._first.lines(chunk) if number in also)


def as_shown(chunk: bytes) -> bytes:
    """Whole lines as they are shown, as far as a search is concerned: one line for each, without colours.

    Tabs stay tabs. Lines that move the cursor up are taken by themselves.
    """
    clean = _without_effect(chunk)
    if _is_text(clean):
        return clean
    return b"\n".join(map(_line_as_shown, chunk.removesuffix(b"\n").split(b"\n"))) + b"\n"


def _line_as_shown(line: bytes) -> bytes:
    clean = _without_effect(line)
    if _is_text(clean):
        return clean
    return "".join(text for text, _ in reduce(line).rows[-1]).encode("utf-8", "replace")


def _without_effect(chunk: bytes) -> bytes:
    """Without what does not change what lines say: colours, and carriage returns at their edges."""
    if b"\x1b" in chunk:
        chunk = _WITHOUT_EFFECT.sub(b"", chunk)
    if b"\r" in chunk:
        chunk = chunk.replace(b"\r\n", b"\n").replace(b"\n\r", b"\n").strip(b"\r")
    return chunk


def _is_text(chunk: bytes) -> bool:
    """Whether it is shown as it is, but for tabs."""
    if _CONTROL.search(chunk) is not None:
        return False
    return chunk.isascii() or is_ordinary(chunk.decode("utf-8", "replace").replace("\n", "").replace("\t", ""))
