"""Arrow rows as frames of Polars and pandas."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

import polars as pl
import pyarrow as pa

from ingot.errors import QueryError
from ingot.query.result.cell_text import texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd


def to_polars(data: pa.Table, *, exact: bool) -> pl.DataFrame:
    """Return rows as Polars; decimals as the nearest float64 unless `exact`."""
    columns = [
        _series(n, column) for n, column in zip(data.column_names, data.columns, strict=True)
    ]
    frame = pl.DataFrame(columns)
    return frame if exact else frame.with_columns(pl.selectors.decimal().cast(pl.Float64))


def to_pandas(data: pa.Table, *, exact: bool) -> pd.DataFrame:
    """Return rows as pandas; decimals as the nearest float64 unless `exact`, dates datetime64."""
    for i, (field, column) in enumerate(zip(data.schema, data.columns, strict=True)):
        if pa.types.is_decimal(field.type) and not exact:
            # Arrow's own cast is off by a bit in a third of the values; Polars' is not.
            floats = pl.Series(column).cast(pl.Float64).to_arrow()
            data = data.set_column(i, field.name, floats)
    return data.to_pandas(date_as_object=False)


def in_zone(data: pa.Table, zone: str) -> pa.Table:
    """Return rows whose instants are shown in a time zone.

    Raises:
        QueryError: There is no such zone.
    """
    if zone not in available_timezones():
        near = get_close_matches(zone, available_timezones(), n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]}?" if near else "Write one such as America/New_York."
        raise QueryError(f"There is no time zone {zone!r}. {hint}")
    fields = [
        f.with_type(pa.timestamp(f.type.unit, zone))
        if pa.types.is_timestamp(f.type) and f.type.tz
        else f
        for f in data.schema
    ]
    return data.cast(pa.schema(fields))


def pivot(
    data: pa.Table,
    *,
    index: Sequence[str],
    order: Sequence[str],
    columns: Sequence[str],
    value: str,
) -> pa.Table:
    """Return one row per `index` and one column per symbol; the value keeps its type."""
    kept = data.select([*index, "symbol", value])
    frame = to_polars(kept, exact=True)
    wide = frame.pivot(  # noqa: PD010  # Polars, which has one pivot
        on="symbol",
        on_columns=list(columns),
        index=list(index),
        values=value,
        aggregate_function="first",
    ).sort(order)
    shown = wide.select([*index, *columns]).to_arrow()
    types = {name: data.schema.field(name).type for name in index}
    kind = data.schema.field(value).type
    return shown.cast(pa.schema([(n, types.get(n, kind)) for n in shown.column_names]))


def _series(name: str, column: pa.ChunkedArray[Any]) -> pl.Series:
    if pa.types.is_interval(column.type):
        return texts(column).alias(name)
    return pl.Series(name, column)
