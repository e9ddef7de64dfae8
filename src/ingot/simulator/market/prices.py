"""The level of a price on any date, without walking the days before it.

The logarithm of a level is a Brownian path by Lévy's construction: one hash per dyadic interval
that holds the date, 14 look-ups for 44 years. It is squashed so that no price runs away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ingot.simulator.market import hashing
from ingot.simulator.market.instruments import EPOCH

if TYPE_CHECKING:
    from ingot.simulator.market.hashing import Ints, Reals, Words

MICRO: Final = 1_000_000
"""Prices and volumes are whole numbers of millionths."""
_LEVELS: Final = 14
_SPAN: Final = 1 << _LEVELS
_REACH: Final = 1.2
"""A level stays within e**-1.2 and e**1.2 of its base."""
_TRADING_SHARE: Final = 252 / 365
_DOLLAR: Final = 1.0
_CENT: Final = 10_000
_SUB_PENNY: Final = 100


def levels(keys: Words, base: Reals, sigma: Reals, ordinal: int) -> Reals:
    """Return each instrument's price level in USD at the close of a date, before actions."""
    log = _path(keys, ordinal - EPOCH) * sigma * np.sqrt(_TRADING_SHARE)
    return np.asarray(base * hashing.exp(log / (1.0 + np.abs(log) / _REACH)))


def _path(keys: Words, day: int) -> Reals:
    total = np.zeros(len(keys))
    for level in range(_LEVELS):
        length = _SPAN >> level
        position = (day % length) / length
        tent = 1.0 - abs(2.0 * position - 1.0)
        root = hashing.key("path", level, day // length)
        total += tent * np.sqrt(length) / 2.0 * hashing.bell(hashing.words(root, keys))
    return total


def on_tick(dollars: Reals) -> Ints:
    """Return prices in millionths on their tick: $0.01 from one dollar, $0.0001 below."""
    tick = np.where(dollars >= _DOLLAR, _CENT, _SUB_PENNY)
    return np.maximum(np.rint(dollars * MICRO / tick), 1).astype(np.int64) * tick


def ticks_up(price: Ints, count: Ints) -> Ints:
    """Return prices `count` ticks higher, still on a tick."""
    raised = price + count * tick_of(price)
    return np.where(raised >= MICRO, -(-raised // _CENT) * _CENT, raised)


def ticks_down(price: Ints, count: Ints) -> Ints:
    """Return prices `count` ticks lower, at least one tick."""
    tick = tick_of(price)
    return np.maximum(price - count * tick, tick)


def tick_of(price: Ints) -> Ints:
    """Return the tick of each price, both in millionths."""
    return np.where(price >= MICRO, _CENT, _SUB_PENNY).astype(np.int64)
