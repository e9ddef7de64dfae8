"""Yahoo's recorded charts, replayed by a local server."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from ingot.connectors.yahoo import connector
from ingot.model.time import FixedClock
from tests.support.reference_rows import Answer, load, patient, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingot.connectors.base import FileSource

pytestmark = pytest.mark.recorded

NOW = FixedClock(datetime(2025, 2, 20, 1, tzinfo=UTC))
START, END = date(2020, 8, 31), date(2020, 11, 7)


@pytest.fixture
def body(recorded: Path) -> dict[str, Any]:
    path = "chart-AAPL-2020-08-31-to-2020-11-07.json.gz"
    with gzip.open(recorded / "vendor-json" / "yahoo-chart" / path) as file:
        found: dict[str, Any] = json.load(file)["body"]
    return found


@pytest.fixture
def apple(body: dict[str, Any]) -> Iterator[FileSource]:
    with serving(lambda _: Answer(json.dumps(body).encode())) as server:
        settings = connector.settings.model_validate({"base_url": server.url})
        yield connector.open_reference("AAPL", settings, backoff=patient(), clock=NOW)


def test_bars_are_the_recorded_ones(
    apple: FileSource, body: dict[str, Any], tmp_path: Path
) -> None:
    rows = load(apple, "bars_1d", tmp_path, start=START, end=END).rows
    result = body["chart"]["result"][0]
    quote = result["indicators"]["quote"][0]
    assert [r["bar_start"] for r in rows] == result["timestamp"]
    for name in ("open", "high", "low", "close"):
        assert [r[name] for r in rows] == quote[name]
    assert [r["adjusted_close"] for r in rows] == result["indicators"]["adjclose"][0]["adjclose"]
    assert (rows[0]["trade_date"], rows[-1]["trade_date"]) == (START, date(2020, 11, 6))


def test_bars_say_on_which_basis_they_are(apple: FileSource, tmp_path: Path) -> None:
    rows = load(apple, "bars_1d", tmp_path, start=START, end=END).rows
    facts = {
        (r["price_basis"], r["currency"], r["time_zone"], r["range_start"], r["range_end"])
        for r in rows
    }
    assert facts == {("split_adjusted", "USD", "America/New_York", START, END)}
    assert {(r["splits_from"], r["splits_to"]) for r in rows} == {(1, 1)}  # the split's own day on


def test_the_split_and_the_dividend_of_2020_are_found(apple: FileSource, tmp_path: Path) -> None:
    rows = load(apple, "actions", tmp_path).rows
    assert [(r["kind"], r["ex_date"]) for r in rows] == [
        ("split", date(2020, 8, 31)),
        ("cash_dividend", date(2020, 11, 6)),
    ]
    assert (rows[0]["ratio_from"], rows[0]["ratio_to"]) == (1, 4)
    assert (rows[1]["cash"], rows[1]["currency"]) == (Decimal("0.205"), "USD")


def test_a_day_before_the_split_carries_it(
    body: dict[str, Any], apple: FileSource, tmp_path: Path
) -> None:
    """One more bar, of Friday 2020-08-28: Yahoo shows 124.8075 where 499.23 was traded."""
    result = body["chart"]["result"][0]
    result["timestamp"].insert(0, 1598621400)
    for column in (
        *result["indicators"]["quote"][0].values(),
        result["indicators"]["adjclose"][0]["adjclose"],
    ):
        column.insert(0, 124.8075)
    rows = load(apple, "bars_1d", tmp_path, start=date(2020, 8, 28), end=END).rows
    first = rows[0]
    assert (first["trade_date"], first["splits_from"], first["splits_to"]) == (
        date(2020, 8, 28),
        1,
        4,
    )
    traded = Decimal(str(first["close"])) * first["splits_to"] / first["splits_from"]
    assert traded == Decimal("499.23")  # also the reference price of LEAN's factor file
