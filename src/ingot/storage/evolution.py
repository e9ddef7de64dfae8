"""Changes of a table that touch no data: a grown schema, forgotten snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyiceberg.table.update import (
    AddSchemaUpdate,
    AssertCurrentSchemaId,
    AssertTableUUID,
    RemoveSnapshotsUpdate,
    SetCurrentSchemaUpdate,
)

from ingot.storage.commit import Proposal, Settled
from ingot.storage.schema import grown_schema

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
