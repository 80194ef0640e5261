"""The folders of jobs on another machine: how they are made there, and how what is new in them comes back at once."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

import msgspec

from ..core.backend import Handle, Reading, Record, Request, Wanted
from .dialect import Reply
from .far import Far
from .farfiles import Part, read_parts
from .fartext import here_document, new_mark
from .transport import Output, TransportError

# Where the folders of jobs are, below the home of the person there.
_PLACE = ".local/state/jobtui"
SCRIPT = "job.wrapped"
_STAGED = b"staged\n"
# Seconds: a folder is small, but a slow link needs its time for many.
_PATIENCE = 30.0
_BYTES_A_SECOND = 20_000

_STAGE = r"""umask 077
mkdir -p {folder} && cat >{folder}/{script}.new {text}
[ "$?" = 0 ] && mv {folder}/{script}.new {folder}/{script} || return 73"""

# An earlier attempt that never started must not start any more.
_CLOSE = "mkdir -p {folder} && (set -C; : >{folder}/job.begin) 2>/dev/null"

# $1: a folder; $2: "b" where its job.begin is known, "a" where nobody knows whether the job was taken. Builtins only.
_LOOK = r"""jt_look() {
  jt_b= jt_e= jt_r=
  if [ "$2" = a ] && [ -e "$1/job.answer" ]; then sed "s#^#answer $1 #" "$1/job.answer"; fi
  [ -e "$1/job.begin" ] || return 0
  { read -r jt_b || jt_b=; read -r jt_e || jt_e=; } <"$1/job.begin"
  [ "$2" = b ] && [ -z "$jt_e" ] || { printf 'begin %s %s\n' "$1" "$jt_b"; jt_new="$jt_new $1/job.begin"; }
  [ -z "$jt_e" ] || printf 'late %s %s\n' "$1" "$jt_e"
  [ -e "$1/job.rc" ] && read -r jt_r <"$1/job.rc" && { printf 'rc %s %s\n' "$1" "$jt_r"; jt_new="$jt_new $1/job.rc"; }
  [ ! -e "$1/job.progress" ] || jt_far="$jt_far $1/job.progress"
} 2>/dev/null
jt_new= jt_far="""

# Progress is a line or two; whatever else lies in its place is not read.
_LOOKED = r"""{ [ -z "$jt_far" ] || find $jt_far -type f -size -9 | while read -r jt_p; do
  printf 'progress %s ' "${jt_p%/job.progress}"; tr '\n' ' ' <"$jt_p"; echo
done
[ -z "$jt_new" ] || stat -c 'at %Y %n' $jt_new
date '+now %s'; } 2>/dev/null
echo looked"""

_VOID = r"""jt_void() {
  mkdir -p "$1" && (set -C; : >"$1/job.begin") && { echo "void $1"; return; }
  [ ! -e "$1/job.begin" ] || echo "begun $1"
} 2>/dev/null"""


class Sight(msgspec.Struct, frozen=True):
    """What a look at folders brought: the records that are new, and all other lines by their first word.

    ``answers``: what a scheduler said to submissions whose answers never reached us. ``complete``: all folders
    were looked at.
    """

    records: Mapping[int, tuple[Record, ...]]
    answers: Mapping[int, Reply]
    lines: Mapping[str, tuple[str, ...]]
    complete: bool


class FarJobs:
    """The folders of one work directory's jobs on the machine that ``far`` leads to; ``key`` is its name there."""

    def __init__(self, far: Far, key: str) -> None:
        """Make it; this touches nothing yet."""
        self.far = far
        self._key = key

    @property
    def root(self) -> str:
        """The shell word for the folder that holds the jobs' folders there."""
        return f'"$HOME"/{shlex.quote(f"{_PLACE}/{self._key}")}'

    async def path(self) -> str:
        """The same as an absolute path; raises TransportError."""
        return f"{(await self.far.greeting()).home}/{_PLACE}/{self._key}"

    # -- making folders

    async def staged(self, requests: Sequence[Request]) -> tuple[str, float]:
        """The lines that make the jobs' folders with their scripts, 73 where they cannot; and seconds for that.

        Raises TransportError and OSError.
        """
        root = await self.path()
        lines: list[str] = []
        for request in requests:
            for earlier in range(1, request.attempt):
                lines.append(_CLOSE.format(folder=shlex.quote(f"{root}/{folder_of(request.job, earlier)}")))
            text = here_document(_content(request.script), new_mark())
            folder = shlex.quote(f"{root}/{folder_of(request.job, request.attempt)}")
            lines.append(_STAGE.format(folder=folder, script=SCRIPT, text=text))
        return "\n".join(lines), _PATIENCE + sum(map(len, lines)) / _BYTES_A_SECOND

    async def moved(self, request: Request) -> Request:
        """The request as it reads on the far side."""
        folder = f"{await self.path()}/{folder_of(request.job, request.attempt)}"
        return msgspec.structs.replace(request, script=f"{folder}/{SCRIPT}", metadir=folder)

    # -- looking

    async def read(self, wanted: Sequence[Wanted]) -> Reading:
        """Read pieces of the files of attempts; see ``FarFiles``."""
        try:
            root = await self.path()
        except TransportError as error:
            return Reading((), str(error))
        parts = [
            Part(f"{root}/{folder_of(one.handle.job, one.handle.attempt)}/{one.name}", one.start, one.most)
            for one in wanted
        ]
        return await read_parts(self.far, {}, parts)

    def looking(self, handles: Sequence[Handle]) -> str:
        """The lines that tell what is new in the folders of these jobs."""
        looks: list[str] = []
        for handle in handles:
            known = "b" if handle.begin is not None else "a" if handle.jid is None else "-"
            looks.append(f"jt_look {folder_of(handle.job, handle.attempt)} {known}")
        return "\n".join(
            [f"if cd -- {self.root} 2>/dev/null; then", _LOOK, *looks, _LOOKED, "else echo nowhere; echo looked; fi"]
        )

    async def void(self, handles: Sequence[Handle]) -> dict[int, bool]:
        """Take the start of attempts away from scripts that have not started yet; see ``FarFolders``."""
        folders = {folder_of(handle.job, handle.attempt): handle.job for handle in handles}
        calls = [f"jt_void {folder}" for folder in folders]
        script = "\n".join([f"umask 077; mkdir -p {self.root} && cd -- {self.root} || return 0", _VOID, *calls])
        try:
            output = await self.far.shell(script, _PATIENCE)
        except TransportError:
            return {}
        told: dict[int, bool] = {}
        for line in output.out.decode("utf-8", "replace").splitlines():
            word, _, folder = line.partition(" ")
            if folder in folders and word in ("void", "begun"):
                told[folders[folder]] = word == "void"
        return told


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def folder_of(job: int, attempt: int) -> str:
    """The name of an attempt's folder: each attempt has one of its own there."""
    return f"{job}.{attempt}"


