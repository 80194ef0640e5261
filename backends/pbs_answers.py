"""What PBS and Torque say of jobs, in the full text of qstat.

Text, because the JSON of OpenPBS is unreadable over odd variables of jobs, and of several jobs that are asked for
some versions tell of the first only or repeat what encloses them.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec

from ..core.backend import task_mark
from ..core.job import Reason
from ..core.verdict import Observation
from .dialect import Entry, clipped, number

# The last line of an answer that came whole: what is before it may be nothing.
WHOLE = "end of answer"
# The variable by which a job is found.
MARK = "JOBTUI_MARK"

_WANTED = (
    "job_state", "Job_Name", "queue", "substate", "comment", "Hold_Types", "depend", "exec_host", "Exit_status",
    "ctime", "mtime", "stime", "obittime", "Execution_Time", "estimated.start_time", "Submit_arguments",
    # What Torque calls them.
    "exit_status", "start_time", "comp_time", "submit_args",
)  # fmt: skip
_LINE = "\n    "
_RECORD = "\nJob Id: "
_FIELD = re.compile(rf"{_LINE}({'|'.join(map(re.escape, _WANTED))}) = ([^\n]*)")
_JID = re.compile(r"\d+(?:\[\d*\])?\.[\w.-]+")
_TASK = re.compile(r"\[([0-9]{1,9})\]")
_END_OF_VALUE = re.compile(r"[,\s]|$")

# What a job script exits with that came too late, or a second time: PBS may run tasks of arrays again.
_NOT_ITS_OWN = 75

_Job = Mapping[str, str]


def listed(text: str) -> tuple[list[Entry], bool]:
    """The jobs in an answer of qstat, and whether all of it could be read.

    Lines that begin with a tab go on with the value before; those that make no sense are parts of a job's variables.
    """
    body = text.removesuffix(f"{WHOLE}\n")
    head, *records = f"\n{body}".replace("\n\t", "").split(_RECORD)
    whole = len(body) < len(text) and not head.strip()
    if len(body) == len(text):
        # Nobody knows what is missing of the last one.
        del records[-1:]
    entries: dict[str, Entry] = {}
    for record in records:
        entry = _entry(record)
        # What occurs twice was two jobs' of which something is missing in between.
        if entry is None or entry.jid in entries:
            whole = False
        else:
            entries[entry.jid] = entry
    arrays = {jid.partition("[")[0] for jid in entries if "[" in jid and "[]" not in jid}
    # An array is told of by its tasks.
    tasks = [entry for jid, entry in entries.items() if "[]" not in jid or jid.partition("[")[0] not in arrays]
    return tasks, whole


def problems(lines: Iterable[str]) -> list[str]:
    """The lines of qstat's complaints but those about jobs that it does not know: these are an answer."""
    return [line for line in lines if line.strip() and not re.search(r"Unknown Job Id\b", line)]


def _entry(record: str) -> Entry | None:
    """One record of qstat's; None if it makes no sense."""
    found = _FIELD.findall(record)
    job = dict(found)
    jid = record.partition(_LINE)[0].strip()
    if not _JID.fullmatch(jid) or len(job) != len(found) or "job_state" not in job:
        return None
    mark, task = _variable(MARK, record), _TASK.search(jid)
    arguments = (job.get("Submit_arguments") or job.get("submit_args") or "").strip()
    seen = _seen(job)
    if mark and seen.exit_code == _NOT_ITS_OWN:
        seen = msgspec.structs.replace(seen, exit_code=None)
    return Entry(
        jid=jid,
        seen=seen,
        mark=task_mark(mark, int(task[1])) if mark and task is not None else mark,
        name=job.get("Job_Name", ""),
        queue=job.get("queue", ""),
        submitted=_when(job.get("ctime", "")),
        command=f"qsub {arguments}" if arguments else "",
        cwd=_variable("PBS_O_WORKDIR", record),
    )


def _variable(name: str, record: str) -> str:
    """The value of one of a job's variables, wherever it stands."""
    at = record.find(f"{name}=")
    if at < 0:
        return ""
    start = at + len(name) + 1
    end = _END_OF_VALUE.search(record, start)
    return record[start : end.start() if end is not None else None]


# -- the meaning

_LOST_NODE = (Reason.NODE_FAILURE, "the node that it ran on failed")
_ENDS = {
    -29: (Reason.TIMEOUT, "stopped by PBS at its time limit"),
    -28: (Reason.TIMEOUT, "stopped by PBS at its limit of processor time"),
    -27: (Reason.OUT_OF_MEMORY, "it used more memory than it had asked for"),
    -26: (Reason.OUT_OF_MEMORY, "it used more virtual memory than it had asked for"),
    -25: (None, "stopped by PBS because it used more cores than it had asked for"),
    -24: (None, "stopped by PBS because it used more cores than it had asked for"),
    **dict.fromkeys((-3, -4, -5, -6, -11, -14, -16, -18, -20), _LOST_NODE),
}
_TORQUE_ENDS = {
    -12: (Reason.TIMEOUT, "stopped by Torque at its limit of processor time"),
    -11: (Reason.TIMEOUT, "stopped by Torque at its time limit"),
    -10: (Reason.OUT_OF_MEMORY, "it used more memory than it had asked for"),
    **dict.fromkeys((-3, -4, -5, -6, -7), _LOST_NODE),
}
_WAITING = frozenset({"Q", "T", "W", "H"})
_ENDED = frozenset({"F", "X", "C"})
# The substate of a job that was deleted, and what its comment then says.
_DELETED = "91"
_BY = re.compile(r"(?:terminated|deleted) by ([\w.@-]+)")


