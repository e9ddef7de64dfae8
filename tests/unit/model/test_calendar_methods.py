"""A calendar made of rows written by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from ingot.model.calendar import Calendar, Session


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp()) * 1_000_000_000


def session(day: int, name: str, start: str, end: str) -> Session:
    return Session("XNYS", date(2025, 6, day), name, ns(start), ns(end))


def regular(day: int) -> Session:
    start, end = f"2025-06-{day:02}T09:30-04:00", f"2025-06-{day:02}T16:00-04:00"
    return session(day, "regular", start, end)


TUESDAY = (
    session(3, "overnight", "2025-06-02T20:00-04:00", "2025-06-03T04:00-04:00"),
    session(3, "pre", "2025-06-03T04:00-04:00", "2025-06-03T09:30-04:00"),
    regular(3),
    session(3, "post", "2025-06-03T16:00-04:00", "2025-06-03T20:00-04:00"),
)
CALENDAR = Calendar.of(
    "XNYS", (regular(6), *reversed(TUESDAY), regular(4), regular(2), regular(9)), "00ff"
)


def june(*days: int) -> tuple[date, ...]:
    return tuple(date(2025, 6, day) for day in days)


def test_sessions_are_sorted_by_start() -> None:
    starts = [s.start_ns for s in CALENDAR.sessions]
    assert starts == sorted(starts)
    assert len(starts) == 8


def test_trade_dates_are_those_with_a_regular_session() -> None:
    only_night = Calendar.of("XNYS", TUESDAY[:1], "00ff")
    assert CALENDAR.trade_dates == june(2, 3, 4, 6, 9)
    assert only_night.trade_dates == ()
    assert not only_night.is_trade_date(date(2025, 6, 3))


@pytest.mark.parametrize(
    ("day", "expected"), [(1, False), (2, True), (5, False), (9, True), (10, False)]
)
def test_a_trade_date_is_told_from_a_closed_day(day: int, *, expected: bool) -> None:
    assert CALENDAR.is_trade_date(date(2025, 6, day)) is expected


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(2, 6, (2, 3, 4)), (2, 7, (2, 3, 4, 6)), (5, 6, ()), (6, 2, ()), (1, 30, (2, 3, 4, 6, 9))],
)
def test_dates_between_hold_the_start_and_not_the_end(
    start: int, end: int, expected: tuple[int, ...]
) -> None:
    assert CALENDAR.between(date(2025, 6, start), date(2025, 6, end)) == june(*expected)


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [(6, 2, (3, 4)), (5, 2, (3, 4)), (6, 20, (2, 3, 4)), (2, 5, ()), (9, 0, ()), (30, 1, (9,))],
)
def test_dates_before_leave_the_day_out(day: int, count: int, expected: tuple[int, ...]) -> None:
    assert CALENDAR.before(date(2025, 6, day), count) == june(*expected)


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [(6, 2, (4, 6)), (5, 2, (3, 4)), (6, 20, (2, 3, 4, 6)), (1, 5, ()), (9, 0, ()), (2, 1, (2,))],
)
def test_dates_through_end_with_the_day(day: int, count: int, expected: tuple[int, ...]) -> None:
    assert CALENDAR.through(date(2025, 6, day), count) == june(*expected)


def test_the_sessions_of_a_date_come_by_start() -> None:
    assert CALENDAR.of_date(date(2025, 6, 3)) == TUESDAY
    assert CALENDAR.of_date(date(2025, 6, 5)) == ()


def test_a_night_lies_in_the_file_of_the_day_before_too() -> None:
    assert CALENDAR.file_dates(date(2025, 6, 3)) == june(2, 3)


def test_a_day_without_night_lies_in_one_file() -> None:
    assert CALENDAR.file_dates(date(2025, 6, 4)) == june(4)


def test_a_closed_day_has_its_own_file_only() -> None:
    assert CALENDAR.file_dates(date(2025, 6, 5)) == june(5)


def test_a_session_that_ends_at_midnight_new_york_needs_no_next_file() -> None:
    late = Calendar.of(
        "X", (session(4, "regular", "2025-06-04T20:00-04:00", "2025-06-05T00:00-04:00"),), "00ff"
    )
    assert late.file_dates(date(2025, 6, 4)) == june(4)


def test_a_utc_day_lies_in_the_files_of_two_new_york_dates() -> None:
    utc_day = session(4, "regular", "2025-06-04T00:00+00:00", "2025-06-05T00:00+00:00")
    assert Calendar.of("24/7", (utc_day,), "00ff").file_dates(date(2025, 6, 4)) == june(3, 4)


def test_calendars_of_equal_rows_are_equal_however_they_were_asked_before() -> None:
    other = Calendar.of("XNYS", CALENDAR.sessions, "00ff")
    assert other.trade_dates
    assert other == CALENDAR
    assert hash(other) == hash(CALENDAR)
