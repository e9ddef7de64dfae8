"""Runs transforms: reads planned files, stages what the engine gives, keeps refused rows."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from ingot.app import reference
from ingot.app.batch import Finished
from ingot.app.chosen import digests_by_month
from ingot.app.digests import TRANSFORM, transform_digests
from ingot.app.engine import open_engine
from ingot.app.performance import Month
from ingot.app.windows import Windows
from ingot.engines.base import CanTrail
from ingot.model.landing import Outcome
from ingot.model.time import new_york, to_ns
from ingot.model.work import Done, RefusedRow
from ingot.tables import gold, silver
from ingot.tables.arrow import arrow_schema
from ingot.tables.relation import ArrowRelation
from ingot.transforms import gold as gold_transforms
from ingot.transforms import silver as silver_transforms
from ingot.transforms.reference import dates_sql, reference_sql
from ingot.transforms.trailing import minute_bars_trailing
from ingot.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date, datetime
    from types import TracebackType
    from typing import Self

    from ingot.app.machine import Profile
    from ingot.app.markets import Market
    from ingot.app.parts import Parts
    from ingot.app.plan import GoldWork, SilverWork
    from ingot.app.reference import ReferenceWork
    from ingot.engines.base import Engine
    from ingot.model.work import Scope, Unit
    from ingot.storage.staged import StagedFile
    from ingot.tables.contract import Table
    from ingot.tables.dataset import Dataset
    from ingot.tables.relation import Relation
    from ingot.tables.trailing import TrailingBars

_AROUND: Final = timedelta(days=5)
"""Sessions this far from a trade date can hold a bar of its files."""
_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class _Job:
    """What one unit's text reads, and when it began."""

    table: Table
    unit: Unit
    inputs: Mapping[str, Relation]
    started: datetime
    rows_in: int = 0
    landing_ids: tuple[int, ...] = ()
    began: float = field(default_factory=monotonic)


