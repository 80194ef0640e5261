"""The filter language of the command line and the screen, and the ids, ranges and filters that select jobs."""

from __future__ import annotations

import operator
import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import NamedTuple

import msgspec

from .job import ENDED, WAITING, JobRow, State
from .units import parse_duration, parse_size

Test = Callable[[JobRow], bool]

_TERM = re.compile(r"(?P<not>[!-]?)(?P<key>[a-z_]+)(?P<op>!=|>=|<=|:|=|~|>|<)(?P<value>.*)", re.DOTALL)
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")
_COMPARE = {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}
_WORD = re.compile(r"""(?:[^\s"']|"[^"]*"|'[^']*')+""")
_QUOTED = re.compile(r""""([^"]*)"|'([^']*)'""")

_TEXT: dict[str, Callable[[JobRow], str]] = {
    "name": attrgetter("name"),
    "command": attrgetter("command"),
    "cwd": attrgetter("cwd"),
    "reason": lambda row: row.reason or "",
    "detail": attrgetter("detail"),
    "backend": attrgetter("backend"),
    "host": lambda row: row.host or "",
    "jid": lambda row: row.jid or "",
    "queue": lambda row: row.queue or "",
    "workdir": attrgetter("workdir"),
}


def _number(text: str) -> float:
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
        raise ValueError(f"'{text}' is not a number")
    return float(text)


def _percent(text: str) -> float:
    return _number(text.removesuffix("%")) / 100


_NUMBER: dict[str, tuple[Callable[[JobRow], float | None], Callable[[str], float]]] = {
    # A foreign job has none.
    "id": (lambda row: row.id or None, _number),
    "exit": (attrgetter("exit_code"), _number),
    "signal": (attrgetter("signal"), _number),
    "attempt": (attrgetter("attempt"), _number),
    "priority": (attrgetter("priority"), _number),
    "cpus": (attrgetter("cpus"), _number),
    "gpus": (attrgetter("gpus"), _number),
    "array": (attrgetter("array"), _number),
    "index": (attrgetter("array_index"), _number),
    "progress": (attrgetter("progress"), _percent),
    "elapsed": (attrgetter("elapsed"), parse_duration),
    "memory": (attrgetter("memory"), parse_size),
}
GROUPS = {
    "active": frozenset(State) - ENDED,
    "ended": ENDED,
    "bad": frozenset({State.FAILED, State.CANCELLED, State.UNKNOWN}),
    "waiting": WAITING,
}
"""Words for groups of states that people think in."""

_KINDS: dict[str, Test] = {"foreign": attrgetter("foreign"), "own": lambda row: not row.foreign}

KEYS = ("state", "is", "id", "tag", *_TEXT, *(key for key in _NUMBER if key != "id"))
_EXAMPLES = {
    "state": "state:failed",
    "is": "is:foreign",
    "id": "id:3-9",
    "tag": "tag:night",
    "elapsed": "elapsed>1h",
    "memory": "memory>4G",
    "progress": "progress>50",
}


class FilterError(ValueError):
    """A filter or selection that cannot be read; the text says what is allowed."""


class Word(NamedTuple):
    """A plain word that must stand in a job's name or command (``negated``: must not), in either case of letters."""

    needle: str
    negated: bool


class Term(NamedTuple):
    """A term with a key: as it was written, the key, and its test."""

    text: str
    key: str
    test: Test


@dataclass(frozen=True)
class Filter:
    """A filter that was read: words and terms that must all hold."""

    words: tuple[Word, ...] = ()
    terms: tuple[Term, ...] = ()

    @cached_property
    def test(self) -> Test:
        """The test of a row."""
        return _all([*map(_word_test, self.words), *(term.test for term in self.terms)])

    @property
    def keys(self) -> frozenset[str]:
        """The keys that it asks for."""
        return frozenset(term.key for term in self.terms)

    def narrows(self, other: Filter) -> bool:
        """Whether certainly no row passes this filter that did not pass the other one."""
        mine = {term.text for term in self.terms}
        return all(term.text in mine for term in other.terms) and all(
            any(_implies(mine, word) for mine in self.words) for word in other.words
        )


def _implies(word: Word, other: Word) -> bool:
    if word.negated != other.negated:
        return False
    return word.needle in other.needle if word.negated else other.needle in word.needle


