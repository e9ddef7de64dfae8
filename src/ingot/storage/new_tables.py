"""Empty tables: their first metadata file and their row in the catalog file.

Both are what PyIceberg's SQL catalog writes for the same contract. They are written without it,
because loading PyIceberg and SQLAlchemy takes ten times as long.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from contextlib import closing
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from ingot.failures import sqlite_failure, translated
from ingot.storage.catalog import CATALOG_FILE, CATALOG_NAME, TIMEOUT_S
from ingot.storage.files import fsync_folder, make_folders
from ingot.storage.scoping import bounded_columns
from ingot.storage.seal import sealed
from ingot.tables import contract

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ingot.storage.boundary import Boundary
    from ingot.storage.locations import Locations
    from ingot.tables.contract import ColumnType, Table

SORT_ORDER_ID: Final = 1
_FIRST_PARTITION_ID: Final = 1000
_SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS iceberg_tables (
        catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL,
        table_name VARCHAR(255) NOT NULL, metadata_location VARCHAR(1000),
        previous_metadata_location VARCHAR(1000), iceberg_type VARCHAR(5),
        PRIMARY KEY (catalog_name, table_namespace, table_name))""",
    """CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
        catalog_name VARCHAR(255) NOT NULL, namespace VARCHAR(255) NOT NULL,
        property_key VARCHAR(255) NOT NULL, property_value VARCHAR(1000) NOT NULL,
        PRIMARY KEY (catalog_name, namespace, property_key))""",
)
_NAMED: Final = (
    "SELECT 1 FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?"
)
_NAMESPACE: Final = (
    "INSERT OR IGNORE INTO iceberg_namespace_properties VALUES (?, ?, 'exists', 'true')"
)
_TABLE: Final = "INSERT OR IGNORE INTO iceberg_tables VALUES (?, ?, ?, ?, NULL, 'TABLE')"
_TYPES: Final[dict[ColumnType, str]] = {
    contract.String: "string",
    contract.Int32: "int",
    contract.Int64: "long",
    contract.Float64: "double",
    contract.Boolean: "boolean",
    contract.Date: "date",
    contract.TimestampUs: "timestamptz",
}
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
    locations: Locations,
    tables: Iterable[Table],
    *,
    boundary: Boundary,
    known: Mapping[str, str] | None = None,
) -> None:
    """Make the catalog file and those of the tables that it does not name yet.

    A table in `known` is entered with the metadata file that is named there. When two processes
    make a table at once, the first one's is kept.

    Raises:
        StorageFullError, ConfigError, StorageUnavailableError: The disk cannot be written.
    """
    path = locations.root / CATALOG_FILE
    try:
        with closing(sqlite3.connect(path, timeout=TIMEOUT_S, isolation_level=None)) as catalog:
            for statement in _SCHEMA:
                catalog.execute(statement)
            for table in tables:
                if not _is_named(catalog, table):
                    found = known.get(table.name) if known else None
                    _enter(catalog, table, found or _write(locations, table, boundary))
    except sqlite3.Error as exc:
        raise sqlite_failure(exc, path) from exc


def _is_named(catalog: sqlite3.Connection, table: Table) -> bool:
    return catalog.execute(_NAMED, (CATALOG_NAME, *_names(table))).fetchone() is not None


def _enter(catalog: sqlite3.Connection, table: Table, location: str) -> None:
    catalog.execute(_NAMESPACE, (CATALOG_NAME, table.namespace))
    catalog.execute(_TABLE, (CATALOG_NAME, *_names(table), location))


def _names(table: Table) -> tuple[str, str]:
    namespace, _, name = table.name.partition(".")
    return namespace, name


def _write(locations: Locations, table: Table, boundary: Boundary) -> str:
    """Write the first metadata file of a table and return its location once it is durable."""
    home = f"{locations.warehouse}/{table.name.replace('.', '/')}"
    document = first_metadata(
        table, home, uuid=str(uuid4()), updated_ms=time.time_ns() // 1_000_000
    )
    data = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    location = sealed(f"{home}/metadata/00000-{uuid4()}.metadata.json", sha256(data).hexdigest())
    path = locations.path(location)
    with translated(path, "write"):
        make_folders(path.parent)
        boundary("metadata.before_write")
        with path.open("xb") as stream:
            stream.write(data)
            stream.flush()
            boundary("metadata.before_fsync")
            os.fsync(stream.fileno())
        fsync_folder(path.parent)
    boundary("metadata.after_fsync")
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
        "schemas": [_schema(table)],
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


def _schema(table: Table) -> dict[str, Any]:
    fields = [
        {
            "id": position,
            "name": column.name,
            "type": _type(column.type),
            "required": not column.nullable,
            "doc": column.doc,
        }
        for position, column in enumerate(table.columns, start=1)
    ]
    return {"type": "struct", "fields": fields, "schema-id": 0, "identifier-field-ids": []}


def _type(column_type: ColumnType) -> str:
    if isinstance(column_type, contract.Decimal):
        return f"decimal({column_type.precision}, {column_type.scale})"
    return _TYPES[column_type]


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
