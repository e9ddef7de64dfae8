"""What has to be refined: units whose inputs, rules or sessions are new since they were done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from ingot.app.chains import NEAR
from ingot.app.chosen import months_of
from ingot.model.landing import Outcome
from ingot.model.work import Scope, Unit
from ingot.tables import gold, silver
from ingot.transforms.history import State
from ingot.transforms.performance import LOOKBACK_SESSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date, datetime

    from ingot.app.parts import Parts
    from ingot.model.calendar import Calendar
    from ingot.model.landing import Landing, LandingState
    from ingot.tables.contract import Table
    from ingot.tables.dataset import Dataset
    from ingot.transforms.transform import Transform

ONE_DAY: Final = timedelta(days=1)
_AROUND_A_RENAME: Final = 10
"""Sessions before a window whose bars may tell when a rename inside it was."""


@dataclass(frozen=True, slots=True)
class SilverWork:
    """One trade date of one dataset that is to be refined."""

    unit: Unit
    states: tuple[State, ...]
    file_dates: tuple[date, ...]
    unique: bool
    """No landing holds a key twice and nothing was refused: the text may skip deduplication."""


def bronze_unit(table: Table, landing: Landing) -> Unit:
    """Return the unit that loads one version of one file."""
    scope = Scope(
        landing.source,
        landing.dataset,
        landing.file_date,
        landing.file_date + ONE_DAY,
        landing.landing_id,
    )
    return Unit(table.name, scope, f"{landing.landing_id & (2**64 - 1):016x}")


def digest(*parts: object) -> str:
    """Return 16 hex digits that name these parts."""
    return sha256("|".join(str(p) for p in parts).encode()).hexdigest()[:16]


def silver_work(
    parts: Parts,
    source: str,
    dataset: Dataset,
    transform: Transform,
    *,
    start: date,
    end: date,
) -> Iterator[SilverWork]:
    """Yield each trade date in `[start, end)` whose silver is absent, changed or stale."""
    calendar = parts.calendar
    by_date = _in_force_by_file_date(parts, source, dataset, start, end)
    clean = _clean_landings(parts, dataset.bronze)
    for trade_date in _trade_dates(calendar, by_date, start, end):
        file_dates = tuple(d for d in calendar.file_dates(trade_date) if d in by_date)
        states = change_points(s for d in file_dates for s in by_date[d])
        unit = Unit(
            transform.output.name,
            Scope(source, dataset.name, trade_date, trade_date + ONE_DAY),
            digest(transform.digest, states, _sessions(calendar, trade_date)),
        )
        if parts.ledger.is_done(unit) is None:
            read = {i for state in states for i in state.landing_ids}
            yield SilverWork(unit, states, file_dates, unique=read <= clean)


def change_points(states: Iterable[LandingState]) -> tuple[State, ...]:
    """Return the states that a trade date went through, ascending.

    A state begins whenever a version comes into force, and holds the latest version of each file
    among those in force; a version that comes into force behind a later one changes nothing.
    """
    in_force = [(s.in_force_from, s.landing) for s in states if s.in_force_from is not None]
    found: list[State] = []
    for moment in sorted({at for at, _ in in_force}):
        latest = _latest_ids(landing for at, landing in in_force if at <= moment)
        if not found or found[-1].landing_ids != latest:
            found.append(State(moment, latest))
    return tuple(found)


def _latest_ids(landings: Iterable[Landing]) -> tuple[int, ...]:
    latest: dict[str, Landing] = {}
    for landing in landings:
        if landing.key not in latest or latest[landing.key].ordinal < landing.ordinal:
            latest[landing.key] = landing
    return tuple(latest[key].landing_id for key in sorted(latest))


def _in_force_by_file_date(
    parts: Parts, source: str, dataset: Dataset, start: date, end: date
) -> dict[date, list[LandingState]]:
    """Return the versions that are or were in force, of every file that can touch the span."""
    grouped: dict[date, list[LandingState]] = {}
    reach = timedelta(days=7)
    for state in parts.ledger.states(source, dataset.name, start - reach, end + reach):
        if state.in_force_from is not None:
            grouped.setdefault(state.landing.file_date, []).append(state)
    return grouped


def _clean_landings(parts: Parts, bronze: Table) -> set[int]:
    return {
        done.unit.scope.landing_id
        for done in parts.ledger.done_all(bronze.name)
        if done.unit.scope.landing_id is not None
        and done.rows_refused == 0
        and done.details.get("in_order") == "yes"
    }


def _trade_dates(
    calendar: Calendar, files: Iterable[date], start: date, end: date
) -> Sequence[date]:
    """Return the dates in `[start, end)` that the files can feed, ascending.

    A bar in no session keeps its file's date, so a file's own date is always among them.
    """
    present = set(files)
    reached = {d for d in calendar.between(start, end) if present & set(calendar.file_dates(d))}
    return sorted(reached | {d for d in present if start <= d < end})


def _sessions(calendar: Calendar, trade_date: date) -> tuple[tuple[str, int, int], ...]:
    return tuple((s.session, s.start_ns, s.end_ns) for s in calendar.of_date(trade_date))


@dataclass(frozen=True, slots=True)
class GoldWork:
    """One unit of gold: a trade date of daily bars, or a month of performance."""

    unit: Unit
    reads_from: date
    """First date that the unit's windows reach."""


