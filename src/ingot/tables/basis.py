"""Which columns of bars a basis changes, and how, as SQL."""

from __future__ import annotations

from typing import Final

PRICES: Final = frozenset(
    {
        *("open", "high", "low", "close", "close_bar_open", "close_bar_close", "vwap_typical"),
        *("close_avg_15m", "high_15m", "low_15m"),
    }
)
VOLUMES: Final = frozenset(
    {
        *("volume", "pre_volume", "post_volume", "total_volume", "close_bar_volume"),
        "volume_15m",
    }
)

FACTORS: Final = ("asked", "symbol", "start", "until", "up", "down", "paid")
"""Columns of a relation of factors: on trade dates `[start, until)` of a source symbol, prices are
multiplied by up / down x paid and volumes by down / up."""


def scaled(column: str, *, rows: str, factors: str) -> str:
    """Return the SQL of a price or volume on a basis, DOUBLE; where there is no factor, as it is.

    Args:
        column: One of PRICES or VOLUMES.
        rows: Alias of the bars.
        factors: Alias of the factors that are joined to them.
    """
    value = f'CAST({rows}."{column}" AS DOUBLE)'
    up, down, paid = (f"COALESCE({factors}.{c}, 1)" for c in ("up", "down", "paid"))
    if column in PRICES:
        return f"{value} * {up} / {down} * {paid}"
    return f"{value} * {down} / {up}"
