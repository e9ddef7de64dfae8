"""The main job, end to end: a market published, corrected and asked as it was known.

Expected rows are the simulator's truth: what a perfect loader holds after each stage.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from polars.testing import assert_frame_equal

from ingot.app.context.lake_context import open_parts
from ingot.app.context.report import Result
from ingot.app.operate.records import decide
from ingot.app.pipeline.ingest import ingest
from tests.support.world import DAYS, MINUTES, MONDAY, SATURDAY, World, at, held

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime
    from pathlib import Path

    import pyarrow as pa

    from ingot.app.lake import Lake

WEEK = [MONDAY + timedelta(days=n) for n in range(5)]
TUESDAY = WEEK[1]
STAGES = (1, 2, 3)
DERIVED = ("silver.minute_bars", "silver.day_bars", "gold.daily_bars", "gold.performance")


def everything(lake: Lake, known_at: datetime | None = None) -> list[pa.Table]:
    """Return all rows of the derived tables."""
    questions = (f"SELECT * FROM {table} ORDER BY ALL" for table in DERIVED)
    return [lake.sql(question, known_at=known_at).to_arrow() for question in questions]


@dataclass(frozen=True)
class Thrice:
    """A lake that loaded three publications of a week, each when it came out."""

    world: World
    after_first: list[pa.Table]
    """What it answered before the second publication."""


@pytest.fixture(scope="module")
def thrice(tmp_path_factory: pytest.TempPathFactory) -> Thrice:
    """Load three publications, one after the other."""
    world = World(tmp_path_factory.mktemp("thrice"), symbols=20)
    answers = []
    for stage in STAGES:
        world.publish(stage)
        report = world.backfill(at(stage), strategy="parallel", workers=3)
        assert report.exit_code == 0, report
        if stage == 1:
            with world.lake(at(1)) as lake:
                answers = everything(lake, known_at=at(1))
    return Thrice(world, answers)


@pytest.fixture(scope="module")
def lake(thrice: Thrice) -> Iterator[Lake]:
    """Return that lake, long after."""
    with thrice.world.lake(at(20)) as lake:
        yield lake


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("day", WEEK, ids=str)
def test_each_publication_can_be_asked_as_it_was_known(
    lake: Lake, thrice: Thrice, stage: int, day: date
) -> None:
    expected = thrice.world.published(stage, day)
    assert_frame_equal(held(lake, day, at(stage)), expected)


@pytest.mark.parametrize("day", WEEK, ids=str)
def test_day_bars_of_each_publication_can_be_asked_too(
    lake: Lake, thrice: Thrice, day: date
) -> None:
    for stage in STAGES:
        expected = thrice.world.published(stage, day, DAYS)
        assert_frame_equal(held(lake, day, at(stage), table="day_bars"), expected)


def test_nothing_is_known_before_the_first_publication(lake: Lake) -> None:
    assert held(lake, MONDAY, at(1) - timedelta(seconds=1)).is_empty()


def test_an_answer_does_not_change_by_a_later_publication(lake: Lake, thrice: Thrice) -> None:
    assert everything(lake, known_at=at(1)) == thrice.after_first
    assert everything(lake) != thrice.after_first


@pytest.mark.services
def test_tables_built_at_once_equal_those_built_step_by_step(
    thrice: Thrice, tmp_path: Path
) -> None:
    at_once = World(tmp_path, symbols=20)
    for stage in STAGES:
        at_once.publish(stage)
        at_once.ingest(at(stage), strategy="sequential")
    at_once.build(at(9))
    assert at_once.fingerprints(at(20)) == thrice.world.fingerprints(at(20))


def test_loading_again_changes_nothing(thrice: Thrice) -> None:
    before = thrice.world.fingerprints(at(20))
    assert thrice.world.backfill(at(10)).days == ()
    assert thrice.world.fingerprints(at(20)) == before


def test_bronze_keeps_every_version_and_shows_those_in_force(lake: Lake, thrice: Thrice) -> None:
    count = "SELECT count(*) AS n, count(DISTINCT landing_id) AS versions FROM {}"
    shown = lake.sql(count.format("bronze.minute_bars"), known_at=at(1)).to_polars()
    every = lake.sql(count.format("bronze.minute_bars_history")).to_polars()
    expected = sum(thrice.world.published(1, day).height for day in WEEK)
    assert shown.row(0) == (expected, 5)
    # Four days in a row hold one day of each class: 3, 3, 2 and 1 versions; the fifth repeats one.
    assert every["versions"].item() in {9 + 1, 9 + 2, 9 + 3}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world of two days, small and without a lake."""
    return World(tmp_path, symbols=20, end=WEEK[2])


