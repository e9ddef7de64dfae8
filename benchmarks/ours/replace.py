"""A republished full day: land its second version, replace it in bronze, refine its history."""

from __future__ import annotations

import os
import sys
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.clock import tell, timed
from benchmarks.market import DAYS, MINUTES
from benchmarks.ours.steps import Steps
from ingot.app.context.lake_context import open_parts
from ingot.app.context.load_request import LoadRequest
from ingot.app.pipeline.build import BuildRequest, build
from ingot.app.pipeline.ingest import ingest
from ingot.tables import bronze, silver

if TYPE_CHECKING:
    from ingot.app.context.lake_context import Parts


def main() -> None:
    """Run: replace TREE_OF_SECOND_VERSION LAKE."""
    tree, lake = Path(sys.argv[1]), Path(sys.argv[2])
    parts = open_parts(lake, environ=os.environ)
    commits = _Commits(parts)
    # The small day files first, so that every library is imported.
    ingest(parts, LoadRequest("massive", str(tree), (DAYS,)))
    with timed("replace a day in bronze") as figures:
        request = LoadRequest("massive", str(tree), (MINUTES,))
        report = ingest(parts, request)
        figures["rows"] = sum(day.rows for day in report.days)
    steps = Steps("")
    with timed("replace a day, refined to gold"):
        report = build(parts, BuildRequest(date(2003, 1, 1), date(2100, 1, 1)), progress=steps)
    steps.tell(report)
    seconds, cpu = steps.seconds[f"{MINUTES} to silver.minute_bars"]
    tell("replace a day in silver", seconds=round(seconds, 4), cpu=round(cpu, 3))
    for table in (bronze.MINUTE_BARS, silver.MINUTE_BARS):
        tell(f"commit to {table.name}", seconds=round(commits.seconds[table.name], 4))
    parts.close()


class _Commits:
    """Remembers how long each table's last commit took."""

    def __init__(self, parts: Parts) -> None:
        self.seconds: dict[str, float] = {}
        self._replace = parts.tables.replace
        parts.tables.replace = self._timed  # type: ignore[method-assign] # a stopwatch

    def _timed(self, table: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - passes on
        began = time.perf_counter()
        result = self._replace(table, *args, **options)
        self.seconds[table.name] = time.perf_counter() - began
        return result


if __name__ == "__main__":
    main()
