"""How big a table is, by its metadata."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingot.storage.iceberg.read.metadata import TableState


@dataclass(frozen=True, slots=True)
class TableStats:
    """How big a table is, from its head's summary: no data and no manifest is read."""

    rows: int
    size_bytes: int
    files: int
    snapshots: int
    last_commit: datetime | None
    """UTC; None while nothing was committed."""


def table_stats(state: TableState) -> TableStats:
    """Return a table's size by its head's summary."""
    head = state.snapshot()
    summary = head.summary if head else {}
    return TableStats(
        rows=int(summary.get("total-records", "0")),
        size_bytes=int(summary.get("total-files-size", "0")),
        files=int(summary.get("total-data-files", "0")),
        snapshots=len(state.snapshots),
        last_commit=datetime.fromtimestamp(head.timestamp_ms / 1000, UTC) if head else None,
    )
