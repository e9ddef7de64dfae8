"""The embedded engine: transforms on DuckDB, streamed as Arrow within a memory limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa

from ingot.errors import (
    ConfigError,
    ContractBrokenError,
    CorruptFileError,
    QueryError,
)
from ingot.failures import failure_of
from ingot.tables.arrow import narrow_schema
from ingot.tables.input import FileRelation, statements_of, unreadable
from ingot.tables.view import file_literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from ingot.errors import IngotError
    from ingot.tables.input import Relation
    from ingot.tables.trailing import TrailingBars

BATCH_ROWS: Final = 65_536


class DuckDBEngine:
    """Runs transforms on one DuckDB of its own, in memory, spilling to a folder.

    Not for several threads at once. An answer that is not drained ends at the next call.
    """

    name = "duckdb"

    def __init__(self, *, memory_limit_mb: int, threads: int, temp_directory: Path) -> None:
        """Start DuckDB.

        Args:
            memory_limit_mb: What DuckDB may hold, in 2^20 bytes; beyond it spills.
            threads: Workers of one query.
            temp_directory: Where it spills to; made when first needed.
        """
        self._memory_limit_mb = memory_limit_mb
        self._connection = duckdb.connect(
            config={
                "memory_limit": f"{memory_limit_mb}MiB",
                "threads": threads,
                "temp_directory": str(temp_directory),
                "preserve_insertion_order": True,
            }
        )
        self._connection.execute("SET GLOBAL TimeZone = 'UTC'").fetchall()
        self._bound: dict[str, Relation] = {}
        self._answer: pa.RecordBatchReader | None = None

    def run(self, sql: str, inputs: Mapping[str, Relation]) -> pa.RecordBatchReader:
        """Return the result of `sql` over the named inputs, in batches of at most 65,536 rows.

        Raises:
            QueryError: The text is not SQL, or names what is not there.
            ConfigError: The memory limit is too small for it.
            DamagedFileError: A data file cannot be read.
            CorruptFileError: The inputs cannot be read to their end.
            ContractBrokenError: A value does not fit its type.
        """
        self._end_answer()
        try:
            if (count := len(self._connection.extract_statements(sql))) != 1:
                raise QueryError(f"One statement was expected, there were {count}.")
            self._bind(inputs)
            reader = self._connection.sql(sql).to_arrow_reader(BATCH_ROWS)
        except duckdb.Error as exc:
            raise self._translated(exc) from exc
        self._answer = reader
        return pa.RecordBatchReader.from_batches(reader.schema, self._batches(reader))

    def run_trailing(
        self, bars: TrailingBars, inputs: Mapping[str, Relation]
    ) -> pa.RecordBatchReader:
        """Return bars with their trailing values: the engine's fast path for that window.

        The rows come in the table's narrow schema.

        Raises:
            ContractBrokenError: A key comes twice, or a value does not fit its type.
            QueryError, ConfigError, CorruptFileError: As in `run`.
        """
        from ingot.engines.transform.trailing_window import with_trailing  # noqa: PLC0415 - imports numpy

        rows = self.run(bars.sql, inputs)
        return pa.RecordBatchReader.from_batches(
            narrow_schema(bars.table), with_trailing(rows, bars)
        )

    def close(self) -> None:
        """Close DuckDB and remove what it spilled."""
        self._end_answer()
        self._connection.close()

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

    def _batches(self, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        try:
            yield from reader
        except (duckdb.Error, pa.ArrowException, OSError) as exc:
            if reader is not self._answer:
                raise QueryError(
                    "The answer ended because the engine was asked again or closed. "
                    "Read an answer to its end before the next call."
                ) from exc
            raise self._translated(exc) from exc

    def _end_answer(self) -> None:
        """Close the last answer: DuckDB's connection belongs to it until then."""
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    def _bind(self, inputs: Mapping[str, Relation]) -> None:
        for name, relation in self._bound.items():
            if isinstance(relation, FileRelation):
                self._connection.execute(f"DROP VIEW IF EXISTS {quoted(name)}").fetchall()
            else:
                self._connection.unregister(name)
        self._bound = {}
        for statement in statements_of(inputs.values()):
            self._connection.execute(statement).fetchall()
        for name, relation in inputs.items():
            if isinstance(relation, FileRelation):
                text = f"CREATE OR REPLACE TEMP VIEW {quoted(name)} AS {scan(relation)}"
                self._connection.execute(text).fetchall()
            else:
                self._connection.register(name, relation.data)
            self._bound[name] = relation

    def _translated(self, error: Exception) -> IngotError:
        text = str(error).strip()
        if isinstance(error, duckdb.OutOfMemoryException) or "Out of Memory" in text:
            return ConfigError(
                f"DuckDB needs more than its limit of {self._memory_limit_mb} MiB: {text}. "
                "Raise the memory limit in the settings, or use fewer workers."
            )
        if failure := failure_of(error, "a file that DuckDB reads or spills to"):
            return failure
        if damaged := unreadable(self._bound.values(), text):
            return damaged
        of_a_file = isinstance(error, duckdb.InvalidInputException) and ".parquet" in text
        if isinstance(error, duckdb.ProgrammingError) and not of_a_file:
            return QueryError(f"DuckDB does not understand the text: {text}")
        if isinstance(error, duckdb.DataError):
            return ContractBrokenError(f"A value does not fit its type: {text}")
        return CorruptFileError(f"DuckDB could not read its inputs to the end: {text}")


def scan(relation: FileRelation) -> str:
    """Return a SELECT over the relation's files, columns matched by field id, with its predicate.

    >>> print(scan(FileRelation(("a.parquet",), {1: ("day", "DATE")}, "day > '2025-01-01'")))
    SELECT * FROM read_parquet(['a.parquet'], schema = MAP {1: {'name': 'day', 'type': 'DATE', \
'default_value': NULL}}, hive_partitioning = false) WHERE day > '2025-01-01'
    """
    if not relation.paths:
        columns = ", ".join(
            f"CAST(NULL AS {kind}) AS {quoted(name)}" for name, kind in relation.columns.values()
        )
        return f"SELECT {columns} WHERE FALSE"
    paths = ", ".join(map(file_literal, relation.paths))
    fields = ", ".join(
        f"{number}: {{'name': {_text(name)}, 'type': {_text(kind)}, 'default_value': NULL}}"
        for number, (name, kind) in relation.columns.items()
    )
    where = f" WHERE {relation.where}" if relation.where else ""
    return (
        f"SELECT * FROM read_parquet([{paths}], schema = MAP {{{fields}}}, "
        f"hive_partitioning = false){where}"
    )


def quoted(name: str) -> str:
    """Return a name as an identifier.

    >>> quoted('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
