"""Each check rule finds the row that breaks it, and is portable SQL."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from ingot.engines.transform.duckdb import DuckDBEngine
from ingot.quality.checks.rules import RULES
from ingot.tables import gold, silver
from ingot.tables.arrow import arrow_schema
from ingot.tables.input import ArrowRelation
from tests.support.portable import check_portable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingot.tables.contract import Table

DAYS = [date(2025, 6, d) for d in (2, 3, 4)]
FOREVER = datetime(9999, 12, 31, tzinfo=UTC)
NS = 10**9


def start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 14, 0, tzinfo=UTC)


def good(table: Table, day: date, symbol: str = "A") -> dict[str, Any]:
    """Return a row that keeps every rule."""
    ten, eleven, nine = Decimal(10), Decimal(11), Decimal(9)
    values = {
        "source": "massive",
        "dataset": "bars",
        "symbol": symbol,
        "trade_date": day,
        "session": "regular",
        "bar_start": start(day),
        "bar_start_ns": int(start(day).timestamp()) * NS,
        "open": ten,
        "high": eleven,
        "low": nine,
        "close": ten,
        "volume": Decimal(5),
        "transactions": 2,
        "high_15m": eleven,
        "low_15m": nine,
        "volume_15m": Decimal(5),
        "rolling_bars": 1,
        "pre_volume": Decimal(1),
        "post_volume": Decimal(1),
        "total_volume": Decimal(7),
        "suspect_action": False,
        "known_from": datetime(2025, 6, day.day + 1, 15, tzinfo=UTC),
        "known_to": FOREVER,
    }
    return {n: values.get(n) for n in table.column_names}


BROKEN: dict[str, dict[str, Any]] = {
    "minute_prices_in_order": {"high": Decimal("9.5")},
    "minute_known_after_it_began": {"known_from": datetime(2025, 6, 1, tzinfo=UTC)},
    "minute_interval_is_not_empty": {"known_to": datetime(2025, 6, 1, tzinfo=UTC)},
    "minute_trailing_holds_the_bar": {"rolling_bars": 16},
    "minute_volume_has_trades": {"transactions": 0},
    "minute_session_holds_it": {"session": "pre"},
    "minute_known_within_four_days": {"known_from": datetime(2025, 6, 20, tzinfo=UTC)},
    "day_prices_in_order": {"low": Decimal(0)},
    "day_known_after_it_began": {"known_from": datetime(2025, 6, 1, tzinfo=UTC)},
    "day_interval_is_not_empty": {"known_to": datetime(2025, 6, 1, tzinfo=UTC)},
    "day_known_within_four_days": {"known_from": datetime(2025, 6, 20, tzinfo=UTC)},
    "day_price_does_not_leap_and_return": {"close": Decimal(1000), "high": Decimal(1000)},
    "day_has_minutes": {"symbol": "B"},
    "daily_close_in_range": {"close": Decimal(12)},
    "daily_volumes_add_up": {"total_volume": Decimal(6)},
    "performance_action_not_suspect": {"suspect_action": True},
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBEngine]:
    spill: Path = tmp_path_factory.mktemp("spill")
    with DuckDBEngine(memory_limit_mb=256, threads=1, temp_directory=spill) as opened:
        yield opened


def broken_rows(engine: DuckDBEngine, rule: str, rows: list[dict[str, Any]]) -> int:
    (found,) = [r for r in RULES if r.id == rule]
    schema = pa.schema([f.with_nullable(nullable=True) for f in arrow_schema(found.table)])
    minutes = [good(silver.MINUTE_BARS, day) for day in DAYS]
    wide = pa.schema([f.with_nullable(nullable=True) for f in arrow_schema(silver.MINUTE_BARS)])
    inputs = {
        "rows": pa.Table.from_pylist(rows, schema=schema),
        "sessions": sessions(),
        "minutes": pa.Table.from_pylist(minutes, schema=wide),
    }
    text = f"SELECT count(*) AS n FROM ({found.sql}) AS broken"
    used = {name: ArrowRelation(rows) for name, rows in inputs.items()}
    count: int = engine.run(text, used).read_all()["n"][0].as_py()
    return count


def sessions() -> pa.Table:
    rows = [
        {
            "calendar": "XNYS",
            "trade_date": d,
            "session": s,
            "start_ns": a,
            "end_ns": b,
            "digest": "",
        }
        for d in DAYS
        for s, a, b in (
            ("pre", _ns(d, 8, 0), _ns(d, 13, 30)),
            ("regular", _ns(d, 13, 30), _ns(d, 20, 0)),
        )
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema(silver.SESSIONS))


def _ns(day: date, hour: int, minute: int) -> int:
    return int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC).timestamp()) * NS


@pytest.mark.parametrize("rule", [r.id for r in RULES])
def test_good_rows_keep_every_rule(engine: DuckDBEngine, rule: str) -> None:
    (table,) = [r.table for r in RULES if r.id == rule]
    assert broken_rows(engine, rule, [good(table, day) for day in DAYS]) == 0


@pytest.mark.parametrize(("rule", "change"), BROKEN.items())
def test_a_rule_finds_the_one_row_that_breaks_it(
    engine: DuckDBEngine, rule: str, change: dict[str, Any]
) -> None:
    (table,) = [r.table for r in RULES if r.id == rule]
    rows = [good(table, day) for day in DAYS]
    rows[1] |= change
    assert broken_rows(engine, rule, rows) == 1


def test_versions_that_overlap_are_found(engine: DuckDBEngine) -> None:
    for name, table in (("minute", silver.MINUTE_BARS), ("day", silver.DAY_BARS)):
        first = good(table, DAYS[0])
        second = first | {"known_from": datetime(2025, 6, 9, tzinfo=UTC)}
        assert broken_rows(engine, f"{name}_one_version_at_a_time", [first, second]) == 1
        follows = first | {"known_to": second["known_from"]}
        assert broken_rows(engine, f"{name}_one_version_at_a_time", [follows, second]) == 0


def test_dates_without_bars_or_with_half_the_symbols_are_found(engine: DuckDBEngine) -> None:
    for name, table in (("minute", silver.MINUTE_BARS), ("day", silver.DAY_BARS)):
        gap = [good(table, DAYS[0]), good(table, DAYS[2])]
        assert broken_rows(engine, f"{name}_every_trade_date_has_bars", gap) == 1
        many = [good(table, DAYS[0], symbol) for symbol in "ABC"]
        fewer = [*many, good(table, DAYS[1])]
        assert broken_rows(engine, f"{name}_symbols_do_not_halve", fewer) == 1


def test_every_rule_is_portable_and_named_once() -> None:
    for rule in RULES:
        check_portable(rule.sql)
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert {rule.table for rule in RULES} >= {silver.MINUTE_BARS, gold.DAILY_BARS}
    dimensions = {"completeness", "accuracy", "consistency", "timeliness"}
    assert {rule.dimension for rule in RULES} == dimensions
