"""The vendor's REST bodies: splits, dividends, tickers, ticker events, option contracts.

Shapes follow Massive's reference endpoints: {results, status, request_id, next_url?}. A body's
file is named after its request: `__` for `/`, `&` before each parameter.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from ingot.simulator.market.events import ActionKind
from ingot.simulator.market.hashing import key
from ingot.simulator.market.prices import MICRO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from ingot.simulator.market.events import Action
    from ingot.simulator.market.instruments import Holding
    from ingot.simulator.market.options import Contract

HOST: Final = "https://api.massive.com"
_LARGEST_PAGE: Final = 1_000
_SMALLEST_PAGE: Final = 5


@dataclass(frozen=True, slots=True)
class Reference:
    """What the REST bodies tell: who held which ticker in `[start, end)`, and what happened."""

    holdings: tuple[Holding, ...]
    actions: tuple[Action, ...]
    contracts: tuple[Contract, ...]
    start: date
    end: date
    symbols: int


def bodies(reference: Reference) -> Iterator[tuple[str, bytes]]:
    """Yield each body as (file name, bytes), all pages of every list."""
    page = min(_LARGEST_PAGE, max(_SMALLEST_PAGE, reference.symbols // 4))
    splits = [a for a in reference.actions if a.kind is not ActionKind.DIVIDEND]
    paid = [a for a in reference.actions if a.kind is ActionKind.DIVIDEND]
    yield from _pages("v3/reference/splits", "", _newest(map(_old_split, splits)), page)
    yield from _pages("v3/reference/dividends", "", _newest(map(_old_dividend, paid)), page)
    yield from _pages("stocks/v1/splits", "", _newest(_new_splits(splits)), page)
    yield from _pages("stocks/v1/dividends", "", _newest(_new_dividends(paid, splits)), page)
    for active in (True, False):
        query = "" if active else "&active=false"
        rows = [_ticker(h, reference.end) for h in _latest(reference, active=active)]
        yield from _pages("v3/reference/tickers", query, rows, page, counted=True)
    yield from _details(reference)
    yield from _events(reference)
    listed = [_contract(c) for c in reference.contracts]
    yield from _pages("v3/reference/options/contracts", "", listed, page)


def file_name(path: str, query: str = "") -> str:
    """Return the name of a request's body.

    >>> file_name("v3/reference/tickers", "&active=false")
    'v3__reference__tickers&active=false.json'
    """
    return f"{path.replace('/', '__')}{query}.json"


def adjustment_factors(splits: Sequence[Action]) -> dict[int, Fraction]:
    """Return each split's historical factor by its position: 1 over all ratios from it on."""
    factors: dict[int, Fraction] = {}
    later: dict[str, Fraction] = {}
    for index in range(len(splits) - 1, -1, -1):
        split = splits[index]
        ratio = Fraction(split.split_to, split.split_from)
        ticker = split.holding.ticker
        later[ticker] = later.get(ticker, Fraction(1)) / ratio
        factors[index] = later[ticker]
    return factors


def _pages(
    path: str, query: str, rows: Sequence[dict[str, Any]], page: int, *, counted: bool = False
) -> Iterator[tuple[str, bytes]]:
    starts = range(0, len(rows), page) if rows else (0,)
    for start in starts:
        cursor = f"&cursor={_cursor(path, query, start)}" if start else ""
        here = rows[start : start + page]
        body: dict[str, Any] = {"results": here, "status": "OK"}
        body["request_id"] = _request_id(path, query, start)
        if counted:
            body["count"] = len(here)
        if start + page < len(rows):
            next_cursor = _cursor(path, query, start + page)
            body["next_url"] = f"{HOST}/{path}?cursor={next_cursor}"
        yield file_name(path, cursor or query), _json(body)


def _cursor(path: str, query: str, start: int) -> str:
    text = f"{query.removeprefix('&')}&at={start}&of={path}".removeprefix("&")
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _request_id(*parts: object) -> str:
    return f"{key('request', *parts):016x}{key('request', 'more', *parts):016x}"


def _json(body: dict[str, Any]) -> bytes:
    return (json.dumps(body, indent=1) + "\n").encode()


