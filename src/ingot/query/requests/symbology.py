"""Who holds a symbol when: from the holdings known at a moment to the spans whose bars are read.

A holding is a row of silver.instruments as known at the moment: an instrument holds a symbol over
trade dates `[valid_from, valid_to)`. Per symbol and date one source counts, the first of the
precedence that has a holder. Two instruments of two sources are never one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
_FAR: Final = timedelta(days=15)
"""No session beyond it is near a rename, even where the calendar has a hole."""


@dataclass(frozen=True, slots=True)
class Holding:
    """An instrument that holds a symbol over trade dates `[start, end)`."""

    source: str
    instrument_id: str
    symbol: str
    start: date
    end: date
    name: str = ""

    @property
    def instrument(self) -> tuple[str, str]:
        """The instrument's identity: its source and id."""
        return (self.source, self.instrument_id)

    @property
    def title(self) -> str:
        """Name and id, for people."""
        return f"{self.name} ({self.instrument_id})" if self.name else self.instrument_id


@dataclass(frozen=True, slots=True)
class Segment:
    """Trade dates `[start, end)` on which the bars of `symbol` answer for the symbol asked."""

    asked: str
    symbol: str
    start: date
    end: date
    instrument_id: str | None = None
    """None where no instrument is known to hold the symbol, which is then read literally."""


Chain = tuple[Segment, ...]
"""Spans of one instrument, ascending; or one span of a symbol that has no holder then."""
Window = tuple[str, date, date]
"""A symbol, and the first and last of some dates."""
_REACH: Final = 5
"""Sessions around a vendor's rename date in which the bars say when it was."""
_LONGEST_GAP: Final = timedelta(days=30)
"""Between two symbols of one instrument; after a longer one the second is a new listing."""
_Span = TypeVar("_Span", Holding, Segment)


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
        found: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for h in self.holdings:
            found[h.symbol].add(h.instrument)
        return found

    @cached_property
    def _own(self) -> dict[tuple[str, str], list[Holding]]:
        """The holdings of each instrument."""
        found: dict[tuple[str, str], list[Holding]] = defaultdict(list)
        for h in self.holdings:
            found[h.instrument].append(h)
        return found


@dataclass(frozen=True, slots=True)
class Followed:
    """What a symbol means over a range of dates."""

    segments: tuple[Segment, ...]
    """Ascending, without overlap."""
    holder: Holding | None = None
    """Who holds the symbol on the date by which it is resolved."""
    others: tuple[Holding, ...] = ()
    """Other instruments that hold the symbol within the range; never mixed in."""


def timeline(
    symbol: str,
    holdings: Iterable[Holding],
    sources: Sequence[str],
    firm: Collection[Holding] = (),
) -> tuple[Holding, ...]:
    """Return who holds a symbol when, ascending, without overlap.

    Args:
        symbol: The symbol.
        holdings: Holdings of any symbols.
        sources: Precedence; sources that are not listed come after, by name.
        firm: Those whose end the bars show; they come before others of their source.
    """
    own = sorted(
        (h for h in holdings if h.symbol == symbol and h.start < h.end),
        key=lambda h: (*_rank(h.source, sources), h not in firm, -h.start.toordinal()),
    )
    taken: list[Holding] = []
    for holding in own:
        taken += _free(holding, taken)
    return tuple(sorted(taken, key=lambda h: h.start))


def follow(
    symbol: str,
    *,
    on: date,
    start: date,
    end: date,
    holdings: Sequence[Holding],
    sources: Sequence[str],
) -> Followed:
    """Return the spans of trade dates in `[start, end)` that answer for a symbol.

    Args:
        symbol: As asked.
        on: The date on which its holder is looked up.
        start: First trade date of the range.
        end: The date after the last.
        holdings: As known at the moment of the read: of the symbol, and all those of its holder.
        sources: Precedence.
    """
    held = timeline(symbol, holdings, sources)
    holder = next((h for h in held if h.start <= on < h.end), None)
    in_range = [h for h in held if h.start < end and start < h.end]
    if holder is None:
        literal = Segment(symbol, symbol, start, end)
        return Followed((literal,), None, tuple(in_range))
    chain = chained(h for h in holdings if h.instrument == holder.instrument)
    segments = tuple(
        Segment(symbol, h.symbol, max(h.start, start), min(h.end, end), h.instrument_id)
        for h in chain
        if h.start < end and start < h.end
    )
    others = tuple(h for h in in_range if h.instrument != holder.instrument)
    return Followed(segments, holder, others)


