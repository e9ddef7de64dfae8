"""The end of a run: ops tables are projected from the ledger, one commit per table."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from ingot.errors import TryLaterError
from ingot.model.work import Scope
from ingot.storage.replacement import Replacement
from ingot.tables.catalog import table as contract

if TYPE_CHECKING:
    from ingot.app.parts import Parts
    from ingot.app.report import LoadReport
    from ingot.storage.index import Unprojected


def finished(parts: Parts, report: LoadReport) -> LoadReport:
    """Project what the run changed into ops.*, and return its report.

    A run that changed nothing touches no table. A projection that loses to another process is
    made by the next run, and the report says so.
    """
    try:
        project(parts)
    except TryLaterError as error:
        return replace(report, notices=(*report.notices, f"ops tables are behind: {error}"))
    return report


def project(parts: Parts) -> int:
    """Bring the ops tables up to the ledger; return how many months were written."""
    pending = parts.ledger.unprojected()
    for name in sorted({p.table for p in pending}):
        months = [p for p in pending if p.table == name]
        replacements = [_replacement(parts, month) for month in months]
        parts.tables.replace(contract(name), replacements, run=parts.run)
        parts.ledger.mark_projected(months)
    return len(pending)


def _replacement(parts: Parts, pending: Unprojected) -> Replacement:
    from ingot.storage.projection import rows_of

    table = contract(pending.table)
    first = pending.month
    scope = Scope("", "", first, (first + timedelta(days=31)).replace(day=1))
    rows = rows_of(parts.ledger, pending.table, first)
    files = parts.tables.write(table, scope, "projection", rows.to_reader())
    return Replacement(scope=scope, files=files, unit=f"{pending.table}/{first}")
