"""Overnight sessions, switched on by a rulebook with a date."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ingot.connectors.sessions import build_calendar, calendar_digest, load_rulebook
from ingot.connectors.sessions.rulebook import Rulebook, parse_rulebook
from ingot.errors import ConfigError

if TYPE_CHECKING:
    from ingot.model.calendar import Calendar, Session

NIGHTS = """
[calendar.XNYS]
zone = "America/New_York"

[[calendar.XNYS.session]]
session = "pre"
valid_from = 2000-01-01
start = 04:00:00
end = "open"

[[calendar.XNYS.session]]
session = "post"
valid_from = 2000-01-01
start = "close"
end = 20:00:00
end_on_early_close = 17:00:00

[[calendar.XNYS.session]]
session = "overnight"
valid_from = 2025-01-02
start = 21:00:00
start_day_before = true
end = 04:00:00

[[calendar.XNYS.session]]
session = "overnight"
valid_from = 2025-06-02
start = 20:00:00
start_day_before = true
end = 04:00:00
"""


@pytest.fixture(scope="module")
def nights() -> Rulebook:
    return parse_rulebook(tomllib.loads(NIGHTS))


@pytest.fixture(scope="module")
def calendar(nights: Rulebook) -> Calendar:
    return build_calendar("XNYS", date(2024, 12, 1), date(2026, 1, 1), nights)


def at(ns: int) -> str:
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // 1000)
    return instant.strftime("%Y-%m-%dT%H:%MZ")


def overnight(calendar: Calendar, day: date) -> tuple[str, str]:
    [found] = [s for s in calendar.of_date(day) if s.session == "overnight"]
    return at(found.start_ns), at(found.end_ns)


def holder(calendar: Calendar, instant: str) -> Session | None:
    ns = int(datetime.fromisoformat(instant).timestamp()) * 1_000_000_000
    found = [s for s in calendar.sessions if s.start_ns <= ns < s.end_ns]
    assert len(found) <= 1
    return found[0] if found else None


def test_a_print_at_21_belongs_to_the_next_trade_date(calendar: Calendar) -> None:
    found = holder(calendar, "2025-03-04T21:30-05:00")
    assert found is not None
    assert (found.session, found.trade_date) == ("overnight", date(2025, 3, 5))


def test_sunday_evening_belongs_to_monday(calendar: Calendar) -> None:
    # 2025-03-16 was a Sunday; New York is UTC-4 by then
    assert overnight(calendar, date(2025, 3, 17)) == ("2025-03-17T01:00Z", "2025-03-17T08:00Z")


def test_the_night_after_clocks_went_forward_starts_an_hour_earlier_in_utc(
    calendar: Calendar,
) -> None:
    # 21:00 EDT on Sunday 2025-03-09: the change at 02:00 that morning is behind it
    assert overnight(calendar, date(2025, 3, 10)) == ("2025-03-10T01:00Z", "2025-03-10T08:00Z")
    assert overnight(calendar, date(2025, 3, 7)) == ("2025-03-07T02:00Z", "2025-03-07T09:00Z")


def test_friday_evening_belongs_to_no_session(calendar: Calendar) -> None:
    assert holder(calendar, "2025-03-07T21:30-05:00") is None


def test_the_eve_of_a_holiday_has_no_overnight_session(calendar: Calendar) -> None:
    # Martin Luther King Day, Monday 2025-01-20
    assert holder(calendar, "2025-01-19T22:00-05:00") is None


def test_the_evening_of_a_holiday_belongs_to_the_day_after(calendar: Calendar) -> None:
    found = holder(calendar, "2025-01-20T22:00-05:00")
    assert found is not None
    assert found.trade_date == date(2025, 1, 21)


def test_the_evening_after_an_early_close_is_between_sessions_until_night_starts(
    calendar: Calendar,
) -> None:
    assert holder(calendar, "2025-07-03T18:00-04:00") is None
    assert holder(calendar, "2025-07-03T20:30-04:00") is None  # the 4th is a holiday
    found = holder(calendar, "2025-07-06T20:30-04:00")
    assert found is not None
    assert found.trade_date == date(2025, 7, 7)


def test_a_rule_holds_from_its_date_and_not_before(calendar: Calendar) -> None:
    assert [s.session for s in calendar.of_date(date(2024, 12, 31))] == ["pre", "regular", "post"]
    assert overnight(calendar, date(2025, 1, 2)) == ("2025-01-02T02:00Z", "2025-01-02T09:00Z")


def test_a_later_rule_replaces_the_one_before(calendar: Calendar) -> None:
    assert overnight(calendar, date(2025, 5, 30)) == ("2025-05-30T01:00Z", "2025-05-30T08:00Z")
    assert overnight(calendar, date(2025, 6, 2)) == ("2025-06-02T00:00Z", "2025-06-02T08:00Z")


def test_a_night_makes_the_files_of_two_dates_part_of_a_trade_date(calendar: Calendar) -> None:
    assert calendar.file_dates(date(2025, 3, 17)) == (date(2025, 3, 16), date(2025, 3, 17))
    assert calendar.file_dates(date(2024, 12, 31)) == (date(2024, 12, 31),)


def test_the_shipped_rulebook_announces_the_night_without_a_date() -> None:
    rules = load_rulebook().market("XNYS").rules
    [night] = [rule for rule in rules if rule.session == "overnight"]
    assert night.valid_from is None
    assert night.start_day_before


def test_switching_the_night_on_changes_the_digest(nights: Rulebook) -> None:
    assert calendar_digest("XNYS", nights) != calendar_digest("XNYS")


def test_a_night_that_starts_before_post_ends_is_refused() -> None:
    early = parse_rulebook(tomllib.loads(NIGHTS.replace("start = 21:00:00", "start = 19:00:00")))
    with pytest.raises(
        ConfigError,
        match=r"overnight session of 2025-01-08 start at 2025-01-08T00:00Z, before the post "
        r"session of 2025-01-07 ends at 2025-01-08T01:00Z\. Change the rulebook",
    ):
        build_calendar("XNYS", date(2025, 1, 7), date(2025, 1, 10), early)
