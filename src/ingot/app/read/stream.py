"""Bars of a long span, a month at a time, so that memory holds one month of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from ingot.errors import QueryError
from ingot.model.time import as_of
from ingot.query.requests.bars import DAY, PERIODS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from ingot.app.context.lake_context import Parts
    from ingot.app.read.reader import Reader
    from ingot.query.requests.bars import BarsRequest
    from ingot.query.requests.request import Moment

_A_MONTH: Final = timedelta(days=31)
_SCALED_RAW: Final = "scaled_raw"


def stream(
    parts: Parts, reader: Reader, request: BarsRequest, known_at: Moment
) -> Iterator[pa.RecordBatch]:
    """Yield the bars of each month of a request, all as known at the moment of the first call.

    Raises:
        QueryError: A bar of the request depends on those of other months.
    """
    if request.layout != "long" or request.basis == _SCALED_RAW or request.interval in PERIODS:
        raise QueryError(
            "Bars are streamed by month. Use the long layout, another basis than scaled_raw, and "
            "an interval of a day or less."
        )
    if request.interval == DAY and request.fill != "none":
        raise QueryError("Day bars that are filled depend on earlier months. Use fill='none'.")
    moment = as_of(known_at, parts.clock).known_at
    days = parts.calendar.between(request.start, request.end)
    holder = request.symbol_date or (days[-1] if days else None)
    for first in sorted({day.replace(day=1) for day in days}):
        month = replace(
            request,
            start=max(first, request.start),
            end=min(_next(first), request.end),
            symbol_date=holder,
        )
        yield from reader.bars(month, moment).to_batches()


def _next(first: date) -> date:
    return (first + _A_MONTH).replace(day=1)
