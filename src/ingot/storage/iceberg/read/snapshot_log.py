"""What a table's snapshots say of the work that made them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ingot.storage.iceberg.layout.snapshot_properties import CODE_VERSION, RUN, UNITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.storage.iceberg.read.metadata import Snapshot, TableState


@dataclass(frozen=True, slots=True)
class SnapshotFacts:
    """One snapshot as its summary describes it."""

    snapshot_id: int
    parent_id: int | None
    committed_at: datetime
    """UTC, by the writer's own clock."""
    operation: str
    """append, overwrite, delete; or replace where only files changed and no row."""
    run: str
    """Empty where another program made it."""
    units: tuple[str, ...] | None
    """None where there were too many to list, or another program made it."""
    code_version: str
    rows_added: int
    rows_removed: int


def chain(state: TableState, snapshot_id: int | None = None) -> Iterator[Snapshot]:
    """Yield a snapshot (by default the head) and its ancestors, newest first.

    It ends at the first snapshot, or at one whose parent has expired. Takes one step a snapshot.
    """
    snapshot = state.snapshot(snapshot_id)
    while snapshot is not None:
        yield snapshot
        parent = snapshot.parent_id
        snapshot = None if parent is None else state.snapshots.get(parent)


def ancestors(state: TableState) -> frozenset[int]:
    """Return the ids of the head and its ancestors that have not expired."""
    return frozenset(snapshot.snapshot_id for snapshot in chain(state))


def facts(snapshot: Snapshot) -> SnapshotFacts:
    """Return what a snapshot's summary says."""
    summary = snapshot.summary
    return SnapshotFacts(
        snapshot_id=snapshot.snapshot_id,
        parent_id=snapshot.parent_id,
        committed_at=datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC),
        operation=summary.get("operation", ""),
        run=summary.get(RUN, ""),
        units=_units(summary.get(UNITS)),
        code_version=summary.get(CODE_VERSION, ""),
        rows_added=int(summary.get("added-records", "0")),
        rows_removed=int(summary.get("deleted-records", "0")),
    )


def _units(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    listed = json.loads(text)
    return tuple(listed) if isinstance(listed, list) else None
