"""Who holds which symbols when, as known at a moment: by the sources' dates and by the bars."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from ingot.query.requests.symbology import by_instrument, held_by, rename_windows

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ingot.app.context.lake_context import Parts
    from ingot.app.read.closes import Closings
    from ingot.app.read.reference_cache import KnownRows
    from ingot.model.time import AsOf
    from ingot.query.requests.symbology import Held, Holding


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
        dates = self._parts.calendar.trade_dates
        windows = [
            w
            for chain in stated
            for w in rename_windows(chain, dates)
            if w[1] < end and start <= w[2]
        ]
        bars: dict[str, list[date]] = {}
        for symbol, day in self._closings.traded(windows, moment) if windows else ():
            bars.setdefault(symbol, []).append(day)
        return held_by(symbols, stated, bars, sessions=dates, sources=sources)

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
        return by_instrument(found)
