"""The Grid Engine dialect (Son of Grid Engine 8.1.9 and its kin: Sun's, Univa's, Altair's, Open Cluster Scheduler)."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping, Sequence

from ..core.backend import (
    Answer,
    Capability,
    Dependency,
    Rejected,
    Request,
    Shown,
    Surroundings,
    Took,
    Uncertain,
    Verb,
    mark,
)
from ..core.job import JobSpec, Resources
from ..core.queues import Capacity
from . import sge_capacity
from .batch import BatchBackend
from .dialect import Asked, Command, Listing, Order, Reply, Site, chunks, number, one_line, waiting
from .sge_answers import accounted, listed
from .sge_record import shown
from .sge_starter import INHERITED, array_starter, starter

# Seconds. A hung qmaster holds its clients for two minutes.
_SUBMIT_PATIENCE = 60.0
_PATIENCE = 30.0
_ACCOUNT_PATIENCE = 120.0
_DAY = 86400.0
_IDS_AT_ONCE = 100
# Each look at a single job reads the whole accounting file, as does one at all jobs of this person.
_SINGLE_LOOKS = 3

# Version, configuration, resources, queues, and the parallel environments with how they spread slots over hosts.
_PROBE = """qstat -help
qconf -sconf && qconf -ssconf && qconf -sc && qconf -sq '*' || exit
for pe in $(qconf -spl 2>/dev/null); do qconf -sp "$pe"; done"""

# One answer about all jobs of this person, those that ended last among them where the site keeps them; why some are in
# error, and why some wait, only where there are such.
_STATUS = r"""jobs=$(qstat -xml -r -u '$user' -s prsz)
code=$?
printf '%s\n' "$jobs"
case $jobs in *'<state>E'*)
  ids=$(printf '%s\n' "$jobs" | awk -F '[<>]' '
    $2 == "JB_job_number" { id = $3 }
    $2 == "state" && $3 ~ /^E/ && !seen[id]++ && n++ < 50 { printf "%s%s", comma, id; comma = "," }')
  qstat -j "$ids" 2>/dev/null ;;
esac
"""
_REASONS = r"""case $jobs in *'<job_list state="pending">'*) qstat -j 2>/dev/null ;; esac
"""
# Forgetting a job whose node is dead needs rights that few have; without them qdel -f waits for a minute.
_FORCE = 'qdel "$@"; code=$?; timeout 5 qdel -f "$@" >/dev/null 2>&1; exit $code'
# Tasks in error are released by clearing the error, which the others cannot have.
_RELEASE = 'qrls "$@"; code=$?; qmod -cj "$@" >/dev/null 2>&1; exit $code'
_VERBS: Mapping[Verb, tuple[str, ...]] = {
    "hold": ("qhold",),
    "release": ("sh", "-c", _RELEASE, "qrls"),
    "suspend": ("qmod", "-sj"),
    "resume": ("qmod", "-usj"),
}

# A site's or a person's defaults must not change how a job is handed over. It is never started twice by Grid Engine.
_ALWAYS = ("-terse", "-sync", "n", "-b", "n", "-C", "", "-S", "/bin/sh", "-r", "n", "-wd", "/", "-j", "y")
_LARGEST_ARRAY = 1000

_VERSION = re.compile(r"^((?:[A-Z]*GE|OCS|GCS)) v?(\d[\w.]*)", re.MULTILINE)
_WHERE = frozenset(
    {"SGE_ROOT", "SGE_CELL", "SGE_CLUSTER_NAME", "SGE_QMASTER_PORT", "SGE_EXECD_PORT", "SGE_ARCH", "SGE_JSV_TIMEOUT"}
)
# What people call a resource that stands for graphics processors.
_GPU_NAMES = ("gpu", "gpus", "ngpus", "num_gpu", "num_gpus", "ngpu", "cuda", "gpu_card")
# What people call a parallel environment that gives cores of one machine, likely names first.
_THREADS = ("smp", "shm", "shared", "openmp", "omp", "thread", "multi", "single", "mc")

_JID = re.compile(r"^\s*(\d+)(?:\.\d+-\d+(?::\d+)?)?\s*$", re.MULTILINE)
_SENTENCE = re.compile(r"Your job(?:-array)? (\d+)(?:\.\d+-\d+(?::\d+)?)? \(")
# The qmaster was not reached, or has as many jobs as it takes.
_LATER = re.compile(
    r"unable to contact qmaster|unable to send message to qmaster|got send error|Connection refused|can't connect"
    r"|jobs are allowed|too many|max_u_jobs|max_jobs|no free|try (?:it )?(?:again )?later|is not available"
    r"|can't resolve|Resource temporarily unavailable",
    re.IGNORECASE,
)
_DOUBT = re.compile(
    r"got read error|receive timeout|timed? ?out|failed receiving|answer list|broken pipe|connection reset"
    r"|got select error \((?!Connection refused)",
    re.IGNORECASE,
)
_NOISE = re.compile(r"^(?:Exiting\.|Unable to run job:\s*)|^(?:warning|qsub): |^error: commlib error: ", re.MULTILINE)
_SUMMARY = re.compile(r"^OWNER .*\n={20,}\n", re.MULTILINE)
# A line of an answer to an order that is about a job, and those that are no refusals: done, or nothing left to do.
_ABOUT = re.compile(r'\b(?:job|jobs|job-array tasks?)\s+"?(\d+)(?:\.(\d+))?', re.IGNORECASE)
_FINE = re.compile(
    r"has (?:registered|deleted)|already in deletion|does not exist|do not exist|invalid queue or job|modified hold"
    r"|- (?:un)?suspended|cleared error state|is already (?:un)?suspended|forced? the deletion",
    re.IGNORECASE,
)


class Sge:
    """How Grid Engine is spoken to."""

    name = "sge"
    title = "Grid Engine"
    programs: Sequence[str] = ("qsub", "qstat", "qdel", "qconf")
    # The starter finds it out.
    own_id = "${JOBTUI_JID-}"
    # Answers hold local times without their zone.
    forms: Mapping[str, str] = {"TZ": "UTC0"}
    capabilities: frozenset[Capability] = frozenset({"hold", "release", "suspend", "resume", "foreign"})

    def scrub(self, env: Mapping[str, str]) -> dict[str, str]:
        """Drop what changes answers, and what a job that we were called from left behind."""
        within = "SGE_TASK_ID" in env
        return {
            name: value
            for name, value in env.items()
            if name in _WHERE or not (name.startswith("SGE_") or (within and name in INHERITED))
        }

    # -- what there is

    def probe(self) -> Command:
        """Ask for the version and the configuration; PBS, which has commands of the same names, knows no such."""
        return Command(("sh", "-c", _PROBE), patience=_PATIENCE)

    def read_probe(self, reply: Reply) -> Site | str:
        """Take the version, how long a job is warned before it is killed, and what cores and devices are called."""
        version = _VERSION.search(reply.out)
        if version is None and re.search(r"\bqstat: (?:command )?not found", reply.err):
            return "there is no command qstat on the PATH"
        if version is None:
            ours = re.search(r"SGE_|qmaster|commlib", reply.err) is not None
            return _words(reply) if ours else "the qstat on the PATH is not Grid Engine's"
        found = dict(re.findall(r"^(\w+)[ \t]+(.*?)[ \t]*$", re.sub(r"\\\n\s*", "", reply.out), re.MULTILINE))
        if "execd_params" not in found or "qname" not in found:
            return _words(reply)
        accounting = "accounting=true" in found.get("reporting_params", "")
        noted = {**_resources(reply.out), **_environments(reply.out)}
        if found.get("schedd_job_info") == "true":
            noted["reasons"] = "true"
        kept = "with accounting" if accounting else "without accounting"
        tasks = found.get("max_aj_tasks", "")
        return Site(
            words=f"Grid Engine ({version[1]} {version[2]}), {kept}",
            version=tuple(int(part) for part in re.findall(r"\d+", version[2])[:3]),
            array_limit=min(int(number(tasks)) or _LARGEST_ARRAY, _LARGEST_ARRAY) if tasks else 0,
            kill_wait=_kill_wait(reply.out),
            capabilities=frozenset[Capability]({"history"}) if accounting else frozenset[Capability](),
            noted=noted,
        )

    # -- submitting

    def submit(self, request: Request, site: Site) -> Command:
        """Run qsub on a starter of the job script, which is handed over on standard input.

        Grid Engine shows a job's variables to everybody, and tears those with line ends: so the starter sets them.
        """
        # A colon, a comma and a dollar sign mean something else in a path here.
        own = f"{request.metadir}/job.sched"
        path = "/dev/null" if re.search(r"[:,$\n]", own) else own
        options = _options(request, mark(request.tag, request.attempt), site, waiting(self, request))
        script = starter(request, _grace(request, site))
        return Command(("qsub", *_ALWAYS, "-o", path, *options), script, _SUBMIT_PATIENCE)

    def submit_array(self, requests: Sequence[Request], site: Site) -> Command:
        """Run qsub on a starter of all their job scripts. Grid Engine's own output has no place of a task's own."""
        first = requests[0]
        assert first.task is not None
        tasks = {request.task.index + 1: request for request in requests if request.task is not None}
        own = ("-o", "/dev/null", "-t", f"{min(tasks)}-{max(tasks)}")
        script = array_starter(tasks, _grace(first, site))
        return Command(
            ("qsub", *_ALWAYS, *own, *_options(first, first.task.mark, site, waiting(self, first))),
            script,
            _SUBMIT_PATIENCE,
        )

    def wait_for(self, dependency: Dependency, spec: JobSpec) -> Sequence[str] | None:
        """Grid Engine knows whether jobs have ended, not how; and of arrays only whether all tasks have."""
        parents = dependency.parents
        if any(parent.ending != "any" or "." in parent.jid for parent in parents):
            return None
        if (dependency.one_is_enough and len(parents) > 1) or any("-hold_jid" in w for w in spec.resources.extra):
            return None
        return ("-hold_jid", ",".join(parent.jid for parent in parents))

    def task_id(self, array: str, index: int) -> str:
        """``array.task``; Grid Engine counts tasks from 1."""
        return f"{array}.{index + 1}"

    def read_submit(self, reply: Reply) -> Answer:
        """Find the id wherever it stands: sites add lines of their own."""
        if reply.code == 0:
            found = _SENTENCE.search(reply.out) or _JID.search(reply.out)
            return Took(found[1]) if found is not None else Uncertain(_words(reply))
        words = _words(reply)
        if reply.code < 0 or _DOUBT.search(words):
            return Uncertain(words)
        return Rejected(words, retryable=bool(_LATER.search(words)))

    # -- looking

    def status(self, asked: Sequence[Asked], site: Site) -> Command:
        """Ask for all jobs of this person, and where the scheduler says it, why they wait."""
        reasons = _REASONS if "reasons" in site.noted else ""
        return Command(("sh", "-c", f"{_STATUS}{reasons}exit $code"), patience=_PATIENCE)

    def read_status(self, reply: Reply) -> Listing:
        """Read qstat's answer; it may tell that a job has ended, but not how."""
        entries, whole = listed(reply.out)
        whole = whole and reply.code == 0 and not reply.err.strip()
        trouble = "" if whole else _words(reply) if reply.err.strip() else "an answer of qstat that cannot be read"
        return Listing(tuple(entries), whole, trouble)

    # -- the accounting

    def history(self, asked: Sequence[Asked], site: Site) -> Sequence[Command]:
        """Look single jobs up, or all that this person's jobs left behind since the first of them was sent."""
        if len(asked) <= _SINGLE_LOOKS:
            parts = [job.jid.partition(".") for job in asked]
            looks = [("-j", jid, *(("-t", task) if task else ())) for jid, _, task in parts if jid]
            return [Command(("qacct", *look), patience=_ACCOUNT_PATIENCE) for look in looks]
        since = min(job.sent for job in asked)
        # A day for clocks and zones that differ.
        begin = time.strftime(" -b %Y%m%d%H%M", time.gmtime(since - _DAY)) if since > _DAY else ""
        line = f'exec qacct -o "$(id -un)" -j{begin}'
        return [Command(("sh", "-c", line), patience=_ACCOUNT_PATIENCE)]

    def read_history(self, asked: Sequence[Asked], reply: Reply) -> Listing:
        """Take each job's last record that is not older than the job. A missing file is an empty one."""
        entries, whole = accounted(asked, reply.out)
        if re.search(r"^error: (?:job id|Job-array tasks) \S+ not found\s*\Z", reply.err, re.MULTILINE):
            return Listing(tuple(entries), whole and reply.code == 1)
        if "no jobs running since startup" in reply.out and "No such file" in reply.err:
            return Listing((), True)
        # A look at all jobs ends with a summary.
        ended = bool(reply.out.strip()) if len(asked) <= _SINGLE_LOOKS else _SUMMARY.search(reply.out) is not None
        whole = whole and ended and reply.code == 0 and not reply.err.strip()
        return Listing(tuple(entries), whole, "" if whole else _words(reply))

    # -- queues

    def capacity(self, site: Site) -> Sequence[Command]:
        """Ask for queues and hosts."""
        return sge_capacity.questions(_PATIENCE)

    def read_capacity(self, replies: Sequence[Reply]) -> Capacity:
        """The queues and hosts."""
        return sge_capacity.read(replies)

    # -- one job alone

    def show(self, jid: str) -> Command:
        """Ask the qmaster for everything about one job, which it forgets at its end."""
        return Command(("qstat", "-j", jid.partition(".")[0]), patience=_PATIENCE)

    def read_show(self, jid: str, reply: Reply) -> Shown | str:
        """Read the record."""
        return shown(jid, reply.out) or _words(reply)

    def needs(self, script: str, told: Resources) -> Resources:
        """Nothing is added: the script is not told."""
        return told

    def script(self, jid: str) -> Command | str:
        """Grid Engine keeps scripts where only its administrator may read them."""
        return "Grid Engine does not give job scripts back"

    def read_script(self, reply: Reply) -> tuple[str, str]:
        """It is never asked for."""
        return "", _words(reply)

    # -- orders

    def cancel(self, jids: Sequence[str], *, force: bool) -> Sequence[Order]:
        """Delete jobs: USR2, which the starter turns into TERM, and KILL when the queue's time for that is over."""
        return _orders(jids, ("sh", "-c", _FORCE, "qdel") if force else ("qdel",))

    def order(self, verb: Verb, jids: Sequence[str]) -> Sequence[Order]:
        """Hold, release, suspend or resume."""
        return _orders(jids, _VERBS[verb])

    def signal(self, jids: Sequence[str], name: str) -> Sequence[Order]:
        """Grid Engine has no such order, as the capabilities say."""
        return []

    def read_refusals(self, jids: Sequence[str], reply: Reply) -> dict[str, str]:
        """Find the ids in the complaints, which are on standard output; one that names none concerns all."""
        refused: dict[str, str] = {}
        general: list[str] = []
        for line in f"{reply.out}\n{reply.err}".splitlines():
            if not line.strip() or _FINE.search(line):
                continue
            about = _ABOUT.search(line)
            if about is None:
                general.append(line)
            else:
                task = f"{about[1]}.{about[2]}"
                refused |= {jid: one_line(line) for jid in jids if jid in (about[1], task)}
        if reply.code != 0 and not refused and general:
            return dict.fromkeys(jids, _words(reply))
        return refused


