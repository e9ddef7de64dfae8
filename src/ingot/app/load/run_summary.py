"""The closing table of a run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ingot.app.context.answer_table import listed
from ingot.app.context.report import Result

if TYPE_CHECKING:
    from ingot.app.context.lake_context import Parts
    from ingot.app.context.report import DayResult, LoadReport
    from ingot.query.result.answer import Answer

_COLUMNS = (
    ("table", pa.string()),
    ("dataset", pa.string()),
    ("loaded", pa.int64()),
    ("rows", pa.int64()),
    ("rows_refused", pa.int64()),
    ("held", pa.int64()),
    ("refused", pa.int64()),
    ("failed", pa.int64()),
    ("missing", pa.int64()),
    ("seconds", pa.float64()),
    ("rows_per_s", pa.int64()),
)


def summary(parts: Parts, report: LoadReport) -> Answer:
    """Return one row per table and dataset: units by what became of them, rows, speed.

    `seconds` adds up the units' own times, which overlap where several run at once.
    """
    grouped: dict[tuple[str, str], list[DayResult]] = {}
    for day in report.days:
        grouped.setdefault((day.table, day.dataset), []).append(day)
    return listed(parts, _COLUMNS, [(*names, *_figures(days)) for names, days in grouped.items()])


def _figures(days: list[DayResult]) -> tuple[Any, ...]:
    counts = Counter(day.result for day in days)
    rows = sum(d.rows for d in days if d.result in {Result.LOADED, Result.HELD})
    seconds = sum(d.seconds for d in days)
    return (
        counts[Result.LOADED],
        rows,
        sum(d.rows_refused for d in days),
        counts[Result.HELD],
        counts[Result.REFUSED],
        counts[Result.FAILED],
        counts[Result.MISSING],
        round(seconds, 2),
        round(rows / seconds) if seconds and rows else None,
    )
