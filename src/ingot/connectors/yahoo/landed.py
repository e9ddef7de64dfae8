"""What is landed of a chart: its own bars of the range asked for, and all of its events.

Left out is what changes from minute to minute (last price, trading periods) and the bars outside
the range: the same range gives the same bytes until Yahoo corrects a bar or a split happens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ingot.connectors.transport.http.response_bundle import Query
from ingot.connectors.yahoo.chart import is_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from ingot.connectors.yahoo.chart import Chart

META: Final = "meta"
BARS: Final = "bars"
DIVIDENDS: Final = "dividends"
SPLITS: Final = "splits"


def landed_bars(chart: Chart, start: date, end: date) -> Sequence[Query]:
    """Return a chart's bars of trade dates `[start, end)`, with all splits since.

    A bar without prices and the bar of a session that still runs are left out.
    """
    meta = {**chart.meta, "range_start": start.isoformat(), "range_end": end.isoformat()}
    return (
        Query(META, (meta,)),
        Query(SPLITS, _dated(chart, chart.splits)),
        Query(BARS, tuple(_bars(chart, start, end))),
    )


def landed_actions(chart: Chart) -> Sequence[Query]:
    """Return a chart's dividends and splits."""
    return (
        Query(META, (chart.meta,)),
        Query(SPLITS, _dated(chart, chart.splits)),
        Query(DIVIDENDS, _dated(chart, chart.dividends)),
    )


def _bars(chart: Chart, start: date, end: date) -> Iterator[dict[str, Any]]:
    for index, stamp in enumerate(chart.timestamps):
        day = chart.date_of(stamp)
        values = {name: column[index] for name, column in chart.series.items()}
        if start <= day < end and stamp != chart.live_at and is_whole(values):
            yield {"timestamp": stamp, "trade_date": day.isoformat(), **values}


def _dated(chart: Chart, events: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {**event, "ex_date": chart.date_of(int(event["date"])).isoformat()} for event in events
    )
