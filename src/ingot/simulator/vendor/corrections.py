"""Republication: which version of a day a stage publishes, and what a version changes.

Stage 1 is the original. Days fall into four classes by their place in the exchange's count, so
that any four days in a row hold one of each:

    0   corrected at every even stage, back to the original, byte for byte, at every odd one
    1   corrected again at every stage
    2   corrected once, at stage 3
    3   never corrected
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ingot.model.time import NS_PER_MINUTE
from ingot.simulator.market import hashing
from ingot.simulator.market.bars import joined, ordered
from ingot.simulator.market.hashing import key
from ingot.simulator.market.prices import MICRO, ticks_up

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from ingot.simulator.market.bars import Bars
    from ingot.simulator.market.events import Action
    from ingot.simulator.market.hashing import Words
    from ingot.simulator.market.sessions import TradingDay

    Mask = NDArray[np.bool_]

ORIGINAL: Final = 0
_CLASSES: Final = 4
_CORRECTED_ONCE_AT: Final = 3
_CHANGED_ONE_IN: Final = 300
_ADDED_ONE_IN: Final = 800
_REMOVED_ONE_IN: Final = 800
_SMALL_SYMBOL_ROWS: Final = 60


def version_at(day: TradingDay, stage: int) -> int:
    """Return the version of the day that stage `stage` (from 1) publishes; 0 is the original."""
    kind = day.index % _CLASSES
    if kind == 0:
        return stage // 2 if stage % 2 == 0 else ORIGINAL
    if kind == 1:
        return stage - 1
    if kind == 2:  # noqa: PLR2004 - the class of the table above
        return int(stage >= _CORRECTED_ONCE_AT)
    return ORIGINAL


def corrected(bars: Bars, seed: int, day: TradingDay, version: int, closed_for: Mask) -> Bars:
    """Return a version of the day's minutes: some rows changed, added, removed, a symbol gone.

    Args:
        bars: The original rows.
        seed: The market's seed.
        day: The trade date.
        version: 0 returns the rows as they are.
        closed_for: Per row, true where the minute after it must stay empty (a halt).
    """
    if version == ORIGINAL or not len(bars):
        return bars
    chance = hashing.words(key(seed, "version", version, day.date), _names(bars), bars.start)
    added = _added(bars, day, hashing.mixed(~chance), closed_for)
    removed = _chosen(chance, _REMOVED_ONE_IN) | _gone(bars, seed, day, version)
    changed = _chosen(hashing.mixed(chance), _CHANGED_ONE_IN) & ~removed
    kept = _changed(bars, changed, chance).take(~removed)
    return ordered(joined([kept, added]))


def _names(bars: Bars) -> Words:
    return np.array([key(t) for t in bars.tickers], dtype=np.uint64)[bars.code]


def _chosen(chance: Words, one_in: int) -> Mask:
    """Return a mask of the chosen rows; always at least one."""
    chosen = chance % np.uint64(one_in) == 0
    if not chosen.any():
        chosen[np.argmin(chance)] = True
    return np.asarray(chosen)


def _gone(bars: Bars, seed: int, day: TradingDay, version: int) -> Mask:
    """Return a mask of the rows of the one small symbol that this version no longer has."""
    codes, rows = np.unique(bars.code, return_counts=True)
    small = codes[rows <= max(_SMALL_SYMBOL_ROWS, int(rows.min()))]
    pick = key(seed, "gone", version, day.date) % len(small)
    return np.asarray(bars.code == small[pick])


def _changed(bars: Bars, rows: Mask, chance: Words) -> Bars:
    """Return the bars with more volume and trades in `rows`, and a later, higher last trade."""
    more = np.where(rows, (1 + hashing.below(chance, 500)) * MICRO, 0)
    raised = rows & (hashing.lane(chance, 3) < 0.5)  # noqa: PLR2004 - half of them
    close = np.where(raised, ticks_up(bars.high, np.ones(len(bars), dtype=np.int64)), bars.close)
    return replace(
        bars,
        close=close,
        high=np.maximum(bars.high, close),
        volume=bars.volume + more,
        transactions=bars.transactions + rows,
    )


def _added(bars: Bars, day: TradingDay, chance: Words, closed_for: Mask) -> Bars:
    """Return new bars of one trade in empty minutes that follow a bar, before the close."""
    after = bars.start + NS_PER_MINUTE
    follows = np.append((bars.code[1:] == bars.code[:-1]) & (bars.start[1:] == after[:-1]), [False])
    free = ~follows & ~closed_for & (after < day.close_ns)
    wanted = np.where(free, chance, np.uint64(2**64 - 1))
    rows = np.flatnonzero(_chosen(wanted, _ADDED_ONE_IN) & free)
    return replace(
        bars.take(rows).at_one_price("close"),
        start=after[rows],
        volume=(1 + hashing.below(chance[rows], 300)) * MICRO,
        transactions=np.ones(len(rows), dtype=np.int64),
    )


def published(actions: Iterable[Action], stage: int) -> tuple[Action, ...]:
    """Return the actions as a stage publishes them.

    At odd stages all of them as they happened; at even ones about one dividend in eight with
    another cash amount and about one in sixteen withdrawn.
    """
    if stage % 2:
        return tuple(actions)
    return tuple(p for a in actions if (p := _revised(a, stage)))


def _revised(action: Action, stage: int) -> Action | None:
    if not action.cash_micro:
        return action
    chance = key("revised", stage, action.holding.ticker, action.ex_date) % 16
    if chance == 0:
        return None
    return replace(action, cash_micro=action.cash_micro + 2_500) if chance in {1, 2} else action
