"""What symbols stand for and what bars are multiplied by, as known at a moment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from ingot.app.context.answer_table import as_table
from ingot.app.inventory.datasets import reference_datasets
from ingot.app.read.closes import Closings
from ingot.app.read.holders import Holders
from ingot.app.read.reference_cache import KnownRows
from ingot.errors import QueryError
from ingot.model.time import NEW_YORK, to_ns
from ingot.query.requests.action_holder import around_ex_date, belonging, fits
from ingot.query.requests.adjustment import (
    RAW,
    SCALED_RAW,
    SCALING,
    SPLIT,
    Action,
    Adjusted,
    Closes,
    Factor,
    adjust,
    applying,
    refuse_unapplied,
)
from ingot.query.requests.bars import OPTION
from ingot.query.requests.symbology import Followed, Holding, Segment, follow
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.tables import gold, silver

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Sequence
    from datetime import datetime

    from ingot.app.context.lake_context import Parts
    from ingot.app.read.views import Views
    from ingot.engines.trusted_queries import Reads
    from ingot.model.calendar import Calendar
    from ingot.model.time import AsOf
    from ingot.query.requests.bars import BarsRequest
    from ingot.query.requests.symbology import Chain, Held

_ONE_DAY: Final = timedelta(days=1)
_NAMED: Final = 5
"""Notices of one kind that an answer has."""
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

    factors: tuple[Factor, ...] = ()
    renamed: bool = False
    """Some rows are of another source symbol than the one requested."""
    scaled: bool = False
    unapplied: tuple[Action, ...] = ()
    notices: tuple[str, ...] = ()
    is_plain: bool = False
    """The bars of the request's own symbols are the answer, all of them and as traded."""

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

    No trade is on a scale before its ex-date, so no action after it applies to a read.
    """
    today = moment.astimezone(NEW_YORK).date()
    for day in calendar.between(today - _ONE_DAY, today + 15 * _ONE_DAY):
        if max(s.end_ns for s in calendar.of_date(day)) > to_ns(moment):
            return day
    return today


class Perspectives:
    """Makes perspectives of one lake; what it read of a table is kept until the table changes."""

    def __init__(self, parts: Parts, reads: Reads, views: Views) -> None:
        self._parts = parts
        self._closings = Closings(parts, reads, views)
        self._known = KnownRows(parts, reads)
        self._holders = Holders(parts, self._known, self._closings)
        self._market: tuple[Hashable, Adjusted] | None = None

    def of(self, request: BarsRequest, moment: AsOf) -> Perspective:
        """Return how the bars that a request names become its answer.

        Raises:
            QueryError: No corporate actions are loaded, or the request is strict and an action
                cannot be applied.
        """
        if request.basis != RAW:
            self._require_actions(request.basis)
        if not request.symbols:
            raw = request.basis == RAW
            return Perspective(is_plain=True) if raw else self.whole(request, moment)
        on = request.symbol_date or self._resolved_on(request, moment)
        held = self._held(request, moment)
        found = {s: self._followed(s, on, request, held) for s in request.symbols}
        segments = [s for followed in found.values() for s in followed.segments]
        done = self._of_segments(segments, held, request, moment)
        if request.strict:
            refuse_unapplied(done.unapplied, request.basis)
        return Perspective(
            done.factors,
            renamed=any(s.asked != s.symbol for s in segments),
            scaled=request.basis != RAW,
            unapplied=done.unapplied,
            notices=(
                *(n for s, f in found.items() for n in _notices(s, f, on, request)),
                *_old_closes(done),
            ),
            is_plain=request.basis == RAW
            and all(_is_whole(f.segments, request) for f in found.values()),
        )

    def _require_actions(self, basis: str) -> None:
        if self._parts.tables.plan(ScanRequest(silver.CORPORATE_ACTIONS)).rows:
            return

        landed = {dataset.name for _, dataset in reference_datasets(self._parts)}
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
        return Perspective(
            kept,
            renamed=False,
            scaled=True,
            unapplied=done.unapplied,
            notices=tuple(_old_closes(done)),
        )

    def _of_market(self, request: BarsRequest, moment: AsOf) -> Adjusted:
        """Return the factors of every symbol that has actions."""
        actions = self._actions(request, moment, None)
        held = self._holders.of({a.symbol for a in actions}, moment)
        done = self._adjusted(actions, held.chains, held.chains, request, moment)
        return replace(done, factors=tuple(f for f in done.factors if not f.is_one))

    def _of_segments(
        self, segments: Sequence[Segment], held: Held, request: BarsRequest, moment: AsOf
    ) -> Adjusted:
        """Return the factors of the bars of segments: those that they have in the whole market."""
        if request.basis == RAW:
            return Adjusted(tuple(Factor(s.asked, s.symbol, s.start, s.end) for s in segments))
        spans: dict[str, list[Segment]] = {}
        for segment in segments:
            spans.setdefault(segment.symbol, []).append(segment)
        chains = [
            chain
            for chain in held.chains
            if any(_meet(own, s) for own in chain for s in spans.get(own.symbol, ()))
        ]
        actions = self._actions(request, moment, {s.symbol for chain in chains for s in chain})
        done = self._adjusted(actions, chains, held.chains, request, moment)
        factors = (
            _part(f, s) for f in done.factors for s in spans.get(f.symbol, ()) if _meet(f, s)
        )
        return replace(done, factors=tuple(factors))

    def _actions(
        self, request: BarsRequest, moment: AsOf, symbols: Collection[str] | None
    ) -> list[Action]:
        """Return the actions that a basis needs: of these symbols, or of all."""
        until, only_splits = self._until(request, moment), request.basis == SPLIT
        return [
            action
            for action in self._known.actions(moment, symbols)
            if action.ex_date <= until and (not only_splits or action.kind in SCALING)
        ]

    def _adjusted(
        self,
        actions: Sequence[Action],
        chains: Sequence[Chain],
        others: Sequence[Chain],
        request: BarsRequest,
        moment: AsOf,
    ) -> Adjusted:
        """Return the factors of chains out of all that may own one of the actions."""
        owned, undecided = belonging(
            actions,
            others,
            fits=lambda action, chain: self._fits(action, chain, moment),
            trade_dates=self._parts.calendar.trade_dates,
        )
        own: dict[Chain, list[Action]] = {}
        for action, chain in owned:
            own.setdefault(chain, []).append(action)
        sources = self._parts.settings.action_sources
        acting = [(c, applying(own.get(c, ()), sources)) for c in chains]
        closes = self._closes(moment, acting, request)
        done = [
            adjust(segments, found, basis=request.basis, formula=request.formula, closes=closes)
            for segments, found in acting
        ]
        wanted = set(chains)
        left = [action for action, chain in undecided if chain in wanted]
        left += [action for one in done for action in one.unapplied]
        return Adjusted(
            tuple(f for one in done for f in one.factors),
            tuple(dict.fromkeys(left)),
            tuple(dict.fromkeys(old for one in done for old in one.old_closes)),
        )

    def _fits(self, action: Action, chain: Chain, moment: AsOf) -> bool:
        _, day = around_ex_date(action.ex_date, self._parts.calendar.trade_dates)
        closes = self._closings.measured(moment, {(s.symbol, day) for s in chain})
        return fits(action, closes.before(chain, day), closes.on(chain, day))

    def _state(self, request: BarsRequest, moment: AsOf) -> Hashable:
        """Name all that the factors of the market depend on."""
        tables = (silver.CORPORATE_ACTIONS, silver.INSTRUMENTS, silver.DAY_BARS, gold.DAILY_BARS)
        pointers = tuple(self._parts.tables.pointer(t) for t in tables)
        passed: Hashable = moment.known_at
        if moment.is_now:  # how many versions began or ended by now names what is known now
            passed = tuple(self._known.passed(t, moment.known_at) for t in tables[:2])
        until = self._until(request, moment)
        return (pointers, passed, until, request.basis, request.formula)

    def resolved(self, symbol: str, day: date, moment: AsOf) -> Resolved | None:
        """Return the instrument that holds a symbol on a date; None where there is none."""
        found = follow(
            symbol,
            on=day,
            start=date.min,
            end=date.max,
            holdings=self._holders.of({symbol}, moment).around(symbol),
            sources=self._parts.settings.instrument_sources,
        )
        if found.holder is None:
            return None
        return Resolved(
            tuple(self._known.of_instrument(found.holder.instrument, moment)),
            found.segments,
            found.others,
        )

    def _held(self, request: BarsRequest, moment: AsOf) -> Held:
        """Return who holds the symbols of a request, where that matters to it."""
        if request.basis != RAW:
            return self._holders.of(set(request.symbols), moment)
        symbols = {s for s in request.symbols if request.follow and not s.startswith(OPTION)}
        return self._holders.of(symbols, moment, start=request.start, end=request.end)

    def _followed(self, symbol: str, on: date, request: BarsRequest, held: Held) -> Followed:
        if not request.follow or symbol.startswith(OPTION):
            return Followed((Segment(symbol, symbol, request.start, request.end),))
        return follow(
            symbol,
            on=on,
            start=request.start,
            end=request.end,
            holdings=held.around(symbol),
            sources=self._parts.settings.instrument_sources,
        )

    def _closes(
        self,
        moment: AsOf,
        wanted: Iterable[tuple[Sequence[Segment], Sequence[Action]]],
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
            if action.cash is not None
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


def _is_whole(segments: Sequence[Segment], request: BarsRequest) -> bool:
    """Return True if the segments are all bars of the range under the symbol itself."""
    spans = [(s.symbol, s.start, s.end) for s in segments]
    return spans == [(s.asked, request.start, request.end) for s in segments[:1]]


def _meet(a: Factor | Segment, b: Segment) -> bool:
    return a.symbol == b.symbol and a.start < b.end and b.start < a.end


def _part(factor: Factor, segment: Segment) -> Factor:
    """Return what a factor is on the dates of a segment."""
    start, end = max(factor.start, segment.start), min(factor.end, segment.end)
    return replace(factor, asked=segment.asked, start=start, end=end)


def _notices(symbol: str, followed: Followed, on: date, request: BarsRequest) -> Iterable[str]:
    for old, new in pairwise(followed.segments):
        yield f"{symbol} is {old.symbol} before {new.start} (one instrument: {old.instrument_id})"
    if followed.holder is not None:
        yield from _left_out(symbol, followed, request)
    elif followed.others:
        yield f"no instrument holds {symbol} on {on}: all its bars are read, whoever held it"
    for other in followed.others:
        first, last = max(other.start, request.start), min(other.end, request.end)
        left = (
            ": not mixed in; follow=False (--literal) reads the symbol literally"
            if followed.holder
            else ""
        )
        yield f"{symbol} was held by {other.title} from {first} to before {last}{left}"


def _old_closes(adjusted: Adjusted) -> Iterable[str]:
    """Yield notices of the dividends that are measured by a close long before."""
    found = adjusted.old_closes
    for action, day in found[:_NAMED]:
        yield f"{action.title} is measured by the close of {day}, the last one before its ex-date"
    if len(found) > _NAMED:
        yield f"{len(found) - _NAMED:,} more dividends are measured by closes as old"


def _left_out(symbol: str, followed: Followed, request: BarsRequest) -> Iterable[str]:
    """Yield the dates of the range on which the holder had no symbol."""
    holder, segments = followed.holder, followed.segments
    if holder is None or not segments:
        return
    first, last = segments[0].start, segments[-1].end
    if date.min < request.start < first:
        yield f"{holder.title} holds {symbol} from {first} on: dates before are left out"
    if last < request.end and holder.end < date(9999, 1, 1):
        held = segments[-1].symbol
        yield f"{holder.title} holds {held} until before {last}: dates from then are left out"
