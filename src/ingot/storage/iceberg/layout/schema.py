"""A table's contract as an Iceberg schema, and what a newer contract adds to it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from pyiceberg.schema import Schema
from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    NestedField,
    PrimitiveType,
    StringType,
    TimestamptzType,
)

from ingot.errors import ContractBrokenError
from ingot.tables import contract

if TYPE_CHECKING:
    from pyiceberg.table.metadata import TableMetadata

    from ingot.tables.contract import ColumnType, Table

_TYPES: Final[dict[ColumnType, PrimitiveType]] = {
    contract.String: StringType(),
    contract.Int32: IntegerType(),
    contract.Int64: LongType(),
    contract.Float64: DoubleType(),
    contract.Boolean: BooleanType(),
    contract.Date: DateType(),
    contract.TimestampUs: TimestamptzType(),
}


def iceberg_type(column_type: ColumnType) -> PrimitiveType:
    """Return the Iceberg type of a column type."""
    if isinstance(column_type, contract.Decimal):
        return DecimalType(column_type.precision, column_type.scale)
    return _TYPES[column_type]


@cache
def iceberg_schema(table: Table, schema_id: int = 0) -> Schema:
    """Return the contract's schema; field ids are the columns' positions, from 1."""
    return Schema(
        *(
            NestedField(
                field_id=position,
                name=column.name,
                field_type=iceberg_type(column.type),
                required=not column.nullable,
                doc=column.doc,
            )
            for position, column in enumerate(table.columns, start=1)
        ),
        schema_id=schema_id,
    )


def grown_schema(table: Table, metadata: TableMetadata) -> Schema | None:
    """Return the contract's schema if it has more columns than the table; None if it is equal.

    Raises:
        ContractBrokenError: The two differ in anything but nullable columns added at the end.
    """
    current = metadata.schema()
    wanted = iceberg_schema(table, max(schema.schema_id for schema in metadata.schemas) + 1)
    for field, found in zip(wanted.fields, current.fields, strict=False):
        if _shape(field) != _shape(found):
            raise ContractBrokenError(
                f"Column {found.field_id} of {table.name} is {found.name} {found.field_type} in "
                f"the lake, but {field.name} {field.field_type} in the contract. A contract may "
                "only add nullable columns at its end; rebuild the table in a new lake."
            )
    added = wanted.fields[len(current.fields) :]
    if len(wanted.fields) < len(current.fields) or any(field.required for field in added):
        raise ContractBrokenError(
            f"The contract of {table.name} has {len(wanted.fields)} columns, the lake's table "
            f"{len(current.fields)}. A contract may only add nullable columns at its end."
        )
    return wanted if added else None


def _shape(field: NestedField) -> tuple[int, str, str, bool]:
    return field.field_id, field.name, str(field.field_type), field.required
