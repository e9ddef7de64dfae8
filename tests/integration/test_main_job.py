"""The main job, end to end: a market published, corrected and asked as it was known.

Expected rows are the simulator's truth: what a perfect loader holds after each stage.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from polars.testing import assert_frame_equal

from ingot.app.ingest import ingest
from ingot.app.parts import open_parts
from ingot.app.records import decide
from ingot.app.report import Result
from tests.world import DAYS, MINUTES, MONDAY, SATURDAY, World, at

if TYPE_CHECKING:
    from pathlib import Path

WEEK = [MONDAY + timedelta(days=n) for n in range(5)]
STAGES = (1, 2, 3)


@pytest.fixture(scope="module")
def published_thrice(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a lake that loaded three publications of a week, each when it came out."""
    world = World(tmp_path_factory.mktemp("thrice"))
    for stage in STAGES:
        world.publish(stage)
        report = world.backfill(at(stage))
        assert report.exit_code == 0, report
    return world


def _rows(world: World) -> dict[str, str]:
    """Return fingerprints, leaving out the file times of this very tree."""
    return {k: v for k, v in world.fingerprints(at(20)).items() if k != "ops.landings"}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("day", WEEK, ids=str)
def test_each_publication_can_be_asked_as_it_was_known(
    published_thrice: World, stage: int, day: date
) -> None:
    expected = published_thrice.published(stage, day)
    assert_frame_equal(published_thrice.held(at(20), day, at(stage)), expected)


@pytest.mark.parametrize("day", WEEK, ids=str)
def test_day_bars_of_each_publication_can_be_asked_too(published_thrice: World, day: date) -> None:
    for stage in STAGES:
        expected = published_thrice.published(stage, day, DAYS)
        held = published_thrice.held(at(20), day, at(stage), table="day_bars")
        assert_frame_equal(held, expected)


def test_nothing_is_known_before_the_first_publication(published_thrice: World) -> None:
    assert published_thrice.held(at(20), MONDAY, at(1) - timedelta(seconds=1)).is_empty()


