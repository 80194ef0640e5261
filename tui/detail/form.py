"""The form for a new job: checks while one types, keeps earlier commands, and submits."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

import anyio
import anyio.to_thread
import msgspec
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from ...core.backend import without_host
from ...core.conditions import jobs_in
from ...core.job import JobSpec
from ...core.manager import JobManager
from ..celltext import one_line, words_of
from .choice import BUTTONS_CSS, Answer, ChoiceDialog
from .editing import REFUSALS, edit_spec, leave
from .fields import CommandInput, LineInput, Pick, Row
from .form_lookup import Asked, look_up
from .form_model import COMMAND, ENTRIES, Draft, draft, fits_line, preview, texts_of
from .history import Recall, add_to_history, history_path, read_history
from .scratch import Editor, Scratch
from .spec_text import write_spec

# Seconds of rest after a key before directory and jobs are looked up.
_REST = 0.15
_SEVERAL_LINES = "a command of several lines: Ctrl+E edits it"
_DISCARD = Answer("discard", "Discard it", ("y",))
_GO_ON = Answer("on", "Go on typing", ("n",))

Made = tuple[int, list[int]]


class SubmitForm(ModalScreen[Made | None]):
    """Gives back the place of the work directory (its number in ``managers``) and the new jobs' ids, or None."""

    DEFAULT_CSS = f"""
    SubmitForm {{
        align: center middle;
        .box {{ width: 100%; max-width: 110; height: 28; max-height: 100%; border: round ansi_default; padding: 0 1; }}
        .title {{ text-style: bold; margin-bottom: 1; }}
        .fields {{ height: 1fr; scrollbar-size-vertical: 1; }}
        #preview {{ height: 3; margin-top: 1; }}
        {BUTTONS_CSS}
    }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        # Before the fields get them: what is typed right behind one of these keys goes to the next field.
        Binding("shift+tab", "step(-1)", priority=True),
        Binding("tab", "step(1)", priority=True),
        Binding("up", "step_up(-1)", priority=True),
        Binding("down", "step_up(1)", priority=True),
        Binding("enter", "enter", priority=True),
        Binding("ctrl+e", "edit", priority=True),
        Binding("ctrl+o", "submit", priority=True),
        Binding("escape", "leave", priority=True),
    ]

    class Ready(Message):
        """The names of the back ends and the commands submitted before are known."""

        def __init__(self, backends: list[str], lines: list[str]) -> None:
            """Carry them."""
            super().__init__()
            self.backends, self.lines = backends, lines

    class LookedUp(Message):
        """Directory and jobs were looked up for these texts; ``errors``: field id -> what is wrong."""

        def __init__(self, asked: Asked, errors: dict[str, str]) -> None:
            """Carry what was found."""
            super().__init__()
            self.asked, self.errors = asked, errors

    class Edited(Message):
        """The editor gave another spec; or none, and ``words`` what became of the text."""

        def __init__(self, spec: JobSpec | None, words: str = "") -> None:
            """Carry it."""
            super().__init__()
            self.spec, self.words = spec, words

    class Refused(Message):
        """It could not be submitted."""

        def __init__(self, words: str) -> None:
            """Say why."""
            super().__init__()
            self.words = words

    class Done(Message):
        """It was submitted."""

        def __init__(self, made: Made) -> None:
            """Carry the ids."""
            super().__init__()
            self.made = made

    def __init__(
        self,
        managers: Sequence[tuple[str, JobManager]],
        edit: Editor,
        *,
        place: int = 0,
        cwd: str = "",
        history: str | None = None,
    ) -> None:
        """Offer these work directories, each with its label; ``place`` is chosen first.

        ``cwd``: the directory to begin with ("": where the screen was opened). ``history``: the file with earlier
        commands, None for the person's own.
        """
        super().__init__()
        self.managers, self._edit = list(managers), edit
        self._base = self._empty = JobSpec(cwd=cwd or _here())
        self._first = texts_of(self._base)
        self._history = history if history is not None else history_path()
        self._recall = Recall([])
        self._found: dict[str, str] = {}
        self._said = ""
        self._busy = self._pressed = False
        self._lines = {
            entry.id: (CommandInput if entry.id == COMMAND else LineInput)(entry.id, entry.hint) for entry in ENTRIES
        }
        self._backend = Pick("backend", [self._base.backend])
        self._place = Pick("place", [label for label, _ in self.managers], place)
        self._rows = {entry.id: Row(entry.label, self._lines[entry.id]) for entry in ENTRIES}
        self._rows["backend"] = Row("back end", self._backend)
        if len(self.managers) > 1:
            self._rows["place"] = Row("jobs in", self._place)
        self._preview = Static(id="preview", markup=False)
        self._previewed = Text()

    def compose(self) -> ComposeResult:
        """Title, fields, what would be submitted, buttons."""
        with Vertical(classes="box"):
            yield Static(Text("Submit a job"), classes="title", markup=False)
            with VerticalScroll(classes="fields", can_focus=False):
                yield from self._rows.values()
            yield self._preview
            with Horizontal(classes="buttons"):
                yield Button("Submit (Ctrl+O)", id="submit", compact=True)
                yield Button("All in the editor (Ctrl+E)", id="edit", compact=True)
                yield Button("Cancel (Esc)", id="cancel", compact=True)

    def on_mount(self) -> None:
        """Fill the fields, and load the rest."""
        self._fill(self._base)
        self._lines[COMMAND].focus()
        self.run_worker(self._load)

    # -- what is typed

    def _texts(self) -> dict[str, str]:
        texts = {name: line.value for name, line in self._lines.items()}
        if self._lines[COMMAND].disabled:
            texts[COMMAND] = self._base.command_line()
        return texts

    def _draft(self) -> Draft:
        """What the fields come to, in the file system as well as far as that is known."""
        base = msgspec.structs.replace(self._base, backend=self._backend.name_chosen)
        found = draft(self._texts(), base, time.time())
        return Draft(found.spec, found.specs, {**self._found, **found.errors})

    def _fill(self, spec: JobSpec) -> None:
        """Show a spec in the fields; the array's is not of it."""
        self._base = spec
        for name, text in texts_of(spec).items():
            if name != "array":
                self._lines[name].value = text
        self._allow_command(fits_line(spec))
        self._backend.offer(self._backend.names, spec.backend)
        self._changed()

    def _allow_command(self, allowed: bool) -> None:
        """Let the command be typed, unless it has several lines."""
        line = self._lines[COMMAND]
        line.placeholder = ENTRIES[0].hint if allowed else _SEVERAL_LINES
        if not allowed:
            line.value = ""
            if self.focused is line:
                self.action_step(1)
        line.disabled = not allowed

    def _changed(self) -> None:
        """Say what is wrong by now, and what would be submitted."""
        found = self._draft()
        for name, row in self._rows.items():
            # Nobody has to hear that an untouched form is empty.
            row.remark(found.errors.get(name, "") if name != COMMAND or self._pressed else "")
        if self._said:
            self._show_preview(Text(f"! {one_line(self._said)}", "bold red"))
        elif found.specs:
            self._show_preview(preview(found.specs))
        else:
            self._show_preview(Text("" if set(found.errors) == {COMMAND} else "see the fields marked with !", "dim"))

    def _show_preview(self, text: Text) -> None:
        if text != self._previewed:
            self._previewed = text
            # Its place is always of the same size.
            self._preview.update(text, layout=False)

    def _asked(self) -> Asked:
        after = self._draft().spec.after
        return Asked(self._lines["cwd"].value.strip(), tuple(sorted(set(jobs_in(after)))), self._place.chosen)

    @on(Input.Changed)
    @on(Pick.Changed)
    def _typed(self, event: Message) -> None:
        event.stop()
        asked = self._asked()
        self._found, self._said = {}, ""
        self._changed()
        self.run_worker(partial(self._look_up, asked, self.managers[asked.place][1]), group="look", exclusive=True)

    @on(LineInput.Shortened)
    def _shortened(self, event: LineInput.Shortened) -> None:
        event.stop()
        self._said = "only the first of the lines was taken; Ctrl+E takes a command of several lines"
        self._changed()

    @on(CommandInput.Recalled)
    def _recalled(self, event: CommandInput.Recalled) -> None:
        event.stop()
        line = self._lines[COMMAND]
        text = self._recall.step(line.value, event.steps)
        if text is not None:
            line.value = text
            line.cursor_position = len(text)
        elif event.steps > 0:
            self.action_step(1)

    # -- workers

    async def _load(self) -> None:
        backends = await anyio.to_thread.run_sync(without_host)
        lines = await anyio.to_thread.run_sync(read_history, self._history)
        self.post_message(self.Ready(backends, lines))

    async def _look_up(self, asked: Asked, manager: JobManager) -> None:
        await anyio.sleep(_REST)
        self.post_message(self.LookedUp(asked, await look_up(asked, manager)))

    async def _submit(self, place: int, specs: tuple[JobSpec, ...], line: str) -> None:
        try:
            ids = await self.managers[place][1].submit(*specs)
        except REFUSALS as error:
            self.post_message(self.Refused(words_of(error)))
            return
        # The job is there: that its command cannot be kept for the next time must not look like a failure.
        with contextlib.suppress(OSError):
            await anyio.to_thread.run_sync(add_to_history, self._history, line)
        self.post_message(self.Done((place, ids)))

    async def _edit_all(self, spec: JobSpec, backends: list[str]) -> None:
        heading = ["A new job. Save and leave the editor to go back to the form; nothing is submitted yet."]
        try:
            scratch = await anyio.to_thread.run_sync(Scratch, "job.toml", write_spec(spec, heading, backends))
            new = await edit_spec(self.app, scratch, spec, self._edit)
            if new is None:
                words = await anyio.to_thread.run_sync(leave, scratch)
            else:
                words = ""
                await anyio.to_thread.run_sync(scratch.remove)
            self.post_message(self.Edited(new, words))
        except OSError as error:
            self.post_message(self.Edited(None, f"the text cannot be edited: {words_of(error)}"))

    # -- what workers tell

    def on_submit_form_ready(self, message: Ready) -> None:
        """Offer the back ends, and the earlier commands."""
        self._backend.offer(message.backends, self._backend.name_chosen)
        self._recall = Recall(message.lines)

    def on_submit_form_looked_up(self, message: LookedUp) -> None:
        """Say what is not there, unless something else stands there by now."""
        if message.asked == self._asked():
            self._found = message.errors
            self._changed()

    def on_submit_form_edited(self, message: Edited) -> None:
        """Show what was edited."""
        self._busy = False
        self._said = message.words
        if message.spec is not None:
            self._fill(message.spec)
        else:
            self._changed()

    def on_submit_form_refused(self, message: Refused) -> None:
        """Say why, and leave everything as it was typed."""
        self._busy = False
        self._said = message.words
        self._changed()

    def on_submit_form_done(self, message: Done) -> None:
        """Close the form."""
        self.dismiss(message.made)

    # -- keys and buttons

    def _stops(self) -> list[Widget]:
        """The fields in order."""
        return [row.field for row in self._rows.values() if not row.field.disabled]

    @on(Button.Pressed)
    def _button(self, event: Button.Pressed) -> None:
        event.stop()
        actions = {"submit": self.action_submit, "edit": self.action_edit, "cancel": self.action_leave}
        actions[event.button.id or "cancel"]()

    def action_step(self, steps: int) -> None:
        """Go to the next field or button, or the one before."""
        if steps > 0:
            self.focus_next()
        else:
            self.focus_previous()

    def action_step_up(self, steps: int) -> None:
        """The same, with keys that mean something else in the command field."""
        self.action_step(steps)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave up and down to the command field."""
        return action != "step_up" or not isinstance(self.focused, CommandInput)

    def action_enter(self) -> None:
        """Go to the next field; behind the last one submit. On a button, press it."""
        if isinstance(self.focused, Button):
            self.focused.press()
        elif self.focused is self._stops()[-1]:
            self.action_submit()
        else:
            self.action_step(1)

    def _in_turn(self, action: Callable[[], object]) -> None:
        """Do something when every field has seen the keys that were pressed before."""
        for line in self._lines.values():
            action = partial(line.call_later, action)
        action()

    def action_submit(self) -> None:
        """Submit it, or go to the first field that is wrong."""
        self._in_turn(self._submit_now)

    def action_edit(self) -> None:
        """Open the whole spec in the editor. What cannot be read as it is has to be put right in the form first."""
        self._in_turn(self._edit_now)

    def action_leave(self) -> None:
        """Close the form; asks first where something was typed."""
        self._in_turn(self._leave_now)

    def _submit_now(self) -> None:
        if self._busy:
            return
        self._pressed, self._said = True, ""
        self._changed()
        found = self._draft()
        if found.errors:
            next(row for name, row in self._rows.items() if name in found.errors).field.focus()
            return
        self._busy = True
        self._show_preview(Text("submitting ...", "dim"))
        self.run_worker(partial(self._submit, self._place.chosen, found.specs, self._texts()[COMMAND]))

    def _edit_now(self) -> None:
        found = self._draft()
        if self._busy:
            return
        if set(found.errors) - {COMMAND}:
            self._said = "first put right the fields marked with !, then all of it can be edited"
            self._changed()
            return
        self._busy = True
        self.run_worker(partial(self._edit_all, found.spec, self._backend.names))

    def _leave_now(self) -> None:
        if self._busy:
            return
        if self._texts() == self._first and self._base == self._empty:
            self.dismiss(None)
            return
        question = ChoiceDialog("Close the form?", Text("What you typed is lost then."), (_DISCARD, _GO_ON))
        self.app.push_screen(question, self._asked_to_close)

    def _asked_to_close(self, answer: str | None) -> None:
        if answer == _DISCARD.id:
            self.dismiss(None)


def _here() -> str:
    """The directory that the screen was opened in, "" where it was removed meanwhile."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""
