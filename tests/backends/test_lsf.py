"""The LSF dialect: on answers recorded from a relative (volclava 2.2), on IBM's fields as they are documented, and on
torn, mixed up and garbage ones."""

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
from jobtui.backends.dialect import Asked, Entry, Listing, Reply, Site
from jobtui.backends.lsf import Lsf
from jobtui.backends.lsf_answers import WHOLE, when
from jobtui.core.backend import Handle, Rejected, Request, Snapshot, Task, Took, Uncertain
from jobtui.core.job import Reason, Resources

LSF = Lsf()
# When the answers were recorded (UTC), in the line that the question puts before them.
NOW = 1795250127.0
HEAD, END = f"{NOW:.0f}\n", f"{WHOLE}\n"
JOBS = recorded("lsf", "bjobs-json").out
IDS = dict(line.split("=") for line in recorded("lsf", "ids").out.split())


def seen(text: str = JOBS) -> dict[str, Entry]:
    listing = LSF.read_status(Reply(0, HEAD + text + END, ""))
    assert listing.complete and not listing.trouble
    return {entry.jid: entry for entry in listing.entries}


# -- the listing


def test_every_recorded_job_is_read_with_its_state() -> None:
    entries = seen()
    assert len(entries) == 60
    got = {name: entries[jid].seen for name, jid in IDS.items() if jid in entries}
    assert {name: one.presence for name, one in got.items()} == {
        "ok": "gone", "fails": "gone", "segv": "gone", "timesout": "gone", "oom": "gone", "script": "running",
        "held": "held", "dep": "pending", "neverdep": "pending", "later": "pending", "killed": "gone",
        "killedpending": "gone", "stopped": "suspended", "requeued": "running", "bobs": "running",
    }  # fmt: skip
    ends = {name: (one.outcome, one.exit_code) for name, one in got.items() if one.presence == "gone"}
    assert ends == {
        "ok": ("finished", 0),
        # The relative says DONE of these two itself; the job script knows better.
        "segv": ("finished", 0),
        "oom": ("finished", 0),
        # Its bjobs does not tell how these ended, so its bhist is asked.
        "fails": (None, None),
        "timesout": (None, None),
        "killed": (None, None),
        "killedpending": ("cancelled", None),
    }


def test_times_without_a_year_and_odd_names_are_read() -> None:
    script = seen()[IDS["script"]]
    assert script.name == "script, with | odd" and script.queue == "normal" and script.seen.host == "vm"
    assert script.submitted == 1795249980.0 and script.seen.started == 1795250031.0
    assert seen()[IDS["killedpending"]].seen.started == 0
    assert seen()[IDS["killedpending"]].seen.host == ""


@pytest.mark.parametrize(
    ("text", "epoch"),
    [
        ("Nov 21 08:33", 1795249980.0),
        ("Nov 21 08:33 2026", 1795249980.0),
        ("Nov 21 08:33 L", 1795249980.0),
        ("Sat Nov 21 08:33:51", 1795250031.0),
        ("11/21-08:33:51", 1795250031.0),
        ("Jan  2 00:00", 1798848000.0),
        ("Dec 31 23:59", 1798761540.0),
        ("-", 0.0),
        ("", 0.0),
        ("Nov 99 08:33", 0.0),
        ("99/99-99:99:99", 0.0),
    ],
)
def test_times_are_those_nearest_to_the_clusters_own_clock(text: str, epoch: float) -> None:
    assert when(text, NOW) == epoch


def test_array_tasks_are_jobs_of_their_own() -> None:
    entries = seen()
    tasks = {task: entries[f"47[{task}]"].seen.presence for task in range(1, 7)}
    assert tasks == {1: "running", 2: "gone", 3: "running", 4: "pending", 5: "pending", 6: "pending"}
    assert "47" not in entries


def told(**fields: str) -> Entry:
    """A record in the form of IBM's bjobs, where all values are text and what there is not is empty."""
    record = {
        "JOBID": "9", "JOBINDEX": "0", "STAT": "RUN", "EXIT_CODE": "", "EXIT_REASON": "", "PEND_REASON": "",
        "SUBMIT_TIME": "Nov 21 08:33", "START_TIME": "Nov 21 08:34", "FINISH_TIME": "", "ESTIMATED_START_TIME": "",
        "EXEC_HOST": "4*n1:2*n2", "QUEUE": "normal", "JOB_NAME": "align", "JOB_DESCRIPTION": "",
        "SUB_CWD": "/home/alice",
    }  # fmt: skip
    answer = {"COMMAND": "bjobs", "JOBS": 1, "RECORDS": [{**record, **fields}]}
    (entry,) = seen(json.dumps(answer, indent=2) + "\n").values()
    return entry


