"""The words of the two lines around the screen: what there is, and what can be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text

from ...core.job import ENDED, State
from ..celltext import STATE_STYLES, one_line, short_path


@dataclass(frozen=True)
class Facts:
    """What the first line tells. ``places``: path, engine and trouble of each work directory."""

    places: Sequence[tuple[str, str | None, str]]
    counts: Mapping[State, int]
    marked: int = 0
    hidden_marks: int = 0
    paused: bool = False
    loading: bool = False
    undriven: int = 0
    filter: str = ""
    shown: int = 0
    total: int = 0


def header(facts: Facts, width: int) -> Text:
    """The first line, cut to fit: what matters most comes first and stays longest."""
    parts: list[Text] = []
    if facts.paused:
        parts.append(Text(" PAUSED ", "bold reverse"))
    troubles = [one_line(trouble) for _, _, trouble in facts.places if trouble]
    parts += [Text(trouble, "bold red") for trouble in troubles]
    if facts.marked:
        hidden = f" ({facts.hidden_marks} out of sight)" if facts.hidden_marks else ""
        parts.append(Text(f"{facts.marked} marked{hidden}", "bold"))
    if facts.filter:
        parts.append(Text(f"{facts.shown} of {facts.total} shown", "bold yellow"))
    for state in State:
        if facts.counts.get(state):
            parts.append(Text(f"{facts.counts[state]} {state}", STATE_STYLES.get(state, "")))
    if facts.loading:
        parts.append(Text("reading …", "dim"))
    engine = _engine(facts)
    if engine is not None and not troubles:
        parts.append(engine)
    used = sum(part.cell_len + 2 for part in parts)
    text = Text(" ").append(_where(facts, width - used - 1), "bold")
    for part in parts:
        if text.cell_len + part.cell_len + 2 > width:
            break
        text.append("  ").append_text(part)
    return text


def _engine(facts: Facts) -> Text | None:
    engines = [engine for _, engine, _ in facts.places]
    if None in engines:
        return None
    if facts.undriven and not all(engines):
        return Text("no engine drives", "bold red")
    if len(engines) == 1:
        return Text(one_line(engines[0] or "no engine").partition(" on ")[0], "dim")
    return Text(f"{sum(map(bool, engines))} engines", "dim")


def _where(facts: Facts, room: int) -> str:
    if len(facts.places) > 1:
        return f"{len(facts.places)} work directories" if room > 20 else ""
    path = one_line(short_path(facts.places[0][0]))
    if len(path) <= room:
        return path
    # The end of a path tells more than its beginning.
    return "…" + path[len(path) - room + 1 :] if room > 8 else ""


def footer(items: Sequence[tuple[str, str, bool]], width: int) -> Text:
    """Keys with their words (key, word, possible now), as many as fit."""
    text = Text()
    for key, word, possible in items:
        item = Text(" ").append(key, "bold" if possible else "dim").append(f" {word} ", "" if possible else "dim")
        if text.cell_len + item.cell_len > width:
            break
        text += item
    return text


def undriven(counts: Mapping[State, int]) -> int:
    """How many jobs need an engine."""
    return sum(n for state, n in counts.items() if state not in ENDED and state is not State.HELD)
