"""The Slurm dialect (22.05 and later, with and without accounting)."""

from __future__ import annotations

import math
import re
import shlex
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
    task_mark,
)
from ..core.job import JobSpec, Reason, Resources
from ..core.queues import Capacity
from ..core.verdict import Observation
from . import slurm_capacity, slurm_script
from .batch import BatchBackend
from .dialect import Asked, Command, Entry, Listing, Order, Reply, Site, chunks, clipped, number, one_line, waiting
from .slurm_record import shown

# Names and comments may hold anything, line ends too: each record begins with RS and its fields are parted by US.
_RECORD, _FIELD = "\x1e", "\x1f"
_QUEUE = ("i", "T", "r", "S", "V", "e", "N", "P", "k", "o", "Z", "j")
_ACCOUNTS = ("JobID", "State", "ExitCode", "Submit", "Start", "End", "NodeList")
_MARK = "jobtui:"
_OWN_VARIABLES = ("SLURM_", "SBATCH_", "SQUEUE_", "SACCT_", "SCANCEL_", "SINFO_", "SCONTROL_")
_NONE = frozenset({"", "(null)", "N/A", "None", "Unknown", "NONE", "INVALID", "None assigned"})

# Seconds. sbatch and squeue give up by themselves after MessageTimeout (10 s), squeue tries again up to 9 s.
_SUBMIT_PATIENCE = 60.0
_STATUS_PATIENCE = 30.0
_IDS_AT_ONCE = 100

_PENDING = frozenset({"PENDING", "CONFIGURING", "POWER_UP_NODE", "EXPEDITING", "REQUEUED", "REQUEUE_FED"})
_HELD = frozenset({"REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"})
_RUNNING = frozenset({"RUNNING", "RESIZING", "SIGNALING", "STAGE_OUT"})
_ENDING = frozenset({"COMPLETING"})
_SUSPENDED = frozenset({"SUSPENDED", "STOPPED"})
_FAILURES = {
    "TIMEOUT": (Reason.TIMEOUT, "stopped by Slurm at its time limit"),
    "DEADLINE": (Reason.TIMEOUT, "stopped by Slurm at its deadline"),
    "OUT_OF_MEMORY": (Reason.OUT_OF_MEMORY, "it used more memory than it had asked for"),
    "NODE_FAIL": (Reason.NODE_FAILURE, "the node that it ran on failed"),
    "BOOT_FAIL": (Reason.NODE_FAILURE, "the node for it did not start"),
    "PREEMPTED": (Reason.PREEMPTED, "Slurm took its place for a job of higher priority"),
    "LAUNCH_FAILED": (Reason.LAUNCH, "Slurm could not start it"),
    "RECONFIG_FAIL": (Reason.LAUNCH, "Slurm could not start it"),
}

_AFTER: Mapping[str, str] = {"ok": "afterok", "fail": "afternotok", "any": "afterany"}

# Why a job waits, in plain words; what is not here is said as Slurm says it.
_WHY = {
    "Priority": "jobs with a higher priority come first",
    "Resources": "waits for free resources",
    "Dependency": "waits for another job to end",
    "DependencyNeverSatisfied": "waits for a job that ended otherwise: it can never start",
    "BeginTime": "waits for its start time",
    "JobHeldUser": "held in Slurm; release it to let it start",
    "JobHeldAdmin": "held by an administrator",
    "JobArrayTaskLimit": "waits for another task of its array to end",
    "QOSMaxJobsPerUserLimit": "you have as many jobs running as your quality of service allows",
    "AssocMaxJobsLimit": "your account has as many jobs running as it may",
    "AssocGrpCpuLimit": "your account uses as many cores as it may",
    "PartitionNodeLimit": "asks for more nodes than its partition has",
    "PartitionTimeLimit": "asks for more time than its partition allows",
    "PartitionConfig": "asks for what its partition does not have",
    "PartitionDown": "its partition is down",
    "PartitionInactive": "its partition takes no jobs now",
    "ReqNodeNotAvail": "the nodes that it could use are not available now",
    "NodeDown": "a node that it needs is down",
    "Licenses": "waits for a licence",
    "Reservation": "waits for its reservation",
    "InvalidAccount": "its account is not valid",
    "InvalidQOS": "its quality of service is not valid",
    "BadConstraints": "no node can give what it asks for",
    "Cleaning": "waits until Slurm has cleared up after its last run",
    "BurstBufferResources": "waits for room in the burst buffer",
    "BurstBufferStageIn": "its files are being copied into the burst buffer",
    "DeadLine": "cannot end before its deadline any more",
    "JobLaunchFailure": "Slurm could not start it and tries again",
    "NonZeroExitCode": "ended with an error and waits to run again",
    "QOSUsageThreshold": "your account has used more than its quality of service allows",
    "ReservationDeleted": "its reservation was deleted: it can never start as it is",
    "AccountNotAllowed": "its account may not use its partition",
    "QOSNotAllowed": "its quality of service may not be used there",
    "MaxMemPerLimit": "asks for more memory than is allowed",
    "job requeued in held state": "put back into the queue and held; release it to let it start",
}

