"""The market's sessions: made by the installed rules and landed as bytes like any other source."""

from __future__ import annotations

from contextlib import closing
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from ingot.app.context import resources
from ingot.app.inventory.datasets import record
from ingot.app.load import land
from ingot.app.load.sources import open_source
from ingot.app.refine.executor import Executor
from ingot.app.refine.planner import feeds_of
from ingot.app.refine.session_rows import SESSIONS, SOURCE
from ingot.errors import SourceUnavailableError
from ingot.model.landing import RemoteObject
from ingot.model.progress import Notice, silent

if TYPE_CHECKING:
    from ingot.app.context.lake_context import Parts
    from ingot.connectors.base import FileSource
    from ingot.model.calendar import Calendar
    from ingot.model.landing import Landing
    from ingot.model.progress import Progress

_FIRST: Final = date(1990, 1, 1)
"""The calendar library knows the shortened days of New York from then on."""
_AHEAD: Final = timedelta(days=400)
_ENOUGH: Final = timedelta(days=30)
_NAMED_DATES: Final = 10


def ensure_sessions(parts: Parts, *, progress: Progress = silent) -> None:
    """Land the calendar if there is none, it runs out soon, or its rules have changed.

    A change of rules says which dates differ; what was made of those dates is then stale.
    """
    today = parts.clock.now().date()
    old = parts.calendar
    if not _is_current(parts, old, today):
        _land(parts, today)
        parts.forget_calendar()
        _tell_changes(old, parts.calendar, progress)
    _refine(parts)


def _is_current(parts: Parts, calendar: Calendar, today: date) -> bool:
    """Return True if the sessions follow the rulebook of the settings and reach far enough."""
    from ingot.connectors.sessions import SessionsSettings, calendar_digest, load_rulebook

    days = calendar.trade_dates
    if not days or days[0] > _FIRST + _ENOUGH or days[-1] < today + _ENOUGH:
        return False
    settings = parts.settings.vendor(SOURCE, SessionsSettings)
    return calendar.digest == calendar_digest(calendar.name, load_rulebook(settings.rulebook))


def _source(parts: Parts) -> FileSource:
    return open_source(parts, SOURCE, "")


def _land(parts: Parts, today: date) -> None:
    source = _source(parts)
    (remote,) = source.list(parts.settings.calendar, _FIRST, today + _AHEAD)
    temporary = parts.ledger.temporary("sessions")
    fetched = source.fetch(remote, temporary, lambda _: None)
    record(parts, source.name, source.name, [source.datasets[remote.dataset]])
    land.land_one(parts, source, remote, fetched, temporary)


def _tell_changes(old: Calendar, new: Calendar, progress: Progress) -> None:
    from ingot.model.session_text import diff

    if not old.sessions:
        return
    first, last = old.trade_dates[0], old.trade_dates[-1]
    changed = [day for day in diff(old, new) if first <= day <= last]
    if changed:
        named = ", ".join(day.isoformat() for day in changed[:_NAMED_DATES])
        more = f" and {len(changed) - _NAMED_DATES} more" if len(changed) > _NAMED_DATES else ""
        progress(Notice(f"the sessions of {new.name} changed on {named}{more}"))


def _refine(parts: Parts) -> None:
    """Make silver.sessions hold the landed sessions, once."""
    profile = resources.choose(
        resources.look(parts.root), parts.settings, strategy="sequential", workers=None, days=1
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
