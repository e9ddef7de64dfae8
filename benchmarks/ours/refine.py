"""Bronze to silver and gold: `ingot build`, one step for each table.

Libraries are imported before the clock starts, as those of the peers are.
"""

from __future__ import annotations

import os
import sys
from datetime import date
from pathlib import Path

from benchmarks.clock import tell, timed
from benchmarks.market import MINUTES
from benchmarks.ours.steps import Steps
from ingot.app.context import resources
from ingot.app.context.lake_context import open_parts
from ingot.app.pipeline.build import BuildRequest, build
from ingot.engines.transform import duckdb, trailing_window
from ingot.storage.iceberg.catalog import lake_catalog
from ingot.storage.iceberg.write import changes, commit, parquet_writer
from ingot.tables import silver

_IMPORTED = (duckdb, trailing_window, commit, changes, lake_catalog, parquet_writer)


def main() -> None:
    """Run: refine LAKE STRATEGY."""
    lake, strategy = Path(sys.argv[1]), sys.argv[2]
    parts = open_parts(lake, environ=os.environ)
    steps = Steps("")
    request = BuildRequest(date(2003, 1, 1), date(2100, 1, 1), strategy=strategy)
    with timed("build"):
        report = build(parts, request, progress=steps)
    steps.tell(report)
    stored = parts.tables.stats(silver.MINUTE_BARS)
    seconds, cpu = steps.seconds[f"{MINUTES} to silver.minute_bars"]
    profile = resources.choose(
        resources.look(lake), parts.settings, strategy=strategy, workers=None, days=len(report.days)
    )
    tell(
        "silver",
        seconds=round(seconds, 4),
        cpu=round(cpu, 3),
        rows=stored.rows,
        at_once=profile.workers,
    )
    tell("stored silver", rows=stored.rows, bytes=stored.size_bytes)
    parts.close()


if __name__ == "__main__":
    main()
