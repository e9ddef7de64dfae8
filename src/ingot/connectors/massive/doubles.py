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
import pyarrow.compute

from ingot.connectors.massive.datasets import COLUMNS
from ingot.connectors.massive.lines import TICKER, WHOLE
from ingot.connectors.massive.row_types import DECIMAL_TYPE

if TYPE_CHECKING:
    from collections.abc import Sequence

_SEVEN_DECIMALS: Final = r"\.[0-9]{7}"
_NOT_PLAIN: Final = (b"-", b"+", b" ", b"\t")
_MILLION: Final = 1e6
_SURELY_EXACT: Final = float(1 << 51)
_TYPES: Final = {
    name: pl.String if name == TICKER else pl.Int64 if name in WHOLE else pl.Float64
    for name in COLUMNS
}
_LINE_FEED: Final = 10


def may_be_doubles(text: bytes) -> bool:
    """Say whether every number of `text` can be told from its nearest double."""
    if any(mark in text for mark in _NOT_PLAIN):
        return False
    ends = pa.py_buffer(np.array([0, len(text)], np.int32).tobytes())
    whole = pa.Array.from_buffers(pa.binary(), 1, [None, ends, pa.py_buffer(text)])
    found: Any = pa.compute.match_substring_regex(whole, _SEVEN_DECIMALS)
    return not found[0].as_py()


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
    """Return texts as a dictionary in order of appearance; a symbol's rows mostly lie together."""
    runs = tickers.rle().struct.unnest()
    symbols: Any = runs["value"].to_arrow().cast(pa.string()).dictionary_encode()
    codes = np.frombuffer(symbols.indices.buffers()[1], np.int32)[: len(symbols)]
    each = np.repeat(codes, runs["len"].to_numpy())
    return pa.DictionaryArray.from_arrays(_from_numbers(each, pa.int32()), symbols.dictionary)


def _from_numbers(values: np.ndarray[Any, Any], kind: pa.DataType) -> pa.Array[Any]:
    """Return numbers as an Arrow array; Arrow's own way imports pandas."""
    buffer: Any = values.data
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(buffer)])
