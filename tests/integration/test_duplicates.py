"""Equal rows of one file are counted and kept once; conflicting ones go to quarantine."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest

from ingot.simulator.truth import stage_path
from tests.support.world import MINUTES, MONDAY, World, at

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("defect", ["duplicate_rows_equal", "duplicate_rows_conflicting"])
def test_duplicates_are_accounted_for(tmp_path: Path, defect: str) -> None:
    world = World(tmp_path, end=MONDAY + timedelta(days=1), symbols=100, datasets=(MINUTES,))
    world.publish(1, defects={MONDAY: {defect}})
    assert world.backfill(at(1)).exit_code == 0
    injected = pl.read_parquet(stage_path(world.tree, "defects", 1)).height
    with world.lake(at(2)) as lake:
        run = lake.sql(
            "SELECT duplicates, rows_refused, rows_in - rows_out FROM ops.runs "
            "WHERE table_name = 'silver.minute_bars'"
        ).to_polars()
        quarantined = lake.sql("SELECT rule FROM ops.quarantine").to_polars()["rule"].to_list()
    if defect == "duplicate_rows_equal":
        assert run.row(0) == (injected, 0, injected)
        assert quarantined == []
    else:
        assert run.row(0) == (0, injected, injected)
        assert quarantined == ["duplicate_conflict"] * injected
