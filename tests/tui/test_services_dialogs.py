"""Palette, menus, copy dialog and command log: what is found, what is refused, and that data stays data."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screen_kit import until
from textual.app import App
from textual.pilot import Pilot
from textual.screen import ModalScreen

from jobtui.core.filters import parse_ids
from jobtui.tui.screen.action import PANES, Action, Pane
from jobtui.tui.screen.chooser import Chooser, Copyable, CopyDialog, run_entry
from jobtui.tui.screen.commandlog import CommandLogScreen
from jobtui.tui.screen.commands import CommandLog, command_line
from jobtui.tui.screen.entries import Entry, ranked
from jobtui.tui.screen.keymap import Keymap
from jobtui.tui.screen.palette import Palette, action_entries


def entry(title: str, hint: str = "", key: str = "", refusal: str = "", id: str = "") -> Entry:
    return Entry(title, hint, key, refusal, lambda: None, id)


# -- what a typed text means


SAMPLE = (
    entry("Cancel", "Stop the job", "c", id="cancel"),
    entry("Clear", "Take all marks away", "Esc", id="unmark"),
    entry("Next error", "To the next line that tells of an error", "]", id="log.next-error"),
    entry("Retry", "Run an ended job again", "r", "it has not ended yet", id="retry"),
    entry("Submit again", "The same as a new job", "s", id="resubmit"),
)


def found(typed: str) -> list[str]:
    return [each.title for each in ranked(SAMPLE, typed)]


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("can", "Cancel"),
        ("RETRY", "Retry"),
        ("error next", "Next error"),
        ("again", "Submit again"),
        ("unmark", "Clear"),
        ("resub", "Submit again"),
        ("nxer", "Next error"),
        ("marks", "Clear"),
    ],
)
def test_a_part_of_the_name_the_id_or_the_help_finds_an_entry(typed: str, first: str) -> None:
    assert found(typed)[0] == first


def test_without_a_text_all_are_there_in_order_and_nonsense_finds_none() -> None:
    assert found("  ") == [each.title for each in SAMPLE]
    assert found("zzz") == []
    assert found("cancel zzz") == []


@given(st.text(max_size=12))
def test_typing_more_never_finds_more(typed: str) -> None:
    assert set(found(typed)) >= set(found(typed + "e"))


# -- on the screen


class Host(App[None]):
    """Nothing but dialogs."""


def with_dialog(
    dialog: ModalScreen[Entry | None] | CommandLogScreen,
    body: Callable[[Host, Pilot[None]], Awaitable[None]],
    size: tuple[int, int] = (80, 24),
) -> None:
    async def run() -> None:
        app = Host(ansi_color=True)
        app.animation_level = "none"
        async with app.run_test(size=size) as pilot:
            if isinstance(dialog, CommandLogScreen):
                await app.push_screen(dialog)
            else:
                await app.push_screen(dialog, run_entry)
            await pilot.pause()
            await body(app, pilot)

    asyncio.run(run())


def text(app: Host) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def line(app: Host, part: str) -> str:
    return next((each for each in text(app).splitlines() if part in each), "")


def test_the_palette_runs_what_was_typed_and_chosen() -> None:
    ran: list[str] = []
    entries = [Entry(name, f"does {name}", "", "", lambda name=name: ran.append(name)) for name in ("Alpha", "Beta")]

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press(*"bet")
        await pilot.pause()
        await until(pilot, lambda: "does Beta" in text(app) and "does Alpha" not in text(app))
        await pilot.press("enter")
        await pilot.pause()
        await until(pilot, lambda: ran == ["Beta"])
        await until(pilot, lambda: not isinstance(app.screen, Palette))

    with_dialog(Palette(entries), body)


def test_the_palette_shows_entries_in_a_few_lines_too() -> None:
    async def body(app: Host, pilot: Pilot[None]) -> None:
        assert "Cancel" in text(app)
        await pilot.press("down")
        await pilot.pause()
        await until(pilot, lambda: "Clear" in text(app))

    with_dialog(Palette(SAMPLE), body, (30, 7))


def test_the_palette_moves_with_arrows_and_escape_runs_nothing() -> None:
    ran: list[str] = []
    entries = [Entry(name, "", "", "", lambda name=name: ran.append(name)) for name in ("Alpha", "Beta", "Jota")]

    async def body(app: Host, pilot: Pilot[None]) -> None:
        # Letters that move elsewhere are text here.
        await pilot.press("j")
        await pilot.pause()
        await until(pilot, lambda: "Jota" in text(app) and "Alpha" not in text(app))
        await pilot.press("backspace", "down", "escape")
        await pilot.pause()
        await until(pilot, lambda: ran == [] and not isinstance(app.screen, Palette))

    with_dialog(Palette(entries), body)


def test_a_refused_entry_says_why_and_does_nothing() -> None:
    ran: list[str] = []
    entries = [Entry("Retry", "Run again", "r", "it has not ended yet", lambda: ran.append("retry"))]

    async def body(app: Host, pilot: Pilot[None]) -> None:
        assert "it has not ended yet" in line(app, "Retry")
        await pilot.press("enter")
        await pilot.pause()
        await until(pilot, lambda: "Retry: it has not ended yet" in text(app))
        await until(pilot, lambda: isinstance(app.screen, Palette) and ran == [])

    with_dialog(Palette(entries), body)


def test_a_menus_entries_have_keys_and_can_be_clicked() -> None:
    ran: list[str] = []
    entries = [
        Entry("One", "", "1", "", lambda: ran.append("one")),
        Entry("Kay", "", "k", "", lambda: ran.append("kay")),
        Entry("Far", "", "F5", "", lambda: ran.append("far")),
    ]

    async def press(app: Host, pilot: Pilot[None], *keys: str) -> None:
        await app.push_screen(Chooser("Pick", entries), run_entry)
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause()

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press("1")
        await press(app, pilot, "k")
        await press(app, pilot, "f5")
        await press(app, pilot, "j", "enter")
        await press(app, pilot, "q")
        assert ran == ["one", "kay", "far", "kay"]
        await press(app, pilot)
        y = next(number for number, each in enumerate(text(app).splitlines()) if "Far" in each)
        await pilot.click(offset=(20, y))
        await pilot.pause()
        await until(pilot, lambda: ran[-1:] == ["far"])

    with_dialog(Chooser("Pick", entries), body)


def test_a_long_list_scrolls_with_the_cursor_and_stays_in_small_terminals() -> None:
    entries = [entry(f"Entry {number}") for number in range(100)]

    async def body(app: Host, pilot: Pilot[None]) -> None:
        await pilot.press("down", *["pagedown"] * 3)
        await pilot.pause()
        await until(pilot, lambda: "Entry 31" in text(app) and "Entry 1 " not in text(app))
        await pilot.press("up", *["pageup"] * 4)
        await pilot.resize_terminal(1, 1)
        await pilot.resize_terminal(40, 12)
        await pilot.pause()
        await until(pilot, lambda: "Entry 0" in text(app))

    with_dialog(Chooser("Many", entries), body)


def test_the_copy_dialog_shows_what_there_is_as_data_and_gives_back_the_choice() -> None:
    copied: list[str] = []
    choices = [
        Copyable("the job's id", "12", lambda: "12"),
        Copyable("the command", "echo \x1b]0;evil\x07[bold]red", lambda: "echo"),
        Copyable("the last lines", "", lambda: ""),
    ]

    async def body(app: Host, pilot: Pilot[None]) -> None:
        assert "12" in line(app, "The job's id")
        assert "\\x1b]0;evil\\x07[bold]red" in line(app, "The command")
        assert "there is none" in line(app, "The last lines")
        await pilot.press("3")
        assert copied == []
        await pilot.press("2")
        await pilot.pause()
        await until(pilot, lambda: copied == ["the command"])

    with_dialog(CopyDialog(choices, lambda choice: copied.append(choice.what)), body)


def test_actions_become_entries_with_their_keys_and_reasons() -> None:
    def action(id: str, key: str, panes: tuple[Pane, ...] = PANES) -> Action:
        return Action(id, id.capitalize(), f"Does {id}", (key,), lambda _desk: None, "General", panes)

    actions = (action("wrap", "w", ("log",)), action("retry", "r"), action("help", "question_mark"))
    ran: list[str] = []
    entries = action_entries(
        Keymap(actions),
        "table",
        lambda each: "not now" if each.id == "retry" else "",
        lambda each: ran.append(each.id),
    )
    assert [(each.title, each.key, each.refusal) for each in entries] == [
        ("Help", "?", ""),
        ("Wrap", "w", "only in the log"),
        ("Retry", "r", "not now"),
    ]
    entries[0].run()
    assert ran == ["help"]


# -- the command log


@settings(max_examples=50)
@given(st.lists(st.text(min_size=1), min_size=1), st.text(min_size=1), st.sets(st.integers(1, 500), min_size=1))
def test_an_entry_is_a_command_that_a_shell_reads_back(order: list[str], workdir: str, ids: set[int]) -> None:
    words = shlex.split(command_line(workdir, order, ids))
    assert words[:-1] == ["jobtui", "-w", workdir, *order]
    assert set(parse_ids(words[-1])) == ids


def test_an_entry_names_ranges_and_the_words_of_the_order() -> None:
    assert command_line("/a b", ["signal", "USR1"], [3, 4, 5, 9]) == "jobtui -w '/a b' signal USR1 3-5,9"


def test_the_log_is_bounded() -> None:
    log = CommandLog()
    for number in range(600):
        log.add(f"jobtui cancel {number}", "done")
    assert len(log.entries) == 500
    assert log.entries[-1].command == "jobtui cancel 599"


def test_the_command_log_shows_the_newest_last_and_copies_what_is_shown() -> None:
    log = CommandLog()
    copied: list[str] = []
    for number in range(40):
        log.add(f"jobtui -w /x cancel {number}", f"job {number} \x1b[2Jcancelled")

    async def body(app: Host, pilot: Pilot[None]) -> None:
        assert "cancel 39" in text(app) and "cancel 3\n" not in text(app)
        assert "\\x1b[2J" in text(app)
        await pilot.press("slash", *"17", "enter")
        await pilot.pause()
        await until(pilot, lambda: "cancel 17" in text(app) and "cancel 39" not in text(app))
        await pilot.press("y")
        await until(pilot, lambda: copied == ["jobtui -w /x cancel 17"])
        await pilot.press("escape", "escape")
        await until(pilot, lambda: not isinstance(app.screen, CommandLogScreen))

    with_dialog(CommandLogScreen(log, copied.append), body)


def test_an_empty_command_log_says_so() -> None:
    async def body(app: Host, pilot: Pilot[None]) -> None:
        assert "Nothing was ordered yet." in text(app)

    with_dialog(CommandLogScreen(CommandLog(), lambda _: None), body)