# Limits are named after whose they are, and of what: QOSMaxCpuPerUserLimit, AssocGrpGRES.
_LIMIT = re.compile(
    r"(QOS|Assoc|Association)(Grp|Max|Min|)(\w*?)(?:Per(User|Account|Acct|Job|Node))?(?:RunMinutes|Minutes)?(?:Limit)?"
)
_LIMITED = {
    "cpu": "cores",
    "gres": "GPUs and the like",
    "mem": "memory",
    "memory": "memory",
    "node": "nodes",
    "nodes": "nodes",
    "jobs": "jobs",
    "job": "jobs",
    "submitjob": "jobs",
    "submitjobs": "jobs",
    "wall": "run time",
    "time": "run time",
    "wallduration": "run time",
}

# sbatch never reached a controller, or the controller said that it may take the job later.
_LATER = re.compile(
    r"Unable to contact slurm controller|Connection refused|SubmitLimit|MaxSubmitJob|temporarily unable to accept"
    r"|try again later|Resource temporarily unavailable|AccountingPolicy|job submit limit|Too many open files"
    r"|Slurm backup controller in standby|Unable to resolve|rate limit",
    re.IGNORECASE,
)
# The request may have reached it.
_DOUBT = re.compile(
    r"timed out|Zero Bytes were transmitted|connection (?:reset|failure)|Transport endpoint|Unexpected message"
    r"|communication|Protocol authentication|Broken pipe",
    re.IGNORECASE,
)
_JID = re.compile(r"^\s*(\d+(?:;[\w.-]+)?)\s*$", re.MULTILINE)
_SENTENCE = re.compile(r"Submitted batch job (\d+)(?: on cluster ([\w.-]+))?")
_REFUSED = re.compile(r"(?:Kill job error on job id |for job )(\d+(?:_\d+)?)\b", re.IGNORECASE)
_ENDED = re.compile(r"Invalid job id|already (?:completing|completed)|job/step already", re.IGNORECASE)


# The second line of a job script says which attempt it is for: a task that comes too late must not start the next one.
_ARRAY_SCRIPT = """#!/bin/sh
case $SLURM_ARRAY_TASK_ID in
{cases}esac
{ read -r jt_l; read -r jt_l; } <"$jt_s" || exit 75
case $jt_l in *", attempt $jt_n. "*) exec /bin/sh "$jt_s" ;; esac
exit 75
"""


