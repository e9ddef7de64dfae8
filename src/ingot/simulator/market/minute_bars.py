"""One day's minute bars: who traded in which minute, where the price was, how much changed hands.

Minutes without a trade are absent. Activity is heavy-tailed: a few symbols trade in every minute
from 04:00 to 20:00, most in a few dozen. The closing auction is the first trade of the bar that
starts at the close, at the day's closing price.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np

from ingot.model.time import NS_PER_MINUTE
from ingot.simulator.market import hashing
from ingot.simulator.market.bars import Bars, joined
from ingot.simulator.market.hashing import key
from ingot.simulator.market.prices import MICRO, on_tick, ticks_down, ticks_up

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ingot.simulator.market.hashing import Ints, Reals, Words
    from ingot.simulator.market.market import Roll
    from ingot.simulator.market.sessions import TradingDay

    Mask = NDArray[np.bool_]

FRACTIONAL_FROM: Final = date(2026, 2, 23)
"""First day of the vendor's fractional volumes."""
_BATCH: Final = 512
_ROUND_LOT: Final = 100
_AUCTION_SHARE: Final = 30.0
_SINGLE: Final = 1
_FEW: Final = 2
_PRE_PEAK: Final = 0.09
_POST_PEAK: Final = 0.12
_QUIET: Final = 0.015
_BURST: Final = 8.0
_BOUNCE: Final = 0.0012


def minute_bars(seed: int, roll: Roll, day: TradingDay) -> Bars:
    """Return the minute bars of everybody on the roll, sorted by ticker, then start."""
    parts = [
        _batch(seed, roll, day, np.arange(first, min(first + _BATCH, len(roll.holdings))))
        for first in range(0, len(roll.holdings), _BATCH)
    ]
    return joined(parts)


def mid_prices(seed: int, roll: Roll, day: TradingDay, who: Ints) -> Reals:
    """Return the price in USD at each minute's end, one row for each of `who`."""
    return _path(_cells(seed, roll, day, who), roll, day, who)


def activity(day: TradingDay) -> Reals:
    """Return how busy each minute is: 1 on average in regular hours, little before and after."""
    minute = np.arange(day.minutes, dtype=np.float64)
    opened, closed = day.open_minute, day.close_minute
    before = (minute + 1.0) / opened
    within = 2.0 * (minute - opened) / max(closed - opened - 1, 1) - 1.0
    after = 1.0 - (minute - closed) / (day.minutes - closed)
    smile = (0.6 + 2.0 * within * within * within * within) / (0.6 + 2.0 / 5.0)
    return np.where(
        minute < opened,
        _QUIET + _PRE_PEAK * before * before * before,
        np.where(minute < closed, smile, _QUIET + _POST_PEAK * after * after * after),
    )


def _cells(seed: int, roll: Roll, day: TradingDay, who: Ints) -> Words:
    root = key(seed, "cells", day.date)
    return hashing.words(root, roll.keys[who][:, None], np.arange(day.minutes)[None, :])


def _path(cells: Words, roll: Roll, day: TradingDay, who: Ints) -> Reals:
    """Walk from the first price to the last by the close, and freely afterwards."""
    steps = ((cells & np.uint64(0xFFFFFF)).astype(np.float64) / (1 << 24) - 0.5) * np.sqrt(12.0)
    walk = np.cumsum(steps, axis=1)
    closed = day.close_minute
    way = np.minimum((np.arange(day.minutes) + 1.0) / closed, 1.0)
    walk -= walk[:, closed - 1 : closed] * way
    walk *= (roll.sigma[who] / np.sqrt(closed))[:, None]
    first, last = roll.first[who][:, None], roll.last[who][:, None]
    return (first + (last - first) * way) * (1.0 + walk)


