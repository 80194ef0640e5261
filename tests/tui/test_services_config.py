"""The person's configuration and what the screen remembers: any file may be there, and none does harm."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobtui.core.settings import config_path
from jobtui.tui.screen.config import Config, NotifySettings, ScreenSettings, parse_config, read_config
from jobtui.tui.screen.uistate import (
    StateFile,
    UIState,
    add_entry,
    choose,
    in_force,
    read_state,
    state_path,
)

DOCS = Path(__file__).parents[2] / "docs"


def written(tmp_path: Path, text: str | bytes) -> Config:
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_config(str(path))


# -- configuration


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert read_config(str(tmp_path / "none.toml")) == Config()


def test_the_file_is_the_one_that_the_engine_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    os.makedirs(os.path.dirname(config_path()))
    Path(config_path()).write_text('[engine]\nslots = 4\n[screen]\ntheme = "light"\n')
    assert read_config() == Config(screen=ScreenSettings(theme="light"))


def test_all_tables_are_read(tmp_path: Path) -> None:
    config = written(
        tmp_path,
        """
        [screen]
        preset = "htop"
        mouse = false
        fps = 5
        [keys]
        cancel = "ctrl+k"
        help = ["F1", "?"]
        retry = []
        log.follow = "F"
        "log.next" = ["n"]
        [notify]
        when = "failed"
        min_seconds = 60
        [filters]
        bad = "state:failed elapsed>1h"
        """,
    )
    assert config == Config(
        ScreenSettings(preset="htop", mouse=False, fps=5),
        NotifySettings(when="failed", min_seconds=60.0),
        {"cancel": ("ctrl+k",), "help": ("F1", "?"), "retry": (), "log.follow": ("F",), "log.next": ("n",)},
        {"bad": "state:failed elapsed>1h"},
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[screen]\ntheme = 'blue'", '[screen] theme: write "terminal", "dark", "light" or "mono"'),
        ("[screen]\nmouse = 'yes'", "[screen] mouse: write true or false"),
        ("[screen]\nfps = 0", "[screen] fps: write a whole number from 1 to 30"),
        ("[screen]\nthem = 'dark'", "[screen] them: there is no such setting; did you mean 'theme'?"),
        ("[notify]\nmin_seconds = -1", "[notify] min_seconds: write a number from 0"),
        ("[scren]\n", "[scren]: there is no such table; did you mean 'screen'?"),
        ("screen = 3", "screen: write a table, [screen]"),
        ("[keys]\ncancel = 3", '[keys] cancel: write a key or a list of keys, such as "x" or ["x", "F5"]'),
        ("[filters]\nold = 'age:3'", "[filters] old: 'age' cannot be filtered by"),
        ("[filters]\nold = 3", "[filters] old: write a filter in quotes"),
        ("[screen", "the defaults are used"),
        (b"\xff\xfe", "the defaults are used"),
    ],
)
def test_a_mistake_is_one_line_with_file_and_key_and_the_rest_is_used(
    tmp_path: Path, text: str | bytes, problem: str
) -> None:
    config = written(tmp_path, text)
    (line,) = config.problems
    assert line.startswith(f"{tmp_path}/config.toml: ")
    assert problem in line
    assert line.isprintable()
    assert msgspec.structs.replace(config, problems=()) == Config()


def test_one_mistake_does_not_take_the_other_settings_with_it(tmp_path: Path) -> None:
    config = written(tmp_path, "[screen]\ntheme = 'blue'\nfps = 4\n[filters]\na = 'x:1'\nb = 'state:failed'\n")
    assert config.screen == ScreenSettings(fps=4)
    assert config.filters == {"b": "state:failed"}
    assert len(config.problems) == 2


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (problem,) = read_config(str(tmp_path)).problems
    assert "directory" in problem


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    [
        "screen",
        "keys",
        "notify",
        "filters",
        "engine",
        *ScreenSettings.__struct_fields__,
        *NotifySettings.__struct_fields__,
    ]
)


@settings(max_examples=40)
@given(st.dictionaries(NAMES | st.text(max_size=8), st.dictionaries(NAMES | st.text(max_size=8), VALUES) | VALUES))
def test_any_content_gives_a_configuration(tables: dict[str, Any]) -> None:
    config = parse_config(tables)
    assert msgspec.convert(msgspec.to_builtins(config.screen), ScreenSettings) == config.screen
    assert all(isinstance(key, str) for keys in config.keys.values() for key in keys)


def test_the_documentation_has_every_setting_with_its_default() -> None:
    text = (DOCS / "config.md").read_text()
    examples = [tomllib.loads(example) for example in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)]
    assert all(parse_config(example).problems == () for example in examples)
    tables = examples[0]
    config = parse_config(tables)
    assert (config.screen, config.notify) == (ScreenSettings(), NotifySettings())
    assert set(tables["screen"]) == set(ScreenSettings.__struct_fields__)
    assert set(tables["notify"]) == set(NotifySettings.__struct_fields__)
    for name in (*ScreenSettings.__struct_fields__, *NotifySettings.__struct_fields__):
        assert f"| `{name}` |" in text


# -- what is remembered


FULL = UIState(
    columns=("id", "name"),
    sort=(("state", True), ("id", False)),
    histories={"filter": ("a", "b")},
    split=30,
    stream="merged",
    wrap=True,
)


def test_what_was_written_is_read_back_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    path = str(tmp_path / "new" / "screen.json")
    state = choose(FULL, "theme", "dark", "terminal")
    assert StateFile(path, UIState()).save(state) == ""
    assert read_state(path) == state
    assert os.stat(path).st_mode & 0o077 == 0
    assert os.listdir(tmp_path / "new") == ["screen.json"]


def test_it_is_kept_with_the_persons_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_path() == f"{tmp_path}/jobtui/screen.json"


def test_nothing_is_written_where_nothing_changed(tmp_path: Path) -> None:
    path = str(tmp_path / "screen.json")
    file = StateFile(path, FULL)
    assert file.save(FULL) == ""
    assert not os.path.exists(path)


def test_that_it_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    file = StateFile(str(tmp_path / "file" / "screen.json"), UIState())
    assert "cannot be written" in file.save(FULL)
    assert file.save(FULL) == ""
    os.unlink(tmp_path / "file")
    assert file.save(FULL) == ""
    assert read_state(str(tmp_path / "file" / "screen.json")) == FULL


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"columns": 3}', b"{}" + b" " * 5_000_000]
)
def test_garbage_is_forgotten(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "screen.json"
    path.write_bytes(content)
    assert read_state(str(path)) == UIState()


def test_of_a_file_of_another_version_the_known_part_is_used(tmp_path: Path) -> None:
    path = tmp_path / "screen.json"
    path.write_text(json.dumps({"sort": [["id", True]], "split": 400, "stream": "video", "news": [1], "wrap": True}))
    assert read_state(str(path)) == UIState(sort=(("id", True),), wrap=True)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(UIState.__struct_fields__) | st.text(max_size=5), VALUES))
def test_any_json_gives_a_state_that_can_be_written(tmp_path_factory: pytest.TempPathFactory, values: Any) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = folder / "any.json"
    path.write_text(json.dumps(values))
    state = read_state(str(path))
    assert StateFile(str(folder / "again.json"), FULL).save(state) == ""
    assert read_state(str(folder / "again.json")) == state


@given(st.lists(st.text(max_size=1200), max_size=80))
def test_a_history_is_bounded_without_doubles_and_ends_with_the_last_entry(texts: list[str]) -> None:
    state = UIState()
    for text in texts:
        state = add_entry(state, "filter", text)
    history = state.histories.get("filter", ())
    assert len(history) == len(set(history)) <= 50
    entered = [text.strip()[:1000] for text in texts if text.strip()]
    assert history[-1:] == tuple(entered[-1:])


def test_the_last_choice_holds_until_the_configuration_changes() -> None:
    state = choose(UIState(), "theme", "dark", "terminal")
    assert in_force(state, "theme", "terminal") == "dark"
    assert in_force(state, "theme", "light") == "light"
    assert in_force(state, "layout", "auto") == "auto"
    assert in_force(choose(state, "mouse", False, True), "mouse", True) is False
    back = choose(state, "theme", "terminal", "terminal")
    assert back == UIState()
