"""What Grid Engine's answers mean: the listing of qstat, the scheduler's reasons, and the records of qacct."""

from __future__ import annotations

import calendar
import functools
import itertools
import re
from collections.abc import Mapping, Sequence
from html import unescape

import msgspec

from ..core.backend import task_mark
from ..core.job import Reason
from ..core.verdict import Observation
from .dialect import Asked, Entry, clipped
from .sge_starter import TRANSLATED

_END = re.compile(r"</job_info>\s*</job_info>")
_HEAD = re.compile(r"(?:<\?xml[^<>]*\?>)?\s*<job_info[^<>]*>\s*<queue_info>\s*(?:</queue_info>\s*<job_info>\s*)?")
_BETWEEN = re.compile(r"\s*</queue_info>\s*<job_info>\s*")
_BEFORE_IT = re.compile(r"<(?:ad_)?predecessor_jobs>([^<]*)<")
_NAME = re.compile(r"(?P<title>.*)\.(?P<mark>jt[0-9a-f]+\.\d+)", re.DOTALL)
_RANGE = re.compile(r"(\d+)(?:-(\d+)(?::(\d+))?)?")
# More tasks than any site allows in an array are no array.
_MOST_TASKS = 200_000

_SUSPENDED = {
    "s": "suspended in Grid Engine",
    "S": "its queue is suspended",
    "T": "suspended because its host is overloaded",
    "N": "suspended because its host is overloaded",
    "P": "suspended for a job of higher priority",
}

# Why jobs wait, as the scheduler groups them, in plain words; the first that fits. "" is no reason of the job's own.
_WHY = (
    ("error state", ""),
    ("hold state", ""),
    ("job dependencies", "waits for another job to end"),
    ("execution time not reached", "waits for its start time"),
    ("max_aj_instances", "waits for another task of its array to end"),
    ("user/group limitations", "you or your group have as many jobs running as allowed"),
    ("resource quota", "a resource quota is used up"),
    ("slots combined under PE", "waits for enough free slots in its parallel environment"),
    ("slots of pe are not in range", "waits for enough free slots in its parallel environment"),
    ("not supported by pe", "its parallel environment does not give that many slots"),
    ("no access to pe", "you may not use its parallel environment"),
    ("no matching PE", "no queue has its parallel environment"),
    ("no matching pe", "no queue has its parallel environment"),
    ("insufficient slots", "waits for enough free slots in its parallel environment"),
    ("suitable access permissions", "you may use none of the queues"),
    ("assigned project", "no queue takes jobs of its project"),
    ("not assigned to a project", "the queues take only jobs of a project"),
    ("project list of queue", "no queue takes jobs of its project"),
    ("'forced' resource", "the queues take only jobs that ask for a special resource"),
    ("no host can satisfy", "no host gives what it asks for"),
    ("resource requirements can not be sat", "waits for the resources that it asks for"),
    ("overloaded or full", "all queues are full or overloaded"),
    ("queues are overloaded", "all queues are full or overloaded"),
    ("load alarm", "all queues are full or overloaded"),
    ("alarm star", "all queues are full or overloaded"),
    ("hard queue list", "waits for a free slot in its queue"),
)
_GROUP = re.compile(r"^(\S.*)\n((?:\t.*\n?)+)", re.MULTILINE)
_ERROR = re.compile(r"^error reason\s+(\d+):\s+(?:\S+ \S+ \[\S+\]: )?(?:error: )?(.*)$", re.MULTILINE)


# -- qstat


def listed(text: str) -> tuple[list[Entry], bool]:
    """The jobs in an answer to the status query, and whether it is whole and makes sense throughout.

    Not read by a parser of XML, which takes three times as long and gives nothing where a character is wrong.
    """
    end = _END.search(text)
    notes = text[end.end() :] if end is not None else ""
    errors, reasons = _errors(notes), _reasons(notes)
    head, *blocks = text[: end.start() if end is not None else len(text)].split("<job_list ")
    whole = end is not None and _HEAD.fullmatch(head) is not None
    entries: list[Entry] = []
    for block in blocks:
        record, closed, rest = block.partition("</job_list>")
        jid, state = _field(record, "<JB_job_number>"), _field(record, "<state>")
        tasks = _tasks(_field(record, "<tasks>"))
        ended = block.startswith('state="zombie"')
        if not closed or not _is_number(jid) or not state or tasks is None or ended != (state == "z"):
            whole = False
            continue
        if rest.strip():
            whole = whole and _BETWEEN.fullmatch(rest) is not None
        entry = _entry(jid, state, record, errors.get(jid, ""), reasons.get(jid, ""))
        if tasks:
            entries += [_task(entry, task, errors) for task in tasks]
        else:
            entries.append(entry)
    return entries, whole


