"""The engine as a fixture: each test that asks for one runs on every engine."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from ingot.engines.transform.duckdb import DuckDBEngine
from ingot.engines.transform.spark import SparkEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.engines.transform.base import Engine

# pyspark leaves the sockets of its own answers to the garbage collector.
SPARK = (
    pytest.mark.services,
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
)
# With a handful of rows Spark spends its time on generating, compiling and planning.
FEW_ROWS = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xms1g",
}


@pytest.fixture(scope="session", params=("duckdb", pytest.param("spark", marks=SPARK)))
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """Return an engine for transforms; Spark where it is installed, and skip where it is not."""
    folder = tmp_path_factory.mktemp("spill")
    made: Engine
    if request.param == "spark":
        pytest.importorskip("pyspark", reason="pyspark is not installed (extra: spark)")
        made = SparkEngine(shuffle_partitions=1, temp_directory=folder, settings=FEW_ROWS)
    else:
        made = DuckDBEngine(memory_limit_mb=256, threads=2, temp_directory=folder)
    with made:
        yield made


@pytest.fixture(autouse=True)
def _sockets_closed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Collect the sockets of Spark's answers here: another test would be blamed for them."""
    yield
    if "spark" in request.node.name:
        gc.collect()
