"""Finished units on their way to one commit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

from ingot.app.report import DayResult, Result, held
from ingot.errors import CommitConflictError, IngotError
from ingot.model.landing import Outcome
from ingot.storage.replacement import Replacement, Unplanned

if TYPE_CHECKING:
    from ingot.app.machine import Profile
    from ingot.app.parts import Parts
    from ingot.model.work import Done
    from ingot.storage.staged import StagedFile
    from ingot.tables.contract import Table


@dataclass(frozen=True, slots=True)
class Finished:
    """A unit whose files are staged; its done record lacks only the snapshot."""

    done: Done
    files: tuple[StagedFile, ...]
    seconds: float


class Batch:
    """Units of one table that wait for one commit: few commits keep planning fast.

    A batch commits when it holds `commit_days` units or its oldest waits `commit_seconds`. The
    done record follows the commit: a crash between the two costs one more replacement of the
    same rows, never a loss and never a double.
    """

    def __init__(
        self,
        parts: Parts,
        table: Table,
        profile: Profile,
        *,
        planned_on: int | Unplanned | None = Unplanned.UNPLANNED,
    ) -> None:
        """Start empty; `planned_on` is the head before the first unit read its inputs."""
        self._parts = parts
        self._planned_on = planned_on
        self._table = table
        self._profile = profile
        self._waiting: list[Finished] = []
        self._oldest = 0.0
        self.results: list[DayResult] = []

    def add(self, finished: Finished) -> None:
        """Take one unit, and commit when the batch is full or old."""
        if not self._waiting:
            self._oldest = monotonic()
        self._waiting.append(finished)
        full = len(self._waiting) >= self._profile.commit_days
        if full or monotonic() - self._oldest >= self._profile.commit_seconds:
            self.flush()

    def flush(self) -> None:
        """Commit what waits, then record it as done."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        replacements = [
            Replacement(scope=f.done.unit.scope, files=f.files, unit=f.done.unit.name)
            for f in waiting
        ]
        try:
            snapshot = self._parts.tables.replace(
                self._table, replacements, run=self._parts.run, planned_on=self._planned_on
            )
        except IngotError as error:
            self.results += [
                _result(f, error) for f in waiting if not self._done_elsewhere(f, error)
            ]
            return
        for finished in waiting:
            self._parts.ledger.record_done(
                replace(
                    finished.done,
                    snapshot_id=snapshot,
                    ended=self._parts.clock.now(),
                    files=tuple(file.written for file in finished.files),
                )
            )
            self.results.append(_result(finished, None))

    def _done_elsewhere(self, finished: Finished, error: IngotError) -> bool:
        """Say whether another process did this very unit while we did."""
        if not isinstance(error, CommitConflictError):
            return False
        return self._parts.ledger.is_done(finished.done.unit) is not None


def _result(finished: Finished, error: IngotError | None) -> DayResult:
    done = finished.done
    result = Result.LOADED
    if error is not None:
        result = Result.FAILED
    elif done.outcome is Outcome.HELD:
        result, error = Result.HELD, held(done.reason, done.landing_ids[0])
    return DayResult(
        table=done.unit.table,
        dataset=done.unit.scope.dataset,
        date=done.unit.scope.start,
        result=result,
        rows=done.rows_out,
        rows_refused=done.rows_refused,
        seconds=finished.seconds,
        error=error,
    )
