"""What LSF says of jobs: the JSON of bjobs, and the life stories of bhist."""

from __future__ import annotations

import calendar
import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from ..core.backend import task_mark
from ..core.job import Reason
from ..core.verdict import Observation
from .dialect import Entry, clipped, number

# The last line of an answer that came whole.
WHOLE = "end of answer"
# What the description of a job of ours begins with, where LSF tells descriptions.
MARK = "jobtui:"

_Fields = dict[str, str]
_NONE_SUCH = re.compile(r"^No (?:\w+ )?job found|^Job <\S+> is not found|No matching job found")
_WAITED = re.compile(r"Please wait|still trying")
_NAMED = re.compile(r"^(.*)\.(jt[0-9a-f]{4,}\.[0-9]+)$", re.DOTALL)
_TASK = re.compile(r"^(.*)\[([0-9]+)\]$", re.DOTALL)


def listed(text: str) -> tuple[list[Entry], bool]:
    """The jobs in an answer, and whether all of it could be read.

    Before bjobs' JSON stands the time now (epoch seconds), by which its times without a year are understood.
    """
    now, body, whole = _enclosed(text)
    records, readable = _records(body)
    entries: dict[str, Entry] = {}
    for record in records:
        if record.get("ERROR"):
            continue
        entry = _entry(record, now)
        if entry is None or entry.jid in entries:
            readable = False
        else:
            entries[entry.jid] = entry
    return list(entries.values()), whole and readable


def problems(lines: Iterable[str]) -> tuple[list[str], bool]:
    """The lines of complaints that tell of trouble, and whether one says that there are no (such) jobs.

    What told of a wait is neither: it is over.
    """
    said = [line.strip() for line in lines if line.strip() and not _WAITED.search(line)]
    wrong = [line for line in said if not _NONE_SUCH.search(line)]
    return wrong, len(wrong) < len(said)


def _enclosed(text: str) -> tuple[float, str, bool]:
    """The time in the first line, what stands between it and the last, and whether that line is there."""
    first, _, rest = text.partition("\n")
    body = rest.removesuffix(f"{WHOLE}\n")
    now = number(first)
    return now, body, bool(now) and len(body) < len(rest)


