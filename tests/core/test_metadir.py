"""One job's folder: garbage and torn files, whole writes or none, and attempts that are moved away without loss."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jobtui.core.conditions import AfterJob, AfterTime, AnyOf
from jobtui.core.job import (
    Accepted,
    ArrayTask,
    Asked,
    Begin,
    End,
    EngineEnd,
    Intent,
    JobRow,
    JobSpec,
    Process,
    Reason,
    Resources,
    Retry,
    State,
    Submitting,
)
from jobtui.core.metadir import (
    attempts,
    change_intent,
    claim_void,
    encode,
    open_attempt,
    read_facts,
    record_answer,
    write_atomic,
    write_fact,
    write_new,
    write_status,
)
from jobtui.core.verdict import judge, summarize
from jobtui.core.workdir import Hint, WorkDir

TAG = "jttag"
SPEC = JobSpec(command=("work",), tag=TAG)
INTENT = Intent(cancel=Asked(3, 1.0, "me"), hold=False)
SENT = Submitting(1, TAG, 1.0, (0, 1))
TAKEN = Accepted(1, "77", "local", 1.0)
BEGUN = Begin(1, TAG, "here", "boot", Process(1, 2), Process(3, 4), 5.0)
ENDED = End(attempt=1, tag=TAG, exit_code=0, uptime=6.0)
LOST = EngineEnd(1, State.FAILED, Reason.LOST, "gone", 1.0)
FACTS = {
    "job.json": encode(SPEC),
    "job.intent": encode(INTENT),
    "job.submitting": encode(SENT),
    "job.jid": encode(SENT) + encode(TAKEN),
    "job.begin": encode(BEGUN),
    "job.rc": encode(ENDED),
    "job.end": encode(LOST),
}
NAMES = [*FACTS, "job.progress", "job.status"]
# job.submitting becomes job.jid, so that a folder holds one of them at most.
FULL = [name for name in FACTS if name != "job.submitting"]
some = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "1"
    path.mkdir()
    return path


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(FACTS[name])


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def look(folder: Path) -> JobRow:
    """What a client makes of the folder, as it goes over the wire."""
    facts = read_facts(str(folder))
    row = summarize(1, str(folder.parent), facts, judge(facts))
    assert msgspec.json.decode(msgspec.json.encode(row), type=JobRow) == row
    return row


# -- whatever is in the files


def test_complete_facts_read_back_as_they_were_written(folder: Path) -> None:
    put(folder, *FULL)
    facts = read_facts(str(folder))
    assert (facts.spec, facts.intent, facts.submitting, facts.accepted, facts.engine_end) == (
        SPEC,
        INTENT,
        SENT,
        TAKEN,
        LOST,
    )
    assert facts.begin is not None and facts.end is not None
    assert (facts.begin.payload, facts.end.exit_code, facts.claimed) == (Process(3, 4), 0, True)
    assert facts.damaged == () and not facts.moving and facts.attempt == 1
    assert abs(facts.end.at - (folder / "job.rc").stat().st_mtime) < 1e-6


def test_an_answer_turns_what_was_sent_into_what_was_taken(folder: Path) -> None:
    put(folder, "job.json", "job.submitting")
    facts = read_facts(str(folder))
    assert (facts.submitting, facts.accepted) == (SENT, None)
    assert look(folder).state is State.SUBMITTED
    record_answer(str(folder), TAKEN)
    facts = read_facts(str(folder))
    assert (facts.submitting, facts.accepted) == (SENT, TAKEN)
    assert names(folder) == {"job.json", "job.jid"}
    assert look(folder).jid == "77"


def test_an_answer_is_recorded_also_where_an_earlier_one_was_cut_short(folder: Path) -> None:
    put(folder, "job.json")
    (folder / "job.jid").write_bytes(FACTS["job.jid"][:-9])
    assert read_facts(str(folder)).submitting == SENT
    record_answer(str(folder), TAKEN)
    facts = read_facts(str(folder))
    assert (facts.submitting, facts.accepted) == (SENT, TAKEN)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
keys = [
    *("attempt", "tag", "exit_code", "uptime", "at", "state", "reason", "detail", "jid", "backend", "host", "boot"),
    *("wrapper", "payload", "cancel", "retry", "hold", "percent", "command", "shell", "env", "after", "version"),
]
garbage = st.one_of(
    st.binary(max_size=80),
    st.binary(max_size=80).map(lambda data: data + b"\n"),
    st.dictionaries(st.sampled_from(keys), values, max_size=6).map(
        lambda d: repr(d).replace("'", '"').encode() + b"\n"
    ),
    values.map(lambda value: msgspec.json.encode(value) + b"\n"),
    st.sampled_from([b"", b"\n", b"\n\n\n", b"[" * 20_000 + b"\n", b"\0" * 4096, b"{}\n", b"null\n", b"0\n", b'""\n']),
)


@some
@given(st.dictionaries(st.sampled_from(NAMES), garbage, min_size=1))
@example({"job.rc": b'{"attempt":1,"tag":"jttag","exit_code":1e999,"uptime":1}\n'})
@example({"job.rc": b'{"attempt":1,"tag":"jttag","exit_code":' + b"9" * 5000 + b',"uptime":1}\n'})
@example({"job.begin": b'{"attempt":1}\n{"attempt":1,"tag":"jttag","exit_code":0,"uptime":1}\n'})
def test_no_garbage_in_fact_files_raises_or_counts_as_a_finish(folder: Path, files: dict[str, bytes]) -> None:
    empty(folder)
    put(folder, "job.json", "job.submitting", "job.jid", "job.begin")
    for name, data in files.items():
        (folder / name).write_bytes(data)
    assert look(folder).state is not State.FINISHED


@pytest.mark.parametrize("name", FACTS)
def test_no_fact_that_was_cut_short_is_believed(folder: Path, name: str) -> None:
    whole = FACTS[name]
    for length in range(len(whole)):
        empty(folder)
        put(folder, "job.json", "job.begin")
        (folder / name).write_bytes(whole[:length])
        row, facts = look(folder), read_facts(str(folder))
        assert row.state is not State.FINISHED
        assert (row.jid, facts.accepted, facts.end, facts.engine_end) == (None, None, None, None)
        if length and name not in ("job.begin", "job.jid"):
            assert name in facts.damaged


@pytest.mark.parametrize("name", FULL)
def test_a_damaged_file_is_named_and_the_others_are_still_believed(folder: Path, name: str) -> None:
    put(folder, *FULL)
    (folder / name).write_bytes(b"\x00garbage\n")
    facts = read_facts(str(folder))
    assert facts.damaged == (name,)
    without = {"job.json": State.UNKNOWN, "job.rc": State.FAILED}  # then job.end speaks
    assert look(folder).state is without.get(name, State.FINISHED)


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_in_the_place_of_a_fact_file_is_no_fact(folder: Path, name: str) -> None:
    put(folder, "job.json")
    (folder / name).unlink(missing_ok=True)
    (folder / name).mkdir()
    assert look(folder).state is not State.FINISHED


ODD_WORDS = {
    "job.jid": encode(SENT) + encode(Accepted(1, "\ud800", "local", 1.0)),
    "job.begin": encode(Begin(1, TAG, "h\udcff", "boot", Process(1, 2), Process(3, 4), 5.0)),
    "job.intent": encode(Intent(cancel=Asked(1, 1.0, "me", reason="\ud800", detail="\ud800"))),
    "job.end": encode(EngineEnd(1, State.FAILED, "\ud800", "\ud800", 1.0)),
}


@pytest.mark.parametrize("name", ODD_WORDS)
def test_odd_text_in_one_fact_does_not_break_the_row(folder: Path, name: str) -> None:
    put(folder, "job.json")
    (folder / name).write_bytes(ODD_WORDS[name])
    look(folder)


def _make_retry(folder: Path, *names: str) -> None:
    (folder / "job.retry").mkdir()
    for name in names:
        (folder / "job.retry" / name).mkdir()


@pytest.mark.parametrize("names", [("notes",), ("1", "lost+found"), ("1.bak",)])
def test_what_else_lies_among_the_earlier_attempts_is_left_alone(folder: Path, names: tuple[str, ...]) -> None:
    put(folder, "job.json")
    _make_retry(folder, *names)
    facts = read_facts(str(folder))
    assert (facts.attempt, facts.moving) == (2 if "1" in names else 1, False)
    assert attempts(str(folder)) == ([1] if "1" in names else [])


@pytest.mark.parametrize("names", [("x.moving",), (".moving",), ("²",)])
def test_an_odd_name_among_the_earlier_attempts_does_not_raise(folder: Path, names: tuple[str, ...]) -> None:
    put(folder, "job.json")
    _make_retry(folder, *names)
    assert read_facts(str(folder)).attempt == 1


def test_a_file_in_the_place_of_the_earlier_attempts_does_not_raise(folder: Path) -> None:
    put(folder, "job.json")
    (folder / "job.retry").write_bytes(b"garbage")
    assert read_facts(str(folder)).attempt == 1


@pytest.mark.parametrize(
    ("data", "progress"),
    [
        (b"42", 0.42),
        (b"42.5\n", 0.425),
        (b'{"percent": 50}', 0.5),
        (b'{"percent": 50, "note": "half"}', 0.5),
        (b"250", 1.0),
        (b"-3", 0.0),
        (b"", None),
        (b"nan", None),
        (b"1e999", None),
        (b"half", None),
        (b"[50]", None),
        (b"\xff", None),
    ],
)
def test_progress_is_a_share_or_unknown(folder: Path, data: bytes, progress: float | None) -> None:
    put(folder, "job.json")
    (folder / "job.progress").write_bytes(data)
    assert look(folder).progress == progress


def test_an_end_written_over_the_room_kept_in_job_begin_counts(folder: Path) -> None:
    put(folder, "job.json")
    begin = encode(BEGUN).strip()
    end = encode(End(attempt=1, tag=TAG, exit_code=9, uptime=6.5))
    (folder / "job.begin").write_bytes(begin + b"\n" + end + b" " * 300 + b"\n")
    row = look(folder)
    assert (row.state, row.exit_code, row.elapsed) == (State.FAILED, 9, 1.5)


def test_a_claim_that_is_still_empty_is_a_job_about_to_run(folder: Path) -> None:
    put(folder, "job.json", "job.submitting")
    assert claim_void(str(folder))
    facts = read_facts(str(folder))
    assert facts.claimed and facts.begin is None and facts.damaged == ()
    assert not claim_void(str(folder)), "only one can claim an attempt"


def test_a_folder_that_is_not_there_is_told_apart_from_an_empty_one(folder: Path) -> None:
    assert read_facts(str(folder)).spec is None
    with pytest.raises(FileNotFoundError):
        read_facts(str(folder / "nope"))


# -- arguments and text

odd_arguments = st.lists(
    st.binary(max_size=30).map(lambda data: os.fsdecode(data.replace(b"\0", b""))), min_size=1
).map(tuple)


@some
@given(odd_arguments, st.text(st.characters(exclude_categories=()), max_size=10))
def test_arguments_of_any_bytes_survive_in_job_json(folder: Path, command: tuple[str, ...], name: str) -> None:
    spec = JobSpec(command=command, name=name, env={"X": "".join(command)}, tag=TAG, after=AfterJob(3, "any"))
    write_fact(str(folder), "job.json", spec)
    assert read_facts(str(folder)).spec == spec
    assert [os.fsencode(word) for word in read_facts(str(folder)).spec.command] == [os.fsencode(w) for w in command]  # type: ignore[union-attr]


def test_every_field_of_a_spec_survives_also_beside_odd_bytes(folder: Path) -> None:
    spec = JobSpec(
        shell="a | b",
        name="n",
        cwd="/x",
        env={"K": "v"},
        secret=("K",),
        env_ref="e",
        stdin="/in",
        timeout=1.5,
        grace=0.0,
        priority=-3,
        tags=("t", "u"),
        resources=Resources(cpus=2, memory=5, gpus=1),
        retry=Retry(limit=3, delay=1.0, backoff="exponential", cap=9.0, on=("exit:75", "lost")),
        after=AnyOf((AfterJob(1, "fail"), AfterTime(5.0))),
        hold=True,
        backend="slurm",
        array=ArrayTask(4, 7),
        resubmitted_from=2,
        umask=0o027,
        created=12.25,
        tag=TAG,
    )
    for some_spec in (spec, msgspec.structs.replace(spec, shell="a \udcff")):
        write_fact(str(folder), "job.json", some_spec)
        assert read_facts(str(folder)).spec == some_spec


def test_a_megabyte_of_arguments_survives(folder: Path) -> None:
    spec = JobSpec(command=("echo", *(f"{n:0100d}" for n in range(10_000))), tag=TAG)
    write_fact(str(folder), "job.json", spec)
    assert read_facts(str(folder)).spec == spec


# -- whole files or none


@contextlib.contextmanager
def little_room() -> Iterator[None]:
    """The kernel lets this process write files of 1,000 bytes at most, pytest's own output included: for calls only."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


