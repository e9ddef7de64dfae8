"""A version whose rows silver would refuse waits for a person; the one before it stays in force.

Expected rows are the simulator's truth.
"""

from __future__ import annotations

import gzip
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ingot.app.operate.records import decide
from ingot.app.operate.status import status
from ingot.app.trust.check import check
from ingot.app.trust.coverage import coverage
from ingot.model.landing import Outcome
from tests.support.world import MINUTES, MONDAY, World, at

if TYPE_CHECKING:
    from pathlib import Path

    from ingot.model.landing import LandingState

TUESDAY = MONDAY + timedelta(days=1)
WEDNESDAY = MONDAY + timedelta(days=2)


def file(world: World, day: object) -> Path:
    return world.tree / MINUTES / "2025" / "06" / f"{day}.csv.gz"


def negated(text: str, every: int = 1) -> str:
    """Return a file with the prices of each `every`-th row below zero."""
    header, *lines = text.splitlines()
    names = header.split(",")
    made = [header]
    for number, line in enumerate(lines):
        named = dict(zip(names, line.split(","), strict=True))
        if number % every == 0:
            named |= {n: f"-{named[n]}" for n in ("open", "high", "low", "close")}
        made.append(",".join(named.values()))
    return "\n".join(made) + "\n"


def worlds(tmp_path: Path) -> World:
    world = World(tmp_path, end=WEDNESDAY, symbols=20, datasets=(MINUTES,))
    world.publish(1)
    return world


def spoil(world: World, how: str) -> None:
    """Publish another version of Monday: Tuesday's rows, or Monday's own below zero."""
    monday, tuesday = (file(world, day) for day in (MONDAY, TUESDAY))
    if how == "another day":
        shutil.copyfile(tuesday, monday)
        return
    text = gzip.decompress(monday.read_bytes()).decode()
    monday.write_bytes(gzip.compress(negated(text, 1 if how == "negated" else 200).encode()))


def waiting(world: World) -> LandingState:
    parts = world.parts(at(9))
    (found,) = [s for s in parts.ledger.states("massive", MINUTES) if s.outcome is Outcome.HELD]
    parts.close()
    return found


@pytest.mark.services
def test_a_version_that_silver_would_refuse_leaves_the_day_as_it_was(tmp_path: Path) -> None:
    world = worlds(tmp_path)
    assert world.backfill(at(1)).exit_code == 0
    spoil(world, "another day")
    reports = [world.backfill(at(2), strategy="parallel", workers=2)]
    reports += [world.ingest(at(3)), world.build(at(3))]
    for report in reports:
        assert report.exit_code == 3
        (day,) = report.days
        assert (day.date, day.result.value) == (MONDAY, "held")
        assert "(100.0 %) would be refused, most by the rule start_is_on_file_date" in day.advice
    assert_frame_equal(world.held(at(4), MONDAY, None), world.published(1, MONDAY))

    parts = world.parts(at(4))
    name = f"{MINUTES} {MONDAY} version 2"
    assert any(name in notice for notice in status(parts).notices)
    checked = check(parts, start=MONDAY, end=WEDNESDAY, rules=["minute_prices_in_order"])
    assert (checked.is_clean, [name in n for n in checked.answer.notices]) == (False, [True])
    covered = coverage(parts, start=MONDAY, end=WEDNESDAY)
    assert covered.exit_code == 3
    (plan,) = pl.DataFrame(covered.plan.data).rows(named=True)
    assert plan["first_date"] == MONDAY
    assert plan["why"].startswith(f"{name} is held: ")

    decide(parts, "reject", str(waiting(world).landing.landing_id))
    parts.close()
    assert world.backfill(at(5)).exit_code == 0
    assert_frame_equal(world.held(at(6), MONDAY, None), world.published(1, MONDAY))


@pytest.mark.services
def test_rows_refused_in_an_accepted_version_keep_the_rows_before(tmp_path: Path) -> None:
    world = worlds(tmp_path)
    world.backfill(at(1))
    spoil(world, "negated")
    assert world.backfill(at(2)).exit_code == 3
    before = world.published(1, MONDAY)
    assert_frame_equal(world.held(at(3), MONDAY, None), before)
    parts = world.parts(at(3))
    decide(parts, "accept", str(waiting(world).landing.landing_id))
    parts.close()
    assert world.backfill(at(4)).exit_code == 0
    assert_frame_equal(world.held(at(5), MONDAY, at(2)), before)
    stale = before.with_columns(stale_refused=pl.lit(value=True))
    assert_frame_equal(world.held(at(5), MONDAY, None), stale)


@pytest.mark.services
def test_a_few_rows_that_silver_refuses_do_not_hold_a_version(tmp_path: Path) -> None:
    world = worlds(tmp_path)
    world.backfill(at(1))
    spoil(world, "a few")
    assert world.backfill(at(2)).exit_code == 0
    found = world.held(at(3), MONDAY, None)
    assert_frame_equal(
        found.drop("stale_refused"), world.published(1, MONDAY).drop("stale_refused")
    )
    assert found["stale_refused"].sum() == -(-found.height // 200)


@pytest.mark.services
def test_nothing_of_a_first_version_that_silver_would_refuse_is_in_force(tmp_path: Path) -> None:
    world = worlds(tmp_path)
    monday = file(world, MONDAY)
    good = monday.read_bytes()
    spoil(world, "another day")
    assert world.backfill(at(1)).exit_code == 3
    assert world.held(at(2), MONDAY, None).is_empty()
    assert_frame_equal(world.held(at(2), TUESDAY, None), world.published(1, TUESDAY))
    monday.write_bytes(good)
    assert world.backfill(at(3)).exit_code == 0
    assert_frame_equal(world.held(at(4), MONDAY, None), world.published(1, MONDAY))


@pytest.mark.services
def test_a_lake_built_again_from_landing_holds_the_same_version(tmp_path: Path) -> None:
    world = worlds(tmp_path)
    world.backfill(at(1))
    spoil(world, "negated")
    world.backfill(at(2))
    before = world.fingerprints(at(3))
    held = waiting(world)
    for name in ("catalog.db", "state.db"):
        (world.root / name).unlink()
    for name in ("warehouse", "landing/units"):
        shutil.rmtree(world.root / name)
    assert world.backfill(at(3)).exit_code == 3
    assert waiting(world) == held
    assert world.fingerprints(at(3)) == before
