"""What happens to instruments: splits both ways, dividends, halts. Looked up by date, not played.

Splits act at the open of the ex-date, pre-market included. A price grows towards each dividend
and drops by the cash at the open of the ex-date.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from ingot.simulator.market import hashing
from ingot.simulator.market.hashing import key
from ingot.simulator.market.sessions import month_of

if TYPE_CHECKING:
    from ingot.simulator.market.hashing import Ints, Reals, Words
    from ingot.simulator.market.instruments import Holding
    from ingot.simulator.market.sessions import Exchange, TradingDay

_RATIOS: Final = (
    *(Fraction(n) for n in (2, 3, 4, 5, 7, 10, 20)),
    Fraction(3, 2),
)
_SPLIT_ON: Final = (5, 10)
_EX_ON: Final = (2, 14)
_QUARTER_DAYS: Final = 91
_MONTHS_BACK: Final = 4
_RECORD_IS_EX_FROM: Final = date(2024, 5, 28)
"""Since settlement on the next day, the record date is the ex-date."""
_HALT_MINUTES: Final = (5, 56)
_HALT_ONE_IN: Final = 400


class ActionKind(StrEnum):
    """The vendor's word for what an action is."""

    FORWARD_SPLIT = "forward_split"
    REVERSE_SPLIT = "reverse_split"
    DIVIDEND = "dividend"


@dataclass(frozen=True, slots=True)
class Action:
    """One corporate action under the ticker of its ex-date; cash in millionths of a dollar."""

    holding: Holding
    ex_date: date
    kind: ActionKind
    split_from: int = 0
    split_to: int = 0
    cash_micro: int = 0
    close_before: float = 0.0
    """Close in USD of the trade date before, on the ex-date's scale."""
    frequency: int = 0
    declared: date | None = None
    record: date | None = None
    paid: date | None = None


def split_day(seed: int, slot: int, month: int, table: Exchange) -> date:
    """Return the ex-date of a splitter's split in a month."""
    first, width = _SPLIT_ON
    return table.of_month(month)[first + key(seed, "split day", slot, month) % width]


def split_ratio(seed: int, slot: int, month: int) -> Fraction:
    """Return new shares per old share of the month's split: up in even months, back in odd."""
    ratio = _RATIOS[key(seed, "split ratio", slot, month // 2) % len(_RATIOS)]
    return ratio if month % 2 == 0 else 1 / ratio


def split_scale(seed: int, slot: int, day: date, table: Exchange) -> float:
    """Return what a splitter's level is multiplied with on `day`, the ex-date included."""
    month = month_of(day)
    ratio = split_ratio(seed, slot, month - month % 2)
    split = (month % 2 == 0) == (day >= split_day(seed, slot, month, table))
    return float(1 / ratio) if split else 1.0


@dataclass(frozen=True, slots=True)
class Dividends:
    """Which instruments pay: every `interval` months (0 never) in months of their `phase`."""

    keys: Words
    interval: Ints
    phase: Ints
    quarterly_yield: Reals
    table: Exchange

    def since_ex(self, day: date) -> Ints:
        """Return calendar days since the last ex-date on or before `day`; 0 on the ex-date."""
        last = np.zeros(len(self.keys), dtype=np.int64)
        for month in range(month_of(day) - _MONTHS_BACK, month_of(day) + 1):
            ex = self._ex_ordinals(month)
            last = np.where(self._pays(month) & (ex <= day.toordinal()), ex, last)
        return np.where(last > 0, day.toordinal() - last, -1)

    def goes_ex(self, day: date) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Return a mask of the instruments that go ex on `day`."""
        month = month_of(day)
        return np.asarray(self._pays(month) & (self._ex_ordinals(month) == day.toordinal()))

    def accrued(self, day: date) -> Reals:
        """Return the factor by which a level is higher for the dividend to come."""
        share = np.clip(self.since_ex(day), 0, None) / _QUARTER_DAYS
        return 1.0 + self.quarterly_yield * share * (self.interval > 0)

    def cash(self, close: Reals) -> Reals:
        """Return the cash per share on an ex-date, from the close before it, in 1/10,000 USD."""
        share = self.quarterly_yield * self.interval / 3.0
        return np.maximum(np.rint(close * share * 10_000), 1.0) / 10_000

    def _pays(self, month: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return np.asarray(
            (self.interval > 0) & (month % np.maximum(self.interval, 1) == self.phase)
        )

    def _ex_ordinals(self, month: int) -> Ints:
        days = np.array([d.toordinal() for d in self.table.of_month(month)], dtype=np.int64)
        first, width = _EX_ON
        return days[first + hashing.below(hashing.words(key("ex", month), self.keys), width)]


def dividend(
    holding: Holding, ex_date: date, cash: float, *, close_before: float, interval: int
) -> Action:
    """Return the dividend of `cash` USD that goes ex on `ex_date`."""
    ahead = 15 + key(holding.ticker, ex_date) % 20
    lag = 0 if ex_date >= _RECORD_IS_EX_FROM else 1
    return Action(
        holding,
        ex_date,
        ActionKind.DIVIDEND,
        cash_micro=round(cash * 10_000) * 100,
        close_before=close_before,
        frequency=12 // interval,
        declared=ex_date - timedelta(days=ahead),
        record=ex_date + timedelta(days=lag),
        paid=ex_date + timedelta(days=14),
    )


def split(holding: Holding, ex_date: date, ratio: Fraction) -> Action:
    """Return the split that gives `ratio` new shares for an old one."""
    kind = ActionKind.FORWARD_SPLIT if ratio > 1 else ActionKind.REVERSE_SPLIT
    return Action(holding, ex_date, kind, split_from=ratio.denominator, split_to=ratio.numerator)


def halt(seed: int, slot: int, day: TradingDay, *, often: bool) -> tuple[int, int] | None:
    """Return the minutes `[first, after)` of the day in which an instrument was halted, if any."""
    chance = key(seed, "halt", slot, day.date)
    if chance % (2 if often else _HALT_ONE_IN):
        return None
    shortest, width = _HALT_MINUTES
    minutes = shortest + key("halt minutes", chance) % width
    room = day.close_minute - day.open_minute - minutes
    first = day.open_minute + key("halt start", chance) % room
    return first, first + minutes