@pytest.mark.parametrize("size", [1_001, 5_000])
def test_a_write_without_room_leaves_the_old_content_and_no_rest(folder: Path, size: int) -> None:
    path = folder / "job.intent"
    write_atomic(str(path), b"old\n")
    with little_room(), pytest.raises(OSError):
        write_atomic(str(path), b"x" * size)
    assert path.read_bytes() == b"old\n"
    assert names(folder) == {"job.intent"}


def test_a_new_file_without_room_is_not_left_behind(folder: Path) -> None:
    with little_room(), pytest.raises(OSError):
        write_new(str(folder / "job.submitting"), b"x" * 1_001)
    assert names(folder) == set()


@pytest.mark.parametrize("call", ["open", "rename"])
def test_a_write_that_the_system_refuses_leaves_the_old_content_and_no_rest(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = folder / "job.intent"
    write_atomic(str(path), b"old\n")

    def refuse(*_args: Any, **_more: Any) -> Any:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch, pytest.raises(OSError):
        patch.setattr(os, call, refuse)
        write_atomic(str(path), b"new\n")
    assert path.read_bytes() == b"old\n"
    assert names(folder) == {"job.intent"}
    write_atomic(str(path), b"new\n")
    assert path.read_bytes() == b"new\n"


def test_a_reader_sees_the_old_or_the_new_never_a_part(folder: Path) -> None:
    path = folder / "job.intent"
    contents = [b"a" * 50_000, b"b" * 70_000]
    write_atomic(str(path), contents[0])
    over, seen = threading.Event(), set[bytes]()

    def read() -> None:
        while not over.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(300):
        write_atomic(str(path), contents[number % 2])
    over.set()
    reader.join()
    assert seen <= set(contents)


def test_facts_are_for_their_owners_eyes(folder: Path) -> None:
    before = os.umask(0)
    try:
        write_fact(str(folder), "job.json", SPEC)
        write_new(str(folder / "job.submitting"), FACTS["job.submitting"])
        write_status(str(folder), "running")
    finally:
        os.umask(before)
    for name in ("job.json", "job.submitting", "job.status"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_the_status_is_one_word(folder: Path) -> None:
    for word in ("submitted", "running", "cancelling", "held"):
        write_status(str(folder), word)
        assert (folder / "job.status").read_text().split() == [word]


def test_wishes_of_several_clients_at_once_are_all_kept(folder: Path) -> None:
    put(folder, "job.json")
    changes: list[Callable[[Intent], Intent]] = [
        lambda intent: msgspec.structs.replace(intent, hold=True),
        lambda intent: msgspec.structs.replace(intent, cancel=Asked(1, 2.0, "a")),
        lambda intent: msgspec.structs.replace(intent, retry=Asked(1, 3.0, "b")),
    ]
    for _ in range(30):
        (folder / "job.intent").unlink(missing_ok=True)
        start = threading.Barrier(len(changes))

        def wish(change: Callable[[Intent], Intent], start: threading.Barrier = start) -> None:
            start.wait()
            change_intent(str(folder), change)

        clients = [threading.Thread(target=wish, args=(change,)) for change in changes]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        intent = read_facts(str(folder)).intent
        assert intent.hold and intent.cancel and intent.retry


def test_a_wish_replaces_a_damaged_one(folder: Path) -> None:
    put(folder, "job.json")
    (folder / "job.intent").write_bytes(b"{torn")
    change_intent(str(folder), lambda intent: msgspec.structs.replace(intent, hold=True))
    facts = read_facts(str(folder))
    assert facts.intent == Intent(hold=True) and facts.damaged == ()


# -- moving an attempt away

OF_ATTEMPT = {
    **{name: FACTS[name] for name in FACTS if name not in ("job.json", "job.intent")},
    "job.stdout": b"out of attempt 1\n",
    "job.stderr": b"err of attempt 1\n",
    "job.sched": b"",
    "job.progress": b"100",
    "job.status": b"failed\n",
    "job.wrapped.local": b"#!/bin/sh\n",
}


def filled(folder: Path) -> None:
    put(folder, "job.json", "job.intent")
    for name, data in OF_ATTEMPT.items():
        (folder / name).write_bytes(data)


def test_the_files_of_an_ended_attempt_are_kept_and_the_next_one_starts_clean(folder: Path) -> None:
    filled(folder)
    open_attempt(str(folder), 1)
    assert names(folder) == {"job.json", "job.intent", "job.retry"}
    assert {path.name: path.read_bytes() for path in (folder / "job.retry" / "1").iterdir()} == OF_ATTEMPT
    facts = read_facts(str(folder))
    assert (facts.attempt, facts.moving, facts.claimed, facts.end) == (2, False, False, None)
    assert look(folder).state is State.QUEUED
    (folder / "job.stdout").write_bytes(b"out of attempt 2\n")
    open_attempt(str(folder), 2)
    assert attempts(str(folder)) == [1, 2]
    assert (folder / "job.retry" / "2" / "job.stdout").read_bytes() == b"out of attempt 2\n"
    assert read_facts(str(folder)).attempt == 3


def test_a_tenth_attempt_comes_after_the_ninth(folder: Path) -> None:
    put(folder, "job.json")
    for number in range(1, 11):
        open_attempt(str(folder), number)
    assert attempts(str(folder)) == list(range(1, 11))
    assert read_facts(str(folder)).attempt == 11


def _interrupted_after(count: int, rename: Callable[[str, str], None]) -> Callable[[str, str], None]:
    done = 0

    def call(source: str, target: str) -> None:
        nonlocal done
        if done == count:
            raise InterruptedError("killed here")
        rename(source, target)
        done += 1

    return call


@pytest.mark.parametrize("count", range(len(OF_ATTEMPT) + 1))
def test_a_move_that_was_interrupted_anywhere_loses_no_file_and_can_be_ended(
    folder: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    filled(folder)
    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr(os, "rename", _interrupted_after(count, os.rename))
        open_attempt(str(folder), 1)
    halfway = read_facts(str(folder))
    assert (halfway.attempt, halfway.moving) == (2, True)
    assert judge(halfway).state is State.QUEUED, "no file of the old attempt speaks for the new one"
    open_attempt(str(folder), 1)
    assert {path.name: path.read_bytes() for path in (folder / "job.retry" / "1").iterdir()} == OF_ATTEMPT
    assert names(folder) == {"job.json", "job.intent", "job.retry"}
    assert not read_facts(str(folder)).moving


def test_opening_an_attempt_twice_does_not_touch_the_next_ones_files(folder: Path) -> None:
    filled(folder)
    open_attempt(str(folder), 1)
    (folder / "job.stdout").write_bytes(b"out of attempt 2\n")
    open_attempt(str(folder), 1)
    assert (folder / "job.stdout").read_bytes() == b"out of attempt 2\n"
    assert (folder / "job.retry" / "1" / "job.stdout").read_bytes() == b"out of attempt 1\n"


# -- folders of a work directory


def test_new_jobs_get_ids_in_order_that_are_never_given_again(tmp_path: Path) -> None:
    workdir = WorkDir(tmp_path / "w")
    workdir.create()
    assert workdir.add([SPEC, SPEC]) == [1, 2]
    workdir.remove(2)
    assert sorted(workdir.ids()) == [1]
    assert workdir.add([SPEC]) == [3]
    workdir.remove(1)
    workdir.remove(3)
    assert workdir.add([SPEC]) == [4]
    assert not [name for name in os.listdir(workdir.path) if name.startswith(".removed")]


def test_two_clients_that_submit_at_once_never_share_an_id(tmp_path: Path) -> None:
    workdir = WorkDir(tmp_path / "w")
    workdir.create()
    found: list[list[int]] = []
    start = threading.Barrier(4)

    def submit() -> None:
        start.wait()
        found.append(workdir.add([SPEC] * 25))

    clients = [threading.Thread(target=submit) for _ in range(4)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert sorted(job for ids in found for job in ids) == list(range(1, 101))
    assert all(read_facts(workdir.metadir(job)).spec == SPEC for job in range(1, 101))


def test_submitting_many_jobs_without_room_makes_none_of_them(tmp_path: Path) -> None:
    workdir = WorkDir(tmp_path / "w")
    workdir.create()
    big = JobSpec(command=("x" * 2_000,), tag=TAG)
    with little_room(), pytest.raises(OSError):
        workdir.add([SPEC, SPEC, big])
    assert workdir.ids() == []


def test_a_job_folder_and_all_above_it_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        workdir = WorkDir(tmp_path / "a" / "w")
        workdir.create()
        (job,) = workdir.add([SPEC])
        reference = workdir.keep_environment({"TOKEN": "x"})
    finally:
        os.umask(before)
    for path in (workdir.path, workdir.metadir(job), workdir.file("inbox"), workdir.file("env")):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o700, path
    for path in (f"{workdir.metadir(job)}/job.json", workdir.file(f"env/{reference}.json")):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600, path


def test_environments_are_kept_once_byte_for_byte_and_without_what_belongs_to_a_terminal(tmp_path: Path) -> None:
    workdir = WorkDir(tmp_path / "w")
    workdir.create()
    mine = {"A": "1", "ODD": os.fsdecode(b"\xff\n'\""), "EMPTY": ""}
    noise = {"PWD": "/x", "SHLVL": "3", "TMUX": "t", "_": "/bin/x", "JOBTUI_TAG": "jtother"}
    reference = workdir.keep_environment({**mine, **noise})
    assert workdir.environment(reference) == mine
    assert workdir.keep_environment({**mine, "SHLVL": "9"}) == reference
    assert workdir.keep_environment({**mine, "A": "2"}) != reference
    assert len(os.listdir(workdir.file("env"))) == 2


def test_a_folder_among_the_hints_is_no_hint_and_hides_none(tmp_path: Path) -> None:
    workdir = WorkDir(tmp_path / "w")
    workdir.create()
    os.mkdir(workdir.file("inbox/strange"))
    workdir.tell(Hint(jobs=(3, 4)))
    assert [hint.jobs for _, hint in workdir.hints() if hint.jobs] == [(3, 4)]


@some
@given(garbage)
def test_garbage_among_the_hints_is_no_hint_and_hides_none(tmp_path: Path, data: bytes) -> None:
    workdir = WorkDir(tmp_path / "w")
    workdir.create()
    for path in Path(workdir.file("inbox")).iterdir():
        path.unlink()
    Path(workdir.file("inbox/garbage")).write_bytes(data)
    workdir.tell(Hint(jobs=(3, 4)))
    found = dict(workdir.hints())
    assert len(found) == 2 and Hint(jobs=(3, 4)) in found.values()


_RACE = """
import enum, sys, threading
import msgspec
from jobtui.core.metadir import decode

sys.setswitchinterval(1e-6)
for number in range(300):
    colours = [enum.IntEnum("Colour", {f"c{i}": i}) for i in range(20)]
    kind = msgspec.defstruct("Fact", [(f"field{i}", colours[i] | None, None) for i in range(20)])
    line = msgspec.json.encode(kind(*range(20)))
    start = threading.Barrier(4)
    def read():
        start.wait()
        assert decode(line, kind).field19 == 19
    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("read")
"""


def test_many_threads_may_read_the_first_fact_of_its_kind() -> None:
    done = subprocess.run([sys.executable, "-c", _RACE], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "read\n", "")