def _orders(jids: Sequence[str], program: tuple[str, ...]) -> list[Order]:
    """The same order for many jobs, in portions."""
    return [Order(tuple(some), Command((*program, *some), patience=_PATIENCE)) for some in chunks(jids, _IDS_AT_ONCE)]


def _words(reply: Reply) -> str:
    """What Grid Engine said, without what it always says."""
    words = one_line(_NOISE.sub("", reply.err)) or one_line(_NOISE.sub("", reply.out))
    return words or f"exit code {reply.code} without a word"


def _options(request: Request, marked: str, site: Site, waiting: Sequence[str]) -> list[str]:
    """The options of qsub that a spec comes to. Names hold few characters, and the mark behind the title."""
    spec, needs = request.spec, request.spec.resources
    title = re.sub(r"[^A-Za-z0-9_.+=-]", "_", spec.title())[:100]
    options = ["-N", f"{title if title[:1].isalpha() else f'j{title}'}.{marked}"]
    if not _wants_signals(request):
        options.append("-notify")
    if needs.cpus != 1 and "-pe" not in needs.extra:
        queue = (needs.queue or "").partition("@")[0]
        pe = site.noted.get(f"pe {queue}") or site.noted.get("pe ") or "smp"
        options += ["-pe", pe, str(needs.cpus)]
    limits = _limits(request, site)
    if limits:
        options += ["-l", ",".join(limits)]
    if needs.queue is not None:
        options += ["-q", needs.queue]
    if needs.account is not None:
        options += ["-P", needs.account]
    return [*options, *waiting, *needs.extra]


