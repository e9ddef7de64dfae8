"""SQL that resamples minutes into wider bars, and fills absent ones where asked to.

New York's clock differs from UTC by whole hours on every day since 1883, and every width divides
an hour, so buckets of New York clock hours are buckets of UTC: no time zone in the SQL. A
session's buckets begin at its start, which may be at half past.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ingot.model.time import NS_PER_SECOND
from ingot.tables.view import literal, name

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date

    from ingot.model.calendar import Session

_PRICES = ("open", "high", "low", "close")
_COUNTS = ("volume", "transactions", "bars", "bar_count")


def resampled(
    rows: str, *, label: Sequence[str], width_ns: int | None, sessions: Collection[Session]
) -> str:
    """Return the SELECT that makes one bar of the minutes in each bucket.

    Args:
        rows: What stands in FROM: minute bars, one version of each.
        label: Columns that a bucket never crosses, trade_date among them.
        width_ns: Width of a bucket; None for one bucket per label.
        sessions: Sessions at whose starts the buckets begin; none for the New York clock.
    """
    keys = [name(column) for column in label]
    bucket = None if width_ns is None else bucket_start(width_ns, sessions)
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
    )
    shown = ", ".join([*keys, *starts, *values])
    return f"SELECT {shown} FROM {source} GROUP BY {', '.join(grouped)}"


def bucket_start(width_ns: int, sessions: Collection[Session]) -> str:
    """Return SQL for the start of the bucket that holds `bar_start_ns`, nanoseconds UTC."""
    offsets = {s.trade_date: s.start_ns % width_ns for s in sessions}
    usual = Counter(offsets.values()).most_common(1)[0][0] if offsets else 0
    unusual = sorted({offset for offset in offsets.values() if offset != usual})
    whens = "".join(
        f" WHEN trade_date IN ({', '.join(_dates(offsets, offset))}) THEN {offset}"
        for offset in unusual
    )
    anchor = f"(CASE{whens} ELSE {usual} END)" if whens else str(usual)
    return f"bar_start_ns - (bar_start_ns - {anchor}) % {width_ns}"


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


def _dates(offsets: dict[date, int], offset: int) -> list[str]:
    return [literal(day) for day, found in sorted(offsets.items()) if found == offset]
