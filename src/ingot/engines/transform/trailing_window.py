"""The trailing window in integers: one pass over sorted bars, in place of a window in SQL.

Measured on a full-size day (1.83 M bars): 0.16 s here, 1.1 s in DuckDB's window, which is two
thirds of the whole refinement. Sums are of millionths in 64 bits, so they are exact: what the
running sums of a batch lose by wrapping around, their differences get back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from ingot.errors import ContractBrokenError
from ingot.tables.arrow import narrow_schema
from ingot.tables.contract import Price

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ingot.tables.trailing import TrailingBars

    Integers = np.ndarray[Any, np.dtype[np.int64]]

_NS_PER_MINUTE: Final = 60_000_000_000
_DECIMALS: Final = ("open", "high", "low", "close", "volume")
_PRICE: Final = pa.decimal64(Price.precision, Price.scale)
_MINUTE_BITS: Final = 40
"""A symbol's place is in the bits above the minute, in one number that rises from bar to bar."""


@dataclass(frozen=True)
class _Bars:
    """What trailing values are made of."""

    symbols: pa.Array[Any]
    starts: Integers
    units: Mapping[str, Integers]
    """Prices and volumes in units of their last place."""

    @classmethod
    def of(cls, rows: pa.RecordBatch) -> _Bars:
        return cls(
            rows.column("symbol"),
            np.asarray(rows.column("bar_start_ns")),
            {name: _units(rows, name) for name in _DECIMALS},
        )

    def after(self, before: _Bars) -> _Bars:
        return _Bars(
            pa.concat_arrays([before.symbols, self.symbols]),
            np.concatenate([before.starts, self.starts]),
            {n: np.concatenate([before.units[n], units]) for n, units in self.units.items()},
        )

    def last(self, count: int) -> _Bars:
        first = max(0, len(self.starts) - count)
        return _Bars(
            self.symbols.slice(first),
            self.starts[first:].copy(),
            {name: units[first:].copy() for name, units in self.units.items()},
        )


def with_trailing(rows: Iterable[pa.RecordBatch], bars: TrailingBars) -> Iterator[pa.RecordBatch]:
    """Yield the rows with trailing values and constants, in the table's narrow columns.

    Memory is that of a batch.

    Args:
        rows: What `bars.sql` gives, in its order.
        bars: What to add.

    Raises:
        ContractBrokenError: A key comes twice, or the rows are out of order.
    """
    schema = narrow_schema(bars.table)
    before: _Bars | None = None
    constants: pa.RecordBatch | None = None
    for batch in rows:
        if not batch.num_rows:
            continue
        found = _Bars.of(batch)
        whole = found if before is None else found.after(before)
        skip = len(whole.starts) - batch.num_rows
        symbols, keys = _keys(whole)
        made = _trailing(keys, whole.units, bars.minutes, skip)
        columns = {n: _decimals(u) for n, u in {**found.units, **made}.items()}
        columns["symbol"] = symbols.slice(skip)
        columns["session"] = batch.column("session").dictionary_encode()
        columns["rolling_bars"] = pa.array(made["rolling_bars"].astype(np.int32))
        columns["bar_start"] = _instants(batch)
        if constants is None or constants.num_rows < batch.num_rows:
            constants = _constants(bars, schema, batch.num_rows)
        same = constants.slice(0, batch.num_rows)
        columns |= zip(same.schema.names, same.columns, strict=True)
        arrays = [columns[n] if n in columns else batch.column(n) for n in schema.names]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        # Bars start at whole minutes: no more than these can be in a window with the next one.
        before = whole.last(bars.minutes - 1)


def _trailing(
    keys: Integers, units: Mapping[str, Integers], minutes: int, skip: int
) -> dict[str, Integers]:
    """Return the trailing values of the rows from `skip` on."""
    count = _counted(keys, minutes)
    first = np.arange(len(count)) - count + 1
    closes = _summed(units["close"], first)[skip:]
    volumes = _summed(units["volume"], first)[skip:]
    highs = _greatest(units["high"], count)[skip:]
    lows = -_greatest(-units["low"], count)[skip:]
    count = count[skip:]
    return {
        "close_avg_15m": (2 * closes + count) // (2 * count),
        "volume_15m": volumes,
        "high_15m": highs,
        "low_15m": lows,
        "rolling_bars": count,
    }


def _keys(bars: _Bars) -> tuple[pa.Array[Any], Integers]:
    """Return the symbols as a dictionary, and a number for each row that rises strictly.

    It rises by 1 from minute to minute of a symbol.
    """
    symbols: Any = bars.symbols.dictionary_encode()
    codes = np.asarray(symbols.indices).astype(np.int64)
    keys: Integers = (codes << _MINUTE_BITS) + bars.starts // _NS_PER_MINUTE
    wrong = np.flatnonzero(keys[1:] <= keys[:-1])
    if len(wrong):
        row = int(wrong[0]) + 1
        raise ContractBrokenError(
            f"The bar of {bars.symbols[row]} at {bars.starts[row]} comes twice or out of order "
            "before its trailing values. This is a defect of the transform; nothing was committed."
        )
    return symbols, keys


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


def _decimals(units: Integers) -> pa.Array[Any]:
    """Return integers as prices of their last place."""
    values: Any = np.ascontiguousarray(units).data
    return pa.Array.from_buffers(_PRICE, len(units), [None, pa.py_buffer(values)])


def _constants(bars: TrailingBars, schema: pa.Schema, rows: int) -> pa.RecordBatch:
    arrays = [_repeated(v, schema.field(name).type, rows) for name, v in bars.constants.items()]
    return pa.RecordBatch.from_arrays(arrays, names=list(bars.constants))


def _repeated(value: Any, kind: Any, rows: int) -> pa.Array[Any]:  # noqa: ANN401 - of any type
    if not isinstance(kind, pa.DictionaryType):
        plain: pa.Array[Any] = pa.repeat(pa.scalar(value, kind), rows)
        return plain
    codes: pa.Array[Any] = pa.array(np.zeros(rows, np.int32))
    one: pa.Array[Any] = pa.array([value], kind.value_type)
    found: pa.Array[Any] = pa.DictionaryArray.from_arrays(codes, one)
    return found


def _instants(rows: pa.RecordBatch) -> pa.Array[Any]:
    micros: pa.Array[Any] = pa.array(np.asarray(rows.column("bar_start_ns")) // 1_000)
    return micros.cast(pa.timestamp("us", tz="UTC"))
