"""The LSF dialect (IBM Spectrum LSF 10.1 and later), and the less that its open relatives know."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping, Sequence

from ..core.backend import Answer, Capability, Dependency, Rejected, Request, Surroundings, Took, Uncertain, Verb, mark
from ..core.job import JobSpec
from ..core.queues import Capacity
from . import lsf_capacity
from .batch import BatchBackend
from .dialect import Asked, Command, Entry, Listing, Order, Reply, Site, chunks, one_line, waiting
from .lsf_answers import MARK, WHOLE, listed, problems, told
from .starter import array_starter, starter

# Seconds. Without their LIM all of LSF's commands wait for ever.
_SUBMIT_PATIENCE = 60.0
_PATIENCE = 30.0
_HISTORY_PATIENCE = 120.0
_IDS_AT_ONCE = 100
_LARGEST_ARRAY = 1000

_FIELDS = (
    "jobid jobindex stat exit_code exit_reason pend_reason submit_time start_time finish_time estimated_start_time "
    "exec_host queue job_name job_description sub_cwd"
)
# What relatives know too; an array's tasks are told apart by their names then.
_FEW_FIELDS = "jobid stat queue job_name submit_time start_time finish_time exec_host"

_PROBE = f"""lsid || exit
bparams -a 2>/dev/null
bjobs -json -o '{_FIELDS}' 1 2>&1
exit 0
"""
_QUESTION = """date +%s
{command}
code=$?
echo '{whole}'
exit "$code"
"""

# A person's own defaults for what a job does not say.
_DEFAULTS = frozenset({"LSB_DEFAULTQUEUE", "LSB_DEFAULTPROJECT", "LSB_DEFAULT_USERGROUP", "LSB_NTRIES"})

_SENTENCE = re.compile(r"Job <([0-9]+)> is submitted")
_LATER = re.compile(
    r"Please wait|not responding|LSF is (?:down|processing)|threshold reached|too many|try (?:it )?again|Retrying"
    r"|Cannot connect|Connection refused|limit on (?:pending|the number of)",
    re.IGNORECASE,
)
_DOUBT = re.compile(
    r"timed? ?out|communication|failed in (?:sending|receiving)|broken pipe|connection reset", re.IGNORECASE
)
_ABOUT = re.compile(r"Job <([0-9]+(?:\[[0-9]+\])?)>")
_FINE = re.compile(r"already finished|No matching job found|is being |Please wait|still trying")

_AFTER: Mapping[str, str] = {"ok": "done", "fail": "exit", "any": "ended"}
_VERBS: Mapping[Verb, str] = {
    "hold": "bstop",
    "release": "bresume",
    "suspend": "bstop",
    "resume": "bresume",
    "requeue": "brequeue",
}


class Lsf:
    """How LSF is spoken to."""

    name = "lsf"
    title = "LSF"
    programs: Sequence[str] = ("lsid", "bsub", "bjobs", "bkill")
    own_id = "${JOBTUI_JID-${LSB_JOBID-}}"
    forms: Mapping[str, str] = {"TZ": "UTC0", "LSB_NTRIES": "2"}
    capabilities: frozenset[Capability] = frozenset(
        {"hold", "release", "suspend", "resume", "requeue", "signal", "history", "foreign"}
    )

    def scrub(self, env: Mapping[str, str]) -> dict[str, str]:
        """Drop what changes options and answers, and what a job that we were called from left behind."""
        return {
            name: value
            for name, value in env.items()
            if name in _DEFAULTS or not name.startswith(("LSB_", "BSUB_", "LS_JOBPID", "LS_SUBCWD", "JOBTUI_JID"))
        }

    # -- what there is

    def probe(self) -> Command:
        """Ask for the version, the settings, and what bjobs can tell."""
        return Command(("sh", "-c", _PROBE), patience=_PATIENCE)

    def read_probe(self, reply: Reply) -> Site | str:
        """Take the version, how long ended jobs are remembered, how memory counts, and which fields there are."""
        cluster = re.search(r"^My cluster name is (\S+)", reply.out, re.MULTILINE)
        if cluster is None and re.search(r"\blsid: (?:command )?not found", reply.err):
            return "there is no command lsid on the PATH"
        if reply.code != 0 or cluster is None:
            return reply.words()
        head = reply.out.partition("\n")[0]
        version = re.search(r"\b[0-9]+(?:\.[0-9]+)+", head)
        if re.search(r"^Usage: bjobs", reply.out, re.MULTILINE):
            return f"this LSF ({one_line(head)}) is too old: its bjobs has no -json"
        found: dict[str, str] = dict(re.findall(r"^\s*(\w+)\s*=\s*(.*?)\s*$", reply.out, re.MULTILINE))
        noted = {"fields": "few"} if "not a valid field name" in reply.out else {}
        if found.get("RESOURCE_RESERVE_PER_TASK", found.get("RESOURCE_RESERVE_PER_SLOT", "")).upper() == "Y":
            noted["memory"] = "by task"
        title = re.sub(r",.*", "", head).strip()
        return Site(
            words=f"{title}, cluster {cluster[1]}",
            version=tuple(int(part) for part in (version[0].split(".") if version is not None else ())[:3]),
            cluster=cluster[1],
            remembers=_seconds(found.get("CLEAN_PERIOD", "")) or 3600.0,
            array_limit=min(_LARGEST_ARRAY, int(_seconds(found.get("MAX_JOB_ARRAY_SIZE", ""))) or _LARGEST_ARRAY),
            kill_wait=_seconds(found.get("JOB_TERMINATE_INTERVAL", "")) or 10.0,
            noted=noted,
        )

    # -- submitting

    def submit(self, request: Request, site: Site) -> Command:
        """Run bsub on a starter of the job script, which is handed over on standard input."""
        path = f"{request.metadir}/job.sched"
        # A percent sign means something else in a path here.
        own = ("-o", path if "%" not in path else "/dev/null")
        options = _options(request, mark(request.tag, request.attempt), "", site)
        return Command(("bsub", *own, *waiting(self, request), *options), starter(request), _SUBMIT_PATIENCE)

    def submit_array(self, requests: Sequence[Request], site: Site) -> Command:
        """Run bsub on a starter of all their job scripts. LSF counts tasks from 1."""
        first = requests[0]
        assert first.task is not None
        tasks = {request.task.index + 1: request for request in requests if request.task is not None}
        options = _options(first, first.task.mark, f"[{','.join(_ranges(sorted(tasks)))}]", site)
        own_id = 'export JOBTUI_JID="${LSB_JOBID}[$LSB_JOBINDEX]"'
        script = array_starter(tasks, "$LSB_JOBINDEX", own_id)
        return Command(("bsub", "-o", "/dev/null", *waiting(self, first), *options), script, _SUBMIT_PATIENCE)

    def wait_for(self, dependency: Dependency, spec: JobSpec) -> Sequence[str] | None:
        """Have it wait for any of LSF's conditions on jobs."""
        if any(word.startswith("-w") for word in spec.resources.extra):
            return None
        joiner = " || " if dependency.one_is_enough else " && "
        return ("-w", joiner.join(f"{_AFTER[parent.ending]}({parent.jid})" for parent in dependency.parents))

    def task_id(self, array: str, index: int) -> str:
        """``array[task]``."""
        return f"{array}[{index + 1}]"

    def read_submit(self, reply: Reply) -> Answer:
        """Find the sentence with the id wherever it stands: sites add lines of their own."""
        found = _SENTENCE.search(reply.out)
        if reply.code == 0 and found is not None:
            return Took(found[1])
        words = reply.words()
        if found is not None or reply.code <= 0:
            return Uncertain(words)
        if _LATER.search(words):
            return Rejected(words, retryable=True)
        if "not submitted" not in words and _DOUBT.search(words):
            return Uncertain(words)
        return Rejected(words)

    # -- looking

    def status(self, asked: Sequence[Asked], site: Site) -> Command:
        """Ask for all jobs of this person, the ended ones that LSF still knows among them."""
        fields = _FEW_FIELDS if site.noted.get("fields") == "few" else _FIELDS
        return _question(f"bjobs -a -json -o '{fields}'", _PATIENCE)

    def read_status(self, reply: Reply) -> Listing:
        """Read bjobs' answer."""
        entries, whole = listed(reply.out)
        return _listing(reply, entries, whole)

    # -- the accounting

    def history(self, asked: Sequence[Asked], site: Site) -> Sequence[Command]:
        """Ask for the life stories of these jobs."""
        jids = [shlex.quote(job.jid) for job in asked if job.jid]
        return [_question(f"bhist -l {' '.join(some)}", _HISTORY_PATIENCE) for some in chunks(jids, _IDS_AT_ONCE)]

    def read_history(self, asked: Sequence[Asked], reply: Reply) -> Listing:
        """Take the stories of the jobs that were asked for; of an id that is used again they tell the last job's."""
        entries, whole = told(reply.out)
        wanted = {job.jid: job for job in asked}
        # An hour for clocks that differ.
        ours = [one for one in entries if one.jid in wanted and one.submitted >= wanted[one.jid].sent - 3600.0]
        return _listing(reply, ours, whole)

    # -- queues

    def capacity(self, site: Site) -> Sequence[Command]:
        """Ask for queues and nodes."""
        return lsf_capacity.questions(_PATIENCE)

    def read_capacity(self, replies: Sequence[Reply]) -> Capacity:
        """The queues and nodes."""
        return lsf_capacity.read(replies)

    # -- orders

    def cancel(self, jids: Sequence[str], *, force: bool) -> Sequence[Order]:
        """Kill jobs, waiting or running: INT, TERM and KILL one after the other, or KILL at once."""
        return _orders(jids, ("bkill", "-s", "KILL") if force else ("bkill",))

    def order(self, verb: Verb, jids: Sequence[str]) -> Sequence[Order]:
        """Hold, release, suspend, resume or requeue: what bstop does depends on whether the job runs."""
        return _orders(jids, (_VERBS[verb],))

    def signal(self, jids: Sequence[str], name: str) -> Sequence[Order]:
        """Signal all processes of jobs."""
        return _orders(jids, ("bkill", "-s", name))

    def read_refusals(self, jids: Sequence[str], reply: Reply) -> dict[str, str]:
        """Find the ids in the complaints; a complaint that names none concerns all."""
        refused: dict[str, str] = {}
        general: list[str] = []
        for line in reply.err.splitlines():
            if not line.strip() or _FINE.search(line):
                continue
            about = _ABOUT.search(line)
            if about is None:
                general.append(line)
            elif about[1] in jids:
                refused[about[1]] = one_line(line)
        if reply.code != 0 and not refused and (general or not reply.err.strip()):
            return dict.fromkeys(jids, one_line("\n".join(general)) or reply.words())
        return refused


