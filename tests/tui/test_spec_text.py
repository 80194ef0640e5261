"""A job's spec as text for an editor: what is written is read back the same, and mistakes are told with their line."""

from __future__ import annotations

import string
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobtui.core import AfterJob, AfterTime, AllOf, AnyOf, ArrayTask, JobSpec, Resources, Retry
from jobtui.tui.detail.after_text import parse_after, spanned, write_after
from jobtui.tui.detail.spec_diff import diff_lines
from jobtui.tui.detail.spec_text import SpecTextError, parse_spec, write_spec

NOW = 1_800_000_000.0

# Any text that a file system or a command can hold: newlines, control characters and bytes that are no text included.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=[]), max_size=12) | st.sampled_from(
    ["caf\udce9", "a\nb\n", "'''", '"""', "\\", "\r\n", "\ud800", "#", "tab\there", "''", 'say "hi"', "\x1b[31m", "'"]
)
names = st.text(string.ascii_letters + "_", min_size=1, max_size=6)
seconds = st.one_of(st.integers(0, 10**7).map(float), st.floats(0, 1e9, allow_subnormal=False))
endings = st.lists(st.sampled_from(["exit-code", "timeout", "exit:75", "lost"]), max_size=3, unique=True).map(tuple)
jobs = st.builds(AfterJob, st.integers(1, 10**6), st.sampled_from(["ok", "fail", "any"]))
times = st.builds(AfterTime, st.floats(1e9, 4e9) | st.integers(10**9, 4 * 10**9).map(float))


