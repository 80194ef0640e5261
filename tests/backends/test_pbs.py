"""The PBS dialect on answers recorded from a real one (OpenPBS 23.06), and on torn, mixed up and garbage ones."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import msgspec
import pytest
from backend_kit import handle, mark_of, recorded, request
from hypothesis import given
from hypothesis import strategies as st

from jobtui.backends.batch import sorted_out
from jobtui.backends.dialect import Asked, Entry, Reply, Site
from jobtui.backends.pbs import Pbs
from jobtui.backends.pbs_answers import WHOLE
from jobtui.core.backend import Rejected, Request, Snapshot, Task, Took, Uncertain
from jobtui.core.job import Reason, Resources

PBS = Pbs()
END = f"{WHOLE}\n"
JOBS = recorded("pbs", "qstat-x-f").out
IDS = dict(line.split("=") for line in recorded("pbs", "ids").out.split())


def seen(text: str = JOBS) -> dict[str, Entry]:
    listing = PBS.read_status(Reply(0, text + END, ""))
    assert listing.complete and not listing.trouble
    return {entry.jid: entry for entry in listing.entries}


# -- the listing


def test_every_recorded_job_is_read_with_its_state() -> None:
    entries = seen()
    assert len(entries) == JOBS.count("Job Id: ") == 29
    got = {name: entries[jid].seen for name, jid in IDS.items()}
    assert {name: one.presence for name, one in got.items()} == {
        "ok": "gone", "fails": "gone", "segv": "gone", "oom": "gone", "timesout": "gone", "script": "running",
        "held": "held", "systemheld": "held", "dep": "pending", "dep2": "pending", "neverdep": "pending",
        "later": "pending", "arr": "running", "arrheld": "held", "deleted": "gone", "deletedpending": "gone",
        "badoutput": "ending", "toowide": "pending", "bobs": "running", "shortjob": "running", "rerunme": "running",
        "notrerunable": "running", "suspme": "suspended", "waits": "pending",
    }  # fmt: skip
    ends = {name: (one.outcome, one.reason, one.exit_code) for name, one in got.items() if one.presence == "gone"}
    assert ends == {
        "ok": ("finished", None, 0),
        "fails": ("failed", None, 3),
        "segv": ("failed", None, 139),
        "oom": ("failed", Reason.OUT_OF_MEMORY, None),
        "timesout": ("failed", Reason.TIMEOUT, None),
        "deleted": ("cancelled", None, None),
        "deletedpending": ("cancelled", None, None),
    }


def test_why_a_job_waits_is_said_in_plain_words() -> None:
    entries = seen()
    assert {name: entries[IDS[name]].seen.detail for name in ("held", "systemheld", "dep", "dep2", "later")} == {
        "held": "held in PBS; release it to let it start",
        "systemheld": "held by an administrator",
        "dep": "waits for job 46.vm to end",
        "dep2": "waits for jobs 46.vm, 47.vm to end",
        "later": "waits for its start time",
    }
    assert entries[IDS["waits"]].seen.detail == "waits for free resources (Not enough free nodes available)"
    assert entries[IDS["toowide"]].seen.detail.startswith("no node can give what it asks for (Insufficient amount")
    assert "cancelled in PBS by alice@localhost" in entries[IDS["deleted"]].seen.detail
    assert "a job that it waited for" in entries["39.vm"].seen.detail
    later = entries[IDS["later"]]
    assert later.seen.expected - later.submitted == pytest.approx(3600, abs=60)


def test_what_is_known_of_other_jobs_of_the_person() -> None:
    script = seen()[IDS["script"]]
    # The recording server prints UTC, as the dialect makes qstat do.
    assert script.submitted == script.seen.started == 1795247687.0
    assert (script.name, script.queue) == ("script.name_with-signs+1", "workq")
    assert (script.cwd, script.command, script.seen.host) == ("/home/alice/cap", "qsub script.sh", "vm")
    assert seen()[IDS["deletedpending"]].seen.started == 0


@pytest.mark.parametrize("name", ["qstat-f", "qstat-f-one", "qstat-f-w"])
def test_other_recorded_forms_are_read_the_same(name: str) -> None:
    entries = seen(recorded("pbs", name).out)
    assert entries[IDS["script"]] == seen()[IDS["script"]]


def test_array_tasks_are_jobs_of_their_own() -> None:
    entries = seen(recorded("pbs", "qstat-x-f-array").out)
    presences = {jid: entry.seen.presence for jid, entry in entries.items()}
    assert presences == {f"53[{task}].vm": "running" if task != 2 else "gone" for task in range(1, 7)}
    assert entries["53[2].vm"].seen.exit_code == 1


def edited(**attributes: str) -> Entry:
    """A recorded running job with other attributes."""
    text = f"Job Id: {recorded('pbs', 'qstat-f-one').out.partition('Job Id: ')[2]}"
    text = re.sub(r"^    comment = .*\n", "", text, flags=re.MULTILINE)
    for name, value in attributes.items():
        line = f"    {name} = {value}\n"
        text, found = re.subn(rf"^    {name} = .*\n", line, text, flags=re.MULTILINE)
        text = text if found else text.replace("\n    queue = ", f"\n{line}    queue = ", 1)
    return seen(text)[IDS["script"]]


@pytest.mark.parametrize(
    ("code", "outcome", "reason", "exit_code"),
    [
        (0, "finished", None, 0),
        (77, "failed", None, 77),
        (143, "failed", None, 143),
        (271, "failed", None, 143),
        (265, "failed", None, 137),
        (256, "failed", None, None),
        (-1, "failed", Reason.LAUNCH, None),
        (-10, "failed", Reason.LAUNCH, None),
        (-11, "failed", Reason.NODE_FAILURE, None),
        (-26, "failed", Reason.OUT_OF_MEMORY, None),
        (-28, "failed", Reason.TIMEOUT, None),
    ],
)
def test_what_exit_status_means(code: int, outcome: str, reason: Reason | None, exit_code: int | None) -> None:
    one = edited(job_state="F", substate="93", Exit_status=str(code)).seen
    assert (one.presence, one.outcome, one.reason, one.exit_code) == ("gone", outcome, reason, exit_code)


def test_a_state_that_is_not_known_is_no_end() -> None:
    for state in ("M", "Z", "", "FF", "finished"):
        assert edited(job_state=state).seen.presence == "ending"
    assert edited(job_state="U").seen.presence == "suspended"
    assert edited(job_state="T").seen.presence == "pending"
    # What a second copy of a job script exits with is not the job's own code.
    second = edited(job_state="F", Exit_status="75", Variable_List=f"JOBTUI_MARK={mark_of(1)}").seen
    assert (second.outcome, second.exit_code) == ("failed", None)
    assert edited(job_state="H", Hold_Types="p").seen.detail == "held: PBS has no valid password of yours"
    assert edited(job_state="Q", comment="Not Running: Server is on fire").seen.detail == "PBS says: Server is on fire"


def test_odd_variables_of_a_job_do_not_make_it_unreadable() -> None:
    odd = "BASH_FUNC_module%%=() {  eval `x`;\n local a = b\n    job = 1\n}\n,X=\"\\'\x01"
    text = JOBS.replace("PBS_O_HOST=localhost", f"PBS_O_HOST=localhost,{odd}")
    assert {jid: entry.seen for jid, entry in seen(text).items()} == {jid: e.seen for jid, e in seen().items()}


TORQUE = """Job Id: 12.head.example.org
    Job_Name = align
    Job_Owner = alice@login1
    job_state = C
    queue = batch
    ctime = Sat Nov 21 07:54:47 2026
    exec_host = n01/0+n01/1+n02/0
    Hold_Types = n
    comp_time = Sat Nov 21 07:56:47 2026
    Variable_List = PBS_O_QUEUE=batch,PBS_O_HOME=/home/alice,JOBTUI_MARK=jt000001.1,
