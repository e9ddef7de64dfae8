"""What a query result was made from: snapshots of tables, landings in force, rules, digests."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from ingot.app.inventory.datasets import landed_datasets
from ingot.app.refine.steps import lineage, rules_of, steps_to
from ingot.export.manifest import LandingRead, Manifest, SessionsRead, TableRead
from ingot.export.request import encoded
from ingot.model.known_time import in_force
from ingot.quality.content_hash import content_hash
from ingot.tables.contract import Binding
from ingot.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from ingot.app.context.lake_context import Parts
    from ingot.app.read.read_log import ReadLog
    from ingot.model.landing import Landing
    from ingot.query.result.answer import Answer
    from ingot.storage.iceberg.read.scan_planner import ScanRequest
    from ingot.tables.contract import Table

SHAPING: Final = ("calendar", "source_precedence", "action_sources", "instrument_sources")
"""Settings that shape an answer; those that this Ingot has are in every manifest."""
_LIBRARIES: Final = ("duckdb", "polars", "pyarrow")
_RAW: Final = "raw"


def manifest_of(parts: Parts, log: ReadLog, answer: Answer, rows: pa.Table, form: str) -> Manifest:
    """Return the manifest of a query result before any file of it is written.

    Args:
        parts: The lake.
        log: The query and what it read.
        answer: The result.
        rows: Its rows in the order and types in which they are written.
        form: The format.
    """
    query = log.query
    assert query is not None  # noqa: S101  # a query was run
    read, facts = _tables(parts, log), log.facts(parts)
    landings = _landings(parts, log, answer)
    question = {"kind": query.kind, "asked": encoded(query.what)}
    question["others"] = {name: encoded(value) for name, value in sorted(query.others.items())}
    return Manifest(
        question=question,
        form=form,
        known_at=answer.known_at,
        is_now=query.is_now,
        basis=str(getattr(query.what, "basis", query.others.get("basis", _RAW))),
        settled=answer.settled,
        tables=tuple(
            TableRead(name, pin.snapshot_id, pin.manifest_list, pin.columns)
            for name, pin in sorted(log.pins.items())
        ),
        landings=tuple(_read(landing) for landing in landings),
        bound=dict(facts.bound or {}),
        sessions=sessions_read(parts),
        known_rules=tuple(sorted({landing.rule for landing in landings})),
        sources=facts.sources.present,
        settings=shaping(parts),
        transforms=rules_of(parts, [*read, *(t for r in read for t in _silver_above(r))]),
        code_version=__version__,
        writers=writer_versions(),
        rows=rows.num_rows,
        columns=tuple((field.name, str(field.type)) for field in rows.schema),
        content_hash=content_hash(rows),
        files=(),
    )


def writer_versions() -> dict[str, str]:
    """Return the versions of the libraries that decide which bytes are written."""
    import zlib

    return {name: version(name) for name in _LIBRARIES} | {"zlib": zlib.ZLIB_RUNTIME_VERSION}


def shaping(parts: Parts) -> dict[str, Any]:
    """Return the settings that shape answers, as JSON."""
    return parts.settings.model_dump(mode="json", include=set(SHAPING))


def sessions_read(parts: Parts) -> SessionsRead:
    """Return which version of the calendar names the sessions."""
    calendar = parts.calendar
    states = parts.ledger.states("sessions", calendar.name)
    latest = max((s.landing for s in states), key=lambda v: v.ordinal, default=None)
    return SessionsRead(calendar.name, calendar.digest, latest.sha256 if latest else "")


def _tables(parts: Parts, log: ReadLog) -> list[Table]:
    return [parts.table(name) for name in sorted(log.pins)]


def _silver_above(table: Table) -> Iterator[Table]:
    return (t for t in lineage(table) if t.namespace == "silver")


def _landings(parts: Parts, log: ReadLog, answer: Answer) -> tuple[Landing, ...]:
    """Return the landings in force that the tables' rows were made of, by date and key."""
    wanted: set[int] = set()
    for read in log.scans:
        for table in (read.table, *_silver_above(read.table)):
            wanted |= set(_of_units(parts, table, read))
    read_tables = {read.table for read in log.scans}
    bronze = {(s, d.name) for s, d in landed_datasets(parts) if d.bronze in read_tables}
    found: list[Landing] = []
    for states in log.facts(parts).states:
        at_t = in_force(states, answer.known_at)
        found += [v for v in at_t if v.landing_id in wanted or (v.source, v.dataset) in bronze]
    return tuple(sorted(found, key=lambda v: (v.source, v.dataset, v.file_date, v.key)))


def _of_units(parts: Parts, table: Table, read: ScanRequest) -> Iterator[int]:
    """Yield the landings that the units of a silver table within a read's dates were made of."""
    # The windows of a month reach dates before those that were read.
    whole = table is not read.table and any(s.unit != "day" for s in steps_to(read.table))
    start, end = (None, None) if whole else (read.start, read.end)
    if table.namespace != "silver" or table.binding is Binding.DIGEST:
        return
    for done in parts.ledger.done_all(table.name):
        scope = done.unit.scope
        if (start or date.min) < scope.end and scope.start < (end or date.max):
            yield from done.landing_ids


def _read(landing: Landing) -> LandingRead:
    return LandingRead(**{f.name: getattr(landing, f.name) for f in fields(LandingRead)})
