"""Causes that move bars: labels at the end, another zone or missed clocks, another symbol."""

from __future__ import annotations

from typing import Final

from ingot.quality.reconcile.align import SESSIONS
from ingot.quality.reconcile.causes import PAIRS, Cause, evidence
from ingot.quality.reconcile.inputs import DAY_NS, MINUTE_NS, Side
from ingot.quality.reconcile.schema_drift import PRICES, A, B, Tolerance, first_date

_SHARE: Final = 0.6
"""Share of a symbol's differing keys that one shift or one other symbol must explain."""
_LEAST: Final = 3
_UNMATCHED: Final = "(NOT in_a OR NOT in_b OR price_differs OR volume_differs)"


def _same(left: str, right: str) -> str:
    prices = " AND ".join(f"round({left}.{n}, 3) = round({right}.{n}, 3)" for n in PRICES)
    return f"{prices} AND {left}.volume = {right}.volume AND {left}.volume > 0"


def shifts(side: Side) -> str:
    """Return the text that names shifted labels where both sides have bars of one width.

    A bar of one side is found at another time in the other, by all its values; the shift that
    explains most of a symbol's differing keys is its cause.
    """
    farthest = DAY_NS if side.is_intraday else 4 * DAY_NS
    found = (
        "WITH lost AS (SELECT symbol, start_ns, in_a, in_b FROM "
        f"{PAIRS} WHERE {_UNMATCHED}), "
        "meetings AS (SELECT a.symbol, a.start_ns AS a_ns, b.start_ns AS b_ns, "
        f"b.start_ns - a.start_ns AS shift_ns, {_which(side)} AS cause "
        f"FROM {A} AS a JOIN {B} AS b ON a.symbol = b.symbol AND {_same('a', 'b')} "
        f"WHERE a.start_ns <> b.start_ns AND abs(b.start_ns - a.start_ns) <= {farthest} "
        "AND a.symbol IN (SELECT symbol FROM lost)), "
    )
    apart = "shift_ns" if side.is_intraday else "CAST(sign(shift_ns) AS BIGINT)"
    explained = (
        "moved AS (SELECT symbol, a_ns AS start_ns, shift_ns, cause FROM meetings "
        "UNION SELECT symbol, b_ns, shift_ns, cause FROM meetings), "
        f"told AS (SELECT m.*, {apart} AS apart FROM moved AS m "
        "JOIN lost USING (symbol, start_ns)), "
        "counted AS (SELECT symbol, apart, count(DISTINCT start_ns) AS bars, "
        "mode(shift_ns) AS usual_ns FROM told GROUP BY symbol, apart), "
        "wanting AS (SELECT symbol, count(*) AS keys FROM lost GROUP BY symbol), "
        "best AS (SELECT * FROM counted JOIN wanting USING (symbol) "
        f"WHERE bars >= {_LEAST} AND bars >= {_SHARE} * keys "
        "QUALIFY row_number() OVER (PARTITION BY symbol ORDER BY bars DESC, abs(apart)) = 1) "
    )
    told = evidence(
        shift_minutes=f"usual_ns // {MINUTE_NS}",
        bars="b.bars",
        of="b.keys",
        changes_with_clocks="c.partly",
    )
    return (
        f"{found}{_clocks()}{explained}SELECT t.symbol, t.start_ns, m.measure, "
        f"{_finally(side)} AS cause, false AS basis, {told} AS evidence "
        "FROM told AS t JOIN best AS b USING (symbol, apart) LEFT JOIN clocks AS c USING (symbol) "
        "CROSS JOIN (VALUES ('bar'), ('price'), ('volume')) AS m(measure) "
        "QUALIFY row_number() OVER (PARTITION BY t.symbol, t.start_ns, m.measure "
        "ORDER BY abs(t.shift_ns)) = 1"
    )


def _which(side: Side) -> str:
    """Return the SQL of what a shift means, by its size alone."""
    shift = "b.start_ns - a.start_ns"
    if side.is_intraday:
        return (
            f"CASE WHEN abs({shift}) = {side.width_ns} THEN '{Cause.END_LABELLED_BARS}' "
            f"ELSE '{Cause.TIME_ZONE}' END"
        )
    return f"CASE WHEN {shift} > 0 THEN '{Cause.END_LABELLED_BARS}' ELSE '{Cause.TIME_ZONE}' END"


def _finally(side: Side) -> str:
    """An hour's shift of hourly bars over half the year is a change of clocks that was missed."""
    if side.interval == "1h":
        return f"CASE WHEN coalesce(c.partly, false) THEN '{Cause.TIME_ZONE}' ELSE t.cause END"
    return "t.cause"