def _wants_signals(request: Request) -> bool:
    """Whether the person asks for the signals by which Grid Engine warns jobs."""
    return any(word == "-notify" or "s_rt=" in word for word in request.spec.resources.extra)


def _grace(request: Request, site: Site) -> int | None:
    """Seconds between TERM and KILL, both before Grid Engine's own KILL; None for whoever wants its signals."""
    return None if _wants_signals(request) else max(1, min(math.ceil(request.spec.grace), int(site.kill_wait) - 2))


def _limits(request: Request, site: Site) -> list[str]:
    """What a job asks for and is held to. Grid Engine counts by slot, of which there is one for each core."""
    spec, needs = request.spec, request.spec.resources
    limits: list[str] = []
    if needs.time is not None or spec.timeout is not None:
        # Behind the job's own limit, so that the job script can end it in good order and say so.
        limit = needs.time if needs.time is not None else (spec.timeout or 0.0) + spec.grace + 60.0
        limits.append(f"h_rt={max(1, math.ceil(limit))}")
    if needs.memory is not None:
        slots = 1 if site.noted.get("h_vmem") == "JOB" else needs.cpus
        limits.append(f"h_vmem={max(1, math.ceil(needs.memory / 2**20 / slots))}M")
    if needs.gpus:
        slots = needs.cpus if site.noted.get("gpu by") == "YES" else 1
        limits.append(f"{site.noted.get('gpu', 'gpu')}={math.ceil(needs.gpus / slots)}")
    return limits


