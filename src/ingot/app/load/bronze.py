"""From landed files to committed bronze."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from ingot.app.context import parallel, resources
from ingot.app.context.engines import open_duckdb
from ingot.app.context.report import DayResult, Result
from ingot.app.inventory import undecided, units
from ingot.app.inventory.datasets import dataset_of
from ingot.app.load.commit_batch import ROUNDS, Batch, Finished
from ingot.app.load.sources import parser_of
from ingot.errors import (
    BeforeSessionsError,
    ConfigError,
    DamagedFileError,
    IngotError,
    LookAtDataError,
    NotPublishedError,
    QuarantineLimitError,
)
from ingot.model.landing import Decision, Outcome
from ingot.model.progress import Notice, StepAdvanced, StepEnded, StepStarted, silent
from ingot.model.unit import Done, RefusedRow, Unit
from ingot.quality.checks.hold_limits import judge, too_many_refused
from ingot.storage.fs.os_errors import failures
from ingot.tables.input import FileRelation, columns_of
from ingot.transforms.silver import refusals_counted_sql
from ingot.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date, datetime
    from pathlib import Path

    from ingot.app.context.lake_context import Parts
    from ingot.app.context.load_request import LoadRequest
    from ingot.app.context.resources import Profile
    from ingot.connectors.base import FileSource, Parsed, Parser
    from ingot.model.landing import Landing, LandingState
    from ingot.model.progress import Progress
    from ingot.tables.dataset import Dataset


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What parsing one landing gave."""

    unit: Unit
    landing: Landing
    started: datetime
    seconds: float
    parsed: Parsed | None = None
    refused: Mapping[str, int] = field(default_factory=dict)
    """Rows that were refused or that silver would refuse, by rule."""
    error: IngotError | None = None


@dataclass
class _History:
    """Sizes of what is loaded, with which a new version is compared."""

    sizes: dict[str, dict[int, tuple[int, int]]] = field(default_factory=dict)
    """Key -> ordinal -> (rows, symbols) of versions that count."""
    rows_by_date: dict[date, int] = field(default_factory=dict)


def load(
    parts: Parts, source: FileSource, dataset: Dataset, request: LoadRequest, progress: Progress
) -> list[DayResult]:
    """Parse and commit each landing of the span that is not loaded; report what needs eyes.

    Landings that lost to another process are looked at again: what it loaded is done.
    """
    results: list[DayResult] = []
    lost: list[DayResult] = []
    for attempt in range(ROUNDS):
        head = parts.tables.head(dataset.bronze)
        states = _states(parts, source, dataset, request)
        if not attempt:
            results += [undecided.result(parts, dataset, s) for s in undecided.waiting(states)]
        pending = [s for s in states if s.outcome is None or _is_accepted(s)]
        if not pending:
            return results
        made, lost = _load_pending(
            parts, source, dataset, pending, planned_on=head, request=request, progress=progress
        )
        results = [r for r in results if r.result is not Result.FAILED] + made
        if not lost:
            return results
    return results + lost


def _states(
    parts: Parts, source: FileSource, dataset: Dataset, request: LoadRequest
) -> tuple[LandingState, ...]:
    span = request.span(parts.clock.now().date())
    return parts.ledger.states(source.name, dataset.name, *span)


def _is_accepted(state: LandingState) -> bool:
    """Say whether a version was refused for its bad rows and a person wants the good ones."""
    return state.outcome is Outcome.REFUSED and state.decision is Decision.ACCEPTED


