"""Currencies: ISO 4217 codes, and the minor units that some exchanges quote in."""

from __future__ import annotations

from typing import Final

DOLLAR: Final = "USD"
"""What prices are in where their source names no currency: US flat files do not."""
MINOR: Final = {
    "GBp": ("GBP", 100),
    "GBX": ("GBP", 100),
    "ZAc": ("ZAR", 100),
    "ILA": ("ILS", 100),
    "KWF": ("KWD", 1000),
}
"""Minor units, case-sensitive: the currency, and how many of them make one."""


def major(unit: str) -> tuple[str, int]:
    """Return the currency of a unit of prices, and how many units make one.

    >>> major("GBp"), major("GBP"), major("USD")
    (('GBP', 100), ('GBP', 1), ('USD', 1))
    """
    return MINOR.get(unit, (unit, 1))
