"""What acts on the ex-dates of instruments, over known time: whose an action is, and what applies.

Both are decided as for bars: by `belonging`, `applying` and `paying`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final, NamedTuple

from ingot.app.refine.instrument_chains import Price, alone, name_of, windows_of
from ingot.model.step_function import EVER, lasting, steps
from ingot.model.time import FOREVER
from ingot.query.requests.action_holder import around_ex_date, belonging, fits
from ingot.query.requests.adjustment import (
    CASH,
    CURRENCY,
    SCALING,
    Action,
    applying,
    paying,
    ratio_of,
    total_of,
)
from ingot.query.requests.symbology import Held

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from ingot.model.step_function import Steps, Version
    from ingot.query.requests.symbology import Chain, Segment

    Event = tuple[str, date]
    _Effect = tuple[float, Decimal, int, int]

SUSPECT: Final = 2
"""An action that is not applied and makes its session suspect by itself."""
_SUSPECT_IF_LARGE: Final = 1


class Acting(NamedTuple):
    """What acts on the ex-date of an instrument: a row of the relation `actions`, but for time."""

    instrument: str
    ex_date: date
    ratio: float
    cash: Decimal
    unapplied_split: int
    unapplied_cash: int


@dataclass(frozen=True)
class Closes:
    """Closes in force at a moment."""

    by_symbol: Mapping[str, Mapping[date, Decimal]]

    @classmethod
    def of(cls, prices: Iterable[Price]) -> Closes:
        """Return them; the vendor's count where a day has one."""
        found: dict[str, dict[date, Decimal]] = defaultdict(dict)
        for price in sorted(prices, key=lambda p: -p.tier):
            found[price.symbol][price.day] = price.close
        return cls(found)

    def before(self, chain: Chain, day: date) -> Decimal | None:
        """Return the close of the last date with one before `day`."""
        days = {d: c for s in chain for d, c in self._of(s) if d < day}
        return days[max(days)] if days else None

    def on(self, chain: Chain, day: date) -> Decimal | None:
        """Return the close of a date."""
        return next((c for s in chain for d, c in self._of(s) if d == day), None)

    def _of(self, segment: Segment) -> Iterator[tuple[date, Decimal]]:
        for day, close in self.by_symbol.get(segment.symbol, {}).items():
            if segment.start <= day < segment.end:
                yield day, close


def most_paid(actions: Iterable[Version[Action]]) -> dict[Event, Decimal]:
    """Return the most cash that one old share can have got on each ex-date of a symbol."""
    cash: dict[Event, Decimal] = defaultdict(Decimal)
    ratio: dict[Event, Fraction] = defaultdict(lambda: Fraction(1))
    for action, _, _ in actions:
        event = (action.symbol, action.ex_date)
        if action.kind == CASH and action.cash:
            cash[event] += action.cash
        elif action.kind in SCALING:
            ratio[event] *= max(action.ratio, Fraction(1))
    return {e: c * ratio[e].numerator / ratio[e].denominator for e, c in cash.items()}


