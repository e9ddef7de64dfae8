"""Bars in pence, cents and agorot, from a chart's answer to adjusted prices and reconciliation."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

import pytest

from ingot.app.context.lake_context import open_parts
from ingot.app.lake import Lake
from ingot.cli.main import run
from ingot.model.time import FixedClock
from tests.support.reference_rows import Answer, serving
from tests.support.small_market import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.services  # a lake made, loaded and built: 9 s of processor time

NOW = datetime(2020, 1, 10, 12, tzinfo=UTC)
DAYS = [date(2020, 1, d) for d in (2, 3, 6, 7)]
# OCDO.L closed at 1,259.5 pence on 2020-01-02. The other days, symbols and cash are made up.
CLOSES = {
    "OCDO.L": ("GBp", ("1259.5", "1240", "1250", "1245.5")),
    "NPN.JO": ("ZAc", ("228650", "231000", "230500", "229975")),
    "TEVA.TA": ("ILA", ("3412", "3399.5", "3420", "3418")),
    "NBK.KW": ("KWF", ("1045", "1050", "1048", "1049")),
    "VOD.X": ("GBP", ("1.47", "1.46", "1.48", "1.4825")),
    "MSFT": ("USD", ("160.62", "158.62", "159.03", "157.58")),
}
PAID = {"OCDO.L": ("GBp", "12.4", date(2020, 1, 6)), "MSFT": ("USD", "0.5", date(2020, 1, 6))}
WHOLE = {"GBp": ("GBP", 100), "ZAc": ("ZAR", 100), "ILA": ("ILS", 100), "KWF": ("KWD", 1000)}


def stamp(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, 8, tzinfo=UTC).timestamp())


def chart(symbol: str) -> dict[str, Any]:
    unit, closes = CLOSES[symbol]
    values = [float(text) for text in closes]
    quote = dict.fromkeys(("open", "high", "low", "close"), values) | {"volume": [100] * 4}
    meta = {"currency": unit, "symbol": symbol, "exchangeTimezoneName": "Europe/London"}
    result: dict[str, Any] = {
        "meta": meta,
        "timestamp": [stamp(day) for day in DAYS],
        "indicators": {"quote": [quote]},
    }
    if symbol in PAID:
        currency, cash, day = PAID[symbol]
        event = {"amount": float(cash), "date": stamp(day), "currency": currency}
        result["events"] = {"dividends": {"1": event}}
    return {"chart": {"result": [result]}}


def reply(path: str) -> Answer:
    symbol = unquote(urlparse(path).path.rpartition("/")[2])
    return Answer(json.dumps(chart(symbol)).encode())


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("currencies")
    extra = folder / "actions.csv"
    extra.write_text(f"{ACTIONS}OCDO.L,2020-01-07,cash_dividend,,,0.2,USD,\n")
    settings = folder / "lake" / "ingot.toml"
    command = ["--lake", str(folder / "lake"), "--now", NOW.isoformat()]
    symbols = ",".join(CLOSES)
    with serving(reply) as server:
        assert run([*command, "init"]) == 0
        settings.write_text(f'[yahoo]\nbase_url = "{server.url}"\ncalls_per_minute = 0\n')
        assert run([*command, "ingest", "yahoo", "--symbols", symbols, "--days", "9"]) == 0
        assert run([*command, "ingest", "actions", "--source", f"yahoo:{symbols}"]) == 0
    assert run([*command, "ingest", "actions", "--source", f"csv:{extra}"]) == 0
    assert run([*command, "build"]) == 0
    return folder / "lake"


@pytest.fixture(scope="module")
def lake(root: Path) -> Iterator[Lake]:
    clock = FixedClock(NOW + timedelta(hours=1), stated=False)
    with Lake(open_parts(root, environ={}, clock=clock)) as opened:
        yield opened


def bars(lake: Lake, *symbols: str, **how: Any) -> Any:
    return lake.bars(*symbols, start="2020-01-02", end="2020-01-10", interval="1d", **how)


def test_prices_are_in_the_whole_currency_and_name_it(lake: Lake) -> None:
    rows = lake.sql("select symbol, trade_date, close, high, currency from silver.day_bars")
    found = {row[:2]: row[2:] for row in rows.to_polars(exact=True).iter_rows()}
    expected = {}
    for symbol, (unit, closes) in CLOSES.items():
        code, units = WHOLE.get(unit, (unit, 1))
        for day, text in zip(DAYS, closes, strict=True):
            price = Decimal(text) / units
            expected[symbol, day] = (price, price, code)
    assert found == expected


def test_a_bar_of_pence_of_2020_is_pounds(lake: Lake) -> None:
    row = bars(lake, "OCDO.L").to_polars(exact=True).row(0, named=True)
    assert (row["trade_date"], row["close"], row["currency"]) == (
        date(2020, 1, 2),
        Decimal("12.595"),
        "GBP",
    )


def test_an_answer_names_the_currency_where_one_is_not_the_dollar(lake: Lake) -> None:
    assert "currency" not in bars(lake, "MSFT").columns
    both = bars(lake, "MSFT", "OCDO.L")
    assert set(both.to_polars().select("symbol", "currency").unique().rows()) == {
        ("MSFT", "USD"),
        ("OCDO.L", "GBP"),
    }
    wide = bars(lake, "MSFT", "OCDO.L", layout="wide")
    assert any("not all prices are in USD: GBP" in notice for notice in wide.notices)
    assert not any("USD" in notice for notice in bars(lake, "MSFT", layout="wide").notices)


def test_cash_applies_in_the_currency_of_the_bars_and_in_no_other(lake: Lake) -> None:
    answer = bars(lake, "OCDO.L", "MSFT", basis="total_return")
    rows = dict(answer.to_polars().filter(trade_date=DAYS[0]).select("symbol", "close").rows())
    # 12.4 pence of a close of 1,240, and 0.50 dollars of 158.62; 0.20 dollars of pounds are left.
    assert rows["OCDO.L"] == pytest.approx(12.595 * (1 - 0.124 / 12.40), rel=1e-12)
    assert rows["MSFT"] == pytest.approx(160.62 * (1 - 0.5 / 158.62), rel=1e-12)
    (left,) = answer.unapplied_actions
    assert "0.2 USD of OCDO.L on 2020-01-07" in left


def test_performance_applies_the_cash_that_bars_apply(lake: Lake) -> None:
    answer = lake.sql(
        "select symbol, trade_date, return_1d from gold.performance where basis = 'total_return'"
    )
    found = {(symbol, day): value for symbol, day, value in answer.to_polars().rows()}
    # 12.4 pence on 1,250 after 1,240; the 0.20 dollars of the next day are left.
    assert found["OCDO.L", DAYS[2]] == pytest.approx((1250 + 12.4) / 1240 - 1, rel=1e-12)
    assert found["OCDO.L", DAYS[3]] == pytest.approx(1245.5 / 1250 - 1, rel=1e-12)
    assert found["MSFT", DAYS[2]] == pytest.approx((159.03 + 0.5) / 158.62 - 1, rel=1e-12)


def test_a_file_in_pence_is_a_hundredfold_off_until_its_scale_is_said(
    lake: Lake, tmp_path: Path
) -> None:
    path = tmp_path / "OCDO.L-1d.csv"
    lines = [
        f"{day},{c},{c},{c},{c},{c},100,{12.4 if day == DAYS[2] else 0},0"
        for day, c in zip(DAYS, CLOSES["OCDO.L"][1], strict=True)
    ]
    header = "Date,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits"
    path.write_text("\n".join([header, *lines]) + "\n")
    side = f"yahoo:{path}?symbol=OCDO.L"
    days = {"start": "2020-01-01", "end": "2020-01-10"}
    found = lake.reconcile("silver.day_bars@yahoo", side, symbols=["OCDO.L"], **days)
    rows = found.to_polars()
    assert set(rows["cause"]) == {"scale_x100"}
    assert len(rows) == len(DAYS)
    scaled = lake.reconcile(
        "silver.day_bars@yahoo", f"{side}&scale=0.01", symbols=["OCDO.L"], **days
    )
    assert len(scaled) == 0


def test_cash_in_the_currency_of_the_bars_counts_in_reconciliation(
    lake: Lake, tmp_path: Path
) -> None:
    path = tmp_path / "paid.csv"
    closes = [Decimal(text) / 100 for text in CLOSES["OCDO.L"][1]]
    factor = 1 - Decimal("0.124") / closes[1]
    paid = [
        close * factor if day < DAYS[2] else close for day, close in zip(DAYS, closes, strict=True)
    ]
    lines = [f"OCDO.L,{day},{c},{c},{c},{c},100" for day, c in zip(DAYS, paid, strict=True)]
    path.write_text("\n".join(["symbol,date,open,high,low,close,volume", *lines]) + "\n")
    found = lake.reconcile(
        "silver.day_bars@yahoo",
        f"csv:{path}?basis=total_return",
        symbols=["OCDO.L"],
        start="2020-01-01",
        end="2020-01-10",
    )
    assert len(found) == 0
