"""What a question returns: rows that speak Arrow, and what there is to know about them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from typing import IO, TYPE_CHECKING

from ingot.errors import QueryError
from ingot.model.currency import DOLLAR
from ingot.query import formats
from ingot.query.bars import CURRENCY
from ingot.query.printed import brief, fitting, html
from ingot.query.values import distinct

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from datetime import datetime

    import pandas as pd
    import polars as pl
    import pyarrow as pa

_TIME = ("trade_date", "session", "bar_start")
_ORDER = ("bar_start", "trade_date", "session")
"""By time: the names of the sessions are not in the order of the day."""


@dataclass(frozen=True)
class Answer:
    """Rows as known at a moment.

    The rows are decimals in Arrow; Polars and pandas get float64 unless asked for `exact`.
    """

    data: pa.Table
    """The rows as Arrow."""
    known_at: datetime
    """The moment whose knowledge was used, UTC."""
    notices: tuple[str, ...] = ()
    """What a reader should know beside the rows."""
    settled: bool = True
    """False where something landed by `known_at` is not yet refined, so that rows may change."""
    sources: tuple[str, ...] = ()
    """Connectors that the rows come from, where that is known."""
    basis: str = "raw"
    """Of the prices and volumes."""
    unapplied_actions: tuple[str, ...] = ()
    """Corporate actions that the basis would need and that could not be applied."""

    def __post_init__(self) -> None:
        """Give columns of one name different ones: `a`, `a_1`."""
        unique: list[str] = []
        for name in self.data.column_names:
            copies = (f"{name}_{i}" for i in count(1))
            unique.append(
                name if name not in unique else next(c for c in copies if c not in unique)
            )
        if unique != self.data.column_names:
            object.__setattr__(self, "data", self.data.rename_columns(unique))

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(self.data.column_names)

    def to_arrow(self) -> pa.Table:
        """Return the rows as an Arrow table; decimals stay decimals."""
        return self.data

    def to_polars(self, *, exact: bool = False) -> pl.DataFrame:
        """Return the rows as a Polars frame; decimals become float64 unless `exact`."""
        from ingot.query import frames

        return frames.to_polars(self.data, exact=exact)

    def to_pandas(self, *, exact: bool = False) -> pd.DataFrame:
        """Return the rows as a pandas frame; decimals become float64 unless `exact`."""
        from ingot.query import frames

        return frames.to_pandas(self.data, exact=exact)

    def fitting(self, width: int) -> tuple[Answer, tuple[str, ...]]:
        """Return the answer without the last columns that a table of `width` has no room for.

        Their names come second; a first column that is too wide is kept.
        """
        kept = fitting(self.data, width)
        shown = replace(self, data=self.data.select(self.columns[:kept]))
        return shown, self.columns[kept:]

    def write(self, target: str | os.PathLike[str] | IO[bytes], form: str = "table") -> None:
        """Write the rows as table, csv, json, parquet or arrow to a path or a binary stream.

        Raises:
            QueryError: The format is unknown, or the file cannot be written.
        """
        formats.write(self.data, target, form)

    def __len__(self) -> int:
        """Return the number of rows."""
        rows: int = self.data.num_rows
        return rows

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Hand the rows to any library that speaks Arrow."""
        stream: object = self.data.__arrow_c_stream__(requested_schema)  # type: ignore[no-untyped-call]  # pyarrow's
        return stream

    def __repr__(self) -> str:
        """Show the first and last rows."""
        unsettled = "" if self.settled else ", not settled"
        return f"{brief(self.data)}, known at {self.known_at.isoformat()}{unsettled}"

    def _repr_html_(self) -> str:
        return html(self.data)


def sources_in(data: pa.Table) -> tuple[str, ...]:
    """Return the connectors named in the rows' source column, sorted."""
    if "source" not in data.column_names:
        return ()
    return tuple(sorted(value for value in distinct(data["source"]) if value))


def in_currencies(data: pa.Table) -> tuple[pa.Table, tuple[str, ...]]:
    """Return bars without their currency where all are in USD, and what to say where one is not.

    A currency that is not named is USD.
    """
    if CURRENCY not in data.column_names:
        return data, ()
    others = distinct(data[CURRENCY]) - {None, DOLLAR}
    if not others:
        return data.drop_columns([CURRENCY]), ()
    return data, (f"not all prices are in {DOLLAR}: {', '.join(sorted(others))}",)


def to_wide(data: pa.Table, value: str, *, symbols: Sequence[str] = ()) -> pa.Table:
    """Return long bars as one row per time, ascending, and one column per symbol.

    Args:
        data: Long bars, at most one per symbol and time.
        value: What the columns of the symbols show.
        symbols: Columns wanted even where there is no bar; others follow, sorted.

    Raises:
        QueryError: A symbol is called like a column of time.
    """
    from ingot.query import frames

    index = [name for name in _TIME if name in data.column_names]
    found = set(map(str, distinct(data["symbol"])))
    columns = [*dict.fromkeys(symbols), *sorted(found - set(symbols))]
    if clash := set(columns) & set(index):
        raise QueryError(
            f"The symbol {clash.pop()} is called like a column; ask for the long form."
        )
    order = [name for name in _ORDER if name in index]
    return frames.pivot(data, index=index, order=order, columns=columns, value=value)
