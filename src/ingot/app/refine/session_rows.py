"""silver.sessions, made of the calendar that landed last, and its rows as relations."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from ingot.app.inventory.units import digest
from ingot.app.refine.step import Feed, Step, UnitRows, Work
from ingot.errors import ContractBrokenError
from ingot.model.time import new_york, to_ns
from ingot.model.unit import Scope, Unit
from ingot.tables import silver
from ingot.tables.arrow import arrow_schema
from ingot.tables.input import ArrowRelation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ingot.app.context.lake_context import Parts
    from ingot.app.refine.step import Context
    from ingot.model.calendar import Calendar, Session
    from ingot.model.landing import Landing

SOURCE: Final = "sessions"
"""The connector that calendars land from."""
_AROUND: Final = timedelta(days=5)
"""Sessions this far from a trade date can hold a bar of its files."""


def sessions_table(calendar: Calendar, sessions: Iterable[Session]) -> pa.Table:
    """Return sessions of a calendar as rows of silver.sessions."""
    rows = [
        (s.calendar, s.trade_date, s.session, s.start_ns, s.end_ns, calendar.digest)
        for s in sessions
    ]
    schema = arrow_schema(silver.SESSIONS)
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


def sessions_around(parts: Parts, scope: Scope) -> ArrowRelation:
    """Return the sessions that can hold a bar of the files of a trade date."""
    first = to_ns(new_york(scope.start - _AROUND))
    last = to_ns(new_york(scope.start + _AROUND))
    calendar = parts.calendar
    near = (s for s in calendar.sessions if first <= s.start_ns < last)
    return ArrowRelation(sessions_table(calendar, near))


def _latest(parts: Parts) -> Landing | None:
    states = parts.ledger.states(SOURCE, parts.settings.calendar)
    return max((s.landing for s in states), key=lambda landing: landing.ordinal, default=None)


def _feeds(parts: Parts, step: Step) -> Iterator[Feed]:
    del step
    if _latest(parts) is not None:
        yield Feed(SOURCE, parts.settings.calendar, {})


def _units(parts: Parts, step: Step, feed: Feed, start: date, end: date) -> Iterator[Work]:
    """Yield the latest landed calendar, whole."""
    del start, end
    landing = _latest(parts)
    if landing is not None:
        scope = Scope(feed.source, feed.dataset, landing.file_date, date.max)
        unit = Unit(step.output.name, scope, digest(landing.sha256))
        yield Work(unit, partial(_rows, landing.landing_id))


def _rows(landing_id: int, context: Context) -> UnitRows:
    calendar = context.parts.calendar
    if not calendar.sessions:
        raise ContractBrokenError(f"The calendar {calendar.name} landed without a session.")
    rows = sessions_table(calendar, calendar.sessions)
    return UnitRows(rows=rows, rows_in=rows.num_rows, landing_ids=(landing_id,))


SESSIONS: Final = Step(silver.SESSIONS, (), "whole", feeds=_feeds, plan=_units)