def _field(record: str, tag: str) -> str:
    """The text of the first element ``tag``; "" where there is none."""
    start = record.find(tag)
    if start < 0:
        return ""
    start += len(tag)
    end = record.find("<", start)
    return record[start:end] if end >= 0 else ""


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16


def _tasks(text: str) -> Sequence[int] | None:
    """The tasks in ``1,5-9:2``; empty where the job is no array, None where this makes no sense."""
    ranges: list[range] = []
    for part in text.split(",") if text else ():
        found = _RANGE.fullmatch(part)
        if found is None or not all(_is_number(number or "1") for number in found.groups()):
            return None
        ranges.append(range(int(found[1]), int(found[2] or found[1]) + 1, int(found[3] or 1) or 1))
    return list(itertools.chain(*ranges)) if sum(map(len, ranges)) <= _MOST_TASKS else None


def _entry(jid: str, state: str, record: str, error: str, reason: str) -> Entry:
    queue, _, host = _field(record, "<queue_name>").partition("@")
    name = _plain(_field(record, "<full_job_name>") or _field(record, "<JB_name>"))
    marked = _NAME.fullmatch(name)
    before = ",".join(_BEFORE_IT.findall(record)) if "predecessor_jobs" in record else ""
    return Entry(
        jid=jid,
        seen=state_of(state, host, _when(_field(record, "<JAT_start_time>")), error, before, reason),
        mark=marked["mark"] if marked is not None else "",
        name=marked["title"] if marked is not None else name,
        queue=queue or _field(record, "<hard_req_queue>"),
        submitted=_when(_field(record, "<JB_submission_time>")),
    )


def _plain(text: str) -> str:
    # The first is Grid Engine's own slip for an escaped "<".
    return unescape(text.replace("%lt;", "&lt;")) if "&" in text or "%" in text else text


def _task(entry: Entry, task: int, errors: Mapping[str, str]) -> Entry:
    jid = f"{entry.jid}.{task}"
    seen = entry.seen
    if jid in errors and seen.reason is not None:
        seen = _in_error(errors[jid])
    # Ours count from 0.
    marked = task_mark(entry.mark, task - 1) if entry.mark else ""
    return msgspec.structs.replace(entry, jid=jid, seen=seen, mark=marked)


def state_of(
    letters: str, host: str = "", started: float = 0.0, error: str = "", before: str = "", reason: str = ""
) -> Observation:
    """What Grid Engine's letters for a state mean. Unknown ones are no state at all: the job is there, no more.

    One of a job that has ended does not say how.
    ``error``: why it is in error; ``before``: the jobs that it waits for; ``reason``: why the scheduler lets it wait.
    """
    if letters == "z":
        return Observation("gone", detail="it has ended, says Grid Engine, and not how")
    known = set(letters) <= set("dEhqwrRtsSTNP")
    if not known or "d" in letters:
        words = "being deleted in Grid Engine" if known else f"Grid Engine says {clipped(letters, 40)}"
        return Observation("ending", detail=words, host=host, started=started)
    waits = "q" in letters or "w" in letters
    if waits and "E" in letters:
        return _in_error(error)
    if waits and "h" in letters and not before:
        return Observation("held", detail="held in Grid Engine; release it to let it start")
    if waits:
        words = f"waits for {_jobs(before)} to end" if before else reason
        again = "put back into the queue by Grid Engine" if "R" in letters else ""
        return Observation("pending", detail=words or again)
    stopped = next((letter for letter in letters if letter in _SUSPENDED), None)
    if stopped is not None:
        return Observation("suspended", detail=_SUSPENDED[stopped], host=host, started=started)
    if "r" in letters or "t" in letters:
        return Observation("running", host=host, started=started)
    return Observation("ending", detail=f"Grid Engine says {letters}", host=host, started=started)


