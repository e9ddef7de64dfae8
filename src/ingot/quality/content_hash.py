"""A hash of an answer's rows: equal for equal rows, whatever their order, format and files."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOW_BITS: Final = 64
_BITS_OF: Final[dict[Any, Any]] = {
    pa.float16(): pa.int16(),
    pa.float32(): pa.int32(),
    pa.float64(): pa.int64(),
}
_TEXT: Final = {pa.large_string(), pa.string_view()}


def content_hash(data: pa.Table) -> str:
    """Return 64 hex digits over the columns' names and types and the multiset of rows.

    Exact: a float counts by its bits, a decimal by its digits, an instant by its count. A row
    that occurs twice counts twice; the order of the rows does not count.
    """
    import duckdb  # noqa: PLC0415 (166 ms: only who hashes pays for it)

    fields = [(field.name, _plain(field.type)) for field in data.schema]
    columns = [
        _countable(column, kind) for column, (_, kind) in zip(data.columns, fields, strict=True)
    ]
    names = [f"c{i}" for i in range(len(columns))]
    total = 0
    if data.num_rows and columns:
        with duckdb.connect() as engine:
            engine.execute("SET TimeZone = 'UTC'")
            engine.register("rows", pa.table(columns, names=names))
            found = engine.execute(_sum_of_hashes(names, [c.type for c in columns])).fetchone()
        low, high = found or (0, 0)
        total = (low + (high << _LOW_BITS)) % (1 << 2 * _LOW_BITS)
    header = "\n".join(f"{name!r} {kind}" for name, kind in fields)
    text = f"{header}\n{data.num_rows}\n{total:032x}"
    return sha256(text.encode()).hexdigest()


def _plain(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.DictionaryType):
        return _plain(kind.value_type)
    return pa.string() if kind in _TEXT else kind


def _countable(column: pa.ChunkedArray[Any], kind: pa.DataType) -> pa.ChunkedArray[Any]:
    """Return the column in a type whose text says its value exactly."""
    column = column.cast(kind)
    if bits := _BITS_OF.get(kind):
        return pa.chunked_array([chunk.view(bits) for chunk in column.chunks], bits)
    if pa.types.is_date32(kind) or pa.types.is_time32(kind):
        return column.cast(pa.int32())
    if pa.types.is_timestamp(kind) or pa.types.is_date64(kind) or pa.types.is_time64(kind):
        return column.cast(pa.int64())
    return column


def _sum_of_hashes(names: Sequence[str], kinds: Sequence[pa.DataType]) -> str:
    row = ", ".join(_canonical(name, kind) for name, kind in zip(names, kinds, strict=True))
    mask = (1 << _LOW_BITS) - 1
    return (
        f"SELECT coalesce(sum(CAST(hash & CAST({mask} AS UHUGEINT) AS HUGEINT)), 0), "
        f"coalesce(sum(CAST(hash >> {_LOW_BITS} AS HUGEINT)), 0) "
        f"FROM (SELECT md5_number(concat({row})) AS hash FROM rows)"
    )


def _canonical(name: str, kind: pa.DataType) -> str:
    """Return SQL for a value as text whose end shows: numbers by a comma, all else by a length."""
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_boolean(kind):
        return f"coalesce(CAST({name} AS VARCHAR), 'N') || ','"
    text = f"to_json({name})" if pa.types.is_nested(kind) else name
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        text = f"hex({name})"
    text = f"CAST({text} AS VARCHAR)"
    return f"coalesce(strlen({text}) || ':' || {text}, 'N')"
