"""Causes in which hours a bar is made of: the closing auction, other sessions, part of a week."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingot.quality.reconcile.pairs import PRICES
from ingot.quality.reconcile.sections import either_way

if TYPE_CHECKING:
    from ingot.quality.reconcile.pairs import Tolerance

_PATTERNS: Final = ("auction", "all_sessions", "absent_session", "absent_date")


def hours(tolerance: Tolerance, *, weekly: bool) -> str:
    """Return the text that names bars made of other hours.

    Args:
        tolerance: What is the same.
        weekly: True where both sides are weeks.
    """
    half = tolerance.half_tick_of("auction_low_$one")
    range_ = f"auction_low_$one - {half} AND auction_high_$one + {half}"
    prints = [
        f"(NOT {n}_differs OR ({n}_$other BETWEEN {range_}"
        f"{' AND open_$one IS NULL' if n == 'open' else ''}))"
        for n in PRICES
    ]
    of_all = [
        f"(NOT {n}_differs OR NOT {tolerance.price_differs(f'all_{n}_$one', f'{n}_$other')})"
        for n in PRICES
    ]
    return either_way(
        "session_hours",
        (*_PATTERNS, "partial_week") if weekly else _PATTERNS,
        is_auction=" AND ".join(prints),
        is_of_all=" AND ".join(of_all),
    )
