"""Who holds a symbol when: from the holdings known at a moment to the spans whose bars are read.

A holding is a row of silver.instruments as known at the moment: an instrument holds a symbol over
trade dates `[valid_from, valid_to)`. Per symbol and date one source counts, the first of the
precedence that has a holder. Two instruments of two sources are never one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_AROUND: Final = timedelta(days=10)
"""How many days a source's date of a rename may be off."""


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
    """None where nobody is known to hold the symbol, which is then read literally."""


_Span = TypeVar("_Span", Holding, Segment)


@dataclass(frozen=True, slots=True)
class Followed:
    """What a symbol stands for over a range of dates."""

    segments: tuple[Segment, ...]
    """Ascending, without overlap."""
    holder: Holding | None = None
    """Who holds the symbol on the date by which it is resolved."""
    others: tuple[Holding, ...] = ()
    """Other instruments that hold the symbol within the range; never mixed in."""


def timeline(
    symbol: str, holdings: Iterable[Holding], sources: Sequence[str]
) -> tuple[Holding, ...]:
    """Return who holds a symbol when, ascending, without overlap.

    Args:
        symbol: The symbol.
        holdings: Holdings of any symbols.
        sources: Precedence; sources that are not listed come after, by name.
    """
    own = sorted(
        (h for h in holdings if h.symbol == symbol and h.start < h.end),
        key=lambda h: (*_rank(h.source, sources), -h.start.toordinal()),
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


def snapped(
    segments: Sequence[_Span],
    bars: Mapping[str, Sequence[date]],
    reach: int,
    sessions: Sequence[date],
) -> tuple[_Span, ...]:
    """Return the segments with each rename moved to where the bars change their symbol.

    A vendor's date may fall on a weekend, or lie some sessions off. Where within `reach` sessions
    of it the old symbol's bars stop before the new one's start, the new one's first bar is it.

    Args:
        segments: Of one instrument, ascending.
        bars: Trade dates with a bar around the renames, by symbol.
        reach: Sessions around a rename within which bars count.
        sessions: Trade dates of the market that cover the renames, ascending.
    """
    found = list(segments)
    for index, (old, new) in enumerate(pairwise(segments)):
        window = around(old, new, reach, sessions)
        last = max(
            (d for d in bars.get(old.symbol, ()) if window[0] <= d <= window[1]), default=None
        )
        first = min(
            (d for d in bars.get(new.symbol, ()) if window[0] <= d <= window[1]), default=None
        )
        if last is not None and first is not None and last < first:
            found[index] = replace(found[index], end=first)
            found[index + 1] = replace(found[index + 1], start=first)
    return tuple(s for s in found if s.start < s.end)


def around(old: _Span, new: _Span, reach: int, sessions: Sequence[date]) -> tuple[date, date]:
    """Return first and last date, both included, within `reach` sessions of a rename."""
    before = [d for d in sessions if d < min(old.end, new.start)]
    after = [d for d in sessions if d >= max(old.end, new.start)]
    first = before[-reach:][0] if before else old.end
    last = after[:reach][-1] if after else new.start
    return first, last


def chained(holdings: Iterable[Holding]) -> list[Holding]:
    """Return one instrument's holdings, ascending, each cut where the next begins."""
    ordered = sorted(holdings, key=lambda h: (h.start, h.end, h.symbol))
    cut = [replace(a, end=min(a.end, b.start)) for a, b in pairwise(ordered)]
    return [h for h in (*cut, *ordered[-1:]) if h.start < h.end]


def lived(holdings: Iterable[Holding]) -> dict[tuple[str, str], tuple[date, date]]:
    """Return the first date of each instrument, and the date after its last."""
    found: dict[tuple[str, str], tuple[date, date]] = {}
    for h in holdings:
        start, end = found.get(h.instrument, (h.start, h.end))
        found[h.instrument] = (min(start, h.start), max(end, h.end))
    return found


def padded(
    held: Sequence[Holding], lives: Mapping[tuple[str, str], tuple[date, date]]
) -> tuple[Holding, ...]:
    """Return a symbol's holdings, each reaching into free dates next to a rename.

    Args:
        held: Of one symbol, ascending, without overlap.
        lives: First date and end of each instrument, over all its symbols.
    """
    found: list[Holding] = []
    free_from = date.min
    for index, h in enumerate(held):
        born, gone = lives[h.instrument]
        start, end = h.start, h.end
        if born < start:
            start = max(start - _AROUND, free_from)
        if end < gone:
            following = held[index + 1].start if index + 1 < len(held) else date.max
            end = min(end + _AROUND, following)
        found.append(replace(h, start=start, end=end))
        free_from = end
    return tuple(found)


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