def _in_error(words: str) -> Observation:
    """It stays in the queue and starts when the error is cleared, which releasing does."""
    why = f": {clipped(words, 160)}" if words else ""
    return Observation("held", Reason.LAUNCH, f"Grid Engine could not start it{why}; release it to try again")


def _jobs(before: str) -> str:
    return f"job {before}" if _is_number(before) else f"jobs {clipped(before, 60)}"


# Jobs come in crowds.
@functools.lru_cache(maxsize=4096)
def _when(text: str) -> float:
    """Epoch seconds of a time in UTC: ``2026-11-21T07:56:53``, perhaps with a fraction; 0 for anything else."""
    found = re.match(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)", text, re.ASCII)
    return _epoch(found.groups()) if found is not None else 0.0


def _epoch(parts: Sequence[str]) -> float:
    try:
        return float(max(0, calendar.timegm(tuple(map(int, parts)))))
    except (ValueError, OverflowError):
        return 0.0


def _errors(notes: str) -> Mapping[str, str]:
    """Why jobs and tasks are in error: id or id.task -> Grid Engine's words (``qstat -j IDS``)."""
    found: dict[str, str] = {}
    for block in re.split(r"^(?=job_number:)", notes, flags=re.MULTILINE)[1:]:
        jid = block[len("job_number:") : block.find("\n")].strip()
        for task, words in _ERROR.findall(block):
            found[f"{jid}.{task}"] = words
            found.setdefault(jid, words)
    return found


def _reasons(notes: str) -> Mapping[str, str]:
    """Why jobs wait, in plain words, by their ids (``qstat -j``)."""
    found: dict[str, tuple[int, str]] = {}
    for heading, ids in _GROUP.findall(notes):
        rank = next((rank for rank, (part, _) in enumerate(_WHY) if part in heading), len(_WHY))
        words = _WHY[rank][1] if rank < len(_WHY) else f"Grid Engine says: {clipped(heading, 160)}"
        for jid in re.findall(r"\d+", ids):
            # What nobody knows here is said only where nothing else is.
            found[jid] = min(found.get(jid, (rank, words)), (rank, words))
    return {jid: words for jid, (_, words) in found.items()}


# -- qacct

