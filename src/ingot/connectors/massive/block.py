"""A block of whole lines as Arrow rows: strict, all of it or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from ingot.connectors.massive.datasets import COLUMNS
from ingot.connectors.massive.doubles import may_be_doubles, with_decimals
from ingot.connectors.massive.inflate import BOM
from ingot.connectors.massive.lines import SYMBOL, TICKER, WHOLE, WINDOW_START
from ingot.tables.arrow import arrow_type
from ingot.tables.contract import Price

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingot.model.time import Interval

TICKER_TYPE: Final = pa.dictionary(pa.int32(), pa.string())
_LIMIT: Final = 10**Price.precision
_SURELY_WITHIN: Final = 1 << 59
"""No value below it, counted in millionths, is beyond DECIMAL(18,6)."""
Key = tuple[str, int]
"""Symbol and start of a bar."""


class BlockRefusedError(Exception):
    """At least one line of the block is not plain and good."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The block needs a closer look: {reason}")


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of one block, and what is known of their order."""

    rows: pa.RecordBatch
    """The vendor's columns in the contract's order."""
    symbols: tuple[str, ...]
    """Distinct, in order of appearance."""
    in_order: bool
    """True when (symbol, window_start) rises strictly."""
    first: Key
    last: Key


def read_block(text: bytes, columns: Sequence[str], span: Interval) -> Block:
    """Return the rows of `text`, one for each line.

    Arrow's reader converts decimals exactly and refuses short, long and blank lines, empty
    fields, words, infinities and digits that six decimals cannot hold. What it lets pass is
    looked for here: carriage returns and quotes, decimals beyond the column's precision, symbols
    that are none, and times outside `span`.

    Raises:
        BlockRefusedError: A line is bad, or good but not plain.
    """
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
    if b"\r" in text or text.startswith(BOM):
        raise BlockRefusedError("a carriage return or byte order mark inside")
    rows = _read_doubles(text, columns)
    if rows is None:
        rows = _read(text, columns, _CONVERT)
    return _checked(rows.select(list(COLUMNS)), span)


def _read_doubles(text: bytes, columns: Sequence[str]) -> pa.RecordBatch | None:
    if not may_be_doubles(text):
        return None
    try:
        rows = _read(text, columns, _CONVERT_DOUBLES)
    except BlockRefusedError:
        return None
    return with_decimals(rows, _DECIMALS, arrow_type(Price))


def _read(text: bytes, columns: Sequence[str], convert: pa.csv.ConvertOptions) -> pa.RecordBatch:
    source: Any = pa.BufferReader(text)
    try:
        rows = pa.csv.read_csv(
            source,
            read_options=pa.csv.ReadOptions(
                column_names=list(columns), block_size=len(text) + 1, use_threads=False
            ),
            parse_options=_PARSE,
            convert_options=convert,
        )
    except pa.ArrowInvalid as exc:
        raise BlockRefusedError(str(exc)) from exc
    return rows.to_batches()[0]


def _convert(decimals: pa.DataType) -> pa.csv.ConvertOptions:
    return pa.csv.ConvertOptions(
        column_types={
            TICKER: TICKER_TYPE,
            **{name: pa.int64() for name in WHOLE},
            **dict.fromkeys(_DECIMALS, decimals),
        },
        null_values=[],
        strings_can_be_null=False,
    )


_DECIMALS: Final = tuple(name for name in COLUMNS if name not in WHOLE | {TICKER})
_PARSE: Final = pa.csv.ParseOptions(quote_char=False, ignore_empty_lines=False)
_CONVERT: Final = _convert(arrow_type(Price))
_CONVERT_DOUBLES: Final = _convert(pa.float64())


def _checked(rows: pa.RecordBatch, span: Interval) -> Block:
    tickers: Any = rows.column(TICKER)
    symbols = tuple(tickers.dictionary.to_pylist())
    starts = _view(rows.column(WINDOW_START), np.int64)
    within = span.start_ns <= starts.min() and starts.max() < span.end_ns
    if not within or not all(map(SYMBOL.fullmatch, symbols)):
        raise BlockRefusedError("a symbol or a time that is none")
    if not all(_holds(column) for column in rows.columns if pa.types.is_decimal(column.type)):
        raise BlockRefusedError("a number beyond its column")
    codes = _view(tickers.indices, np.int32)
    return Block(
        rows=rows,
        symbols=symbols,
        in_order=_rises(codes, starts) and all(a < b for a, b in pairwise(symbols)),
        first=(symbols[codes[0]], int(starts[0])),
        last=(symbols[codes[-1]], int(starts[-1])),
    )


def _holds(column: pa.Array[Any]) -> bool:
    """Say whether every value keeps the column's precision: Arrow widens 10^12 without a word."""
    words = _view(column, np.uint64, each=2)
    low, high = words[::2], words[1::2]
    if not np.bitwise_or.reduce(high) and np.bitwise_or.reduce(low) < _SURELY_WITHIN:
        return True
    extremes: Any = pa.compute.min_max(column).as_py()
    return all(abs(value).scaleb(Price.scale) < _LIMIT for value in extremes.values())


def _view(column: pa.Array[Any], kind: type[Any], *, each: int = 1) -> np.ndarray[Any, Any]:
    """Return a column's numbers, `each` of them a row, as they lie in memory.

    `numpy.asarray` would do, but imports pandas first.
    """
    buffer: Any = column.buffers()[1]
    first, end = column.offset * each, (column.offset + len(column)) * each
    return np.frombuffer(buffer, dtype=kind)[first:end]


def _rises(codes: np.ndarray[Any, Any], starts: np.ndarray[Any, Any]) -> bool:
    """Say whether symbols come in the order of first appearance and times rise in each."""
    steps = np.diff(codes)
    return bool(((steps > 0) | ((steps == 0) & (np.diff(starts) > 0))).all())
