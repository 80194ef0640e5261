"""Units: durations, sizes and times as people write them, read back and refused."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobtui.core.units import duration, parse_duration, parse_size, parse_time, size

quick = settings(max_examples=150, deadline=None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("1.5h", 5400),
        ("15m", 900),
        ("15min", 900),
        ("2h", 7200),
        ("2d", 172800),
        ("1w", 604800),
        ("1h30m", 5400),
        ("1h 30m 5s", 5405),
        (" 2H ", 7200),
        ("10:30", 630),
        ("01:30:00", 5400),
        ("100:00:00", 360000),
        ("0", 0),
    ],
)
def test_durations_that_people_write(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", " ", "h", "-5s", "5y", "1h-", "1h,5m", "five", "1:2:3:4", "1:", ":", "1:x", "5s!", "1e3", "inf", "nan"]
)
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write it like 90s"):
        parse_duration(text)


def test_two_bare_numbers_are_no_duration() -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration("5 5")


def test_a_superscript_is_refused_in_the_same_words() -> None:
    with pytest.raises(ValueError, match="is not a duration; write it like 90s"):
        parse_duration("1:²")


@quick
@given(st.integers(0, 10**7))
def test_a_shown_duration_reads_back_to_within_its_smaller_unit(seconds: int) -> None:
    smaller = 1 if seconds < 3600 else 60 if seconds < 86400 else 3600
    assert 0 <= seconds - parse_duration(duration(seconds)) < smaller


@quick
@given(st.floats(0, 10**7))
def test_a_shown_duration_is_short_and_readable(seconds: float) -> None:
    shown = duration(seconds)
    assert 2 <= len(shown) <= 7
    assert abs(parse_duration(shown) - seconds) <= max(0.051, seconds * 0.05)


def test_no_duration_shows_as_nothing() -> None:
    assert duration(None) == ""


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("1048576", 2**20),
        ("1k", 1024),
        ("512M", 512 * 2**20),
        ("4G", 4 * 2**30),
        ("4GB", 4 * 2**30),
        ("4GiB", 4 * 2**30),
        ("1.5g", 3 * 2**29),
        ("2t", 2**41),
        (" 4 G ", 4 * 2**30),
        ("100b", 100),
    ],
)
def test_sizes_that_people_write(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "G", "-1G", "4X", "4GG", "1,5G", "4 G B", "1e9", "inf", "4iG"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size; write it like 512M or 4G"):
        parse_size(text)


@quick
@given(st.integers(0, 2**50))
def test_a_shown_size_reads_back_to_within_its_rounding(count: int) -> None:
    assert abs(parse_size(size(count)) - count) <= count * 0.05


def test_no_size_shows_as_nothing() -> None:
    assert size(None) == ""


# -- times


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A time zone with summer time."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("text", "then"),
    [
        ("18:30", "2026-12-01T18:30:00"),
        ("18:30:15", "2026-12-01T18:30:15"),
        ("9:05", "2026-12-02T09:05:00"),
        ("12:00", "2026-12-02T12:00:00"),
        ("12:00:01", "2026-12-01T12:00:01"),
        ("+2h", "2026-12-01T14:00:00"),
        ("now+90s", "2026-12-01T12:01:30"),
        ("+1:30:00", "2026-12-01T13:30:00"),
        ("2026-12-24", "2026-12-24T00:00:00"),
        ("2026-12-24T08:00", "2026-12-24T08:00:00"),
        ("2026-12-24 08:00", "2026-12-24T08:00:00"),
        ("2026-12-24T08:00:00+00:00", "2026-12-24T09:00:00"),
        ("2026-12-24T08:00Z", "2026-12-24T09:00:00"),
        ("2026-07-01T08:00", "2026-07-01T08:00:00"),
        ("2020-01-01", "2020-01-01T00:00:00"),
    ],
)
def test_times_that_people_write(berlin: None, text: str, then: str) -> None:
    assert parse_time(text, _at("2026-12-01T12:00:00")) == _at(then)


@pytest.mark.parametrize(
    ("now", "then"), [("2026-10-24T20:00", "2026-10-25T18:30"), ("2026-03-28T20:00", "2026-03-29T18:30")]
)
def test_a_time_of_day_means_what_the_clock_will_show_when_summer_time_changes(
    berlin: None, now: str, then: str
) -> None:
    assert parse_time("18:30", _at(now)) == _at(then)


@quick
@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 86400 * 300))
def test_a_time_of_day_is_the_next_one_to_come(hour: int, minute: int, ahead: int) -> None:
    now = 1_767_225_600.0 + ahead
    then = parse_time(f"{hour}:{minute:02d}", now)
    assert 0 < then - now <= timedelta(days=1, hours=1).total_seconds()


@quick
@given(st.floats(0, 4e9), st.integers(0, 10**6))
def test_a_time_from_now_is_that_far_away(now: float, seconds: int) -> None:
    assert math.isclose(parse_time(f"+{seconds}s", now), now + seconds)


@pytest.mark.parametrize(
    "text", ["", "soon", "25:00", "18:60", "18:3", "2026-13-01", "2026-02-30", "+", "+soon", "-2h", "now", "0001-01-01"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a (time|duration); write it like"):
        parse_time(text, 1_780_000_000.0)
