"""Recorded actions: LEAN's factor files, WIKI's table, zipline's trap, Massive's and Yahoo's."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from ingot.connectors.csv_file import connector as csv_file
from ingot.connectors.lean import connector as lean
from ingot.connectors.massive.connector import connector as massive
from ingot.errors import LookAtDataError
from tests.support.reference_rows import load

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.recorded

TICKERS = ("aapl", "aig", "bac", "ibm", "spy", "wm")


def factor_rows(folder: Path, ticker: str) -> list[tuple[date, Decimal, Decimal, Decimal]]:
    lines = (folder / "factor_files" / f"{ticker}.csv").read_text().split()
    parts = (line.split(",") for line in lines)
    return [
        (datetime.strptime(d, "%Y%m%d").date(), Decimal(p), Decimal(s), Decimal(r))  # noqa: DTZ007
        for d, p, s, r in parts
    ]


@pytest.fixture
def lean_actions(recorded: Path, tmp_path: Path) -> list[dict[str, Any]]:
    source = lean.open_reference(str(recorded / "corporate-actions" / "lean"), lean.settings())
    loaded = load(source, "actions", tmp_path)
    assert loaded.refused == []
    return loaded.rows


@pytest.mark.parametrize("ticker", TICKERS)
def test_actions_give_back_every_factor_of_the_file(
    recorded: Path, tmp_path: Path, ticker: str
) -> None:
    """The other way round than the reader: factors out of actions, as SEMANTICS 5 has them."""
    folder = recorded / "corporate-actions" / "lean"
    source = lean.open_reference(str(folder), lean.settings())
    loaded = load(source, "actions", tmp_path)
    key = f"actions/factor_files/{ticker}.csv"
    count = loaded.parsed[key].rows
    symbols = {"bac": {"NB", "BAC"}, "wm": {"UW", "WMI", "WM"}}.get(ticker, {ticker.upper()})
    actions = [row for row in loaded.rows if row["symbol"] in symbols]
    assert len(actions) == count
    rows = factor_rows(folder, ticker)
    for day, price, split, _ in rows:
        later = [a for a in actions if a["ex_date"] > day]
        rebuilt_split, rebuilt_price = Fraction(1), Fraction(1)
        for action in later:
            before = max(r for r in rows if r[0] < action["ex_date"])
            if action["kind"] == "split":
                rebuilt_split *= Fraction(action["ratio_from"]) / Fraction(action["ratio_to"])
            else:
                rebuilt_price *= 1 - Fraction(action["cash"]) / Fraction(before[3])
        assert abs(rebuilt_split - Fraction(split)) <= Fraction(5, 10**7), day
        assert abs(rebuilt_price - Fraction(price)) <= Fraction(5, 10**7), day


def test_splits_that_everybody_knows_are_found(lean_actions: list[dict[str, Any]]) -> None:
    """Apple's own history of splits: 2:1, 2:1, 7:1, 4:1."""
    found = [
        (a["ex_date"], a["ratio_to"] / a["ratio_from"])
        for a in lean_actions
        if a["symbol"] == "AAPL" and a["kind"] == "split"
    ]
    assert found == [
        (date(2000, 6, 21), 2),
        (date(2005, 2, 28), 2),
        (date(2014, 6, 9), 7),
        (date(2020, 8, 31), 4),
    ]


def test_dividends_are_the_declared_ones(lean_actions: list[dict[str, Any]]) -> None:
    """WIKI's table, another source, has the same dividends of Apple in 2014."""
    found = {
        a["ex_date"]: a["cash"]
        for a in lean_actions
        if a["symbol"] == "AAPL" and a["ex_date"].year == 2014 and a["cash"]
    }
    assert found == {
        date(2014, 2, 6): Decimal("3.05"),
        date(2014, 5, 8): Decimal("3.29"),
        date(2014, 8, 7): Decimal("0.47"),
        date(2014, 11, 6): Decimal("0.47"),
    }


def test_renames_of_map_files(recorded: Path, tmp_path: Path) -> None:
    source = lean.open_reference(str(recorded / "corporate-actions" / "lean"), lean.settings())
    loaded = load(source, "instruments", tmp_path)
    spans: dict[str, list[tuple[str, date, date | None]]] = {}
    for row in loaded.rows:
        span = row["symbol"], row["valid_from"], row["valid_to"]
        spans.setdefault(row["instrument_id"], []).append(span)
    assert spans["lean:NB@1998-01-02"] == [
        ("NB", date(1998, 1, 2), date(1998, 10, 1)),
        ("BAC", date(1998, 10, 1), None),
    ]
    assert spans["lean:UW@1998-01-02"] == [
        ("UW", date(1998, 1, 2), date(1998, 7, 17)),
        ("WMI", date(1998, 7, 17), date(2009, 8, 5)),
        ("WM", date(2009, 8, 5), None),
    ]
    assert {r["symbol"]: r["exchange"] for r in loaded.rows}["AAPL"] == "XNAS"


def test_an_action_is_told_under_the_symbol_of_its_day(lean_actions: list[dict[str, Any]]) -> None:
    assert {a["ex_date"] < date(1998, 10, 1) for a in lean_actions if a["symbol"] == "NB"} == {True}
    assert {a["ex_date"] > date(2009, 8, 4) for a in lean_actions if a["symbol"] == "WM"} == {True}


