"""A table's contract in Iceberg's words: schema, partition spec, sort order, properties."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER, NullOrder, SortDirection, SortField
from pyiceberg.table.sorting import SortOrder as IcebergSortOrder
from pyiceberg.transforms import IdentityTransform, MonthTransform, YearTransform
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
from ingot.storage.scoping import bounded_columns
from ingot.tables import contract
from ingot.tables.contract import Granularity

if TYPE_CHECKING:
    from pyiceberg.table.metadata import TableMetadata

    from ingot.tables.contract import ColumnType, Partition, Table

SORT_ORDER_ID: Final = 1
_FIRST_PARTITION_ID: Final = 1000
_TYPES: Final[dict[ColumnType, PrimitiveType]] = {
    contract.String: StringType(),
    contract.Int32: IntegerType(),
    contract.Int64: LongType(),
    contract.Float64: DoubleType(),
    contract.Boolean: BooleanType(),
    contract.Date: DateType(),
    contract.TimestampUs: TimestamptzType(),
}
_PROPERTIES: Final = {
    "format-version": "2",
    "write.format.default": "parquet",
    "write.parquet.compression-codec": "zstd",
    "write.parquet.compression-level": "3",
    "write.avro.compression-codec": "gzip",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    "commit.manifest-merge.enabled": "false",
    "write.delete.isolation-level": "serializable",
    "write.update.isolation-level": "serializable",
    "write.merge.isolation-level": "serializable",
    "write.delete.mode": "copy-on-write",
    "write.update.mode": "copy-on-write",
    "write.merge.mode": "copy-on-write",
    "write.metadata.metrics.default": "none",
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


def partition_spec(table: Table) -> PartitionSpec:
    """Return the contract's partition spec: the month or the year of one column, or none."""
    partition = table.partition
    if partition is None:
        return UNPARTITIONED_PARTITION_SPEC
    return PartitionSpec(
        PartitionField(
            source_id=_id(table, partition.column),
            field_id=_FIRST_PARTITION_ID,
            transform=_transform(partition),
            name=f"{partition.column}_{partition.granularity.value}",
        )
    )


def _transform(partition: Partition) -> MonthTransform[int] | YearTransform[int]:
    return YearTransform() if partition.granularity is Granularity.YEAR else MonthTransform()


def sort_order(table: Table) -> IcebergSortOrder:
    """Return the order of rows inside each file; files say themselves whether they keep it."""
    if not table.sort:
        return UNSORTED_SORT_ORDER
    return IcebergSortOrder(
        *(
            SortField(
                source_id=_id(table, name),
                transform=IdentityTransform(),
                direction=SortDirection.ASC,
                null_order=NullOrder.NULLS_FIRST,
            )
            for name in table.sort
        ),
        order_id=SORT_ORDER_ID,
    )


def properties(table: Table) -> dict[str, str]:
    """Return the properties of a new table.

    Metrics are kept whole for the columns that bound files and off for the others: a bound cut
    at 16 characters could not tell one dataset from the next.
    """
    metrics = {f"write.metadata.metrics.column.{name}": "full" for name in bounded_columns(table)}
    return _PROPERTIES | metrics


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


def _id(table: Table, column: str) -> int:
    return table.column_names.index(column) + 1
