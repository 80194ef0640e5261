"""The help and the key table of the documentation, made from the actions and a person's own keys."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from rich.cells import cell_len
from rich.text import Text

from .action import PANES, Action, Group, Pane
from .keymap import Keymap
from .keynames import key_label
from .presets import PRESETS

# The groups that matter most in a pane stand first there.
_FIRST: dict[Pane, tuple[Group, ...]] = {
    "table": ("Jobs", "List", "Move"),
    "log": ("Log", "Move"),
    "detail": ("View", "Move"),
}
_TWO_COLUMNS = 130
_GAP = 3
_NO_KEY = "(none)"


@dataclass(frozen=True)
class HelpRow:
    """One action in the help: its keys as the screen shows them, and what it does."""

    keys: str
    title: str
    help: str


@dataclass(frozen=True)
class Section:
    """Rows under a heading."""

    heading: str
    rows: tuple[HelpRow, ...]


def sections(keymap: Keymap, pane: Pane, needle: str = "") -> list[Section]:
    """All actions, those that work in ``pane`` first, in groups; only those that ``needle`` occurs in."""
    here = [action for action in keymap.actions if pane in action.panes]
    groups = dict.fromkeys((*_FIRST[pane], *get_args(Group)))
    found = [
        Section(group, _rows(keymap, [action for action in here if action.group == group], pane, needle))
        for group in groups
    ]
    for other in PANES:
        if other == pane:
            continue
        elsewhere = [action for action in keymap.actions if pane not in action.panes and other == action.panes[0]]
        found.append(Section(f"In the {other}", _rows(keymap, elsewhere, other, needle)))
    return [section for section in found if section.rows]


def _rows(keymap: Keymap, actions: Sequence[Action], pane: Pane, needle: str) -> tuple[HelpRow, ...]:
    rows = (
        HelpRow(" ".join(map(key_label, keymap.keys(action.id, pane))) or _NO_KEY, action.title, action.help)
        for action in actions
    )
    wanted = needle.casefold()
    return tuple(row for row in rows if wanted in f"{row.keys} {row.title} {row.help}".casefold())


def help_text(parts: Sequence[Section], width: int) -> Text:
    """The sections as styled lines that fit into ``width`` columns: in two columns where there is room."""
    width = max(20, width)
    keys = max((cell_len(row.keys) for part in parts for row in part.rows), default=0)
    if width < _TWO_COLUMNS:
        return Text("\n").join(line for part in parts for line in (*_block(part, width, keys), Text()))
    half = (width - _GAP) // 2
    blocks = [[*_block(part, half, keys), Text()] for part in parts]
    left, right = _balanced(blocks)
    left += [Text()] * (len(right) - len(left))
    lines = []
    for number, line in enumerate(left):
        if number < len(right) and right[number]:
            line.pad_right(half + _GAP - line.cell_len)
            line = line + right[number]
        lines.append(line)
    return Text("\n").join(lines)


def _block(part: Section, width: int, keys: int) -> list[Text]:
    """The lines of one section, with ``keys`` columns for the keys where they do not take too much."""
    keys = min(keys, width // 3)
    lines = [Text().append(part.heading, "bold underline")]
    for row in part.rows:
        words = textwrap.wrap(row.help, max(10, width - keys - 4)) or [row.title]
        fits = cell_len(row.keys) <= keys
        first = Text("  ").append(row.keys, "bold")
        if fits:
            first.pad_right(keys - cell_len(row.keys) + 2)
            first.append(words.pop(0))
        lines.append(first)
        lines += [Text(" " * (keys + 4) + word) for word in words]
    return lines


def _balanced(blocks: Sequence[list[Text]]) -> tuple[list[Text], list[Text]]:
    """The blocks in two columns, in order, as even as they come."""

    def height(cut: int) -> int:
        return max(sum(map(len, blocks[:cut])), sum(map(len, blocks[cut:])))

    cut = min(range(len(blocks) + 1), key=height)
    return [line for block in blocks[:cut] for line in block], [line for block in blocks[cut:] for line in block]


# -- for the documentation

_MARKDOWN_HEAD = """\
# The keys of the screen

Made by `jobtui keys --markdown` from the actions themselves. Any key can be changed: put the id of the action and the
keys that you want into the table `[keys]` of your [configuration](config.md). A preset is a set of keys to start from:
`preset = "k9s"` or `preset = "htop"` in the table `[screen]`. Without a key an action is still in the command palette.
"""


def keys_markdown(actions: Sequence[Action]) -> str:
    """``docs/keys.md``: each action with its id and its keys in each preset."""
    keymaps = {preset: Keymap(actions, preset) for preset in PRESETS}
    lines = [_MARKDOWN_HEAD.rstrip()]
    for group in get_args(Group):
        members = [action for action in actions if action.group == group]
        if not members:
            continue
        lines += ["", f"## {group}", ""]
        lines.append(f"| id | {' | '.join(keymaps)} | where | what it does |")
        lines.append("|---" * (len(keymaps) + 3) + "|")
        for action in members:
            cells = [_keys_cell(keymap, action.id) for keymap in keymaps.values()]
            where = "" if action.panes == PANES else ", ".join(action.panes)
            lines.append("| " + " | ".join([f"`{action.id}`", *cells, where, _escaped(action.help)]) + " |")
    return "\n".join(lines) + "\n"


def _keys_cell(keymap: Keymap, action: str) -> str:
    return " ".join(_code(key_label(key)) for key in keymap.keys(action))


def _code(text: str) -> str:
    """Text as code in a cell of a Markdown table."""
    return f"`` {text} ``" if "`" in text else f"`{_escaped(text)}`"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def keys_text(keymap: Keymap) -> str:
    """The key table for a terminal or a pipe: key, id and words of each action, by groups."""
    lines: list[str] = []
    for group in get_args(Group):
        members = [action for action in keymap.actions if action.group == group]
        if members:
            lines += ["", group] if lines else [group]
        for action in members:
            keys = " ".join(map(key_label, keymap.keys(action.id))) or _NO_KEY
            lines.append(f"  {keys + ' ' * (18 - cell_len(keys))}  {action.id:<22}  {action.help}")
    return "\n".join(lines)
