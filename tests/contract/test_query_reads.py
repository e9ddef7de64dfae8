"""Both ways of reading rows, Polars and DuckDB, answer the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingot.engines.limits import Limits
from ingot.engines.trusted_queries import Reads, _narrow
from ingot.errors import DamagedFileError, QueryError
from ingot.model.time import AsOf, Interval
from ingot.query.requests.as_known import bind
from ingot.query.requests.bars import BarsRequest, Sources, plan_bars
from ingot.tables.arrow import arrow_schema
from ingot.tables.input import FileRelation, columns_of
from ingot.tables.silver import MINUTE_BARS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingot.tables.view import View

START = date(2025, 6, 2)
CORRECTED = datetime(2025, 6, 20, tzinfo=UTC)
FOREVER = datetime(9999, 12, 31, tzinfo=UTC)
LIMITS = Limits(memory_mb=200, threads=2, timeout_s=20, max_rows=5_000)


def versions(random: Random, symbol: str, day: date, minute: int) -> list[dict[str, Any]]:
    start = datetime(day.year, day.month, day.day, 13, 30, tzinfo=UTC) + timedelta(minutes=minute)
    published = datetime(day.year, day.month, day.day, 15, tzinfo=UTC) + timedelta(days=1)
    corrected = random.random() < 0.2
    bounds = [(published, CORRECTED), (CORRECTED, FOREVER)] if corrected else [(published, FOREVER)]
    row: dict[str, Any] = {
        "source": "massive",
        "dataset": "us_stocks_sip/minute_aggs_v1",
        "symbol": symbol,
        "trade_date": day,
        "session": random.choice(["regular", "post"]),
        "bar_start": start,
        "bar_start_ns": int(start.timestamp()) * 10**9,
        "transactions": random.randrange(1000),
        "rolling_bars": 1,
        "stale_refused": False,
    }
    names = ("open", "high", "low", "close", "volume", "close_avg_15m", "volume_15m")
    found = []
    for known_from, known_to in bounds:
        values = {n: Decimal(random.randrange(10**9)).scaleb(-6) for n in names}
        more = {"high_15m": Decimal(1), "low_15m": Decimal(1)}
        found.append(row | values | more | {"known_from": known_from, "known_to": known_to})
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    random = Random(7)
    folder = tmp_path_factory.mktemp("bars")
    paths = []
    for day in (START, START + timedelta(days=1)):
        rows = [
            version
            for symbol in ("A", "AA", "B", "NA", "a", "b'c")
            for minute in sorted(random.sample(range(60), 30))
            for version in versions(random, symbol, day, minute)
        ]
        path = folder / f"{day}.parquet"
        table = pa.Table.from_pylist(rows, schema=arrow_schema(MINUTE_BARS))
        pq.write_table(table, path, row_group_size=40)
        paths.append(str(path))
    return tuple(paths)


@pytest.fixture
def reads() -> Iterator[Reads]:
    with Reads(LIMITS) as reads:
        yield reads


BY_DUCKDB_THEN_BY_POLARS: list[dict[str, Any]] = [{"symbols": ("A",)}] * 2
"""Polars is loaded for the second read."""


def narrowed(files: tuple[str, ...], known_at: datetime, **words: Any) -> tuple[View, Any]:
    request = BarsRequest(
        words.pop("symbols", ()), START, START + timedelta(days=9), interval="1m", **words
    )
    plan = plan_bars(request, sources=Sources(("massive",)))
    relation = FileRelation(files, columns_of(MINUTE_BARS))
    return bind("silver.minute_bars", AsOf(known_at), relation).narrowed(*plan.conditions), plan


WINDOW = Interval(
    int(datetime(2025, 6, 2, 13, 40, tzinfo=UTC).timestamp()) * 10**9,
    int(datetime(2025, 6, 2, 13, 50, tzinfo=UTC).timestamp()) * 10**9,
)


@pytest.mark.parametrize("known_at", [CORRECTED, CORRECTED - timedelta(microseconds=1)])
@pytest.mark.parametrize(
    "words",
    [
        {"symbols": ("A",)},
        {"symbols": ("b'c", "NA", "absent")},
        {"symbols": ("a",), "session": "post"},
        {"symbols": ("B",), "source": "massive", "dataset": "us_stocks_sip/minute_aggs_v1"},
        {"symbols": ("B",), "source": "none"},
        {"window": WINDOW},
    ],
)
def test_polars_and_duckdb_give_equal_rows(
    reads: Reads, files: tuple[str, ...], known_at: datetime, words: dict[str, Any]
) -> None:
    view, plan = narrowed(files, known_at, **words)
    assert plan.rows_only
    by_sql = reads.run(plan.sql, {view.name: view})
    assert reads.rows(view, plan.columns, plan.order).equals(by_sql)
    by_polars = _narrow(view, plan.columns, plan.order)
    assert by_polars is not None
    assert by_polars.equals(by_sql)


def test_all_symbols_are_read_by_duckdb(reads: Reads, files: tuple[str, ...]) -> None:
    view, plan = narrowed(files, CORRECTED)
    assert _narrow(view, plan.columns, plan.order) is None
    found = reads.rows(view, plan.columns, plan.order)
    assert found.num_rows == 6 * 30 * 2
    assert found.equals(reads.run(plan.sql, {view.name: view}))


def test_a_file_with_other_column_names_is_read_by_field_id(reads: Reads, tmp_path: Path) -> None:
    schema = arrow_schema(MINUTE_BARS)
    names = {"high": "low", "low": "high"}  # the two were swapped by a rename
    rows = versions(Random(1), "A", START, 0)[:1]
    table = pa.Table.from_pylist(rows, schema=schema)
    swapped = pa.schema([f.with_name(names.get(f.name, f.name)) for f in schema])
    path = tmp_path / "old.parquet"
    pq.write_table(table.cast(schema).rename_columns(swapped.names).cast(swapped), path)
    view, plan = narrowed((str(path),), CORRECTED - timedelta(1), symbols=("A",))
    found = reads.rows(view, plan.columns, plan.order).to_pylist()[0]
    assert (found["high"], found["low"]) == (rows[0]["high"], rows[0]["low"])


def test_too_many_rows_are_refused_on_both_ways(files: tuple[str, ...]) -> None:
    few = Limits(memory_mb=200, threads=1, timeout_s=20, max_rows=10)
    with Reads(few) as reads:
        for words in (*BY_DUCKDB_THEN_BY_POLARS, {}):
            view, plan = narrowed(files, CORRECTED, **words)
            with pytest.raises(QueryError, match="setting query_max_rows"):
                reads.rows(view, plan.columns, plan.order)


def test_too_many_bytes_are_refused_where_rows_are_few() -> None:
    with (
        Reads(replace(LIMITS, max_answer_mb=1)) as reads,
        pytest.raises(QueryError, match="setting query_max_answer_mb"),
    ):
        reads.run("SELECT repeat('x', 10000) AS x FROM range(200)", {})


@pytest.mark.parametrize("content", [None, b"", b"PAR1 not parquet PAR1"])
def test_a_file_that_cannot_be_read_is_damage(
    reads: Reads, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "broken.parquet"
    if content is not None:
        path.write_bytes(content)
    for words in (*BY_DUCKDB_THEN_BY_POLARS, {}):
        view, plan = narrowed((str(path),), CORRECTED, **words)
        with pytest.raises(DamagedFileError, match=r"broken\.parquet is damaged"):
            reads.rows(view, plan.columns, plan.order)
