"""Instants, intervals, known time and the clock.

An instant is a timezone-aware `datetime` in UTC with microseconds, or an `int` of nanoseconds
since 1970-01-01T00:00Z where the name ends in `_ns`. An interval is half-open: `[start, end)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from ingot.errors import QueryError

NS_PER_US: Final = 1_000
NS_PER_SECOND: Final = 1_000_000_000
NS_PER_MINUTE: Final = 60 * NS_PER_SECOND
NEW_YORK: Final = ZoneInfo("America/New_York")
FOREVER: Final = datetime(9999, 12, 31, tzinfo=UTC)
"""`known_to` of a version that is still in force."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = _EPOCH.toordinal()
_NS_PER_HOUR: Final = 60 * NS_PER_MINUTE
_NS_PER_DAY: Final = 24 * _NS_PER_HOUR
_ONE_US: Final = timedelta(microseconds=1)
_FORMS: Final = "write an ISO date (2025-06-10) or an instant with offset (2025-06-10T15:00Z)."


def to_ns(instant: datetime) -> int:
    """Return nanoseconds since the epoch; exact, no floating point.

    >>> to_ns(datetime(2025, 6, 2, 13, 30, tzinfo=UTC))
    1748871000000000000
    """
    return (instant - _EPOCH) // _ONE_US * NS_PER_US


def from_ns(ns: int) -> datetime:
    """Return the instant of `ns`, cut to the microsecond.

    >>> from_ns(1748871000000000000).isoformat()
    '2025-06-02T13:30:00+00:00'
    """
    return _EPOCH + timedelta(microseconds=ns // NS_PER_US)


def new_york(day: date, hour: int = 0, minute: int = 0) -> datetime:
    """Return the instant at which New York clocks show `hour:minute` on `day`, in UTC.

    >>> new_york(date(2025, 6, 2), 9, 30).isoformat()
    '2025-06-02T13:30:00+00:00'
    """
    return datetime.combine(day, time(hour, minute), NEW_YORK).astimezone(UTC)


def new_york_date(ns: int) -> date:
    """Return the date that New York clocks show at `ns`.

    New York is four or five hours behind UTC. Where both give one date no time zone is needed,
    which matters to a calendar that asks for ten thousands of dates.

    >>> new_york_date(1748922600000000000)  # 2025-06-03T03:50Z
    datetime.date(2025, 6, 2)
    """
    earliest, latest = ((ns - hours * _NS_PER_HOUR) // _NS_PER_DAY for hours in (5, 4))
    if earliest == latest:
        return date.fromordinal(_EPOCH_DAY + earliest)
    return from_ns(ns).astimezone(NEW_YORK).date()


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A half-open span of time `[start_ns, end_ns)` in nanoseconds since the epoch, UTC."""

    start_ns: int
    end_ns: int

    def __contains__(self, instant_ns: int) -> bool:
        """Return True if `instant_ns` is inside."""
        return self.start_ns <= instant_ns < self.end_ns


class Clock(Protocol):
    """Where "now" comes from; passed in, never read from the system in the middle of work."""

    @property
    def stated(self) -> bool:
        """True when a person set the time (`--now`): known times are then `stated`."""
        ...

    def now(self) -> datetime:
        """Return the present instant, UTC, in microseconds."""
        ...


class SystemClock:
    """The machine's own clock."""

    stated = False

    def now(self) -> datetime:
        """Return the present instant, UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class FixedClock:
    """A clock that always shows one moment: for tests, the simulator and crash tests."""

    at: datetime
    stated: bool = True

    def now(self) -> datetime:
        """Return the fixed instant."""
        return self.at


@dataclass(frozen=True, slots=True)
class AsOf:
    """The moment whose knowledge a read may use.

    `is_now` says that the reader named no moment: the answer then grows with the lake.
    """

    known_at: datetime
    is_now: bool = False


def as_of(known_at: str | date | datetime | None, clock: Clock) -> AsOf:
    """Return the moment named by `known_at`.

    Args:
        known_at: An instant with offset; a date, which means 00:00 New York of that date; the
            same as ISO 8601 text; or None for now.
        clock: Where now comes from.

    Raises:
        QueryError: For a naive datetime, a text or another value that is neither, or a moment
            in the future.
    """
    now = clock.now()
    if known_at is None:
        return AsOf(now, is_now=True)
    moment = _instant(known_at)
    if moment > now:
        raise QueryError(
            f"known_at {moment.isoformat()} is in the future (now is {now.isoformat()}). "
            "Name a moment that has passed, or leave it out for now."
        )
    return AsOf(moment)


def _instant(known_at: str | date | datetime) -> datetime:
    value = _parse(known_at) if isinstance(known_at, str) else known_at
    if str(value) == "NaT" or not isinstance(value, date):
        raise QueryError(f"known_at was {value!r}: {_FORMS}")
    if not isinstance(value, datetime):
        return new_york(value)
    if value.utcoffset() is None:
        raise QueryError(
            f"known_at {value.isoformat()} has no UTC offset. Write for example "
            f"{value.isoformat()}Z, or a date alone for 00:00 New York."
        )
    try:
        instant = value.astimezone(UTC)
    except OverflowError as exc:
        raise QueryError(
            f"known_at {value.isoformat()} is out of range: in UTC its year is not in 1 to 9999."
        ) from exc
    # A Timestamp of pandas is a datetime as well: what it becomes counts microseconds.
    return datetime.combine(instant.date(), instant.time(), UTC)


def _parse(text: str) -> date | datetime:
    try:
        return (
            date.fromisoformat(text)
            if len(text) <= len("2025-06-02")
            else datetime.fromisoformat(text)
        )
    except ValueError as exc:
        raise QueryError(f"known_at was {text!r}: {_FORMS}") from exc
