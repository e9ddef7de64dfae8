"""Sessions of a market as rows, and the calendar made of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import date  # noqa: TC003 (a NamedTuple reads it at run time)
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from ingot.model.time import new_york_date

if TYPE_CHECKING:
    from collections.abc import Iterable

OVERNIGHT: Final = "overnight"
PRE: Final = "pre"
REGULAR: Final = "regular"
POST: Final = "post"
CLOSED: Final = "closed"
"""The session of a bar that is in none of them."""
SESSIONS: Final = (OVERNIGHT, PRE, REGULAR, POST)


class Session(NamedTuple):
    """One session of one trade date, `[start_ns, end_ns)` in nanoseconds UTC.

    A tuple, because a calendar has tens of thousands of them and every read takes one.

    `trade_date` may be the day after the clock's: an overnight session starts the evening before.
    """

    calendar: str
    trade_date: date
    session: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True)
class Calendar:
    """The sessions of one market over a span of trade dates, sorted by start."""

    name: str
    sessions: tuple[Session, ...]
    digest: str
    """Names calendar version and rulebook; sessions with one digest never differ."""

    @classmethod
    def of(cls, name: str, sessions: Iterable[Session], digest: str) -> Calendar:
        """Return a calendar of these sessions in order of their start."""
        return cls(name, tuple(sorted(sessions, key=lambda s: (s.start_ns, s.end_ns))), digest)

    @cached_property
    def trade_dates(self) -> tuple[date, ...]:
        """Dates with a regular session, ascending."""
        return self.dates_of(REGULAR)

    def dates_of(self, session: str) -> tuple[date, ...]:
        """Return the trade dates that have a session of this name, ascending."""
        return tuple(sorted({s.trade_date for s in self.sessions if s.session == session}))

    def is_trade_date(self, day: date) -> bool:
        """Return True if the market has a regular session on `day`."""
        index = bisect_left(self.trade_dates, day)
        return index < len(self.trade_dates) and self.trade_dates[index] == day

    def between(self, start: date, end: date) -> tuple[date, ...]:
        """Return the trade dates in `[start, end)`."""
        return self.trade_dates[
            bisect_left(self.trade_dates, start) : bisect_left(self.trade_dates, end)
        ]

    def before(self, day: date, count: int) -> tuple[date, ...]:
        """Return up to `count` trade dates that precede `day`, ascending."""
        index = bisect_left(self.trade_dates, day)
        return self.trade_dates[max(0, index - count) : index]

    def through(self, day: date, count: int) -> tuple[date, ...]:
        """Return up to `count` trade dates that end with `day`, ascending."""
        index = bisect_right(self.trade_dates, day)
        return self.trade_dates[max(0, index - count) : index]

    def of_date(self, trade_date: date) -> tuple[Session, ...]:
        """Return the sessions of one trade date, by start."""
        return self._by_date.get(trade_date, ())

    def file_dates(self, trade_date: date) -> tuple[date, ...]:
        """Return the New York dates that the sessions of `trade_date` touch, with itself.

        A vendor files a bar under the New York date of its start, so these are the files that
        can hold a bar of `trade_date`.
        """
        days = {trade_date}
        for s in self.of_date(trade_date):
            days.add(new_york_date(s.start_ns))
            days.add(new_york_date(s.end_ns - 1))
        return tuple(sorted(days))

    def fed_dates(self, file_date: date) -> tuple[date, ...]:
        """Return the trade dates that a file of `file_date` can hold bars of: the inverse.

        A bar in no session keeps the file's own date, so that is always among them.
        """
        return (file_date, *self._fed_overnight.get(file_date, ()))

    @cached_property
    def _fed_overnight(self) -> dict[date, tuple[date, ...]]:
        """Return the other trade dates that each file date feeds; only overnight sessions do."""
        fed: dict[date, tuple[date, ...]] = {}
        for trade_date in self.dates_of(OVERNIGHT):
            for day in self.file_dates(trade_date):
                if day != trade_date:
                    fed[day] = (*fed.get(day, ()), trade_date)
        return fed

    @cached_property
    def _by_date(self) -> dict[date, tuple[Session, ...]]:
        grouped: dict[date, list[Session]] = {}
        for s in self.sessions:
            grouped.setdefault(s.trade_date, []).append(s)
        return {day: tuple(rows) for day, rows in grouped.items()}
