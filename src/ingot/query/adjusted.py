"""SQL that puts bars on a basis and under the symbol asked for: one join with spans of factors.

The relation `perspective` holds, per source symbol and span of trade dates `[start, until)`: asked,
symbol, start, until, up, down, paid. Prices become price x up / down x paid and volumes volume x
down / up, both DOUBLE and unrounded; on basis raw they stay the decimals that they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingot.tables.view import name

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

PERSPECTIVE: Final = "perspective"
RELATION: Final = ("asked", "symbol", "start", "until", "up", "down", "paid")
"""Columns of the relation."""
SOURCE_SYMBOL: Final = "source_symbol"
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


def adjusted(
    rows: str, columns: Sequence[str], *, scaled: bool, renamed: bool, every: bool = False
) -> str:
    """Return the SELECT of `rows` seen through the perspective.

    Args:
        rows: What stands in FROM: bars with symbol and trade_date.
        columns: Columns of the rows to show.
        scaled: Whether prices and volumes are multiplied.
        renamed: Whether the rows show the symbol asked, and `source_symbol` beside it.
        every: Rows that no span covers are kept as they are, not left out.
    """
    shown = [_shown(column, scaled=scaled, renamed=renamed) for column in columns]
    if renamed:
        shown.insert(1, f"b.symbol AS {SOURCE_SYMBOL}")
    joined = "LEFT JOIN" if every else "JOIN"
    return (
        f"SELECT {', '.join(shown)} FROM {rows} AS b {joined} {PERSPECTIVE} AS p "
        "ON b.symbol = p.symbol AND b.trade_date >= p.start AND b.trade_date < p.until"
    )


def scaled_column(column: str, *, up: str, down: str, paid: str) -> str:
    """Return the SQL of a price or volume on a basis."""
    double = f"CAST({column} AS DOUBLE)"
    bare = column.rpartition(".")[2].strip('"')
    if bare in PRICES:
        return f"{double} * {up} / {down} * {paid}"
    return f"{double} * {down} / {up}"


def columns_of(columns: Collection[str], *, renamed: bool) -> tuple[str, ...]:
    """Return the names of the columns that `adjusted` shows."""
    if not renamed:
        return tuple(columns)
    first, *rest = columns
    return (first, SOURCE_SYMBOL, *rest)


def _shown(column: str, *, scaled: bool, renamed: bool) -> str:
    if column == "symbol" and renamed:
        return "p.asked AS symbol"
    if scaled and column in PRICES | VOLUMES:
        up, down, paid = (f"COALESCE(p.{c}, 1)" for c in ("up", "down", "paid"))
        value = scaled_column(f"b.{name(column)}", up=up, down=down, paid=paid)
        return f"{value} AS {name(column)}"
    return f"b.{name(column)}"