class Slurm:
    """How Slurm is spoken to."""

    name = "slurm"
    title = "Slurm"
    programs: Sequence[str] = ("sbatch", "squeue", "scancel", "scontrol")
    own_id = "${SLURM_ARRAY_TASK_ID:+${SLURM_ARRAY_JOB_ID}_}${SLURM_ARRAY_TASK_ID:-${SLURM_JOB_ID-}}"
    forms: Mapping[str, str] = {"SLURM_TIME_FORMAT": "%s"}
    # Suspending is for operators alone; to others Slurm says so.
    capabilities: frozenset[Capability] = frozenset(
        {"hold", "release", "suspend", "resume", "requeue", "signal", "foreign"}
    )

    def scrub(self, env: Mapping[str, str]) -> dict[str, str]:
        """Drop what changes options and formats, and what a job that we were called from left behind."""
        return {
            name: value for name, value in env.items() if name == "SLURM_CONF" or not name.startswith(_OWN_VARIABLES)
        }

    # -- what there is

    def probe(self) -> Command:
        """Ask the controller for its settings."""
        return Command(("scontrol", "show", "config"), patience=_STATUS_PATIENCE)

    def read_probe(self, reply: Reply) -> Site | str:
        """Take the version, how long ended jobs are remembered, and whether there is accounting."""
        found = dict(re.findall(r"^(\w+)\s*=\s*(.*?)\s*$", reply.out, re.MULTILINE))
        version = found.get("SLURM_VERSION", "")
        if reply.code != 0 or not version:
            return reply.words()
        cluster = found.get("ClusterName", "")
        accounting = found.get("AccountingStorageType", "").endswith("slurmdbd")
        kept = "with accounting" if accounting else "without accounting"
        return Site(
            words=f"Slurm {version}, cluster {cluster}, {kept}",
            version=tuple(int(part) for part in re.findall(r"\d+", version)[:3]),
            cluster=cluster,
            array_limit=min(1000, int(number(found.get("MaxArraySize", "")))),
            remembers=number(found.get("MinJobAge", "").split(" ")[0]) or 300.0,
            kill_wait=number(found.get("KillWait", "").split(" ")[0]) or 30.0,
            capabilities=frozenset[Capability]({"history"}) if accounting else frozenset[Capability](),
        )

    # -- submitting

    def submit(self, request: Request, site: Site) -> Command:
        """Run sbatch on the job script. Slurm must not start it twice by itself: that is what attempts are for."""
        own = (
            f"--comment={_MARK}{mark(request.tag, request.attempt)}",
            f"--output={request.metadir}/job.sched",
            "--open-mode=append",
        )
        options = [*_options(request), *waiting(self, request)]
        return Command(("sbatch", *own, *options, request.script), patience=_SUBMIT_PATIENCE)

    def submit_array(self, requests: Sequence[Request], site: Site) -> Command:
        """Run sbatch on a script that goes on as the job script of the task's own job."""
        first = requests[0]
        assert first.task is not None
        tasks = {request.task.index: request for request in requests if request.task is not None}
        # Slurm's own words about a task have no place that is certainly there when it starts.
        own = (f"--comment={_MARK}{first.task.mark}", "--output=/dev/null", f"--array={_ranges(sorted(tasks))}")
        cases = "".join(
            f"  {index}) jt_s={shlex.quote(request.script)} jt_n={request.attempt} ;;\n"
            for index, request in tasks.items()
        )
        script = _ARRAY_SCRIPT.replace("{cases}", cases)
        options = [*_options(first), *waiting(self, first)]
        return Command(("sbatch", *own, *options), script.encode("utf-8", "surrogateescape"), _SUBMIT_PATIENCE)

    def wait_for(self, dependency: Dependency, spec: JobSpec) -> Sequence[str] | None:
        """Have it wait, and cancelled where it can never start. Jobs of other clusters are out of sight."""
        own = any(word.startswith(("-d", "--dep", "-M", "--clusters")) for word in spec.resources.extra)
        if own or any(";" in parent.jid for parent in dependency.parents):
            return None
        joiner = "?" if dependency.one_is_enough else ","
        words = joiner.join(f"{_AFTER[parent.ending]}:{parent.jid}" for parent in dependency.parents)
        return (f"--dependency={words}", "--kill-on-invalid-dep=yes")

    def task_id(self, array: str, index: int) -> str:
        """``array_index``, with the cluster behind it."""
        number_of, semicolon, cluster = array.partition(";")
        return f"{number_of}_{index}{semicolon}{cluster}"

    def read_submit(self, reply: Reply) -> Answer:
        """Find the id wherever it stands: sites add lines of their own."""
        sentence = _SENTENCE.search(reply.out)
        if reply.code == 0 and sentence is not None:
            return Took(sentence[1] if sentence[2] is None else f"{sentence[1]};{sentence[2]}")
        jid = _JID.search(reply.out)
        if reply.code == 0 and jid is not None:
            return Took(jid[1])
        words = reply.words()
        if _LATER.search(words):
            return Rejected(words, retryable=True)
        if reply.code == 0 or reply.code < 0 or _DOUBT.search(words):
            return Uncertain(words)
        return Rejected(words)

    # -- looking

    def status(self, asked: Sequence[Asked], site: Site) -> Command:
        """Ask for all jobs of this person, the ended ones that Slurm still knows among them."""
        line = _RECORD + _FIELD.join(f"%{letter}" for letter in _QUEUE)
        others = sorted({job.jid.partition(";")[2] for job in asked} - {"", site.cluster})
        clusters = ("-M", ",".join([site.cluster, *others])) if others else ()
        return Command(("squeue", "--me", "-h", "-r", "-t", "all", *clusters, "-o", line), patience=_STATUS_PATIENCE)

    def read_status(self, reply: Reply) -> Listing:
        """Read squeue's answer; old ones print an error and exit with 0."""
        head, *records = reply.out.split(_RECORD)
        cluster = _cluster_in(head)
        entries: list[Entry] = []
        whole = reply.code == 0 and not reply.err.strip() and not _without_heads(head).strip()
        # Every record ends with the line end that squeue writes; the last one of a torn answer does not.
        whole = whole and (not records or reply.out.endswith("\n"))
        for record in records:
            entry = _queued(record, cluster)
            if entry is None:
                whole = False
            else:
                entries.append(entry)
            cluster = _cluster_in(record) or cluster
        return Listing(tuple(entries), whole, "" if whole else reply.words())

    # -- the accounting

    def history(self, asked: Sequence[Asked], site: Site) -> Sequence[Command]:
        """Ask sacct for all records of these ids: one id may have been several jobs'."""
        fields = ",".join(_ACCOUNTS)
        form = ("sacct", "-P", "-n", "-X", "-D", f"--delimiter={_FIELD}", "-o", fields)
        bare = [job.jid.partition(";")[0] for job in asked]
        return [Command((*form, "-j", ",".join(some)), patience=_STATUS_PATIENCE) for some in chunks(bare, 500)]

    def read_history(self, asked: Sequence[Asked], reply: Reply) -> Listing:
        """Take each job's last record that is not older than the job."""
        whole = reply.code == 0 and not reply.err.strip() and (not reply.out or reply.out.endswith("\n"))
        wanted = {job.jid.partition(";")[0]: job for job in asked}
        found: dict[str, Entry] = {}
        for line in reply.out.splitlines():
            fields = line.split(_FIELD)
            if len(fields) != len(_ACCOUNTS):
                whole = False
                continue
            job = wanted.get(fields[0])
            submitted = number(fields[3])
            # An hour for clocks that differ.
            if job is None or submitted < job.sent - 3600.0:
                continue
            earlier = found.get(job.jid)
            if earlier is None or earlier.submitted <= submitted:
                seen = _accounted(fields)
                found[job.jid] = Entry(job.jid, seen, submitted=submitted)
        return Listing(tuple(found.values()), whole, "" if whole else reply.words())

    # -- queues

    def capacity(self, site: Site) -> Sequence[Command]:
        """Ask for partitions and nodes."""
        return slurm_capacity.questions(_STATUS_PATIENCE)

    def read_capacity(self, replies: Sequence[Reply]) -> Capacity:
        """The partitions and nodes."""
        return slurm_capacity.read(replies)

    # -- one job alone

    def show(self, jid: str) -> Command:
        """Ask the controller for everything about one job."""
        return Command(("scontrol", *_on_cluster(jid), "show", "job", jid.partition(";")[0]), patience=_STATUS_PATIENCE)

    def read_show(self, jid: str, reply: Reply) -> Shown | str:
        """Read the record; of several (an array that waits) the first."""
        return shown(jid, reply.out) or reply.words()

    def needs(self, script: str, told: Resources) -> Resources:
        """Add what only the lines of the script say."""
        return slurm_script.needs(script, told)

    def script(self, jid: str) -> Command | str:
        """Ask for the script that the controller keeps while it knows the job."""
        bare = jid.partition(";")[0].partition("_")[0]
        return Command(("scontrol", *_on_cluster(jid), "write", "batch_script", bare, "-"), patience=_STATUS_PATIENCE)

    def read_script(self, reply: Reply) -> tuple[str, str]:
        """The script is all that is written to stdout."""
        return (reply.out, "") if reply.code == 0 and reply.out.startswith("#!") else ("", reply.words())

    # -- orders

    def cancel(self, jids: Sequence[str], *, force: bool) -> Sequence[Order]:
        """Plain scancel takes waiting and running jobs alike: TERM, then KILL after KillWait."""
        orders = _orders(jids, "scancel", "--full", "--signal=KILL") if force else []
        return [*orders, *_orders(jids, "scancel")]

    def order(self, verb: Verb, jids: Sequence[str]) -> Sequence[Order]:
        """Hold, release, suspend, resume or requeue; by uhold, as a plain hold by root binds the owner too."""
        return _orders(jids, "scontrol", "uhold" if verb == "hold" else verb)

    def signal(self, jids: Sequence[str], name: str) -> Sequence[Order]:
        """Signal the job scripts, which pass it on."""
        return _orders(jids, "scancel", "--batch", f"--signal={name}")

    def read_refusals(self, jids: Sequence[str], reply: Reply) -> dict[str, str]:
        """Find the ids in the complaints; a complaint that names none concerns all."""
        bare = {jid.partition(";")[0]: jid for jid in jids}
        refused: dict[str, str] = {}
        general: list[str] = []
        for line in reply.err.splitlines():
            if not line.strip() or _ENDED.search(line):
                continue
            named = _REFUSED.search(line)
            if named is None:
                general.append(line)
            elif named[1] in bare:
                refused[bare[named[1]]] = one_line(line)
        if reply.code != 0 and not refused and (general or not reply.err.strip()):
            words = one_line("\n".join(general)) or reply.words()
            return dict.fromkeys(jids, words)
        return refused


