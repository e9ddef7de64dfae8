"""Empty tables: their first metadata file, and their name in the catalog.

The file is what PyIceberg writes for the same contract. It is written without it, because loading
PyIceberg takes ten times as long.
"""

from __future__ import annotations

import json
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from ingot.storage.fs.sealed_names import sealed
from ingot.storage.iceberg.layout.bounds import bounded_columns
from ingot.storage.iceberg.layout.file_access import home_of
from ingot.storage.iceberg.layout.schema import schema_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ingot.storage.iceberg.catalog.sqlite import Catalog
    from ingot.storage.iceberg.layout.file_access import FileAccess
    from ingot.tables.contract import Table

SORT_ORDER_ID: Final = 1
_FIRST_PARTITION_ID: Final = 1000
_PROPERTIES: Final = {
    "write.format.default": "parquet",
    "write.parquet.compression-codec": "zstd",
    "write.parquet.compression-level": "3",
    "write.avro.compression-codec": "gzip",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    "commit.manifest-merge.enabled": "false",
    "write.delete.isolation-level": "serializable",
    "write.update.isolation-level": "serializable",
    "write.merge.isolation-level": "serializable",
    "write.delete.mode": "copy-on-write",
    "write.update.mode": "copy-on-write",
    "write.merge.mode": "copy-on-write",
    "write.metadata.metrics.default": "none",
}


def create_tables(
    catalog: Catalog,
    files: FileAccess,
    tables: Iterable[Table],
    *,
    known: Mapping[str, str] | None = None,
) -> None:
    """Make the tables that the catalog does not name yet, empty.

    A table in `known` is entered with the metadata file that is named there. When two processes
    make a table at once, the first one's is kept.

    Raises:
        StorageFullError, ConfigError, StorageUnavailableError: The disk cannot be written.
    """
    for table in tables:
        if catalog.get(table.name) is None:
            found = known.get(table.name) if known else None
            catalog.swap(table.name, None, found or _write(files, table))


def _write(files: FileAccess, table: Table) -> str:
    """Write the first metadata file of a table and return its location once it is durable."""
    home = files.location(home_of(table))
    document = first_metadata(
        table, home, uuid=str(uuid4()), updated_ms=time.time_ns() // 1_000_000
    )
    data = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    location = sealed(f"{home}/metadata/00000-{uuid4()}.metadata.json", sha256(data).hexdigest())
    files.write(location, data)
    return location


def first_metadata(table: Table, location: str, *, uuid: str, updated_ms: int) -> dict[str, Any]:
    """Return the metadata of an empty table: Iceberg's table metadata, format version 2.

    Field ids are the columns' positions, from 1.
    """
    ids = {column.name: position for position, column in enumerate(table.columns, start=1)}
    parts = _partition_fields(table, ids)
    order = _sort_order(table, ids)
    return {
        "location": location,
        "table-uuid": uuid,
        "last-updated-ms": updated_ms,
        "last-column-id": len(ids),
        "schemas": [schema_document(table)],
        "current-schema-id": 0,
        "partition-specs": [{"spec-id": 0, "fields": parts}],
        "default-spec-id": 0,
        "last-partition-id": _FIRST_PARTITION_ID - 1 + len(parts),
        "properties": _PROPERTIES | _metrics(table),
        "snapshots": [],
        "snapshot-log": [],
        "metadata-log": [],
        "sort-orders": [order],
        "default-sort-order-id": order["order-id"],
        "refs": {},
        "statistics": [],
        "partition-statistics": [],
        "format-version": 2,
        "last-sequence-number": 0,
    }


def _partition_fields(table: Table, ids: dict[str, int]) -> list[dict[str, Any]]:
    """Return the month or the year of one column, or nothing."""
    partition = table.partition
    if partition is None:
        return []
    kind = partition.granularity.value
    source = ids[partition.column]
    name = f"{partition.column}_{kind}"
    return [{"source-id": source, "field-id": _FIRST_PARTITION_ID, "transform": kind, "name": name}]


def _sort_order(table: Table, ids: dict[str, int]) -> dict[str, Any]:
    """Return the order of rows inside each file; files say themselves whether they keep it."""
    ascending = {"transform": "identity", "direction": "asc", "null-order": "nulls-first"}
    fields = [{"source-id": ids[name], **ascending} for name in table.sort]
    return {"order-id": SORT_ORDER_ID if fields else 0, "fields": fields}


def _metrics(table: Table) -> dict[str, str]:
    """Return that metrics are kept whole for the columns that bound files, off for the others.

    A bound cut at 16 characters could not tell one dataset from the next.
    """
    return {f"write.metadata.metrics.column.{name}": "full" for name in bounded_columns(table)}
