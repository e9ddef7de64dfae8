"""The same texts on Spark: transpiled, over the same Parquet files, with no Iceberg jar."""

from __future__ import annotations

import os
import re
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Final

from ingot.engines.transform.spark_parts import parts_of
from ingot.engines.transform.transpile import predicate_to_spark, to_spark
from ingot.errors import (
    ConfigError,
    ContractBrokenError,
    CorruptFileError,
    QueryError,
    SourceUnavailableError,
)
from ingot.tables.input import FileRelation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from ingot.errors import IngotError
    from ingot.tables.input import Relation

_SETTINGS: Final = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.parquet.fieldId.read.enabled": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "OFF",
}
_SPARK_TYPES: Final = {
    "VARCHAR": "STRING",
    "INTEGER": "INT",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
}
_REQUEST_CLASSES: Final = ("42", "07", "0A")
"""SQLSTATE classes of a text that cannot be understood."""
_DATA_CLASSES: Final = ("22", "23")
"""SQLSTATE classes of a value that does not fit."""


class SparkEngine:
    """Runs transforms on Spark, on this machine or wherever `master` points."""

    name = "spark"

    def __init__(
        self,
        *,
        master: str = "local[2]",
        memory_limit_mb: int = 2_048,
        shuffle_partitions: int = 2,
        temp_directory: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Start a session of Spark, or take this process's own.

        Args:
            master: Where Spark runs.
            memory_limit_mb: Heap of the driver, in 2^20 bytes.
            shuffle_partitions: Tasks of one exchange.
            temp_directory: Where Spark spills to and keeps its warehouse.
            settings: More of Spark's own settings, by their names.

        Raises:
            ConfigError: pyspark or Java is not there.
        """
        chosen = {
            **_SETTINGS,
            "spark.driver.memory": f"{memory_limit_mb}m",
            "spark.sql.shuffle.partitions": str(shuffle_partitions),
        }
        if temp_directory is not None:
            chosen["spark.local.dir"] = str(temp_directory)
            chosen["spark.sql.warehouse.dir"] = str(temp_directory / "warehouse")
        self._session = _started(master, chosen | dict(settings or {}))
        self._bound: set[str] = set()

    def run(self, sql: str, inputs: Mapping[str, Relation]) -> pa.RecordBatchReader:
        """Return the result of `sql` over the named inputs; the driver holds it as Arrow.

        Raises:
            QueryError: The text is not SQL, or names what is not there.
            CorruptFileError: A data file cannot be read.
            ContractBrokenError: A value does not fit its type.
        """
        from pyspark.errors import PySparkException  # noqa: PLC0415 - optional

        of_the_jvm = import_module("py4j.protocol").Py4JJavaError
        parts = parts_of(to_spark(sql), inputs=inputs)
        try:
            self._bind(inputs)
            for name, text in parts.shared:
                self._bound.add(name)
                shared = self._session.sql(text).localCheckpoint(eager=False)
                shared.createOrReplaceTempView(name)
            answer: pa.Table = self._session.sql(parts.query).toArrow()
        except (PySparkException, of_the_jvm) as exc:
            raise _translated(str(exc)) from exc
        reader: pa.RecordBatchReader = answer.to_reader()
        return reader

    def close(self) -> None:
        """Stop the session."""
        self._session.stop()

    def __enter__(self) -> Self:
        """Return the engine itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _bind(self, inputs: Mapping[str, Relation]) -> None:
        for name in self._bound - set(inputs):
            self._session.catalog.dropTempView(name)
        self._bound = set(inputs)
        for name, relation in inputs.items():
            self._frame(relation).createOrReplaceTempView(name)

    def _frame(self, relation: Relation) -> DataFrame:
        from pyspark.sql.types import DataType, StructType  # noqa: PLC0415 - optional

        if not isinstance(relation, FileRelation):
            return self._session.createDataFrame(relation.data)
        schema = StructType()
        for number, (name, kind) in relation.columns.items():
            of_spark = DataType.fromDDL(_SPARK_TYPES.get(kind, kind))
            schema.add(name, of_spark, metadata={"parquet.field.id": number})
        if not relation.paths:
            return self._session.createDataFrame([], schema)
        frame = self._session.read.schema(schema).parquet(*relation.paths)
        return frame.where(predicate_to_spark(relation.where)) if relation.where else frame


def _started(master: str, settings: Mapping[str, str]) -> SparkSession:
    try:
        from pyspark.errors import PySparkException, PySparkRuntimeError  # noqa: PLC0415 - optional
        from pyspark.sql import SparkSession  # noqa: PLC0415 - optional
    except ImportError as exc:
        raise ConfigError(
            "pyspark is not installed. Install it with: pip install ingot[spark]"
        ) from exc
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master(master).appName("ingot").config(map=dict(settings))
    try:
        return builder.getOrCreate()
    except (PySparkException, PySparkRuntimeError) as exc:
        raise ConfigError(f"Spark did not start on {master}: {exc}. It needs Java 17.") from exc


def _translated(report: str) -> IngotError:
    text = report.split("\n\tat ", maxsplit=1)[0].split("\n\nJVM stacktrace", maxsplit=1)[0].strip()
    found = re.search(r"SQLSTATE: (\w{5})", report)
    state = found.group(1) if found else ""
    if state.startswith(_REQUEST_CLASSES) and "PATH_NOT_FOUND" not in text:
        return QueryError(f"Spark does not understand the text: {text}")
    if state.startswith(_DATA_CLASSES):
        return ContractBrokenError(f"A value does not fit its type: {text}")
    if "FAILED_READ_FILE" in report or "PATH_NOT_FOUND" in report:
        return CorruptFileError(f"Spark could not read its inputs to the end: {text}")
    return SourceUnavailableError(f"Spark failed: {text}")
