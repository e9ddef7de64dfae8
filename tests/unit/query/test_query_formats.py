"""Golden text of every format, written by hand."""

from __future__ import annotations

import io
import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.errors import ConfigError, QueryError
from ingot.query.result.answer import Answer
from ingot.tables.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INSTANT = pa.timestamp("us", tz="UTC")
T = datetime(2025, 6, 10, 15, tzinfo=UTC)
DATA = pa.table(
    {
        "symbol": pa.array(["AAPL", "NA", None]),
        "trade_date": pa.array([date(2025, 6, 2), date(2025, 6, 3), None]),
        "bar_start": pa.array(
            [
                datetime(2025, 6, 2, 13, 30, tzinfo=UTC),
                datetime(2025, 6, 3, 13, 30, 0, 500_000, tzinfo=UTC),
                None,
            ],
            INSTANT,
        ),
        "close": pa.array(
            [Decimal("201.700000"), Decimal("15.000000"), None], pa.decimal128(18, 6)
        ),
        "transactions": pa.array([12, 0, None], pa.int64()),
        "stale": pa.array([True, False, None]),
    }
)
CSV = """\
symbol,trade_date,bar_start,close,transactions,stale
AAPL,2025-06-02,2025-06-02T13:30:00Z,201.7,12,true
NA,2025-06-03,2025-06-03T13:30:00.5Z,15,0,false
,,,,,
"""
JSON = """\
[
{"symbol":"AAPL","trade_date":"2025-06-02","bar_start":"2025-06-02T13:30:00Z","close":201.7,\
"transactions":12,"stale":true},
{"symbol":"NA","trade_date":"2025-06-03","bar_start":"2025-06-03T13:30:00.5Z","close":15,\
"transactions":0,"stale":false},
{"symbol":null,"trade_date":null,"bar_start":null,"close":null,"transactions":null,"stale":null}
]
"""
TABLE = """\
symbol  trade_date  bar_start               close  transactions  stale
------  ----------  ----------------------  -----  ------------  -----
AAPL    2025-06-02  2025-06-02T13:30:00Z    201.7            12  true
NA      2025-06-03  2025-06-03T13:30:00.5Z     15             0  false

"""


def opened(file: io.BytesIO) -> pa.Table:
    return pa.ipc.open_file(file).read_all()


def written(data: pa.Table, form: Any) -> bytes:
    stream = io.BytesIO()
    Answer(data, T).write(stream, form)
    return stream.getvalue()


@pytest.mark.parametrize(("form", "expected"), [("csv", CSV), ("json", JSON), ("table", TABLE)])
def test_rows_are_written_as_agreed(form: str, expected: str) -> None:
    assert written(DATA, form).decode() == expected


def test_no_row_is_an_answer_too() -> None:
    none = DATA.slice(0, 0).select(["symbol", "close"])
    assert written(none, "csv") == b"symbol,close\n"
    assert written(none, "json") == b"[]\n"
    assert written(none, "table") == b"symbol  close\n------  -----\n(no rows)\n"
    assert pq.read_table(io.BytesIO(written(none, "parquet"))).schema.equals(none.schema)


def test_binary_forms_give_the_rows_back() -> None:
    assert pq.read_table(io.BytesIO(written(DATA, "parquet"))).equals(DATA)
    assert pa.ipc.open_file(written(DATA, "arrow")).read_all().equals(DATA)


