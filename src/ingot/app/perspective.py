"""What symbols stand for and what bars are multiplied by, as known at a moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa

from ingot.app import reference
from ingot.app.closings import Closings
from ingot.app.known import KnownRows
from ingot.app.listed import as_table
from ingot.errors import QueryError
from ingot.model.time import NEW_YORK, to_ns
from ingot.query.adjust import (
    RAW,
    SCALED_RAW,
    SPLIT,
    Action,
    Adjusted,
    Closes,
    Factor,
    adjust,
    applying,
    by_symbol,
    refuse_unapplied,
)
from ingot.query.identity import (
    Followed,
    Holding,
    Segment,
    around,
    chained,
    follow,
    lived,
    padded,
    snapped,
    timeline,
)
from ingot.tables import gold, silver

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Sequence
    from datetime import datetime

    from ingot.app.parts import Parts
    from ingot.app.views import Views
    from ingot.engines.reads import Reads
    from ingot.model.calendar import Calendar
    from ingot.model.time import AsOf
    from ingot.query.bars import BarsRequest

_REACH: Final = 5
"""Sessions around a vendor's rename date in which the bars say when it was."""
_LONGEST_GAP: Final = timedelta(days=30)
"""Between two symbols of one instrument; after a longer one the second is a new listing."""
_ONE_DAY: Final = timedelta(days=1)
_SCHEMA: Final[list[tuple[str, pa.DataType]]] = [
    ("asked", pa.string()),
    ("symbol", pa.string()),
    ("start", pa.date32()),
    ("until", pa.date32()),
    ("up", pa.float64()),
    ("down", pa.float64()),
    ("paid", pa.float64()),
]


