"""A body of Yahoo's chart interface as values.

Open, high, low, close and volume are on today's share count: every split up to the answer is
taken out, dividends are not. Dividends are divided by later splits too. `adjclose` has both taken
out. A bar's timestamp is the start of its session in the exchange's zone; while the session runs,
the last one is the time of the last trade.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ingot.connectors.reference import fields
from ingot.connectors.reference.fields import FaultError
from ingot.errors import CorruptFileError, QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping

_META: Final = ("currency", "symbol", "exchangeTimezoneName", "exchangeName", "instrumentType")
"""What of a body's head does not change from minute to minute."""
PRICES: Final = ("open", "high", "low", "close")
_ODD: Final = (
    *(KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, OSError),
    FaultError,
)
"""What a body raises whose parts are of other kinds or sizes than a chart's."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One symbol's answer."""

    symbol: str
    meta: Mapping[str, Any]
    zone: ZoneInfo
    timestamps: tuple[int, ...]
    series: Mapping[str, tuple[Any, ...]]
    """open, high, low, close, volume and adjclose; each as long as `timestamps`."""
    dividends: tuple[Mapping[str, Any], ...]
    splits: tuple[Mapping[str, Any], ...]
    live_at: int | None
    """Label of a bar whose session still runs, if any."""

    def date_of(self, timestamp: int) -> date:
        """Return the date in the exchange's zone."""
        return datetime.fromtimestamp(timestamp, UTC).astimezone(self.zone).date()


def no_chart(symbol: str) -> QueryError:
    """Return what to say of a symbol that Yahoo does not know: waiting does not help."""
    return QueryError(
        f"Yahoo has no chart for {symbol}. Look at the symbol (BRK-B, not BRK.B); it may be "
        "delisted."
    )


def read_chart(body: Any, symbol: str) -> Chart:  # noqa: ANN401 (JSON)
    """Return the chart of an answer.

    Raises:
        QueryError: Yahoo has nothing for the symbol.
        CorruptFileError: The body is not a chart, or its parts do not fit together.
    """
    chart = body.get("chart") if isinstance(body, dict) else None
    results = chart.get("result") if isinstance(chart, dict) else None
    if not results:
        raise no_chart(symbol)
    try:
        chart = _chart(results[0], symbol)
        events = (*chart.dividends, *chart.splits)
        for stamp in (*chart.timestamps, *(_seconds(e["date"]) for e in events)):
            chart.date_of(stamp)
    except ZoneInfoNotFoundError as exc:
        raise _not_a_chart(symbol, f"its time zone is unknown: {exc}") from exc
    except _ODD as exc:
        raise _not_a_chart(symbol, f"{type(exc).__name__}: {exc}") from exc
    return chart


def _chart(result: Mapping[str, Any], symbol: str) -> Chart:
    head = result["meta"]
    named = str(head.get("symbol") or symbol)
    stamps = tuple(_seconds(stamp) for stamp in result.get("timestamp") or ())
    indicators = result.get("indicators") or {}
    quote = (indicators.get("quote") or [{}])[0]
    adjusted = (indicators.get("adjclose") or [{}])[0].get("adjclose")
    series = {name: tuple(quote.get(name) or ()) for name in (*PRICES, "volume")}
    series["adjclose"] = tuple(adjusted or (None,) * len(stamps))
    if any(len(values) != len(stamps) for values in series.values()):
        raise ValueError("its columns differ in length")
    events = result.get("events") or {}
    return Chart(
        symbol=named,
        meta={name: head[name] for name in _META if name in head} | {"symbol": named},
        zone=ZoneInfo(head["exchangeTimezoneName"]),
        timestamps=stamps,
        series=series,
        dividends=_events(events.get("dividends"), ("date", "amount", "currency")),
        splits=_events(events.get("splits"), ("date", "numerator", "denominator")),
        live_at=_live(head, stamps),
    )


def _events(found: Mapping[str, Any] | None, names: tuple[str, ...]) -> tuple[dict[str, Any], ...]:
    """Return events by date, without what repeats it in other words."""
    kept = [{n: event[n] for n in names if n in event} for event in (found or {}).values()]
    return tuple(sorted(kept, key=lambda event: _seconds(event["date"])))


def _seconds(value: object) -> int:
    return int(fields.json_number(value, "seconds since 1970"))


def _live(head: Mapping[str, Any], stamps: tuple[int, ...]) -> int | None:
    """Return the last label when it is the last trade's time, or when its session runs on."""
    if not stamps:
        return None
    last_trade = _seconds(head.get("regularMarketTime") or 0)
    regular = (head.get("currentTradingPeriod") or {}).get("regular") or {}
    start, end = (_seconds(regular.get(name) or 0) for name in ("start", "end"))
    runs = start <= stamps[-1] < end and last_trade < end
    return stamps[-1] if runs or stamps[-1] == last_trade else None


def is_whole(values: Mapping[str, Any]) -> bool:
    """Return True if no price is missing; Yahoo leaves null where nothing was traded."""
    return all(values[name] is not None for name in PRICES)


def _not_a_chart(symbol: str, why: str) -> CorruptFileError:
    return CorruptFileError(
        f"Yahoo's answer for {symbol} is not the chart we know ({why}). Nothing of it was kept; "
        "look whether the interface changed."
    )
