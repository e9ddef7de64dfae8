"""From a source's listing to landed versions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ingot.app.context.report import DayResult, Result
from ingot.app.inventory.datasets import record
from ingot.connectors.transport.downloads import fetch_all
from ingot.errors import ClockSkewError, IngotError
from ingot.model.known_time import AssumedKnown, Publication
from ingot.model.progress import StepAdvanced, StepEnded, StepStarted, silent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from ingot.app.context.lake_context import Parts
    from ingot.app.context.load_request import LoadRequest
    from ingot.connectors.base import Fetched, FileSource
    from ingot.connectors.transport.downloads import Arrival
    from ingot.model.landing import Landing, RemoteObject
    from ingot.model.progress import Progress
    from ingot.tables.dataset import Dataset

_MIB: Final = 1024 * 1024
_DOWNLOADS: Final = 4
"""Objects fetched at once: enough to fill a line, few enough not to be throttled."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What listing and fetching gave."""

    listed: frozenset[tuple[str, date]]
    """(dataset, file date) of everything there."""
    results: tuple[DayResult, ...] = ()
    """Files that could not be fetched."""
    errors: tuple[IngotError, ...] = ()
    """Listings that failed."""


def new_or_changed(
    parts: Parts, source: FileSource, remotes: Sequence[RemoteObject]
) -> tuple[RemoteObject, ...]:
    """Return the objects that are new to this lake, or listed in another state than before."""
    return parts.ledger.new_or_changed(source.name, source.location, remotes)


def land_new(
    parts: Parts,
    source: FileSource,
    request: LoadRequest,
    datasets: Sequence[Dataset],
    *,
    progress: Progress = silent,
) -> Listed:
    """List the datasets, and fetch and land what is new or changed.

    A listing or a file that fails is reported and does not stop the others.
    """
    span = request.span(parts.clock.now().date())
    listed: set[tuple[str, date]] = set()
    errors: list[IngotError] = []
    wanted: list[RemoteObject] = []
    for dataset in datasets:
        try:
            remotes = source.list(dataset.name, *span)
        except IngotError as error:
            errors.append(error)
            continue
        listed |= {(r.dataset, r.file_date) for r in remotes}
        wanted += new_or_changed(parts, source, remotes)
    here = {dataset for dataset, _ in listed}
    record(parts, source.name, request.source, (d for d in datasets if d.name in here))
    results = _fetch(parts, source, datasets, wanted, progress) if wanted else ()
    return Listed(frozenset(listed), tuple(results), tuple(errors))


def land_one(
    parts: Parts,
    source: FileSource,
    remote: RemoteObject,
    fetched: Fetched,
    temporary: Path,
) -> Landing | None:
    """Keep fetched bytes as a version, if they are one, and remember the listing."""
    settings = parts.settings
    publication = Publication(
        rule=source.rule,
        due=source.published_at(remote.file_date),
        observed_within=timedelta(hours=settings.observed_within_h),
        assumed=AssumedKnown(settings.assumed_known),
    )
    arrived = replace(
        remote,
        etag=fetched.etag or remote.etag,
        last_modified=fetched.last_modified or remote.last_modified,
        size_bytes=fetched.size_bytes,
    )
    landing = parts.ledger.land(
        arrived,
        temporary,
        sha256=fetched.sha256,
        size_bytes=fetched.size_bytes,
        at=parts.clock.now(),
        publication=publication,
        stated=parts.clock.stated,
    )
    parts.ledger.remember_listing(source.name, source.location, [arrived])
    return landing


def _fetch(
    parts: Parts,
    source: FileSource,
    datasets: Sequence[Dataset],
    wanted: Sequence[RemoteObject],
    progress: Progress,
) -> list[DayResult]:
    step = f"{source.name} to landing"
    progress(StepStarted(step, sum(r.size_bytes for r in wanted), "bytes"))
    tables = {d.name: d.bronze.name for d in datasets}
    failed: list[DayResult] = []
    arrivals = fetch_all(
        source,
        wanted,
        lambda remote: parts.ledger.temporary(remote.file_date.isoformat()),
        workers=_DOWNLOADS,
        bytes_in_flight=parts.settings.download_bytes_in_flight_mb * _MIB,
        advance=lambda count: progress(StepAdvanced(step, count)),
    )
    for arrival in arrivals:
        remote, error = arrival.remote, _land(parts, source, arrival)
        if error is not None:
            table, dataset = tables[remote.dataset], remote.dataset
            day = DayResult(table, dataset, remote.file_date, Result.FAILED, error=error)
            failed.append(day)
    progress(StepEnded(step))
    return failed


def _land(parts: Parts, source: FileSource, arrival: Arrival) -> IngotError | None:
    if isinstance(arrival.outcome, IngotError):
        arrival.path.unlink(missing_ok=True)
        return arrival.outcome
    try:
        land_one(parts, source, arrival.remote, arrival.outcome, arrival.path)
    except ClockSkewError:
        raise  # no other file can be stamped either
    except IngotError as error:
        return error
    return None
