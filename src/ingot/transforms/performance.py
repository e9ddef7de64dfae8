"""Performance: returns, volatility, Sharpe ratio, year to date and drawdown, as they were known.

Choices that the definitions leave open:

* A key is (symbol, session) on one basis. It exists while the session has a close in force: the
  vendor's day bar, else the bar made of minutes; the same table then gives the whole window.
* Its window is the last `LOOKBACK_SESSIONS` sessions of the instrument that the symbol was on that
  session, under all its symbols. A close carries over sessions without a trade for as long as it
  is in the window, and the return over a pause of more than `LONGEST_PAUSE` sessions does not
  count. So no value depends on how much was read. `history_from` is the first close of the
  window.
* Change points of a key are the first moment at which it was known and every later moment at
  which a row of its window was added, changed, withdrawn, or found to be another instrument's.
  Consecutive equal versions are one.
* The sums over returns and logarithms are sums of integers (10^-14 and 10^-15), exact in any order;
  there is one division and one root at the end. A return above 1000 does not count.
* A return reaches from the last close before the window to the session's own; on an adjusted basis
  closes are first multiplied by what one share has become (splits, and cash reinvested at the
  close of the ex-date). Of several actions in one pause the cash is taken per new share.
* Year to date starts at the last close of the previous calendar year; null if it has none in the
  window. Sharpe is null where all returns are equal.
* `suspect_action` looks at the session itself: on basis raw at a return beyond 40 %, otherwise at
  an action that is not applied and that is too large, or of which the return is beyond 40 %.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ingot.errors import QueryError
from ingot.model.time import FOREVER
from ingot.tables import gold
from ingot.tables.contract import Date, Decimal, Float64, Int32, String, TimestampUs
from ingot.transforms.sql_literals import literal
from ingot.transforms.transform import Transform, sql_text
from ingot.transforms.version_history import versioned_sql

if TYPE_CHECKING:
    from ingot.model.unit import Scope

LOOKBACK_SESSIONS: Final = 280
"""Sessions before a key's own that its values may read; more than a year's, for closes to carry."""
LONGEST_PAUSE: Final = LOOKBACK_SESSIONS - 90
"""Sessions between two closes beyond which their return does not count."""
BASES: Final = ("raw", "split", "total_return")
HOLDERS: Final = {
    "symbol": String,
    "start": Date,
    "until": Date,
    "instrument": String,
    "known_from": TimestampUs,
    "known_to": TimestampUs,
}
"""Which instrument a symbol is on trade dates `[start, until)`; each date at each moment once."""
ACTIONS: Final = {
    "instrument": String,
    "ex_date": Date,
    "ratio": Float64,
    "cash": Decimal(18, 9),
    "unapplied_split": Int32,
    "unapplied_cash": Int32,
    "known_from": TimestampUs,
    "known_to": TimestampUs,
}
"""New shares for one, and cash for each new one; of what is not applied 2 (1) if the session's
return is suspect (where it is beyond 40 %)."""
_RAW_LEVELS: Final = (
    "levels AS (SELECT series, first_i, i, CAST(close AS DOUBLE) AS level FROM chosen)"
)
_ADJUSTED_LEVELS: Final = """steps AS (
  SELECT series, first_i, i, close,
    LAG(i) OVER (PARTITION BY series ORDER BY i) AS previous_i
  FROM {chosen}
),
gains AS (
  SELECT s.series, s.i,
    CAST(SUM(CAST(CAST(FLOOR(LN(a.ratio) * 1e15 + 0.5) AS BIGINT) AS HUGEINT)) AS HUGEINT) AS split,
    CAST(SUM(a.cash) AS DECIMAL(38, 9)) AS cash, MAX(a.unapplied) AS unapplied
  FROM acting AS a
  JOIN wanted AS w
    ON a.instrument = w.instrument AND a.known_from < w.until AND w.until <= a.known_to
  JOIN steps AS s ON s.series = w.series AND s.previous_i < a.i AND a.i <= s.i
  GROUP BY s.series, s.i
),
grown AS (
  SELECT s.series, s.first_i, s.i, s.close,
    CASE WHEN g.split IS NULL THEN CAST(0 AS HUGEINT) ELSE g.split + CAST(CAST(FLOOR(
      LN((CAST(s.close AS DOUBLE) + CAST(g.cash AS DOUBLE)) / CAST(s.close AS DOUBLE)) * 1e15 + 0.5
    ) AS BIGINT) AS HUGEINT) END AS x
  FROM steps AS s
  LEFT JOIN gains AS g ON s.series = g.series AND s.i = g.i
),
levels AS (
  SELECT series, first_i, i,
    CAST(close AS DOUBLE) * EXP(CAST(SUM(x) OVER (
      PARTITION BY series ORDER BY i ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS DOUBLE) / 1e15) AS level
  FROM grown{others}
)"""

_ACTED: Final = """acted AS (
  SELECT DISTINCT w.series
  FROM acting AS a
  JOIN wanted AS w
    ON a.instrument = w.instrument AND a.known_from < w.until AND w.until <= a.known_to
),
"""
_OTHERS: Final = """
  UNION ALL
  SELECT series, first_i, i, CAST(close AS DOUBLE) AS level
  FROM chosen WHERE series NOT IN (SELECT series FROM acted)"""
"""Levels of the series on which nothing acts: for one session, sums over all would cost most."""


def performance_transform(
    *, basis: str = "raw", risk_free_rate: float = 0.0, sessions_per_year: int = 252
) -> Transform:
    """Return the transform of gold.performance with these rules, which its digest names.

    Args:
        basis: raw, split or total_return. Raw reads no actions.
        risk_free_rate: A year's, as a fraction.
        sessions_per_year: 252; 365 for a market that never closes.

    Raises:
        QueryError: There is no such basis.
    """
    if basis not in BASES:
        raise QueryError(f"The basis was {basis!r}: choose one of {', '.join(BASES)}.")
    return Transform(
        name="gold.performance",
        output=gold.PERFORMANCE,
        inputs=("day_bars", "daily_bars", "holders", "actions", "calendar"),
        sql=_text("performance_windows.sql"),
        parameters={
            "basis": basis,
            "risk_free_rate": repr(float(risk_free_rate)),
            "sessions_per_year": str(sessions_per_year),
            "lookback_sessions": str(LOOKBACK_SESSIONS),
            "levels": _levels(basis, one_session=False),
            "session": sql_text("performance_session.sql"),
            "session_levels": _levels(basis, one_session=True),
            "actions": sql_text("performance_actions.sql"),
        },
    )


def performance_sql(
    scope: Scope,
    *,
    basis: str = "raw",
    risk_free_rate: float = 0.0,
    sessions_per_year: int = 252,
    one_session: bool = False,
) -> str:
    """Return the text of the history of gold.performance on the trade dates of the scope.

    It reads, each from `LOOKBACK_SESSIONS` sessions before the scope to its end: `day_bars` and
    `daily_bars`, all versions of silver.day_bars and gold.daily_bars of the scope's source;
    `holders`, which instrument each symbol is (a symbol that is not there is one by itself);
    `actions`, what acts on each instrument's ex-dates (basis raw reads none); `calendar`, the
    market's trade_date and session_index, which counts sessions without a gap and covers the year
    before. The rows carry the scope's `dataset`. `HOLDERS` and `ACTIONS` name the columns.

    With `one_session` the closes of the scope are all of one session: a text of aggregates, not of
    windows, gives the same rows in a fraction of the time.
    """
    transform = performance_transform(
        basis=basis, risk_free_rate=risk_free_rate, sessions_per_year=sessions_per_year
    )
    middle = "performance_session.sql" if one_session else "performance_windows.sql"
    return versioned_sql(
        replace(transform, sql=_text(middle)),
        scope,
        constants={
            "basis": literal(basis),
            "adjusted": "FALSE" if basis == "raw" else "TRUE",
        },
        lookback=str(LOOKBACK_SESSIONS),
        longest_pause=str(LONGEST_PAUSE),
        per_year=f"{float(sessions_per_year)!r}",
        risk_free=f"CAST({float(risk_free_rate)!r} AS DOUBLE)",
        levels=_levels(basis, one_session=one_session),
        **_action_parts(basis),
    )


def _text(middle: str) -> str:
    return "".join(map(sql_text, ("performance_keys.sql", middle, "performance_values.sql")))


def _levels(basis: str, *, one_session: bool) -> str:
    if basis == "raw":
        return _RAW_LEVELS
    if not one_session:
        return _ADJUSTED_LEVELS.format(chosen="chosen", others="")
    acted = "chosen WHERE series IN (SELECT series FROM acted)"
    return _ACTED + _ADJUSTED_LEVELS.format(chosen=acted, others=_OTHERS)


def _action_parts(basis: str) -> dict[str, str]:
    """Return what the actions add to the text: nothing on basis raw."""
    if basis == "raw":
        parts = dict.fromkeys(("acting", "action_moments", "late_actions", "unapplied"), "")
        return parts | {"suspect": "ABS(m.r) > 0.4"}
    filled = {
        "split": {
            "cash": "CAST(0 AS DECIMAL(18, 9))",
            "unapplied": "a.unapplied_split",
            "acts": "a.ratio <> 1 OR a.unapplied_split > 0",
        },
        "total_return": {
            "cash": "a.cash",
            "unapplied": "GREATEST(a.unapplied_split, a.unapplied_cash)",
            "acts": "TRUE",
        },
    }[basis]
    acting = Transform("acting", gold.PERFORMANCE, (), sql_text("performance_actions.sql"))
    return {
        "acting": f"acting AS (\n{acting.fill(**filled)}),",
        "action_moments": (
            "UNION SELECT i, known_from AS moment FROM acting\n"
            f"  UNION SELECT i, known_to AS moment FROM acting WHERE known_to < {literal(FOREVER)}"
        ),
        "late_actions": "\n  ".join(
            f"UNION SELECT a.instrument, {tier} AS tier, a.i, a.{bound} AS moment\n"
            f"  FROM acting AS a JOIN late_moments AS l ON a.i = l.i AND a.{bound} = l.moment"
            for tier in (0, 1)
            for bound in ("known_from", "known_to")
        ),
        "unapplied": "LEFT JOIN gains AS g ON w.series = g.series AND a.i = g.i",
        "suspect": "g.unapplied = 2 OR (g.unapplied = 1 AND ABS(m.r) > 0.4)",
    }
