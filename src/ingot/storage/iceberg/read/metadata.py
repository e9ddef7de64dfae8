"""One state of a table, read from its metadata file without PyIceberg."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from ingot.errors import DamagedFileError, QueryError
from ingot.tables.input import columns_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ingot.tables.contract import Table

_FORMAT: Final = 2
_REQUIRED: Final = (
    "table-uuid",
    "location",
    "last-sequence-number",
    "last-updated-ms",
    "last-column-id",
    "schemas",
    "current-schema-id",
    "partition-specs",
    "default-spec-id",
    "last-partition-id",
    "sort-orders",
    "default-sort-order-id",
)
_SQL_TYPES: Final = {
    "string": "VARCHAR",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "binary": "BLOB",
    "uuid": "UUID",
}
_DECIMAL: Final = re.compile(r"decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One committed version of a table."""

    snapshot_id: int
    parent_id: int | None
    """None for the first one, and for one whose parent has expired."""
    timestamp_ms: int
    """When the writer made it, milliseconds since 1970 UTC."""
    manifest_list: str
    schema_id: int | None
    summary: Mapping[str, str]


@dataclass(frozen=True)
class TableState:
    """What one metadata file says. Immutable, so it is cached by the file's name."""

    name: str
    """The table's name, e.g. silver.minute_bars."""
    document: Mapping[str, Any]

    @cached_property
    def snapshots(self) -> Mapping[int, Snapshot]:
        """All snapshots that have not expired, by id."""
        return {
            raw["snapshot-id"]: Snapshot(
                snapshot_id=raw["snapshot-id"],
                parent_id=raw.get("parent-snapshot-id"),
                timestamp_ms=raw["timestamp-ms"],
                manifest_list=raw["manifest-list"],
                schema_id=raw.get("schema-id"),
                summary=raw.get("summary", {}),
            )
            for raw in self.document.get("snapshots", ())
        }

    @property
    def head(self) -> int | None:
        """Id of the current snapshot; None while nothing was committed."""
        found = self.document.get("current-snapshot-id")
        return None if found in (None, -1) else int(found)

    @property
    def references(self) -> frozenset[int]:
        """Ids of the snapshots that branches and tags name."""
        return frozenset(ref["snapshot-id"] for ref in self.document.get("refs", {}).values())

    @property
    def tags(self) -> Mapping[str, int]:
        """The id of the snapshot that each tag names; branches are left out."""
        named = self.document.get("refs", {}).items()
        return {name: ref["snapshot-id"] for name, ref in named if ref["type"] == "tag"}

    def snapshot(self, snapshot_id: int | None = None) -> Snapshot | None:
        """Return a snapshot, by default the current one; None while there is none.

        Raises:
            QueryError: There is no such snapshot (any more).
        """
        wanted = self.head if snapshot_id is None else snapshot_id
        if wanted is None:
            return None
        if found := self.snapshots.get(wanted):
            return found
        raise QueryError(
            f"{self.name} has no snapshot {wanted}: it never had, or the snapshot has expired. "
            f"It has {len(self.snapshots)} snapshots; the current one is {self.head}."
        )

    def fields(self, schema_id: int | None = None) -> tuple[Mapping[str, Any], ...]:
        """Return the fields of a schema as Iceberg writes them; by default of the current one."""
        wanted = self.document["current-schema-id"] if schema_id is None else schema_id
        for schema in self.document["schemas"]:
            if schema.get("schema-id", 0) == wanted:
                return tuple(schema["fields"])
        raise DamagedFileError(f"The metadata of {self.name}", found=f"it has no schema {wanted}")

    def columns(self, schema_id: int | None = None) -> dict[int, tuple[str, str]]:
        """Return (name, type in DuckDB's dialect) by field id; nested columns are left out."""
        return {
            field["id"]: (field["name"], sql_type(field["type"]))
            for field in self.fields(schema_id)
            if isinstance(field["type"], str)
        }

    def matches(self, table: Table) -> bool:
        """Return True if the current schema has the contract's columns, by id, name and type."""
        return self.columns() == columns_of(table)

    def partition_transform(self, spec_id: int) -> tuple[int, str] | None:
        """Return (source field id, transform) of a spec of one field; None for any other."""
        for spec in self.document["partition-specs"]:
            if spec["spec-id"] == spec_id and len(spec["fields"]) == 1:
                return spec["fields"][0]["source-id"], spec["fields"][0]["transform"]
        return None


def sql_type(iceberg: str) -> str:
    """Return the name of an Iceberg type in DuckDB's dialect.

    >>> sql_type("decimal(18, 6)"), sql_type("timestamptz")
    ('DECIMAL(18,6)', 'TIMESTAMP WITH TIME ZONE')
    """
    if match := _DECIMAL.fullmatch(iceberg):
        return f"DECIMAL({match[1]},{match[2]})"
    return _SQL_TYPES.get(iceberg, "BLOB")


def parse_state(name: str, data: bytes) -> TableState:
    """Return the state that a metadata file describes.

    Raises:
        DamagedFileError: It is not Iceberg v2 table metadata, or lacks something required.
    """
    what = f"The metadata of {name}"
    try:
        document = json.loads(data)
    except ValueError as exc:
        raise DamagedFileError(what, found=f"it is not JSON ({exc})") from exc
    if not isinstance(document, dict) or document.get("format-version") != _FORMAT:
        found = document.get("format-version") if isinstance(document, dict) else None
        raise DamagedFileError(what, found=f"it has format version {found}, not {_FORMAT}")
    if missing := [key for key in _REQUIRED if key not in document]:
        raise DamagedFileError(what, found=f"it lacks {', '.join(missing)}")
    state = TableState(name, document)
    state.fields()
    return state
