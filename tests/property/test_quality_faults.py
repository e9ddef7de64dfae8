"""Injected faults: each is found, nothing else is, and the cause is named."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest

from ingot.quality.reconcile.compare import Context, compare
from ingot.quality.reconcile.inputs import Side
from tests.support.quality_faults import (
    PRICES,
    VALUES,
    Expected,
    Market,
    actions_of,
    differences,
    reads,
    sessions_of,
    side_of,
)

SYMBOLS, DAYS = 2_000, 60
EACH = 40
RATIOS = (2.0, 3.0, 4.0, 7.0, 10.0, 1.5, 0.1, 0.2)


class Damaged:
    """A market, a damaged copy, and the cause of each symbol's damage."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.a = Market.made(SYMBOLS, DAYS, seed)
        self.b = self.a.copy()
        self.first = self.a.copy()
        self.cause: dict[str, str] = {}
        self.kind: dict[str, str] = {}
        self.actions: list[tuple[str, date, float, float]] = []
        self.copies: list[tuple[str, date]] = []
        close, volume = self.a.values["close"], self.a.values["volume"]
        self.beside = {
            "all_open": self.a.values["open"] * 1.001,
            "all_high": np.round(self.a.values["high"] * 1.013, 2),
            "all_low": np.round(self.a.values["low"] * 0.989, 2),
            "all_close": np.round(close * 1.004, 2),
            "auction_low": np.round(close * 0.9985, 2),
            "auction_high": np.round(close * 1.0012, 2),
            "volume_regular": np.round(volume * 0.9),
            "volume_outside": volume - np.round(volume * 0.9),
        }
        faults = [v for n, v in sorted(vars(Damaged).items()) if n.startswith("fault_")]
        order = self.rng.permutation(SYMBOLS)
        for nth, fault in enumerate(faults):
            for symbol in order[nth * EACH : (nth + 1) * EACH]:
                fault(self, int(symbol))
        self.b.present[:, -1] = False

    def told(self, symbol: int, cause: str, kind: str = "") -> None:
        self.cause[self.a.symbols[symbol]] = cause
        if kind:
            self.kind[self.a.symbols[symbol]] = kind

    def middle(self) -> int:
        return int(self.rng.integers(8, DAYS - 8))

    def scaled(self, symbol: int, days: slice, price: float, volume: float, digits: int) -> None:
        for name in PRICES:
            values = self.b.values[name]
            values[symbol, days] = np.round(values[symbol, days] * price, digits)
        shares = self.b.values["volume"]
        shares[symbol, days] = np.round(shares[symbol, days] * volume)

    def fault_split(self, symbol: int) -> None:
        ratio, ex = float(self.rng.choice(RATIOS)), self.middle()
        self.scaled(symbol, slice(0, ex), 1 / ratio, ratio, 4)
        self.told(symbol, "split_factor")

    def fault_split_known(self, symbol: int) -> None:
        ratio, ex = float(self.rng.choice(RATIOS)), self.middle()
        self.scaled(symbol, slice(0, ex), 1 / ratio, ratio, 4)
        self.actions.append((self.a.symbols[symbol], self.a.days[ex], ratio, 0.0))
        self.told(symbol, "split_factor", "BASIS_MISMATCH")

    def fault_split_price_only(self, symbol: int) -> None:
        self.scaled(symbol, slice(0, self.middle()), 1 / float(self.rng.choice(RATIOS)), 1, 4)
        self.told(symbol, "split_factor")

    def fault_dividend(self, symbol: int) -> None:
        self.scaled(symbol, slice(0, self.middle()), 1 - self.rng.uniform(0.004, 0.05), 1, 4)
        self.told(symbol, "dividend")

    def fault_dividend_known(self, symbol: int) -> None:
        ex, share = self.middle(), self.rng.uniform(0.004, 0.05)
        cash = float(share * self.a.values["close"][symbol, ex - 1])
        self.scaled(symbol, slice(0, ex), 1 - share, 1, 4)
        self.actions.append((self.a.symbols[symbol], self.a.days[ex], 1.0, cash))
        self.told(symbol, "dividend", "BASIS_MISMATCH")

    def fault_two_dividends(self, symbol: int) -> None:
        for ex in (20, 45):
            self.scaled(symbol, slice(0, ex), 1 - self.rng.uniform(0.004, 0.03), 1, 4)
        self.told(symbol, "dividend")

    def fault_scale(self, symbol: int) -> None:
        first = self.middle()
        self.scaled(symbol, slice(first, first + 7), 100, 1, 4)
        self.told(symbol, "scale_x100")

    def fault_pence(self, symbol: int) -> None:
        self.scaled(symbol, slice(self.middle(), None), 0.01, 1, 6)
        self.told(symbol, "scale_x100")

    def fault_end_label(self, symbol: int) -> None:
        self.b.shift[self.a.symbols[symbol]] = 1
        self.told(symbol, "end_labelled_bars")

    def fault_zone(self, symbol: int) -> None:
        self.b.shift[self.a.symbols[symbol]] = -1
        self.told(symbol, "time_zone")

    def fault_saturday(self, symbol: int) -> None:
        saturday = self.a.days[4] + timedelta(days=1)
        row = {n: float(self.a.values[n][symbol, 4]) * 1.01 for n in VALUES}
        self.b.extra.append({"symbol": self.a.symbols[symbol], "trade_date": saturday, **row})
        self.told(symbol, "session_set")

    def fault_all_sessions(self, symbol: int) -> None:
        for name in PRICES:
            self.b.values[name][symbol] = self.beside[f"all_{name}"][symbol]
        self.told(symbol, "session_set")

    def fault_auction(self, symbol: int) -> None:
        self.b.values["close"][symbol] = self.beside["auction_high"][symbol]
        self.b.values["high"][symbol] = np.maximum(
            self.b.values["high"][symbol], self.b.values["close"][symbol]
        )
        self.told(symbol, "closing_auction")

    def fault_regular_volume(self, symbol: int) -> None:
        self.b.values["volume"][symbol] = self.beside["volume_regular"][symbol]
        self.told(symbol, "extended_hours_volume")

    def fault_lots(self, symbol: int) -> None:
        self.b.values["volume"][symbol] = np.round(self.a.values["volume"][symbol] / 100)
        self.told(symbol, "lots")

    def fault_round_lots(self, symbol: int) -> None:
        self.b.values["volume"][symbol] = self.a.values["volume"][symbol] * 0.85 // 100 * 100
        self.told(symbol, "odd_lots")

    def fault_old_version(self, symbol: int) -> None:
        day = self.middle()
        for name in ("close", "high"):
            old = np.round(self.a.values[name][symbol, day] * 1.07, 2)
            self.first.values[name][symbol, day] = self.b.values[name][symbol, day] = old
        self.told(symbol, "republished")

    def fault_absent(self, symbol: int) -> None:
        side = (self.a, self.b)[symbol % 2]
        side.present[symbol, self.rng.choice(DAYS - 1, 4, replace=False)] = False
        self.told(symbol, "unexplained")

    def fault_twice(self, symbol: int) -> None:
        day = self.middle()
        row = {n: float(self.b.values[n][symbol, day]) for n in VALUES}
        name, when = self.a.symbols[symbol], self.a.days[day]
        self.b.extra.append({"symbol": name, "trade_date": when, **row})
        self.copies.append((name, when))

    def fault_one_price(self, symbol: int) -> None:
        name = str(self.rng.choice(["open", "low", "close"]))
        self.b.values[name][symbol, self.middle()] *= 1 - self.rng.uniform(0.004, 0.3)
        self.told(symbol, "unexplained")

    def fault_one_volume(self, symbol: int) -> None:
        factor = float(self.rng.choice([0.0, 1.37, 3.3, 0.62]))
        day = self.middle()
        self.b.values["volume"][symbol, day] = np.round(
            self.b.values["volume"][symbol, day] * factor
        )
        self.told(symbol, "unexplained")

    def fault_other_name(self, symbol: int) -> None:
        name, ex = self.a.symbols[symbol], self.middle()
        self.b.renamed |= {(name, day): f"{name}X" for day in self.a.days[:ex]}
        self.cause[f"{name}X"] = "renamed"
        self.told(symbol, "renamed")

    def expected(self) -> Counter[Expected]:
        """Return what has to be found."""
        found: Counter[Expected] = Counter()
        b = self.b.frame().unique(["symbol", "trade_date"], keep="first")
        last = {"a": self.a.days[-1], "b": self.a.days[-2]}
        for kind, symbol, day, _ in differences(self.a.frame(), b, last):
            cause = "not_published" if kind == "LATE" else self.cause[symbol]
            named = "IDENTITY_MISMATCH" if cause == "renamed" else kind
            if kind == "VALUE_DRIFT":
                named = self.kind.get(symbol, named)
            found[Expected(named, cause, symbol, day)] += 1
        found.update(Expected("DUPLICATE", "unexplained", s, d) for s, d in self.copies)
        return found


