"""Options on the market's busiest stocks: chains around their prices, minutes and days.

A ticker is `O:` root, expiry YYMMDD, C or P, strike in thousandths of a dollar, eight digits. The
root is the stock's ticker; contracts that lived through a reverse split have a digit after it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from ingot.model.time import NS_PER_MINUTE
from ingot.simulator.market import events, hashing
from ingot.simulator.market.bars import Bars
from ingot.simulator.market.day_bars import grouped
from ingot.simulator.market.hashing import key
from ingot.simulator.market.minute_bars import mid_prices
from ingot.simulator.market.prices import MICRO
from ingot.simulator.market.roster import Role
from ingot.simulator.market.sessions import month_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.simulator.market.hashing import Ints, Reals
    from ingot.simulator.market.market import Market, Roll
    from ingot.simulator.market.sessions import Exchange, TradingDay

_FRIDAY: Final = 4
_MONTHLY_EXPIRIES: Final = 2
_STRIKES_EACH_SIDE: Final = 2
_CHAIN: Final = 20
_LONGEST_ROOT: Final = 5
_STEPS: Final = (0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 1_000.0, 10_000.0)
_STEP_SHARE: Final = 0.02
_CENT: Final = 10_000
_MOST_STRIKE: Final = 99_999.0


@dataclass(frozen=True, slots=True)
class Contract:
    """One option contract; `underlying` is the position of its stock on the day's roll."""

    ticker: str
    underlying: int
    stock: str
    expiry: date
    is_call: bool
    strike: float


