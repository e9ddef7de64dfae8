"""What is out of bounds or in the way is named, whatever the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ingot.app.context.lake_context import open_parts
from ingot.app.pipeline import build
from ingot.cli.main import run
from ingot.errors import ConfigError, QueryError
from ingot.model.calendar import REGULAR
from ingot.model.time import FixedClock
from tests.support.children import small_world
from tests.support.world import DAYS, MONDAY, World, at

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Load two days of day bars."""
    world = small_world(tmp_path_factory.mktemp("manners"))
    world.publish(1)
    assert world.backfill(at(1), datasets=(DAYS,)).exit_code == 0
    return world


def rebuild(world: World, rulebook: Path) -> dict[str, int]:
    """Build with a rulebook; return how many sessions of each kind there are then."""
    environ = {"INGOT_SESSIONS__RULEBOOK": str(rulebook)}
    parts = open_parts(world.root, environ=environ, clock=FixedClock(at(2)))
    try:
        build.build(parts, build.BuildRequest(world.start, world.end))
        names = [s.session for s in parts.calendar.sessions]
        return {name: names.count(name) for name in names}
    finally:
        parts.close()


def test_a_rulebook_that_is_missing_stops_a_lake_that_has_sessions_already(world: World) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml cannot be read"):
        rebuild(world, world.folder / "missing.toml")


def test_a_rulebook_set_later_takes_the_place_of_the_shipped_one(world: World) -> None:
    book = world.folder / "book.toml"
    book.write_text('[calendar.XNYS]\nzone = "America/New_York"\n')
    assert list(rebuild(world, book)) == [REGULAR]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--now", "9999-12-31T00:00Z", "bars", "--from", "2025-06-02"], "Write an instant from"),
        (["--now", "1776-07-04T00:00Z", "symbols"], "from 1900-01-01 on and before 2200-01-01"),
        (["symbols", "--to", "9999-12-31"], "--to was '9999-12-31'. Write a date from"),
        (["build", "--from", "0001-01-01"], "--from was '0001-01-01'. Write a date from"),
    ],
)
def test_a_moment_or_date_out_of_bounds_is_refused(
    world: World, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert run(["--lake", str(world.root), *words]) == 2
    assert message in capsys.readouterr().err


def test_a_symbol_that_is_no_text_is_refused_by_every_kind_of_read(world: World) -> None:
    with world.lake(at(2)) as lake:
        known = lake.symbols().to_polars()["symbol"][0]
        for ask in (
            lambda: lake.bars("\ud800", start=MONDAY),
            lambda: lake.bars(known, "\ud800", interval="1m", start=MONDAY),
            lambda: lake.history("\ud800", date=MONDAY),
            lambda: lake.resolve("\ud800"),
            lambda: lake.coverage("\ud800"),
        ):
            with pytest.raises(QueryError, match="holds a character that no symbol"):
                ask()
    assert run(["--lake", str(world.root), "bars", "\udcff"]) == 2


@pytest.mark.parametrize("kind", ["broken link", "folder"])
def test_what_stands_in_the_place_of_a_day_is_named_in_every_run(
    world: World, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "v" / DAYS / "2025" / "06" / "2025-06-02.csv.gz"
    place.parent.mkdir(parents=True)
    if kind == "folder":
        place.mkdir()
    else:
        place.symlink_to(tmp_path / "v" / "gone")
    for _ in range(2):
        words = ["--lake", str(world.root), "--now", at(3).isoformat(), "ingest", "massive"]
        assert run([*words, "--source", str(tmp_path / "v"), "--dataset", DAYS]) == 3
        told = capsys.readouterr().err
        assert f"{place} is a {'link to nothing' if kind == 'broken link' else 'folder'}." in told
