"""Bars whose trailing values an engine may compute by itself, in place of a window in SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from ingot.tables.contract import Table

BAR_COLUMNS = (
    "symbol",
    "session",
    "bar_start_ns",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "transactions",
)
"""What `TrailingBars.sql` gives."""


@dataclass(frozen=True)
class TrailingBars:
    """A transform's text up to its trailing window, and what the rest of it would add.

    The rows are those of the whole text, in the same order. The trailing values are of the bars
    of the same symbol that start in (bar_start - `minutes`, bar_start]: `close_avg_15m` (rounded
    half up), `volume_15m`, `high_15m`, `low_15m` and `rolling_bars`, how many they are.
    """

    table: Table
    """Whose columns the rows have."""
    sql: str
    """Gives `BAR_COLUMNS`, no key twice, by symbol and bar_start_ns; whole minutes, prices and
    volumes not below zero."""
    constants: Mapping[str, str | bool | date | datetime]
    """Columns that are the same in every row."""
    minutes: int = 15
