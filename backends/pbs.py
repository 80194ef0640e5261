"""The PBS dialect (OpenPBS, PBS Professional), and Torque, which speaks an older form of it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from ..core.backend import Answer, Capability, Dependency, Rejected, Request, Surroundings, Took, Uncertain, Verb, mark
from ..core.job import JobSpec
from ..core.queues import Capacity
from . import pbs_capacity
from .batch import BatchBackend
from .dialect import Asked, Command, Listing, Order, Reply, Site, chunks, number, one_line, waiting
from .pbs_answers import MARK, WHOLE, listed, problems
from .starter import array_starter, starter

# Seconds. A hung server holds its clients for minutes.
_SUBMIT_PATIENCE = 60.0
_PATIENCE = 30.0
_IDS_AT_ONCE = 100
_LARGEST_ARRAY = 1000

# Grid Engine has commands of the same names, but knows no --version.
_PROBE = """version=$(qstat --version 2>&1) || { printf '%s\\n' "$version" >&2; exit 1; }
printf '%s\\n' "$version"
qstat -B -f && printf 'user = %s\\n' "$(id -un)"
"""

# One answer about the ids on standard input and all other jobs of this person: without ids qstat tells of everybody's.
_STATUS = """set -f
mine=$(qselect {searched}-u "$(id -un)") || exit
set -- $({{ printf '%s\\n' "$mine"; cat; }} | sort -u)
code=0
[ $# -eq 0 ] || {{ qstat -f {past}-t "$@"; code=$?; }}
echo '{whole}'
exit "$code"
"""
# Deleting a job gives it time; what is killed needs none.
_FORCE = 'qsig -s KILL "$@" >/dev/null 2>&1; exec qdel "$@"'

_WHERE = frozenset(
    {
        "PBS_SERVER", "PBS_DEFAULT", "PBS_CONF_FILE", "PBS_EXEC", "PBS_HOME", "PBS_PRIMARY", "PBS_SECONDARY",
        "PBS_BATCH_SERVICE_PORT", "PBS_BATCH_SERVICE_PORT_DIS", "PBS_DATA_SERVICE_PORT", "PBS_LEAF_NAME",
        "PBS_LEAF_ROUTERS", "PBS_AUTH_METHOD", "PBS_ENCRYPT_METHOD", "PBS_SUPPORTED_AUTH_METHODS",
    }
)  # fmt: skip
# Variables that PBS sets for each job, and those that are a shell's own.
_INHERITED = frozenset({"ENVIRONMENT", "HOSTNAME", "NCPUS", "TMPDIR", "OLDPWD", "PWD", "SHLVL", "_"})

# Jobs that a job submits itself must not inherit its mark.
_UNMARKED = f"unset {MARK}"

_JID = re.compile(r"^\s*(\d+(?:\[\d*\])?\.[\w.-]+)\s*$", re.MULTILINE)
# The server was not reached, or has as many jobs as it takes.
_LATER = re.compile(
    r"cannot connect to server|Connection refused|Unknown Host|server is (?:shutting )?down|would exceed"
    r"|Maximum number of jobs|max_user_queuable|too many|try (?:it )?(?:again )?later|temporarily unavailable"
    r"|Server is not available|No Permission for connection|cannot resolve|not taking new jobs",
    re.IGNORECASE,
)
# The request may have reached it.
_DOUBT = re.compile(
    r"timed? ?out|End of File|premature end|Protocol|communication|broken pipe|connection reset|no reply|expire"
    r"|Batch protocol|lost connection|System error",
    re.IGNORECASE,
)
_TASK = re.compile(r"\[\d+\]")
_ABOUT = re.compile(r"(\d+(?:\[\d*\])?(?:\.[\w.-]+)?)\s*$")
_FINE = re.compile(r"Job has finished|Unknown Job Id|^qdel: Request invalid for state of job")
_SETTING = re.compile(r"^\s*(\w+) = (.*?)\s*$", re.MULTILINE)

_VERBS: Mapping[Verb, tuple[str, ...]] = {
    "hold": ("qhold", "-h", "u"),
    "release": ("qrls", "-h", "u"),
    "suspend": ("qsig", "-s", "suspend"),
    "resume": ("qsig", "-s", "resume"),
    "requeue": ("qrerun",),
}


class Pbs:
    """How PBS is spoken to."""

    name = "pbs"
    title = "PBS"
    programs: Sequence[str] = ("qsub", "qstat", "qselect", "qdel")
    own_id = "${PBS_JOBID-}"
    forms: Mapping[str, str] = {"TZ": "UTC0"}
    capabilities: frozenset[Capability] = frozenset({"hold", "release", "signal", "foreign"})

    def scrub(self, env: Mapping[str, str]) -> dict[str, str]:
        """Drop what changes options and answers, and what a job that we were called from left behind."""
        return {name: value for name, value in env.items() if name in _WHERE or not name.startswith("PBS_")}

    # -- what there is

    def probe(self) -> Command:
        """Ask for the version and the server's settings; Grid Engine, which has a qstat too, knows no such."""
        return Command(("sh", "-c", _PROBE), patience=_PATIENCE)

    def read_probe(self, reply: Reply) -> Site | str:
        """Take the version, how long ended jobs are remembered, the form of answers, and what this person may do."""
        version = re.search(r"^(pbs_version = |[Vv]ersion: )(\S*\d\S*)", reply.out, re.MULTILINE)
        if version is None and re.search(r"\bqstat: (?:command )?not found", reply.err):
            return "there is no command qstat on the PATH"
        if version is None:
            return reply.words() if reply.code < 0 else "the qstat on the PATH is not that of PBS"
        found: dict[str, str] = dict(_SETTING.findall(reply.out[version.end() :]))
        server = re.search(r"^Server: (\S+)", reply.out, re.MULTILINE)
        if reply.code != 0 or server is None or "user" not in found:
            return _words(Reply(reply.code, "", reply.err))
        if not version[1].startswith("pbs"):
            return Site(
                words=f"Torque {version[2]}, server {server[1]}",
                version=_numbers(version[2]),
                cluster=server[1],
                remembers=_seconds(found.get("keep_completed", "")) or 300.0,
                kill_wait=10.0,
                capabilities=_rights(found),
                noted={"kind": "torque"},
            )
        past = found.get("job_history_enable") == "True"
        return Site(
            words=f"PBS {version[2]}, server {server[1]}, {'with' if past else 'without'} job history",
            version=_numbers(version[2]),
            cluster=server[1],
            remembers=_seconds(found.get("job_history_duration", "336:00:00")) if past else 300.0,
            kill_wait=10.0,
            capabilities=_rights(found),
            array_limit=min(_LARGEST_ARRAY, int(number(found.get("max_array_size", "10000")))),
            noted={"past": "-x "} if past else {},
        )

    # -- submitting

    def submit(self, request: Request, site: Site) -> Command:
        """Run qsub on a starter of the job script, which is handed over on standard input.

        PBS shows a job's variables to everybody, and takes no odd ones: so the starter sets them.
        """
        # A colon, a comma and a dollar sign mean something else in a path here.
        path = f"{request.metadir}/job.sched"
        own = ("-r", "n", "-o", path if not re.search(r"[:,$^\s]", path) else "/dev/null")
        options = _options(request, mark(request.tag, request.attempt), torque=site.noted.get("kind") == "torque")
        return Command(
            ("qsub", *own, *waiting(self, request), *options),
            starter(request, _UNMARKED, self._env(request)),
            _SUBMIT_PATIENCE,
        )

    def submit_array(self, requests: Sequence[Request], site: Site) -> Command:
        """Run qsub on a starter of all their job scripts. PBS insists on being allowed to run tasks again."""
        first = requests[0]
        assert first.task is not None
        tasks = {request.task.index: request for request in requests if request.task is not None}
        own = ("-r", "y", "-o", "/dev/null", "-J", f"{min(tasks)}-{max(tasks)}", *waiting(self, first))
        script = array_starter(tasks, "$PBS_ARRAY_INDEX", _UNMARKED, self._env(first))
        return Command(("qsub", *own, *_options(first, first.task.mark, torque=False)), script, _SUBMIT_PATIENCE)

    def wait_for(self, dependency: Dependency, spec: JobSpec) -> Sequence[str] | None:
        """PBS waits for all of several jobs, and not for single tasks of an array.

        Of its kinds of waiting only the one for good ends is certain when a job is deleted before it ran.
        """
        parents = dependency.parents
        if any(parent.ending != "ok" for parent in parents):
            return None
        if (dependency.one_is_enough and len(parents) > 1) or any("[" in parent.jid for parent in parents):
            return None
        if any(word.startswith("-W") or "depend=" in word for word in spec.resources.extra):
            return None
        return ("-W", "depend=" + ",".join(f"afterok:{parent.jid}" for parent in parents))

    def task_id(self, array: str, index: int) -> str:
        """``array[index].server``."""
        number, _, server = array.partition(".")
        return f"{number.removesuffix('[]')}[{index}].{server}"

    def _env(self, request: Request) -> dict[str, str]:
        return {name: value for name, value in self.scrub(request.env).items() if name not in _INHERITED}

    def read_submit(self, reply: Reply) -> Answer:
        """Find the id wherever it stands: sites add lines of their own."""
        found = _JID.search(reply.out)
        if reply.code == 0 and found is not None:
            return Took(found[1])
        words = _words(reply)
        if found is not None or reply.code <= 0:
            return Uncertain(words)
        if _LATER.search(words):
            return Rejected(words, retryable=True)
        return Uncertain(words) if _DOUBT.search(words) else Rejected(words)

    # -- looking

    def status(self, asked: Sequence[Asked], site: Site) -> Command:
        """Ask for these jobs, ended ones too where PBS remembers them, and all others of this person."""
        past = site.noted.get("past", "")
        # A job whose id nobody knows may have ended by now.
        searched = past if any(not job.jid for job in asked) else ""
        script = _STATUS.format(searched=searched, past=past, whole=WHOLE)
        # An array tells of all its tasks, so none of them is asked for by itself.
        ids = "".join(f"{re.sub(_TASK, '[]', job.jid)}\n" for job in asked if job.jid)
        return Command(("sh", "-c", script), ids.encode(), _PATIENCE)

    def read_status(self, reply: Reply) -> Listing:
        """Read qstat's answer. That it does not know some of the jobs makes it no worse, whatever its exit code."""
        entries, whole = listed(reply.out)
        wrong = problems(reply.err.splitlines())
        unknown = reply.code == _UNKNOWN and bool(reply.err.strip())
        whole = whole and not wrong and (reply.code == 0 or unknown)
        said = one_line("\n".join(wrong))
        trouble = "" if whole else said or "an answer of qstat that cannot be read"
        return Listing(tuple(entries), whole, trouble)

    # -- the accounting

    def history(self, asked: Sequence[Asked], site: Site) -> Sequence[Command]:
        """There is no other than what the status query tells, as the capabilities say."""
        return []

    def read_history(self, asked: Sequence[Asked], reply: Reply) -> Listing:
        """Nothing is asked."""
        return Listing((), complete=False)

    # -- queues

    def capacity(self, site: Site) -> Sequence[Command]:
        """Ask for queues and nodes."""
        return pbs_capacity.questions(_PATIENCE)

    def read_capacity(self, replies: Sequence[Reply]) -> Capacity:
        """The queues and nodes."""
        return pbs_capacity.read(replies)

    # -- orders

    def cancel(self, jids: Sequence[str], *, force: bool) -> Sequence[Order]:
        """Delete jobs, waiting or running: TERM, then KILL after the queue's kill_delay."""
        return _orders(jids, ("sh", "-c", _FORCE, "qdel") if force else ("qdel",))

    def order(self, verb: Verb, jids: Sequence[str]) -> Sequence[Order]:
        """Hold, release, suspend, resume or requeue; the last three are for operators."""
        return _orders(jids, _VERBS[verb])

    def signal(self, jids: Sequence[str], name: str) -> Sequence[Order]:
        """Signal all processes of jobs."""
        return _orders(jids, ("qsig", "-s", name))

    def read_refusals(self, jids: Sequence[str], reply: Reply) -> dict[str, str]:
        """Find the ids in the complaints; a complaint that names none concerns all."""
        refused: dict[str, str] = {}
        general: list[str] = []
        for line in reply.err.splitlines():
            if not line.strip() or _FINE.search(line):
                continue
            about = _ABOUT.search(line)
            named = [jid for jid in jids if about is not None and about[1] in (jid, jid.partition(".")[0])]
            if named:
                refused |= dict.fromkeys(named, _said(line))
            else:
                general.append(line)
        if reply.code != 0 and not refused and (general or not reply.err.strip()):
            return dict.fromkeys(jids, _said("\n".join(general)) or _words(reply))
        return refused


# The number of PBSE_UNKJOBID, 15001, in an exit code.
_UNKNOWN = 153


def _orders(jids: Sequence[str], program: tuple[str, ...]) -> list[Order]:
    """The same order for many jobs, in portions."""
    return [Order(tuple(some), Command((*program, *some), patience=_PATIENCE)) for some in chunks(jids, _IDS_AT_ONCE)]


def _said(text: str) -> str:
    """PBS's words without the name of the command and without its long list of options."""
    said = re.split(r"^usage:", text, maxsplit=1, flags=re.MULTILINE)[0]
    return one_line(re.sub(r" +", " ", re.sub(r"^q\w+: +", "", said, flags=re.MULTILINE)))


def _words(reply: Reply) -> str:
    return _said(reply.err) or _said(reply.out) or f"exit code {reply.code} without a word"


def _options(request: Request, marked: str, *, torque: bool) -> list[str]:
    """The options of qsub that a spec comes to."""
    spec, needs = request.spec, request.spec.resources
    title = re.sub(r"[^A-Za-z0-9_.+-]", "_", spec.title())[: 13 if torque else 100]
    options = [
        *("-N", title if title[:1].isalpha() else f"j{title}"),
        *("-C", "", "-S", "/bin/sh", "-m", "n", "-j", "oe"),
    ]
    for limit in _limits(request, torque=torque):
        options += ["-l", limit]
    if needs.queue is not None:
        options += ["-q", needs.queue]
    if needs.account is not None:
        options += ["-A", needs.account]
    extra, variables = _with_mark(needs.extra, marked)
    return [*options, *extra, "-v", variables]


def _limits(request: Request, *, torque: bool) -> list[str]:
    """What a job asks for, all of it on one node, and for how long at most."""
    spec, needs = request.spec, request.spec.resources
    limits: list[str] = []
    own = any(re.search(r"\b(?:select|nodes)=", word) for word in needs.extra)
    memory = f"mem={math.ceil(needs.memory / 2**20)}mb" if needs.memory is not None else ""
    if torque:
        if not own and (needs.cpus != 1 or needs.gpus):
            limits.append(f"nodes=1:ppn={needs.cpus}" + (f":gpus={needs.gpus}" if needs.gpus else ""))
        if memory:
            limits.append(memory)
    elif not own and (needs.cpus != 1 or needs.gpus or memory):
        gpus = f"ngpus={needs.gpus}" if needs.gpus else ""
        limits.append(":".join(part for part in (f"select=1:ncpus={needs.cpus}", memory, gpus) if part))
    if needs.time is not None or spec.timeout is not None:
        # Behind the job's own limit, so that the job script can end it in good order and say so.
        limit = needs.time if needs.time is not None else (spec.timeout or 0.0) + spec.grace + 60.0
        limits.append(f"walltime={max(1, math.ceil(limit))}")
    return limits


def _with_mark(extra: Sequence[str], own: str) -> tuple[list[str], str]:
    """The person's own options without the variables, and these with the mark: of two lists PBS takes the last."""
    variables = [f"{MARK}={own}"]
    rest: list[str] = []
    words = iter(extra)
    for word in words:
        if word == "-v":
            variables.append(next(words, ""))
        else:
            rest.append(word)
    return rest, ",".join(filter(None, variables))


def _seconds(text: str) -> float:
    """Of ``336:00:00``, or of a number of seconds; 0 for anything else."""
    parts = text.split(":")
    if not 1 <= len(parts) <= 3 or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        return 0.0
    return float(sum(int(part) * 60**place for place, part in enumerate(reversed(parts))))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d{1,9}", version)[:3])


def _rights(found: Mapping[str, str]) -> frozenset[Capability]:
    """What only those may order whom the server lists as its managers and operators."""
    trusted = ",".join((found.get("managers", ""), found.get("operators", ""))).split(",")
    if found["user"] not in {one.strip().partition("@")[0] for one in trusted}:
        return frozenset()
    return frozenset({"suspend", "resume", "requeue"})


class PbsBackend(BatchBackend):
    """Runs jobs under PBS or Torque."""

    name = "pbs"
    programs = Pbs.programs

    def __init__(self, surroundings: Surroundings) -> None:
        """Make it; this touches nothing yet."""
        super().__init__(Pbs(), surroundings)
