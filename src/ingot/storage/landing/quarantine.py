"""Refused rows as Parquet: written by a unit before its data are committed."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingot.failures import unread
from ingot.model.unit import BLANK_LINE
from ingot.tables import ops
from ingot.tables.arrow import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from ingot.model.unit import RefusedRow

_KEY: Final = ("landing_id", "file_date", "symbol", "bar_start_ns")


@cache
def schema() -> pa.Schema:
    """Return the columns of a quarantine file: those of ops.quarantine, and the row's key."""
    rows = arrow_schema(ops.QUARANTINE).append(pa.field("symbol", pa.string()))
    return rows.append(pa.field("bar_start_ns", pa.int64()))


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
    return _encoded(pa.Table.from_pydict(columns, schema=schema()))


def _encoded(rows: pa.Table, *, checksums: bool = True) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="zstd", write_page_checksum=checksums)
    return bytes(sink.getvalue())


def damage(data: bytes) -> str:
    """Return what is wrong with a quarantine file; empty where it is what was written.

    The same rows give the same bytes, so the rows are encoded again and compared; not where
    another version of the writer made the file, which is then decoded only.
    """
    try:
        with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True) as file:
            rows, writer = file.read(), file.metadata.created_by
    except (pa.ArrowException, OSError) as exc:
        return f"it cannot be decoded: {exc}"
    again = _encoded(rows)
    same_writer = pq.read_metadata(pa.BufferReader(again)).created_by == writer
    if same_writer and data not in {again, _encoded(rows, checksums=False)}:
        return "its bytes are not those that its rows give"
    return ""


def _order(row: RefusedRow) -> tuple[int, int, str, str, str, int]:
    key = row.symbol or "", row.bar_start_ns or 0
    return (row.landing_id, row.row_number, row.rule, row.raw, *key)


def _readable(text: str) -> str:
    """Return text that UTF-8 can hold: bytes that were no UTF-8 show as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def read_rows(
    files: Iterable[tuple[str, bytes]],
    *,
    start: date | None = None,
    end: date | None = None,
    limit: int | None = None,
) -> pa.Table:
    """Return the rows of these files filed in `[start, end)`, in ops.quarantine's columns.

    Args:
        files: (place, bytes) of quarantine files; read in turn, and no further than `limit` needs.
        start: First file date, inside; None for all.
        end: Last file date, outside; None for all.
        limit: How many rows at most.
    """
    wanted = arrow_schema(ops.QUARANTINE)
    tables, count = [wanted.empty_table()], 0
    for file in files:
        if limit is not None and count >= limit:
            break
        rows = _filed_between(_read(*file).select(wanted.names), start, end)
        tables.append(rows)
        count += rows.num_rows
    found = pa.concat_tables(tables)
    return found if limit is None else found.slice(0, limit)


def read_keys(files: Iterable[tuple[str, bytes]]) -> pa.Table:
    """Return landing_id, file_date, symbol, bar_start_ns of the rows, each combination once.

    A part of the key that could not be read is null. A blank line is not a row and has no key.
    """
    wanted = pa.schema([schema().field(name) for name in _KEY])
    tables = [wanted.empty_table()]
    for file in files:
        rows = _read(*file)
        rows = rows.filter(pc.not_equal(rows["rule"], pa.scalar(BLANK_LINE)))
        tables.append(rows.select(wanted.names).cast(wanted))
    distinct = pa.concat_tables(tables).group_by(wanted.names).aggregate([])
    return (
        distinct.select(wanted.names).sort_by([(name, "ascending") for name in _KEY]).cast(wanted)
    )


def read_symbols(files: Iterable[tuple[str, bytes]]) -> frozenset[tuple[int, str, str | None]]:
    """Return (landing_id, rule, symbol) of the rows; symbol is None where it could not be read."""
    names = ["landing_id", "rule", "symbol"]
    tables = (_read(*file).select(names).group_by(names).aggregate([]) for file in files)
    return frozenset((*row.values(),) for t in tables for row in t.select(names).to_pylist())


def _read(place: str, data: bytes) -> pa.Table:
    try:
        with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True) as file:
            return file.read()
    except (pa.ArrowException, OSError) as exc:
        raise unread(exc, place, _table_of(place)) from exc


def _table_of(place: str) -> str | None:
    """Return the table whose unit refused the rows: the folder below `quarantine`."""
    parts = place.split("/")
    return parts[parts.index("quarantine") + 1] if "quarantine" in parts else None


def _filed_between(rows: pa.Table, start: date | None, end: date | None) -> pa.Table:
    if start is not None:
        rows = rows.filter(pc.greater_equal(rows["file_date"], pa.scalar(start, pa.date32())))
    if end is not None:
        rows = rows.filter(pc.less(rows["file_date"], pa.scalar(end, pa.date32())))
    return rows