_FIELD = re.compile(r"^(\w+)[ \t]+(.*?)[ \t]*$", re.MULTILINE)
_NEEDED = ("jobnumber", "taskid", "qsub_time", "start_time", "end_time", "failed", "exit_status", "maxvmem")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNITS = {"": 1, "B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}

# Codes of "failed" (sge_status(5)): before the job script ran; by trouble of the node; put back into the queue.
_BEFORE = frozenset({*range(1, 12), *range(26, 30), *range(31, 37), 38})
_NODE = frozenset({18, 19, 20, 21, 22})
_BACK = frozenset({24, 25})
_LIMIT = 37
# Processes are killed so when a job is deleted, and by many others; the code below tells nothing but the signal.
_LAST_SIGNAL = 64


def accounted(asked: Sequence[Asked], text: str) -> tuple[list[Entry], bool]:
    """Each job's last record that is not older than the job, and whether the answer is whole."""
    wanted = {job.jid: job for job in asked}
    found: dict[str, Entry] = {}
    records, whole = _records(text)
    for record in records:
        task = record["taskid"]
        jid = record["jobnumber"] if task in ("undefined", "0", "") else f"{record['jobnumber']}.{task}"
        job, submitted = wanted.get(jid), _told(record["qsub_time"])
        # An hour for clocks that differ.
        if job is not None and submitted >= job.sent - 3600.0 and not _is_void(record):
            found[jid] = Entry(jid, _end_of(record), submitted=submitted)
    return list(found.values()), whole


def _records(text: str) -> tuple[list[dict[str, str]], bool]:
    """The records that hold all that is needed. What follows the last of them is a summary."""
    whole = not text or text.endswith("\n")
    records: list[dict[str, str]] = []
    # A torn line may hold half a number.
    lines = text[: text.rfind("\n") + 1]
    for block in re.split(r"^={20,}\n", lines, flags=re.MULTILINE):
        if not block.startswith("qname"):
            continue
        pairs = _FIELD.findall(block)
        record = dict(pairs)
        names = [name for name, _ in pairs if name in _NEEDED]
        if sorted(names) == sorted(_NEEDED) and _is_number(record["exit_status"].split(" ")[0]):
            records.append(record)
        else:
            whole = False
    return records, whole


def _told(text: str) -> float:
    """Epoch seconds of a time in UTC: ``Sat Nov 21 07:56:53 2026`` or ``11/21/2026 07:56:53.123``; 0 for others."""
    found = re.match(r"\w{3} (\w{3}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) (\d{4})", text, re.ASCII)
    if found is not None and found[1] in _MONTHS:
        return _epoch((found[6], str(_MONTHS.index(found[1]) + 1), found[2], found[3], found[4], found[5]))
    found = re.match(r"(\d\d)/(\d\d)/(\d{4}) (\d\d):(\d\d):(\d\d)", text, re.ASCII)
    return _epoch((found[3], found[1], found[2], *found.groups()[3:])) if found is not None else 0.0


def _is_void(record: Mapping[str, str]) -> bool:
    """Whether the record is that of a job that was forgotten by force: it reads as a good end, and tells nothing."""
    return record["failed"].strip() == "0" and record.get("ru_minflt") == "0" and record.get("cpu") == "0.000s"


def _end_of(record: Mapping[str, str]) -> Observation:
    """What a record means. One of a job that was put back says that it lives."""
    code, _, words = (part.strip() for part in record["failed"].partition(":"))
    failed = int(code) if _is_number(code) else -1
    status = int(record["exit_status"].split(" ")[0])
    host = record.get("hostname", "")
    at, started = _told(record["end_time"]), _told(record["start_time"])
    if failed in _BACK:
        return Observation("pending", detail="put back into the queue by Grid Engine")
    by = record.get("deleted_by", "NONE")
    if by not in ("NONE", "", "-"):
        detail = f"deleted in Grid Engine by {clipped(by, 60)}, not through jobtui"
        return Observation("gone", detail=detail, at=at, outcome="cancelled", host=host, started=started)
    if failed == 0 and status == 0:
        return Observation("gone", exit_code=0, at=at, outcome="finished", host=host, started=started)
    reason, detail = _cause(failed, words, record)
    own = reason is None and failed >= 0 and 0 < status <= 255 and status != TRANSLATED
    exit_code = status if own else None
    return Observation("gone", reason, detail, exit_code, at, "failed", host, started)


def _cause(failed: int, words: str, record: Mapping[str, str]) -> tuple[Reason | None, str]:
    if failed in _BEFORE:
        return Reason.LAUNCH, f"Grid Engine could not start it: {clipped(words, 160)}"
    if failed in _NODE:
        return Reason.NODE_FAILURE, f"the node that it ran on lost it: {clipped(words, 160)}"
    if failed == _LIMIT and _over_memory(record):
        return Reason.OUT_OF_MEMORY, "it used more memory than it had asked for"
    if failed == _LIMIT:
        return Reason.TIMEOUT, "stopped by Grid Engine at its time limit"
    return None, ""


def _over_memory(record: Mapping[str, str]) -> bool:
    """Whether a job that was stopped at a limit had used as much memory as it was allowed."""
    limit = re.search(r"\bh_vmem=([\d.]+)([KMGT]?)", record.get("category", ""), re.IGNORECASE)
    used = re.match(r"([\d.]+)([KMGT]?)", record["maxvmem"], re.IGNORECASE)
    if limit is None or used is None:
        return False
    slots = float(record["slots"]) if _is_number(record.get("slots", "")) else 1.0
    return _bytes(used) >= _bytes(limit) * max(1.0, slots)


def _bytes(found: re.Match[str]) -> float:
    try:
        return float(found[1]) * _UNITS[found[2].upper()]
    except ValueError:
        return 0.0