class Refinery:
    """One run's engines and where they read and write; safe to use from several threads."""

    def __init__(self, parts: Parts, profile: Profile) -> None:
        self.profile = profile
        self._parts = parts
        self._idle: list[Engine] = []
        self._lock = Lock()

    def __enter__(self) -> Self:
        """Return the refinery itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every engine."""
        for engine in self._idle:
            engine.close()
        self._idle.clear()

    def silver(self, work: SilverWork, dataset: Dataset) -> Finished:
        """Refine one trade date of a dataset into its silver table, with its whole history."""
        table = dataset.silver or silver.MINUTE_BARS
        scope = work.unit.scope
        ids = sorted({i for state in work.states for i in state.landing_ids})
        bars = self._parts.tables.plan(
            dataset.bronze,
            start=work.file_dates[0],
            end=work.file_dates[-1] + _ONE_DAY,
            source=scope.source,
            dataset=scope.dataset,
            landing_ids=ids,
        )
        job = _Job(
            table=table,
            unit=work.unit,
            started=self._parts.clock.now(),
            inputs={
                "bars": bars.verify().relation(),
                "sessions": self._sessions(scope.start),
                "refused": ArrowRelation(self._parts.ledger.refused_keys(ids)),
            },
            rows_in=bars.rows,
            landing_ids=tuple(ids),
        )
        minutes = table is silver.MINUTE_BARS
        quarantine = (
            silver_transforms.minute_bars_quarantine_sql
            if minutes
            else silver_transforms.day_bars_quarantine_sql
        )
        history = silver_transforms.minute_bars_sql if minutes else silver_transforms.day_bars_sql
        refusals = quarantine(scope, work.states, unique=work.unique)

        def refused(rows_out: int) -> tuple[RefusedRow, ...]:
            if len(work.states) == 1 and rows_out == job.rows_in:
                return ()  # each row of one version became a row: there is none to refuse
            return self._refused(job, refusals)

        text = history(scope, work.states, unique=work.unique)
        trailing = minute_bars_trailing(scope, work.states, unique=work.unique) if minutes else None
        duplicates = 0 if work.unique else self._duplicates(job, work)
        return self._run(job, text, refused, duplicates=duplicates, trailing=trailing)

    def reference(self, work: ReferenceWork, dataset: Dataset) -> Finished:
        """Make one unit of silver of whole answers: actions, instruments, a month of day bars."""
        scope = work.unit.scope
        transform = reference.transform(work)
        ids = [s.landing.landing_id for s in work.spoken]
        rows = self._parts.tables.plan(
            dataset.bronze, source=scope.source, dataset=scope.dataset, landing_ids=ids
        )
        given = {transform.inputs[0]: rows.verify().relation()}
        with self._engine() as engine:
            days: list[Any] = engine.run(dates_sql(transform), given).read_all()["day"].to_pylist()
        job = _Job(
            table=transform.output,
            unit=work.unit,
            started=self._parts.clock.now(),
            inputs={
                **given,
                "landings": reference.landings(self._parts, work.spoken),
                "midnights": reference.midnights(days),
                "kept": reference.kept(self._parts, work),
            },
            rows_in=rows.rows,
            landing_ids=tuple(ids),
        )
        made = self._rows(reference_sql(transform, scope), job.inputs)
        details = digests_by_month(transform.output, made)
        return self._finished(job, self._written(job, made.to_reader()), (), details=details)

    def daily(self, work: GoldWork) -> Finished:
        """Make one trade date of gold.daily_bars from its minutes."""
        scope = work.unit.scope
        minutes = self._planned(silver.MINUTE_BARS, scope, scope.dataset, scope.start)
        job = _Job(
            table=gold.DAILY_BARS,
            unit=work.unit,
            started=self._parts.clock.now(),
            inputs={"minutes": minutes, "sessions": self._sessions(scope.start)},
        )
        return self._run(job, gold_transforms.daily_bars_sql(scope))

    def performance(
        self, work: GoldWork, market: Market, *, bases: Sequence[str], rules: str
    ) -> Finished:
        """Make one month of gold.performance, on each basis."""
        scope = work.unit.scope
        job = _Job(gold.PERFORMANCE, work.unit, {}, self._parts.clock.now())
        month = Month(Windows(self._parts, work, market, self._rows), bases, rules)
        details = month.details()
        previous = self._parts.ledger.last_done(gold.PERFORMANCE.name, scope)
        rows = month.rows(self._trade_dates(work.reads_from, scope.end), previous)
        return self._finished(job, self._written(job, rows.to_reader()), (), details=details)

    def _rows(self, text: str, inputs: Mapping[str, Relation]) -> pa.Table:
        with self._engine() as engine:
            return engine.run(text, inputs).read_all()

    def _planned(self, table: Table, scope: Scope, dataset: str, start: date) -> Relation:
        """Return a table's files of the scope's source from `start` to the scope's end."""
        plan = self._parts.tables.plan(
            table, start=start, end=scope.end, source=scope.source, dataset=dataset
        )
        where = f"source = '{scope.source}' AND dataset = '{dataset}'"
        return plan.verify().relation(where=where)

    def _sessions(self, trade_date: date) -> ArrowRelation:
        first = to_ns(new_york(trade_date - _AROUND))
        last = to_ns(new_york(trade_date + _AROUND))
        calendar = self._parts.calendar
        rows = [
            (s.calendar, s.trade_date, s.session, s.start_ns, s.end_ns, calendar.digest)
            for s in calendar.sessions
            if first <= s.start_ns < last
        ]
        schema = arrow_schema(silver.SESSIONS)
        columns = zip(*rows, strict=True) if rows else [()] * len(schema)
        arrays = [
            pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)
        ]
        return ArrowRelation(pa.table(arrays, schema=schema))

    def _trade_dates(self, start: date, end: date) -> ArrowRelation:
        days = self._parts.calendar.between(start, end)
        return ArrowRelation(
            pa.table(
                {
                    "trade_date": pa.array(days, pa.date32()),
                    "session_index": pa.array(range(len(days)), pa.int32()),
                }
            )
        )

    def _refused(self, job: _Job, text: str) -> tuple[RefusedRow, ...]:
        scope = job.unit.scope
        with self._engine() as engine:
            rows = engine.run(text, job.inputs).read_all().to_pylist()
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
            for row in rows
        )

    def _duplicates(self, job: _Job, work: SilverWork) -> int:
        """Count the rows that equal another of their landing."""
        text = silver_transforms.duplicates_counted_sql(job.table, work.states)
        with self._engine() as engine:
            rows = engine.run(text, job.inputs).read_all().to_pylist()
        return sum(int(row["duplicates"]) for row in rows)

    def _run(
        self,
        job: _Job,
        text: str,
        refused: Callable[[int], tuple[RefusedRow, ...]] | None = None,
        *,
        duplicates: int = 0,
        trailing: TrailingBars | None = None,
    ) -> Finished:
        details = {"duplicates": str(duplicates)} if duplicates else {}
        with self._engine() as engine:
            if trailing is not None and isinstance(engine, CanTrail):
                reader = engine.run_trailing(trailing, job.inputs)
            else:
                reader = engine.run(text, job.inputs)
            files = self._written(job, reader)
        rows_out = sum(f.rows for f in files)
        return self._finished(job, files, refused(rows_out) if refused else (), details=details)

    def _written(self, job: _Job, reader: pa.RecordBatchReader) -> tuple[StagedFile, ...]:
        unit = job.unit
        return self._parts.tables.write(job.table, unit.scope, unit.digest, reader)

    def _finished(
        self,
        job: _Job,
        files: tuple[StagedFile, ...],
        refused: tuple[RefusedRow, ...],
        *,
        details: Mapping[str, str],
    ) -> Finished:
        """Keep a unit's refused rows and say what was done."""
        unit = job.unit
        self._parts.ledger.record_quarantine(unit, refused, layer="silver")
        rules = transform_digests(self._parts, [job.table]).get(job.table.name)
        done = Done(
            unit=unit,
            outcome=Outcome.DONE,
            run=self._parts.run,
            started=job.started,
            ended=self._parts.clock.now(),
            snapshot_id=None,
            rows_in=job.rows_in,
            rows_out=sum(f.rows for f in files),
            rows_refused=len(refused),
            landing_ids=job.landing_ids,
            details={**details, **({TRANSFORM: rules} if rules else {})},
            code_version=__version__,
        )
        return Finished(done, files, monotonic() - job.began)

    @contextmanager
    def _engine(self) -> Iterator[Engine]:
        """Lend an engine; there are never more than work at once, and they share the memory."""
        with self._lock:
            engine = self._idle.pop() if self._idle else None
        engine = engine or open_engine(self._parts, self.profile)
        try:
            yield engine
        finally:
            with self._lock:
                self._idle.append(engine)
