"""Who held which ticker, from the vendor's lists of tickers, overviews and ticker changes.

A list says who holds a ticker now, or who held it last and when that ended. Ticker changes give
the earlier tickers and their dates; an overview the listing date. Where neither says when a
ticker began, it began where its previous holder ended, else in 1900: `raw` says which. The vendor
documents `delisted_utc` as the last date that the asset was traded: it holds to the day after.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from ingot.connectors.massive.rest.actions import text_of as _text
from ingot.connectors.reference import fields
from ingot.connectors.reference.fields import FaultError, optional
from ingot.connectors.reference.rows import Bad, Good, InstrumentRow
from ingot.connectors.transport.http.response_bundle import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ingot.connectors.transport.http.response_bundle import Query

TICKERS: Final = "v3/reference/tickers"
DELISTED: Final = "v3/reference/tickers?active=false"
DETAILS: Final = "v3/reference/tickers/*"
EVENTS: Final = "vX/reference/tickers/*/events"
"""Names of the landed queries."""
LONG_AGO: Final = date(1900, 1, 1)
_DATE_DIGITS: Final = 10


@dataclass(frozen=True, slots=True)
class _Listing:
    """One row about one instrument."""

    number: int
    row: InstrumentRow
    """What it says; its identity and dates are those of a span."""
    raw: Mapping[str, Any]

    @property
    def symbol(self) -> str:
        """The ticker that the row is about."""
        return self.row.symbol

    @property
    def identity(self) -> str | None:
        """The composite FIGI; else CIK and type; None where the vendor gives neither."""
        row = self.row
        return row.figi or (f"{row.cik}|{row.type}" if row.cik and row.type else None)

    @property
    def group(self) -> str:
        """The identity; without one a row is an instrument of its own."""
        return self.identity or f"row {self.number}"


@dataclass(frozen=True, slots=True)
class _Span:
    """A ticker's dates `[start, end)`; a start of None is to be found, an end of None open."""

    listing: _Listing
    symbol: str
    start: date | None
    end: date | None
    basis: str
    """event, list_date, holder_before or assumed: where the start comes from."""


def read_instruments(queries: Sequence[Query]) -> Iterator[Good | Bad]:
    """Yield one row for each ticker that each instrument held, in the vendor's order."""
    listed, bad = _listings(queries)
    changes, more = _changes(queries)
    listings = _with_details(listed, changes)
    spans: list[_Span] = []
    for group in _groups(listings):
        identity = group[0].identity
        events = changes.get(identity or "")
        if events is None:
            spans += _from_lists(group)
        else:
            spans += _from_events(group, events.changes)
            held = {symbol for _, symbol in events.changes}
            bad += [
                Bad(o.number, "ticker_not_in_events", canonical(o.raw), o.symbol)
                for o in group
                if o.symbol not in held
            ]
    yield from _rows(_with_starts(spans))
    yield from bad
    yield from more


@dataclass(frozen=True, slots=True)
class _Changes:
    """Ticker changes of one instrument, oldest first."""

    listing: _Listing
    changes: tuple[tuple[date, str], ...]


def _listings(queries: Sequence[Query]) -> tuple[list[tuple[str, _Listing]], list[Bad]]:
    """Return the rows of lists and overviews with the query of each; repeated rows once."""
    found: list[tuple[str, _Listing]] = []
    bad: list[Bad] = []
    texts: set[str] = set()
    number = 0
    for query in queries:
        for row in query.rows:
            number += 1
            raw = canonical(row)
            if query.name == EVENTS or raw in texts:
                continue
            texts.add(raw)
            try:
                found.append((query.name, _listing(row, number)))
            except FaultError as fault:
                bad.append(Bad(number, fault.rule, raw, _text(row, "ticker") or None))
    return found, bad


def _listing(row: Mapping[str, Any], number: int, symbol: str = "") -> _Listing:
    lot = row.get("round_lot")
    last = optional(
        _text(row, "delisted_utc")[:_DATE_DIGITS], lambda t: fields.day(t, "delisted_utc")
    )
    listed = InstrumentRow(
        instrument_id="",
        symbol=fields.symbol(symbol or _text(row, "ticker")),
        valid_from=LONG_AGO,
        name=_text(row, "name") or None,
        exchange=_text(row, "primary_exchange") or None,
        type=_text(row, "type") or None,
        figi=_text(row, "composite_figi") or None,
        cik=_text(row, "cik").zfill(10) if _text(row, "cik") else None,
        round_lot=lot if isinstance(lot, int) and lot > 0 else None,
        list_date=optional(_text(row, "list_date"), lambda t: fields.day(t, "list_date")),
        delisted_date=last + timedelta(days=1) if last else None,
        raw="",
    )
    return _Listing(number, listed, row)


def _changes(queries: Sequence[Query]) -> tuple[dict[str, _Changes], list[Bad]]:
    """Return ticker changes by the instrument's identity."""
    found: dict[str, _Changes] = {}
    bad: list[Bad] = []
    number = 0
    for query in queries:
        for row in query.rows:
            number += 1
            if query.name != EVENTS:
                continue
            try:
                read = _change(row, number)
            except FaultError as fault:
                bad.append(Bad(number, fault.rule, canonical(row)))
                continue
            if read.listing.identity:
                found[read.listing.identity] = read
    return found, bad