def groups(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    many = st.lists(parts, min_size=2, max_size=4).map(tuple)
    return st.builds(AllOf, many) | st.builds(AnyOf, many)


conditions = st.recursive(jobs | times, groups, max_leaves=6)
resources = st.builds(
    Resources, st.integers(1, 64), st.none() | st.integers(1, 2**50) | st.just(4 * 2**30), st.integers(0, 8)
)
retries = st.builds(
    Retry, st.none() | st.integers(0, 9), seconds, st.sampled_from(["constant", "exponential"]), seconds, endings
)


@st.composite
def specs(draw: st.DrawFn) -> JobSpec:
    env = draw(st.dictionaries(names, texts, max_size=4))
    secret = tuple(name for name in env if draw(st.booleans()))
    shell = draw(st.booleans())
    words = draw(st.lists(texts, max_size=4))
    return JobSpec(
        command=() if shell else (draw(texts.filter(bool)), *words),
        shell=draw(texts.filter(str.strip)) if shell else None,
        name=draw(st.none() | texts),
        cwd=draw(texts),
        env=env,
        secret=secret,
        stdin=draw(st.none() | texts),
        timeout=draw(st.none() | seconds.filter(bool)),
        grace=draw(seconds),
        priority=draw(st.integers(-99, 99)),
        tags=tuple(draw(st.lists(texts, max_size=3))),
        resources=draw(resources),
        retry=draw(retries),
        after=draw(st.none() | conditions),
        hold=draw(st.booleans()),
        backend=draw(st.sampled_from(["local", "slurm"]) | texts),
        array=draw(st.none() | st.just(ArrayTask(3, 7))),
        tag="jt123",
        created=5.0,
        umask=0o27,
        env_ref="abc",
    )


@settings(max_examples=80, deadline=None)
@given(specs())
def test_what_is_written_is_read_back_the_same(spec: JobSpec) -> None:
    data = write_spec(spec, ["Job 1 'x\n[env]'"], ["local", "a\nb"]).encode("utf-8")
    # Only what the text cannot say comes from the old spec: here everything else of it is different.
    old = JobSpec(
        command=("other",),
        name="other",
        timeout=1.0,
        resources=Resources(7, 7, 7),
        retry=Retry(7, 7.0),
        hold=True,
        env={name: spec.env[name] for name in spec.secret} | {"OTHER": "x"},
        secret=spec.secret,
        array=spec.array,
        tag=spec.tag,
        created=spec.created,
        umask=spec.umask,
        env_ref=spec.env_ref,
    )
    assert parse_spec(data.decode("utf-8"), old) == spec
    assert diff_lines(spec, spec) == []


@settings(max_examples=60, deadline=None)
@given(conditions)
def test_a_condition_is_written_and_read_back_the_same(condition: Any) -> None:
    assert parse_after(write_after(condition), NOW) == condition


def test_conditions_as_people_write_them() -> None:
    assert parse_after("12,13", NOW) == AllOf((AfterJob(12), AfterJob(13)))
    assert parse_after(" 3-4, 9 AND any:5 ", NOW) == AllOf((AfterJob(3), AfterJob(4), AfterJob(9), AfterJob(5, "any")))
    assert parse_after("1 and fail:2 or 3", NOW) == AnyOf((AllOf((AfterJob(1), AfterJob(2, "fail"))), AfterJob(3)))
    assert parse_after("1 and (2 or 3)", NOW) == AllOf((AfterJob(1), AnyOf((AfterJob(2), AfterJob(3)))))
    assert parse_after("at:+2h", NOW) == AfterTime(NOW + 7200)
    assert parse_after("", NOW) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("12 13", "what does '13' mean there?"),
        ("12 and", "a condition is missing at the end"),
        ("or 3", "a condition is missing before 'or'"),
        ("(1", "a ) is missing"),
        ("one", "'one' is no job id"),
        ("after:3", "there is no 'after:'"),
        ("at:soon", "'soon' is not a time"),
        ("at:@9e99", "beyond the calendar"),
        ("1-99999999999", "more than 10,000 jobs"),
        ("(" * 60 + "1" + ")" * 60, "too many parentheses"),
    ],
)
def test_conditions_that_mean_nothing_are_told_in_words(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_after(text, NOW)
    assert words in str(caught.value)


def test_ranges_are_counted_without_making_them() -> None:
    assert spanned("1-5,9") == 6
    assert spanned(f"0-{10**17}") == 10**17 + 1


def test_groups_that_always_hold_or_have_one_part_say_the_same_in_fewer_words() -> None:
    assert write_after(AllOf((AfterJob(1),))) == "1"
    assert write_after(AllOf(())) == write_after(AnyOf((AfterJob(1), AllOf(())))) == ""


OLD = JobSpec(command=("true",), env={"TOKEN": "hunter2", "A": "1"}, secret=("TOKEN",), after=AllOf((AfterJob(1),)))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('\ncommnd = ["a"]', 2, "there is no 'commnd'; did you mean 'command'?"),
        ('command = ["a"]\nxyzzy = 1', 2, "there is no 'xyzzy'; there are command, shell, name"),
        ('command = ["a"]\ncpus = 2', 2, "'cpus' belongs below [resources]"),
        ('command = ["a"]\n[retry]\n\nname = "x"', 4, "'name' belongs above the first [heading]"),
        ('command = ["a"]\n[resources]\ncpu = 2', 3, "did you mean 'cpus'?"),
        ('command = ["a"]\n[resources]\ncpus = "2"', 3, "cpus: it must be a whole number, 1 or more"),
        ("command = 'a'", 1, "command: it must be a list of texts"),
        ("command = []", 1, "command: the command is empty"),
        ('shell = " "', 1, "shell: the command is empty"),
        ('command = ["a"]\nname = 3', 2, "name: it must be a text in quotes"),
        ('command = ["a"]\ntimeout = "soon"', 2, "timeout: 'soon' is not a duration"),
        ('command = ["a"]\ntimeout = 0', 2, "timeout: a time limit must be longer"),
        ('command = ["a"]\ngrace = inf', 2, "grace: that is no time that can pass"),
        ('command = ["a"]\nhold = "yes"', 2, "hold: it must be true or false"),
        ('command = ["a"]\nafter = "12 und 13"', 2, "after: what does 'und' mean there?"),
        ('command = ["a"]\n[resources]\nmemory = "' + "9" * 400 + 'G"', 3, "memory: "),
        ('command = ["a"]\n[resources]\nmemory = 0', 3, "memory: that is no amount of memory"),
        ('command = ["a"]\n[retry]\nbackoff = "no"', 3, 'backoff: it must be "constant" or "exponential"'),
        ('command = ["a"]\n[retry]\non = ["bad luck"]', 3, "on: there is no ending 'bad luck'"),
        ('command = ["a"]\nsecret = ["X"]', 2, "'X' is to be secret, but has no value below [env]"),
        ('command = ["a"]\n[env]\nX = 1', 3, "X: it must be a text in quotes"),
        ('command = ["a"]\n[env]\n"a b" = "1"', None, "'a b' is not a name for an environment variable"),
        ('command = ["a"]\nenv = 3', 2, "[env] is a heading with lines below it"),
        ('command = ["a"]\nshell = "b"', 2, "a command or a shell line, one of the two"),
        ("", None, "a command or a shell line, one of the two"),
        ('command = ["a"]\nname = "x', 2, "this cannot be read as TOML"),
        ('command = [\n"a"\n\n', 4, "the text ends too early"),
        ('name = { json = "[1]" }', 1, "name: it must be a text in quotes"),
        ("shell = '''\nname = 1\n'''\nname = 1", 4, "name: it must be a text in quotes"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, line: int | None, words: str) -> None:
    with pytest.raises(SpecTextError) as caught:
        parse_spec(text, OLD)
    assert words in str(caught.value)
    assert caught.value.line == line
    assert line is None or str(caught.value).startswith(f"line {line}: ")


def test_what_is_left_out_is_at_its_default_and_a_commented_line_counts_when_its_sign_is_taken_away() -> None:
    text = write_spec(JobSpec(command=("a",)))
    assert parse_spec('command = ["a"]', OLD) == JobSpec(command=("a",))
    changed = parse_spec(text.replace('#timeout = "2h"', 'timeout = "2h"').replace("#cpus", "cpus"), JobSpec())
    assert changed == JobSpec(command=("a",), timeout=7200.0)
    for line in text.split("\n"):
        if line.startswith("#") and not line.startswith("# ") and "NAME" not in line and "secret" not in line:
            table = text[: text.index(line)].rpartition("\n[")[2].partition("]")[0] if "\n[" in text else ""
            heading = f"[{table}]\n" if table in ("resources", "retry") else ""
            command = "" if line.startswith(("#shell", "#command")) else 'command = ["a"]\n'
            parse_spec(f"{command}{heading}{line[1:]}", JobSpec())


def test_a_secret_is_never_written_and_kept_unless_it_gets_another_value() -> None:
    text = write_spec(OLD)
    assert "hunter2" not in text and "TOKEN is secret" in text
    assert parse_spec(text, OLD).env == OLD.env
    other = parse_spec(text.replace("\n[env]", '\n[env]\nTOKEN = "swordfish"'), OLD)
    assert other.env == {"TOKEN": "swordfish", "A": "1"} and other.secret == ("TOKEN",)
    gone = parse_spec(text.replace('secret = ["TOKEN"]', ""), OLD)
    assert gone.env == {"A": "1"} and gone.secret == ()
    shown = "\n".join(line.plain for new in (other, gone) for line in diff_lines(OLD, new))
    assert "TOKEN gets another secret value" in shown and "TOKEN=(secret)" in shown
    assert "hunter2" not in shown and "swordfish" not in shown


def test_a_text_that_leaves_something_unsaid_keeps_the_old_value() -> None:
    # One job in a group is written like the job alone.
    assert parse_spec(write_spec(OLD), OLD) == OLD


def plain(old: JobSpec, new: JobSpec) -> list[str]:
    return [line.plain.strip() for line in diff_lines(old, new)]


def test_a_diff_names_each_field_and_marks_the_words_of_the_command() -> None:
    old = JobSpec(command=("python", "train.py", "--lr", "0.1"), env={"A": "1", "B": "x"}, timeout=3600.0)
    new = msgspec.structs.replace(
        old, command=("python", "train.py", "--lr", "0.01"), env={"A": "2"}, timeout=None, resources=Resources(cpus=4)
    )
    assert plain(old, new) == [
        "command      - python train.py --lr 0.1",
        "+ python train.py --lr 0.01",
        'timeout      - "1h"',
        "+ not set",
        "cpus         - 1",
        "+ 4",
        "env          - A=1",
        "env          + A=2",
        "env          - B=x",
    ]
    lines = diff_lines(old, new)
    marked = [
        line.plain[span.start : span.end] for line in lines[:2] for span in line.spans if "reverse" in str(span.style)
    ]
    assert marked == ["0.1", "0.01"]


def test_a_diff_of_a_script_shows_the_lines_that_changed() -> None:
    old = JobSpec(shell="\n".join(f"step {n}" for n in range(20)))
    new = JobSpec(shell="\n".join(f"step {n}" for n in range(20)).replace("step 9", "leap 9"))
    assert plain(old, new) == ["shell          step 8", "- step 9", "+ leap 9", "step 10"]
    assert plain(JobSpec(command=("a", "b")), JobSpec(shell="a b")) == ["command      - a b", "shell        + a b"]


def test_a_diff_holds_no_control_characters() -> None:
    lines = diff_lines(JobSpec(shell="a"), JobSpec(shell="\x1b[2Jb\x07", name="\n\x1b]0;x\x07", env={"A": "\x9b"}))
    assert all(line.plain.isprintable() for line in lines)
