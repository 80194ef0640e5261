"""The names of keys: as people write them, as Textual calls them, and as the screen shows them."""

from __future__ import annotations

import re
import string
import unicodedata

# Where Textual's name of a character is not its Unicode name.
_SHORT = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}
# What people call the keys that are no characters, without blanks, dashes and underscores: Textual's name.
_NAMED = {
    "enter": "enter",
    "return": "enter",
    "escape": "escape",
    "esc": "escape",
    "tab": "tab",
    "space": "space",
    "spacebar": "space",
    "backspace": "backspace",
    "delete": "delete",
    "del": "delete",
    "insert": "insert",
    "ins": "insert",
    "home": "home",
    "end": "end",
    "pageup": "pageup",
    "pgup": "pageup",
    "pagedown": "pagedown",
    "pgdn": "pagedown",
    "pgdown": "pagedown",
    "up": "up",
    "↑": "up",
    "down": "down",
    "↓": "down",
    "left": "left",
    "←": "left",
    "right": "right",
    "→": "right",
    **{f"f{number}": f"f{number}" for number in range(1, 25)},
}
_LABELS = {
    "enter": "Enter",
    "escape": "Esc",
    "tab": "Tab",
    "space": "Space",
    "backspace": "Backspace",
    "delete": "Del",
    "insert": "Ins",
    "home": "Home",
    "end": "End",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
}
_MODIFIERS = {
    "ctrl": "ctrl",
    "control": "ctrl",
    "strg": "ctrl",
    "c": "ctrl",
    "shift": "shift",
    "s": "shift",
    "alt": "alt",
    "meta": "alt",
    "option": "alt",
    "a": "alt",
    "m": "alt",
}
_CHORD = re.compile(r"([a-z]+)[+-](?=.)", re.IGNORECASE)
_CURSOR = ("up", "down", "left", "right", "home", "end", "pageup", "pagedown", "insert", "delete")

# Sent as something else, or taken by what stands between the keyboard and the program.
_UNUSABLE = {
    "ctrl+s": "terminals take it to stop their output",
    "ctrl+q": "terminals take it to let their output go on",
    "ctrl+a": "it is the command key of GNU screen",
    "ctrl+b": "it is the command key of tmux",
    "ctrl+h": "terminals send it as Backspace",
    "ctrl+i": "terminals send it as Tab",
    "ctrl+j": "terminals send it as Enter",
    "ctrl+m": "terminals send it as Enter",
    "ctrl+left_square_bracket": "terminals send it as Esc",
    "ctrl+@": "input methods take it, and few terminals send it",
}


class KeyNameError(ValueError):
    """There is no such key; the text says so to a person."""


def character_key(character: str) -> str:
    """Textual's name for the key of one printable character."""
    if character == " ":
        return "space"
    if character.isalnum():
        return character
    name = unicodedata.name(character, character).lower().replace("-", "_").replace(" ", "_")
    return _SHORT.get(name, name)


_CHARACTERS = {character_key(char): char for char in string.ascii_letters + string.digits + string.punctuation}
_PLAIN = frozenset({*_CHARACTERS, *_NAMED.values()})
_CHORDS = frozenset(
    {
        *(f"ctrl+{letter}" for letter in string.ascii_lowercase),
        *(f"ctrl+{name}" for name in _CURSOR),
        *(f"ctrl+f{number}" for number in range(1, 13)),
        *(f"ctrl+{character_key(char)}" for char in "[\\]^_"),
        "ctrl+@",
        "shift+tab",
        *(f"shift+{name}" for name in _CURSOR),
        *(f"ctrl+shift+{name}" for name in _CURSOR),
    }
)
KEYS: frozenset[str] = _PLAIN | _CHORDS


def key_name(written: str) -> str:
    """The key that a person means by ``?``, ``ctrl+d``, ``C-d``, ``^D``, ``PgUp``, ``F5``, in Textual's name.

    Textual's own names are understood too. Letters alone keep their case: ``g`` is not ``G``. Raises KeyNameError.
    """
    rest = written if written == " " else written.strip()
    modifiers: set[str] = set()
    if len(rest) == 2 and rest[0] == "^":
        modifiers, rest = {"ctrl"}, rest[1]
    while (match := _CHORD.match(rest)) is not None and match[1].lower() in _MODIFIERS:
        modifiers.add(_MODIFIERS[match[1].lower()])
        rest = rest[match.end() :]
    base = _base(rest)
    if "shift" in modifiers and len(base) == 1 and base.isalpha() and modifiers == {"shift"}:
        modifiers, base = set(), base.upper()
    if "ctrl" in modifiers:
        base = {"space": "@", "at": "@"}.get(base, base.lower())
    # The order in which Textual writes them.
    name = "+".join([*sorted(modifiers), base])
    if base and ("alt" in modifiers or name in KEYS or (not modifiers and len(base) == 1 and base.isprintable())):
        return name
    raise KeyNameError(f"there is no key '{written}'; write a character, or a name such as ctrl+d, F5, PgUp, Space")


def _base(text: str) -> str:
    """Textual's name for a key without modifiers, "" if there is none."""
    if len(text) == 1 and text not in _NAMED:
        return character_key(text) if text.isprintable() else ""
    if text in _CHARACTERS:
        return text
    return _NAMED.get(re.sub(r"[ _-]", "", text).lower(), "")


def key_label(key: str) -> str:
    """A key, given by Textual's name, as the screen shows it and as ``key_name`` reads it back."""
    *modifiers, base = key.split("+")
    if modifiers and base == "@":
        base = "space"
    if base in _LABELS:
        shown = _LABELS[base]
    elif base in _CHARACTERS:
        shown = _CHARACTERS[base]
    else:
        shown = base.upper() if base in _NAMED else base
    return "".join(f"{modifier.capitalize()}+" for modifier in modifiers) + shown


def unusable(key: str) -> str:
    """Why a key, given by Textual's name, cannot be relied on in terminals; "" if it can."""
    if key.startswith("alt+"):
        return "terminals send Esc before it, which cannot be told from Esc on a slow line"
    return _UNUSABLE.get(key, "")
