"""Makes text from jobs safe and fit for a terminal: no control characters, no escape sequences but colour."""

from __future__ import annotations

import re
import unicodedata

_COLOUR = rb"\x1b\[[0-9;:]*m"
# Complete sequences: CSI, OSC/DCS/SOS/PM/APC up to their terminator, two-character escapes (ECMA-48).
_SEQUENCE = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]+[0-~]|\x1b[0-OQ-WYZ\\`-~]"
)
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]")
# A sequence that is cut off by the end of what was read so far.
_CUT = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)?$")
_LONGEST_CUT = 4096


class TerminalFilter:
    """Lets through to a terminal what a log may do there: text, newlines, tabs, carriage returns and colour."""

    def __init__(self) -> None:
        """Begin outside any sequence."""
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """The harmless part of ``data``; a sequence that is not complete yet waits for the next call."""
        data = self._rest + data
        cut = _CUT.search(data[-_LONGEST_CUT:])
        keep = len(cut[0]) if cut else 0
        self._rest = data[len(data) - keep :] if keep else b""
        data = data[: len(data) - keep] if keep else data
        data = _SEQUENCE.sub(lambda match: match[0] if re.fullmatch(_COLOUR, match[0]) else b"", data)
        data = _CONTROL.sub(b"", data)
        # C1 controls, which some terminals obey, come as two bytes in UTF-8.
        data = re.sub(rb"\xc2[\x80-\x9f]", b"", data)
        return re.sub(rb"\x1b(?!\[[0-9;:]*m)", b"", data)


def plain(text: str) -> str:
    """One line of text that shows every odd character as an escape instead of letting a terminal obey it."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(char) for char in text)


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
    if unicodedata.combining(char) or char in "\u200d\ufe0e\ufe0f":
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
