"""Empty tables are described in the very words that PyIceberg would use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io.pyarrow import pyarrow_to_schema
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.metadata import new_table_metadata
from pyiceberg.table.sorting import NullOrder, SortDirection, SortField, SortOrder
from pyiceberg.transforms import IdentityTransform, parse_transform

from ingot.app.context.lake_context import init
from ingot.storage.iceberg.catalog.new_tables import first_metadata
from ingot.storage.iceberg.catalog.sqlite import SqliteCatalog
from ingot.tables.arrow import arrow_schema
from ingot.tables.registry import ALL_TABLES

if TYPE_CHECKING:
    from pathlib import Path

    from ingot.tables.contract import Table

UUID_OF_ALL = UUID("00000000-0000-4000-8000-000000000001")
MOMENT_MS = 1_750_000_000_000


def schema_of(table: Table) -> Schema:
    """Return the schema that PyIceberg makes of the contract's Arrow schema."""
    found = pyarrow_to_schema(arrow_schema(table)).fields
    return Schema(
        *(f.model_copy(update={"doc": table.column(f.name).doc}) for f in found), schema_id=0
    )


def as_pyiceberg_writes_it(table: Table, properties: dict[str, str]) -> dict[str, object]:
    ids = {field.name: field.field_id for field in schema_of(table).fields}
    parts = [
        PartitionField(
            source_id=ids[p.column],
            field_id=1000,
            transform=parse_transform(p.granularity.value),
            name=f"{p.column}_{p.granularity.value}",
        )
        for p in [table.partition]
        if p is not None
    ]
    order = [
        SortField(ids[n], IdentityTransform(), SortDirection.ASC, NullOrder.NULLS_FIRST)
        for n in table.sort
    ]
    metadata = new_table_metadata(
        schema_of(table),
        PartitionSpec(*parts),
        SortOrder(*order, order_id=1 if order else 0),
        location="file:///lake",
        properties={"format-version": "2", **properties},
        table_uuid=UUID_OF_ALL,
    )
    found: dict[str, object] = json.loads(metadata.model_dump_json(exclude_none=True))
    found["last-updated-ms"] = MOMENT_MS
    return found


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.name)
def test_the_first_metadata_is_what_pyiceberg_writes_for_the_contract(table: Table) -> None:
    ours = first_metadata(table, "file:///lake", uuid=str(UUID_OF_ALL), updated_ms=MOMENT_MS)

    assert ours == as_pyiceberg_writes_it(table, ours["properties"])


def test_pyiceberg_opens_a_new_lake_and_finds_every_table(tmp_path: Path) -> None:
    init(tmp_path / "lake")

    catalog = SqlCatalog("lake", uri=f"sqlite:///{tmp_path}/lake/catalog.db")
    try:
        found = {".".join(n) for (s,) in catalog.list_namespaces() for n in catalog.list_tables(s)}
        empty = [t for t in ALL_TABLES if catalog.load_table(t.name).current_snapshot() is None]
    finally:
        catalog.close()

    assert found == {table.name for table in ALL_TABLES}
    assert empty == list(ALL_TABLES)


def test_init_of_a_whole_lake_changes_no_pointer(tmp_path: Path) -> None:
    init(tmp_path / "lake")
    pointers = SqliteCatalog(tmp_path / "lake" / "catalog.db")
    before = pointers.all()

    init(tmp_path / "lake")

    assert pointers.all() == before
    pointers.close()
