"""Causes in which hours a bar is made of: the closing auction, other sessions, part of a week."""

from __future__ import annotations

from typing import Final

from ingot.quality.reconcile.align import SESSIONS
from ingot.quality.reconcile.causes import PAIRS, Cause, evidence, number
from ingot.quality.reconcile.schema_drift import PRICES, A, B, Tolerance, first_date, last_date

_TABLES: Final = {"a": A, "b": B}


def hours(tolerance: Tolerance, *, weekly: bool) -> str:
    """Return the text that names bars made of other hours.

    Args:
        tolerance: What is the same.
        weekly: True where both sides are weeks.
    """
    texts = [
        text
        for made, stated in (("a", "b"), ("b", "a"))
        for text in (
            _auction(made, stated, tolerance),
            _all_sessions(made, stated, tolerance),
            _absent_session(made, stated),
            _absent_date(made, stated),
        )
    ]
    if weekly:
        texts += [_partial("a", "b"), _partial("b", "a")]
    return " UNION ALL ".join(texts)


def _auction(made: str, stated: str, tolerance: Tolerance) -> str:
    """Each price that differs is a print of the bar that starts at the close.

    A symbol that only the auction traded has no regular prices at all.
    """
    half = tolerance.half_tick_of(f"auction_low_{made}")
    fits = [
        f"(NOT {n}_differs OR ({n}_{stated} BETWEEN auction_low_{made} - {half} "
        f"AND auction_high_{made} + {half}"
        + (f" AND open_{made} IS NULL" if n == "open" else "")
        + "))"
        for n in PRICES
    ]
    return (
        f"SELECT symbol, start_ns, 'price' AS measure, '{Cause.CLOSING_AUCTION}' AS cause, "
        "false AS basis, "
        + evidence(
            last_regular=f"close_{made}",
            auction_low=f"auction_low_{made}",
            auction_high=f"auction_high_{made}",
            day_close=f"close_{stated}",
        )
        + f" AS evidence FROM {PAIRS} WHERE price_differs AND auction_low_{made} IS NOT NULL "
        f"AND {' AND '.join(fits)}"
    )


def _all_sessions(made: str, stated: str, tolerance: Tolerance) -> str:
    """Each price that differs is that of all sessions together."""
    fits = [
        f"(NOT {n}_differs OR NOT "
        + tolerance.price_differs(f"all_{n}_{made}", f"{n}_{stated}")
        + ")"
        for n in PRICES
    ]
    return (
        f"SELECT symbol, start_ns, 'price', '{Cause.SESSION_SET}', false, "
        + evidence(
            regular_high=f"high_{made}",
            regular_low=f"low_{made}",
            all_high=f"all_high_{made}",
            all_low=f"all_low_{made}",
        )
        + f" FROM {PAIRS} WHERE price_differs AND all_close_{made} IS NOT NULL "
        f"AND {' AND '.join(fits)}"
    )


def _absent_session(has: str, lacks: str) -> str:
    """The other side has no bar in this session of any symbol, or none of regular hours here."""
    other = _TABLES[lacks]
    return (
        f"SELECT p.symbol, p.start_ns, 'bar', '{Cause.SESSION_SET}', false, "
        + evidence(session=f"p.session_{has}", bars_of_other="0")
        + f" FROM {PAIRS} AS p WHERE p.in_{has} AND NOT p.in_{lacks} AND "
        f"((p.session_{has} <> 'regular' AND p.session_{has} NOT IN "
        f"(SELECT DISTINCT session FROM {other} WHERE session IS NOT NULL) "
        f"AND EXISTS (SELECT 1 FROM {other} WHERE session IS NOT NULL)) "
        f"OR (p.volume_regular_{has} IS NOT NULL AND p.open_{has} IS NULL))"
    )


def _absent_date(has: str, lacks: str) -> str:
    """The other side has no bar of any symbol on a date that is no trade date of the calendar."""
    other, own = _TABLES[lacks], _TABLES[has]
    return (
        f"SELECT p.symbol, p.start_ns, 'bar', '{Cause.SESSION_SET}', false, "
        + evidence(symbols="d.symbols", symbols_of_other="0", weekday="isodow(p.trade_date)")
        + f" FROM {PAIRS} AS p JOIN (SELECT trade_date, count(DISTINCT symbol) AS symbols "
        f"FROM {own} GROUP BY trade_date) AS d USING (trade_date) "
        f"WHERE p.in_{has} AND NOT p.in_{lacks} "
        f"AND p.trade_date BETWEEN {first_date(lacks)} AND {last_date(lacks)} "
        f"AND p.trade_date NOT IN (SELECT DISTINCT trade_date FROM {other}) "
        "AND (isodow(p.trade_date) > 5 OR (p.trade_date NOT IN (SELECT trade_date "
        f"FROM {SESSIONS} WHERE session = 'regular') AND p.trade_date BETWEEN "
        f"(SELECT min(trade_date) FROM {SESSIONS}) AND (SELECT max(trade_date) FROM {SESSIONS})))"
    )


def _partial(part: str, whole: str) -> str:
    """The first or last week of a side lies within the other's and trades less."""
    within = (
        f"volume_{part} > 0 AND volume_{part} < volume_{whole} AND high_{part} <= high_{whole} "
        f"AND low_{part} >= low_{whole}"
    )
    ends = (
        f"((start_ns = (SELECT max(start_ns) FROM {_TABLES[part]}) AND NOT open_differs) OR "
        f"(start_ns = (SELECT min(start_ns) FROM {_TABLES[part]}) AND NOT close_differs))"
    )
    return (
        f"SELECT symbol, start_ns, m.measure, '{Cause.PARTIAL_WEEK}', false, "
        + evidence(
            partial=f"'{part}'",
            volume_share=number(f"volume_{part} / nullif(volume_{whole}, 0)"),
            days_a="bars_a",
            days_b="bars_b",
        )
        + f" FROM {PAIRS} CROSS JOIN (VALUES ('price'), ('volume')) AS m(measure) "
        f"WHERE (price_differs OR volume_differs) AND {within} AND {ends}"
    )
