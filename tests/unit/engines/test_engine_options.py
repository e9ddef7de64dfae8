"""An engine runs what a store says before it opens the store's files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingot.engines.limits import Limits
from ingot.engines.transform.duckdb import DuckDBEngine
from ingot.engines.trusted_queries import Reads
from ingot.tables.input import EngineOptions, FileRelation
from ingot.tables.view import View

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def relation(tmp_path: Path) -> FileRelation:
    """A file that DuckDB finds only after a statement of its own: its path is relative."""
    field = pa.field("n", pa.int64(), metadata={"PARQUET:field_id": "1"})
    (tmp_path / "store").mkdir()
    pq.write_table(
        pa.table({"n": [7]}, schema=pa.schema([field])), tmp_path / "store" / "a.parquet"
    )
    options = EngineOptions(duckdb=(f"SET file_search_path = '{tmp_path / 'store'}'",))
    return FileRelation(("a.parquet",), {1: ("n", "BIGINT")}, options=options)


def test_a_transform_opens_files_with_the_options_of_their_store(
    relation: FileRelation, tmp_path: Path
) -> None:
    with DuckDBEngine(memory_limit_mb=100, threads=1, temp_directory=tmp_path / "spill") as engine:
        found = engine.run("SELECT n FROM numbers", {"numbers": relation}).read_all()
    assert found.to_pydict() == {"n": [7]}


def test_a_read_opens_files_with_the_options_of_their_store(relation: FileRelation) -> None:
    with Reads(Limits(memory_mb=100, threads=1, timeout_s=60.0, max_rows=10)) as reads:
        found = reads.run(
            "SELECT n FROM silver.n", {"silver.n": View("silver.n", relation, ("n",))}
        )
    assert found.to_pydict() == {"n": [7]}


def test_options_are_never_shown() -> None:
    options = EngineOptions(duckdb=("CREATE SECRET (KEY_ID 'k', SECRET 'hidden')",))
    assert "hidden" not in repr(FileRelation((), {}, options=options))