def _batch(seed: int, roll: Roll, day: TradingDay, who: Ints) -> Bars:
    cells = _cells(seed, roll, day, who)
    expected = roll.trades[who][:, None] * activity(day)
    none = 1.0 / (1.0 + expected)
    traded = (cells >> np.uint64(40)).astype(np.float64) / (1 << 24) >= none * none
    traded[:, day.close_minute] = _auctioned(seed, roll, day, who)
    traded &= ~_halted(roll, day, who)
    row, minute = np.nonzero(traded)
    path = _path(cells, roll, day, who)
    before = np.where(minute > 0, path[row, minute - 1], roll.first[who][row])
    auction = minute == day.close_minute
    chance = hashing.mixed(cells[row, minute])
    bounce = hashing.mixed(~chance)
    opened = np.where(
        auction, roll.last[who][row], before * (1.0 + _BOUNCE * (hashing.lane(bounce, 0) - 0.5))
    )
    closed = path[row, minute] * (1.0 + _BOUNCE * (hashing.lane(bounce, 1) - 0.5))
    return _bars(
        roll,
        day,
        code=who[row],
        minute=minute,
        opened=on_tick(opened),
        closed=on_tick(closed),
        expected=np.where(auction, _AUCTION_SHARE * roll.trades[who][row], expected[row, minute]),
        chance=chance,
    )


def _auctioned(seed: int, roll: Roll, day: TradingDay, who: Ints) -> Mask:
    chance = hashing.lane(hashing.words(key(seed, "auction", day.date), roll.keys[who]), 0)
    busy = roll.trades[who] * 60.0
    return np.asarray(chance < busy / (1.0 + busy))


def _halted(roll: Roll, day: TradingDay, who: Ints) -> Mask:
    minute = np.arange(day.minutes)
    return (minute >= roll.halt_from[who][:, None]) & (minute < roll.halt_to[who][:, None])


def _bars(
    roll: Roll,
    day: TradingDay,
    *,
    code: Ints,
    minute: Ints,
    opened: Ints,
    closed: Ints,
    expected: Reals,
    chance: Words,
) -> Bars:
    first = hashing.lane(chance, 0)
    transactions = 1 + ((_BURST + expected) * 4.0 * first * first * first).astype(np.int64)
    closed = np.where(transactions == _SINGLE, opened, closed)
    reach = _reach(roll, code, closed, transactions)
    above = (reach * hashing.lane(chance, 1) ** 2).astype(np.int64)
    below = (reach * hashing.lane(chance, 2) ** 2).astype(np.int64)
    return Bars(
        roll.tickers,
        code,
        day.start_ns + minute * NS_PER_MINUTE,
        opened,
        closed,
        ticks_up(np.maximum(opened, closed), above),
        ticks_down(np.minimum(opened, closed), below),
        _volume(roll, day, code, transactions, hashing.mixed(chance)),
        transactions,
    )


def _reach(roll: Roll, code: Ints, closed: Ints, transactions: Ints) -> Reals:
    """Return how many ticks a bar may reach beyond open and close; none for one or two trades."""
    tick = np.where(closed >= MICRO, 10_000, 100)
    wide = closed / tick * roll.sigma[code] * 0.12
    trades = np.minimum(transactions, 20) / 20.0
    return np.where(transactions > _FEW, 1.0 + wide * (0.3 + trades), 0.0)


def _volume(roll: Roll, day: TradingDay, code: Ints, transactions: Ints, chance: Words) -> Ints:
    size = np.clip(100.0 * np.sqrt(30.0 / roll.first[code]), 1.0, 1_500.0)
    shares = (
        transactions
        * size
        * (0.05 + 2.0 * hashing.lane(chance, 0) * hashing.lane(hashing.mixed(chance), 1))
    )
    whole = np.maximum(shares, 1.0).astype(np.int64)
    lots = (transactions <= _FEW) & (hashing.lane(chance, 1) < 0.4)  # noqa: PLR2004 - a share of rows
    volume = np.where(lots, -(-whole // _ROUND_LOT) * _ROUND_LOT, whole) * MICRO
    if day.date >= FRACTIONAL_FROM:
        volume = volume + _fraction(transactions, chance)
    return volume


def _fraction(transactions: Ints, chance: Words) -> Ints:
    """Return millionths of a share: the more trades, the likelier that one was fractional."""
    likely = np.minimum(0.04 + 0.01 * transactions, 0.6)
    fraction = hashing.below(hashing.mixed(chance), MICRO)
    coarse = np.where(hashing.lane(chance, 3) < 0.5, fraction, fraction // 1_000 * 1_000)  # noqa: PLR2004 - half the rows
    return np.where(hashing.lane(chance, 2) < likely, coarse, 0)
