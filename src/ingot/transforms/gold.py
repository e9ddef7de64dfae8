"""Gold: daily bars made of minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingot.model.calendar import POST, PRE, REGULAR
from ingot.tables import gold
from ingot.transforms.transform import Transform, sql_text
from ingot.transforms.version_history import versioned_sql

if TYPE_CHECKING:
    from ingot.model.unit import Scope

DAILY_BARS: Final = Transform(
    name="gold.daily_bars",
    output=gold.DAILY_BARS,
    inputs=("minutes", "sessions"),
    sql=sql_text("daily_bars.sql"),
)


def daily_bars_sql(scope: Scope) -> str:
    """Return the text of the history of gold.daily_bars on the trade dates of the scope.

    It reads `minutes`, every version of silver.minute_bars of the scope, and `sessions`, whose
    regular rows say which bar starts at the close. A day's change points are the bounds of its
    minutes' known intervals.
    """
    return versioned_sql(DAILY_BARS, scope, regular=REGULAR, pre=PRE, post=POST)
