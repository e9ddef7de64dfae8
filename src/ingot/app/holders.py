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
        sources = self._parts.settings.instrument_sources
        stated = self._stated(symbols, moment)
        windows = [w for chain in stated for w in self._windows(chain, start, end)]
        bars: dict[str, list[date]] = {}
        for symbol, day in self._closings.traded(windows, moment) if windows else ():
            bars.setdefault(symbol, []).append(day)
        dates = self._parts.calendar.trade_dates
        moved = [snapped(chain, bars, _REACH, dates) for chain in stated] if bars else stated
        return Held(
            frozenset(symbols),
            disjoint((h for chain in moved for h in chain), sources),
            disjoint((h for chain in stated for h in chain), sources),
        )

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