def searchable(row: JobRow) -> str:
    """The text of a row in which plain words are sought, for a foreign job its id too; words are folded like it."""
    text = f"{row.name}\0{row.command}".casefold()
    return f"{text}\0{row.label}" if row.foreign else text


def parse_filter(text: str) -> Test:
    """A test for rows out of terms that must all hold, such as ``state:failed name~align elapsed>1h !tag:old``.

    A word without a key must stand in the name or the command. Raises FilterError.
    """
    return read_filter(text).test


def read_filter(text: str) -> Filter:
    """Like ``parse_filter``, but gives the filter in its parts. Raises FilterError."""
    words, quote = _split(text)
    if quote:
        raise FilterError(f"a quote is not closed in: {text}")
    return _filter([_part(word) for word in words])


def read_typed(text: str) -> tuple[Filter, str]:
    """A filter that somebody is still typing: what can be read of it, and what is missing in the rest, "" if nothing.

    A quote that is still open reaches to the end.
    """
    words, quote = _split(text)
    hint = ""
    if quote:
        hint = "the quote is not closed yet"
        words, _ = _split(text + quote)
    parts: list[Word | Term] = []
    for word in words:
        try:
            parts.append(_part(word))
        except FilterError as error:
            hint = str(error)
    return _filter(parts), hint


def _filter(parts: Sequence[Word | Term]) -> Filter:
    words = tuple(part for part in parts if isinstance(part, Word))
    return Filter(words, tuple(part for part in parts if isinstance(part, Term)))


def _all(tests: Sequence[Test]) -> Test:
    if not tests:
        return lambda row: True
    if len(tests) == 1:
        return tests[0]
    first, rest = tests[0], _all(tests[1:])
    return lambda row: first(row) and rest(row)


def _split(text: str) -> tuple[list[str], str]:
    """The words of a text, and the quote that is not closed in it, if any; quotes keep blanks in a word."""
    found = [_QUOTED.sub(lambda m: m[1] if m[1] is not None else m[2], word) for word in _WORD.findall(text)]
    return found, _WORD.sub("", text).strip()[:1]


def is_filter(word: str) -> bool:
    """Whether a word reads as a filter term with a key (not as an id)."""
    match = _TERM.fullmatch(word)
    return match is not None and match["key"] in KEYS


def _part(word: str) -> Word | Term:
    match = _TERM.fullmatch(word)
    if match is None or match["key"] not in KEYS:
        if match is not None and match["op"] in (":", "="):
            raise FilterError(f"'{match['key']}' cannot be filtered by; there are {', '.join(KEYS)}")
        if word == "!":
            raise FilterError("'!' stands before what must not be there, such as !state:held")
        negated = word.startswith("!")
        return Word(word.removeprefix("!").casefold(), negated)
    key, op, value = match["key"], match["op"], match["value"]
    if not value:
        raise FilterError(f"'{word}' lacks a value; write it like {_EXAMPLES.get(key) or _example(key)}")
    test = _key_test(key, op, value)
    return Term(word, key, _negation(test) if match["not"] else test)


def _example(key: str) -> str:
    return f"{key}:1" if key in _NUMBER else f"{key}:word or {key}~part"


def _word_test(word: Word) -> Test:
    needle = word.needle
    if word.negated:
        return lambda row: needle not in searchable(row)
    return lambda row: needle in searchable(row)


def _negation(test: Test) -> Test:
    return lambda row: not test(row)


def _key_test(key: str, op: str, value: str) -> Test:
    if op == "!=":
        return _negation(_key_test(key, ":", value))
    if key == "id" and op not in _COMPARE:
        _refuse(op == "~", key, op)
        return _id_test(value)
    if key in _NUMBER:
        return _number_test(key, op, value)
    if key == "state":
        states = _states(value)
        _refuse(op not in ":=", key, op)
        return lambda row: row.state in states
    if key == "is":
        _refuse(op not in ":=", key, op)
        return _kind_test(value)
    if op in _COMPARE:
        raise FilterError(f"'{key}' is text: use {key}:word or {key}~part")
    if key == "tag":
        wanted = value.split(",")
        if op == "~":
            return lambda row: any(value.casefold() in tag.casefold() for tag in row.tags)
        return lambda row: any(tag in wanted for tag in row.tags)
    get = _TEXT[key]
    if op == "~":
        return _matches(get, value)
    alternatives = frozenset(value.split(","))
    return lambda row: get(row) in alternatives


