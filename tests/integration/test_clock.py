"""A machine's clock that is set back or ahead between two loads, at the real command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ingot.app.context.lake_context import open_parts
from ingot.app.lake import Lake
from ingot.app.operate import status
from ingot.app.pipeline import ingest
from ingot.cli.main import run
from ingot.errors import ClockSkewError
from ingot.model.time import FixedClock
from tests.support.children import small_world
from tests.support.world import DAYS, MONDAY, World

if TYPE_CHECKING:
    from pathlib import Path

    from ingot.app.context.lake_context import Parts

FUTURE = datetime.now(UTC) + timedelta(days=6 * 365)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a lake of day files that the machine's clock has stamped."""
    world = small_world(tmp_path)
    world.publish(1)
    world.parts(FUTURE).close()
    assert load(world) == 0
    return world


def load(world: World, *options: str) -> int:
    words = ("ingest", "massive", "--source", str(world.tree), "--dataset", DAYS)
    return run(["--lake", str(world.root), *options, *words])


def machine(world: World, now: datetime) -> Parts:
    """Open the lake on a machine whose own clock says `now`."""
    return open_parts(world.root, environ={}, clock=FixedClock(now, stated=False))


def test_a_correction_by_a_clock_that_is_ahead_is_counted_and_the_next_load_stops(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.publish(2)
    parts = machine(world, FUTURE)
    loaded = ingest.ingest(parts, world.request(datasets=(DAYS,)))
    parts.close()
    versions, rows = len(loaded.days), loaded.rows
    assert versions

    assert load(world) == 2
    told = capsys.readouterr().err
    assert f"{FUTURE:%Y-%m-%d}" in told
    assert f"{datetime.now(UTC):%Y-%m-%d}" in told

    lake = Lake(machine(world, datetime.now(UTC)))
    answer = lake.bars(start=MONDAY)
    assert any(f"{versions} versions are known only from" in n for n in answer.notices)
    lake.close()
    parts = machine(world, datetime.now(UTC))
    notices = status.status(parts).notices
    parts.close()
    assert any(f"{versions} versions with {rows:,} rows are known only" in n for n in notices)

    assert load(world, "--accept-clock") == 0
    assert load(world) == 0


def test_a_load_stops_when_the_clock_was_set_back(world: World) -> None:
    parts = machine(world, datetime.now(UTC) - timedelta(days=1))
    with pytest.raises(ClockSkewError, match="--accept-clock"):
        ingest.ingest(parts, world.request())
    parts.close()


def test_a_known_from_that_a_csv_states_in_the_future_is_named(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "actions.csv"
    file.write_text(
        "symbol,ex_date,kind,ratio_from,ratio_to,known_from\n"
        "AAPL,2025-06-03,split,1,2,2100-01-01T00:00Z\n"
        "MSFT,2025-06-03,split,1,2,2025-06-01T00:00Z\n"
    )
    lake = ("--lake", str(world.root), "--now", "2025-07-01T00:00Z")
    assert run([*lake, "ingest", "actions", "--source", f"csv:{file}"]) == 0
    told = capsys.readouterr().err
    assert "1 rows of actions state a known_from in the future, up to 2100-01-01 00:00" in told
    assert run([*lake, "landings", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)
