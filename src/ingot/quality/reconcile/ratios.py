"""Causes that multiply prices: split factors, dividends, prices times 100.

A run is a stretch of a symbol's bars, in order of time, over which the ratio of both sides is the
same; a run of ratio 1 is agreement. What the ratio is, whether volumes go the other way, and what
follows the run tell a split from a dividend and from a unit of a hundredth.
"""

from __future__ import annotations

from typing import Final

from ingot.quality.reconcile.align import ACTIONS
from ingot.quality.reconcile.causes import PAIRS, Cause, evidence, number
from ingot.quality.reconcile.schema_drift import PRICES, Tolerance

_NEAR: Final = 0.0003
"""Ratios this near, beside half a tick of either price, are the same."""
_SMALL: Final = 0.25
"""A dividend takes no more than this share of a price."""
_VOLUMES_NEAR: Final = 0.01
_WITH_CASH: Final = 0.1
"""A ratio may be so far, as a logarithm, from the split stated where it ends."""
_LEAST_BARS: Final = 3
"""Bars that a run of an odd ratio needs to be more than chance."""


def ratios(tolerance: Tolerance) -> str:
    """Return the text that names split factors, dividends and prices times 100."""
    return (
        f"{_runs(tolerance)} {_acted()} {_judged()} SELECT {_PRICE} UNION ALL {_adj_close()} "
        f"{_stated()} {_hundreds()}"
    )


def _runs(tolerance: Tolerance) -> str:
    """Cut each suspect symbol's bars into runs of one ratio, and describe each run.

    A bar whose four prices do not differ alike belongs to no run.
    """
    noise = " + ".join(
        f"{tolerance.half_tick_of(f'close_{s}')} / nullif(least(low_{s}, close_{s}), 0)"
        for s in "ab"
    )
    each = [f"({n}_b / {n}_a)" for n in PRICES]
    positive = " AND ".join(f"{n}_{s} > 0" for n in PRICES for s in "ab")
    return (
        "WITH bars AS (SELECT symbol, trade_date, start_ns, price_differs, close_differs, "
        "volume_a, volume_b, "
        f"{_NEAR!r} + {noise} AS noise, "
        "CASE WHEN price_differs THEN close_b / close_a ELSE 1 END AS ratio, "
        f"greatest({', '.join(each)}) / least({', '.join(each)}) - 1 AS spread "
        f"FROM {PAIRS} WHERE in_a AND in_b AND {positive} "
        f"AND symbol IN (SELECT symbol FROM {PAIRS} WHERE price_differs)), "
        "cut AS (SELECT *, lag(ratio) OVER own AS ratio_before, "
        "lag(noise) OVER own AS noise_before "
        "FROM bars WHERE NOT price_differs OR (close_differs AND spread <= 4 * noise) "
        "WINDOW own AS (PARTITION BY symbol ORDER BY start_ns)), "
        "numbered AS (SELECT *, sum(CASE WHEN ratio_before IS NULL "
        "OR abs(ratio / ratio_before - 1) > noise + noise_before THEN 1 ELSE 0 END) "
        "OVER (PARTITION BY symbol ORDER BY start_ns) AS run FROM cut), "
        "runs AS (SELECT symbol, run, count(*) AS bars, bool_or(price_differs) AS differs, "
        "median(ratio) AS ratio, max(noise) AS noise, max(ratio) / min(ratio) - 1 AS wander, "
        "min(trade_date) AS first_date, max(trade_date) AS last_date, "
        "median(volume_b / volume_a) FILTER (WHERE volume_a > 0 AND volume_b > 0) AS volume_ratio "
        "FROM numbered GROUP BY symbol, run), "
        "steps AS (SELECT *, lead(ratio) OVER own AS ratio_after, "
        "lead(first_date) OVER own AS next_date "
        "FROM runs WINDOW own AS (PARTITION BY symbol ORDER BY run)), "
    )


