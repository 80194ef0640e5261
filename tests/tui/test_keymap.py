"""Keys: their names as people write them, presets, remapping, and what a person's mistakes lead to."""

from __future__ import annotations

import string
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._xterm_parser import XTermParser

from jobtui.tui.screen.action import PANES, Action, Pane
from jobtui.tui.screen.keymap import Keymap
from jobtui.tui.screen.keynames import KEYS, KeyNameError, character_key, key_label, key_name, unusable
from jobtui.tui.screen.presets import PRESETS


def action(id: str, *keys: str, panes: tuple[Pane, ...] = PANES) -> Action:
    return Action(id, id.capitalize(), f"Does {id}", keys, lambda _desk: None, "General", panes)


SAMPLE = (
    action("cancel", "c", panes=("table", "log")),
    action("signal", "X", panes=("table",)),
    action("retry", "r", panes=("table",)),
    action("detail", "d"),
    action("filter", "slash", panes=("table",)),
    action("log.search", "slash", panes=("log",)),
    action("page-down", "pagedown", "ctrl+d"),
    action("palette", "colon", "ctrl+p"),
    action("help", "question_mark", "f1"),
    action("quit", "q", "ctrl+c"),
)


def ids(keymap: Keymap, key: str) -> list[str]:
    return [found.id if (found := keymap.find(key, pane)) else "" for pane in PANES]


# -- names


def sent(text: str) -> str:
    """The name that Textual gives to what a terminal sends."""
    (token,) = XTermParser().feed(text)
    return token.key


def test_characters_have_the_names_that_textual_gives_to_what_a_terminal_sends() -> None:
    for char in string.ascii_letters + string.digits + string.punctuation + " éß":
        assert character_key(char) == sent(char), char
        assert key_name(char) == sent(char), char


@pytest.mark.parametrize(
    ("written", "bytes"),
    [
        ("ctrl+d", "\x04"),
        ("Ctrl-D", "\x04"),
        ("C-d", "\x04"),
        ("^D", "\x04"),
        ("?", "?"),
        ("question_mark", "?"),
        ("F5", "\x1b[15~"),
        ("f10", "\x1b[21~"),
        ("PgUp", "\x1b[5~"),
        ("page-down", "\x1b[6~"),
        ("Page Down", "\x1b[6~"),
        ("space", " "),
        (" ", " "),
        ("shift+tab", "\x1b[Z"),
        ("S-Tab", "\x1b[Z"),
        ("G", "G"),
        ("shift+g", "G"),
        ("g", "g"),
        ("Return", "\r"),
        ("Del", "\x1b[3~"),
        ("↑", "\x1b[A"),
        ("ctrl+\\", "\x1c"),
        ("ctrl+space", "\x00"),
        ("ctrl+right", "\x1b[1;5C"),
        ("Home", "\x1b[H"),
    ],
)
def test_keys_are_understood_as_people_write_them(written: str, bytes: str) -> None:
    assert key_name(written) == sent(bytes)


@pytest.mark.parametrize("written", ["", "ctrl+", "hyper+x", "F25", "pgupp", "shift+5", "ctrl+é", "ab", "\n", "ctrl+1"])
def test_what_is_no_key_is_refused_in_words(written: str) -> None:
    with pytest.raises(KeyNameError, match="there is no key"):
        key_name(written)


def test_every_key_reads_back_from_its_label_and_is_one_that_terminals_send() -> None:
    known = {str(key.value) for keys in ANSI_SEQUENCES_KEYS.values() if isinstance(keys, tuple) for key in keys}
    characters = {sent(char) for char in string.printable if char.isprintable()}
    for key in KEYS:
        assert key_name(key_label(key)) == key
        assert key in known | characters or unusable(key), key


def test_labels_are_what_is_printed_on_keyboards() -> None:
    names = ["question_mark", "ctrl+d", "pageup", "f5", "shift+tab", "G", "ctrl+@", "escape", "up"]
    assert [key_label(name) for name in names] == [
        "?", "Ctrl+d", "PgUp", "F5", "Shift+Tab", "G", "Ctrl+Space", "Esc", "↑",
    ]  # fmt: skip


@given(st.text())
def test_any_text_is_a_key_or_refused(written: str) -> None:
    try:
        key = key_name(written)
    except KeyNameError:
        return
    assert key_name(key_label(key)) == key or unusable(key)


# -- the map


def test_a_key_may_stand_for_something_else_in_each_pane() -> None:
    keymap = Keymap(SAMPLE)
    assert ids(keymap, "slash") == ["filter", "log.search", ""]
    assert ids(keymap, "c") == ["cancel", "cancel", ""]
    assert keymap.find("F", "table") is None
    assert keymap.problems == ()


def test_footers_and_help_ask_for_an_actions_keys() -> None:
    keymap = Keymap(SAMPLE, overrides={"help": ["F2", "?"], "retry": []})
    assert keymap.label("help") == "F2"
    assert keymap.keys("help", "log") == ("f2", "question_mark")
    assert keymap.label("retry") == ""
    assert keymap.label("signal", "table") == "X"
    assert keymap.label("signal", "log") == ""
    assert keymap.problems == ()