def _load_pending(
    parts: Parts,
    source: FileSource,
    dataset: Dataset,
    pending: Sequence[LandingState],
    *,
    planned_on: int | None,
    request: LoadRequest,
    progress: Progress,
) -> tuple[list[DayResult], list[DayResult]]:
    """Return the results, and those of landings that have to be looked at again."""
    profile = resources.choose(
        resources.look(parts.root),
        parts.settings,
        strategy=request.strategy,
        workers=request.workers,
        days=len(pending),
    )
    step = f"{dataset.name} to bronze"
    progress(StepStarted(step, len(pending), "days" if dataset.per_day else "versions"))
    batch = Batch(parts, dataset.bronze, profile, planned_on=planned_on)
    history = _history(parts, source.name, dataset)
    refused: list[DayResult] = []

    def parse(state: LandingState) -> _Attempt:
        if error := _too_early(parts, dataset, state.landing):
            unit = units.bronze_unit(dataset.bronze, state.landing)
            return _Attempt(unit, state.landing, parts.clock.now(), 0.0, error=error)
        limit = 100.0 if _is_accepted(state) else parts.settings.quarantine_limit_pct
        return _parse(parts, profile, source, dataset, state.landing, limit_pct=limit)

    for state, attempt in parallel.map_ahead(parse, pending, workers=profile.workers):
        if attempt.parsed is None:
            refused.append(_refuse(parts, attempt))
        else:
            compared = None if _is_accepted(state) else history
            finished = _finish(parts, dataset, attempt, attempt.parsed, compared)
            for text in _stated_ahead(parts, dataset, finished):
                progress(Notice(text))
            batch.add(finished)
        progress(StepAdvanced(step, 1, state.landing.file_date.isoformat()))
    batch.flush()
    progress(StepEnded(step))
    return batch.results + refused, batch.lost


def _too_early(parts: Parts, dataset: Dataset, landing: Landing) -> BeforeSessionsError | None:
    """Return the error for a file of a day of which no calendar knows the sessions."""
    days = parts.calendar.trade_dates
    if not dataset.per_day or not days or landing.file_date >= days[0]:
        return None
    return BeforeSessionsError(landing.key, file_date=landing.file_date, first=days[0])


def load_again(
    parts: Parts, dones: Sequence[Done], *, progress: Progress = silent
) -> list[DayResult]:
    """Load versions to bronze once more from their landed bytes, with the outcome that they had.

    Args:
        parts: The lake.
        dones: What was recorded of them, of one table; the vendor is not asked for anything.
        progress: Receives events.
    """
    by_dataset: dict[tuple[str, str], list[Done]] = {}
    for done in dones:
        scope = done.unit.scope
        by_dataset.setdefault((scope.source, scope.dataset), []).append(done)
    return [
        result
        for (source, name), group in by_dataset.items()
        for result in _load_again(parts, source, name, group, progress)
    ]


def _load_again(
    parts: Parts, source: str, name: str, dones: Sequence[Done], progress: Progress
) -> list[DayResult]:
    dataset = dataset_of(parts, source, name)
    if dataset is None:
        raise ConfigError(
            f"The tables of {name} of {source} are unknown. Install the package that declares "
            "them, and run the command again."
        )
    parser = parser_of(parts, source, dataset)
    profile = resources.choose(
        resources.look(parts.root), parts.settings, strategy="auto", workers=None, days=len(dones)
    )
    step = f"{name} to bronze again"
    progress(StepStarted(step, len(dones), "versions"))
    batch = Batch(parts, dataset.bronze, profile, planned_on=parts.tables.head(dataset.bronze))
    others: list[DayResult] = []

    def parse(done: Done) -> _Attempt:
        was_refused = done.outcome is Outcome.REFUSED
        limit = parts.settings.quarantine_limit_pct if was_refused else 100.0
        landing = parts.ledger.find(done.landing_ids[0]).landing
        return _parse(parts, profile, parser, dataset, landing, limit_pct=limit)

    for done, attempt in parallel.map_ahead(parse, dones, workers=profile.workers):
        if attempt.parsed is None:
            others.append(_refuse(parts, attempt))
        else:
            finished = _finish(parts, dataset, attempt, attempt.parsed, None)
            as_before = replace(finished.done, outcome=done.outcome, reason=done.reason)
            batch.add(replace(finished, done=as_before))
        progress(StepAdvanced(step, 1, done.unit.scope.start.isoformat()))
    batch.flush()
    progress(StepEnded(step))
    # What is held, or was refused for its bad rows, was so before: that is no failure of a repair.
    return [
        r
        for r in (*batch.results, *batch.lost, *others)
        if r.result in {Result.LOADED, Result.FAILED}
    ]


