"""The market's sessions: landed as bytes like any other source, then silver.sessions."""

from __future__ import annotations

from contextlib import closing
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from ingot.app import fetch, machine
from ingot.app.plan import digest, feeds_of
from ingot.app.refine import Executor
from ingot.app.step import Feed, Step, UnitRows, Work
from ingot.errors import ContractBrokenError, SourceUnavailableError
from ingot.model.landing import RemoteObject
from ingot.model.progress import Notice, silent
from ingot.model.time import new_york, to_ns
from ingot.model.work import Scope, Unit
from ingot.tables import silver
from ingot.tables.arrow import arrow_schema
from ingot.tables.relation import ArrowRelation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ingot.app.parts import Parts
    from ingot.app.step import Context
    from ingot.connectors.base import FileSource
    from ingot.model.calendar import Calendar, Session
    from ingot.model.landing import Landing
    from ingot.model.progress import Progress

_SOURCE: Final = "sessions"
_FIRST: Final = date(2003, 1, 1)
"""The oldest vendor history in Ingot begins in 2003."""
_AHEAD: Final = timedelta(days=400)
_ENOUGH: Final = timedelta(days=30)
_NAMED_DATES: Final = 10
_AROUND: Final = timedelta(days=5)
"""Sessions this far from a trade date can hold a bar of its files."""


def ensure_sessions(parts: Parts, *, progress: Progress = silent) -> None:
    """Land the calendar if there is none, it runs out soon, or its rules have changed.

    A change of rules tells which dates differ; what stands on those dates is then stale.
    """
    today = parts.clock.now().date()
    old = parts.calendar
    if not _is_current(parts, old, today):
        _land(parts, today)
        parts.forget_calendar()
        _tell_changes(old, parts.calendar, progress)
    _refine(parts)


def _latest(parts: Parts) -> Landing | None:
    states = parts.ledger.states(_SOURCE, parts.settings.calendar)
    return max((s.landing for s in states), key=lambda landing: landing.ordinal, default=None)


def _is_current(parts: Parts, calendar: Calendar, today: date) -> bool:
    """Return True if the sessions follow the rulebook of the settings and reach far enough."""
    from ingot.connectors.sessions import SessionsSettings, calendar_digest, load_rulebook

    if not calendar.trade_dates or calendar.trade_dates[-1] < today + _ENOUGH:
        return False
    settings = parts.settings.vendor(_SOURCE, SessionsSettings)
    return calendar.digest == calendar_digest(calendar.name, load_rulebook(settings.rulebook))


def _source(parts: Parts) -> FileSource:
    return parts.source(_SOURCE, "")


def _land(parts: Parts, today: date) -> None:
    source = _source(parts)
    (remote,) = source.list(parts.settings.calendar, _FIRST, today + _AHEAD)
    temporary = parts.ledger.temporary("sessions")
    fetched = source.fetch(remote, temporary, lambda _: None)
    fetch.land_one(parts, source, remote, fetched, temporary)


def _tell_changes(old: Calendar, new: Calendar, progress: Progress) -> None:
    from ingot.connectors.sessions import diff

    if not old.sessions:
        return
    changed = [day for day in diff(old, new) if day <= old.trade_dates[-1]]
    if changed:
        named = ", ".join(day.isoformat() for day in changed[:_NAMED_DATES])
        more = f" and {len(changed) - _NAMED_DATES} more" if len(changed) > _NAMED_DATES else ""
        progress(Notice(f"the sessions of {new.name} changed on {named}{more}"))


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


def _feeds(parts: Parts, step: Step) -> Iterator[Feed]:
    del step
    if _latest(parts) is not None:
        yield Feed(_SOURCE, parts.settings.calendar, {})


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


def _refine(parts: Parts) -> None:
    """Make silver.sessions hold the landed sessions, once."""
    profile = machine.choose(
        machine.look(parts.root), parts.settings, strategy="sequential", workers=None, days=1
    )
    with closing(Executor(parts, profile)) as executor:
        for feed in feeds_of(parts, SESSIONS):
            for result in executor.refine(SESSIONS, feed, date.min, date.max):
                if result.error is not None:
                    raise result.error


def land_again(parts: Parts, landing: Landing) -> bool:
    """Make the bytes of a landed calendar again; return False where today's rules give others."""
    source = _source(parts)
    names = RemoteObject.__slots__
    remote = RemoteObject(**{name: getattr(landing, name) for name in names})
    temporary = parts.ledger.temporary("sessions")
    try:
        fetched = source.fetch(remote, temporary, lambda _: None)
    except SourceUnavailableError:
        return False
    if fetched.sha256 != landing.sha256:
        return False
    parts.ledger.store.add_object(temporary, fetched.sha256, fetched.size_bytes)
    return True
