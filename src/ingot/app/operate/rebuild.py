"""Makes units of one table again from the step above it: what `ingot repair --table` does."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final

from ingot.app.context.report import LoadReport
from ingot.app.context.run_lifecycle import one_run, project
from ingot.app.load.bronze import load_again
from ingot.app.operate.scrub import table_findings
from ingot.app.pipeline.build import BuildRequest, build
from ingot.errors import DamagedFileError
from ingot.model.progress import silent
from ingot.storage.integrity import heal
from ingot.storage.integrity.scrub import Kind, broken_snapshots, is_readable
from ingot.storage.ledger import state_schema
from ingot.tables import ops

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ingot.app.context.lake_context import Parts
    from ingot.app.operate.scrub import Finding
    from ingot.model.progress import Progress
    from ingot.model.unit import Done
    from ingot.tables.contract import Table

_FIRST: Final = date(1900, 1, 1)
_AHEAD: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class RebuildRequest:
    """Which units of a table to make again; half-open dates.

    Without dates: those whose files are damaged or missing.
    """

    table: str
    start: date | None = None
    end: date | None = None

    @property
    def has_span(self) -> bool:
        """Whether dates were named."""
        return self.start is not None or self.end is not None


@one_run
def rebuild(parts: Parts, request: RebuildRequest, *, progress: Progress = silent) -> LoadReport:
    """Make units of a table void and make them again from the step above it.

    A table whose own description is damaged is made anew, and with it all of its units. Snapshots
    that name damaged or missing files are forgotten, for nothing can be read of them.

    Raises:
        QueryError: There is no such table.
    """
    began = monotonic()
    table = parts.table(request.table)
    findings = table_findings(parts, table, request.start, request.end)
    anew = not is_readable(parts.tables.workplace(table))
    dones = [d for d in parts.ledger.done_all(table.name) if anew or _wanted(d, request, findings)]
    heal.make_void(parts.ledger, table.name, [d.unit.scope for d in dones])
    if anew:
        parts.tables.remake(table)
    report = _made_again(parts, table, dones, progress)
    forgotten = _forget_lost(parts, table, findings)
    notices = (f"{len(dones)} units of {table.name} were made again", *forgotten)
    return LoadReport(
        run=parts.run,
        days=report.days,
        seconds=monotonic() - began,
        notices=(*notices, *report.notices),
        errors=report.errors,
    )


def _wanted(done: Done, request: RebuildRequest, findings: Sequence[Finding]) -> bool:
    if request.has_span:
        return _meets(done, request.start or date.min, request.end or date.max)
    names = {file.name for file in done.files}
    return any(
        _meets(done, f.target.first or date.min, f.target.last or date.max, last=True)
        for f in findings
        if f.target.kind in {Kind.DATA, Kind.QUARANTINE}
        and (f.target.kind is Kind.QUARANTINE or not names or f.target.file_name in names)
    )


def _meets(done: Done, start: date, end: date, *, last: bool = False) -> bool:
    """Return True if a unit's dates meet `[start, end)`, or `[start, end]` with `last`."""
    scope = done.unit.scope
    return scope.end > start and (scope.start <= end if last else scope.start < end)


def _made_again(
    parts: Parts, table: Table, dones: Sequence[Done], progress: Progress
) -> LoadReport:
    nothing = LoadReport(run=parts.run, days=(), seconds=0.0)
    if table in ops.TABLES:
        parts.ledger.state.write(state_schema.mark_all_unprojected)
        with suppress(DamagedFileError):  # of another table, which the end of the run reports
            project(parts)
        return nothing
    if not dones:
        return nothing
    if table.namespace == "bronze":
        return LoadReport(
            run=parts.run,
            days=tuple(load_again(parts, dones, progress=progress)),
            seconds=0.0,
        )
    start = max(_FIRST, min(d.unit.scope.start for d in dones))
    end = min(parts.clock.now().date() + _AHEAD, max(d.unit.scope.end for d in dones))
    return build(parts, BuildRequest(start, max(start, end), only=table.name), progress=progress)


def _forget_lost(parts: Parts, table: Table, findings: Collection[Finding]) -> list[str]:
    """Expire the snapshots that name damaged files, now that the head names them no more."""
    place = parts.tables.workplace(table)
    damaged = {f.target.name for f in findings}
    for name in (f.target.name for f in findings if f.target.kind is Kind.OLD_METADATA):
        place.objects.delete(name)
    lost = broken_snapshots(place, damaged)
    if not lost:
        return []
    pins = [tag for tag, snapshot in parts.tables.pins(table).items() if snapshot in lost]
    for tag in pins:
        parts.tables.unpin(table, tag)
    parts.ledger.record_expired(table.name, parts.tables.cut_off(table, lost))
    parts.tables.expire(table, lost)
    text = f"{len(lost)} former snapshots of {table.name} named damaged files and are forgotten"
    return [text, *(f"the pin {tag} of {table.name} is gone with its snapshot" for tag in pins)]
