"""Reference data and answers over ranges: which units their versions make, and what they read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from ingot.app.datasets import landed_datasets
from ingot.app.plan import digest
from ingot.model.time import FOREVER, new_york, to_ns
from ingot.model.work import Scope, Unit
from ingot.tables import silver
from ingot.tables.relation import ArrowRelation
from ingot.transforms.reference import transform_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from ingot.app.parts import Parts
    from ingot.model.landing import Landing, LandingState
    from ingot.tables.dataset import Dataset
    from ingot.transforms.transform import Transform

_INSTANT: Final = pa.timestamp("us", tz="UTC")
_LANDING_TYPES: Final[list[tuple[str, pa.DataType]]] = [
    ("landing_id", pa.int64()),
    ("place", pa.int64()),
    ("since", _INSTANT),
    ("until", _INSTANT),
    ("is_first", pa.bool_()),
    ("assumed_before", _INSTANT),
]
_MIDNIGHT_TYPES: Final[list[tuple[str, pa.DataType]]] = [
    ("day", pa.date32()),
    ("midnight", _INSTANT),
    ("next_midnight", _INSTANT),
    ("midnight_ns", pa.int64()),
]
_KEPT_TYPES: Final[list[tuple[str, pa.DataType]]] = [
    ("landing_id", pa.int64()),
    ("symbol", pa.string()),
    ("until", _INSTANT),
]
_ANY: Final = ""
"""Symbol of a refused row whose symbol could not be read: it may have been any."""
_NO_KEY: Final = frozenset({"symbol", "columns"})
"""Rules by which a row is refused whose symbol is not to be trusted."""
_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A version of a file or query, and for how long it is the latest of its key."""

    landing: Landing
    since: datetime
    until: datetime
    is_first: bool
    """First of its key, and in force from when it was first seen."""


@dataclass(frozen=True, slots=True)
class ReferenceWork:
    """One unit of silver that is made of whole answers."""

    unit: Unit
    spoken: tuple[Spoken, ...]
    """In the order in which they come into force."""


def datasets(parts: Parts) -> Iterator[tuple[str, Dataset]]:
    """Yield each (connector, dataset) that landed and is not one file per trade date."""
    for source, dataset in landed_datasets(parts):
        if not dataset.per_day and dataset.silver is not None:
            yield source, dataset


def spoken(states: Iterable[LandingState]) -> tuple[Spoken, ...]:
    """Return the versions that were ever the latest of their key, by when they came into force."""
    by_key: dict[str, list[LandingState]] = {}
    for state in sorted(states, key=lambda s: s.landing.ordinal):
        if state.in_force_from is not None:
            by_key.setdefault(state.landing.key, []).append(state)
    found = [one for versions in by_key.values() for one in _of_key(versions)]
    return tuple(sorted(found, key=lambda s: (s.since, s.landing.landing_id)))


def _of_key(versions: Sequence[LandingState]) -> Iterator[Spoken]:
    until, first = FOREVER, versions[0]
    for state in reversed(versions):
        since = state.in_force_from
        if since is not None and since < until:
            accepted_later = since > state.landing.known_from
            yield Spoken(state.landing, since, until, state is first and not accepted_later)
            until = since


def work(parts: Parts, source: str, dataset: Dataset) -> tuple[ReferenceWork, ...]:
    """Return the units of a dataset that are absent, or older than what landed or than the rules.

    Actions and instruments are one unit, for any version may speak of any date. Day bars are a
    unit per month.
    """
    table = dataset.silver
    if table is None:
        return ()
    said = spoken(parts.ledger.states(source, dataset.name))
    spans = _months(said) if table is silver.DAY_BARS else _whole(said)
    made = (ReferenceWork(_unit(parts, source, dataset, span, read), read) for span, read in spans)
    return tuple(w for w in made if parts.ledger.is_done(w.unit) is None)


def _unit(
    parts: Parts,
    source: str,
    dataset: Dataset,
    span: tuple[date, date],
    read: Sequence[Spoken],
) -> Unit:
    table = dataset.silver or silver.CORPORATE_ACTIONS
    within = parts.settings.observed_within_h
    heard = [(s.landing.landing_id, s.since, s.until) for s in read]
    name = digest(transform_of(table).digest, within, *heard)
    return Unit(table.name, Scope(source, dataset.name, *span), name)


def _whole(
    said: tuple[Spoken, ...],
) -> Iterator[tuple[tuple[date, date], tuple[Spoken, ...]]]:
    if said:
        yield (date.min, date.max), said


def _months(said: tuple[Spoken, ...]) -> Iterator[tuple[tuple[date, date], tuple[Spoken, ...]]]:
    """Yield each month that answers cover, with the answers that do."""
    asked = [(range_of(one.landing), one) for one in said]
    for first in sorted({m for (start, end), _ in asked for m in _firsts(start, end)}):
        following = (first + 31 * _ONE_DAY).replace(day=1)
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
        first = (first + 31 * _ONE_DAY).replace(day=1)


def landings(parts: Parts, read: Sequence[Spoken]) -> ArrowRelation:
    """Return the relation `landings` of the reference transforms."""
    within = timedelta(hours=parts.settings.observed_within_h)
    rows = [
        (s.landing.landing_id, place, s.since, s.until, s.is_first, s.landing.first_seen - within)
        for place, s in enumerate(read, start=1)
    ]
    return _relation(rows, pa.schema(_LANDING_TYPES))


def kept(parts: Parts, work: ReferenceWork) -> ArrowRelation:
    """Return the relation `kept` of the reference transforms."""
    refused: dict[int, set[str]] = {}
    ids = [one.landing.landing_id for one in work.spoken]
    for landing_id, rule, symbol in parts.ledger.refused_symbols(ids):
        known = symbol if rule not in _NO_KEY else None
        refused.setdefault(landing_id, set()).add(known or _ANY)
    by_key: dict[str, list[Spoken]] = {}
    for one in work.spoken:
        by_key.setdefault(one.landing.key, []).append(one)
    rows = [
        (landing_id, symbol, until)
        for versions in by_key.values()
        for (landing_id, symbol), until in _carried(versions, refused).items()
    ]
    return _relation(rows, pa.schema(_KEPT_TYPES))


def _carried(
    versions: Sequence[Spoken], refused: Mapping[int, set[str]]
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


def midnights(days: Iterable[date]) -> ArrowRelation:
    """Return the relation `midnights` of the reference transforms."""
    rows = [
        (day, new_york(day), new_york(day + _ONE_DAY), to_ns(new_york(day)))
        for day in sorted(set(days))
    ]
    return _relation(rows, pa.schema(_MIDNIGHT_TYPES))


def _relation(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> ArrowRelation:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    arrays = [pa.array(v, f.type) for v, f in zip(columns, schema, strict=True)]
    return ArrowRelation(pa.table(arrays, schema=schema))


def transform(work: ReferenceWork) -> Transform:
    """Return the transform that makes a unit."""
    return _BY_TABLE[work.unit.table]


_BY_TABLE: Final = {
    table.name: transform_of(table)
    for table in (silver.CORPORATE_ACTIONS, silver.INSTRUMENTS, silver.DAY_BARS)
}
