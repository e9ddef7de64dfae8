"""Causes in what is counted as volume: lots, odd lots, hours outside the regular session."""

from __future__ import annotations

from typing import Final

from ingot.quality.reconcile.causes import PAIRS, Cause, evidence, number
from ingot.quality.reconcile.inputs import SHARES_PER_LOT
from ingot.quality.reconcile.schema_drift import A, B, Tolerance, decimal

_SHARE: Final = 0.9
"""Share of a symbol's differing volumes that a pattern must hold for."""
_MOST_ODD: Final = 0.3
"""Odd lots of a day are no larger share of its volume than this."""
_LEAST: Final = 3
_DRIFTS: Final = f"SELECT * FROM {PAIRS} WHERE volume_differs AND NOT price_differs"


def counting(tolerance: Tolerance) -> str:
    """Return the text that names what the two sides count differently."""
    return " UNION ALL ".join(
        (
            _lots("a", "b"),
            _lots("b", "a"),
            _round_lots("a", "b"),
            _round_lots("b", "a"),
            _small_bars("a", "b"),
            _small_bars("b", "a"),
            _outside("a", "b", tolerance),
            _outside("b", "a", tolerance),
            _odd_in_days("a", "b", tolerance),
            _odd_in_days("b", "a", tolerance),
        )
    )


def _lots(lots: str, shares: str) -> str:
    """One side's volume is the other's in lots of 100, rounded."""
    exact = (
        f"abs(volume_{lots} * {SHARES_PER_LOT} - volume_{shares}) <= "
        f"least({SHARES_PER_LOT}, 0.1 * volume_{shares} + 50)"
    )
    return (
        f"SELECT d.symbol, d.start_ns, 'volume' AS measure, '{Cause.LOTS}' AS cause, "
        "false AS basis, "
        + evidence(
            lots=f"'{lots}'",
            ratio=number("s.ratio"),
            bars="s.bars",
            of="s.keys",
        )
        + f" AS evidence FROM ({_DRIFTS}) AS d JOIN (SELECT symbol, count(*) AS keys, "
        f"count(*) FILTER (WHERE {exact}) AS bars, "
        f"median(volume_b / nullif(volume_a, 0)) AS ratio FROM ({_DRIFTS}) "
        "GROUP BY symbol) AS s USING (symbol) "
        f"WHERE s.bars >= {_SHARE} * s.keys AND {exact} AND volume_{shares} >= {SHARES_PER_LOT}"
    )


def _round_lots(rounds: str, odds: str) -> str:
    """One side counts round lots only: whole hundreds, never more than the other."""
    whole = f"volume_{rounds} % {SHARES_PER_LOT} = 0"
    some = f"(volume_{rounds} > 0 OR volume_{odds} < {SHARES_PER_LOT})"
    fits = f"({whole} AND {some} AND volume_{rounds} < volume_{odds})"
    return (
        f"SELECT d.symbol, d.start_ns, 'volume', '{Cause.ODD_LOTS}', false, "
        + evidence(
            without=f"'{rounds}'",
            whole_hundreds=number("s.bars / s.keys"),
            whole_hundreds_other=number("s.whole_other / s.keys"),
            missing_shares=number("s.missing"),
            bars="s.bars",
            of="s.keys",
        )
        + f" FROM ({_DRIFTS}) AS d JOIN (SELECT symbol, count(*) AS keys, "
        f"count(*) FILTER (WHERE {fits}) AS bars, "
        f"count(*) FILTER (WHERE volume_{odds} % {SHARES_PER_LOT} = 0) AS whole_other, "
        f"median(volume_{odds} - volume_{rounds}) AS missing FROM ({_DRIFTS}) "
        "GROUP BY symbol) AS s USING (symbol) "
        f"WHERE s.keys >= {_LEAST} AND s.bars >= {_SHARE} * s.keys "
        f"AND s.whole_other <= 0.5 * s.keys AND {fits}"
    )


def _small_bars(without: str, has: str) -> str:
    """Bars of fewer than 100 shares that one side lacks: it does not count odd lots."""
    lacks = f"in_{has} AND NOT in_{without}"
    small = f"volume_{has} < {SHARES_PER_LOT}"
    return (
        f"SELECT d.symbol, d.start_ns, 'bar', '{Cause.ODD_LOTS}', false, "
        + evidence(without=f"'{without}'", volume=f"d.volume_{has}", bars="s.bars", of="s.keys")
        + f" FROM {PAIRS} AS d JOIN (SELECT symbol, count(*) AS keys, "
        f"count(*) FILTER (WHERE {small}) AS bars FROM {PAIRS} WHERE {lacks} AND volume_{has} > 0 "
        "GROUP BY symbol) AS s USING (symbol) "
        f"WHERE {lacks} AND volume_{has} > 0 AND {small} AND s.keys >= {_LEAST} "
        f"AND s.bars >= {_SHARE} * s.keys"
    )


def _outside(made: str, stated: str, tolerance: Tolerance) -> str:
    """A day's volume lies between the regular session's and that of all: some hours are left out.

    Where the minutes themselves hold nothing outside the regular session, a larger day does.
    """
    share = tolerance.volume_pct / 100
    table = A if made == "a" else B
    none = f"(SELECT coalesce(sum(volume_outside), 0) = 0 FROM {table})"
    return (
        f"SELECT symbol, start_ns, 'volume', '{Cause.EXTENDED_HOURS_VOLUME}', false, "
        + evidence(
            regular=f"volume_regular_{made}",
            outside=f"volume_outside_{made}",
            day=f"volume_{stated}",
            ratio=number(f"volume_{stated} / nullif(volume_{made}, 0)"),
        )
        + f" FROM {PAIRS} WHERE volume_differs AND volume_regular_{made} IS NOT NULL "
        f"AND volume_{stated} >= volume_regular_{made} * {decimal(1 - share)} "
        f"AND volume_{stated} > 0 "
        f"AND (volume_{stated} <= volume_{made} * {decimal(1 + share)} OR ({none} AND "
        f"volume_{stated} > volume_{made} AND volume_{made} >= {_MOST_ODD} * volume_{stated}))"
    )


def _odd_in_days(made: str, stated: str, tolerance: Tolerance) -> str:
    """Days count more than all their minutes: odd lots do not show in minutes."""
    more = (
        f"(volume_{stated} > volume_{made} * {decimal(1 + tolerance.volume_pct / 100)} "
        f"AND volume_{stated} - volume_{made} <= {_MOST_ODD} * volume_{stated})"
    )
    pattern = (
        f"SELECT count(*) AS keys, count(*) FILTER (WHERE {more}) AS bars, "
        f"median(volume_{stated} / nullif(volume_{made}, 0)) FILTER (WHERE {more}) AS usual "
        f"FROM {PAIRS} WHERE volume_differs AND volume_regular_{made} IS NOT NULL"
        f" AND volume_{stated} > volume_{made}"
    )
    return (
        f"SELECT symbol, start_ns, 'volume', '{Cause.ODD_LOTS}', false, "
        + evidence(
            without=f"'{made}'",
            missing_shares=number(f"volume_{stated} - volume_{made}"),
            ratio=number(f"volume_{stated} / nullif(volume_{made}, 0)"),
            usual_ratio=number("s.usual"),
            bars="s.bars",
            of="s.keys",
        )
        + f" FROM {PAIRS} CROSS JOIN ({pattern}) AS s WHERE volume_differs "
        f"AND volume_regular_{made} IS NOT NULL AND {more} AND s.bars >= {_SHARE} * s.keys"
    )
