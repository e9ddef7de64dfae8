"""The state of a lake: per table freshness, size, stale and missing days."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ingot.app.context import resources
from ingot.app.context.answer_table import listed
from ingot.app.inventory.markets import refinements
from ingot.app.inventory.undecided import named, waiting
from ingot.app.inventory.undeclared import undeclared
from ingot.app.refine.planner import feeds_of, stale_units
from ingot.app.refine.steps import all_steps, steps_of, steps_to
from ingot.model.check_record import SCRUB
from ingot.model.landing import KnownBasis, Outcome
from ingot.storage.iceberg.maintenance.orphans import orphans
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.tables import bronze
from ingot.tables.contract import Binding
from ingot.tables.own import OwnTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.app.context.lake_context import Parts
    from ingot.model.landing import Landing
    from ingot.query.result.answer import Answer
    from ingot.tables.contract import Table

_INSTANT = pa.timestamp("us", tz="UTC")
_COLUMNS = (
    ("table", pa.string()),
    ("rows", pa.int64()),
    ("days", pa.int64()),
    ("watermark", pa.date32()),
    ("missing_days", pa.int64()),
    ("stale_days", pa.int64()),
    ("settled_until", _INSTANT),
    ("last_commit", _INSTANT),
    ("size_bytes", pa.int64()),
    ("files", pa.int64()),
    ("snapshots", pa.int64()),
    ("orphans", pa.int64()),
)

_SHOWN = 3


def status(parts: Parts) -> Answer:
    """Return one row per table: size, freshness, watermark, stale and missing days, orphans.

    `watermark` is the last date that the table holds; `stale_days` are units whose inputs or
    rules changed since they were done; `missing_days` are trade dates between first and last that
    the table lacks; `settled_until` is null while everything landed is refined.
    """
    settled = parts.ledger.settled_until(refinements(parts))
    stale = _stale(parts)
    rows = [_row(parts, t, stale.get(t.name, 0), settled) for t in parts.all_tables]
    return listed(parts, _COLUMNS, rows, notices=tuple(_notices(parts)))


def _row(parts: Parts, table: Table, stale: int, settled: datetime | None) -> tuple[Any, ...]:
    stats = parts.tables.stats(table)
    days = _days(parts, table)
    missing = None if isinstance(table, OwnTable) else _missing(parts, days)
    derived = bool(steps_to(table)) and table.binding is not Binding.DIGEST
    return (
        table.name,
        stats.rows,
        len(days) or None,
        max(days, default=None),
        missing,
        stale if derived else None,
        settled if derived else None,
        stats.last_commit,
        stats.size_bytes,
        stats.files,
        stats.snapshots,
        len(orphans(parts.tables.workplace(table))),
    )


def _days(parts: Parts, table: Table) -> set[date]:
    """Return the dates that a table's units have brought rows for."""
    if not _has_days(table):
        return set()
    return {
        done.unit.scope.start
        for done in parts.ledger.done_all(table.name)
        if done.outcome is not Outcome.REFUSED and done.rows_out
    }


def _has_days(table: Table) -> bool:
    """Return True if units of a table are days: those of the steps that make or read it."""
    if table.namespace == "ops":
        return False
    made = [step.unit for step in steps_to(table)]
    read = [s.unit for s in all_steps() if table in [i.table for i in s.dated_inputs]]
    return "day" in (made or read) or not (made or read)


def _missing(parts: Parts, days: set[date]) -> int | None:
    if not days:
        return None
    expected = parts.calendar.between(min(days), max(days) + timedelta(days=1))
    return sum(day not in days for day in expected)


def _stale(parts: Parts) -> dict[str, int]:
    """Count the units that a build would redo, by table."""
    span = (date(1900, 1, 1), parts.clock.now().date() + timedelta(days=366))
    counts: Counter[str] = Counter()
    for step in steps_of(parts):
        for feed in feeds_of(parts, step):
            counts[step.output.name] += sum(1 for _ in stale_units(parts, step, feed, *span))
    return counts