def _options(request: Request) -> list[str]:
    """The options of sbatch that a spec comes to."""
    spec, needs = request.spec, request.spec.resources
    options = [
        "--parsable",
        "--no-requeue",
        f"--job-name={clipped(spec.title(), 200) or 'job'}",
        "--chdir=/",
        "--export=ALL",
    ]
    if needs.cpus != 1:
        options.append(f"--cpus-per-task={needs.cpus}")
    if needs.memory is not None:
        options.append(f"--mem={math.ceil(needs.memory / 2**20)}M")
    if needs.gpus:
        options.append(f"--gres=gpu:{needs.gpus}")
    if needs.time is not None or spec.timeout is not None:
        # Behind the job's own limit, so that the job script can end it in good order and say so.
        limit = needs.time if needs.time is not None else (spec.timeout or 0.0) + spec.grace + 60.0
        options.append(f"--time={max(1, math.ceil(limit / 60))}")
    if needs.queue is not None:
        options.append(f"--partition={needs.queue}")
    if needs.account is not None:
        options.append(f"--account={needs.account}")
    return [*options, *needs.extra]


def _on_cluster(jid: str) -> tuple[str, ...]:
    cluster = jid.partition(";")[2]
    return ("-M", cluster) if cluster else ()


def _ranges(numbers: Sequence[int]) -> str:
    """Rising numbers as Slurm writes them: 0-3,7."""
    spans: list[list[int]] = []
    for one in numbers:
        if spans and one == spans[-1][1] + 1:
            spans[-1][1] = one
        else:
            spans.append([one, one])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


