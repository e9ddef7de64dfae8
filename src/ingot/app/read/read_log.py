"""What a query reads of a lake: recorded for an export, or given by the manifest for a replay."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ingot.app.inventory.ledger_snapshot import read_facts
from ingot.errors import NotReplayableError
from ingot.storage.iceberg.read.scan_planner import SnapshotPin
from ingot.tables.input import FileRelation
from ingot.tables.view import HISTORY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ingot.app.context.lake_context import Parts
    from ingot.app.inventory.ledger_snapshot import LedgerFacts
    from ingot.query.requests.bars import BarsRequest, Sources
    from ingot.storage.iceberg.read.metadata import TableState
    from ingot.storage.iceberg.read.scan_planner import ScanRequest
    from ingot.tables.view import View


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a replay reads, all of it as the manifest says."""

    pins: Mapping[str, SnapshotPin]
    sources: Sources
    bound: Mapping[str, tuple[int, ...]]
    settled_until: datetime | None


@dataclass(frozen=True, slots=True)
class Query:
    """A query as the reader received it."""

    kind: str
    """bars or sql."""
    what: BarsRequest | str
    others: Mapping[str, Any]
    """Parameters beside it."""
    is_now: bool
    """No moment was named."""


class ReadLog:
    """Resolves the snapshots and landings of one query, and keeps what it resolved.

    Without `recorded` each table is read at the snapshot of its first read.
    """

    def __init__(self, recorded: Recorded | None = None) -> None:
        self._recorded = recorded
        self.pins: dict[str, SnapshotPin] = dict(recorded.pins) if recorded else {}
        self.scans: list[ScanRequest] = []
        self.query: Query | None = None
        self._facts: LedgerFacts | None = None

    def resolve(self, request: ScanRequest, state: TableState) -> SnapshotPin:
        """Return the state at which a table is read.

        Raises:
            NotReplayableError: A replay reads a table that the export did not read.
        """
        table = request.table
        self.scans.append(request)
        if table.name not in self.pins:
            if self._recorded is not None:
                raise NotReplayableError(
                    "The export",
                    gone=[f"this Ingot reads {table.name} for the query; the export did not"],
                )
            self.pins[table.name] = SnapshotPin.of_head(table, state)
        return self.pins[table.name]

    def facts(self, parts: Parts) -> LedgerFacts:
        """Return what the ledger says, or what was recorded of it; read once."""
        if self._facts is None:
            read = replace(read_facts(parts, parts.ledger.stamp()), moments=(), bound={})
            if self._recorded is not None:
                read = replace(
                    read,
                    stamp="replay",
                    settled_until=self._recorded.settled_until,
                    sources=self._recorded.sources,
                    bound=dict(self._recorded.bound),
                    is_recorded=True,
                )
            self._facts = read
        return self._facts

    def visible(self, view: View) -> View:
        """Return a view without the columns that a query in SQL did not see when it was exported.

        Bars name their columns, so that a later one does not matter.
        """
        is_sql = self.query is not None and self.query.kind == "sql"
        if not is_sql or not isinstance(view.relation, FileRelation):
            return view
        last = self.pins[view.name.removesuffix(HISTORY)].columns
        late = {column for i, (column, _) in view.relation.columns.items() if i > last}
        return replace(view, columns=tuple(c for c in view.columns if c not in late))
