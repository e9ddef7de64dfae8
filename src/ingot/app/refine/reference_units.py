"""Silver made of whole answers: actions, instruments, and day bars of REST answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from ingot.app.context.answer_table import as_table
from ingot.app.inventory.units import ONE_DAY, digest
from ingot.app.refine.step import UnitRows, Work
from ingot.model.time import FOREVER, new_york, to_ns
from ingot.model.unit import Scope, Unit
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.tables.arrow import relation_schema
from ingot.tables.contract import Boolean, Date, Int64, String, TimestampUs
from ingot.tables.input import ArrowRelation
from ingot.transforms.reference import dates_sql, reference_sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from ingot.app.context.lake_context import Parts
    from ingot.app.inventory.action_precedence import MonthDigests
    from ingot.app.refine.step import Context, Feed, Step
    from ingot.model.landing import Landing, LandingState
    from ingot.tables.contract import ColumnType
    from ingot.tables.input import Relation
    from ingot.transforms.transform import Transform

_LANDINGS: Final = {
    "landing_id": Int64,
    "place": Int64,
    "since": TimestampUs,
    "until": TimestampUs,
    "is_first": Boolean,
    "assumed_before": TimestampUs,
}
_MIDNIGHTS: Final = {
    "day": Date,
    "midnight": TimestampUs,
    "next_midnight": TimestampUs,
    "midnight_ns": Int64,
}
_KEPT: Final = {"landing_id": Int64, "symbol": String, "until": TimestampUs}
_ANY: Final = ""
"""Symbol of a refused row whose symbol could not be read: it may have been any."""
_NO_KEY: Final = frozenset({"symbol", "columns"})
"""Rules by which a row is refused whose symbol is not to be trusted."""


@dataclass(frozen=True, slots=True)
class VersionInForce:
    """A version of a file or query, and for how long it is the latest of its key."""

    landing: Landing
    since: datetime
    until: datetime
    is_first: bool
    """First of its key, and in force from when it was first seen."""


def versions_in_force(states: Iterable[LandingState]) -> tuple[VersionInForce, ...]:
    """Return the versions that were ever the latest of their key, by when they came into force."""
    by_key: dict[str, list[LandingState]] = {}
    for state in sorted(states, key=lambda s: s.landing.ordinal):
        if state.in_force_from is not None:
            by_key.setdefault(state.landing.key, []).append(state)
    found = [one for versions in by_key.values() for one in _of_key(versions)]
    return tuple(sorted(found, key=lambda s: (s.since, s.landing.landing_id)))


def _of_key(versions: Sequence[LandingState]) -> Iterator[VersionInForce]:
    until, first = FOREVER, versions[0]
    for state in reversed(versions):
        since = state.in_force_from
        if since is not None and since < until:
            accepted_later = since > state.landing.known_from
            yield VersionInForce(state.landing, since, until, state is first and not accepted_later)
            until = since


@dataclass(frozen=True)
class Answers:
    """Plans and makes the units of a table that is refined from whole answers.

    Where any version may speak of any date the table is one unit; else it is a unit per month.
    """

    transform: Transform
    by_month: MonthDigests | None = None
    """What the done records keep of the rows of each month."""

    def units(self, parts: Parts, step: Step, feed: Feed, start: date, end: date) -> Iterator[Work]:
        """Yield every unit of a feed, whatever the dates: an answer has no date of its own."""
        del start, end
        (dataset,) = feed.reads.values()
        versions = versions_in_force(parts.ledger.states(feed.source, dataset))
        for span, read in _months(versions) if step.unit == "month" else _whole(versions):
            name = digest(
                self.transform.digest,
                parts.settings.observed_within_h,
                *((v.landing.landing_id, v.since, v.until) for v in read),
            )
            unit = Unit(step.output.name, Scope(feed.source, feed.dataset, *span), name)
            yield Work(unit, partial(self._rows, feed, unit.scope, read))

    def _rows(
        self, feed: Feed, scope: Scope, read: Sequence[VersionInForce], context: Context
    ) -> UnitRows:
        parts = context.parts
        ids = [v.landing.landing_id for v in read]
        (bronze,) = feed.reads
        rows = parts.tables.plan(
            ScanRequest(bronze, source=scope.source, dataset=scope.dataset, landing_ids=ids)
        )
        given: dict[str, Relation] = {self.transform.inputs[0]: rows.verify().relation()}
        days: list[Any] = context.run(dates_sql(self.transform), given)["day"].to_pylist()
        given |= {
            "landings": _landings(parts, read),
            "midnights": _midnights(days),
            "kept": _kept(parts, read),
        }
        made = context.run(reference_sql(self.transform, scope), given)
        return UnitRows(
            rows=made,
            rows_in=rows.rows,
            landing_ids=tuple(ids),
            details=self.by_month.of(made) if self.by_month else {},
        )


def _whole(
    versions: tuple[VersionInForce, ...],
) -> Iterator[tuple[tuple[date, date], tuple[VersionInForce, ...]]]:
    if versions:
        yield (date.min, date.max), versions


def _months(
    versions: tuple[VersionInForce, ...],
) -> Iterator[tuple[tuple[date, date], tuple[VersionInForce, ...]]]:
    """Yield each month that answers cover, with the answers that do."""
    asked = [(range_of(one.landing), one) for one in versions]
    for first in sorted({m for (start, end), _ in asked for m in _firsts(start, end)}):
        following = (first + 31 * ONE_DAY).replace(day=1)
        read = tuple(s for (start, end), s in asked if start < following and first < end)
        yield (first, following), read


def range_of(landing: Landing) -> tuple[date, date]:
    """Return the dates that an answer was asked for, half-open: its key ends in `start_end`."""
    start, _, end = landing.key.rpartition("/")[2].partition("_")
    return date.fromisoformat(start), date.fromisoformat(end)


def _firsts(start: date, end: date) -> Iterator[date]:
    first = start.replace(day=1)
    while first < end:
        yield first
        first = (first + 31 * ONE_DAY).replace(day=1)


def _landings(parts: Parts, read: Sequence[VersionInForce]) -> ArrowRelation:
    """Return the relation `landings` of the reference transforms."""
    within = timedelta(hours=parts.settings.observed_within_h)
    rows = [
        (s.landing.landing_id, place, s.since, s.until, s.is_first, s.landing.first_seen - within)
        for place, s in enumerate(read, start=1)
    ]
    return _relation(rows, _LANDINGS)


def _kept(parts: Parts, read: Sequence[VersionInForce]) -> ArrowRelation:
    """Return the relation `kept` of the reference transforms."""
    refused: dict[int, set[str]] = {}
    ids = [one.landing.landing_id for one in read]
    for landing_id, rule, symbol in parts.ledger.refused_symbols(ids):
        known = symbol if rule not in _NO_KEY else None
        refused.setdefault(landing_id, set()).add(known or _ANY)
    by_key: dict[str, list[VersionInForce]] = {}
    for one in read:
        by_key.setdefault(one.landing.key, []).append(one)
    rows = [
        (landing_id, symbol, until)
        for versions in by_key.values()
        for (landing_id, symbol), until in _carried(versions, refused).items()
    ]
    return _relation(rows, _KEPT)


def _carried(
    versions: Sequence[VersionInForce], refused: Mapping[int, set[str]]
) -> dict[tuple[int, str], datetime]:
    """Return how long each version's rows of a symbol outlast it, by versions of one query."""
    found: dict[tuple[int, str], datetime] = {}
    for before, after in reversed(list(pairwise(versions))):
        later = after.landing.landing_id
        symbols = refused.get(later, set())
        ends = {s: found.get((later, s), found.get((later, _ANY), after.until)) for s in symbols}
        if _ANY in symbols:
            ends |= {s: max(ends[_ANY], u) for (i, s), u in found.items() if i == later}
        found |= {(before.landing.landing_id, symbol): end for symbol, end in ends.items()}
    return found


def _midnights(days: Iterable[date]) -> ArrowRelation:
    """Return the relation `midnights` of the reference transforms."""
    rows = [
        (day, new_york(day), new_york(day + ONE_DAY), to_ns(new_york(day)))
        for day in sorted(set(days))
    ]
    return _relation(rows, _MIDNIGHTS)


def _relation(rows: Sequence[tuple[Any, ...]], columns: Mapping[str, ColumnType]) -> ArrowRelation:
    return ArrowRelation(as_table(relation_schema(columns), rows))
