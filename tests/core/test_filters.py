"""Filters and selections: every operator and group, quotes, ranges, and the words for what cannot be read."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobtui.core.filters import (
    FilterError,
    id_ranges,
    is_filter,
    parse_filter,
    parse_ids,
    parse_selection,
    read_filter,
    read_typed,
)
from jobtui.core.job import ENDED, JobRow, State

quick = settings(max_examples=200, deadline=None)

ROWS = [
    JobRow(id=1, name="align", state=State.FINISHED, command="./align.sh s1", cwd="/data", exit_code=0, elapsed=30.0),
    JobRow(
        id=2,
        name="Align two",
        state=State.FAILED,
        reason="timeout",
        detail="stopped at its time limit",
        command="./align.sh s2",
        exit_code=143,
        signal=15,
        elapsed=7200.0,
        attempt=3,
        tags=("night", "big"),
        memory=8 * 2**30,
        host="node7",
        jid="4711",
        priority=5,
        cpus=4,
        gpus=1,
    ),
    JobRow(
        id=3,
        name="train",
        state=State.RUNNING,
        command="python train.py",
        tags=("big",),
        array=3,
        array_index=9,
        progress=0.5,
    ),
    JobRow(id=4, name="report", state=State.HELD, command="echo 'x:y'", backend="slurm", workdir="/proj/a"),
    JobRow(id=5, name='say "hi" it\'s', state=State.CANCELLED, reason="person", command="echo", cwd="/a b"),
    JobRow(id=6, name="", state=State.UNKNOWN, reason="damaged"),
    JobRow(id=7, name="its next", state=State.QUEUED, command="true"),
]


def found(text: str) -> list[int]:
    test = parse_filter(text)
    return [row.id for row in ROWS if test(row)]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", [1, 2, 3, 4, 5, 6, 7]),
        # a plain word stands in the name or the command, in either case
        ("align", [1, 2]),
        ("ALIGN", [1, 2]),
        ("train.py", [3]),
        ("!align", [3, 4, 5, 6, 7]),
        # text: whole, one of several, a regular expression
        ("name:align", [1]),
        ("name=align", [1]),
        ("name:align,train", [1, 3]),
        ("name~align", [1, 2]),
        ("name~^t.*n$", [3]),
        ("name!=align", [2, 3, 4, 5, 6, 7]),
        ("!name~align", [3, 4, 5, 6, 7]),
        ("-name~align", [3, 4, 5, 6, 7]),
        ("!name!=align", [1]),
        ("command~s2", [2]),
        ("cwd:/data", [1]),
        ("reason:timeout", [2]),
        ("reason:timeout,person", [2, 5]),
        ("detail~limit", [2]),
        ("backend:slurm", [4]),
        ("host:node7", [2]),
        ("jid:4711", [2]),
        # tags: a whole one, or a part
        ("tag:big", [2, 3]),
        ("tag:night,nope", [2]),
        ("tag~nigh", [2]),
        ("!tag:night", [1, 3, 4, 5, 6, 7]),
        # states and groups
        ("state:failed", [2]),
        ("state:failed,held", [2, 4]),
        ("state:active", [3, 4, 7]),
        ("state:ended", [1, 2, 5, 6]),
        ("state:bad", [2, 5, 6]),
        ("state:waiting", [4, 7]),
        ("state:bad,running", [2, 3, 5, 6]),
        ("state!=ended", [3, 4, 7]),
        ("!state:active", [1, 2, 5, 6]),
        # numbers
        ("exit:0", [1]),
        ("exit:0,143", [1, 2]),
        ("exit>0", [2]),
        ("exit>=0", [1, 2]),
        ("exit<143", [1]),
        ("exit<=143", [1, 2]),
        ("signal:15", [2]),
        ("attempt>1", [2]),
        ("priority:5", [2]),
        ("cpus>=4", [2]),
        ("gpus:1", [2]),
        ("array:3", [3]),
        ("index:9", [3]),
        ("elapsed>1h", [2]),
        ("elapsed<1m", [1]),
        ("elapsed:30s", [1]),
        ("memory>4G", [2]),
        # ids
        ("id:3", [3]),
        ("id:2-4,7", [2, 3, 4, 7]),
        ("!id:2-6", [1, 7]),
        # all terms must hold; quotes keep blanks
        ("state:ended name~align", [1, 2]),
        ("align !state:failed", [1]),
        ("state:ended\tname~align\n", [1, 2]),
        ('name:"Align two"', [2]),
        ("name:'Align two'", [2]),
        ('"Align two"', [2]),
        ('cwd:"/a b"', [5]),
        ("name~'\"hi\"'", [5]),
        ('name~"it\'s"', [5]),
        ("command~x:y", [4]),
        ("progress>=50%", [3]),
        ("progress<51", [3]),
        ("workdir~proj", [4]),
    ],
)
def test_a_filter_finds(text: str, ids: list[int]) -> None:
    assert found(text) == ids


@pytest.mark.parametrize(("text", "ids"), [("id>5", [6, 7]), ("id<=2", [1, 2]), ("id>=2", [2, 3, 4, 5, 6, 7])])
def test_ids_can_be_compared(text: str, ids: list[int]) -> None:
    assert found(text) == ids


@pytest.mark.parametrize("text", ["state>failed", "exit~14", "elapsed~1h", "state<running", "id~3"])
def test_an_operator_that_means_nothing_for_a_key_is_refused(text: str) -> None:
    with pytest.raises(FilterError):
        parse_filter(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("state:nope", "there is no state 'nope'; there are created, queued"),
        ("state:failed,", "there is no state ''"),
        ("colour:red", "'colour' cannot be filtered by; there are state, is, id"),
        ("name>a", "'name' is text: use name:word or name~part"),
        ("name~(", "not a regular expression"),
        ("exit:abc", "exit: "),
        ("elapsed>soon", "'soon' is not a duration"),
        ("memory>lots", "'lots' is not a size"),
        ("id:x", "'x' is not a job id; write 12, 3-9 or 3,5,8"),
        ("id:9-3", "'9-3' is not a range of job ids"),
        ("!state:nope", "there is no state 'nope'"),
        ("state:fin", "there is no state 'fin'; there are finished"),
        ("state:", "'state:' lacks a value; write it like state:failed"),
        ("tag:", "'tag:' lacks a value; write it like tag:night"),
        ("elapsed>", "'elapsed>' lacks a value; write it like elapsed>1h"),
        ("cpus:", "write it like cpus:1"),
        ("name:''", "write it like name:word or name~part"),
        ("!", "'!' stands before what must not be there"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(FilterError) as refused:
        parse_filter(text)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_number_that_is_none_is_refused_in_a_persons_words() -> None:
    with pytest.raises(FilterError) as refused:
        parse_filter("exit:abc")
    assert "float" not in str(refused.value)


@pytest.mark.parametrize("text", ['name~"Align two', "name~it's", "name~'"])
def test_a_quote_that_is_never_closed_is_refused_or_stands_for_itself(text: str) -> None:
    try:
        ids = found(text)
    except FilterError:
        return
    assert ids == ([5] if "'" in text else [])


@quick
@given(st.text(max_size=30))
def test_any_text_is_a_filter_or_refused_in_words(text: str) -> None:
    try:
        test = parse_filter(text)
    except FilterError as error:
        assert str(error)
        return
    for row in ROWS:
        assert test(row) in (True, False)


@pytest.mark.parametrize(
    ("text", "ids", "hint"),
    [
        ("", [1, 2, 3, 4, 5, 6, 7], ""),
        ("align", [1, 2], ""),
        ("align state:", [1, 2], "'state:' lacks a value"),
        ("align state:fai", [1, 2], "there are failed"),
        ("state:ended elapsed>", [1, 2, 5, 6], "write it like elapsed>1h"),
        ("align name~(", [1, 2], "not a regular expression"),
        ('name~"Align t', [2], "the quote is not closed yet"),
        ("name~it's", [7], "the quote is not closed yet"),
        ("state:ended '", [1, 2, 5, 6], "the quote is not closed yet"),
        ("!", [1, 2, 3, 4, 5, 6, 7], "'!' stands before"),
    ],
)
def test_what_is_only_half_typed_is_a_hint_and_the_rest_holds(text: str, ids: list[int], hint: str) -> None:
    filter, said = read_typed(text)
    assert [row.id for row in ROWS if filter.test(row)] == ids
    assert said.startswith(hint) if not hint else hint in said


@quick
@given(st.text(max_size=30))
def test_typing_never_fails_and_hints_exactly_at_what_cannot_be_read(text: str) -> None:
    filter, hint = read_typed(text)
    try:
        strict = read_filter(text)
    except FilterError:
        assert hint
    else:
        assert not hint
        assert [strict.test(row) for row in ROWS] == [filter.test(row) for row in ROWS]


parts = st.sampled_from(
    ["a", "al", "ali", "!a", "!al", "!ali", "e", "ech", "state:ended", "state:failed", "name~al", "exit>0", "id:2-5"]
)
filters = st.lists(parts, max_size=4).map(" ".join)


@quick
@given(filters, filters)
def test_a_filter_that_narrows_another_passes_nothing_that_the_other_stopped(one: str, other: str) -> None:
    if read_filter(one).narrows(read_filter(other)):
        assert set(found(one)) <= set(found(other))


def test_typing_on_narrows() -> None:
    for shorter, longer in [("", "a"), ("al", "ali"), ("al", "al state:ended"), ("!ali", "!al"), ("x y", "y xz")]:
        assert read_filter(longer).narrows(read_filter(shorter))
        assert shorter == "" or not read_filter(shorter).narrows(read_filter(longer))


def test_a_range_of_ids_costs_nothing_however_long_it_is() -> None:
    assert found("id:2-9999999") == [2, 3, 4, 5, 6, 7]


states = st.sets(st.sampled_from([*State, "active", "ended", "bad", "waiting"]), min_size=1)


@quick
@given(states)
def test_every_job_is_in_a_choice_of_states_or_in_its_negation_never_in_both(chosen: set[str]) -> None:
    term = "state:" + ",".join(sorted(chosen))
    here, there = set(found(term)), set(found("!" + term))
    assert here | there == {row.id for row in ROWS} and not here & there


def test_each_state_is_active_or_ended() -> None:
    rows = [JobRow(id=1, name="", state=state) for state in State]
    active, ended = parse_filter("state:active"), parse_filter("state:ended")
    assert [active(row) for row in rows] == [row.state not in ENDED for row in rows]
    assert [ended(row) for row in rows] == [row.state in ENDED for row in rows]


# -- ids


@pytest.mark.parametrize(
    ("text", "ids"),
    [("12", [12]), ("3-6", [3, 4, 5, 6]), ("3-3", [3]), ("3,5,8", [3, 5, 8]), ("1-2, 9", [1, 2, 9]), ("0", [0])],
)
def test_ids_and_ranges(text: str, ids: list[int]) -> None:
    assert parse_ids(text) == ids


@pytest.mark.parametrize("text", ["", "x", "-3", "3-", "3--4", "9-3", "1,", ",", "1 2", "1.5", "1-99999999999", "²"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(FilterError, match=r"not a (job id|range of job ids)"):
        parse_ids(text)


@quick
@given(st.sets(st.integers(0, 300)))
def test_ids_written_short_read_back_the_same(ids: set[int]) -> None:
    if not ids:
        assert id_ranges(ids) == ""
        return
    text = id_ranges(ids)
    assert parse_ids(text) == sorted(ids)
    assert len(text.split(",")) == sum(1 for job in ids if job - 1 not in ids), "runs are joined"


# -- selections


def test_ids_add_up_and_terms_narrow_them() -> None:
    selection = parse_selection(["2-4", "state:failed", "7,2"])
    assert selection.ids == (2, 3, 4, 7)
    assert found(selection.filter) == [2]


def test_terms_alone_select_among_all_jobs() -> None:
    selection = parse_selection(["state:ended", "!tag:night"])
    assert selection.ids is None
    assert found(selection.filter) == [1, 5, 6]


def test_no_words_select_no_job() -> None:
    selection = parse_selection([])
    assert selection.ids == () or selection.ids is None


@pytest.mark.parametrize("word", ["align", "1x", "train", "--3", "x:y", "", "1-", "state", "!3"])
def test_a_plain_word_selects_nothing_but_is_refused(word: str) -> None:
    with pytest.raises(FilterError):
        parse_selection(["1", word])


@pytest.mark.parametrize("word", ["state:nope", "name~(", "elapsed>soon"])
def test_a_wrong_term_in_a_selection_is_refused_at_once(word: str) -> None:
    with pytest.raises(FilterError):
        parse_selection([word])


@pytest.mark.parametrize("word", ["name:Align two", "cwd:/a b", "name~n t"])
def test_blanks_in_a_term_from_a_command_line_belong_to_its_value(word: str) -> None:
    assert is_filter(word)
    assert found(parse_selection([word]).filter) == found(shlex.quote(word))
    assert found(parse_selection([word]).filter)


def test_quotes_in_a_term_from_a_command_line_belong_to_its_value() -> None:
    assert found(parse_selection(["name~it's"]).filter) == [5]