def _orders(jids: Sequence[str], program: str, *words: str) -> list[Order]:
    """The same order for many jobs, in portions; bare ids, and the option that names their cluster."""
    clusters: dict[str, list[str]] = {}
    for jid in jids:
        clusters.setdefault(jid.partition(";")[2], []).append(jid)
    orders: list[Order] = []
    for cluster, members in clusters.items():
        where = ("-M", cluster) if cluster else ()
        for some in chunks(members, _IDS_AT_ONCE):
            bare = [jid.partition(";")[0] for jid in some]
            # scontrol splits at commas, scancel at blanks.
            targets = bare if program == "scancel" else [",".join(bare)]
            command = Command((program, *where, *words, *targets), patience=_STATUS_PATIENCE)
            orders.append(Order(tuple(some), command))
    return orders


_HEAD = re.compile(r"^CLUSTER: (\S+)$", re.MULTILINE)


def _cluster_in(text: str) -> str:
    """The cluster that the next records are of, where several were asked."""
    named = _HEAD.findall(text)
    return named[-1] if named else ""


def _without_heads(text: str) -> str:
    return _HEAD.sub("", text)


def _queued(record: str, cluster: str) -> Entry | None:
    """One record of squeue's; None if it makes no sense."""
    fields = record.split(_FIELD, len(_QUEUE) - 1)
    if len(fields) != len(_QUEUE) or not re.fullmatch(r"\d+(?:_\d+|_\[.*\]|\+\d+)?", fields[0]):
        return None
    jid, word, reason, start, submitted, end, nodes, queue, comment, command, cwd, name = fields
    given = nodes not in _NONE and not nodes.startswith("(")
    return Entry(
        jid=f"{jid};{cluster}" if cluster else jid,
        seen=_seen(word, reason, "" if nodes in _NONE else nodes, number(start) if given else 0.0, number(end), start),
        mark=_mark_in(comment, jid),
        name=_without_heads(name).removesuffix("\n").rstrip("\n") if cluster else name.removesuffix("\n"),
        queue=queue,
        submitted=number(submitted),
        command="" if command in _NONE else command,
        cwd="" if cwd in _NONE else cwd,
    )


def _mark_in(comment: str, jid: str) -> str:
    if not comment.startswith(_MARK):
        return ""
    task = jid.partition("_")[2]
    array = comment.removeprefix(_MARK)
    return task_mark(array, int(task)) if re.fullmatch(r"[0-9]{1,9}", task) else array


