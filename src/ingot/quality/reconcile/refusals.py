"""Rows of a file that cannot be read, as findings; a key that has one is not compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from ingot.quality.reconcile.causes import Cause, Kind
from ingot.quality.reconcile.findings import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    import pyarrow as pa

    from ingot.quality.reconcile.inputs import Side

REFUSED: Final = "aligned.refused"
"""Name of the relation of these findings in the texts."""
_UTC_US: Final = pl.Datetime("us", "UTC")


def refused_findings(rows: pa.Table, side: Side, which: str | None) -> pa.Table:
    """Return the refused rows of a side as findings.

    Args:
        rows: `cells.REFUSED`.
        side: What the file is; its label and width move the start of a bar.
        which: a or b; None for a file by itself.
    """
    start = pl.col("trade_date").cast(_UTC_US)
    if side.is_intraday:
        label = side.width_ns if side.label == "end" else 0
        start = pl.from_epoch(pl.col("bar_start_ns") - label, "ns").cast(_UTC_US)
    given = {
        "kind": pl.lit(Kind.REFUSED.value),
        "cause": pl.lit(Cause.UNREADABLE.value),
        "legal": pl.lit(value=False),
        "symbol": pl.col("symbol"),
        "trade_date": pl.col("trade_date"),
        "bar_start": start,
        "side": pl.lit(which, pl.String),
        "fields": pl.col("column"),
        "evidence": pl.struct("row", "column", "text").struct.json_encode(),
    }
    nothing = (pl.lit(None, pl.Float64).alias(n) for n in SCHEMA.names if n not in given)
    frame = pl.DataFrame(rows).select(*(value.alias(n) for n, value in given.items()), *nothing)
    return frame.select(SCHEMA.names).to_arrow().cast(SCHEMA)


def narrowed(rows: pa.Table, start: date, end: date, symbols: Collection[str]) -> pa.Table:
    """Return the refused rows of trade dates `[start, end)` and of symbols (none: of all).

    A row whose date or symbol cannot be read may be one of them.
    """
    day, symbol = pl.col("trade_date"), pl.col("symbol")
    kept = day.is_null() | ((day >= start) & (day < end))
    if symbols:
        kept &= symbol.is_null() | symbol.is_in(list(symbols))
    return pl.DataFrame(rows).filter(kept).to_arrow().cast(rows.schema)


def not_compared(joined: str) -> str:
    """Return the text of joined keys without those of refused rows."""
    return (
        f"SELECT j.* FROM ({joined}) AS j ANTI JOIN {REFUSED} AS r "
        "ON j.symbol = r.symbol AND j.start_ns = epoch_us(r.bar_start) * 1000"
    )
