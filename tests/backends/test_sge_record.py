"""What Grid Engine tells of one job: a real record, the usual names of output files, and anything without a crash."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jobtui.backends.dialect import Reply
from jobtui.backends.sge import Sge
from jobtui.backends.sge_record import shown
from jobtui.core.backend import Shown

RECORD = (Path(__file__).parent / "captures" / "sge" / "qstat-j.out").read_text()


def test_a_real_record() -> None:
    path = "/home/alice/cap/script_a.b-c-20.out"
    told = shown("20", RECORD)
    assert told is not None
    assert (told.stdout, told.stderr, told.host, told.cwd) == (path, path, "", "/home/alice/cap")
    assert (told.name, told.command) == ("script_a.b-c", "script.sh")
    assert shown("2", RECORD) is None


def test_where_nothing_was_said_the_files_have_their_usual_names() -> None:
    text = "job_number:   7\nowner:  ann\nsge_o_home:  /home/ann\njob_name:  it\n"
    assert shown("7", text) == Shown("/home/ann/it.o7", "/home/ann/it.e7", name="it", cwd="/home/ann")
    told = shown("7.3", text + "cwd:   /work\nstderr_path_list:  NONE:n5:logs/$JOB_NAME.$TASK_ID\n")
    assert told is not None and (told.stdout, told.stderr) == ("/work/it.o7.3", "/work/logs/it.3")
    told = shown("7", text + "stdout_path_list:  NONE:NONE:/x/$HOSTNAME.out\n")
    assert told is not None and told.stdout == ""


def test_a_job_that_is_not_known_is_told_in_its_own_words() -> None:
    told = Sge().read_show("9", Reply(1, "", "Following jobs do not exist:\n9\n"))
    assert isinstance(told, str) and "do not exist" in told
    assert isinstance(Sge().script("9"), str)


@given(st.one_of(st.text(), st.integers(0, len(RECORD)).map(lambda end: RECORD[:end])))
def test_no_answer_makes_it_stumble(text: str) -> None:
    assert isinstance(Sge().read_show("20", Reply(0, text, "")), Shown | str)