def _seen(word: str, reason: str, host: str, started: float, ended: float, expected: str = "") -> Observation:
    """What Slurm's word for a state means. An unknown word is no state at all: the job is there, no more."""
    if word in _PENDING or word in _HELD:
        held = word in _HELD or reason.startswith("JobHeld") or reason == "job requeued in held state"
        return Observation("held" if held else "pending", detail=_why(reason), expected=number(expected))
    if word in _RUNNING:
        return Observation("running", host=host, started=started)
    if word in _SUSPENDED:
        return Observation("suspended", detail="suspended in Slurm", host=host, started=started)
    if word in _ENDING:
        return Observation("ending", host=host, started=started)
    if word == "COMPLETED":
        return Observation("gone", exit_code=0, at=ended, outcome="finished", host=host, started=started)
    if word == "CANCELLED" and reason == "DependencyNeverSatisfied":
        words = "cancelled by Slurm: what it waited for can never come true"
        return Observation("gone", Reason.CONDITION, words, at=ended, outcome="cancelled", host=host, started=started)
    if word == "CANCELLED":
        words = "cancelled in Slurm, not through jobtui"
        return Observation("gone", detail=words, at=ended, outcome="cancelled", host=host, started=started)
    if word == "FAILED":
        # Whatever failed, the job script's record or the accounting has the exit code.
        words = "Slurm could not start it" if reason == "BadConstraints" else ""
        launch = Reason.LAUNCH if words else None
        return Observation("gone", launch, words, at=ended, outcome="failed", host=host, started=started)
    if word in _FAILURES:
        cause, words = _FAILURES[word]
        return Observation("gone", cause, words, at=ended, outcome="failed", host=host, started=started)
    return Observation("ending", detail=f"Slurm says {clipped(word, 40) or 'nothing'}", host=host, started=started)


def _why(reason: str) -> str:
    """Why a job waits, in plain words."""
    if reason in _NONE:
        return ""
    word, _, more = reason.partition(",")
    plain = _WHY.get(word)
    nodes = more.strip().removeprefix("UnavailableNodes:")
    if plain is not None and word == "ReqNodeNotAvail" and nodes:
        return f"{plain}: {clipped(nodes, 80)}"
    return plain or _limited(word) or f"Slurm says: {clipped(reason, 160)}"


def _limited(word: str) -> str:
    """Which limit a job runs into, in plain words and in Slurm's; "" where it is none."""
    match = _LIMIT.fullmatch(word)
    if match is None:
        return ""
    whose = "your quality of service" if match[1] == "QOS" else "your account"
    what = _LIMITED.get(match[3].lower(), "")
    if match[2] == "Min":
        return f"asks for less {what}".rstrip() + f" than {whose} wants ({word})"
    if match[4] in ("Job", "Node"):
        return f"asks for more {what}".rstrip() + f" than {whose} allows ({word})"
    return f"{whose} has no more {what} left for you now ({word})" if what else f"{whose} is at its limit ({word})"


def _accounted(fields: Sequence[str]) -> Observation:
    """What a record of the accounting means."""
    _, state, code, _, start, end, nodes = fields
    word, _, by = state.partition(" by ")
    host = "" if nodes in _NONE else nodes
    seen = _seen(word.strip(), "", host, number(start), number(end))
    if seen.presence != "gone":
        return seen
    detail = seen.detail
    if seen.outcome == "cancelled" and by.strip().isdigit():
        detail = f"cancelled in Slurm by user id {by.strip()}, not through jobtui"
    return Observation(
        "gone", seen.reason, detail, _exit_code(code, seen), seen.at, seen.outcome, seen.host, seen.started
    )


def _exit_code(text: str, seen: Observation) -> int | None:
    """The shell's exit code out of ``code:signal``; None where that is no code of the job's own."""
    code, _, number_of = text.partition(":")
    if not (code.isascii() and code.isdigit() and number_of.isascii() and number_of.isdigit()):
        return None
    if seen.outcome == "finished":
        return 0
    if int(number_of) and int(number_of) <= 64:
        return 128 + int(number_of)
    return int(code) if 0 < int(code) <= 255 and seen.reason is None and seen.outcome == "failed" else None


class SlurmBackend(BatchBackend):
    """Runs jobs under Slurm."""

    name = "slurm"
    programs = Slurm.programs

    def __init__(self, surroundings: Surroundings) -> None:
        """Make it; this touches nothing yet."""
        super().__init__(Slurm(), surroundings)
