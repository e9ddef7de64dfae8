"""The market: who is listed on a day, at what price the day begins and ends, how busy it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from ingot.errors import ConfigError
from ingot.simulator.market import events, hashing, prices
from ingot.simulator.market.hashing import key
from ingot.simulator.market.instruments import Registry, instrument_key
from ingot.simulator.market.roster import CAST, FEWEST_SYMBOLS, MOST_SYMBOLS, Role
from ingot.simulator.market.sessions import exchange, month_of

if TYPE_CHECKING:
    from datetime import date

    from ingot.simulator.market.events import Action
    from ingot.simulator.market.hashing import Ints, Reals, Words
    from ingot.simulator.market.instruments import Holding
    from ingot.simulator.market.sessions import Exchange, TradingDay

_MEDIAN_TRADES: Final = 0.085
_SPREAD_OF_TRADES: Final = 3.0
_MEDIAN_PRICE: Final = 28.0
_SPREAD_OF_PRICES: Final = 1.1
_PAYERS_OF_HUNDRED: Final = 35


@dataclass(frozen=True, slots=True)
class Roll:
    """The instruments listed on one day, sorted by ticker, with what their day depends on.

    `first` and `last` are the prices in USD at which the day starts and its closing auction
    prints; `sigma` is the deviation of a day's return; `trades` counts per regular minute.
    A halt is `[halt_from, halt_to)` in minutes of the day, empty when there is none.
    """

    holdings: tuple[Holding, ...]
    keys: Words
    first: Reals
    last: Reals
    sigma: Reals
    trades: Reals
    halt_from: Ints
    halt_to: Ints

    @property
    def tickers(self) -> tuple[str, ...]:
        """Tickers in the order of the file."""
        return tuple(h.ticker for h in self.holdings)


@dataclass(frozen=True)
class Market:
    """A synthetic market over `[start, end)`, a pure function of its four fields.

    Raises:
        ConfigError: Too few or too many symbols, or dates outside 2003-09-10 to 2037.
    """

    seed: int
    symbols: int
    start: date
    end: date

    def __post_init__(self) -> None:
        """Refuse a market that cannot show every kind of event, or would run out of tickers."""
        if not FEWEST_SYMBOLS <= self.symbols <= MOST_SYMBOLS:
            raise ConfigError(
                f"The number of symbols was {self.symbols}. "
                f"Ask for {FEWEST_SYMBOLS} to {MOST_SYMBOLS}."
            )
        exchange(self.start, self.end)

    @cached_property
    def exchange(self) -> Exchange:
        """The market's trade dates."""
        return exchange(self.start, self.end)

    @cached_property
    def days(self) -> tuple[TradingDay, ...]:
        """Trade dates of the span."""
        return self.exchange.between(self.start, self.end)

    @cached_property
    def registry(self) -> Registry:
        """Instruments and tickers of the span."""
        return Registry(self.seed, self.symbols, self.exchange, self.start, self.end)

    @property
    def holdings(self) -> tuple[Holding, ...]:
        """Who holds which ticker, sorted by ticker, then start."""
        return self.registry.holdings

    def roll(self, day: TradingDay) -> Roll:
        """Return who is listed on `day` and what the day's bars depend on."""
        listed = self._listed(day.date)
        first, last = self._first(day.date)[listed], self._close(day.date)[listed]
        holdings = tuple(self.holdings[i] for i in listed.tolist())
        busy = 0.7 + 0.6 * hashing.lane(
            hashing.words(key(self.seed, "busy", day.date), self._keys), 0
        )
        halts = [self._halt(h, day) for h in holdings]
        return Roll(
            holdings,
            self._keys[listed],
            first,
            last,
            self._sigma[listed],
            (self._trades * busy)[listed],
            np.array([start for start, _ in halts], dtype=np.int64),
            np.array([end for _, end in halts], dtype=np.int64),
        )

    @cached_property
    def actions(self) -> tuple[Action, ...]:
        """Splits and dividends with an ex-date in the span, by ex-date, then ticker."""
        found = [a for day in self.days for a in (*self._splits(day.date), *self._paid(day.date))]
        return tuple(sorted(found, key=lambda a: (a.ex_date, a.holding.ticker, a.kind)))

    def halts(self, day: TradingDay) -> tuple[tuple[Holding, int, int], ...]:
        """Return the day's halts: who, and the minutes `[first, after)` of the day."""
        roll = self.roll(day)
        spans = zip(roll.holdings, roll.halt_from.tolist(), roll.halt_to.tolist(), strict=True)
        return tuple((h, a, b) for h, a, b in spans if a < b)

    def _splits(self, day: date) -> list[Action]:
        month = month_of(day)
        return [
            events.split(h, day, events.split_ratio(self.seed, h.instrument.slot, month))
            for h in self._splitters
            if events.split_day(self.seed, h.instrument.slot, month, self.exchange) == day
        ]

    def _paid(self, day: date) -> list[Action]:
        listed = self._listed(day)
        payers = listed[self._dividends.goes_ex(day)[listed]]
        close, cash, interval = self._close_before(day), self._cash(day), self._dividends.interval
        return [
            events.dividend(
                self.holdings[i],
                day,
                float(cash[i]),
                close_before=float(close[i]),
                interval=int(interval[i]),
            )
            for i in payers.tolist()
        ]

    def _first(self, day: date) -> Reals:
        cash = np.where(self._dividends.goes_ex(day), self._cash(day), 0.0)
        return self._close_before(day) - cash

    def _cash(self, day: date) -> Reals:
        return self._dividends.cash(self._close_before(day))

    def _close_before(self, day: date) -> Reals:
        """Return the close of the trade date before, on the scale of `day`."""
        before = self.exchange.before(day)
        return self._close(before) * self._scale(day) / self._scale(before)

    def _close(self, day: date) -> Reals:
        level = prices.levels(self._keys, self._base, self._sigma, day.toordinal())
        return level * self._scale(day) * self._dividends.accrued(day)

    def _scale(self, day: date) -> Reals:
        scale = np.ones(len(self.holdings))
        for index in self._splitter_rows:
            slot = self.holdings[index].instrument.slot
            scale[index] = events.split_scale(self.seed, slot, day, self.exchange)
        return scale

    def _halt(self, holding: Holding, day: TradingDay) -> tuple[int, int]:
        slot = holding.instrument.slot
        often = self.registry.role(slot) is Role.HALTED
        return events.halt(self.seed, slot, day, often=often) or (0, 0)

    def _listed(self, day: date) -> Ints:
        ordinal = day.toordinal()
        return np.flatnonzero((self._starts <= ordinal) & (ordinal < self._ends))

    @cached_property
    def _splitter_rows(self) -> tuple[int, ...]:
        roles = (self.registry.role(h.instrument.slot) for h in self.holdings)
        return tuple(i for i, role in enumerate(roles) if role is Role.SPLITTER)

    @property
    def _splitters(self) -> tuple[Holding, ...]:
        return tuple(self.holdings[i] for i in self._splitter_rows)

    @cached_property
    def _starts(self) -> Ints:
        return np.array([h.start.toordinal() for h in self.holdings], dtype=np.int64)

    @cached_property
    def _ends(self) -> Ints:
        far = self.end.toordinal() + 1
        ends = [h.end.toordinal() if h.end else far for h in self.holdings]
        return np.array(ends, dtype=np.int64)

    @cached_property
    def _keys(self) -> Words:
        named = ((h.instrument.slot, h.instrument.generation) for h in self.holdings)
        keys = [instrument_key(self.seed, slot, generation) for slot, generation in named]
        return np.array(keys, dtype=np.uint64)

    def _chance(self, purpose: str) -> Words:
        return hashing.words(key(self.seed, purpose), self._keys)

    def _cast_or(self, field: str, values: Reals) -> Reals:
        """Return the values, but the cast's own where it has one."""
        chosen = values.copy()
        for index, holding in enumerate(self.holdings):
            if holding.instrument.slot < len(CAST):
                fixed = getattr(CAST[holding.instrument.slot], field)
                chosen[index] = fixed or values[index]
        return chosen

    @cached_property
    def _trades(self) -> Reals:
        spread = hashing.exp(_SPREAD_OF_TRADES * hashing.bell(self._chance("trades")))
        return self._cast_or("trades", _MEDIAN_TRADES * spread)

    @cached_property
    def _base(self) -> Reals:
        spread = hashing.exp(_SPREAD_OF_PRICES * hashing.bell(self._chance("price")))
        return self._cast_or("price", _MEDIAN_PRICE * spread)

    @cached_property
    def _sigma(self) -> Reals:
        chance = hashing.lane(self._chance("sigma"), 0)
        return 0.010 + 0.045 * chance * chance

    @cached_property
    def _dividends(self) -> events.Dividends:
        chance = self._chance("dividends")
        pays = hashing.below(chance, 100) < _PAYERS_OF_HUNDRED
        roles = [self.registry.role(h.instrument.slot) for h in self.holdings]
        monthly = np.array([role is Role.MONTHLY_PAYER for role in roles])
        interval = np.where(monthly, 1, np.where(pays, 3, 0))
        phase = hashing.below(hashing.mixed(chance), 3) % np.maximum(interval, 1)
        quarterly = 0.002 + 0.010 * hashing.lane(hashing.mixed(chance), 3)
        return events.Dividends(self._keys, interval, phase, quarterly, self.exchange)
