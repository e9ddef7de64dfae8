"""Fingerprints of rows, and floats compared beside them."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from hashlib import md5, sha256
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingot.errors import ContractBrokenError
from ingot.tables import contract, gold, ops, silver
from ingot.tables.arrow import arrow_schema
from ingot.tables.contract import Binding, Column, Table
from tests.support.fingerprint import (
    Fingerprint,
    compared_columns,
    equal_floats,
    fingerprint,
    float_columns,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

WORDS = Table(
    name="silver.words",
    doc="A table for these tests.",
    columns=(
        Column("symbol", contract.String, "Key.", nullable=True),
        Column("note", contract.String, "Text.", nullable=True),
        Column("count", contract.Int64, "Number.", nullable=True),
        Column("price", contract.Price, "Price.", nullable=True),
        Column("known_from", contract.TimestampUs, "Instant."),
    ),
    key=("symbol",),
    binding=Binding.NONE,
)
AT = datetime(2025, 6, 2, 13, 30, tzinfo=UTC)
Row = tuple[str | None, str | None, int | None, Decimal | None, datetime]


def reader(
    table: Table, rows: Sequence[Sequence[Any]], *, batch_rows: int = 100
) -> pa.RecordBatchReader:
    schema = arrow_schema(table)
    values = [dict(zip(schema.names, row, strict=True)) for row in rows]
    arrow = pa.Table.from_pylist(values, schema=schema)
    return pa.RecordBatchReader.from_batches(schema, arrow.to_batches(batch_rows))


def of(*rows: Row) -> Fingerprint:
    return fingerprint(WORDS, reader(WORDS, rows))


def row(symbol: str | None = "A", note: str | None = "", count: int | None = 1) -> Row:
    return (symbol, note, count, Decimal("1.500000"), AT)


ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.text(max_size=3)),
        st.one_of(st.none(), st.sampled_from(["", "N", "N,", ":", "1:N", "0:", "é"])),
        st.one_of(st.none(), st.integers(-2, 12)),
        st.one_of(st.none(), st.decimals(-2, 2, places=6)),
        st.sampled_from([AT, AT + timedelta(microseconds=1)]),
    ),
    max_size=6,
)


def test_a_fingerprint_is_the_sum_of_md5_over_canonical_rows() -> None:
    rows: list[Row] = [("A", "", 1, Decimal("1.5"), AT), (None, "né", None, None, AT)]
    texts = ["1:A0:1,1.500000,1748871000000000,", "N3:néN,N,1748871000000000,"]
    hashes = [md5(text.encode(), usedforsecurity=False).digest() for text in texts]
    total = sum(int.from_bytes(found, "little") for found in hashes) % 2**128
    head = "silver.words\nsymbol,note,count,price,known_from\n2"
    expected = sha256(f"{head}\n{total:032x}".encode()).hexdigest()[:32]
    assert of(*rows) == Fingerprint(rows=2, digest=expected)


@given(rows=ROWS, data=st.data())
@settings(max_examples=30, deadline=None)
def test_row_order_and_batches_do_not_matter(rows: list[Row], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(rows))
    one = fingerprint(WORDS, reader(WORDS, rows))
    other = fingerprint(WORDS, reader(WORDS, shuffled, batch_rows=1))
    assert one == other
    assert one.rows == len(rows)


@given(one=ROWS, other=ROWS)
@settings(max_examples=60, deadline=None)
def test_only_equal_rows_have_equal_fingerprints(one: list[Row], other: list[Row]) -> None:
    assert (of(*one) == of(*other)) is (Counter(one) == Counter(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (row(note=None), row(note="")),
        (row(note=None), row(note="N")),
        (row(symbol="A", note="B1"), row(symbol="AB", note="1")),
        (row(symbol="", note="A"), row(symbol="A", note="")),
        (row(symbol="1:A", note=""), row(symbol="A", note="1:")),
        (row(symbol="a"), row(symbol="A")),
        (row(count=None), row(count=0)),
        (row(count=1), row(count=-1)),
        (row(symbol="é"), row(symbol="e\u0301")),
    ],
)
def test_values_that_look_alike_are_told_apart(one: Row, other: Row) -> None:
    assert of(one) != of(other)


def test_a_microsecond_is_a_difference() -> None:
    later = (*row()[:4], AT + timedelta(microseconds=1))
    assert of(row()) != of(later)


def test_a_row_that_occurs_twice_counts_twice() -> None:
    assert of(row()) != of(row(), row())
    assert of(row(), row("B"), row("B")) != of(row(), row(), row("B"))


def test_no_rows_have_a_fingerprint_of_their_own() -> None:
    empty = of()
    assert empty.rows == 0
    assert empty != of(row())


def test_the_zone_in_which_an_instant_is_written_does_not_matter() -> None:
    new_york = AT.astimezone(timezone(timedelta(hours=-4)))
    schema = arrow_schema(WORDS)
    zoned = schema.set(4, pa.field("known_from", pa.timestamp("us", tz="America/New_York")))
    values = [dict(zip(schema.names, (*row()[:4], new_york), strict=True))]
    batches = pa.Table.from_pylist(values, schema=zoned).to_reader()
    assert fingerprint(WORDS, batches) == of(row())


def test_columns_beside_the_contract_do_not_count() -> None:
    arrow = reader(WORDS, [row()]).read_all().append_column("extra", pa.array([1]))
    assert fingerprint(WORDS, arrow.to_reader()) == of(row())


def test_a_column_that_is_not_there_is_an_error() -> None:
    arrow = reader(WORDS, [row()]).read_all().drop_columns(["note", "price"])
    with pytest.raises(ContractBrokenError, match=r"silver\.words .* lack the columns note, price"):
        fingerprint(WORDS, arrow.to_reader())


def names(table: Table, *, stream: bool = False) -> set[str]:
    return {c.name for c in compared_columns(table, stream=stream)}


def test_known_time_counts_but_not_on_stream_tables() -> None:
    known = {"known_from", "known_to"}
    assert known < names(silver.MINUTE_BARS)
    assert names(silver.MINUTE_BARS) - names(silver.MINUTE_BARS, stream=True) == known


def test_floats_are_left_out() -> None:
    floats = {c.name for c in gold.PERFORMANCE.columns if c.type is contract.Float64}
    assert "volatility_30d" in floats
    assert names(gold.PERFORMANCE) == set(gold.PERFORMANCE.column_names) - floats


def test_what_differs_between_two_runs_is_left_out_of_the_ledger() -> None:
    assert set(ops.RUNS.column_names) - names(ops.RUNS) == {
        "run",
        "started",
        "ended",
        "snapshot_id",
    }
    assert set(ops.LANDINGS.column_names) - names(ops.LANDINGS) == {"first_seen"}
    assert names(ops.QUARANTINE) == set(ops.QUARANTINE.column_names)


SCORES = Table(
    name="gold.scores",
    doc="A table for these tests.",
    columns=(
        Column("symbol", contract.String, "Key."),
        Column("day", contract.Date, "Key."),
        Column("score", contract.Float64, "Float.", nullable=True),
    ),
    key=("symbol", "day"),
    binding=Binding.NONE,
)


def scores(*values: float | None, symbol: str = "A") -> pa.RecordBatchReader:
    first = date(2025, 6, 2)
    return reader(
        SCORES, [(symbol, first + timedelta(days=n), value) for n, value in enumerate(values)]
    )


def test_floats_are_compared_by_key_whatever_their_order() -> None:
    forward = reader(SCORES, [("A", date(2025, 6, 2), 1.0), ("B", date(2025, 6, 2), 2.0)])
    backward = reader(SCORES, [("B", date(2025, 6, 2), 2.0), ("A", date(2025, 6, 2), 1.0)])
    assert equal_floats(float_columns(SCORES, forward), float_columns(SCORES, backward))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1.0], [1.0 + 1e-13], True),
        ([1.0], [1.0 + 1e-11], False),
        ([1e-15], [0.0], True),
        ([1e9], [1e9 + 1e-4], True),
        ([1e9], [1e9 + 1e-2], False),
        ([None], [None], True),
        ([None], [0.0], False),
        ([None], [math.nan], False),
        ([math.nan], [math.nan], True),
        ([math.nan], [1.0], False),
        ([math.inf], [math.inf], True),
        ([math.inf], [-math.inf], False),
        ([math.inf], [1e308], False),
        ([1.0, None, 3.0], [1.0, None, 3.0], True),
        ([1.0, None, 3.0], [1.0, None, 4.0], False),
        ([], [], True),
        ([1.0], [1.0, 1.0], False),
    ],
)
def test_floats_are_equal_within_the_tolerance(
    one: list[float | None], other: list[float | None], *, expected: bool
) -> None:
    a, b = float_columns(SCORES, scores(*one)), float_columns(SCORES, scores(*other))
    assert equal_floats(a, b) is expected
    assert equal_floats(b, a) is expected


def test_a_wider_tolerance_can_be_asked_for() -> None:
    a, b = float_columns(SCORES, scores(1.0)), float_columns(SCORES, scores(1.001))
    assert not equal_floats(a, b)
    assert equal_floats(a, b, tolerance=0.01)


def test_floats_of_other_keys_are_not_equal() -> None:
    a = float_columns(SCORES, scores(1.0))
    assert not equal_floats(a, float_columns(SCORES, scores(1.0, symbol="B")))


def test_a_float_column_that_is_not_there_is_an_error() -> None:
    arrow = scores(1.0).read_all().drop_columns(["score"])
    with pytest.raises(ContractBrokenError, match=r"gold\.scores .* lack the columns score"):
        float_columns(SCORES, arrow.to_reader())