def test_marks_are_read_where_they_were_put() -> None:
    assert told(JOB_DESCRIPTION=f"jobtui:{mark_of(3)}").mark == mark_of(3)
    named = told(JOB_NAME=f"align.v2.{mark_of(3)}")
    assert (named.mark, named.name) == (mark_of(3), "align.v2")
    assert (told().mark, told(JOB_DESCRIPTION="my own").mark) == ("", "")
    task = told(JOBINDEX="5", JOB_NAME="a[5]")
    assert (task.jid, task.name, task.cwd, task.seen.host) == ("9[5]", "a[5]", "/home/alice", "n1,n2")


@pytest.mark.parametrize(
    ("word", "presence"),
    [
        ("PEND", "pending"), ("WAIT", "pending"), ("PROV", "pending"), ("FWD", "pending"), ("PSUSP", "held"),
        ("RUN", "running"), ("USUSP", "suspended"), ("SSUSP", "suspended"), ("UNKWN", "ending"), ("ZOMBI", "ending"),
        ("DONE", "gone"), ("EXIT", "gone"), ("", "ending"), ("Z", "ending"), ("done", "ending"),
    ],
)  # fmt: skip
def test_what_the_words_mean(word: str, presence: str) -> None:
    assert told(STAT=word).seen.presence == presence


@pytest.mark.parametrize(
    ("cause", "code", "expected"),
    [
        ("", "3", ("failed", None, 3)),
        ("", "137", ("failed", None, 137)),
        ("", "", ("failed", None, None)),
        ("", "140", ("failed", Reason.TIMEOUT, None)),
        ("TERM_RUNLIMIT: job killed after reaching LSF run time limit", "140", ("failed", Reason.TIMEOUT, None)),
        (
            "TERM_MEMLIMIT: job killed after reaching LSF memory usage limit",
            "1",
            ("failed", Reason.OUT_OF_MEMORY, None),
        ),
        ("TERM_OWNER: job killed by owner", "", ("cancelled", None, None)),
        ("TERM_ADMIN: job killed by root or LSF administrator", "130", ("cancelled", None, None)),
        ("TERM_PREEMPT: job killed after preemption", "130", ("failed", Reason.PREEMPTED, None)),
        ("TERM_ZOMBIE: job exited while LSF is not available", "143", ("failed", Reason.NODE_FAILURE, None)),
        ("TERM_CWD_NOTEXIST: current working directory is not accessible", "2", ("failed", Reason.LAUNCH, None)),
        ("TERM_EXTERNAL_SIGNAL: job killed by a signal external to LSF", "139", ("failed", None, 139)),
        ("TERM_SOMETHING_NEW: who knows", "", ("failed", None, None)),
    ],
)
def test_what_ends_mean(cause: str, code: str, expected: tuple[str, Reason | None, int | None]) -> None:
    one = told(STAT="EXIT", EXIT_REASON=cause, EXIT_CODE=code).seen
    assert (one.outcome, one.reason, one.exit_code) == expected


def test_what_never_started_was_cancelled() -> None:
    assert told(STAT="EXIT", START_TIME="").seen.outcome == "cancelled"


def test_why_a_job_waits_is_said_in_plain_words() -> None:
    text = recorded("lsf", "bjobs-p").out
    reasons = dict.fromkeys(re.findall(r"^ (.*): 1 host;$", text, re.MULTILINE))
    assert [told(STAT="PEND", PEND_REASON=f"{reason}: 1 host;").seen.detail for reason in reasons][1:] == [
        "waits for another job to end",
        "waits for a job that ended otherwise: it can never start",
        "waits for its start time",
        "waits for another task of its array to end",
    ]
    assert (
        told(STAT="PEND", PEND_REASON="New job is waiting for scheduling;").seen.detail
        == "LSF has not looked at it yet"
    )
    user = told(STAT="PEND", PEND_REASON="User has reached the per-user job slot limit of the queue;").seen.detail
    assert user.startswith("a limit on running jobs is reached (User has reached")
    assert told(STAT="PEND", PEND_REASON="The moon is full;").seen.detail == "LSF says: The moon is full"
    assert told(STAT="PEND", ESTIMATED_START_TIME="Nov 21 09:33").seen.expected == 1795253580.0


