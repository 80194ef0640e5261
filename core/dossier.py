"""Everything there is to tell about one job: each attempt with its files, what it waits for, its job script."""

from __future__ import annotations

import contextlib
import os
import shlex

import msgspec

from . import metadir
from .catalog import Catalog, Detail
from .conditions import jobs_in
from .job import ENDED, WAITING, JobRow, JobSpec, Reason, State
from .settings import SettingsError, budget, read_settings
from .verdict import Facts, Verdict, judge_attempt, summarize
from .waiting import explain

HIDDEN = "(secret)"

# Bytes of a job script that are shown; and how many attempts, files of one and jobs waited for are gathered.
_SCRIPT_SHOWN = 64 * 1024
_TRIES = 40
_FILES = 100
_PARENTS = 40

_FIRST = (metadir.STDOUT, metadir.STDERR, metadir.SCHED, metadir.SPEC)


class File(msgspec.Struct, frozen=True):
    """A file of a job: ``path`` (absolute), ``size`` (bytes), ``at`` (last change, epoch seconds)."""

    path: str
    size: int
    at: float

    @property
    def name(self) -> str:
        """Its name without the folder."""
        return self.path.rsplit("/", 1)[-1]


class Try(msgspec.Struct, frozen=True):
    """One attempt: the row as it is, or was at its end; when it was put in the queue; and its files."""

    row: JobRow
    queued: float | None
    files: list[File]


class Parent(msgspec.Struct, frozen=True):
    """A job that is waited for; ``row`` is None where it was removed."""

    job: int
    row: JobRow | None


class Script(msgspec.Struct, frozen=True):
    """The job script that really runs, values of secrets left out; ``whole``: nothing is missing at its end."""

    path: str
    text: str
    whole: bool


class Dossier(msgspec.Struct, frozen=True):
    """One job with everything around it.

    ``why``: in words what a waiting job waits for, "" for others. ``tries``: the newest attempts, oldest first; the
    last is the present one. ``parents``: jobs in its conditions, of which there are ``parent_count``. ``inherited``:
    how many variables of the submitter's environment it gets, None if that is not known.
    """

    detail: Detail
    why: str
    tries: list[Try]
    parents: list[Parent]
    parent_count: int
    inherited: int | None
    script: Script | None


def dossier(catalog: Catalog, job: int) -> Dossier | None:
    """Gather everything about a job; None if there is no such job. Blocks; raises OSError."""
    detail = catalog.detail(job)
    if detail is None:
        return None
    spec = detail.facts.spec
    parents = sorted(set(jobs_in(spec.after if spec is not None else None)))
    rows = {row.id: row for row in catalog.some(parents[:_PARENTS])}
    return Dossier(
        detail=detail,
        why=_why(catalog, detail.row),
        tries=_tries(catalog, detail),
        parents=[Parent(parent, rows.get(parent)) for parent in parents[:_PARENTS]],
        parent_count=len(parents),
        inherited=_inherited(catalog, spec),
        script=_script(catalog.workdir.metadir(job), spec),
    )


def _why(catalog: Catalog, row: JobRow) -> str:
    if row.state not in WAITING:
        return ""
    if row.state is not State.QUEUED or row.detail:
        return row.detail
    try:
        room = budget(read_settings(catalog.workdir))
    except SettingsError as error:
        return f"the settings cannot be read: {error}"
    # A running engine may have started it meanwhile.
    waiting = explain(catalog.recent(ended=0), room, driven=catalog.engine() is not None)
    return next((item.why for item in waiting if item.row.id == row.id), "")


# -- attempts


def _tries(catalog: Catalog, detail: Detail) -> list[Try]:
    facts, job = detail.facts, detail.row.id
    folder = catalog.workdir.metadir(job)
    if facts.spec is None:
        return [Try(detail.row, detail.row.created, _files(folder))]
    found: list[Try] = []
    before: JobRow | None = None
    for number in metadir.attempts(folder)[-_TRIES:]:
        kept = f"{folder}/{metadir.RETRY}/{number}"
        row = _row_of(catalog, job, facts, kept, number)
        found.append(Try(row, _queued(facts, number, before), _files(kept)))
        before = row
    return [*found, Try(detail.row, _queued(facts, facts.attempt, before), _files(folder))]


def _row_of(catalog: Catalog, job: int, facts: Facts, kept: str, number: int) -> JobRow:
    """An earlier attempt as it was at its end, from the files that were kept of it."""
    earlier = metadir.read_facts(kept, facts.spec)
    earlier = msgspec.structs.replace(earlier, attempt=number, intent=facts.intent, moving=False)
    verdict = judge_attempt(earlier)
    if verdict.state not in ENDED:
        verdict = Verdict(State.UNKNOWN, Reason.LOST, "its end was not recorded")
    return summarize(job, catalog.workdir.path, earlier, verdict)


def _queued(facts: Facts, number: int, before: JobRow | None) -> float | None:
    """When an attempt was put in the queue: at submission, when a person asked, or after the attempt before it."""
    if number == 1:
        return facts.spec.created or None if facts.spec is not None else None
    asked = facts.intent.retry
    if asked is not None and asked.attempt == number - 1:
        return asked.at
    return before.ended if before is not None and before.attempt == number - 1 else None


def _files(folder: str) -> list[File]:
    """The files in a job's folder: its output first, then by name."""
    found: list[File] = []
    # It may be moved away or removed while we look.
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if len(found) < _FILES and not entry.name.endswith(".tmp") and entry.is_file():
                status = entry.stat()
                found.append(File(entry.path, status.st_size, status.st_mtime))
    order = {name: place for place, name in enumerate(_FIRST)}
    return sorted(found, key=lambda file: (order.get(file.name, len(order)), file.name))


# -- environment and script


def _inherited(catalog: Catalog, spec: JobSpec | None) -> int | None:
    if spec is None or spec.env_ref is None or spec.attached is not None:
        return None
    try:
        return len(catalog.workdir.environment(spec.env_ref))
    except (OSError, ValueError):
        return None


def _script(folder: str, spec: JobSpec | None) -> Script | None:
    """The job script of the present attempt. It is not shown where nobody knows which of its values are secret."""
    if spec is None:
        return None
    try:
        names = [name for name in os.listdir(folder) if name.startswith(metadir.SCRIPT) and not name.endswith(".tmp")]
    except FileNotFoundError:
        return None
    if not names:
        return None
    path = f"{folder}/{min(names)}"
    hidden = [f"{name}={shlex.quote(spec.env[name])}" for name in spec.secret if name in spec.env]
    # So much more that no part of a secret can be left at the end.
    room = _SCRIPT_SHOWN + sum(len(text.encode("utf-8", "surrogatepass")) for text in hidden)
    try:
        with open(path, "rb") as file:
            data = file.read(room + 1)
    except OSError:
        return None
    text = data.decode("utf-8", "surrogateescape")
    for setting in hidden:
        text = text.replace(f"export {setting}", f"export {setting.partition('=')[0]}={HIDDEN}")
    return Script(path, text[:_SCRIPT_SHOWN], len(data) <= room and len(text) <= _SCRIPT_SHOWN)
