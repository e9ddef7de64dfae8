"""Checks one file of adjusted day bars against itself: leaps of prices, stated actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingot.errors import QueryError
from ingot.quality.reconcile.align import aligned
from ingot.quality.reconcile.sections import section

if TYPE_CHECKING:
    from ingot.quality.reconcile.compare import Input

_STEP: Final = "(adj_close_before / close_before) / nullif(adj_close / close, 0)"


def alone(given: Input) -> str:
    """Return the text of findings within one side of split-adjusted day bars.

    * A close a hundredfold off the one before: `scale_x100`.
    * A leap by a ratio that the file states as a split: its prices are split-adjusted, so the
      split was not applied, or not everywhere.
    * An adjusted close whose step at a date is not that of the dividend stated there (day bars;
      a week may hold an ex-date within it).

    Raises:
        QueryError: Its bars are narrower than a day.
    """
    if given.side.is_intraday:
        raise QueryError(
            f"The file's bars are of {given.side.interval}; only bars of days or weeks are checked "
            "by themselves. Compare them with another source: ingot reconcile"
        )
    bars = aligned(given.rows, given.side, given.side.interval, adjust_to=given.side.basis)
    names = ("leaps", "splits", "dividends") if given.side.interval == "1d" else ("leaps", "splits")
    found = " UNION ALL ".join(section("self_check", name, step=_STEP) for name in names)
    return section("self_check", "alone", bars=bars, found=found)
