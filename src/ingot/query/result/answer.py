"""The result of a query: rows that any library of Arrow reads, and notices about them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from html import escape
from itertools import count
from typing import IO, TYPE_CHECKING, Any, cast

import pyarrow as pa

from ingot.errors import QueryError
from ingot.escaping import escaped
from ingot.model.currency import DOLLAR
from ingot.query.requests.bars import CURRENCY, MIXED
from ingot.query.result import writers
from ingot.query.result.text_table import brief, fitting, html, preview
from ingot.query.result.values import distinct
from ingot.tables.stream import Stream

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    import pandas as pd
    import polars as pl
    from polars import Series

    from ingot.query.requests.request import Format

_TIME = ("trade_date", "session", "bar_start")
_ORDER = ("bar_start", "trade_date", "session")
"""By time: the names of the sessions are not in the order of the day."""


@dataclass(frozen=True)
class Answer:
    """Rows as known at a moment.

    Numbers are decimals in Arrow; Polars and pandas get float64 unless `exact` is set. A long
    answer to SQL is a stream: `to_batches`, iteration and `write` read it in bounded memory and
    raise what the query raises; `to_arrow`, `to_polars` and `to_pandas` collect it.
    """

    data: pa.Table | Stream
    """The rows."""
    known_at: datetime
    """The moment whose knowledge was used, UTC."""
    notices: tuple[str, ...] = ()
    """What a reader should know beside the rows."""
    settled: bool = True
    """False where something landed by `known_at` is not yet refined, so that rows may change."""
    sources: tuple[str, ...] = ()
    """Connectors that the rows come from, where they have a source; of a stream, those of the
    tables that it reads."""
    basis: str = "raw"
    """Of the prices and volumes."""
    unapplied_actions: tuple[str, ...] = ()
    """Corporate actions that the basis would need and that could not be applied."""
    absent: tuple[str, ...] = ()
    """Symbols asked for that have no bar."""
    index: str | None = None
    """Column of time that pandas gets as the index: that of a wide layout."""

    def __post_init__(self) -> None:
        """Give columns of one name different ones: `a`, `a_1`."""
        unique: list[str] = []
        for name in self.columns:
            copies = (f"{name}_{i}" for i in count(1))
            unique.append(
                name if name not in unique else next(c for c in copies if c not in unique)
            )
        if unique != list(self.columns):
            self._set(self._changed(lambda rows: rows.rename_columns(unique)))

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(self.data.schema.names)

    @property
    def is_stream(self) -> bool:
        """Whether the rows are read in batches, each time from the query, and are not counted."""
        return isinstance(self.data, Stream)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return self.to_arrow().shape

    def to_arrow(self) -> pa.Table:
        """Return the rows as an Arrow table; decimals stay decimals."""
        if isinstance(self.data, Stream):
            self._set(self.data.collected())
        return cast("pa.Table", self.data)

    def to_polars(self, *, exact: bool = False) -> pl.DataFrame:
        """Return the rows as a Polars frame; decimals become float64 unless `exact`."""
        from ingot.query.result import dataframes

        return dataframes.to_polars(self.to_arrow(), exact=exact)

    def to_pandas(self, *, exact: bool = False) -> pd.DataFrame:
        """Return the rows as a pandas frame; decimals become float64 unless `exact`.

        Dates and instants are datetime64. A wide layout has its time as the index and a column
        per symbol.
        """
        from ingot.query.result import dataframes

        frame = dataframes.to_pandas(self.to_arrow(), exact=exact)
        if self.index is None:
            return frame
        others = [name for name in _TIME if name in self.columns and name != self.index]
        return frame.drop(columns=others).set_index(self.index)

    arrow, pl, df = to_arrow, to_polars, to_pandas

    def to_batches(self, rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """Yield the rows as Arrow batches of at most so many rows; nothing is copied.

        A stream is read in bounded memory; reading it again runs the query again.
        """
        if isinstance(self.data, Stream):
            for batch in self.data:
                yield from pa.Table.from_batches([batch]).to_batches(max_chunksize=rows)
        else:
            yield from self.data.to_batches(max_chunksize=rows)

    def in_zone(self, zone: str) -> Answer:
        """Return the answer with its instants shown in a time zone, e.g. America/New_York.

        Raises:
            QueryError: There is no such zone.
        """
        from ingot.query.result import dataframes

        return replace(self, data=self._changed(lambda rows: dataframes.in_zone(rows, zone)))

    def select(self, columns: Sequence[str]) -> Answer:
        """Return the answer with these columns only, in this order.

        Raises:
            QueryError: There is no such column; the message names the nearest.
        """
        names = [self._named(name) for name in columns]
        return replace(self, data=self._changed(lambda rows: rows.select(names)))

    def head(self, rows: int) -> Answer:
        """Return the answer with its first rows only."""
        data = self.data
        return replace(
            self, data=data.head(rows) if isinstance(data, Stream) else data.slice(0, rows)
        )

    def _changed(self, change: Callable[[pa.Table], pa.Table]) -> pa.Table | Stream:
        return self.data.mapped(change) if isinstance(self.data, Stream) else change(self.data)

    def _set(self, data: pa.Table | Stream) -> None:
        object.__setattr__(self, "data", data)

    def _named(self, name: str) -> str:
        if name in self.columns:
            return name
        near = get_close_matches(name, self.columns, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(self.columns)}."
        raise QueryError(f"The answer has no column {name!r}. {hint}")

    def fitting(self, width: int) -> tuple[Answer, tuple[str, ...]]:
        """Return the answer without the last columns that a table of `width` has no room for.

        Their names come second; a first column that is too wide is kept.
        """
        kept = fitting(self.to_arrow(), width)
        return self.select(self.columns[:kept]), self.columns[kept:]

    def preview(self, rows: int, width: int) -> tuple[str, tuple[str, ...], int]:
        """Return the first and last rows, and the columns that fit, as a table of text.

        The names of the columns without room come second, the number of all rows third.
        """
        return preview(self.to_batches(), self.data.schema, rows, width)

    def write(
        self,
        target: str | os.PathLike[str] | IO[bytes],
        format: Format | None = None,  # noqa: A002  # the word that the command line has
    ) -> int:
        """Write the rows to a path or a binary stream; return how many there are.

        A file appears when it is complete, or not at all.

        Args:
            target: A path, or an open binary stream, which stays open.
            format: table, csv, json, jsonl, parquet or arrow; by default as the path's ending
                says (`.gz` after it compresses), and table for a stream.

        Raises:
            QueryError: The format or the ending is unknown.
        """
        return writers.write(self.data, target, format)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.shape[0]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield each row as a dictionary; decimals stay decimals."""
        for batch in self.to_batches():
            yield from batch.to_pylist()

    def __getitem__(self, column: str) -> Series:
        """Return a column as a Polars series; decimals become float64.

        Raises:
            QueryError: There is no such column; the message names the nearest.
        """
        from ingot.query.result import dataframes

        return dataframes.to_polars(self.select([column]).to_arrow(), exact=False).to_series()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Hand the rows to any library that reads Arrow, batch by batch."""
        reader = pa.RecordBatchReader.from_batches(self.data.schema, self.to_batches())
        stream: object = reader.__arrow_c_stream__(requested_schema)  # type: ignore[no-untyped-call]  # pyarrow's
        return stream

    def __repr__(self) -> str:
        """Show the first and last rows, known_at and the notices."""
        return "\n".join([f"{brief(self.to_arrow())}, {self._known()}", *self._notes()])

    def _repr_html_(self) -> str:
        notes = "".join(
            f"<p>{escape(escaped(text))}</p>" for text in (self._known(), *self._notes())
        )
        return f"{html(self.to_arrow())}{notes}"

    def _known(self) -> str:
        unsettled = "" if self.settled else ", not settled"
        return f"known at {self.known_at.isoformat()}{unsettled}"

    def _notes(self) -> list[str]:
        return [f"note: {escaped(text)}" for text in self.notices]


def sources_in(data: pa.Table) -> tuple[str, ...]:
    """Return the connectors named in the rows' source column, sorted."""
    if "source" not in data.column_names:
        return ()
    return tuple(sorted(value for value in distinct(data["source"]) if value))


