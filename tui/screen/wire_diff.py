"""What to send so that a terminal that shows some lines shows others: changed cells alone, and scrolled regions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from operator import ne, or_

from .wire_cells import PLAIN, REST, Line, Palette, blank

# Unchanged cells between two changed ones that are sent along: to step over them costs as much.
_GAP = 4
# Blanks at a line's end from which on erasing them is shorter than sending them.
_ERASE = 4
# Bytes that it takes to place the cursor.
_WAY = 7
# What a scroll must save to be worth its own bytes.
_WORTH = 40
_ROUNDS = 3
# Columns at the right edge that may not take part in a scroll: a scroll bar and a frame.
_EDGE = 3
_RUNS = re.compile(r"(.)\1*", re.DOTALL)
_STRETCHES = re.compile(rb"\x01(?:\x00{0,%d}\x01)*" % _GAP)
# Characters on whose width terminals disagree; behind each of them the cursor is placed anew.
_FRAGILE = re.compile(
    "[^\x00-\u02ff\u0370-\u052f\u1100-\u115f\u1e00-\u1fff\u2010-\u2027\u2190-\u2193\u2196-\u21a8\u2200-\u22ff\u2500-\u25a9"
    "\u25ac-\u25b5\u25b7-\u25bf\u25c1-\u25fa\u2713\u2715\u2717\u2718\u2800-\u28ff"
    "\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\U00020000-\U0003fffd]"
)

Scroll = tuple[int, int, int]
"""First and last line of a region, and by how many lines its content moves up (below 0: down)."""


class Pen:
    """Gathers a sequence for the terminal, and knows where its cursor is and in which look it writes."""

    def __init__(self, palette: Palette) -> None:
        """Begin at an unknown place, in the plain look."""
        self._codes = palette.codes
        self._parts: list[str] = []
        self._look = PLAIN
        self._at: tuple[int, int] | None = None

    def text(self) -> str:
        """Everything gathered, ending in the plain look; "" if that is nothing."""
        if self._parts:
            self.wear(PLAIN)
        return "".join(self._parts)

    def move(self, y: int, x: int) -> None:
        """Place the cursor."""
        if self._at == (y, x):
            return
        if self._at is not None and self._at[0] == y and self._at[1] < x:
            steps = x - self._at[1]
            self._parts.append(f"\x1b[{steps}C" if steps > 1 else "\x1b[C")
        else:
            self._parts.append(f"\x1b[{y + 1};{x + 1}H" if x else f"\x1b[{y + 1}H")
        self._at = (y, x)

    def wear(self, look: str) -> None:
        """Set the look of what is written next."""
        if look == self._look:
            return
        code, before = self._codes[ord(look)], self._codes[ord(self._look)]
        if code.sgr != before.sgr:
            self._parts.append(f"\x1b[0;{code.sgr}m" if code.sgr else "\x1b[m")
        if code.link != before.link:
            self._parts.append(f"\x1b]8;id={code.link[1]};{code.link[0]}\x1b\\" if code.link else "\x1b]8;;\x1b\\")
        self._look = look

    def put(self, y: int, line: Line, stretches: Iterable[tuple[int, int]]) -> None:
        """Write some stretches of a line's cells in their place."""
        text, look, clusters = line.text, line.look, dict(line.clusters)
        # From here on the line is blank.
        inked = _inked(line)
        for start, end in stretches:
            stop = max(start, inked) if end - max(start, inked) >= _ERASE else end
            x = start
            while x < stop:
                run = _RUNS.match(look, x, stop)
                assert run is not None
                self._write(y, x, text[x : run.end()], look[x], clusters, len(text))
                x = run.end()
            if stop < end:
                self.move(y, stop)
                self.wear(PLAIN)
                self._parts.append("\x1b[K")

    def _write(self, y: int, x: int, text: str, look: str, clusters: dict[int, str], width: int) -> None:
        """Write cells of one look."""
        while text:
            self.move(y, x)
            self.wear(look)
            odd = None if text.isascii() and not clusters else _first_odd(text, x, clusters)
            plain = text if odd is None else text[:odd]
            if plain:
                self._parts.append(plain if plain.isprintable() else plain.replace(REST, ""))
                x += len(plain)
                # In the last column a terminal waits, or not, before it goes to the next line.
                self._at = (y, x) if x < width else None
            if odd is None:
                return
            size = 2 if text[odd + 1 : odd + 2] == REST else 1
            self._fragile(y, x, clusters.get(x, text[odd]), size)
            x += size
            text = text[odd + size :]

    def _fragile(self, y: int, x: int, cluster: str, size: int) -> None:
        # Blanks first: a terminal that draws it narrower must not leave old text standing.
        self.move(y, x)
        self._parts.append(" " * size)
        self._at = None
        self.move(y, x)
        self._parts.append(cluster)
        self._at = None

    def scroll(self, scroll: Scroll) -> None:
        """Move the lines of a region; the lines that become free are empty."""
        top, bottom, up = scroll
        self.wear(PLAIN)
        self._parts.append(f"\x1b[{top + 1};{bottom + 1}r\x1b[{top + 1}H")
        self._parts.append(f"\x1b[{up}M" if up > 0 else f"\x1b[{-up}L")
        self._parts.append("\x1b[r")
        self._at = None


def _first_odd(text: str, x: int, clusters: dict[int, str]) -> int | None:
    """Where in ``text``, which begins at the cell ``x``, the first character is that needs care."""
    fragile = _FRAGILE.search(text)
    place = fragile.start() if fragile else len(text)
    for cell in clusters:
        if x <= cell < x + place:
            place = cell - x
    return place if place < len(text) else None


