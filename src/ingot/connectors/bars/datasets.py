"""The datasets of own bars: `bars/1m` and `bars/1d`, a file for each date in New York."""

from __future__ import annotations

from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ingot.tables import bronze, silver
from ingot.tables.dataset import Dataset

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME: Final = "bars"
RULE: Final = "own-bars-1"
"""A date's bars are out at the end of the date, UTC."""
_CALENDAR: Final = "XNYS"
_FROM: Final = date(1970, 1, 1)
DATASETS: Final[Mapping[str, Dataset]] = MappingProxyType(
    {
        "bars/1m": Dataset("bars/1m", bronze.MINUTE_BARS, _CALENDAR, _FROM, silver.MINUTE_BARS),
        "bars/1d": Dataset("bars/1d", bronze.DAY_BARS, _CALENDAR, _FROM, silver.DAY_BARS),
    }
)
