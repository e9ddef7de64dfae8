"""The simulator's own table of sessions: when New York trades, independent of any connector.

Opens and closes come from exchange_calendars. Pre-market starts at 04:00 New York and post-market
ends at 20:00, or four hours after an early close. Spelled out here a second time on purpose: what
the lake computes must agree with it without sharing a line.
"""

from __future__ import annotations

import warnings
from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from typing import Final

import numpy as np

from ingot.errors import ConfigError
from ingot.model.time import NS_PER_MINUTE, new_york, to_ns

FIRST_DATE: Final = date(2003, 9, 10)
"""First day of the vendor's stock files."""
LAST_DATE: Final = date(2037, 12, 31)
_TABLE_START: Final = date(2003, 1, 2)
_LOOK_AHEAD: Final = timedelta(days=200)
_PRE_HOUR: Final = 4
_POST_HOUR: Final = 20
_NORMAL_CLOSE_HOUR: Final = 16
_EARLY_POST_HOUR: Final = 17


@dataclass(frozen=True, slots=True)
class TradingDay:
    """One trade date's hours, nanoseconds UTC: pre [start, open), regular [open, close), post.

    `index` counts the exchange's sessions since the table's first.
    """

    date: date
    index: int
    start_ns: int
    open_ns: int
    close_ns: int
    end_ns: int

    @property
    def minutes(self) -> int:
        """Minutes from the start of pre-market to the end of post-market."""
        return (self.end_ns - self.start_ns) // NS_PER_MINUTE

    @property
    def open_minute(self) -> int:
        """Position of the first regular minute."""
        return (self.open_ns - self.start_ns) // NS_PER_MINUTE

    @property
    def close_minute(self) -> int:
        """Position of the minute that starts at the close, where the auction prints."""
        return (self.close_ns - self.start_ns) // NS_PER_MINUTE

    @property
    def midnight_ns(self) -> int:
        """Midnight New York, the label of a day bar."""
        return to_ns(new_york(self.date))


@dataclass(frozen=True)
class Exchange:
    """The trade dates of XNYS from 2003 to some months after the last date requested."""

    dates: tuple[date, ...]
    opens_ns: tuple[int, ...]
    closes_ns: tuple[int, ...]

    def on(self, day: date) -> TradingDay:
        """Return the hours of a trade date; KeyError when the exchange is closed."""
        index = bisect_left(self.dates, day)
        if index == len(self.dates) or self.dates[index] != day:
            raise KeyError(f"{day} is not a trade date of XNYS")
        return self._day(index)

    def between(self, start: date, end: date) -> tuple[TradingDay, ...]:
        """Return the trade dates in `[start, end)`."""
        return tuple(
            self._day(i)
            for i in range(bisect_left(self.dates, start), bisect_left(self.dates, end))
        )

    def before(self, day: date) -> date:
        """Return the last trade date before `day`."""
        return self.dates[bisect_left(self.dates, day) - 1]

    def on_or_after(self, day: date) -> date:
        """Return the first trade date that is not before `day`; `day` itself before the table."""
        return day if day < self.dates[0] else self.dates[bisect_left(self.dates, day)]

    def on_or_before(self, day: date) -> date:
        """Return the last trade date that is not after `day`."""
        return self.before(day + timedelta(days=1))

    def of_month(self, month: int) -> tuple[date, ...]:
        """Return the trade dates of a month, which is numbered year * 12 + (month - 1)."""
        return self._months[month]

    def _day(self, index: int) -> TradingDay:
        day, close_ns = self.dates[index], self.closes_ns[index]
        normal = to_ns(new_york(day, _NORMAL_CLOSE_HOUR))
        post_hour = _POST_HOUR if close_ns >= normal else _EARLY_POST_HOUR
        return TradingDay(
            day,
            index,
            to_ns(new_york(day, _PRE_HOUR)),
            self.opens_ns[index],
            close_ns,
            to_ns(new_york(day, post_hour)),
        )

    @cached_property
    def _months(self) -> dict[int, tuple[date, ...]]:
        grouped: dict[int, list[date]] = {}
        for day in self.dates:
            grouped.setdefault(month_of(day), []).append(day)
        return {month: tuple(days) for month, days in grouped.items()}


def month_of(day: date) -> int:
    """Return the month's number: year * 12 + (month - 1)."""
    return day.year * 12 + day.month - 1


def exchange(start: date, end: date) -> Exchange:
    """Return the table that covers `[start, end)` and some months on both sides.

    Raises:
        ConfigError: The range is empty or outside what the simulator knows.
    """
    if not FIRST_DATE <= start < end <= LAST_DATE:
        raise ConfigError(
            f"The simulator's range was {start} to {end}. The start must be before the end, "
            f"and both between {FIRST_DATE} and {LAST_DATE}."
        )
    return _table(date((end + _LOOK_AHEAD).year, 12, 31))


@lru_cache(maxsize=4)
def _table(end: date) -> Exchange:
    with warnings.catch_warnings():
        # Pandas4Warning of exchange_calendars' own code; nothing that a caller could act on.
        warnings.simplefilter("ignore")
        from exchange_calendars import get_calendar  # noqa: PLC0415 - takes more than a second

        calendar = get_calendar("XNYS", start=_TABLE_START.isoformat(), end=end.isoformat())
        opens, closes = calendar.opens, calendar.closes
    days = tuple(stamp.date() for stamp in opens.index)
    return Exchange(days, _nanoseconds(opens), _nanoseconds(closes))


def _nanoseconds(instants: object) -> tuple[int, ...]:
    naive = np.asarray(instants.dt.tz_convert(None), dtype="datetime64[ns]")  # type: ignore[attr-defined]  # a pandas Series, untyped here
    return tuple(naive.astype(np.int64).tolist())
