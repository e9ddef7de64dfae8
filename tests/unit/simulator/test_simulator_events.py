"""What happens to instruments, seen in the bars of the days around it."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ingot.model.time import NS_PER_MINUTE
from ingot.simulator.market.events import ActionKind
from ingot.simulator.market.market import Market
from ingot.simulator.market.minute_bars import minute_bars
from ingot.simulator.market.roster import Role

if TYPE_CHECKING:
    from ingot.simulator.market.bars import Bars
    from ingot.simulator.market.events import Action

START, END = date(2025, 5, 1), date(2025, 9, 1)


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(5, 60, START, END)


def bars_of(market: Market, day: date, ticker: str) -> Bars:
    """Return one ticker's minutes of a day."""
    trading_day = market.exchange.on(day)
    bars = minute_bars(market.seed, market.roll(trading_day), trading_day)
    if ticker not in bars.tickers:
        return bars.take(np.array([], dtype=np.int64))
    return bars.take(bars.code == bars.tickers.index(ticker))


def official_close(market: Market, day: date, ticker: str) -> float:
    """Return the closing print, or the last regular trade without an auction, in USD."""
    bars, hours = bars_of(market, day, ticker), market.exchange.on(day)
    regular = bars.close[bars.start < hours.close_ns]
    printed = bars.open[bars.start == hours.close_ns]
    return float((printed if len(printed) else regular)[-1]) / 1e6


def splits_of(market: Market, kind: ActionKind) -> list[Action]:
    return [
        a
        for a in market.actions
        if a.kind is kind and market.registry.role(a.holding.instrument.slot) is Role.SPLITTER
    ]


@pytest.mark.parametrize("kind", [ActionKind.FORWARD_SPLIT, ActionKind.REVERSE_SPLIT])
def test_a_split_acts_from_the_first_trade_of_its_ex_date(market: Market, kind: ActionKind) -> None:
    for action in splits_of(market, kind):
        ratio = action.split_to / action.split_from
        assert (ratio > 1) is (kind is ActionKind.FORWARD_SPLIT)
        ticker = action.holding.ticker
        before = official_close(market, market.exchange.before(action.ex_date), ticker)
        ex_date = bars_of(market, action.ex_date, ticker)
        assert ex_date.start[0] < market.exchange.on(action.ex_date).open_ns, "pre-market trades"
        first = float(ex_date.open[0]) / 1e6
        assert first * ratio / before == pytest.approx(1.0, abs=0.05)
        highest, lowest = ex_date.high.max() / 1e6, ex_date.low.min() / 1e6
        assert 0.8 < lowest * ratio / before < highest * ratio / before < 1.25


def test_both_kinds_of_split_happen_every_two_months(market: Market) -> None:
    kinds = {a.kind for a in market.actions}
    assert kinds == set(ActionKind)


def test_a_price_drops_by_the_dividend_at_the_open_of_the_ex_date() -> None:
    market = Market(5, 200, START, END)
    drops: list[float] = []
    cash: list[float] = []
    for action in (a for a in market.actions if a.kind is ActionKind.DIVIDEND):
        day, ticker = action.ex_date, action.holding.ticker
        ex_date = bars_of(market, day, ticker)
        if len(ex_date) > 400 and len(drops) < 8:
            close = official_close(market, market.exchange.before(day), ticker)
            drops.append((close - float(ex_date.open[0]) / 1e6) / close)
            cash.append(action.cash_micro / 1e6 / close)
    assert len(drops) == 8
    assert sum(drops) == pytest.approx(sum(cash), rel=0.3)


def test_a_dividend_is_declared_before_its_ex_date_and_paid_after(market: Market) -> None:
    dividends = [a for a in market.actions if a.kind is ActionKind.DIVIDEND]
    assert dividends
    for action in dividends:
        assert action.declared is not None
        assert action.record is not None
        assert action.paid is not None
        assert action.declared < action.ex_date <= action.record < action.paid
        assert action.cash_micro > 0
        assert action.cash_micro % 100 == 0
        assert action.cash_micro / 1e6 < action.close_before * 0.02


def test_the_monthly_payer_pays_every_month(market: Market) -> None:
    payer = [a for a in market.actions if a.frequency == 12]
    assert [a.ex_date.month for a in payer] == [5, 6, 7, 8]


def test_a_rename_moves_the_bars_to_the_new_ticker_on_its_date(market: Market) -> None:
    held = [h for h in market.holdings if market.registry.role(h.instrument.slot) is Role.RENAMER]
    held.sort(key=lambda h: h.start)
    assert len({h.instrument.composite_figi for h in held}) == 1
    assert len(held) >= 4
    for old, new in pairwise(held):
        assert old.end == new.start
        if not START < new.start < END:
            continue
        before = market.exchange.before(new.start)
        assert len(bars_of(market, before, old.ticker)) > 0
        assert len(bars_of(market, before, new.ticker)) == 0
        assert len(bars_of(market, new.start, new.ticker)) > 0
        assert len(bars_of(market, new.start, old.ticker)) == 0


def test_a_ticker_is_used_again_by_another_instrument(market: Market) -> None:
    newcomers = [
        h for h in market.holdings if market.registry.role(h.instrument.slot) is Role.NEWCOMER
    ]
    renamers = [
        h for h in market.holdings if market.registry.role(h.instrument.slot) is Role.RENAMER
    ]
    ticker = newcomers[0].ticker
    holders = {h.instrument.composite_figi for h in (*newcomers, *renamers) if h.ticker == ticker}
    assert len(holders) >= 3


def test_no_ticker_has_two_holders_on_one_day() -> None:
    market = Market(9, 3_000, START, END)
    for day in market.days[::7]:
        tickers = market.roll(day).tickers
        assert len(set(tickers)) == len(tickers)


def test_listing_and_delisting_bound_an_instruments_bars(market: Market) -> None:
    newcomer = next(
        h
        for h in sorted(market.holdings, key=lambda h: h.start)
        if market.registry.role(h.instrument.slot) is Role.NEWCOMER and h.start > START
    )
    assert newcomer.end is not None
    table, ticker = market.exchange, newcomer.ticker
    assert len(bars_of(market, table.before(newcomer.start), ticker)) == 0
    assert len(bars_of(market, newcomer.start, ticker)) > 0
    assert len(bars_of(market, table.before(newcomer.end), ticker)) > 0
    assert len(bars_of(market, newcomer.end, ticker)) == 0


def test_a_halt_leaves_its_minutes_empty_and_others_full(market: Market) -> None:
    halted = 0
    for day in market.days[:8]:
        for holding, first, after in market.halts(day):
            bars = bars_of(market, day.date, holding.ticker)
            minutes = (bars.start - day.start_ns) // NS_PER_MINUTE
            assert not ((minutes >= first) & (minutes < after)).any()
            assert day.open_minute <= first < after <= day.close_minute
            assert ((minutes >= after) & (minutes < day.close_minute)).any() or after > 700
            halted += 1
    assert halted >= 2


def test_every_symbol_set_is_part_of_the_larger_one() -> None:
    day = date(2025, 6, 3)
    small = Market(5, 40, day, day + timedelta(days=1))
    large = Market(5, 80, day, day + timedelta(days=1))
    of_small = {h.ticker for h in small.holdings}
    assert of_small < {h.ticker for h in large.holdings}
    found = bars_of(small, day, "NULL")
    same = bars_of(large, day, "NULL")
    assert found.close.tolist() == same.close.tolist()
    assert found.volume.tolist() == same.volume.tolist()
