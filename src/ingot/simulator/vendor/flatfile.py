"""The vendor's bytes: a file's key, its header, its numbers as text, its gzip.

The header is repeated here on purpose (Massive flat files, aggregates): a change of the
connector's must not change what the simulator writes. Old files print numbers short (276.75);
since the volumes are fractional, prices have six decimals (276.750000).
"""

from __future__ import annotations

import io
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import pyarrow as pa

from ingot.simulator.market.minute_bars import FRACTIONAL_FROM
from ingot.simulator.market.prices import MICRO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from ingot.simulator.market.bars import Bars
    from ingot.simulator.market.hashing import Ints

STOCK_MINUTES: Final = "us_stocks_sip/minute_aggs_v1"
STOCK_DAYS: Final = "us_stocks_sip/day_aggs_v1"
OPTION_MINUTES: Final = "us_options_opra/minute_aggs_v1"
OPTION_DAYS: Final = "us_options_opra/day_aggs_v1"
DATASETS: Final = (STOCK_MINUTES, STOCK_DAYS, OPTION_MINUTES, OPTION_DAYS)
HEADER: Final = (
    "ticker",
    "volume",
    "open",
    "close",
    "high",
    "low",
    "window_start",
    "transactions",
)
_PRICES: Final = ("open", "close", "high", "low")
_CHUNK_ROWS: Final = 200_000
# zlib and not igzip: its bytes do not depend on what the processor can do.
_GZIP_LEVEL: Final = 3
_GZIP_WINDOW: Final = 31
_GZIP_SYSTEM_BYTE: Final = 9
_UNKNOWN_SYSTEM: Final = 255


def key_of(dataset: str, day: date) -> str:
    """Return the object's key below the bucket, e.g. us_stocks_sip/day_aggs_v1/2025/06/....csv.gz.

    >>> from datetime import date
    >>> key_of(STOCK_DAYS, date(2025, 6, 2))
    'us_stocks_sip/day_aggs_v1/2025/06/2025-06-02.csv.gz'
    """
    return f"{dataset}/{day:%Y}/{day:%m}/{day.isoformat()}.csv.gz"


def six_decimals(day: date) -> bool:
    """Return True if the files of `day` print prices with six decimals."""
    return day >= FRACTIONAL_FROM


def decimal_series(micro: Ints) -> pl.Series:
    """Return millionths as DECIMAL(18,6) without a copy of each value."""
    halves = np.empty((len(micro), 2), dtype=np.int64)
    halves[:, 0] = micro
    halves[:, 1] = micro >> 63
    buffer = pa.py_buffer(halves.data)
    array = pa.Array.from_buffers(pa.decimal128(18, 6), len(micro), [None, buffer])
    return pl.Series(array)


def text_chunks(
    bars: Bars,
    *,
    modern: bool,
    columns: Sequence[str] = HEADER,
    header: Sequence[str] | None = None,
    edits: Mapping[int, Sequence[str]] | None = None,
) -> Iterator[bytes]:
    """Yield a file's CSV text in pieces of at most 200,000 rows.

    Args:
        bars: The rows.
        modern: Print prices with six decimals.
        columns: The columns in the order of the file; one that is not the vendor's holds zeros.
        header: The first line's names, where they are not those of the columns.
        edits: Lines that replace the line of a row.
    """
    yield (",".join(header or columns) + "\n").encode()
    for first in range(0, len(bars), _CHUNK_ROWS):
        rows = bars.take(np.arange(first, min(first + _CHUNK_ROWS, len(bars))))
        text = _text(rows, modern=modern, columns=columns)
        here = {r - first: v for r, v in (edits or {}).items() if first <= r < first + len(rows)}
        yield _edited(text, here) if here else text


def row_text(bars: Bars, row: int, *, modern: bool, columns: Sequence[str] = HEADER) -> str:
    """Return one row as its line in the file, without the line's end."""
    one = bars.take(np.array([row]))
    return _text(one, modern=modern, columns=columns).decode().rstrip("\n")


def gzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the gzip of the chunks: no name, no time, the same bytes on every machine.

    Compresses each chunk on another thread while the next one is being made.
    """
    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    yield_head = True
    with ThreadPoolExecutor(1) as pool:
        waiting = None
        for chunk in chunks:
            packed = waiting.result() if waiting else b""
            waiting = pool.submit(packer.compress, chunk)
            if packed:
                yield _neutral(packed) if yield_head else packed
                yield_head = False
        rest = (waiting.result() if waiting else b"") + packer.flush()
    yield _neutral(rest) if yield_head else rest


def _neutral(head: bytes) -> bytes:
    """Return the first bytes of a gzip with the operating system left unnamed."""
    return head[:_GZIP_SYSTEM_BYTE] + bytes([_UNKNOWN_SYSTEM]) + head[_GZIP_SYSTEM_BYTE + 1 :]


def _text(bars: Bars, *, modern: bool, columns: Sequence[str]) -> bytes:
    frame = pl.DataFrame(
        {
            "ticker": pl.Series(bars.tickers, dtype=pl.String).gather(bars.code),
            "volume": _volume_text(bars.volume),
            **{name: decimal_series(getattr(bars, name)) for name in _PRICES},
            "window_start": bars.start,
            "transactions": bars.transactions,
        }
    )
    if not modern:
        frame = frame.with_columns(_short(pl.col(name)) for name in _PRICES)
    frame = frame.with_columns(pl.lit(0).alias(c) for c in columns if c not in HEADER)
    out = io.BytesIO()
    frame.select(columns).write_csv(out, include_header=False, quote_style="never")
    return out.getvalue()


def _volume_text(micro: Ints) -> pl.Series:
    """Return volumes as the vendor prints them: whole ones bare, others with what they need."""
    if not (micro % MICRO).any():
        return pl.Series(micro // MICRO)
    return pl.DataFrame({"volume": decimal_series(micro)}).select(_short(pl.col("volume")))[
        "volume"
    ]


def _short(column: pl.Expr) -> pl.Expr:
    return column.cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")


def _edited(text: bytes, edits: Mapping[int, Sequence[str]]) -> bytes:
    lines = text.decode().splitlines()
    for row, replacement in edits.items():
        lines[row] = "\n".join(replacement)
    return ("\n".join(lines) + "\n").encode()
