"""Edit a job's spec in the person's editor and submit it as a new job: text, errors, diff, and what becomes of it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio.to_thread
import msgspec
from rich.text import Text
from textual.app import App
from textual.message import Message
from textual.screen import Screen

from ...core.backend import installed
from ...core.errands import named
from ...core.job import JobRow, JobSpec, SpecError
from ...core.manager import JobManager
from ...core.settings import SettingsError
from ...core.supervisor import EngineFailedError
from ...core.workdir import WorkDirError
from ..celltext import called, one_line, short_path, words_of
from ..ref import ForeignRef, Ref
from .choice import Answer, ChoiceDialog
from .scratch import Editor, Scratch
from .spec_diff import diff_lines
from .spec_text import EDITED, SpecTextError, parse_spec, write_spec
from .words import condition_words

# What submitting may refuse with words for the person; a path may hold what no file system can.
REFUSALS = (OSError, UnicodeError, SpecError, WorkDirError, SettingsError, EngineFailedError, LookupError)

_AGAIN = Answer("again", "Edit again", ("e",))
_SUBMIT = Answer("submit", "Submit as a new job", ("y",))
_CANCEL = Answer("cancel", "Cancel", ("n",))
_GIVE_UP = Answer("cancel", "Give up", ("n",))

_COMMAND_SHOWN = 500
# What does not belong into the name of a file.
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]")

Submit = Callable[[JobSpec], Awaitable[int]]


class Submitted(Message):
    """New jobs were submitted; ``refs`` names them."""

    def __init__(self, refs: Sequence[Ref]) -> None:
        """Carry their names."""
        super().__init__()
        self.refs = tuple(refs)


class NotSubmitted(Message):
    """Nothing was submitted; ``words`` say why, and where the text is. ``bad``: because something went wrong."""

    def __init__(self, words: str, *, bad: bool) -> None:
        """Carry the words."""
        super().__init__()
        self.words, self.bad = words, bad


async def edit_and_resubmit(screen: Screen[Any], ref: Ref, manager: JobManager, edit: Editor) -> None:
    """Let the person edit the spec of a job and submit it as a new one; to be run in a worker of ``screen``.

    Posts ``Submitted`` or ``NotSubmitted`` to the screen. The old job stays untouched.
    """
    try:
        detail = await manager.detail(ref.job)
        if detail is None:
            screen.post_message(NotSubmitted(f"job {ref.job} is not there any more", bad=True))
            return
        if detail.facts.spec is None:
            screen.post_message(NotSubmitted(f"job {ref.job}: {detail.row.detail}", bad=True))
            return
        old = await manager.as_ours(ref.job, detail.facts.spec)
    except (OSError, SpecError) as error:
        screen.post_message(NotSubmitted(f"the job cannot be edited: {words_of(error)}", bad=True))
        return

    async def submit(new: JobSpec) -> int:
        return await manager.resubmit(ref.job, **{name: getattr(new, name) for name in EDITED})

    await _run(screen, ref.place, _Session(screen.app, manager, detail.row, old, edit, submit))


async def edit_foreign(screen: Screen[Any], ref: ForeignRef, row: JobRow, manager: JobManager, edit: Editor) -> None:
    """The same for a foreign job, by the script that its scheduler gives back."""
    try:
        old = await manager.foreign_spec(ref.backend, named(row))
    except REFUSALS as error:
        screen.post_message(NotSubmitted(f"{called(row)} cannot be resubmitted: {words_of(error)}", bad=True))
        return

    async def submit(new: JobSpec) -> int:
        return (await manager.submit(new))[0]

    await _run(screen, ref.place, _Session(screen.app, manager, row, old, edit, submit))


async def _run(screen: Screen[Any], place: int, session: _Session) -> None:
    try:
        scratch = await anyio.to_thread.run_sync(session.open)
        outcome = await session.run(scratch)
    except OSError as error:
        screen.post_message(NotSubmitted(f"the job cannot be edited: {words_of(error)}", bad=True))
        return
    if isinstance(outcome, int):
        screen.post_message(Submitted([Ref(place, outcome)]))
    else:
        screen.post_message(NotSubmitted(outcome, bad=False))


async def edit_spec(app: App[Any], scratch: Scratch, base: JobSpec, edit: Editor) -> JobSpec | None:
    """Let the person edit a spec's text until it can be read, or (None) given up; ``base`` as in ``parse_spec``."""
    line: int | None = None
    while True:
        words = await edit(scratch.path, line)
        line = None
        try:
            if not words:
                return parse_spec(await anyio.to_thread.run_sync(scratch.read), base)
            words = f"The editor could not be used: {words}"
        except SpecTextError as error:
            words, line = str(error), error.line
        except UnicodeDecodeError:
            words = "The text is not in UTF-8."
        except OSError as error:
            words = f"The text cannot be read: {words_of(error)}"
        if await ask_again(app, "This cannot be submitted", words) != _AGAIN.id:
            return None


