from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pyiceberg.table.metadata import TableMetadataUtil

from ingot.errors import DamagedFileError, QueryError
from ingot.storage.iceberg.read.metadata import TableState, parse_state, sql_type

if TYPE_CHECKING:
    from pathlib import Path

VALID = ("TableMetadataV2Valid.json", "TableMetadataV2ValidMinimal.json")
INVALID = {
    "TableMetadataUnsupportedVersion.json": "format version",
    "TableMetadataV1Valid.json": "format version 1",
    "TableMetadataV3ValidMinimal.json": "format version 3",
    "TableMetadataV2CurrentSchemaNotFound.json": "The metadata of t",
    "TableMetadataV2MissingLastPartitionId.json": "lacks last-partition-id",
    "TableMetadataV2MissingPartitionSpecs.json": "lacks partition-specs",
    "TableMetadataV2MissingSchemas.json": "lacks schemas",
    "TableMetadataV2MissingSortOrder.json": "lacks sort-orders",
}


@pytest.mark.recorded
@pytest.mark.parametrize("name", VALID)
def test_valid_metadata_of_the_iceberg_project_reads_as_pyiceberg_reads_it(
    recorded: Path, name: str
) -> None:
    data = (recorded / "golden" / "iceberg" / name).read_bytes()

    ours, theirs = parse_state("t", data), TableMetadataUtil.parse_raw(data.decode())

    assert ours.head == theirs.current_snapshot_id
    assert set(ours.snapshots) == {s.snapshot_id for s in theirs.snapshots}
    for schema in theirs.schemas:
        names = {i: column[0] for i, column in ours.columns(schema.schema_id).items()}
        assert names == {f.field_id: f.name for f in schema.fields}


@pytest.mark.recorded
@pytest.mark.parametrize("name", INVALID)
def test_invalid_metadata_of_the_iceberg_project_is_refused(recorded: Path, name: str) -> None:
    data = (recorded / "golden" / "iceberg" / name).read_bytes()

    with pytest.raises(DamagedFileError, match=INVALID[name]):
        parse_state("t", data)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'"text"'])
def test_what_is_no_metadata_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedFileError, match="metadata"):
        parse_state("silver.minute_bars", data)


def test_types_are_named_as_duckdb_names_them() -> None:
    names = {"decimal(38,12)": "DECIMAL(38,12)", "timestamptz": "TIMESTAMP WITH TIME ZONE"}
    names |= {"string": "VARCHAR", "int": "INTEGER", "long": "BIGINT", "date": "DATE"}

    assert {iceberg: sql_type(iceberg) for iceberg in names} == names


def test_a_missing_snapshot_is_named_with_the_current_one() -> None:
    document: dict[str, Any] = {"current-snapshot-id": -1, "snapshots": []}
    state = TableState("silver.minute_bars", json.loads(json.dumps(document)))

    assert state.snapshot() is None
    with pytest.raises(QueryError, match=r"silver\.minute_bars has no snapshot 5"):
        state.snapshot(5)