def test_an_override_takes_the_key_from_a_default_and_says_who_has_none_now() -> None:
    keymap = Keymap(SAMPLE, overrides={"retry": ["d"]})
    assert ids(keymap, "d") == ["retry", "detail", "detail"]
    assert ids(keymap, "r") == ["", "", ""]
    assert keymap.problems == ()
    (problem,) = Keymap(SAMPLE, overrides={"detail": ["r"]}).problems
    assert problem == "retry has no key any more: r is detail now; give it another one"


def test_two_overrides_for_one_key_are_told_with_the_pane_where_they_clash() -> None:
    keymap = Keymap(SAMPLE, overrides={"retry": ["F5"], "cancel": ["f5", "K"]})
    assert ids(keymap, "f5") == ["cancel", "cancel", ""]
    assert keymap.problems == (
        "F5 stands for both cancel and retry in your configuration (in the table); cancel has it",
    )


@pytest.mark.parametrize(
    ("id", "key", "words"),
    [
        ("cancle", "x", "there is no action 'cancle'; did you mean 'cancel'?"),
        ("fly", "x", "there is no action 'fly'; the help"),
        ("cancel", "ctrl+k+k", "cancel: there is no key 'ctrl+k+k'"),
        ("cancel", "ctrl+s", "cancel: Ctrl+s cannot be used, terminals take it to stop"),
        ("cancel", "ctrl+a", "GNU screen"),
        ("cancel", "ctrl+b", "tmux"),
        ("cancel", "ctrl+i", "as Tab"),
        ("cancel", "ctrl+[", "as Esc"),
        ("cancel", "ctrl+space", "input methods"),
        ("cancel", "alt+c", "Alt+c cannot be used, terminals send Esc before it"),
        ("cancel", "M-c", "Esc before it"),
        ("cancel", "a\nb", r"there is no key 'a\nb'"),
        ("cancel", "backspace", "must not destroy"),
        ("signal", "Del", "must not destroy"),
    ],
)
def test_a_mistake_is_told_in_one_line_and_the_default_stays(id: str, key: str, words: str) -> None:
    keymap = Keymap(SAMPLE, overrides={id: [key]})
    (problem,) = keymap.problems
    assert words in problem
    assert ids(keymap, "c") == ["cancel", "cancel", ""]
    assert keymap.label("signal") == "X"


def test_backspace_may_do_what_does_no_harm() -> None:
    assert ids(Keymap(SAMPLE, overrides={"detail": ["Backspace"]}), "backspace") == ["detail"] * 3


@pytest.mark.parametrize("id", ["quit", "help", "palette"])
def test_nobody_is_locked_in(id: str) -> None:
    keymap = Keymap(SAMPLE, overrides={id: []})
    assert all(keymap.keys(id, pane) for pane in PANES)
    assert f"{id} must have a key" in keymap.problems[0]
    everything: dict[str, list[str]] = {
        "cancel": ["q", "^C", "?", "F1", ":", "^P"],
        "quit": [],
        "help": [],
        "palette": [],
    }
    greedy = Keymap(SAMPLE, overrides=everything)
    assert all(greedy.keys(id, pane) for pane in PANES)


def test_presets_hold_only_what_the_screen_has_and_give_way_to_overrides() -> None:
    keymap = Keymap(SAMPLE, "k9s", {"detail": ["i"]})
    assert ids(keymap, "ctrl+d") == ["cancel", "cancel", ""]
    assert keymap.label("detail") == "i"
    assert keymap.label("page-down", "table") == "PgDn"
    assert keymap.problems == ()
    assert ids(Keymap(SAMPLE, "htop"), "f9")[0] == "signal"
    unknown = Keymap(SAMPLE, "emacs")
    assert unknown.problems == ("there is no preset 'emacs'; there are default, k9s, htop",)
    assert ids(unknown, "c")[0] == "cancel"


def test_presets_use_only_keys_that_can_be_used() -> None:
    for preset in PRESETS.values():
        for keys in preset.values():
            assert all(key in KEYS and not unusable(key) for key in keys)


KEY_TEXTS = st.sampled_from(sorted(map(key_label, KEYS))) | st.text(max_size=3)


@given(
    st.sampled_from(sorted(PRESETS)),
    st.dictionaries(st.sampled_from([a.id for a in SAMPLE]) | st.text(max_size=6), st.lists(KEY_TEXTS, max_size=3)),
)
def test_whatever_is_configured_there_is_a_way_out_and_no_harm(preset: str, overrides: dict[str, list[str]]) -> None:
    keymap = Keymap(SAMPLE, preset, overrides)
    for id in ("quit", "help", "palette"):
        assert all(keymap.keys(id, pane) for pane in PANES)
    assert not {"backspace", "delete"} & {*keymap.keys("cancel"), *keymap.keys("signal")}
    for each in keymap.actions:
        for key in keymap.keys(each.id):
            found = [keymap.find(key, pane) for pane in each.panes]
            assert each in found
    assert all(problem.replace("\u200d", "").isprintable() for problem in keymap.problems)


def registry() -> tuple[Action, ...]:
    actions: tuple[Action, ...] = import_module("jobtui.tui.screen.actions").ACTIONS
    if not isinstance(actions[0], Action):
        pytest.skip("the registry is not made of the common record")
    return actions


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_the_screens_own_keys_and_presets_are_without_mistakes(preset: str) -> None:
    actions = registry()
    assert Keymap(actions, preset).problems == ()
    assert set(PRESETS[preset]) <= {each.id for each in actions}
    assert all(key in KEYS and not unusable(key) for each in actions for key in each.keys)
