"""The filter language of the command line and the screen, and the ids, ranges and filters that select jobs."""

from __future__ import annotations

import operator
import re
import shlex
from collections.abc import Callable, Iterable, Sequence

import msgspec

from .job import ENDED, JobRow, State
from .units import parse_duration, parse_size

Test = Callable[[JobRow], bool]

_TERM = re.compile(r"(?P<not>[!-]?)(?P<key>[a-z_]+)(?P<op>!=|>=|<=|:|=|~|>|<)(?P<value>.*)", re.DOTALL)
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")
_COMPARE = {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}

_TEXT: dict[str, Callable[[JobRow], str]] = {
    "name": lambda row: row.name,
    "command": lambda row: row.command,
    "cwd": lambda row: row.cwd,
    "reason": lambda row: row.reason or "",
    "detail": lambda row: row.detail,
    "backend": lambda row: row.backend,
    "host": lambda row: row.host or "",
    "jid": lambda row: row.jid or "",
}


def _number(text: str) -> float:
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
        raise ValueError(f"'{text}' is not a number")
    return float(text)


_NUMBER: dict[str, tuple[Callable[[JobRow], float | None], Callable[[str], float]]] = {
    "id": (lambda row: row.id, _number),
    "exit": (lambda row: row.exit_code, _number),
    "signal": (lambda row: row.signal, _number),
    "attempt": (lambda row: row.attempt, _number),
    "priority": (lambda row: row.priority, _number),
    "cpus": (lambda row: row.cpus, _number),
    "gpus": (lambda row: row.gpus, _number),
    "array": (lambda row: row.array, _number),
    "index": (lambda row: row.array_index, _number),
    "elapsed": (lambda row: row.elapsed, parse_duration),
    "memory": (lambda row: row.memory, parse_size),
}
# Words for groups of states that people think in.
_GROUPS = {
    "active": frozenset(State) - ENDED,
    "ended": ENDED,
    "bad": frozenset({State.FAILED, State.CANCELLED, State.UNKNOWN}),
    "waiting": frozenset({State.CREATED, State.QUEUED, State.HELD}),
}

KEYS = ("state", "id", "tag", *_TEXT, *(key for key in _NUMBER if key != "id"))


class FilterError(ValueError):
    """A filter or selection that cannot be read; the text says what is allowed."""


def parse_filter(text: str) -> Test:
    """A test for rows out of terms that must all hold, such as ``state:failed name~align elapsed>1h !tag:old``.

    A word without a key must stand in the name or the command. Raises FilterError.
    """
    return _all([_term(word) for word in _words(text)])


def _all(tests: Sequence[Test]) -> Test:
    return lambda row: all(test(row) for test in tests)


def _words(text: str) -> list[str]:
    """Split at blanks; quotes keep blanks in a value."""
    pattern = r"""(?:[^\s"']|"[^"]*"|'[^']*')+"""
    found = [match[0] for match in re.finditer(pattern, text)]
    if re.sub(pattern, "", text).strip():
        raise FilterError(f"a quote is not closed in: {text}")
    return [re.sub(r""""([^"]*)"|'([^']*)'""", lambda m: m[1] if m[1] is not None else m[2], word) for word in found]


def is_filter(word: str) -> bool:
    """Whether a word reads as a filter term with a key (not as an id)."""
    match = _TERM.fullmatch(word)
    return match is not None and match["key"] in KEYS


def _term(word: str) -> Test:
    match = _TERM.fullmatch(word)
    if match is None or match["key"] not in KEYS:
        if match is not None and match["op"] in (":", "="):
            raise FilterError(f"'{match['key']}' cannot be filtered by; there are {', '.join(KEYS)}")
        wanted, negated = (word[1:], True) if word.startswith("!") else (word, False)
        needle = wanted.casefold()
        return lambda row: (needle in row.name.casefold() or needle in row.command.casefold()) != negated
    test = _key_test(match["key"], match["op"], match["value"])
    return (lambda row: not test(row)) if match["not"] else test


def _key_test(key: str, op: str, value: str) -> Test:
    if op == "!=":
        positive = _key_test(key, ":", value)
        return lambda row: not positive(row)
    if key == "id" and op not in _COMPARE:
        chosen = set(parse_ids(value))
        _refuse(op == "~", key, op)
        return lambda row: row.id in chosen
    if key in _NUMBER:
        return _number_test(key, op, value)
    if key == "state":
        states = _states(value)
        _refuse(op not in ":=", key, op)
        return lambda row: row.state in states
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
    alternatives = value.split(",")
    return lambda row: get(row) in alternatives


def _refuse(wrong: bool, key: str, op: str) -> None:
    if wrong:
        raise FilterError(f"'{op}' means nothing for {key}; write {key}:value")


def _matches(get: Callable[[JobRow], str], pattern: str) -> Test:
    try:
        regex = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise FilterError(f"'{pattern}' is not a regular expression: {error}") from error
    return lambda row: regex.search(get(row)) is not None


def _states(value: str) -> frozenset[State]:
    chosen: set[State] = set()
    for word in value.split(","):
        if word in _GROUPS:
            chosen |= _GROUPS[word]
        elif word in set(State):
            chosen.add(State(word))
        else:
            known = ", ".join([*State, *_GROUPS])
            raise FilterError(f"there is no state '{word}'; there are {known}")
    return frozenset(chosen)


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


def parse_ids(text: str) -> list[int]:
    """Ids out of ``12``, ``3-9`` and lists of those with commas; raises FilterError."""
    ids: list[int] = []
    for word in text.split(","):
        match = _RANGE.fullmatch(word.strip())
        if match is None:
            raise FilterError(f"'{word}' is not a job id; write 12, 3-9 or 3,5,8")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first or last - first > 10_000_000:
            raise FilterError(f"'{word}' is not a range of job ids")
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
            _term(word)
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
