"""Yahoo's charts with anything in any place: an error of ours, or rows that silver can hold."""

from __future__ import annotations

import copy
import json
import random
from contextlib import suppress
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from ingot.connectors.csv_file.daily import read_daily
from ingot.connectors.csv_lines import CsvFile
from ingot.connectors.reference.rows import Bad, Good
from ingot.connectors.transport.http import response_bundle
from ingot.connectors.transport.http.client import read_json
from ingot.connectors.transport.http.redaction import Redactor
from ingot.connectors.yahoo.chart import read_chart
from ingot.connectors.yahoo.landed import landed_actions, landed_bars
from ingot.connectors.yahoo.rows import read_actions, read_bars
from ingot.errors import CorruptFileError, IngotError
from ingot.model.currency import MINOR

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START, END = date(2020, 1, 1), date(2020, 2, 1)
DAYS = 20
# What JSON can say in a number's place: sizes, signs, and values of other kinds.
ODD = (
    *("1e308", "-1e308", "1e999999999", "1e-400", "-0", "999999999999.9999999", "1e12", "1" * 400),
    *("null", "true", '"-inf"', '"12"', "[]", "{}", "253402300800", "-1e11"),
)


def stamps() -> list[int]:
    first = int(datetime(2020, 1, 2, 14, 30, tzinfo=UTC).timestamp())
    return [first + 86_400 * day for day in range(DAYS)]


def body() -> dict[str, Any]:
    """Return a chart of twenty days in pence with two splits and a dividend."""
    values = [100 + day for day in range(DAYS)]
    quote = dict.fromkeys(("open", "high", "low", "close", "volume"), values)
    events = {
        "splits": {
            "1": {"date": stamps()[5], "numerator": 3, "denominator": 2},
            "2": {"date": stamps()[9], "numerator": 1, "denominator": 10},
        },
        "dividends": {"1": {"date": stamps()[3], "amount": 2.5, "currency": "GBp"}},
    }
    meta = {"currency": "GBp", "symbol": "A.L", "exchangeTimezoneName": "Europe/London"}
    result = {
        "meta": meta | {"regularMarketTime": 1},
        "timestamp": stamps(),
        "indicators": {"quote": [quote], "adjclose": [{"adjclose": values}]},
        "events": events,
    }
    return copy.deepcopy({"chart": {"result": [result]}})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value within a JSON value."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def damaged(rng: random.Random, times: int) -> bytes:
    """Return a chart's bytes in which some values, whole arrays among them, are others."""
    chart = body()
    marks: dict[str, str] = {}
    for nth in range(times):
        *path, last = rng.choice(list(places(chart)))
        inside: Any = chart
        for key in path:
            inside = inside[key]
        inside[last] = f"@{nth}@"
        marks[f'"@{nth}@"'] = rng.choice(ODD)
    text = json.dumps(chart)
    for mark, odd in marks.items():
        text = text.replace(mark, odd)
    return text.encode()


def rows(content: bytes) -> list[Good | Bad]:
    """Return what is loaded of a chart's bytes, bars and actions, as the connector lands them."""
    chart = read_chart(read_json(content), "A.L")
    found: list[Good | Bad] = []
    for queries, read in (
        (landed_bars(chart, START, END), read_bars),
        (landed_actions(chart), read_actions),
    ):
        again = response_bundle.read(response_bundle.write(queries, Redactor()), "A.L")
        with suppress(IngotError):
            found += read(again)
    return found


def fits(bar: Any) -> bool:
    """Say whether silver's columns hold a bar as traded, computed once more."""
    ratio = Fraction(bar.splits_to) / Fraction(bar.splits_from)
    units = MINOR.get(bar.currency, ("", 1))[1]
    prices = [Fraction(getattr(bar, n)) * ratio / units for n in ("open", "high", "low", "close")]
    volume = Fraction(bar.volume) / ratio
    return all(0 < price < 10**12 for price in prices) and 0 <= volume < 10**12


