"""csv.gz to committed bronze: `ingot ingest massive`, its landing and its commit included.

Libraries are imported before the clock starts, as those of the peers are.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from benchmarks.clock import tell, timed
from benchmarks.market import DAYS, MINUTES, Market
from benchmarks.ours.steps import Steps
from ingot.app.context.lake_context import init, open_parts
from ingot.app.context.load_request import LoadRequest
from ingot.app.pipeline.ingest import ingest
from ingot.connectors.massive.flatfiles import fast_decimals
from ingot.tables import bronze

_IMPORTED = fast_decimals


def main() -> None:
    """Run: load TREE LAKE STRATEGY; the lake is made anew."""
    tree, lake, strategy = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    shutil.rmtree(lake, ignore_errors=True)
    init(lake)
    parts = open_parts(lake, environ=os.environ)

    def load(dataset: str, steps: Steps) -> None:
        request = LoadRequest("massive", str(tree), (dataset,), strategy=strategy)
        report = ingest(parts, request, progress=steps)
        steps.tell(report)

    # The small day files first: the market's sessions are landed and every library is imported.
    load(DAYS, Steps("day files: "))
    steps = Steps("minute files: ")
    with timed("load") as figures:
        load(MINUTES, steps)
        figures["rows"] = parts.tables.stats(bronze.MINUTE_BARS).rows
    stored = parts.tables.stats(bronze.MINUTE_BARS)
    tell("stored", rows=stored.rows, bytes=stored.size_bytes)
    tell("gzip", bytes=Market(tree).gzip_bytes)
    parts.close()


if __name__ == "__main__":
    main()
