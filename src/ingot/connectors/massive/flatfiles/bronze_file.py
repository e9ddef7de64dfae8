"""Rows on their way to one Parquet file of a bronze table."""

from __future__ import annotations

from contextlib import closing, contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from ingot.failures import translated
from ingot.tables.arrow import narrow_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ingot.model.landing import Landing
    from ingot.tables.contract import Table

ROW_GROUP_ROWS: Final = 65_536
_EPOCH: Final = date(1970, 1, 1)
# Chosen by measurement: a line's number is a straight line (2.7 bytes a row plain, 0 as deltas);
# prices are smaller plain than as a dictionary, the other columns the other way round. A dictionary
# leaves so little to squeeze that Snappy is enough behind it: a tenth less time than zstd
# everywhere, for 9 % more bytes.
_DELTAS: Final = dict.fromkeys(("file_date", "landing_id", "row_number"), "DELTA_BINARY_PACKED")
_DICTIONARIES: Final[Any] = [
    "source",
    "dataset",
    "ticker",
    "volume",
    "window_start",
    "transactions",
]
_PRICES: Final = frozenset({"open", "high", "low", "close"})
_ZSTD_LEVELS: Final[Any] = dict.fromkeys(_PRICES, 3)


@contextmanager
def bronze_file(to: Path, table: Table, landing: Landing) -> Iterator[BronzeFile]:
    """Open a file for rows, and finish it; remove it after an error and when it has no row."""
    is_whole = False
    try:
        with closing(BronzeFile(to, table, landing)) as file:
            yield file
        is_whole = file.rows > 0
    finally:
        if not is_whole:
            to.unlink(missing_ok=True)


class BronzeFile:
    """One Parquet file in the contract's schema, with lineage, in the order of `append`."""

    def __init__(self, to: Path, table: Table, landing: Landing) -> None:
        self._to = to
        self._landing = landing
        self._schema = narrow_schema(table)
        with translated(to, "write"):
            self._writer = pa.parquet.ParquetWriter(
                to,
                self._schema,
                compression={
                    name: "zstd" if name in _PRICES else "snappy" for name in self._schema.names
                },
                compression_level=_ZSTD_LEVELS,
                column_encoding=_DELTAS,
                use_dictionary=_DICTIONARIES,
                store_decimal_as_integer=True,
                max_rows_per_page=ROW_GROUP_ROWS,
                write_page_checksum=True,
                store_schema=False,  # readers see the contract's types, not the writer's
            )
        self.rows = 0

    def close(self) -> None:
        """Finish the file."""
        with translated(self._to, "write"):
            self._writer.close()

    def append(
        self, rows: pa.RecordBatch, first_line: int, offsets: Sequence[int] | None = None
    ) -> None:
        """Write rows as one row group, or as several alike when they are more than 65,536.

        Args:
            rows: The vendor's columns in the contract's order; at least one row.
            first_line: Number of the line from which `offsets` count, 1 for the file's first row.
            offsets: Each row's line; None when they are 0, 1, 2 and so on.

        Raises:
            StorageFullError: The disk is full.
        """
        numbers = np.arange(rows.num_rows, dtype=np.int32)
        if offsets is not None:
            numbers = np.asarray(offsets, np.int32)
        lines = _array(numbers + np.int32(first_line), pa.int32())
        columns = [*self._lineage(rows.num_rows), lines, *rows.columns]
        batch = pa.RecordBatch.from_arrays(columns, schema=self._schema)
        with translated(self._to, "write"):
            self._writer.write_batch(batch, row_group_size=_even(rows.num_rows))
        self.rows += rows.num_rows

    def _lineage(self, rows: int) -> tuple[pa.Array[Any], ...]:
        landing = self._landing
        days = (landing.file_date - _EPOCH).days
        return (
            _constant_text(landing.source, rows),
            _constant_text(landing.dataset, rows),
            _array(np.full(rows, days, np.int32), pa.date32()),
            _array(np.full(rows, landing.landing_id, np.int64), pa.int64()),
        )


def _array(numbers: np.ndarray[Any, Any], kind: pa.DataType) -> pa.Array[Any]:
    """Return numbers as an Arrow array: `pa.array` and `pa.scalar` would import pandas first."""
    buffer: Any = numbers.data
    return pa.Array.from_buffers(kind, len(numbers), [None, pa.py_buffer(buffer)])


def _constant_text(text: str, rows: int) -> pa.Array[Any]:
    ends: Any = np.array([0, len(text.encode())], np.int32).data
    values = pa.StringArray.from_buffers(1, pa.py_buffer(ends), pa.py_buffer(text.encode()))
    return pa.DictionaryArray.from_arrays(_array(np.zeros(rows, np.int32), pa.int32()), values)


def _even(rows: int) -> int:
    """Return the rows of each group when all are alike and none is too large."""
    groups = -(-rows // ROW_GROUP_ROWS)
    return -(-rows // groups)
