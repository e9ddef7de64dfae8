"""Finished units on their way to one commit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final

from ingot.app.context.report import DayResult, Result, held_error
from ingot.errors import CommitConflictError, IngotError
from ingot.model.landing import Outcome
from ingot.storage.iceberg.write.replacement import Replacement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingot.app.context.lake_context import Parts
    from ingot.app.context.resources import Profile
    from ingot.model.unit import Done
    from ingot.storage.iceberg.write.staged_file import StagedFile
    from ingot.tables.contract import Table

ROUNDS: Final = 20
"""How often units that lost to another process are planned again."""
_LONGEST_RECORDING_S: Final = 10.0
"""A process that has committed units and recorded none for so long has died."""
_PAUSE_S: Final = 0.05
_LATELY: Final = 10
"""Snapshots in which units are looked for that are committed and not recorded yet."""


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
        planned_on: int | None,
    ) -> None:
        """Start empty; `planned_on` is the head before the first unit was planned."""
        self._parts = parts
        self._planned_on = planned_on
        self._table = table
        self._profile = profile
        self._waiting: list[Finished] = []
        self._oldest = 0.0
        self.results: list[DayResult] = []
        self.lost: list[DayResult] = []

    def add(self, finished: Finished) -> None:
        """Take one unit, and commit when the batch is full or old."""
        if not self._waiting:
            self._oldest = monotonic()
        self._waiting.append(finished)
        full = len(self._waiting) >= self._profile.commit_days
        if full or monotonic() - self._oldest >= self._profile.commit_seconds:
            self.flush()

    def flush(self) -> None:
        """Commit what waits, then record it as done.

        A unit that another process finished meanwhile is left to it. Units that lost to another
        change of their scope go to `lost`: plan them again.
        """
        waiting, self._waiting = self._unfinished_by_others(self._waiting), []
        while waiting:
            try:
                snapshot = self._committed(waiting)
            except CommitConflictError as error:
                left = self._unfinished_by_others(waiting)
                if len(left) == len(waiting):
                    self.lost += [_result(f, error) for f in waiting]
                    return
                waiting = left
            except IngotError as error:
                self.results += [_result(f, error) for f in waiting]
                return
            else:
                self._record(waiting, snapshot)
                return

    def _committed(self, waiting: Sequence[Finished]) -> int | None:
        replacements = [
            Replacement(scope=f.done.unit.scope, files=f.files, unit=f.done.unit.name)
            for f in waiting
        ]
        return self._parts.tables.replace(
            self._table, replacements, run=self._parts.run, planned_on=self._planned_on
        )

    def _record(self, committed: Sequence[Finished], snapshot: int | None) -> None:
        ledger, ended = self._parts.ledger, self._parts.clock.now()
        for finished in committed:
            files = tuple(file.written for file in finished.files)
            ledger.record_done(
                replace(finished.done, snapshot_id=snapshot, ended=ended, files=files)
            )
            self.results.append(_result(finished, None))

    def _unfinished(self, units: Sequence[Finished]) -> list[Finished]:
        """Return the units that are not recorded as done with the same outcome."""
        found = [(f, self._parts.ledger.is_done(f.done.unit)) for f in units]
        return [f for f, done in found if done is None or done.outcome is not f.done.outcome]

    def _unfinished_by_others(self, units: Sequence[Finished]) -> list[Finished]:
        """Return the units that no other process has finished.

        One that has committed a unit records it as done a moment later: while others are at work
        that moment is waited for, so that a unit is not done twice.
        """
        scratch = self._parts.ledger.store.scratch
        left = self._unfinished(units)
        until = monotonic() + _LONGEST_RECORDING_S
        while left and scratch.others_since_s() is not None and monotonic() < until:
            committed = self._committed_lately()
            before = len(left)
            left = self._unfinished(left)
            if len(left) < before:
                until = monotonic() + _LONGEST_RECORDING_S
            elif not any(f.done.unit.name in committed for f in left):
                break
            else:
                sleep(_PAUSE_S)
        return left

    def _committed_lately(self) -> frozenset[str]:
        """Return the units of the last snapshots, as far as they are listed there."""
        lately = self._parts.tables.history(self._table)[-_LATELY:]
        return frozenset(name for snapshot in lately for name in snapshot.units or ())


def _result(finished: Finished, error: IngotError | None) -> DayResult:
    done = finished.done
    result = Result.LOADED
    if error is not None:
        result = Result.FAILED
    elif done.outcome is Outcome.HELD:
        result, error = Result.HELD, held_error(done.reason, done.landing_ids[0])
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