async def ask_again(app: App[Any], title: str, words: str) -> str:
    """Say what is wrong and ask whether to edit again; "again" or "cancel"."""
    answers = (_AGAIN, _GIVE_UP)
    return await app.push_screen_wait(ChoiceDialog(title, Text(one_line(words)), answers, focus=_AGAIN))


def leave(scratch: Scratch) -> str:
    """Remove the file unless something was written in it; says what became of it. Raises OSError."""
    if scratch.changed():
        return f"nothing was submitted; your text is kept in {scratch.path}"
    scratch.remove()
    return "nothing was submitted"


class _Session:
    """The way from an old spec to a new job: edit, read, ask, submit; back to the editor as often as wanted."""

    def __init__(
        self, app: App[Any], manager: JobManager, row: JobRow, spec: JobSpec, edit: Editor, submit: Submit
    ) -> None:
        self.app, self.manager, self.row, self.old, self.edit, self.submit = app, manager, row, spec, edit, submit
        # As resubmitting does it: conditions and hold are those of the old job.
        self.base = msgspec.structs.replace(spec, after=None, hold=False)

    def open(self) -> Scratch:
        """Write the text to edit."""
        heading = [
            f"{called(self.row)}, to be submitted again as a new job in {short_path(self.manager.workdir.path)}.",
            "Save and leave the editor to go on: you will see what you changed before anything is submitted.",
            *self._left_out(),
        ]
        return Scratch(
            f"job-{_UNFIT.sub('-', self.row.label)}.toml", write_spec(self.base, heading, sorted(installed()))
        )

    def _left_out(self) -> list[str]:
        found = []
        if self.old.after is not None:
            found.append(f"It does not wait as the old job did: {condition_words(self.old.after)}.")
        if self.old.hold:
            found.append("It is not held, as the old job was.")
        return found

    async def run(self, scratch: Scratch) -> int | str:
        """The id of the new job, or words why there is none. The file stays where its text would be lost."""
        while True:
            new = await edit_spec(self.app, scratch, self.base, self.edit)
            answer = _CANCEL.id if new is None else await self._confirm(new)
            if new is not None and answer == _SUBMIT.id:
                made = await self._submit(new)
                if isinstance(made, int):
                    await anyio.to_thread.run_sync(scratch.remove)
                    return made
                answer = await ask_again(self.app, "It was not submitted", made)
            if answer == _CANCEL.id:
                return await anyio.to_thread.run_sync(leave, scratch)

    async def _confirm(self, new: JobSpec) -> str:
        lines = diff_lines(self.base, new)
        title = f"Submit {called(self.row)} again, with these changes?"
        if not lines:
            title = f"Nothing was changed. Submit {called(self.row)} again as it is?"
            lines = [Text(one_line(self.old.command_line()[:_COMMAND_SHOWN]))]
        body = Text("\n").join(lines)
        for words in self._left_out():
            body.append(f"\n{one_line(words)}", "dim")
        return await self.app.push_screen_wait(ChoiceDialog(title, body, (_SUBMIT, _AGAIN, _CANCEL)))

    async def _submit(self, new: JobSpec) -> int | str:
        """The new job, or words why it was refused."""
        try:
            return await self.submit(new)
        except REFUSALS as error:
            return words_of(error)
