"""Two processes load one lake at once: both end well or say why, and nothing is lost or double.

What is expected is a lake that one process loaded alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

import pytest

from ingot.storage.fs.fault_points import undisturbed
from tests.support.children import (
    Counting,
    Overtaken,
    build,
    end_of,
    load,
    publish,
    small_world,
    start,
)
from tests.support.world import MONDAY, at

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess
    from pathlib import Path

    from ingot.app.context.report import LoadReport
    from tests.support.world import World

ENDS_WELL = {0, 4}
"""Done, or: another process was faster, run it again."""


@dataclass(frozen=True)
class Alone:
    """What one process does and leaves that has the lake for itself."""

    points: list[str]
    """The durable steps of a load of the first stage."""
    held: dict[int, dict[str, str]]
    """Fingerprints after each stage."""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Alone:
    """Load two stages by one process."""
    world, counting = small_world(tmp_path_factory.mktemp("alone")), Counting()
    held = {}
    for stage in (1, 2):
        publish(world, stage)
        world.backfill(at(stage), boundary=counting if stage == 1 else undisturbed)
        held[stage] = world.fingerprints(at(20))
    return Alone(counting.seen, held)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world of which the first stage is published."""
    world = small_world(tmp_path)
    publish(world, 1)
    return world


def both_end_well(*children: BaseProcess) -> None:
    assert {end_of(child) for child in children} <= ENDS_WELL


@pytest.mark.parametrize(
    "strategy", [pytest.param("sequential", marks=pytest.mark.services), "parallel"]
)
def test_two_processes_may_load_the_same_files_into_a_new_lake(
    world: World, alone: Alone, strategy: str
) -> None:
    identical_loads(world, 2, strategy=strategy, workers=2)
    assert world.fingerprints(at(20)) == alone.held[1]


@pytest.mark.services
@pytest.mark.parametrize("seed", range(10))
def test_identical_loads_at_once_all_succeed_and_do_each_unit_once(
    world: World, alone: Alone, seed: int
) -> None:
    random = Random(seed)
    strategy = random.choice(["sequential", "parallel"])
    identical_loads(world, random.randint(2, 4), strategy=strategy, workers=2)
    publish(world, 2)
    identical_loads(world, random.randint(2, 4), stage=2, strategy=strategy, workers=2)
    assert world.fingerprints(at(20)) == alone.held[2]


def identical_loads(world: World, count: int, *, stage: int = 1, **how: object) -> None:
    """Load one stage by several processes at once: all succeed, and each unit is done once."""
    children = [start(load, world, stage, **how) for _ in range(count)]
    assert [end_of(child) for child in children] == [0] * count
    parts = world.parts(at(stage))
    with parts.ledger as ledger:
        units = [
            (record.done.unit.table, record.done.unit.name) for record in ledger.runs(0, 2**62)
        ]
    parts.close()
    assert [unit for unit, times in Counter(units).items() if times > 1] == []


@pytest.mark.services
def test_two_processes_may_load_one_day_each(world: World, alone: Alone) -> None:
    tuesday = MONDAY + timedelta(days=1)
    both_end_well(
        start(load, world, 1, start=MONDAY, end=tuesday),
        start(load, world, 1, start=tuesday, end=world.end),
    )
    assert world.backfill(at(1)).exit_code == 0
    assert world.fingerprints(at(20)) == alone.held[1]


@pytest.mark.services  # half a minute
def test_a_correction_may_be_loaded_while_another_process_refines(
    world: World, alone: Alone
) -> None:
    world.ingest(at(1))
    publish(world, 2)
    both_end_well(start(build, world, 2), start(load, world, 2))
    assert world.backfill(at(2)).exit_code == 0
    assert world.fingerprints(at(20)) == alone.held[2]


@pytest.mark.parametrize("seed", [pytest.param(n, marks=pytest.mark.services) for n in range(20)])
def test_a_load_may_be_overtaken_at_any_step_by_the_load_of_a_correction(
    world: World, alone: Alone, seed: int
) -> None:
    landed = last(alone.points, "versions.taken")
    overtaken_at = Random(seed).randint(landed, len(alone.points))
    report = overtaken(world, overtaken_at)
    assert report.exit_code in ENDS_WELL
    for trouble in report.days:
        assert trouble.error is None or "Run the command again" in trouble.advice
    assert world.backfill(at(2)).exit_code == 0
    assert world.fingerprints(at(20)) == alone.held[2]


STEPS_OF_A_FILE = ("before_write", "before_link", "after_link", "after_sync")


@pytest.mark.services
def test_an_overtaken_projection_does_not_take_ops_tables_back(world: World, alone: Alone) -> None:
    projecting = last(alone.points, "units.taken") + len(STEPS_OF_A_FILE)
    report = overtaken(world, projecting)
    assert report.exit_code == 0
    assert world.fingerprints(at(20))["ops.landings"] == alone.held[2]["ops.landings"]


def last(points: list[str], point: str) -> int:
    """Return the number of the last step of this name, from 1."""
    return max(number for number, name in enumerate(points, 1) if name == point)


def overtaken(world: World, step: int) -> LoadReport:
    """Load the first stage; at a step, another process loads the second and is done."""

    def correct() -> None:
        publish(world, 2)
        assert end_of(start(load, world, 2)) == 0

    return world.backfill(at(1), boundary=Overtaken(step, correct))
