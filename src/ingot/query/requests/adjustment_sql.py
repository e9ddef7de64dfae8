"""SQL that puts bars on a basis and under the symbol asked for: one join with spans of factors.

The relation `perspective` holds, per source symbol and span of trade dates `[start, until)`: asked,
symbol, start, until, up, down, paid. Prices become price x up / down x paid and volumes volume x
down / up, both DOUBLE and unrounded; on basis raw they stay the decimals that they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingot.tables.basis import PRICES, VOLUMES, scaled
from ingot.tables.view import name

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

PERSPECTIVE: Final = "perspective"
SOURCE_SYMBOL: Final = "source_symbol"


def adjusted(
    rows: str, columns: Sequence[str], *, scale: bool, renamed: bool, every: bool = False
) -> str:
    """Return the SELECT of `rows` seen through the perspective.

    Args:
        rows: The FROM item: bars with symbol and trade_date.
        columns: Columns of the rows to show.
        scale: Whether prices and volumes are multiplied.
        renamed: Whether the rows show the symbol asked, and `source_symbol` beside it.
        every: Rows that no span covers are kept as they are, not left out.
    """
    shown = [_shown(column, scale=scale, renamed=renamed) for column in columns]
    if renamed:
        shown.insert(1, f"b.symbol AS {SOURCE_SYMBOL}")
    joined = "LEFT JOIN" if every else "JOIN"
    return (
        f"SELECT {', '.join(shown)} FROM {rows} AS b {joined} {PERSPECTIVE} AS p "
        "ON b.symbol = p.symbol AND b.trade_date >= p.start AND b.trade_date < p.until"
    )


def columns_of(columns: Collection[str], *, renamed: bool) -> tuple[str, ...]:
    """Return the names of the columns that `adjusted` shows."""
    if not renamed:
        return tuple(columns)
    first, *rest = columns
    return (first, SOURCE_SYMBOL, *rest)


def _shown(column: str, *, scale: bool, renamed: bool) -> str:
    if column == "symbol" and renamed:
        return "p.asked AS symbol"
    if scale and column in PRICES | VOLUMES:
        return f"{scaled(column, rows='b', factors='p')} AS {name(column)}"
    return f"b.{name(column)}"