def _clocks() -> str:
    """Say of each symbol whether it differs on dates of one clock only, by the hour of opening."""
    opening = (
        f"SELECT trade_date, start_ns % {DAY_NS} AS opens FROM {SESSIONS} WHERE session = 'regular'"
    )
    return (
        f"clocks AS (SELECT symbol, count(DISTINCT opens) FILTER (WHERE differs) = 1 "
        "AND count(DISTINCT opens) FILTER (WHERE NOT differs) >= 1 AND "
        "max(opens) FILTER (WHERE differs) <> max(opens) FILTER (WHERE NOT differs) AS partly "
        f"FROM (SELECT symbol, opens, bool_or({_UNMATCHED}) AS differs FROM {PAIRS} "
        f"JOIN ({opening}) USING (trade_date) GROUP BY symbol, trade_date, opens) "
        "GROUP BY symbol), "
    )


def renames() -> str:
    """Return the text that names bars which the other side has under another symbol."""
    lost = f"(SELECT symbol, start_ns FROM {PAIRS} WHERE {_UNMATCHED})"
    return (
        f"WITH lost AS {lost}, meetings AS ("
        "SELECT a.symbol AS a_symbol, b.symbol AS b_symbol, a.start_ns "
        f"FROM {A} AS a JOIN {B} AS b ON a.start_ns = b.start_ns AND a.symbol <> b.symbol "
        f"AND {_same('a', 'b')}), "
        "told AS (SELECT DISTINCT a_symbol AS symbol, b_symbol AS other, meetings.start_ns, "
        "'b' AS found_in "
        "FROM meetings JOIN lost ON lost.symbol = a_symbol AND lost.start_ns = meetings.start_ns "
        "UNION SELECT DISTINCT b_symbol, a_symbol, meetings.start_ns, 'a' FROM meetings "
        "JOIN lost ON lost.symbol = b_symbol AND lost.start_ns = meetings.start_ns), "
        "wanting AS (SELECT symbol, count(*) AS keys FROM lost GROUP BY symbol), "
        "best AS (SELECT symbol, other, count(DISTINCT start_ns) AS bars, any_value(keys) AS keys "
        "FROM told JOIN wanting USING (symbol) GROUP BY symbol, other "
        f"HAVING count(DISTINCT start_ns) >= {_LEAST} "
        f"AND count(DISTINCT start_ns) >= {_SHARE} * any_value(keys) "
        "QUALIFY row_number() OVER (PARTITION BY symbol ORDER BY count(DISTINCT start_ns) DESC, "
        "other) = 1) "
        f"SELECT t.symbol, t.start_ns, m.measure, '{Cause.RENAMED}' AS cause, false AS basis, "
        + evidence(other_symbol="other", found_in="t.found_in", bars="b.bars", of="b.keys")
        + " AS evidence FROM told AS t JOIN best AS b USING (symbol, other) "
        "CROSS JOIN (VALUES ('bar'), ('price'), ('volume')) AS m(measure)"
    )


def shifted(
    name: str, which: str, minutes: int, *, own: Side, into: Side, tolerance: Tolerance
) -> str:
    """Return the text that names a shift under which made bars agree with the other side's.

    Args:
        name: Relation of the side aligned anew with its labels moved.
        which: a or b: that side.
        minutes: By how much they were moved.
        own: What it is.
        into: What both sides meet at; a day's volume is the same however its minutes are labelled.
        tolerance: What still agrees.
    """
    own_minutes = own.width_ns // MINUTE_NS
    cause = Cause.END_LABELLED_BARS if abs(minutes) == own_minutes else Cause.TIME_ZONE
    other = "b" if which == "a" else "a"
    differs = " OR ".join(tolerance.price_differs(f"s.{n}", f"p.{n}_{other}") for n in PRICES)
    differ = "NOT in_a OR NOT in_b OR price_differs"
    if into.is_intraday:
        differ = _UNMATCHED
        volume = tolerance.volume_differs("s.volume", f"p.volume_{other}")
        differs = f"{differs} OR {volume}"
    return (
        f"WITH lost AS (SELECT * FROM {PAIRS} WHERE {differ}), "
        f"tried AS (SELECT p.symbol, p.start_ns, s.symbol IS NOT NULL AND in_{other} "
        f"AND NOT ({differs}) AS agrees, s.symbol IS NULL AND NOT in_{other} AS gone, "
        f"p.in_{other} AND p.trade_date >= {first_date(which)} AS counts "
        f"FROM lost AS p LEFT JOIN {name} "
        "AS s USING (symbol, start_ns)), "
        "verdicts AS (SELECT symbol, count(*) FILTER (WHERE agrees) AS bars, "
        "count(*) FILTER (WHERE counts) AS keys FROM tried GROUP BY symbol) "
        f"SELECT t.symbol, t.start_ns, m.measure, '{cause}' AS cause, false AS basis, "
        + evidence(shift_minutes=str(minutes), side=f"'{which}'", bars="v.bars", of="v.keys")
        + " AS evidence FROM tried AS t JOIN verdicts AS v USING (symbol) "
        "CROSS JOIN (VALUES ('bar'), ('price'), ('volume')) AS m(measure) "
        f"WHERE (t.agrees OR t.gone) AND v.bars >= {_LEAST} AND v.bars >= {_SHARE} * v.keys"
    )