def _change(row: Mapping[str, Any], number: int) -> _Changes:
    events = row.get("events")
    if not isinstance(events, list):
        raise FaultError("events")
    dated: list[tuple[date, str]] = []
    for event in events:
        change = event.get("ticker_change") if isinstance(event, dict) else None
        if isinstance(change, dict):
            day = fields.day(_text(event, "date"), "event_date")
            dated.append((day, fields.symbol(_text(change, "ticker"))))
    if not dated:
        raise FaultError("events")
    dated.sort(key=lambda pair: pair[0])
    kept = [p for n, p in enumerate(dated) if n == 0 or p[1] != dated[n - 1][1]]
    return _Changes(_listing(row, number, kept[-1][1]), tuple(kept))


def _with_details(
    listings: Sequence[tuple[str, _Listing]], changes: Mapping[str, _Changes]
) -> list[_Listing]:
    """Return the lists' rows with what overviews add, then instruments known from others only."""
    details = [listing for query, listing in listings if query == DETAILS]
    by_symbol = {listing.symbol: listing for listing in details}
    result: list[_Listing] = []
    used: set[str] = set()
    for query, listing in listings:
        more = by_symbol.get(listing.symbol) if query == TICKERS else None
        if query != DETAILS and more and more.row.figi in {None, listing.row.figi}:
            used.add(listing.symbol)
            row = replace(
                listing.row,
                list_date=listing.row.list_date or more.row.list_date,
                round_lot=listing.row.round_lot or more.row.round_lot,
            )
            result.append(replace(listing, row=row))
        elif query != DETAILS:
            result.append(listing)
    result += [listing for listing in details if listing.symbol not in used]
    known = {listing.identity for listing in result}
    return result + [c.listing for name, c in changes.items() if name not in known]


def _groups(listings: Sequence[_Listing]) -> list[list[_Listing]]:
    """Return the rows of each instrument; a row without an identity is an instrument of its own."""
    groups: dict[str, list[_Listing]] = {}
    for listing in listings:
        groups.setdefault(listing.group, []).append(listing)
    return list(groups.values())


def _from_events(group: Sequence[_Listing], changes: Sequence[tuple[date, str]]) -> list[_Span]:
    newest = changes[-1][1]
    now = next((o for o in group if o.symbol == newest), group[0])
    ends = [day for day, _ in changes[1:]]
    return [
        _Span(now, symbol, start, end, "event")
        for (start, symbol), end in zip(changes, [*ends, now.row.delisted_date], strict=True)
        if end is None or start < end
    ]


def _from_lists(group: Sequence[_Listing]) -> list[_Span]:
    """Return a span for each row: tickers of one instrument follow each other as they ended."""
    spans: list[_Span] = []
    before: date | None = None
    for listing in sorted(group, key=lambda o: (o.row.delisted_date or date.max, o.number)):
        start, basis = listing.row.list_date, "list_date"
        if before is not None and (start is None or start < before):
            start, basis = before, "holder_before"
        spans.append(_Span(listing, listing.symbol, start, listing.row.delisted_date, basis))
        before = listing.row.delisted_date
    return spans


def _with_starts(spans: Sequence[_Span]) -> list[_Span]:
    """Return the spans with the starts found that no row gives."""
    ends: dict[str, list[date]] = {}
    for span in spans:
        if span.end is not None:
            ends.setdefault(span.symbol, []).append(span.end)
    return [_with_start(span, ends.get(span.symbol, ())) for span in spans]


def _with_start(span: _Span, ends: Sequence[date]) -> _Span:
    if span.start is not None:
        return span
    before = [end for end in ends if span.end is None or end < span.end]
    if before:
        return replace(span, start=max(before), basis="holder_before")
    return replace(span, start=LONG_AGO, basis="assumed")


def _rows(spans: Sequence[_Span]) -> Iterator[Good | Bad]:
    firsts: dict[str, _Span] = {}
    for span in spans:
        firsts.setdefault(span.listing.group, span)
    found: set[tuple[str, str, date]] = set()
    for span in spans:
        listing, start = span.listing, span.start or LONG_AGO
        first = firsts[listing.group]
        born = listing.row.list_date or first.start or LONG_AGO
        identity = listing.identity or f"massive:{first.symbol}@{born.isoformat()}"
        raw = canonical({"row": listing.raw, "valid_from_is": span.basis})
        key = identity, span.symbol, start
        if (span.end is not None and span.end <= start) or key in found:
            rule = "duplicate" if key in found else "valid_to"
            yield Bad(listing.number, rule, raw, span.symbol)
            continue
        found.add(key)
        row = replace(
            listing.row,
            instrument_id=identity,
            symbol=span.symbol,
            valid_from=start,
            valid_to=span.end,
            raw=raw,
        )
        yield Good(None, row)
