"""Files with one defect each, loaded by one command: the good rows load, the bad files do not.

Expected rows, refused lines and rules are the simulator's truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ingot.app.context.report import Result
from ingot.simulator.truth import stage_path
from tests.support.recorded_bars import rows_in
from tests.support.world import MINUTES, MONDAY, World, at, held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.app.context.report import LoadReport
    from ingot.app.lake import Lake

pytestmark = pytest.mark.services  # seven seconds to load

OF_ROWS = (
    "duplicate_rows_equal",
    "duplicate_rows_conflicting",
    "malformed_number",
    "inf_value",
    "blank_line",
    "short_line",
    "timestamp_17_digits",
    "reordered_header",
    "missing_closing_minutes",
)
"""Defects of a file that loads, but for the lines that they spoil."""
OF_FILES = {
    "truncated_gzip": "cannot be read to its end",
    "empty_file": "is empty",
    "wrong_header": "missing columns: ticker, transactions; unexpected columns: symbol",
    "extra_column": "missing columns: none; unexpected columns: vwap",
}
"""Defects of a file of which nothing loads, with what the report says."""
JUNETEENTH = date(2025, 6, 19)
TRADE_DATES = [
    day
    for day in (MONDAY + timedelta(days=n) for n in range(30))
    if day.isoweekday() <= 5 and day != JUNETEENTH
]
DAY_OF = dict(zip((*OF_ROWS, *OF_FILES), TRADE_DATES, strict=False))


@dataclass(frozen=True)
class Loaded:
    """A lake that loaded a defect a day, and what was reported of it."""

    world: World
    report: LoadReport
    again: LoadReport
    """The report of a second load of the same files."""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """Load a month of files by one command, twice."""
    folder = tmp_path_factory.mktemp("defects")
    end = max(DAY_OF.values()) + timedelta(days=1)
    world = World(folder, symbols=20, end=end, datasets=(MINUTES,))
    world.publish(1, defects={day: {defect} for defect, day in DAY_OF.items()})
    return Loaded(world, world.backfill(at(1)), world.backfill(at(2)))


@pytest.fixture(scope="module")
def lake(loaded: Loaded) -> Iterator[Lake]:
    with loaded.world.lake(at(9)) as lake:
        yield lake


@pytest.mark.parametrize("defect", OF_ROWS)
def test_the_rest_of_a_defective_file_loads(lake: Lake, loaded: Loaded, defect: str) -> None:
    day = DAY_OF[defect]
    assert_frame_equal(held(lake, day, None), loaded.world.published(1, day))


@pytest.mark.parametrize("defect", OF_FILES)
def test_of_a_broken_file_nothing_loads_and_the_report_says_why(
    lake: Lake, loaded: Loaded, defect: str
) -> None:
    day = DAY_OF[defect]
    (refused,) = [d for d in loaded.report.days if d.date == day]
    assert (refused.result, refused.rows) == (Result.REFUSED, 0)
    assert OF_FILES[defect] in refused.advice
    assert "Nothing of" in refused.advice
    for table, column in (
        ("bronze.minute_bars", "file_date"),
        ("silver.minute_bars", "trade_date"),
    ):
        answer = lake.sql(f"SELECT count(*) AS n FROM {table} WHERE {column} = DATE '{day}'")
        assert rows_in(answer, "n") == [(0,)]


def test_broken_files_end_the_command_with_3_every_time(loaded: Loaded) -> None:
    refused = {DAY_OF[defect] for defect in OF_FILES}
    for report in (loaded.report, loaded.again):
        assert {d.date for d in report.of(Result.REFUSED)} == refused
        assert report.exit_code == 3
    assert {d.date for d in loaded.again.days} == refused


def test_quarantine_holds_each_spoiled_line_with_its_rule(lake: Lake, loaded: Loaded) -> None:
    truth = pl.read_parquet(stage_path(loaded.world.tree, "defects", 1))
    expected = truth.filter(effect="row_refused").select("file_date", "line", "rule", "raw")
    names = ("file_date", "row_number", "rule", "raw")
    answer = lake.sql(f"SELECT {', '.join(names)} FROM ops.quarantine WHERE layer = 'bronze'")
    found = sorted(rows_in(answer, *names))
    assert found == sorted(row for row in expected.rows() if row[2] != "duplicate_conflict")
    assert len({rule for _, _, rule, _ in found}) >= 4