def by_instrument(holdings: Iterable[Holding]) -> list[Sequence[Holding]]:
    """Return each instrument's holdings, ascending, as its source states them."""
    instruments: dict[tuple[str, str], list[Holding]] = defaultdict(list)
    for holding in holdings:
        instruments[holding.instrument].append(holding)
    return [chained(own) for own in instruments.values()]


def rename_windows(chain: Sequence[Holding], sessions: Sequence[date]) -> Iterator[Window]:
    """Yield the dates around each rename in which bars of its two symbols matter."""
    for old, new in pairwise(chain):
        if new.start - old.end <= _LONGEST_GAP:
            first, last = around(old, new, _REACH, sessions)
            yield from ((symbol, first, last) for symbol in {old.symbol, new.symbol})


def held_by(
    symbols: Iterable[str],
    stated: Sequence[Sequence[Holding]],
    bars: Mapping[str, Sequence[date]],
    *,
    sessions: Sequence[date],
    sources: Sequence[str],
) -> Held:
    """Return who holds symbols, with renames moved to where the bars have them.

    Args:
        symbols: The symbols; those of the holdings are added.
        stated: Each instrument's holdings (see `by_instrument`).
        bars: Trade dates with a bar, by symbol, within the `rename_windows`.
        sessions: Trade dates of the market, ascending.
        sources: Precedence of the sources of instruments.
    """
    by_source = [h for chain in stated for h in chain]
    shared = _shared(by_source) if bars else set()
    moved = [snapped(c, bars, _REACH, sessions, shared) for c in stated] if bars else stated
    by_bars = [h for chain in moved for h in chain]
    ends = {(h.instrument, h.symbol, h.end) for h in by_source}
    firm = {h for h in by_bars if (h.instrument, h.symbol, h.end) not in ends}
    return Held(frozenset(symbols), disjoint(by_bars, sources, firm), disjoint(by_source, sources))


def _shared(holdings: Iterable[Holding]) -> set[str]:
    """Return the symbols that more than one instrument holds at some time."""
    ids: dict[str, set[str]] = defaultdict(set)
    for h in holdings:
        ids[h.symbol].add(h.instrument_id)
    return {symbol for symbol, found in ids.items() if len(found) > 1}


def snapped(
    segments: Sequence[_Span],
    bars: Mapping[str, Sequence[date]],
    reach: int,
    sessions: Sequence[date],
    shared: Collection[str] = (),
) -> tuple[_Span, ...]:
    """Return the segments with each rename moved to where the bars change their symbol.

    A vendor's date may fall on a weekend, or some sessions off. Where within `reach` sessions
    of it the old symbol's bars stop before the new one's start, the new one's first bar is it.

    Args:
        segments: Of one instrument, ascending.
        bars: Trade dates with a bar around the renames, by symbol.
        reach: Sessions around a rename within which bars count.
        sessions: Trade dates of the market, ascending.
        shared: Symbols that other instruments hold as well, whose bars may be of another before
            or after the rename; then those of the other symbol date it, if it is not shared.
    """
    found = list(segments)
    for index, (old, new) in enumerate(pairwise(segments)):
        first, last = around(old, new, reach, sessions)
        near = sessions[bisect_left(sessions, first) : bisect_right(sessions, last)]
        had, has = ([d for d in bars.get(s.symbol, ()) if d in near] for s in (old, new))
        taken, left = old.symbol in shared, new.symbol in shared
        if day := _changed(had, has, dict(pairwise(near)), taken=taken, left=left):
            found[index] = replace(found[index], end=day)
            found[index + 1] = replace(found[index + 1], start=day)
    return tuple(s for s in found if s.start < s.end)