def paint(shown: list[Line | None], wanted: Sequence[Line], palette: Palette) -> Pen:
    """Gather what makes ``shown`` (None: unknown) look like ``wanted``, and make ``shown`` equal to it.

    Both have the same number of lines, all of the same width.
    """
    pen = Pen(palette)
    for _ in range(_ROUNDS):
        scroll = find_scroll(shown, wanted)
        if scroll is None:
            break
        pen.scroll(scroll)
        apply_scroll(shown, scroll)
    for y, new in enumerate(wanted):
        old = shown[y]
        if old is None:
            pen.put(y, new, [(0, len(new.text))])
        elif old != new:
            pen.put(y, new, spans(old, new))
        shown[y] = new
    return pen


def spans(old: Line, new: Line) -> list[tuple[int, int]]:
    """The stretches of cells in which two lines differ, those close to each other as one."""
    cells = bytes(_differing(old, new))
    if old.clusters != new.clusters:
        marked = bytearray(cells)
        for place, _ in set(old.clusters) ^ set(new.clusters):
            marked[place] = 1
        cells = bytes(marked)
    stretches = [stretch.span() for stretch in _STRETCHES.finditer(cells)]
    return [_whole(new, *stretch) for stretch in stretches] if REST in new.text else stretches


def _differing(old: Line, new: Line) -> Iterator[bool]:
    """For each cell whether two lines differ in it."""
    if old.look == new.look:
        return map(ne, old.text, new.text)
    if old.text == new.text:
        return map(ne, old.look, new.look)
    return map(or_, map(ne, old.text, new.text), map(ne, old.look, new.look))


def _whole(line: Line, start: int, end: int) -> tuple[int, int]:
    """The stretch with no wide character cut in half. Its first half never stays the same when the second changes."""
    while end < len(line.text) and line.text[end] == REST:
        end += 1
    return start, end


# -- scrolling


def apply_scroll(shown: list[Line | None], scroll: Scroll) -> None:
    """Move the lines as the terminal does."""
    top, bottom, up = scroll
    region = shown[top : bottom + 1]
    width = max((len(line.text) for line in region if line is not None), default=0)
    free: list[Line | None] = [blank(width)] * abs(up)
    shown[top : bottom + 1] = region[up:] + free if up > 0 else free + region[:up]


def find_scroll(shown: Sequence[Line | None], wanted: Sequence[Line]) -> Scroll | None:
    """The scroll that saves most, if one saves enough."""
    changed = [y for y, new in enumerate(wanted) if shown[y] != new]
    if len(changed) < 3 or None in shown:
        return None
    shifts = _shifts(shown, wanted, changed)
    if not shifts:
        return None
    now = [_cost(old, new) for old, new in zip(shown, wanted, strict=True)]
    saved, scroll = max(_region(shown, wanted, now, up) for up in shifts)
    return scroll if saved > _WORTH else None


def _shifts(shown: Sequence[Line | None], wanted: Sequence[Line], changed: Sequence[int]) -> list[int]:
    """By how many lines content seems to have moved up, the likeliest first."""
    places: dict[str, list[int]] = {}
    for y in changed:
        old = shown[y]
        if old is not None:
            places.setdefault(old.text[:-_EDGE], []).append(y)
    votes: Counter[int] = Counter()
    for y in changed:
        text = wanted[y].text[:-_EDGE]
        # Blank lines and rules are everywhere.
        if text in places and len(set(text)) > 2:
            votes.update(old - y for old in places[text][:4] if old != y)
    likely = [(shift, count) for shift, count in votes.most_common(2) if count > 1]
    # No second look where most lines agree.
    return [shift for shift, _ in (likely[:1] if likely and likely[0][1] > len(changed) // 2 else likely)]


def _region(shown: Sequence[Line | None], wanted: Sequence[Line], costs: Sequence[int], up: int) -> tuple[int, Scroll]:
    """The region whose move by ``up`` saves most, with the bytes saved; ``costs`` are those of each line as it is."""
    height = len(wanted)
    # A move down is a move up in a mirror.
    order = range(height) if up > 0 else range(height - 1, -1, -1)
    new = [wanted[y] for y in order]
    old = [shown[y] for y in order]
    move = abs(up)
    now = [costs[y] for y in order]
    gains = [now[y] - _cost(old[y + move], new[y]) for y in range(height - move)]
    # The lines that become free are blank, whatever they showed before.
    losses = list(accumulate((_inked(line) - cost for line, cost in zip(new, now, strict=True)), initial=0))
    most, best = 0, (0, 0)
    run = start = 0
    for y, gain in enumerate(gains):
        if run <= 0:
            run, start = 0, y
        run += gain
        saved = run - (losses[y + 1 + move] - losses[y + 1])
        if saved > most:
            most, best = saved, (start, y + move)
    first, last = best if up > 0 else (height - 1 - best[1], height - 1 - best[0])
    return most, (first, last, up)


def _cost(old: Line | None, new: Line) -> int:
    """About how many bytes the line costs: the cells that differ, and the way to them."""
    if old is None:
        return len(new.text)
    if old == new:
        return 0
    return _WAY + sum(_differing(old, new))


def _inked(line: Line) -> int:
    """About how many bytes a line costs on an empty one."""
    return max(len(line.text.rstrip(" ")), len(line.look.rstrip(PLAIN)))