@pytest.mark.services
def test_a_good_version_after_a_refused_one_loads(world: World) -> None:
    world.publish(1, defects={TUESDAY: {"truncated_gzip"}})
    assert world.backfill(at(1)).exit_code == 3
    again = world.backfill(at(1))
    assert [(d.dataset, d.date, d.result) for d in again.days] == [
        (MINUTES, TUESDAY, Result.REFUSED)
    ]
    world.publish(2)
    assert world.backfill(at(2)).exit_code == 0
    assert_frame_equal(world.held(at(9), TUESDAY, None), world.published(2, TUESDAY))


@pytest.mark.services
def test_a_refused_row_keeps_its_key_at_the_version_before(world: World) -> None:
    world.publish(1)
    world.backfill(at(1))
    world.publish(2, defects={MONDAY: {"inf_value"}, TUESDAY: {"malformed_number"}})
    world.backfill(at(2))
    stale = 0
    for day in (MONDAY, TUESDAY):
        expected = world.published(2, day)
        stale += expected.filter("stale_refused").height
        assert_frame_equal(world.held(at(9), day, None), expected)
    assert stale > 0


@pytest.mark.services
def test_a_file_with_a_tenth_of_the_market_is_held_until_it_is_accepted(world: World) -> None:
    world.publish(1)
    world.backfill(at(1))
    world.publish(2, defects={MONDAY: {"tenth_of_market"}})
    report = world.backfill(at(2))
    assert [(d.dataset, d.date) for d in report.of(Result.HELD)] == [(MINUTES, MONDAY)]
    assert report.exit_code == 3
    assert_frame_equal(world.held(at(9), MONDAY, None), world.published(1, MONDAY))

    parts = world.parts(at(3))
    (state,) = [s for s in parts.ledger.states("massive", MINUTES) if str(s.outcome) == "held"]
    decide(parts, "accept", str(state.landing.landing_id))
    parts.close()
    world.build(at(4))
    with world.lake(at(9)) as lake:
        assert_frame_equal(held(lake, MONDAY, at(2)), world.published(1, MONDAY))
        assert held(lake, MONDAY, at(3)).height < world.published(1, MONDAY).height / 5


@pytest.mark.services
def test_a_late_day_is_missing_until_it_comes(world: World) -> None:
    world.publish(1, defects={TUESDAY: {"late_day"}})
    report = world.backfill(at(1))
    assert [(d.dataset, d.date) for d in report.of(Result.MISSING)] == [(MINUTES, TUESDAY)]
    assert report.exit_code == 4
    world.publish(2)
    assert world.backfill(at(2)).exit_code == 0
    with world.lake(at(9)) as lake:
        assert_frame_equal(held(lake, TUESDAY, None), world.published(2, TUESDAY))
        assert held(lake, TUESDAY, at(1)).is_empty()


def test_a_weekend_is_not_missing(tmp_path: Path) -> None:
    world = World(tmp_path, symbols=20, start=WEEK[4], end=SATURDAY + timedelta(days=2))
    world.publish(1)
    assert world.ingest(at(1)).of(Result.MISSING) == ()


def test_an_old_file_is_assumed_known_by_the_vendors_rule(tmp_path: Path) -> None:
    world = World(tmp_path, symbols=20, end=TUESDAY)
    world.publish(1)
    world.parts(at(1)).close()
    parts = open_parts(world.root, environ={})
    ingest(parts, world.request())
    (state,) = parts.ledger.states("massive", MINUTES)
    # 11:00 New York on the calendar day after: 15:00 UTC in summer.
    assert state.landing.known_from.isoformat() == "2025-06-03T15:00:00+00:00"
    assert str(state.landing.known_basis) == "assumed"
    parts.close()
