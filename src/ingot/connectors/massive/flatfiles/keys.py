"""The vendor's tree: `<dataset>/<YYYY>/<MM>/<YYYY-MM-DD>.csv.gz`."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIX: Final = ".csv.gz"
_TAIL: Final = re.compile(r"(\d{4})/(\d{2})/((\d{4})-(\d{2})-\d{2})\.csv\.gz", re.ASCII)


def key_of(dataset: str, day: date) -> str:
    """Return the key of a dataset's day, the same in a folder and in a bucket.

    >>> key_of("us_stocks_sip/day_aggs_v1", date(2025, 6, 2))
    'us_stocks_sip/day_aggs_v1/2025/06/2025-06-02.csv.gz'
    """
    return f"{dataset}/{day:%Y/%m}/{day.isoformat()}{SUFFIX}"


def day_of(dataset: str, key: str) -> date | None:
    """Return the day of a key, or None when it is not one of the dataset's.

    >>> day_of("a/b", "a/b/2025/06/2025-06-02.csv.gz")
    datetime.date(2025, 6, 2)
    >>> day_of("a/b", "a/b/2025/07/2025-06-02.csv.gz") is None
    True
    """
    tail = key.removeprefix(f"{dataset}/")
    match = _TAIL.fullmatch(tail)
    if tail == key or match is None or match[1] != match[4] or match[2] != match[5]:
        return None
    try:
        return date.fromisoformat(match[3])
    except ValueError:
        return None


def months(start: date, end: date) -> Iterator[str]:
    """Yield the months of `[start, end)` as `YYYY/MM`, ascending."""
    year, month = start.year, start.month
    while date(year, month, 1) < end:
        yield f"{year:04}/{month:02}"
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)  # noqa: PLR2004
