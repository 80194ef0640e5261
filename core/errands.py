"""Errands: what a client has the engine do with foreign jobs, and the answers, both as files in the work directory."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from . import metadir
from .again import foreign_again
from .backend import Shown
from .job import JobRow, JobSpec, Outcome, SpecError
from .supervisor import ensure_engine
from .workdir import Errand, ErrandFor, ErrandVerb, Hint, WorkDir, WorkDirError

_FOLDER = "answers"
# Seconds: the engine has a scheduler's commands killed after sixty; and the one that comes after it may start first.
PATIENCE = 90.0
# Seconds between two looks for an answer.
LOOK = 0.05


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """``answers/<id>``: what became of an errand.

    ``refused``: why it was not done for a job, by its id, mostly in the scheduler's words; for those that are not in
    it, it was. ``shown``: what the scheduler told of jobs. ``script``: the text of one that was asked for.
    ``attached``: the numbers of those that were taken over, by their ids; ``lacking``: what is not known of them.
    """

    refused: Mapping[str, str] = {}
    shown: Mapping[str, Shown] = {}
    script: str = ""
    attached: Mapping[str, int] = {}
    lacking: Mapping[str, str] = {}


def named(row: JobRow) -> ErrandFor:
    """How an errand names a foreign job, so that no later one with the same id is meant."""
    return ErrandFor(row.jid or "", row.submitted or 0.0)


def make_errand(
    backend: str, verb: ErrandVerb, jobs: Sequence[ErrandFor], *, signal: str = "", force: bool = False
) -> Errand:
    """An errand that is given now, to be carried out in this process's environment."""
    return Errand(os.urandom(8).hex(), backend, verb, tuple(jobs), time.time(), signal, force, dict(os.environ))


class Going:
    """A client's side of an errand: to be begun, asked for its answer every LOOK seconds, and ended in any case."""

    def __init__(self, workdir: WorkDir, errand: Errand) -> None:
        """Touch nothing yet."""
        self._workdir, self._errand = workdir, errand
        self._hint = ""
        self._until = 0.0

    def begin(self) -> None:
        """Write the errand down and see that an engine reads it.

        Raises WorkDirError where the work directory cannot be written or no engine may be started, SettingsError, and
        EngineFailedError.
        """
        self._workdir.create()
        try:
            self._hint = self._workdir.tell(Hint(errand=self._errand))
        except OSError as error:
            raise WorkDirError(f"cannot write to {self._workdir.path}: {error.strerror}") from error
        if not ensure_engine(self._workdir):
            raise WorkDirError("no engine runs to do it: jobtui engine start")
        self._until = time.monotonic() + PATIENCE

    def answer(self) -> Answer | None:
        """The answer, None as long as there is none. Raises WorkDirError when that lasts too long."""
        try:
            with open(_answer_file(self._workdir, self._errand), "rb") as file:
                return metadir.decode(file.read(), Answer)
        except FileNotFoundError:
            pass
        except (msgspec.MsgspecError, ValueError) as error:
            raise WorkDirError(f"the engine's answer makes no sense: {error}") from error
        if time.monotonic() > self._until:
            taken = "" if os.path.exists(self._hint) else "; it may have been done nevertheless"
            raise WorkDirError(f"the engine has not answered within {PATIENCE:.0f} s{taken}")
        return None

    def end(self) -> None:
        """Leave nothing behind: an errand that nobody waits for any more is not carried out."""
        for path in (self._hint, _answer_file(self._workdir, self._errand)):
            with contextlib.suppress(OSError):
                os.unlink(path)


class ForeignOrder(msgspec.Struct, frozen=True):
    """An order for foreign jobs: what is to be done, with which ``signal``, and whether to KILL at once."""

    verb: Literal["cancel", "hold", "release", "suspend", "resume", "requeue", "signal", "attach"]
    signal: str = ""
    force: bool = False


ForeignName = tuple[str, ErrandFor]
"""A foreign job: its back end, and what it is there."""

_DONE = {
    "cancel": "asked to stop",
    "hold": "held",
    "release": "released",
    "suspend": "suspended",
    "resume": "goes on",
    "requeue": "put back into the queue by its scheduler",
}


def errands_of(order: ForeignOrder, jobs: Iterable[ForeignName]) -> list[Errand]:
    """What an order comes to: an errand for each scheduler."""
    groups: dict[str, list[ErrandFor]] = {}
    for backend, job in jobs:
        groups.setdefault(backend, []).append(job)
    return [
        make_errand(name, order.verb, some, signal=order.signal, force=order.force) for name, some in groups.items()
    ]


def outcomes_of(errand: Errand, answer: Answer) -> dict[tuple[str, str], Outcome]:
    """What became of an order, by back end and id."""
    done = _DONE.get(errand.verb, f"sent {errand.signal}")
    outcomes: dict[tuple[str, str], Outcome] = {}
    for job in errand.jobs:
        number = answer.attached.get(job.jid, 0)
        words = f"is job {number} of the work directory now" if number else done
        if job.jid in answer.lacking:
            words += f"; {answer.lacking[job.jid]}"
        refused = answer.refused.get(job.jid)
        outcomes[errand.backend, job.jid] = Outcome(number, refused is None, words if refused is None else refused)
    return outcomes


def spec_again(errand: Errand, answer: Answer) -> JobSpec:
    """A spec like that of the job whose script was asked for; SpecError with the reason where there is none."""
    jid = errand.jobs[0].jid
    if jid not in answer.shown or not answer.script:
        raise SpecError(answer.refused.get(jid, "its scheduler does not give its script back"))
    return foreign_again(errand.backend, jid, answer.script, answer.shown[jid])


def run_errand(workdir: WorkDir, errand: Errand) -> Answer:
    """Have an errand done and wait for the answer. Blocks; raises as ``Going``."""
    going = Going(workdir, errand)
    try:
        going.begin()
        while (answer := going.answer()) is None:
            time.sleep(LOOK)
        return answer
    finally:
        going.end()


def keep_answer(workdir: WorkDir, errand: Errand, answer: Answer) -> None:
    """Write an answer down for the client (the engine's side). Raises OSError."""
    os.makedirs(workdir.file(_FOLDER), mode=0o700, exist_ok=True)
    metadir.write_atomic(_answer_file(workdir, errand), metadir.encode(answer))


def is_too_old(errand: Errand) -> bool:
    """Whether nobody waits for it any more, by whatever clock: it must not be carried out as a surprise."""
    return abs(time.time() - errand.at) > 2 * PATIENCE


def _answer_file(workdir: WorkDir, errand: Errand) -> str:
    return workdir.file(f"{_FOLDER}/{errand.id}")