def test_an_answer_does_not_change_by_a_later_publication(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.publish(1)
    world.backfill(at(1))
    question = "SELECT * FROM {} ORDER BY ALL"
    tables = ("silver.minute_bars", "silver.day_bars", "gold.daily_bars", "gold.performance")
    with world.lake(at(1)) as lake:
        before = [lake.sql(question.format(t), known_at=at(1)).to_arrow() for t in tables]
    for stage in (2, 3):
        world.publish(stage)
        world.backfill(at(stage))
    with world.lake(at(9)) as lake:
        after = [lake.sql(question.format(t), known_at=at(1)).to_arrow() for t in tables]
        now = lake.sql(question.format(tables[0])).to_arrow()
    assert before == after
    assert now != after[0]


def test_silver_and_gold_built_at_once_equal_those_built_step_by_step(
    published_thrice: World, tmp_path: Path
) -> None:
    at_once = World(tmp_path)
    for stage in STAGES:
        at_once.publish(stage)
        at_once.ingest(at(stage))
    at_once.build(at(9))
    assert _rows(at_once) == _rows(published_thrice)


def test_loading_again_changes_nothing(published_thrice: World) -> None:
    before = published_thrice.fingerprints(at(20))
    report = published_thrice.backfill(at(10))
    assert report.days == ()
    assert published_thrice.fingerprints(at(20)) == before


def test_bronze_keeps_every_version_and_shows_those_in_force(published_thrice: World) -> None:
    count = "SELECT count(*) AS n, count(DISTINCT landing_id) AS versions FROM {}"
    with published_thrice.lake(at(20)) as lake:
        shown = lake.sql(count.format("bronze.minute_bars"), known_at=at(1)).to_polars()
        every = lake.sql(count.format("bronze.minute_bars_history")).to_polars()
    expected = sum(published_thrice.published(1, day).height for day in WEEK)
    assert shown.row(0) == (expected, 5)
    # Four days in a row hold one day of each class: 3, 3, 2 and 1 versions; the fifth repeats one.
    assert every["versions"].item() in {9 + 1, 9 + 2, 9 + 3}


def test_the_parallel_strategy_gives_the_same_tables(
    published_thrice: World, tmp_path: Path
) -> None:
    parallel = World(tmp_path)
    for stage in STAGES:
        parallel.publish(stage)
        parallel.backfill(at(stage), strategy="parallel", workers=3)
    assert _rows(parallel) == _rows(published_thrice)


def test_a_failed_day_does_not_stop_the_others(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.publish(1, defects={WEEK[1]: {"truncated_gzip"}, WEEK[2]: {"wrong_header"}})
    report = world.backfill(at(1))
    refused = {d.date for d in report.of(Result.REFUSED) if d.dataset == MINUTES}
    assert refused == {WEEK[1], WEEK[2]}
    assert report.exit_code == 3
    for day in (WEEK[0], WEEK[3], WEEK[4]):
        assert_frame_equal(world.held(at(9), day, None), world.published(1, day))
    again = world.backfill(at(2))
    assert {d.date for d in again.days} == {WEEK[1], WEEK[2]}
    assert again.exit_code == 3


def test_a_good_version_after_a_refused_one_loads(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.publish(1, defects={WEEK[1]: {"truncated_gzip"}})
    world.backfill(at(1))
    world.publish(2)
    report = world.backfill(at(2))
    assert report.exit_code == 0
    assert_frame_equal(world.held(at(9), WEEK[1], None), world.published(2, WEEK[1]))


@pytest.mark.parametrize(
    "defect",
    [
        "duplicate_rows_equal",
        "duplicate_rows_conflicting",
        "malformed_number",
        "inf_value",
        "blank_line",
        "short_line",
        "reordered_header",
        "missing_closing_minutes",
    ],
)
def test_the_rest_of_a_defective_file_loads(tmp_path: Path, defect: str) -> None:
    world = World(tmp_path, symbols=40, end=MONDAY + timedelta(days=2))
    world.publish(1, defects={MONDAY: {defect}})
    report = world.backfill(at(1))
    assert report.exit_code == 0, report
    assert_frame_equal(world.held(at(9), MONDAY, None), world.published(1, MONDAY))


def test_a_refused_row_keeps_its_key_at_the_version_before(tmp_path: Path) -> None:
    world = World(tmp_path, symbols=40, end=MONDAY + timedelta(days=2))
    world.publish(1)
    world.backfill(at(1))
    world.publish(2, defects={MONDAY: {"inf_value"}, WEEK[1]: {"malformed_number"}})
    world.backfill(at(2))
    stale = 0
    for day in WEEK[:2]:
        expected = world.published(2, day)
        stale += int(expected["stale_refused"].sum())
        assert_frame_equal(world.held(at(9), day, None), expected)
    assert stale > 0


def test_a_file_with_a_tenth_of_the_market_is_held_until_it_is_accepted(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.publish(1)
    world.backfill(at(1))
    world.publish(2, defects={WEEK[0]: {"tenth_of_market"}})
    report = world.backfill(at(2))
    held = report.of(Result.HELD)
    assert [(d.dataset, d.date) for d in held] == [(MINUTES, WEEK[0])]
    assert report.exit_code == 3
    assert_frame_equal(world.held(at(9), WEEK[0], None), world.published(1, WEEK[0]))

    parts = world.parts(at(3))
    (state,) = [s for s in parts.ledger.states("massive", MINUTES) if str(s.outcome) == "held"]
    decide(parts, "accept", str(state.landing.landing_id))
    parts.close()
    world.build(at(4))
    assert_frame_equal(world.held(at(9), WEEK[0], at(2)), world.published(1, WEEK[0]))
    assert world.held(at(9), WEEK[0], at(3)).height < world.published(1, WEEK[0]).height / 5


def test_a_late_day_is_missing_until_it_comes(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.publish(1, defects={WEEK[2]: {"late_day"}})
    report = world.backfill(at(1))
    assert [(d.dataset, d.date) for d in report.of(Result.MISSING)] == [(MINUTES, WEEK[2])]
    assert report.exit_code == 4
    world.publish(2)
    report = world.backfill(at(2))
    assert report.exit_code == 0
    assert_frame_equal(world.held(at(9), WEEK[2], None), world.published(2, WEEK[2]))
    assert world.held(at(9), WEEK[2], at(1)).is_empty()


def test_a_weekend_is_not_missing(tmp_path: Path) -> None:
    world = World(tmp_path, end=SATURDAY + timedelta(days=2))
    world.publish(1)
    assert world.backfill(at(1)).of(Result.MISSING) == ()


def test_an_old_file_is_assumed_known_by_the_vendors_rule(tmp_path: Path) -> None:
    world = World(tmp_path, end=MONDAY + timedelta(days=1))
    world.publish(1)
    world.parts(at(1)).close()
    parts = open_parts(world.root, environ={})
    ingest(parts, world.request())
    (state,) = parts.ledger.states("massive", MINUTES)
    # 11:00 New York on the calendar day after: 15:00 UTC in summer.
    assert state.landing.known_from.isoformat() == "2025-06-03T15:00:00+00:00"
    assert str(state.landing.known_basis) == "assumed"
    parts.close()