@pytest.mark.parametrize("name", ["bjobs-unknown-user", "bjobs-unknown"])
def test_no_jobs_is_a_complaint_and_an_answer(name: str) -> None:
    reply = recorded("lsf", name)
    listing = LSF.read_status(Reply(reply.code, HEAD + END, reply.err))
    assert listing.complete and not listing.entries
    assert not LSF.read_status(Reply(reply.code, "", reply.err)).complete
    empty = '{"COMMAND":"bjobs","JOBS":0,"RECORDS":[]}\n'
    assert LSF.read_status(Reply(0, HEAD + empty + END, "")).complete


@pytest.mark.parametrize(
    "reply",
    [
        recorded("lsf", "no-lim"),
        recorded("lsf", "bjobs-o-bad-field"),
        recorded("lsf", "bjobs-json-no-o"),
        Reply(255, "", "LSF is down. Please wait ...\n"),
        Reply(0, "", ""),
    ],
)
def test_an_answer_with_trouble_is_never_complete(reply: Reply) -> None:
    for out in (HEAD + END, HEAD, ""):
        listing = LSF.read_status(Reply(reply.code, out, reply.err))
        assert not listing.complete and not listing.entries and listing.trouble
    if reply.code:
        assert not LSF.read_status(Reply(reply.code, HEAD + JOBS + END, reply.err)).complete


def test_a_wait_that_is_over_does_no_harm() -> None:
    waited = "Cannot connect to LSF. Please wait ...\n" * 3
    assert LSF.read_status(Reply(0, HEAD + JOBS + END, waited)).complete
    assert LSF.read_status(Reply(0, HEAD + waited + JOBS + END, "")).complete


def test_names_that_lsf_does_not_escape_do_not_make_an_answer_unreadable() -> None:
    for odd in ('say "hi", "STAT":"EXIT"', "back\\slash", "tab\tbell\x07"):
        broken = JOBS.replace("script, with | odd", odd)
        entries = seen(broken)
        assert entries[IDS["script"]].name == odd and len(entries) == 60
        assert {jid: one.seen for jid, one in entries.items()} == {jid: one.seen for jid, one in seen().items()}


# -- life stories

LIMIT = """
Job <9>, Job Name <align>, User <alice>, Project <default>, Command <exec /bin/
                     sh /w/9/job.wrapped.lsf>
Sat Nov 21 08:20:49: Submitted from host <login1>, to Queue <normal>, CWD </>;
Sat Nov 21 08:20:51: Dispatched 4 Task(s) on Host(s) <n01>, Allocated 4 Slot(s)
                     on Host(s) <n01>;
Sat Nov 21 08:20:52: Starting (Pid 5596);
Sat Nov 21 08:33:52: Exited with exit code 1. The CPU time used is 31911.0 seco
                     nds;
Sat Nov 21 08:33:52: Completed <exit>; TERM_MEMLIMIT: job killed after reaching
                      LSF memory usage limit;

Summary of time in seconds spent in various states by  Sat Nov 21 08:33:52
  PEND     PSUSP    RUN      USUSP    SSUSP    UNKWN    TOTAL
  2        0        781      0        0        0        783
"""


def stories(*asked: Asked, text: str) -> dict[str, Entry]:
    listing = LSF.read_history(asked, Reply(0, HEAD + text + END, ""))
    assert listing.complete
    return {entry.jid: entry for entry in listing.entries}


