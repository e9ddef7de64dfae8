"""The trade date after a date at the New York Stock Exchange."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, timedelta
from functools import cache
from typing import Final

_CALENDAR: Final = "XNYS"
_FIRST: Final = date(1990, 1, 1)
_SATURDAY: Final = 5


def next_session(day: date) -> date:
    """Return the first trade date after `day`; after the calendar's end, the next weekday.

    >>> next_session(date(2014, 6, 6)), next_session(date(2001, 9, 10))
    (datetime.date(2014, 6, 9), datetime.date(2001, 9, 17))
    """
    known = _sessions()
    index = bisect_right(known, day)
    if known[0] <= day and index < len(known):
        return known[index]
    after = day + timedelta(days=1)
    while after.weekday() >= _SATURDAY:
        after += timedelta(days=1)
    return after


@cache
def _sessions() -> tuple[date, ...]:
    import exchange_calendars  # noqa: PLC0415 (loads pandas; only parsing needs it)

    calendar = exchange_calendars.get_calendar(_CALENDAR, start=_FIRST.isoformat())
    return tuple(session.date() for session in calendar.sessions)