def _seen(job: _Job) -> Observation:
    """What PBS's letter for a state means. An unknown one is no state at all: the job is there, no more."""
    state = job["job_state"].strip()
    if state in _WAITING:
        return _waiting(job, state)
    host = _hosts(job.get("exec_host", ""))
    started = _when(job.get("stime") or job.get("start_time") or "")
    if state in ("R", "B"):
        return Observation("running", host=host, started=started)
    if state in ("S", "U"):
        words = "suspended in PBS" if state == "S" else "suspended while somebody uses the machine that it runs on"
        return Observation("suspended", detail=words, host=host, started=started)
    if state in _ENDED:
        return _gone(job, host, started)
    words = {"E": "", "M": "moved to another PBS server"}.get(state, f"PBS says {clipped(state, 40) or 'nothing'}")
    return Observation("ending", detail=words, host=host, started=started)


def _waiting(job: _Job, state: str) -> Observation:
    holds, needed = job.get("Hold_Types", ""), _needed(job.get("depend", ""))
    if "o" in holds or ("s" in holds and ("u" in holds or not needed)):
        return Observation("held", detail="held by an administrator")
    if "u" in holds:
        return Observation("held", detail="held in PBS; release it to let it start")
    if "p" in holds:
        return Observation("held", detail="held: PBS has no valid password of yours")
    expected = _when(job.get("estimated.start_time", ""))
    if state == "H" and needed:
        which = f"job {needed[0]}" if len(needed) == 1 else f"jobs {', '.join(needed)}"
        return Observation("pending", detail=f"waits for {clipped(which, 160)} to end", expected=expected)
    if state == "H":
        return Observation("held", detail=_why(job.get("comment", "")) or "held in PBS")
    begin = _when(job.get("Execution_Time", ""))
    if state == "W" and begin:
        return Observation("pending", detail="waits for its start time", expected=begin)
    return Observation("pending", detail=_why(job.get("comment", "")), expected=expected)


def _needed(depend: str) -> list[str]:
    """The jobs that one waits for."""
    jobs = [one for some in re.findall(r"(?:^|,)after\w*:([^,]+)", depend) for one in some.split(":")]
    return list(dict.fromkeys(one.partition("@")[0] for one in jobs))


# Why a job waits, in plain words, by what the scheduler's comment says; the rest is said as it is.
_WHY = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        ("Can Never Run", "no node can give what it asks for"),
        ("Not enough |Insufficient amount|too few free|unavailable", "waits for free resources"),
        ("[Rr]eservation|top job|[Dd]rain|[Ss]trict|[Ss]tarving|[Pp]riority", "others come first"),
        ("has reached|would exceed|exceeds|[Ll]imit", "a limit on running jobs is reached"),
        ("[Qq]ueue .*not started|not been started", "its queue is stopped"),
        ("[Dd]edicated|primetime", "waits for its part of the day"),
    )
)


@lru_cache(1000)
def _why(comment: str) -> str:
    """Why a job waits, in plain words and in PBS's own."""
    if not comment.strip() or comment.startswith("Job run at"):
        return ""
    said = clipped(re.sub(r"^(?:Not Running|Can Never Run): *", "", comment), 160)
    plain = next((words for pattern, words in _WHY if pattern.search(comment)), "")
    return f"{plain} ({said})" if plain else f"PBS says: {said}"


def _gone(job: _Job, host: str, started: float) -> Observation:
    torque = "exit_status" in job or job["job_state"] == "C"
    code = _integer(job.get("exit_status" if torque else "Exit_status", ""))
    at = _when(job.get("obittime") or job.get("comp_time") or job.get("mtime") or "")
    by = _BY.search(job.get("comment", ""))
    if by is not None or job.get("substate") == _DELETED or (code is None and not started):
        words = f"cancelled in PBS by {by[1]}, not through jobtui" if by is not None else _removed(job, started)
        return Observation("gone", detail=words, at=at, outcome="cancelled", host=host, started=started)
    if code == 0:
        return Observation("gone", exit_code=0, at=at, outcome="finished", host=host, started=started)
    if code is None:
        words = clipped(job.get("comment", ""), 160)
        return Observation("gone", detail=words, at=at, outcome="failed", host=host, started=started)
    if code > 0:
        # Above 256 stands the signal that ended it.
        own = code - 128 if 256 < code <= 256 + 64 else code if code < 256 else None
        return Observation("gone", exit_code=own, at=at, outcome="failed", host=host, started=started)
    unknown = (Reason.LAUNCH, f"PBS could not start it ({code})")
    cause, words = (_TORQUE_ENDS if torque else _ENDS).get(code, unknown)
    return Observation("gone", cause, words, at=at, outcome="failed", host=host, started=started)


def _removed(job: _Job, started: float) -> str:
    """What became of a job that nobody is named for."""
    if not started and _needed(job.get("depend", "")) and job.get("substate") != _DELETED:
        return "removed by PBS: a job that it waited for did not end as it should, or never was"
    return "cancelled in PBS, not through jobtui"


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else None


def _hosts(text: str) -> str:
    """The names in ``node/0*4+other/0``."""
    return ",".join(dict.fromkeys(part.partition("/")[0] for part in text.split("+") if part))


# Not strptime, which takes ten times as long.
_TIME = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +([0-9]{1,2}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([0-9]{4})", re.ASCII)
_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}


@lru_cache(10_000)
def _when(text: str) -> float:
    """Epoch seconds of a time such as ``Sat Nov 21 07:54:47 2026`` (UTC), or of one in such seconds; else 0."""
    found = _TIME.fullmatch(text)
    if found is None or found[1] not in _MONTHS:
        return number(text)
    day, hour, minute, second, year = map(int, found.groups()[1:])
    try:
        return max(0.0, float(calendar.timegm((year, _MONTHS[found[1]], day, hour, minute, second))))
    except ValueError:
        return 0.0
