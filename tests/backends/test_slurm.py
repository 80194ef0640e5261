"""The Slurm dialect on recorded answers of a real one (22.05.8), and on answers that are torn, mixed up or garbage."""

from __future__ import annotations

import re
import time

import pytest
from backend_kit import handle, mark_of, recorded, request
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from jobtui.backends.batch import sorted_out
from jobtui.backends.dialect import Asked, Entry, Listing, Reply, Site
from jobtui.backends.slurm import Slurm
from jobtui.core.backend import Handle, Rejected, Request, Snapshot, Task, Took, Uncertain
from jobtui.core.job import Reason, Resources

SLURM = Slurm()
SITE = Site("Slurm", cluster="jobtui")
RS, US = "\x1e", "\x1f"

# The columns of the recorded squeue-format.out that the dialect asks for.
_RECORDED = tuple("iAFKjuaPqTtrMLlSeVCDmNRQpEZokbfBhy")
_ASKED = tuple("iTrSVeNPkoZj")


def epoch(text: str) -> str:
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text):
        return str(int(time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))))
    return text


def queue_text() -> str:
    """The recorded queue in the form that the dialect asks for."""
    lines = recorded("slurm", "squeue-format").out.splitlines()[1:]
    text = ""
    for line in lines:
        # One recorded job has the separator of that capture in its name.
        fields = line.replace("tab\tand | pipe", "tab\tand \0 pipe").split("|")
        row = {letter: field.replace("\0", "|") for letter, field in zip(_RECORDED, fields, strict=True)}
        text += RS + US.join(epoch(row[letter]) for letter in _ASKED) + "\n"
    return text


QUEUE = queue_text()
IDS = dict(line.split("=") for line in recorded("slurm", "ids").out.split())


def seen(text: str = QUEUE) -> dict[str, Entry]:
    return {entry.jid: entry for entry in SLURM.read_status(Reply(0, text, "")).entries}


def test_every_recorded_job_is_read_with_its_state() -> None:
    listing = SLURM.read_status(Reply(0, QUEUE, ""))
    assert listing.complete and len(listing.entries) == QUEUE.count(RS) == 42
    entries = seen()
    got = {name: entries[jid].seen for name, jid in IDS.items() if jid in entries}
    assert {name: one.presence for name, one in got.items()} == {
        "ok": "gone", "fails": "gone", "segv": "gone", "oom": "gone", "timesout": "gone", "script": "running",
        "odd": "running", "held": "held", "adminheld": "held", "dep": "pending", "dep2": "pending",
        "neverdep": "pending", "later": "pending", "cancelme": "gone", "cancelpending": "gone",
        "requeueme": "running", "requeueheld": "held", "special": "held", "gpujob": "running", "suspme": "suspended",
        "nodefails": "gone", "deadline": "gone", "bobs": "running", "steps": "running", "completing": "gone",
        "toobig": "pending", "preempted": "gone", "pusher": "gone",
    }  # fmt: skip
    ends = {name: (one.outcome, one.reason) for name, one in got.items() if one.presence == "gone"}
    assert ends == {
        "ok": ("finished", None),
        "fails": ("failed", None),
        "segv": ("failed", None),
        "oom": ("failed", Reason.OUT_OF_MEMORY),
        "timesout": ("failed", Reason.TIMEOUT),
        "cancelme": ("cancelled", None),
        "cancelpending": ("cancelled", None),
        "nodefails": ("failed", Reason.NODE_FAILURE),
        "deadline": ("failed", Reason.TIMEOUT),
        "completing": ("cancelled", None),
        "preempted": ("failed", Reason.PREEMPTED),
        "pusher": ("finished", None),
    }


def test_names_comments_and_reasons_hold_anything() -> None:
    entries = seen()
    assert entries[IDS["odd"]].name == "tab\tand | pipe, comma; ünï"
    assert entries[IDS["script"]].name == "script 'with quotes' ünï"
    assert "reserved for jobs in higher priority" in entries[IDS["toobig"]].seen.detail
    assert entries[IDS["adminheld"]].seen.detail == "held by an administrator"
    assert entries[IDS["later"]].seen.expected > entries[IDS["later"]].submitted > 0
    broken = QUEUE.replace("script 'with", "line\nend\nand " + US + " script 'with")
    assert SLURM.read_status(Reply(0, broken, "")).complete
    assert seen(broken)[IDS["script"]].name == f"line\nend\nand {US} script 'with quotes' ünï"


