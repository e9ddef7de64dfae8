"""Rows of reference data as values, before their lineage is known.

Field names are the columns of the bronze tables (ingot.tables.bronze), where each is explained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime
    from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRow:
    """One row of bronze.corporate_actions."""

    action_id: str
    symbol: str
    ex_date: date
    kind: str
    ratio_from: Decimal | None = None
    ratio_to: Decimal | None = None
    cash: Decimal | None = None
    currency: str | None = None
    declared_date: date | None = None
    stated_from: datetime | None = None
    raw: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentRow:
    """One row of bronze.instruments; `valid_to` is the date after the last, None while it holds."""

    instrument_id: str
    symbol: str
    valid_from: date
    valid_to: date | None = None
    name: str | None = None
    exchange: str | None = None
    type: str | None = None
    figi: str | None = None
    cik: str | None = None
    round_lot: int | None = None
    list_date: date | None = None
    delisted_date: date | None = None
    stated_from: datetime | None = None
    raw: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayBarRow:
    """One row of bronze.rest_day_bars."""

    symbol: str
    trade_date: date
    bar_start: int
    range_start: date
    range_end: date
    open: float
    high: float
    low: float
    close: float
    adjusted_close: float | None
    volume: float
    currency: str
    time_zone: str
    price_basis: str
    splits_from: Decimal
    splits_to: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BarRow:
    """One row of bronze.minute_bars or bronze.day_bars."""

    ticker: str
    volume: Decimal
    open: Decimal
    close: Decimal
    high: Decimal
    low: Decimal
    window_start: int
    transactions: int

    @property
    def symbol(self) -> str:
        """The ticker."""
        return self.ticker


@dataclass(frozen=True, slots=True)
class OwnRow:
    """One row of a table that a lake declares itself."""

    symbol: str
    """The values of its key as one text."""
    columns: Mapping[str, Any]


Row = ActionRow | InstrumentRow | DayBarRow | BarRow | OwnRow


@dataclass(frozen=True, slots=True)
class Good:
    """A row and its number in the file or answer: 1 for the first after the header.

    Rows that are not lines of their source - a line may tell a split and a dividend - have no
    number: they are counted as they are written.
    """

    number: int | None
    row: Row


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that a rule refused, with its text."""

    number: int
    rule: str
    raw: str
    symbol: str | None = None


def values(row: Row) -> dict[str, Any]:
    """Return the row's values by column."""
    if isinstance(row, OwnRow):
        return dict(row.columns)
    return {name: getattr(row, name) for name in row.__slots__}


class ActionIds:
    """Ids for actions whose source has none: `symbol|ex_date|kind`, numbered from the second.

    >>> ids = ActionIds()
    >>> ids.next("KO", "2012-08-13", "split"), ids.next("KO", "2012-08-13", "split")
    ('KO|2012-08-13|split', 'KO|2012-08-13|split|2')
    """

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def next(self, symbol: str, ex_date: object, kind: str) -> str:
        """Return the id of the next action of this symbol, ex-date and kind."""
        name = f"{symbol}|{ex_date}|{kind}"
        count = self._seen[name] = self._seen.get(name, 0) + 1
        return name if count == 1 else f"{name}|{count}"
