"""What a dataset is is recorded in the lake, so that reading needs no connector."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.world import DAYS, MINUTES, MONDAY, World, at, held

if TYPE_CHECKING:
    from pathlib import Path

DATASETS = "landing/datasets"
WITHOUT_MASSIVE = """
import sys
sys.modules["ingot.connectors.massive"] = None
from ingot.cli.main import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a lake with one day of minutes and day bars."""
    world = World(tmp_path_factory.mktemp("world"), symbols=20, end=MONDAY.replace(day=3))
    world.publish()
    world.backfill(at(1))
    return world


def _records(root: Path) -> list[str]:
    folder = root / DATASETS
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.json"))


def _copied(world: World, to: Path) -> World:
    shutil.copytree(world.root, to / "lake")
    return World(to, symbols=20, end=world.end, vendor=world.tree)


def test_a_dataset_is_recorded_once_when_it_lands(loaded: World, tmp_path: Path) -> None:
    world = _copied(loaded, tmp_path)
    world.backfill(at(2))
    assert _records(world.root) == [
        f"massive/{DAYS}/1.json",
        f"massive/{MINUTES}/1.json",
        "sessions/XNYS/1.json",
    ]
    body = json.loads((world.root / DATASETS / "massive" / MINUTES / "1.json").read_text())
    assert body["bronze"] == "bronze.minute_bars"
    assert body["silver"] == "silver.minute_bars"
    assert body["calendar"] == "XNYS"
    assert body["history_from"] == "2003-09-10"
    assert body["due_hours"] == 35  # massive.com/docs: by about 11:00 AM ET the next day


@pytest.mark.parametrize(
    "command",
    [
        ("bars", "--from", "2025-06-02", "--to", "2025-06-02", "--interval", "1d"),
        ("sql", "select count(*) as n from silver.minute_bars"),
        ("build",),
        *(
            pytest.param(command, marks=pytest.mark.services)
            for command in (
                ("status",),
                ("coverage", "--from", "2025-06-02", "--to", "2025-06-02"),
                ("landings",),
                ("check", "--from", "2025-06-02", "--to", "2025-06-02"),
            )
        ),
    ],
    ids=lambda command: command[0],
)
def test_a_lake_is_used_without_the_connector_that_loaded_it(
    loaded: World, tmp_path: Path, command: tuple[str, ...]
) -> None:
    world = _copied(loaded, tmp_path)
    with world.lake(at(2)) as lake:
        symbol = lake.sql("select min(symbol) as s from silver.minute_bars").to_polars()["s"][0]
    arguments = [command[0], *([symbol] if command[0] == "bars" else []), *command[1:]]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_MASSIVE, "--lake", str(world.root), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.services
def test_a_lake_from_before_datasets_were_recorded_reads_and_records_them_at_the_next_load(
    loaded: World, tmp_path: Path
) -> None:
    world = _copied(loaded, tmp_path)
    before = world.fingerprints(at(1))
    shutil.rmtree(world.root / DATASETS)
    (world.root / "state.db").unlink()
    with loaded.lake(at(2)) as lake:
        expected = held(lake, MONDAY, None)
    with world.lake(at(2)) as lake:
        assert held(lake, MONDAY, None).equals(expected)
    assert _records(world.root) == []
    world.backfill(at(2))
    assert len(_records(world.root)) == 3
    assert world.fingerprints(at(2)) == before
