"""The words of the two lines around the screen: what there is, and what can be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from ...core.job import ENDED, State
from ..celltext import STATE_GLYPHS, STATE_GLYPHS_ASCII, STATE_STYLES, cell, one_line, short_path
from ..table.arrays import ATTENTION
from .linkwords import LinkWords

_GAP = "  "
# Columns that the path may have before words are given up for it, and that a filter has at most.
_PATH_LEAST = 20
_FILTER_MOST = 30
# Keys that the footer keeps: those of the help and to get out.
_LAST = 2


@dataclass(frozen=True)
class Facts:
    """What the first line tells. ``places``: path, engine and trouble of each work directory.

    ``waiting``: how many jobs have changed since the screen was paused. ``links``: to other machines.
    """

    places: Sequence[tuple[str, str | None, str]]
    counts: Mapping[State, int]
    marked: int = 0
    hidden_marks: int = 0
    paused: bool = False
    waiting: int = 0
    loading: bool = False
    undriven: int = 0
    filter: str = ""
    shown: int = 0
    total: int = 0
    links: Sequence[LinkWords] = ()
    ascii: bool = False


def header(facts: Facts, width: int) -> Text:
    """The first line, cut to fit: what matters most comes first and stays longest."""
    where = _where(facts)
    alerts, ends = _alerts(facts), _ends(facts)
    for counts in (_counts(facts), _short_counts(facts)):
        parts = [*alerts, *counts, *ends]
        room = width - 1 - sum(part.cell_len + len(_GAP) for part in parts)
        if room >= min(cell_len(where), _PATH_LEAST):
            break
    if len(facts.places) == 1:
        where = _end_of(where, room)
    text = Text(" ").append(where if cell_len(where) <= room else "", "bold")
    for part in parts:
        gap = _GAP if text.cell_len > 1 else ""
        left = width - text.cell_len - len(gap)
        if part.cell_len > left:
            # Of an alert a part is better than nothing.
            rest = part if part in alerts else Text("…")
            rest.truncate(max(0, left), overflow="ellipsis")
            return text.append(gap).append_text(rest)
        text.append(gap).append_text(part)
    return text


def _where(facts: Facts) -> str:
    if len(facts.places) > 1:
        return f"{len(facts.places)} work directories"
    return one_line(short_path(facts.places[0][0]))


def _end_of(path: str, room: int) -> str:
    """As much of a path as there is room for: its end tells more than its beginning."""
    if cell_len(path) <= room:
        return path
    while path and cell_len(path) >= room:
        path = path[1:]
    return f"…{path}" if room > _PATH_LEAST // 2 else ""


def _alerts(facts: Facts) -> list[Text]:
    """What is not as usual."""
    parts: list[Text] = []
    if facts.paused:
        parts.append(Text(" PAUSED ", "bold reverse"))
        if facts.waiting:
            parts.append(Text(f"{facts.waiting} changed since", "bold"))
    parts += [Text(one_line(trouble), "bold red") for _, _, trouble in facts.places if trouble]
    parts += [Text(one_line(link.words), "bold yellow") for link in facts.links if link.lost]
    if facts.marked:
        hidden = f" ({facts.hidden_marks} out of sight)" if facts.hidden_marks else ""
        parts.append(Text(f"{facts.marked} marked{hidden}", "bold"))
    if facts.filter:
        typed = one_line(facts.filter)
        words = cell(typed, min(_FILTER_MOST, cell_len(typed)))
        parts.append(Text(f"/{words}  {facts.shown} of {facts.total} shown", "bold yellow"))
    return parts


def _counts(facts: Facts) -> list[Text]:
    return [Text(f"{count} {state}", STATE_STYLES.get(state, "")) for state, count in _states(facts)]


def _short_counts(facts: Facts) -> list[Text]:
    """The same with the shapes that stand beside the words in the table."""
    shapes = STATE_GLYPHS_ASCII if facts.ascii else STATE_GLYPHS
    return [Text(f"{shapes[state]} {count}", STATE_STYLES.get(state, "")) for state, count in _states(facts)]


def _states(facts: Facts) -> list[tuple[State, int]]:
    return [(state, count) for state in ATTENTION if (count := facts.counts.get(state, 0))]


def _ends(facts: Facts) -> list[Text]:
    """What may go first where there is no room."""
    parts = [Text("reading …", "dim")] if facts.loading else []
    engine = _engine(facts)
    if engine is not None and not any(trouble for _, _, trouble in facts.places):
        parts.append(engine)
    return parts + [Text(one_line(link.words), "dim") for link in facts.links if not link.lost]


def _engine(facts: Facts) -> Text | None:
    engines = [engine for _, engine, _ in facts.places]
    if None in engines:
        return None
    if facts.undriven and not all(engines):
        return Text("no engine drives", "bold red")
    if len(engines) == 1:
        return Text(one_line(engines[0] or "no engine").partition(" on ")[0], "dim")
    return Text(f"{sum(map(bool, engines))} engines", "dim")


def footer(items: Sequence[tuple[str, str, bool]], width: int) -> Text:
    """Keys with their words (key, word, possible now), as many as fit; the last two are there before the others."""
    shown = [_item(*item) for item in items]
    while len(shown) > 1 and sum(item.cell_len for item in shown) > width:
        del shown[-3 if len(shown) > _LAST else 0]
    return Text().join(shown)


def _item(key: str, word: str, possible: bool) -> Text:
    return Text(" ").append(key, "bold" if possible else "dim").append(f" {word} ", "" if possible else "dim")


def undriven(counts: Mapping[State, int]) -> int:
    """How many jobs need an engine."""
    return sum(n for state, n in counts.items() if state not in ENDED and state is not State.HELD)
