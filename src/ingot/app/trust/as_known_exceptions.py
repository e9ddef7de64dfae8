"""Exceptions of the as-known law: what may change query results as known at past moments."""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from ingot.app.context.answer_table import listed
from ingot.app.inventory.datasets import reference_datasets
from ingot.app.inventory.units import TRANSFORM
from ingot.app.read.reader import reader_of
from ingot.model.landing import KnownBasis
from ingot.tables import bronze, silver
from ingot.tables.view import HISTORY, Condition

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from ingot.app.context.lake_context import Parts
    from ingot.app.read.reader import Reader
    from ingot.model.landing import Landing
    from ingot.model.unit import Done
    from ingot.query.result.answer import Answer
    from ingot.tables.contract import Table

_INSTANT: Final = pa.timestamp("us", tz="UTC")
_COLUMNS: Final = (
    ("exception", pa.string()),
    ("affects", pa.string()),
    ("source", pa.string()),
    ("dataset", pa.string()),
    ("first_date", pa.date32()),
    ("last_date", pa.date32()),
    ("answers_from", _INSTANT),
    ("happened_at", _INSTANT),
    ("landing_id", pa.int64()),
    ("why", pa.string()),
)
_DAYS: Final = {
    silver.CORPORATE_ACTIONS.name: "ex_date",
    silver.INSTRUMENTS.name: "valid_from",
    silver.DAY_BARS.name: "trade_date",
    bronze.CORPORATE_ACTIONS.name: "ex_date",
    bronze.INSTRUMENTS.name: "valid_from",
}
"""The column that dates a row."""


def retroactive(parts: Parts) -> Answer:
    """Return the exceptions of the as-known law: what may change results as known in the past.

    `assumed` and `stated` landings were taken as known before this lake saw them, or from a
    moment that a person stated: they change results of (query, T) for T from `answers_from` on,
    given before `happened_at`. So do rows of actions, instruments and REST responses that have a
    known time of their own. `new_rules` are units refined again from the same landings by
    another transform, sessions or rule.
    """
    rows = [*_landings(parts), *_earlier_rows(parts), *_redone(parts)]
    return listed(parts, _COLUMNS, sorted(rows, key=lambda r: (r[7], r[0], str(r[1:]))))


def _landings(parts: Parts) -> Iterator[tuple[Any, ...]]:
    for source, dataset in parts.ledger.datasets():
        if source == "sessions":
            continue
        for state in parts.ledger.states(source, dataset):
            landing = state.landing
            if why := _why(landing):
                yield (
                    landing.known_basis.value,
                    f"{landing.key} version {landing.ordinal}",
                    source,
                    dataset,
                    landing.file_date,
                    landing.file_date,
                    landing.known_from,
                    landing.first_seen,
                    landing.landing_id,
                    why,
                )


def _earlier_rows(parts: Parts) -> Iterator[tuple[Any, ...]]:
    """Yield rows that were known before the first version that has them, table by table."""
    reader = reader_of(parts)
    for source, dataset in reference_datasets(parts):
        states = parts.ledger.states(source, dataset.name)
        first = min((s.landing.first_seen for s in states), default=None)
        if dataset.silver is None or first is None:
            continue
        yield from _assumed_rows(reader, source, dataset.name, dataset.silver, first)
        if "stated_from" in dataset.bronze.column_names:
            by_id = {s.landing.landing_id: s.landing for s in states}
            yield from _stated_rows(reader, dataset.bronze, by_id)