def test_the_recorded_stories_tell_how_jobs_stand() -> None:
    text = recorded("lsf", "bhist-l").out + recorded("lsf", "bhist-l-ended").out
    found = stories(Asked("42", ""), Asked("38", ""), text=text)
    assert found["42"].seen.presence == "running" and found["42"].seen.host == "vm"
    one = found["38"].seen
    assert (one.presence, one.outcome, one.exit_code, one.at) == ("gone", "failed", 3, 1795250032.0)
    # Another job had the id before.
    assert not stories(Asked("38", "", NOW + 9999), text=text)
    assert not stories(Asked("1", ""), text=text)


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("", ("failed", Reason.OUT_OF_MEMORY, None)),
        ("Exited by signal 9. The CPU time used is 0.0 seconds.", ("failed", None, 137)),
        ("Exited by LSF signal 9. The CPU time", ("failed", None, 137)),
        ("Exited with exit code 140. The CPU time used is 0.0 seconds.", ("failed", Reason.TIMEOUT, None)),
        ("Exited", ("failed", None, None)),
        ("Done successfully. The CPU time used is 0.3 seconds.", ("finished", None, 0)),
        ("Completed <exit>; TERM_OWNER: job killed by owner.", ("cancelled", None, None)),
    ],
)
def test_how_stories_end(end: str, expected: tuple[str, Reason | None, int | None]) -> None:
    text = LIMIT
    if end:
        text = re.sub(r"^Sat Nov 21 08:33:52: Exited.*?^$", f"Sat Nov 21 08:33:52: {end}\n", text, flags=re.M | re.S)
    one = stories(Asked("9", ""), text=text)["9"].seen
    assert (one.outcome, one.reason, one.exit_code) == expected


def test_a_job_that_was_put_back_into_the_queue_has_not_ended() -> None:
    again = "Sat Nov 21 08:33:53: Pending: Requeued job is waiting for rescheduling;\n\nSummary"
    assert stories(Asked("9", ""), text=LIMIT.replace("\nSummary", again))["9"].seen.presence == "pending"


def test_recorded_endings_of_the_long_form() -> None:
    ends = set(re.findall(r": (Exited.*|Done.*)$", recorded("lsf", "bjobs-l-all").out, re.MULTILINE))
    assert {re.sub(r"[.0-9]+ seconds?", "", end).split(" The CPU")[0] for end in ends} == {
        "Exited", "Done successfully.", "Exited by signal 9.", "Exited with exit code 1.", "Exited with exit code 3.",
        "Exited with exit code 130.", "Exited with exit code 140.",
    }  # fmt: skip


def test_an_unknown_job_has_no_story() -> None:
    listing = LSF.read_history([Asked("9", "")], Reply(255, HEAD + END, "No matching job found\n"))
    assert listing.complete and not listing.entries
    assert not LSF.read_history([Asked("9", "")], Reply(255, HEAD + END, "lsb.events: Permission denied\n")).complete


# -- submitting


def test_recorded_submissions() -> None:
    assert LSF.read_submit(recorded("lsf", "bsub-ok")) == Took("29")
    assert LSF.read_submit(recorded("lsf", "bsub-array")) == Took("30")
    assert LSF.read_submit(recorded("lsf", "bsub-stdin")) == Took("36")
    assert LSF.read_submit(recorded("lsf", "bsub-bad-option")) == Took("34")
    noisy = "Verifying project...\n\nJob <4711> is submitted to queue <main>.\nbye\n"
    assert LSF.read_submit(Reply(0, noisy, "MEMLIMIT was set\n")) == Took("4711")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bad-queue", "nosuch: No such queue. Job not submitted."),
        ("bad-resource", "Bad resource requirement syntax. Job not submitted."),
        ("too-long", "RUNLIMIT: Cannot exceed queue's hard limit(s). Job not submitted."),
        ("bad-dependency", "999999: No matching job found. Job not submitted."),
    ],
)
def test_a_refusal_is_final_and_in_lsfs_own_words(name: str, words: str) -> None:
    assert LSF.read_submit(recorded("lsf", f"bsub-{name}")) == Rejected(words)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (recorded("lsf", "no-lim").err, "later"),
        ("User <alice>: Pending job threshold reached. Job not submitted.", "later"),
        ("LSF is down. Please wait ...", "later"),
        ("Failed in sending/receiving a message: Connection reset by peer", "doubt"),
        ("Request aborted by esub. Job not submitted.", "never"),
    ],
)
def test_trouble_while_submitting_is_told_from_a_refusal(text: str, kind: str) -> None:
    answer = LSF.read_submit(Reply(255, "", text))
    assert {
        "later": isinstance(answer, Rejected) and answer.retryable,
        "doubt": isinstance(answer, Uncertain),
        "never": isinstance(answer, Rejected) and not answer.retryable,
    }[kind]
    assert isinstance(LSF.read_submit(Reply(0, "", "")), Uncertain)
    assert isinstance(LSF.read_submit(Reply(-9, "", "")), Uncertain)


