"""From a source's listing to committed bronze."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from ingot.app import ahead, fetch, machine, plan
from ingot.app.batch import Batch, Finished
from ingot.app.report import DayResult, LoadReport, Result, held
from ingot.app.run import begin
from ingot.app.sessions import ensure_sessions
from ingot.connectors.registry import connector
from ingot.errors import (
    ConfigError,
    DamagedFileError,
    IngotError,
    LookAtDataError,
    NotPublishedError,
    QuarantineLimitError,
)
from ingot.model.landing import Decision, Outcome
from ingot.model.progress import StepAdvanced, StepEnded, StepStarted, silent
from ingot.model.work import Done, RefusedRow, Unit
from ingot.quality.holding import judge
from ingot.storage.border import failures
from ingot.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from pathlib import Path

    from ingot.app.machine import Profile
    from ingot.app.parts import Parts
    from ingot.app.request import LoadRequest
    from ingot.connectors.base import Dataset, FileSource, Parsed
    from ingot.model.landing import Landing, LandingState
    from ingot.model.progress import Progress


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What parsing one landing gave."""

    unit: Unit
    landing: Landing
    started: datetime
    seconds: float
    parsed: Parsed | None = None
    error: IngotError | None = None


@dataclass
class _History:
    """Sizes of what is loaded, by which a new version is judged."""

    sizes: dict[str, dict[int, tuple[int, int]]] = field(default_factory=dict)
    """Key -> ordinal -> (rows, symbols) of versions that count."""
    rows_by_date: dict[date, int] = field(default_factory=dict)


def ingest(parts: Parts, request: LoadRequest, *, progress: Progress = silent) -> LoadReport:
    """Land what is new or changed at the source and load it to bronze.

    Returns one result per file that was new, or that is held, refused or missing in the span.
    Incremental, resumable and safe to run twice or from two processes at once.

    Raises:
        ConfigError: The connector, its location or a dataset is wrong.
    """
    began = monotonic()
    begin(parts)
    ensure_sessions(parts, progress=progress)
    source = parts.source(request.source, request.location, reference=request.reference)
    datasets = chosen_datasets(source, request)
    listed = fetch.land_new(parts, source, request, datasets, progress=progress)
    results = list(listed.results)
    for dataset in datasets:
        results += _load(parts, source, dataset, request, progress)
        results += _missing(parts, source, dataset, request, listed.listed)
    return LoadReport(
        run=parts.run,
        days=tuple(sorted(results, key=lambda d: (d.table, d.dataset, d.date))),
        seconds=monotonic() - began,
        errors=listed.errors,
    )


def chosen_datasets(source: FileSource, request: LoadRequest) -> tuple[Dataset, ...]:
    """Return the datasets that a request names, or all of the source.

    Raises:
        ConfigError: The source has no such dataset.
    """
    if not request.datasets:
        return tuple(source.datasets.values())
    unknown = [name for name in request.datasets if name not in source.datasets]
    if unknown:
        raise ConfigError(
            f"{source.name} has no dataset {unknown[0]}. It has: {', '.join(source.datasets)}."
        )
    return tuple(source.datasets[name] for name in request.datasets)


def _load(
    parts: Parts, source: FileSource, dataset: Dataset, request: LoadRequest, progress: Progress
) -> list[DayResult]:
    """Parse and commit each landing of the span that is not loaded; report what needs eyes."""
    span = request.span(parts.clock.now().date())
    states = parts.ledger.states(source.name, dataset.name, *span)
    pending = [s for s in states if s.outcome is None or _is_accepted(s)]
    results = _standing(parts, dataset, states)
    if not pending:
        return results
    profile = machine.choose(
        machine.look(parts.root),
        parts.settings,
        strategy=request.strategy,
        workers=request.workers,
        days=len(pending),
    )
    return results + _load_pending(
        parts, source, dataset, pending, profile=profile, progress=progress
    )


def _is_accepted(state: LandingState) -> bool:
    """Say whether a version was refused for its bad rows and a person wants the good ones."""
    return state.outcome is Outcome.REFUSED and state.decision is Decision.ACCEPTED