def test_csv_quotes_only_what_needs_it() -> None:
    data = pa.table({"a,b": ["x,y", 'q"q', "", "line\nbreak", "TRUE", "0012"], "n": [1] * 6})
    assert written(data, "csv").decode() == (
        '"a,b",n\n"x,y",1\n"q""q",1\n"",1\n"line\nbreak",1\nTRUE,1\n0012,1\n'
    )


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (Decimal("0.000001"), pa.decimal128(18, 6), "0.000001"),
        (Decimal("-0.100000"), pa.decimal128(18, 6), "-0.1"),
        (Decimal("0.000000"), pa.decimal128(18, 6), "0"),
        (Decimal("1000.000000"), pa.decimal128(18, 6), "1000"),
        (Decimal("999999999999.999999"), pa.decimal128(18, 6), "999999999999.999999"),
        (Decimal(100), pa.decimal128(38, 0), "100"),
        (12, pa.int64(), "12"),
        (0.1, pa.float64(), "0.1"),
        (math.nan, pa.float64(), "null"),
        (math.inf, pa.float64(), "null"),
        ([1, None], pa.list_(pa.int64()), "[1,null]"),
        ({"x": Decimal("1.50")}, pa.struct([("x", pa.decimal128(9, 2))]), '{"x":1.5}'),
        (b"\x01\xff", pa.binary(), '"01ff"'),
        ('a"\\\n\x01é', pa.string(), '"a\\"\\\\\\n\\u0001é"'),
        (datetime(2020, 1, 1), pa.timestamp("us"), '"2020-01-01T00:00:00"'),  # noqa: DTZ001
        (date(9999, 12, 31), pa.date32(), '"9999-12-31"'),
        (date(1, 1, 1), pa.date32(), '"0001-01-01"'),
    ],
)
def test_json_values_keep_their_digits(value: object, kind: pa.DataType, text: str) -> None:
    data = pa.table({"v": pa.array([value], kind)})
    assert written(data, "json").decode() == f'[\n{{"v":{text}}}\n]\n'


def test_an_instant_beyond_the_calendar_is_infinity() -> None:
    data = pa.table({"v": pa.array([2**63 - 1, -(2**63 - 1)], pa.int64()).cast(INSTANT)})
    assert written(data, "csv") == b"v\ninfinity\n-infinity\n"


def test_nothing_in_a_printed_table_steers_the_terminal() -> None:
    assert b"\x1b" not in written(pa.table({"v": ["\x1b[2J"]}), "table")


@given(
    rows=st.lists(
        st.tuples(
            st.none() | st.text(alphabet=st.characters(codec="utf-8")),
            st.none()
            | st.decimals(allow_nan=False, places=6, min_value=-(10**11), max_value=10**11),
            st.none() | st.booleans(),
        )
    )
)
def test_json_reads_back_exactly(rows: list[tuple[Any, ...]]) -> None:
    columns: dict[str, pa.DataType] = {"s": pa.string(), "d": pa.decimal128(18, 6), "b": pa.bool_()}
    data = pa.Table.from_pylist(
        [dict(zip(columns, row, strict=True)) for row in rows], schema=pa.schema(columns)
    )
    read = json.loads(written(data, "json"), parse_float=Decimal, parse_int=Decimal)
    assert [tuple(row.values()) for row in read] == rows


def test_a_large_answer_is_written_in_parts(tmp_path: Path) -> None:
    data = pa.table({"n": pa.array(range(150_000), pa.int64())})
    Answer(data, T).write(tmp_path / "n.csv", "csv")
    Answer(data, T).write(str(tmp_path / "n.json"), "json")
    assert (tmp_path / "n.csv").read_text().splitlines()[1:] == [str(n) for n in range(150_000)]
    assert [row["n"] for row in json.loads((tmp_path / "n.json").read_text())] == list(
        range(150_000)
    )


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("before")
    broken = pa.table({"v": pa.array([b"\xff"]).cast(pa.binary())})
    with pytest.raises(QueryError, match=r"format was 'xlsx'.*csv"):
        Answer(broken, T).write(path, "xlsx")  # type: ignore[arg-type]  # what the test is about
    assert path.read_text() == "before"
    Answer(DATA, T).write(path, "csv")
    assert path.read_text() == CSV
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Could not write .*out\.csv: No such file"):
        Answer(DATA, T).write(tmp_path / "no" / "out.csv", "csv")


