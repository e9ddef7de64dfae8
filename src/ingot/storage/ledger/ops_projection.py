"""The ledger as rows of the ops tables, one month at a time.

The same ledger gives the same rows in the same order, so that a projection may be made again at
any time: `ingot repair` does.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from ingot.errors import QueryError
from ingot.model.landing import Decision, Outcome
from ingot.storage.ledger.state_schema import to_us
from ingot.tables import ops

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pyarrow as pa

    from ingot.model.check_record import CheckResult
    from ingot.model.landing import LandingState
    from ingot.storage.landing.records import NumberedDone
    from ingot.storage.ledger.ledger import Ledger
    from ingot.tables.contract import Table


def rows_of(ledger: Ledger, table: str, month: date) -> pa.Table:
    """Return the rows of an ops table's partition, in its contract's schema.

    Args:
        ledger: Where they come from.
        table: ops.landings, ops.quarantine, ops.runs or ops.checks.
        month: Any day of the month.

    Raises:
        QueryError: The table is not made of the ledger.
    """
    if table not in _ROWS:
        raise QueryError(f"{table} is not made of the ledger; {', '.join(_ROWS)} are.")
    first = month.replace(day=1)
    return _ROWS[table](ledger, first, _following(first))


def _following(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _landings(ledger: Ledger, first: date, following: date) -> pa.Table:
    found = ledger.landed_between(_us(first), _us(following))
    return _arrow(ops.LANDINGS, (_landing_row(*row) for row in found))


def _quarantine(ledger: Ledger, first: date, following: date) -> pa.Table:
    return ledger.quarantined(start=first, end=following)


def _runs(ledger: Ledger, first: date, following: date) -> pa.Table:
    return _arrow(ops.RUNS, map(_run_row, ledger.runs(_us(first), _us(following))))


def _checks(ledger: Ledger, first: date, following: date) -> pa.Table:
    found = ledger.checks(_us(first), _us(following))
    return _arrow(ops.CHECKS, (_check_row(run, result) for run, result in found))


_ROWS: Final[dict[str, Callable[[Ledger, date, date], pa.Table]]] = {
    ops.LANDINGS.name: _landings,
    ops.QUARANTINE.name: _quarantine,
    ops.RUNS.name: _runs,
    ops.CHECKS.name: _checks,
}


def _us(day: date) -> int:
    return to_us(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _arrow(table: Table, rows: Iterable[dict[str, Any]]) -> pa.Table:
    import pyarrow as pa  # noqa: PLC0415  (heavy, and not on the way of an ingest without news)

    from ingot.tables.arrow import arrow_schema  # noqa: PLC0415  (pyarrow)

    return pa.Table.from_pylist(list(rows), schema=arrow_schema(table))


def _landing_row(state: LandingState, rows: int, refused: int, reason: str) -> dict[str, Any]:
    landing = state.landing
    own = {name: getattr(landing, name, None) for name in ops.LANDINGS.column_names}
    return {
        **own,
        "known_basis": str(landing.known_basis),
        "status": status(state),
        "in_force_from": state.in_force_from,
        "rows": 0 if state.outcome is Outcome.REFUSED else rows,
        "rows_refused": refused,
        "reason": reason,
    }


def status(state: LandingState) -> str:
    """Return what became of a version: landed, loaded, held, accepted, rejected or refused."""
    if state.decision is Decision.ACCEPTED:
        return "accepted"
    if state.decision is Decision.REJECTED:
        return "rejected"
    if state.outcome is None:
        return "landed"
    return {Outcome.DONE: "loaded", Outcome.HELD: "held", Outcome.REFUSED: "refused"}[state.outcome]


def _run_row(record: NumberedDone) -> dict[str, Any]:
    done, unit = record.done, record.done.unit
    return {
        "run": done.run,
        "table_name": unit.table,
        "unit": unit.name,
        "source": unit.scope.source,
        "dataset": unit.scope.dataset,
        "date": unit.scope.start,
        "outcome": str(done.outcome),
        "started": done.started,
        "ended": done.ended,
        "rows_in": done.rows_in,
        "rows_out": done.rows_out,
        "rows_refused": done.rows_refused,
        "duplicates": int(done.details.get("duplicates", "0")),
        "snapshot_id": done.snapshot_id,
        "code_version": done.code_version,
    }


def _check_row(run: str, result: CheckResult) -> dict[str, Any]:
    own = {name: getattr(result, name, None) for name in ops.CHECKS.column_names}
    return {
        **own,
        "run": run,
        "table_name": result.table,
        "start_date": result.start,
        "end_date": result.end,
        "checked_rows": result.checked,
    }