def _changed(
    had: Sequence[date],
    has: Sequence[date],
    following: Mapping[date, date],
    *,
    taken: bool,
    left: bool,
) -> date | None:
    """Return the session of a rename by the bars of its two symbols, ascending.

    Args:
        had: Trade dates of the old symbol.
        has: Trade dates of the new symbol.
        following: The session after each.
        taken: Another instrument holds the old symbol as well.
        left: Another instrument holds the new symbol as well.
    """
    if not had or not has:
        return None
    if had[-1] < has[0]:
        return has[0]
    if taken and not left and any(following.get(eve) == has[0] for eve in had):
        return has[0]
    if left and not taken and following.get(had[-1]) in has:
        return following[had[-1]]
    return None


def around(old: _Span, new: _Span, reach: int, sessions: Sequence[date]) -> tuple[date, date]:
    """Return first and last date, both included, within `reach` sessions of a rename."""
    begin, end = sorted((old.end, new.start))
    before, after = bisect_left(sessions, begin), bisect_left(sessions, end)
    earlier = sessions[max(0, before - reach) : before]
    first = min((d for d in earlier if begin - d <= _FAR), default=begin)
    last = max((d for d in sessions[after : after + reach] if d - end <= _FAR), default=end)
    return first, last


def chained(holdings: Iterable[Holding]) -> list[Holding]:
    """Return one instrument's holdings, ascending, each cut where the next begins."""
    ordered = sorted(holdings, key=lambda h: (h.start, h.end, h.symbol))
    cut = [replace(a, end=min(a.end, b.start)) for a, b in pairwise(ordered)]
    return [h for h in (*cut, *ordered[-1:]) if h.start < h.end]


def disjoint(
    holdings: Iterable[Holding], sources: Sequence[str], firm: Collection[Holding] = ()
) -> tuple[Holding, ...]:
    """Return the holdings by symbol, no two of one symbol on one date (see `timeline`)."""
    own: dict[str, list[Holding]] = defaultdict(list)
    for h in holdings:
        own[h.symbol].append(h)
    return tuple(h for symbol in sorted(own) for h in timeline(symbol, own[symbol], sources, firm))


def chains(
    symbols: Iterable[str],
    holdings: Sequence[Holding],
    stated: Sequence[Holding],
) -> tuple[Chain, ...]:
    """Return the spans of each instrument, and those in which a symbol has no holder.

    Every date of each symbol is in exactly one chain.

    Args:
        symbols: The symbols; those of the holdings are added.
        holdings: Disjoint, with renames where the bars have them (see `snapped`).
        stated: Disjoint, with renames as the sources date them. They count on dates without
            another holder: a source dates its own actions as it dates its renames.
    """
    held: dict[str, list[Holding]] = {symbol: [] for symbol in symbols}
    for h in (*holdings, *stated):
        own = held.setdefault(h.symbol, [])
        own += _free(h, own)
    found: list[Chain] = []
    instruments: dict[tuple[str, str], list[Segment]] = defaultdict(list)
    for symbol, own in sorted(held.items()):
        own.sort(key=lambda h: h.start)
        for h in own:
            segment = Segment(symbol, symbol, h.start, h.end, h.instrument_id)
            instruments[h.instrument].append(segment)
        bounds = [date.min, *(d for h in own for d in (h.start, h.end)), date.max]
        pairs = zip(bounds[::2], bounds[1::2], strict=True)
        found += [(Segment(symbol, symbol, a, b),) for a, b in pairs if a < b]
    return (*found, *(tuple(sorted(c, key=lambda s: s.start)) for c in instruments.values()))


def _rank(source: str, sources: Sequence[str]) -> tuple[int, str]:
    return (sources.index(source) if source in sources else len(sources), source)


def _free(holding: Holding, taken: Iterable[Holding]) -> list[Holding]:
    """Return the parts of a holding that no other has taken."""
    parts = [holding]
    for other in taken:
        parts = [
            piece
            for part in parts
            for piece in (
                replace(part, end=min(part.end, other.start)),
                replace(part, start=max(part.start, other.end)),
            )
            if piece.start < piece.end
        ]
    return parts
