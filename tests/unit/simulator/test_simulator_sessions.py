"""Hours of New York, against instants written by hand from the exchange's published hours."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from ingot.errors import ConfigError
from ingot.simulator.market.options import expiries
from ingot.simulator.market.sessions import exchange


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


@pytest.mark.parametrize(
    ("day", "start", "opened", "closed", "end", "minutes"),
    [
        # The Friday before clocks went forward, and the Monday after.
        ("2025-03-07", "2025-03-07T09:00", "2025-03-07T14:30", "2025-03-07T21:00",
         "2025-03-08T01:00", 960),
        ("2025-03-10", "2025-03-10T08:00", "2025-03-10T13:30", "2025-03-10T20:00",
         "2025-03-11T00:00", 960),
        # The Monday after clocks went back.
        ("2025-11-03", "2025-11-03T09:00", "2025-11-03T14:30", "2025-11-03T21:00",
         "2025-11-04T01:00", 960),
        # The day after Thanksgiving and the day before Independence Day close at 13:00.
        ("2025-11-28", "2025-11-28T09:00", "2025-11-28T14:30", "2025-11-28T18:00",
         "2025-11-28T22:00", 780),
        ("2025-07-03", "2025-07-03T08:00", "2025-07-03T13:30", "2025-07-03T17:00",
         "2025-07-03T21:00", 780),
    ],
)  # fmt: skip
def test_a_day_has_the_hours_of_new_york(
    *, day: str, start: str, opened: str, closed: str, end: str, minutes: int
) -> None:
    found = exchange(date(2025, 1, 2), date(2025, 12, 31)).on(date.fromisoformat(day))
    hours = (found.start_ns, found.open_ns, found.close_ns, found.end_ns)
    assert hours == (ns(start), ns(opened), ns(closed), ns(end))
    assert found.minutes == minutes


@pytest.mark.parametrize(
    ("day", "label"),
    [
        # reference/source-formats.md section 1.4: midnights of New York that the vendor printed.
        (date(2005, 4, 1), 1_112_331_600_000_000_000),
        (date(2005, 4, 4), 1_112_587_200_000_000_000),
        (date(2026, 5, 22), 1_779_422_400_000_000_000),
    ],
)
def test_a_day_bar_is_labelled_with_midnight_of_new_york(day: date, label: int) -> None:
    assert exchange(day, date(2026, 6, 1)).on(day).midnight_ns == label


def test_a_holiday_is_no_trade_date() -> None:
    table = exchange(date(2025, 6, 2), date(2025, 7, 8))
    assert date(2025, 6, 19) not in table.dates
    assert date(2025, 7, 4) not in table.dates
    with pytest.raises(KeyError, match="2025-06-19 is not a trade date"):
        table.on(date(2025, 6, 19))


def test_the_third_friday_in_a_closed_market_is_the_thursday_before() -> None:
    table = exchange(date(2025, 4, 1), date(2025, 5, 1))
    # 2025-04-18 was Good Friday; options expired on Thursday the 17th.
    assert expiries(table, date(2025, 4, 10)) == (date(2025, 4, 17), date(2025, 5, 16))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (date(2025, 6, 3), date(2025, 6, 3)),
        (date(2025, 6, 4), date(2025, 6, 3)),
        (date(2003, 9, 9), date(2003, 10, 1)),
        (date(2037, 12, 1), date(2038, 2, 1)),
    ],
)
def test_dates_outside_what_is_known_are_refused(start: date, end: date) -> None:
    with pytest.raises(ConfigError, match="between 2003-09-10 and 2037-12-31"):
        exchange(start, end)
