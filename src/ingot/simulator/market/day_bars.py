"""Day bars from minute bars, the way the vendor's relate to each other.

A day's open, high, low and close come from the regular minutes and the closing print, which is
the open of the bar that starts at the close. Its volume holds every session and, for some
symbols, odd lots that no minute bar shows. A symbol without regular trades has no day bar.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ingot.simulator.market import hashing
from ingot.simulator.market.bars import joined, ordered
from ingot.simulator.market.hashing import key
from ingot.simulator.market.prices import MICRO

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ingot.simulator.market.bars import Bars
    from ingot.simulator.market.hashing import Ints
    from ingot.simulator.market.sessions import TradingDay

_ODD_LOT_SYMBOLS: Final = 0.25
_ODD_LOT_SHARE: Final = 0.004


def day_bars(seed: int, minutes: Bars, day: TradingDay) -> Bars:
    """Return one bar per symbol with a regular minute or a closing print; day label in `start`."""
    regular = minutes.take((minutes.start >= day.open_ns) & (minutes.start < day.close_ns))
    printed = minutes.take(minutes.start == day.close_ns).at_one_price("open")
    prices = grouped(ordered(joined([regular, printed])))
    volume, transactions = _totals(minutes, prices.code)
    odd_volume, odd_trades = odd_lots(seed, day, prices, volume)
    return replace(
        prices,
        start=np.full(len(prices), day.midnight_ns, dtype=np.int64),
        volume=volume + odd_volume,
        transactions=transactions + odd_trades,
    )


def grouped(bars: Bars) -> Bars:
    """Return one bar per symbol: first open, last close, extremes, sums; the first start."""
    if not len(bars):
        return bars
    first = np.flatnonzero(np.diff(bars.code, prepend=-1))
    last = np.append(first[1:], len(bars)) - 1
    return replace(
        bars.take(first),
        close=bars.close[last],
        high=np.maximum.reduceat(bars.high, first),
        low=np.minimum.reduceat(bars.low, first),
        volume=np.add.reduceat(bars.volume, first),
        transactions=np.add.reduceat(bars.transactions, first),
    )


def odd_lots(seed: int, day: TradingDay, bars: Bars, volume: Ints) -> tuple[Ints, Ints]:
    """Return the volume and trades that a day bar has beyond its minutes; zero for most."""
    codes = np.array([key(t) for t in bars.tickers], dtype=np.uint64)[bars.code]
    chance = hashing.words(key(seed, "odd lots", day.date), codes)
    has = hashing.lane(chance, 0) < _ODD_LOT_SYMBOLS
    shares = 1 + (volume / MICRO * _ODD_LOT_SHARE * hashing.lane(chance, 1)).astype(np.int64)
    trades = 1 + shares // 50
    return np.where(has, shares * MICRO, 0), np.where(has, trades, 0)


def _totals(minutes: Bars, codes: NDArray[np.integer]) -> tuple[Ints, Ints]:
    totals = grouped(minutes)
    where = np.searchsorted(totals.code, codes)
    return totals.volume[where], totals.transactions[where]