def _records(text: str) -> tuple[list[_Fields], bool]:
    start = text.find("{")
    if start < 0:
        return [], False
    try:
        answer: Any = json.loads(text[start:], strict=False)
        records = [{str(name): str(value) for name, value in one.items()} for one in answer["RECORDS"]]
        count = int(answer["JOBS"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return _in_broken_json(text)
    # A field that occurs twice is a sign that the end of one job was joined with another's.
    once = text.count('"STAT":') <= count
    return records, once and count == len(records)


_LINE = re.compile(r'^\s*"([A-Z_]+)":\s*"(.*)",?\s*$')


def _in_broken_json(text: str) -> tuple[list[_Fields], bool]:
    """LSF does not escape all that people put into names: so look at it line by line, each job by itself."""
    head, *blocks = re.split(r"(?<=[\[{,])\s*\{\s*$|^\s*\},\s*\{\s*$|\[\{\s*$", text, flags=re.MULTILINE)
    count = re.search(r'"JOBS":\s*([0-9]{1,9})', head)
    records: list[_Fields] = []
    readable = bool(re.search(r"\}\s*\]\s*\}\s*$", text))
    if blocks and not re.search(r"^\s*\}", blocks[-1], re.MULTILINE):
        # Nobody knows what is missing of the last one.
        del blocks[-1]
    for block in blocks:
        found = [line for line in map(_LINE.match, block.splitlines()) if line is not None]
        record = {line[1]: line[2] for line in found}
        if not record:
            continue
        if len(record) == len(found):
            records.append(record)
        else:
            readable = False
    return records, readable and count is not None and int(count[1]) == len(records)


def _entry(record: _Fields, now: float) -> Entry | None:
    """One record of bjobs; None if it makes no sense."""
    name, told = record.get("JOB_NAME", ""), record.get("JOB_DESCRIPTION", "")
    bare, _, within = record.get("JOBID", "").partition("[")
    task = _TASK.match(name)
    index = record.get("JOBINDEX") or within.removesuffix("]") or (task[2] if task is not None else "0")
    if not re.fullmatch(r"[0-9]{1,12}", bare) or "STAT" not in record or not re.fullmatch(r"[0-9]{1,9}", index):
        return None
    own = _NAMED.match(task[1] if task is not None else name)
    mark = told.removeprefix(MARK) if told.startswith(MARK) else own[2] if own is not None else ""
    folder = record.get("SUB_CWD", "")
    return Entry(
        jid=f"{bare}[{index}]" if int(index) else bare,
        seen=_seen(record, now),
        mark=task_mark(mark, int(index) - 1) if mark and int(index) else mark,
        name=own[1] if own is not None else name,
        queue=record.get("QUEUE", ""),
        submitted=when(record.get("SUBMIT_TIME", ""), now),
        cwd=folder if folder.startswith("/") else "",
    )


# -- the meaning

_PENDING = frozenset({"PEND", "WAIT", "PROV", "FWD", "FWD_PEND"})
_LOST_NODE = (Reason.NODE_FAILURE, "LSF lost the node that it ran on")
_NO_START = (Reason.LAUNCH, "LSF could not start it")
_TAKEN = (Reason.PREEMPTED, "LSF took its place away")
_TERMS: Mapping[str, tuple[Reason | None, str]] = {
    "RUNLIMIT": (Reason.TIMEOUT, "stopped by LSF at its time limit"),
    "DEADLINE": (Reason.TIMEOUT, "stopped by LSF at its deadline"),
    "CPULIMIT": (Reason.TIMEOUT, "stopped by LSF at its limit of processor time"),
    "MEMLIMIT": (Reason.OUT_OF_MEMORY, "it used more memory than it was allowed"),
    "SWAP": (Reason.OUT_OF_MEMORY, "it used more memory and swap space than it was allowed"),
    "SWAPLIMIT": (Reason.OUT_OF_MEMORY, "it used more memory and swap space than it was allowed"),
    "PROCESSLIMIT": (None, "stopped by LSF at its limit of processes"),
    "THREADLIMIT": (None, "stopped by LSF at its limit of threads"),
    **dict.fromkeys(("ZOMBIE", "REMOVE_HUNG_JOB", "RMS", "SLURM"), _LOST_NODE),
    **dict.fromkeys(("CWD_NOTEXIST", "PRE_EXEC_FAIL", "DATA", "CSM_ALLOC"), _NO_START),
    **dict.fromkeys(("PREEMPT", "LOAD", "WINDOW", "RC", "REQUEUE_OWNER", "REQUEUE_ADMIN", "REQUEUE_RC"), _TAKEN),
}
_BY = {
    "OWNER": "cancelled in LSF, not through jobtui",
    "FORCE_OWNER": "cancelled in LSF, not through jobtui",
    "BUCKET_KILL": "cancelled in LSF, not through jobtui",
    "ADMIN": "cancelled in LSF by an administrator",
    "FORCE_ADMIN": "cancelled in LSF by an administrator",
    "ORPHAN_SYSTEM": "removed by LSF: a job that it waited for did not end as it should",
}
# The signal by which LSF says that the run limit is reached is USR2.
_RUN_LIMIT = 140


def _seen(record: _Fields, now: float) -> Observation:
    """What LSF's word for a state means. An unknown word is no state at all: the job is there, no more."""
    word, host = record["STAT"].strip(), _hosts(record.get("EXEC_HOST", ""))
    if word in _PENDING or word == "PSUSP":
        expected = when(record.get("ESTIMATED_START_TIME", ""), now)
        why = _why(record.get("PEND_REASON", ""))
        if word == "PSUSP":
            return Observation("held", detail="held in LSF; release it to let it start")
        return Observation("pending", detail=why, expected=expected)
    started = when(record.get("START_TIME", ""), now)
    if word == "RUN":
        return Observation("running", host=host, started=started)
    if word in ("USUSP", "SSUSP"):
        words = "suspended in LSF" if word == "USUSP" else "suspended by LSF: its node is needed or too busy"
        return Observation("suspended", detail=words, host=host, started=started)
    at = when(record.get("FINISH_TIME", ""), now)
    if word == "DONE":
        return Observation("gone", exit_code=0, at=at, outcome="finished", host=host, started=started)
    if word == "EXIT":
        ran = bool(record.get("START_TIME", "").strip(" -"))
        if ran and "EXIT_REASON" not in record:
            # How it ended is in its life story.
            return Observation("gone", at=at, host=host, started=started)
        return ended(record.get("EXIT_REASON", ""), record.get("EXIT_CODE", ""), ran, at, host, started)
    words = {"UNKWN": "LSF does not reach the node that it runs on", "ZOMBI": "LSF lost the node that it runs on"}
    said = words.get(word, f"LSF says {clipped(word, 40) or 'nothing'}")
    return Observation("ending", detail=said, host=host, started=started)


def ended(cause: str, code: str, ran: bool, at: float, host: str, started: float) -> Observation:
    """What an end that was no success means. ``cause`` may hold a word TERM_*; ``code`` is often empty."""
    term = re.search(r"\bTERM_([A-Z_]+)", cause)
    word = term[1] if term is not None else ""
    if word in _BY or (not word and not ran):
        return Observation(
            "gone", detail=_BY.get(word) or _BY["OWNER"], at=at, outcome="cancelled", host=host, started=started
        )
    number_of = int(code) if re.fullmatch(r"[0-9]{1,3}", code.strip()) else 0
    if not word and number_of == _RUN_LIMIT:
        word = "RUNLIMIT"
    reason, words = _TERMS.get(word, (None, f"LSF says {clipped(cause, 160)}" if word else ""))
    own = number_of if reason is None and 0 < number_of <= 255 else None
    return Observation("gone", reason, words, own, at, "failed", host, started)


# Why a job waits, in plain words; what is not here is said as LSF says it.
_WHY = tuple(
    (re.compile(pattern, re.IGNORECASE), words)
    for pattern, words in (
        ("never satisfied", "waits for a job that ended otherwise: it can never start"),
        ("dependency condition", "waits for another job to end"),
        ("specified start time", "waits for its start time"),
        ("job array has reached", "waits for another task of its array to end"),
        ("waiting for scheduling", "LSF has not looked at it yet"),
        ("queue.*(?:inactiv|closed)", "its queue is stopped"),
        ("higher priority|fairshare|reserved|backfill", "others come first"),
        ("limit", "a limit on running jobs is reached"),
        ("not enough|requirement|unavailable|busy|load|not satisfied", "waits for free resources"),
    )
)


@lru_cache(10_000)
def _why(reasons: str) -> str:
    """Why a job waits, in plain words and, where these leave something out, in LSF's own."""
    said = clipped(reasons.strip(" ;-"), 160)
    if not said:
        return ""
    for place, (pattern, words) in enumerate(_WHY):
        if pattern.search(said):
            return words if place < 5 else f"{words} ({said})"
    return f"LSF says: {said}"


@lru_cache(10_000)
def _hosts(text: str) -> str:
    """The names in ``4*node1:2*node2``."""
    names = [re.sub(r"^[0-9]+\*", "", part.strip()) for part in text.split(":")]
    return ",".join(dict.fromkeys(name for name in names if name.strip("-")))


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SAID = re.compile(
    r"^(?:[A-Z][a-z]{2} )?([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d)(?::(\d\d))?(?: (\d{4}))?(?: [LEX])?$", re.A
)
_SHORT = re.compile(r"^(\d\d)/(\d\d)-(\d\d):(\d\d):(\d\d)$", re.ASCII)


@lru_cache(10_000)
def when(text: str, now: float) -> float:
    """Epoch seconds of a time (UTC) that mostly has no year: of all years the one that is nearest to ``now``."""
    text = text.strip()
    said, short = _SAID.match(text), _SHORT.match(text)
    if said is not None and said[1] in _MONTHS:
        month, rest, year = _MONTHS.index(said[1]) + 1, said.group(2, 3, 4, 5), said[6]
    elif short is not None:
        month, rest, year = int(short[1]), short.group(2, 3, 4, 5), None
    else:
        return 0.0
    day, hour, minute, second = (int(part or 0) for part in rest)
    if not (now and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60):
        return 0.0
    this_year = 1970 + int(now // 31_556_952)
    years = [int(year)] if year is not None else [this_year - 1, this_year, this_year + 1]
    times = [float(calendar.timegm((one, month, day, hour, minute, second))) for one in years if 1970 <= one < 9999]
    return max(0.0, min(times, key=lambda one: abs(one - now), default=0.0))


# -- life stories

# Seconds by which times that belong together may differ.
_ROUNDED = 2.0
_EVENT = re.compile(r"^([A-Z][a-z]{2} [A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d(?: \d{4})?): (.*)$", re.ASCII)


def told(text: str) -> tuple[list[Entry], bool]:
    """The jobs in an answer of ``bhist -l``, each as it stood last, and whether all of it could be read."""
    now, body, whole = _enclosed(text)
    # Long lines go on after a fold, which is 21 blanks wide.
    head, *stories = re.split(r"^Job <(?=[0-9])", re.sub(r"\n {21}", "", body), flags=re.MULTILINE)
    whole = whole and not head.strip()
    entries: dict[str, Entry] = {}
    for story in stories:
        entry = _lived(story, now)
        if entry is None or entry.jid in entries:
            whole = False
        else:
            entries[entry.jid] = entry
    return list(entries.values()), whole


def _lived(story: str, now: float) -> Entry | None:
    """One job's story: it is over only where its last chapter says so."""
    named = re.match(r"([0-9]{1,12}(?:\[[0-9]{1,9}\])?)>, (?:Job Name <(.*?)>, )?User <", story)
    events = [found for found in map(_EVENT.match, story.splitlines()) if found is not None]
    if named is None or not events or "Summary of time in seconds" not in story:
        return None
    started, host, seen = 0.0, "", Observation("pending")
    ran = False
    code = ""
    for event in events:
        at, words = when(event[1], now), event[2]
        exited = re.match(r"Exited(?: with exit code ([0-9]+)| by (?:LSF )?signal ([0-9]+))?", words)
        if re.search(r"(?:Dispatched|[Ss]tarted \d* ?(?:Task\S* )?on|Starting|Running)", words):
            dispatched = re.search(r"<([^<>]+)>", words) if words.startswith("Dispatched") else None
            host = dispatched[1].split("*")[-1] if dispatched is not None else host
            ran, started, code = True, started or at, ""
            seen = Observation("running", host=host, started=started)
        elif re.match(r"Requeue|Pending", words):
            ran, started = False, 0.0
            seen = Observation("pending")
        elif words.startswith("Done successfully"):
            seen = Observation("gone", exit_code=0, at=at, outcome="finished", host=host, started=started)
        elif exited is not None:
            code = exited[1] or (str(128 + int(exited[2])) if exited[2] and int(exited[2]) < 128 else "")
            seen = ended("", code, ran, at, host, started)
        elif words.startswith("Completed <exit>"):
            seen = ended(words, code, ran, at, host, started)
    if seen.presence == "gone" and not _adds_up(story, events, now):
        return None
    return Entry(named[1], seen, name=named[2] or "", submitted=when(events[0][1], now))


def _adds_up(story: str, events: list[re.Match[str]], now: float) -> bool:
    """Whether the time from the first chapter to the last is the one in the story's own summary.

    It is not where the end of another story stands in place of this one's.
    """
    summary = re.search(r"^Summary of time.* by +(\w{3} .*?)\s*\n.*\n((?: +[0-9]{1,9})+) *$", story, re.MULTILINE)
    if summary is None:
        return False
    first, last = when(events[0][1], now), when(events[-1][1], now)
    total = float(summary[2].split()[-1])
    return abs(when(summary[1], now) - last) <= _ROUNDED and abs(last - first - total) <= _ROUNDED
