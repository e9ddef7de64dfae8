"""Versions that wait for a person's decision: held or refused, and not decided on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingot.app.context.report import DayResult, Result, held_error
from ingot.app.inventory import units
from ingot.errors import LookAtDataError
from ingot.model.landing import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ingot.app.context.lake_context import Parts
    from ingot.model.landing import LandingState
    from ingot.tables.dataset import Dataset


def waiting(states: Iterable[LandingState]) -> list[LandingState]:
    """Return the latest versions of their files that wait for a decision."""
    latest = {s.landing.key: s for s in sorted(states, key=lambda s: s.landing.ordinal)}
    return [state for state in latest.values() if state.waits_for_decision]


def result(parts: Parts, dataset: Dataset, state: LandingState) -> DayResult:
    """Return a waiting version as it stays in every report until it is decided on."""
    done = parts.ledger.is_done(units.bronze_unit(dataset.bronze, state.landing))
    reason = done.reason if done else ""
    is_held = state.outcome is Outcome.HELD
    return DayResult(
        table=dataset.bronze.name,
        dataset=dataset.name,
        date=state.landing.file_date,
        result=Result.HELD if is_held else Result.REFUSED,
        rows_refused=done.rows_refused if done else 0,
        error=held_error(reason, state.landing.landing_id) if is_held else LookAtDataError(reason),
    )


def named(state: LandingState) -> str:
    """Return a version's name for messages: dataset, file date and version."""
    landing = state.landing
    return f"{landing.dataset} {landing.file_date} version {landing.ordinal}"