def _load_pending(
    parts: Parts,
    source: FileSource,
    dataset: Dataset,
    pending: Sequence[LandingState],
    *,
    profile: Profile,
    progress: Progress,
) -> list[DayResult]:
    step = f"{dataset.name} to bronze"
    progress(StepStarted(step, len(pending), "days" if dataset.per_day else "versions"))
    batch = Batch(parts, dataset.bronze, profile)
    history = _history(parts, source.name, dataset)
    refused: list[DayResult] = []

    def parse(state: LandingState) -> _Attempt:
        limit = 100.0 if _is_accepted(state) else parts.settings.quarantine_limit_pct
        return _parse(parts, source, dataset, state.landing, limit_pct=limit)

    for state, attempt in ahead.map_ahead(parse, pending, workers=profile.workers):
        if attempt.parsed is None:
            refused.append(_refuse(parts, attempt))
        else:
            judged = None if _is_accepted(state) else history
            batch.add(_finish(parts, dataset, attempt, attempt.parsed, judged))
        progress(StepAdvanced(step, 1, state.landing.file_date.isoformat()))
    batch.flush()
    progress(StepEnded(step))
    return batch.results + refused


def _parse(
    parts: Parts, source: FileSource, dataset: Dataset, landing: Landing, *, limit_pct: float
) -> _Attempt:
    unit = plan.bronze_unit(dataset.bronze, landing)
    started, began = parts.clock.now(), monotonic()
    to = parts.tables.staging_path(dataset.bronze, unit.scope, unit.digest)
    content = parts.ledger.object_path(landing.sha256)
    parsed: Parsed | None = None
    error: IngotError | None = None
    try:
        with failures():
            parsed = source.parse(landing, content, to, limit_pct=limit_pct)
    except IngotError as caught:
        error = caught
        _discard(to)
    return _Attempt(unit, landing, started, monotonic() - began, parsed, error)


def _discard(path: Path) -> None:
    path.unlink(missing_ok=True)


def _refuse(parts: Parts, attempt: _Attempt) -> DayResult:
    """Record a file that was refused whole; one that may be read later stays pending."""
    error = attempt.error
    result = Result.FAILED
    rows: tuple[RefusedRow, ...] = ()
    if isinstance(error, LookAtDataError) and not isinstance(error, DamagedFileError):
        result = Result.REFUSED
        rows = error.refused_rows if isinstance(error, QuarantineLimitError) else ()
        parts.ledger.record_quarantine(attempt.unit, rows, layer="bronze")
        parts.ledger.record_done(_done(parts, attempt, Outcome.REFUSED, reason=str(error)))
    return DayResult(
        table=attempt.unit.table,
        dataset=attempt.landing.dataset,
        date=attempt.landing.file_date,
        result=result,
        rows_refused=error.refused if isinstance(error, QuarantineLimitError) else len(rows),
        seconds=attempt.seconds,
        error=error,
    )


def _finish(
    parts: Parts, dataset: Dataset, attempt: _Attempt, parsed: Parsed, history: _History | None
) -> Finished:
    """Judge a parsed file, keep its refused rows, and hand it to the next commit.

    Without a history there is nothing to judge: a person has accepted the file.
    """
    unit, landing = attempt.unit, attempt.landing
    began = monotonic()
    staged = (
        ()
        if parsed.path is None
        else (parts.tables.adopt(dataset.bronze, unit.scope, parsed.path),)
    )
    reason = _judge(parts, landing, parsed, history) if history else None
    parts.ledger.record_quarantine(unit, parsed.refused, layer="bronze")
    done = _done(
        parts,
        attempt,
        Outcome.HELD if reason else Outcome.DONE,
        reason=reason or "",
        parsed=parsed,
    )
    if reason is None and history:
        history.sizes.setdefault(landing.key, {})[landing.ordinal] = (parsed.rows, parsed.symbols)
        history.rows_by_date[landing.file_date] = parsed.rows
    return Finished(done, staged, attempt.seconds + monotonic() - began)


def _done(
    parts: Parts,
    attempt: _Attempt,
    outcome: Outcome,
    *,
    reason: str,
    parsed: Parsed | None = None,
) -> Done:
    refused = len(parsed.refused) if parsed else 0
    if isinstance(attempt.error, QuarantineLimitError):
        refused = attempt.error.refused
    rows = parsed.rows if parsed else 0
    return Done(
        unit=attempt.unit,
        outcome=outcome,
        run=parts.run,
        started=attempt.started,
        ended=parts.clock.now(),
        snapshot_id=None,
        rows_in=rows + refused,
        rows_out=rows,
        rows_refused=refused,
        symbols=parsed.symbols if parsed else 0,
        landing_ids=(attempt.landing.landing_id,),
        reason=reason,
        details={
            "in_order": "yes" if parsed and parsed.in_order else "no",
            "refused_for": type(attempt.error).__name__ if attempt.error else "",
        },
        code_version=__version__,
    )


