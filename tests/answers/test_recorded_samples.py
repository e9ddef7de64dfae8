"""The vendor's sample files, put where the vendor would, load to silver or are refused whole.

What is expected is the samples' own text, read by Python's csv module.
"""

from __future__ import annotations

import csv
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from ingot.app.context.report import Result
from ingot.app.operate import records
from ingot.errors import QuarantineLimitError
from tests.support.recorded_bars import publish, rows_in
from tests.support.world import DAYS, MINUTES, World, at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingot.app.context.report import LoadReport
    from ingot.app.lake import Lake

OPTION_MINUTES = "us_options_opra/minute_aggs_v1"
OPTION_DAYS = "us_options_opra/day_aggs_v1"
APRIL = date(2025, 4, 16)
MARCH = date(2023, 3, 28)
OPTIONS_DAY = date(2023, 3, 13)
FILES = {
    ("aapl-2025-04-16-minute", MINUTES): APRIL,
    ("stocks_minute_candlesticks_example", MINUTES): MARCH,
    ("stocks_day_candlesticks_example", DAYS): MARCH,
    ("options_minute_candlesticks_example", OPTION_MINUTES): OPTIONS_DAY,
    ("options_day_candlesticks_example", OPTION_DAYS): OPTIONS_DAY,
}
ONE_DAY = timedelta(days=1)
pytestmark = pytest.mark.recorded
Loads = dict[tuple[str, date], "LoadReport"]


@pytest.fixture(scope="module")
def samples(recorded: Path) -> Path:
    return recorded / "massive" / "flatfile-samples"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, samples: Path) -> World:
    """Return a world in which the vendor publishes its samples."""
    world = World(tmp_path_factory.mktemp("samples"))
    for (name, dataset), day in FILES.items():
        publish(world.tree, dataset, day, (samples / f"{name}.csv").read_text())
    return world


@pytest.fixture(scope="module")
def loads(world: World) -> Loads:
    """Load each file by itself, and return what was reported."""
    return {
        (dataset, day): world.backfill(at(1), datasets=(dataset,), start=day, end=day + ONE_DAY)
        for (_, dataset), day in FILES.items()
    }


@pytest.fixture(scope="module")
def lake(world: World, loads: Loads) -> Iterator[Lake]:
    assert loads
    with world.lake(at(2)) as lake:
        yield lake


def written(samples: Path, name: str) -> list[dict[str, str]]:
    with (samples / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_all_samples_but_the_malformed_one_load(loads: Loads) -> None:
    codes = {file: report.exit_code for file, report in loads.items()}
    assert codes.pop((MINUTES, MARCH)) == 3
    assert set(codes.values()) == {0}


def test_the_minutes_of_a_pre_market_reach_silver_with_their_values(
    samples: Path, lake: Lake
) -> None:
    names = ("symbol", "bar_start_ns", "open", "high", "low", "close", "volume", "transactions")
    answer = lake.sql(f"SELECT {', '.join(names)} FROM silver.minute_bars ORDER BY bar_start_ns")
    expected = [
        (
            row["ticker"],
            int(row["window_start"]),
            *(Decimal(row[name]) for name in ("open", "high", "low", "close", "volume")),
            int(row["transactions"]),
        )
        for row in written(samples, "aapl-2025-04-16-minute")
    ]
    assert rows_in(answer, *names) == expected
    assert len(expected) == 12
    sessions = lake.bars("AAPL", start=APRIL, end=APRIL + ONE_DAY, interval="1m")
    assert set(rows_in(sessions, "trade_date", "session")) == {(APRIL, "pre")}


def test_the_day_of_many_symbols_reaches_silver_with_its_values(samples: Path, lake: Lake) -> None:
    names = ("symbol", "trade_date", "open", "high", "low", "close", "volume", "transactions")
    expected = [
        (
            row["ticker"],
            MARCH,
            *(Decimal(row[name]) for name in ("open", "high", "low", "close", "volume")),
            int(row["transactions"]),
        )
        for row in written(samples, "stocks_day_candlesticks_example")
    ]
    answer = lake.bars(interval="1d")
    assert rows_in(answer, *names) == sorted(expected)
    assert len(expected) == 99


def test_a_file_of_seventeen_digit_times_is_refused_whole(world: World, loads: Loads) -> None:
    (refused,) = loads[MINUTES, MARCH].of(Result.REFUSED)
    assert isinstance(refused.error, QuarantineLimitError)
    assert (refused.date, refused.rows, refused.rows_refused) == (MARCH, 0, 99)

    parts = world.parts(at(2))
    listed = records.landings(parts, start=MARCH, end=MARCH + ONE_DAY, limit=10).to_polars()
    kept = records.quarantine(parts, start=MARCH, end=MARCH + ONE_DAY, limit=1000).to_polars()
    parts.close()
    (landing,) = listed.filter(dataset=MINUTES).to_dicts()
    assert (landing["status"], landing["rows"], landing["rows_refused"]) == ("refused", 0, 99)
    assert landing["reason"].startswith(
        "99 of 99 rows of us_stocks_sip/minute_aggs_v1/2023/03/2023-03-28.csv.gz were refused"
    )
    assert "load the good ones with: ingot landings accept" in landing["reason"]
    assert set(kept["rule"]) == {"timestamp_out_of_range"}
    assert kept.height == 99


def test_nothing_of_a_refused_file_is_in_any_table(lake: Lake) -> None:
    tables = ("bronze.minute_bars", "silver.minute_bars", "gold.daily_bars")
    for table in tables:
        column = "file_date" if table.startswith("bronze") else "trade_date"
        answer = lake.sql(f"SELECT count(*) AS n FROM {table} WHERE {column} = DATE '{MARCH}'")
        assert rows_in(answer, "n") == [(0,)]


def test_the_minutes_of_an_option_add_up_to_its_day(lake: Lake) -> None:
    contract = "O:SPY230327P00390000"
    added = lake.sql(
        "SELECT arg_min(open, window_start) AS open, arg_max(close, window_start) AS close, "
        "max(high) AS high, min(low) AS low, sum(volume) AS volume, "
        f"sum(transactions) AS transactions FROM bronze.minute_bars WHERE ticker = '{contract}'"
    )
    day = lake.sql(
        "SELECT open, close, high, low, volume, transactions "
        f"FROM bronze.day_bars WHERE ticker = '{contract}'"
    )
    names = ("open", "close", "high", "low", "volume", "transactions")
    published = tuple(Decimal(text) for text in ("11.82", "9.83", "11.82", "8.09", "200", "62"))
    assert rows_in(added, *names) == rows_in(day, *names) == [published]
