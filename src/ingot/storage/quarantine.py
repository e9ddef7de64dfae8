"""Refused rows as Parquet: written by a unit before its data are committed."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingot.errors import DamagedFileError
from ingot.failures import reading
from ingot.tables import ops
from ingot.tables.arrow import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from pathlib import Path

    from ingot.model.work import RefusedRow

_KEY_ORDER: Final[list[tuple[str, Literal["ascending", "descending"]]]] = [
    ("landing_id", "ascending"),
    ("symbol", "ascending"),
    ("bar_start_ns", "ascending"),
]


@cache
def schema() -> pa.Schema:
    """Return the columns of a quarantine file: those of ops.quarantine, and the row's key."""
    rows = arrow_schema(ops.QUARANTINE).append(pa.field("symbol", pa.string()))
    return rows.append(pa.field("bar_start_ns", pa.int64()))


@cache
def keys_schema() -> pa.Schema:
    """Return the columns of `read_keys`."""
    fields: list[pa.Field[Any]] = [
        pa.field("landing_id", pa.int64(), nullable=False),
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("bar_start_ns", pa.int64(), nullable=False),
    ]
    return pa.schema(fields)


def to_parquet(rows: Sequence[RefusedRow], layer: str) -> bytes:
    """Return the rows as one Parquet file, the same bytes for the same rows in any order."""
    ordered = sorted(rows, key=_order)
    columns: dict[str, list[Any]] = {
        "source": [r.source for r in ordered],
        "dataset": [r.dataset for r in ordered],
        "file_date": [r.file_date for r in ordered],
        "landing_id": [r.landing_id for r in ordered],
        "row_number": [r.row_number for r in ordered],
        "layer": [layer] * len(ordered),
        "rule": [r.rule for r in ordered],
        "raw": [_readable(r.raw) for r in ordered],
        "symbol": [None if r.symbol is None else _readable(r.symbol) for r in ordered],
        "bar_start_ns": [r.bar_start_ns for r in ordered],
    }
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pydict(columns, schema=schema()), sink, compression="zstd")
    return bytes(sink.getvalue())


def _order(row: RefusedRow) -> tuple[int, int, str, str, str, int]:
    key = row.symbol or "", row.bar_start_ns or 0
    return (row.landing_id, row.row_number, row.rule, row.raw, *key)


def _readable(text: str) -> str:
    """Return text that UTF-8 can hold: bytes that were no UTF-8 show as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def read_rows(
    paths: Iterable[Path],
    *,
    start: date | None = None,
    end: date | None = None,
    limit: int | None = None,
) -> pa.Table:
    """Return the rows of these files filed in `[start, end)`, in ops.quarantine's columns.

    Args:
        paths: Quarantine files; read in turn, and no further than `limit` needs.
        start: First file date, inside; None for all.
        end: Last file date, outside; None for all.
        limit: How many rows at most.
    """
    wanted = arrow_schema(ops.QUARANTINE)
    tables, count = [wanted.empty_table()], 0
    for path in paths:
        if limit is not None and count >= limit:
            break
        rows = _filed_between(_read(path).select(wanted.names), start, end)
        tables.append(rows)
        count += rows.num_rows
    found = pa.concat_tables(tables)
    return found if limit is None else found.slice(0, limit)


def read_keys(paths: Iterable[Path]) -> pa.Table:
    """Return landing_id, symbol, bar_start_ns of the rows whose key could be read, each once."""
    tables = [_read(path).select(keys_schema().names) for path in paths]
    if not tables:
        return keys_schema().empty_table()
    keys = pa.concat_tables(tables).drop_null()
    distinct = keys.group_by(keys_schema().names).aggregate([])
    return distinct.select(keys_schema().names).sort_by(_KEY_ORDER).cast(keys_schema())


def read_symbols(paths: Iterable[Path]) -> frozenset[tuple[int, str, str | None]]:
    """Return (landing_id, rule, symbol) of the rows; symbol is None where it could not be read."""
    names = ["landing_id", "rule", "symbol"]
    tables = (_read(path).select(names).group_by(names).aggregate([]) for path in paths)
    return frozenset((*row.values(),) for t in tables for row in t.select(names).to_pylist())


def _read(path: Path) -> pa.Table:
    with reading(path):
        try:
            return pq.ParquetFile(path).read()
        except pa.ArrowException as exc:
            raise DamagedFileError(path, found=str(exc)) from exc


def _filed_between(rows: pa.Table, start: date | None, end: date | None) -> pa.Table:
    if start is not None:
        rows = rows.filter(pc.greater_equal(rows["file_date"], pa.scalar(start, pa.date32())))
    if end is not None:
        rows = rows.filter(pc.less(rows["file_date"], pa.scalar(end, pa.date32())))
    return rows