def test_a_job_cancelled_while_it_waited_never_started() -> None:
    assert seen()[IDS["cancelpending"]].seen.started == 0
    assert seen()[IDS["cancelme"]].seen.started > 0


def test_array_tasks_are_jobs_of_their_own() -> None:
    entries = seen()
    assert entries["23_1"].seen.outcome == "failed" and entries["23_0"].seen.presence == "running"
    assert "23" not in entries and "38" not in entries


@pytest.mark.parametrize("name", ["no-controller", "no-config", "squeue-unknown-id", "squeue-bad-user"])
def test_an_answer_with_an_error_is_never_complete(name: str) -> None:
    listing = SLURM.read_status(recorded("slurm", name))
    assert not listing.complete and not listing.entries and listing.trouble
    assert "error" not in listing.trouble.partition(":")[0]


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("sbatch-parsable", Took("2")),
        ("sbatch-ok", Took("1")),
        ("sbatch-bad-partition", Rejected("invalid partition specified: nosuch; Batch job submission failed: Invalid "
                                          "partition name specified")),
        ("sbatch-no-file", Rejected("Unable to open file nosuch.sh")),
    ],
)  # fmt: skip
def test_recorded_submissions(name: str, answer: object) -> None:
    assert SLURM.read_submit(recorded("slurm", name)) == answer


@pytest.mark.parametrize("name", ["bad-option", "no-shebang", "too-much-memory", "bad-partition"])
def test_a_refusal_is_final_and_in_slurms_own_words(name: str) -> None:
    reply = recorded("slurm", f"sbatch-{name}")
    answer = SLURM.read_submit(reply)
    assert isinstance(answer, Rejected) and not answer.retryable
    assert answer.text.split(";")[0] in reply.err.replace("sbatch: error: ", "").replace("\n", " ")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Unable to contact slurm controller (connect failure)", "later"),
        ("Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time "
         "limits)", "later"),
        ("Batch job submission failed: QOSMaxSubmitJobPerUserLimit", "later"),
        ("Batch job submission failed: Socket timed out on send/recv operation", "doubt"),
        ("Batch job submission failed: Zero Bytes were transmitted or received", "doubt"),
        ("Batch job submission failed: Invalid account or account/partition combination specified", "never"),
    ],
)  # fmt: skip
def test_trouble_while_submitting_is_told_from_a_refusal(text: str, kind: str) -> None:
    answer = SLURM.read_submit(Reply(1, "", f"sbatch: error: {text}\n"))
    expected = {"later": Rejected(text, True), "doubt": Uncertain(text), "never": Rejected(text, False)}
    assert answer == expected[kind]


def test_an_id_is_found_among_a_sites_own_lines_and_with_its_cluster() -> None:
    assert SLURM.read_submit(Reply(0, "Welcome to X\n\n  4711  \nbye\n", "")) == Took("4711")
    assert SLURM.read_submit(Reply(0, "4711;alpha\n", "")) == Took("4711;alpha")
    assert SLURM.read_submit(Reply(0, "Submitted batch job 12 on cluster beta\n", "")) == Took("12;beta")
    assert isinstance(SLURM.read_submit(Reply(0, "Welcome to X 2000\n", "")), Uncertain)
    assert isinstance(SLURM.read_submit(Reply(-9, "", "")), Uncertain)


def test_options_come_from_the_spec_and_only_from_it() -> None:
    needs = Resources(cpus=3, memory=3 * 2**30 + 1, gpus=2, time=90.0, queue="main", account="lab", extra=("-C", "a b"))
    argv = SLURM.submit(request(7, 2, name="-x\n|'y", resources=needs), SITE).argv
    assert argv[0] == "sbatch" and argv[-3:] == ("-C", "a b", "/w/7/job.wrapped.x")
    options = dict(word.partition("=")[::2] for word in argv[1:-3])
    assert options["--job-name"] == "-x |'y" and options["--comment"] == f"jobtui:{mark_of(7, 2)}"
    assert (options["--cpus-per-task"], options["--mem"], options["--gres"]) == ("3", "3073M", "gpu:2")
    assert (options["--time"], options["--partition"], options["--account"]) == ("2", "main", "lab")
    assert "--no-requeue" in argv and options["--output"] == "/w/7/job.sched"
    plain = " ".join(SLURM.submit(request(1), SITE).argv)
    assert not re.search(r"--(cpus|mem|gres|time|partition|account)", plain)