def _options(request: Request, marked: str, tasks: str, site: Site) -> list[str]:
    """The options of bsub that a spec comes to. ``tasks``: the numbers of an array's tasks, as LSF writes them."""
    spec, needs = request.spec, request.spec.resources
    few = site.noted.get("fields") == "few"
    name = re.sub(r"[^A-Za-z0-9_.+=-]", "_", spec.title())[:100] or "job"
    options = ["-J", f"{name}.{marked}{tasks}"] if few else ["-J", f"{name}{tasks}", "-Jd", f"{MARK}{marked}", "-rn"]
    if needs.cpus != 1:
        options += ["-n", str(needs.cpus), "-R", "span[hosts=1]"]
    if needs.memory is not None:
        megabytes = math.ceil(needs.memory / 2**20)
        share = math.ceil(megabytes / needs.cpus) if site.noted.get("memory") == "by task" else megabytes
        unit = "" if few else "MB"
        options += ["-M", f"{megabytes}{unit}", "-R", f"rusage[mem={share}{unit}]"]
    if needs.gpus:
        options += ["-gpu", f"num={needs.gpus}"]
    if needs.time is not None or spec.timeout is not None:
        # Behind the job's own limit, so that the job script can end it in good order and say so.
        limit = needs.time if needs.time is not None else (spec.timeout or 0.0) + spec.grace + 60.0
        options += ["-W", str(max(1, math.ceil(limit / 60)))]
    if needs.queue is not None:
        options += ["-q", needs.queue]
    if needs.account is not None:
        options += ["-P", needs.account]
    return [*options, *needs.extra]