def _acted() -> str:
    """Give each run the known action at its end, and the split stated in a file that fits it.

    A split with exactly the run's ratio may be stated anywhere; at the run's ends it may be as far
    off as a dividend of the same date makes it.
    """
    at_end = "{date} > s.last_date AND {date} <= coalesce(s.next_date, DATE '9999-12-31')"
    acts = at_end.format(date="x.ex_date")
    edge = f"(({at_end.format(date='t.trade_date')}) OR t.trade_date = s.first_date)"
    return (
        "acted AS (SELECT s.symbol, s.run, "
        "max(CAST(x.ratio AS DOUBLE)) FILTER (WHERE x.ratio <> 1) AS split, "
        "max(CAST(x.cash AS DOUBLE)) FILTER (WHERE x.cash > 0) AS cash, "
        f"min(x.ex_date) AS ex_date FROM steps AS s JOIN {ACTIONS} AS x ON x.symbol = s.symbol "
        f"AND (({acts}) OR (s.first_date >= x.ex_date AND s.next_date IS NULL)) "
        "WHERE s.differs GROUP BY 1, 2), "
        "stated AS (SELECT symbol, trade_date, CAST(split AS DOUBLE) AS split FROM (SELECT symbol, "
        "trade_date, CASE WHEN coalesce(split_a, 0) > 0 THEN split_a ELSE split_b END AS split "
        f"FROM {PAIRS}) WHERE split > 0 AND split <> 1), "
        "fitting AS (SELECT symbol, run, arg_min(split, off) AS stated_split FROM (SELECT "
        f"s.symbol, s.run, t.split, {_apart('s.ratio', 't.split')} AS off, s.noise, {edge} AS edge "
        "FROM steps AS s JOIN stated AS t USING (symbol) WHERE s.differs) "
        "WHERE off < noise + 0.0003 "
        f"OR (edge AND off < least({_WITH_CASH}, abs(ln(split)) / 2)) GROUP BY symbol, run), "
    )


def _apart(ratio: str, split: str) -> str:
    """Return the SQL of the distance of a ratio, or its reverse, from a split's, as a logarithm."""
    return f"abs(abs(ln({ratio})) - abs(ln({split})))"


def _judged() -> str:
    """Say of each run what it is; a run whose ratio is 1 has none of these causes."""
    step = "ratio / coalesce(ratio_after, 1)"
    inverse = (
        f"(coalesce(abs(ratio * volume_ratio - 1) < {_VOLUMES_NEAR}, false) AND abs(ratio - 1) > "
        f"2 * {_VOLUMES_NEAR})"
    )
    by_volume = (
        f"(coalesce({_is_split('volume_ratio', str(_VOLUMES_NEAR / 2))}, false) "
        f"AND coalesce(abs(ratio * volume_ratio - 1) < {_SMALL}, false) "
        "AND abs(ln(ratio)) > abs(ln(volume_ratio)) / 2)"
    )
    hundred = "(abs(ratio / 100 - 1) < noise + 0.0003 OR abs(ratio * 100 - 1) < noise + 0.0003)"
    same_volume = f"(volume_ratio IS NULL OR abs(volume_ratio - 1) < {_VOLUMES_NEAR})"
    by_action = f"{_apart('ratio', 'k.split')} < least({_SMALL}, abs(ln(k.split)) / 2)"
    return (
        "judged AS (SELECT s.*, k.split AS action_split, k.cash, k.ex_date, f.stated_split, "
        f"{step} AS step, CASE "
        f"WHEN f.stated_split IS NOT NULL THEN '{Cause.SPLIT_FACTOR}' "
        f"WHEN {hundred} AND NOT {inverse} AND k.split IS NULL THEN '{Cause.SCALE_X100}' "
        f"WHEN {inverse} OR {by_volume} THEN '{Cause.SPLIT_FACTOR}' "
        f"WHEN {by_action} THEN '{Cause.SPLIT_FACTOR}' "
        f"WHEN {_is_split('ratio', 'noise + 0.0003')} THEN '{Cause.SPLIT_FACTOR}' "
        f"WHEN {same_volume} AND abs({step} - 1) BETWEEN 3 * noise AND {_SMALL} "
        "AND wander <= 2 * noise "
        f"AND (bars >= {_LEAST_BARS} OR k.cash IS NOT NULL) THEN '{Cause.DIVIDEND}' "
        "ELSE '' END AS cause FROM steps AS s LEFT JOIN acted AS k USING (symbol, run) "
        "LEFT JOIN fitting AS f USING (symbol, run) "
        "WHERE s.differs AND abs(ratio - 1) > noise) "
    )


def _is_split(ratio: str, near: str) -> str:
    """Return the SQL that is true for n:1, 1:n and small fractions of at least 6:5."""
    big = f"greatest({ratio}, 1 / {ratio})"
    whole = f"(abs({big} - round({big})) < ({near}) * {big} AND {big} BETWEEN 1.9 AND 100.5)"
    parts = " OR ".join(
        f"(abs({big} * {q} - round({big} * {q})) < ({near}) * {big} * {q} "
        f"AND {big} BETWEEN 1.19 AND {limit})"
        for q, limit in ((2, 8), (3, 4), (4, 3), (5, 2))
    )
    return f"({whole} OR {parts})"


