"""The market's sessions: landed as bytes like any other source, then silver.sessions."""

from __future__ import annotations

from datetime import date, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final

from ingot.app import fetch, machine
from ingot.app.batch import ROUNDS, Batch, Finished
from ingot.app.plan import digest
from ingot.errors import ContractBrokenError, SourceUnavailableError
from ingot.model.landing import Outcome, RemoteObject
from ingot.model.progress import Notice, silent
from ingot.model.work import Done, Scope, Unit
from ingot.tables import silver
from ingot.version import __version__

if TYPE_CHECKING:
    from ingot.app.parts import Parts
    from ingot.app.report import DayResult
    from ingot.connectors.base import FileSource
    from ingot.model.calendar import Calendar
    from ingot.model.landing import Landing
    from ingot.model.progress import Progress

_SOURCE: Final = "sessions"
_FIRST: Final = date(1990, 1, 1)
"""The calendar library knows the shortened days of New York from then on."""
_AHEAD: Final = timedelta(days=400)
_ENOUGH: Final = timedelta(days=30)
_NAMED_DATES: Final = 10


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
    latest = _latest(parts)
    if latest is not None:
        _write_table(parts, latest)


def _latest(parts: Parts) -> Landing | None:
    states = parts.ledger.states(_SOURCE, parts.settings.calendar)
    return max((s.landing for s in states), key=lambda landing: landing.ordinal, default=None)


def _is_current(parts: Parts, calendar: Calendar, today: date) -> bool:
    """Return True if the sessions follow the rulebook of the settings and reach far enough."""
    from ingot.connectors.sessions import SessionsSettings, calendar_digest, load_rulebook

    days = calendar.trade_dates
    if not days or days[0] > _FIRST + _ENOUGH or days[-1] < today + _ENOUGH:
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
    first, last = old.trade_dates[0], old.trade_dates[-1]
    changed = [day for day in diff(old, new) if first <= day <= last]
    if changed:
        named = ", ".join(day.isoformat() for day in changed[:_NAMED_DATES])
        more = f" and {len(changed) - _NAMED_DATES} more" if len(changed) > _NAMED_DATES else ""
        progress(Notice(f"the sessions of {new.name} changed on {named}{more}"))


def _write_table(parts: Parts, landing: Landing) -> None:
    """Make silver.sessions hold the landed sessions, once."""
    scope = Scope(_SOURCE, landing.dataset, landing.file_date, date.max)
    unit = Unit(silver.SESSIONS.name, scope, digest(landing.sha256))
    profile = machine.choose(
        machine.look(parts.root), parts.settings, strategy="sequential", workers=None, days=1
    )
    trouble: list[DayResult] = []
    for _ in range(ROUNDS):
        head = parts.tables.head(silver.SESSIONS)
        if parts.ledger.is_done(unit) is not None:
            return
        batch = Batch(parts, silver.SESSIONS, profile, planned_on=head)
        batch.add(_finished(parts, unit, landing))
        batch.flush()
        trouble = batch.lost or [r for r in batch.results if r.error]
        if not batch.lost:
            break
    for result in trouble:
        if result.error is not None:
            raise result.error


def _finished(parts: Parts, unit: Unit, landing: Landing) -> Finished:
    """Write the landed sessions to a file that waits for its commit."""
    started, began = parts.clock.now(), monotonic()
    to = parts.tables.staging_path(silver.SESSIONS, unit.scope, unit.digest)
    content = parts.ledger.landed(landing.sha256)
    parsed = _source(parts).parse(landing, content, to, limit_pct=0.0)
    if parsed.path is None:
        raise ContractBrokenError(f"The calendar {landing.dataset} landed without a session.")
    done = Done(
        unit=unit,
        outcome=Outcome.DONE,
        run=parts.run,
        started=started,
        ended=parts.clock.now(),
        snapshot_id=None,
        rows_in=parsed.rows,
        rows_out=parsed.rows,
        landing_ids=(landing.landing_id,),
        code_version=__version__,
    )
    staged = parts.tables.adopt(silver.SESSIONS, unit.scope, parsed.path)
    return Finished(done, (staged,), monotonic() - began)


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
