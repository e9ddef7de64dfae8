"""What a lake does when its tables are rolled back, or its cache and projections are lost.

Rollbacks and deletions are made by PyIceberg itself. What is expected is the lake as it was.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from ingot.app.context.report import Result
from ingot.app.operate.repair import repair
from ingot.tables import bronze, gold, ops, silver
from ingot.tables.registry import ALL_TABLES
from tests.support.children import TUESDAY, publish, small_world
from tests.support.world import DAYS, MONDAY, World, at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from pyiceberg.table import Table as IcebergTable

    from ingot.app.context.report import LoadReport
    from ingot.tables.contract import Table

NOW = at(9)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a lake that loaded two stages."""
    world = small_world(tmp_path_factory.mktemp("rolled"))
    for stage in (1, 2):
        publish(world, stage)
        assert world.backfill(at(stage)).exit_code == 0
    return world


@pytest.fixture(scope="module")
def was(world: World) -> dict[str, str]:
    """Return what the lake held before any of it was taken away."""
    return world.fingerprints(NOW)


@contextmanager
def by_iceberg(world: World, table: Table) -> Iterator[IcebergTable]:
    """Open a table as a stranger would, by PyIceberg's own catalog."""
    catalog = SqlCatalog(
        "lake", uri=f"sqlite:///{world.root}/catalog.db", warehouse=f"file://{world.root}/warehouse"
    )
    try:
        yield catalog.load_table(table.name)
    finally:
        catalog.close()


def roll_back(world: World, table: Table) -> set[tuple[str, date]]:
    """Take back a table's last commit; return the dataset and first date of each unit in it."""
    with by_iceberg(world, table) as iceberg:
        head = iceberg.current_snapshot()
        assert head is not None
        assert head.parent_snapshot_id is not None
        iceberg.manage_snapshots().rollback_to_snapshot(head.parent_snapshot_id).commit()
    parts = world.parts(NOW)
    done = parts.ledger.done_all(table.name)
    parts.close()
    scopes = [d.unit.scope for d in done if d.snapshot_id == head.snapshot_id]
    return {(scope.dataset, scope.start) for scope in scopes}


def loaded(report: LoadReport) -> set[tuple[str, str, date]]:
    return {(day.table, day.dataset, day.date) for day in report.of(Result.LOADED)}


@pytest.mark.parametrize(
    "table",
    [
        silver.MINUTE_BARS,
        *(
            pytest.param(table, marks=pytest.mark.services)
            for table in (silver.DAY_BARS, gold.DAILY_BARS, gold.PERFORMANCE)
        ),
    ],
    ids=lambda table: table.name,
)
def test_a_build_redoes_exactly_the_units_that_a_rollback_undid(
    world: World, was: dict[str, str], table: Table
) -> None:
    undone = roll_back(world, table)
    assert undone
    report = world.build(NOW)
    assert loaded(report) == {(table.name, *unit) for unit in undone}
    assert world.fingerprints(NOW) == was
    assert world.build(NOW).days == ()


def test_a_load_redoes_exactly_the_files_that_a_rollback_of_bronze_undid(
    world: World, was: dict[str, str]
) -> None:
    undone = roll_back(world, bronze.MINUTE_BARS)
    assert undone
    report = world.backfill(NOW)
    assert loaded(report) == {(bronze.MINUTE_BARS.name, *unit) for unit in undone}
    assert world.fingerprints(NOW) == was


@pytest.mark.services
def test_a_rollback_is_found_even_when_the_cache_is_lost_with_it(
    world: World, was: dict[str, str]
) -> None:
    undone = roll_back(world, silver.MINUTE_BARS)
    remove_cache(world)
    report = world.build(NOW)
    assert loaded(report) == {(silver.MINUTE_BARS.name, *unit) for unit in undone}
    assert world.fingerprints(NOW) == was


def remove_cache(world: World) -> None:
    for path in world.root.glob("state.db*"):
        path.unlink()


def damage_cache(world: World) -> None:
    (world.root / "state.db").write_bytes(b"no database at all " * 5000)


@pytest.mark.parametrize(
    "lose", [remove_cache, pytest.param(damage_cache, marks=pytest.mark.services)]
)
def test_a_lake_whose_cache_is_lost_loads_nothing_twice(
    world: World, was: dict[str, str], lose: Callable[[World], None]
) -> None:
    heads = data_heads(world)
    lose(world)
    assert world.backfill(NOW).days == ()
    assert data_heads(world) == heads
    assert world.fingerprints(NOW) == was


def data_heads(world: World) -> dict[str, str]:
    """Return where each table stands that is no projection of the ledger."""
    parts = world.parts(NOW)
    heads = {t.name: parts.tables.pointer(t) for t in ALL_TABLES if t not in ops.TABLES}
    parts.close()
    return heads


@pytest.mark.services
def test_bytes_that_are_lost_are_named_by_repair_and_fetched_again(
    world: World, was: dict[str, str]
) -> None:
    parts = world.parts(NOW)
    (state,) = parts.ledger.states("massive", DAYS, MONDAY, TUESDAY)
    lost = parts.ledger.object_path(state.landing.sha256)
    parts.close()
    data = lost.read_bytes()
    lost.unlink()

    found = repaired(world)
    assert found["landed bytes verified"] == (1, f"damaged, set aside: {lost.name[:12]}")
    assert world.backfill(NOW).days == ()
    assert lost.read_bytes() == data
    assert repaired(world)["landed bytes verified"] == (0, "")
    assert world.fingerprints(NOW) == was


@pytest.mark.parametrize("table", [ops.LANDINGS, ops.QUARANTINE], ids=lambda table: table.name)
def test_a_projection_that_lost_its_rows_is_rebuilt_by_repair(
    world: World, was: dict[str, str], table: Table
) -> None:
    with by_iceberg(world, table) as iceberg:
        iceberg.delete()
        assert iceberg.refresh().scan().to_arrow().num_rows == 0
    assert world.fingerprints(NOW) != was
    repaired(world)
    assert world.fingerprints(NOW) == was


@pytest.mark.services
def test_a_rollback_is_told_by_repair(world: World, was: dict[str, str]) -> None:
    undone = roll_back(world, silver.DAY_BARS)
    assert repaired(world)["units undone by a rollback"] == (len(undone), "run: ingot build")
    world.build(NOW)
    assert world.fingerprints(NOW) == was


def repaired(world: World) -> dict[str, tuple[int, str]]:
    """Repair, and return what each step found."""
    parts = world.parts(NOW)
    try:
        rows = repair(parts, delete_orphans=False).answer.to_polars().rows()
    finally:
        parts.close()
    return {step: (found, note) for step, found, note in rows}
