"""SQL of silver.revisions, and of the query what a vendor changed and who used the old value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ingot.errors import QueryError
from ingot.query.requests.listings import Listing
from ingot.tables.gold import DAILY_BARS, PERFORMANCE
from ingot.tables.input import QueryRelation
from ingot.tables.revisions import REVISIONS
from ingot.tables.silver import DAY_BARS, MINUTE_BARS
from ingot.tables.view import HISTORY, Condition, View, literal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from ingot.tables.contract import Table

BARS: Final = {"1m": MINUTE_BARS, "1d": DAY_BARS}
"""The tables whose revisions are shown, by interval."""
INPUTS: Final = tuple(table.name + HISTORY for table in BARS.values())
_VALUES: Final = ("open", "high", "low", "close", "volume", "transactions")
_KEY: Final = ("source", "dataset", "interval", "symbol", "trade_date", "bar_start", "bar_start_ns")
_SAME: Final = " AND ".join(
    f"n.{c} = o.{c}" for c in ("source", "dataset", "interval", "symbol", "bar_start_ns")
)
_EVER: Final = "TIMESTAMP WITH TIME ZONE '9999-01-01 00:00:00+00:00'"
_NARROWING: Final = {"symbol", "trade_date", "source", "dataset"}


@dataclass(frozen=True, slots=True)
class Republished:
    """A file that came into force more than once."""

    source: str
    dataset: str
    file_date: date
    first_known: datetime
    """From when its first version is in force."""


def revisions(
    inputs: Sequence[View], files: Sequence[Republished], conditions: Sequence[Condition] = ()
) -> View:
    """Return the view silver.revisions over the histories of minute and day bars.

    Args:
        inputs: The views `INPUTS`, bound to a moment.
        files: Which files can have had a bar added to them.
        conditions: What its rows must keep.
    """
    columns = REVISIONS.column_names
    view = View(REVISIONS.name, QueryRelation(_text(files), tuple(inputs)), columns)
    return view.narrowed(*conditions)


def narrowing(conditions: Sequence[Condition]) -> tuple[Condition, ...]:
    """Return those conditions on revisions that hold for the bars as well."""
    return tuple(c for c in conditions if c.column in _NARROWING)


def question(
    *,
    symbol: str | None = None,
    start: date,
    end: date,
    interval: str | None = None,
    since: datetime | None = None,
) -> Listing:
    """Ask what changed of trade dates in `[start, end)`, and which gold rows it replaced.

    `gold_days` names the rows of gold that the old value had made: those of the symbol whose
    known time ends when it was revised.

    Raises:
        QueryError: The interval is neither 1m nor 1d.
    """
    if interval is not None and interval not in BARS:
        raise QueryError(f"interval was {interval!r}: revisions are kept of 1m and 1d bars.")
    conditions = [Condition("trade_date", ">=", start), Condition("trade_date", "<", end)]
    if symbol is not None:
        conditions.append(Condition("symbol", "=", symbol))
    kept = [f"interval = {literal(interval)}"] if interval else []
    kept += [f"revised_at >= {literal(since)}"] if since else []
    shown = ", ".join(c for c in REVISIONS.column_names if c != "bar_start_ns")
    text = f"""
SELECT {", ".join(f"r.{c}" for c in shown.split(", "))}, r.trade_date AS silver_day,
  d.days AS gold_daily_bars, p.first_day AS gold_performance_from, p.last_day AS
  gold_performance_to
FROM (SELECT * FROM {REVISIONS.name} WHERE {" AND ".join(kept) or "true"}) AS r
LEFT JOIN (
  SELECT source, symbol, trade_date, known_to, count(*) AS days FROM {DAILY_BARS.name}{HISTORY}
  WHERE known_to < {_EVER} GROUP BY ALL
) AS d ON r.interval = '1m' AND d.source = r.source AND d.symbol = r.symbol
  AND d.trade_date = r.trade_date AND d.known_to = r.revised_at
