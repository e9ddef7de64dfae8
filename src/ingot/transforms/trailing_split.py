"""The bars of silver.minute_bars before their trailing window.

DuckDB spends two thirds of a day's refinement in that one window. An engine that has a faster way
takes the bars from here (`ingot.tables.trailing`); the contract suite holds its rows to those
of the whole text, so that the text stays the only place that says what a bar is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingot.model.time import FOREVER
from ingot.tables import silver
from ingot.tables.trailing import BAR_COLUMNS, TrailingBars
from ingot.transforms.silver import minute_bars_of_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingot.model.unit import Scope
    from ingot.transforms.version_history import State


def minute_bars_trailing(
    scope: Scope, states: Sequence[State], *, unique: bool
) -> TrailingBars | None:
    """Return the bars of one trade date before their trailing values; None for several states.

    Args are those of `minute_bars_sql`.
    """
    if len(states) != 1:
        return None
    bars = minute_bars_of_state(scope, states[0], unique=unique)
    return TrailingBars(
        table=silver.MINUTE_BARS,
        sql=f"SELECT {', '.join(BAR_COLUMNS)}\nFROM (\n{bars}) AS bars_1\n"
        "ORDER BY symbol, bar_start_ns",
        constants={
            "source": scope.source,
            "dataset": scope.dataset,
            "trade_date": scope.start,
            "stale_refused": False,
            "known_from": states[0].known_from,
            "known_to": FOREVER,
        },
    )