\tPBS_O_WORKDIR=/home/alice
    exit_status = -11
    submit_args = -N align
    start_time = Sat Nov 21 07:55:47 2026

"""


def test_torques_names_for_the_same_things() -> None:
    entry = seen(TORQUE)["12.head.example.org"]
    assert (entry.mark, entry.cwd, entry.command) == ("jt000001.1", "/home/alice", "qsub -N align")
    one = entry.seen
    assert (one.outcome, one.reason, one.host, one.at - one.started) == ("failed", Reason.TIMEOUT, "n01,n02", 60.0)
    assert seen(TORQUE.replace("= -11", "= 271"))["12.head.example.org"].seen.exit_code == 143
    never = TORQUE.replace("    exit_status = -11\n", "").replace("    start_time = Sat Nov 21 07:55:47 2026\n", "")
    assert seen(never)["12.head.example.org"].seen.outcome == "cancelled"


def test_jobs_that_are_not_known_leave_an_answer_complete() -> None:
    unknown = recorded("pbs", "qstat-f-unknown")
    listing = PBS.read_status(Reply(unknown.code, JOBS + END, unknown.err))
    assert listing.complete and len(listing.entries) == 29
    assert PBS.read_status(Reply(153, END, "qstat: Unknown Job Id Error 9.head.example.org\n")).complete
    assert PBS.read_status(Reply(0, END, "")) == msgspec.structs.replace(listing, entries=())


@pytest.mark.parametrize("name", ["no-server", "bad-server", "qstat-f-ended", "qsub-bad-option"])
def test_an_answer_with_an_error_is_never_complete(name: str) -> None:
    reply = recorded("pbs", name)
    listing = PBS.read_status(Reply(reply.code, END, reply.err))
    assert not listing.complete and not listing.entries and listing.trouble
    assert not PBS.read_status(Reply(0, JOBS + END, reply.err)).complete
    assert not PBS.read_status(Reply(reply.code, JOBS + END, "")).complete


def test_an_answer_without_its_end_is_not_complete() -> None:
    assert not PBS.read_status(Reply(0, JOBS, "")).complete
    assert not PBS.read_status(Reply(0, "", "")).complete


# -- submitting


def test_recorded_submissions() -> None:
    assert PBS.read_submit(recorded("pbs", "qsub-ok")) == Took("32.vm")
    assert PBS.read_submit(recorded("pbs", "qsub-array")) == Took("33[].vm")
    assert PBS.read_submit(Reply(0, "Welcome to X\n\n 4711.head.example.org \nbye\n", "")) == Took(
        "4711.head.example.org"
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bad-queue", "Unknown queue"),
        ("bad-resource", "Unknown resource Resource_List.nosuch"),
        ("over-queue-limit", "Job violates queue and/or server resource limits"),
        ("bad-walltime", "Illegal attribute or resource value Resource_List.walltime"),
        ("no-file", "script file:: No such file or directory"),
        ("bad-name", "illegal -N value"),
        ("non-ascii-name", "illegal -N value"),
        ("long-name", "Job name is too long"),
        ("bad-option", "invalid option -- '-'; invalid option -- 'n'"),
    ],
)
def test_a_refusal_is_final_and_in_pbs_own_words(name: str, words: str) -> None:
    assert PBS.read_submit(recorded("pbs", f"qsub-{name}")) == Rejected(words)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (recorded("pbs", "no-server").err, "later"),
        (recorded("pbs", "bad-server").err, "later"),
        ("qsub: would exceed queue generic's per-user limit of jobs in 'Q' state", "later"),
        ("qsub: Maximum number of jobs already in queue for user MSG=total number of current user's jobs", "later"),
        ("qsub: End of File", "doubt"),
        ("qsub: Communication failure", "doubt"),
        ("qsub: Invalid credential", "never"),
    ],
)
def test_trouble_while_submitting_is_told_from_a_refusal(text: str, kind: str) -> None:
    answer = PBS.read_submit(Reply(1, "", text))
    assert {
        "later": isinstance(answer, Rejected) and answer.retryable,
        "doubt": isinstance(answer, Uncertain),
        "never": isinstance(answer, Rejected) and not answer.retryable,
    }[kind]


def test_an_answer_without_an_id_leaves_it_open() -> None:
    for reply in (Reply(0, "", ""), Reply(0, "Welcome 2000\n", ""), Reply(-9, "", ""), Reply(1, "12.vm\n", "x")):
        assert isinstance(PBS.read_submit(reply), Uncertain)


OPENPBS = Site("PBS", noted={"past": "-x "})
OLD = Site("Torque", noted={"kind": "torque"})


def options(argv: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in zip(argv[1::2], argv[2::2], strict=True):
        found.setdefault(name, []).append(value)
    return found


def test_options_come_from_the_spec_and_only_from_it() -> None:
    needs = Resources(cpus=3, memory=3 * 2**30 + 1, gpus=2, time=90.0, queue="main", account="lab", extra=("-p", "5"))
    argv = PBS.submit(request(7, 2, name="-ü /x\ny", resources=needs), OPENPBS).argv
    got = options(argv)
    assert got["-l"] == ["select=1:ncpus=3:mem=3073mb:ngpus=2", "walltime=90"]
    assert (got["-q"], got["-A"], got["-p"]) == (["main"], ["lab"], ["5"])
    assert got["-v"] == [f"JOBTUI_MARK={mark_of(7, 2)}"] and got["-o"] == ["/w/7/job.sched"] and got["-r"] == ["n"]
    assert re.fullmatch(r"[A-Za-z][\w.+-]*", got["-N"][0], re.ASCII)
    plain = options(PBS.submit(request(1), OPENPBS).argv)
    assert not {"-l", "-q", "-A"} & set(plain)
    torque = options(PBS.submit(request(7, 2, name="a name that is too long", resources=needs), OLD).argv)
    assert torque["-l"] == ["nodes=1:ppn=3:gpus=2", "mem=3073mb", "walltime=90"] and len(torque["-N"][0]) <= 15


def test_the_persons_own_options_stand_beside_the_mark() -> None:
    extra = ("-v", "A=1,B", "-l", "select=2:ncpus=4", "-v", "C=2")
    got = options(PBS.submit(request(1, resources=Resources(cpus=8, extra=extra)), OPENPBS).argv)
    assert got["-v"] == [f"JOBTUI_MARK={mark_of(1)},A=1,B,C=2"] and got["-l"] == ["select=2:ncpus=4"]


def test_a_path_that_pbs_would_misread_is_not_given() -> None:
    odd = msgspec.structs.replace(request(1), metadir="/w/a:b/1")
    assert options(PBS.submit(odd, OPENPBS).argv)["-o"] == ["/dev/null"]


def test_a_jobs_own_limit_comes_before_pbs() -> None:
    assert options(PBS.submit(request(1, timeout=600.0), OPENPBS).argv)["-l"] == ["walltime=670"]


def test_what_pbs_runs_sets_the_variables_and_becomes_the_job_script(tmp_path: Path) -> None:
    script = tmp_path / "it's a script"
    script.write_text("#!/bin/sh\n# For job 1, attempt 1. It\nenv -0\necho $$ >&2\nread -r x || echo none >&2\n")
    script.chmod(0o755)
    env = {"PATH": os.environ["PATH"], "A": "x\n#PBS -q y\n'\"$A`", "PBS_O_HOME": "/x",
           "TMPDIR": "/login/tmp"}  # fmt: skip
    attempt = msgspec.structs.replace(request(1), script=str(script), env=env)
    command = PBS.submit(attempt, OPENPBS)
    node = {"PATH": os.environ["PATH"], "PBS_JOBID": "1.vm", "TMPDIR": "/node/tmp", "JOBTUI_MARK": mark_of(1)}
    child = subprocess.Popen(
        ["/bin/sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=node
    )
    out, err = child.communicate(command.stdin, timeout=60)
    got = dict(one.split("=", 1) for one in out.decode().split("\0") if one)
    got = {name: value for name, value in got.items() if name not in ("PWD", "SHLVL", "_", "OLDPWD")}
    # Jobs that this one submits do not pass for it.
    assert got == {"PATH": env["PATH"], "A": env["A"], "PBS_JOBID": "1.vm",
                   "TMPDIR": "/node/tmp"}  # fmt: skip
    assert err.decode().split() == [str(child.pid), "none"]


def run(text: bytes, **env: str) -> tuple[int, str]:
    done = subprocess.run(["/bin/sh"], input=text, capture_output=True, timeout=20, env={"PATH": os.defpath, **env})
    return done.returncode, done.stdout.decode()


def array(tmp_path: Path, missing: int = 0) -> list[Request]:
    """The tasks 0 to 3 of an array, of which one is missing, with job scripts that tell who they are."""
    requests: list[Request] = []
    for job in (1, 2, 3, 4):
        script = tmp_path / f"job {job}"
        script.write_text(f"#!/bin/sh\n# For job {job}, attempt 1. It\necho {job} $PBS_JOBID $X\n")
        task = Task(mark_of(1), job - 1)
        requests.append(msgspec.structs.replace(request(job), script=str(script), task=task))
    return [msgspec.structs.replace(one, env={"X": "a b"}) for one in requests if one.job != missing]


def test_an_attempt_that_comes_too_late_does_not_start_the_next_one(tmp_path: Path) -> None:
    first = array(tmp_path)[0]
    text = PBS.submit(first, OPENPBS).stdin
    assert run(text, PBS_JOBID="1.vm") == (0, "1 1.vm a b\n")
    Path(first.script).write_text("#!/bin/sh\n# For job 1, attempt 2. It\necho no\n")
    assert run(text) == (75, "")
    Path(first.script).unlink()
    assert run(text)[1] == ""


def test_an_array_is_one_submission_whose_tasks_run_their_own_scripts(tmp_path: Path) -> None:
    requests = array(tmp_path, missing=2)
    command = PBS.submit_array(requests, OPENPBS)
    got = options(command.argv)
    assert (got["-J"], got["-r"], got["-v"]) == (["0-3"], ["y"], [f"JOBTUI_MARK={mark_of(1)}"])
    outs = [run(command.stdin, PBS_ARRAY_INDEX=str(index), PBS_JOBID=f"5[{index}].vm") for index in range(4)]
    assert outs == [(0, "1 5[0].vm a b\n"), (0, ""), (0, "3 5[2].vm a b\n"), (0, "4 5[3].vm a b\n")]
    assert PBS.task_id("5[].head.example.org", 3) == "5[3].head.example.org"


def test_tasks_are_found_by_the_arrays_mark_and_their_numbers() -> None:
    text = recorded("pbs", "qstat-x-f-array").out
    text = text.replace("Variable_List = ", f"Variable_List = JOBTUI_MARK={mark_of(1)},")
    jids = {job: f"53[{job}].vm" for job in range(1, 7)}
    handles = [msgspec.structs.replace(handle(job, None), task=Task(mark_of(1), job)) for job in jids]
    snapshot = sorted_out(handles, PBS.read_status(Reply(0, text + END, "")))
    assert snapshot.jids == jids and not snapshot.others
    # All tasks at once, and none of them twice.
    assert set(PBS.status([Asked(jid, "") for jid in jids.values()], OPENPBS).stdin.split()) == {b"53[].vm"}


def test_the_environment_keeps_the_server_and_drops_what_changes_answers() -> None:
    env = {"PATH": "/x", "PBS_SERVER": "s", "PBS_JOBID": "1.vm", "PBS_DPREFIX": "#X", "PBS_QSTAT_EXECONLY": "1"}
    assert PBS.scrub(env) == {"PATH": "/x", "PBS_SERVER": "s"}


# -- probing


def probed(settings: dict[str, str] | None = None, version: str = "", user: str = "alice") -> Site | str:
    """What the recorded server would have answered, with other settings."""
    server = json.loads(recorded("pbs", "qstat-B-f-json").out)["Server"]["vm"] | (settings or {})
    lines = [f"    {name} = {value}\n" for name, value in server.items() if isinstance(value, str)]
    text = (version or recorded("pbs", "version").out) + "Server: vm\n" + "".join(lines) + f"\nuser = {user}\n"
    return PBS.read_probe(Reply(0, text, ""))


def test_settings_of_the_recorded_server() -> None:
    site = probed()
    assert isinstance(site, Site)
    assert (site.version, site.cluster, site.remembers) == ((23, 6, 6), "vm", 336 * 3600.0)
    assert site.words == "PBS 23.06.06, server vm, with job history" and not site.capabilities
    off = probed({"job_history_enable": "False"})
    assert isinstance(off, Site) and off.remembers == 300.0 and "without job history" in off.words
    assert "-x" not in PBS.status([Asked("1.vm", "")], off).argv[2]
    shorter = probed({"job_history_duration": "00:10:00"})
    assert isinstance(shorter, Site) and shorter.remembers == 600.0


def test_only_operators_may_suspend_and_requeue() -> None:
    site = probed({"operators": "bob@*,alice@login1"})
    assert isinstance(site, Site) and site.capabilities == {"suspend", "resume", "requeue"}
    other = probed({"operators": "bob@*", "managers": "root@*"})
    assert isinstance(other, Site) and not other.capabilities


def test_torque_is_told_from_pbs_and_grid_engine_from_both() -> None:
    torque = probed({"keep_completed": "600"}, "Version: 6.1.2\nCommit: 661e092552de43a785c15d39a3634a541d86898e\n")
    assert isinstance(torque, Site) and torque.words == "Torque 6.1.2, server vm" and torque.remembers == 600.0
    assert torque.noted == {"kind": "torque"} and torque.version == (6, 1, 2)
    for name in ("qstat-bad-option", "probe", "no-qmaster"):
        answer = PBS.read_probe(recorded("sge", name))
        assert answer == "the qstat on the PATH is not that of PBS"


def test_a_server_that_does_not_answer_says_why() -> None:
    down = recorded("pbs", "no-server")
    answer = PBS.read_probe(Reply(255, recorded("pbs", "version").out, down.err.partition("real")[0]))
    assert isinstance(answer, str) and "cannot connect to server localhost" in answer
    answer = PBS.read_probe(Reply(127, "", "sh: 1: qstat: not found\n"))
    assert answer == "there is no command qstat on the PATH"


# -- asking and ordering


def test_one_question_about_all_jobs_however_many() -> None:
    asked = [Asked(f"{n}.vm", mark_of(n)) for n in range(1, 2000)]
    command = PBS.status(asked, OPENPBS)
    assert command.argv[:2] == ("sh", "-c") and command.stdin.decode().split() == [job.jid for job in asked]
    assert "qselect -u" in command.argv[2] and "qstat -f -x -t" in command.argv[2]
    # One whose id nobody knows may have ended already.
    assert "qselect -x -u" in PBS.status([*asked, Asked("", mark_of(1))], OPENPBS).argv[2]
    assert "-x" not in PBS.status([Asked("", mark_of(1))], OLD).argv[2]


def test_refusals_are_told_job_by_job_in_pbs_own_words() -> None:
    jids = ["59.vm", "64.vm"]
    for name in ("qdel-not-mine", "qhold-not-mine"):
        assert PBS.read_refusals(jids, recorded("pbs", name)) == {"59.vm": "Unauthorized Request 59.vm"}
    for name, jid, words in (
        ("qhold-array-task", "53[5].vm", "Invalid request 53[5].vm"),
        ("qrls-systemheld-s", "48.vm", "Unauthorized Request 48.vm"),
        ("qrerun-as-user", "46.vm", "Unauthorized Request 46.vm"),
        ("qrerun-not-rerunable", "62.vm", "job is not rerunnable 62.vm"),
        ("qrerun-pending", "64.vm", "Request invalid for state of job 64.vm"),
        ("qsig-suspend-as-user", "60.vm", "Unauthorized Request 60.vm"),
        ("qdel-other-server", "1.nosuchserver", "illegally formed job identifier: 1.nosuchserver"),
    ):
        assert PBS.read_refusals([jid, "9.vm"], recorded("pbs", name)) == {jid: words}
    # What has ended already needs no stopping.
    for name in ("qdel", "qdel-unknown", "qdel-ended", "qhold-unknown", "qrerun-ended", "qalter-ended"):
        assert PBS.read_refusals(["42.vm", "999999.vm"], recorded("pbs", name)) == {}
    down = PBS.read_refusals(jids, recorded("pbs", "no-server"))
    assert set(down) == set(jids) and "cannot connect" in down["59.vm"]


def test_orders_never_go_out_without_an_id() -> None:
    orders = [
        *PBS.cancel(["1.vm"], force=False),
        *PBS.order("hold", ["1.vm", "2.vm"]),
        *PBS.signal(["3.vm"], "USR1"),
        *PBS.order("release", ["1.vm"]),
        *PBS.order("requeue", ["1.vm"]),
        *PBS.order("suspend", ["1.vm"]),
    ]
    assert [" ".join(order.command.argv) for order in orders] == [
        "qdel 1.vm", "qhold -h u 1.vm 2.vm", "qsig -s USR1 3.vm", "qrls -h u 1.vm", "qrerun 1.vm",
        "qsig -s suspend 1.vm",
    ]  # fmt: skip
    assert [len(order.jids) for order in PBS.cancel([f"{n}.vm" for n in range(250)], force=True)] == [100, 100, 50]


# -- answers that are no answers


def marked(text: str) -> tuple[str, dict[int, str]]:
    """The recorded jobs as if all of them were ours, and their ids."""
    head, *records = text.split("Job Id: ")
    jids: dict[int, str] = {}
    for job, record in enumerate(records, 1):
        jids[job] = record.partition("\n")[0]
        records[job - 1] = record.replace("Variable_List = ", f"Variable_List = JOBTUI_MARK={mark_of(job)},")
    return "".join([head, *(f"Job Id: {record}" for record in records)]), jids


OURS, OUR_IDS = marked(JOBS)
HANDLES = [handle(job, jid) for job, jid in OUR_IDS.items()]


def look(text: str) -> Snapshot:
    return sorted_out(HANDLES, PBS.read_status(Reply(0, text, "")))


TRUTH = look(OURS + END)
ACTIVE = {job for job, one in TRUTH.seen.items() if one.presence != "gone"}


def gone(snapshot: Snapshot) -> set[int]:
    return {job for job, one in snapshot.seen.items() if one.presence == "gone"}


def test_the_undamaged_answer_is_the_truth() -> None:
    assert TRUTH.complete and len(TRUTH.seen) == len(HANDLES) and len(ACTIVE) > 10 and not TRUTH.others


@given(st.integers(0, len(OURS + END) - 1))
def test_what_is_left_of_a_torn_answer_is_true(at: int) -> None:
    snapshot = look((OURS + END)[:at])
    assert not snapshot.complete
    assert all(one == TRUTH.seen[job] for job, one in snapshot.seen.items())


@given(st.permutations(OURS.split("Job Id: ")[1:]))
def test_the_order_of_jobs_does_not_matter(records: list[str]) -> None:
    snapshot = look("".join(f"Job Id: {record}" for record in records) + END)
    assert snapshot.seen == TRUTH.seen and snapshot.complete


@given(st.integers(0, len(OURS) - 1), st.text(max_size=60))
def test_noise_in_an_answer_does_not_end_a_job(at: int, noise: str) -> None:
    assert not gone(look(OURS[:at] + noise + OURS[at:] + END)) & ACTIVE


@given(st.integers(0, len(OURS) - 1), st.integers(1, 6000))
def test_a_hole_in_an_answer_does_not_end_a_job(at: int, length: int) -> None:
    assert not gone(look(OURS[:at] + OURS[at + length :] + END)) & ACTIVE


@given(st.integers(-128, 255), st.text(), st.text())
def test_no_answer_whatever_makes_the_dialect_fail(code: int, out: str, err: str) -> None:
    reply = Reply(code, out, err)
    assert not PBS.read_status(reply).entries
    assert not PBS.read_history([Asked("1.vm", "")], reply).entries
    assert isinstance(PBS.read_probe(reply), str)
    PBS.read_submit(reply)
    assert set(PBS.read_refusals(["1.vm", "2.vm"], reply)) <= {"1.vm", "2.vm"}


WORDS = st.sampled_from(
    ["F", "R", "91", "271", "-29", "Sat Nov 21 07:54:47 2026", "Sat Nov 99 07:54:47 9999", "9" * 30]
)


@given(st.dictionaries(st.sampled_from(["job_state", "substate", "Exit_status", "stime", "ctime", "exec_host", "depend",
                                        "Hold_Types", "comment", "Execution_Time"]), WORDS | st.text()))  # fmt: skip
def test_no_value_whatever_makes_the_dialect_fail(values: dict[str, str]) -> None:
    text = "Job Id: 1.vm\n" + "".join(f"    {name} = {value}\n" for name, value in values.items()) + "\n" + END
    for entry in PBS.read_status(Reply(0, text, "")).entries:
        assert entry.jid == "1.vm"
        if entry.seen.presence == "gone":
            assert values["job_state"].strip()[:1] in ("F", "X", "C") and entry.seen.outcome
