"""What a dataset is: where its rows go, and which days to expect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from ingot.model.time import new_york

if TYPE_CHECKING:
    from datetime import date, datetime

    from ingot.tables.contract import Table


@dataclass(frozen=True, slots=True)
class Dataset:
    """One dataset of a source: where its rows go and which days to expect."""

    name: str
    """The vendor's own name, e.g. us_stocks_sip/minute_aggs_v1."""
    bronze: Table
    calendar: str
    """Market whose trade dates the vendor publishes, e.g. XNYS."""
    history_from: date
    """First day that the vendor has."""
    silver: Table | None = None
    """The silver table that it is refined into, if any."""
    per_day: bool = True
    """One file per trade date; False for reference data, where a key is a file or a query."""
    due_hours: int | None = None
    """Hours after the start of the file date, by the clock of New York, at which the file is out:
    35 is 11:00 of the next day. None where the vendor has no such rule."""
    options: tuple[tuple[str, str], ...] = ()
    """How its objects are parsed, where a person chose it, by name; recorded with the dataset."""

    def due(self, file_date: date) -> datetime | None:
        """Return the instant by which the file of a date is out, UTC; None without a rule."""
        if self.due_hours is None:
            return None
        days, hour = divmod(self.due_hours, 24)
        return new_york(file_date + timedelta(days=days), hour)
