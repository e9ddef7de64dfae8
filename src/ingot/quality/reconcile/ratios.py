"""Causes that multiply prices: split factors, dividends, prices times 100.

A run is a stretch of a symbol's bars, in order of time, over which the ratio of both sides is the
same; a run of ratio 1 is agreement. What the ratio is, whether volumes go the other way, and what
follows the run tell a split from a dividend and from a unit of a hundredth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingot.quality.reconcile.pairs import PRICES
from ingot.quality.reconcile.sections import section

if TYPE_CHECKING:
    from ingot.quality.reconcile.pairs import Tolerance

_INVERSE: Final = (
    "(coalesce(abs(ratio * volume_ratio - 1) < 0.01, false) AND abs(ratio - 1) > 2 * 0.01)"
)
"""Volumes go the other way, by a ratio that is not chance."""


def ratios(tolerance: Tolerance) -> str:
    """Return the text that names split factors, dividends and prices times 100."""
    noise = [
        f"{tolerance.half_tick_of(f'close_{s}')} / nullif(least(low_{s}, close_{s}), 0)"
        for s in "ab"
    ]
    return section(
        "ratios",
        "ratios",
        noise=" + ".join(noise),
        each=", ".join(f"({n}_b / {n}_a)" for n in PRICES),
        positive=" AND ".join(f"{n}_{s} > 0" for n in PRICES for s in "ab"),
        inverse=_INVERSE,
        is_split=_is_split("ratio", "noise + 0.0003"),
        volume_is_split=_is_split("volume_ratio", "0.005"),
        is_known=section("ratios", "is_known"),
        run=section("ratios", "run"),
        differing=" ".join(f"WHEN {n}_differs THEN {n}_b / {n}_a" for n in PRICES),
        are_hundreds=" AND ".join(f"(NOT {n}_differs OR {_is_hundred(n)})" for n in PRICES),
        is_hundred=_is_hundred("adj_close"),
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


def _is_hundred(name: str) -> str:
    """Return the SQL that is true where one value is the other's hundredth, rounded to cents."""
    a, b = f"abs({name}_a)", f"abs({name}_b)"
    less = f"nullif(least({a}, {b}), 0)"
    off = f"abs(greatest({a}, {b}) / {less} / 100 - 1)"
    return f"({name}_differs AND {off} < least(0.1, 0.0003 + 0.005 / {less}))"