def _parse(
    parts: Parts,
    profile: Profile,
    source: Parser,
    dataset: Dataset,
    landing: Landing,
    *,
    limit_pct: float,
) -> _Attempt:
    unit = units.bronze_unit(dataset.bronze, landing)
    started, began = parts.clock.now(), monotonic()
    to = parts.tables.staging_path(dataset.bronze, unit.scope, unit.digest)
    content = parts.ledger.landed(landing.sha256)
    attempt = _Attempt(unit, landing, started, 0.0)
    try:
        limits = parts.settings.inflate_limits
        with failures():
            parsed = source.parse(landing, content, to, limit_pct=limit_pct, limits=limits)
            refused = _refused(parts, profile, dataset, landing, parsed)
        attempt = replace(attempt, parsed=parsed, refused=refused)
    except IngotError as caught:
        attempt = replace(attempt, error=caught)
        _discard(to)
    return replace(attempt, seconds=monotonic() - began)


def _refused(
    parts: Parts, profile: Profile, dataset: Dataset, landing: Landing, parsed: Parsed
) -> Mapping[str, int]:
    """Count the rows of a parsed file that were refused, or that silver would refuse, by rule.

    Silver's are counted once, when the file is loaded: whether a version may be used must not
    depend on who refines it, or when. DuckDB counts them, whatever engine refines.
    """
    if parsed.path is None or dataset.silver is None or not dataset.per_day:
        return {}
    text = refusals_counted_sql(dataset.silver, landing, unique=parsed.in_order)
    bars = FileRelation((str(parsed.path),), columns_of(dataset.bronze))
    with open_duckdb(parts, profile) as engine:
        rows = engine.run(text, {"bars": bars}).read_all().to_pylist()
    counts = Counter(row.rule for row in parsed.refused)
    counts.update({row["rule"]: row["refused"] for row in rows})
    return counts


def _discard(path: Path) -> None:
    path.unlink(missing_ok=True)


def _refuse(parts: Parts, attempt: _Attempt) -> DayResult:
    """Record a file that was refused whole; one that may be read later stays pending."""
    error = attempt.error
    result = Result.FAILED
    rows: tuple[RefusedRow, ...] = ()
    if isinstance(error, DamagedFileError):
        # The disk's fault and not the vendor's: the next ingest fetches the bytes again.
        parts.ledger.forget_listing(attempt.landing.source, [attempt.landing.key])
    elif isinstance(error, LookAtDataError):
        result = Result.REFUSED
        rows = error.refused_rows if isinstance(error, QuarantineLimitError) else ()
        if parts.ledger.is_done(attempt.unit) is None:  # else another process refused it
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
    reason = None
    if history:
        rows, limit = parsed.rows + len(parsed.refused), parts.settings.quarantine_limit_pct
        reason = too_many_refused(rows, attempt.refused, limit_pct=limit)
        reason = reason or _judge(parts, landing, parsed, history, per_day=dataset.per_day)
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


def _stated_ahead(parts: Parts, dataset: Dataset, finished: Finished) -> Iterator[str]:
    """Name the rows that their file states to be known only from a moment in the future on."""
    if "stated_from" not in dataset.bronze.column_names:
        return
    import pyarrow.parquet as pq

    now = parts.clock.now()
    for file in finished.files:
        column = pq.read_table(file.path, columns=["stated_from"])["stated_from"]
        later = [moment for moment in column.to_pylist() if moment and moment > now]
        if later:
            yield (
                f"{len(later)} rows of {dataset.name} state a known_from in the future, up to "
                f"{max(later):%Y-%m-%d %H:%M} UTC: no read shows them until then"
            )


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


def _judge(
    parts: Parts, landing: Landing, parsed: Parsed, history: _History, *, per_day: bool
) -> str | None:
    settings = parts.settings
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


def missing(
    parts: Parts,
    source: FileSource,
    dataset: Dataset,
    request: LoadRequest,
    listed: frozenset[tuple[str, date]],
) -> list[DayResult]:
    """Return the trade dates that should be out by now and are neither listed nor landed.

    Where the request leaves an end open, nothing is expected beyond what the source lists. A
    source without a publication rule misses nothing.
    """
    if not dataset.per_day or dataset.due_hours is None:
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
