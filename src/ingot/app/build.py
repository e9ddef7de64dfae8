"""From bronze to silver and gold: refine what is new, changed or stale, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Final, TypeVar

from ingot.app import ahead, machine, plan, reference
from ingot.app.batch import ROUNDS, Batch, Finished
from ingot.app.checks import after_build
from ingot.app.chosen import months_of
from ingot.app.markets import markets_of
from ingot.app.refine import Refinery
from ingot.app.report import DayResult, LoadReport, Result
from ingot.app.run import begin
from ingot.app.sessions import ensure_sessions
from ingot.app.waiting import result, waiting
from ingot.errors import IngotError
from ingot.model.landing import Outcome
from ingot.model.progress import StepAdvanced, StepEnded, StepStarted, silent
from ingot.tables import gold, silver
from ingot.transforms import gold as gold_transforms
from ingot.transforms import silver as silver_transforms
from ingot.transforms.performance import BASES, performance_transform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import date

    from ingot.app.markets import Market
    from ingot.app.parts import Parts
    from ingot.app.plan import GoldWork, SilverWork
    from ingot.app.reference import ReferenceWork
    from ingot.model.progress import Progress
    from ingot.tables.contract import Table
    from ingot.tables.dataset import Dataset

RAW: Final = "raw"
"""The only basis of performance while no corporate actions are loaded."""
_LONGEST_MONTH: Final = 31
Work = TypeVar("Work", bound="SilverWork | GoldWork | ReferenceWork")


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """Which trade dates to refine, half-open, and how."""

    start: date
    end: date
    strategy: str = "auto"
    workers: int | None = None
    only: str | None = None
    """The one table to refine; None for all."""


def build(parts: Parts, request: BuildRequest, *, progress: Progress = silent) -> LoadReport:
    """Refine the trade dates of a request, and report the versions among them that are held."""
    report = refine(parts, request, progress=progress)
    return replace(report, days=(*report.days, *_held(parts, request)))


def _held(parts: Parts, request: BuildRequest) -> Iterator[DayResult]:
    for market in markets_of(parts):
        for dataset in market.datasets:
            states = parts.ledger.states(market.source, dataset.name, request.start, request.end)
            for state in waiting(states):
                if state.outcome is Outcome.HELD:
                    yield result(parts, dataset, state)


def refine(parts: Parts, request: BuildRequest, *, progress: Progress = silent) -> LoadReport:
    """Refine bronze into silver and gold for the trade dates asked for.

    A unit is redone when its inputs, its transform or its sessions changed since it was done.
    Running it again changes nothing.
    """
    began = monotonic()
    begin(parts)
    ensure_sessions(parts, progress=progress)
    profile = machine.choose(
        machine.look(parts.root),
        parts.settings,
        strategy=request.strategy,
        workers=request.workers,
        days=(request.end - request.start).days,
    )
    results: list[DayResult] = []
    with Refinery(parts, profile) as refinery:
        builder = _Builder(parts, request, refinery, progress)
        for source, dataset in reference.datasets(parts):
            results += builder.reference(source, dataset)
        for market in markets_of(parts):
            results += builder.market(market)
    built = ((day.table, day.date) for day in results if day.error is None)
    broken = after_build(parts, built)
    return LoadReport(
        run=parts.run, days=tuple(results), seconds=monotonic() - began, notices=broken
    )


class _Builder:
    """One run over one request: the steps of a market, in the order that data goes down."""

    def __init__(
        self, parts: Parts, request: BuildRequest, refinery: Refinery, progress: Progress
    ) -> None:
        self._parts = parts
        self._request = request
        self._refinery = refinery
        self._progress = progress

    def reference(self, source: str, dataset: Dataset) -> list[DayResult]:
        """Refine what came as whole answers: actions, instruments, day bars of REST."""
        work = partial(reference.work, self._parts, source, dataset)
        table = dataset.silver
        if table is None:
            return []
        return self._each(table, dataset.name, work, lambda r, w: r.reference(w, dataset))

    def market(self, market: Market) -> list[DayResult]:
        """Refine a market's datasets, then its daily bars, then its performance."""
        results = [
            r
            for dataset in market.datasets
            if dataset.per_day
            for r in self._silver(market, dataset)
        ]
        if market.minutes is not None:
            results += self._daily(market, market.minutes)
        return results + self._performance(market)

    def _silver(self, market: Market, dataset: Dataset) -> list[DayResult]:
        table = dataset.silver
        if table is None:
            return []
        work = partial(
            plan.silver_work,
            self._parts,
            market.source,
            dataset,
            silver_transforms.transform_of(table),
            start=self._request.start,
            end=self._request.end,
        )
        return self._each(table, dataset.name, work, lambda r, w: r.silver(w, dataset))

    def _daily(self, market: Market, minutes: Dataset) -> list[DayResult]:
        work = partial(
            plan.daily_work,
            self._parts,
            market.source,
            minutes,
            gold_transforms.DAILY_BARS,
            start=self._request.start,
            end=self._request.end,
        )
        return self._each(gold.DAILY_BARS, minutes.name, work, Refinery.daily)

    def _performance(self, market: Market) -> list[DayResult]:
        inputs = [(d.silver, d.name) for d in market.datasets if d is market.days and d.silver]
        if market.minutes is not None:
            inputs.append((gold.DAILY_BARS, market.minutes.name))
        bases = BASES if months_of(self._parts, silver.CORPORATE_ACTIONS) else (RAW,)
        settings = self._parts.settings
        made = [
            performance_transform(basis=b, risk_free_rate=settings.risk_free_rate) for b in bases
        ]
        sources = (*settings.action_sources, *settings.instrument_sources)
        rules = plan.digest(*(t.digest for t in made), *sources)
        work = partial(
            plan.performance_work,
            self._parts,
            market.source,
            market.name,
            rules,
            inputs,
            start=self._request.start,
            end=self._request.end,
        )
        return self._each(
            gold.PERFORMANCE,
            market.name,
            work,
            lambda r, w: r.performance(w, market, bases=bases, rules=rules),
        )

    def _each(
        self,
        table: Table,
        dataset: str,
        plan_work: Callable[[], Iterable[Work]],
        produce: Callable[[Refinery, Work], Finished],
    ) -> list[DayResult]:
        """Produce each unit of work and commit them in batches; a failed one stops no other.

        Units that lost to another process are planned again: what it finished is done.
        """
        if self._request.only not in {None, table.name}:
            return []
        results: list[DayResult] = []
        lost: list[DayResult] = []
        for _ in range(ROUNDS):
            # The head comes first: what another process commits after it is never overwritten by
            # units that were planned before.
            head = self._parts.tables.head(table)
            work = tuple(plan_work())
            if not work:
                return results
            made, lost = self._produced(table, dataset, work, produce, head)
            results = [r for r in results if r.error is None] + made
            if not lost:
                return results
        return results + lost

    def _produced(
        self,
        table: Table,
        dataset: str,
        work: tuple[Work, ...],
        produce: Callable[[Refinery, Work], Finished],
        head: int | None,
    ) -> tuple[list[DayResult], list[DayResult]]:
        """Return the results of units planned on `head`, and those of lost units."""
        step = f"{dataset} to {table.name}"
        self._progress(StepStarted(step, len(work), _unit(work)))
        refinery, profile = self._refinery, self._refinery.profile
        batch = Batch(self._parts, table, profile, planned_on=head)
        failed: list[DayResult] = []

        def attempt(item: Work) -> Finished | IngotError:
            try:
                return produce(refinery, item)
            except IngotError as error:
                return error

        for item, made in ahead.map_ahead(attempt, work, workers=profile.workers):
            if isinstance(made, Finished):
                batch.add(made)
            else:
                failed.append(_failed(table, item, made))
            self._progress(StepAdvanced(step, 1, item.unit.scope.start.isoformat()))
        batch.flush()
        self._progress(StepEnded(step))
        return batch.results + failed, batch.lost


def _unit(work: Sequence[Work]) -> str:
    """Return what a table is refined by: days, months, or all of it at once."""
    first = work[0].unit.scope
    days = (first.end - first.start).days
    return "days" if days == 1 else "months" if days <= _LONGEST_MONTH else "tables"


def _failed(
    table: Table, work: SilverWork | GoldWork | ReferenceWork, error: IngotError
) -> DayResult:
    scope = work.unit.scope
    return DayResult(
        table=table.name,
        dataset=scope.dataset,
        date=scope.start,
        result=Result.FAILED,
        error=error,
    )