@pytest.mark.parametrize("seed", [1])
def test_every_injected_fault_is_found_with_its_cause_and_nothing_else(seed: int) -> None:
    made = Damaged(seed)
    expected = made.expected()
    context = Context(sessions=sessions_of(made.a.days), actions=actions_of(made.actions))
    first = side_of(made.first.frame(**made.beside), "side.a").view
    a = side_of(made.a.frame(**made.beside), "side.a", first=lambda: first)
    with reads() as engine:
        got = compare(engine.run, a, side_of(made.b.frame(), "side.b"), context)
    rows = pl.DataFrame(got.findings).select("kind", "cause", "symbol", "trade_date").rows()
    found = Counter(Expected(*row) for row in rows)
    keys, found_keys = (
        Counter((e.kind if e.kind in {"LATE", "DUPLICATE"} else "", e.symbol, e.day) for e in c)
        for c in (expected, found)
    )
    wrong = Counter((e.kind, e.cause, made.cause.get(e.symbol)) for e in (found - expected))
    assert keys - found_keys == Counter(), "recall is 100 %"
    assert (found_keys - keys).total() <= 0.001 * found.total(), wrong
    right = (found & expected).total()
    assert right >= 0.95 * found.total(), wrong
    for cause in {e.cause for e in expected}:
        mine = sum(n for e, n in expected.items() if e.cause == cause)
        named = sum(n for e, n in (found & expected).items() if e.cause == cause)
        assert named >= 0.95 * mine, (cause, wrong)


