"""Causes in which version of a bar a side holds: published again, or not published yet."""

from __future__ import annotations

from ingot.quality.reconcile.causes import PAIRS, Cause, evidence
from ingot.quality.reconcile.schema_drift import PRICES, Tolerance, last_date


def republished(name: str, which: str, tolerance: Tolerance) -> str:
    """Return the text that names keys at which an earlier version agrees with the other side.

    Args:
        name: Relation of the first versions of the side's bars, aligned.
        which: a or b: that side.
        tolerance: What still agrees.
    """
    other = "b" if which == "a" else "a"
    prices = " OR ".join(tolerance.price_differs(f"f.{n}", f"p.{n}_{other}") for n in PRICES)
    volume = tolerance.volume_differs("f.volume", f"p.volume_{other}")
    return (
        f"SELECT p.symbol, p.start_ns, m.measure, '{Cause.REPUBLISHED}' AS cause, false AS basis, "
        + evidence(
            side=f"'{which}'",
            first_close="f.close",
            now_close=f"p.close_{which}",
            first_volume="f.volume",
            now_volume=f"p.volume_{which}",
            known_from=f"CAST(p.known_from_{which} AS VARCHAR)",
        )
        + f" AS evidence FROM {PAIRS} AS p JOIN {name} AS f USING (symbol, start_ns) "
        "CROSS JOIN (VALUES ('price'), ('volume')) AS m(measure) "
        "WHERE p.in_a AND p.in_b AND (p.price_differs OR p.volume_differs) "
        f"AND NOT ({prices}) AND NOT {volume}"
    )


def two_moments() -> str:
    """Return the text that names every difference between two moments of one table."""
    return (
        f"SELECT symbol, start_ns, m.measure, '{Cause.REPUBLISHED}' AS cause, false AS basis, "
        + evidence(
            known_from_a="CAST(known_from_a AS VARCHAR)",
            known_from_b="CAST(known_from_b AS VARCHAR)",
        )
        + f" AS evidence FROM {PAIRS} "
        "CROSS JOIN (VALUES ('bar'), ('price'), ('volume')) AS m(measure)"
    )


def unpublished() -> str:
    """Return the text that names bars beyond the last date that the other side has."""
    return " UNION ALL ".join(
        "SELECT symbol, start_ns, 'bar' AS measure, "
        f"'{Cause.NOT_PUBLISHED}' AS cause, false AS basis, "
        + evidence(last_date_of_other=last_date(side))
        + f" AS evidence FROM {PAIRS} WHERE NOT in_{side} "
        f"AND trade_date > {last_date(side)}"
        for side in "ab"
    )


def duplicates() -> str:
    """Return the text that says of keys with several rows whether those agree."""
    return " UNION ALL ".join(
        f"SELECT symbol, start_ns, 'copies_{side}' AS measure, "
        f"'{Cause.UNEXPLAINED}' AS cause, false AS basis, "
        + evidence(copies=f"copies_{side}", different_values=f"variants_{side}")
        + f" AS evidence FROM {PAIRS} WHERE copies_{side} > 1"
        for side in "ab"
    )
