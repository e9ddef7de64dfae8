"""SQL that resamples minutes into wider bars, and fills absent ones where asked to.

Buckets begin at a session's start, or at New York midnight of the trade date. Python computes where
that is, so that no time zone is in the SQL.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from ingot.model.time import NS_PER_SECOND
from ingot.tables.view import literal, name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

_PRICES = ("open", "high", "low", "close")
_COUNTS = ("volume", "transactions", "bars", "bar_count")


def resampled(
    rows: str, *, label: Sequence[str], bucket: str | None = None, mixed: bool = False
) -> str:
    """Return the SELECT that makes one bar of the minutes in each bucket.

    Args:
        rows: The FROM item: minute bars, one version of each.
        label: Columns that a bucket never crosses, trade_date among them.
        bucket: SQL for the start of a row's bucket (`bucket_start`); None for one per label.
        mixed: Whether a last column says which bars are of minutes of several sessions.
    """
    keys = [name(column) for column in label]
    starts = [] if bucket is None else ["make_timestamptz(bucket_ns // 1000) AS bar_start"]
    grouped = [*keys, "source", *([] if bucket is None else ["bucket_ns"])]
    source = (
        rows if bucket is None else f"(SELECT *, {bucket} AS bucket_ns FROM {rows}) AS bucketed"
    )
    values = (
        "arg_min(open, bar_start_ns) AS open",
        "max(high) AS high",
        "min(low) AS low",
        "arg_max(close, bar_start_ns) AS close",
        "CAST(sum(volume) AS DECIMAL(18,6)) AS volume",
        "CAST(sum(transactions) AS BIGINT) AS transactions",
        "CAST(count(*) AS INTEGER) AS bars",
        "source",
        *(["min(session) <> max(session) AS mixes_sessions"] if mixed else []),
    )
    shown = ", ".join([*keys, *starts, *values])
    return f"SELECT {shown} FROM {source} GROUP BY {', '.join(grouped)}"


def bucket_start(width_ns: int, offsets: Mapping[date, int]) -> str:
    """Return SQL for the start of the bucket that holds `bar_start_ns`, nanoseconds UTC.

    Args:
        width_ns: Width of a bucket.
        offsets: Of each trade date: by how much its buckets are later than multiples of the width.
    """
    days = sorted(offsets)
    first = offsets[days[0]] if days else 0
    changes = [day for before, day in pairwise(days) if offsets[day] != offsets[before]]
    whens = "".join(f" WHEN trade_date >= {literal(d)} THEN {offsets[d]}" for d in changes[::-1])
    anchor = f"(CASE{whens} ELSE {first} END)" if whens else str(first)
    return f"bar_start_ns - (bar_start_ns - {anchor}) % {width_ns}"


def periods(rows: str, columns: Sequence[str], period: str) -> str:
    """Return the SELECT that makes one bar of the day bars of a symbol in each week or month.

    Args:
        rows: The FROM item: day bars, at most one per symbol and trade date.
        columns: Their columns.
        period: week (from Monday on) or month; `trade_date` shows its first day, and `bars` how
            many day bars there are.
    """
    values = {
        "open": "arg_min(open, day)",
        "high": "max(high)",
        "low": "min(low)",
        "volume": "sum(volume ORDER BY day)",
        "transactions": "sum(transactions)",
        "bars": "count(*)",
    }
    last = [c for c in ("source_symbol", "session", "close", "source", "currency") if c in columns]
    values |= {c: f"arg_max({c}, day)" for c in last}
    order = ("source_symbol", "session", *_PRICES, *_COUNTS, "source", "currency")
    shown = ", ".join(f"{values[c]} AS {c}" for c in order if c in values)
    began = f"CAST(date_trunc('{period}', trade_date) AS DATE)"
    dated = f"SELECT * REPLACE ({began} AS trade_date), trade_date AS day FROM {rows}"
    return (
        f"SELECT symbol, trade_date, {shown} FROM ({dated}) AS dated "
        "GROUP BY symbol, trade_date ORDER BY symbol, trade_date"
    )


def fill_previous(
    body: str,
    columns: Sequence[str],
    *,
    order: Sequence[str],
    days: Sequence[date],
    width_ns: int | None = None,
) -> str:
    """Return `body` with absent bars between a first and a last one filled.

    Prices are the close before, volume and counts 0, all else null; source and currency are those
    before.

    Args:
        body: SELECT of bars.
        columns: Its columns.
        order: Label of a bar without its start; bars of another label are never carried over,
            save that days follow one another.
        days: Trade dates on which day bars are expected.
        width_ns: Width of a bar; None for day bars.
    """
    step = "trade_date" if width_ns is None else "bar_start"
    within = [c for c in order if c != step]
    grid = _days(within, days) if width_ns is None else _starts(within, width_ns)
    keys = ", ".join(map(name, within))
    ordered = f"PARTITION BY {keys} ORDER BY {step} ROWS UNBOUNDED PRECEDING"
    shown = ", ".join(_filled(c, step, within) for c in columns)
    using = ", ".join(map(name, [*within, step]))
    return (
        f"WITH found AS ({body}), grid AS ({grid}) "
        f"SELECT {shown} FROM grid LEFT JOIN found USING ({using}) WINDOW before AS ({ordered})"
    )


def _filled(column: str, step: str, within: Sequence[str]) -> str:
    if column == step or column in within:
        return name(column)
    if column in _PRICES:
        carried = "last_value(found.close IGNORE NULLS) OVER before"
        return f"coalesce(found.{column}, {carried}) AS {column}"
    if column in {"source", "source_symbol", "currency"}:
        return f"last_value(found.{column} IGNORE NULLS) OVER before AS {column}"
    if column in _COUNTS:
        return f"coalesce(found.{column}, 0) AS {column}"
    return f"found.{column}"


def _starts(within: Sequence[str], width_ns: int) -> str:
    keys = ", ".join(map(name, within))
    every = f"INTERVAL {width_ns // NS_PER_SECOND} SECONDS"
    return (
        f"SELECT {keys}, unnest(generate_series(first, last, {every})) AS bar_start FROM "
        f"(SELECT {keys}, min(bar_start) AS first, max(bar_start) AS last FROM found "
        f"GROUP BY {keys}) AS spans"
    )


def _days(within: Sequence[str], days: Sequence[date]) -> str:
    keys = ", ".join(map(name, within))
    expected = "".join(f" UNION SELECT {literal(day)}" for day in days)
    return (
        f"SELECT {keys}, trade_date FROM "
        f"(SELECT {keys}, min(trade_date) AS first, max(trade_date) AS last FROM found "
        f"GROUP BY {keys}) AS spans "
        f"JOIN (SELECT DISTINCT trade_date FROM found{expected}) AS days "
        "ON trade_date BETWEEN first AND last"
    )
