"""What landed, what was refused, what ran; and the decision on a held version."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Final

from ingot.app.context.run_lifecycle import project
from ingot.app.inventory.datasets import dataset_of
from ingot.app.read.reader import reader_of
from ingot.errors import QuarantineLimitError, QueryError
from ingot.model.landing import Decision, Outcome
from ingot.query.requests.listings import Listing
from ingot.tables import ops
from ingot.tables.view import Condition

if TYPE_CHECKING:
    from datetime import date

    from ingot.app.context.lake_context import Parts
    from ingot.query.result.answer import Answer

_DECISIONS: Final = {"accept": Decision.ACCEPTED, "reject": Decision.REJECTED}


def landings(
    parts: Parts, *, start: date, end: date, limit: int, status: str | None = None
) -> Answer:
    """Return the versions filed in `[start, end)`, or those of a status; latest file date first."""
    sql = (
        "SELECT landing_id, source, dataset, file_date, ordinal AS version, status, rows, "
        "rows_refused, known_from, known_basis, in_force_from, first_seen, size_bytes, key, reason "
        f"FROM {ops.LANDINGS.name} ORDER BY file_date DESC, dataset, ordinal DESC LIMIT {limit}"
    )
    conditions = _between("file_date", start, end)
    if status is not None:
        conditions += (Condition("status", "=", status),)
    return _listed(parts, sql, ops.LANDINGS.name, conditions)


def quarantine(parts: Parts, *, start: date, end: date, limit: int) -> Answer:
    """Return refused rows filed in `[start, end)`, latest file date first."""
    sql = (
        "SELECT dataset, file_date, row_number, layer, rule, raw, landing_id "
        f"FROM {ops.QUARANTINE.name} "
        f"ORDER BY file_date DESC, dataset, landing_id, row_number LIMIT {limit}"
    )
    return _listed(parts, sql, ops.QUARANTINE.name, _between("file_date", start, end))


def runs(parts: Parts, *, limit: int) -> Answer:
    """Return the units of work that were finished, latest first."""
    sql = (
        "SELECT run, table_name, dataset, date, outcome, rows_in, rows_out, rows_refused, "
        "duplicates, "
        "started, ended, snapshot_id, code_version "
        f"FROM {ops.RUNS.name} ORDER BY ended DESC, table_name, date DESC LIMIT {limit}"
    )
    return _listed(parts, sql, ops.RUNS.name, ())


def decide(parts: Parts, verdict: str, landing_id: str) -> str:
    """Accept or reject a held or refused version, and say what follows.

    Of a version that was refused for too many bad rows, accepting loads the good ones.

    Raises:
        QueryError: There is no such version, it waits for no decision, it was decided before, or
            it is to be accepted and cannot be read.
    """
    decision = _DECISIONS[verdict]
    was_refused = _refuse_unreadable(parts, landing_id, decision)
    state = parts.ledger.decide(
        landing_id,
        decision,
        at=parts.clock.now(),
        by=getpass.getuser(),
        stated=parts.clock.stated,
    )
    project(parts)
    landing = state.landing
    named = f"{landing.key} version {landing.ordinal} ({landing.landing_id}) is {decision.value}"
    if decision is Decision.REJECTED:
        return f"{named}; the version before it stays in force"
    if was_refused:
        return f"{named}; its good rows are loaded by the next: ingot ingest, then: ingot build"
    return (
        f"{named} and in force from {state.in_force_from:%Y-%m-%d %H:%M:%S} UTC; run: ingot build"
    )


def _refuse_unreadable(parts: Parts, landing_id: str, decision: Decision) -> bool:
    """Return True if the version was refused; raise if it cannot be read and is to be accepted."""
    state = parts.ledger.find(landing_id)
    if state.outcome is not Outcome.REFUSED:
        return False
    landing = state.landing
    dataset = dataset_of(parts, landing.source, landing.dataset)
    table = dataset.bronze.name if dataset else None
    dones = parts.ledger.done_all(table, source=landing.source, dataset=landing.dataset)
    done = next((d for d in dones if d.unit.scope.landing_id == landing.landing_id), None)
    limited = done is not None and done.details.get("refused_for") == QuarantineLimitError.__name__
    if decision is Decision.ACCEPTED and not limited:
        raise QueryError(
            f"{landing.key} version {landing.ordinal} cannot be accepted: it cannot be read. "
            f"{done.reason if done else ''} Reject it, or wait for the vendor's next version."
        )
    return True


def _between(column: str, start: date, end: date) -> tuple[Condition, ...]:
    return (Condition(column, ">=", start), Condition(column, "<", end))


def _listed(parts: Parts, sql: str, table: str, conditions: tuple[Condition, ...]) -> Answer:
    return reader_of(parts).listing(Listing(sql, (table,), conditions), None)