IBM, RELATIVE = Site("LSF"), Site("volclava", noted={"fields": "few"})
NEEDS = Resources(cpus=3, memory=3 * 2**30 + 1, gpus=2, time=90.0, queue="main", account="lab", extra=("-sp", "5"))


def test_options_come_from_the_spec_and_only_from_it() -> None:
    argv = " ".join(LSF.submit(request(7, 2, name="-ü [1-9] %5\n", resources=NEEDS), IBM).argv)
    assert f"-Jd jobtui:{mark_of(7, 2)} -rn -n 3 -R span[hosts=1] -M 3073MB -R rusage[mem=3073MB] -gpu num=2 " in argv
    assert argv.endswith("-W 2 -q main -P lab -sp 5") and "-o /w/7/job.sched" in argv
    name = re.search(r" -J (\S+) ", argv)
    assert name is not None and re.fullmatch(r"[A-Za-z0-9_.+=-]+", name[1])
    plain = LSF.submit(request(1), IBM).argv
    assert not {"-n", "-R", "-M", "-W", "-q", "-P", "-gpu"} & set(plain)
    by_task = LSF.submit(request(7, 2, resources=NEEDS), Site("LSF", noted={"memory": "by task"})).argv
    assert "rusage[mem=1025MB]" in by_task and "3073MB" in by_task
    relative = LSF.submit(request(7, 2, name="align", resources=NEEDS), RELATIVE).argv
    assert f"align.{mark_of(7, 2)}" in relative and "rusage[mem=3073]" in relative and "-Jd" not in relative


def test_a_jobs_own_limit_comes_before_lsfs() -> None:
    argv = LSF.submit(request(1, timeout=600.0), IBM).argv
    assert argv[argv.index("-W") + 1] == "12"


def run(text: bytes, **env: str) -> tuple[int, str]:
    done = subprocess.run(["/bin/sh"], input=text, capture_output=True, timeout=20, env={"PATH": os.defpath, **env})
    return done.returncode, done.stdout.decode()


def array(tmp_path: Path) -> list[Request]:
    """The tasks 0, 2 and 3 of an array, with job scripts that tell who they are."""
    requests: list[Request] = []
    for job in (1, 3, 4):
        script = tmp_path / f"it's job {job}"
        script.write_text(f"#!/bin/sh\n# For job {job}, attempt 1. It\necho {job} {LSF.own_id}\n")
        requests.append(msgspec.structs.replace(request(job), script=str(script), task=Task(mark_of(1), job - 1)))
    return requests


def test_what_lsf_runs_becomes_the_job_script_of_its_own_attempt(tmp_path: Path) -> None:
    first = array(tmp_path)[0]
    text = LSF.submit(first, IBM).stdin
    assert run(text, LSB_JOBID="7", LSB_JOBINDEX="0") == (0, "1 7\n")
    Path(first.script).write_text("#!/bin/sh\n# For job 1, attempt 2. It\necho no\n")
    assert run(text) == (75, "")
    odd = msgspec.structs.replace(first, metadir="/w/%J")
    argv = LSF.submit(odd, IBM).argv
    assert argv[argv.index("-o") + 1] == "/dev/null"


def test_an_array_is_one_submission_whose_tasks_run_their_own_scripts(tmp_path: Path) -> None:
    requests = array(tmp_path)
    command = LSF.submit_array(requests, IBM)
    argv = command.argv
    assert argv[argv.index("-J") + 1] == "true[1,3-4]" and argv[argv.index("-Jd") + 1] == f"jobtui:{mark_of(1)}"
    outs = {index: run(command.stdin, LSB_JOBID="7", LSB_JOBINDEX=str(index)) for index in (1, 2, 3)}
    assert outs == {1: (0, "1 7[1]\n"), 2: (0, ""), 3: (0, "3 7[3]\n")}
    assert LSF.task_id("7", 2) == "7[3]"
    relative = LSF.submit_array(requests, RELATIVE).argv
    assert f"true.{mark_of(1)}[1,3-4]" in relative
    for fields in ({"JOB_DESCRIPTION": f"jobtui:{mark_of(1)}"}, {"JOB_NAME": f"true.{mark_of(1)}[3]"}):
        task = told(JOBID="7", JOBINDEX="3", **fields)
        found = msgspec.structs.replace(handle(3, None), task=Task(mark_of(1), 2))
        assert sorted_out([found], Listing((task,), True)).jids == {3: "7[3]"}


