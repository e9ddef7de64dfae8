"""Whether a version is so small or so bad that a person should look before reads use it."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ingot.config import Settings


def too_many_refused(rows: int, refused: Mapping[str, int], *, limit_pct: float) -> str | None:
    """Return why a version has to be held for its refused rows, or None if it may be used.

    Args:
        rows: All rows of the version.
        refused: How many of them are refused, by rule, whether on loading or by silver.
        limit_pct: Most of them that may be, percent of all rows.
    """
    count = sum(refused.values())
    if count * 100 <= rows * limit_pct:
        return None
    worst = max(sorted(refused), key=lambda rule: refused[rule])
    return (
        f"{count:,} of its {rows:,} rows ({_share(count, rows)}) would be refused, most by "
        f"the rule {worst} (held above {limit_pct:g} %)"
    )


def judge(
    rows: int,
    symbols: int,
    *,
    previous: tuple[int, int] | None,
    earlier_rows: Sequence[int],
    settings: Settings,
) -> str | None:
    """Return why a version has to be held, in one sentence, or None if it may be used.

    A version is compared with the one before it in use (SEMANTICS 1: held, rejected and refused
    ones do not count); without one, with the median of the trade dates before it.

    Args:
        rows: Rows of the version, refused ones left out.
        symbols: Distinct symbols among them.
        previous: Rows and symbols of the version before; None for the first.
        earlier_rows: Rows of loaded trade dates before the version's own, oldest first; the last
            `hold_median_days` of them count.
        settings: Give the limits.
    """
    if previous is not None:
        return _against_previous(rows, symbols, previous, settings.hold_below_previous_pct)
    return _against_median(rows, earlier_rows, settings)


def _against_previous(
    rows: int, symbols: int, previous: tuple[int, int], limit_pct: float
) -> str | None:
    for count, before, noun in ((rows, previous[0], "rows"), (symbols, previous[1], "symbols")):
        if count * 100 < before * limit_pct:
            return (
                f"it has {count:,} {noun}, {_share(count, before)} of the {before:,} of the "
                f"version before (held below {limit_pct:g} %)"
            )
    return None


def _against_median(rows: int, earlier_rows: Sequence[int], settings: Settings) -> str | None:
    counted = earlier_rows[-settings.hold_median_days :]
    if len(counted) < settings.hold_median_min_days:
        return None
    usual, limit_pct = median(counted), settings.hold_below_median_pct
    if rows * 100 >= usual * limit_pct:
        return None
    return (
        f"it has {rows:,} rows, {_share(rows, usual)} of the median {usual:,.0f} of the "
        f"{len(counted)} trade dates before (held below {limit_pct:g} %)"
    )


def _share(count: int, whole: float) -> str:
    """Return `count` as a share of `whole`, cut so that a share below a limit reads so."""
    return f"{int(count * 1000 / whole) / 10:.1f} %"