def _ranges(numbers: Sequence[int]) -> list[str]:
    """Rising numbers in spans: 1-4, 7."""
    spans: list[list[int]] = []
    for one in numbers:
        if spans and one == spans[-1][1] + 1:
            spans[-1][1] = one
        else:
            spans.append([one, one])
    return [str(low) if low == high else f"{low}-{high}" for low, high in spans]


def _question(command: str, patience: float) -> Command:
    return Command(("sh", "-c", _QUESTION.format(command=command, whole=WHOLE)), patience=patience)


def _listing(reply: Reply, entries: Sequence[Entry], whole: bool) -> Listing:
    """Judge an answer. That there are no jobs is a complaint and an exit code, and an answer all the same."""
    wrong, none_such = problems(reply.err.splitlines())
    nothing = none_such and reply.out.count("\n") == 2 and reply.out.endswith(f"{WHOLE}\n")
    whole = (whole or nothing) and not wrong and (reply.code == 0 or none_such)
    said = one_line("\n".join(wrong)) or one_line(reply.err)
    return Listing(tuple(entries), whole, "" if whole else said or _UNREADABLE)


_UNREADABLE = "an answer of LSF that cannot be read"


def _orders(jids: Sequence[str], program: tuple[str, ...]) -> list[Order]:
    """The same order for many jobs, in portions. LSF's commands take the latest job where none is named."""
    return [Order(tuple(some), Command((*program, *some), patience=_PATIENCE)) for some in chunks(jids, _IDS_AT_ONCE)]


def _seconds(text: str) -> float:
    found = re.match(r"[0-9]{1,9}", text)
    return float(found[0]) if found is not None else 0.0


class LsfBackend(BatchBackend):
    """Runs jobs under LSF."""

    name = "lsf"
    programs = Lsf.programs

    def __init__(self, surroundings: Surroundings) -> None:
        """Make it; this touches nothing yet."""
        super().__init__(Lsf(), surroundings)
