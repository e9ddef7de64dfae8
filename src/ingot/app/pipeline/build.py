"""From bronze to silver and gold: refine what is new, changed or stale, and nothing else."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

from ingot.app.context import resources
from ingot.app.context.report import LoadReport
from ingot.app.context.run_lifecycle import one_run
from ingot.app.inventory.datasets import refined_datasets
from ingot.app.inventory.undecided import result, waiting
from ingot.app.refine.ensure_sessions import ensure_sessions
from ingot.app.refine.executor import Executor
from ingot.app.refine.planner import feeds_of
from ingot.app.refine.steps import steps_of, steps_to
from ingot.app.trust.rule_runner import after_build
from ingot.model.landing import Outcome
from ingot.model.progress import silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from ingot.app.context.lake_context import Parts
    from ingot.app.context.report import DayResult
    from ingot.model.progress import Progress


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """Which trade dates to refine, half-open, and how."""

    start: date
    end: date
    strategy: str = "auto"
    workers: int | None = None
    only: str | None = None
    """The one table to refine; None for all."""


@one_run
def build(parts: Parts, request: BuildRequest, *, progress: Progress = silent) -> LoadReport:
    """Refine the trade dates of a request, and report the versions among them that are held."""
    report = refine(parts, request, progress=progress)
    return replace(report, days=(*report.days, *_held(parts, request)))


def _held(parts: Parts, request: BuildRequest) -> Iterator[DayResult]:
    """Yield the held versions of dated files, which the refined rows leave out."""
    for source, dataset in refined_datasets(parts):
        if dataset.silver and all(s.unit != "whole" for s in steps_to(dataset.silver)):
            states = parts.ledger.states(source, dataset.name, request.start, request.end)
            for state in waiting(states):
                if state.outcome is Outcome.HELD:
                    yield result(parts, dataset, state)


@one_run
def refine(parts: Parts, request: BuildRequest, *, progress: Progress = silent) -> LoadReport:
    """Refine bronze into silver and gold for the trade dates asked for.

    A unit is redone when its inputs, its transform or its sessions changed since it was done.
    Running it again changes nothing.
    """
    began = monotonic()
    ensure_sessions(parts, progress=progress)
    profile = resources.choose(
        resources.look(parts.root),
        parts.settings,
        strategy=request.strategy,
        workers=request.workers,
        days=(request.end - request.start).days,
    )
    results: list[DayResult] = []
    with closing(Executor(parts, profile, progress=progress)) as executor:
        for step in steps_of(parts):
            if request.only in {None, step.output.name}:
                for feed in feeds_of(parts, step):
                    results += executor.refine(step, feed, request.start, request.end)
    built = ((day.table, day.date) for day in results if day.error is None)
    broken = after_build(parts, built)
    return LoadReport(
        run=parts.run, days=tuple(results), seconds=monotonic() - began, notices=broken
    )