def _history(parts: Parts, source: str, dataset: Dataset) -> _History:
    """Return the sizes of every version that counts: held, rejected, refused ones do not."""
    dones = {d.unit.scope.landing_id: d for d in parts.ledger.done_all(dataset.bronze.name)}
    history = _History()
    for state in parts.ledger.states(source, dataset.name):
        done = dones.get(state.landing.landing_id)
        if state.in_force_from is None or done is None:
            continue
        by_ordinal = history.sizes.setdefault(state.landing.key, {})
        by_ordinal[state.landing.ordinal] = (done.rows_out, done.symbols)
        history.rows_by_date[state.landing.file_date] = done.rows_out
    return history


def _judge(parts: Parts, landing: Landing, parsed: Parsed, history: _History) -> str | None:
    settings = parts.settings
    per_day = _dataset(landing).per_day
    before = {
        ordinal: size
        for ordinal, size in history.sizes.get(landing.key, {}).items()
        if ordinal < landing.ordinal
    }
    if not per_day and before and before[max(before)][0] < settings.hold_reference_rows:
        return None
    earlier = sorted(day for day in history.rows_by_date if per_day and day < landing.file_date)
    return judge(
        parsed.rows,
        parsed.symbols,
        previous=before[max(before)] if before else None,
        earlier_rows=[history.rows_by_date[d] for d in earlier[-settings.hold_median_days :]],
        settings=settings,
    )


def _dataset(landing: Landing) -> Dataset:
    return connector(landing.source).datasets[landing.dataset]


def _standing(parts: Parts, dataset: Dataset, states: Sequence[LandingState]) -> list[DayResult]:
    """Return the latest versions that are still held or refused: they stay in every report."""
    latest = {s.landing.key: s for s in sorted(states, key=lambda s: s.landing.ordinal)}
    found = []
    for state in latest.values():
        undecided = state.outcome is Outcome.HELD and state.decision is None
        if not undecided and state.outcome is not Outcome.REFUSED:
            continue
        if state.decision is not None:
            continue
        done = parts.ledger.is_done(plan.bronze_unit(dataset.bronze, state.landing))
        reason = done.reason if done else ""
        landing_id = state.landing.landing_id
        error = held(reason, landing_id) if undecided else LookAtDataError(reason)
        found.append(
            DayResult(
                table=dataset.bronze.name,
                dataset=dataset.name,
                date=state.landing.file_date,
                result=Result.HELD if undecided else Result.REFUSED,
                rows=0,
                rows_refused=done.rows_refused if done else 0,
                error=error,
            )
        )
    return found


def _missing(
    parts: Parts,
    source: FileSource,
    dataset: Dataset,
    request: LoadRequest,
    listed: frozenset[tuple[str, date]],
) -> list[DayResult]:
    """Return the trade dates that should be out by now and are neither listed nor landed.

    Where the request leaves an end open, nothing is expected beyond what the source lists.
    """
    if not dataset.per_day:
        return []
    now = parts.clock.now()
    there = {day for name, day in listed if name == dataset.name}
    if not there and not request.datasets:
        return []
    start, end = request.span(now.date())
    first = request.start or min(there, default=end)
    last = end if request.end else max(there, default=start) + timedelta(days=1)
    there |= {
        s.landing.file_date for s in parts.ledger.states(source.name, dataset.name, start, end)
    }
    last = min(last, now.date() + timedelta(days=1))
    return [
        DayResult(
            table=dataset.bronze.name,
            dataset=dataset.name,
            date=day,
            result=Result.MISSING,
            error=NotPublishedError(
                f"not at {source.location}, though the vendor's rule says it is out since "
                f"{source.published_at(day):%Y-%m-%d %H:%M} UTC; run the command again later"
            ),
        )
        for day in parts.calendar.between(max(first, dataset.history_from), last)
        if day not in there and source.published_at(day) <= now
    ]