def split_market(symbols: int, seed: int) -> tuple[Market, Market, list[Any]]:
    """Return a market as traded, the same split-adjusted, and the splits: one a symbol."""
    rng = np.random.default_rng(seed)
    raw = Market.made(symbols, DAYS, seed)
    adjusted, actions = raw.copy(), []
    for symbol, name in enumerate(raw.symbols):
        ratio, ex = float(rng.choice(RATIOS)), int(rng.integers(1, DAYS))
        for value in PRICES:
            adjusted.values[value][symbol, :ex] /= ratio
        adjusted.values["volume"][symbol, :ex] *= ratio
        actions.append((name, raw.days[ex], ratio, 0.0))
    return raw, adjusted, actions


def test_a_thousand_splits_give_no_drift() -> None:
    raw, adjusted, actions = split_market(1_000, seed=3)
    context = Context(actions=actions_of(actions))
    a = side_of(raw.frame(), "side.a")
    with reads() as engine:
        told = side_of(adjusted.frame(), "side.b", Side(basis="split"))
        brought = compare(engine.run, a, told, context)
        mistaken = compare(engine.run, a, side_of(adjusted.frame(), "side.b"), context)
    assert brought.basis == "split"
    assert brought.findings.num_rows == 0
    kinds = set(mistaken.findings["kind"].to_pylist())
    assert kinds == {"BASIS_MISMATCH"}
    before = {name: ex for name, ex, *_ in actions}
    rows = pl.DataFrame(mistaken.findings).select("symbol", "trade_date").rows()
    assert sorted(rows) == sorted(
        (name, day) for name in raw.symbols for day in raw.days if day < before[name]
    )


def test_total_return_is_made_of_the_close_before_the_ex_date() -> None:
    raw = Market.made(30, DAYS, seed=5)
    paid, actions = raw.copy(), []
    for symbol, name in enumerate(raw.symbols):
        ex = 1 + symbol
        cash = round(float(raw.values["close"][symbol, ex - 1]) * 0.02, 2)
        factor = 1 - cash / raw.values["close"][symbol, ex - 1]
        for value in PRICES:
            paid.values[value][symbol, :ex] *= factor
        actions.append((name, raw.days[ex], 1.0, cash))
    with reads() as engine:
        got = compare(
            engine.run,
            side_of(raw.frame(), "side.a"),
            side_of(paid.frame(), "side.b", Side(basis="total_return")),
            Context(actions=actions_of(actions)),
        )
    assert got.findings.num_rows == 0


def test_equal_sides_in_other_units_and_another_order_have_no_finding() -> None:
    market = Market.made(50, DAYS, seed=4)
    whole = {"volume": np.round(market.values["volume"], -2)}
    other = market.frame(
        volume=whole["volume"] / 100, **{n: market.values[n] * 100 for n in PRICES}
    )
    with reads() as engine:
        got = compare(
            engine.run,
            side_of(market.frame(**whole), "side.a"),
            side_of(other.reverse(), "side.b", Side(unit="lots", scale=Decimal("0.01"))),
            Context(),
        )
    assert got.findings.num_rows == 0
    assert (got.bars_a, got.bars_b) == (50 * DAYS, 50 * DAYS)


def test_a_week_that_is_not_over_is_partial() -> None:
    market = Market.made(40, DAYS, seed=6)
    days = market.frame()
    weeks = (
        days.sort("trade_date")
        .filter(pl.col.trade_date <= market.days[-3])
        .group_by("symbol", pl.col.trade_date.dt.truncate("1w"))
        .agg(
            pl.col.open.first(),
            pl.col.high.max(),
            pl.col.low.min(),
            pl.col.close.last(),
            pl.col.volume.sum(),
        )
    )
    with reads() as engine:
        got = compare(
            engine.run,
            side_of(days, "side.a"),
            side_of(weeks, "side.b", Side(interval="1w")),
            Context(),
        )
    found = pl.DataFrame(got.findings)
    last_monday = market.days[-5]
    assert set(found["trade_date"].to_list()) == {last_monday}
    assert set(found["cause"].to_list()) == {"partial_week"}
    assert len(found) == 40