def test_an_array_is_one_submission_whose_tasks_go_on_as_their_own_jobs() -> None:
    def task(job: int, index: int) -> Request:
        return structs.replace(request(job), task=Task("jtx.1", index))

    command = SLURM.submit_array([task(7, 0), task(8, 1), task(12, 5)], SITE)
    assert "--array=0-1,5" in command.argv and "--comment=jobtui:jtx.1" in command.argv
    assert "5) jt_s=/w/12/job.wrapped.x jt_n=1 ;;" in command.stdin.decode()
    assert SLURM.task_id("40", 5) == "40_5" and SLURM.task_id("40;far", 5) == "40_5;far"
    text = QUEUE.replace("(null)", "jobtui:jtx.1")
    assert {entry.jid: entry.mark for entry in SLURM.read_status(Reply(0, text, "")).entries}["23_4"] == "jtx.1[4]"


def test_a_jobs_own_limit_comes_before_slurms() -> None:
    argv = SLURM.submit(request(1, timeout=600.0), SITE).argv
    assert "--time=12" in argv


def test_the_environment_keeps_the_cluster_and_drops_what_changes_answers() -> None:
    env = {"PATH": "/x", "SLURM_CONF": "/c", "SLURM_JOB_ID": "3", "SQUEUE_FORMAT": "%i", "SBATCH_PARTITION": "p"}
    assert SLURM.scrub(env) == {"PATH": "/x", "SLURM_CONF": "/c"}


def test_settings_of_the_recorded_controller() -> None:
    site = SLURM.read_probe(recorded("slurm", "scontrol-show-config"))
    assert isinstance(site, Site)
    assert site.version == (22, 5, 8) and site.cluster == "jobtui" and site.remembers == 300.0
    assert "history" in site.capabilities and "22.05.8" in site.words
    down = SLURM.read_probe(recorded("slurm", "no-controller"))
    assert isinstance(down, str) and "Unable to contact slurm controller" in down


def accounts(*rows: tuple[str, ...]) -> Reply:
    return Reply(0, "".join(US.join(row) + "\n" for row in rows), "")


def recorded_accounts() -> Reply:
    head, *lines = [line.split("|") for line in recorded("slurm", "sacct-parsable").out.splitlines()]
    # The recorded job with the separator in its name is left out.
    rows = [dict(zip(head, line, strict=True)) for line in lines if len(line) == len(head)]
    wanted = ("JobID", "State", "ExitCode", "Submit", "Start", "End", "NodeList")
    return accounts(*[tuple(epoch(row[name]) for name in wanted) for row in rows if "." not in row["JobID"]])


def test_the_recorded_accounting_tells_codes_and_causes() -> None:
    asked = [Asked(jid, "") for jid in IDS.values()]
    listing = SLURM.read_history(asked, recorded_accounts())
    assert listing.complete
    by_jid = {entry.jid: entry.seen for entry in listing.entries}
    got = {name: (by_jid[jid].outcome, by_jid[jid].reason, by_jid[jid].exit_code)
           for name, jid in IDS.items() if jid in by_jid and by_jid[jid].presence == "gone"}  # fmt: skip
    assert got == {
        "ok": ("finished", None, 0),
        "fails": ("failed", None, 3),
        "segv": ("failed", None, 139),
        "oom": ("failed", Reason.OUT_OF_MEMORY, None),
        "timesout": ("failed", Reason.TIMEOUT, None),
        "cancelme": ("cancelled", None, None),
        "nodefails": ("failed", Reason.NODE_FAILURE, None),
        "deadline": ("failed", Reason.TIMEOUT, None),
        "completing": ("cancelled", None, None),
        "pusher": ("finished", None, 0),
    }
    assert "user id 1001" in by_jid[IDS["cancelme"]].detail
    assert by_jid[IDS["requeueheld"]].presence == "pending"


def test_an_old_record_of_a_reused_id_is_another_jobs() -> None:
    asked = [Asked("27", "", 1_000_000.0)]
    old = ("27", "COMPLETED", "0:0", "900000", "900001", "900002", "n1")
    again = ("27", "REQUEUED", "0:0", "1000000", "1000001", "1000002", "n1")
    new = ("27", "RUNNING", "0:0", "1000010", "1000011", "Unknown", "n1")
    assert SLURM.read_history(asked, accounts(old)).entries == ()
    assert SLURM.read_history(asked, accounts(new, old, again)).entries[0].seen.presence == "running"


