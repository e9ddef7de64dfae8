"""Instants, intervals and the moment that a read names."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.errors import QueryError
from ingot.model.time import (
    FOREVER,
    NEW_YORK,
    AsOf,
    FixedClock,
    Interval,
    SystemClock,
    as_of,
    from_ns,
    new_york,
    new_york_date,
    to_ns,
)

NOW = datetime(2025, 7, 1, 12, 0, tzinfo=UTC)
CLOCK = FixedClock(NOW)


class NoOffset(tzinfo):
    """A zone that knows no offset: Python calls such a datetime naive."""

    def utcoffset(self, _: datetime | None) -> None:
        return None

    def tzname(self, _: datetime | None) -> str:
        return "none"

    def dst(self, _: datetime | None) -> None:
        return None


def test_no_moment_means_now_and_says_so() -> None:
    assert as_of(None, CLOCK) == AsOf(NOW, is_now=True)


@pytest.mark.parametrize(
    ("known_at", "expected"),
    [
        # New York is UTC-4 in summer and UTC-5 in winter
        (date(2025, 6, 10), datetime(2025, 6, 10, 4, tzinfo=UTC)),
        ("2025-06-10", datetime(2025, 6, 10, 4, tzinfo=UTC)),
        ("2025-01-10", datetime(2025, 1, 10, 5, tzinfo=UTC)),
        # clocks went forward at 02:00 of 2025-03-09: midnight was still standard time
        ("2025-03-09", datetime(2025, 3, 9, 5, tzinfo=UTC)),
        ("2025-03-10", datetime(2025, 3, 10, 4, tzinfo=UTC)),
        ("2025-06-10T15:00Z", datetime(2025, 6, 10, 15, tzinfo=UTC)),
        ("2025-06-10T11:00:00.000001-04:00", datetime(2025, 6, 10, 15, 0, 0, 1, tzinfo=UTC)),
        ("2025-06-10 15:00+00:00", datetime(2025, 6, 10, 15, tzinfo=UTC)),
        (
            datetime(2025, 6, 10, 17, tzinfo=timezone(timedelta(hours=2))),
            datetime(2025, 6, 10, 15, tzinfo=UTC),
        ),
    ],
)
def test_a_moment_is_an_instant_or_midnight_in_new_york(known_at: Any, expected: datetime) -> None:
    moment = as_of(known_at, CLOCK)
    assert moment == AsOf(expected, is_now=False)
    assert moment.known_at.tzinfo is UTC


@pytest.mark.parametrize(
    "naive",
    [
        datetime(2025, 6, 10, 15),  # noqa: DTZ001 (naive on purpose)
        datetime(2025, 6, 10, 15, tzinfo=NoOffset()),
        "2025-06-10T15:00",
        "2025-06-10 15:00:00",
    ],
)
def test_a_naive_datetime_is_refused(naive: Any) -> None:
    with pytest.raises(QueryError, match=r"2025-06-10T15:00:00 has no UTC offset. Write for exam"):
        as_of(naive, CLOCK)


@pytest.mark.parametrize("text", ["", "now", "2025-6-1", "2025-06-31", "10.06.2025", "2025-06"])
def test_a_text_that_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match=f"known_at was '{text}': write an ISO date"):
        as_of(text, CLOCK)


@pytest.mark.parametrize("value", [20250610, 1.5, b"2025-06-10", ["2025-06-10"]])
def test_a_value_of_another_type_is_refused(value: Any) -> None:
    with pytest.raises(QueryError, match=r"known_at was .*: write an ISO date"):
        as_of(value, CLOCK)


@pytest.mark.parametrize("text", ["0001-01-01T00:00+05:00", "9999-12-31T23:59-05:00"])
def test_a_moment_that_utc_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match="is out of range: in UTC its year is not in 1 to 9999"):
        as_of(text, CLOCK)


@pytest.mark.parametrize("future", ["2025-07-01T12:00:00.000001Z", "2025-07-02", FOREVER])
def test_the_future_is_refused(future: Any) -> None:
    with pytest.raises(QueryError, match=r"is in the future \(now is 2025-07-01T12:00:00\+00:00"):
        as_of(future, CLOCK)


def test_this_very_instant_is_not_the_future_but_a_named_moment() -> None:
    assert as_of(NOW, CLOCK) == AsOf(NOW, is_now=False)


def test_nanoseconds_are_those_of_the_epoch() -> None:
    # date -u -d '2025-06-02T13:30Z' +%s gives 1748871000
    assert to_ns(datetime(2025, 6, 2, 13, 30, tzinfo=UTC)) == 1_748_871_000 * 10**9
    assert to_ns(datetime(2025, 6, 2, 9, 30, tzinfo=timezone(timedelta(hours=-4)))) == (
        1_748_871_000 * 10**9
    )
    assert to_ns(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1_000


def test_an_instant_is_cut_to_the_microsecond() -> None:
    assert from_ns(1_748_871_000_000_000_999) == datetime(2025, 6, 2, 13, 30, tzinfo=UTC)
    assert from_ns(-1) == datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def test_a_naive_datetime_has_no_nanoseconds() -> None:
    with pytest.raises(TypeError, match="offset-naive and offset-aware"):
        to_ns(datetime(2025, 6, 2))  # noqa: DTZ001 (naive on purpose)


@given(st.datetimes(timezones=st.timezones()).filter(lambda d: 1 < d.year < 9999))
def test_nanoseconds_give_the_instant_back(instant: datetime) -> None:
    # in UTC, for Python calls a repeated local hour unequal to every other zone's
    assert from_ns(to_ns(instant)) == instant.astimezone(UTC)
    assert from_ns(to_ns(instant)).tzinfo is UTC


@pytest.mark.parametrize(
    ("day", "hour", "expected"),
    [
        (date(2025, 1, 2), 9, "2025-01-02T14:00:00+00:00"),
        (date(2025, 7, 2), 9, "2025-07-02T13:00:00+00:00"),
        (date(2025, 11, 2), 0, "2025-11-02T04:00:00+00:00"),  # still daylight saving at midnight
        (date(2025, 11, 2), 9, "2025-11-02T14:00:00+00:00"),
    ],
)
def test_new_york_clocks_give_an_instant(day: date, hour: int, expected: str) -> None:
    assert new_york(day, hour).isoformat() == expected


@given(st.integers(0, 4_102_444_800_000_000_000))
def test_the_date_in_new_york_is_that_of_its_clocks(ns: int) -> None:
    instant = datetime.fromtimestamp(ns // 1_000_000_000, ZoneInfo("America/New_York"))
    assert new_york_date(ns) == instant.date()


@pytest.mark.parametrize("hour", range(24))
def test_the_date_in_new_york_is_right_where_clocks_change(hour: int) -> None:
    for day in (date(2025, 3, 9), date(2025, 11, 2), date(1974, 1, 6)):
        instant = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
        assert new_york_date(to_ns(instant)) == instant.astimezone(NEW_YORK).date()


def test_an_interval_holds_its_start_and_not_its_end() -> None:
    interval = Interval(10, 20)
    assert [ns in interval for ns in (9, 10, 19, 20)] == [False, True, True, False]


def test_a_fixed_clock_stands_still_and_is_stated() -> None:
    assert CLOCK.now() == CLOCK.now() == NOW
    assert CLOCK.stated
    assert not FixedClock(NOW, stated=False).stated


def test_the_system_clock_is_in_utc_and_not_stated() -> None:
    before = datetime.now(UTC)
    now = SystemClock().now()
    assert before <= now <= datetime.now(UTC)
    assert now.tzinfo is UTC
    assert not SystemClock().stated
