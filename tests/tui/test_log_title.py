"""The line above a log: it fits, keeps what matters, and its figures are true and calm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from jobtui.core import JobRow, State
from jobtui.tui.log.caption import Facts, caption
from jobtui.tui.log.document import Page, Row
from jobtui.tui.log.growth import Growth
from jobtui.tui.log.title import Part, rate, title

ROW = JobRow(id=7, name="日本 train\x1b[2J", state=State.FAILED, detail="exit 137: killed", attempt=3)


def facts(**more: object) -> Facts:
    top = Row(500, 0, (("x", ()),), lines=4)  # type: ignore[arg-type]
    page = Page((top,), 0, False, False, 1000, 96)
    known = {
        "row": ROW,
        "stream": "stdout",
        "attempt": 3,
        "follow": False,
        "opened": True,
        "page": page,
        "top": top,
        "size": 1000,
        "lines": 200,
    }
    return Facts(**{**known, **more})  # type: ignore[arg-type]


parts = st.lists(
    st.builds(Part, st.text("ab 日\x1b", max_size=12), st.integers(0, 9), st.just(""), st.booleans()), max_size=8
)


@given(parts, st.integers(1, 60))
def test_a_title_fits_and_gives_up_what_matters_least(words: list[Part], columns: int) -> None:
    shown = title(words, columns)
    assert shown.cell_len == columns and shown.plain.isprintable()
    told = [part for part in words if part.words]
    if told and columns >= 60:
        best = max(told, key=lambda part: part.rank)
        alone = [part.rank for part in told].count(best.rank) == 1
        assert not alone or cell_len(best.words) > 25 or best.words.replace("\x1b", "\\x1b") in shown.plain


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            120,
            [
                "stdout",
                "job 7 日本 train\\x1b[2J",
                "attempt 3 of 3",
                "failed: exit 137: killed",
                "+12 lines",
                "line 100 of 200",
            ],
        ),
        (80, ["stdout", "failed: exit 137: killed", "+12 lines"]),
        (60, ["stdout", "failed", "+12 lines"]),
        (40, ["stdout", "+12 lines"]),
        (20, ["stdout", "+12 lines"]),
        (8, ["stdout"]),
    ],
)
def test_what_matters_most_stays(columns: int, words: list[str]) -> None:
    shown = title(list(caption(facts(badge="+12 lines", speed="12.4 k lines/s"))), columns).plain
    assert all(word in shown for word in words), shown


def test_a_position_is_a_percentage_until_lines_are_counted() -> None:
    page = Page(facts().page.rows, 0, False, False, 1000)
    assert "50 %" in title(list(caption(facts(page=page, lines=None))), 200).plain


def test_rates_have_few_digits() -> None:
    assert [rate(number) for number in (1234, 12_400, 999_900, 1_234_567, 2e9)] == [
        "1234 lines/s",
        "12.4 k lines/s",
        "1000 k lines/s",
        "1.2 M lines/s",
        "over 1,000 M lines/s",
    ]


def test_what_was_added_is_told_twice_a_second_and_in_the_end_exactly() -> None:
    growth, badges = Growth(), []
    growth.update(0.0, 100, 1000, follow=False)
    for step in range(1, 41):
        growth.update(step / 20, 100 + step * 7, 1000 + step * 70, follow=False)
        badges.append(growth.badge)
    assert len(set(badges)) <= 6 and badges[0] == "+7 lines"
    again = growth.update(2.01, 380, 3800, follow=False)
    assert again is not None and again <= 0.5
    growth.update(2.01 + again, 380, 3800, follow=False)
    assert growth.badge == "+280 lines"
    growth.update(3.5, 381, 3810, follow=True)
    assert growth.badge == ""


def test_speed_is_told_while_it_is_high_and_not_when_it_is_over() -> None:
    growth = Growth()
    for step in range(21):
        growth.update(step / 10, step * 5000, step * 500_000, follow=True)
    assert growth.speed == "50.0 k lines/s"
    now, again = 2.0, growth.update(2.0, 100_000, 10_000_000, follow=True)
    while again is not None:
        now += again
        assert now < 10
        again = growth.update(now, 100_000, 10_000_000, follow=True)
    assert growth.speed == ""


def test_bytes_are_told_where_lines_are_not_counted() -> None:
    growth = Growth()
    growth.update(0.0, None, 1000, follow=False)
    growth.update(1.0, None, 1000 + 3 * 2**20, follow=False)
    assert (growth.badge, growth.speed) == ("+3.0 MiB", "3.0 MiB/s")
