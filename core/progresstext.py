"""Reads the share done out of the end of a program's output: progress bars, percentages, "12 of 40". Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

# The last lines, of which one must hold the share, and how much of a line is read.
_LINES = 8
_LONGEST_LINE = 500
# A share that falls by more than this was not that of the whole.
BACKWARDS = 0.02

_FIRST_LINE = re.compile(r"[^\r\n]*[\r\n]?")
_NUMBER_AT_END = re.compile(r"[\d.,]{1,20}$")
_CURSOR_UP = re.compile(r"\x1b\[\d{0,3}[AF]")
_ESCAPE = re.compile(r"\x1b\[[0-?]{0,32}[ -/]{0,4}[@-~]|\x1b\][^\x07\x1b]{0,512}(?:\x07|\x1b\\)|\x1b[^\[\]]|\x08")

# Every repetition is bounded, so that no line takes long.
_A_OF_B = r"(?<![\w./:,-])(?P<a>\d[\d,]{0,14})\s{0,2}(?:/|of|out of)\s{0,2}(?P<b>\d[\d,]{0,14})(?![\w/%]|[.:,-]\d)"
_PERCENT = r"(?<![\d.,])(?P<p>\d{1,3}(?:\.\d{1,4})?)\s?%"
_UNITS = (
    r"(?:step|iteration|iter|batch|sample|file|task|chunk|item|frame|record|image|block|job|row|sequence|document|round"
    r"|generation|fold|cycle|window|patch|tile|trial|event|object|package|module|target|epoch)(?:s|es)?"
)
_DONE = (
    r"(?:progress|processed|completed?|finished|done|handled|analy[sz]ed|downloaded|uploaded|copied|written|loaded"
    r"|trained|computed|simulated)"
)
_DOING = (
    r"(?:processing|working on|downloading|uploading|copying|writing|loading|training|computing|simulating|running"
    r"|analy[sz]ing)"
)

_FRACTIONS = re.compile(_A_OF_B)
_PERCENTS = re.compile(_PERCENT)
_EPOCH = re.compile(
    r"\bepoch\b[\s:#\[(]{0,4}(?P<a>\d{1,6})\s?(?:/|of)\s?(?P<b>\d{1,6})\b(?P<rest>.{0,400})", re.IGNORECASE
)
# An epoch, or a bar with a numbered name, is one of several: how many is not known.
_ONE_OF_MANY = re.compile(r"\bepoch\b|\d\s{0,2}:\s{0,4}\d{1,3}%\|", re.IGNORECASE)
_BAR = re.compile(
    r"%\||[█▇▉▊▋▌▍▎▏▓▒░━╸╺]{2}|[\[|](?=[^\]|]{0,100}[#=])[#=>.\-*~+ ]{3,150}[\]|]|^#{1,200}\s{1,90}[\d.]{1,5}%$|\.{10} "
)
_SIZES = re.compile(
    r"(?<![\w./])(?P<a>\d{1,9}(?:\.\d{1,3})?)\s?(?P<au>[kKMGT]?)(?:i?B)?\s?/\s?"
    r"(?P<b>\d{1,9}(?:\.\d{1,3})?)\s?(?P<bu>[kKMGT]?)i?B\b"
)
_MAGNITUDES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_RATE = re.compile(r"/s\b|\beta\b", re.IGNORECASE)
_CURL = re.compile(
    r"\s{0,3}(?P<p>\d{1,3})\s{1,4}[\d.]{1,7}[kMGTP]?\s{1,6}\d{1,3}\s{1,4}[\d.]{1,7}[kMGTP]?\s{1,6}\d{1,3}\s{1,6}"
    r"[\d.]{1,7}[kMGTP]?\s{1,8}[\d.]{1,7}[kMGTP]?\s{1,8}[\d.]{1,7}[kMGTP]?\s{1,3}[-\d]{1,3}:"
)
_TIMES_OF_CURL = 3
_RSYNC = re.compile(r"\s{0,20}[\d,.]{1,20}[KMGT]?\s{1,4}(?P<p>\d{1,3})%\s{1,4}[\d.,]{1,9}[kMGT]?B/s\s")
_RSYNC_LEFT = re.compile(r"\bto-ch(?:k|eck)=(?P<left>\d{1,9})/(?P<b>\d{1,9})\)")
# The words around a percentage or a fraction that say that it is of the work, and not of something else.
_SAID_PERCENT = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"^\W{{0,6}}{_PERCENT}\W{{0,6}}$",
        rf"^\s{{0,4}}\[\s{{0,3}}{_PERCENT}\s?\]",
        rf"^{_PERCENT}\s\[",
        rf"\b(?:{_DONE}|{_DOING}|objects|deltas)[\s:=(\[.~>-]{{0,8}}{_PERCENT}",
        rf"{_PERCENT}\s{{0,2}}{_DONE}\b",
        rf"{_PERCENT}[\s,;(|]{{0,4}}eta\b",
    )
)
_SAID_FRACTION = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"^\W{{0,6}}{_A_OF_B}\W{{0,6}}$",
        rf"^\s{{0,4}}[\[(]\s{{0,4}}{_A_OF_B}\s?[\])]",
        rf"\b(?:{_UNITS}|{_DONE})\s{{0,2}}[#:=(\[]{{0,2}}\s{{0,2}}{_A_OF_B}",
        rf"{_A_OF_B}[\])]?\s{{1,2}}(?:\w{{1,12}}\s)?(?:{_UNITS}|{_DONE})\b",
    )
)
_BEGUN_FRACTION = re.compile(rf"\b{_DOING}\s{{0,2}}(?:\w{{1,12}}\s)?[#:=(\[]{{0,2}}\s{{0,2}}{_A_OF_B}", re.IGNORECASE)


# -- reading the end of an output


def share_in(text: str, *, whole: bool = True) -> float | None:
    """The share done (0 to less than 1) that the end of an output shows, or None: rather no answer than a wrong one.

    ``whole``: the text begins where the output begins, and not in the middle of a line.
    """
    if not whole:
        text = _FIRST_LINE.sub("", text, count=1)
    jumps = [jump.end() for jump in _CURSOR_UP.finditer(text)]
    shares = list(_shares(_lines(text[jumps[-1] :] if jumps else text)))
    found = [share for share in shares if share is not None]
    if not any(share is not None for share in shares[-_LINES:]):
        return None
    if jumps and len(found) > 1:
        # Several bars at once, of which nobody says which one is the whole.
        return None
    # What fell back, or is full while the job runs on, was a part of the work.
    return found[-1] if found[-1] < 1.0 and max(found) <= found[-1] + BACKWARDS else None


def _lines(text: str) -> Iterator[str]:
    """The lines as a terminal shows them: of one that was written over, what was written last."""
    lines = _ESCAPE.sub("", text).split("\n")
    last = lines.pop()
    for line in lines:
        states = [state for state in line.split("\r") if state and not state.isspace()]
        yield from states[-1:]
    states = [state for state in last.split("\r") if state and not state.isspace()]
    if states and not last.endswith("\r"):
        # Written so far, and maybe cut in the middle of a number.
        unsure = _NUMBER_AT_END.sub("", states.pop())
        states = [*states, unsure] if _line_share(unsure) is not None or not states else states
    yield from states[-1:]


def _shares(lines: Iterable[str]) -> Iterator[float | None]:
    """What each line says of the whole, with the help of the lines before it."""
    epoch: re.Match[str] | None = None
    many_files = False
    for line in lines:
        share = _line_share(line)
        header = _EPOCH.search(line)
        if header is not None:
            epoch = header
        elif "/step" in line or "- ETA" in line:
            share = _in_epoch(epoch, share) if epoch is not None and share is not None else None
        elif many_files and "-ch" not in line and _RSYNC.match(line):
            share = None
        many_files = many_files or "xfr#" in line
        yield share


def _line_share(line: str) -> float | None:
    """What one line says; 1.0 for all."""
    if "%" not in line and "/" not in line and "of" not in line and line.count(":") < _TIMES_OF_CURL:
        return None
    line = line[:_LONGEST_LINE]
    epoch = _EPOCH.search(line)
    if epoch is not None:
        return _in_epoch(epoch, _line_share(epoch["rest"]))
    if _ONE_OF_MANY.search(line):
        return None
    for kind in (_tool_share, _percent_share, _fraction_share):
        share = kind(line)
        if share is not None:
            return share
    return None


def _in_epoch(epoch: re.Match[str], inner: float | None) -> float | None:
    """The share of all epochs. A line with results ends an epoch, one without begins it."""
    number, of = int(epoch["a"]), int(epoch["b"])
    if not 0 <= number <= of or of < 1:
        return None
    if inner is None:
        inner = 1.0 if any(char.isdigit() for char in epoch["rest"]) else 0.0
    return max(0, number - 1 + inner) / of


def _tool_share(line: str) -> float | None:
    """The meters of curl and rsync, and sizes beside a rate (pip)."""
    left = _RSYNC_LEFT.search(line)
    if left is not None:
        return _ratio(int(left["b"]) - int(left["left"]), int(left["b"]))
    if "ir-ch" in line:
        # The files are still being counted.
        return None
    meter = _CURL.match(line) or _RSYNC.match(line)
    if meter is not None:
        return _ratio(int(meter["p"]), 100)
    sizes = _SIZES.search(line)
    if sizes is None or not (_RATE.search(line) or _BAR.search(line)):
        return None
    unit = sizes["bu"].lower()
    done = float(sizes["a"]) * _MAGNITUDES[sizes["au"].lower() or unit]
    return _ratio(done, float(sizes["b"]) * _MAGNITUDES[unit])


def _percent_share(line: str) -> float | None:
    percents = list(_PERCENTS.finditer(line))
    if len(percents) != 1 or not (_BAR.search(line) or any(form.search(line) for form in _SAID_PERCENT)):
        return None
    return _ratio(float(percents[0]["p"]), 100)


def _fraction_share(line: str) -> float | None:
    fractions = list(_FRACTIONS.finditer(line))
    if len(fractions) != 1:
        return None
    done, of = (int(fractions[0][name].replace(",", "") or 0) for name in ("a", "b"))
    if of < 2:
        return None
    if _BEGUN_FRACTION.search(line):
        return _ratio(max(0, done - 1), of) if done <= of else None
    return _ratio(done, of) if _BAR.search(line) or any(form.search(line) for form in _SAID_FRACTION) else None


def _ratio(done: float, of: float) -> float | None:
    return done / of if of > 0 and 0 <= done <= of else None
