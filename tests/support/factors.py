"""Factors of adjustment by date."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from ingot.query.requests.adjustment import Factor


def factor_on(factors: Iterable[Factor], day: date) -> Factor | None:
    """Return the factor of a date, if one covers it."""
    return next((f for f in factors if f.start <= day < f.end), None)
