"""The datasets of reference data, named the same in every connector."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from ingot.tables import bronze, silver
from ingot.tables.dataset import Dataset

if TYPE_CHECKING:
    from collections.abc import Mapping

ACTIONS: Final = "actions"
INSTRUMENTS: Final = "instruments"
BARS: Final = "bars_1d"
RULE: Final = "reference-observed-1"
"""A file or query of reference data is out when it is asked for; each row says more in silver."""
_CALENDAR: Final = "XNYS"
_HISTORY_FROM: Final = date(1900, 1, 1)


def reference_datasets(*names: str) -> Mapping[str, Dataset]:
    """Return the datasets of reference data that a connector has, by name."""
    return {name: _ALL[name] for name in names}


_ALL: Final = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            ACTIONS,
            bronze.CORPORATE_ACTIONS,
            _CALENDAR,
            _HISTORY_FROM,
            silver.CORPORATE_ACTIONS,
            per_day=False,
        ),
        Dataset(
            INSTRUMENTS,
            bronze.INSTRUMENTS,
            _CALENDAR,
            _HISTORY_FROM,
            silver.INSTRUMENTS,
            per_day=False,
        ),
        Dataset(
            BARS,
            bronze.REST_DAY_BARS,
            _CALENDAR,
            _HISTORY_FROM,
            silver.DAY_BARS,
            per_day=False,
        ),
    )
}


def published_at(file_date: date) -> datetime:
    """Return the end of `file_date`, UTC: an answer of that day is out by then.

    >>> published_at(date(2025, 6, 2)).isoformat()
    '2025-06-03T00:00:00+00:00'
    """
    return datetime.combine(file_date + timedelta(days=1), time(), UTC)