LEFT JOIN (
  SELECT source, symbol, known_to, min(trade_date) AS first_day, max(trade_date) AS last_day
  FROM {PERFORMANCE.name}{HISTORY} WHERE known_to < {_EVER} GROUP BY ALL
) AS p ON p.source = r.source AND p.symbol = r.symbol AND p.known_to = r.revised_at
  AND p.last_day >= r.trade_date
ORDER BY r.revised_at, r.source, r.symbol, r.bar_start_ns, r.interval, r.column_name"""
    tables = (REVISIONS.name, DAILY_BARS.name + HISTORY, PERFORMANCE.name + HISTORY)
    return Listing(text, tables, tuple(conditions))


def _text(files: Sequence[Republished]) -> str:
    bars = [_bars(table, interval) for interval, table in BARS.items()]
    key = ", ".join(f"o.{c}" for c in _KEY)
    new_key = ", ".join(f"n.{c}" for c in _KEY)
    old, new = (
        f"CASE v.column_name {' '.join(f'WHEN {literal(c)} THEN {s}.{c}' for c in _VALUES)} END"
        for s in "on"
    )
    values = ", ".join(f"({literal(c)})" for c in _VALUES)
    return f"""WITH versions AS ({" UNION ALL ".join(bars)}),
ended AS (SELECT * FROM versions WHERE known_to < {_EVER}),
names AS (SELECT * FROM (VALUES {values}) AS t(column_name)),
files AS ({_files(files)}),
pairs AS (
  SELECT {key}, 'changed' AS kind, v.column_name, {old} AS old_value, {new} AS new_value,
    o.known_from AS replaced_from, n.known_from AS revised_at
  FROM ended AS o JOIN versions AS n ON {_SAME} AND n.known_from = o.known_to
  CROSS JOIN names AS v
),
found AS (
  SELECT * FROM pairs WHERE old_value <> new_value
  UNION ALL
  SELECT {key}, 'withdrawn', 'close', o.close, NULL, o.known_from, o.known_to
  FROM ended AS o LEFT JOIN versions AS n ON {_SAME} AND n.known_from = o.known_to
  WHERE n.symbol IS NULL
  UNION ALL
  SELECT {new_key}, 'added', 'close', NULL, n.close, f.first_known, n.known_from
  FROM versions AS n
  JOIN files AS f ON f.source = n.source AND f.dataset = n.dataset AND f.filed = n.filed
  LEFT JOIN ended AS o ON {_SAME} AND o.known_to = n.known_from
  WHERE n.known_from > f.first_known AND o.symbol IS NULL
)
SELECT {", ".join(_KEY)}, kind, column_name, CAST(old_value AS DECIMAL(18, 6)) AS old_value,
  CAST(new_value AS DECIMAL(18, 6)) AS new_value,
  CAST(new_value - old_value AS DECIMAL(20, 6)) AS change,
  CASE WHEN old_value <> 0 THEN CAST(new_value - old_value AS DOUBLE) * 100
    / CAST(old_value AS DOUBLE) END AS change_pct,
  replaced_from, revised_at
FROM found"""


def _files(files: Sequence[Republished]) -> str:
    rows = ", ".join(
        f"({literal(f.source)}, {literal(f.dataset)}, {literal(f.file_date)}, "
        f"{literal(f.first_known)})"
        for f in files
    )
    nothing = f"('', '', DATE '1970-01-01', {_EVER})"
    return f"SELECT * FROM (VALUES {rows or nothing}) AS t(source, dataset, filed, first_known)"


def _bars(table: Table, interval: str) -> str:
    """Return the versions of a table's bars with the New York date that they were filed under."""
    values = ", ".join(f"CAST({c} AS DECIMAL(18, 6)) AS {c}" for c in _VALUES)
    filed = "CAST(timezone('America/New_York', bar_start) AS DATE)"
    return (
        f"SELECT source, dataset, {literal(interval)} AS interval, symbol, trade_date, bar_start, "
        f"bar_start_ns, {filed} AS filed, {values}, known_from, known_to "
        f"FROM {table.name}{HISTORY}"
    )
