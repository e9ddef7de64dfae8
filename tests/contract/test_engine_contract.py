"""What every engine keeps: files by field id, exact decimals, instants in UTC, errors of ours."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingot.errors import ContractBrokenError, CorruptFileError, DamagedFileError, QueryError
from ingot.tables.input import ArrowRelation, FileRelation
from tests.support.transform_markets import of_rows, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from ingot.engines.transform.base import Engine


def prices(folder: Path, rows: list[tuple[str, Decimal]]) -> str:
    """Write a file whose columns were called `ticker` and `close` then, as fields 1 and 2."""
    fields: list[pa.Field[Any]] = [
        pa.field("ticker", pa.string(), metadata={b"PARQUET:field_id": b"1"}),
        pa.field("close", pa.decimal128(18, 6), metadata={b"PARQUET:field_id": b"2"}),
    ]
    path = folder / "prices.parquet"
    pq.write_table(of_rows(pa.schema(fields), rows), path)
    return str(path)


ONE = [("A", Decimal("0.000001")), ("NA", Decimal("999999999999.999999"))]
RENAMED = {1: ("symbol", "VARCHAR"), 2: ("price", "DECIMAL(18,6)")}


def test_columns_are_found_by_field_id_under_their_new_names(
    engine: Engine, tmp_path: Path
) -> None:
    relation = FileRelation((prices(tmp_path, ONE),), RENAMED)
    rows = rows_of(engine, "SELECT symbol, price FROM bars ORDER BY symbol", {"bars": relation})
    assert rows == [{"symbol": s, "price": p} for s, p in ONE]


def test_swapped_names_do_not_swap_values(engine: Engine, tmp_path: Path) -> None:
    swapped = {1: ("close", "VARCHAR"), 2: ("ticker", "DECIMAL(18,6)")}
    relation = FileRelation((prices(tmp_path, ONE),), swapped)
    rows = rows_of(engine, "SELECT close FROM bars ORDER BY close", {"bars": relation})
    assert rows == [{"close": "A"}, {"close": "NA"}]


def test_a_column_that_a_file_lacks_is_null(engine: Engine, tmp_path: Path) -> None:
    relation = FileRelation((prices(tmp_path, ONE[:1]),), {**RENAMED, 3: ("venue", "VARCHAR")})
    assert rows_of(engine, "SELECT venue FROM bars", {"bars": relation}) == [{"venue": None}]


def test_only_rows_that_keep_the_predicate_are_read(engine: Engine, tmp_path: Path) -> None:
    relation = FileRelation((prices(tmp_path, ONE),), RENAMED, "symbol <> 'A' AND 7 // 2 = 3")
    assert rows_of(engine, "SELECT symbol FROM bars", {"bars": relation}) == [{"symbol": "NA"}]


def test_no_files_are_a_relation_without_rows(engine: Engine) -> None:
    answer = engine.run("SELECT symbol, price FROM bars", {"bars": FileRelation((), RENAMED)})
    assert answer.read_all().num_rows == 0
    assert answer.schema.types == [pa.string(), pa.decimal128(18, 6)]


def test_types_arrive_as_the_contracts_have_them(engine: Engine) -> None:
    sql = """SELECT CAST(1 AS INTEGER) AS a, CAST(2 AS BIGINT) AS b,
        CAST('3.5' AS DECIMAL(18, 6)) AS c,
        DATE '2025-06-02' AS d, TIMESTAMPTZ '2025-06-02 09:30:00.000001-04:00' AS e,
        CAST(make_timestamp(1748871000000001000 // 1000) AS TIMESTAMPTZ) AS f, TRUE AS g, 'x' AS h,
        CAST(0.5 AS DOUBLE) AS i"""
    answer = engine.run(sql, {}).read_all()
    instant = datetime(2025, 6, 2, 13, 30, 0, 1, tzinfo=UTC)
    expected = (1, 2, Decimal("3.5"), date(2025, 6, 2), instant, instant, True, "x", 0.5)
    assert tuple(answer.to_pylist()[0].values()) == expected
    utc = pa.timestamp("us", tz="UTC")
    assert answer.schema.types == [
        *(pa.int32(), pa.int64(), pa.decimal128(18, 6), pa.date32(), utc, utc),
        *(pa.bool_(), pa.string(), pa.float64()),
    ]


def test_integers_are_divided_down_and_sums_do_not_overflow(engine: Engine) -> None:
    numbers = ArrowRelation(pa.table({"n": [2**62, 2**62, 2**62, 7]}))
    sql = (
        "SELECT CAST(CAST(SUM(CAST(n AS HUGEINT)) AS HUGEINT) // 1000 AS BIGINT) AS n FROM numbers"
    )
    assert rows_of(engine, sql, {"numbers": numbers}) == [{"n": (3 * 2**62 + 7) // 1000}]


def test_a_rolling_window_is_time_not_rows(engine: Engine) -> None:
    minutes = ArrowRelation(pa.table({"m": [570, 571, 584, 585, 600], "v": [1, 2, 4, 8, 16]}))
    sql = """SELECT CAST(SUM(v) OVER (ORDER BY m RANGE BETWEEN 14 PRECEDING AND CURRENT ROW)
        AS BIGINT) AS v FROM minutes ORDER BY m"""
    # 9:45 no longer sees 9:30; 10:00 sees nothing since 9:45
    assert [r["v"] for r in rows_of(engine, sql, {"minutes": minutes})] == [1, 3, 7, 14, 16]


def test_rows_come_in_the_order_asked_for_with_capitals_first(engine: Engine) -> None:
    symbols = ArrowRelation(pa.table({"s": ["b", "NA", "a", "B", "TRUE", "é"]}))
    rows = rows_of(engine, "SELECT s FROM symbols ORDER BY s", {"symbols": symbols})
    assert [r["s"] for r in rows] == ["B", "NA", "TRUE", "a", "b", "é"]


def test_the_next_question_sees_its_own_inputs(engine: Engine) -> None:
    first, second = (ArrowRelation(pa.table({"n": [n]})) for n in (1, 2))
    engine.run("SELECT n FROM numbers", {"numbers": first})  # not drained
    assert rows_of(engine, "SELECT n FROM numbers", {"numbers": second}) == [{"n": 2}]
    with pytest.raises(QueryError, match="numbers"):
        engine.run("SELECT n FROM numbers", {"others": first})


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT x FROM numbers", "SELECT 1; SELECT 2"])
def test_a_text_that_cannot_be_understood_is_a_query_error(engine: Engine, sql: str) -> None:
    numbers = ArrowRelation(pa.table({"n": [1]}))
    with pytest.raises(QueryError, match=r"understand|SQL|statement"):
        engine.run(sql, {"numbers": numbers}).read_all()


def test_a_value_that_does_not_fit_its_type_breaks_the_contract(engine: Engine) -> None:
    symbols = ArrowRelation(pa.table({"s": ["NA"]}))
    with pytest.raises(ContractBrokenError, match="does not fit its type"):
        engine.run("SELECT CAST(s AS INTEGER) AS n FROM symbols", {"symbols": symbols}).read_all()


def test_a_lost_or_torn_file_is_corrupt(engine: Engine, tmp_path: Path) -> None:
    torn = tmp_path / "torn.parquet"
    torn.write_bytes(b"PAR1 and no more")
    for path in (torn, tmp_path / "lost.parquet"):
        with pytest.raises((CorruptFileError, DamagedFileError), match=r"torn|lost|to the end"):
            engine.run(
                "SELECT * FROM bars", {"bars": FileRelation((str(path),), RENAMED)}
            ).read_all()
