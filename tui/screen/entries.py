"""What a list of choices offers, and which of it a typed text means, best first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One choice. ``hint`` says more, ``key`` is the key as the screen shows it, ``id`` another name to find it by.

    ``refusal``: why it cannot be chosen now, "" if it can. ``run`` does it.
    """

    title: str
    hint: str
    key: str
    refusal: str
    run: Callable[[], None]
    id: str = ""


def ranked(entries: Sequence[Entry], typed: str) -> list[Entry]:
    """The entries that every typed word fits, the best first, equal ones in their order."""
    words = typed.casefold().split()
    scored = [(entry, [_score(entry, word) for word in words]) for entry in entries]
    fitting = [(entry, sum(scores)) for entry, scores in scored if all(scores)]
    return [entry for entry, _score in sorted(fitting, key=lambda pair: -pair[1])]


def _score(entry: Entry, word: str) -> int:
    """How well a word fits, 0: not at all. The title counts most, then the id, the letters in order, the hint."""
    title, id, hint = entry.title.casefold(), entry.id.casefold(), entry.hint.casefold()
    if title.startswith(word):
        return 100
    if f" {word}" in title:
        return 80
    if id.startswith(word):
        return 70
    if word in title:
        return 60
    if word in id:
        return 50
    if _in_order(word, title) or _in_order(word, id):
        return 20
    return 10 if word in hint else 0


def _in_order(letters: str, text: str) -> bool:
    rest = iter(text)
    return all(letter in rest for letter in letters)
