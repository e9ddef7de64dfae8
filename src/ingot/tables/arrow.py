"""A table's contract as an Arrow schema, with Iceberg's field ids."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pyarrow as pa

from ingot.tables import contract

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ingot.tables.contract import ColumnType, Table

_FIELD_ID = b"PARQUET:field_id"
_WIDEST_OF_64_BITS = 18
_TYPES: dict[ColumnType, pa.DataType] = {
    contract.String: pa.string(),
    contract.Int32: pa.int32(),
    contract.Int64: pa.int64(),
    contract.Float64: pa.float64(),
    contract.Boolean: pa.bool_(),
    contract.Date: pa.date32(),
    contract.TimestampUs: pa.timestamp("us", tz="UTC"),
}


def arrow_type(column_type: ColumnType) -> pa.DataType:
    """Return the Arrow type of a column type."""
    if isinstance(column_type, contract.Decimal):
        return pa.decimal128(column_type.precision, column_type.scale)
    return _TYPES[column_type]


@cache
def arrow_schema(table: Table) -> pa.Schema:
    """Return the schema that every data file of `table` has: types, field ids, not-null."""
    return pa.schema(
        [
            pa.field(
                column.name,
                arrow_type(column.type),
                nullable=column.nullable,
                metadata={_FIELD_ID: str(position).encode()},
            )
            for position, column in enumerate(table.columns, start=1)
        ]
    )


def relation_schema(columns: Mapping[str, ColumnType]) -> pa.Schema:
    """Return the schema of a relation that has columns but no contract."""
    return pa.schema([(name, arrow_type(kind)) for name, kind in columns.items()])


@cache
def narrow_schema(table: Table) -> pa.Schema:
    """Return the schema of rows on their way to a data file where the producer can choose.

    Texts are dictionaries and decimals of up to 18 digits have 64 bits. A Parquet file is the same
    as of `arrow_schema`, and half as much is moved to write it.
    """
    return pa.schema([f.with_type(_narrow(f.type)) for f in arrow_schema(table)])


def _narrow(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.Decimal128Type) and kind.precision <= _WIDEST_OF_64_BITS:
        return pa.decimal64(kind.precision, kind.scale)
    return pa.dictionary(pa.int32(), kind) if kind == pa.string() else kind
