"""The help and the key table: made from the actions and the person's keys, readable at any width."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from screen_kit import until
from textual.app import App
from textual.pilot import Pilot

from jobtui.tui.cmd_keys import keys
from jobtui.tui.screen.action import PANES, Action, Group, Pane
from jobtui.tui.screen.actions import ACTIONS
from jobtui.tui.screen.helpscreen import HelpScreen
from jobtui.tui.screen.helptext import help_text, keys_markdown, keys_text, sections
from jobtui.tui.screen.keymap import Keymap

DOCS = Path(__file__).parents[2] / "docs"


def action(id: str, key: str, help: str, group: Group, panes: tuple[Pane, ...] = PANES) -> Action:
    return Action(id, id.capitalize(), help, (key,), lambda _desk: None, group, panes)


SAMPLE = (
    action("cancel", "c", "Stop the job; asks first", "Jobs", ("table", "log")),
    action("retry", "r", "Run an ended job again, as a new attempt, with the very same spec", "Jobs", ("table",)),
    action("log.filter", "vertical_line", "Show only the lines that match", "Log", ("log",)),
    action("log.search", "slash", "Search in the log", "Log", ("log",)),
    action("down", "down", "One down", "Move"),
    action("tick", "grave_accent", "Odd in Markdown", "View"),
    action("palette", "colon", "Find an action by its name", "General"),
    action("help", "question_mark", "This help", "General"),
    action("quit", "q", "Close the screen", "General"),
)


def test_the_pane_that_one_is_in_comes_first_and_then_the_others() -> None:
    keymap = Keymap(SAMPLE)
    assert [section.heading for section in sections(keymap, "log")] == [
        "Log", "Move", "Jobs", "View", "General", "In the table",
    ]  # fmt: skip
    assert next(iter(sections(keymap, "table"))).heading == "Jobs"
    assert [section.heading for section in sections(keymap, "detail")][-2:] == ["In the table", "In the log"]


def test_the_help_shows_the_persons_own_keys() -> None:
    keymap = Keymap(SAMPLE, overrides={"cancel": ["F9", "ctrl+k"], "tick": []})
    rows = {row.title: row.keys for section in sections(keymap, "table") for row in section.rows}
    assert rows["Cancel"] == "F9 Ctrl+k"
    assert rows["Tick"] == "(none)"
    assert rows["Down"] == "↓"


@pytest.mark.parametrize("pane", PANES)
def test_every_action_is_in_the_help_once(pane: Pane) -> None:
    titles = [row.title for section in sections(Keymap(SAMPLE), pane) for row in section.rows]
    assert sorted(titles) == sorted(each.title for each in SAMPLE)


@settings(max_examples=60)
@given(st.integers(-3, 250), st.sampled_from(PANES))
def test_the_help_fits_into_any_width_and_nothing_is_lost(width: int, pane: Pane) -> None:
    text = help_text(sections(Keymap(SAMPLE), pane), width)
    assert all(cell_len(line) <= max(40, width) for line in text.plain.splitlines())
    for each in SAMPLE:
        assert all(word in text.plain for word in each.help.split())


def test_there_are_two_columns_where_there_is_room() -> None:
    parts = sections(Keymap(SAMPLE), "log")
    narrow, wide = help_text(parts, 74).plain.splitlines(), help_text(parts, 150).plain.splitlines()
    assert len(wide) < len(narrow)
    assert any(cell_len(line) > 80 for line in wide)


def test_the_text_of_the_command_names_keys_ids_and_words() -> None:
    lines = keys_text(Keymap(SAMPLE)).splitlines()
    assert lines[0] == "Jobs"
    assert lines[1].split() == ["c", "cancel", "Stop", "the", "job;", "asks", "first"]


def test_markdown_has_a_row_for_each_action_with_its_keys_in_each_preset() -> None:
    text = keys_markdown(SAMPLE)
    assert "| `cancel` | `c` | `Ctrl+d` | `c` | table, log | Stop the job; asks first |" in text
    assert "| `log.filter` | `\\|` | `\\|` | `F4` `\\` `&` | log |" in text
    assert "| `tick` | `` ` `` |" in text
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == len(SAMPLE)
    assert {line.replace("\\|", "").count("|") for line in rows} == {7}


def test_the_documentation_of_the_keys_is_up_to_date() -> None:
    assert (DOCS / "keys.md").read_text() == keys_markdown(ACTIONS), "run: jobtui keys --markdown > docs/keys.md"


def test_the_command_prints_the_persons_keys_and_what_is_wrong_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "jobtui").mkdir()
    (tmp_path / "jobtui" / "config.toml").write_text('[keys]\ncancel = "F12"\nfly = "x"\n')
    done = CliRunner().invoke(keys, [])
    assert done.exit_code == 0
    assert re.search(r"^  F12 +cancel ", done.output, re.MULTILINE)
    assert "there is no action 'fly'" in done.stderr


def test_keys_settings_and_words_are_known_without_loading_the_screen() -> None:
    modules = ["keymap", "config", "uistate", "helptext", "notify", "entries"]
    program = "".join(f"import jobtui.tui.screen.{module}\n" for module in modules)
    subprocess.run([sys.executable, "-c", f"{program}import sys\nassert 'textual' not in sys.modules"], check=True)


# -- the dialog


class Empty(App[None]):
    """Nothing but dialogs."""


def in_app(body: Callable[[Empty, Pilot[None]], Awaitable[None]], size: tuple[int, int] = (80, 24)) -> None:
    async def run() -> None:
        app = Empty(ansi_color=True)
        app.animation_level = "none"
        async with app.run_test(size=size) as pilot:
            await body(app, pilot)

    asyncio.run(run())


def lines(app: Empty) -> list[str]:
    return [strip.text for strip in app.screen._compositor.render_strips()]


def test_the_help_is_searched_as_one_types_and_escape_goes_back_step_by_step() -> None:
    async def body(app: Empty, pilot: Pilot[None]) -> None:
        await app.push_screen(HelpScreen(Keymap(SAMPLE), "table"))
        await pilot.pause()
        await until(pilot, lambda: "Keys in the table" in "\n".join(lines(app)))
        await pilot.press("slash", *"sea")
        await pilot.pause()
        text = "\n".join(lines(app))
        assert "Search in the log" in text and "Stop the job" not in text
        await pilot.press("escape")
        await pilot.pause()
        await until(pilot, lambda: "Stop the job" in "\n".join(lines(app)))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, HelpScreen))

    in_app(body)


def test_the_help_scrolls_with_the_usual_keys_and_closes_with_its_own() -> None:
    async def body(app: Empty, pilot: Pilot[None]) -> None:
        await app.push_screen(HelpScreen(Keymap(SAMPLE), "table"))
        await pilot.pause()
        await until(pilot, lambda: not any("Quitting closes" in line for line in lines(app)))
        await pilot.press("G")
        await pilot.pause()
        await until(pilot, lambda: any("Quitting closes" in line for line in lines(app)))
        await pilot.press("g")
        await pilot.pause()
        await until(pilot, lambda: not any("Quitting closes" in line for line in lines(app)))
        await pilot.press("question_mark")
        await until(pilot, lambda: not isinstance(app.screen, HelpScreen))

    in_app(body, (60, 15))


@pytest.mark.parametrize("size", [(1, 1), (250, 60)])
def test_the_help_opens_at_any_size(size: tuple[int, int]) -> None:
    async def body(app: Empty, pilot: Pilot[None]) -> None:
        await app.push_screen(HelpScreen(Keymap(SAMPLE), "log"))
        await pilot.pause()
        await until(pilot, lambda: isinstance(app.screen, HelpScreen) and len(lines(app)) == size[1])

    in_app(body, size)
