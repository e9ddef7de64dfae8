"""Which quarter hours of which symbols a new version touches, so that only those are refined twice.

A republished file seldom changes more than a few bars. Rows that are the same in every state give
the same 15-minute values in every state, unless a bar that differs is in the window. So with
quarter hours counted from 1970, a bar that differs in quarter `q` can change rows of `q` and
`q + 1` (touched), whose windows reach from `q - 1` to `q + 1` (their context). All other rows are
one version, in force from the first state on.
A bar that a refused row keeps is absent from its state's file, so it differs too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingot.transforms.version_history import landing_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ingot.transforms.version_history import State

QUARTER_HOUR_NS: Final = 900_000_000_000
MOST_STATES: Final = 60
"""More states than a BIGINT has bits are refined whole."""

CONTEXT_JOIN: Final = (
    "JOIN context_zones AS z ON z.symbol = b.ticker "
    f"AND z.zone = b.window_start // {QUARTER_HOUR_NS}"
)
"""Joins `bars AS b` to the zones that the touched rows need."""


TOUCHED_JOIN: Final = (
    "JOIN touched_zones AS t "
    f"ON t.symbol = q.symbol AND t.zone = q.bar_start_ns // {QUARTER_HOUR_NS}"
)
"""Joins rows `q` to the zones whose rows may differ between states."""


def untouched(text: str) -> str:
    """Return a join that keeps the other ones, as `q`."""
    return (
        f"(\n{text}) AS q\nLEFT JOIN touched_zones AS t "
        f"ON t.symbol = q.symbol AND t.zone = q.bar_start_ns // {QUARTER_HOUR_NS}\n"
        "WHERE t.symbol IS NULL"
    )


def zones_sql(states: Sequence[State]) -> str:
    """Return CTEs that end in `touched_zones` and `context_zones`, of distinct (symbol, zone).

    A row of bronze is the same in all `n` states when its values occur `n` times and the states'
    bits add up to `2^n - 1`: `n` powers of two have that sum only if each occurs once.
    """
    count = len(states)
    bits = _per_landing(states, lambda number: 1 << (number - 1))
    times = _per_landing(states, lambda _: 1)
    return f"""changed_zones AS (
SELECT DISTINCT ticker AS symbol, window_start // {QUARTER_HOUR_NS} AS zone
FROM (
  SELECT ticker, window_start,
    CAST(SUM({bits}) AS BIGINT) AS bits, CAST(SUM({times}) AS BIGINT) AS times
  FROM bars
  WHERE landing_id IN ({landing_ids(states)})
  GROUP BY ticker, window_start, open, high, low, close, volume, transactions
) AS distinct_rows
WHERE bits <> {(1 << count) - 1} OR times <> {count}
),
touched_zones AS (
SELECT symbol, zone FROM changed_zones UNION SELECT symbol, zone + 1 FROM changed_zones
),
context_zones AS (
SELECT symbol, zone FROM touched_zones UNION SELECT symbol, zone - 1 FROM changed_zones
)"""


def _per_landing(states: Sequence[State], weight: Callable[[int], int]) -> str:
    sums: dict[int, int] = {}
    for number, state in enumerate(states, start=1):
        for landing_id in state.landing_ids:
            sums[landing_id] = sums.get(landing_id, 0) + weight(number)
    cases = " ".join(f"WHEN {i} THEN {total}" for i, total in sorted(sums.items()))
    return f"CASE landing_id {cases} END"
