"""A market's sessions over a span of trade dates, made of calendar library and rulebook."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from importlib.metadata import version
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from ingot.connectors.sessions.rulebook import load_rulebook
from ingot.errors import ConfigError
from ingot.model.calendar import REGULAR, Calendar, Session
from ingot.model.time import from_ns, to_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.connectors.sessions.rulebook import Edge, Market, Rulebook, SessionRule

LIBRARY: Final = "exchange_calendars"
_ALGORITHM: Final = 1
"""Part of the digest; goes up when the same calendar and rules would give other rows."""
_DIGEST_CHARACTERS: Final = 16
_ONE_DAY: Final = timedelta(days=1)
_MARGIN: Final = timedelta(days=14)
"""The library refuses a span without a session; no market here was closed for so long."""
FIRST_DATE: Final = date(1970, 1, 1)
LAST_DATE: Final = date(2200, 1, 1)
_TIMEZONE_WARNING: Final = "Series.values returning an ndarray that drops timezone information"


@dataclass(frozen=True, slots=True)
class _RegularDay:
    trade_date: date
    open_ns: int
    close_ns: int
    closes_early: bool


def build_calendar(name: str, start: date, end: date, rulebook: Rulebook | None = None) -> Calendar:
    """Return the sessions of the trade dates in `[start, end)`.

    Each row depends on its own trade date alone, so a longer span only adds rows. Takes about
    1.5 s, most of it the import of the calendar library.

    Args:
        name: XNYS or 24/7, or another calendar of `rulebook`.
        start: First date, 1970-01-01 or later.
        end: First date that is not wanted, 2200-01-01 or earlier.
        rulebook: The shipped one by default.

    Raises:
        ConfigError: The calendar is unknown, the span empty or out of bounds, or the rules make
            sessions overlap.
    """
    if not FIRST_DATE <= start < end <= LAST_DATE:
        raise ConfigError(
            f"The span of sessions was [{start}, {end}): it has to start before it ends and to "
            f"lie in [{FIRST_DATE}, {LAST_DATE})."
        )
    book = rulebook or load_rulebook()
    market = book.market(name)
    sessions = [
        session for day in _regular_days(name, start, end) for session in _sessions_of(market, day)
    ]
    calendar = Calendar.of(name, sessions, calendar_digest(name, book))
    _refuse_overlap(calendar)
    return calendar


def calendar_digest(name: str, rulebook: Rulebook | None = None) -> str:
    """Return the 16 hex digits that name a calendar's rows; cheap, imports no calendar library.

    It covers the calendar's name, the library's version and the rules in force, but not the
    span: rows of one digest never differ, a longer span holds more of them.

    Raises:
        ConfigError: The rulebook has no such calendar.
    """
    content = (rulebook or load_rulebook()).market(name).content
    text = f"{_ALGORITHM}\n{LIBRARY} {version(LIBRARY)}\n{content}"
    return sha256(text.encode()).hexdigest()[:_DIGEST_CHARACTERS]


def _regular_days(name: str, start: date, end: date) -> Iterator[_RegularDay]:
    import exchange_calendars  # noqa: PLC0415 (1.2 s: only who makes sessions pays for it)
    from exchange_calendars.errors import InvalidCalendarName  # noqa: PLC0415 (the same)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_TIMEZONE_WARNING)
        try:
            # without start and end the library begins 20 years ago
            calendar = exchange_calendars.get_calendar(
                name, start=str(start - _MARGIN), end=str(end + _MARGIN)
            )
        except InvalidCalendarName as exc:
            raise ConfigError(
                f"The rulebook has the calendar {name!r}, but {LIBRARY} does not know it."
            ) from exc
        early = {stamp.date() for stamp in calendar.early_closes}
    if calendar.has_break:
        raise ConfigError(
            f"The calendar {name!r} has a lunch break; markets with one regular session a day "
            "are supported."
        )
    for label, opens, closes in zip(
        calendar.sessions, calendar.opens, calendar.closes, strict=True
    ):
        day = label.date()
        if start <= day < end:
            yield _RegularDay(
                day,
                to_ns(opens.to_pydatetime()),
                to_ns(closes.to_pydatetime()),
                day in early,
            )


def _sessions_of(market: Market, day: _RegularDay) -> Iterator[Session]:
    yield Session(market.name, day.trade_date, REGULAR, day.open_ns, day.close_ns)
    for rule in market.rules_on(day.trade_date):
        start_ns, end_ns = _bounds(rule, day, market)
        if start_ns < end_ns:
            yield Session(market.name, day.trade_date, rule.session, start_ns, end_ns)


def _bounds(rule: SessionRule, day: _RegularDay, market: Market) -> tuple[int, int]:
    first = day.trade_date - _ONE_DAY if rule.start_day_before else day.trade_date
    end = rule.end
    if day.closes_early and rule.end_on_early_close is not None:
        end = rule.end_on_early_close
    return _instant(rule.start, first, day, market), _instant(end, day.trade_date, day, market)


def _instant(edge: Edge, on: date, day: _RegularDay, market: Market) -> int:
    if isinstance(edge, time):
        return to_ns(datetime.combine(on, edge, market.zone).astimezone(UTC))
    return day.open_ns if edge == "open" else day.close_ns


def _refuse_overlap(calendar: Calendar) -> None:
    for one, other in pairwise(calendar.sessions):
        if other.start_ns < one.end_ns:
            raise ConfigError(
                f"The rules of {calendar.name} make the {other.session} session of "
                f"{other.trade_date} start at {from_ns(other.start_ns):%Y-%m-%dT%H:%MZ}, before "
                f"the {one.session} session of {one.trade_date} ends at "
                f"{from_ns(one.end_ns):%Y-%m-%dT%H:%MZ}. Change the rulebook."
            )
