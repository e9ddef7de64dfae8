"""The plain block by way of doubles: the same decimals in half of the time.

Polars reads doubles in half of the time that Arrow takes for decimals. A number without a minus
sign (in the number or in its exponent) and with at most six decimals is a whole number of
millionths; below 2^51 of them, the nearest double times a million is less than half a millionth
away from it. Blocks that hold anything else, or anything that Polars reads more kindly than Arrow
does (spaces, plus signs, empty fields, short lines), are left to Arrow's decimals, and the rows
are the same either way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
import pyarrow as pa

from ingot.connectors.massive.datasets import COLUMNS
from ingot.connectors.massive.flatfiles.row_rules import TICKER, WHOLE
from ingot.connectors.massive.flatfiles.row_types import DECIMAL_TYPE
from ingot.tables.contract import Price

if TYPE_CHECKING:
    from collections.abc import Sequence

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]

_PIECE_BYTES: Final = 1 << 18
"""Stays in a core's own cache while it is looked at."""
_LINE_FEED, _COMMA, _POINT, _ZERO = b"\n,.0"
_DECIMALS: Final = Price.scale
_MILLION: Final = 1e6
_SURELY_EXACT: Final = float(1 << 51)
_TYPES: Final = {
    name: pl.String if name == TICKER else pl.Int64 if name in WHOLE else pl.Float64
    for name in COLUMNS
}


def may_be_doubles(text: bytes) -> bool:
    """Return True if every number of `text` is determined by its nearest double."""
    if b"-" in text:
        return False
    marks = np.frombuffer(text, np.uint8)
    pieces = range(0, len(marks), _PIECE_BYTES)
    return all(_is_plain(marks[i : i + _PIECE_BYTES + _DECIMALS + 1]) for i in pieces)


def _is_plain(marks: Bytes) -> bool:
    """Return True if no byte but line feeds is below a comma, and no number has 7 decimals.

    Most points have at most two decimals: only where the next bytes but one are digits too, more
    are looked at.
    """
    if np.count_nonzero(marks < _COMMA) != np.count_nonzero(marks == _LINE_FEED):
        return False
    digits = marks >= _ZERO
    points = np.flatnonzero((marks[:-3] == _POINT) & digits[2:-1] & digits[3:])
    points = points[points + _DECIMALS + 1 < len(marks)]
    for place in range(_DECIMALS + 1, 0, -1):
        found = marks[points + place]
        points = points[(found >= _ZERO) & (found < _ZERO + 10)]
    return not len(points)


def read_doubles(text: bytes, columns: Sequence[str]) -> pa.RecordBatch | None:
    """Return the rows of `text`, one for each line, in the order of `columns`.

    None where a line is not plain, or a number is infinite, none, or 2^51 millionths or more.
    """
    if not may_be_doubles(text):
        return None
    schema = {name: _TYPES[name] for name in columns}
    try:
        frame = pl.read_csv(text, has_header=False, schema=schema, quote_char=None)
    except pl.exceptions.PolarsError:
        return None
    lines = np.count_nonzero(np.frombuffer(text, np.uint8) == _LINE_FEED)
    if frame.height != lines + (not text.endswith(b"\n")):
        return None
    arrays = []
    for column in frame.get_columns():
        array = None if column.null_count() else _array(column)
        if array is None:
            return None
        arrays.append(array)
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))


def _array(column: pl.Series) -> pa.Array[Any] | None:
    if column.dtype == pl.String:
        return _dictionary(column)
    values = column.to_numpy()
    if column.dtype == pl.Int64:
        return _from_numbers(values, pa.int64())
    millionths = np.multiply(values, _MILLION)
    np.rint(millionths, out=millionths)
    if not millionths.max() < _SURELY_EXACT:
        return None
    return _from_numbers(millionths.astype(np.int64), DECIMAL_TYPE)


def _dictionary(tickers: pl.Series) -> pa.Array[Any]:
    """Return texts as a dictionary in order of appearance; a symbol's rows are mostly adjacent."""
    runs = tickers.rle().struct.unnest()
    symbols: Any = runs["value"].to_arrow().cast(pa.string()).dictionary_encode()
    codes = np.frombuffer(symbols.indices.buffers()[1], np.int32)[: len(symbols)]
    each = np.repeat(codes, runs["len"].to_numpy())
    return pa.DictionaryArray.from_arrays(_from_numbers(each, pa.int32()), symbols.dictionary)


def _from_numbers(values: np.ndarray[Any, Any], kind: pa.DataType) -> pa.Array[Any]:
    """Return numbers as an Arrow array; Arrow's own way imports pandas."""
    buffer: Any = values.data
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(buffer)])
