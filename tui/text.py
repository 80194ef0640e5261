"""Makes text from jobs safe and fit for a terminal: no control characters, no escape sequences but colour."""

from __future__ import annotations

import codecs
import re
import unicodedata

# Complete sequences: CSI, OSC/DCS/SOS/PM/APC up to their terminator, two-character escapes (ECMA-48).
_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]+[0-~]|\x1b[0-OQ-WYZ\\`-~]"
)
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
_LONE_ESCAPE = re.compile(r"\x1b(?!\[[0-9;:]*m)")
# A sequence that is cut off by the end of what was read so far.
_CUT = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)?$")
_LONGEST_CUT = 4096


class TerminalFilter:
    """Lets through to a terminal what a log may do there: text, newlines, tabs, carriage returns and colour."""

    def __init__(self) -> None:
        """Begin outside any sequence."""
        # Bytes that are no text are shown as replacements: some terminals obey single ones of them.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes) -> bytes:
        """The harmless part of ``data``; a character or sequence that is not complete yet waits for the next call."""
        text = self._rest + self._decoder.decode(data)
        cut = _CUT.search(text[-_LONGEST_CUT:])
        keep = len(cut[0]) if cut else 0
        self._rest = text[len(text) - keep :] if keep else ""
        text = text[: len(text) - keep] if keep else text
        text = _SEQUENCE.sub(lambda match: match[0] if _COLOUR.fullmatch(match[0]) else "", text)
        return _LONE_ESCAPE.sub("", _CONTROL.sub("", text)).encode("utf-8", "replace")


def plain(text: str) -> str:
    """One line of text that shows every odd character as an escape instead of letting a terminal obey it."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(char) for char in text)


def without_escapes(text: str) -> str:
    """Text of any number of lines without sequences and control characters; newlines and tabs stay."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", _SEQUENCE.sub("", lines)).replace("\x1b", "")


def _shown(char: str) -> str:
    if char == "\n":
        return "\\n"
    if char == "\t":
        return "\\t"
    if char.isprintable() or char == "\u200d":
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def width(text: str) -> int:
    """How many columns a terminal needs for ``text`` (no control characters in it)."""
    if text.isascii():
        return len(text)
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me") or char == "\u200d":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def fit(text: str, columns: int) -> str:
    """``text`` cut to ``columns`` with an ellipsis, or padded with blanks."""
    have = width(text)
    if have <= columns:
        return text + " " * (columns - have)
    if columns <= 0:
        return ""
    kept, used = [], 0
    for char in text:
        step = _columns(char)
        if used + step > columns - 1:
            break
        kept.append(char)
        used += step
    return "".join(kept) + "…" + " " * (columns - 1 - used)
