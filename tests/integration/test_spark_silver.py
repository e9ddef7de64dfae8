"""Silver and gold computed by Spark equal those computed by DuckDB, corrections and all."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.tables.arrow import arrow_schema
from ingot.tables.gold import PERFORMANCE
from tests.support.fingerprint import equal_floats, float_columns
from tests.support.world import MONDAY, World, at

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.fingerprint import FloatColumns

pytestmark = [pytest.mark.services]
STAGES = (1, 2, 3)
FOR_FEW_ROWS = (
    "--conf spark.sql.codegen.wholeStage=false "
    "--conf spark.sql.codegen.factoryMode=NO_CODEGEN pyspark-shell"
)
TWO_DAYS = MONDAY + timedelta(days=2)


def test_spark_makes_the_same_silver_and_gold(tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="the extra spark is not installed")
    with_duckdb = World(tmp_path / "duckdb", end=TWO_DAYS, symbols=20)
    with_spark = World(tmp_path / "spark", end=TWO_DAYS, symbols=20)
    for stage in STAGES:
        with_duckdb.publish(stage)
        with_duckdb.ingest(at(stage))
        with_spark.publish(stage)
        with_spark.ingest(at(stage))
    assert with_duckdb.build(at(9)).exit_code == 0
    _build_with_spark(with_spark)
    assert with_spark.fingerprints(at(20)) == with_duckdb.fingerprints(at(20))
    assert equal_floats(_performance(with_spark), _performance(with_duckdb), tolerance=1e-12)


def _build_with_spark(world: World) -> None:
    """Run the command in a process of its own, whose session of Spark nobody shares."""
    command = ["--lake", str(world.root), "--now", at(9).isoformat(), "build"]
    subprocess.run(
        [sys.executable, "-m", "ingot", "--set", "engine=spark", *command],
        check=True,
        env={**os.environ, "PYSPARK_SUBMIT_ARGS": FOR_FEW_ROWS},
    )


def _performance(world: World) -> FloatColumns:
    parts = world.parts(at(20))
    paths = [str(f.path) for f in parts.tables.plan(ScanRequest(PERFORMANCE)).files]
    parts.close()
    schema = arrow_schema(PERFORMANCE)
    rows = pa.concat_tables([pq.read_table(path, schema=schema) for path in paths])
    return float_columns(PERFORMANCE, rows.to_reader())