_KNOWN: Final = (
    f"CASE cause WHEN '{Cause.SPLIT_FACTOR}' THEN action_split IS NOT NULL "
    f"WHEN '{Cause.DIVIDEND}' THEN cash IS NOT NULL ELSE false END"
)
_EVIDENCE: Final = evidence(
    ratio=number("j.ratio"),
    bars="j.bars",
    first="j.first_date",
    last="j.last_date",
    step=number("j.step"),
    volume_ratio=number("j.volume_ratio"),
    stated_split="stated_split",
    action_ratio="action_split",
    action_cash="cash",
    ex_date="ex_date",
)
_PRICE: Final = (
    f"n.symbol, n.start_ns, m.measure, j.cause, {_KNOWN} AS basis, {_EVIDENCE} AS evidence "
    "FROM judged AS j JOIN numbered AS n USING (symbol, run) "
    "CROSS JOIN (VALUES ('price'), ('volume')) AS m(measure) WHERE j.cause <> '' AND "
    f"n.price_differs AND (m.measure = 'price' OR j.cause = '{Cause.SPLIT_FACTOR}')"
)


def _adj_close() -> str:
    """Where closes agree, adjusted closes can only differ by dividends.

    Where closes differ, the adjusted ones that differ alike share their cause.
    """
    adjusted, traded = (f"({n}_b / nullif({n}_a, 0))" for n in ("adj_close", "close"))
    alike = f"abs({adjusted} / nullif({traded}, 0) - 1) < {_VOLUMES_NEAR}"
    return (
        "SELECT n.symbol, n.start_ns, 'adj_close', j.cause, "
        f"{_KNOWN}, {_EVIDENCE} FROM judged AS j JOIN numbered AS n USING (symbol, run) "
        f"JOIN {PAIRS} AS p USING (symbol, start_ns) "
        f"WHERE j.cause <> '' AND n.price_differs AND {alike} UNION ALL "
        f"SELECT symbol, start_ns, 'adj_close', '{Cause.DIVIDEND}', false, "
        + evidence(
            ratio=number("adj_close_b / nullif(adj_close_a, 0)"),
            bars="count(*) OVER own",
            last="max(trade_date) OVER own",
        )
        + f" FROM {PAIRS} WHERE adj_close_differs AND NOT price_differs WINDOW own AS "
        "(PARTITION BY symbol, round(adj_close_b / nullif(adj_close_a, 0), 4))"
    )


def _stated() -> str:
    """A stated dividend or split that differs is its own cause."""
    parts = [
        f"UNION ALL SELECT symbol, start_ns, '{name}', '{cause}', false, "
        + evidence(a=f"{name}_a", b=f"{name}_b", ratio=number(f"{name}_b / nullif({name}_a, 0)"))
        + f" FROM {PAIRS} WHERE {name}_differs"
        for name, cause in (("dividend", Cause.DIVIDEND), ("split", Cause.SPLIT_FACTOR))
    ]
    return " ".join(parts)


def _hundreds() -> str:
    """A bar of which each price that differs is a hundred times off: one value in another unit."""
    prices = " AND ".join(f"(NOT {n}_differs OR {_is_hundred(n)})" for n in PRICES)
    conditions = {"price": f"price_differs AND {prices}", "adj_close": _is_hundred("adj_close")}
    field = "CASE " + " ".join(f"WHEN {n}_differs THEN {n}_b / {n}_a" for n in PRICES) + " END"
    ratios_of = {"price": field, "adj_close": "adj_close_b / adj_close_a"}
    return " ".join(
        f"UNION ALL SELECT symbol, start_ns, '{measure}', '{Cause.SCALE_X100}', false, "
        + evidence(ratio=number(ratios_of[measure]))
        + f" FROM {PAIRS} WHERE {condition}"
        for measure, condition in conditions.items()
    )


def _is_hundred(name: str) -> str:
    """Return the SQL that is true where one value is the other's hundredth, rounded to cents."""
    a, b = f"abs({name}_a)", f"abs({name}_b)"
    less = f"nullif(least({a}, {b}), 0)"
    off = f"abs(greatest({a}, {b}) / {less} / 100 - 1)"
    return f"({name}_differs AND {off} < least(0.1, 0.0003 + 0.005 / {less}))"