def without_mixed(data: pa.Table) -> tuple[pa.Table, tuple[str, ...]]:
    """Return bars without the column that marks mixed sessions, and what to say of those bars."""
    if MIXED not in data.column_names:
        return data, ()
    count = sum(filter(None, data[MIXED].to_pylist()))
    data = data.drop_columns([MIXED])
    if not count:
        return data, ()
    bars = "1 bar holds" if count == 1 else f"{count:,} bars hold"
    text = f"{bars} minutes of more than one session; name one, or choose a narrower interval"
    return data, (text,)


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


def time_of(data: pa.Table) -> str:
    """Return the column of wide bars that says when: bar_start, or trade_date of day bars."""
    return _ORDER[0] if _ORDER[0] in data.column_names else _ORDER[1]


def to_wide(data: pa.Table, value: str, *, symbols: Sequence[str] = ()) -> pa.Table:
    """Return long bars as one row per time, ascending, and one column per symbol.

    Args:
        data: Long bars, at most one per symbol and time.
        value: What the columns of the symbols show.
        symbols: Columns wanted even where there is no bar; others follow, sorted.

    Raises:
        QueryError: A symbol is called like a column of time.
    """
    from ingot.query.result import dataframes

    index = [name for name in _TIME if name in data.column_names]
    found = set(map(str, distinct(data["symbol"])))
    columns = [*dict.fromkeys(symbols), *sorted(found - set(symbols))]
    if clash := set(columns) & set(index):
        raise QueryError(f"The symbol {clash.pop()} is called like a column; use layout='long'.")
    order = [name for name in _ORDER if name in index]
    return dataframes.pivot(data, index=index, order=order, columns=columns, value=value)
