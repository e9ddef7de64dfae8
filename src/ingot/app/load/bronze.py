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

    from ingot.app.context.lake_context import Parts
    from ingot.app.context.load_request import LoadRequest
    from ingot.app.context.resources import Profile
    from ingot.connectors.base import FileSource, Parsed, Parser
    from ingot.model.landing import Landing, LandingState
    from ingot.model.progress import Progress
    from ingot.tables.dataset import Dataset


@dataclass(frozen=True, slots=True)
class _Pending:
    """A version to load, and by which limits."""

    landing: Landing
    limit_pct: float
    """Of its rows, how many may be refused."""
    before: Done | None = None
    """What was recorded of it, where it is loaded again: its outcome stays."""
    is_accepted: bool = False
    """A person has accepted it, bad rows or not."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The result of parsing one landing."""

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

    def add(self, landing: Landing, rows: int, symbols: int) -> None:
        """Count a version that may be used."""
        self.sizes.setdefault(landing.key, {})[landing.ordinal] = (rows, symbols)
        self.rows_by_date[landing.file_date] = rows


def load(
    parts: Parts, source: FileSource, dataset: Dataset, request: LoadRequest, progress: Progress
) -> list[DayResult]:
    """Parse and commit each landing of the span that is not loaded; report what awaits a decision.

    Landings that lost to another process are planned again: what it loaded is done.
    """
    results: list[DayResult] = []
    lost: list[DayResult] = []
    limit_pct = parts.settings.quarantine_limit_pct
    for attempt in range(ROUNDS):
        head = parts.tables.head(dataset.bronze)
        span = request.span(parts.clock.now().date())
        states = parts.ledger.states(source.name, dataset.name, *span)
        if not attempt:
            results += [undecided.result(parts, dataset, s) for s in undecided.waiting(states)]
        pending = [p for s in states if (p := _pending(s, limit_pct))]
        if not pending:
            return results
        profile = _profile(parts, len(pending), request.strategy, request.workers)
        loader = _Loader(parts, source, dataset, profile, _history(parts, source.name, dataset))
        noun = "days" if dataset.per_day else "versions"
        step = f"{dataset.name} to bronze"
        made, lost = loader.run(pending, (step, noun), planned_on=head, progress=progress)
        results = [r for r in results if r.result is not Result.FAILED] + made
        if not lost:
            return results
    return results + lost


def _pending(state: LandingState, limit_pct: float) -> _Pending | None:
    """Return a version that has to be loaded; None for the others.

    One that was refused for its bad rows is loaded once a person wants the good ones.
    """
    if state.outcome is None:
        return _Pending(state.landing, limit_pct)
    is_accepted = state.outcome is Outcome.REFUSED and state.decision is Decision.ACCEPTED
    return _Pending(state.landing, 100.0, is_accepted=True) if is_accepted else None


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
        dones: What was recorded of them, of one table; nothing is requested from the vendor.
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
    limit_pct = parts.settings.quarantine_limit_pct
    pending = [
        _Pending(
            parts.ledger.find(done.landing_ids[0]).landing,
            limit_pct if done.outcome is Outcome.REFUSED else 100.0,
            before=done,
        )
        for done in dones
    ]
    profile = _profile(parts, len(dones), "auto", None)
    loader = _Loader(parts, parser_of(parts, source, dataset), dataset, profile)
    head = parts.tables.head(dataset.bronze)
    step = f"{name} to bronze again"
    made, lost = loader.run(pending, (step, "versions"), planned_on=head, progress=progress)
    # A version that is held, or refused for its bad rows, was so before: the repair has not failed.
    return [r for r in (*made, *lost) if r.result in {Result.LOADED, Result.FAILED}]


def _profile(parts: Parts, days: int, strategy: str, workers: int | None) -> Profile:
    machine = resources.look(parts.root)
    return resources.choose(machine, parts.settings, strategy=strategy, workers=workers, days=days)


