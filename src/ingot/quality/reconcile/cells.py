"""Cells of a file's rows: decimals, or the reason why a row is not taken.

The grammar and the bounds are those of `ingot.model.number`, a column at a time.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

import polars as pl
import pyarrow as pa

from ingot.model.number import GRAMMAR

if TYPE_CHECKING:
    from collections.abc import Sequence

SIX: Final = pl.Decimal(18, 6)
_ABSENT: Final = ("", "-", "nan", "null", "none", "n/a", "na")
"""What tables write for a value that is not there, in any case."""
ROW: Final = "row"
_REFUSED_TYPES: Final[dict[str, pa.DataType]] = {
    "symbol": pa.string(),
    "trade_date": pa.date32(),
    "bar_start_ns": pa.int64(),
    ROW: pa.int64(),
    "column": pa.string(),
    "text": pa.string(),
}
REFUSED: Final = pa.schema(_REFUSED_TYPES)
"""A row that is not taken: its key as far as it can be read, its number in the file, and the first
cell that cannot be read."""
_LONGEST_TEXT: Final = 60
_DATES: Final = (date(1800, 1, 1), date(2200, 12, 31))


def divided(
    rows: pl.DataFrame, numbers: Sequence[str], keys: Sequence[str]
) -> tuple[pl.DataFrame, pa.Table]:
    """Return the rows whose cells can be read, numbers as decimals, and those refused.

    Args:
        rows: Texts of a file, with the columns of `REFUSED` up to the row's number.
        numbers: Columns that hold a number of DECIMAL(18,6) or nothing.
        keys: Columns that are never null in a row that can be read.
    """
    day = pl.col("trade_date")
    rows = rows.with_columns(trade_date=pl.when(day.is_between(*_DATES)).then(day))
    texts = {n: pl.col(n).str.strip_chars() for n in numbers}
    values = {
        n: pl.when(text.str.contains(GRAMMAR)).then(text.cast(SIX, strict=False))
        for n, text in texts.items()
    }
    broken = {n: values[n].is_null() & ~_is_absent(text) for n, text in texts.items()}
    broken |= {n: pl.col(n).is_null() for n in keys}
    column = pl.coalesce([pl.when(is_broken).then(pl.lit(n)) for n, is_broken in broken.items()])
    text = pl.coalesce([pl.when(broken[n]).then(texts[n]) for n in numbers] + [pl.lit("")])
    marked = rows.with_columns(column=column, text=text.str.slice(0, _LONGEST_TEXT))
    good = marked.filter(pl.col("column").is_null()).with_columns(
        value.alias(n) for n, value in values.items()
    )
    refused = marked.filter(pl.col("column").is_not_null()).select(REFUSED.names)
    return good.drop("column", "text"), plain(refused).cast(REFUSED)


def plain(frame: pl.DataFrame) -> pa.Table:
    """Return a frame as Arrow with strings as other libraries have them."""
    rows = frame.to_arrow()
    wide = {pa.large_string(), pa.string_view()}
    fields = [f.with_type(pa.string()) if f.type in wide else f for f in rows.schema]
    return rows.cast(pa.schema(fields))


def _is_absent(text: pl.Expr) -> pl.Expr:
    return text.is_null() | text.str.to_lowercase().is_in(_ABSENT)