def _resources(text: str) -> dict[str, str]:
    """What memory and graphics processors are called here and how they count (``qconf -sc``)."""
    rows = [line.split() for line in text.splitlines()]
    counted = {row[0]: row[5] for row in rows if len(row) == 8 and row[4] in ("YES", "FORCED")}
    noted = {"h_vmem": counted["h_vmem"]} if "h_vmem" in counted else {}
    gpu = next((name for name in _GPU_NAMES if name in counted), None)
    return noted if gpu is None else {**noted, "gpu": gpu, "gpu by": counted[gpu]}


def _environments(text: str) -> dict[str, str]:
    """The parallel environment for several cores of one machine, for each queue and for all (``""``)."""
    tables = re.split(r"^(?=qname\s|pe_name\s)", text, flags=re.MULTILINE)[1:]
    words = [dict(re.findall(r"^(\w+)[ \t]+(.+?)[ \t]*$", re.sub(r"\\\n\s*", "", one), re.MULTILINE)) for one in tables]
    usable = {
        one["pe_name"]: one.get("user_lists", "NONE") == "NONE"
        for one in words
        if one.get("allocation_rule", "").lower() == "$pe_slots" and "pe_name" in one
    }
    queues = {one["qname"]: set(re.findall(r"[^\s,=\[\]]+", one.get("pe_list", ""))) for one in words if "qname" in one}
    offered = {"": set[str]().union(*queues.values()), **queues}
    # Open to everybody first, then by likely name.
    order = sorted(usable, key=lambda pe: (not usable[pe], _likely(pe), pe))
    best = {queue: next((pe for pe in order if pe in there), None) for queue, there in offered.items()}
    return {f"pe {queue}": pe for queue, pe in best.items() if pe is not None}


def _likely(pe: str) -> int:
    return next((rank for rank, part in enumerate(_THREADS) if part in pe.lower()), len(_THREADS))


def _kill_wait(text: str) -> float:
    """The shortest time that any queue gives a job between the warning and KILL."""
    times = re.findall(r"^notify[ \t]+(?:(\d+):(\d+):)?(\d+)", text, re.MULTILINE)
    seconds = [int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(rest) for hours, minutes, rest in times]
    return float(min(seconds, default=60))


class SgeBackend(BatchBackend):
    """Runs jobs under Grid Engine."""

    name = "sge"
    programs = Sge.programs

    def __init__(self, surroundings: Surroundings) -> None:
        """Make it; this touches nothing yet."""
        super().__init__(Sge(), surroundings)
