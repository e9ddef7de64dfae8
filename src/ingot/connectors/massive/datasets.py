"""What Massive publishes as flat files, and when (massive.com/docs/flat-files).

Bars are labelled by their start. Aggregates are as traded: neither splits nor dividends are
applied. A minute without an eligible trade has no row.
"""

from __future__ import annotations

from datetime import date, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ingot.model.time import new_york
from ingot.tables import bronze, silver
from ingot.tables.dataset import Dataset

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

NAME: Final = "massive"
COLUMNS: Final = (
    "ticker",
    "volume",
    "open",
    "close",
    "high",
    "low",
    "window_start",
    "transactions",
)
"""The header of all aggregates, in file order (note open, close, high, low)."""
RULE: Final = "massive-flatfiles-11h-v1"
_DUE_HOURS: Final = 24 + 11
_STOCKS_FROM: Final = date(2003, 9, 10)
_OPTIONS_FROM: Final = date(2014, 6, 2)

DATASETS: Final[Mapping[str, Dataset]] = MappingProxyType(
    {
        name: Dataset(name, table, "XNYS", history_from, refined, due_hours=_DUE_HOURS)
        for name, table, history_from, refined in (
            ("us_stocks_sip/minute_aggs_v1", bronze.MINUTE_BARS, _STOCKS_FROM, silver.MINUTE_BARS),
            ("us_stocks_sip/day_aggs_v1", bronze.DAY_BARS, _STOCKS_FROM, silver.DAY_BARS),
            ("us_options_opra/minute_aggs_v1", bronze.MINUTE_BARS, _OPTIONS_FROM, None),
            ("us_options_opra/day_aggs_v1", bronze.DAY_BARS, _OPTIONS_FROM, None),
        )
    }
)


def published_at(file_date: date) -> datetime:
    """Return 11:00 New York on the calendar day after `file_date`, in UTC.

    The vendor: "by about 11:00 AM ET the next day". Minute files may come later, and any file
    may be replaced later.

    >>> published_at(date(2025, 6, 2)).isoformat()
    '2025-06-03T15:00:00+00:00'
    """
    return new_york(file_date + timedelta(days=1), _DUE_HOURS - 24)
