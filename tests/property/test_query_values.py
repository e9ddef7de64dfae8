"""A short column is written by the value, a long one by Polars: both write the same text."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.query.result.cell_text import texts
from ingot.query.result.values import column_texts, distinct
from ingot.query.result.writers import write

FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COUNTS = st.integers(-(2**63), 2**63 - 1)
COLUMNS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "text": (pa.string(), st.text()),
    "flag": (pa.bool_(), st.booleans()),
    "count": (pa.int64(), COUNTS),
    "price": (pa.decimal128(18, 6), st.decimals(-(10**11), 10**11, places=6)),
    "whole": (pa.decimal128(20, 0), st.decimals(-(10**18), 10**18, places=0)),
    "ratio": (pa.float64(), st.floats()),
    "day": (pa.date32(), st.integers(-(2**31), 2**31 - 1)),
    **{f"at_{u}": (pa.timestamp(u, tz="UTC"), COUNTS) for u in ("s", "ms", "us", "ns")},
    "local": (pa.timestamp("us"), COUNTS),
}


@pytest.mark.parametrize("name", COLUMNS)
@given(data=st.data())
def test_a_column_has_one_text(name: str, data: st.DataObject) -> None:
    kind, values = COLUMNS[name]
    drawn = data.draw(st.lists(st.none() | values, max_size=5))
    column = pa.chunked_array([pa.array(drawn, _counted(kind)).view(kind)])

    assert list(column_texts(column)) == list(texts(column))


@given(
    instants=st.lists(st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None))),
    days=st.lists(st.dates()),
)
def test_dates_of_four_digit_years_have_one_text(
    instants: list[datetime], days: list[date]
) -> None:
    counts = [(i.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) for i in instants]
    moments = pa.chunked_array([pa.array(counts, pa.timestamp("us", tz="UTC"))])
    dates = pa.chunked_array([pa.array(days, pa.date32())])

    assert list(column_texts(moments)) == list(texts(moments))
    assert list(column_texts(dates)) == [day.isoformat() for day in days]


@given(rows=st.lists(st.tuples(st.none() | st.text(), st.none() | st.integers(0, 9)), max_size=5))
def test_a_short_csv_is_written_as_polars_writes_it(rows: list[tuple[str | None, int]]) -> None:
    names, counts = ([row[i] for row in rows] for i in (0, 1))
    table = pa.table({"name": pa.array(names, pa.string()), "n": pa.array(counts, pa.int64())})
    written = io.BytesIO()
    write(table, written, "csv")
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    assert written.getvalue().decode() == frame.write_csv(quote_style="necessary")


def test_values_are_written_with_all_their_digits() -> None:
    prices = pa.chunked_array([pa.array([Decimal("201.700000"), Decimal("15.000000"), None])])

    assert list(column_texts(prices)) == ["201.7", "15", None]


@pytest.mark.parametrize("rows", [1, 3_000])
def test_instants_in_seconds_are_not_written_as_infinity(rows: int) -> None:
    seconds = pa.chunked_array([pa.array([1_748_871_000] * rows, pa.timestamp("s", tz="UTC"))])

    assert set(column_texts(seconds)) == {"2025-06-02T13:30:00Z"}


@pytest.mark.parametrize("rows", [3, 3_000])
def test_the_different_values_of_a_column_are_found(rows: int) -> None:
    column = pa.chunked_array([pa.array(["A", "B", None] * (rows // 3))])

    assert distinct(column) == {"A", "B", None}


def _counted(kind: pa.DataType) -> pa.DataType:
    """Return the integers that a kind of instants or dates is made of; any other kind itself."""
    if pa.types.is_timestamp(kind):
        return pa.int64()
    return pa.int32() if pa.types.is_date32(kind) else kind
