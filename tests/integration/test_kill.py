"""A backfill that is killed anywhere and begun again ends where an undisturbed one does.

What is expected is a run of the same files at the same hour that nobody disturbed.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from random import Random
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from ingot.app.refine.ensure_sessions import ensure_sessions
from ingot.storage.iceberg.maintenance import orphans
from ingot.tables import ops, silver
from ingot.tables.registry import ALL_TABLES
from tests.support.children import KILLED, Counting, end_of, load, publish, small_world, start
from tests.support.storage_bars import iceberg_rows
from tests.support.world import World, at, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ingot.storage.fs.fault_points import Boundary

NO_LAKE, EMPTY, LOADED = "no lake", "empty lake", "loaded lake"
STAGE = {NO_LAKE: 1, EMPTY: 1, LOADED: 2}


@dataclass(frozen=True)
class Before:
    """A state of the world from which a load is killed, and what that load is when it is not."""

    lake: Path | None
    vendor: Path
    points: int
    seconds: float
    fingerprints: dict[str, str]

    def copy(self, folder: Path) -> World:
        """Return a world of its own in this state."""
        world = small_world(folder, vendor=self.vendor)
        if self.lake is not None:
            shutil.copytree(self.lake, world.root)
        return world


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Before]:
    """Load two stages undisturbed, and keep the states that they began with."""
    folder = tmp_path_factory.mktemp("undisturbed")
    world = small_world(folder)
    publish(world, 1)
    first_vendor = shutil.copytree(world.tree, folder / "vendor of stage 1")

    points_of_empty, seconds_of_empty = _measured(world, _make_empty)
    empty = shutil.copytree(world.root, folder / "empty")
    points, seconds = _measured(world, lambda w, b: w.backfill(at(1), boundary=b))
    loaded = shutil.copytree(world.root, folder / "loaded")
    expected = world.fingerprints(at(20))

    publish(world, 2)
    points_2, seconds_2 = _measured(world, lambda w, b: w.backfill(at(2), boundary=b))
    return {
        NO_LAKE: Before(
            None, first_vendor, points_of_empty + points, seconds_of_empty + seconds, expected
        ),
        EMPTY: Before(empty, first_vendor, points, seconds, expected),
        LOADED: Before(loaded, world.tree, points_2, seconds_2, world.fingerprints(at(20))),
    }


def _measured(world: World, work: Callable[[World, Boundary], object]) -> tuple[int, float]:
    counting, began = Counting(), monotonic()
    work(world, counting)
    return len(counting.seen), monotonic() - began


def _make_empty(world: World, boundary: Boundary) -> None:
    """Make a lake that knows the sessions and nothing else."""
    parts = world.parts(at(1), boundary=boundary)
    ensure_sessions(parts)
    parts.close()


@pytest.mark.parametrize(
    "seed",
    [*range(6), *(pytest.param(n, marks=pytest.mark.services) for n in range(6, 206))],
)
def test_a_killed_backfill_that_is_begun_again_ends_as_an_undisturbed_one(
    before: dict[str, Before], tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    began_with = random.choice([NO_LAKE, EMPTY, EMPTY, LOADED])
    state, stage = before[began_with], STAGE[began_with]
    world = state.copy(tmp_path)

    for _ in range(random.choice([1, 1, 2, 3])):
        _kill_a_load(world, stage, state, random)
    assert world.backfill(at(stage)).exit_code == 0

    _remove_orphans(world)
    assert world.fingerprints(at(20)) == state.fingerprints
    assert _unfinished_files(world) == []
    heads = _heads(world)
    assert world.backfill(at(stage)).days == ()
    assert _heads(world) == heads


def _kill_a_load(world: World, stage: int, state: Before, random: Random) -> None:
    """Begin to load in another process, and kill it at a step or at a moment."""
    strategy = random.choice(["sequential", "parallel"])
    if random.random() < 0.25:
        child = start(load, world, stage, strategy=strategy, workers=2)
        code = end_of(child, kill_after_s=random.uniform(0.01, state.seconds))
    else:
        at_point = random.randint(1, state.points)
        child = start(load, world, stage, strategy=strategy, workers=2, kill_at=at_point)
        code = end_of(child)
    assert code in {KILLED, 0}  # what is begun again may be over before its moment comes


def _remove_orphans(world: World) -> None:
    """Remove every file that no snapshot names, however young."""
    parts = world.parts(at(20))
    for table in ALL_TABLES:
        orphans.set_aside(parts.tables.workplace(table), min_age_s=-3600)
    parts.close()


def _heads(world: World) -> dict[str, str]:
    parts = world.parts(at(20))
    heads = {table.name: parts.tables.pointer(table) for table in ALL_TABLES}
    parts.close()
    return heads


def _unfinished_files(world: World) -> list[Path]:
    """Return the files of a lake that no finished work leaves."""
    folders = (world.root / "landing" / "tmp", world.root / "tmp")
    found = {path for folder in folders for path in folder.rglob("*")}
    return sorted(found | set(world.root.rglob("*.tmp")))


@pytest.mark.services
def test_a_resumed_lake_holds_no_key_twice_and_others_can_read_it(
    before: dict[str, Before], tmp_path: Path
) -> None:
    state = before[NO_LAKE]
    world = state.copy(tmp_path)
    for share in (0.5, 0.2):
        child = start(load, world, 1, kill_at=int(state.points * share))
        assert end_of(child) == KILLED
    world.backfill(at(1))

    parts = world.parts(at(20))
    for table in set(ALL_TABLES) - {
        ops.RUNS,
        ops.CHECKS,
    }:  # with a clock that stands still, runs are alike
        rows = rows_of(parts, table)
        assert rows.group_by(list(table.key)).aggregate([]).num_rows == rows.num_rows, table.name
    mine = rows_of(parts, silver.MINUTE_BARS)
    parts.close()
    assert mine.num_rows == sum(iceberg_rows(world.root).values()) > 0
