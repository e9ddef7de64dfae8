"""Which symbols are one instrument at every moment: the chains of `query.identity` over known time.

Hardly any symbol changes hands or its name within the sessions that a window has. Those that do are
grouped with all that they share an instrument or a holder with; every other symbol is an instrument
of its own, whoever holds it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from ingot.model.step_function import lasting, steps
from ingot.query.requests.symbology import (
    Held,
    Holding,
    Segment,
    by_instrument,
    chains,
    held_by,
    rename_windows,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

    from ingot.model.step_function import Steps, Version
    from ingot.query.requests.adjustment import Action
    from ingot.query.requests.symbology import Chain, Window

NEAR: Final = timedelta(days=15)
"""Around a change of holder or name; bars in it show when it was, and whose an action is."""


@dataclass(frozen=True, slots=True)
class Price:
    """A close as traded; `tier` 0 is the vendor's, 1 is made of minutes."""

    symbol: str
    day: date
    tier: int
    close: Decimal


@dataclass(frozen=True)
class Group:
    """Symbols that change hands or names within some dates, and all that these involve."""

    symbols: frozenset[str]
    holdings: tuple[Version[Holding], ...]
    """All versions of the holdings of every instrument of the group."""

    def windows(self, start: date, end: date) -> Iterator[Window]:
        """Yield the dates in which bars of the group matter to `[start, end)`."""
        start, end = start - NEAR, end + NEAR
        edges = {d for h, _, _ in self.holdings for d in (h.start, h.end) if start < d < end}
        for symbol in self.symbols:
            yield from ((symbol, edge - NEAR, edge + NEAR) for edge in edges)

    def contests(self, price: Version[Price], actions: Iterable[Version[Action]]) -> bool:
        """Return True if a close may show which of two holders of a symbol an action belongs to."""
        return any(
            abs(price[0].day - action.ex_date) <= NEAR
            and len(self._holders(action.symbol, action.ex_date)) > 1
            for action, _, _ in actions
        )

    def _holders(self, symbol: str, day: date) -> set[tuple[str, str]]:
        return {
            h.instrument
            for h, _, _ in self.holdings
            if h.symbol == symbol and day - NEAR < h.end and h.start < day + NEAR
        }


def groups(versions: Iterable[Version[Holding]], start: date, end: date) -> list[Group]:
    """Return the groups whose holdings begin or end within `[start, end)`, or near it."""
    start, end = start - NEAR, end + NEAR
    of_instrument: dict[tuple[str, str], list[Version[Holding]]] = defaultdict(list)
    for version in versions:
        of_instrument[version[0].instrument].append(version)
    group_of: dict[str, set[str]] = {}
    for own in of_instrument.values():
        names = {h.symbol for h, _, _ in own if h.start < end and start < h.end}
        joined = names.union(*(group_of.get(name, ()) for name in names))
        group_of |= dict.fromkeys(joined, joined)
    found: dict[int, tuple[set[str], list[Version[Holding]]]] = {}
    for own in of_instrument.values():
        for symbol in {h.symbol for h, _, _ in own if h.start < end and start < h.end}:
            symbols = group_of[symbol]
            found.setdefault(id(symbols), (symbols, []))[1].extend(own)
            break
    return [
        Group(frozenset(symbols), tuple(own))
        for symbols, own in found.values()
        if any(start < d < end for h, _, _ in own for d in (h.start, h.end) if h.symbol in symbols)
    ]


def held_over_time(
    group: Group,
    prices: Iterable[Version[Price]],
    *,
    sessions: Sequence[date],
    sources: Sequence[str],
) -> Steps[Held]:
    """Return who holds the symbols of a group from each moment on at which that changes."""

    def state(values: Sequence[object]) -> Held:
        stated = by_instrument(v for v in values if isinstance(v, Holding))
        bars: dict[str, list[date]] = defaultdict(list)
        for price in (v for v in values if isinstance(v, Price)):
            bars[price.symbol].append(price.day)
        near = _near(stated, bars, sessions)
        return held_by(group.symbols, stated, near, sessions=sessions, sources=sources)

    return steps([*group.holdings, *prices], state)


def _near(
    stated: Sequence[Sequence[Holding]],
    bars: Mapping[str, Sequence[date]],
    sessions: Sequence[date],
) -> dict[str, Sequence[date]]:
    """Return the trade dates near renames, by symbol.

    Where a symbol goes on to trade after its rename, and the new one has not begun to, the rename
    is yet to come: the new one begins on the session after.
    """
    found: dict[str, Sequence[date]] = {}
    for chain in stated:
        for symbol, first, last in rename_windows(chain, sessions):
            days = {d for d in bars.get(symbol, ()) if first <= d <= last}
            found[symbol] = sorted(days.union(found.get(symbol, ())))
    holders = Counter(symbol for chain in stated for symbol in {h.symbol for h in chain})
    for old, new in (pair for chain in stated for pair in pairwise(chain)):
        had = found.get(old.symbol)
        if had and had[-1] >= old.end and holders[old.symbol] == 1 and found.get(new.symbol) == []:
            following = bisect_right(sessions, had[-1])
            found[new.symbol] = sessions[following : following + 1]
    return {symbol: days for symbol, days in found.items() if days}


def holder_rows(
    taken: Steps[Held],
) -> Iterator[tuple[str, date, date, str, datetime, datetime]]:
    """Yield the rows of the relation `holders` of performance.

    Renames are where the bars have them; no instrument has two symbols on one date.
    """

    def parts(held: Held) -> Iterator[tuple[str, date, date, str]]:
        for chain in windows_of(held):
            yield from ((s.symbol, s.start, s.end, name_of(chain)) for s in chain)

    yield from ((*row, since, until) for row, since, until in lasting(taken, parts))


def windows_of(held: Held) -> tuple[Chain, ...]:
    """Return the chains whose closes are one window: with renames only where the bars have them."""
    return chains(held.symbols, held.holdings, ())


def name_of(chain: Chain) -> str:
    """Return what names a chain among the windows of one moment: its first symbol and date.

    A symbol that has no other holder is its own name. No symbol has a line break.
    """
    first = chain[0]
    return first.symbol if chain == alone(first.symbol) else f"{first.symbol}\n{first.start}"


def alone(symbol: str) -> Chain:
    """Return the chain of a symbol that is an instrument of its own."""
    return (Segment(symbol, symbol, date.min, date.max),)
