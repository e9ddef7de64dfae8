"""Who holds which symbols when, as known at a moment: by the sources' dates and by the bars."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from ingot.query.identity import around, chained, chains, disjoint, snapped

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from ingot.app.closings import Closings, Window
    from ingot.app.known import KnownRows
    from ingot.app.parts import Parts
    from ingot.model.time import AsOf
    from ingot.query.identity import Chain, Holding

_REACH: Final = 5
"""Sessions around a vendor's rename date in which the bars say when it was."""
_LONGEST_GAP: Final = timedelta(days=30)
"""Between two symbols of one instrument; after a longer one the second is a new listing."""


@dataclass(frozen=True)
class Held:
    """Holdings of some symbols and of all that ever held one; no two of one symbol on one date."""

    symbols: frozenset[str]
    holdings: tuple[Holding, ...]
    """With each rename on the session where the bars change their symbol."""
    stated: tuple[Holding, ...]
    """With each rename where its source dates it."""

    @cached_property
    def chains(self) -> tuple[Chain, ...]:
        """Every date of every symbol in exactly one chain."""
        return chains(self.symbols, self.holdings, self.stated)

    def around(self, symbol: str) -> list[Holding]:
        """Return all holdings of every instrument that holds a symbol at some time."""
        return [h for i in self._holders.get(symbol, ()) for h in self._own[i]]

    @cached_property
    def _holders(self) -> dict[str, set[tuple[str, str]]]:
        """The instruments of each symbol."""
        found: dict[str, set[tuple[str, str]]] = {}
        for h in self.holdings:
            found.setdefault(h.symbol, set()).add(h.instrument)
        return found

    @cached_property
    def _own(self) -> dict[tuple[str, str], list[Holding]]:
        """The holdings of each instrument."""
        found: dict[tuple[str, str], list[Holding]] = {}
        for h in self.holdings:
            found.setdefault(h.instrument, []).append(h)
        return found


class Holders:
    """Reads the holders of one lake's symbols."""

    def __init__(self, parts: Parts, known: KnownRows, closings: Closings) -> None:
        self._parts = parts
        self._known = known
        self._closings = closings

    def of(
        self,
        symbols: Collection[str],
        moment: AsOf,
        *,
        start: date = date.min,
        end: date = date.max,
    ) -> Held:
        """Return who holds the symbols; renames that may lie in `[start, end)` by the bars.

        They move before a span is cut out: a rename that the source dates after the span may lie
        inside it.
        """
        stated = self._stated(symbols, moment)
        windows = [w for chain in stated for w in self._windows(chain, start, end)]
        moved = self._snapped(stated, windows, moment) if windows else stated
        sources = self._parts.settings.instrument_sources
        by_source = [h for chain in stated for h in chain]
        by_bars = [h for chain in moved for h in chain]
        ends = {(h.instrument, h.symbol, h.end) for h in by_source}
        firm = {h for h in by_bars if (h.instrument, h.symbol, h.end) not in ends}
        return Held(
            frozenset(symbols),
            disjoint(by_bars, sources, firm),
            disjoint(by_source, sources),
        )

    def _snapped(
        self, chains: Sequence[Sequence[Holding]], windows: Collection[Window], moment: AsOf
    ) -> Sequence[Sequence[Holding]]:
        """Return the holdings of instruments with their renames where the bars have them."""
        bars: dict[str, list[date]] = {}
        for symbol, day in self._closings.traded(windows, moment):
            bars.setdefault(symbol, []).append(day)
        holders: dict[str, set[str]] = {}
        for holding in (h for chain in chains for h in chain):
            holders.setdefault(holding.symbol, set()).add(holding.instrument_id)
        shared = {symbol for symbol, found in holders.items() if len(found) > 1}
        dates = self._parts.calendar.trade_dates
        return [snapped(chain, bars, _REACH, dates, shared) for chain in chains]

    def _stated(self, symbols: Collection[str], moment: AsOf) -> list[Sequence[Holding]]:
        """Return the holdings of all who held one of the symbols, or a symbol of such a holder."""
        names: Collection[str] = set(symbols)
        found = self._known.holdings(moment, names)
        for _ in range(2):
            wider = {*names, *(h.symbol for h in found)}
            if wider == names:
                break
            names = wider
            found = self._known.holdings(moment, names)
        instruments: dict[tuple[str, str], list[Holding]] = {}
        for holding in found:
            instruments.setdefault(holding.instrument, []).append(holding)
        return [chained(own) for own in instruments.values()]

    def _windows(self, chain: Sequence[Holding], start: date, end: date) -> Iterator[Window]:
        """Yield the dates around each rename in which bars of its two symbols matter."""
        for old, new in pairwise(chain):
            if new.start - old.end > _LONGEST_GAP:
                continue
            first, last = around(old, new, _REACH, self._parts.calendar.trade_dates)
            if first < end and start <= last:
                yield from ((symbol, first, last) for symbol in {old.symbol, new.symbol})
