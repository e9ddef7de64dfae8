"""A table's contract as an Iceberg schema, and what a newer contract adds to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ingot.errors import ContractBrokenError
from ingot.tables import contract

if TYPE_CHECKING:
    from pyiceberg.schema import Schema
    from pyiceberg.table.metadata import TableMetadata
    from pyiceberg.types import NestedField

    from ingot.tables.contract import ColumnType, Table

_TYPES: Final[dict[ColumnType, str]] = {
    contract.String: "string",
    contract.Int32: "int",
    contract.Int64: "long",
    contract.Float64: "double",
    contract.Boolean: "boolean",
    contract.Date: "date",
    contract.TimestampUs: "timestamptz",
}


def schema_document(table: Table, schema_id: int = 0) -> dict[str, Any]:
    """Return the contract's schema as Iceberg writes it; field ids are positions, from 1."""
    fields = [
        {
            "id": position,
            "name": column.name,
            "type": _type(column.type),
            "required": not column.nullable,
            "doc": column.doc,
        }
        for position, column in enumerate(table.columns, start=1)
    ]
    return {"type": "struct", "fields": fields, "schema-id": schema_id, "identifier-field-ids": []}


def iceberg_schema(table: Table, schema_id: int = 0) -> Schema:
    """Return the contract's schema as PyIceberg has it."""
    from pyiceberg.schema import Schema  # noqa: PLC0415 - new tables are made without it

    return Schema.model_validate(schema_document(table, schema_id))


def _type(column_type: ColumnType) -> str:
    if isinstance(column_type, contract.Decimal):
        return f"decimal({column_type.precision}, {column_type.scale})"
    return _TYPES[column_type]


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
