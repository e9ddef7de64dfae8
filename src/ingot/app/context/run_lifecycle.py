"""Begin and end of a run: rolled-back units are found, ops tables are projected."""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar
from dataclasses import replace
from datetime import timedelta
from functools import partial, wraps
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec

from ingot.errors import (
    CommitConflictError,
    ConfigError,
    DamagedFileError,
    IngotError,
    TryLaterError,
)
from ingot.model.unit import Scope
from ingot.storage.iceberg.write.replacement import Replacement
from ingot.tables.registry import table as contract

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingot.app.context.lake_context import Parts
    from ingot.app.context.report import LoadReport
    from ingot.storage.ledger.state_schema import Unprojected
    from ingot.tables.contract import Table

Args = ParamSpec("Args")
_running: ContextVar[Parts | None] = ContextVar("running", default=None)
"""The lake of the run that the caller is inside of."""
_PROJECTIONS: Final = 20
"""How often the ledger is read again when another process projects it too."""


def one_run(
    work: Callable[Concatenate[Parts, Args], LoadReport],
) -> Callable[Concatenate[Parts, Args], LoadReport]:
    """Return a use case that begins a run, works, and finishes the run.

    Called inside another run of the same lake it is a part of that run.
    """

    @wraps(work)
    def run(parts: Parts, /, *args: Args.args, **named: Args.kwargs) -> LoadReport:
        if _running.get() is parts:
            return work(parts, *args, **named)
        parts.begin_run()
        token = _running.set(parts)
        try:
            begin(parts)
            return finish(parts, work(parts, *args, **named))
        finally:
            _running.reset(token)

    return run


def begin(parts: Parts) -> None:
    """Find the units that a rollback of a table undid since the last run; they are redone.

    A table that is where the last run left it costs one look at its pointer.
    """
    for table in parts.all_tables:
        head = parts.tables.pointer(table)
        if head != parts.ledger.checked_head(table.name):
            # A damaged table shows no rollback; its first use raises.
            with suppress(DamagedFileError):
                parts.ledger.void(table.name, partial(parts.tables.ancestors, table), head=head)


def finish(parts: Parts, report: LoadReport) -> LoadReport:
    """Project what the run changed into ops.*, and return its report.

    The tables are then looked at, so that the next run knows where this one left them. A run that
    changed nothing touches no table. A projection that fails is made by the next run, and is an
    error of this one. What killed runs left half done is removed.
    """
    try:
        parts.ledger.sweep()
        project(parts)
        begin(parts)
    except IngotError as error:
        notice = "ops tables are behind; the next run brings them up to date"
        return replace(report, errors=(*report.errors, error), notices=(*report.notices, notice))
    return report


def behind(parts: Parts) -> tuple[str, ...]:
    """Bring the ops tables up to the ledger; return a notice where they cannot be written."""
    try:
        project(parts)
    except (ConfigError, TryLaterError) as error:
        return (f"ops tables are behind: {error}",)
    return ()


def project(parts: Parts) -> int:
    """Bring the ops tables up to the ledger; return how many months were written.

    Raises:
        CommitConflictError: Other processes project too, and were faster every time.
        DamagedFileError: One of the tables cannot be read.
    """
    written = 0
    damaged: DamagedFileError | None = None
    for name in sorted({p.table for p in parts.ledger.unprojected()}):
        try:
            written += _project(parts, contract(name))
        except DamagedFileError as error:
            damaged = error  # the other tables are brought up to date all the same
    if damaged is not None:
        raise damaged
    return written


def _project(parts: Parts, table: Table) -> int:
    for left in reversed(range(_PROJECTIONS)):
        # The head comes first: rows read after it are never older than what they replace.
        head = parts.tables.head(table)
        months = [p for p in parts.ledger.unprojected() if p.table == table.name]
        replacements = [_replacement(parts, month) for month in months]
        try:
            parts.tables.replace(table, replacements, run=parts.run, planned_on=head)
        except CommitConflictError:
            if not left:
                raise
            continue
        parts.ledger.mark_projected(months)
        return len(months)
    raise AssertionError


def _replacement(parts: Parts, pending: Unprojected) -> Replacement:
    from ingot.storage.ledger.ops_projection import rows_of

    table = contract(pending.table)
    first = pending.month
    scope = Scope("", "", first, (first + timedelta(days=31)).replace(day=1))
    rows = rows_of(parts.ledger, pending.table, first)
    files = parts.tables.write(table, scope, "projection", rows.to_reader())
    return Replacement(scope=scope, files=files, unit=f"{pending.table}/{first}")
