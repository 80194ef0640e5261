"""Characters of a log made fit for a terminal: nothing invisible, nothing that turns text around, widths known."""

from __future__ import annotations

import unicodedata

from rich.cells import cell_len, get_character_cell_size

# What joins, modifies or hides without a width that terminals agree on: without it every character stands for itself.
_DROPPED = frozenset(
    "\u00ad\u034f\u200b\u200c\u200d\u2060\ufeff\ufe0e\ufe0f" + "".join(map(chr, range(0x1F3FB, 0x1F400)))
)
# Those of them that count as printable.
_PRINTABLE_DROPPED = [char for char in sorted(_DROPPED) if char.isprintable()]
# Accents upon one character; more are piled up only to spill over the lines above.
_MOST_ACCENTS = 2


def is_ordinary(text: str) -> bool:
    """Whether text can be shown as it is."""
    if not text.isprintable():
        return False
    return text.isascii() or not any(char in text for char in _PRINTABLE_DROPPED)


def harmless(text: str) -> str:
    """Text without control characters or escapes, made harmless: odd characters dropped, named or replaced."""
    return text if is_ordinary(text) else "".join(map(_shown, text))


def _shown(char: str) -> str:
    if char in _DROPPED:
        return ""
    if char.isprintable():
        return char
    kind = unicodedata.category(char)
    if kind == "Zs":
        return "  " if char == "\u3000" else " "
    code = ord(char)
    if kind in ("Cc", "Cf", "Zl", "Zp"):
        # Named, so that nobody is fooled by what turns the text around.
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return "\ufffd"


def cells(text: str) -> list[str]:
    """One entry per column: the character with its accents, and "" behind a wide one. ``text`` is harmless."""
    if text.isascii():
        return list(text)
    found: list[str] = []
    for char in text:
        width = get_character_cell_size(char)
        if width == 1:
            found.append(char)
        elif width == 2:
            found += (char, "")
        else:
            _accent(found, char)
    return found


def _accent(found: list[str], char: str) -> None:
    """Put an accent onto the last character; one without any stands on a blank."""
    at = len(found) - 1
    while at > 0 and not found[at]:
        at -= 1
    if at < 0:
        found.append(" " + char)
    elif len(found[at]) <= _MOST_ACCENTS:
        found[at] += char


def width(text: str) -> int:
    """How many columns harmless text takes."""
    return len(text) if text.isascii() else cell_len(text)
