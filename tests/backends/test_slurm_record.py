"""What Slurm tells of one job: real records, paths with patterns, and anything else without a crash."""

from __future__ import annotations

from backend_kit import recorded
from hypothesis import given
from hypothesis import strategies as st

from jobtui.backends.dialect import Reply
from jobtui.backends.slurm import Slurm
from jobtui.backends.slurm_record import shown
from jobtui.core.backend import Shown
from jobtui.core.job import Resources

RECORD = recorded("slurm", "scontrol-show-job").out
PENDING = """JobId=12 ArrayJobId=11 ArrayTaskId=5-6 JobName=ar 2
   UserId=ann(1001) GroupId=ann(1001) MCS_label=N/A
   JobState=PENDING Reason=Resources Dependency=(null)
   RunTime=00:00:00 TimeLimit=2-01:00:00 TimeMin=N/A
   Partition=long AllocNode:Sid=login:1 NodeList=
   NumNodes=1-1 NumCPUs=8-8 NumTasks=1 CPUs/Task=8
   Command=/home/ann/my run.sh in.dat
   WorkDir=/home/ann
   StdErr=logs/%x-%A_%3a.err
   StdIn=/dev/null
   StdOut=/scratch/%N/o.txt
   TresPerNode=gres:gpu:a100:2
"""


def test_a_real_record() -> None:
    path = "/home/alice/cap/script 'with quotes' ünï-15.out"
    assert shown("15", RECORD) == Shown(
        stdout=path,
        stderr=path,
        name="script 'with quotes' ünï",
        command="/home/alice/cap/script.sh",
        cwd="/home/alice/cap",
        resources=Resources(cpus=2, memory=500 * 2**20, time=1800.0, queue="main", account="research"),
    )


def test_patterns_that_slurm_leaves_are_filled_in_and_a_node_that_is_not_known_yet_is_no_path() -> None:
    told = shown("11_5", PENDING)
    assert told is not None
    assert told.stderr == "/home/ann/logs/ar 2-11_005.err"
    assert told.stdout == ""
    assert told.command == "/home/ann/my run.sh in.dat"
    assert told.resources == Resources(cpus=8, gpus=2, time=2 * 86400 + 3600.0, queue="long")


def test_what_slurm_does_not_know_is_said_in_its_own_words() -> None:
    reply = recorded("slurm", "scontrol-show-job-unknown")
    assert Slurm().read_show("999", reply) == "Invalid job id specified"
    assert Slurm().read_script(Reply(1, "", "job script retrieval failed: Invalid job id specified")) == (
        "",
        "job script retrieval failed: Invalid job id specified",
    )
    assert Slurm().read_script(Reply(0, "#!/bin/sh\nhostname\n", "")) == ("#!/bin/sh\nhostname\n", "")


def test_one_job_is_asked_for_by_its_bare_id_at_its_cluster() -> None:
    assert Slurm().show("11_5;far").argv == ("scontrol", "-M", "far", "show", "job", "11_5")
    command = Slurm().script("11_5")
    assert not isinstance(command, str) and command.argv == ("scontrol", "write", "batch_script", "11", "-")


torn = st.integers(0, len(RECORD)).map(lambda end: RECORD[:end])


@given(st.one_of(st.text(), torn, st.permutations(RECORD.split()).map(" ".join)))
def test_no_answer_makes_it_stumble(text: str) -> None:
    told = Slurm().read_show("10", Reply(0, text, ""))
    assert isinstance(told, Shown | str)


@given(st.text())
def test_no_path_makes_it_stumble(path: str) -> None:
    told = shown("10_3", f"JobId=10 JobName=x\n   WorkDir=/w\n   StdOut={path}\n")
    assert told is not None and (not told.stdout or told.stdout.startswith("/"))