def wiki_adjusted(rows: list[dict[str, str]], actions: list[dict[str, Any]]) -> list[float]:
    """Return adjusted closes by WIKI's published formula: c / (c + d) and 1 / ratio, backwards."""
    factors, factor = [], 1.0
    for row in reversed(rows):
        factors.append(factor)
        close = float(row["close"])
        for action in (a for a in actions if str(a["ex_date"]) == row["date"]):
            if action["kind"] == "split":
                factor *= float(action["ratio_from"] / action["ratio_to"])
            else:
                factor *= close / (close + float(action["cash"]))
    return [float(r["close"]) * f for r, f in zip(rows, reversed(factors), strict=True)]


def test_wiki_actions_reproduce_its_adjusted_close(recorded: Path, tmp_path: Path) -> None:
    path = recorded / "corporate-actions" / "wiki" / "wiki_prices_AAPL_ZEN_2014.csv"
    source = csv_file.open_reference(str(path), csv_file.settings())
    actions = load(source, "actions", tmp_path).rows
    with path.open(newline="") as file:
        table = [row for row in csv.DictReader(file) if row["ticker"] == "AAPL"]
    found = [(str(a["ex_date"]), a["kind"], a["ratio_to"] or a["cash"]) for a in actions]
    assert found == [
        ("2014-02-06", "cash_dividend", Decimal("3.05")),
        ("2014-05-08", "cash_dividend", Decimal("3.29")),
        ("2014-06-09", "split", Decimal(7)),
        ("2014-08-07", "cash_dividend", Decimal("0.47")),
        ("2014-11-06", "cash_dividend", Decimal("0.47")),
    ]
    mine = wiki_adjusted(table, actions)
    published = [float(row["adj_close"]) for row in table]
    ratios = [(m / mine[-1]) / (p / published[-1]) for m, p in zip(mine, published, strict=True)]
    assert max(abs(ratio - 1) for ratio in ratios) < 1e-12


def test_prices_that_are_adjusted_already_are_refused(recorded: Path, tmp_path: Path) -> None:
    path = recorded / "corporate-actions" / "zipline" / "AAPL.csv.gz"
    source = csv_file.open_reference(str(path), csv_file.settings())
    with pytest.raises(LookAtDataError, match=r"AAPL split 7 for 1 on 2014-06-09.*from 92\.22"):
        load(source, "actions", tmp_path)


@pytest.mark.parametrize("name", ["KO", "AAPL"])
def test_each_split_of_zipline_is_seen_through(recorded: Path, tmp_path: Path, name: str) -> None:
    path = recorded / "corporate-actions" / "zipline" / f"{name}.csv.gz"
    source = csv_file.open_reference(str(path), csv_file.settings())
    with pytest.raises(LookAtDataError, match="already adjusted for the split"):
        load(source, "actions", tmp_path)


@pytest.mark.parametrize(("name", "dividends"), [("IBM", 12), ("MSFT", 12)])
def test_zipline_tables_without_a_split_are_read(
    recorded: Path, tmp_path: Path, name: str, dividends: int
) -> None:
    path = recorded / "corporate-actions" / "zipline" / f"{name}.csv.gz"
    with gzip.open(path) as file:
        table = list(csv.DictReader(io.TextIOWrapper(file)))
    paid = [(row["date"], Decimal(row["dividend"])) for row in table if row["dividend"] != "0.0"]
    source = csv_file.open_reference(str(path), csv_file.settings())
    rows = load(source, "actions", tmp_path).rows
    assert [(str(r["ex_date"]), r["cash"]) for r in rows] == paid
    assert {r["symbol"] for r in rows} == {name}
    assert len(rows) >= dividends - 1


def test_massive_answers_of_the_documentation(recorded: Path, tmp_path: Path) -> None:
    source = massive.open_reference(str(recorded / "massive" / "rest"), massive.settings())
    actions = load(source, "actions", tmp_path).rows
    splits = {(a["symbol"], str(a["ex_date"])): a for a in actions if a["kind"] == "split"}
    assert len(splits) == 10
    brw = splits["BRW", "2022-05-20"]
    assert (brw["ratio_from"], brw["ratio_to"]) == (2, 1)
    paid = [a for a in actions if a["kind"] == "cash_dividend"]
    assert len(paid) == 10
    assert {(a["currency"], str(a["declared_date"])) for a in paid if a["symbol"] == "CSSEN"} == {
        ("USD", "2020-09-09")
    }
    assert {a["cash"] for a in paid} == {Decimal("0.59375"), Decimal("0.5")}


def test_massive_renames_of_the_documentation(recorded: Path, tmp_path: Path) -> None:
    """FB on 2012-05-18 and META on 2022-06-11, a Saturday, as the vendor writes it."""
    source = massive.open_reference(str(recorded / "massive" / "rest"), massive.settings())
    rows = load(source, "instruments", tmp_path).rows
    meta = [r for r in rows if r["figi"] == "BBG000MM2P62"]
    assert [(r["symbol"], str(r["valid_from"]), r["valid_to"]) for r in meta] == [
        ("FB", "2012-05-18", date(2022, 6, 11)),
        ("META", "2022-06-11", None),
    ]
    apple = next(r for r in rows if r["symbol"] == "AAPL")
    assert (apple["list_date"], apple["cik"]) == (date(1980, 12, 12), "0000320193")
    both_pages = {"A", "AA", "AAA", "AAAU"}
    assert both_pages <= {r["symbol"] for r in rows}
