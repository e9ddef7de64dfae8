"""Causes that move bars: labels at the end, another zone or missed clocks, another symbol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingot.quality.reconcile.causes import Cause
from ingot.quality.reconcile.inputs import DAY_NS, MINUTE_NS, Side
from ingot.quality.reconcile.pairs import PRICES
from ingot.quality.reconcile.sections import section

if TYPE_CHECKING:
    from ingot.quality.reconcile.pairs import Tolerance

_UNMATCHED: Final = "(NOT in_a OR NOT in_b OR price_differs OR volume_differs)"
_SAME: Final = " AND ".join(
    (*(f"round(a.{n}, 3) = round(b.{n}, 3)" for n in PRICES), "a.volume = b.volume", "a.volume > 0")
)
_CLOCKS_MISSED: Final = "CASE WHEN coalesce(c.partly, false) THEN 'time_zone' ELSE t.cause END"
"""An hour's shift of hourly bars over half the year is a change of clocks that was missed."""


def shifts(side: Side) -> str:
    """Return the text that names shifted labels where both sides have bars of one width."""
    shift = "b.start_ns - a.start_ns"
    return section(
        "time_shifts",
        "shifts",
        differ=_UNMATCHED,
        same=_SAME,
        farthest=DAY_NS if side.is_intraday else 4 * DAY_NS,
        apart="shift_ns" if side.is_intraday else "CAST(sign(shift_ns) AS BIGINT)",
        is_label=f"abs({shift}) = {side.width_ns}" if side.is_intraday else f"{shift} > 0",
        cause=_CLOCKS_MISSED if side.interval == "1h" else "t.cause",
    )


def renames() -> str:
    """Return the text that names bars which the other side has under another symbol."""
    return section("time_shifts", "renames", differ=_UNMATCHED, same=_SAME)


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
    other = "b" if which == "a" else "a"
    differs = [tolerance.price_differs(f"s.{n}", f"p.{n}_{other}") for n in PRICES]
    if into.is_intraday:
        differs.append(tolerance.volume_differs("s.volume", f"p.volume_{other}"))
    is_label = abs(minutes) == own.width_ns // MINUTE_NS
    return section(
        "time_shifts",
        "shifted",
        one=which,
        other=other,
        moved=name,
        minutes=minutes,
        differ=_UNMATCHED if into.is_intraday else "NOT in_a OR NOT in_b OR price_differs",
        differs=" OR ".join(differs),
        cause=Cause.END_LABELLED_BARS if is_label else Cause.TIME_ZONE,
    )