@pytest.mark.parametrize("name", ["no-accounting", "no-slurmdbd"])
def test_an_accounting_that_does_not_answer_knows_nothing(name: str) -> None:
    listing = SLURM.read_history([Asked("1", "")], recorded("slurm", name))
    assert not listing.complete and not listing.entries and listing.trouble


def test_refusals_are_told_job_by_job_in_slurms_own_words() -> None:
    jids = ["34", "35"]
    assert SLURM.read_refusals(jids, recorded("slurm", "scancel-not-mine")) == {
        "34": "Kill job error on job id 34: Access/permission denied"
    }
    assert SLURM.read_refusals(jids, recorded("slurm", "scontrol-hold-not-mine")) == {
        "34": "Invalid user id for job 34"
    }
    down = SLURM.read_refusals(jids, recorded("slurm", "no-controller"))
    assert set(down) == {"34", "35"} and "Unable to contact" in down["34"]
    # What has ended already needs no stopping.
    for name in ("scancel-unknown", "scancel-ended", "scancel-verbose", "scontrol-requeue-unknown"):
        assert SLURM.read_refusals(["999999", "17"], recorded("slurm", name)) == {}
    admin = recorded("slurm", "scontrol-release-adminheld")
    assert SLURM.read_refusals(["18"], admin) == {"18": "Access/permission denied for job 18"}


def test_orders_never_go_out_without_an_id_and_name_the_cluster() -> None:
    orders = [*SLURM.cancel(["1", "2;far"], force=True), *SLURM.order("hold", ["1", "3"]), *SLURM.signal(["4"], "USR1")]
    assert [" ".join(order.command.argv) for order in orders] == [
        "scancel --full --signal=KILL 1", "scancel -M far --full --signal=KILL 2", "scancel 1", "scancel -M far 2",
        "scontrol uhold 1,3", "scancel --batch --signal=USR1 4",
    ]  # fmt: skip
    assert [len(order.jids) for order in SLURM.cancel([str(n) for n in range(250)], force=False)] == [100, 100, 50]


def test_several_clusters_in_one_answer_are_told_apart() -> None:
    row = QUEUE.split(RS)[1]
    text = f"CLUSTER: jobtui\n{RS}{row}CLUSTER: far\n{RS}{row}"
    listing = SLURM.read_status(Reply(0, text, ""))
    assert listing.complete and [entry.jid for entry in listing.entries] == ["30;jobtui", "30;far"]
    assert {entry.name for entry in listing.entries} == {"gpujob"}
    command = SLURM.status([Asked("30;far", ""), Asked("30", "")], SITE)
    assert "-M" in command.argv and "jobtui,far" in command.argv


# -- matching entries with jobs


def entry(jid: str, mark: str = "", submitted: float = 0.0) -> Entry:
    return Entry(jid, SLURM.read_status(Reply(0, QUEUE, "")).entries[0].seen, mark, submitted=submitted)


def test_a_mark_beats_an_id_and_a_reused_id_is_somebody_elses() -> None:
    handles = [handle(1, "10", sent=1e9), handle(2, None), handle(3, "12", sent=1e9)]
    listing = Listing(
        (
            entry("10", mark_of(9)),
            entry("11", mark_of(2)),
            entry("12", "", submitted=1e9 - 86400),
            entry("13", mark_of(1, 2)),
        ),
        True,
    )
    snapshot = sorted_out(handles, listing)
    assert snapshot.jids == {2: "11"} and set(snapshot.seen) == {2}
    assert {other.jid for other in snapshot.others} == {"10", "12", "13"}


# -- answers that are no answers


def marked(text: str) -> tuple[str, dict[int, str]]:
    """The queue as if all of its jobs were ours, and their ids."""
    jids: dict[int, str] = {}
    records = [record.split(US) for record in text.split(RS)[1:]]
    for job, fields in enumerate(records, 1):
        jids[job], fields[_ASKED.index("k")] = fields[0], f"jobtui:{mark_of(job)}"
    return "".join(RS + US.join(fields) for fields in records), jids


OURS, OUR_IDS = marked(QUEUE)