def test_a_chart_with_anything_in_any_place_is_loaded_or_refused() -> None:
    rng = random.Random(12)
    loaded = refused = 0
    for _ in range(150):
        with suppress(IngotError):
            found = rows(damaged(rng, rng.randint(1, 3)))
            bars = [r.row for r in found if isinstance(r, Good) and hasattr(r.row, "splits_to")]
            assert all(map(fits, bars))
            loaded += len(bars)
            refused += sum(isinstance(r, Bad) for r in found)
    assert loaded > 500
    assert refused > 20


@pytest.mark.parametrize(
    ("name", "odd", "rule"),
    [
        ("close", "1e308", "price"),
        ("close", "-1e308", "price"),
        ("open", '"-inf"', "price"),
        ("low", "true", "price"),
        ("high", "-5", "price_not_positive"),
        ("volume", "1e15", "volume"),
        ("volume", "-1", "negative_volume"),
        ("adjclose", "1e308", "adjusted_close"),
    ],
)
def test_a_bar_whose_number_no_column_holds_is_refused(name: str, odd: str, rule: str) -> None:
    chart = body()
    indicators = chart["chart"]["result"][0]["indicators"]
    series = indicators["quote"][0] | indicators["adjclose"][0]
    series[name] = [*series[name][:7], "@", *series[name][8:]]
    indicators["quote"][0] = {n: v for n, v in series.items() if n != "adjclose"}
    indicators["adjclose"][0] = {"adjclose": series["adjclose"]}
    found = rows(json.dumps(chart).replace('"@"', odd).encode())
    (bad,) = (r for r in found if isinstance(r, Bad))
    assert (bad.number, bad.rule, bad.symbol) == (8, rule, "A.L")
    assert sum(isinstance(r, Good) and hasattr(r.row, "splits_to") for r in found) == DAYS - 1


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("timestamp", [10**13] * DAYS),
        ("timestamp", stamps()[:-1]),
        ("timestamp", None),
        ("indicators", {"quote": [{"open": None}]}),
        ("indicators", {"quote": None}),
        ("indicators", {"quote": [{"open": [1.0], "high": [1.0, 2.0]}]}),
        ("events", {"splits": {"1": {"date": 10**15, "numerator": 1, "denominator": 2}}}),
        ("events", {"dividends": [1]}),
        ("meta", {"exchangeTimezoneName": "Europe"}),
        ("meta", None),
    ],
)
def test_a_chart_whose_parts_do_not_fit_is_corrupt(part: str, value: Any) -> None:
    chart = body()
    chart["chart"]["result"][0][part] = value
    with pytest.raises(CorruptFileError, match="not the chart we know"):
        read_chart(read_json(json.dumps(chart).encode()), "A.L")


def test_an_empty_chart_has_no_rows() -> None:
    chart = body()
    result = chart["chart"]["result"][0]
    chart["chart"]["result"][0] = {"meta": result["meta"], "indicators": {"quote": [{}]}}
    assert rows(json.dumps(chart).encode()) == []


@pytest.mark.parametrize("cell", ["inf", "nan", "1e308", "-1e308", "1e-308", "0", "-5", ""])
@pytest.mark.parametrize("column", range(1, 4))
def test_a_table_of_daily_prices_takes_or_refuses_any_number(
    tmp_path: Path, column: int, cell: str
) -> None:
    lines = [f"2020-01-{day:02},10,10,1" for day in range(1, 20)]
    values = lines[7].split(",")
    values[column] = cell
    lines[7], lines[9] = ",".join(values), "2020-01-10,2.5,2.5,4"
    path = tmp_path / "A.csv"
    path.write_text("\n".join(["date,open,close,split", *lines]) + "\n")
    found: list[Good | Bad] = []
    with suppress(IngotError), CsvFile(path.read_bytes(), "A.csv") as file:
        found += read_daily(file, "A.csv", stem="A")
    bad = [r for r in found if isinstance(r, Bad)]
    assert bool(bad) == (
        cell in {"inf", "nan", "1e308", "-1e308"}
        or (column < 3 and not cell)
        or (column == 3 and cell == "-5")
    )
