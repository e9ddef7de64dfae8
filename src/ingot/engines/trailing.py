"""The trailing window in integers: one pass over sorted bars, in place of a window in SQL.

Measured on a full-size day (1.83 M bars): 0.16 s here, 1.1 s in DuckDB's window, which is two
thirds of the whole refinement. Sums are of millionths in 64 bits, so they are exact: what the
running sums of a batch lose by wrapping around, their differences get back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from ingot.errors import ContractBrokenError
from ingot.tables.arrow import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ingot.tables.trailing import TrailingBars

    Integers = np.ndarray[Any, np.dtype[np.int64]]

_NS_PER_MINUTE: Final = 60_000_000_000
_MINUTE_BITS: Final = 40
"""A symbol's place stands above the minute in one number that rises from bar to bar."""


def with_trailing(rows: Iterable[pa.RecordBatch], bars: TrailingBars) -> Iterator[pa.RecordBatch]:
    """Yield the rows with trailing values and constants, in the table's columns.

    Memory is that of a batch.

    Args:
        rows: What `bars.sql` gives, in its order.
        bars: What to add.

    Raises:
        ContractBrokenError: A key comes twice, or the rows are out of order.
    """
    before: pa.RecordBatch | None = None
    for batch in rows:
        if not batch.num_rows:
            continue
        whole = batch if before is None else _joined(before, batch)
        skip = whole.num_rows - batch.num_rows
        columns = {**_constants(bars, batch.num_rows), **_trailing(whole, bars.minutes, skip)}
        columns["bar_start"] = _instants(batch)
        yield _in_order(bars, batch, columns)
        # Bars start at whole minutes: no more than these can be in a window with the next one.
        before = whole.slice(max(0, whole.num_rows - bars.minutes + 1))


def _joined(before: pa.RecordBatch, batch: pa.RecordBatch) -> pa.RecordBatch:
    return pa.Table.from_batches([before, batch]).combine_chunks().to_batches()[0]


def _trailing(rows: pa.RecordBatch, minutes: int, skip: int) -> dict[str, pa.Array[Any]]:
    """Return the trailing values of the rows from `skip` on."""
    count = _counted(_keys(rows), minutes)
    first = np.arange(len(count)) - count + 1
    closes = _summed(_units(rows, "close"), first)[skip:]
    volumes = _summed(_units(rows, "volume"), first)[skip:]
    highs = _greatest(_units(rows, "high"), count)[skip:]
    lows = -_greatest(-_units(rows, "low"), count)[skip:]
    count = count[skip:]
    average = (2 * closes + count) // (2 * count)
    kinds = {name: rows.schema.field(name).type for name in ("close", "volume")}
    return {
        "close_avg_15m": _decimals(average, kinds["close"]),
        "volume_15m": _decimals(volumes, kinds["volume"]),
        "high_15m": _decimals(highs, kinds["close"]),
        "low_15m": _decimals(lows, kinds["close"]),
        "rolling_bars": pa.array(count.astype(np.int32)),
    }


def _keys(rows: pa.RecordBatch) -> Integers:
    """Return a number for each row that rises strictly, by 1 from minute to minute of a symbol."""
    symbols: Any = rows.column("symbol").dictionary_encode()
    codes = np.asarray(symbols.indices).astype(np.int64)
    minutes = np.asarray(rows.column("bar_start_ns")) // _NS_PER_MINUTE
    keys: Integers = (codes << _MINUTE_BITS) + minutes
    wrong = np.flatnonzero(keys[1:] <= keys[:-1])
    if len(wrong):
        bar = rows.slice(int(wrong[0]) + 1, 1).to_pylist()[0]
        raise ContractBrokenError(
            f"The bar of {bar['symbol']} at {bar['bar_start_ns']} comes twice or out of order "
            "before its trailing values. This is a defect of the transform; nothing was committed."
        )
    return keys


def _counted(keys: Integers, minutes: int) -> Integers:
    """Return how many bars each window holds."""
    count = np.ones(len(keys), np.int64)
    for distance in range(1, min(minutes, len(keys))):
        count[distance:] += keys[distance:] - keys[:-distance] < minutes
    return count


def _summed(values: Integers, first: Integers) -> Integers:
    """Return each window's sum, its first row known."""
    running = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=running[1:])
    return running[1:] - running[first]


def _greatest(values: Integers, count: Integers) -> Integers:
    """Return the greatest of each row's last `count` values.

    Two spans of a power of two, one at each end, cover any window; spans double from level to
    level.
    """
    found = values.copy()
    spans, span = values, 1
    while span <= count.max():
        wanted = np.flatnonzero((count >= span) & (count < 2 * span))
        begin = wanted - (count[wanted] - span)
        found[wanted] = np.maximum(spans[wanted], spans[begin])
        wider = spans.copy()
        np.maximum(spans[span:], spans[:-span], out=wider[span:])
        spans, span = wider, 2 * span
    return found


def _units(rows: pa.RecordBatch, name: str) -> Integers:
    """Return a decimal column as integers of its last place; 64 bits hold every bar's."""
    column: Any = rows.column(name)
    words = np.frombuffer(column.buffers()[1], np.int64)
    return words[2 * column.offset :: 2][: len(column)].copy()


def _decimals(units: Integers, kind: pa.DataType) -> pa.Array[Any]:
    """Return integers that are not below zero as decimals of their last place."""
    words = np.zeros((len(units), 2), np.int64)
    words[:, 0] = units
    return pa.Array.from_buffers(kind, len(units), [None, pa.py_buffer(words.data)])


def _constants(bars: TrailingBars, rows: int) -> dict[str, pa.Array[Any]]:
    schema = arrow_schema(bars.table)
    return {
        name: pa.repeat(pa.scalar(value, schema.field(name).type), rows)
        for name, value in bars.constants.items()
    }


def _instants(rows: pa.RecordBatch) -> pa.Array[Any]:
    micros: pa.Array[Any] = pa.array(np.asarray(rows.column("bar_start_ns")) // 1_000)
    return micros.cast(pa.timestamp("us", tz="UTC"))


def _in_order(
    bars: TrailingBars, batch: pa.RecordBatch, made: dict[str, pa.Array[Any]]
) -> pa.RecordBatch:
    schema = arrow_schema(bars.table)
    columns = [made[name] if name in made else batch.column(name) for name in schema.names]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