_FOLDER = re.compile(r"([0-9]{1,18})\.([0-9]{1,9})")


def seen_in(text: bytes, handles: Sequence[Handle], now: float) -> Sight:
    """What the lines of a look tell about these jobs, at the time ``now`` here (epoch seconds)."""
    jobs = {folder_of(handle.job, handle.attempt): handle for handle in handles}
    found: dict[str, dict[str, str]] = {}
    answers: dict[str, list[str]] = {}
    others: dict[str, list[str]] = {}
    for line in text.decode("utf-8", "surrogateescape").splitlines():
        word, _, rest = line.partition(" ")
        folder, _, data = rest.partition(" ")
        if word == "answer" and folder in jobs:
            answers.setdefault(folder, []).append(data)
        elif word in ("begin", "late", "rc", "progress") and folder in jobs:
            found.setdefault(folder, {})[word] = data
        else:
            others.setdefault(word, []).append(rest)
    ages = _ages(others)
    records = {
        jobs[folder].job: tuple(_records(jobs[folder], said, folder, now, ages)) for folder, said in found.items()
    }
    sent = {jobs[folder].job: _submission(lines) for folder, lines in answers.items()}
    lines = {word: tuple(rests) for word, rests in others.items()}
    return Sight(records, {job: one for job, one in sent.items() if one is not None}, lines, "looked" in others)


def _ages(lines: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """How many seconds ago files were written, by the far machine's own clock."""
    clock = next(iter(lines.get("now", ())), "")
    ages: dict[str, float] = {}
    for line in lines.get("at", ()):
        written, _, name = line.partition(" ")
        if clock.isdigit() and written.isdigit():
            ages[name] = max(0.0, float(clock) - float(written))
    return ages


def _records(
    handle: Handle, said: Mapping[str, str], folder: str, now: float, ages: Mapping[str, float]
) -> list[Record]:
    records: list[Record] = []
    if "begin" in said or "late" in said:
        lines = [said.get("begin", ""), said.get("late", "")]
        text = "".join(f"{line}\n" for line in lines if line)
        records.append(Record(handle.attempt, "job.begin", _bytes(text), now - ages.get(f"{folder}/job.begin", 0.0)))
    if "rc" in said:
        records.append(
            Record(handle.attempt, "job.rc", _bytes(said["rc"] + "\n"), now - ages.get(f"{folder}/job.rc", 0.0))
        )
    if "progress" in said:
        records.append(Record(handle.attempt, "job.progress", _bytes(said["progress"].strip() + "\n"), now))
    return records


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _submission(lines: Sequence[str]) -> Reply | None:
    """An answer that was kept: its exit code, and which lines came on which channel."""
    head, *rest = lines
    if not head.isdigit() or not rest or rest[-1] != "end":
        return None
    out = "".join(f"{line[2:]}\n" for line in rest if line.startswith("1 "))
    err = "".join(f"{line[2:]}\n" for line in rest if line.startswith("2 "))
    return Reply(int(head), out, err)


_KEPT = r"""echo staged
jt_a={answer}
{command} >"$jt_a.out" 2>"$jt_a.err" {given}
jt_rc=$?
cat "$jt_a.out"; cat "$jt_a.err" >&2
{{ echo "$jt_rc"; sed 's/^/1 /' "$jt_a.out"; sed 's/^/2 /' "$jt_a.err"; echo end; }} >"$jt_a.new"
mv "$jt_a.new" "$jt_a"
rm -f "$jt_a.out" "$jt_a.err"
return "$jt_rc"
"""


def kept(argv: Sequence[str], stdin: bytes, folder: str) -> str:
    """The lines that run a submission and keep its answer in a folder, in case the link breaks before it is here."""
    given = here_document(stdin, new_mark())
    return _KEPT.format(answer=shlex.quote(f"{folder}/job.answer"), command=shlex.join(argv), given=given)


def submitted(output: Output) -> Reply | None:
    """What the scheduler said to a submission; None where it never came to that: there was no room for the folder."""
    if not output.out.startswith(_STAGED):
        return None
    return msgspec.structs.replace(output.reply(), out=output.out[len(_STAGED) :].decode("utf-8", "replace"))
