"""The planner: which units of a step are absent, changed or stale."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from ingot.app.inventory.datasets import refined_datasets
from ingot.app.inventory.units import ONE_DAY, digest
from ingot.app.refine.step import Feed, UnitRows, Work
from ingot.model.landing import Outcome
from ingot.model.unit import Scope, Unit
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.tables.contract import Binding
from ingot.transforms.sql_literals import literal
from ingot.transforms.version_history import versioned_sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from ingot.app.context.lake_context import Parts
    from ingot.app.refine.step import Context, Input, Step
    from ingot.tables.contract import Table
    from ingot.tables.input import Relation


def feeds_of(parts: Parts, step: Step) -> tuple[Feed, ...]:
    """Return the series of rows that a step makes of what the lake holds."""
    return tuple((step.feeds or feeds_of_inputs)(parts, step))


def stale_units(parts: Parts, step: Step, feed: Feed, start: date, end: date) -> Iterator[Work]:
    """Yield the units of a feed within `[start, end)` that are absent, changed or stale."""
    for work in (step.plan or units_of_inputs)(parts, step, feed, start, end):
        if parts.ledger.is_done(work.unit) is None:
            yield work


def feeds_of_files(parts: Parts, step: Step) -> Iterator[Feed]:
    """Yield a feed for each dataset of one file a day that is refined to the step's table."""
    return _feeds_of_landed(parts, step, per_day=True)


def feeds_of_answers(parts: Parts, step: Step) -> Iterator[Feed]:
    """Yield a feed for each dataset of whole answers that is refined to the step's table."""
    return _feeds_of_landed(parts, step, per_day=False)


def _feeds_of_landed(parts: Parts, step: Step, *, per_day: bool) -> Iterator[Feed]:
    for source, dataset in refined_datasets(parts):
        if dataset.silver == step.output and dataset.per_day is per_day:
            yield Feed(source, dataset.name, {dataset.bronze: dataset.name})


def feeds_of_inputs(parts: Parts, step: Step) -> Iterator[Feed]:
    """Yield a feed for each dataset that one of the inputs holds."""
    tables = [i.table for i in step.dated_inputs]
    for source, dataset in sorted({f for t in tables for f in parts.ledger.datasets_of(t.name)}):
        yield Feed(source, dataset, dict.fromkeys(tables, dataset))


def feeds_of_markets(parts: Parts, step: Step) -> Iterator[Feed]:
    """Yield a feed for each vendor's prefix, such as us_stocks_sip, that the datasets share."""
    found: dict[tuple[str, str], dict[Table, str]] = {}
    for table in (i.table for i in step.dated_inputs):
        for source, dataset in parts.ledger.datasets_of(table.name):
            found.setdefault((source, dataset.partition("/")[0]), {})[table] = dataset
    for (source, market), reads in sorted(found.items()):
        yield Feed(source, market, reads)


def latest_units(parts: Parts, table: Table, source: str, dataset: str) -> dict[date, str]:
    """Return the digest of the unit that each date of a table now holds."""
    latest: dict[date, tuple[datetime, str]] = {}
    for done in parts.ledger.done_all(table.name, source=source, dataset=dataset):
        scope = done.unit.scope
        if done.outcome is not Outcome.DONE:
            continue
        if scope.start not in latest or latest[scope.start][0] < done.ended:
            latest[scope.start] = (done.ended, done.unit.digest)
    return {day: name for day, (_, name) in latest.items()}


def latest_of_feed(parts: Parts, feed: Feed) -> dict[tuple[str, date], str]:
    """Return the digest of the unit that each table and date of a feed now holds."""
    return {
        (table.name, day): unit
        for table, dataset in feed.reads.items()
        for day, unit in latest_units(parts, table, feed.source, dataset).items()
    }


def months(days: Iterable[date]) -> Iterator[tuple[date, date]]:
    """Yield the months that these days are in, half-open, ascending."""
    for first in sorted({d.replace(day=1) for d in days}):
        yield first, (first + 31 * ONE_DAY).replace(day=1)


def units_of_inputs(parts: Parts, step: Step, feed: Feed, start: date, end: date) -> Iterator[Work]:
    """Yield the days or months in `[start, end)` that the inputs hold, or all of it as one unit."""
    latest = latest_of_feed(parts, feed)
    days = sorted({day for _, day in latest if step.unit == "whole" or start <= day < end})
    beside = sorted(
        done.unit.digest
        for table in (i.table for i in step.inputs if i.every_source)
        for done in parts.ledger.done_all(table.name)
    )
    spans: Iterable[tuple[date, date]] = ((day, day + ONE_DAY) for day in days)
    if step.unit == "month":
        spans = months(days)
    elif step.unit == "whole":
        spans = [(date.min, date.max)] if days else []
    for first, following in spans:
        read = [latest[k] for k in sorted(latest) if first <= k[1] < following]
        unit = Unit(
            step.output.name,
            Scope(feed.source, feed.dataset, first, following),
            digest(step.rules_digest(parts.settings), *read, *beside),
        )
        yield Work(unit, partial(_rows_of_inputs, step, feed, unit.scope))


def _rows_of_inputs(step: Step, feed: Feed, scope: Scope, context: Context) -> UnitRows:
    inputs = {i.name: _relation(context.parts, i, feed, scope) for i in step.inputs}
    return UnitRows(inputs, step.sql(scope) if step.sql else _text(step, scope))


def _relation(parts: Parts, wanted: Input, feed: Feed, scope: Scope) -> Relation:
    if wanted.read is not None:
        return wanted.read(parts, scope)
    if wanted.every_source:
        return parts.tables.plan(ScanRequest(wanted.table)).verify().relation()
    dataset = feed.reads[wanted.table]
    plan = parts.tables.plan(
        ScanRequest(
            wanted.table, start=scope.start, end=scope.end, source=feed.source, dataset=dataset
        )
    )
    where = f"source = {literal(feed.source)} AND dataset = {literal(dataset)}"
    return plan.verify().relation(where=where)


def _text(step: Step, scope: Scope) -> str:
    assert step.transform is not None  # noqa: S101  # a step without a text has one
    if step.output.binding is Binding.INTERVAL:
        return versioned_sql(step.transform, scope)
    return step.transform.fill(
        source=literal(scope.source),
        dataset=literal(scope.dataset),
        start=literal(scope.start),
        end=literal(scope.end),
    )
