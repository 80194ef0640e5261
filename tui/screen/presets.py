"""The key presets: for those who have other programs in their fingers. Only what differs from the default keys."""

from __future__ import annotations

from collections.abc import Mapping

Preset = Mapping[str, tuple[str, ...]]

# Keys in Textual's names, as in the actions. A key that a preset gives away is taken from its default action.
_K9S: Preset = {
    "cancel": ("ctrl+d",),
    "signal": ("ctrl+k",),
    "page-down": ("pagedown", "ctrl+f"),
    "page-up": ("pageup", "ctrl+u"),
    "detail": ("d", "y"),
    "copy": ("c",),
    "columns": ("ctrl+w", "C"),
    "unmark": ("escape", "ctrl+backslash"),
    "zoom": ("z", "f"),
    "log.follow": ("s", "F"),
    "log.attempt-previous": ("p",),
    "pager": ("ctrl+o",),
    "filters": ("Z",),
    "half-up": (),
    "half-down": (),
}
_HTOP: Preset = {
    "help": ("f1", "h", "question_mark"),
    "columns": ("f2", "C"),
    "filter": ("f4", "backslash", "f3", "slash"),
    "log.search": ("f3", "slash"),
    "log.filter": ("f4", "backslash", "ampersand"),
    "expand": ("f5", "t"),
    "refresh": ("ctrl+l", "R", "ctrl+r"),
    "sort": ("f6", "full_stop", "S"),
    "priority": ("f7", "f8"),
    "signal": ("f9", "k"),
    "quit": ("f10", "q"),
    "unmark": ("U", "escape"),
    "release": ("u",),
    "pause": ("Z", "P"),
    "up": ("up",),
    "down": ("down",),
    "left": ("left",),
    "right": ("right",),
}
PRESETS: Mapping[str, Preset] = {"default": {}, "k9s": _K9S, "htop": _HTOP}