def _newest(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows as the vendor sorts them: latest date first, then by ticker."""
    by_ticker = sorted(rows, key=lambda r: str(r["ticker"]))
    return sorted(
        by_ticker,
        key=lambda r: str(r.get("execution_date") or r.get("ex_dividend_date")),
        reverse=True,
    )


def _old_split(action: Action) -> dict[str, Any]:
    return {
        "execution_date": action.ex_date.isoformat(),
        "split_from": action.split_from,
        "split_to": action.split_to,
        "ticker": action.holding.ticker,
    }


def _new_splits(splits: Sequence[Action]) -> Iterator[dict[str, Any]]:
    factors = adjustment_factors(splits)
    for index, action in enumerate(splits):
        yield {
            "id": _action_id(action),
            **_old_split(action),
            "adjustment_type": str(action.kind),
            "historical_adjustment_factor": float(factors[index]),
        }


def _old_dividend(action: Action) -> dict[str, Any]:
    return {
        "cash_amount": action.cash_micro / MICRO,
        "declaration_date": _iso(action.declared),
        "dividend_type": "CD",
        "ex_dividend_date": action.ex_date.isoformat(),
        "frequency": action.frequency,
        "pay_date": _iso(action.paid),
        "record_date": _iso(action.record),
        "ticker": action.holding.ticker,
    }


def _new_dividends(paid: Sequence[Action], splits: Sequence[Action]) -> Iterator[dict[str, Any]]:
    split_factors = adjustment_factors(splits)
    later: dict[str, float] = {}
    for action in reversed(paid):
        ticker, cash = action.holding.ticker, action.cash_micro / MICRO
        later[ticker] = later.get(ticker, 1.0) * (1.0 - cash / action.close_before)
        after = (
            split_factors[i]
            for i, s in enumerate(splits)
            if s.holding.ticker == ticker and s.ex_date > action.ex_date
        )
        old = _old_dividend(action)
        old.pop("dividend_type")
        yield {
            "id": _action_id(action),
            **old,
            "split_adjusted_cash_amount": round(cash * float(next(after, Fraction(1))), 9),
            "currency": "USD",
            "distribution_type": "recurring",
            "historical_adjustment_factor": round(later[ticker], 12),
        }


def _action_id(action: Action) -> str:
    return f"{key(action.holding.instrument.composite_figi, action.ex_date, action.kind):016x}"


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _latest(reference: Reference, *, active: bool) -> list[Holding]:
    """Return who holds a ticker at the end, or who held it last before being delisted."""
    begun = sorted((h for h in reference.holdings if h.start < reference.end), key=_by_start)
    last = {h.instrument.composite_figi: h for h in begun}.values()
    alive = [h for h in last if (h.end is None or h.end >= reference.end) is active]
    return sorted(alive, key=lambda h: (h.ticker, h.start))


def _by_start(holding: Holding) -> tuple[date, str]:
    return holding.start, holding.ticker


def _ticker(holding: Holding, end: date) -> dict[str, Any]:
    instrument = holding.instrument
    active = holding.end is None or holding.end >= end
    row: dict[str, Any] = {
        "ticker": holding.ticker,
        "name": instrument.name,
        "market": "stocks",
        "locale": "us",
        "primary_exchange": instrument.primary_exchange,
        "type": instrument.kind,
        "active": active,
        "currency_name": "usd",
    }
    if instrument.cik:
        row["cik"] = instrument.cik
    row["composite_figi"] = instrument.composite_figi
    row["share_class_figi"] = instrument.share_class_figi
    if not active:
        # documented as the last date of trading; an end is the first date after it
        last = holding.end - timedelta(days=1) if holding.end else None
        row["delisted_utc"] = f"{_iso(last)}T00:00:00Z"
    row["last_updated_utc"] = f"{end.isoformat()}T00:00:00Z"
    return row


def _details(reference: Reference) -> Iterator[tuple[str, bytes]]:
    """Yield the overview of every ticker that changed hands in the span."""
    for holding in _latest(reference, active=True):
        if holding.start < reference.start:
            continue
        path = f"v3/reference/tickers/{holding.ticker}"
        row = _ticker(holding, reference.end)
        row.pop("last_updated_utc")
        row["ticker_root"] = holding.ticker.partition(".")[0]
        row["list_date"] = holding.instrument.list_date.isoformat()
        yield file_name(path), _json(_single(path, row))


def _events(reference: Reference) -> Iterator[tuple[str, bytes]]:
    """Yield the ticker changes of every instrument that had one in the span."""
    changes: dict[str, list[Holding]] = {}
    for holding in sorted(reference.holdings, key=_by_start, reverse=True):
        if holding.start < reference.end:
            changes.setdefault(holding.instrument.composite_figi, []).append(holding)
    for figi, held in sorted(changes.items()):
        if len(held) > 1:
            path = f"vX/reference/tickers/{held[0].ticker}/events"
            rows = [
                {
                    "ticker_change": {"ticker": h.ticker},
                    "type": "ticker_change",
                    "date": h.start.isoformat(),
                }
                for h in held
            ]
            row = {"name": held[0].instrument.name, "composite_figi": figi}
            if held[0].instrument.cik:
                row["cik"] = held[0].instrument.cik
            body = _single(path, {**row, "events": rows})
            yield file_name(path, "&types=ticker_change"), _json(body)


def _single(path: str, results: dict[str, Any]) -> dict[str, Any]:
    return {"results": results, "status": "OK", "request_id": _request_id(path)}


def _contract(contract: Contract) -> dict[str, Any]:
    strike = contract.strike
    return {
        "cfi": "OCASPS" if contract.is_call else "OPASPS",
        "contract_type": "call" if contract.is_call else "put",
        "exercise_style": "american",
        "expiration_date": contract.expiry.isoformat(),
        "primary_exchange": "BATO",
        "shares_per_contract": 100,
        "strike_price": int(strike) if strike == int(strike) else strike,
        "ticker": contract.ticker,
        "underlying_ticker": contract.stock,
    }
