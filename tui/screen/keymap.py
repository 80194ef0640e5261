"""Which key does what: the actions' default keys, a preset, and the person's own choice, checked for mistakes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from ..text import plain
from .action import PANES, Action, Pane
from .keynames import KeyNameError, key_label, key_name, unusable
from .presets import PRESETS

# Without these a person would be locked in.
_KEPT = ("quit", "help", "palette")
# Backspace and Del are pressed to correct a slip, never to destroy.
_DESTRUCTIVE = frozenset({"cancel", "signal", "remove"})
_CORRECTING = frozenset({"backspace", "delete"})


class Keymap:
    """The keys of all actions as one person has them.

    ``problems``: what is wrong with the preset and the overrides, one line each, in words for that person.
    """

    def __init__(
        self,
        actions: Sequence[Action],
        preset: str = "default",
        overrides: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Give each action its keys: from ``overrides`` (keys as people write them), the preset, or its default.

        A key that two want goes to the override, then to the preset, then to the action that comes first.
        """
        self.actions = tuple(actions)
        self._by_id = {action.id: action for action in self.actions}
        self._problems: list[str] = []
        self._taken: dict[tuple[str, Pane], Action] = {}
        chosen = self._chosen(overrides or {})
        usual = PRESETS.get(preset)
        if usual is None:
            self._tell(f"there is no preset '{preset}'; there are {', '.join(PRESETS)}")
            usual = PRESETS["default"]
        self._give(chosen, "in your configuration")
        usual = {id: keys for id, keys in usual.items() if id not in chosen}
        self._give(usual, f"in the preset {preset}")
        rest = {action.id: action.keys for action in self.actions if action.id not in chosen and action.id not in usual}
        self._give(rest, "by default")
        self._keep_ways_out()
        self._tell_keyless({**rest, **usual})
        self.problems = tuple(self._problems)

    # -- questions

    def find(self, key: str, pane: Pane) -> Action | None:
        """The action of a key (in Textual's name) in a pane."""
        return self._taken.get((key, pane))

    def keys(self, action: str, pane: Pane | None = None) -> tuple[str, ...]:
        """The keys, in Textual's names, that reach an action: in one pane, or in any."""
        panes = PANES if pane is None else (pane,)
        found = (key for (key, where), taker in self._taken.items() if taker.id == action and where in panes)
        return tuple(dict.fromkeys(found))

    def label(self, action: str, pane: Pane | None = None) -> str:
        """The first key of an action as the screen shows it, "" if it has none."""
        return next(map(key_label, self.keys(action, pane)), "")

    # -- building

    def _tell(self, problem: str) -> None:
        # Whatever was written in the configuration, a problem is one line.
        self._problems.append(plain(problem))

    def _chosen(self, overrides: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
        """The overrides that can be followed, in Textual's names."""
        chosen: dict[str, tuple[str, ...]] = {}
        for id, written in overrides.items():
            if id not in self._by_id:
                self._tell(f"there is no action '{id}'{_nearest(id, self._by_id)}")
                continue
            keys = tuple(key for text in written if (key := self._usable(id, text)))
            # An empty list takes an action's keys away; a list of mistakes does not.
            if keys or not written:
                chosen[id] = keys
        return chosen

    def _usable(self, id: str, written: str) -> str:
        """The key that is meant, or "" and a problem told."""
        try:
            key = key_name(written)
        except KeyNameError as error:
            self._tell(f"{id}: {error}")
            return ""
        if why := unusable(key):
            self._tell(f"{id}: {key_label(key)} cannot be used, {why}")
            return ""
        if id in _DESTRUCTIVE and key in _CORRECTING:
            self._tell(f"{id}: {key_label(key)} cannot be used, a slip of the finger must not destroy")
            return ""
        return key

    def _give(self, wanted: Mapping[str, Sequence[str]], where: str) -> None:
        """Give the keys that are still free; two that want one at the same time are a mistake."""
        before = set(self._taken)
        for action in self.actions:
            clashes: dict[tuple[str, str], list[Pane]] = {}
            for key in wanted.get(action.id, ()):
                for pane in action.panes:
                    if (key, pane) not in self._taken:
                        self._taken[key, pane] = action
                    elif (key, pane) not in before and self._taken[key, pane] is not action:
                        clashes.setdefault((key, self._taken[key, pane].id), []).append(pane)
            for (key, first), panes in clashes.items():
                self._tell(
                    f"{key_label(key)} stands for both {first} and {action.id} {where} "
                    f"(in the {' and the '.join(panes)}); {first} has it"
                )

    def _keep_ways_out(self) -> None:
        """Give the actions that nobody can do without a key in each pane, whatever was chosen."""
        for action in (self._by_id[id] for id in _KEPT if id in self._by_id):
            bare: list[Pane] = [pane for pane in action.panes if not self.keys(action.id, pane)]
            for pane in bare:
                free = (key for key in action.keys if (key, pane) not in self._taken)
                self._taken[next(free, action.keys[0]), pane] = action
            if bare:
                self._tell(
                    f"{action.id} must have a key in the {' and the '.join(bare)}; it keeps "
                    f"{self.label(action.id, bare[0])}"
                )

    def _tell_keyless(self, wanted: Mapping[str, Sequence[str]]) -> None:
        """Name the actions whose keys were all given to others."""
        for action in self.actions:
            if wanted.get(action.id) and not self.keys(action.id):
                key = wanted[action.id][0]
                taker = self._taken[key, action.panes[0]].id
                self._tell(f"{action.id} has no key any more: {key_label(key)} is {taker} now; give it another one")


def _nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean ...?``, or where to look."""
    near = get_close_matches(word, list(known), 1)
    return f"; did you mean '{near[0]}'?" if near else "; the help (?) and docs/keys.md name them all"
