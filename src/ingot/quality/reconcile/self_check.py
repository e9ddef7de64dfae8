"""What one file of adjusted day bars says against itself: leaps of prices, stated actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingot.errors import QueryError
from ingot.quality.reconcile.align import aligned
from ingot.quality.reconcile.causes import Cause, Kind, evidence, number

if TYPE_CHECKING:
    from ingot.quality.reconcile.compare import Input

_HUNDRED: Final = (80, 125)
"""A close between so many times the one before and its reverse is in another unit."""
_LEAST_SPLIT: Final = 0.2
_NEAR_SPLIT: Final = 0.1
"""Logarithms: the least split that stands out of a day's moves, and how far a move lies from it."""
_NEAR_DIVIDEND: Final = 0.002
"""Share of a price by which an adjustment may differ from its dividend."""


def alone(given: Input) -> str:
    """Return the text of findings within one side of split-adjusted day bars.

    * A close a hundredfold off the one before: `scale_x100`.
    * A leap by a ratio that the file states as a split: its prices are split-adjusted, so the
      split was not applied, or not everywhere.
    * An adjusted close whose step at a date is not that of the dividend stated there (day bars;
      a week may hold an ex-date within it).

    Raises:
        QueryError: Its bars are narrower than a day.
    """
    if given.side.is_intraday:
        raise QueryError(
            f"The file's bars are of {given.side.interval}; only bars of days or weeks are checked "
            "by themselves. Hold them against another source with: ingot reconcile"
        )
    bars = aligned(given.rows, given.side, given.side.interval, adjust_to=given.side.basis)
    values = ("close", "adj_close", "dividend", "split")
    doubles = ", ".join(f"CAST({n} AS DOUBLE) AS {n}" for n in values)
    lagged = ", ".join(f"lag({n}) OVER own AS {n}_before" for n in ("close", "adj_close"))
    texts = [_leaps(), _splits()]
    if given.side.interval == "1d":
        texts.append(_dividends())
    return (
        f"WITH bars AS (SELECT symbol, trade_date, start_ns, {doubles} FROM ({bars})), "
        f"pairs AS (SELECT *, {lagged} FROM bars WHERE close > 0 "
        "WINDOW own AS (PARTITION BY symbol ORDER BY start_ns)), "
        "stated AS (SELECT DISTINCT symbol, split AS stated FROM bars WHERE split > 0 "
        f"AND abs(ln(split)) > {_LEAST_SPLIT}), "
        f"found AS ({' UNION ALL '.join(texts)}) "
        f"SELECT '{Kind.VALUE_DRIFT}' AS kind, cause, false AS legal, symbol, trade_date, "
        "make_timestamptz(start_ns // 1000) AS bar_start, CAST(NULL AS VARCHAR) AS side, fields, "
        "value_a, value_b, round((value_b - value_a) / nullif(greatest(abs(value_a), "
        "abs(value_b)), 0) * 100, 6) AS difference_pct, evidence FROM found "
        "ORDER BY cause, symbol, trade_date"
    )


def _leaps() -> str:
    low, high = _HUNDRED
    leap = "greatest(close / close_before, close_before / close)"
    return (
        f"SELECT '{Cause.SCALE_X100}' AS cause, symbol, trade_date, start_ns, 'close' AS fields, "
        "close_before AS value_a, close AS value_b, "
        + evidence(ratio=number("close / close_before"))
        + f" AS evidence FROM pairs WHERE {leap} BETWEEN {low} AND {high}"
    )


def _splits() -> str:
    apart = "abs(abs(ln(close / close_before)) - abs(ln(stated)))"
    return (
        f"SELECT '{Cause.SPLIT_FACTOR}', symbol, trade_date, start_ns, 'close', close_before, "
        "close, "
        + evidence(ratio=number("close / close_before"), stated_split="stated")
        + f" FROM pairs JOIN stated USING (symbol) WHERE {apart} < {_NEAR_SPLIT}"
    )


def _dividends() -> str:
    step = "(adj_close_before / close_before) / nullif(adj_close / close, 0)"
    stated = "1 - coalesce(dividend, 0) / close_before"
    return (
        f"SELECT '{Cause.DIVIDEND}', symbol, trade_date, start_ns, 'adj_close,dividend', "
        f"{stated}, {step}, "
        + evidence(
            dividend="coalesce(dividend, 0)",
            implied=number(f"(1 - {step}) * close_before"),
            close_before="close_before",
        )
        + f" FROM pairs WHERE abs({step} - ({stated})) > {_NEAR_DIVIDEND} "
        f"+ 0.000002 / nullif(least(adj_close, adj_close_before), 0)"
    )
