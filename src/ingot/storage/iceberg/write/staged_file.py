"""A finished data file that no snapshot names yet, with what its footer says."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from ingot.errors import ContractBrokenError, DamagedFileError
from ingot.model.unit import WrittenFile
from ingot.storage.fs.sealed_names import hash_in
from ingot.storage.iceberg.layout.bounds import (
    Bounds,
    Overlap,
    bounded_columns,
    bounds_decoder,
    overlap,
    partition_value,
    scope_columns,
)
from ingot.tables import contract
from ingot.tables.arrow import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from ingot.model.unit import Scope
    from ingot.tables.contract import Table

_STRING_LAYOUTS: Final = frozenset({"large_string", "string_view"})
"""How a writer holds text in memory; in the file it is the same."""
_LONGEST_BOUND: Final = 256
"""A text longer than this is not used as a bound; the column then has none in this file."""


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A durable Parquet file that keeps its table's contract and waits for a commit.

    Made by `TableStore.adopt` and `TableStore.write` only; it may be pickled.
    """

    table: str
    location: str
    """The name under which metadata will know it."""
    path: str
    """What an engine opens to read it: a path or a URL."""
    rows: int
    size_bytes: int
    bounds: Bounds
    partition: int | None
    """Iceberg's month or year number; None in a table without partitions."""
    lower: Mapping[int, bytes]
    """Least value by field id, in Iceberg's single-value form."""
    upper: Mapping[int, bytes]
    null_counts: Mapping[int, int]
    split_offsets: tuple[int, ...]
    in_order: bool
    """True when the rows keep the table's sort order."""

    @property
    def written(self) -> WrittenFile:
        """What its unit's record keeps of the file."""
        name = self.location.rpartition("/")[2]
        return WrittenFile(name, hash_in(name) or "", self.size_bytes)

    @property
    def first(self) -> date | None:
        """Least date in the file."""
        return self.bounds.first

    @property
    def last(self) -> date | None:
        """Greatest date in the file, inside."""
        return self.bounds.last


def inspect(
    table: Table, path: Path, *, scope: Scope | None = None, in_order: bool = False
) -> StagedFile:
    """Return what the footer of a local data file says, after checking it against the contract.

    Args:
        table: The contract.
        path: The file, complete; it has no location yet.
        scope: Where every row must be; None requires one partition only.
        in_order: What the writer knows of the order of rows.

    Raises:
        ContractBrokenError: Columns, types, field ids or nulls are not the contract's; there is
            an empty row group or no row at all; the rows leave the scope or span partitions.
        DamagedFileError: It is not a Parquet file.
    """
    footer = _footer(table, path)
    _check_schema(table, path, footer.schema.to_arrow_schema())
    _check_row_groups(table, path, footer)
    lower, upper, nulls = _statistics(table, path, footer)
    bounds = _bounds(table, lower, upper)
    if scope is not None and overlap(bounds, scope, scope_columns(table)) is not Overlap.ALL:
        raise ContractBrokenError(
            f"{path.name} for {table.name} leaves its scope: the scope is {scope}, the rows have "
            f"{bounds}. This is a defect of the step that wrote it; nothing was committed."
        )
    return StagedFile(
        table=table.name,
        location="",
        path=str(path),
        rows=footer.num_rows,
        size_bytes=path.stat().st_size,
        bounds=bounds,
        partition=_partition(table, path, bounds),
        lower=lower,
        upper=upper,
        null_counts=nulls,
        split_offsets=_split_offsets(footer),
        in_order=in_order,
    )


def _footer(table: Table, path: Path) -> pq.FileMetaData:
    try:
        return pq.read_metadata(path)
    except pa.ArrowInvalid as exc:
        found = f"it cannot be read as a Parquet file ({exc}). Nothing was committed"
        raise DamagedFileError(path, found=found, table=table.name) from exc


def _check_schema(table: Table, path: Path, found: pa.Schema) -> None:
    wanted = arrow_schema(table)
    if len(found) != len(wanted):
        raise ContractBrokenError(
            f"{path.name} has columns {found.names}, {table.name} has {wanted.names}. "
            "Nothing was committed."
        )
    for ours, theirs in zip(wanted, found, strict=True):
        if _shape(ours) != _shape(theirs):
            raise ContractBrokenError(
                f"{path.name} has the column {_shape(theirs)} where {table.name} has "
                f"{_shape(ours)} (name, type, nullable, field id). Nothing was committed."
            )