def test_the_environment_keeps_the_cluster_and_drops_what_changes_answers() -> None:
    env = {"PATH": "/x", "LSF_ENVDIR": "/c", "LSB_JOBID": "3", "LSB_BJOBS_FORMAT": "x", "LSB_DEFAULTPROJECT": "p",
           "BSUB_QUIET": "1", "LS_JOBPID": "2"}  # fmt: skip
    assert LSF.scrub(env) == {"PATH": "/x", "LSF_ENVDIR": "/c", "LSB_DEFAULTPROJECT": "p"}


# -- probing

SETTINGS = "\nlsb.params configuration at Sat Nov 21:\n    CLEAN_PERIOD = 600\n    RESOURCE_RESERVE_PER_TASK = Y\n"


def test_settings_of_the_recorded_relative() -> None:
    text = recorded("lsf", "lsid").out + recorded("lsf", "bjobs-o-bad-field").err
    site = LSF.read_probe(Reply(0, text, ""))
    assert isinstance(site, Site) and site.words == "volclava project 2.2, cluster volclava"
    assert site.noted == {"fields": "few"} and site.version == (2, 2) and site.remembers == 3600.0
    assert "exit_reason" not in LSF.status([], site).argv[2] and "exit_reason" in LSF.status([], IBM).argv[2]


def test_settings_of_ibms() -> None:
    head = (
        "IBM Spectrum LSF Standard 10.1.0.14, April 20 2023\nCopyright\n\nMy cluster name is c1\nMy master name is m\n"
    )
    site = LSF.read_probe(Reply(0, f"{head}{SETTINGS}Job <1> is not found\n", ""))
    assert isinstance(site, Site) and site.words == "IBM Spectrum LSF Standard 10.1.0.14, cluster c1"
    assert (site.version, site.remembers, site.noted) == ((10, 1, 0), 600.0, {"memory": "by task"})
    old = LSF.read_probe(Reply(0, head.replace("10.1.0.14", "9.1.2.0") + recorded("lsf", "bjobs-json-no-o").err, ""))
    assert isinstance(old, str) and "too old" in old
    assert LSF.read_probe(Reply(127, "", "sh: 1: lsid: not found\n")) == "there is no command lsid on the PATH"
    assert "not responding" in str(LSF.read_probe(Reply(255, "", recorded("lsf", "no-lim").err)))


# -- orders


def test_refusals_are_told_job_by_job_in_lsfs_own_words() -> None:
    jids = ["52", "47[5]"]
    assert LSF.read_refusals(jids, recorded("lsf", "bkill-not-mine")) == {"52": "Job <52>: User permission denied"}
    for name in ("bkill", "bkill-ended", "bkill-unknown", "bkill-task", "brequeue-ended"):
        assert LSF.read_refusals(["37", "43", "999999", "47[5]"], recorded("lsf", name)) == {}
    down = LSF.read_refusals(jids, Reply(255, "", "Batch daemon refuses\n"))
    assert down == dict.fromkeys(jids, "Batch daemon refuses")


def test_orders_never_go_out_without_an_id() -> None:
    orders = [
        *LSF.cancel(["1"], force=False),
        *LSF.cancel(["1", "2[3]"], force=True),
        *LSF.order("hold", ["1"]),
        *LSF.order("release", ["1"]),
        *LSF.order("requeue", ["1"]),
        *LSF.signal(["4"], "USR1"),
    ]
    assert [" ".join(order.command.argv) for order in orders] == [
        "bkill 1", "bkill -s KILL 1 2[3]", "bstop 1", "bresume 1", "brequeue 1", "bkill -s USR1 4",
    ]  # fmt: skip
    assert not LSF.cancel([], force=True) and not LSF.order("requeue", []) and not LSF.history([], IBM)


# -- answers that are no answers


