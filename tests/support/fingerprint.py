"""A fingerprint of a table's rows: equal for equal rows, whatever their order and their files.

It proves that two lakes hold the same: one loaded undisturbed and one killed and resumed, one
built step by step and one rebuilt (SEMANTICS 10). Floats are left out and compared beside it,
for two engines may differ in their last bits.
"""

from __future__ import annotations

import atexit
import os
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from ingot.errors import ContractBrokenError
from ingot.tables import contract

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from ingot.tables.contract import Column, Table

_RECORDED_TIME: Final = {"recorded_at", "first_seen"}
_OPS_RECORDED: Final = {"run", "started", "ended", "snapshot_id"}
"""What differs between two runs over the same input, in the ledger's projections."""
_LOW_BITS: Final = 64
_DIGITS: Final = 32


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a table holds, in two values."""

    rows: int
    digest: str
    """32 hex digits over the table's name, the compared columns and the multiset of rows."""


@dataclass(frozen=True, slots=True)
class FloatColumns:
    """A table's float columns beside its key, sorted by the key."""

    data: pa.Table
    key: tuple[str, ...]


def fingerprint(
    table: Table, batches: pa.RecordBatchReader, *, stream: bool = False
) -> Fingerprint:
    """Return the fingerprint of `batches`, rows of `table`; drains the reader.

    Each row becomes one text in which neither a null and an empty string nor the borders of two
    columns can be confused; their MD5, read little-endian, are added modulo 2^128. A row that
    occurs twice counts twice. 2 million rows of 22 columns take about 2 s on 2 cores.

    Args:
        table: The contract; values are compared in its types, other columns do not count.
        batches: The rows, in any order.
        stream: True for a table that a stream fills: known_from and known_to are then the time
            of a commit, and left out.

    Raises:
        ContractBrokenError: A column that takes part is not there.
    """
    columns = compared_columns(table, stream=stream)
    if missing := [c.name for c in columns if c.name not in batches.schema.names]:
        raise ContractBrokenError(
            f"The rows of {table.name} to be fingerprinted lack the columns {', '.join(missing)}."
        )
    engine = _engine(os.getpid())
    engine.register("rows", batches)
    ((rows, low, high),) = engine.execute(_sum_of_hashes(columns)).fetchall()
    engine.unregister("rows")
    total = (low + (high << _LOW_BITS)) % (1 << 2 * _LOW_BITS)
    names = ",".join(column.name for column in columns)
    text = f"{table.name}\n{names}\n{rows}\n{total:032x}"
    return Fingerprint(rows, sha256(text.encode()).hexdigest()[:_DIGITS])


@cache
def _engine(process: int) -> duckdb.DuckDBPyConnection:
    """Return the connection of a process; a fork makes its own."""
    import duckdb  # noqa: PLC0415 (166 ms: only who takes fingerprints pays for it)

    del process
    engine = duckdb.connect()
    atexit.register(_engine.cache_clear)  # else nanobind reports leaks
    engine.execute("SET TimeZone = 'UTC'")
    return engine


def compared_columns(table: Table, *, stream: bool = False) -> tuple[Column, ...]:
    """Return the columns that a fingerprint covers.

    All but recorded time, first_seen and floats; without known time on stream tables, and
    without run, start, end and snapshot on the ledger's projections.
    """
    left_out = set(_RECORDED_TIME)
    if stream:
        left_out |= {table.KNOWN_FROM, table.KNOWN_TO}
    if table.namespace == "ops":
        left_out |= _OPS_RECORDED
    return tuple(
        c for c in table.columns if c.name not in left_out and c.type is not contract.Float64
    )


def float_columns(table: Table, batches: pa.RecordBatchReader) -> FloatColumns:
    """Return the float columns of `batches` beside the key, sorted by it; drains the reader.

    Raises:
        ContractBrokenError: A key or float column is not there.
    """
    floats = [c.name for c in table.columns if c.type is contract.Float64]
    wanted = [*table.key, *floats]
    if missing := [name for name in wanted if name not in batches.schema.names]:
        raise ContractBrokenError(
            f"The rows of {table.name} to be compared lack the columns {', '.join(missing)}."
        )
    data = batches.read_all().select(wanted)
    ordered = data.sort_by([(name, "ascending") for name in table.key])
    return FloatColumns(ordered.combine_chunks(), table.key)


def equal_floats(a: FloatColumns, b: FloatColumns, *, tolerance: float = 1e-12) -> bool:
    """Say whether both hold the same keys, and floats that differ by at most `tolerance`.

    The tolerance is absolute for values up to 1 and relative above. Nulls, NaN and infinities
    are equal to their like only.
    """
    if a.data.column_names != b.data.column_names or a.data.num_rows != b.data.num_rows:
        return False
    if not a.data.select(list(a.key)).equals(b.data.select(list(b.key))):
        return False
    return all(
        _equal_column(a.data[name], b.data[name], tolerance)
        for name in a.data.column_names
        if name not in a.key
    )


def _sum_of_hashes(columns: tuple[Column, ...]) -> str:
    row = ", ".join(_canonical(column) for column in columns)
    mask = (1 << _LOW_BITS) - 1
    return (
        "SELECT count(*), coalesce(sum(CAST(hash & CAST(" + f"{mask} AS UHUGEINT) AS HUGEINT)), 0),"
        f" coalesce(sum(CAST(hash >> {_LOW_BITS} AS HUGEINT)), 0) "
        f"FROM (SELECT md5_number(concat({row})) AS hash FROM rows)"
    )


def _canonical(column: Column) -> str:
    """Return SQL for a value as text: a string by its length, all else ended by a comma."""
    name = '"' + column.name.replace('"', '""') + '"'
    value = f"CAST({name} AS {column.type.sql})"
    if column.type is contract.String:
        return f"coalesce(strlen({value}) || ':' || {value}, 'N')"
    if column.type is contract.TimestampUs:
        value = f"epoch_us({value})"
    return f"coalesce(CAST({value} AS VARCHAR), 'N') || ','"


def _equal_column(
    a: pa.ChunkedArray[pa.DoubleScalar], b: pa.ChunkedArray[pa.DoubleScalar], tolerance: float
) -> bool:
    import pyarrow as pa  # noqa: PLC0415 (217 ms: only who compares floats pays for it)
    import pyarrow.compute as pc  # noqa: PLC0415 (the same)

    if not pc.all(pc.equal(pc.is_null(a), pc.is_null(b)), min_count=0).as_py():
        return False
    scale = pc.max_element_wise(pc.abs(a), pc.abs(b), pa.scalar(1.0))
    near = pc.less_equal(pc.abs(pc.subtract(a, b)), pc.multiply(scale, pa.scalar(tolerance)))
    finite = pc.and_(pc.is_finite(a), pc.is_finite(b))
    both_nan = pc.and_(pc.is_nan(a), pc.is_nan(b))
    alike = pc.or_(pc.or_(pc.and_(near, finite), both_nan), pc.equal(a, b))
    return bool(pc.all(alike, min_count=0).as_py())
