"""The vendor's recorded samples load, or are refused for the reason that their README gives."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from ingot.connectors.massive.datasets import DATASETS
from ingot.connectors.massive.flatfiles.parse import parse_file
from ingot.errors import QuarantineLimitError
from ingot.model.landing import KnownBasis, Landing

if TYPE_CHECKING:
    from pathlib import Path

    from ingot.connectors.base import Parsed

SEEN = datetime(2026, 11, 20, tzinfo=UTC)
PRICES = ("volume", "open", "close", "high", "low")
pytestmark = pytest.mark.recorded


@pytest.fixture
def samples(recorded: Path) -> Path:
    return recorded / "massive" / "flatfile-samples"


def parse(content: Path, dataset: str, day: date, to: Path) -> tuple[Parsed, list[dict[str, Any]]]:
    landing = Landing(
        source="massive",
        dataset=dataset,
        file_date=day,
        key=f"{dataset}/{day:%Y/%m}/{day}.csv.gz",
        ordinal=1,
        sha256="ab",
        size_bytes=1,
        etag="e",
        last_modified=None,
        first_seen=SEEN,
        known_from=SEEN,
        known_basis=KnownBasis.OBSERVED,
        rule="r",
    )
    parsed = parse_file(landing, DATASETS[dataset].bronze, content, to, limit_pct=1)
    return parsed, pq.read_table(to).to_pylist()


def as_written(content: Path) -> list[dict[str, Any]]:
    with content.open(newline="") as file:
        return [
            {
                **row,
                **{name: Decimal(row[name]) for name in PRICES},
                "window_start": int(row["window_start"]),
                "transactions": int(row["transactions"]),
            }
            for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize(
    ("name", "dataset", "day", "rows", "symbols"),
    [
        ("aapl-2025-04-16-minute", "us_stocks_sip/minute_aggs_v1", date(2025, 4, 16), 12, 1),
        (
            "stocks_day_candlesticks_example",
            "us_stocks_sip/day_aggs_v1",
            date(2023, 3, 28),
            99,
            99,
        ),
        (
            "options_minute_candlesticks_example",
            "us_options_opra/minute_aggs_v1",
            date(2023, 3, 13),
            43,
            1,
        ),
        (
            "options_day_candlesticks_example",
            "us_options_opra/day_aggs_v1",
            date(2023, 3, 27),
            3,
            3,
        ),
    ],
)
def test_a_sample_loads_as_it_is_written(
    *, samples: Path, tmp_path: Path, name: str, dataset: str, day: date, rows: int, symbols: int
) -> None:
    content = samples / f"{name}.csv"
    parsed, found = parse(content, dataset, day, tmp_path / "out")
    assert (parsed.rows, parsed.symbols, parsed.refused) == (rows, symbols, ())
    lineage = ("source", "dataset", "file_date", "landing_id", "row_number")
    assert [{k: v for k, v in row.items() if k not in lineage} for row in found] == (
        as_written(content)
    )


def test_a_sample_is_the_same_in_gzip(samples: Path, tmp_path: Path) -> None:
    content = samples / "stocks_day_candlesticks_example.csv"
    zipped = tmp_path / "day.csv.gz"
    zipped.write_bytes(gzip.compress(content.read_bytes()))
    day = (date(2023, 3, 28), tmp_path / "out")
    assert (
        parse(content, "us_stocks_sip/day_aggs_v1", *day)[1]
        == (parse(zipped, "us_stocks_sip/day_aggs_v1", *day)[1])
    )


def test_times_of_seventeen_digits_are_refused_and_never_guessed(
    samples: Path, tmp_path: Path
) -> None:
    content = samples / "stocks_minute_candlesticks_example.csv"
    to = tmp_path / "out"
    with pytest.raises(QuarantineLimitError, match="99 of the first 99 rows") as caught:
        parse(content, "us_stocks_sip/minute_aggs_v1", date(2023, 3, 28), to)
    refused = caught.value.refused_rows
    assert {row.rule for row in refused} == {"timestamp_out_of_range"}
    assert {row.symbol for row in refused} == {"MSFT"}
    assert [row.raw for row in refused] == content.read_text().splitlines()[1:]
    assert not to.exists()


def test_options_minutes_add_up_to_the_vendors_day_row(samples: Path, tmp_path: Path) -> None:
    _, minutes = parse(
        samples / "options_minute_candlesticks_example.csv",
        "us_options_opra/minute_aggs_v1",
        date(2023, 3, 13),
        tmp_path / "minutes",
    )
    _, days = parse(
        samples / "options_day_candlesticks_example.csv",
        "us_options_opra/day_aggs_v1",
        date(2023, 3, 13),
        tmp_path / "days",
    )
    [day] = [row for row in days if row["ticker"] == "O:SPY230327P00390000"]
    bars = sorted(minutes, key=lambda row: row["window_start"])
    assert {row["ticker"] for row in bars} == {day["ticker"]}
    assert bars[0]["open"] == day["open"] == Decimal("11.82")
    assert bars[-1]["close"] == day["close"] == Decimal("9.83")
    assert max(row["high"] for row in bars) == day["high"] == Decimal("11.82")
    assert min(row["low"] for row in bars) == day["low"] == Decimal("8.09")
    assert sum(row["volume"] for row in bars) == day["volume"] == 200
    assert sum(row["transactions"] for row in bars) == day["transactions"] == 62
