"""SQL of the smaller queries: which symbols, which sessions, which versions of a day's bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingot.errors import QueryError
from ingot.tables.gold import DAILY_BARS
from ingot.tables.silver import DAY_BARS, MINUTE_BARS, SESSIONS
from ingot.tables.view import HISTORY, Condition

if TYPE_CHECKING:
    from datetime import date

_BAR = "open, high, low, close, volume, transactions"


@dataclass(frozen=True, slots=True)
class Listing:
    """SQL over the views of `tables`, each narrowed by the conditions."""

    sql: str
    tables: tuple[str, ...]
    conditions: tuple[Condition, ...]


def symbols(start: date, end: date) -> Listing:
    """List the symbols with a bar on a trade date in `[start, end)`.

    Columns: symbol, first_date, last_date (within the range), days (trade dates with a day bar or
    minutes), sources (names, joined by commas).
    """
    tables = (DAY_BARS.name, DAILY_BARS.name)
    rows = " UNION ALL ".join(f"SELECT symbol, trade_date, source FROM {t}" for t in tables)
    sql = (
        "SELECT symbol, min(trade_date) AS first_date, max(trade_date) AS last_date, "
        "count(DISTINCT trade_date) AS days, "
        "string_agg(DISTINCT source, ',' ORDER BY source) AS sources "
        f"FROM ({rows}) AS bars GROUP BY symbol ORDER BY symbol"
    )
    return Listing(sql, tables, _range(start, end))


def sessions(start: date, end: date) -> Listing:
    """List the sessions of trade dates in `[start, end)`, with bounds as instants and as ns."""
    sql = (
        "SELECT calendar, trade_date, session, "
        "make_timestamptz(start_ns // 1000) AS session_start, "
        "make_timestamptz(end_ns // 1000) AS session_end, start_ns, end_ns "
        f"FROM {SESSIONS.name} ORDER BY calendar, trade_date, start_ns"
    )
    return Listing(sql, (SESSIONS.name,), _range(start, end))


def history(symbol: str, trade_date: date, *, interval: str = "1m") -> Listing:
    """List every version of a symbol's bars of one trade date, from when to when it was known.

    Raises:
        QueryError: The interval is neither 1m nor 1d: other bars are made at read time.
    """
    tables = {"1m": MINUTE_BARS, "1d": DAY_BARS}
    if interval not in tables:
        raise QueryError(
            f"interval was {interval!r}: versions are kept of 1m and 1d bars; others are made of "
            "them when they are read."
        )
    table = tables[interval]
    session = "session, " if interval == "1m" else ""
    sql = (
        f"SELECT source, dataset, symbol, trade_date, {session}bar_start, {_BAR}, stale_refused, "
        f"known_from, known_to FROM {table.name}{HISTORY} "
        "ORDER BY bar_start_ns, source, dataset, known_from"
    )
    conditions = (Condition("symbol", "=", symbol), Condition("trade_date", "=", trade_date))
    return Listing(sql, (table.name + HISTORY,), conditions)


def _range(start: date, end: date) -> tuple[Condition, ...]:
    return (Condition("trade_date", ">=", start), Condition("trade_date", "<", end))
