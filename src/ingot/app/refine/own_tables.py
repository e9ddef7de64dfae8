"""Silver of the tables that a lake declares itself: one step, made of a table's contract."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from ingot.app.context.answer_table import as_table
from ingot.app.inventory.units import ONE_DAY, digest
from ingot.app.refine.planner import feeds_of_answers
from ingot.app.refine.reference_units import versions_in_force
from ingot.app.refine.step import Input, Step, UnitRows, Work
from ingot.model.unit import Scope, Unit
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.tables.arrow import relation_schema
from ingot.tables.contract import Int64, TimestampUs
from ingot.tables.input import ArrowRelation
from ingot.transforms.own_table import own_table_sql, own_transform

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from ingot.app.context.lake_context import Parts
    from ingot.app.refine.reference_units import VersionInForce
    from ingot.app.refine.step import Context, Feed
    from ingot.tables.contract import Table
    from ingot.transforms.transform import Transform

_LANDINGS = {"landing_id": Int64, "place": Int64, "since": TimestampUs}


def own_step(silver: Table, bronze: Table) -> Step:
    """Return the step from a declared table of bronze to that of silver."""
    transform = own_transform(silver)
    return Step(
        silver,
        (Input("given", bronze),),
        "day",
        transform,
        feeds=feeds_of_answers,
        plan=_Dates(transform).units,
    )


@dataclass(frozen=True)
class _Dates:
    """Plans and makes the dates of a table: the versions of a date's file are its states."""

    transform: Transform

    def units(self, parts: Parts, step: Step, feed: Feed, start: date, end: date) -> Iterator[Work]:
        """Yield each date in `[start, end)` that a file of the table has rows of."""
        (dataset,) = feed.reads.values()
        states = parts.ledger.states(feed.source, dataset, start, end)
        by_date = sorted(versions_in_force(states), key=lambda v: (v.landing.file_date, v.since))
        for day, group in groupby(by_date, key=lambda v: v.landing.file_date):
            read = tuple(group)
            name = digest(self.transform.digest, *((v.landing.landing_id, v.since) for v in read))
            scope = Scope(feed.source, feed.dataset, day, day + ONE_DAY)
            unit = Unit(step.output.name, scope, name)
            yield Work(unit, partial(self._rows, feed, scope, read))

    def _rows(
        self, feed: Feed, scope: Scope, read: Sequence[VersionInForce], context: Context
    ) -> UnitRows:
        parts, ids = context.parts, [v.landing.landing_id for v in read]
        (bronze,) = feed.reads
        rows = parts.tables.plan(
            ScanRequest(
                bronze,
                start=scope.start,
                end=scope.end,
                source=scope.source,
                dataset=scope.dataset,
                landing_ids=ids,
            )
        )
        places = [(v.landing.landing_id, place, v.since) for place, v in enumerate(read, start=1)]
        return UnitRows(
            inputs={
                "given": rows.verify().relation(),
                "landings": ArrowRelation(as_table(relation_schema(_LANDINGS), places)),
                "refused": ArrowRelation(parts.ledger.refused_keys(ids)),
            },
            sql=own_table_sql(self.transform, scope),
            rows_in=rows.rows,
            landing_ids=tuple(ids),
        )