def _shape(field: pa.Field[Any]) -> tuple[str, str, bool, str]:
    field_id = (field.metadata or {}).get(b"PARQUET:field_id", b"none").decode()
    kind = "string" if str(field.type) in _STRING_LAYOUTS else str(field.type)
    return field.name, kind, field.nullable, field_id


def _check_row_groups(table: Table, path: Path, footer: pq.FileMetaData) -> None:
    sizes = [footer.row_group(i).num_rows for i in range(footer.num_row_groups)]
    if not sizes or 0 in sizes:
        raise ContractBrokenError(
            f"{path.name} for {table.name} has row groups of {sizes or 'no'} rows. An empty row "
            "group has no bounds and would hide rows from filters; nothing was committed."
        )


def _statistics(
    table: Table, path: Path, footer: pq.FileMetaData
) -> tuple[dict[int, bytes], dict[int, bytes], dict[int, int]]:
    """Return lower bounds, upper bounds and null counts by field id."""
    lower, upper, nulls = {}, {}, {}
    for name in bounded_columns(table):
        position = table.column_names.index(name)
        found = _column_statistics(footer, position)
        if found is None:
            continue
        low, high, count = found
        nulls[position + 1] = count
        if count and not table.column(name).nullable:
            raise ContractBrokenError(
                f"{path.name} has {count} nulls in {table.name}.{name}, which may not be null."
            )
        encoded = _encode(table, name, low, high)
        if encoded is not None:
            lower[position + 1], upper[position + 1] = encoded
    return lower, upper, nulls


def _column_statistics(footer: pq.FileMetaData, position: int) -> tuple[Any, Any, int] | None:
    """Return (least, greatest, nulls) of a column in physical values; None if not all there."""
    lows: list[Any] = []
    highs: list[Any] = []
    nulls = 0
    for index in range(footer.num_row_groups):
        found: Any = footer.row_group(index).column(position).statistics
        if found is None or not found.has_null_count:
            return None
        nulls += found.null_count
        if found.has_min_max:
            lows.append(found.min_raw)
            highs.append(found.max_raw)
        elif found.num_values:
            return None
    return (min(lows), max(highs), nulls) if lows else (None, None, nulls)


def _encode(table: Table, name: str, low: Any, high: Any) -> tuple[bytes, bytes] | None:  # noqa: ANN401
    if low is None:
        return None
    kind = table.column(name).type
    if kind is contract.String:
        fits = len(low) <= _LONGEST_BOUND and len(high) <= _LONGEST_BOUND
        return (bytes(low), bytes(high)) if fits else None
    layout = "<i" if kind in (contract.Int32, contract.Date) else "<q"
    return struct.pack(layout, low), struct.pack(layout, high)


def _bounds(table: Table, lower: Mapping[int, bytes], upper: Mapping[int, bytes]) -> Bounds:
    ids = {name: position for position, name in enumerate(table.column_names, start=1)}
    return bounds_decoder(table, ids)(lower, upper)


def _partition(table: Table, path: Path, bounds: Bounds) -> int | None:
    if table.partition is None:
        return None
    if bounds.first is None or bounds.last is None:
        raise ContractBrokenError(
            f"{path.name} for {table.name} has no bounds of {table.partition.column}, so that its "
            "partition is unknown. Write it with column statistics."
        )
    low = partition_value(table.partition, bounds.first)
    high = partition_value(table.partition, bounds.last)
    if low != high:
        raise ContractBrokenError(
            f"{path.name} for {table.name} spans {bounds.first} to {bounds.last}, more than one "
            f"{table.partition.granularity.value}. Write one file per date."
        )
    return low


def _split_offsets(footer: pq.FileMetaData) -> tuple[int, ...]:
    offsets = []
    for index in range(footer.num_row_groups):
        column = footer.row_group(index).column(0)
        dictionary = column.dictionary_page_offset
        data = column.data_page_offset
        offsets.append(data if dictionary is None else min(dictionary, data))
    return tuple(sorted(offsets))
