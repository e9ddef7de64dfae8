"""The executor: makes units of steps, commits them in batches, and says what became of each."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Final

from ingot.app.context import parallel
from ingot.app.context.engines import open_engine
from ingot.app.context.report import DayResult, Result
from ingot.app.inventory.units import PACKAGE, TRANSFORM
from ingot.app.load.commit_batch import ROUNDS, Batch, Finished
from ingot.app.refine.planner import stale_units
from ingot.engines.transform.base import CanTrail
from ingot.errors import IngotError
from ingot.model.landing import Outcome
from ingot.model.progress import StepAdvanced, StepEnded, StepStarted, silent
from ingot.model.unit import Done, RefusedRow
from ingot.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    import pyarrow as pa

    from ingot.app.context.lake_context import Parts
    from ingot.app.context.resources import Profile
    from ingot.app.refine.step import Feed, Step, UnitRows, Work
    from ingot.engines.transform.base import Engine
    from ingot.model.progress import Progress
    from ingot.model.unit import Unit
    from ingot.storage.iceberg.write.staged_file import StagedFile
    from ingot.tables.input import Relation

_BUDGET_MIB: Final = 1024
_FIRST_UNIT_MIB: Final = 650
"""Measured with full-size days: the process with its libraries, and one day of silver."""
_NEXT_UNIT_MIB: Final = 350
_UNITS: Final = {"day": "days", "month": "months", "whole": "tables"}


class Executor:
    """One run's engines and where they read and write; safe to use from several threads."""

    def __init__(self, parts: Parts, profile: Profile, *, progress: Progress = silent) -> None:
        self.parts = parts
        self._profile = for_units(profile, parts.settings.memory_budget_mb)
        self._progress = progress
        self._idle: list[Engine] = []
        self._lock = Lock()

    def close(self) -> None:
        """Close every engine."""
        for engine in self._idle:
            engine.close()
        self._idle.clear()

    def refine(self, step: Step, feed: Feed, start: date, end: date) -> list[DayResult]:
        """Make the stale units of a feed and commit them in batches; a failed one stops no other.

        Units that lost to another process are planned again: what it finished is done.
        """
        results: list[DayResult] = []
        lost: list[DayResult] = []
        for _ in range(ROUNDS):
            # The head comes first: what another process commits after it is never overwritten by
            # units that were planned before.
            head = self.parts.tables.head(step.output)
            work = tuple(stale_units(self.parts, step, feed, start, end))
            if not work:
                return results
            made, lost = self._committed(step, feed, work, head)
            results = [r for r in results if r.error is None] + made
            if not lost:
                return results
        return results + lost

    def run(self, sql: str, inputs: Mapping[str, Relation]) -> pa.Table:
        """Return the rows of a text."""
        with self._engine() as engine:
            return engine.run(sql, inputs).read_all()

    def _committed(
        self, step: Step, feed: Feed, work: Sequence[Work], head: int | None
    ) -> tuple[list[DayResult], list[DayResult]]:
        """Return the results of units planned on `head`, and those of lost units."""
        name = f"{feed.dataset} to {step.output.name}"
        self._progress(StepStarted(name, len(work), _UNITS[step.unit]))
        batch = Batch(self.parts, step.output, self._profile, planned_on=head)
        failed: list[DayResult] = []

        def attempt(item: Work) -> Finished | IngotError:
            try:
                return self._finished(step, item)
            except IngotError as error:
                return error

        with parallel.map_ahead(attempt, work, workers=self._profile.workers) as results:
            for item, made in results:
                if isinstance(made, Finished):
                    batch.add(made)
                else:
                    failed.append(_failed(item.unit, made))
                self._progress(StepAdvanced(name, 1, item.unit.scope.start.isoformat()))
        batch.flush()
        self._progress(StepEnded(name))
        return batch.results + failed, batch.lost

    def _finished(self, step: Step, work: Work) -> Finished:
        """Stage a unit's rows, keep its rejected rows, and say what was done."""
        started, began = self.parts.clock.now(), monotonic()
        made = work.produce(self)
        duplicates = self._duplicates(made)
        files = self._staged(step, work.unit, made)
        rows_out = sum(f.rows for f in files)
        rejected = self._rejected(work.unit, made, rows_out)
        self.parts.ledger.record_quarantine(work.unit, rejected, layer="silver")
        rules = step.rules_digest(self.parts.settings)
        done = Done(
            unit=work.unit,
            outcome=Outcome.DONE,
            run=self.parts.run,
            started=started,
            ended=self.parts.clock.now(),
            snapshot_id=None,
            rows_in=made.rows_in,
            rows_out=rows_out,
            rows_refused=len(rejected),
            landing_ids=made.landing_ids,
            details={
                **made.details,
                **({"duplicates": str(duplicates)} if duplicates else {}),
                **({TRANSFORM: rules} if rules else {}),
                **({PACKAGE: step.package} if step.package else {}),
            },
            code_version=__version__,
        )
        return Finished(done, files, monotonic() - began)

    def _staged(self, step: Step, unit: Unit, made: UnitRows) -> tuple[StagedFile, ...]:
        tables = self.parts.tables
        if made.rows is not None:
            return tables.write(step.output, unit.scope, unit.digest, made.rows.to_reader())
        with self._engine() as engine:
            if made.trailing is not None and isinstance(engine, CanTrail):
                reader = engine.run_trailing(made.trailing, made.inputs)
            else:
                reader = engine.run(made.sql, made.inputs)
            return tables.write(step.output, unit.scope, unit.digest, reader)

    def _duplicates(self, made: UnitRows) -> int:
        """Count the rows that equal another of their landing."""
        if not made.duplicates:
            return 0
        rows = self.run(made.duplicates, made.inputs).to_pylist()
        return sum(int(row["duplicates"]) for row in rows)

    def _rejected(self, unit: Unit, made: UnitRows, rows_out: int) -> tuple[RefusedRow, ...]:
        if not made.rejects or (made.one_version and rows_out == made.rows_in):
            return ()
        scope = unit.scope
        return tuple(
            RefusedRow(
                source=scope.source,
                dataset=scope.dataset,
                file_date=scope.start,
                landing_id=row["landing_id"],
                row_number=row["row_number"],
                rule=row["rule"],
                raw=row["raw"],
                symbol=row["symbol"],
                bar_start_ns=row["bar_start_ns"],
            )
            for row in self.run(made.rejects, made.inputs).to_pylist()
        )

    @contextmanager
    def _engine(self) -> Iterator[Engine]:
        """Lend an engine; there are never more than work at once, and they share the memory."""
        with self._lock:
            engine = self._idle.pop() if self._idle else None
        engine = engine or open_engine(self.parts, self._profile)
        try:
            yield engine
        finally:
            with self._lock:
                self._idle.append(engine)


def for_units(profile: Profile, budget_mb: int | None) -> Profile:
    """Return how units are made: as many at once as fit into memory, the cores divided among them.

    However many workers are allowed, two full-size days at once take 1 GB; only a budget in the
    settings allows more.
    """
    budget_mb = budget_mb or _BUDGET_MIB
    fitting = 1 + max(0, budget_mb - _FIRST_UNIT_MIB) // _NEXT_UNIT_MIB
    workers = min(profile.workers, fitting)
    return replace(
        profile, workers=workers, engine_threads=max(1, profile.engine_threads // workers)
    )


def _failed(unit: Unit, error: IngotError) -> DayResult:
    return DayResult(
        table=unit.table,
        dataset=unit.scope.dataset,
        date=unit.scope.start,
        result=Result.FAILED,
        error=error,
    )