@dataclass(frozen=True)
class Rules:
    """What decides which actions apply."""

    sources: Sequence[str]
    """Precedence of the sources of actions."""
    sessions: Sequence[date]
    """Trade dates of the market, ascending."""
    large: frozenset[Event]
    """Symbols and ex-dates whose cash may be as much as a close; `prices` has the closes before."""
    currencies: Mapping[str, str] = field(default_factory=dict)
    """Of the bars of symbols whose prices are not in dollars."""
    _effects: dict[tuple[object, ...], _Effect] = field(default_factory=dict)
    """By what an action is, for those that have nothing beside them."""

    def acting(
        self,
        actions: Sequence[Version[Action]],
        taken: Steps[Held],
        prices: Sequence[Version[Price]] = (),
    ) -> list[Version[Acting]]:
        """Return what acts on the instruments of a group, and from when to when that is known.

        Args:
            actions: All versions of the actions of its symbols.
            taken: Who holds its symbols at each moment.
            prices: Versions of closes around changes of hands, and before what is large.
        """
        ends = [since for since, _ in taken[1:]] + [FOREVER]
        held = [(h, since, end) for (since, h), end in zip(taken, ends, strict=True)]
        return lasting(steps([*held, *actions, *prices], self._at), lambda state: state)

    def alone(
        self,
        symbol: str,
        actions: Sequence[Version[Action]],
        prices: Sequence[Version[Price]] = (),
    ) -> list[Version[Acting]]:
        """Return the same for a symbol that is an instrument of its own."""
        events: dict[date, list[Version[Action]]] = defaultdict(list)
        for version in actions:
            events[version[0].ex_date].append(version)
        found: list[Version[Acting]] = []
        for day, own in events.items():
            if len(own) == 1 and (symbol, day) not in self.large:
                action, since, until = own[0]
                found.append((self._single(action), since, until))
            else:
                found += self.acting(own, [(EVER, Held(frozenset({symbol}), (), ()))], prices)
        return found

    def _single(self, action: Action) -> Acting:
        """Return what acts where one action, not large, has its ex-date for itself."""
        bars_in = self._currency(alone(action.symbol))
        key = (
            action.kind,
            action.ratio_from,
            action.ratio_to,
            action.cash,
            action.currency,
            bars_in,
        )
        if key not in self._effects:
            chain = alone(action.symbol)
            self._effects[key] = self._effect(chain, action.ex_date, [action], (), Closes({}))
        return Acting(action.symbol, action.ex_date, *self._effects[key])

    def _at(self, values: Sequence[object]) -> frozenset[Acting]:
        actions = [v for v in values if isinstance(v, Action)]
        if not actions:
            return frozenset()
        closes = Closes.of(v for v in values if isinstance(v, Price))
        held = next(v for v in values if isinstance(v, Held))
        owned, undecided = belonging(
            actions,
            held.chains,
            fits=lambda action, chain: self._fits(action, chain, closes),
            trade_dates=self.sessions,
        )
        own: dict[Chain, list[Action]] = defaultdict(list)
        for action, chain in owned:
            own[chain].append(action)
        days: dict[tuple[Chain, date], tuple[list[Action], list[Action]]] = defaultdict(
            lambda: ([], [])
        )
        for chain, found in own.items():
            for action in applying(found, self.sources):
                days[chain, action.ex_date][0].append(action)
        for action, chain in undecided:
            days[chain, action.ex_date][1].append(action)
        windows = windows_of(held)
        return frozenset(
            Acting(_name(chain, windows), day, *self._effect(chain, day, found, left, closes))
            for (chain, day), (found, left) in days.items()
        )

    def _fits(self, action: Action, chain: Chain, closes: Closes) -> bool:
        _, day = around_ex_date(action.ex_date, self.sessions)
        return fits(action, closes.before(chain, day), closes.on(chain, day))

    def _effect(
        self,
        chain: Chain,
        day: date,
        actions: Sequence[Action],
        undecided: Sequence[Action],
        closes: Closes,
    ) -> _Effect:
        """Return ratio, cash, and how suspect what is not applied makes each basis."""
        ratio, most = ratio_of(actions), most_paid((a, FOREVER, FOREVER) for a in actions)
        if most.keys() & self.large:
            before = closes.before(chain, day)
        else:
            before = sum(most.values(), Decimal(1))
        currency = self._currency(chain)
        cash, left = paying(actions, before, currency)
        total = total_of(cash)
        return (
            float(ratio),
            Decimal(total.numerator) / total.denominator,
            max((SUSPECT for a in undecided if a.kind in SCALING), default=0),
            max((_weight(a, undecided, currency) for a in (*left, *undecided)), default=0),
        )

    def _currency(self, chain: Chain) -> str:
        return next((c for s in chain if (c := self.currencies.get(s.symbol))), CURRENCY)


def _name(chain: Chain, windows: Iterable[Chain]) -> str:
    """Return the name of the window that a chain's first date is in."""
    symbol, start = chain[0].symbol, chain[0].start
    return next(
        name_of(window)
        for window in windows
        if any(s.symbol == symbol and s.start <= start < s.end for s in window)
    )


def _weight(action: Action, undecided: Sequence[Action], currency: str) -> int:
    """Return how suspect a session is for an action that is not applied."""
    is_large = action.kind == CASH and (action.currency or CURRENCY) == currency
    return SUSPECT if is_large or action in undecided else _SUSPECT_IF_LARGE
