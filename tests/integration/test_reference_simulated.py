"""Massive's answers as the simulator writes them, against the simulator's truth."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from ingot.connectors.massive.connector import connector
from ingot.simulator.simulate import simulate
from tests.support.reference_rows import Loaded, load

if TYPE_CHECKING:
    from pathlib import Path

START, END = date(2025, 3, 3), date(2025, 6, 1)
SYMBOLS = 200


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tree")
    simulate(out, start=START, end=END, symbols=SYMBOLS, datasets=("us_stocks_sip/day_aggs_v1",))
    return out


@pytest.fixture(scope="module")
def actions(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    source = connector.open_reference(str(tree), connector.settings())
    return load(source, "actions", tmp_path_factory.mktemp("actions"), limit_pct=0.0)


@pytest.fixture(scope="module")
def instruments(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    source = connector.open_reference(str(tree), connector.settings())
    return load(source, "instruments", tmp_path_factory.mktemp("instruments"), limit_pct=0.0)


def truth(tree: Path, name: str) -> list[dict[str, Any]]:
    return pl.read_parquet(tree / "truth" / name).to_dicts()


def test_every_action_of_the_truth_is_read(tree: Path, actions: Loaded) -> None:
    found = {
        (
            r["symbol"],
            r["ex_date"],
            r["ratio_from"],
            r["ratio_to"],
            r["cash"],
            r["declared_date"] if r["kind"] == "cash_dividend" else None,
        )
        for r in actions.rows
    }
    told = {
        (
            t["ticker"],
            t["ex_date"],
            t["split_from"],
            t["split_to"],
            t["cash"],
            t["declared_date"] if t["cash"] else None,
        )
        for t in truth(tree, "actions/stage=1.parquet")
    }
    assert found == told
    assert len(actions.rows) == len(told) > 50


def test_old_and_new_endpoints_tell_the_same(tree: Path, actions: Loaded, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    for path in (tree / "rest").glob("v3__reference__[sd]*.json"):
        (old / path.name).write_bytes(path.read_bytes())
    source = connector.open_reference(str(old), connector.settings())
    rows = load(source, "actions", tmp_path / "out").rows
    names = ("symbol", "ex_date", "kind", "ratio_from", "ratio_to", "cash", "declared_date")
    assert [[r[n] for n in names] for r in rows] == [[r[n] for n in names] for r in actions.rows]
    assert {r["raw"] for r in rows} != {r["raw"] for r in actions.rows}


def test_historical_factors_follow_from_the_splits(actions: Loaded) -> None:
    """The vendor's own factor of each split: 1 over the product of all ratios from it on."""
    splits = [r for r in actions.rows if r["kind"] == "split"]
    assert splits
    for split in splits:
        later = [
            r["ratio_to"] / r["ratio_from"]
            for r in splits
            if r["symbol"] == split["symbol"] and r["ex_date"] >= split["ex_date"]
        ]
        product = Decimal(1)
        for ratio in later:
            product *= ratio
        told = json.loads(split["raw"])["historical_adjustment_factor"]
        assert float(product) * told == pytest.approx(1.0, abs=1e-12)


def test_every_holding_that_ends_or_begins_inside_is_read(tree: Path, instruments: Loaded) -> None:
    """Starts are told by ticker changes and overviews; lists tell ends alone."""
    found = {(r["figi"], r["symbol"], r["valid_to"]): r["valid_from"] for r in instruments.rows}
    told = truth(tree, "instruments.parquet")
    assert set(found) == {(t["composite_figi"], t["ticker"], t["valid_to"]) for t in told}
    figis = [t["composite_figi"] for t in told]
    exact = 0
    for holding in told:
        start = found[holding["composite_figi"], holding["ticker"], holding["valid_to"]]
        assert start <= holding["valid_from"], holding
        listed = holding["valid_from"] >= START and holding["valid_to"] is None
        if listed or figis.count(holding["composite_figi"]) > 1:
            assert start == holding["valid_from"], holding
            exact += 1
    assert exact >= 5


def test_no_two_instruments_hold_one_symbol_on_one_day(instruments: Loaded) -> None:
    spans: dict[str, list[tuple[date, date]]] = {}
    for row in instruments.rows:
        span = row["valid_from"], row["valid_to"] or date(9999, 12, 31)
        spans.setdefault(row["symbol"], []).append(span)
    shared = [sorted(held) for held in spans.values() if len(held) > 1]
    assert shared, "the simulator reuses symbols"
    for held in shared:
        assert all(before[1] <= after[0] for before, after in pairwise(held))