def marked(text: str) -> tuple[str, dict[int, str]]:
    """The recorded jobs as if all of them were ours, and their ids."""
    answer = json.loads(text)
    jids = dict(enumerate(seen(), 1))
    for job, record in enumerate(answer["RECORDS"], 1):
        record["JOB_DESCRIPTION"] = f"jobtui:{mark_of(job)}"
        record["EXIT_REASON"] = ""
    return json.dumps(answer, indent="\t") + "\n", jids


OURS, OUR_IDS = marked(JOBS)


def ours(job: int, jid: str) -> Handle:
    task = re.search(r"\[(\d+)\]", jid)
    place = Task(mark_of(job), int(task[1]) - 1) if task is not None else None
    return msgspec.structs.replace(handle(job, jid), task=place)


HANDLES = [ours(job, jid) for job, jid in OUR_IDS.items()]


def look(text: str) -> Snapshot:
    return sorted_out(HANDLES, LSF.read_status(Reply(0, text, "")))


TRUTH = look(HEAD + OURS + END)
ACTIVE = {job for job, one in TRUTH.seen.items() if one.presence != "gone"}


def gone(snapshot: Snapshot) -> set[int]:
    return {job for job, one in snapshot.seen.items() if one.presence == "gone"}


def test_the_undamaged_answer_is_the_truth() -> None:
    assert TRUTH.complete and len(TRUTH.seen) == len(HANDLES) and len(ACTIVE) > 10 and not TRUTH.others


@given(st.integers(0, len(HEAD + OURS + END) - 1))
def test_what_is_left_of_a_torn_answer_is_true(at: int) -> None:
    snapshot = look((HEAD + OURS + END)[:at])
    assert not snapshot.complete
    assert all(one == TRUTH.seen[job] for job, one in snapshot.seen.items())


@given(st.permutations(json.loads(OURS)["RECORDS"]))
def test_the_order_of_jobs_does_not_matter(records: list[dict[str, str]]) -> None:
    answer = json.loads(OURS) | {"RECORDS": records}
    assert look(HEAD + json.dumps(answer) + "\n" + END).seen == TRUTH.seen


@given(st.integers(0, len(OURS) - 1), st.text(max_size=60))
def test_noise_in_an_answer_does_not_end_a_job(at: int, noise: str) -> None:
    assert not gone(look(HEAD + OURS[:at] + noise + OURS[at:] + END)) & ACTIVE


@given(st.integers(0, len(OURS) - 1), st.integers(1, 3000))
def test_a_hole_in_an_answer_does_not_end_a_job(at: int, length: int) -> None:
    assert not gone(look(HEAD + OURS[:at] + OURS[at + length :] + END)) & ACTIVE


# A longer one could take all of a story but its first line away, and of the next just that.
@given(st.integers(0, len(LIMIT) - 1), st.integers(1, 500))
def test_a_hole_in_a_story_ends_no_job_that_runs(at: int, length: int) -> None:
    text = recorded("lsf", "bhist-l").out + LIMIT
    text = text[:at] + text[at + length :]
    listing = LSF.read_history([Asked("42", ""), Asked("9", "")], Reply(0, HEAD + text + END, ""))
    assert all(entry.jid != "42" or entry.seen.presence != "gone" for entry in listing.entries)


@given(st.integers(-128, 255), st.text(), st.text())
def test_no_answer_whatever_makes_the_dialect_fail(code: int, out: str, err: str) -> None:
    for text in (out, HEAD + out + END):
        reply = Reply(code, text, err)
        assert not LSF.read_status(reply).entries
        assert not LSF.read_history([Asked("1", "")], reply).entries
    assert isinstance(LSF.read_probe(Reply(code, out, err)), str)
    LSF.read_submit(Reply(code, out, err))
    assert set(LSF.read_refusals(["1", "2"], Reply(code, out, err))) <= {"1", "2"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["JOBS", "RECORDS", "JOBID", "STAT"]), inner)
    ),
)


@given(JSON)
def test_no_json_whatever_makes_the_dialect_fail(answer: object) -> None:
    LSF.read_status(Reply(0, HEAD + json.dumps(answer) + "\n" + END, ""))
    records = answer if isinstance(answer, list) else [answer]
    LSF.read_status(Reply(0, HEAD + json.dumps({"JOBS": len(records), "RECORDS": records}) + "\n" + END, ""))