def _last_scrub(parts: Parts) -> str:
    last = parts.ledger.last_checked(SCRUB)
    if last is None:
        return "the lake was never read whole; find damage with: ingot scrub"
    where = f" of {last.table}" if last.table else ""
    found = f"{last.violations} of {last.checked:,} files{where} were damaged or missing"
    return f"last scrub {last.ended:%Y-%m-%d %H:%M} UTC: {found}"


def _missing_files(parts: Parts) -> int:
    """Count the live data files that are missing or have another size."""
    plans = (parts.tables.plan(ScanRequest(table)) for table in parts.all_tables)
    return sum(1 for plan in plans for _ in plan.damaged())


def _notices(parts: Parts) -> Iterator[str]:
    yield from undeclared(parts)
    yield _last_scrub(parts)
    if missing := _missing_files(parts):
        yield f"{missing} data files are missing or cut short; name them with: ingot scrub"
    held: list[str] = []
    refused = late = 0
    ahead: set[int] = set()
    now = parts.clock.now()
    for source, dataset in parts.ledger.datasets():
        states = parts.ledger.states(source, dataset)
        held += [named(s) for s in waiting(states) if s.outcome is Outcome.HELD]
        for state in states:
            refused += state.outcome is Outcome.REFUSED
            late += _modified_after_assumed(state.landing)
            if state.in_force_from is not None and state.in_force_from > now:
                ahead.add(state.landing.landing_id)
    if held:
        more = f" and {len(held) - _SHOWN} more" if len(held) > _SHOWN else ""
        names = ", ".join(held[:_SHOWN])
        yield f"{len(held)} versions are held: {names}{more}; see: ingot landings"
    if refused:
        yield f"{refused} versions were refused whole; see: ingot landings"
    if ahead:
        yield (
            f"{len(ahead)} versions with {_rows_of(parts, ahead):,} rows are known only from a "
            "moment in the future on: the clock was ahead when they landed, or a person stated it"
        )
    if late:
        yield (
            f"{late} days with an assumed known time were modified at the vendor after it: their "
            "content may be of a later correction (setting assumed_known)"
        )


def _rows_of(parts: Parts, landing_ids: set[int]) -> int:
    dones = (done for table in bronze.TABLES for done in parts.ledger.done_all(table.name))
    return sum(done.rows_out for done in dones if done.unit.scope.landing_id in landing_ids)


def _modified_after_assumed(landing: Landing) -> bool:
    if landing.known_basis is not KnownBasis.ASSUMED or landing.last_modified is None:
        return False
    return bool(landing.last_modified > landing.known_from)


def profile(parts: Parts, *, strategy: str, workers: int | None) -> Answer:
    """Return what the machine has, and how a backfill of many days would use it."""
    machine = resources.look(parts.root)
    chosen = resources.choose(machine, parts.settings, strategy=strategy, workers=workers, days=250)
    rows = [
        ("cores", str(machine.cores), "cores that this process may use"),
        ("memory_mb", str(machine.memory_bytes >> 20), "memory of the machine or container"),
        ("available_mb", str(machine.available_bytes >> 20), "memory that is free now"),
        ("disk_free_mb", str(machine.disk_free_bytes >> 20), "disk free beside the lake"),
        ("strategy", chosen.strategy, chosen.why),
        ("workers", str(chosen.workers), "files worked on at once"),
        ("memory_budget_mb", str(chosen.memory_budget_mb), "what a run may use"),
        ("engine_memory_mb", str(chosen.engine_memory_mb), "DuckDB's share; beyond it spills"),
        ("engine_threads", str(chosen.engine_threads), "threads of one transform"),
        ("commit_days", str(chosen.commit_days), "days in one commit at most"),
        ("commit_seconds", str(chosen.commit_seconds), "seconds that a finished day waits at most"),
    ]
    columns = (("what", pa.string()), ("value", pa.string()), ("why", pa.string()))
    return listed(parts, columns, rows)
