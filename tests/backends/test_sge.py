"""The Grid Engine dialect on answers recorded from a real one (8.1.9), and on torn, mixed up and garbage ones."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import msgspec
import pytest
from backend_kit import handle, mark_of, recorded, request
from hypothesis import given
from hypothesis import strategies as st

from jobtui.backends.batch import sorted_out
from jobtui.backends.dialect import Asked, Entry, Listing, Reply, Site
from jobtui.backends.sge import Sge
from jobtui.backends.sge_answers import state_of
from jobtui.core.backend import Rejected, Request, Snapshot, Task, Took, Uncertain
from jobtui.core.job import JobSpec, Reason, Resources

SGE = Sge()
STATUS = recorded("sge", "status").out


def named(name: str) -> dict[str, str]:
    return dict(line.split("=") for line in recorded("sge", name).out.split())


IDS = named("status-ids")
OLD_IDS = named("ids")


def site() -> Site:
    found = SGE.read_probe(recorded("sge", "probe"))
    assert isinstance(found, Site)
    return found


def entries(text: str = STATUS) -> dict[str, Entry]:
    listing = SGE.read_status(Reply(0, text, ""))
    assert listing.complete
    return {entry.jid: entry for entry in listing.entries}


# -- the listing


def test_every_recorded_job_is_read_with_its_state() -> None:
    found = entries()
    got = {name: found[jid].seen for name, jid in IDS.items() if jid in found}
    assert {name: (one.presence, one.detail) for name, one in got.items()} == {
        "run": ("running", ""),
        "fill": ("running", ""),
        "susp": ("suspended", "suspended in Grid Engine"),
        "del": ("ending", "being deleted in Grid Engine"),
        "held": ("held", "held in Grid Engine; release it to let it start"),
        "dep": ("pending", f"waits for job {IDS['run']} to end"),
        "wide": ("pending", "waits for enough free slots in its parallel environment"),
        "full": ("pending", "waits for enough free slots in its parallel environment"),
        "later": ("pending", "waits for its start time"),
        "short": ("pending", "waits for enough free slots in its parallel environment"),
        "eqw": (
            "held",
            'Grid Engine could not start it: can\'t open output file "/nonexistent/dir/x": No such file or directory; '
            "release it to try again",
        ),
        "over": ("gone", "it has ended, says Grid Engine, and not how"),
        "gone": ("gone", "it has ended, says Grid Engine, and not how"),
    }
    assert got["eqw"].reason == Reason.LAUNCH
    assert got["run"].host and got["run"].started > 1.7e9 and got["held"].started == 0


def test_marks_and_names_are_told_apart() -> None:
    found = entries()
    assert found[IDS["wide"]].mark == "jt0000000000000005.2" and found[IDS["wide"]].name == "wide"
    assert found[f"{IDS['arr']}.1"].mark == "" and found[f"{IDS['arr']}.1"].name == "arr"
    assert found[IDS["short"]].queue == "short.q" and found[IDS["run"]].queue == "all.q"


def test_array_tasks_are_jobs_of_their_own_with_their_own_errors() -> None:
    found = entries()
    tasks = {task: found[f"{IDS['arr']}.{task}"].seen for task in range(1, 7)}
    assert [tasks[task].presence for task in tasks] == ["running"] * 2 + ["pending"] * 4
    assert tasks[6].detail == "waits for another task of its array to end"
    assert IDS["arr"] not in found
    assert "No such file" in found[f"{IDS['earr']}.3"].seen.detail


@pytest.mark.parametrize("name", ["qstat-xml-r", "qstat-xml-everything", "qstat-xml-expanded", "qstat-xml-empty"])
def test_other_recorded_listings_are_read(name: str) -> None:
    found = entries(recorded("sge", name).out)
    assert bool(found) == (name != "qstat-xml-empty")
    if found and name != "qstat-xml-expanded":
        # This one tells no dependencies.
        assert found[OLD_IDS["dep"]].seen.detail == f"waits for job {OLD_IDS['script']} to end"
        assert found[f"{OLD_IDS['arrdep']}.3"].seen.detail == f"waits for job {OLD_IDS['arr']} to end"
    if found:
        assert found[OLD_IDS["odd"]].name == 'pipe|comma,;<x>&"q"'
        assert found[OLD_IDS["eqw"]].seen.presence == "held" and found[OLD_IDS["eqw"]].seen.reason == Reason.LAUNCH
        assert found[OLD_IDS["rerunme"]].seen.presence == "running"
        assert found[OLD_IDS["exit99"]].seen.detail == "put back into the queue by Grid Engine"
        assert {f"{OLD_IDS['arr']}.{task}" for task in (1, 3, 4, 5, 6, 7, 8)} <= set(found)
        assert {f"{OLD_IDS['arrheld']}.{task}" for task in range(1, 20, 2)} <= set(found)
    ended = {entry.jid for entry in found.values() if entry.seen.presence == "gone"}
    if name == "qstat-xml-everything":
        assert {OLD_IDS[job] for job in ("ok", "fails", "deleted", "deletedpending")} <= ended
        assert all(found[jid].seen.outcome is None and found[jid].seen.exit_code is None for jid in ended)
    else:
        assert not ended


# Every state of sge_status(5).
@pytest.mark.parametrize(
    ("presence", "states"),
    [
        ("pending", "qw Rq"),
        ("held", "hqw hRwq Eqw Ehqw EhRqw"),
        ("running", "r hr t Rr Rt"),
        ("suspended", "s ts S tS T tT Rs Rts RS RtS RT RtT"),
        ("ending", "dr dt dRr dRt ds dS dT dRs dRS dRT"),
        ("gone", "z"),
        ("ending", "Q x ? running"),
    ],
)
def test_what_the_letters_mean(presence: str, states: str) -> None:
    assert {state: state_of(state).presence for state in states.split()} == dict.fromkeys(states.split(), presence)


def test_an_unknown_word_is_shown_and_changes_nothing() -> None:
    assert state_of("Xyz") == state_of("Xyz") and state_of("Xyz").detail == "Grid Engine says Xyz"
    text = STATUS.replace("<state>qw</state>", "<state>Qw!</state>")
    assert entries(text)[IDS["full"]].seen.presence == "ending"


def test_odd_characters_in_a_name_hide_no_job() -> None:
    found = entries(STATUS.replace("<full_job_name>held.", "<full_job_name>a\x1b\x07\ufffd&lt;/job_info&gt;."))
    assert found[IDS["held"]].mark == "jt0000000000000003.1" and found[IDS["held"]].seen.presence == "held"
    assert len(found) == len(entries())


@pytest.mark.parametrize("name", ["no-qmaster", "status-no-qmaster", "no-root", "qstat-bad-option"])
def test_an_answer_with_an_error_is_never_complete(name: str) -> None:
    listing = SGE.read_status(recorded("sge", name))
    assert not listing.complete and not listing.entries and listing.trouble
    assert not listing.trouble.startswith("error")


def test_a_warning_or_an_exit_code_makes_an_answer_incomplete_but_its_jobs_count() -> None:
    for reply in (Reply(1, STATUS, ""), Reply(0, STATUS, "error: got timeout\n")):
        listing = SGE.read_status(reply)
        assert not listing.complete and len(listing.entries) == len(entries())


def test_an_array_of_absurd_size_is_not_expanded() -> None:
    listing = SGE.read_status(Reply(0, STATUS.replace("<tasks>3-6:1<", "<tasks>1-99999999999:1<"), ""))
    assert not listing.complete and len(listing.entries) == len(entries()) - 4


# -- submitting


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("qsub-ok", Took("1")),
        ("qsub-terse", Took("2")),
        ("qsub-array", Took("3")),
        ("qsub-array-terse", Took("4")),
        ("qsub-bad-queue", Rejected('Job was rejected because job requests unknown queue "nosuch.q"')),
        ("qsub-bad-resource", Rejected('unknown resource "nosuch"')),
        ("qsub-bad-pe", Rejected('job rejected: the requested parallel environment "nosuch" does not exist')),
        ("qsub-bad-project", Rejected('job rejected: the requested project "nosuch" does not exist')),
        ("qsub-bad-option", Rejected('invalid option argument "--nosuch"')),
        ("qsub-bad-name", Rejected("argument to -N option must not contain /")),
        ("qsub-non-ascii-name", Uncertain("Error reading answer list from qmaster")),
    ],
)
def test_recorded_submissions(name: str, answer: object) -> None:
    assert SGE.read_submit(recorded("sge", name)) == answer


def test_a_refusal_in_several_lines_is_final() -> None:
    for name in ("qsub-verify-impossible", "qsub-no-file"):
        answer = SGE.read_submit(recorded("sge", name))
        assert isinstance(answer, Rejected) and not answer.retryable and "Exiting" not in answer.text


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (recorded("sge", "qsub-no-qmaster").err, "later"),
        ("Unable to run job: job rejected: Only 500 jobs are allowed per user (current job count: 500)\nExiting.\n",
         "later"),
        ("error: failed receiving gdi request response for mid=1 (got syncron message receive timeout error).\n",
         "doubt"),
        ("error: commlib error: got read error (closing \"vm/qmaster/1\")\n", "doubt"),
        ("Unable to run job: denied: host \"login\" is no submit host.\nExiting.\n", "never"),
    ],
)  # fmt: skip
def test_trouble_while_submitting_is_told_from_a_refusal(text: str, kind: str) -> None:
    answer = SGE.read_submit(Reply(1, "", text))
    kinds = {"later": Rejected(getattr(answer, "text", ""), True), "never": Rejected(getattr(answer, "text", ""))}
    assert answer == kinds.get(kind, Uncertain(getattr(answer, "text", "")))
    assert isinstance(SGE.read_submit(Reply(-9, "", text)), Uncertain)


def test_an_id_is_found_among_a_sites_own_lines() -> None:
    assert SGE.read_submit(Reply(0, "Welcome to X\n\n  4711  \nbye\n", "warning: nice\n")) == Took("4711")
    assert SGE.read_submit(Reply(0, 'hello\nYour job 12 ("x") has been submitted\n', "")) == Took("12")
    assert isinstance(SGE.read_submit(Reply(0, "Welcome to X 2000\n", "")), Uncertain)


def options(argv: tuple[str, ...]) -> dict[str, str]:
    return {word: argv[at + 1] for at, word in enumerate(argv[:-1]) if word.startswith("-")}


def test_options_come_from_the_spec_and_only_from_it() -> None:
    needs = Resources(cpus=3, memory=3 * 2**30 + 1, time=90.5, queue="short.q", account="lab", extra=("-l", "a=1 b"))
    argv = SGE.submit(request(7, 2, name="1 bad/näme", resources=needs), site()).argv
    assert argv[0] == "qsub" and argv[-2:] == ("-l", "a=1 b")
    assert "-l h_rt=91,h_vmem=1025M" in " ".join(argv)
    given = options(argv)
    assert given["-N"] == f"j1_bad_n_me.{mark_of(7, 2)}"
    assert (given["-pe"], given["-q"], given["-P"]) == ("smp", "short.q", "lab")
    assert (given["-r"], given["-o"], given["-j"], given["-C"]) == ("n", "/w/7/job.sched", "y", "")
    plain = SGE.submit(request(1), site()).argv
    assert not {"-pe", "-l", "-q", "-P"} & set(plain) and "-notify" in plain


def test_a_jobs_own_limit_comes_before_grid_engines() -> None:
    assert "h_rt=670" in SGE.submit(request(1, timeout=600.0), site()).argv


def test_the_persons_own_parallel_environment_wins() -> None:
    needs = Resources(cpus=4, extra=("-pe", "mpi", "4"))
    argv = SGE.submit(request(1, resources=needs), site()).argv
    assert argv.count("-pe") == 1 and argv[-3:] == ("-pe", "mpi", "4")


def pe(name: str, rule: str, users: str = "NONE") -> str:
    return f"pe_name {name}\nslots 9\nuser_lists {users}\nallocation_rule {rule}\n"


def test_cores_of_one_machine_are_asked_for_where_the_queue_has_them() -> None:
    queues = (
        "execd_params none\nqname big\npe_list mpi orte threaded,[@gpu=gpu.smp]\n\nqname small\npe_list make omp\n"
        "\nqname none\npe_list NONE\n"
    )
    text = f"UGE 8.6.7\n{queues}" + pe("mpi", "$fill_up") + pe("threaded", "$pe_slots") + pe("orte", "16")
    text += pe("gpu.smp", "$pe_slots", "staff") + pe("omp", "$pe_slots") + pe("make", "$round_robin")
    found = SGE.read_probe(Reply(0, text, ""))
    assert isinstance(found, Site) and found.version == (8, 6, 7)
    chosen = {queue: options(SGE.submit(request(1, resources=Resources(cpus=2, queue=queue)), found).argv)["-pe"]
              for queue in ("big", "big@@gpu", "small", "none", None)}  # fmt: skip
    assert chosen == {"big": "threaded", "big@@gpu": "threaded", "small": "omp", "none": "omp", None: "omp"}


def test_gpus_and_memory_are_counted_as_the_site_counts_them() -> None:
    needs = Resources(cpus=4, gpus=4, memory=8 * 2**30)
    row = "{} {} INT <= YES {} 0 0\n"
    for per_job, expected in (("YES", "h_vmem=2048M,ngpus=1"), ("JOB", "h_vmem=8192M,ngpus=4")):
        text = f"SGE 8.1.9\nexecd_params none\nqname q\npe_list smp\n{pe('smp', '$pe_slots')}"
        text += row.format("ngpus", "ng", per_job) + row.format("h_vmem", "h_vmem", per_job)
        found = SGE.read_probe(Reply(0, text, ""))
        assert isinstance(found, Site)
        assert expected in SGE.submit(request(1, resources=needs), found).argv
    assert "h_vmem=2048M,gpu=4" in SGE.submit(request(1, resources=needs), site()).argv


def test_a_path_that_grid_engine_would_take_apart_is_not_given_to_it() -> None:
    odd = request(1)
    odd = type(odd)(1, 1, odd.tag, "/w: $HOME,x/1/s", "/w: $HOME,x/1", odd.spec, {})
    command = SGE.submit(odd, site())
    assert options(command.argv)["-o"] == "/dev/null"
    assert b"jt_s='/w: $HOME,x/1/s'" in command.stdin


# -- what there is


def test_settings_of_the_recorded_cluster() -> None:
    found = site()
    assert found.version == (8, 1, 9) and found.kill_wait == 5.0 and "history" in found.capabilities
    assert found.words == "Grid Engine (SGE 8.1.9), with accounting"
    command = SGE.status([], found).argv[2]
    assert "qstat -j 2>" in command and "qstat -j 2>" not in SGE.status([], Site("")).argv[2]


def test_what_is_not_there_or_not_grid_engine_is_told() -> None:
    down = SGE.read_probe(recorded("sge", "probe-no-qmaster"))
    assert isinstance(down, str) and "Connection refused" in down
    assert SGE.read_probe(recorded("sge", "no-root")) == 'SGE_ROOT directory "/nonexistent" doesn\'t exist'
    pbs = "usage: \nqstat [-f] [-J] [-p] [-t] [-x] [-E] [-F format] [-D delim] [ job_identifier... | destination... ]\n"
    for reply in (Reply(2, "", pbs), Reply(0, pbs, ""), Reply(0, "", "")):
        assert SGE.read_probe(reply) == "the qstat on the PATH is not Grid Engine's"
    nothing = Reply(127, "", "sh: 1: qstat: not found\nsh: 2: qconf: not found\n")
    assert SGE.read_probe(nothing) == "there is no command qstat on the PATH"


def test_the_environment_keeps_the_cluster_and_drops_what_changes_answers() -> None:
    env = {"PATH": "/x", "SGE_ROOT": "/c", "SGE_SINGLE_LINE": "1", "QUEUE": "mine", "TMPDIR": "/scratch"}
    assert SGE.scrub(env) == {"PATH": "/x", "SGE_ROOT": "/c", "QUEUE": "mine", "TMPDIR": "/scratch"}
    # As in a job from which jobtui was called.
    assert SGE.scrub({**env, "SGE_TASK_ID": "undefined", "JOB_ID": "3"}) == {"PATH": "/x", "SGE_ROOT": "/c"}


# -- the accounting


def account(name: str, jid: str, sent: float = 0.0) -> tuple[Entry | None, bool]:
    listing = SGE.read_history([Asked(jid, "", sent)], recorded("sge", name))
    return (listing.entries[0] if listing.entries else None), listing.complete


@pytest.mark.parametrize(
    ("name", "job", "end"),
    [
        ("ok", "ok", ("finished", None, 0)),
        ("bad", "fails", ("failed", None, 3)),
        ("sig", "segv", ("failed", None, 139)),
        ("rt", "timesout", ("failed", Reason.TIMEOUT, None)),
        ("srt", "softtimeout", ("failed", None, 138)),
        ("oom", "oom", ("failed", None, 1)),
        ("can", "deleted", ("failed", None, 137)),
    ],
)
def test_recorded_ends(name: str, job: str, end: tuple[object, ...]) -> None:
    entry, complete = account(f"qacct-j-{name}", OLD_IDS[job])
    assert complete and entry is not None
    assert (entry.seen.outcome, entry.seen.reason, entry.seen.exit_code) == end
    assert entry.seen.at >= entry.seen.started >= entry.submitted > 1.7e9


def test_a_job_that_was_put_back_lives() -> None:
    entry, complete = account("qacct-j-usr", OLD_IDS["exit99"])
    assert complete and entry is not None and entry.seen.presence == "pending"


def test_tasks_of_an_array_are_told_apart() -> None:
    entry, complete = account("qacct-j-array", f"{OLD_IDS['arr']}.2")
    assert complete and entry is not None and entry.seen.exit_code == 1
    assert account("qacct-j-array", OLD_IDS["arr"]) == (None, True)
    commands = SGE.history([Asked("27.2", ""), Asked("5", "")], site())
    assert [command.argv for command in commands] == [("qacct", "-j", "27", "-t", "2"), ("qacct", "-j", "5")]


@pytest.mark.parametrize("name", ["running", "unknown", "deleted-pending"])
def test_no_record_is_a_whole_answer(name: str) -> None:
    jid = {"running": OLD_IDS["script"], "deleted-pending": OLD_IDS["deletedpending"]}.get(name, "999999")
    assert account(f"qacct-j-{name}", jid) == (None, True)


def test_an_accounting_that_does_not_answer_knows_nothing() -> None:
    for reply in (Reply(1, "", "error: something\n"), Reply(0, "", ""), Reply(-9, "", "")):
        listing = SGE.read_history([Asked("1", "")], reply)
        assert not listing.complete and not listing.entries
    none = Reply(1, "no jobs running since startup\n", "/c/common/accounting: No such file or directory\n")
    assert SGE.read_history([Asked("1", "")], none).complete


HISTORY = recorded("sge", "history").out


def test_many_jobs_are_looked_up_at_once() -> None:
    asked = [Asked(jid, "", 1.75e9 + number) for number, jid in enumerate(IDS.values())]
    (command,) = SGE.history(asked, site())
    assert command.argv[:2] == ("sh", "-c") and "-b 202506141506" in command.argv[2]
    listing = SGE.read_history(asked, Reply(0, HISTORY, ""))
    got = {entry.jid: (entry.seen.outcome, entry.seen.exit_code) for entry in listing.entries}
    killed = ("failed", 137)
    assert listing.complete and got[IDS["run"]] == got[IDS["susp"]] == got[IDS["del"]] == killed
    assert not {IDS["held"], IDS["dep"], IDS["arr"]} & set(got)
    (whole,) = SGE.history([Asked(jid, "") for jid in IDS.values()], site())
    assert "-b" not in whole.argv[2]


def test_an_old_record_of_a_reused_id_is_another_jobs() -> None:
    name, jid = "qacct-j-ok", OLD_IDS["ok"]
    entry, _ = account(name, jid)
    assert entry is not None
    assert account(name, jid, entry.submitted + 86400) == (None, True)
    assert account(name, jid, entry.submitted - 86400)[0] == entry


def changed(**fields: str) -> Reply:
    text = recorded("sge", "qacct-j-ok").out
    for field, value in fields.items():
        text, count = re.subn(rf"^{field}( +).*$", rf"{field}\g<1>{value}", text, flags=re.MULTILINE)
        assert count == 1 or field == "deleted_by"
    return Reply(0, text, "")


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        ({"failed": "26  : opening input/output file"}, ("failed", Reason.LAUNCH, None)),
        ({"failed": "21  : in recognizing job"}, ("failed", Reason.NODE_FAILURE, None)),
        ({"failed": "37  : limit", "maxvmem": "205.1MB", "category": "-l h_vmem=100M -pe smp 2", "slots": "2"},
         ("failed", Reason.OUT_OF_MEMORY, None)),
        ({"failed": "37  : limit", "maxvmem": "99.1MB", "category": "-l h_rt=3,h_vmem=100M"},
         ("failed", Reason.TIMEOUT, None)),
        ({"exit_status": "98"}, ("failed", None, None)),
        ({"failed": "75  : whatever", "exit_status": "4"}, ("failed", None, 4)),
    ],
)  # fmt: skip
def test_causes(fields: dict[str, str], end: tuple[object, ...]) -> None:
    seen = SGE.read_history([Asked(OLD_IDS["ok"], "")], changed(**fields)).entries[0].seen
    assert (seen.outcome, seen.reason, seen.exit_code) == end


def test_the_record_of_a_job_forgotten_by_force_tells_nothing() -> None:
    reply = changed(ru_minflt="0", cpu="0.000s", ru_wallclock="0s")
    assert SGE.read_history([Asked(OLD_IDS["ok"], "")], reply).entries == ()


# -- orders


def test_refusals_are_told_job_by_job_in_grid_engines_words() -> None:
    jids = ["33", "37", "20", "27.8"]
    said = {
        "qdel-not-mine": {"33": 'alice - you do not have the necessary privileges to delete the job "33"'},
        "qhold-not-mine": {"33": 'denied: "alice" must be at least owner of job 33 to change job attributes'},
        "qmod-rerun-running": {"20": "The job 20 is running in queue none where jobs are not rerunable."},
    }
    for name, words in said.items():
        assert SGE.read_refusals(jids, recorded("sge", name)) == words
    waiting = "Modify operation can not be applied on job-array task 37.1 in pending/hold state"
    assert SGE.read_refusals(jids, Reply(1, waiting + "\n", "")) == {"37": waiting}
    down = SGE.read_refusals(jids, recorded("sge", "no-qmaster"))
    assert set(down) == set(jids) and "Connection refused" in down["33"]


@pytest.mark.parametrize("name", ["qdel", "qdel-unknown", "qdel-ended", "qdel-task", "qdel-twice", "qhold-unknown"])
def test_what_is_done_or_has_ended_is_not_refused(name: str) -> None:
    jids = ["22", "999999", "13", "27.8", "21", "36", "19", "20"]
    assert SGE.read_refusals(jids, recorded("sge", name)) == {}


def test_orders_never_go_out_without_an_id() -> None:
    orders = [*SGE.cancel(["1", "2.3"], force=False), *SGE.order("hold", ["1"]), *SGE.order("resume", ["4"])]
    assert [" ".join(order.command.argv) for order in orders] == ["qdel 1 2.3", "qhold 1", "qmod -usj 4"]
    forced = SGE.cancel([str(number) for number in range(250)], force=True)
    assert [len(order.jids) for order in forced] == [100, 100, 50]
    assert forced[2].command.argv[-2:] == ("248", "249") and "qdel -f" in forced[2].command.argv[2]


# -- answers that are no answers


def marked(text: str) -> tuple[str, dict[int, str]]:
    """The listing as if all of its jobs were ours, and their ids."""
    jids: dict[int, str] = {}

    def name(found: re.Match[str]) -> str:
        job = len(jids) + 1
        jids[job] = found[1]
        return f"{found[0]}<full_job_name>x.{mark_of(job)}</full_job_name>"

    text = re.sub(r"<full_job_name>.*?</full_job_name>|<tasks>.*?</tasks>", "", text)
    return re.sub(r"<JB_job_number>(\d+)</JB_job_number>", name, text), jids


OURS, OUR_IDS = marked(STATUS)
HANDLES = [handle(job, jid) for job, jid in OUR_IDS.items()]
RECORDS = re.findall(r"<job_list.*?</job_list>", OURS, re.DOTALL)


def look(text: str) -> Snapshot:
    return sorted_out(HANDLES, SGE.read_status(Reply(0, text, "")))


TRUTH = look(OURS)
ACTIVE = {job for job, one in TRUTH.seen.items() if one.presence != "gone"}


def gone(snapshot: Snapshot) -> set[int]:
    return {job for job, one in snapshot.seen.items() if one.presence == "gone"}


def test_the_undamaged_answer_is_the_truth() -> None:
    assert TRUTH.complete and len(TRUTH.seen) == len(HANDLES) and len(ACTIVE) > 10 and gone(TRUTH)


@given(st.integers(0, OURS.rindex("</job_info>") + 10))
def test_a_torn_answer_is_never_whole_and_ends_no_job(at: int) -> None:
    snapshot = look(OURS[:at])
    assert not snapshot.complete and not gone(snapshot) & ACTIVE


@given(st.permutations(RECORDS))
def test_the_order_of_records_does_not_matter(records: list[str]) -> None:
    start, end = OURS.index("<job_list"), OURS.rindex("</job_list>") + len("</job_list>")
    text = OURS[:start] + "\n".join(records) + "</queue_info><job_info>" + OURS[end:]
    assert look(text).seen == TRUTH.seen


@given(st.integers(0, len(OURS)), st.text(max_size=60))
def test_noise_in_an_answer_does_not_end_a_job(at: int, noise: str) -> None:
    assert not gone(look(OURS[:at] + noise + OURS[at:])) & ACTIVE


@given(st.integers(0, len(OURS)), st.integers(1, 400))
def test_a_hole_in_an_answer_does_not_end_a_job(at: int, length: int) -> None:
    assert not gone(look(OURS[:at] + OURS[at + length :])) & ACTIVE


EVERYBODY = [Asked(jid, "") for jid in [*IDS.values(), *(f"{IDS['arr']}.{task}" for task in range(1, 7))]]
RECORDED_ENDS = {entry.jid: entry for entry in SGE.read_history(EVERYBODY, Reply(0, HISTORY, "")).entries}


@given(st.integers(0, len(HISTORY) - 1))
def test_a_torn_accounting_invents_no_end(at: int) -> None:
    listing = SGE.read_history(EVERYBODY, Reply(0, HISTORY[:at], ""))
    assert all(RECORDED_ENDS[entry.jid] == entry for entry in listing.entries)
    assert not listing.complete or at > HISTORY.index("OWNER ")


@given(st.integers(-128, 255), st.text(), st.text())
def test_no_answer_whatever_makes_the_dialect_fail(code: int, out: str, err: str) -> None:
    reply = Reply(code, out, err)
    assert not SGE.read_status(reply).entries
    assert not SGE.read_history([Asked("1", "")], reply).entries
    assert isinstance(SGE.read_probe(reply), str)
    SGE.read_submit(reply)
    assert set(SGE.read_refusals(["1", "2"], reply)) <= {"1", "2"}


@given(st.text(alphabet="dEhqwrRtsSTNPzQ! \n", max_size=8))
def test_no_state_but_one_is_an_end(letters: str) -> None:
    assert (state_of(letters).presence == "gone") == (letters == "z")


def test_a_job_is_over_only_among_those_that_are() -> None:
    swapped = STATUS.replace("<state>r</state>", "<state>z</state>")
    listing = SGE.read_status(Reply(0, swapped, ""))
    assert not listing.complete and IDS["run"] not in {entry.jid for entry in listing.entries}


def test_the_starter_holds_whatever_the_environment_holds() -> None:
    env = {"A": "x\ny 'z' $HOME `id` \udcff", "BASH_FUNC_f%%": "() { :; }", "TMPDIR": "/t", "SGE_ROOT": "/r"}
    text = SGE.submit(msgspec.structs.replace(request(1), env=env), site()).stdin
    line = text.decode("utf-8", "surrogateescape").partition("exec env ")[2].partition("JOBTUI_JID=")[0]
    assert shlex.split(line) == [f"A={env['A']}", "BASH_FUNC_f%%=() { :; }"]


# -- arrays


def array(*jobs: int) -> list[Request]:
    return [msgspec.structs.replace(request(job), task=Task(mark_of(7), job - 7)) for job in jobs]


def test_many_attempts_go_as_one_array_and_each_task_finds_its_own(tmp_path: Path) -> None:
    command = SGE.submit_array(array(7, 8, 10), site())
    given = options(command.argv)
    assert (given["-t"], given["-N"], given["-o"]) == ("1-4", f"true.{mark_of(7)}", "/dev/null")
    for task, expected in ((1, "/w/7"), (2, "/w/8"), (3, None), (4, "/w/10")):
        script = command.stdin.decode().partition("# The second line")[0] + 'echo "$jt_d $jt_n $jt_id"'
        env = {"SGE_TASK_ID": str(task), "JOB_ID": "4"}
        done = subprocess.run(["/bin/sh"], input=script, env=env, capture_output=True, text=True, check=True)
        assert done.stdout == ("" if expected is None else f"{expected} 1 4.{task}\n")
    assert SGE.task_id("4", 3) == "4.4"
    assert SGE.read_submit(recorded("sge", "qsub-array-terse")) == Took("4")
    assert site().array_limit == 1000


def test_tasks_are_found_by_their_marks() -> None:
    records = STATUS.split("</job_list>")
    ours = [one.replace("job_name>arr<", f"job_name>arr.{mark_of(7)}<") if f">{IDS['arr']}<" in one else one
            for one in records]  # fmt: skip
    text = "</job_list>".join(ours)
    found = entries(text)
    handles = [msgspec.structs.replace(handle(job, None), task=Task(mark_of(7), job - 7)) for job in (7, 8, 12)]
    snapshot = sorted_out(handles, Listing(tuple(found.values()), True))
    assert snapshot.jids == {7: f"{IDS['arr']}.1", 8: f"{IDS['arr']}.2", 12: f"{IDS['arr']}.6"}
    assert [snapshot.seen[job].presence for job in (7, 8, 12)] == ["running", "running", "pending"]


@pytest.mark.parametrize("second", ["# for job 1, attempt 2. It", "", None])
def test_a_starter_that_comes_too_late_starts_nothing(tmp_path: Path, second: str | None) -> None:
    script = tmp_path / "job.wrapped.x"
    if second is not None:
        script.write_text(f"#!/bin/sh\n{second}\necho started\n")
    late = msgspec.structs.replace(request(1), script=str(script), metadir=str(tmp_path))
    done = subprocess.run(["/bin/sh"], input=SGE.submit(late, site()).stdin, capture_output=True, env={"JOB_ID": "1"})
    assert (done.returncode, done.stdout) == (75, b"")


@pytest.mark.parametrize(("code", "shown"), [(0, 0), (3, 3), (99, 98), (100, 98)])
def test_a_starter_ends_as_its_job_but_never_tells_grid_engine_to_start_it_again(
    tmp_path: Path, code: int, shown: int
) -> None:
    script = tmp_path / "job.wrapped.x"
    script.write_text(f'#!/bin/sh\n# for job 1, attempt 1. It\necho "$JOBTUI_JID"; exit {code}\n')
    one = msgspec.structs.replace(request(1), script=str(script), metadir=str(tmp_path))
    for grace in ({}, {"extra": ("-notify",)}):
        asked = msgspec.structs.replace(one, spec=JobSpec(command=("true",), resources=Resources(**grace)))
        text = SGE.submit(asked, site()).stdin
        done = subprocess.run(["/bin/sh"], input=text, capture_output=True, env={"JOB_ID": "12"})
        assert (done.returncode, done.stdout) == (shown, b"12\n")