def _assumed_rows(
    reader: Reader, source: str, dataset: str, table: Table, first: datetime
) -> Iterator[tuple[Any, ...]]:
    name, day = table.name + HISTORY, _DAYS[table.name]
    mine = (Condition("source", "=", source), Condition("dataset", "=", dataset))
    earlier = Condition(table.KNOWN_FROM, "<", first)
    (row,) = reader.run(
        f"SELECT count(*) AS rows, min({day}) AS first, max({day}) AS last, "
        f"min(known_from) AS since FROM {name}",
        {name: reader.view(name, None, (*mine, earlier))},
    ).to_pylist()
    if row["rows"]:
        yield (
            KnownBasis.ASSUMED.value,
            f"{row['rows']} rows of {table.name}",
            source,
            dataset,
            row["first"],
            row["last"],
            row["since"],
            first,
            None,
            "the market knew them, or they state it, before this lake first saw them",
        )


def _stated_rows(
    reader: Reader, table: Table, landings: Mapping[int, Landing]
) -> Iterator[tuple[Any, ...]]:
    name, day = table.name + HISTORY, _DAYS[table.name]
    rows = reader.run(
        f"SELECT landing_id, count(*) AS rows, min({day}) AS first, max({day}) AS last, "
        f"min(stated_from) AS since FROM {name} WHERE stated_from IS NOT NULL GROUP BY landing_id",
        {name: reader.view(name, None, ())},
    ).to_pylist()
    for row in rows:
        landing = landings.get(row["landing_id"])
        if landing is not None and row["since"] < landing.first_seen:
            yield (
                KnownBasis.STATED.value,
                f"{row['rows']} rows of {landing.key} version {landing.ordinal}",
                landing.source,
                landing.dataset,
                row["first"],
                row["last"],
                row["since"],
                landing.first_seen,
                landing.landing_id,
                "the rows state from when they were known",
            )


def _why(landing: Landing) -> str | None:
    if landing.known_basis is KnownBasis.ASSUMED and landing.known_from < landing.first_seen:
        return f"first seen after it was due by {landing.rule}; taken as known from then"
    if landing.known_basis is KnownBasis.STATED:
        return "a person set the clock (--now) or the known time"
    return None


def _redone(parts: Parts) -> Iterator[tuple[Any, ...]]:
    """Yield the units that were refined again by other rules, those of one run together."""
    changed = []
    for _, records in groupby(parts.ledger.redone(), key=lambda d: (d.unit.table, d.unit.scope)):
        changed += [(new, why) for old, new in pairwise(records) if (why := _rules(old, new))]
    changed.sort(key=lambda pair: _group(*pair))
    for (table, source, dataset, run, why), group in groupby(changed, key=lambda p: _group(*p)):
        dones = [done for done, _ in group]
        yield (
            "new_rules",
            f"{table}: {len(dones)} units",
            source,
            dataset,
            min(d.unit.scope.start for d in dones),
            max(d.unit.scope.start for d in dones),
            _known_from(parts, dones),
            min(d.ended for d in dones),
            None,
            f"{why}; run {run}",
        )


def _group(done: Done, why: str) -> tuple[str, str, str, str, str]:
    scope = done.unit.scope
    return done.unit.table, scope.source, scope.dataset, done.run, why


def _rules(old: Done, new: Done) -> str | None:
    """Return which rules differ between two records of one scope; None where they do not."""
    then, now = old.details.get(TRANSFORM), new.details.get(TRANSFORM)
    if then and now and then != now:
        return f"transform {then} then, {now} now"
    same_input = bool(new.landing_ids) and old.landing_ids == new.landing_ids
    if same_input and old.unit.digest != new.unit.digest:
        return "sessions or known times changed" if then and now else "rules changed"
    return None


def _known_from(parts: Parts, dones: Sequence[Done]) -> datetime | None:
    """Return the first moment as known at which a result may differ."""
    ids = {i for done in dones for i in done.landing_ids}
    found = [landing.known_from for landing in _by_id(parts, ids)]
    return min(found, default=None)


def _by_id(parts: Parts, ids: Iterable[int]) -> Iterator[Landing]:
    wanted = set(ids)
    for source, dataset in parts.ledger.datasets():
        for state in parts.ledger.states(source, dataset):
            if state.landing.landing_id in wanted:
                yield state.landing
