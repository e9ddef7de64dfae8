"""Causes that multiply prices: split factors, dividends, prices times 100.

A run is a stretch of a symbol's bars, in order of time, over which the ratio of both sides is the
same; a run of ratio 1 is agreement. What the ratio is, whether volumes go the other way, and what
follows the run tell a split from a dividend and from a unit of a hundredth.
"""

from __future__ import annotations

from typing import Final

from ingot.quality.align import ACTIONS
from ingot.quality.causes import PAIRS, Cause, evidence, number
from ingot.quality.drift import PRICES, Tolerance

_NEAR: Final = 0.0003
"""Ratios this near, beside half a tick of either price, are the same."""
_SMALL: Final = 0.25
"""A dividend takes no more than this share of a price."""
_VOLUMES_NEAR: Final = 0.01
_LEAST_BARS: Final = 3
"""Bars that a run of an odd ratio needs to be more than chance."""


def ratios(tolerance: Tolerance) -> str:
    """Return the text that names split factors, dividends and prices times 100."""
    return f"{_runs(tolerance)} {_judged()} SELECT {_PRICE} UNION ALL {_adj_close()} {_stated()}"


def _runs(tolerance: Tolerance) -> str:
    """Cut each suspect symbol's bars into runs of one ratio, and describe each run.

    A bar whose four prices do not differ alike belongs to no run.
    """
    noise = " + ".join(
        f"({tolerance.tick_of(f'close_{s}')}) / 2 / nullif(least(low_{s}, close_{s}), 0)"
        for s in "ab"
    )
    each = [f"({n}_b / {n}_a)" for n in PRICES]
    positive = " AND ".join(f"{n}_{s} > 0" for n in PRICES for s in "ab")
    return (
        "WITH bars AS (SELECT symbol, trade_date, start_ns, price_differs, close_differs, "
        "volume_a, volume_b, "
        "split_a, split_b, "
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
        "median(volume_b / volume_a) FILTER (WHERE volume_a > 0 AND volume_b > 0) AS volume_ratio, "
        "max(CASE WHEN coalesce(split_a, 0) > 0 THEN split_a ELSE split_b END) AS stated_split "
        "FROM numbered GROUP BY symbol, run), "
        "steps AS (SELECT *, lead(ratio) OVER own AS ratio_after, "
        "lead(first_date) OVER own AS next_date, lead(stated_split) OVER own AS split_after "
        "FROM runs WINDOW own AS (PARTITION BY symbol ORDER BY run)), "
    )


def _judged() -> str:
    """Say of each run what it is."""
    step = "ratio / coalesce(ratio_after, 1)"
    inverse = (
        f"(coalesce(abs(ratio * volume_ratio - 1) < {_VOLUMES_NEAR}, false) AND abs(ratio - 1) > "
        f"2 * {_VOLUMES_NEAR})"
    )
    by_volume = (
        f"(coalesce({_is_split('volume_ratio', str(_VOLUMES_NEAR / 2))}, false) "
        f"AND coalesce(abs(ratio * volume_ratio - 1) < {_SMALL}, false))"
    )
    hundred = "(abs(ratio / 100 - 1) < noise + 0.0003 OR abs(ratio * 100 - 1) < noise + 0.0003)"
    same_volume = f"(volume_ratio IS NULL OR abs(volume_ratio - 1) < {_VOLUMES_NEAR})"
    acted = (
        "SELECT s.symbol, s.run, "
        "max(CAST(x.ratio AS DOUBLE)) FILTER (WHERE x.ratio <> 1) AS split, "
        "max(CAST(x.cash AS DOUBLE)) FILTER (WHERE x.cash > 0) AS cash, "
        "min(x.ex_date) AS ex_date "
        f"FROM steps AS s JOIN {ACTIONS} AS x ON x.symbol = s.symbol AND "
        "((x.ex_date > s.last_date AND x.ex_date <= coalesce(s.next_date, DATE '9999-12-31')) OR "
        "(s.first_date >= x.ex_date AND s.next_date IS NULL)) WHERE s.differs GROUP BY 1, 2"
    )
    return (
        f"acted AS ({acted}), judged AS (SELECT s.*, k.split AS action_split, k.cash, k.ex_date, "
        f"{step} AS step, CASE "
        f"WHEN {hundred} AND NOT {inverse} AND k.split IS NULL THEN '{Cause.SCALE_X100}' "
        f"WHEN {inverse} OR {by_volume} THEN '{Cause.SPLIT_FACTOR}' "
        f"WHEN k.split IS NOT NULL AND (abs(ratio * k.split - 1) < {_SMALL} "
        f"OR abs(ratio / k.split - 1) < {_SMALL}) THEN '{Cause.SPLIT_FACTOR}' "
        f"WHEN {_is_split('ratio', 'noise + 0.0003')} THEN '{Cause.SPLIT_FACTOR}' "
        f"WHEN {same_volume} AND abs({step} - 1) BETWEEN 3 * noise AND {_SMALL} "
        "AND wander <= 2 * noise "
        f"AND (bars >= {_LEAST_BARS} OR k.cash IS NOT NULL) THEN '{Cause.DIVIDEND}' "
        "ELSE '' END AS cause FROM steps AS s LEFT JOIN acted AS k USING (symbol, run) "
        "WHERE s.differs) "
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
    stated_split="coalesce(nullif(CAST(stated_split AS DOUBLE), 0), "
    "nullif(CAST(split_after AS DOUBLE), 0))",
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
    alike = f"abs(adj_close_b * close_a / nullif(adj_close_a * close_b, 0) - 1) < {_VOLUMES_NEAR}"
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
