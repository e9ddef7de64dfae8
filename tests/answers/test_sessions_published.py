"""Sessions against recorded and published calendars."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ingot.connectors.sessions import build_calendar

if TYPE_CHECKING:
    from pathlib import Path

    from ingot.model.calendar import Calendar, Session

MIDNIGHT = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def xnys() -> Calendar:
    return build_calendar("XNYS", date(1990, 1, 1), date(2027, 1, 1))


def utc(ns: int) -> str:
    return (MIDNIGHT + timedelta(microseconds=ns // 1000)).strftime("%Y-%m-%dT%H:%M:%SZ")


def session(calendar: Calendar, day: date, name: str) -> Session:
    [found] = [s for s in calendar.of_date(day) if s.session == name]
    return found


def recorded_sessions(path: Path) -> dict[str, tuple[str, str]]:
    with gzip.open(path, "rt", newline="") as lines:
        rows = csv.DictReader(lines)
        return {row[""][:10]: (row["open"], row["close"]) for row in rows}


def regular_sessions(calendar: Calendar) -> dict[str, tuple[str, str]]:
    return {
        s.trade_date.isoformat(): (utc(s.start_ns), utc(s.end_ns))
        for s in calendar.sessions
        if s.session == "regular"
    }


def test_regular_sessions_agree_with_the_recorded_calendar(recorded: Path, xnys: Calendar) -> None:
    expected = recorded_sessions(recorded / "golden/exchange-calendars/xnys.csv.gz")
    found = regular_sessions(xnys)
    assert min(expected) == "1990-01-02"
    assert {day: found.get(day) for day in expected} == expected
    assert {day for day in found if min(expected) <= day <= max(expected)} == set(expected)


def test_a_market_that_never_closes_agrees_with_the_recorded_calendar(recorded: Path) -> None:
    expected = recorded_sessions(recorded / "golden/exchange-calendars/24-7.csv.gz")
    assert len(expected) == 366
    assert regular_sessions(build_calendar("24/7", date(2016, 1, 1), date(2017, 1, 1))) == expected


def test_full_day_closures_agree_with_the_recorded_list(recorded: Path, xnys: Calendar) -> None:
    text = (recorded / "golden/nyse-holidays/nyse_all_full_day_holidays_since_1928.csv").read_text()
    listed = {datetime.strptime(line, "%m/%d/%Y").date() for line in text.split()}  # noqa: DTZ007 (a date)
    first, last = date(1990, 1, 1), max(listed)
    weekdays = {
        day
        for day in (first + timedelta(days=n) for n in range((last - first).days + 1))
        if day.isoweekday() <= 5
    }
    assert last.year >= 2020
    assert weekdays - set(xnys.trade_dates) == {day for day in listed if day >= first}


@pytest.mark.parametrize(
    "closed",
    [
        *(date(2001, 9, day) for day in (11, 12, 13, 14)),  # attacks of 2001-09-11
        date(2012, 10, 29),  # hurricane Sandy
        date(2012, 10, 30),
        date(2018, 12, 5),  # day of mourning, G. H. W. Bush
        date(2025, 1, 9),  # day of mourning, J. Carter
        date(2022, 6, 20),  # Juneteenth observed, first year
        date(2023, 6, 19),
        date(2024, 6, 19),
        date(2025, 6, 19),
        date(2026, 7, 3),  # Independence Day observed
    ],
)
def test_a_published_closure_is_no_trade_date(xnys: Calendar, closed: date) -> None:
    assert not xnys.is_trade_date(closed)
    assert xnys.of_date(closed) == ()


@pytest.mark.parametrize("day", [date(2001, 9, 10), date(2001, 9, 17), date(2012, 10, 31)])
def test_the_days_around_a_closure_are_trade_dates(xnys: Calendar, day: date) -> None:
    assert xnys.is_trade_date(day)


def test_juneteenth_was_a_trade_date_before_2022(xnys: Calendar) -> None:
    assert xnys.is_trade_date(date(2020, 6, 19))
    assert xnys.is_trade_date(date(2021, 6, 18))


@pytest.mark.parametrize(
    "day",
    [date(2024, 11, 29), date(2025, 7, 3), date(2025, 11, 28), date(2025, 12, 24)],
)
def test_an_early_close_ends_regular_at_13_and_post_at_17_new_york(
    xnys: Calendar, day: date
) -> None:
    offset = 4 if day.month == 7 else 5
    regular, post = session(xnys, day, "regular"), session(xnys, day, "post")
    assert utc(regular.end_ns) == f"{day}T{13 + offset:02}:00:00Z"
    assert utc(post.start_ns) == f"{day}T{13 + offset:02}:00:00Z"
    assert utc(post.end_ns) == f"{day}T{17 + offset:02}:00:00Z"


def test_the_closing_bar_starts_at_the_close_and_lies_in_post(xnys: Calendar) -> None:
    closing_bar = datetime(2025, 11, 28, 18, 0, tzinfo=UTC)  # 13:00 New York
    ns = int(closing_bar.timestamp()) * 1_000_000_000
    assert [s.session for s in xnys.sessions if s.start_ns <= ns < s.end_ns] == ["post"]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        # the Friday before and the Monday after clocks went forward on 2025-03-09
        (date(2025, 3, 7), ("09:00", "14:30", "21:00", "2025-03-08T01:00:00Z")),
        (date(2025, 3, 10), ("08:00", "13:30", "20:00", "2025-03-11T00:00:00Z")),
        # and around 2025-11-02, when they went back
        (date(2025, 10, 31), ("08:00", "13:30", "20:00", "2025-11-01T00:00:00Z")),
        (date(2025, 11, 3), ("09:00", "14:30", "21:00", "2025-11-04T01:00:00Z")),
        # in 2006 clocks went forward on the first Sunday of April
        (date(2006, 3, 31), ("09:00", "14:30", "21:00", "2006-04-01T01:00:00Z")),
        (date(2006, 4, 3), ("08:00", "13:30", "20:00", "2006-04-04T00:00:00Z")),
    ],
)
def test_sessions_follow_new_york_clocks_across_daylight_saving(
    xnys: Calendar, day: date, expected: tuple[str, str, str, str]
) -> None:
    pre, regular, post = (session(xnys, day, name) for name in ("pre", "regular", "post"))
    assert utc(pre.start_ns) == f"{day}T{expected[0]}:00Z"
    assert utc(regular.start_ns) == f"{day}T{expected[1]}:00Z" == utc(pre.end_ns)
    assert utc(regular.end_ns) == f"{day}T{expected[2]}:00Z" == utc(post.start_ns)
    assert utc(post.end_ns) == expected[3]


def test_the_tape_has_no_overnight_session_yet(xnys: Calendar) -> None:
    assert {s.session for s in xnys.sessions} == {"pre", "regular", "post"}