def _refuse(wrong: bool, key: str, op: str) -> None:
    if wrong:
        raise FilterError(f"'{op}' means nothing for {key}; write {key}:value")


def _matches(get: Callable[[JobRow], str], pattern: str) -> Test:
    try:
        search = re.compile(pattern, re.IGNORECASE).search
    except re.error as error:
        raise FilterError(f"'{pattern}' is not a regular expression: {error}") from error
    return lambda row: search(get(row)) is not None


def _states(value: str) -> frozenset[State]:
    chosen: set[State] = set()
    for word in value.split(","):
        if word in GROUPS:
            chosen |= GROUPS[word]
        elif word in set(State):
            chosen.add(State(word))
        else:
            known = [*State, *GROUPS]
            near = [state for state in known if word and state.startswith(word)]
            raise FilterError(f"there is no state '{word}'; there are {', '.join(near or known)}")
    return frozenset(chosen)


def _kind_test(value: str) -> Test:
    if value not in _KINDS:
        raise FilterError(f"a job is not '{value}'; there are {', '.join(f'is:{kind}' for kind in _KINDS)}")
    return _KINDS[value]


def _id_test(value: str) -> Test:
    spans = [(max(1, first), last) for first, last in map(_span, value.split(","))]
    if len(spans) == 1:
        first, last = spans[0]
        return lambda row: first <= row.id <= last
    return lambda row: any(first <= row.id <= last for first, last in spans)


def _number_test(key: str, op: str, value: str) -> Test:
    get, parse = _NUMBER[key]
    _refuse(op == "~", key, op)
    try:
        if op in _COMPARE:
            bound, compare = parse(value), _COMPARE[op]
            return lambda row: (found := get(row)) is not None and compare(found, bound)
        wanted = {parse(word) for word in value.split(",")}
    except ValueError as error:
        raise FilterError(f"{key}: {error}") from error
    return lambda row: get(row) in wanted


def _span(word: str) -> tuple[int, int]:
    """The first and the last id of ``12`` or ``3-9``."""
    match = _RANGE.fullmatch(word.strip())
    if match is None:
        raise FilterError(f"'{word}' is not a job id; write 12, 3-9 or 3,5,8")
    first, last = int(match[1]), int(match[2] or match[1])
    if last < first or last - first > 10_000_000:
        raise FilterError(f"'{word}' is not a range of job ids")
    return first, last


def parse_ids(text: str) -> list[int]:
    """Ids out of ``12``, ``3-9`` and lists of those with commas; raises FilterError."""
    ids: list[int] = []
    for word in text.split(","):
        first, last = _span(word)
        ids += range(first, last + 1)
    return ids


class Selection(msgspec.Struct, frozen=True):
    """Which jobs a person means: these ids (None: any), and of them those that pass the filter."""

    ids: tuple[int, ...] | None
    filter: str


def parse_selection(words: Iterable[str]) -> Selection:
    """Ids, ranges and filter terms, as they come on a command line. Raises FilterError.

    Ids add up; filter terms narrow them. A plain word is refused: a mistyped id must not select jobs by name.
    """
    ids: list[int] = []
    terms: list[str] = []
    for word in words:
        if is_filter(word):
            terms.append(word)
            _part(word)
        else:
            ids += parse_ids(word)
    return Selection(tuple(dict.fromkeys(ids)) if ids or not terms else None, join_terms(terms))


def join_terms(words: Iterable[str]) -> str:
    """A filter out of terms that came apart, as from a command line: blanks in one belong to its value."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    return word if not re.search(r"[\s\"']", word) else shlex.quote(word)


def id_ranges(jobs: Iterable[int]) -> str:
    """Ids as short text that ``parse_ids`` reads back: ``3-9,12``."""
    parts: list[list[int]] = []
    for job in sorted(set(jobs)):
        if parts and job == parts[-1][1] + 1:
            parts[-1][1] = job
        else:
            parts.append([job, job])
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in parts)
