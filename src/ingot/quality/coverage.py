"""Which bars are there, and what is known of those that are not (SEMANTICS 8)."""

from __future__ import annotations

from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from ingot.tables.view import literal

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

PRESENT: Final = "present"
NO_TRADE: Final = "no_trade"
HALTED: Final = "halted"
CLOSED: Final = "closed"
NOT_LISTED: Final = "not_listed"
LATE: Final = "late"
HOLE: Final = "hole"
REFUSED: Final = "refused"
UNKNOWN: Final = "unknown"
LEGAL: Final = frozenset({PRESENT, NO_TRADE, HALTED, CLOSED, NOT_LISTED})
"""States that need no action."""
VOLUME_PCT: Final = 5
"""A day's volume above its minutes' by more than this share is a hole; odd lots are below it."""
ROUND_LOT: Final = 100
"""Shares of a round lot. A day may have odd lots beyond its minutes: fewer shares a trade."""
MINUTES: Final = "minutes"
DAYS: Final = "days"

COLUMNS: Final = (
    "source",
    "dataset",
    "symbol",
    "trade_date",
    "range_start",
    "range_end",
    "state",
    "bars",
    "evidence",
)
_TYPES: Final[dict[str, pa.DataType]] = {
    "trade_date": pa.date32(),
    "listed_from": pa.date32(),
    "listed_to": pa.date32(),
    **dict.fromkeys(("open_ns", "close_ns", "bar_start_ns", "start_ns", "end_ns"), pa.int64()),
}
RELATIONS: Final = {
    f"coverage_{name}": pa.schema([(c, _TYPES.get(c, pa.string())) for c in columns.split()])
    for name, columns in {
        "markets": "source market dataset kind",
        "days": "source dataset kind trade_date state evidence",
        "sessions": "trade_date open_ns close_ns",
        "refused": "source dataset kind symbol trade_date bar_start_ns",
        "listed": "symbol listed_from listed_to",
        "halts": "symbol trade_date start_ns end_ns",
    }.items()
}
"""What the text reads beside silver.minute_bars, silver.day_bars and gold.daily_bars."""


def coverage_sql(
    start: date, end: date, *, states: Collection[str] = (), symbols: Collection[str] = ()
) -> str:
    """Return the text that states what is there of each symbol and trade date.

    It gives `COLUMNS`; range_start and range_end bound the minutes meant, where they are known.

    Args:
        start: First trade date, inside.
        end: Last trade date, outside.
        states: Only these, and only where the symbol is the reason and not the whole day of the
            market; every state by default.
        symbols: Only these; every symbol by default.
    """
    text = files("ingot.quality").joinpath("coverage.sql").read_text(encoding="utf-8")
    text = text[text.index("WITH ") :]  # the comment before it is for readers
    found = f"is_own AND state IN ({', '.join(map(literal, sorted(states)))})"
    return Template(text).substitute(
        start=literal(start),
        end=literal(end),
        chosen=f"symbol IN ({', '.join(map(literal, sorted(symbols)))})" if symbols else "TRUE",
        round_lot=ROUND_LOT,
        volume_pct=VOLUME_PCT,
        columns=", ".join(COLUMNS),
        wanted=found if states else "TRUE",
    )


def exit_code(states: Collection[str], *, unfinished: bool) -> int:
    """Return 3 where something is wrong, 4 where something is only to come, else 0.

    >>> exit_code({"hole", "late"}, unfinished=False), exit_code({"late"}, unfinished=False)
    (3, 4)

    Args:
        states: All states that were found.
        unfinished: Something landed is not loaded or not refined yet.
    """
    if {HOLE, REFUSED} & set(states):
        return 3
    return 4 if LATE in states or unfinished else 0