def test_floats_by_default_decimals_on_request() -> None:
    answer = Answer(DATA, T)
    assert answer.to_polars()["close"].to_list() == [201.7, 15.0, None]
    assert answer.to_polars(exact=True)["close"].dtype == pl.Decimal(18, 6)
    assert answer.to_pandas()["close"].tolist()[:2] == [201.7, 15.0]
    assert answer.to_pandas(exact=True)["close"].tolist()[0] == Decimal("201.700000")
    assert answer.to_arrow().schema.field("close").type == pa.decimal128(18, 6)


@given(st.decimals(allow_nan=False, places=6, min_value=-(10**12) + 1, max_value=10**12 - 1))
def test_a_float_is_the_nearest_of_its_decimal(value: Decimal) -> None:
    data = pa.table({"v": pa.array([value], pa.decimal128(18, 6))})
    assert Answer(data, T).to_polars()["v"][0] == float(value)


def test_an_answer_speaks_arrow_and_says_what_it_is() -> None:
    answer = Answer(DATA, T, notices=("n",), settled=False, sources=("massive",))
    assert pa.table(answer).equals(DATA)
    assert pl.DataFrame(answer).height == len(answer) == 3
    assert answer.columns == tuple(DATA.column_names)
    assert repr(answer) == TABLE + (
        "3 rows, 6 columns, known at 2025-06-10T15:00:00+00:00, not settled\nnote: n"
    )
    assert str(answer) == repr(answer)
    assert "<th>symbol</th>" in answer._repr_html_()


def test_a_long_answer_shows_its_ends() -> None:
    shown = repr(Answer(pa.table({"n": list(range(1000))}), T)).splitlines()
    assert [line.strip() for line in shown[2:23]] == [
        *map(str, range(10)),
        "…",
        *map(str, range(990, 1000)),
    ]


def test_html_is_escaped() -> None:
    assert "<script>" not in Answer(pa.table({"v": ["<script>"]}), T)._repr_html_()


def test_columns_of_one_name_get_different_ones() -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], ["a", "a", "a_1"])
    assert Answer(twice, T).columns == ("a", "a_1", "a_1_1")


@pytest.mark.parametrize(("form", "read"), [("parquet", pq.read_table), ("arrow", opened)])
def test_an_answer_that_breaks_off_is_no_whole_file(form: Any, read: Any) -> None:
    def rows() -> Iterator[pa.RecordBatch]:
        yield from DATA.to_batches()
        raise QueryError("too many rows")

    whole, cut = io.BytesIO(), io.BytesIO()
    Answer(Stream(DATA.schema, lambda: iter(DATA.to_batches())), T).write(whole, form)
    assert read(io.BytesIO(whole.getvalue())).num_rows == 3
    with pytest.raises(QueryError, match="too many rows"):
        Answer(Stream(DATA.schema, rows), T).write(cut, form)
    with pytest.raises(pa.ArrowInvalid, match=r"\S"):
        read(io.BytesIO(cut.getvalue()))


def test_a_stream_answers_as_its_rows_in_memory_do() -> None:
    streamed = Answer(Stream(DATA.schema, lambda: iter(DATA.to_batches(max_chunksize=1))), T)
    assert streamed.select(["close", "symbol"]).head(2).arrow().to_pylist() == [
        {"close": Decimal("201.700000"), "symbol": "AAPL"},
        {"close": Decimal("15.000000"), "symbol": "NA"},
    ]
    assert [row["symbol"] for row in streamed] == ["AAPL", "NA", None]
    assert [batch.num_rows for batch in streamed.to_batches()] == [1, 1, 1]
    assert streamed["transactions"].to_list() == [12, 0, None]
    assert streamed.is_stream
    assert streamed.preview(2, 80) == Answer(DATA, T).preview(2, 80)
    assert (len(streamed), streamed.is_stream) == (3, False)  # counted, and kept