@dataclass(frozen=True)
class Perspective:
    """How source bars become the answer to a request."""

    factors: tuple[Factor, ...]
    renamed: bool
    """Some rows are of another source symbol than the one asked for."""
    scaled: bool
    unapplied: tuple[Action, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def symbols(self) -> tuple[str, ...]:
        """The source symbols to read."""
        return tuple(sorted({f.symbol for f in self.factors}))

    def relation(self) -> pa.Table:
        """Return the relation `perspective` of `query.adjusted`."""
        rows = [(f.asked, f.symbol, f.start, f.end, f.up, f.down, f.paid) for f in self.factors]
        return as_table(pa.schema(_SCHEMA), rows)


@dataclass(frozen=True)
class Resolved:
    """An instrument: its rows of silver.instruments, and when its symbols really changed."""

    rows: tuple[dict[str, Any], ...]
    segments: tuple[Segment, ...]
    others: tuple[Holding, ...]


def horizon(calendar: Calendar, moment: datetime) -> date:
    """Return the trade date that contains a moment, or the next one.

    Nobody trades on a scale before its ex-date, so no action after it applies to a read.
    """
    today = moment.astimezone(NEW_YORK).date()
    for day in calendar.between(today - _ONE_DAY, today + 15 * _ONE_DAY):
        if max(s.end_ns for s in calendar.of_date(day)) > to_ns(moment):
            return day
    return today


class Perspectives:
    """Makes perspectives of one lake; what it read of a table is kept while the table stands."""

    def __init__(self, parts: Parts, reads: Reads, views: Views) -> None:
        self._parts = parts
        self._reads = reads
        self._views = views
        self._closings = Closings(parts, reads, views)
        self._known = KnownRows(parts, reads)
        self._market: tuple[Hashable, Adjusted] | None = None

    def of(self, request: BarsRequest, moment: AsOf) -> Perspective | None:
        """Return how to see the bars that a request names; None where they are seen as they are.

        Raises:
            QueryError: No corporate actions are loaded, or the request is strict and an action
                cannot be applied.
        """
        if request.basis != RAW:
            self._require_actions(request.basis)
        if not request.symbols:
            return None if request.basis == RAW else self.whole(request, moment)
        on = request.symbol_date or self._resolved_on(request, moment)
        until = self._until(request, moment)
        last = max(request.end, until + _ONE_DAY) if request.basis != RAW else request.end
        chains = {s: self._followed(s, on, request, last, moment) for s in request.symbols}
        found = [self._adjusted(f, request, moment, until) for f in chains.values()]
        factors = tuple(f for a, _ in found for f in a)
        unapplied = tuple(a for _, left in found for a in left)
        if request.strict:
            refuse_unapplied(unapplied, request.basis)
        renamed = any(f.asked != f.symbol for f in factors)
        cut = any(len(f.segments) != 1 or _is_cut(f.segments[0], request) for f in chains.values())
        if request.basis == RAW and not renamed and not cut:
            factors = ()
        notices = tuple(n for s, f in chains.items() for n in _identity_notices(s, f, request))
        if not factors and not notices and request.basis == RAW:
            return None
        kept = tuple(f for f in factors if f.start < request.end and request.start < f.end)
        return Perspective(kept, renamed, request.basis != RAW, unapplied, notices)

    def _require_actions(self, basis: str) -> None:
        if self._parts.tables.plan(silver.CORPORATE_ACTIONS).rows:
            return
        landed = {dataset.name for _, dataset in reference.datasets(self._parts)}
        todo = (
            "they are landed and not refined; run: ingot build"
            if "actions" in landed
            else "load them with: ingot ingest actions, then: ingot build"
        )
        raise QueryError(
            f"basis={basis!r} needs corporate actions, and none are loaded in this lake: "
            f"silver.corporate_actions is empty ({todo}). Ask with basis='raw', which is prices "
            "as traded."
        )

    def whole(self, request: BarsRequest, moment: AsOf) -> Perspective:
        """Return what changes the bars of every symbol, under the symbols as traded.

        Raises:
            QueryError: The request is strict and an action cannot be applied.
        """
        key = self._state(request, moment)
        if self._market is None or self._market[0] != key:
            self._market = (key, self._of_market(request, moment))
        done = self._market[1]
        if request.strict:
            refuse_unapplied(done.unapplied, request.basis)
        kept = tuple(f for f in done.factors if f.start < request.end and request.start < f.end)
        return Perspective(kept, renamed=False, scaled=True, unapplied=done.unapplied)

    def _of_market(self, request: BarsRequest, moment: AsOf) -> Adjusted:
        """Return the factors of every symbol that has actions."""
        until = self._until(request, moment)
        named = by_symbol(self._known.actions(moment, None))
        sources = self._parts.settings.action_sources
        acting = [
            (
                chain,
                applying(
                    (a for s in chain for a in named.get(s.symbol, ())), chain, sources, until
                ),
            )
            for chain in self._chains(named.keys(), moment)
        ]
        closes = self._closes(moment, acting, until, request)
        done = [
            adjust(segments, own, basis=request.basis, formula=request.formula, closes=closes)
            for segments, own in acting
        ]
        return Adjusted(
            tuple(f for one in done for f in one.factors if not f.is_one),
            tuple(action for one in done for action in one.unapplied),
        )

    def _state(self, request: BarsRequest, moment: AsOf) -> Hashable:
        """Name all that the factors of the market depend on."""
        tables = (silver.CORPORATE_ACTIONS, silver.INSTRUMENTS, silver.DAY_BARS, gold.DAILY_BARS)
        pointers = tuple(self._parts.tables.pointer(t) for t in tables)
        instant = pl.lit(moment.known_at).cast(pl.Datetime("us", "UTC"))
        passed: Hashable = moment.known_at
        if moment.is_now:  # how many versions began or ended by now names what is known now
            frames = [self._known.rows(t) for t in tables[:2]]
            passed = tuple(
                f.select((pl.col(c) <= instant).sum()).item()
                for f in frames
                for c in ("known_from", "known_to")
            )
        until = self._until(request, moment)
        return (pointers, passed, until, request.basis, request.formula)

    def resolved(self, symbol: str, day: date, moment: AsOf) -> Resolved | None:
        """Return the instrument that holds a symbol on a date; None where nobody does."""
        holdings = self._dated([symbol], date.min, date.max, moment)
        sources = self._parts.settings.instrument_sources
        found = follow(
            symbol, on=day, start=date.min, end=date.max, holdings=holdings, sources=sources
        )
        if found.holder is None:
            return None
        source, instrument = found.holder.instrument
        rows = self._known.at(silver.INSTRUMENTS, moment).filter(
            (pl.col("source") == source) & (pl.col("instrument_id") == instrument)
        )
        return Resolved(
            tuple(rows.sort("valid_from", "symbol").to_dicts()),
            found.segments,
            found.others,
        )

    def _followed(
        self, symbol: str, on: date, request: BarsRequest, last: date, moment: AsOf
    ) -> Followed:
        if not request.follow or symbol.startswith("O:"):
            return Followed((Segment(symbol, symbol, request.start, last),))
        return follow(
            symbol,
            on=on,
            start=request.start,
            end=last,
            holdings=self._dated([symbol], request.start, last, moment),
            sources=self._parts.settings.instrument_sources,
        )

    def _dated(
        self, symbols: Collection[str], start: date, end: date, moment: AsOf
    ) -> tuple[Holding, ...]:
        """Return the holdings with the renames near a span moved to where the bars have them.

        They move before the span is cut out: a rename that the source dates after the span may
        lie inside it.
        """
        chains: dict[tuple[str, str], list[Holding]] = {}
        for holding in self._known.holdings(moment, symbols):
            chains.setdefault(holding.instrument, []).append(holding)
        found = (self._snapped(chained(chain), start, end, moment) for chain in chains.values())
        return tuple(h for chain in found for h in chain)

    def _snapped(
        self, chain: Sequence[Holding], start: date, end: date, moment: AsOf
    ) -> Sequence[Holding]:
        calendar = self._parts.calendar
        dates: dict[str, set[date]] = {}
        near: set[date] = set()
        for old, new in pairwise(chain):
            sessions = calendar.between(_days_off(old.end, -15), _days_off(new.start, 15))
            first, last = around(old, new, _REACH, sessions)
            if first < end and start <= last and new.start - old.end <= _LONGEST_GAP:
                near |= set(sessions)
                for symbol, day in self._traded({old.symbol, new.symbol}, first, last, moment):
                    dates.setdefault(symbol, set()).add(day)
        bars = {symbol: sorted(days) for symbol, days in dates.items()}
        return snapped(chain, bars, _REACH, sorted(near)) if bars else chain

    def _traded(
        self, symbols: Collection[str], first: date, last: date, moment: AsOf
    ) -> Iterable[tuple[str, date]]:
        for table in (silver.DAY_BARS, gold.DAILY_BARS):
            rows = self._closings.bars(table, symbols, first, last + _ONE_DAY, moment)
            yield from ((row["symbol"], row["trade_date"]) for row in rows)

    def _adjusted(
        self, followed: Followed, request: BarsRequest, moment: AsOf, until: date
    ) -> tuple[tuple[Factor, ...], tuple[Action, ...]]:
        segments = followed.segments
        if request.basis == RAW:
            plain = tuple(Factor(s.asked, s.symbol, s.start, s.end) for s in segments)
            return plain, ()
        actions = applying(
            self._known.actions(moment, {s.symbol for s in segments}),
            segments,
            self._parts.settings.action_sources,
            until,
        )
        closes = self._closes(moment, [(segments, actions)], until, request)
        done = adjust(
            segments, actions, basis=request.basis, formula=request.formula, closes=closes
        )
        return done.factors, done.unapplied

    def _chains(self, symbols: Collection[str], moment: AsOf) -> list[tuple[Segment, ...]]:
        """Return the spans of every instrument that ever held one of the symbols.

        Dates on which nobody is known to hold a symbol are the symbol's own; those around a rename
        are the instrument's, for its date may be some days off.
        """
        holdings = self._known.holdings(moment, symbols)
        sources = self._parts.settings.instrument_sources
        chains: dict[tuple[str, str], list[Segment]] = {}
        found: list[tuple[Segment, ...]] = []
        lives = lived(holdings)
        for symbol in sorted({*symbols, *(h.symbol for h in holdings)}):
            held = padded(timeline(symbol, holdings, sources), lives)
            for h in held:
                segment = Segment(symbol, symbol, h.start, h.end, h.instrument_id)
                chains.setdefault(h.instrument, []).append(segment)
            bounds = [date.min, *(d for h in held for d in (h.start, h.end)), date.max]
            free = [
                Segment(symbol, symbol, a, b)
                for a, b in zip(bounds[::2], bounds[1::2], strict=True)
                if a < b
            ]
            found += [(segment,) for segment in free]
        found += [tuple(sorted(c, key=lambda s: s.start)) for c in chains.values()]
        return found

    def _closes(
        self,
        moment: AsOf,
        wanted: Iterable[tuple[Sequence[Segment], Sequence[Action]]],
        until: date,
        request: BarsRequest,
    ) -> Closes:
        """Return the closes by which dividends are measured; read at first use, for all at once."""
        if request.basis == SPLIT:
            return Closes(lambda *_: None, lambda *_: None)
        cash = {
            (segment.symbol, action.ex_date)
            for segments, actions in wanted
            for segment in segments
            for action in actions
            if action.cash is not None and action.ex_date <= until
        }
        return self._closings.measured(moment, cash)

    def _resolved_on(self, request: BarsRequest, moment: AsOf) -> date:
        """Return the range's last trade date as known at the moment: none after it is."""
        known = horizon(self._parts.calendar, moment.known_at)
        return max(request.start, min(known, self._last_date(request)))

    def _last_date(self, request: BarsRequest) -> date:
        before = self._parts.calendar.before(request.end, 1)
        return max(before[0], request.start) if before else request.end - _ONE_DAY

    def _until(self, request: BarsRequest, moment: AsOf) -> date:
        """Return the last ex-date that applies: what the moment knows, and its next session."""
        latest = horizon(self._parts.calendar, moment.known_at)
        return min(latest, self._last_date(request)) if request.basis == SCALED_RAW else latest


def _days_off(day: date, days: int) -> date:
    """Return a date some days off, within what a date can be."""
    return date.fromordinal(
        min(max(day.toordinal() + days, date.min.toordinal()), date.max.toordinal())
    )


def _is_cut(segment: Segment, request: BarsRequest) -> bool:
    return segment.start > request.start or segment.end < request.end


def _identity_notices(symbol: str, followed: Followed, request: BarsRequest) -> Iterable[str]:
    in_range = [s for s in followed.segments if s.start < request.end]
    for old, new in pairwise(in_range):
        yield f"{symbol} is {old.symbol} before {new.start} (one instrument: {old.instrument_id})"
    if followed.holder is not None:
        yield from _left_out(symbol, followed, request)
    for other in followed.others:
        if other.start < request.end and request.start < other.end:
            first, last = max(other.start, request.start), min(other.end, request.end)
            yield (
                f"{symbol} was held by {other.title} from {first} to before {last}: not mixed in; "
                "follow=False (--literal) reads the symbol literally"
            )


def _left_out(symbol: str, followed: Followed, request: BarsRequest) -> Iterable[str]:
    """Tell that the holder had no symbol on dates that were asked for by name."""
    holder, segments = followed.holder, followed.segments
    if holder is None or not segments:
        return
    first, last = segments[0].start, segments[-1].end
    if date.min < request.start < first:
        yield f"{holder.title} holds {symbol} from {first} on: dates before are left out"
    if last < request.end and holder.end < date(9999, 1, 1):
        held = segments[-1].symbol
        yield f"{holder.title} holds {held} until before {last}: dates from then are left out"
