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
from ingot.connectors.massive.flatfiles.decompress import BOM
from ingot.connectors.massive.flatfiles.row_rules import SYMBOL, TICKER, WHOLE, WINDOW_START
from ingot.connectors.massive.flatfiles.row_types import DECIMAL_TYPE, TICKER_TYPE
from ingot.tables.arrow import arrow_type
from ingot.tables.contract import Price

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingot.model.time import Interval

LEAST_BYTES_OF_DOUBLES: Final = 1 << 20
"""Less text than this is read at once by Arrow: importing Polars would take longer."""
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
    """The vendor's columns in the contract's order; decimals and tickers as in `doubles`."""
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
    returns = b"\r" in text
    if returns:
        text = text.replace(b"\r\n", b"\n")
    if (returns and b"\r" in text) or text.startswith(BOM):
        raise BlockRefusedError("a carriage return or byte order mark inside")
    rows = _read_doubles(text, columns)
    if rows is None:
        rows = _read_decimals(text, columns)
    return _checked(rows.select(list(COLUMNS)), span)


def _read_doubles(text: bytes, columns: Sequence[str]) -> pa.RecordBatch | None:
    if len(text) < LEAST_BYTES_OF_DOUBLES:
        return None
    from ingot.connectors.massive.flatfiles.fast_decimals import read_doubles  # noqa: PLC0415 - imports polars

    return read_doubles(text, columns)


def _read_decimals(text: bytes, columns: Sequence[str]) -> pa.RecordBatch:
    source: Any = pa.BufferReader(text)
    try:
        rows = pa.csv.read_csv(
            source,
            read_options=pa.csv.ReadOptions(
                column_names=list(columns), block_size=len(text) + 1, use_threads=False
            ),
            parse_options=_PARSE,
            convert_options=_CONVERT,
        )
    except pa.ArrowInvalid as exc:
        raise BlockRefusedError(str(exc)) from exc
    batch = rows.to_batches()[0]
    return pa.RecordBatch.from_arrays([_narrow(c) for c in batch.columns], names=list(columns))


def _narrow(column: pa.Array[Any]) -> pa.Array[Any]:
    """Return a column with its decimals in 64 bits, which hold 18 digits.

    Arrow reads 10^12 as a decimal of 19 digits without a word; narrowing it is refused.
    """
    if not pa.types.is_decimal(column.type):
        return column
    try:
        return column.cast(DECIMAL_TYPE)
    except pa.ArrowInvalid as exc:
        raise BlockRefusedError("a number beyond its column") from exc


_PARSE: Final = pa.csv.ParseOptions(quote_char=False, ignore_empty_lines=False)
_CONVERT: Final = pa.csv.ConvertOptions(
    column_types={
        name: TICKER_TYPE if name == TICKER else pa.int64() if name in WHOLE else arrow_type(Price)
        for name in COLUMNS
    },
    null_values=[],
    strings_can_be_null=False,
)


def _checked(rows: pa.RecordBatch, span: Interval) -> Block:
    tickers: Any = rows.column(TICKER)
    symbols = tuple(tickers.dictionary.to_pylist())
    starts = _view(rows.column(WINDOW_START), np.int64)
    within = span.start_ns <= starts.min() and starts.max() < span.end_ns
    if not within or not all(map(SYMBOL.fullmatch, symbols)):
        raise BlockRefusedError("a symbol or a time that is none")
    codes = _view(tickers.indices, np.int32)
    return Block(
        rows=rows,
        symbols=symbols,
        in_order=_rises(codes, starts) and all(a < b for a, b in pairwise(symbols)),
        first=(symbols[codes[0]], int(starts[0])),
        last=(symbols[codes[-1]], int(starts[-1])),
    )


def _view(column: pa.Array[Any], kind: type[Any]) -> np.ndarray[Any, Any]:
    """Return a column's numbers as they are in memory.

    `numpy.asarray` would do, but imports pandas first.
    """
    buffer: Any = column.buffers()[1]
    return np.frombuffer(buffer, dtype=kind)[column.offset :][: len(column)]


def _rises(codes: np.ndarray[Any, Any], starts: np.ndarray[Any, Any]) -> bool:
    """Return True if symbols come in the order of first appearance and times rise in each."""
    steps = np.diff(codes)
    return bool(((steps > 0) | ((steps == 0) & (np.diff(starts) > 0))).all())