@dataclass(frozen=True, slots=True)
class _Loader:
    """Loads versions of one dataset to bronze."""

    parts: Parts
    parser: Parser
    dataset: Dataset
    profile: Profile
    history: _History | None = None
    """What new versions are compared with; None where their outcome is known."""

    def run(
        self,
        pending: Sequence[_Pending],
        step: tuple[str, str],
        *,
        planned_on: int | None,
        progress: Progress,
    ) -> tuple[list[DayResult], list[DayResult]]:
        """Load the versions as a step (name and noun of its units).

        Returns:
            The results, and those of versions that have to be planned again.
        """
        name, noun = step
        progress(StepStarted(name, len(pending), noun))
        batch = Batch(self.parts, self.dataset.bronze, self.profile, planned_on=planned_on)
        refused: list[DayResult] = []
        loads = parallel.map_ahead(self._parse, pending, workers=self.profile.workers)
        with loads as attempts:
            for version, attempt in attempts:
                if attempt.parsed is None:
                    refused.append(self._refuse(attempt))
                else:
                    finished = self._finish(version, attempt, attempt.parsed)
                    if version.before is None:
                        for text in self._stated_ahead(finished):
                            progress(Notice(text))
                    batch.add(finished)
                progress(StepAdvanced(name, 1, version.landing.file_date.isoformat()))
        batch.flush()
        progress(StepEnded(name))
        return batch.results + refused, batch.lost

    def _parse(self, version: _Pending) -> _Attempt:
        parts, landing, bronze = self.parts, version.landing, self.dataset.bronze
        unit = units.bronze_unit(bronze, landing)
        began = monotonic()
        to = parts.tables.staging_path(bronze, unit.scope, unit.digest)
        attempt = _Attempt(unit, landing, parts.clock.now(), 0.0)
        if version.before is None and (error := _too_early(parts, self.dataset, landing)):
            return replace(attempt, error=error)
        try:
            with failures():
                parsed = self.parser.parse(
                    landing,
                    parts.ledger.landed(landing.sha256),
                    to,
                    limit_pct=version.limit_pct,
                    limits=parts.settings.inflate_limits,
                )
                attempt = replace(attempt, parsed=parsed, refused=self._refused(landing, parsed))
        except IngotError as error:
            attempt = replace(attempt, error=error)
            to.unlink(missing_ok=True)
        return replace(attempt, seconds=monotonic() - began)

    def _refused(self, landing: Landing, parsed: Parsed) -> Mapping[str, int]:
        """Count the rows of a parsed file that were refused, or that silver would refuse, by rule.

        Silver's are counted once, when the file is loaded: whether a version may be used must not
        depend on who refines it, or when. DuckDB counts them, whatever engine refines.
        """
        dataset = self.dataset
        if parsed.path is None or dataset.silver is None or not dataset.per_day:
            return {}
        text = refusals_counted_sql(dataset.silver, landing, unique=parsed.in_order)
        bars = FileRelation((str(parsed.path),), columns_of(dataset.bronze))
        with open_duckdb(self.parts, self.profile) as engine:
            rows = engine.run(text, {"bars": bars}).read_all().to_pylist()
        counts = Counter(row.rule for row in parsed.refused)
        counts.update({row["rule"]: row["refused"] for row in rows})
        return counts

    def _refuse(self, attempt: _Attempt) -> DayResult:
        """Record a file that was refused whole; one that may be read later stays pending."""
        error, ledger = attempt.error, self.parts.ledger
        result = Result.FAILED
        rows: tuple[RefusedRow, ...] = ()
        if isinstance(error, DamagedFileError):
            # The disk's fault and not the vendor's: the next ingest fetches the bytes again.
            ledger.forget_listing(attempt.landing.source, [attempt.landing.key])
        elif isinstance(error, LookAtDataError):
            result = Result.REFUSED
            rows = error.refused_rows if isinstance(error, QuarantineLimitError) else ()
            if ledger.is_done(attempt.unit) is None:  # else another process refused it
                ledger.record_quarantine(attempt.unit, rows, layer="bronze")
                ledger.record_done(self._done(attempt, Outcome.REFUSED, str(error)))
        return DayResult(
            table=attempt.unit.table,
            dataset=attempt.landing.dataset,
            date=attempt.landing.file_date,
            result=result,
            rows_refused=error.refused if isinstance(error, QuarantineLimitError) else len(rows),
            seconds=attempt.seconds,
            error=error,
        )

    def _finish(self, version: _Pending, attempt: _Attempt, parsed: Parsed) -> Finished:
        """Decide whether a parsed file may be used, keep its refused rows, and stage its file."""
        unit, before = attempt.unit, version.before
        began = monotonic()
        staged = (
            ()
            if parsed.path is None
            else (self.parts.tables.adopt(self.dataset.bronze, unit.scope, parsed.path),)
        )
        self.parts.ledger.record_quarantine(unit, parsed.refused, layer="bronze")
        if before is not None:
            done = self._done(attempt, before.outcome, before.reason)
        else:
            reason = None if version.is_accepted else self._reason_to_hold(attempt, parsed)
            done = self._done(attempt, Outcome.HELD if reason else Outcome.DONE, reason or "")
        return Finished(done, staged, attempt.seconds + monotonic() - began)

    def _reason_to_hold(self, attempt: _Attempt, parsed: Parsed) -> str | None:
        """Return why a person has to look at a version; one that may be used joins the history."""
        landing, settings, history = attempt.landing, self.parts.settings, self.history
        if history is None:
            return None
        rows, limit_pct = parsed.rows + len(parsed.refused), settings.quarantine_limit_pct
        reason = too_many_refused(rows, attempt.refused, limit_pct=limit_pct)
        reason = reason or self._too_small(landing, parsed, history)
        if reason is None:
            history.add(landing, parsed.rows, parsed.symbols)
        return reason

    def _too_small(self, landing: Landing, parsed: Parsed, history: _History) -> str | None:
        settings, per_day = self.parts.settings, self.dataset.per_day
        sizes = history.sizes.get(landing.key, {})
        before = max((ordinal for ordinal in sizes if ordinal < landing.ordinal), default=None)
        previous = None if before is None else sizes[before]
        if not per_day and previous and previous[0] < settings.hold_reference_rows:
            return None
        earlier = sorted(day for day in history.rows_by_date if per_day and day < landing.file_date)
        return judge(
            parsed.rows,
            parsed.symbols,
            previous=previous,
            earlier_rows=[history.rows_by_date[day] for day in earlier],
            settings=settings,
        )

    def _stated_ahead(self, finished: Finished) -> Iterator[str]:
        """Name the rows that their file states to be known only from a moment in the future on."""
        if "stated_from" not in self.dataset.bronze.column_names:
            return
        import pyarrow.parquet as pq

        now = self.parts.clock.now()
        for file in finished.files:
            column = pq.read_table(file.path, columns=["stated_from"])["stated_from"]
            later = [moment for moment in column.to_pylist() if moment and moment > now]
            if later:
                yield (
                    f"{len(later)} rows of {self.dataset.name} state a known_from in the future, "
                    f"up to {max(later):%Y-%m-%d %H:%M} UTC: no read shows them until then"
                )

    def _done(self, attempt: _Attempt, outcome: Outcome, reason: str) -> Done:
        parsed, error = attempt.parsed, attempt.error
        refused = len(parsed.refused) if parsed else 0
        if isinstance(error, QuarantineLimitError):
            refused = error.refused
        rows = parsed.rows if parsed else 0
        return Done(
            unit=attempt.unit,
            outcome=outcome,
            run=self.parts.run,
            started=attempt.started,
            ended=self.parts.clock.now(),
            snapshot_id=None,
            rows_in=rows + refused,
            rows_out=rows,
            rows_refused=refused,
            symbols=parsed.symbols if parsed else 0,
            landing_ids=(attempt.landing.landing_id,),
            reason=reason,
            details={
                "in_order": "yes" if parsed and parsed.in_order else "no",
                "refused_for": type(error).__name__ if error else "",
            },
            code_version=__version__,
        )


def _history(parts: Parts, source: str, dataset: Dataset) -> _History:
    """Return the sizes of every version that counts: held, rejected, refused ones do not."""
    dones = {d.unit.scope.landing_id: d for d in parts.ledger.done_all(dataset.bronze.name)}
    history = _History()
    for state in parts.ledger.states(source, dataset.name):
        done = dones.get(state.landing.landing_id)
        if state.in_force_from is not None and done is not None:
            history.add(state.landing, done.rows_out, done.symbols)
    return history


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
                f"not at {source.location}, though by the vendor's rule it is out since "
                f"{source.published_at(day):%Y-%m-%d %H:%M} UTC; run the command again later"
            ),
        )
        for day in parts.calendar.between(max(first, dataset.history_from), last)
        if day not in there and source.published_at(day) <= now
    ]
