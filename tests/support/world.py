"""A small synthetic market and a lake that loads it: the stage of the integration tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ingot.app.context.lake_context import init, open_parts
from ingot.app.context.load_request import LoadRequest
from ingot.app.lake import Lake
from ingot.app.pipeline import backfill, build, ingest
from ingot.model.time import FixedClock
from ingot.simulator.simulate import simulate
from ingot.simulator.truth import held_path
from ingot.storage.fs.fault_points import undisturbed
from ingot.storage.iceberg.read.scan_planner import ScanRequest
from ingot.tables.arrow import arrow_schema
from ingot.tables.ops import CHECKS, RUNS
from ingot.tables.registry import ALL_TABLES
from tests.support.fingerprint import fingerprint

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from ingot.app.context.lake_context import Parts
    from ingot.app.context.report import LoadReport
    from ingot.storage.fs.fault_points import Boundary
    from ingot.tables.contract import Table

MINUTES = "us_stocks_sip/minute_aggs_v1"
DAYS = "us_stocks_sip/day_aggs_v1"
MONDAY = date(2025, 6, 2)
SATURDAY = date(2025, 6, 7)
BAR = ["open", "high", "low", "close", "volume", "transactions"]


def at(day: int, hour: int = 16) -> datetime:
    """Return an instant of July 2025, long after the market's week."""
    return datetime(2025, 7, day, hour, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    """A vendor's tree and a lake beside it."""

    folder: Path
    start: date = MONDAY
    end: date = SATURDAY
    symbols: int = 30
    datasets: tuple[str, ...] = (MINUTES, DAYS)
    environ: Mapping[str, str] = field(default_factory=dict)
    vendor: Path | None = None
    """Where the vendor publishes; beside the lake by default."""

    @property
    def tree(self) -> Path:
        """Where the vendor publishes."""
        return self.vendor or self.folder / "vendor"

    @property
    def root(self) -> Path:
        """Where the lake is."""
        return self.folder / "lake"

    def publish(
        self, stage: int = 1, defects: Mapping[date, Collection[str]] | None = None
    ) -> None:
        """Have the vendor publish a stage."""
        simulate(
            self.tree,
            start=self.start,
            end=self.end,
            symbols=self.symbols,
            seed=7,
            stage=stage,
            datasets=self.datasets,
            defects=defects,
        )

    def parts(self, now: datetime, *, boundary: Boundary = undisturbed) -> Parts:
        """Open the lake at a moment; make it if there is none."""
        init(self.root, boundary=boundary)
        return open_parts(self.root, environ=self.environ, clock=FixedClock(now), boundary=boundary)

    def lake(self, now: datetime) -> Lake:
        """Open the lake for questions at a moment."""
        return Lake(self.parts(now))

    def request(self, **changes: object) -> LoadRequest:
        """Return the request that loads the whole span."""
        values: dict[str, object] = {
            "source": "massive",
            "location": str(self.tree),
            "datasets": self.datasets,
            "start": self.start,
            "end": self.end,
        }
        return LoadRequest(**(values | changes))  # type: ignore[arg-type]  # made of names

    def backfill(
        self, now: datetime, *, boundary: Boundary = undisturbed, **changes: object
    ) -> LoadReport:
        """Load everything that the vendor has at a moment, all the way to gold."""
        parts = self.parts(now, boundary=boundary)
        try:
            return backfill.backfill(parts, self.request(**changes))
        finally:
            parts.close()

    def ingest(self, now: datetime, **changes: object) -> LoadReport:
        """Load everything that the vendor has to bronze, no further."""
        parts = self.parts(now)
        try:
            return ingest.ingest(parts, self.request(**changes))
        finally:
            parts.close()

    def build(self, now: datetime) -> LoadReport:
        """Refine what is loaded."""
        parts = self.parts(now)
        try:
            return build.build(parts, build.BuildRequest(self.start, self.end))
        finally:
            parts.close()

    def published(self, stage: int, day: date, dataset: str = MINUTES) -> pl.DataFrame:
        """Return the bars that a perfect loader holds of a day after a stage, by the truth."""
        path = held_path(self.tree, dataset, day, stage=stage)
        assert path is not None
        frame = pl.read_parquet(path).rename({"ticker": "symbol", "window_start": "bar_start_ns"})
        return frame.select("symbol", "bar_start_ns", *BAR, "stale_refused").sort(
            "symbol", "bar_start_ns"
        )

    def held(
        self, now: datetime, day: date, known_at: datetime | None, table: str = "minute_bars"
    ) -> pl.DataFrame:
        """Return the bars of a day that the lake answers with, as known at a moment."""
        with self.lake(now) as lake:
            return held(lake, day, known_at, table)

    def fingerprints(self, now: datetime) -> dict[str, str]:
        """Return what every table holds, independent of the order of rows and files."""
        parts = self.parts(now)
        found = {}
        try:
            for table in ALL_TABLES:
                if table in {RUNS, CHECKS}:
                    continue
                found[table.name] = fingerprint(table, rows_of(parts, table).to_reader()).digest
        finally:
            parts.close()
        return found


def held(
    lake: Lake, day: date, known_at: datetime | None, table: str = "minute_bars"
) -> pl.DataFrame:
    """Return the bars of a day that an open lake answers with, as known at a moment."""
    columns = ", ".join(("symbol", "bar_start_ns", *BAR, "stale_refused"))
    answer = lake.sql(
        f"SELECT {columns} FROM silver.{table} WHERE trade_date = DATE '{day}' "
        "ORDER BY symbol, bar_start_ns",
        known_at=known_at,
    )
    return answer.to_polars(exact=True)


def rows_of(parts: Parts, table: Table) -> pa.Table:
    """Return every row of a table, by its planned files."""
    schema = arrow_schema(table)
    files = [
        pq.read_table(f.path, schema=schema) for f in parts.tables.plan(ScanRequest(table)).files
    ]
    return pa.concat_tables([schema.empty_table(), *files])
