"""Ingest: from a source's listing to committed bronze."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

from ingot.app.context.report import LoadReport
from ingot.app.context.run_lifecycle import one_run
from ingot.app.inventory.datasets import record_missing
from ingot.app.load import land
from ingot.app.load.bronze import load, missing
from ingot.app.load.sources import dataset_options, open_requested
from ingot.app.refine.ensure_sessions import ensure_sessions
from ingot.errors import ConfigError
from ingot.model.progress import silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.app.context.lake_context import Parts
    from ingot.app.context.load_request import LoadRequest
    from ingot.connectors.base import FileSource
    from ingot.model.progress import Progress
    from ingot.tables.dataset import Dataset


@one_run
def ingest(parts: Parts, request: LoadRequest, *, progress: Progress = silent) -> LoadReport:
    """Land what is new or changed at the source and load it to bronze.

    Returns one result per file that was new, or that is held, refused or missing in the span.
    Incremental, resumable and safe to run twice or from two processes at once.

    Raises:
        ConfigError: The connector, its location or a dataset is wrong.
        ClockSkewError: The clock is behind what the lake has recorded.
    """
    began = monotonic()
    parts.ledger.moment(parts.clock.now(), stated=parts.clock.stated)
    ensure_sessions(parts, progress=progress)
    record_missing(parts)
    source = open_requested(parts, request)
    datasets = chosen_datasets(source, request)
    listed = land.land_new(parts, source, request, datasets, progress=progress)
    results = list(listed.results)
    for dataset in datasets:
        results += load(parts, source, dataset, request, progress)
        results += missing(parts, source, dataset, request, listed.listed)
    return LoadReport(
        run=parts.run,
        days=tuple(sorted(results, key=lambda d: (d.table, d.dataset, d.date))),
        seconds=monotonic() - began,
        errors=(*listed.errors, *_nothing(source, request, listed)),
    )


def _nothing(
    source: FileSource, request: LoadRequest, listed: land.Listed
) -> Iterator[ConfigError]:
    """Yield an error where a place has no file at all: it is most likely another place."""
    if not (listed.listed or listed.errors or listed.results or request.start or request.end):
        names = ", ".join(request.datasets or source.datasets)
        yield ConfigError(
            f"{request.location or source.location} has no file of {source.name} ({names}). "
            "Check --source and --dataset."
        )


def chosen_datasets(source: FileSource, request: LoadRequest) -> tuple[Dataset, ...]:
    """Return the datasets that a request names, or all of the source.

    Raises:
        ConfigError: The source has no such dataset.
    """
    options = dataset_options(request)
    there = {n: replace(d, options=options) for n, d in source.datasets.items()}
    if not request.datasets:
        return tuple(there.values())
    unknown = [name for name in request.datasets if name not in source.datasets]
    if unknown:
        raise ConfigError(
            f"{source.name} has no dataset {unknown[0]}. It has: {', '.join(source.datasets)}."
        )
    return tuple(there[name] for name in request.datasets)
