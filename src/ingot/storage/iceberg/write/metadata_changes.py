"""Changes of a table that touch no data: a grown schema, forgotten and pinned snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyiceberg.table.refs import SnapshotRefType
from pyiceberg.table.update import (
    AddSchemaUpdate,
    AssertCurrentSchemaId,
    AssertRefSnapshotId,
    AssertTableUUID,
    RemoveSnapshotRefUpdate,
    RemoveSnapshotsUpdate,
    SetCurrentSchemaUpdate,
    SetSnapshotRefUpdate,
)

from ingot.errors import SnapshotGoneError
from ingot.storage.iceberg.layout.schema import grown_schema
from ingot.storage.iceberg.write.commit import Proposal, Settled

if TYPE_CHECKING:
    from collections.abc import Collection

    from pyiceberg.table import Table as IcebergTable
    from pyiceberg.table.metadata import TableMetadata

    from ingot.tables.contract import Table


def grow(table: Table, found: IcebergTable) -> Proposal | Settled:
    """Plan the columns that the contract has and this state of the table lacks.

    Raises:
        ContractBrokenError: They differ in more than nullable columns at the end.
    """
    schema = grown_schema(table, found.metadata)
    if schema is None:
        return Settled(None)
    added = schema.highest_field_id

    def has_columns(metadata: TableMetadata) -> bool:
        return added in {field.field_id for field in metadata.schema().fields}

    return Proposal(
        updates=(
            AddSchemaUpdate(schema=schema),
            SetCurrentSchemaUpdate.model_validate({"schema-id": -1}),
        ),
        requirements=(
            AssertTableUUID(uuid=found.metadata.table_uuid),
            AssertCurrentSchemaId.model_validate(
                {"current-schema-id": found.metadata.current_schema_id}
            ),
        ),
        check=has_columns,
    )


def expiry(found: IcebergTable, snapshot_ids: Collection[int]) -> Proposal | Settled:
    """Plan to forget those of the snapshots that are there and that no branch or tag names."""
    metadata = found.metadata
    named = {ref.snapshot_id for ref in metadata.refs.values()}
    gone = sorted({s.snapshot_id for s in metadata.snapshots} & set(snapshot_ids) - named)
    if not gone:
        return Settled(None)

    def are_gone(after: TableMetadata) -> bool:
        return not any(after.snapshot_by_id(snapshot_id) for snapshot_id in gone)

    return Proposal(
        updates=(RemoveSnapshotsUpdate.model_validate({"snapshot-ids": gone}),),
        requirements=(AssertTableUUID(uuid=metadata.table_uuid),),
        check=are_gone,
    )


def tagging(found: IcebergTable, snapshot_id: int, tag: str) -> Proposal | Settled:
    """Plan to name a snapshot by a tag, which keeps it from expiry; a tag is never moved.

    Raises:
        SnapshotGoneError: The table has no such snapshot (any more), or the tag names another.
    """
    metadata = found.metadata
    named = metadata.refs.get(tag)
    if metadata.snapshot_by_id(snapshot_id) is None or (named and named.snapshot_id != snapshot_id):
        raise SnapshotGoneError(".".join(found.name()), snapshot_id)
    if named:
        return Settled(None)

    def is_named(after: TableMetadata) -> bool:
        return tag in after.refs and after.refs[tag].snapshot_id == snapshot_id

    values = {"ref-name": tag, "type": SnapshotRefType.TAG, "snapshot-id": snapshot_id}
    return Proposal(
        updates=(SetSnapshotRefUpdate.model_validate(values),),
        requirements=(
            AssertTableUUID(uuid=metadata.table_uuid),
            AssertRefSnapshotId.model_validate({"ref": tag, "snapshot-id": None}),
        ),
        check=is_named,
    )


def untagging(found: IcebergTable, tag: str) -> Proposal | Settled:
    """Plan to take a tag away."""
    if tag not in found.metadata.refs:
        return Settled(None)
    return Proposal(
        updates=(RemoveSnapshotRefUpdate.model_validate({"ref-name": tag}),),
        requirements=(AssertTableUUID(uuid=found.metadata.table_uuid),),
        check=lambda after: tag not in after.refs,
    )
