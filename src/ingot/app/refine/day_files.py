"""Silver made of one file a trade date, with the history of every version of the files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol

from ingot.app.inventory.units import ONE_DAY, digest
from ingot.app.refine.step import UnitRows, Work
from ingot.model import known_time
from ingot.model.unit import Scope, Unit
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.tables.input import ArrowRelation
from ingot.transforms.silver import duplicates_counted_sql, history_sql, rejects_sql
from ingot.transforms.version_history import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from ingot.app.context.lake_context import Parts
    from ingot.app.refine.step import Context, Feed, Step
    from ingot.model.calendar import Calendar
    from ingot.model.landing import LandingState
    from ingot.tables.trailing import TrailingBars
    from ingot.transforms.transform import Transform

_REACH = timedelta(days=7)
"""A file this far from a span can hold a bar of it."""


class _Trailing(Protocol):
    def __call__(
        self, scope: Scope, states: Sequence[State], *, unique: bool
    ) -> TrailingBars | None: ...


@dataclass(frozen=True)
class DayFiles:
    """Plans and makes the trade dates of a table that is refined from one file a day."""

    transform: Transform
    trailing: _Trailing | None = None

    def units(self, parts: Parts, step: Step, feed: Feed, start: date, end: date) -> Iterator[Work]:
        """Yield each trade date in `[start, end)` that a file of the feed can hold rows of."""
        calendar = parts.calendar
        ((bronze, dataset),) = feed.reads.items()
        by_date = _in_force_by_file_date(parts, feed.source, dataset, start, end)
        clean = _clean_landings(parts, bronze.name)
        for trade_date in _trade_dates(calendar, by_date, start, end):
            file_dates = tuple(d for d in calendar.file_dates(trade_date) if d in by_date)
            states = change_points(s for d in file_dates for s in by_date[d])
            unit = Unit(
                step.output.name,
                Scope(feed.source, feed.dataset, trade_date, trade_date + ONE_DAY),
                digest(self.transform.digest, states, _sessions(calendar, trade_date)),
            )
            day = _Day(unit.scope, states, file_dates, clean)
            yield Work(unit, partial(self._rows, step, feed, day))

    def _rows(self, step: Step, feed: Feed, day: _Day, context: Context) -> UnitRows:
        parts, scope, states = context.parts, day.scope, day.states
        ids = day.landing_ids
        (bronze,) = feed.reads
        bars = parts.tables.plan(
            ScanRequest(
                bronze,
                start=day.file_dates[0],
                end=day.file_dates[-1] + ONE_DAY,
                source=scope.source,
                dataset=scope.dataset,
                landing_ids=ids,
            )
        )
        unique = day.is_unique
        return UnitRows(
            inputs={
                "bars": bars.verify().relation(),
                **{i.name: i.read(parts, scope) for i in step.inputs if i.read is not None},
                "refused": ArrowRelation(parts.ledger.refused_keys(ids)),
            },
            sql=history_sql(self.transform, scope, states, unique=unique),
            trailing=self.trailing(scope, states, unique=unique) if self.trailing else None,
            rejects=rejects_sql(self.transform, scope, states, unique=unique),
            one_version=len(states) == 1,
            duplicates="" if unique else duplicates_counted_sql(step.output, states),
            rows_in=bars.rows,
            landing_ids=tuple(ids),
        )


@dataclass(frozen=True)
class _Day:
    """One trade date of one dataset."""

    scope: Scope
    states: tuple[State, ...]
    file_dates: tuple[date, ...]
    clean: frozenset[int]
    """Landings that hold no key twice and of which nothing was refused."""

    @property
    def landing_ids(self) -> list[int]:
        """The landings of all states, ascending."""
        return sorted({i for state in self.states for i in state.landing_ids})

    @property
    def is_unique(self) -> bool:
        """Whether the text may skip deduplication."""
        return self.clean.issuperset(self.landing_ids)


def change_points(states: Iterable[LandingState]) -> tuple[State, ...]:
    """Return the states that a trade date went through, ascending.

    A state begins whenever a version comes into force, and holds the latest version of each file
    among those in force; a version that comes into force behind a later one changes nothing.
    """
    return tuple(
        State(moment, tuple(v.landing_id for v in sorted(in_force, key=lambda v: v.key)))
        for moment, in_force in known_time.change_points(states)
    )


def _in_force_by_file_date(
    parts: Parts, source: str, dataset: str, start: date, end: date
) -> dict[date, list[LandingState]]:
    """Return the versions that are or were in force, of every file that can touch the span."""
    grouped: dict[date, list[LandingState]] = {}
    for state in parts.ledger.states(source, dataset, start - _REACH, end + _REACH):
        if state.in_force_from is not None:
            grouped.setdefault(state.landing.file_date, []).append(state)
    return grouped


def _clean_landings(parts: Parts, bronze: str) -> frozenset[int]:
    return frozenset(
        done.unit.scope.landing_id
        for done in parts.ledger.done_all(bronze)
        if done.unit.scope.landing_id is not None
        and done.rows_refused == 0
        and done.details.get("in_order") == "yes"
    )


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
