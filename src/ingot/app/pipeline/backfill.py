"""Ingest, then build: the whole way from a vendor's files to gold; or only the plan of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from ingot.app.context import resources
from ingot.app.context.answer_table import listed
from ingot.app.context.run_lifecycle import one_run
from ingot.app.load import land
from ingot.app.load.sources import open_requested
from ingot.app.pipeline.build import BuildRequest, refine
from ingot.app.pipeline.ingest import chosen_datasets, ingest
from ingot.model.progress import silent

if TYPE_CHECKING:
    from datetime import date

    from ingot.app.context.lake_context import Parts
    from ingot.app.context.load_request import LoadRequest
    from ingot.app.context.report import LoadReport
    from ingot.connectors.base import FileSource
    from ingot.model.progress import Progress
    from ingot.query.result.answer import Answer
    from ingot.tables.dataset import Dataset

_BRONZE_SHARE: Final = 1.0
"""Bronze is about as large as the vendor's own gzip file."""
_SILVER_SHARE: Final = 1.9
"""Silver with rolling values and history, and gold, beside it (measured on full-size days)."""

_COLUMNS: Final = (
    ("dataset", pa.string()),
    ("days", pa.int64()),
    ("new_days", pa.int64()),
    ("first", pa.date32()),
    ("last", pa.date32()),
    ("bytes_to_fetch", pa.int64()),
    ("disk_needed_bytes", pa.int64()),
)


@one_run
def backfill(parts: Parts, request: LoadRequest, *, progress: Progress = silent) -> LoadReport:
    """Ingest the span, then refine it; what is loaded is skipped.

    Raises:
        ConfigError: The connector, its location or a dataset is wrong.
    """
    loaded = ingest(parts, request, progress=progress)
    start, end = request.span(parts.clock.now().date())
    refined = refine(
        parts,
        BuildRequest(start, end, strategy=request.strategy, workers=request.workers),
        progress=progress,
    )
    return loaded.joined(refined)


def plan(parts: Parts, request: LoadRequest) -> Answer:
    """Return what a backfill would fetch and need, one row per dataset, from listings alone.

    Raises:
        ConfigError: The connector, its location or a dataset is wrong.
        EntitlementError, SourceUnavailableError: The listing cannot be had.
    """
    source = open_requested(parts, request)
    rows = [_planned(parts, source, d, request) for d in chosen_datasets(source, request)]
    needed = sum(row[-1] for row in rows)
    free = resources.look(parts.root).disk_free_bytes
    verdict = "enough" if needed <= free else "NOT ENOUGH"
    notice = f"disk needed {needed / 1e9:.2f} GB, free {free / 1e9:.2f} GB: {verdict}"
    return listed(parts, _COLUMNS, rows, notices=[notice])


def _planned(
    parts: Parts, source: FileSource, dataset: Dataset, request: LoadRequest
) -> tuple[str, int, int, date | None, date | None, int, int]:
    remotes = source.list(dataset.name, *request.span(parts.clock.now().date()))
    changed = land.new_or_changed(parts, source, remotes)
    days = [r.file_date for r in remotes]
    size = sum(r.size_bytes for r in changed)
    share = 1.0 + _BRONZE_SHARE + (_SILVER_SHARE if dataset.silver is not None else 0.0)
    first, last = min(days, default=None), max(days, default=None)
    return (dataset.name, len(remotes), len(changed), first, last, size, int(size * share))
