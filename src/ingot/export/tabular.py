"""Rows as Parquet and Arrow files whose bytes depend on the rows and the library alone.

How an engine divides its result into chunks, which bytes are under a null, and which of Arrow's
types for text it chooses: none of that reaches a file.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingot.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

ROW_GROUP_ROWS: Final = 65_536
FORMS: Final = ("parquet", "arrow")
_TEXT: Final = {pa.large_string(), pa.string_view()}


def plain(data: pa.Table) -> pa.Table:
    """Return the rows without dictionaries, without metadata and with one type for text."""
    columns = [_decoded(column) for column in data.columns]
    fields = [
        pa.field(name, column.type) for name, column in zip(data.column_names, columns, strict=True)
    ]
    return pa.table(columns, schema=pa.schema(fields))


def in_order(data: pa.Table, first: Sequence[str] = ()) -> pa.Table:
    """Return the rows sorted by `first`, then by every other column, left to right.

    Columns of lists and structures do not take part.
    """
    named = [*first, *(n for n in data.column_names if n not in first)]
    keys = [n for n in named if not pa.types.is_nested(data.schema.field(n).type)]
    keys = [n for n in keys if not pa.types.is_interval(data.schema.field(n).type)]
    return data.sort_by([(n, "ascending") for n in keys]) if keys else data


def write(data: pa.Table, path: Path, form: str) -> None:
    """Write rows as one file: zstd Parquet, or uncompressed Arrow IPC.

    Raises:
        QueryError: The format cannot hold a column's type.
    """
    rows = plain(data)
    try:
        if form == "parquet":
            _parquet(rows, path)
        else:
            _arrow(rows, path)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError) as exc:
        raise QueryError(
            f"{form} cannot hold these columns ({exc}). Cast them, or choose csv."
        ) from exc


def _parquet(rows: pa.Table, path: Path) -> None:
    with pq.ParquetWriter(
        path,
        rows.schema,
        version="2.6",
        compression="zstd",
        compression_level=3,
        use_dictionary=True,
        write_statistics=True,
        data_page_version="1.0",
    ) as writer:
        for part in _parts(rows):
            writer.write_table(part, row_group_size=ROW_GROUP_ROWS)


def _arrow(rows: pa.Table, path: Path) -> None:
    options = pa.ipc.IpcWriteOptions(use_threads=False)
    with pa.ipc.new_file(str(path), rows.schema, options=options) as writer:
        for part in _parts(rows):
            writer.write_table(part)


def _parts(rows: pa.Table) -> Iterator[pa.Table]:
    """Yield parts of a fixed size, each of one chunk that begins its own buffers."""
    for start in range(0, rows.num_rows, ROW_GROUP_ROWS):
        part = rows.slice(start, ROW_GROUP_ROWS)
        columns = [_clean(pa.concat_arrays(c.chunks)) for c in part.columns]
        yield pa.Table.from_arrays(columns, schema=rows.schema)


def _decoded(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.cast(pa.string()) if column.type in _TEXT else column


def _clean(array: pa.Array[Any]) -> pa.Array[Any]:
    """Return the array with zeros under its nulls."""
    if array.null_count == 0:
        return array
    zero = next((make(array.type) for is_kind, make in _ZEROS if is_kind(array.type)), None)
    if zero is None:
        return array
    validity = pc.is_valid(array).buffers()[1]
    filled: pa.Array[Any] = array.fill_null(zero)
    _, *values = filled.buffers()
    return pa.Array.from_buffers(array.type, len(filled), [validity, *values], offset=filled.offset)


_ZEROS: Final[tuple[tuple[Callable[[Any], bool], Callable[[Any], Any]], ...]] = (
    (pa.types.is_decimal, lambda kind: pa.scalar(Decimal(0), kind)),
    (pa.types.is_string, lambda kind: pa.scalar("", kind)),
    (pa.types.is_boolean, lambda kind: pa.scalar(False, kind)),  # noqa: FBT003  # a value
    (pa.types.is_integer, lambda kind: pa.scalar(0, kind)),
    (pa.types.is_floating, lambda kind: pa.scalar(0.0, kind)),
    (pa.types.is_timestamp, lambda kind: pa.scalar(0, pa.int64()).cast(kind)),
    (pa.types.is_date32, lambda kind: pa.scalar(0, pa.int32()).cast(kind)),
)
"""What is put under the nulls of a type; others keep what an engine left there."""