def ours(job: int, jid: str) -> Handle:
    """The handle of a job, which may be a task of an array."""
    index = jid.partition("_")[2]
    task = Task(mark_of(job), int(index)) if index.isdigit() else None
    return structs.replace(handle(job, jid), task=task)


HANDLES = [ours(job, jid) for job, jid in OUR_IDS.items() if "[" not in jid]


def look(text: str) -> Snapshot:
    return sorted_out(HANDLES, SLURM.read_status(Reply(0, text, "")))


TRUTH = look(OURS)
ACTIVE = {job for job, one in TRUTH.seen.items() if one.presence != "gone"}


def gone(snapshot: Snapshot) -> set[int]:
    return {job for job, one in snapshot.seen.items() if one.presence == "gone"}


def test_the_undamaged_answer_is_the_truth() -> None:
    assert TRUTH.complete and len(TRUTH.seen) == len(HANDLES) and len(ACTIVE) > 10 and len(TRUTH.others) == 2


@given(st.integers(0, len(OURS) - 1))
def test_a_torn_answer_ends_no_job(at: int) -> None:
    snapshot = look(OURS[:at])
    assert not gone(snapshot) & ACTIVE
    if at and OURS[at] != RS:
        assert not snapshot.complete


@given(st.permutations(OURS.split(RS)[1:]))
def test_the_order_of_records_does_not_matter(records: list[str]) -> None:
    assert look("".join(RS + record for record in records)).seen == TRUTH.seen


@given(st.integers(0, len(OURS) - 1), st.text(max_size=60))
def test_noise_in_an_answer_does_not_end_a_job(at: int, noise: str) -> None:
    assert not gone(look(OURS[:at] + noise + OURS[at:])) & ACTIVE


@given(st.integers(0, len(OURS) - 1), st.integers(1, 200))
def test_a_hole_in_an_answer_does_not_end_a_job(at: int, length: int) -> None:
    assert not gone(look(OURS[:at] + OURS[at + length :])) & ACTIVE


@given(st.integers(-128, 255), st.text(), st.text())
def test_no_answer_whatever_makes_the_dialect_fail(code: int, out: str, err: str) -> None:
    reply = Reply(code, out, err)
    assert not SLURM.read_status(reply).entries
    assert not SLURM.read_history([Asked("1", "")], reply).entries
    assert isinstance(SLURM.read_probe(reply), str)
    SLURM.read_submit(reply)
    assert set(SLURM.read_refusals(["1", "2"], reply)) <= {"1", "2"}


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("QOSMaxCpuPerUserLimit", "your quality of service has no more cores left for you now (QOSMaxCpuPerUserLimit)"),
        ("AssocGrpGRES", "your account has no more GPUs and the like left for you now (AssocGrpGRES)"),
        ("AssocMaxNodePerJobLimit", "asks for more nodes than your account allows (AssocMaxNodePerJobLimit)"),
        ("QOSMinCpuNotSatisfied", "asks for less than your quality of service wants (QOSMinCpuNotSatisfied)"),
        ("QOSResourceLimit", "your quality of service is at its limit (QOSResourceLimit)"),
        ("ReqNodeNotAvail, UnavailableNodes:n[3-4]", "the nodes that it could use are not available now: n[3-4]"),
        ("ReqNodeNotAvail", "the nodes that it could use are not available now"),
        ("SomethingNew", "Slurm says: SomethingNew"),
    ],
)
def test_why_a_job_waits_in_plain_words(reason: str, words: str) -> None:
    record = RS + US.join(["7", "PENDING", reason, "N/A", "1", "N/A", "", "main", "", "x", "/", "job"]) + "\n"
    (entry,) = SLURM.read_status(Reply(0, record, "")).entries
    assert entry.seen.detail == words


def test_an_attached_job_is_found_by_its_id_also_after_it_was_put_back_but_no_later_job_is() -> None:
    mine = structs.replace(handle(1, "10", sent=1e9), attached="theirs")
    for name, sent, found in [
        ("theirs", 1e9, True),
        ("theirs", 1e9 + 86400, True),
        ("another", 1e9 + 86400, False),
        ("theirs", 1e9 - 86400, False),
    ]:
        listed = structs.replace(entry("10", "", submitted=sent), name=name)
        assert (1 in sorted_out([mine], Listing((listed,), True)).seen) is found