def daily_work(
    parts: Parts, source: str, dataset: Dataset, transform: Transform, *, start: date, end: date
) -> Iterator[GoldWork]:
    """Yield each trade date whose daily bars are absent, or older than their minutes."""
    if dataset.silver is None:
        return
    latest = latest_units(parts, dataset.silver, source, dataset.name)
    for trade_date in sorted(d for d in latest if start <= d < end):
        unit = Unit(
            transform.output.name,
            Scope(source, dataset.name, trade_date, trade_date + ONE_DAY),
            digest(transform.digest, latest[trade_date]),
        )
        if parts.ledger.is_done(unit) is None:
            yield GoldWork(unit, trade_date)


def performance_work(
    parts: Parts,
    source: str,
    market: str,
    rules: str,
    inputs: Sequence[tuple[Table, str]],
    *,
    start: date,
    end: date,
) -> Iterator[GoldWork]:
    """Yield each month whose performance is absent, or older than anything in its windows.

    Args:
        parts: The lake.
        source: Connector.
        market: The vendor's prefix that the datasets share, e.g. us_stocks_sip.
        rules: Names the transforms with their parameters, and the precedence of actions.
        inputs: Tables with the dataset whose days are read.
        start: First trade date asked for, inside.
        end: Last trade date asked for, outside; later months that reach back are redone too.
    """
    latest = {
        (table.name, day): unit
        for table, dataset in inputs
        for day, unit in latest_units(parts, table, source, dataset).items()
    }
    days = sorted({day for _, day in latest})
    acting = months_of(parts, silver.CORPORATE_ACTIONS)
    holding = months_of(parts, silver.INSTRUMENTS)
    for first, following in _months(d for d in days if d >= start):
        earlier = parts.calendar.before(first, LOOKBACK_SESSIONS + _AROUND_A_RENAME)
        reads_from = earlier[0] if earlier else first
        read = [(k, latest[k]) for k in sorted(latest) if reads_from <= k[1] < following]
        actions = [(m, acting[m]) for m in sorted(acting) if _touches(m, reads_from, following)]
        near = (reads_from - NEAR, following + NEAR)
        holders = [(m, holding[m]) for m in sorted(holding) if _touches(m, *near)]
        unit = Unit(
            gold.PERFORMANCE.name,
            Scope(source, market, first, following),
            digest(rules, read, *([actions] if actions else []), *([holders] if holders else [])),
        )
        if parts.ledger.is_done(unit) is None and first < _reach(parts.calendar, end):
            yield GoldWork(unit, reads_from)


def _touches(month: str, start: date, end: date) -> bool:
    """Return True if a month has a date in `[start, end)`."""
    return f"{start:%Y-%m}" <= month <= f"{end - ONE_DAY:%Y-%m}"


def _reach(calendar: Calendar, end: date) -> date:
    """Return the first date whose windows no longer reach a change before `end`."""
    later = calendar.between(end, end + 2 * 366 * ONE_DAY)
    return later[LOOKBACK_SESSIONS] if len(later) > LOOKBACK_SESSIONS else end + 2 * 366 * ONE_DAY


def _months(days: Iterable[date]) -> Iterator[tuple[date, date]]:
    for first in sorted({d.replace(day=1) for d in days}):
        yield first, (first + 31 * ONE_DAY).replace(day=1)


def latest_units(parts: Parts, table: Table, source: str, dataset: str) -> dict[date, str]:
    """Return the digest of the unit that each date of a table now holds."""
    latest: dict[date, tuple[datetime, str]] = {}
    for done in parts.ledger.done_all(table.name):
        scope = done.unit.scope
        if (scope.source, scope.dataset) != (source, dataset) or done.outcome is not Outcome.DONE:
            continue
        if scope.start not in latest or latest[scope.start][0] < done.ended:
            latest[scope.start] = (done.ended, done.unit.digest)
    return {day: name for day, (_, name) in latest.items()}
