"""Causes in what is counted as volume: lots, odd lots, hours outside the regular session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingot.quality.reconcile.pairs import decimal
from ingot.quality.reconcile.sections import either_way

if TYPE_CHECKING:
    from ingot.quality.reconcile.pairs import Tolerance

_PATTERNS: Final = ("lots", "round_lots", "small_bars", "outside", "odd_in_days")
_DRIFTS: Final = "(SELECT * FROM aligned.pairs WHERE volume_differs AND NOT price_differs)"
_IN_LOTS: Final = "abs(volume_$one * 100 - volume_$other) <= least(100, 0.1 * volume_$other + 50)"
_IS_ROUNDED: Final = (
    "(volume_$one % 100 = 0 AND (volume_$one > 0 OR volume_$other < 100) "
    "AND volume_$one < volume_$other)"
)


def counting(tolerance: Tolerance) -> str:
    """Return the text that names what the two sides count differently."""
    share = tolerance.volume_pct / 100
    more = decimal(1 + share)
    has_more = (
        f"(volume_$other > volume_$one * {more} "
        "AND volume_$other - volume_$one <= 0.3 * volume_$other)"
    )
    return either_way(
        "volume",
        _PATTERNS,
        drifts=_DRIFTS,
        in_lots=_IN_LOTS,
        is_rounded=_IS_ROUNDED,
        has_more=has_more,
        less=decimal(1 - share),
        more=more,
    )
