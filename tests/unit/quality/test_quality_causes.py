"""Causes that were wrong: each is right now, or unexplained with its evidence."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from ingot.quality.reconcile.compare import Context, compare
from tests.support.quality_faults import PRICES, Market, reads, side_of

DAYS = 40
Row = dict[str, Any]
STATED = ("exact", "reverse", "with_cash")
SYMBOLS = {
    name: place
    for place, name in enumerate(
        (*STATED, "elsewhere", "pence", "pounds", "wrong", "no_volume", "odd", "one", "by_volume")
    )
}


class Both:
    """Two markets of a symbol a fault, and what is found between them from either side."""

    def __init__(self) -> None:
        self.a = Market.made(len(SYMBOLS), DAYS, seed=11)
        self.b = self.a.copy()
        self.split = np.zeros((len(SYMBOLS), DAYS))
        self.damage()
        with reads() as engine:
            a, b = (
                side_of(side.frame(split=self.split), name)
                for side, name in ((self.a, "side.a"), (self.b, "side.b"))
            )
            self.rows, self.swapped = (
                compare(engine.run, *sides, Context()).findings.to_pylist()
                for sides in ((a, b), (b, a))
            )

    def scaled(self, name: str, days: slice, price: float) -> None:
        for value in PRICES:
            prices = self.b.values[value]
            prices[SYMBOLS[name], days] = np.round(prices[SYMBOLS[name], days] * price, 4)

    def dear(self, name: str) -> None:
        """Make prices so large that half a cent is little beside them."""
        for side in (self.a, self.b):
            for value in PRICES:
                side.values[value][SYMBOLS[name]] *= 1000

    def damage(self) -> None:
        ratios = (2.2697, 1 / 2.2697, 0.471429, 0.471429)
        days = (15, 15, 15, 30)
        for name, ratio, day in zip((*STATED, "elsewhere"), ratios, days, strict=True):
            self.scaled(name, slice(0, 15), 0.4406)
            self.split[SYMBOLS[name], day] = ratio
        close, volume = self.b.values["close"], self.b.values["volume"]
        close[SYMBOLS["pence"], 20] = np.round(close[SYMBOLS["pence"], 20] / 100, 2)
        close[SYMBOLS["pounds"], 20] *= 100
        close[SYMBOLS["wrong"], 20] *= 0.02
        volume[SYMBOLS["no_volume"], 5:25] = 0
        volume[SYMBOLS["odd"]] = volume[SYMBOLS["odd"]] // 100 * 100
        self.a.values["volume"][SYMBOLS["odd"], 7], volume[SYMBOLS["odd"], 7] = 37, 0
        self.dear("one")
        self.scaled("one", slice(10, 11), 1.0002)
        self.scaled("one", slice(20, 40), 0.93)
        self.dear("by_volume")
        self.scaled("by_volume", slice(0, 40), 1.0008)
        volume[SYMBOLS["by_volume"]] *= 1.2

    def of(self, name: str) -> list[Row]:
        """Return a symbol's findings, which are of the same causes from either side."""
        symbol = self.a.symbols[SYMBOLS[name]]
        rows, swapped = (
            [r for r in each if r["symbol"] == symbol] for each in (self.rows, self.swapped)
        )
        assert sorted(r["cause"] for r in rows) == sorted(r["cause"] for r in swapped)
        return rows


@pytest.fixture(scope="module")
def both() -> Both:
    return Both()


def causes(rows: list[Row]) -> set[str]:
    return {row["cause"] for row in rows}


@pytest.mark.parametrize("name", STATED)
def test_a_split_stated_in_the_file_is_found_whatever_its_ratio(both: Both, name: str) -> None:
    rows = both.of(name)
    assert causes(rows) == {"split_factor"}
    assert len(rows) == 15
    evidence = json.loads(rows[0]["evidence"])
    assert evidence["ratio"] == pytest.approx(0.4406, abs=1e-4)
    assert evidence["stated_split"] == pytest.approx(both.split[SYMBOLS[name], 15], abs=1e-6)


def test_a_split_stated_elsewhere_explains_no_other_ratio(both: Both) -> None:
    rows = both.of("elsewhere")
    assert causes(rows) == {"unexplained"}
    evidence = json.loads(rows[0]["evidence"])
    assert evidence["ratio"] == pytest.approx(0.4406, abs=1e-4)
    assert evidence["bars"] == 15


@pytest.mark.parametrize(("name", "factor"), [("pence", 0.01), ("pounds", 100)])
def test_one_close_in_another_unit_is_named(both: Both, name: str, factor: float) -> None:
    (row,) = both.of(name)
    assert (row["cause"], row["fields"]) == ("scale_x100", "close")
    assert json.loads(row["evidence"])["ratio"] == pytest.approx(factor, rel=0.1)


def test_one_close_that_is_merely_wrong_is_in_no_other_unit(both: Both) -> None:
    assert causes(both.of("wrong")) == {"unexplained"}


def test_zeroed_volumes_are_no_odd_lots(both: Both) -> None:
    rows = both.of("no_volume")
    assert causes(rows) == {"unexplained"}
    evidence = {row["evidence"] for row in rows}
    assert [json.loads(e) for e in evidence] == [{"field": "volume", "ratio": 0.0, "bars": 20}]


def test_a_bar_of_odd_lots_alone_has_no_round_lots(both: Both) -> None:
    assert causes(both.of("odd")) == {"odd_lots"}


def test_a_ratio_of_one_is_no_dividend(both: Both) -> None:
    ratios = {r["cause"]: json.loads(r["evidence"])["ratio"] for r in both.of("one")}
    assert ratios["unexplained"] == pytest.approx(1.0002, abs=1e-5)
    assert ratios["dividend"] == pytest.approx(0.93, abs=1e-4)


def test_volumes_alone_make_no_split(both: Both) -> None:
    assert "split_factor" not in causes(both.of("by_volume"))