def contracts(market: Market, roll: Roll, day: TradingDay, count: int) -> tuple[Contract, ...]:
    """Return up to `count` contracts that exist on `day`, sorted by ticker."""
    busiest = np.argsort(-roll.trades, kind="stable").tolist()
    roots = [i for i in busiest if _has_options(roll.tickers[i])][: -(-count // _CHAIN)]
    found = [c for i in roots for c in _chain(market, roll, day, i)]
    return tuple(sorted(found[:count], key=lambda c: c.ticker))


def expiries(table: Exchange, day: date) -> tuple[date, ...]:
    """Return the next third Fridays not before `day`, or the trade date before a closed one."""
    found: list[date] = []
    month = month_of(day)
    while len(found) < _MONTHLY_EXPIRIES:
        first = date(month // 12, month % 12 + 1, 1)
        friday = first + timedelta(days=(_FRIDAY - first.weekday()) % 7 + 14)
        expiry = table.on_or_before(friday)
        if expiry >= day:
            found.append(expiry)
        month += 1
    return tuple(found)


def occ_ticker(root: str, expiry: date, *, is_call: bool, strike: float) -> str:
    """Return the contract's ticker.

    >>> occ_ticker("SPY", date(2023, 3, 27), is_call=False, strike=390.0)
    'O:SPY230327P00390000'
    """
    return f"O:{root}{expiry:%y%m%d}{'C' if is_call else 'P'}{round(strike * 1000):08d}"


def minute_bars(market: Market, roll: Roll, day: TradingDay, chain: tuple[Contract, ...]) -> Bars:
    """Return the contracts' minute bars, regular session only, sorted by ticker, then start."""
    names = tuple(c.ticker for c in chain)
    stocks = np.array(sorted({c.underlying for c in chain}), dtype=np.int64)
    paths = mid_prices(market.seed, roll, day, stocks)[:, day.open_minute : day.close_minute]
    rows = np.searchsorted(stocks, [c.underlying for c in chain])
    premium = _premiums(roll, chain, paths[rows], day.date)
    cells = _cells(market.seed, day, chain, premium.shape[1])
    expected = _busy(roll, chain, cells[:, 0])[:, None]
    code, minute = np.nonzero(hashing.lane(cells, 3) < expected / (1.0 + expected))
    return _bars(names, day, code=code, minute=minute, premium=premium, chance=cells[code, minute])


def day_bars(minutes: Bars, day: TradingDay) -> Bars:
    """Return the contracts' day bars: exactly their minutes put together."""
    days = grouped(minutes)
    return replace(days, start=np.full(len(days), day.midnight_ns, dtype=np.int64))


def _has_options(ticker: str) -> bool:
    return ticker.isalpha() and ticker.isupper() and len(ticker) <= _LONGEST_ROOT


def _chain(market: Market, roll: Roll, day: TradingDay, index: int) -> Iterator[Contract]:
    stock, price = roll.tickers[index], min(float(roll.first[index]), _MOST_STRIKE / 2)
    step = next(s for s in _STEPS if s >= price * _STEP_SHARE)
    middle = max(round(price / step), 1 + _STRIKES_EACH_SIDE)
    root = stock + _adjusted(market, roll, day, index)
    for expiry in expiries(market.exchange, day.date):
        for offset in range(-_STRIKES_EACH_SIDE, _STRIKES_EACH_SIDE + 1):
            for is_call in (True, False):
                strike = (middle + offset) * step
                ticker = occ_ticker(root, expiry, is_call=is_call, strike=strike)
                yield Contract(ticker, index, stock, expiry, is_call, strike)


def _adjusted(market: Market, roll: Roll, day: TradingDay, index: int) -> str:
    """Return "1" for the rest of the month after a reverse split: those contracts were adjusted."""
    slot = roll.holdings[index].instrument.slot
    month = month_of(day.date)
    if market.registry.role(slot) is not Role.SPLITTER:
        return ""
    backwards = events.split_ratio(market.seed, slot, month) < 1
    done = events.split_day(market.seed, slot, month, market.exchange) <= day.date
    return "1" if backwards and done else ""


def _cells(seed: int, day: TradingDay, chain: tuple[Contract, ...], minutes: int) -> hashing.Words:
    keys = np.array([key(c.ticker) for c in chain], dtype=np.uint64)
    return hashing.words(key(seed, "options", day.date), keys[:, None], np.arange(minutes)[None, :])


def _busy(roll: Roll, chain: tuple[Contract, ...], chance: hashing.Words) -> Reals:
    """Return expected trades per minute: busier stocks, and by chance a few busy contracts."""
    stock = np.array([roll.trades[c.underlying] for c in chain])
    spread = hashing.lane(hashing.mixed(chance), 0)
    cube = spread * spread * spread
    return np.asarray(np.minimum(np.sqrt(stock) * cube * cube, 4.0))


def _premiums(roll: Roll, chain: tuple[Contract, ...], paths: Reals, day: date) -> Reals:
    """Return each contract's price along its stock's path: inner value and a bump of time value."""
    strike = np.array([c.strike for c in chain])[:, None]
    sign = np.array([1.0 if c.is_call else -1.0 for c in chain])[:, None]
    days = np.array([float((c.expiry - day).days) + 0.5 for c in chain])
    sigma = np.array([roll.sigma[c.underlying] for c in chain])
    reach = (sigma * np.sqrt(days))[:, None]
    away = (paths - strike) / paths / reach
    inner = np.maximum(sign * (paths - strike), 0.0)
    return np.asarray(inner + 0.4 * paths * reach / (1.0 + away * away))


def _bars(
    names: tuple[str, ...],
    day: TradingDay,
    *,
    code: Ints,
    minute: Ints,
    premium: Reals,
    chance: hashing.Words,
) -> Bars:
    closed = _cents(premium[code, minute])
    opened = _cents(premium[code, np.maximum(minute - 1, 0)])
    square = hashing.lane(chance, 0) ** 2
    transactions = 1 + (8.0 * square * square).astype(np.int64)
    opened = np.where(transactions == 1, closed, opened)
    contracts_traded = transactions * (1 + hashing.below(hashing.mixed(chance), 12))
    return Bars(
        names,
        code,
        day.open_ns + minute * NS_PER_MINUTE,
        opened,
        closed,
        np.maximum(opened, closed),
        np.minimum(opened, closed),
        contracts_traded * MICRO,
        transactions,
    )


def _cents(dollars: Reals) -> Ints:
    return np.maximum(np.rint(dollars * 100.0), 1.0).astype(np.int64) * _CENT
